"""Vessels full of contrast medium: long, thin and bright as bone, but evenly bright inside; a bone is a shell round marrow."""

from __future__ import annotations

from typing import Final

import numpy as np
from scipy import ndimage

from surgiplan_desktop.base.arrays import BoolArray, FloatArray, IntArray
from surgiplan_desktop.segmentation.label_ops import FloatImage

#: A vessel is at least so long, mm, and its sections are at most so large, mm2.
VESSEL_MM: Final = 25.0
VESSEL_MM2: Final = 220.0
#: Inside it (or all over where it is too thin for an inside) values spread less than this, 10th to 90th percentile, and the
#: brightest tenth lies below that, HU. The inside of a fibula spreads by 300 HU and more, thin or fatty ones too.
_SPREAD_HU: Final = 130.0
_BRIGHTEST_HU: Final = 550.0


def is_even(values: FloatImage, mine: BoolArray) -> bool:
    """Tell whether a thing is as bright inside as everywhere in it."""
    inner = np.asarray(ndimage.binary_erosion(mine))
    low, high = np.quantile(values[inner if inner.any() else mine], (0.1, 0.9))
    return bool(high - low < _SPREAD_HU and high < _BRIGHTEST_HU)


def vessels_of(pieces: IntArray, hu: FloatImage, spacing_mm: FloatArray) -> BoolArray:
    """Return the voxels of those pieces that are vessels.

    Parameters
    ----------
    pieces
        Codes 1.. of pieces, shape (k, j, i), marrow filled.
    hu
        Lightly smoothed Hounsfield values, same shape.
    spacing_mm
        Along k, j, i.
    """
    result: BoolArray = np.zeros(pieces.shape, dtype=np.bool_)
    for number, box in enumerate(ndimage.find_objects(pieces), start=1):
        longest = max((part.stop - part.start) * step for part, step in zip(box, spacing_mm.tolist(), strict=True))
        mine = pieces[box] == number
        volume = float(np.count_nonzero(mine) * np.prod(spacing_mm))
        if longest >= VESSEL_MM and volume / longest <= VESSEL_MM2 and is_even(hu[box], mine):
            result[box] |= mine
    return result
