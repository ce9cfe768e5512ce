"""Propose the series to plan on: those that together show most of the leg, thin and sharp, and say why each was chosen or not."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from surgiplan_desktop.base.arrays import FloatArray
from surgiplan_desktop.imaging.dicom_blocks import plans_of
from surgiplan_desktop.imaging.kernels import KernelClass, kernel_class
from surgiplan_desktop.imaging.series import Series

#: Two series that share more than this part of the smaller one's box show the same region: the better one is taken.
SAME_REGION: Final = 0.5
#: Thicker series are taken only where no thinner one shows the region (practice.md 24: hip and ankle <= 3 mm).
THIN_MM: Final = 3.0
#: Spacings and coverages closer than this are as good as each other (mm).
_SAME_SPACING_MM: Final = 0.2
_SAME_COVERAGE_MM: Final = 20.0
_SHARPNESS: Final[dict[KernelClass, int]] = {"sharp": 0, "medium": 1, "unknown": 2, "soft": 3}


def best_series(candidates: Sequence[Series]) -> tuple[Series, ...]:
    """Take the series that together show most: sound before repairable, then large coverage, thin, bone kernel, fine pixels.

    Other pictures of a region that a better series shows are left out.
    """
    boxes = {series.uid: _boxes(series) for series in candidates}
    taken: list[Series] = []
    for series in sorted(candidates, key=_rank):
        if not any(_overlap(boxes[series.uid], boxes[other.uid]) > SAME_REGION for other in taken):
            taken.append(series)
    return tuple(series for series in candidates if series in taken)


def with_proposals(found: Sequence[Series]) -> tuple[Series, ...]:
    """Mark the best sound series of each patient, study and frame of reference, with the reasons, and say why others are not."""
    sets: dict[tuple[object, ...], list[Series]] = defaultdict(list)
    for series in found:
        if series.verdict != "refused":
            sets[series.identity, series.frame].append(series)
    marked: dict[int, Series] = {}
    for together in sets.values():
        best = best_series([series for series in together if series.verdict == "ok"])
        boxes = [_boxes(series) for series in together]
        for mine, series in zip(boxes, together, strict=True):
            proposed = any(series is other for other in best)
            others = [other for theirs, other in zip(boxes, together, strict=True) if _overlap(mine, theirs) > SAME_REGION]
            rivals = [other for other in others if other is not series]
            if proposed:
                reason = _merits(series, rivals)
            else:
                chosen = [other for other in rivals if any(other is item for item in best)]
                reason = _faults(series, chosen)
            marked[id(series)] = replace(series, proposed=proposed, reason=reason)
    return tuple(marked.get(id(series), series) for series in found)


def _rank(series: Series) -> tuple[object, ...]:
    spacing = series.spacing_mm[2] or 99.0
    pixel = series.spacing_mm[0] or 9.0
    return (
        series.verdict != "ok",
        spacing > THIN_MM,
        -round(_coverage_mm(series) / _SAME_COVERAGE_MM),
        round(spacing / _SAME_SPACING_MM),
        _SHARPNESS[kernel_class(series.first.kernel)],
        round(pixel, 2),
        spacing,
        series.uid,
    )


def _merits(series: Series, rivals: Sequence[Series]) -> tuple[str, ...]:
    if not rivals:
        return ("only",)
    reasons = []
    if any(other.verdict != "ok" for other in rivals):
        reasons.append("sound")
    if any(_coverage_mm(series) > _coverage_mm(other) + _SAME_COVERAGE_MM for other in rivals):
        reasons.append("coverage")
    if any((series.spacing_mm[2] or 0.0) < (other.spacing_mm[2] or 0.0) - _SAME_SPACING_MM / 2 for other in rivals):
        reasons.append("thin")
    if any(_sharpness(series) < _sharpness(other) for other in rivals):
        reasons.append("bone_kernel")
    if any((series.spacing_mm[0] or 0.0) < (other.spacing_mm[0] or 0.0) - 0.01 for other in rivals):
        reasons.append("fine_pixels")
    return tuple(reasons) or ("as_good",)


def _faults(series: Series, chosen: Sequence[Series]) -> tuple[str, ...]:
    if series.verdict != "ok":
        return ("needs_repair",)
    reasons = []
    if any(_coverage_mm(other) > _coverage_mm(series) + _SAME_COVERAGE_MM for other in chosen):
        reasons.append("less_coverage")
    if any((series.spacing_mm[2] or 0.0) > (other.spacing_mm[2] or 0.0) + _SAME_SPACING_MM / 2 for other in chosen):
        reasons.append("thicker")
    if any(_sharpness(series) > _sharpness(other) for other in chosen):
        reasons.append("softer_kernel")
    return tuple(reasons) or ("same_region",)


def _sharpness(series: Series) -> int:
    return _SHARPNESS[kernel_class(series.first.kernel)]


def _coverage_mm(series: Series) -> float:
    return sum(float(np.ptp(plan.box_lps, axis=0).max()) for plan in plans_of(series))


def _boxes(series: Series) -> FloatArray:
    """Return lowest and highest corner of each block, shape (blocks, 2, 3), mm LPS: made once, compared many times."""
    return np.array([plan.box_lps for plan in plans_of(series)], dtype=np.float64).reshape(-1, 2, 3)


def _overlap(mine: FloatArray, theirs: FloatArray) -> float:
    """Return the largest share of a block's box that lies in a block of the other series (of the smaller of the two)."""
    if not len(mine) or not len(theirs):
        return 0.0
    low = np.maximum(mine[:, None, 0], theirs[None, :, 0])
    high = np.minimum(mine[:, None, 1], theirs[None, :, 1])
    common = np.clip(high - low, 0.0, None).prod(axis=2)
    sizes = [(boxes[:, 1] - boxes[:, 0]).prod(axis=1) for boxes in (mine, theirs)]
    smaller = np.minimum(sizes[0][:, None], sizes[1][None, :])
    return float(np.max(np.where(smaller > 0, common / np.maximum(smaller, 1e-12), 0.0)))
