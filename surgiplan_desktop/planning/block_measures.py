"""Measures of a leg that was scanned in blocks: which block is missing, and what the assumption that nobody moved costs.

Blocks that share no bone are put together as the scanner's table says; a leg that moved meanwhile is not seen. What is measured
across such blocks bears that error (practice.md 24: 1 degree), what lies in one block does not (clinical.md A.4).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Final

import numpy as np

from surgiplan_desktop.base.arrays import FloatArray
from surgiplan_desktop.base.spaces import Frame
from surgiplan_desktop.model.study import Finding
from surgiplan_desktop.planning.axes import leg_frames
from surgiplan_desktop.planning.limits import default_limits
from surgiplan_desktop.planning.measure_formulas import mad, wbl
from surgiplan_desktop.planning.measure_leg import Leg
from surgiplan_desktop.planning.measure_table import MEASURES
from surgiplan_desktop.planning.measures import measure_leg
from surgiplan_desktop.planning.records import Landmarks, LegFrames, Measure, Measures

#: The joint that shows an end of a bone.
_JOINT_OF_END: Final = {
    ("femur", "proximal"): "hip",
    ("femur", "distal"): "knee",
    ("tibia", "proximal"): "knee",
    ("tibia", "distal"): "ankle",
}
#: Both lines of the JLCA lie in the knee, both points of the TT-TG too; far blocks only turn the plane they are seen in.
_OF_ONE_JOINT: Final = frozenset({"jlca", "tt_tg"})

Heights = tuple[tuple[float, float], ...]


def measure_over_blocks(heights: Heights, landmarks: Landmarks, frames: LegFrames) -> Measures:
    """Measure a leg and tell, for each measure, which block it misses and the error of blocks put together unseen.

    Parameters
    ----------
    heights
        Lowest and highest voxel centre of each block along the body, mm.
    landmarks, frames
        Of the leg.
    """
    measures = measure_leg(landmarks, frames)
    groups = _linked(heights)
    items = {name: _judged(item, groups, landmarks, frames) for name, item in measures.items.items()}
    return Measures(measures.side, MappingProxyType(items), measures.findings)


def _judged(item: Measure, groups: Sequence[Heights], landmarks: Landmarks, frames: LegFrames) -> Measure:
    if item.value is None:
        return replace(item, reason=_missing_block(item.reason))
    if len(groups) < 2 or isinstance(item.value, str) or item.id in _OF_ONE_JOINT:
        return item
    points = [point for name in MEASURES[item.id].needs if (point := landmarks.point(name)) is not None]
    if len({_group_of(float(point[2]), groups) for point in points}) < 2:
        return item
    return replace(item, plus_minus=_error(item, landmarks, frames))


def _missing_block(reason: Finding | None) -> Finding | None:
    """Say of an end of a bone outside the scan which joint a block would have to show."""
    if reason is None or reason.code != "bone_end_cut":
        return reason
    said: Mapping[str, object] = dict(reason.parameters)
    joint = _JOINT_OF_END.get((str(said.get("bone")), str(said.get("end"))))
    return reason if joint is None else Finding("block_missing", reason.severity, (("joint", joint), *reason.parameters))


def _linked(heights: Heights) -> list[Heights]:
    """Gather blocks that overlap by enough bone to be checked against each other."""
    least = default_limits()["overlap.least_mm"]
    groups: list[list[tuple[float, float]]] = []
    for low, high in sorted(heights, key=lambda item: -sum(item)):
        if groups and high - min(item[0] for item in groups[-1]) >= least:
            groups[-1].append((low, high))
        else:
            groups.append([(low, high)])
    return [tuple(group) for group in groups]


def _group_of(z_mm: float, groups: Sequence[Heights]) -> int:
    """Index of the group of blocks that shows a height, or that is nearest to it (a head's centre may be fitted from beyond)."""
    away = [min(max(low - z_mm, z_mm - high, 0.0) for low, high in group) for group in groups]
    return int(np.argmin(away))


def _error(item: Measure, landmarks: Landmarks, frames: LegFrames) -> float:
    """Half width of the error by motion between blocks: 1 degree, 3 mm, or what 1 degree at the knee makes of a distance."""
    limits = default_limits()
    angle = limits["overlap.immobility_deg"]
    if item.unit == "deg":
        return angle
    if item.id in ("mad", "wbl"):
        formula = mad if item.id == "mad" else wbl
        turned = [_bent(landmarks, frames, sign * angle) for sign in (1.0, -1.0)]
        values = [float(formula(Leg(bent, leg_frames(bent)))) for bent in turned]
        return round(0.5 * abs(values[0] - values[1]), 2)
    return limits["overlap.immobility_mm"]


def _bent(landmarks: Landmarks, frames: LegFrames, degrees: float) -> Landmarks:
    """The leg with its ankle turned about the knee in the limb plane."""
    knee, ankle = landmarks.point("tibial_knee_centre"), landmarks.point("ankle_centre")
    if knee is None:
        knee = landmarks.point("femoral_knee_centre")
    if knee is None or ankle is None or frames.limb is None:
        return landmarks
    moved = knee + _turned(ankle - knee, frames.limb, degrees)
    items = dict(landmarks.items)
    items["ankle_centre"] = replace(items["ankle_centre"], point_lps=moved)
    return replace(landmarks, items=MappingProxyType(items))


def _turned(vector: FloatArray, frame: Frame, degrees: float) -> FloatArray:
    angle = np.radians(degrees)
    across, up = float(vector @ frame.z), float(vector @ frame.y)
    result: FloatArray = (
        float(vector @ frame.x) * frame.x
        + (across * np.cos(angle) - up * np.sin(angle)) * frame.z
        + (across * np.sin(angle) + up * np.cos(angle)) * frame.y
    )
    return result
