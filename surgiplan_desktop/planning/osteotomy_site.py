"""Proposed start, hinge and hinge direction of a medial opening-wedge tibial osteotomy (clinical.md B.3)."""

from __future__ import annotations

import numpy as np

from surgiplan_desktop.base.arrays import FloatArray
from surgiplan_desktop.base.errors import InputDataError
from surgiplan_desktop.base.progress import SILENT, Progress
from surgiplan_desktop.base.spaces import Frame, Plane
from surgiplan_desktop.geometry.distance import ray_hits
from surgiplan_desktop.geometry.section import section
from surgiplan_desktop.model.anatomy import LandmarkId, Side
from surgiplan_desktop.model.mesh import Bone, Mesh
from surgiplan_desktop.model.steps import OsteotomyStep, Vector
from surgiplan_desktop.model.study import Finding
from surgiplan_desktop.planning.limits import default_limits
from surgiplan_desktop.planning.records import Landmarks, LegFrames, OsteotomySite


def propose_site(
    landmarks: Landmarks, frames: LegFrames, tibia: Bone, fibula: Bone | None = None, *, progress: Progress = SILENT
) -> OsteotomySite:
    """Propose where to cut.

    The start lies on the medial cortex 35 mm below the medial plateau (nearer to the joint where the cut would otherwise run into
    the tuberosity). The cut aims at the tip of the fibula; the hinge lies on it 8 mm inside the lateral cortex, at least 15 mm
    below the lateral plateau and, where the proximal tibiofibular joint is known, within its height. The hinge line runs parallel
    to the tibia's sagittal direction, so that the slope stays.

    Parameters
    ----------
    landmarks, frames
        Of the leg; the tibial frame and the plateau must be there.
    tibia
        The bone that is cut.
    fibula
        Without one the hinge height is a stated default (finding ``hinge_height_default``).

    Raises
    ------
    InputDataError
        ``site_landmark_missing`` naming the landmark, or ``site_outside_bone`` when the tibia does not reach the site.
    """
    limits = default_limits()
    frame = tibial_frame(landmarks, frames)
    side = landmarks.side
    medial_plateau, lateral_plateau = (
        _local(landmarks, frame, "medial_plateau_centre"),
        _local(landmarks, frame, "lateral_plateau_centre"),
    )
    tuberosity = landmarks.point("tibial_tuberosity")
    tip = landmarks.point("fibular_head_tip")
    height, findings = _hinge_height(landmarks, frame, float(lateral_plateau[1]))
    deepest, nearest = limits["site.start_below_joint_mm"], limits["site.start_nearest_joint_mm"]
    best: tuple[float, FloatArray, FloatArray] | None = None
    for number, depth in enumerate(np.arange(deepest, nearest - 0.5, -1.0)):
        progress.step(number, deepest - nearest + 1.0, "proposing_site")
        start, hinge = _start_and_hinge(tibia, frame, side, float(medial_plateau[1]) - float(depth), height)
        clear = np.inf if tuberosity is None else _clearance(frame.to_local(tuberosity), start, hinge)
        if best is None or clear > best[0]:
            best = (clear, start, hinge)
        if clear >= limits["wedge.tuberosity_mm"]:
            break
    assert best is not None  # noqa: S101 - the range above is never empty
    if fibula is None or tip is None:
        default = limits["site.hinge_without_fibula_mm"]
        findings = (*findings, Finding("hinge_height_default", "warn", (("below_plateau_mm", default),)))
    return OsteotomySite(side, frame, _vector(best[1]), _vector(best[2]), (1.0, 0.0, 0.0), findings)


def tibial_frame(landmarks: Landmarks, frames: LegFrames) -> Frame:
    """Return the tibial frame, or say which landmark keeps it from being known."""
    if frames.tibia is None:
        needed = ("tibial_knee_centre", "ankle_centre", "medial_posterior_plateau", "lateral_posterior_plateau")
        raise InputDataError("site_landmark_missing", landmark=_first_missing(landmarks, needed))
    return frames.tibia


def parameters_from_points(
    frame: Frame, start_lps: FloatArray, hinge_lps: FloatArray, hinge_direction_lps: FloatArray
) -> tuple[Vector, Vector, Vector]:
    """Turn LPS start, hinge and hinge direction (as dragged) into the tibial-frame tuples that a step keeps (mm, unit)."""
    direction = frame.direction_to_local(np.asarray(hinge_direction_lps, dtype=np.float64))
    direction = direction / np.linalg.norm(direction)
    return (
        _vector(frame.to_local(np.asarray(start_lps, dtype=np.float64))),
        _vector(frame.to_local(np.asarray(hinge_lps, dtype=np.float64))),
        _vector(direction if direction[0] >= 0 else -direction, digits=9),
    )


def points_from_parameters(step: OsteotomyStep, site: OsteotomySite) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return LPS start, hinge and unit hinge direction of a step: its own values where decided, else the proposal's."""
    start = np.array(step.start_tibia if step.start_tibia is not None else site.start_tibia)
    hinge = np.array(step.hinge_tibia if step.hinge_tibia is not None else site.hinge_tibia)
    decided = step.hinge_direction_tibia
    direction = np.array(decided if decided is not None else site.hinge_direction_tibia)
    direction = direction / np.linalg.norm(direction)
    return site.frame.to_lps(start), site.frame.to_lps(hinge), site.frame.direction_to_lps(direction)


def _hinge_height(landmarks: Landmarks, frame: Frame, plateau_y: float) -> tuple[float, tuple[Finding, ...]]:
    """Return the height of the hinge in the tibial frame, mm."""
    limits = default_limits()
    highest = plateau_y - limits["site.hinge_below_plateau_mm"]
    tip = landmarks.point("fibular_head_tip")
    if tip is None:
        return plateau_y - limits["site.hinge_without_fibula_mm"], ()
    height = float(frame.to_local(tip)[1])
    top, bottom = landmarks.point("ptfj_proximal"), landmarks.point("ptfj_distal")
    if top is not None and bottom is not None:
        high, low = float(frame.to_local(top)[1]), float(frame.to_local(bottom)[1])
        height = min(max(height, low), high)
    if height > highest:
        return highest, ()
    return height, ()


def _start_and_hinge(tibia: Bone, frame: Frame, side: Side, start_y: float, hinge_y: float) -> tuple[FloatArray, FloatArray]:
    """Return start and hinge in the tibial frame: the start on the medial cortex, the hinge inside the lateral one."""
    part, centre = _level(tibia, frame, start_y)
    lateral = np.array([0.0, 0.0, float(side.sign)])
    start = centre - lateral * _exit(part, frame, centre, -lateral)
    limits = default_limits()
    inside = limits["site.hinge_inside_cortex_mm"]
    aim_y = hinge_y
    hinge = start
    for _ in range(6):
        # the middle of the way lies inside the bone whatever the height, so the ray out of it meets the lateral cortex last
        across = centre + lateral * _exit(part, frame, np.array([centre[0], aim_y, centre[2]]), lateral)
        across[1] = aim_y
        direction = (across - start) / np.linalg.norm(across - start)
        middle = 0.5 * (start + across)
        hinge = middle + direction * (_exit(part, frame, middle, direction) - inside)
        # over the hinge itself the plateau may lie lower than at its centre
        above = _exit(part, frame, hinge, np.array([0.0, 1.0, 0.0]))
        hinge_y = min(hinge_y, float(hinge[1]) + above - limits["site.hinge_below_plateau_mm"])
        aim_y += hinge_y - float(hinge[1])
    return start, hinge


def _level(tibia: Bone, frame: Frame, height: float) -> tuple[Mesh, FloatArray]:
    """Return the part that is cut at a height and the centroid of its largest section there (tibial frame, mm)."""
    plane = Plane(frame.to_lps(np.array([0.0, height, 0.0])), frame.y)
    found = [
        (outlines[0].area_mm2, part.mesh, outlines[0].centroid)
        for part in tibia.parts
        if (outlines := section(part.mesh.vertices, part.mesh.faces, plane))
    ]
    if not found:
        raise InputDataError("site_outside_bone", bone=str(tibia.id), below_mm=-height)
    _, mesh, centroid = max(found, key=lambda item: item[0])
    return mesh, frame.to_local(centroid)


def _exit(mesh: Mesh, frame: Frame, origin: FloatArray, direction: FloatArray) -> float:
    """Return the distance at which a ray (tibial frame) leaves the body for good, mm."""
    hits = ray_hits(mesh, frame.to_lps(origin)[None], frame.direction_to_lps(direction)[None])
    distance = float(hits.last(1)[0])
    if not np.isfinite(distance):
        raise InputDataError("site_outside_bone", bone="tibia", below_mm=-float(origin[1]))
    return distance


def _clearance(point: FloatArray, start: FloatArray, hinge: FloatArray) -> float:
    """Distance of a point from the plane through start and hinge that contains the sagittal direction (tibial frame, mm)."""
    along = hinge - start
    normal = np.array([0.0, along[2], -along[1]])
    return abs(float((point - hinge) @ normal) / float(np.linalg.norm(normal)))


def _local(landmarks: Landmarks, frame: Frame, landmark: LandmarkId) -> FloatArray:
    point = landmarks.point(landmark)
    if point is None:
        raise InputDataError("site_landmark_missing", landmark=landmark)
    return frame.to_local(point)


def _first_missing(landmarks: Landmarks, needed: tuple[LandmarkId, ...]) -> LandmarkId:
    return next((name for name in needed if landmarks.point(name) is None), needed[0])


def _vector(values: FloatArray, digits: int = 6) -> Vector:
    x, y, z = (round(float(value), digits) + 0.0 for value in values)
    return (x, y, z)
