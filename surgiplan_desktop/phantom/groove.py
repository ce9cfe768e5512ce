"""The deepest point of the trochlear groove, found on the femur by its definition."""

from __future__ import annotations

import numpy as np

from surgiplan_desktop.base.arrays import FloatArray
from surgiplan_desktop.phantom.femur import Femur
from surgiplan_desktop.phantom.probe import heights_along

_ANTERIOR = np.array([0.0, 1.0, 0.0])
#: Sections in which the groove is looked for, above the notch (unit size), mm.
_LEVELS_MM = (0.0, 30.0)


def trochlear_groove(femur: Femur) -> FloatArray:
    """Deepest point below the line over the two ridges, over axial sections; shape (3,) in F."""
    k = femur.distal.scale
    centre = femur.from_block(k * np.array([femur.distal.groove_at, 20.0, 0.0]))
    ridges = np.arange(-26.0, 26.01, 1.0) * k
    levels: FloatArray = np.arange(_LEVELS_MM[0], _LEVELS_MM[1] + 0.01, 2.0) * k
    across: FloatArray = np.arange(-6.0, 6.01, 1.0) * k
    best = centre
    for step in (0.5, 0.1, 0.02, 0.005):
        columns = np.unique(np.concatenate([ridges, across])).astype(np.float64)
        grid = np.array([[centre[0] + x, centre[1], centre[2] + u] for u in levels for x in columns])
        front = heights_along(femur, grid, _ANTERIOR, 40.0).reshape(len(levels), len(columns))
        deepest = (-np.inf, 0.0, 0.0, 0.0)
        for level, profile in zip(levels, front, strict=True):
            i, j = (int(np.nanargmax(np.where(sign * columns > 6.0 * k, profile, -np.inf))) for sign in (-1.0, 1.0))
            first, second = _crest(columns, profile, i), _crest(columns, profile, j)
            line = first[1] + (second[1] - first[1]) * (columns - first[0]) / (second[0] - first[0])
            depth = np.where(np.isin(columns, across), line - profile, -np.inf)
            n = int(np.nanargmax(depth))
            deepest = max(deepest, (float(depth[n]), float(columns[n]), float(level), float(profile[n])))
        _, x, u, reach = deepest
        best = centre + np.array([x, reach, u])
        low, high = _LEVELS_MM
        levels = np.clip(u + np.arange(-5, 6) * step, low * k, high * k).astype(np.float64)
        across = np.asarray(x + np.arange(-5, 6) * step, dtype=np.float64)
    return np.asarray(best, dtype=np.float64)


def _crest(columns: FloatArray, profile: FloatArray, index: int) -> tuple[float, float]:
    """Place and height of a ridge: vertex of the parabola through three samples."""
    index = min(max(index, 1), len(columns) - 2)
    fit = np.polyfit(columns[index - 1 : index + 2] - columns[index], profile[index - 1 : index + 2], 2)
    shift = float(np.clip(-fit[1] / (2.0 * min(fit[0], -1e-9)), -1.0, 1.0))
    return float(columns[index]) + shift, float(np.polyval(fit, shift))
