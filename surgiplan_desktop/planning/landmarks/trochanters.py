"""The tips of the greater and the lesser trochanter (clinical.md A.1)."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from surgiplan_desktop.base.arrays import FloatArray
from surgiplan_desktop.geometry.fit import FittedLine, Sphere
from surgiplan_desktop.planning.landmarks.extremes import refined_extreme
from surgiplan_desktop.planning.landmarks.surface import BoneSurface

#: The greater trochanter's tip lies at most this far below the head's centre and at most this far medial of the neck's base, mm.
_BELOW_HEAD_MM = 60.0
_MEDIAL_MM = 8.0
#: A peak overtops everything within this, but for this much noise, mm.
_PEAK_REACH_MM = 7.0
_PEAK_NOISE_MM = 0.15
_MOST_PEAKS = 400
#: The lesser trochanter lies between these depths below the head's centre, mm; looked for in levels of this height.
_LESSER_MM = (27.0, 95.0)
_LEVEL_MM = 3.0
_ROUNDS = 8


def find_greater(
    surface: BoneSurface, head: Sphere, base: FloatArray, up: FloatArray, lateral: FloatArray
) -> tuple[FloatArray, float | None] | None:
    """Most proximal peak (3,) lateral of head and neck, with the RMS of its fit; None where nothing stands out.

    A peak, not the highest vertex: where the neck rises to the head, or the block ends, that lies on the border of the search.
    """
    heights = surface.heights(up)
    beyond = (surface.vertices - base) @ lateral > -_MEDIAL_MM
    outside = np.linalg.norm(surface.vertices - head.centre, axis=1) > 1.3 * head.radius
    region = surface.real & beyond & outside & (heights > float(head.centre @ up) - _BELOW_HEAD_MM)
    index = np.flatnonzero(region)
    if len(index) < 12:
        return None
    tree = cKDTree(surface.vertices)
    order = index[np.argsort(-heights[index], kind="stable")]
    for candidate in order[: max(_MOST_PEAKS, len(order) // 4)]:
        near = tree.query_ball_point(surface.vertices[candidate], _PEAK_REACH_MM)
        if heights[candidate] < heights[near].max() - _PEAK_NOISE_MM or not surface.real[near].all():
            continue
        return refined_extreme(surface, surface.real, surface.vertices[candidate], up, radius_mm=5.0)
    return None


def find_lesser(
    surface: BoneSurface, head: Sphere, axis: FittedLine, lateral: FloatArray, anterior: FloatArray
) -> tuple[FloatArray, float | None] | None:
    """Apex (3,) of the posteromedial bulge, of largest distance from the shaft's axis, with the RMS of its fit.

    ``lateral`` and ``anterior`` are unit vectors orthogonal to the axis.
    """
    up = axis.direction
    seed = _bulge(surface, head, axis, -0.8 * anterior - 0.6 * lateral)
    if seed is None:
        return None
    near = surface.real & (np.linalg.norm(surface.vertices - seed, axis=1) < 16.0)
    place, rms = seed, None
    for _ in range(_ROUNDS):
        outward = place - axis.point
        outward = outward - float(outward @ up) * up
        outward /= np.linalg.norm(outward)
        found, residual = refined_extreme(surface, near, place, outward, radius_mm=6.0)
        if residual is None or float(np.linalg.norm(found - seed)) > 14.0:
            break
        moved = float(np.linalg.norm(found - place))
        place, rms = found, residual
        if moved < 0.02:
            break
    return place, rms


def _bulge(surface: BoneSurface, head: Sphere, axis: FittedLine, posteromedial: FloatArray) -> FloatArray | None:
    """Vertex that stands out most from the shaft among the levels that stand out over their neighbours."""
    up = axis.direction
    offset = surface.vertices - axis.point
    heights = surface.heights(up)
    radial = offset - np.outer(offset @ up, up)
    outwards = radial @ posteromedial
    across = np.abs(radial @ np.cross(up, posteromedial))
    level = float(head.centre @ up)
    lows = np.arange(level - _LESSER_MM[1], level - _LESSER_MM[0], _LEVEL_MM)
    profile = np.full(len(lows), -np.inf)
    best = np.zeros(len(lows), dtype=np.int64)
    window = surface.real & (across < 12.0)
    for number, low in enumerate(lows):
        band = np.flatnonzero(window & (heights >= low) & (heights < low + _LEVEL_MM))
        if len(band):
            best[number] = band[int(np.argmax(outwards[band]))]
            profile[number] = outwards[best[number]]
    inner = range(1, len(lows) - 1)
    peaks = [n for n in inner if np.isfinite(profile[n]) and profile[n] >= profile[n - 1] and profile[n] >= profile[n + 1]]
    if not peaks:
        return None
    top: FloatArray = surface.vertices[best[max(peaks, key=lambda n: float(profile[n]))]]
    return top
