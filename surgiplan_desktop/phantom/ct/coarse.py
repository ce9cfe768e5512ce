"""Smooth things are computed at every n-th voxel and interpolated linearly at all of them.

By slices, not by matrix products: those run on all cores, and wait for each other badly where the cores are busy with other work.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from surgiplan_desktop.base.arrays import AnyArray, FloatArray

Values = NDArray[np.float32]


def coarse_nodes(size: int, every: int) -> FloatArray:
    """Indices of the nodes: every n-th of ``size`` voxels and one at or beyond the last."""
    return np.arange(0, size - 1 + every, every, dtype=np.float64)


def refined(values: AnyArray, sizes: tuple[int, ...], every: tuple[int, ...]) -> Values:
    """Interpolate values at nodes ``every`` voxels apart along each axis at all ``sizes`` voxels; constant beyond the last."""
    result: Values = values.astype(np.float32)
    # the last axis first: the big steps then copy whole rows
    for axis in reversed(range(values.ndim)):
        place = np.arange(sizes[axis]) / every[axis]
        low = np.minimum(place.astype(int), result.shape[axis] - 1)
        high = np.minimum(low + 1, result.shape[axis] - 1)
        part = np.clip(place - low, 0.0, 1.0).astype(np.float32).reshape([-1 if n == axis else 1 for n in range(values.ndim)])
        base = np.take(result, low, axis=axis)
        following = np.take(result, high, axis=axis)
        following -= base
        following *= part
        base += following
        result = base
    return result
