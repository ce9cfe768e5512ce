"""Implicit surfaces: fields that are negative inside a solid and close to the distance in mm near its surface.

A field is a function of points of shape (n, 3) in a local frame of a *right* leg: columns lateral, anterior, up (mm).
Blends have compact support: where two fields differ by more than the blend width the result is exactly the smaller one,
so a blend moves no landmark that lies away from it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.interpolate import PchipInterpolator

from surgiplan_desktop.base.arrays import AnyArray, FloatArray

Field = Callable[[AnyArray], AnyArray]

_TABLE_STEP_MM = 0.5
_GRADIENT_CHUNK = 60_000


def smooth_min(a: AnyArray, b: AnyArray, width: float) -> AnyArray:
    """Union of two fields, rounded within ``width`` mm (cubic, twice differentiable)."""
    h = np.maximum(width - np.abs(a - b), 0.0) / width
    result: AnyArray = np.minimum(a, b) - h * h * h * (width / 6.0)
    return result


def smooth_max(a: AnyArray, b: AnyArray, width: float) -> AnyArray:
    """Intersection of two fields, rounded within ``width`` mm."""
    result: AnyArray = -smooth_min(-a, -b, width)
    return result


def sphere(points: AnyArray, centre: FloatArray, radius: float) -> AnyArray:
    """Exact distance to a sphere."""
    offset = points - centre.astype(points.dtype)
    result: AnyArray = np.sqrt(np.einsum("ij,ij->i", offset, offset)) - points.dtype.type(radius)
    return result


def ellipsoid(points: AnyArray, centre: FloatArray, radii: FloatArray) -> AnyArray:
    """First-order distance to an ellipsoid along the axes of the frame."""
    q = (points - centre.astype(points.dtype)) / radii.astype(points.dtype)
    k0 = np.sqrt(np.einsum("ij,ij->i", q, q)) + 1e-6
    q = q / radii.astype(points.dtype)
    k1 = np.sqrt(np.einsum("ij,ij->i", q, q)) + 1e-9
    result: AnyArray = k0 * (k0 - 1.0) / k1
    return result


def round_cone(points: AnyArray, start: FloatArray, end: FloatArray, start_radius: float, end_radius: float) -> AnyArray:
    """Distance to a rod with round ends whose radius goes linearly from start to end."""
    kind = points.dtype.type
    axis = (end - start).astype(points.dtype)
    offset = points - start.astype(points.dtype)
    t = np.clip(offset @ (axis / kind(axis @ axis)), 0.0, 1.0)
    delta = offset - t[:, None] * axis
    result: AnyArray = np.sqrt(np.einsum("ij,ij->i", delta, delta)) - (kind(start_radius) + t * kind(end_radius - start_radius))
    return result


@dataclass(frozen=True, slots=True, eq=False)
class Loft:
    """A rod of changing section along the third coordinate.

    Attributes
    ----------
    lowest, step
        Height of the first row of the table and the distance of rows, mm.
    table
        Columns: centre lateral, centre anterior, half width, half depth, third harmonic (cosine, sine), steepness factor.
    """

    lowest: float
    step: float
    table: FloatArray

    @property
    def highest(self) -> float:
        """Height of the last row."""
        return self.lowest + self.step * (len(self.table) - 1)

    def __call__(self, points: AnyArray) -> AnyArray:
        """Evaluate without end faces: beyond the table the last section goes on."""
        place = np.clip((points[:, 2] - self.lowest) / self.step, 0.0, len(self.table) - 1.001)
        row = place.astype(np.int32)
        part = (place - row).astype(points.dtype)[:, None]
        table = self.table.astype(points.dtype)
        values = np.take(table, row, axis=0)
        values += part * (np.take(table, row + 1, axis=0) - values)
        x = (points[:, 0] - values[:, 0]) / values[:, 2]
        y = (points[:, 1] - values[:, 1]) / values[:, 3]
        k0 = np.sqrt(x * x + y * y) + 1e-6
        k1 = np.sqrt((x / values[:, 2]) ** 2 + (y / values[:, 3]) ** 2) + 1e-9
        c, s = x / k0, y / k0
        shape = 1.0 + values[:, 4] * (4.0 * c * c * c - 3.0 * c) + values[:, 5] * (3.0 * s - 4.0 * s * s * s)
        # Only where k0 is small does the first-order distance break down; there the section is deep inside.
        result: AnyArray = k0 * (k0 - shape) / k1 * values[:, 6]
        return result

    def centre(self, height: float) -> FloatArray:
        """Centre of the section at a height, shape (3,)."""
        heights = self.lowest + self.step * np.arange(len(self.table))
        return np.array([np.interp(height, heights, self.table[:, 0]), np.interp(height, heights, self.table[:, 1]), height])


def loft(rows: list[tuple[float, float, float, float, float, float, float]]) -> Loft:
    """Build a rod from rows (height, centre lateral, centre anterior, half width, half depth, cos 3, sin 3), lowest first."""
    array = np.array(sorted(rows), dtype=np.float64)
    heights = np.arange(array[0, 0], array[-1, 0] + _TABLE_STEP_MM, _TABLE_STEP_MM)
    columns = PchipInterpolator(array[:, 0], array[:, 1:], axis=0)(np.clip(heights, array[0, 0], array[-1, 0]))
    steep = np.abs(np.gradient(columns[:, 2:4], _TABLE_STEP_MM, axis=0)).max(axis=1)
    factor = 1.0 / np.sqrt(1.0 + steep * steep)
    return Loft(float(heights[0]), _TABLE_STEP_MM, np.column_stack([columns, factor]))


def gradient(field: Field, points: FloatArray, step_mm: float = 1e-3) -> FloatArray:
    """Gradient of a field by central differences, shape (n, 3)."""
    moves = step_mm * np.concatenate([np.eye(3), -np.eye(3)])
    result = np.empty_like(points)
    for first in range(0, len(points), _GRADIENT_CHUNK):
        part = points[first : first + _GRADIENT_CHUNK]
        values = field((part[None] + moves[:, None]).reshape(-1, 3)).reshape(6, -1)
        result[first : first + _GRADIENT_CHUNK] = ((values[:3] - values[3:]) / (2.0 * step_mm)).T
    return result


def onto_surface(field: Field, points: FloatArray, rounds: int = 4) -> FloatArray:
    """Move points near the surface onto it (Newton along the gradient), shape (n, 3)."""
    for _ in range(rounds):
        slope = gradient(field, points)
        points = points - (field(points) / np.maximum((slope * slope).sum(axis=1), 1e-6))[:, None] * slope
    return points
