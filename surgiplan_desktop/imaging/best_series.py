"""Propose the series to plan on: those that together show most of the leg, thin and sharp, and say why each was chosen or not."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Final

import numpy as np

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


@dataclass(frozen=True, slots=True, eq=False)
class _Picture:
    """A series with what ranking needs of it: the boxes of its blocks (lowest and highest corner, mm) and how much it shows."""

    series: Series
    boxes: tuple[tuple[tuple[float, ...], tuple[float, ...]], ...]
    coverage_mm: float
    spacing_mm: float
    pixel_mm: float
    sharpness: int

    @property
    def rank(self) -> tuple[object, ...]:
        """Best first: sound before repairable, then large coverage, thin, bone kernel, fine pixels."""
        return (
            self.series.verdict != "ok",
            self.spacing_mm > THIN_MM,
            -round(self.coverage_mm / _SAME_COVERAGE_MM),
            round(self.spacing_mm / _SAME_SPACING_MM),
            self.sharpness,
            round(self.pixel_mm, 2),
            self.spacing_mm,
            self.series.uid,
        )


def best_series(candidates: Sequence[Series]) -> tuple[Series, ...]:
    """Take the series that together show most: sound before repairable, then large coverage, thin, bone kernel, fine pixels.

    Other pictures of a region that a better series shows are left out.
    """
    taken = {picture.series.uid for picture in _best([_picture(series) for series in candidates])}
    return tuple(series for series in candidates if series.uid in taken)


def with_proposals(found: Sequence[Series]) -> tuple[Series, ...]:
    """Mark the best sound series of each patient, study and frame of reference, with the reasons, and say why others are not."""
    sets: dict[tuple[object, ...], list[_Picture]] = defaultdict(list)
    for series in found:
        if series.verdict != "refused":
            sets[series.identity, series.frame].append(_picture(series))
    marked: dict[int, Series] = {}
    for together in sets.values():
        best = _best([picture for picture in together if picture.series.verdict == "ok"])
        chosen = {id(picture) for picture in best}
        for picture in together:
            rivals = [other for other in together if other is not picture and _overlap(picture, other) > SAME_REGION]
            if id(picture) in chosen:
                reason = _merits(picture, rivals)
            else:
                reason = _faults(picture, [other for other in rivals if id(other) in chosen])
            marked[id(picture.series)] = replace(picture.series, proposed=id(picture) in chosen, reason=reason)
    return tuple(marked.get(id(series), series) for series in found)


def _picture(series: Series) -> _Picture:
    boxes = [plan.box_lps for plan in plans_of(series)]
    pixel, _, spacing = series.spacing_mm
    return _Picture(
        series=series,
        boxes=tuple((tuple(box[0].tolist()), tuple(box[1].tolist())) for box in boxes),
        coverage_mm=sum(float(np.ptp(box, axis=0).max()) for box in boxes),
        spacing_mm=spacing or 99.0,
        pixel_mm=pixel or 9.0,
        sharpness=_SHARPNESS[kernel_class(series.first.kernel)],
    )


def _best(pictures: Sequence[_Picture]) -> list[_Picture]:
    taken: list[_Picture] = []
    for picture in sorted(pictures, key=lambda item: item.rank):
        if not any(_overlap(picture, other) > SAME_REGION for other in taken):
            taken.append(picture)
    return taken


def _merits(picture: _Picture, rivals: Sequence[_Picture]) -> tuple[str, ...]:
    if not rivals:
        return ("only",)
    reasons = []
    if any(other.series.verdict != "ok" for other in rivals):
        reasons.append("sound")
    if any(picture.coverage_mm > other.coverage_mm + _SAME_COVERAGE_MM for other in rivals):
        reasons.append("coverage")
    if any(picture.spacing_mm < other.spacing_mm - _SAME_SPACING_MM / 2 for other in rivals):
        reasons.append("thin")
    if any(picture.sharpness < other.sharpness for other in rivals):
        reasons.append("bone_kernel")
    if any(picture.pixel_mm < other.pixel_mm - 0.01 for other in rivals):
        reasons.append("fine_pixels")
    return tuple(reasons) or ("as_good",)


def _faults(picture: _Picture, chosen: Sequence[_Picture]) -> tuple[str, ...]:
    if picture.series.verdict != "ok":
        return ("needs_repair",)
    reasons = []
    if any(other.coverage_mm > picture.coverage_mm + _SAME_COVERAGE_MM for other in chosen):
        reasons.append("less_coverage")
    if any(picture.spacing_mm > other.spacing_mm + _SAME_SPACING_MM / 2 for other in chosen):
        reasons.append("thicker")
    if any(picture.sharpness > other.sharpness for other in chosen):
        reasons.append("softer_kernel")
    return tuple(reasons) or ("same_region",)


def _overlap(one: _Picture, other: _Picture) -> float:
    """Return the largest share of a block's box that lies in a block of the other series (of the smaller of the two)."""
    largest = 0.0
    for (low, high), (other_low, other_high) in product(one.boxes, other.boxes):
        common = smaller = further = 1.0
        for axis in range(3):
            common *= max(min(high[axis], other_high[axis]) - max(low[axis], other_low[axis]), 0.0)
            smaller *= high[axis] - low[axis]
            further *= other_high[axis] - other_low[axis]
        smaller = min(smaller, further)
        largest = max(largest, common / smaller if smaller > 0 else 0.0)
    return largest
