"""Small helpers with which finders write down what they found and what they did not."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from surgiplan_desktop.base.arrays import FloatArray, frozen, vector3
from surgiplan_desktop.geometry.fit import FittedLine
from surgiplan_desktop.model.anatomy import LANDMARKS, BoneName, LandmarkId
from surgiplan_desktop.model.study import Finding
from surgiplan_desktop.planning.records import LandmarkEstimate, LandmarkStatus

Found = dict[LandmarkId, LandmarkEstimate]


def add(
    found: Found,
    landmark: LandmarkId,
    point: FloatArray,
    *,
    rms: float | None = None,
    n_points: int = 0,
    coverage: float | None = None,
    status: LandmarkStatus = "auto",
) -> None:
    """Write down a landmark that was found."""
    point = frozen(vector3(point).copy())
    found[landmark] = LandmarkEstimate(
        landmark,
        point,
        status,
        None if rms is None else float(rms),
        n_points,
        coverage=None if coverage is None else float(coverage),
    )


def miss(found: Found, reason: Finding, *landmarks: LandmarkId) -> None:
    """Write down landmarks that could not be found, with the reason; what is already there stays."""
    for landmark in landmarks:
        found.setdefault(landmark, LandmarkEstimate(landmark, None, "missing", reason=reason))


def end_cut(bone: BoneName, end: str) -> Finding:
    """The reason that an end of a bone is outside the field of view."""
    return Finding("bone_end_cut", "warn", (("bone", bone.value), ("end", end)))


def not_found(landmark: LandmarkId) -> Finding:
    """The reason that a finder's own plausibility check failed."""
    return Finding("landmark_not_found", "warn", (("landmark", landmark),))


def bone_missing(bone: BoneName) -> Finding:
    """The reason that the scan has no such bone."""
    return Finding("bone_missing", "warn", (("bone", bone.value),))


def complete(found: Found, bones: Iterable[BoneName]) -> Found:
    """Give every landmark of these bones an entry, in the order of the vocabulary."""
    bones = tuple(bones)
    for landmark, definition in LANDMARKS.items():
        if definition.bone in bones and landmark not in found:
            miss(found, not_found(landmark), landmark)
    return {landmark: found[landmark] for landmark in LANDMARKS if landmark in found}


def axis_between(found: Found, shaft: tuple[LandmarkId, LandmarkId]) -> FittedLine | None:
    """The shaft's axis as the measures take it: through its proximal and its distal point, upward; None when one is missing."""
    proximal, distal = (found[name].point_lps if name in found else None for name in shaft)
    if distal is None or proximal is None:
        return None
    run = proximal - distal
    return FittedLine(distal, run / np.linalg.norm(run), 0.0, 2)
