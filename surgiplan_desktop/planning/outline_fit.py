"""Fitting a component's outline into the outline of a bone section, in the plane of the cut.

Coordinates of all points here: (anterior, right) in mm, in the frame of the cut.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from surgiplan_desktop.base.arrays import BoolArray, FloatArray

#: The bone outline is walked in steps of this length while searching; the figures come from the outline itself.
_SEARCH_STEP_MM = 1.2
#: How sharply the search looks at the largest overhang (1/mm), one round after the other.
_SHARPNESS = (1.0, 4.0, 16.0)


@dataclass(frozen=True, slots=True)
class Pose:
    """Place of an outline in the cut: shift (mm) and turn (degrees, about the plane's proximal normal)."""

    anterior_mm: float
    right_mm: float
    turn_deg: float

    def __call__(self, points: FloatArray) -> FloatArray:
        """Map outline points (n, 2) into the frame of the cut."""
        return points @ turn_matrix(self.turn_deg).T + (self.anterior_mm, self.right_mm)


def turn_matrix(turn_deg: float) -> FloatArray:
    """Return the rotation of (X, Z) coordinates for a right-handed turn about Y."""
    c, s = np.cos(np.radians(turn_deg)), np.sin(np.radians(turn_deg))
    return np.array([[c, s], [-s, c]])


def outline_distance(points: FloatArray, polygon: FloatArray) -> FloatArray:
    """Return the signed distance of points (n, 2) from a closed polygon (m, 2): positive outside, mm."""
    return _distance_and_gradient(points, polygon)[0]


def polygon_area(polygon: FloatArray) -> float:
    """Return the area of a polygon (m, 2), mm2, whatever its sense."""
    x, y = polygon.T
    return 0.5 * abs(float((x * np.roll(y, -1) - np.roll(x, -1) * y).sum()))


def coverage(inner: FloatArray, polygon: FloatArray, step_mm: float = 0.5) -> float:
    """Return the share of the polygon's area that another outline covers, sampled on a grid."""
    low, high = polygon.min(axis=0), polygon.max(axis=0)
    grid = np.stack(np.meshgrid(*(np.arange(a + step_mm / 2, b, step_mm) for a, b in zip(low, high, strict=True))), axis=-1)
    points = grid.reshape(-1, 2)
    inside = _inside(points, polygon)
    return float((inside & _inside(points, inner)).sum()) / max(1, int(inside.sum()))


def best_pose(outline: FloatArray, polygon: FloatArray, start: Pose, turn_limit_deg: float) -> Pose:
    """Place an outline so that its largest overhang over the polygon is as small as can be.

    The largest signed distance is replaced by a soft maximum that is sharpened from round to round; the soft maximum also
    centres an outline that has room on all sides.
    """
    coarse = resampled(polygon, _SEARCH_STEP_MM)
    values = np.array([start.anterior_mm, start.right_mm, start.turn_deg])
    bounds = [(None, None), (None, None), (-turn_limit_deg, turn_limit_deg)]
    for sharpness in _SHARPNESS:
        found = minimize(_soft_overhang, values, args=(outline, coarse, sharpness), jac=True, method="L-BFGS-B", bounds=bounds)
        values = found.x
    return Pose(*(round(float(value), 4) for value in values))


def resampled(polygon: FloatArray, step_mm: float) -> FloatArray:
    """Return the polygon walked in equal steps of about ``step_mm``."""
    closed = np.concatenate([polygon, polygon[:1]])
    length = np.r_[0.0, np.cumsum(np.linalg.norm(np.diff(closed, axis=0), axis=1))]
    count = max(12, round(float(length[-1]) / step_mm))
    at = length[-1] * np.arange(count) / count
    return np.column_stack([np.interp(at, length, closed[:, axis]) for axis in range(2)])


def _soft_overhang(values: FloatArray, outline: FloatArray, polygon: FloatArray, sharpness: float) -> tuple[float, FloatArray]:
    matrix = turn_matrix(float(values[2]))
    turned = outline @ matrix.T
    distance, gradient = _distance_and_gradient(turned + values[:2], polygon)
    top = float(distance.max())
    weight = np.exp(sharpness * (distance - top))
    total = float(weight.sum())
    weight /= total
    # a right-handed turn about Y carries (x, z) towards (z, -x)
    swing = np.radians(1.0) * np.column_stack([turned[:, 1], -turned[:, 0]])
    slope = np.array([*(weight @ gradient), float(weight @ np.einsum("ij,ij->i", gradient, swing))])
    return top + float(np.log(total / len(outline))) / sharpness, slope


def _distance_and_gradient(points: FloatArray, polygon: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return signed distances (n,) and their gradients (n, 2)."""
    edge = np.roll(polygon, -1, axis=0) - polygon
    offset = points[:, None, :] - polygon[None]
    share = np.clip(np.einsum("nmk,mk->nm", offset, edge) / np.maximum(np.einsum("mk,mk->m", edge, edge), 1e-18), 0.0, 1.0)
    away = offset - share[..., None] * edge[None]
    squared = np.einsum("nmk,nmk->nm", away, away)
    nearest = squared.argmin(axis=1)
    rows = np.arange(len(points))
    distance = np.sqrt(squared[rows, nearest])
    sign = np.where(_inside(points, polygon), -1.0, 1.0)
    gradient = sign[:, None] * away[rows, nearest] / np.maximum(distance, 1e-12)[:, None]
    return sign * distance, gradient


def _inside(points: FloatArray, polygon: FloatArray) -> BoolArray:
    """Tell which points lie inside (even-odd rule)."""
    x, y = points[:, 0, None], points[:, 1, None]
    ax, ay = polygon.T
    bx, by = np.roll(polygon, -1, axis=0).T
    straddles = (ay > y) != (by > y)
    with np.errstate(divide="ignore", invalid="ignore"):
        at = ax + (y - ay) / (by - ay) * (bx - ax)
    result: BoolArray = (straddles & (x < at)).sum(axis=1) % 2 == 1
    return result
