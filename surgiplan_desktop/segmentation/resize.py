"""Resize volumes by one matrix an axis: splines between voxel middles, the rim carried on, as skimage's ``resize`` does (edge).

A tensor-product spline is the same taken axis by axis, so a volume never has to be held in double precision and slices can be
read one at a time. The cubic matrix is what scipy's ``zoom`` makes of unit vectors, prefilter and rim included.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, sparse

from surgiplan_desktop.base.arrays import AnyArray, FloatArray, IntArray
from surgiplan_desktop.base.progress import SILENT, Progress
from surgiplan_desktop.segmentation.inference.engine import Float32Array
from surgiplan_desktop.segmentation.tile_grid import Index3

#: Entries of a spline's matrix below this share are left out: together they stay far below float32's own rounding of an image.
_LEAST_SHARE: Final = 1e-8
#: Columns that are multiplied at once along the first axis.
_COLUMNS: Final = 1 << 16


def nearest_places(source: int, target: int) -> IntArray:
    """Index of the voxel nearest to each voxel of an axis that is resized from ``source`` to ``target`` voxels."""
    middles = source / target * (np.arange(target) + 0.5)
    result: IntArray = np.clip(np.floor(middles), 0, source - 1).astype(np.int64)
    return result


def linear_places(source: int, target: int) -> tuple[IntArray, FloatArray]:
    """Lower neighbour of each voxel of a resized axis and the share of the upper one (0 where there is none)."""
    middles = np.clip(source / target * (np.arange(target) + 0.5) - 0.5, 0.0, source - 1.0)
    low = np.floor(middles).astype(np.int64)
    return low, middles - low


def axis_matrix(source: int, target: int, order: int) -> sparse.csr_matrix:
    """Shares of the voxels of an axis in those of the resized one, float32, shape (target, source).

    Parameters
    ----------
    order
        0 nearest, 1 linear, 3 cubic spline.
    """
    if source == target:
        return sparse.identity(source, dtype=np.float32, format="csr")
    if order == 3 and source > 1:
        whole = ndimage.zoom(np.eye(source), (target / source, 1.0), order=3, mode="nearest", grid_mode=True)
        return sparse.csr_matrix(np.where(np.abs(whole) > _LEAST_SHARE, whole, 0.0).astype(np.float32))
    rows = np.arange(target)
    if order == 0:
        return sparse.csr_matrix((np.ones(target, dtype=np.float32), (rows, nearest_places(source, target))), (target, source))
    low, share = linear_places(source, target)
    columns = np.concatenate([low, np.minimum(low + 1, source - 1)])
    values = np.concatenate([1.0 - share, share]).astype(np.float32)
    return sparse.csr_matrix((values, (np.concatenate([rows, rows]), columns)), (target, source))


def resized(
    read: Callable[[int], AnyArray],
    source: Index3,
    target: Sequence[int],
    orders: Sequence[int],
    *,
    clip_slices_of: int | None = None,
    progress: Progress = SILENT,
) -> Float32Array:
    """Resize a volume.

    Parameters
    ----------
    read
        Gives slice k of the volume, shape ``source[1:]``.
    source, target
        Voxels along (k, j, i) before and after.
    orders
        Of the interpolation along each axis.
    clip_slices_of
        Splines overshoot; the result is held within the range of the whole volume, or of each slice along this axis where
        slices are resized one by one.
    """
    if tuple(source) == tuple(target):
        return np.stack([np.asarray(read(k), dtype=np.float32) for k in range(source[0])])
    across = [axis_matrix(source[axis], target[axis], orders[axis]) for axis in range(3)]
    flat = np.empty((source[0], target[1], target[2]), dtype=np.float32)
    low = np.full(source, np.inf)[(slice(None), 0, 0)] if clip_slices_of is None else np.full(source[clip_slices_of], np.inf)
    high = -low
    others = tuple(axis - 1 for axis in range(1, 3) if axis != clip_slices_of)
    for k in range(source[0]):
        layer = np.asarray(read(k), dtype=np.float32)
        if clip_slices_of in (None, 0):
            low[k], high[k] = layer.min(), layer.max()
        else:
            low, high = np.minimum(low, layer.min(axis=others)), np.maximum(high, layer.max(axis=others))
        flat[k] = (across[2] @ (across[1] @ layer).T).T
        progress.step(k, source[0], "reading_scan")
    if clip_slices_of is None:
        low, high = low.min(), high.max()
    else:
        # along the axis that is taken apart the nearest slice is taken, and its range with it
        taken = nearest_places(source[clip_slices_of], target[clip_slices_of])
        shape = [1, 1, 1]
        shape[clip_slices_of] = -1
        low, high = low[taken].reshape(shape), high[taken].reshape(shape)
    if source[0] == target[0]:
        result = flat
    else:
        result = np.empty((target[0], target[1] * target[2]), dtype=np.float32)
        columns = flat.reshape(source[0], -1)
        for first in range(0, columns.shape[1], _COLUMNS):
            result[:, first : first + _COLUMNS] = across[0] @ columns[:, first : first + _COLUMNS]
        result = result.reshape(tuple(target))
    np.clip(result, low, high, out=result)
    return result


def resized_labels(labels: NDArray[np.uint8], target: Sequence[int], apart: int | None) -> NDArray[np.uint8]:
    """Resize a label volume as nnU-Net does: each label's share linearly, the label with the largest share is taken.

    In double precision, since equal shares are common: then the nearest voxel's label is taken if it is one of them, else the
    lowest. Along the axis ``apart`` slices are resized one by one and the nearest is taken.
    """
    if labels.shape == tuple(target):
        return labels.copy()
    if apart is not None:
        flat = [size for axis, size in enumerate(target) if axis != apart]
        slices = np.moveaxis(labels, apart, 0)
        taken = nearest_places(len(slices), target[apart])
        small = {int(index): _largest_shares(slices[index], flat) for index in np.unique(taken)}
        return np.ascontiguousarray(np.moveaxis(np.stack([small[int(index)] for index in taken]), 0, apart))
    return _largest_shares(labels, target)


def _largest_shares(labels: NDArray[np.uint8], target: Sequence[int]) -> NDArray[np.uint8]:
    factors = [new / old for new, old in zip(target, labels.shape, strict=True)]
    nearest = ndimage.zoom(labels, factors, order=0, mode="nearest", grid_mode=True)
    result = np.zeros(tuple(target), dtype=np.uint8)
    best = np.full(tuple(target), -1.0)
    for label in np.unique(labels):
        mask = (labels == label).astype(np.float64)
        share = ndimage.zoom(mask, factors, order=1, mode="nearest", grid_mode=True)
        taken = (share > best) | ((share == best) & (nearest == label))
        result[taken] = label
        np.maximum(best, share, out=best)
    return result
