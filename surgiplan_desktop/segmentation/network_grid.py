"""The grid on which a network sees a block of a scan, and the way there and back.

The grid follows the block's own axes, turned to the directions that the network was trained with and no further: a patient who
lies askew by some degrees is what networks are trained for, and both ways stay separable along the three axes. On the way there
values are averaged over what a voxel of the network covers (thin slices lose noise and not edges) or interpolated where the scan
is coarser; on the way back fields are interpolated linearly. Slices are read one at a time, so a scan of any length takes only
what its copy on the network's grid takes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from surgiplan_desktop.base.arrays import FloatArray
from surgiplan_desktop.base.errors import ComputationError
from surgiplan_desktop.base.progress import SILENT, Progress
from surgiplan_desktop.base.spaces import Affine
from surgiplan_desktop.model.images import Volume
from surgiplan_desktop.segmentation.tile_grid import Index3

Float32Image = NDArray[np.float32]
#: A box of voxels, first and one past the last index along each axis.
Box = tuple[slice, slice, slice]

#: Where patient LPS grows along an axis named by a letter.
_DIRECTIONS: Final = {
    "S": (0.0, 0.0, 1.0), "I": (0.0, 0.0, -1.0),
    "P": (0.0, 1.0, 0.0), "A": (0.0, -1.0, 0.0),
    "L": (1.0, 0.0, 0.0), "R": (-1.0, 0.0, 0.0),
}  # fmt: skip
#: A grid of more voxels than this is no scan of a patient: the spacing in its header is wrong.
MOST_VOXELS: Final = 400_000_000


@dataclass(frozen=True, slots=True, eq=False)
class NetworkGrid:
    """A network's grid over a block.

    Attributes
    ----------
    shape, affine
        Voxels along the network's (k, j, i), and the map from there to LPS mm.
    source
        Shape of the block.
    axes
        Axis of the block along which each axis of the network runs.
    steps
        Voxels of the block from one voxel of the network to the next, along the network's axes; negative where it runs backwards.
    firsts
        Index in the block of the network's first voxel, along the network's axes.
    """

    shape: Index3
    affine: Affine
    source: Index3
    axes: Index3
    steps: tuple[float, float, float]
    firsts: tuple[float, float, float]

    @property
    def spacing_mm(self) -> FloatArray:
        """Voxel edge along the network's axes."""
        return self.affine.spacing

    def places(self, axis: int, low: int = 0, high: int | None = None) -> FloatArray:
        """Where the block's voxels ``low`` to ``high`` along the network's ``axis`` lie on the network's grid, in its voxels."""
        end = self.source[self.axes[axis]] if high is None else high
        return np.asarray((np.arange(low, end) - self.firsts[axis]) / self.steps[axis], dtype=np.float64)


def network_grid(volume: Volume, axes: str, spacing_mm: Sequence[float]) -> NetworkGrid:
    """Lay a network's grid over a block.

    Parameters
    ----------
    axes
        What k, j, i grow towards, such as ``SPL``.
    spacing_mm
        Voxel edge along k, j, i.

    Raises
    ------
    ComputationError
        ``grid_too_large`` where the block would have more voxels than a patient can: its spacing is wrong.
    """
    unit = volume.affine.linear / volume.affine.spacing
    wanted = np.array([_DIRECTIONS[letter] for letter in axes])
    along = wanted @ unit
    order = max(permutations(range(3)), key=lambda item: sum(abs(along[row, column]) for row, column in enumerate(item)))
    shape, steps, firsts = [], [], []
    for row, axis in enumerate(order):
        ratio = float(spacing_mm[row]) / float(volume.affine.spacing[axis])
        size = volume.shape[axis]
        count = max(1, math.ceil(size / ratio - 1e-6))
        backwards = along[row, axis] < 0
        # the block lies in the middle of the voxels that cover it
        first = 0.5 * (size - 1) - 0.5 * ratio * (count - 1)
        shape.append(count)
        steps.append(-ratio if backwards else ratio)
        firsts.append(size - 1 - first if backwards else first)
    if math.prod(shape) > MOST_VOXELS:
        told = " x ".join(f"{size * step:.0f}" for size, step in zip(volume.shape, volume.spacing_kji_mm, strict=True))
        raise ComputationError("grid_too_large", extent_mm=told)
    linear, start = np.zeros((3, 3)), np.zeros(3)
    for row, axis in enumerate(order):
        linear[axis, row], start[axis] = steps[row], firsts[row]
    k, j, i = shape
    a, b, c = order
    affine = volume.affine @ Affine.from_parts(linear, start)
    return NetworkGrid((k, j, i), affine, volume.shape, (a, b, c), _triple(steps), _triple(firsts))


def _triple(values: Sequence[float]) -> tuple[float, float, float]:
    k, j, i = values
    return k, j, i


def own_grid(volume: Volume, axes: str) -> NetworkGrid:
    """Return a block's own voxels, with their axes turned to the directions named by ``axes``."""
    order = network_grid(volume, axes, (1.0, 1.0, 1.0)).axes
    return network_grid(volume, axes, [float(volume.spacing_kji_mm[axis]) for axis in order])


def turned_to_grid(array: NDArray[np.uint8], grid: NetworkGrid) -> NDArray[np.uint8]:
    """Return an array over the block in the order of a grid of :func:`own_grid`."""
    backwards = tuple(row for row, step in enumerate(grid.steps) if step < 0)
    return np.ascontiguousarray(np.flip(array.transpose(grid.axes), backwards))


def seen_by_network(volume: Volume, grid: NetworkGrid, *, outside: float, progress: Progress = SILENT) -> Float32Image:
    """Return the block's values on a network's grid, float32 (k, j, i); voxels that are no number count as ``outside``."""
    weights: dict[int, sparse.csr_matrix] = {axis: _weights(grid, row) for row, axis in enumerate(grid.axes)}
    along = weights[0].tocsc()
    result = np.zeros((weights[0].shape[0], weights[1].shape[0], weights[2].shape[0]), dtype=np.float32)
    for number in range(volume.shape[0]):
        first, last = along.indptr[number : number + 2]
        if first == last:
            continue
        layer = volume.array[number].astype(np.float32)
        np.nan_to_num(layer, copy=False, nan=outside, posinf=outside, neginf=outside)
        small = weights[2] @ (weights[1] @ layer).T
        for row, share in zip(along.indices[first:last], along.data[first:last], strict=True):
            result[row] += share * small.T
        if number % 16 == 0:
            progress.step(number, volume.shape[0], "reading_scan")
    return np.ascontiguousarray(result.transpose(grid.axes))


def _weights(grid: NetworkGrid, row: int) -> sparse.csr_matrix:
    """Share of every voxel of the block in every voxel of the network along one axis, shape (network, block), rows sum to 1."""
    size, count = grid.source[grid.axes[row]], grid.shape[row]
    step = abs(grid.steps[row])
    middles = grid.firsts[row] + grid.steps[row] * np.arange(count)
    half = 0.5 * max(step, 1.0)
    rows, columns, values = [], [], []
    for target, middle in enumerate(middles):
        low, high = max(-0.5, middle - half), min(size - 0.5, middle + half)
        indices = np.arange(max(0, math.floor(low + 0.5)), min(size - 1, math.ceil(high - 0.5)) + 1)
        share = np.minimum(indices + 0.5, high) - np.maximum(indices - 0.5, low)
        indices, share = indices[share > 1e-9], share[share > 1e-9]
        rows += [target] * len(indices)
        columns += indices.tolist()
        values += (share / share.sum()).tolist()
    return sparse.csr_matrix((np.array(values, dtype=np.float32), (rows, columns)), shape=(count, size))


def field_on_block(field: Float32Image, first: Index3, grid: NetworkGrid, box: Box) -> Float32Image:
    """Interpolate a field of the network's grid on voxels of the block.

    Parameters
    ----------
    field
        A part of the network's grid, (k, j, i) from the index ``first`` on; beyond it its rim is carried on.
    box
        Voxels of the block that are wanted.

    Returns
    -------
    Float32Image
        In the order of the block's axes, of the size of ``box``.
    """
    result = field.transpose(np.argsort(grid.axes))
    for axis, part in enumerate(box):
        row = grid.axes.index(axis)
        place = np.clip(grid.places(row, part.start, part.stop) - first[row], 0.0, result.shape[axis] - 1.0)
        low = np.minimum(place.astype(np.int64), max(result.shape[axis] - 2, 0))
        share = (place - low).astype(np.float32)
        weight = share.reshape([-1 if other == axis else 1 for other in range(3)])
        high = np.minimum(low + 1, result.shape[axis] - 1)
        result = result.take(low, axis) * (1.0 - weight) + result.take(high, axis) * weight
    return np.ascontiguousarray(result, dtype=np.float32)


def box_on_block(low: Index3, high: Index3, grid: NetworkGrid) -> Box:
    """Return the voxels of the block that the network's voxels ``low`` to ``high`` (one past the last) cover."""
    parts: list[slice] = [slice(0)] * 3
    for row, axis in enumerate(grid.axes):
        ends = [grid.firsts[row] + grid.steps[row] * (place - 0.5) for place in (low[row], high[row])]
        size = grid.source[axis]
        parts[axis] = slice(max(0, math.floor(min(ends))), min(size, math.ceil(max(ends)) + 1))
    a, b, c = parts
    return a, b, c


def carried_over(classes: NDArray[np.uint8], own: NetworkGrid, other: NetworkGrid) -> NDArray[np.uint8]:
    """Return classes on the grid of another network over the same block, each voxel from the nearest."""
    straight = classes.transpose(np.argsort(own.axes))
    for axis in range(3):
        row, target = own.axes.index(axis), other.axes.index(axis)
        index = other.firsts[target] + other.steps[target] * np.arange(other.shape[target])
        place = np.rint((index - own.firsts[row]) / own.steps[row]).astype(np.int64)
        straight = straight.take(np.clip(place, 0, own.shape[row] - 1), axis)
    return np.ascontiguousarray(straight.transpose(other.axes))
