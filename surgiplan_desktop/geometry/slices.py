"""Slices that do not belong where they lie: found by their neighbours, and bridged.

Scanners and archives now and then hold one slice that is shifted, blank or of another place. In the bone it would be a cut right
through a shaft. Such a slice disagrees with both neighbours while they agree with each other.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from surgiplan_desktop.base.arrays import AnyArray
from surgiplan_desktop.model.images import Volume

#: Hounsfield range in which slices are compared: what lies beyond is air or metal.
_RANGE_HU: Final = (-200.0, 1000.0)
#: A slice is out of place when it differs from the mean of its neighbours by this many times what they differ from each other.
_FACTOR: Final = 2.5
#: ... and by at least this mean difference, HU.
_LEAST_HU: Final = 15.0


def displaced_slices(volume: Volume) -> tuple[int, ...]:
    """Return the indices k of slices that disagree with both neighbours, which agree with each other.

    The first and the last slice are never named: one neighbour is no witness.
    """
    array = volume.array[:, ::2, ::2]
    found: list[int] = []
    window = [_clipped(array[k]) for k in range(min(2, len(array)))]
    for k in range(1, len(array) - 1):
        window = [*window[-2:], _clipped(array[k + 1])]
        before, here, after = window
        apart = float(np.abs(after - before).mean())
        off = float(np.abs(here - 0.5 * (before + after)).mean())
        if off > _LEAST_HU and off > _FACTOR * (apart + 1.0):
            found.append(k)
    return tuple(found)


def bridged(volume: Volume, slices: tuple[int, ...]) -> Volume:
    """Return the volume with the named slices replaced by the mean of their neighbours."""
    if not slices:
        return volume
    array = volume.array.copy()
    for k in slices:
        mean = 0.5 * (volume.array[k - 1].astype(np.float32) + volume.array[k + 1].astype(np.float32))
        array[k] = mean.astype(array.dtype)
    return Volume(array, volume.affine)


def _clipped(array: AnyArray) -> AnyArray:
    return np.clip(array, *_RANGE_HU).astype(np.float32)
