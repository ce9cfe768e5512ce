"""Where a medial tibial guide may sit: insertion direction, local axes and borders (clinical.md D, practice.md 7, 8, 18).

Coordinates of the site: ``a`` (about anterior), ``y`` (proximal), ``w`` (withdrawal, away from the bone), mm, along the columns
of ``GuideSite.axes``. They are right-handed on one side of the body and left-handed on the other, so mirrored legs give the same
numbers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from surgiplan_desktop.base.arrays import BoolArray, FloatArray, unit
from surgiplan_desktop.base.errors import InputDataError
from surgiplan_desktop.base.spaces import Plane
from surgiplan_desktop.geometry.distance import face_normals
from surgiplan_desktop.model.mesh import Bone, BonePart
from surgiplan_desktop.planning.limits import default_limits
from surgiplan_desktop.planning.records import Landmarks, OsteotomyPlan

#: Landmarks on the medial rim; the lowest that is there bounds the guide proximally.
_RIM = ("medial_plateau_edge", "medial_plateau_centre", "medial_posterior_plateau")


@dataclass(frozen=True, slots=True, eq=False)
class GuideSite:
    """The place of a guide.

    Attributes
    ----------
    part
        The part of the tibia that carries it.
    origin_lps
        The start point of the cut.
    axes
        Columns a, y, w in LPS.
    insertion_angle_deg
        Angle of w anterior of straight medial.
    plane
        The cut.
    blade_direction
        Unit, in the cut, from medial to lateral, at right angles to the hinge.
    slot_direction
        Unit, in the cut, posterior to anterior.
    rim_y
        Height of the lowest medial rim landmark, mm along y from the origin.
    tuberosity
        Site coordinates of the tuberosity (a, y, w), mm.
    end_y
        Height of the distal end of the bone part (its cap or tip).
    """

    part: BonePart
    origin_lps: FloatArray
    axes: FloatArray
    insertion_angle_deg: float
    plane: Plane
    blade_direction: FloatArray
    slot_direction: FloatArray
    rim_y: float
    tuberosity: FloatArray
    end_y: float

    def local(self, points_lps: FloatArray) -> FloatArray:
        """Map LPS points (3,) or (n, 3) to site coordinates."""
        result: FloatArray = (np.asarray(points_lps, dtype=np.float64) - self.origin_lps) @ self.axes
        return result

    def to_lps(self, points: FloatArray) -> FloatArray:
        """Map site coordinates (3,) or (n, 3) to LPS."""
        result: FloatArray = self.origin_lps + np.asarray(points, dtype=np.float64) @ self.axes.T
        return result

    @property
    def withdrawal(self) -> FloatArray:
        """Unit, LPS: the way the guide comes off."""
        return self.axes[:, 2]


def find_site(landmarks: Landmarks, plan: OsteotomyPlan, tibia: Bone) -> GuideSite:
    """Return the site of a guide for a medial opening wedge.

    Raises
    ------
    InputDataError
        ``guide_needs_landmark`` without tuberosity or medial rim; ``guide_off_bone`` when the cut's start lies on no part.
    """
    frame = plan.frame
    part = _part_at(tibia, plan.start_lps)
    blade, slot = _blade_axes(plan)
    tuberosity = landmarks.point("tibial_tuberosity")
    rim = [point for name in _RIM if (point := landmarks.point(name)) is not None]
    if tuberosity is None or not rim:
        raise InputDataError("guide_needs_landmark", landmark="tibial_tuberosity" if tuberosity is None else _RIM[0])
    rim_y = min(float((point - plan.start_lps) @ frame.y) for point in rim)
    angle = _insertion_angle(plan, part, rim_y, tuberosity)
    axes = _axes(plan, angle)
    on_part = part.mesh.vertices[~part.cap_vertices] if part.cap_vertices.any() else part.mesh.vertices
    return GuideSite(
        part=part,
        origin_lps=plan.start_lps,
        axes=axes,
        insertion_angle_deg=angle,
        plane=plan.plane,
        blade_direction=blade,
        slot_direction=slot,
        rim_y=rim_y,
        tuberosity=(tuberosity - plan.start_lps) @ axes,
        end_y=float(((on_part - plan.start_lps) @ frame.y).min()),
    )


def _part_at(tibia: Bone, point_lps: FloatArray) -> BonePart:
    def gap(part: BonePart) -> float:
        return float(np.linalg.norm(part.mesh.vertices - point_lps, axis=1).min())

    part = min(tibia.parts, key=gap)
    if gap(part) > default_limits()["guide.start_to_bone_mm"]:
        raise InputDataError("guide_off_bone", distance_mm=round(gap(part), 1))
    return part


def _blade_axes(plan: OsteotomyPlan) -> tuple[FloatArray, FloatArray]:
    """Return the blade's direction (medial to lateral) and the slot's (posterior to anterior), both in the cut."""
    lateral = plan.side.sign * plan.frame.z
    normal = plan.plane.normal
    hinge = unit(plan.hinge_direction - (plan.hinge_direction @ normal) * normal)
    blade = unit(np.cross(hinge, normal))
    blade = blade if blade @ lateral > 0 else -blade
    return blade, hinge if hinge @ plan.frame.x > 0 else -hinge


def _axes(plan: OsteotomyPlan, angle_deg: float) -> FloatArray:
    medial, anterior = -plan.side.sign * plan.frame.z, plan.frame.x
    turn = np.radians(angle_deg)
    away = np.cos(turn) * medial + np.sin(turn) * anterior
    across = np.cos(turn) * anterior - np.sin(turn) * medial
    return np.column_stack([across, plan.frame.y, away])


def _insertion_angle(plan: OsteotomyPlan, part: BonePart, rim_y: float, tuberosity: FloatArray) -> float:
    """Return the angle (0, 5 .. 45 deg anterior of straight medial) that sees most of the surface the guide may touch.

    A face counts when it leans at least 10 deg off tangential, ``n . w >= 0.17`` (clinical.md D); of equals the smallest angle.
    """
    zone, normals, areas = _reachable_faces(plan, part, rim_y, tuberosity)
    if not zone.any():
        raise InputDataError("guide_off_bone", distance_mm=0.0)
    best_angle, best_area = 0.0, -1.0
    for angle in np.arange(0.0, 46.0, 5.0):
        seen = normals[zone] @ _axes(plan, float(angle))[:, 2]
        area = round(float(areas[zone][seen >= 0.17].sum()), 1)
        if area > best_area * 1.005:
            best_angle, best_area = float(angle), area
    return best_angle


def _reachable_faces(
    plan: OsteotomyPlan, part: BonePart, rim_y: float, tuberosity: FloatArray
) -> tuple[BoolArray, FloatArray, FloatArray]:
    limits = default_limits()
    mesh, frame = part.mesh, plan.frame
    corners = mesh.vertices[mesh.faces]
    centre = corners.mean(axis=1) - plan.start_lps
    normals = face_normals(mesh)
    areas = 0.5 * np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    medial = -plan.side.sign * frame.z
    height = plan.plane.signed_distance(corners.mean(axis=1))
    ahead = centre @ frame.x
    zone = (
        (np.abs(height) < limits["guide.patch_above_cut_mm"])
        & (centre @ frame.y < rim_y - limits["guide.to_rim_mm"])
        & (ahead < (tuberosity - plan.start_lps) @ frame.x - limits["guide.to_tuberosity_mm"])
        & (centre @ medial > -limits["guide.hook_mm"])
        & (np.abs(normals @ frame.y) < 0.8)
    )
    return zone, normals, areas
