"""The front of the proximal tibia: tuberosity and antero-superior edge, found in P by their definitions (clinical.md A.1)."""

from __future__ import annotations

import numpy as np

from surgiplan_desktop.base.arrays import FloatArray, unit
from surgiplan_desktop.phantom.probe import heights_along
from surgiplan_desktop.phantom.tibia import Tibia, shaft_centroids

_UP = np.array([0.0, 0.0, 1.0])
#: The tuberosity lies this far below the plateau, mm.
_LEVELS_MM = (20.0, 45.0)


def across_and_forward(back: tuple[FloatArray, FloatArray]) -> tuple[FloatArray, FloatArray]:
    """Lateral and anterior of the tibial frame in P, from the posterior plateau points."""
    across = unit((back[1] - back[0]) * np.array([1.0, 1.0, 0.0]))
    return across, np.cross(_UP, across)


def tuberosity_of(tibia: Tibia, back: tuple[FloatArray, FloatArray]) -> FloatArray:
    """Of the most anterior points of the sections 20 to 45 mm below the plateau, the one furthest from the shaft's axis."""
    across, forward = across_and_forward(back)
    base, upper = shaft_centroids(tibia)
    axis = unit(upper - base)
    k, middle = tibia.plateau.scale, tibia.tuberosity[1][0]
    best = tibia.knee
    levels = np.arange(-_LEVELS_MM[1], -_LEVELS_MM[0] + 0.01, 2.5)
    columns = middle + np.arange(-12.0, 12.01, 3.0) * k
    for step in (0.5, 0.08, 0.01):
        grid = np.array([tibia.knee * np.array([0.0, 0.0, 1.0]) + u * _UP + x * across for u in levels for x in columns])
        reach = heights_along(tibia, grid, forward, 45.0).reshape(len(levels), len(columns))
        peak, shift = _peaks(reach, columns)
        surface = (
            grid.reshape(len(levels), len(columns), 3)[:, 0] + (shift - columns[0])[:, None] * across + peak[:, None] * forward
        )
        offset = surface - base
        radius = np.linalg.norm(offset - (offset @ axis)[:, None] * axis, axis=1)
        top = int(np.argmax(radius))
        best = surface[top]
        levels = np.clip(levels[top] + np.arange(-6, 7) * step, -_LEVELS_MM[1], -_LEVELS_MM[0])
        columns = shift[top] + np.arange(-6, 7) * max(step, 0.05)
    return best


def _peaks(reach: FloatArray, columns: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Height and place of the peak of each row, by the parabola through its three highest samples."""
    best = np.clip(np.nanargmax(reach, axis=1), 1, reach.shape[1] - 2)
    rows = np.arange(len(reach))
    left, middle, right = (reach[rows, best + shift] for shift in (-1, 0, 1))
    bend = np.minimum(left + right - 2.0 * middle, -1e-12)
    share = np.clip(0.5 * (left - right) / bend, -1.0, 1.0)
    peak: FloatArray = middle - 0.25 * (left - right) * share
    return peak, columns[best] + share * (columns[1] - columns[0])


def anterosuperior_edge(tibia: Tibia, back: tuple[FloatArray, FloatArray]) -> FloatArray:
    """Furthest point to the front and up of the section through the knee centre."""
    _, forward = across_and_forward(back)
    direction, along = unit(forward + _UP), unit(forward - _UP)
    centre, window = tibia.knee + 22.0 * tibia.plateau.scale * forward, 12.0
    for _ in range(6):
        steps = np.linspace(-window, window, 41)
        heights = heights_along(tibia, centre + steps[:, None] * along, direction, 30.0)
        centre = centre + steps[int(np.nanargmax(heights))] * along
        window *= 0.15
    height = float(heights_along(tibia, centre[None], direction, 30.0)[0])
    return np.asarray(centre + height * direction, dtype=np.float64)
