"""The distal tibia: plafond, ankle centre, medial malleolus (clinical.md A.1)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree
from scipy.stats import theilslopes

from surgiplan_desktop.base.arrays import BoolArray, FloatArray
from surgiplan_desktop.geometry.fit import fit_plane
from surgiplan_desktop.planning.landmarks.extremes import extreme
from surgiplan_desktop.planning.landmarks.plateau import FACING_DEG, largest_piece
from surgiplan_desktop.planning.landmarks.surface import BoneSurface

#: A malleolus' tip is blunt: its place along the tip is that of a fit this wide, or noise moves it by parts of a millimetre.
MALLEOLUS_FIT_MM = 6.5
#: The plafond of an adult has 700-1200 mm2; less than this is not one.
_MIN_AREA_MM2 = 200.0
_ABOVE_MM = 5.0
#: Strip round the frontal section and its lanes, reach to either side, depth, and the part that is joint in any ankle, mm.
_STRIP_MM = 4.0
_LANE_MM = 1.6
_REACH_MM = 30.0
_DEPTH_MM = 14.0
_SURE_MM = 9.0
#: The joint's surface is left where the bone is off its arch by this, mm.
_LEFT_MM = 0.35
#: ... or, on a plafond that is no plain arch, by this many times what it is off by anyway.
_LEFT_RMS = 2.5
#: A rounded edge leaves the arch as the square of the way into it: where it is off by four times as much, it is twice as far in.
#: So the joint ends as far before the first place as that is before the second, but no farther than a rounded edge is wide, mm.
_FURTHER_OFF = 4.0
#: A plafond that is no plain arch tells nothing of its edges: the arch must fit at least so well, mm.
_SMOOTH_MM = 0.6
_EDGE_MM = 3.0
#: The slope of the arch is taken off its rounded margin of this width, and it is one when its radius is below this, mm.
_RIM_MM = 1.5
_FLATTEST_MM = 150.0
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
    tip = extreme(surface, surface.real & (heights < heights.min() + 12.0), -up, radius_mm=MALLEOLUS_FIT_MM)
    return None if tip is None else tip[0]


@dataclass(frozen=True, slots=True, eq=False)
class PlafondEnds:
    """Medial and lateral end of the joint's surface (3,) and the normal (3,), unit, proximal, of the plane they lie on."""

    medial: FloatArray | None
    lateral: FloatArray | None
    normal: FloatArray


def plafond_ends(
    surface: BoneSurface, plafond: Plafond, up: FloatArray, lateral: FloatArray, anterior: FloatArray
) -> PlafondEnds | None:
    """Ends of the joint's surface in the frontal section through the ankle centre, on the plane that touches the arch's crown.

    The joint's surface is an arch (a quadratic, found from its middle outward); it ends where the bone leaves the arch: into the
    malleolus on the medial side, round the edge on the lateral one. None where it reaches no farther than its middle.
    The line between the ends has the mean slope of the arch's crown: a plane fitted to a part of the arch, or the chord of a
    section that runs aslant to it, would turn by a degree with every millimetre that these lie farther in front.
    """
    axes = np.array([lateral, anterior, up])
    offset = surface.vertices - plafond.centre
    x, y, z = offset @ lateral, offset @ anterior, offset @ up
    near = surface.real & (np.abs(y) < _DEPTH_MM) & (np.abs(x) < _REACH_MM) & (np.abs(z) < 8.0)
    near &= surface.normals @ up < -0.5
    arch = near & (np.hypot(x, y) < _SURE_MM)
    for _ in range(8):
        if np.count_nonzero(arch) < 20:
            return None
        terms, *_ = np.linalg.lstsq(_arch_terms(x[arch], y[arch]), z[arch], rcond=None)
        off = np.abs(z - _arch_terms(x, y) @ terms)
        rough = float(np.sqrt(np.mean(off[arch] ** 2)))
        left = max(_LEFT_MM, _LEFT_RMS * rough)
        on_arch = near & (off < left)
        grown = largest_piece(surface, on_arch)
        if np.array_equal(grown, arch):
            break
        arch = grown
    reach: list[float | None] = []
    strip = arch & (np.abs(y) < _STRIP_MM)
    for sign in (-1.0, 1.0):
        end = _end_of(sign * x[strip], y[strip])
        if end is not None and sign > 0.0 and left < _SMOOTH_MM:
            # the lateral edge is round; the medial one is the corner with the malleolus
            beyond = largest_piece(surface, near & (off < _FURTHER_OFF * left)) & (np.abs(y) < _STRIP_MM)
            further = _end_of(x[beyond], y[beyond])
            end -= 0.0 if further is None else min(max(further - end, 0.0), _EDGE_MM)
        reach.append(None if end is None else sign * end)
    inner = _off_the_rim(offset, near, arch)
    tilt = _crown_slope(x[inner], y[inner], z[inner], surface.areas[inner])
    normal = np.array([-tilt[0], -tilt[1], 1.0]) @ axes
    ends = [None if end is None else plafond.centre + end * (lateral + tilt[0] * up) for end in reach]
    return PlafondEnds(ends[0], ends[1], normal / np.linalg.norm(normal))


def _off_the_rim(offset: FloatArray, near: BoolArray, arch: BoolArray) -> BoolArray:
    """The arch without its margin, which is rounded; all of it where little would be left."""
    beyond = cKDTree(offset[near & ~arch]) if (near & ~arch).any() else None
    if beyond is None:
        return arch
    inner = arch.copy()
    inner[arch] = beyond.query(offset[arch])[0] > _RIM_MM
    return inner if np.count_nonzero(inner) > 0.3 * np.count_nonzero(arch) else arch


def _crown_slope(x: FloatArray, y: FloatArray, z: FloatArray, areas: FloatArray) -> FloatArray:
    """Gradient (2,) of the plane along the crown of an arch: level across the crown, along it the crown's mean slope.

    The mean over the surface, as a real crown is bent itself and where it ends is less sure than what lies between. Where the
    plafond is no arch that is hollow below, the gradient of its quadratic.
    """
    root = np.sqrt(areas)
    from_x, from_y = (areas @ along / areas.sum() for along in (x, y))
    terms, *_ = np.linalg.lstsq(_arch_terms(x - from_x, y - from_y) * root[:, None], z * root, rcond=None)
    gradient: FloatArray = np.asarray(terms[1:3], dtype=np.float64)
    values, directions = np.linalg.eigh(np.array([[2.0 * terms[3], terms[4]], [terms[4], 2.0 * terms[5]]]))
    if values[0] > -1.0 / _FLATTEST_MM:
        return gradient
    along = directions[:, 1]
    crown: FloatArray = float(gradient @ along) * along
    return crown


def _arch_terms(x: FloatArray, y: FloatArray) -> FloatArray:
    return np.column_stack([np.ones_like(x), x, y, x * x, x * y, y * y])


def _end_of(x: FloatArray, y: FloatArray) -> float | None:
    """How far the strip reaches at its middle: by a line through the farthest vertices of its lanes, as edges run aslant."""
    lanes = np.floor((y + _STRIP_MM) / _LANE_MM).astype(np.int64)
    farthest = np.array([(float(y[lanes == lane].mean()), float(x[lanes == lane].max())) for lane in np.unique(lanes)])
    if len(farthest) < 3:
        return None
    slope = float(np.clip(theilslopes(farthest[:, 1], farthest[:, 0])[0], -1.0, 1.0))
    return float(np.median(farthest[:, 1] - slope * farthest[:, 0]))
