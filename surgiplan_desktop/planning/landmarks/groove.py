"""The trochlear groove: its deepest point below the line over both ridges, in axial sections (clinical.md A.1)."""

from __future__ import annotations

import numpy as np
from scipy.interpolate import RegularGridInterpolator
from scipy.ndimage import gaussian_filter

from surgiplan_desktop.base.arrays import FloatArray
from surgiplan_desktop.base.spaces import Plane
from surgiplan_desktop.geometry.section import section_segments
from surgiplan_desktop.planning.landmarks.condyles import Condyles
from surgiplan_desktop.planning.landmarks.surface import BoneSurface

#: Height of the lowest section above the distal joint line, in widths of the femur: above the arch of the notch.
_LOWEST = 0.27
#: Sections above it and columns beside the notch, in mm of a knee 77 mm wide; the ridges lie outside the inner band.
_LEVELS_MM = 30.0
_COLUMNS_MM = 26.0
_INNER_MM = 7.0
_STEP_MM = 1.0
_USUAL_WIDTH_MM = 77.0
_SMOOTHING_MM = 1.5
#: What passes for a groove: depth, and sections that show it (clinical.md A.1: at least eight).
_LEAST_DEPTH_MM = 1.0
_FEWEST_SECTIONS = 8


def find_groove(surface: BoneSurface, condyles: Condyles, width_mm: float) -> tuple[FloatArray, float] | None:
    """Deepest point (3,) and its depth (mm); None where no eight sections show two ridges and a valley between.

    Parameters
    ----------
    width_mm
        Width of the distal femur, which sets how far up and aside is looked.
    """
    if condyles.knee_centre is None:
        return None
    k = width_mm / _USUAL_WIDTH_MM
    centre = condyles.knee_centre
    columns = np.arange(-_COLUMNS_MM, _COLUMNS_MM + 0.1, _STEP_MM) * k
    joint = 0.5 * (condyles.distal.medial + condyles.distal.lateral)
    lowest = _LOWEST * width_mm + float((joint - centre) @ condyles.up)
    levels = lowest + np.arange(0.0, _LEVELS_MM + 0.1, _STEP_MM) * k
    near = np.abs((surface.vertices - centre) @ condyles.lateral) < 1.4 * _COLUMNS_MM * k
    cropped = surface.crop(near & ((surface.vertices - centre) @ condyles.anterior > -5.0))
    front = np.array([_front(cropped, condyles, centre, level, columns) for level in levels])
    usable = np.isfinite(front).sum(axis=1) > 0.6 * len(columns)
    if np.count_nonzero(usable) < _FEWEST_SECTIONS:
        return None
    levels, front = levels[usable], front[usable]
    filled = np.where(np.isfinite(front), front, np.nanmin(front))
    front = np.where(np.isfinite(front), gaussian_filter(filled, _SMOOTHING_MM / _STEP_MM, mode="nearest"), np.nan)
    depth = np.array([_depths(columns, profile, k) for profile in front])
    if np.count_nonzero(np.nanmax(depth, axis=1, initial=-np.inf) > _LEAST_DEPTH_MM) < _FEWEST_SECTIONS:
        return None
    row, column = np.unravel_index(int(np.nanargmax(depth)), depth.shape)
    x, u, deepest = _refined(columns, levels, depth, int(row), int(column))
    grid = RegularGridInterpolator(
        (levels, columns), np.where(np.isfinite(front), front, 0.0), bounds_error=False, fill_value=None
    )
    reach = float(grid([[u, x]])[0])
    return centre + x * condyles.lateral + u * condyles.up + reach * condyles.anterior, deepest


def _front(surface: BoneSurface, condyles: Condyles, centre: FloatArray, level: float, columns: FloatArray) -> FloatArray:
    """Farthest reach to the front of an axial section in each column, mm from ``centre``; NaN where it has none."""
    start, end, _ = section_segments(surface.vertices, surface.faces, Plane(centre + level * condyles.up, condyles.up))
    if len(start) == 0:
        return np.full(len(columns), np.nan)
    x0, x1 = (start - centre) @ condyles.lateral, (end - centre) @ condyles.lateral
    y0, y1 = (start - centre) @ condyles.anterior, (end - centre) @ condyles.anterior
    run = x1 - x0
    share = (columns[:, None] - x0) / np.where(np.abs(run) < 1e-9, np.inf, run)
    crossed = (share >= 0.0) & (share <= 1.0) & (np.abs(run) >= 1e-9)
    reach = np.where(crossed, y0 + share * (y1 - y0), -np.inf).max(axis=1)
    return np.where(np.isfinite(reach), reach, np.nan)


def _depths(columns: FloatArray, profile: FloatArray, k: float) -> FloatArray:
    """Depth of each inner column below the line over both ridges, mm; NaN outside or without ridges."""
    nothing = np.full(len(columns), np.nan)
    sides = [np.where(sign * columns > _INNER_MM * k, profile, np.nan) for sign in (-1.0, 1.0)]
    if any(not np.isfinite(side).any() for side in sides):
        return nothing
    first, second = (int(np.nanargmax(side)) for side in sides)
    line = profile[first] + (profile[second] - profile[first]) * (columns - columns[first]) / (columns[second] - columns[first])
    return np.where(np.abs(columns) <= _INNER_MM * k, line - profile, np.nan)


def _refined(columns: FloatArray, levels: FloatArray, depth: FloatArray, row: int, column: int) -> tuple[float, float, float]:
    """Place across and up and depth of the deepest point, by a quadratic through the depths around it."""
    rows = slice(max(row - 5, 0), row + 6)
    near = slice(max(column - 3, 0), column + 4)
    u, x = np.meshgrid(levels[rows] - levels[row], columns[near] - columns[column], indexing="ij")
    values = depth[rows, near]
    good = np.isfinite(values)
    u, x, values = u[good], x[good], values[good]
    plain = float(columns[column]), float(levels[row]), float(depth[row, column])
    if len(values) < 12:
        return plain
    design = np.column_stack([np.ones_like(x), x, u, x * x, x * u, u * u])
    c, *_ = np.linalg.lstsq(design, values, rcond=None)
    hessian = np.array([[2.0 * c[3], c[4]], [c[4], 2.0 * c[5]]])
    if c[3] > -1e-4:
        return plain
    if float(np.linalg.eigvalsh(hessian)[1]) > -1e-5:
        return plain[0] + float(np.clip(-c[1] / (2.0 * c[3]), -3.0, 3.0)), plain[1], plain[2]
    step = -np.linalg.solve(hessian, c[1:3])
    # the groove often deepens down to the lowest section: then the peak over the place across alone
    if not levels[0] <= levels[row] + step[1] <= levels[-1] or abs(step[1]) > 5.0:
        rise = float(np.clip(step[1], levels[0] - levels[row], levels[-1] - levels[row]))
        rise = float(np.clip(rise, -5.0, 5.0))
        step = np.array([-(c[1] + c[4] * rise) / (2.0 * c[3]), rise])
    if abs(step[0]) > 3.0:
        return plain
    at = np.array([1.0, step[0], step[1], step[0] ** 2, step[0] * step[1], step[1] ** 2])
    return plain[0] + float(step[0]), plain[1] + float(step[1]), float(at @ c)
