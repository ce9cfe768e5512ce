"""Whether the place where two pieces of bone touch looks like a joint: a waist, or plates of dense bone and a gap across it."""

from __future__ import annotations

from typing import Final

import numpy as np
from scipy import ndimage

from surgiplan_desktop.base.arrays import BoolArray, FloatArray
from surgiplan_desktop.segmentation.network_grid import Float32Image

#: Bones that touch do so by less than this share of their sections beside the joint; a shaft called by two names by all of it.
_WAIST: Final = 0.6
#: Plates of a joint differ from the bone on both sides of it by at least this, HU.
_PLATE_HU: Final = 90.0
#: How far to both sides of a change of names the bone is looked at, mm.
_LOOK_MM: Final = 10.5


def looks_like_joint(one: BoolArray, two: BoolArray, hu: Float32Image, spacing_mm: FloatArray) -> bool:
    """Tell whether the place where two masks touch looks like a joint: a waist, or plates and gap across it.

    Across the wrong border of a shaft the sections go on as they were, and so do the Hounsfield values along it.
    """
    box = _round_contact(one, two, spacing_mm)
    if box is None:
        return True
    first, second = one[box], two[box]
    beyond_first = ndimage.distance_transform_edt(~first, sampling=spacing_mm)
    beyond_second = ndimage.distance_transform_edt(~second, sampling=spacing_mm)
    step = float(spacing_mm.max())
    near = [_area(first, beyond_second, 0.0, 1.5 * step), _area(second, beyond_first, 0.0, 1.5 * step)]
    beside = [_area(first, beyond_second, 3.0, 3.0 + 2.0 * step), _area(second, beyond_first, 3.0, 3.0 + 2.0 * step)]
    if min(near) < _WAIST * max(1.0, min(beside)):
        return True
    return _plates(first, second, beyond_first, beyond_second, hu[box], spacing_mm) >= _PLATE_HU


def _round_contact(one: BoolArray, two: BoolArray, spacing_mm: FloatArray) -> tuple[slice, ...] | None:
    """Box round the contact of two masks; None when they do not touch."""
    touch = np.zeros(one.shape, dtype=np.bool_)
    for axis in range(3):
        a, b, into = np.moveaxis(one, axis, 0), np.moveaxis(two, axis, 0), np.moveaxis(touch, axis, 0)
        into[:-1] |= (a[:-1] & b[1:]) | (b[:-1] & a[1:])
    where = ndimage.find_objects(touch.astype(np.uint8))
    if not where:
        return None
    reach = [int(np.ceil(_LOOK_MM / step)) + 1 for step in spacing_mm]
    return tuple(
        slice(max(0, part.start - more), min(size, part.stop + more))
        for part, more, size in zip(where[0], reach, one.shape, strict=True)
    )


def _area(mask: BoolArray, away: FloatArray, low: float, high: float) -> float:
    """Voxels of a mask whose distance from the other lies between two values, a layer's worth of them."""
    return float(np.count_nonzero(mask & (away >= low) & (away < high))) / (high - low)


def _plates(
    first: BoolArray,
    second: BoolArray,
    beyond_first: FloatArray,
    beyond_second: FloatArray,
    hu: Float32Image,
    spacing_mm: FloatArray,
) -> float:
    """Largest step of the mean Hounsfield value near the border against a straight line between both banks; 0 when unknown."""
    whole = np.pad(first | second, 1, mode="edge")
    deep = ndimage.distance_transform_edt(whole, sampling=spacing_mm)[1:-1, 1:-1, 1:-1] >= 3.0
    place = np.where(first, -beyond_second, beyond_first)
    inside = deep & (first | second) & (np.abs(place) <= _LOOK_MM)
    bins = np.clip(np.floor((place[inside] + _LOOK_MM) / 1.5), 0, round(2.0 * _LOOK_MM / 1.5) - 1).astype(np.int64)
    count = np.bincount(bins, minlength=round(2.0 * _LOOK_MM / 1.5))
    mean = np.bincount(bins, weights=hu[inside], minlength=len(count)) / np.maximum(count, 1)
    heights = -_LOOK_MM + 1.5 * (np.arange(len(count)) + 0.5)
    known = count >= 25
    banks, middle = known & (np.abs(heights) >= 7.0), known & (np.abs(heights) <= 5.0)
    if not (banks & (heights < 0)).any() or not (banks & (heights > 0)).any() or not middle.any():
        return 0.0
    line = np.polyval(np.polyfit(heights[banks], mean[banks], 1), heights)
    return float(np.abs(mean - line)[middle].max())
