"""The two drill sleeves: one pin a fragment, not parallel before the opening and parallel after it (practice.md 17, 9).

The distal pin is the proximal one carried back through the correction: ``d_distal = R^-1 d_proximal``. While the guide sits, the
pins therefore differ by the opening angle; once the distal piece has moved, rods through both are parallel.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from surgiplan_desktop.base.arrays import FloatArray, unit
from surgiplan_desktop.base.errors import ComputationError
from surgiplan_desktop.geometry.distance import ray_hits
from surgiplan_desktop.geometry.shell import Field, LocalGrid, rounded_both
from surgiplan_desktop.geometry.solid import cylinder
from surgiplan_desktop.model.mesh import Mesh
from surgiplan_desktop.model.steps import GuideStep
from surgiplan_desktop.planning.guide_patch import Relief, front_of
from surgiplan_desktop.planning.guide_site import GuideSite
from surgiplan_desktop.planning.guide_slot import Slot, tower_half_mm
from surgiplan_desktop.planning.limits import default_limits
from surgiplan_desktop.planning.records import OsteotomyPlan, Sleeve

#: Elevation of the proximal pin above the blade's direction, towards proximal, deg; and its turn towards anterior.
_ELEVATIONS = tuple(float(angle) for angle in range(-28, 13, 4))
_TURNS = (0.0, -10.0, 10.0, -20.0)
#: A distance beyond what is asked that needs no improvement, mm.
_ENOUGH_MM = 3.0
#: Heights of the entries above and below the cut that are tried, mm, nearest first.
_HEIGHTS = tuple(float(height) for height in np.arange(9.0, 41.0, 1.5))


@dataclass(frozen=True, slots=True, eq=False)
class Pin:
    """A pin: where it enters the bone, its direction, and its distances beyond those asked, mm (negative = too near).

    ``depth_mm`` reaches from the entry to the far cortex; the distances hold for the planned length in bone.
    """

    entry_lps: FloatArray
    direction: FloatArray
    depth_mm: float
    to_cut_mm: float
    to_joint_mm: float

    @property
    def spare_mm(self) -> float:
        """The smaller of the distances beyond what is asked, to cut and joint."""
        return min(self.to_cut_mm, self.to_joint_mm)


def bore_mm(step: GuideStep) -> float:
    """Return the diameter of the sleeve's bore, mm."""
    return step.pin_diameter_mm + step.sleeve_clearance_mm


def sleeve_radius(step: GuideStep) -> float:
    """Return the outer radius of a sleeve, mm."""
    return bore_mm(step) / 2 + default_limits()["guide.sleeve_wall_mm"]


def find_pins(site: GuideSite, relief: Relief, slot: Slot, step: GuideStep, plan: OsteotomyPlan) -> tuple[Pin, Pin]:
    """Return the proximal and the distal pin.

    The direction of the proximal pin is searched so that both pins keep the greatest distance from cut and joint; each entry is
    the nearest to the cut whose sleeve clears the tower.

    Raises
    ------
    ComputationError
        ``guide_no_pins`` when no direction keeps both pins in bone, off the cut and off the joint.
    """
    limits = default_limits()
    back = plan.correction.inverse()
    radius = sleeve_radius(step)
    above, below = ([_entry(site, relief, sign * height, radius) for height in _HEIGHTS] for sign in (1, -1))
    found: list[tuple[float, Pin, Pin]] = []
    for elevation, turn in product(_ELEVATIONS, _TURNS):
        direction = _direction(site, elevation, turn)
        proximal = _pin(site, slot, step, direction, above)
        distal = _pin(site, slot, step, unit(back.directions(direction)), below)
        if proximal is None or distal is None:
            continue
        worst = min(proximal.spare_mm, distal.spare_mm)
        score = round(min(worst, _ENOUGH_MM) - 0.05 * abs(turn) - 0.002 * abs(elevation), 4)
        if worst >= 0:
            found.append((score, proximal, distal))
    for _, *pair in sorted(found, key=lambda item: -item[0]):
        proximal, distal = (replace(pin, depth_mm=_depth(site, pin)) for pin in pair)
        if min(proximal.depth_mm, distal.depth_mm) >= limits["guide.pin_in_bone_mm"]:
            return proximal, distal
    raise ComputationError("guide_no_pins")


def _direction(site: GuideSite, elevation_deg: float, turn_deg: float) -> FloatArray:
    up, side = np.radians(elevation_deg), np.radians(turn_deg)
    flat = np.cos(side) * site.blade_direction + np.sin(side) * site.slot_direction
    return unit(np.cos(up) * flat + np.sin(up) * site.plane.normal)


def _pin(site: GuideSite, slot: Slot, step: GuideStep, direction: FloatArray, entries: list[FloatArray]) -> Pin | None:
    """Return the pin of a direction at the entry that keeps most distance from cut and joint, or None.

    Of entries that are equal within half a millimetre the nearest to the cut is taken: it keeps the guide small.
    """
    limits = default_limits()
    radius = sleeve_radius(step)
    rim = site.rim_y - limits["guide.to_rim_mm"] - radius - 1.0
    lowest = site.end_y + 5.0 + radius
    best: Pin | None = None
    for entry in entries:
        y = float(site.local(entry)[1])
        if y > rim or y < lowest:
            break
        if _gap_to_tower(site, slot, entry, direction, radius, step) < limits["guide.sleeve_gap_mm"]:
            continue
        pin = _measured(site, entry, direction, step)
        if best is None or pin.spare_mm > best.spare_mm + 0.5:
            best = pin
        if best.spare_mm >= _ENOUGH_MM:
            break
    return best


def _entry(site: GuideSite, relief: Relief, height_mm: float, radius: float) -> FloatArray:
    """Return the bone point a sleeve's radius behind the anterior border, at a height above the cut."""
    a = front_of(site) - radius - 1.5
    y = height_mm
    for _ in range(8):  # the cut is tilted: move along y until the surface point has the height
        point = site.to_lps(np.array([a, y, float(relief.height_at(a, y))]))
        y += height_mm - float(site.plane.signed_distance(point))
    return site.to_lps(np.array([a, y, float(relief.height_at(a, y))]))


def _gap_to_tower(site: GuideSite, slot: Slot, entry: FloatArray, direction: FloatArray, radius: float, step: GuideStep) -> float:
    """Return the gap between a sleeve and the tower outside the bone, mm, along the sleeve and 12 mm beyond its top."""
    limits = default_limits()
    out = np.linspace(0.0, step.sleeve_height_mm + 12.0, 28)[:, None]
    points = entry - out * direction
    q = np.abs((points - slot.frame.origin_lps) @ slot.frame.y) - tower_half_mm(slot)
    s = np.abs((points - slot.frame.origin_lps) @ slot.frame.x) - slot.length_mm / 2 - limits["guide.slot_end_mm"]
    m = -(points - site.origin_lps) @ site.blade_direction - slot.face_m
    outside = np.maximum(np.stack([q, s, m]), 0.0)
    apart = np.linalg.norm(outside, axis=0)
    return float(np.where(apart > 0, apart, np.maximum(np.maximum(q, s), m)).min()) - radius


def _measured(site: GuideSite, entry: FloatArray, direction: FloatArray, step: GuideStep) -> Pin:
    used = np.linspace(0.0, default_limits()["guide.pin_planned_mm"], 40)[:, None]
    points = entry + used * direction
    radius = step.pin_diameter_mm / 2
    side = np.sign(site.plane.signed_distance(entry))
    to_cut = float((side * site.plane.signed_distance(points)).min()) - radius - default_limits()["guide.pin_to_cut_mm"]
    rim = site.rim_y - site.local(points)[:, 1]
    to_joint = float(rim.min()) - radius - default_limits()["guide.pin_to_joint_mm"]
    return Pin(entry, direction, 0.0, to_cut, to_joint)


def _depth(site: GuideSite, pin: Pin) -> float:
    """Return the distance from a pin's entry to the far cortex, mm."""
    hits = ray_hits(site.part.mesh, (pin.entry_lps - 3.0 * pin.direction)[None], pin.direction[None])
    out = hits.distance_mm[~hits.entering]
    return float(out.max()) - 3.0 if len(out) else 0.0


def sleeve_top(pin: Pin, step: GuideStep) -> FloatArray:
    """Return the middle of the sleeve's upper face, LPS mm."""
    return pin.entry_lps - (step.sleeve_height_mm + step.clearance_mm) * pin.direction


def sleeve_field(pin: Pin, step: GuideStep, grid: LocalGrid) -> Field:
    """Return a sleeve without its bore as a field; its foot goes 8 mm into the bone, which is subtracted later."""
    top = sleeve_top(pin, step)
    along = grid.along(pin.direction, top)
    square = sum((grid.along(axis, top) - along * np.float32(axis @ pin.direction)) ** 2 for axis in np.eye(3))
    radial = np.sqrt(square) - np.float32(sleeve_radius(step))
    length = np.float32(step.sleeve_height_mm + step.clearance_mm + 8.0)
    return rounded_both(radial.astype(np.float32), np.maximum(-along, along - length), 0.8)


def bore_tool(pin: Pin, step: GuideStep) -> Mesh:
    """Return the body that drills a sleeve's bore, its facets outside the circle so that the pin passes."""
    top = sleeve_top(pin, step)
    return cylinder(top - 8.0 * pin.direction, pin.entry_lps + 10.0 * pin.direction, bore_mm(step) / 2, 48, circumscribed=True)


def as_sleeve(pin: Pin, step: GuideStep, name: str) -> Sleeve:
    """Return the record of a sleeve."""
    return Sleeve(
        name=name,
        top_lps=sleeve_top(pin, step),
        direction=pin.direction,
        bore_mm=bore_mm(step),
        fragment="proximal" if name == "proximal" else "distal",
        to_far_cortex_mm=step.sleeve_height_mm + step.clearance_mm + pin.depth_mm,
    )


def parallel_after_opening(proximal: FloatArray, distal: FloatArray, plan: OsteotomyPlan) -> float:
    """Return the angle between the pins once the distal piece has moved, deg."""
    moved = unit(plan.correction.directions(distal))
    cosine = abs(float(unit(proximal) @ moved))
    sine = float(np.linalg.norm(np.cross(unit(proximal), moved)))
    return float(np.degrees(np.arctan2(sine, cosine)))
