"""The canonical form of closed surfaces: vertices on a grid of 1e-4 mm, merged and sorted; equal bodies have equal bytes."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from surgiplan_desktop.base.arrays import FloatArray, IntArray, frozen
from surgiplan_desktop.base.units import VERTEX_ROUNDING_MM
from surgiplan_desktop.model.mesh import Mesh

#: Where rounding would join two sheets, their vertices are set apart by this many steps of the vertex grid.
_SET_APART: Final = 5


def grid_of(vertices: FloatArray) -> NDArray[np.int64]:
    """Return the vertices as whole steps of the vertex grid."""
    return np.rint(vertices / VERTEX_ROUNDING_MM).astype(np.int64)


def set_apart(grid: NDArray[np.int64]) -> NDArray[np.int64]:
    """Shift vertices that fell on one grid point, so that two sheets that touch stay two sheets and the surface closed."""
    grid = grid.copy()
    for axis in (0, 1, 2, 0, 1, 2):
        order = np.lexsort((grid[:, 2], grid[:, 1], grid[:, 0]))
        again = np.r_[False, (np.diff(grid[order], axis=0) == 0).all(axis=1)]
        if not again.any():
            break
        # position inside the group of equal points: 0 stays, 1 moves one step, and so on
        start = np.maximum.accumulate(np.where(again, 0, np.arange(len(grid))))
        grid[order, axis] += _SET_APART * (np.arange(len(grid)) - start)
    return grid


def canonical_mesh(grid: NDArray[np.int64], faces: IntArray) -> Mesh:
    """Merge equal grid points, drop collapsed faces and pairs of faces back to back, sort vertices and faces."""
    order = np.lexsort((grid[:, 2], grid[:, 1], grid[:, 0]))
    new = np.r_[True, (np.diff(grid[order], axis=0) != 0).any(axis=1)]
    number = np.empty(len(grid), dtype=np.int64)
    number[order] = np.cumsum(new) - 1
    points = grid[order][new]
    corners = number[faces]
    a, b, c = corners.T
    corners = _without_back_to_back(corners[(a != b) & (b != c) & (c != a)])
    used = np.unique(corners)
    renumber = np.zeros(len(points), dtype=np.int64)
    renumber[used] = np.arange(len(used))
    corners = renumber[corners]
    first = np.argmin(corners, axis=1)[:, None] if len(corners) else np.empty((0, 1), dtype=np.int64)
    corners = np.take_along_axis(corners, (first + np.arange(3)) % 3, axis=1)
    corners = corners[np.lexsort((corners[:, 2], corners[:, 1], corners[:, 0]))]
    # dividing by 1e4 gives the double nearest to the decimal number; multiplying by 1e-4 would not
    return Mesh(frozen(points[used] / round(1.0 / VERTEX_ROUNDING_MM)), frozen(corners.astype(np.int32)))


def _without_back_to_back(corners: NDArray[np.int64]) -> NDArray[np.int64]:
    """Remove pairs of faces with the same corners and opposite sense: a sheet thinner than the vertex grid."""
    if not len(corners):
        return corners
    key = np.sort(corners, axis=1)
    order = np.lexsort((key[:, 2], key[:, 1], key[:, 0]))
    same = (np.diff(key[order], axis=0) == 0).all(axis=1)
    if not same.any():
        return corners
    group = np.cumsum(np.r_[True, ~same]) - 1
    a, b, c = corners[order].T
    even = ((a < b) & (b < c)) | ((b < c) & (c < a)) | ((c < a) & (a < b))
    balance = np.bincount(group, weights=np.where(even, 1, -1))
    keep = np.zeros(len(corners), dtype=bool)
    for parity, wanted in ((True, np.maximum(balance, 0)), (False, np.maximum(-balance, 0))):
        members = np.flatnonzero(even == parity)
        rank = np.arange(len(members)) - np.searchsorted(group[members], group[members], side="left")
        keep[order[members[rank < wanted[group[members]]]]] = True
    return corners[keep]


def edge_counts(faces: IntArray) -> tuple[int, int]:
    """Return how many edges do not have an even number of faces, and how many do not run as often there as back."""
    if not len(faces):
        return 0, 0
    tails, heads = faces.T.astype(np.int64), np.roll(faces, -1, axis=1).T.astype(np.int64)
    low, high = np.minimum(tails, heads).ravel(), np.maximum(tails, heads).ravel()
    keys = low * (int(faces.max()) + 1) + high
    order = np.argsort(keys, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(keys[order]) != 0])
    there = (tails < heads).ravel()[order].astype(np.int64)
    total = np.diff(np.r_[starts, len(keys)])
    balance = 2 * np.add.reduceat(there, starts) - total
    is_open = total % 2 != 0
    return int(is_open.sum()), int(((balance != 0) & ~is_open).sum())


def is_closed(faces: IntArray) -> bool:
    """Tell whether every edge has exactly two faces that run through it in opposite directions."""
    if not len(faces):
        return False
    n = int(faces.max()) + 1
    tails, heads = faces.ravel().astype(np.int64), np.roll(faces, -1, axis=1).ravel().astype(np.int64)
    there = np.sort(tails * n + heads)
    back = np.sort(heads * n + tails)
    return bool((np.diff(there) > 0).all() and np.array_equal(there, back))
