"""Lay parallel slices that are sheared or unevenly spaced on an orthogonal grid, linearly and in no more directions than needed.

The slices keep their planes, rows and columns. In its plane a slice is moved by what its position says, interpolating along the
direction of the move alone; along the normal a slice of the grid lies between two slices. What no slice shows becomes air.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from surgiplan_desktop.base.arrays import AnyArray, FloatArray, frozen, unit
from surgiplan_desktop.base.progress import SILENT, Progress
from surgiplan_desktop.base.spaces import Affine
from surgiplan_desktop.model.images import Volume
from surgiplan_desktop.model.study import Repair

#: What stands where no slice shows anything, HU: air of a scan.
FILL_HU: Final = -1024
#: Values below this are air or padding: errors are told for tissue, HU.
_TISSUE_HU: Final = -300.0
#: A place or a move this close to a whole number is whole: rounding of positions.
_WHOLE: Final = 1e-3
#: Even spacings tried at most.
_MOST_TRIED: Final = 2000
_INT16: Final = np.iinfo(np.int16)


@dataclass(frozen=True, slots=True)
class ResampleError:
    """What interpolation costs, HU, root mean square over tissue.

    ``in_plane_hu``: what linear interpolation leaves of the slices in their planes at most (its remainder term). ``across_hu``:
    by how much a slice differs from what its two neighbours foretell; where slices are missing, that is the error of those made.
    """

    in_plane_hu: float
    across_hu: float


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """An orthogonal grid over parallel slices.

    Attributes
    ----------
    affine, shape
        Index (k, j, i) -> LPS mm, and the number of voxels.
    places
        Shape (n,): where along k each slice lies, in steps of the grid, rising.
    moves
        Shape (n, 2): how far along (j, i) the first voxel of each slice lies from that of the grid, in pixels, not negative.
    hole_mm
        Slices further apart than this leave a hole between them.
    """

    affine: Affine
    shape: tuple[int, int, int]
    places: FloatArray
    moves: FloatArray
    hole_mm: float

    @property
    def stretches(self) -> tuple[tuple[int, int], ...]:
        """First and last k of each run of slices of the grid that lie in a hole; of its rims those between two holes."""
        taken = np.zeros(self.shape[0], dtype=bool)
        holes = np.diff(self.places) * self.affine.spacing[0] > self.hole_mm
        for index in np.flatnonzero(holes):
            low, high = self.places[index : index + 2]
            first = int(np.floor(low + _WHOLE)) + (0 if index > 0 and holes[index - 1] else 1)
            taken[first : int(np.ceil(high - _WHOLE))] = True
        edges = np.flatnonzero(np.diff(np.concatenate([[False], taken, [False]]).astype(np.int8)))
        return tuple((int(first), int(end) - 1) for first, end in edges.reshape(-1, 2))

    @property
    def off_grid_mm(self) -> float:
        """The largest distance of a slice from the nearest slice of the grid."""
        return float(np.abs(self.places - np.rint(self.places)).max()) * float(self.affine.spacing[0])


def even_spacing(heights: FloatArray, finest_mm: float) -> float:
    """Return the spacing of an even grid from the first height to the last on which the slices lie best.

    Parameters
    ----------
    heights
        Shape (n,), mm, rising.
    finest_mm
        No finer spacing than this is sensible; the smallest step between slices is the other bound.

    Returns
    -------
    float
        Between half the smallest step (or ``finest_mm``) and that step, a whole part of the length: the coarsest that brings the
        slices about as close to grid slices as any other would.
    """
    length = float(heights[-1] - heights[0])
    step = max(float(np.diff(heights).min()), finest_mm)
    counts = np.arange(max(int(np.ceil(length / step - _WHOLE)), 1), max(int(2 * length / step), 1) + 1)
    counts = counts[length / counts >= min(finest_mm, step) - _WHOLE][:_MOST_TRIED]
    if len(counts) == 0:
        return length / max(int(np.ceil(length / step - _WHOLE)), 1)
    places = (heights - heights[0])[:, None] * (counts / length)
    off_mm = np.sqrt(np.mean((places - np.rint(places)) ** 2, axis=0)) * length / counts
    good = np.flatnonzero(off_mm <= 1.25 * float(off_mm.min()) + 0.05 * step)
    return length / int(counts[good[0]])


def grid_over(
    positions: FloatArray,
    row: FloatArray,
    column: FloatArray,
    pixel_mm: tuple[float, float],
    size: tuple[int, int],
    step_mm: float,
    hole_mm: float = 0.0,
) -> Grid:
    """Return the grid that holds all slices, with slices ``step_mm`` apart, the first on the first slice.

    Parameters
    ----------
    positions
        Shape (n, 3): the first voxels of the slices, LPS mm, in order along row x column.
    row, column
        Unit directions of rising i and j, at right angles.
    pixel_mm
        Distance between rows and between columns.
    size
        Rows and columns of a slice.
    hole_mm
        See :class:`Grid`; never less than 1.5 steps.
    """
    normal = np.cross(row, column)
    relative = positions - positions[0]
    places = relative @ normal / step_mm
    places = np.where(np.abs(places - np.rint(places)) <= _WHOLE, np.rint(places), places)
    moves = np.column_stack([relative @ column / pixel_mm[0], relative @ row / pixel_mm[1]])
    moves = np.where(np.abs(moves - np.rint(moves)) <= _WHOLE, np.rint(moves), moves)
    first, last = np.floor(moves.min(axis=0)), np.ceil(moves.max(axis=0))
    origin = positions[0] + column * pixel_mm[0] * first[0] + row * pixel_mm[1] * first[1]
    affine = Affine.from_parts(np.column_stack([normal * step_mm, column * pixel_mm[0], row * pixel_mm[1]]), origin)
    shape = (int(np.floor(places[-1] + _WHOLE)) + 1, size[0] + int(last[0] - first[0]), size[1] + int(last[1] - first[1]))
    return Grid(affine, shape, places, moves - first, max(hole_mm, 1.5 * step_mm))


def resample_slices(
    read: Callable[[int], AnyArray], grid: Grid, *, progress: Progress = SILENT
) -> tuple[NDArray[np.int16] | NDArray[np.float32], ResampleError]:
    """Fill a grid; no more than three slices are held beside the result.

    Parameters
    ----------
    read
        Gives slice n as HU, shape (rows, columns).

    Returns
    -------
    tuple
        The voxels, shape ``grid.shape``, int16 (float32 where they do not fit), and what the interpolation costs.
    """
    out: NDArray[np.int16] | NDArray[np.float32] = np.empty(grid.shape, dtype=np.int16)
    held: dict[int, AnyArray] = {}
    errors = _Errors(grid)

    def moved(index: int) -> AnyArray:
        if index not in held:
            for old in [key for key in held if key < index - 2]:
                del held[old]
            values = read(index)
            errors.in_plane(values, index)
            held[index] = _moved(values, grid.moves[index], grid.shape[1:])
            errors.foretold(held, index)
        return held[index]

    below = np.clip(np.searchsorted(grid.places, np.arange(grid.shape[0]) + _WHOLE) - 1, 0, len(grid.places) - 1)
    for k, index in enumerate(map(int, below)):
        progress.step(k, grid.shape[0], "repairing")
        share = 0.0 if k - grid.places[index] <= _WHOLE else _share(grid.places, index, k)
        values = moved(index)
        if share > 0:
            values = (1 - share) * values + share * moved(index + 1)
        values = np.where(np.isnan(values), FILL_HU, values)
        if out.dtype == np.int16 and (values.min() < _INT16.min or values.max() > _INT16.max):
            out = out.astype(np.float32)
        out[k] = np.rint(values) if out.dtype == np.int16 else values
    progress.step(1, 1, "repairing")
    return out, errors.result()


def straighten(volume: Volume, *, progress: Progress = SILENT) -> tuple[Volume, Repair]:
    """Lay a volume whose slice step is oblique to its slices (a tilted gantry) on an orthogonal grid.

    Parameters
    ----------
    volume
        Rows and columns at right angles; the step between slices any direction out of their plane. A step against row x column
        is turned round: the result is right-handed.

    Raises
    ------
    ValueError
        Rows and columns are not at right angles, or the step lies in the plane of the slices.
    """
    row, column = unit(volume.affine.linear[:, 2]), unit(volume.affine.linear[:, 1])
    if abs(float(row @ column)) > _WHOLE:
        raise ValueError("rows and columns are not at right angles")
    column = unit(column - float(row @ column) * row)
    step = volume.affine.linear[:, 0]
    normal = np.cross(row, column)
    along = float(step @ normal)
    if abs(along) < _WHOLE * float(np.linalg.norm(step)):
        raise ValueError("the step between slices lies in their plane")
    order = range(volume.shape[0]) if along > 0 else range(volume.shape[0] - 1, -1, -1)
    positions = volume.affine(np.array([[k, 0.0, 0.0] for k in order]))
    _, between_rows, between_columns = volume.spacing_kji_mm
    pixel_mm = (float(between_rows), float(between_columns))
    grid = grid_over(positions, row, column, pixel_mm, (volume.shape[1], volume.shape[2]), abs(along))
    voxels, error = resample_slices(lambda index: volume.array[order[index]], grid, progress=progress)
    tilt = float(np.degrees(np.arccos(np.clip(abs(along) / float(np.linalg.norm(step)), 0.0, 1.0))))
    return Volume(frozen(voxels), grid.affine), Repair(
        "tilt", tilt_parameters(tilt, grid, error.in_plane_hu), matrix_rows(volume.affine)
    )


def tilt_parameters(degrees: float, grid: Grid, error_hu: float) -> tuple[tuple[str, float], ...]:
    """Return what a straightened tilt is told by: the angle, the largest move in a slice's plane, the fill and the error."""
    pixel_mm = grid.affine.spacing[1:]
    return (
        ("degrees", round(degrees, 2)),
        ("moved_mm", round(float(np.linalg.norm(np.ptp(grid.moves, axis=0) * pixel_mm)), 2)),
        ("fill_hu", FILL_HU),
        ("error_hu", round(error_hu, 1)),
    )


def matrix_rows(affine: Affine) -> tuple[tuple[float, float, float, float], ...]:
    """Return an affine as the rows that a record holds."""
    return tuple((float(a), float(b), float(c), float(d)) for a, b, c, d in affine.matrix)


def _share(places: FloatArray, index: int, k: int) -> float:
    if index + 1 >= len(places):
        return 0.0
    return float((k - places[index]) / (places[index + 1] - places[index]))


def _moved(values: AnyArray, move: FloatArray, size: Sequence[int]) -> AnyArray:
    """Return a slice moved by (j, i) pixels in a larger frame, float32, NaN where it shows nothing."""
    out = values.astype(np.float32)
    for axis in (0, 1):
        whole, part = int(np.floor(move[axis])), float(move[axis] - np.floor(move[axis]))
        if part > 0:
            out = np.moveaxis(out, axis, 0)
            out = np.moveaxis((1 - part) * out[1:] + part * out[:-1], 0, axis)
        before = whole + (1 if part > 0 else 0)
        room = [(0, 0), (0, 0)]
        room[axis] = (before, int(size[axis]) - before - out.shape[axis])
        out = np.pad(out, room, constant_values=np.nan)
    return out


class _Errors:
    """Gathers the error of interpolation over some of the slices."""

    def __init__(self, grid: Grid) -> None:
        self._grid = grid
        self._across = bool((np.diff(grid.places) > 1.5).any() or grid.off_grid_mm > 0)
        self._sums = [0.0, 0.0]
        self._counts = [0, 0]

    def in_plane(self, values: AnyArray, index: int) -> None:
        """Linear interpolation leaves at most f (1 - f) / 2 of the second difference (its remainder term)."""
        for axis in (0, 1):
            part = float(self._grid.moves[index, axis] % 1.0)
            if part > 0 and values.shape[axis] > 2 and index % 4 == 0:
                bent = np.diff(values.astype(np.float32), n=2, axis=axis) * (part * (1 - part) / 2)
                self._add(0, bent, values[1:-1] if axis == 0 else values[:, 1:-1])

    def foretold(self, held: dict[int, AnyArray], index: int) -> None:
        """Compare a slice with what its two neighbours say of its place."""
        middle = index - 1
        if not self._across or middle < 1 or middle - 1 not in held or middle not in held:
            return
        low, here, high = self._grid.places[middle - 1 : index + 1]
        share = float((here - low) / (high - low))
        told = (1 - share) * held[middle - 1][::2, ::2] + share * held[index][::2, ::2]
        self._add(1, told - held[middle][::2, ::2], held[middle][::2, ::2])

    def result(self) -> ResampleError:
        """Root mean square of both kinds, HU."""
        means = [total / count if count else 0.0 for total, count in zip(self._sums, self._counts, strict=True)]
        return ResampleError(float(np.sqrt(means[0])), float(np.sqrt(means[1])))

    def _add(self, kind: int, errors: AnyArray, values: AnyArray) -> None:
        chosen = errors[np.isfinite(errors) & (values > _TISSUE_HU)].astype(np.float64)
        self._sums[kind] += float(chosen @ chosen)
        self._counts[kind] += chosen.size
