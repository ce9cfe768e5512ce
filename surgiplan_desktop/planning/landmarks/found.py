"""Small helpers with which finders write down what they found and what they did not."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from surgiplan_desktop.base.arrays import FloatArray, frozen, vector3
from surgiplan_desktop.model.anatomy import LANDMARKS, BoneName, LandmarkId
from surgiplan_desktop.model.study import Finding
from surgiplan_desktop.planning.records import LandmarkEstimate, LandmarkStatus

Found = dict[LandmarkId, LandmarkEstimate]
#: Landmarks that have a definition and a truth in the phantom, but no finder yet: they are placed by hand.
WITHOUT_FINDER: Final = frozenset(
    {
        "trochlear_groove",
        "adductor_tubercle",
        "tibial_anterosuperior_edge",
        "patella_superior_pole",
        "patella_inferior_pole",
        "patella_articular_inferior",
    }
)


def add(
    found: Found,
    landmark: LandmarkId,
    point: FloatArray,
    *,
    rms: float | None = None,
    n_points: int = 0,
    status: LandmarkStatus = "auto",
) -> None:
    """Write down a landmark that was found."""
    point = frozen(vector3(point).copy())
    found[landmark] = LandmarkEstimate(landmark, point, status, None if rms is None else float(rms), n_points)


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


def no_finder(landmark: LandmarkId) -> Finding:
    """The reason that this version has no finder for a landmark."""
    return Finding("finder_not_in_this_version", "note", (("landmark", landmark),))


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
