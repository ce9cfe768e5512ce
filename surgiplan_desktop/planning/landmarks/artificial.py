"""Knee ends that are no bone: flat as a tray or a saw cut, or condyles that are each other's mirror image, as metal is made.

A mesh has no Hounsfield values that would show metal. What shows is that no joint is made like that: a plateau is hollow inside,
arched outside and has spines between; the inner condyle is longer and curved otherwise than the outer one. What cannot be told
from bone this way: a component of one compartment, condyles of unequal design, a tray under its polyethylene, metal blurred by
its own artefacts, plates and screws.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from surgiplan_desktop.base.arrays import BoolArray, FloatArray
from surgiplan_desktop.geometry.fit import fit_plane
from surgiplan_desktop.geometry.mirror import fit_mirror
from surgiplan_desktop.model.study import Finding
from surgiplan_desktop.planning.landmarks.condyles import Condyles
from surgiplan_desktop.planning.landmarks.surface import BoneSurface
from surgiplan_desktop.planning.limits import default_limits

#: Depth of the tibia's end that is looked at, and steepest normals of its top and of what a plane may begin with (cosines).
_TOP_MM: Final = 30.0
_UPWARD: Final = 0.5
_SEED_UPWARD: Final = 0.87
#: Flat: nearer to the plane than this, with a normal this close to the plane's; for surfaces with 0.3 mm of noise, calmed.
_NEAR_MM: Final = 0.4
_NEAR_COSINE: Final = float(np.cos(np.radians(10.0)))
_SEEDS: Final = 80
#: Depth of the section that the plane's area is compared with.
_BELOW_MM: Final = 3.0
_LEAST_MM2: Final = 30.0
#: The articular part of the condyles: height over the lowest point, off the middle, and steepest normals towards front, side, up.
_CONDYLES_MM: Final = 40.0
_ONTO_MM: Final = 55.0
_OFF_MIDDLE_MM: Final = 8.0
_FRONT, _SIDE = 0.3, 0.6
_POINTS: Final = 700
_LEAST_POINTS: Final = 100
#: Quantile of the gaps that is told, and the share of points that must find their face.
_QUANTILE: Final = 0.8
_MET: Final = 0.8


@dataclass(frozen=True, slots=True)
class FlatTop:
    """The largest plane in the upper face of a tibia: its area, and that as a share of the bone's section just below it."""

    area_mm2: float
    share: float


def flat_top(surface: BoneSurface, up: FloatArray) -> FlatTop:
    """Find the largest plane of the tibia's upper end."""
    heights = surface.heights(up)
    upward = surface.normals @ up
    top = surface.real & (heights > heights[surface.real].max() - _TOP_MM) & (upward > _UPWARD)
    points, normals, areas = surface.vertices[top], surface.normals[top], surface.areas[top]
    plane = largest_plane(points, normals, areas, up, _NEAR_MM, _NEAR_COSINE)
    if plane is None:
        return FlatTop(0.0, 0.0)
    largest = float(areas[plane.members].sum())
    head = surface.crop(heights > heights[surface.real].max() - 2.0 * _TOP_MM)
    outlines = head.section(plane.point - _BELOW_MM * plane.normal, plane.normal)
    return FlatTop(largest, min(1.0, largest / outlines[0].area_mm2) if outlines else 0.0)


@dataclass(frozen=True, slots=True, eq=False)
class FlatPart:
    """A plane in a surface: point (3,), unit normal (3,) and which of the points (n,) lie on it."""

    point: FloatArray
    normal: FloatArray
    members: BoolArray


def largest_plane(
    points: FloatArray, normals: FloatArray, areas: FloatArray, up: FloatArray, near_mm: float, cosine: float
) -> FlatPart | None:
    """Find the plane facing ``up`` that most surface lies on.

    Parameters
    ----------
    points, normals, areas
        Of the surface, shape (n, 3), (n, 3), (n,); mm.
    near_mm, cosine
        What lies on a plane: nearer than this, with a normal this close to the plane's.

    Returns
    -------
    FlatPart or None
        None where no plane has 30 mm2.
    """
    seeds = np.flatnonzero(normals @ up > _SEED_UPWARD)
    largest, found = 0.0, None
    for seed in seeds[:: max(1, len(seeds) // _SEEDS)]:
        point, normal = points[seed], normals[seed]
        for _ in range(4):
            flat = (np.abs((points - point) @ normal) < near_mm) & (normals @ normal > cosine)
            area = float(areas[flat].sum())
            if area < _LEAST_MM2:
                break
            plane = fit_plane(points[flat], areas[flat])
            point, normal = plane.point, plane.normal if float(plane.normal @ up) > 0.0 else -plane.normal
            if area > largest:
                largest, found = area, FlatPart(point, normal, flat)
    return found


def tibia_artificial(surface: BoneSurface, up: FloatArray, *, cut_top: bool, plateau_mm2: float) -> list[Finding]:
    """Warn of a tibia whose upper end is a plane.

    Parameters
    ----------
    up
        Long axis, unit, proximal.
    cut_top
        The upper end is an open one: a plane that the import took for the edge of the scan.
    plateau_mm2
        From this area on such an end may as well be a tray.
    """
    if cut_top:
        ends = surface.cap_centres @ up > surface.heights(up).max() - _TOP_MM
        area = float(surface.cap_areas[ends].max(initial=0.0))
        return [] if area < plateau_mm2 else [Finding("bone_end_flat", "warn", (("area_mm2", round(area)),))]
    found = flat_top(surface, up)
    if found.share < default_limits()["landmarks.flat_plateau_share"]:
        return []
    told = (("percent", round(100.0 * found.share)), ("area_mm2", round(found.area_mm2)))
    return [Finding("bone_plateau_flat", "critical", told)]


def condyles_gap_mm(surface: BoneSurface, condyles: Condyles) -> float | None:
    """Return within what distance four fifths of the condyles' joint faces mirror each other; None: cannot tell."""
    up, lateral, anterior = condyles.up, condyles.lateral, condyles.anterior
    middle = 0.5 * (condyles.posterior.medial + condyles.posterior.lateral)
    heights = surface.heights(up)
    low = float(heights[surface.real].min())
    facing = surface.normals @ np.stack([lateral, anterior, up], axis=1)
    face = surface.real & (heights < low + _CONDYLES_MM) & (np.abs((surface.vertices - middle) @ lateral) > _OFF_MIDDLE_MM)
    face &= (np.abs(facing[:, 0]) < _SIDE) & (facing[:, 1] < _FRONT) & (facing[:, 2] < _FRONT)
    onto = surface.real & (heights < low + _ONTO_MM)
    chosen = np.flatnonzero(face)
    chosen = chosen[:: max(1, len(chosen) // _POINTS)]
    if len(chosen) < _LEAST_POINTS:
        return None
    mirror = fit_mirror(
        surface.vertices[chosen], surface.normals[chosen], surface.vertices[onto], surface.normals[onto], middle, lateral
    )
    return None if mirror.share < _MET else float(np.quantile(mirror.gaps_mm, _QUANTILE))


def femur_artificial(surface: BoneSurface, condyles: Condyles) -> list[Finding]:
    """Warn of condyles that mirror each other more exactly than those of any person."""
    gap = condyles_gap_mm(surface, condyles)
    if gap is None or gap > default_limits()["landmarks.condyles_alike_mm"]:
        return []
    return [Finding("bone_condyles_alike", "critical", (("gap_mm", round(gap, 2)),))]
