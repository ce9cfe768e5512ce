"""Whether the landmarks of a bone can stand together: sizes and ratios that every leg keeps to, whatever its size.

A doubt is a warning with the numbers that do not go together; it never removes a landmark.
"""

from __future__ import annotations

import numpy as np

from surgiplan_desktop.base.arrays import FloatArray
from surgiplan_desktop.base.arrays import unit as _unit
from surgiplan_desktop.model.study import Finding
from surgiplan_desktop.planning.landmarks.found import Found
from surgiplan_desktop.planning.landmarks.surface import BoneSurface, shaft_levels
from surgiplan_desktop.planning.limits import default_limits

#: Levels of the shaft at which a second bone beside it is looked for, and how many of them must show it.
_FUSED_STEP_MM = 8.0
_FUSED_SHARE = 0.3
_FUSED_AREA_MM2 = 25.0


def femur_doubts(found: Found, head_radius_mm: float | None, width_mm: float | None) -> list[Finding]:
    """Check head against width, the notch between the condyles, length against width, and the neck's angle."""
    doubts: list[Finding] = []
    hip, notch = _point(found, "hip_centre"), _point(found, "femoral_knee_centre")
    if head_radius_mm is not None and width_mm is not None:
        doubts += _outside("doubt_head_to_width", head_radius_mm / width_mm, "hip_centre")
    if hip is not None and notch is not None and width_mm is not None:
        doubts += _outside("doubt_femur_to_width", float(np.linalg.norm(hip - notch)) / width_mm, "femoral_knee_centre")
    inner, outer = _point(found, "medial_posterior_condyle"), _point(found, "lateral_posterior_condyle")
    if notch is not None and inner is not None and outer is not None:
        doubts += _outside("doubt_notch_place", _share(notch, inner, outer), "femoral_knee_centre")
    base = _point(found, "femoral_neck_base")
    top, bottom = _point(found, "femoral_shaft_proximal"), _point(found, "femoral_shaft_distal")
    if hip is not None and base is not None and top is not None and bottom is not None:
        neck, down = hip - base, bottom - top
        cosine = float(neck @ down / (np.linalg.norm(neck) * np.linalg.norm(down)))
        doubts += _outside("doubt_neck_shaft_deg", float(np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0)))), "femoral_neck_base")
    return doubts + _condyle_doubts(found)


def _condyle_doubts(found: Found) -> list[Finding]:
    """Check the joint line against the mechanical axis, each condyle's contacts against each other, and the torsion."""
    names = ("hip_centre", "femoral_knee_centre", "medial_distal_condyle", "lateral_distal_condyle",
             "medial_posterior_condyle", "lateral_posterior_condyle")  # fmt: skip
    points = _points(found, *names)
    if points is None:
        return []
    hip, notch, inner, outer, inner_back, outer_back = points
    up = _unit(hip - notch)
    lateral = _across(outer_back - inner_back, up)
    front = np.cross(up, lateral)
    front = front if float(front @ (inner + outer - inner_back - outer_back)) > 0.0 else -front
    doubts = _outside("doubt_mldfa", 90.0 - _angle(outer - inner, lateral, up), "medial_distal_condyle")
    apart = float((outer_back - inner_back) @ lateral)
    for name, low, back in (("medial_distal_condyle", inner, inner_back), ("lateral_distal_condyle", outer, outer_back)):
        doubts += _outside("doubt_condyle_aside", float((low - back) @ lateral) / apart, name)
    base = _point(found, "femoral_neck_base")
    if base is not None:
        doubts += _outside("doubt_femoral_torsion", _angle(hip - base, -lateral, front), "femoral_neck_base")
    return doubts


def tibia_doubts(found: Found, surface: BoneSurface, axes: FloatArray, width_mm: float | None) -> list[Finding]:
    """Check spines, length against width, place of knee centre and tuberosity, malleolus, and that no fibula hangs on the bone.

    ``axes`` are rows lateral, anterior, up.
    """
    _, anterior, up = axes
    doubts: list[Finding] = []
    knee, ankle = _point(found, "tibial_knee_centre"), _point(found, "ankle_centre")
    inner, outer = _point(found, "medial_plateau_edge"), _point(found, "lateral_plateau_edge")
    if knee is not None and inner is not None and outer is not None:
        doubts += _outside("doubt_knee_centre_place", _share(knee, inner, outer), "tibial_knee_centre")
    if knee is not None and ankle is not None and width_mm is not None:
        doubts += _outside("doubt_tibia_to_width", float(np.linalg.norm(knee - ankle)) / width_mm, "tibial_knee_centre")
    tuberosity = _point(found, "tibial_tuberosity")
    if knee is not None and tuberosity is not None and width_mm is not None:
        doubts += _outside("doubt_tuberosity_ahead", float((tuberosity - knee) @ anterior) / width_mm, "tibial_tuberosity")
    tip = _point(found, "medial_malleolus")
    if ankle is not None and tip is not None and width_mm is not None:
        doubts += _outside("doubt_malleolus_below", float((ankle - tip) @ up) / width_mm, "medial_malleolus")
    doubts += [] if width_mm is None else _plateau_doubts(found, anterior, width_mm)
    if _two_shafts(surface, up):
        doubts.append(Finding("fibula_fused", "critical", (("bone", "tibia"),)))
    return doubts


def _plateau_doubts(found: Found, anterior: FloatArray, width_mm: float) -> list[Finding]:
    """Check the joint line against the mechanical axis, the rear rim of one side against the other's, and the torsion."""
    names = ("tibial_knee_centre", "ankle_centre", "medial_plateau_centre", "lateral_plateau_centre")
    points = _points(found, *names)
    rims = _points(found, "medial_posterior_plateau", "lateral_posterior_plateau")
    if points is None or rims is None:
        return []
    knee, ankle, inner, outer = points
    up = _unit(knee - ankle)
    lateral = _across(rims[1] - rims[0], up)
    front = np.cross(up, lateral)
    front = front if float(front @ anterior) > 0.0 else -front
    doubts = _outside("doubt_mpta", 90.0 - _angle(outer - inner, lateral, up), "medial_plateau_centre")
    # along the line of both centres, which does not turn with a rim that is gone
    across = _across(outer - inner, up)
    back = np.cross(up, across)
    back = back if float(back @ anterior) < 0.0 else -back
    more = float((rims[0] - inner - rims[1] + outer) @ back) / float((outer - inner) @ across)
    doubts += _outside("doubt_rims_uneven", more, "medial_posterior_plateau")
    ends = _points(found, "medial_malleolus", "lateral_malleolus")
    if ends is not None:
        doubts += _outside("doubt_tibial_torsion", -_angle(ends[1] - ends[0], lateral, front), "medial_malleolus")
        # how far the ankle's centre lies before the line of both tips: it moves when a part of one tip is gone
        line = _across(ends[1] - ends[0], up)
        before = np.cross(up, line)
        before = before if float(before @ front) > 0.0 else -before
        ahead = float((ankle - ends[0]) @ before) / width_mm
        doubts += _outside("doubt_malleoli_line", ahead, "medial_malleolus")
    return doubts


def _two_shafts(surface: BoneSurface, up: FloatArray) -> bool:
    """Whether the sections of the middle of the bone show a second closed outline beside the first."""
    heights = surface.heights(up)
    low, high = float(heights.min()), float(heights.max())
    levels = shaft_levels(surface, up, low + 0.25 * (high - low), low + 0.75 * (high - low), _FUSED_STEP_MM)
    if not len(levels):
        return False
    across = surface.centroid - (surface.centroid @ up) * up
    seen = 0
    for level in levels:
        # canals are holes (negative areas), and no second bone
        outlines = [item for item in surface.section(across + level * up, up) if item.area_mm2 > _FUSED_AREA_MM2]
        seen += len(outlines) > 1
    return seen >= max(2, _FUSED_SHARE * len(levels))


def _point(found: Found, name: str) -> FloatArray | None:
    return found[name].point_lps if name in found else None


def _points(found: Found, *names: str) -> list[FloatArray] | None:
    """Points of these landmarks; None where one is missing."""
    points = [point for name in names if (point := _point(found, name)) is not None]
    return points if len(points) == len(names) else None


def _across(line: FloatArray, up: FloatArray) -> FloatArray:
    """Direction of a line seen along ``up``."""
    return _unit(line - float(line @ up) * up)


def _angle(line: FloatArray, first: FloatArray, second: FloatArray) -> float:
    """Direction of a line in the plane of two unit vectors, degrees from the first to the second."""
    return float(np.degrees(np.arctan2(line @ second, line @ first)))


def _share(point: FloatArray, first: FloatArray, second: FloatArray) -> float:
    """Where a point lies between two others along their line: 0 at the first, 1 at the second."""
    line = second - first
    return float((point - first) @ line / (line @ line))


def _outside(code: str, value: float, landmark: str) -> list[Finding]:
    """A finding of this code when a value lies outside of its limits (group ``landmarks`` of the table)."""
    limits, name = default_limits(), code.removeprefix("doubt_")
    low, high = limits[f"landmarks.{name}_low"], limits[f"landmarks.{name}_high"]
    if low <= value <= high:
        return []
    return [Finding(code, "warn", (("landmark", landmark), ("value", round(value, 2)), ("low", low), ("high", high)))]
