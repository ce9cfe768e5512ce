"""The distal tibia: plafond, ankle centre, medial malleolus (clinical.md A.1)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from surgiplan_desktop.base.arrays import BoolArray, FloatArray
from surgiplan_desktop.geometry.fit import fit_plane
from surgiplan_desktop.planning.landmarks.extremes import extreme
from surgiplan_desktop.planning.landmarks.plateau import FACING_DEG, largest_piece
from surgiplan_desktop.planning.landmarks.surface import BoneSurface

#: The plafond of an adult has 700-1200 mm2; less than this is not one.
_MIN_AREA_MM2 = 200.0
_ABOVE_MM = 5.0
_BAND_MM = 4.0
#: The rim of the patch is taken where this share of it lies beyond, and the plane is fitted to this share of the way to the rim.
_RIM_QUANTILES = (0.02, 0.98)
_INNER_SHARE = 0.75


@dataclass(frozen=True, slots=True, eq=False)
class Plafond:
    """The plafond: plane (point, unit normal pointing proximal), RMS and points of the fit, the ankle centre on it."""

    point: FloatArray
    normal: FloatArray
    rms: float
    n_points: int
    centre: FloatArray
    patch: FloatArray


def find_plafond(surface: BoneSurface, up: FloatArray) -> Plafond | None:
    """Fit the plafond and project the area centroid of the section 5 mm above it; None when nothing passes for a plafond."""
    heights = surface.heights(up)
    facing = surface.real & (surface.normals @ up < -np.cos(np.radians(FACING_DEG))) & (heights < heights.min() + 35.0)
    if np.count_nonzero(facing) < 30:
        return None
    patch = np.flatnonzero(largest_piece(surface, facing))
    points, areas = surface.vertices[patch], surface.areas[patch]
    if float(areas.sum()) < _MIN_AREA_MM2:
        return None
    keep = patch[_inner_part(points, areas)]
    plane = fit_plane(surface.vertices[keep], surface.areas[keep])
    normal = plane.normal if float(plane.normal @ up) > 0 else -plane.normal
    outlines = surface.section(plane.point + _ABOVE_MM * normal, normal)
    if not outlines:
        return None
    loop = outlines[0].centroid
    centre = loop - float((loop - plane.point) @ normal) * normal
    return Plafond(plane.point, normal, plane.rms, len(keep), centre, points)


def _inner_part(points: FloatArray, areas: FloatArray) -> BoolArray:
    """Points of the patch away from its rim, which rounds off and on the medial side runs into the malleolus.

    The plafond is an arch: a plane through a layer of it would depend on which layer the vertices happen to fill.
    """
    inner = np.ones(len(points), dtype=np.bool_)
    for _ in range(3):
        plane = fit_plane(points[inner], areas[inner])
        offset = points - plane.point
        offset = offset - np.outer(offset @ plane.normal, plane.normal)
        spread = offset[inner]
        _, directions = np.linalg.eigh((spread * areas[inner][:, None]).T @ spread)
        inner = np.ones(len(points), dtype=np.bool_)
        for direction in directions.T[1:]:
            along = offset @ direction
            low, high = np.quantile(along, _RIM_QUANTILES)
            inner &= np.abs(along - 0.5 * (low + high)) < _INNER_SHARE * 0.5 * (high - low)
    return inner


def find_medial_malleolus(surface: BoneSurface, up: FloatArray) -> FloatArray | None:
    """Most distal point of the tibia."""
    heights = surface.heights(up)
    tip = extreme(surface, surface.real & (heights < heights.min() + 12.0), -up, radius_mm=5.0)
    return None if tip is None else tip[0]


def plafond_ends(plafond: Plafond, lateral: FloatArray, anterior: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Medial and lateral end (3,) of the articular patch in the frontal section through the ankle centre, on its plane."""
    offset = plafond.patch - plafond.centre
    band = np.abs(offset @ anterior) < _BAND_MM
    across = offset[band if np.count_nonzero(band) >= 10 else slice(None)] @ lateral
    direction = np.cross(anterior, plafond.normal)
    direction *= np.sign(direction @ lateral) / np.linalg.norm(direction)
    scale = float(direction @ lateral)
    medial, lateral_end = (plafond.centre + float(end) / scale * direction for end in np.quantile(across, (0.01, 0.99)))
    return medial, lateral_end
