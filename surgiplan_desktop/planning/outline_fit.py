"""Fitting a component's outline into the outline of a bone section, in the plane of the cut.

Coordinates of all points here: (anterior, right) in mm, in the frame of the cut.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from surgiplan_desktop.base.arrays import BoolArray, FloatArray

#: The bone outline is walked in steps of this length while searching; the figures come from the outline itself.
_SEARCH_STEP_MM = 0.8
#: How sharply the search looks at the largest misfit (1/mm), one round after the other.
_SHARPNESS = (1.0, 4.0, 16.0)
#: The search ends below this step (mm, degrees), or after so many steps or halvings of one; no step is longer than this.
_SMALLEST_STEP, _LONGEST_STEP = 1e-4, 5.0
_MOST_STEPS, _MOST_HALVINGS = 60, 12


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


def coverage(inner: FloatArray, polygon: FloatArray, step_mm: float = 1.0) -> float:
    """Return the share of the polygon's area that another outline covers, sampled on a grid."""
    polygon = resampled(polygon, step_mm)
    low, high = polygon.min(axis=0), polygon.max(axis=0)
    grid = np.stack(np.meshgrid(*(np.arange(a + step_mm / 2, b, step_mm) for a, b in zip(low, high, strict=True))), axis=-1)
    points = grid.reshape(-1, 2)
    inside = _inside(points, polygon)
    return float((inside & _inside(points, inner)).sum()) / max(1, int(inside.sum()))


def misfit(distance: FloatArray, underhang_weight: FloatArray) -> FloatArray:
    """Return how badly points fit by their signed distance (n,) from the bone: overhang, or underhang times its weight, mm."""
    return np.where(distance > 0.0, distance, -underhang_weight * distance)


def best_pose(outline: FloatArray, polygon: FloatArray, start: Pose, turn_limit_deg: float, underhang_weight: FloatArray) -> Pose:
    """Place an outline so that the largest misfit of its points on the polygon is as small as can be.

    ``underhang_weight`` (n,) says for each point what a millimetre of underhang counts beside one of overhang. The largest misfit
    is replaced by a soft maximum that is sharpened from round to round.
    """
    coarse = resampled(polygon, _SEARCH_STEP_MM)
    values = np.array([start.anterior_mm, start.right_mm, start.turn_deg])
    for sharpness in _SHARPNESS:
        function = partial(_soft_misfit, outline=outline, polygon=coarse, sharpness=sharpness, underhang_weight=underhang_weight)
        values = _descend(function, values, turn_limit_deg)
    return Pose(*(round(float(value), 4) for value in values))


def resampled(polygon: FloatArray, step_mm: float) -> FloatArray:
    """Return the polygon walked in equal steps of about ``step_mm``."""
    closed = np.concatenate([polygon, polygon[:1]])
    length = np.r_[0.0, np.cumsum(np.linalg.norm(np.diff(closed, axis=0), axis=1))]
    count = max(12, round(float(length[-1]) / step_mm))
    at = length[-1] * np.arange(count) / count
    return np.column_stack([np.interp(at, length, closed[:, axis]) for axis in range(2)])


def _descend(function: Callable[[FloatArray], tuple[float, FloatArray]], start: FloatArray, turn_limit_deg: float) -> FloatArray:
    """Return the minimum of a function of three values by BFGS with halved steps; the turn is held to its limit.

    (scipy's own BFGS spends most of its time starting threads for 3 x 3 matrices.)
    """
    limit = np.array([np.inf, np.inf, turn_limit_deg])
    here = np.clip(start, -limit, limit)
    value, slope = function(here)
    inverse = np.diag([1.0, 1.0, 4.0])
    for _ in range(_MOST_STEPS):
        step = -inverse @ slope
        step *= min(1.0, _LONGEST_STEP / max(float(np.linalg.norm(step)), 1e-12))
        for _ in range(_MOST_HALVINGS):
            there = np.clip(here + step, -limit, limit)
            new_value, new_slope = function(there)
            if new_value < value:
                break
            step *= 0.5
        else:
            return here
        moved, change = there - here, new_slope - slope
        here, value, slope = there, new_value, new_slope
        if float(np.abs(moved).max()) < _SMALLEST_STEP:
            return here
        curvature = float(moved @ change)
        if curvature > 1e-12:
            left = np.eye(3) - np.outer(moved, change) / curvature
            inverse = left @ inverse @ left.T + np.outer(moved, moved) / curvature
    return here


def _soft_misfit(
    values: FloatArray, outline: FloatArray, polygon: FloatArray, sharpness: float, underhang_weight: FloatArray
) -> tuple[float, FloatArray]:
    matrix = turn_matrix(float(values[2]))
    turned = outline @ matrix.T
    distance, gradient = _distance_and_gradient(turned + values[:2], polygon)
    worst = misfit(distance, underhang_weight)
    gradient = gradient * np.where(distance > 0.0, 1.0, -underhang_weight)[:, None]
    top = float(worst.max())
    weight = np.exp(sharpness * (worst - top))
    total = float(weight.sum())
    weight /= total
    # a right-handed turn about Y carries (x, z) towards (z, -x)
    swing = np.radians(1.0) * np.column_stack([turned[:, 1], -turned[:, 0]])
    slope = np.array([*(weight @ gradient), float(weight @ np.einsum("ij,ij->i", gradient, swing))])
    return top + float(np.log(total / len(outline))) / sharpness, slope


def _distance_and_gradient(points: FloatArray, polygon: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return signed distances (n,) and their gradients (n, 2)."""
    edge_x, edge_y = (np.roll(polygon, -1, axis=0) - polygon).T
    inverse = 1.0 / np.maximum(edge_x**2 + edge_y**2, 1e-18)
    x, y = points[:, 0, None] - polygon[:, 0], points[:, 1, None] - polygon[:, 1]
    share = np.clip((x * edge_x + y * edge_y) * inverse, 0.0, 1.0)
    x -= share * edge_x
    y -= share * edge_y
    squared = x * x + y * y
    nearest = squared.argmin(axis=1)
    rows = np.arange(len(points))
    distance = np.sqrt(squared[rows, nearest])
    sign = np.where(_inside(points, polygon), -1.0, 1.0)
    away = np.column_stack([x[rows, nearest], y[rows, nearest]])
    return sign * distance, sign[:, None] * away / np.maximum(distance, 1e-12)[:, None]


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
