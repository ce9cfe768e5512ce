"""The front of the proximal tibia: tuberosity and antero-superior edge (clinical.md A.1)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from surgiplan_desktop.base.arrays import AnyArray, FloatArray
from surgiplan_desktop.geometry.fit import FittedLine
from surgiplan_desktop.geometry.local_fit import fit_quadric
from surgiplan_desktop.planning.landmarks.surface import BoneSurface

#: The tuberosity lies this far below the knee centre, mm.
_TUBEROSITY_MM = (20.0, 45.0)
_TUBEROSITY_HALF_MM = (9.0, 9.0)
#: The antero-superior edge lies this far before the knee centre at least, mm; half axes of the patch fitted there.
_EDGE_FROM_MM = 8.0
_EDGE_HALF_MM = (4.0, 4.0)
_EDGE_SLAB_MM = 1.5


@dataclass(frozen=True, slots=True, eq=False)
class TibialAxes:
    """Axes of the tibia (unit, orthogonal) at its knee centre."""

    knee: FloatArray
    up: FloatArray
    lateral: FloatArray
    anterior: FloatArray


def find_tuberosity(surface: BoneSurface, axes: TibialAxes, shaft: FittedLine) -> tuple[FloatArray, float | None] | None:
    """Of the most anterior points of the levels 20 to 45 mm below the knee centre, the one farthest from the shaft's axis.

    The front of the bone there is fitted by a quadratic; on it the crest runs from level to level, and the radius along the crest
    has its largest value inside the levels or at their end. Returns the point (3,) and the RMS of the fit.
    """
    depth = (axes.knee - surface.vertices) @ axes.up
    offset = surface.vertices - shaft.point
    radial = offset - np.outer(offset @ shaft.direction, shaft.direction)
    forward = radial @ axes.anterior
    low, high = _TUBEROSITY_MM
    front = surface.real & (surface.normals @ axes.anterior > 0.3) & (forward > 0.0)
    sector = front & (depth > low) & (depth < high) & (forward > 0.85 * np.linalg.norm(radial, axis=1))
    index = np.flatnonzero(sector)
    if len(index) < 20:
        return None
    place = _seed(surface, index, depth, forward, radial)
    near = np.flatnonzero(front & (np.linalg.norm(surface.vertices - place, axis=1) < 25.0))
    points, areas = surface.vertices[near], surface.areas[near]
    rms: float | None = None
    for _ in range(6):
        quadric = fit_quadric(points, areas, place, axes.anterior, axes.up, _TUBEROSITY_HALF_MM)
        if quadric is None:
            break
        _, _, across, _, mixed, bend = quadric.coefficients
        if bend > -1e-3:
            break
        levels = np.arange(-4.0, 4.01, 0.1)
        own = float((axes.knee - place) @ axes.up) - levels
        levels = levels[(own > low) & (own < high)]
        if not len(levels):
            break
        crest = np.array([quadric.at(float(u), float(np.clip(-(across + mixed * u) / (2.0 * bend), -4.0, 4.0))) for u in levels])
        off = crest - shaft.point
        radius = np.linalg.norm(off - np.outer(off @ shaft.direction, shaft.direction), axis=1)
        best = crest[int(np.argmax(radius))]
        moved = float(np.linalg.norm(best - place))
        place, rms = best, quadric.rms
        if moved < 0.05:
            break
    return place, rms


def _seed(surface: BoneSurface, index: AnyArray, depth: FloatArray, forward: FloatArray, radial: FloatArray) -> FloatArray:
    """The same by plain vertices, level by level of 2 mm."""
    level = np.floor(depth[index] / 2.0).astype(np.int64)
    fronts = [own[int(np.argmax(forward[own]))] for own in (index[level == number] for number in np.unique(level))]
    best: FloatArray = surface.vertices[max(fronts, key=lambda vertex: float(np.linalg.norm(radial[vertex])))]
    return best


def find_anterosuperior_edge(surface: BoneSurface, axes: TibialAxes) -> tuple[FloatArray, float | None] | None:
    """Farthest point to the front and up (45 degrees) of the sagittal section through the knee centre; RMS of its fit."""
    outward = (axes.anterior + axes.up) / np.sqrt(2.0)
    along = (axes.anterior - axes.up) / np.sqrt(2.0)
    offset = surface.vertices - axes.knee
    aside, ahead, above = offset @ axes.lateral, offset @ axes.anterior, offset @ axes.up
    region = surface.real & (np.abs(aside) < 8.0) & (ahead > _EDGE_FROM_MM) & (np.abs(above) < 25.0)
    slab = np.flatnonzero(region & (np.abs(aside) < _EDGE_SLAB_MM))
    if len(slab) < 5:
        return None
    place = surface.vertices[slab[int(np.argmax(offset[slab] @ outward))]]
    place = place - float((place - axes.knee) @ axes.lateral) * axes.lateral
    facing = region & (surface.normals @ outward > 0.2)
    points, areas = surface.vertices[facing], surface.areas[facing]
    rms: float | None = None
    for _ in range(5):
        quadric = fit_quadric(points, areas, place, outward, along, _EDGE_HALF_MM)
        if quadric is None:
            break
        slope, bend = float(quadric.coefficients[1]), float(quadric.coefficients[3])
        if bend > -1e-3:
            break
        step = float(np.clip(-slope / (2.0 * bend), -2.0, 2.0))
        place, rms = quadric.at(step, 0.0), quadric.rms
        if abs(step) < 0.02:
            break
    return place, rms
