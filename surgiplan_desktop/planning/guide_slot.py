"""The saw slot: width from the blade, length from the bone, and the tower that guides it (clinical.md D, practice.md 19).

Slot coordinates from the start of the cut: ``s`` along the hinge towards anterior, ``q`` along the cut's normal, ``m`` outwards
against the blade, mm.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from surgiplan_desktop.base.arrays import FloatArray
from surgiplan_desktop.base.errors import InputDataError
from surgiplan_desktop.base.spaces import Frame
from surgiplan_desktop.geometry.shell import Field, LocalGrid, rounded_both
from surgiplan_desktop.geometry.solid import box
from surgiplan_desktop.model.mesh import Mesh
from surgiplan_desktop.model.steps import Blade, GuideStep
from surgiplan_desktop.planning.guide_patch import front_of
from surgiplan_desktop.planning.guide_site import GuideSite
from surgiplan_desktop.planning.limits import default_limits

#: Rounding of the tower's edges, mm.
_EDGE_MM = 1.2


@dataclass(frozen=True, slots=True, eq=False)
class Slot:
    """The saw slot.

    Attributes
    ----------
    width_mm
        Closed slot: max(body + 0.2, kerf + 0.1).
    cut_mm
        Length of the cut that the slot serves, posterior to anterior.
    low_s, high_s
        Ends of the slot along s.
    face_m
        The tower's entry face along m; the blade enters there.
    bone_m
        The outermost bone along m in the slot.
    guide_height_mm
        From the entry face to the outermost bone less the clearance: the least guided length.
    frame
        X = s, Y = q, Z = s x q (along the blade), origin at the middle of the entry face.
    out_sign
        +1 when Z of the frame points outwards, -1 otherwise.
    """

    width_mm: float
    cut_mm: float
    low_s: float
    high_s: float
    face_m: float
    bone_m: float
    guide_height_mm: float
    frame: Frame
    out_sign: int

    @property
    def length_mm(self) -> float:
        """Length of the slot."""
        return self.high_s - self.low_s


def slot_width(blade: Blade) -> float:
    """Return the width of a closed slot for a blade, mm (clinical.md D)."""
    return max(blade.body_mm + 0.2, blade.kerf_mm + 0.1)


def find_slot(site: GuideSite, step: GuideStep, blade: Blade) -> Slot:
    """Return the slot in the cut.

    Raises
    ------
    InputDataError
        ``guide_off_bone`` when the cut does not meet the bone near its start.
    """
    limits = default_limits()
    section = _section(site)
    s, m = (section - site.origin_lps) @ site.slot_direction, -(section - site.origin_lps) @ site.blade_direction
    a = site.local(section)[:, 0]
    near = (m > m.max() - limits["guide.hook_mm"] - 4.0) & (a < front_of(site) + 1.0) if len(m) else np.zeros(0, dtype=np.bool_)
    if not near.any():
        raise InputDataError("guide_off_bone", distance_mm=0.0)
    back, front = float(s[near].min()), float(s[near].max())
    sweep = 2 * float(np.tan(np.radians(blade.excursion_deg))) * limits["guide.slot_height_mm"]
    spare = (blade.width_mm / 2 + sweep) / 2
    low, high = back - spare, front + spare
    end = limits["guide.slot_end_mm"]
    under = (s > low - end) & (s < high + end) & (m > m.max() - 30.0)
    bone = float(m[under].max())
    face = bone + step.clearance_mm + limits["guide.slot_height_mm"]
    middle = site.origin_lps + 0.5 * (low + high) * site.slot_direction - face * site.blade_direction
    z = np.cross(site.slot_direction, site.plane.normal)
    return Slot(
        width_mm=slot_width(blade),
        cut_mm=front - back,
        low_s=low,
        high_s=high,
        face_m=face,
        bone_m=bone,
        guide_height_mm=face - bone - step.clearance_mm,
        frame=Frame(middle, np.column_stack([site.slot_direction, site.plane.normal, z])),
        out_sign=-1 if z @ site.blade_direction > 0 else 1,
    )


def _section(site: GuideSite) -> FloatArray:
    """Return points where the cut crosses the edges of the bone's surface, (n, 3) LPS mm."""
    mesh = site.part.mesh
    height = site.plane.signed_distance(mesh.vertices)
    edges = np.concatenate([mesh.faces[:, (0, 1)], mesh.faces[:, (1, 2)], mesh.faces[:, (2, 0)]])
    crossing = edges[(height[edges[:, 0]] < 0) & (height[edges[:, 1]] >= 0)]
    low, high = height[crossing[:, 0]], height[crossing[:, 1]]
    share = (-low / (high - low))[:, None]
    points: FloatArray = mesh.vertices[crossing[:, 0]] * (1 - share) + mesh.vertices[crossing[:, 1]] * share
    return points


def tower_half_mm(slot: Slot) -> float:
    """Return half the thickness of the tower across the cut."""
    return slot.width_mm / 2 + default_limits()["guide.slot_wall_mm"]


def tower_field(site: GuideSite, slot: Slot, grid: LocalGrid) -> Field:
    """Return the tower as a field (negative inside); its foot goes down to the bone."""
    s = np.abs(grid.along(slot.frame.x, slot.frame.origin_lps)) - np.float32(
        slot.length_mm / 2 + default_limits()["guide.slot_end_mm"]
    )
    q = np.abs(grid.along(slot.frame.y, slot.frame.origin_lps)) - np.float32(tower_half_mm(slot))
    m = grid.along(-site.blade_direction, slot.frame.origin_lps)
    side = rounded_both(s, q, _EDGE_MM)
    return rounded_both(
        side, np.maximum(m, -np.float32(slot.face_m - slot.bone_m + default_limits()["guide.hook_mm"] + 6.0) - m), _EDGE_MM
    )


def slot_tool(slot: Slot) -> Mesh:
    """Return the body that cuts the slot: through the whole tower and out of it, in the cut."""
    deep = slot.face_m - slot.bone_m + 40.0
    centre = slot.frame.origin_lps + slot.out_sign * (5.0 - deep / 2) * slot.frame.z
    return box(Frame(centre, slot.frame.axes), (slot.length_mm, slot.width_mm, deep + 10.0))
