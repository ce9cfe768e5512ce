"""The medial locking plate on the opened tibia: place, gap to the bone, screws (practice.md 9)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import ConvexHull

from surgiplan_desktop.base.arrays import FloatArray, frozen, unit
from surgiplan_desktop.base.errors import InputDataError
from surgiplan_desktop.base.progress import Progress
from surgiplan_desktop.base.spaces import Frame, Plane
from surgiplan_desktop.geometry.distance import ray_hits, vertex_normals
from surgiplan_desktop.geometry.solid import cylinder, difference, extrude, union
from surgiplan_desktop.model.mesh import Mesh
from surgiplan_desktop.model.steps import ImplantStep
from surgiplan_desktop.model.study import Finding
from surgiplan_desktop.planning.catalogue import PlateFamily, PlateScrew
from surgiplan_desktop.planning.limits import default_limits
from surgiplan_desktop.planning.records import ImplantPlacement, Landmarks, OsteotomyPlan, Pieces, ScrewPath
from surgiplan_desktop.planning.screws import Surroundings, place_screw, screw_findings

#: The plate faces the mean normal of the medial cortex within this angle of straight medial.
_SECTOR_DEG = 50.0
#: The joint surface: what lies higher than this below the lower plateau centre (mm).
_JOINT_BAND_MM = 3.0
#: Rays that feel for the bone under the plate start this far outside, and count to this depth under its inner face (mm).
_RAY_START_MM, _DEEPEST_MM = 40.0, 20.0


def place_plate(
    step: ImplantStep, family: PlateFamily, landmarks: Landmarks, plan: OsteotomyPlan, pieces: Pieces, progress: Progress
) -> ImplantPlacement:
    """Place the plate on the opened tibia and fill its holes with stock screws.

    The plate bridges the cut: it faces the mean normal of the medial cortex on both sides of the gap, stands on the two ridges
    that a straight edge would touch, and keeps the stated gap from the bone.
    """
    proposed = plate_frame(family, plan, pieces)
    turned = _turned(proposed, step.turn_deg)
    frame = Frame(proposed.to_lps(np.asarray(step.offset_mm, dtype=np.float64)), turned)
    outward = -step.side.sign * frame.z
    progress.step(1, 4, "placing_implant")
    screws = _screws(family, landmarks, plan, pieces, frame, outward)
    progress.step(2, 4, "placing_implant")
    mesh = plate_mesh(family, frame, plan.side.sign)
    progress.step(3, 4, "placing_implant")
    gaps = -_bone_height(family, frame, outward, pieces)
    gaps = gaps[np.isfinite(gaps)]
    if not len(gaps):
        raise InputDataError("plate_no_bone")
    findings = [
        Finding("plate_gap", "note", (("least_mm", float(gaps.min())), ("most_mm", float(gaps.max())))),
        *screw_findings(screws),
    ]
    missing = [item.name for item in family.screws if item.name not in {screw.name for screw in screws}]
    if missing:
        findings.append(Finding("screw_no_stock_length", "warn", (("screws", ", ".join(missing)),)))
    return ImplantPlacement(
        step=step.id,
        side=step.side,
        component=family.id,
        size="one",
        proposed_size="one",
        frame=frame,
        mesh=mesh,
        fits=(),
        overhang_points_lps=np.empty((0, 3)),
        outline_lps=frozen(frame.to_lps(_pad(plate_outline(family)))),
        cut=None,
        screws=screws,
        findings=tuple(findings),
    )


def plate_frame(family: PlateFamily, plan: OsteotomyPlan, pieces: Pieces) -> Frame:
    """Return the proposed frame of the plate: origin on its inner face at the height of the start point.

    Y runs up along the plate, Z to the patient's right (away from the bone on a left leg), X anterior.
    """
    up, medial = plan.frame.y, -plan.side.sign * plan.frame.z
    bone = np.concatenate([pieces.proximal.vertices, pieces.distal_moved.vertices])
    normals = np.concatenate([vertex_normals(pieces.proximal), vertex_normals(pieces.distal_moved)])
    height = (bone - plan.start_lps) @ up
    facing = normals @ medial > np.cos(np.radians(_SECTOR_DEG))
    band = facing & (height > family.distal_mm) & (height < family.proximal_mm)
    if not band.any():
        raise InputDataError("plate_no_bone")
    mean = normals[band].mean(axis=0)
    outward = unit(mean - up * float(mean @ up))
    across = _across(plan, outward, up)
    # a straight edge laid on the bone along the plate: the hull's edge over the cut
    shifted = bone - plan.start_lps
    strip = (np.abs(shifted @ across) < family.body_width_mm / 2.0) & (height > family.distal_mm) & (height < family.proximal_mm)
    if strip.sum() < 3:
        raise InputDataError("plate_no_bone")
    profile = np.column_stack([height[strip], (shifted @ outward)[strip]])
    low, high = _bridge(profile)
    along = unit((high[0] - low[0]) * up + (high[1] - low[1]) * outward)
    outward = unit(outward - along * float(outward @ along))
    at_cut = low[1] + (high[1] - low[1]) * (0.0 - low[0]) / (high[0] - low[0])
    origin = plan.start_lps + unit(mean - up * float(mean @ up)) * at_cut
    # no bone under the whole plate, head included, may reach through: lift until the gap is free everywhere
    right = -plan.side.sign * outward
    axes = np.column_stack([np.cross(along, right), along, right])
    height = _bone_height(family, Frame(origin, axes), outward, pieces)
    highest = float(height.max())
    if not np.isfinite(highest):
        raise InputDataError("plate_no_bone")
    return Frame(origin + outward * (highest + default_limits()["plate.gap_mm"]), axes)


def plate_outline(family: PlateFamily) -> FloatArray:
    """Return the plate's outline, shape (n, 2): (across, along), mm; a straight body with a wider head, rounded corners."""
    body, head, radius = family.body_width_mm / 2.0, family.head_width_mm / 2.0, family.edge_radius_mm
    corners = [
        (-body, family.distal_mm), (body, family.distal_mm), (body, family.head_from_mm - radius),
        (head, family.head_from_mm + radius), (head, family.proximal_mm), (-head, family.proximal_mm),
        (-head, family.head_from_mm + radius), (-body, family.head_from_mm - radius),
    ]  # fmt: skip
    return _rounded(np.array(corners), radius)


def plate_mesh(family: PlateFamily, frame: Frame, side_sign: int) -> Mesh:
    """Return the plate with its screw holes as a solid."""
    thickness = family.thickness_mm
    low, high = (-thickness, 0.0) if side_sign > 0 else (0.0, thickness)
    body = extrude(plate_outline(family), frame, low, high)
    outward = -side_sign * frame.z
    holes = []
    for item in family.screws:
        middle, direction = _axis(family, item, frame, outward)
        reach = 3.0 * thickness
        radius = item.diameter_mm / 2.0 + family.hole_clearance_mm
        holes.append(cylinder(middle - direction * reach, middle + direction * reach, radius, 32, circumscribed=True))
    return difference(body, union(*holes, name="screw holes"), name=family.id)


@dataclass(frozen=True, slots=True, eq=False)
class _Fragment:
    mesh: Mesh
    cut: Plane


def _screws(
    family: PlateFamily, landmarks: Landmarks, plan: OsteotomyPlan, pieces: Pieces, frame: Frame, outward: FloatArray
) -> tuple[ScrewPath, ...]:
    half = 0.5 * plan.kerf_mm * plan.plane.normal
    upper = _Fragment(pieces.proximal, Plane(plan.plane.point_lps + half, plan.plane.normal))
    turned = plan.correction.directions(plan.plane.normal)
    lower = _Fragment(pieces.distal_moved, Plane(plan.correction(plan.plane.point_lps - half), turned))
    joint = _joint_surface(landmarks, plan, pieces.proximal)
    found = []
    for item in family.screws:
        fragment = upper if item.along_mm > 0 else lower
        head, direction = _axis(family, item, frame, outward)
        around = Surroundings(fragment.mesh, fragment.cut, plan.hinge_lps, plan.hinge_direction, joint)
        found.append(place_screw(item.name, head, direction, item.diameter_mm, family.stock_lengths_mm, around))
    return tuple(screw for screw in found if screw is not None)


def _axis(family: PlateFamily, item: PlateScrew, frame: Frame, outward: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return where a screw leaves the outer face of the plate's hole (its head) and its unit direction into the bone."""
    tilt, swing = np.radians(item.tilt_deg), np.radians(item.swing_deg)
    direction = unit(-outward + np.tan(tilt) * frame.y + np.tan(swing) * frame.x)
    inner = frame.to_lps(np.array([item.across_mm, item.along_mm, 0.0]))
    return inner - direction * (family.thickness_mm / float(-direction @ outward)), direction


def _joint_surface(landmarks: Landmarks, plan: OsteotomyPlan, proximal: Mesh) -> FloatArray:
    """Return points of the plateau: proximal bone that faces up, not lower than the plateau's centres."""
    centres = [landmarks.point(name) for name in ("medial_plateau_centre", "lateral_plateau_centre")]
    heights = [float(point @ plan.frame.y) for point in centres if point is not None]
    if not heights:
        return np.empty((0, 3))
    up = vertex_normals(proximal) @ plan.frame.y > 0.7
    high = proximal.vertices @ plan.frame.y > min(heights) - _JOINT_BAND_MM
    points = proximal.vertices[up & high]
    return points[:: max(1, len(points) // 2000)]


def _across(plan: OsteotomyPlan, outward: FloatArray, up: FloatArray) -> FloatArray:
    across = np.cross(up, outward)
    return unit(across if float(across @ plan.frame.x) >= 0 else -across)


def _bridge(profile: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the ends (height, outward) of the outer hull edge of a profile that passes over height 0, lower end first."""
    hull = profile[ConvexHull(profile).vertices]
    best = None
    for a, b in zip(hull, np.roll(hull, -1, axis=0), strict=True):
        low, high = (a, b) if a[0] <= b[0] else (b, a)
        if low[0] <= 0.0 < high[0]:
            outer = low[1] + (high[1] - low[1]) * (0.0 - low[0]) / (high[0] - low[0])
            if best is None or outer > best[0]:
                best = (outer, low, high)
    if best is None:
        raise InputDataError("plate_no_bone")
    return best[1], best[2]


def _bone_height(family: PlateFamily, frame: Frame, outward: FloatArray, pieces: Pieces) -> FloatArray:
    """Return how far the bone rises over the plane of the plate's inner face, point by point; -infinity over no bone (mm)."""
    points = _back_face(family, frame) + _RAY_START_MM * outward
    height = np.full(len(points), -np.inf)
    for piece in (pieces.proximal, pieces.distal_moved):
        hits = ray_hits(piece, points, np.tile(-outward, (len(points), 1)))
        height = np.maximum(height, _RAY_START_MM - hits.first(len(points)))
    # what lies deeper is the far side, seen past an edge
    return np.where(height > -_DEEPEST_MM, height, -np.inf)


def _back_face(family: PlateFamily, frame: Frame) -> FloatArray:
    """Return points of the plate's inner face, from edge to edge, every 2 mm along it."""
    y = np.arange(family.distal_mm, family.proximal_mm + 1e-9, 2.0)
    half = np.where(y > family.head_from_mm, family.head_width_mm, family.body_width_mm) / 2.0
    rows = [np.column_stack([share * half, y, np.zeros_like(y)]) for share in np.linspace(-1.0, 1.0, 7)]
    return frame.to_lps(np.concatenate(rows))


def _rounded(corners: FloatArray, radius: float, steps: int = 6) -> FloatArray:
    """Round the corners of a polygon by quadratic arcs."""
    points = []
    for before, here, after in zip(np.roll(corners, 1, axis=0), corners, np.roll(corners, -1, axis=0), strict=True):
        back, forth = before - here, after - here
        reach = min(radius, 0.45 * float(np.linalg.norm(back)), 0.45 * float(np.linalg.norm(forth)))
        start, end = here + unit2(back) * reach, here + unit2(forth) * reach
        share = np.linspace(0.0, 1.0, steps)[:, None]
        points.append((1 - share) ** 2 * start + 2 * share * (1 - share) * here + share**2 * end)
    return np.concatenate(points)


def unit2(vector: FloatArray) -> FloatArray:
    """Return a plane vector scaled to length 1."""
    result: FloatArray = vector / float(np.linalg.norm(vector))
    return result


def _pad(points: FloatArray) -> FloatArray:
    return np.column_stack([points, np.zeros(len(points))])


def _turned(frame: Frame, turn_deg: float) -> FloatArray:
    """Return the axes turned about the plate's normal (Z), so that the plate stays on the bone."""
    c, s = np.cos(np.radians(turn_deg)), np.sin(np.radians(turn_deg))
    turned: FloatArray = frame.axes @ np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])
    return turned
