"""Implicit surfaces: fields that are negative inside a solid and close to the distance in mm near its surface.

A field is a function of points of shape (n, 3) in a local frame of a *right* leg: columns lateral, anterior, up (mm).
Blends have compact support: where two fields differ by more than the blend width the result is exactly the smaller one,
so a blend moves no landmark that lies away from it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from scipy.interpolate import PchipInterpolator

from surgiplan_desktop.base.arrays import AnyArray, FloatArray

Field = Callable[[AnyArray], AnyArray]

_TABLE_STEP_MM = 0.5
_GRADIENT_CHUNK = 60_000


def smooth_min(a: AnyArray, b: AnyArray, width: float) -> AnyArray:
    """Union of two fields, rounded within ``width`` mm (cubic, twice differentiable)."""
    result: AnyArray = np.minimum(a, b)
    rounding = _rounding(a, b, width)
    if rounding is not None:
        result -= rounding
    return result


def smooth_max(a: AnyArray, b: AnyArray, width: float) -> AnyArray:
    """Intersection of two fields, rounded within ``width`` mm."""
    result: AnyArray = np.maximum(a, b)
    rounding = _rounding(a, b, width)
    if rounding is not None:
        result += rounding
    return result


def _rounding(a: AnyArray, b: AnyArray, width: float) -> AnyArray | None:
    """How much two fields round each other off; None where they are nowhere near each other."""
    near: AnyArray = a - b
    np.abs(near, out=near)
    np.subtract(width, near, out=near)
    if near.max(initial=-1.0) <= 0.0:
        return None
    np.maximum(near, 0.0, out=near)
    cubed: AnyArray = near * near
    cubed *= near
    cubed *= 1.0 / (6.0 * width * width)
    return cubed


def chosen(points: AnyArray, mask: AnyArray) -> AnyArray:
    """The points (n, 3) where ``mask`` holds; each coordinate lies in one piece, as fields like it."""
    result: AnyArray = points.T[:, mask].T
    return result


def in_frame(points: AnyArray, axes: FloatArray, origin: FloatArray) -> AnyArray:
    """Points (n, 3) in the frame whose axes are the columns of ``axes``; each coordinate lies in one piece."""
    kind = points.dtype
    result: AnyArray = (axes.T.astype(kind) @ (points - origin.astype(kind)).T).T
    return result


def over(x: AnyArray, y: AnyArray) -> AnyArray:
    """Length of (x, y): faster than ``numpy.hypot``, which guards against sizes that no bone has."""
    squared: AnyArray = x * x
    squared += y * y
    return np.sqrt(squared, out=squared)


def _length(x: AnyArray, y: AnyArray, z: AnyArray) -> AnyArray:
    """Lengths of vectors; the three arrays are used up."""
    x *= x
    y *= y
    z *= z
    x += y
    x += z
    return np.sqrt(x, out=x)


def sphere(points: AnyArray, centre: FloatArray, radius: float) -> AnyArray:
    """Exact distance to a sphere."""
    at = centre.tolist()
    result = _length(points[:, 0] - at[0], points[:, 1] - at[1], points[:, 2] - at[2])
    result -= float(radius)
    return result


def ellipsoid(points: AnyArray, centre: FloatArray, radii: FloatArray) -> AnyArray:
    """First-order distance to an ellipsoid along the axes of the frame."""
    at, per = centre.tolist(), (1.0 / radii).tolist()
    x, y, z = ((points[:, n] - at[n]) * per[n] for n in range(3))
    steep = _length(x * per[0], y * per[1], z * per[2])
    steep += 1e-9
    k0 = _length(x, y, z)
    k0 += 1e-6
    result: AnyArray = k0 - 1.0
    result *= k0
    result /= steep
    return result


def round_cone(points: AnyArray, start: FloatArray, end: FloatArray, start_radius: float, end_radius: float) -> AnyArray:
    """Distance to a rod with round ends whose radius goes linearly from start to end."""
    axis = end - start
    at, along, across = start.tolist(), axis.tolist(), (axis / float(axis @ axis)).tolist()
    x, y, z = (points[:, n] - at[n] for n in range(3))
    t: AnyArray = x * across[0]
    t += y * across[1]
    t += z * across[2]
    np.maximum(t, 0.0, out=t)
    np.minimum(t, 1.0, out=t)
    x -= t * along[0]
    y -= t * along[1]
    z -= t * along[2]
    result = _length(x, y, z)
    t *= float(end_radius - start_radius)
    result -= t
    result -= float(start_radius)
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
    _rows: dict[type, tuple[AnyArray, AnyArray]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        # Rows and their differences in both sizes of number: points come in either.
        rows = {kind: np.ascontiguousarray(self.table.T, dtype=kind) for kind in (np.float32, np.float64)}
        both = {kind: (table[:, :-1].copy(), np.diff(table, axis=1)) for kind, table in rows.items()}
        object.__setattr__(self, "_rows", both)

    @property
    def highest(self) -> float:
        """Height of the last row."""
        return self.lowest + self.step * (len(self.table) - 1)

    def __call__(self, points: AnyArray) -> AnyArray:
        """Evaluate without end faces: beyond the table the last section goes on."""
        place: AnyArray = points[:, 2] - self.lowest
        place *= 1.0 / self.step
        np.maximum(place, 0.0, out=place)
        np.minimum(place, len(self.table) - 1.001, out=place)
        whole = np.floor(place)
        place -= whole
        row = whole.astype(np.intp)
        low, rise = self._rows[points.dtype.type]
        values = rise.take(row, axis=1)
        values *= place
        values += low.take(row, axis=1)
        x = points[:, 0] - values[0]
        y = points[:, 1] - values[1]
        wide, deep = np.divide(1.0, values[2:4], dtype=points.dtype)
        x *= wide
        y *= deep
        wide *= x
        deep *= y
        wide *= wide
        deep *= deep
        wide += deep
        steep = np.sqrt(wide, out=wide)
        steep += 1e-9
        k0: AnyArray = x * x
        k0 += y * y
        np.sqrt(k0, out=k0)
        k0 += 1e-6
        # The third harmonics: cos 3t = c (4 c^2 - 3), sin 3t = s (3 - 4 s^2).
        x /= k0
        y /= k0
        x *= (4.0 * x * x - 3.0) * values[4]
        y *= (3.0 - 4.0 * y * y) * values[5]
        # Only where k0 is small does the first-order distance break down; there the section is deep inside.
        result: AnyArray = k0 - 1.0
        result -= x
        result -= y
        result *= k0
        result /= steep
        result *= values[6]
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
