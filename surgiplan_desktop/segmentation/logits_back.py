"""Bring blended logits from a network's grid to the finer or coarser one of the scan, and take the class there.

All logits of a scan with 117 classes are tens of gigabytes. Blocks come finished from low to high k, strip by strip along j; of
the block before only its last plane is kept, of the strip before its last row, so that no voxel between two lacks a neighbour.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from surgiplan_desktop.base.arrays import FloatArray, IntArray
from surgiplan_desktop.segmentation.inference.engine import Float32Array
from surgiplan_desktop.segmentation.resize import linear_places, nearest_places
from surgiplan_desktop.segmentation.slab import Block
from surgiplan_desktop.segmentation.tile_grid import Index3


@dataclass(frozen=True, slots=True, eq=False)
class _Axis:
    """Neighbours of each target voxel along an axis and the share of the upper one."""

    low: IntArray
    high: IntArray
    share: FloatArray

    def between(self, first: int, last: int) -> tuple[slice, _Axis]:
        """Targets whose upper neighbour lies in ``first`` to ``last``; upper neighbours never fall."""
        start, end = np.searchsorted(self.high, [first, last])
        part = slice(int(start), int(end))
        return part, _Axis(self.low[part], self.high[part], self.share[part])


def _axis(source: int, target: int, order: int) -> _Axis:
    if order == 0:
        places = nearest_places(source, target)
        return _Axis(places, places, np.zeros(target))
    low, share = linear_places(source, target)
    return _Axis(low, np.where(share > 0.0, low + 1, low), share)


def classes_on_scan(blocks: Iterator[Block], source: Index3, target: Sequence[int], orders: Sequence[int]) -> NDArray[np.uint8]:
    """Return the class of the highest logit of each voxel of the scan (k, j, i).

    Parameters
    ----------
    blocks
        Of a volume ``source`` on which every voxel has a tile, in the order of
        :func:`surgiplan_desktop.segmentation.tiles.run_tiles`.
    target
        Voxels of the scan along (k, j, i).
    orders
        0 nearest or 1 linear along each axis.
    """
    k_axis, j_axis, i_axis = (_axis(source[axis], target[axis], orders[axis]) for axis in range(3))
    labels = np.zeros(tuple(target), dtype=np.uint8)
    strip = -1
    row_before: Float32Array | None = None
    row_here: Float32Array | None = None
    plane_before: Float32Array | None = None
    for block in blocks:
        values, k, j = block.mean, block.k, block.j
        classes, depth, height, width = values.shape
        if j != strip:
            strip, row_before, row_here, plane_before = j, row_here, None, None
            if j + height < source[1]:
                row_here = np.empty((classes, source[0], width), dtype=np.float32)
        if row_here is not None:
            row_here[:, k : k + depth] = values[:, :, -1]
        if row_before is not None:
            values = np.concatenate([row_before[:, k : k + depth, None], values], axis=2)
        if plane_before is not None:
            values = np.concatenate([plane_before[:, None], values], axis=1)
        plane_before = values[:, -1].copy()
        first_k, first_j = k + depth - values.shape[1], j + height - values.shape[2]
        k_part, planes = k_axis.between(k, k + depth)
        j_part, rows = j_axis.between(j, j + height)
        rows = _Axis(rows.low - first_j, rows.high - first_j, rows.share)
        for number, index in enumerate(range(k_part.start, k_part.stop)):
            low, high, share = planes.low[number] - first_k, planes.high[number] - first_k, planes.share[number]
            plane = values[:, low] if share == 0.0 else _mixed(values[:, low], values[:, high], np.float32(share))
            labels[index, j_part] = _highest(plane, rows, i_axis)
    return labels


def _mixed(low: Float32Array, high: Float32Array, share: np.float32 | Float32Array) -> Float32Array:
    result: Float32Array = low + share * (high - low)
    return result


def _highest(plane: Float32Array, rows: _Axis, columns: _Axis) -> NDArray[np.uint8]:
    """Class of the highest value of a plane (classes, j, i) at the places between its rows and columns, class by class."""
    best: Float32Array | None = None
    found = np.zeros((len(rows.low), len(columns.low)), dtype=np.uint8)
    row_share, column_share = rows.share.astype(np.float32)[:, None], columns.share.astype(np.float32)
    for number, values in enumerate(plane):
        tall = _mixed(values[rows.low], values[rows.high], row_share)
        here = _mixed(tall[:, columns.low], tall[:, columns.high], column_share)
        if best is None:
            best = here
            continue
        higher = here > best
        found[higher] = number
        np.maximum(best, here, out=best)
    return found
