"""Bodies as distance fields on a local grid: sample a bone, sweep it, round and join shapes, and take the surface.

A field is negative inside a body; values near a surface are millimetres. The grid has its own axes, so that sweeping a bone along
one of them is a running minimum: exact along the axis, without boolean operations. Axes may be left-handed, so that a left leg
runs through the same numbers as its mirror image. Source: clinical.md D, steps 3 to 6.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree

from surgiplan_desktop.base.arrays import BoolArray, FloatArray, read_only, vector3
from surgiplan_desktop.base.errors import ComputationError
from surgiplan_desktop.base.progress import SILENT, Progress
from surgiplan_desktop.geometry.distance import signed_distance, vertex_normals
from surgiplan_desktop.geometry.isosurface import zero_surface
from surgiplan_desktop.model.mesh import Mesh

Field = NDArray[np.float32]
#: A grid value closer to the surface than this (mm) is moved off it, so that no triangle collapses on a grid point.
_OFF_GRID_MM = 2e-3
#: Up to this edge length (mm) the nearest vertex stands for the nearest point where only the order of magnitude matters.
_SHORT_EDGE_MM = 2.5


@dataclass(frozen=True, slots=True, eq=False)
class LocalGrid:
    """Points ``origin + axes @ (spacing * index)``.

    Attributes
    ----------
    origin_lps
        Shape (3,), mm LPS: the point of index 0.
    axes
        Shape (3, 3), orthonormal columns in LPS; left-handed allowed.
    spacing_mm
        One spacing for all three.
    shape
        Points along the axes, each 4 m + 1.
    """

    origin_lps: FloatArray
    axes: FloatArray
    spacing_mm: float
    shape: tuple[int, int, int]

    def __post_init__(self) -> None:
        if any(count % 4 != 1 for count in self.shape):
            raise ValueError(f"a local grid has 4 m + 1 points along each axis, got {self.shape}")
        object.__setattr__(self, "origin_lps", read_only(vector3(self.origin_lps)))
        object.__setattr__(self, "axes", read_only(np.array(self.axes, dtype=np.float64)))

    def along(self, vector: FloatArray, from_lps: FloatArray) -> Field:
        """Return ``(point - from) . vector`` at every grid point, shape of the grid, float32."""
        start = float((self.origin_lps - from_lps) @ vector)
        steps = self.axes.T @ vector * self.spacing_mm
        a, b, c = (np.arange(count) * step for count, step in zip(self.shape, steps, strict=True))
        return np.asarray(start + a[:, None, None] + b[None, :, None] + c[None, None, :], dtype=np.float32)

    def to_lps(self, index: FloatArray) -> FloatArray:
        """Map (fractional) indices (n, 3) to LPS mm."""
        result: FloatArray = self.origin_lps + (np.asarray(index, dtype=np.float64) * self.spacing_mm) @ self.axes.T
        return result


def grid_around(low: FloatArray, high: FloatArray, axes: FloatArray, spacing_mm: float) -> LocalGrid:
    """Return the grid that covers a box given in coordinates along the axes (mm, ``point_lps @ axes``)."""
    counts = np.ceil((np.asarray(high) - low) / (4 * spacing_mm) - 1e-9).astype(int) * 4 + 1
    return LocalGrid(np.asarray(axes) @ np.asarray(low), axes, spacing_mm, (int(counts[0]), int(counts[1]), int(counts[2])))


def sample_distance(
    mesh: Mesh,
    grid: LocalGrid,
    *,
    band_mm: tuple[float, float] = (-0.8, 1.4),
    wide_band_mm: tuple[float, float] = (-3.0, 7.0),
    columns: BoolArray | None = None,
    progress: Progress = SILENT,
) -> Field:
    """Return the signed distance of a closed mesh on the grid, mm, negative inside.

    Exact in ``band_mm``; interpolated from twice the spacing in ``wide_band_mm`` and from four times the spacing elsewhere,
    where only the order of magnitude matters.

    Parameters
    ----------
    columns
        Shape of the first two axes: exact values only there (the rest is interpolated).
    """
    coarse = tuple((count + 3) // 4 for count in grid.shape)
    progress.step(0, 3, "guide_distance")
    field = _rough_distance(mesh, _points(grid, 4, np.ones(coarse, dtype=np.bool_))).reshape(coarse)
    for number, (stride, band) in enumerate(((2, wide_band_mm), (1, band_mm)), start=1):
        progress.step(number, 3, "guide_distance")
        field = _upsampled(field)
        wanted = (field > band[0]) & (field < band[1])
        if columns is not None:
            wanted &= columns[::stride, ::stride, None]
        field[wanted] = signed_distance(mesh, _points(grid, stride, wanted))
    return field.astype(np.float32)


def _rough_distance(mesh: Mesh, points: FloatArray) -> FloatArray:
    """Return signed distances that are right to about an edge of the mesh; exact when the mesh has long edges.

    The nearest vertex is found ten times faster than the nearest triangle; near the surface the value is replaced later.
    """
    edges = mesh.vertices[mesh.faces] - mesh.vertices[np.roll(mesh.faces, 1, axis=1)]
    if float(np.linalg.norm(edges, axis=2).max()) > _SHORT_EDGE_MM:
        return signed_distance(mesh, points)
    distance, nearest = cKDTree(mesh.vertices).query(points)
    inside = np.einsum("ij,ij->i", points - mesh.vertices[nearest], vertex_normals(mesh)[nearest]) < 0
    return np.where(inside, -distance, distance)


def _points(grid: LocalGrid, stride: int, wanted: BoolArray) -> FloatArray:
    return grid.to_lps(np.argwhere(wanted).astype(np.float64) * stride)


def _upsampled(field: FloatArray) -> FloatArray:
    """Return the field at half the spacing (linear)."""
    for axis in range(3):
        first = np.moveaxis(field, axis, 0)
        shape = (2 * len(first) - 1, *first.shape[1:])
        fine = np.empty(shape)
        fine[::2] = first
        fine[1::2] = 0.5 * (first[1:] + first[:-1])
        field = np.moveaxis(fine, 0, axis)
    return np.ascontiguousarray(field)


def swept_along_last(field: Field) -> Field:
    """Return the field of the body swept against the last axis: what a shape withdrawn along that axis would collide with.

    A point belongs to the sweep when the body lies at it or anywhere further along the last axis in its column.
    """
    return np.ascontiguousarray(np.minimum.accumulate(field[:, :, ::-1], axis=2)[:, :, ::-1])


def rounded_both(one: Field, two: Field, radius_mm: float) -> Field:
    """Intersect two bodies with the common edge rounded by a radius."""
    outside = np.hypot(np.maximum(one + radius_mm, 0), np.maximum(two + radius_mm, 0))
    return np.asarray(np.minimum(np.maximum(one, two), -radius_mm) + outside, dtype=np.float32)


def filleted_either(one: Field, two: Field, radius_mm: float) -> Field:
    """Join two bodies with a fillet of about a radius in the corner between them."""
    inside = np.hypot(np.maximum(radius_mm - one, 0), np.maximum(radius_mm - two, 0))
    return np.asarray(np.maximum(np.minimum(one, two), radius_mm) - inside, dtype=np.float32)


def body_of(field: Field, grid: LocalGrid, *, name: str) -> Mesh:
    """Return the surface of the largest connected body of a field (value < 0), outward oriented, vertices in LPS mm.

    Raises
    ------
    ComputationError
        ``field_empty`` when no grid point is inside, ``field_leaves_grid`` when the body reaches the grid's border.
    """
    inside = field < 0
    parts, count = ndimage.label(inside)
    if count == 0:
        raise ComputationError("field_empty", body=name)
    sizes = np.bincount(parts.ravel())[1:]
    kept = parts == 1 + int(np.argmax(sizes))
    if any(kept[side].any() for side in _BORDERS):
        raise ComputationError("field_leaves_grid", body=name)
    values = np.where(kept, np.minimum(field, -_OFF_GRID_MM), np.maximum(np.abs(field), _OFF_GRID_MM)).astype(np.float32)
    index, faces = zero_surface(values.transpose(2, 1, 0))
    vertices = grid.to_lps(index[:, ::-1])
    corners = (vertices - vertices[0])[faces]
    turned = np.einsum("ij,ij->", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])) < 0
    return Mesh(vertices, faces[:, ::-1] if turned else faces)


_BORDERS: tuple[tuple[slice | int, ...], ...] = tuple(
    tuple(edge if axis == here else slice(None) for axis in range(3)) for here in range(3) for edge in (0, -1)
)
