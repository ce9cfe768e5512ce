"""The proximal tibia: plateau patches, edges, posterior rim and tuberosity (clinical.md A.1)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from surgiplan_desktop.base.arrays import AnyArray, BoolArray, FloatArray, frozen
from surgiplan_desktop.geometry.fit import FittedLine, FittedPlane, fit_plane, fit_plane_robust
from surgiplan_desktop.geometry.section import hull_axis, plane_basis
from surgiplan_desktop.planning.landmarks.extremes import bitangent, extreme
from surgiplan_desktop.planning.landmarks.surface import BoneSurface

#: Articular surface faces proximal within this angle (clinical.md A.1).
FACING_DEG = 35.0
_RIM_MM = 10.0
_MIN_PATCH_MM2 = 300.0
_MAX_RMS_MM = 2.0
_FEWEST_FACING = 60
#: Articular surface lies within this of the plateau's plane.
_LAYER_MM = 15.0
#: The plateau's own axes are found when a round turns none of them by more than this (chord of the unit vectors).
_STILL = 1e-5
_MOST_ROUNDS = 20
#: The inner part of a facet, free of rim and spine: ellipse in shares of the plateau's half width and half depth.
_FACET_CENTRE = 0.6
_FACET_HALF = (0.28, 0.6)
#: The part its slope is fitted to: a slope wants depth, or noise tilts it; the height of the joint line wants the middle.
_SLOPE_HALF = (0.32, 0.75)
#: The rearmost points are looked for down to this below the plateau's plane, mm.
_REAR_MM = 15.0
_REAR_FIT_MM = 7.0
#: Front and rear rim are taken within this of the plateau's plane: deeper, the front of the bone runs out to the tuberosity.
_FACET_RIM_MM = 5.0


@dataclass(frozen=True, slots=True, eq=False)
class Patch:
    """One articular patch: area centroid (3,), unit proximal normal (3,), RMS from its plane (mm), area (mm2).

    ``normal`` is that of a deeper part of the facet than the rest is of. ``coverage`` is the share of the facet's inner ellipse
    that the patch fills, ``half_depth`` half of what the facet measures from its front to its rear rim (mm).
    """

    centre: FloatArray
    normal: FloatArray
    rms: float
    area_mm2: float
    n_points: int
    coverage: float
    half_depth: float


@dataclass(frozen=True, slots=True, eq=False)
class Plateau:
    """The tibial plateau: plane over both patches, the ellipse of its rim, and both patches (None: not found).

    ``to_lateral`` and ``to_anterior`` are the plateau's own axes: in its plane, along its width.
    Nothing here depends on where the ankle is, so that an osteotomy below leaves the plateau what it was.
    """

    point: FloatArray
    normal: FloatArray
    to_lateral: FloatArray
    to_anterior: FloatArray
    rms: float
    centre: FloatArray
    half_width: float
    half_depth: float
    medial: Patch | None
    lateral: Patch | None

    @property
    def normals(self) -> Mapping[str, FloatArray]:
        """Normals by the names of the record ``Landmarks.plateau_normals``."""
        named = {"both": self.normal}
        if self.medial is not None:
            named["medial"] = self.medial.normal
        if self.lateral is not None:
            named["lateral"] = self.lateral.normal
        return MappingProxyType({name: frozen(normal.copy()) for name, normal in named.items()})


def anterior_direction(
    surface: BoneSurface, up: FloatArray, shaft: FittedLine | None, fibular_head: FloatArray | None
) -> FloatArray:
    """First guess of anterior (unit, orthogonal to ``up``): across the plateau's width, towards the tuberosity.

    The width is the long axis of the section 14 mm below the top. Signs of the front, none of which depends on the side, are
    added up in mm: at the tuberosity's level and below the section reaches farther forward of its centroid than backward
    (about +4), the plateau stands behind the shaft (about -6, a quarter counted), and the fibular head lies behind the middle
    of the plateau (about -15, a quarter counted).
    """
    heights = surface.heights(up)
    top = float(heights.max())
    across = surface.centroid - (surface.centroid @ up) * up
    plateau = surface.section(across + (top - 14.0) * up, up)
    points = plateau[0].points if plateau else surface.vertices[heights > top - 20.0]
    middle = plateau[0].centroid if plateau else points.mean(axis=0)
    spread = points - points.mean(axis=0)
    width = np.linalg.svd(spread - np.outer(spread @ up, up), full_matrices=False)[2][0]
    width = width - (width @ up) * up
    anterior = np.cross(up, width / np.linalg.norm(width))
    reaches = []
    for depth in (30.0, 35.0, 40.0, 45.0, 50.0, 55.0, 60.0):
        outlines = surface.section(across + (top - depth) * up, up)
        if outlines:
            forward = (outlines[0].points - outlines[0].centroid) @ anterior
            reaches.append(float(forward.max() + forward.min()))
    evidence = float(np.mean(reaches)) if reaches else 0.0
    lower = surface.section(across + (top - 70.0) * up, up)
    if shaft is not None:
        foot = shaft.point + shaft.direction * float((middle - shaft.point) @ up) / float(shaft.direction @ up)
        evidence -= 0.25 * float((middle - foot) @ anterior)
    elif lower:
        evidence -= 0.25 * float((middle - lower[0].centroid) @ anterior)
    if fibular_head is not None:
        evidence -= 0.25 * float((fibular_head - middle) @ anterior)
    return anterior if evidence >= 0.0 else -anterior


def find_plateau(surface: BoneSurface, up: FloatArray, lateral: FloatArray, anterior: FloatArray) -> Plateau | None:
    """Plane, axes, rim ellipse and patches of the plateau; None when no plateau faces ``up``.

    The axes given are a start: what faces the plateau, where its rim lies and which way its patches run is asked again in the
    plateau's own axes until nothing moves.
    """
    plane = _first_plane(surface, up)
    if plane is None:
        return None
    anterior_sign = float(np.sign(np.cross(up, lateral) @ anterior))
    found: Plateau | None = None
    for _ in range(_MOST_ROUNDS):
        found = _plateau_on(surface, plane, lateral, anterior_sign)
        if found is None:
            return None
        turned = float(np.linalg.norm(found.normal - plane.normal))
        sunk = abs(float((found.point - plane.point) @ plane.normal))
        plane, lateral = FittedPlane(found.point, found.normal, found.rms, plane.inliers), found.to_lateral
        if turned < _STILL and sunk < 1e-3:
            break
    return found


def _first_plane(surface: BoneSurface, up: FloatArray) -> FittedPlane | None:
    """Plane through the densest layer of what faces ``up`` at the top of the bone."""
    heights = surface.heights(up)
    index = np.flatnonzero(_facing(surface, up) & (heights > heights.max() - 30.0))
    if len(index) < _FEWEST_FACING:
        return None
    return fit_plane_robust(surface.vertices[index], surface.areas[index], up, band_mm=3.0)


def _facing(surface: BoneSurface, normal: FloatArray) -> BoolArray:
    facing: BoolArray = surface.real & (surface.normals @ normal > np.cos(np.radians(FACING_DEG)))
    return facing


def _width_direction(points: FloatArray, normal: FloatArray, lateral: FloatArray) -> FloatArray:
    """Long axis (unit, towards ``lateral``) of the silhouette of points seen along ``normal``.

    Of the area of its hull, which does not care, as a tangent does, which of two bulges at the back stands out by a hair more.
    """
    u, v = plane_basis(normal)
    along = hull_axis(points @ np.column_stack([u, v]))
    width: FloatArray = along[0] * u + along[1] * v
    return width if float(width @ lateral) > 0.0 else -width


def _plateau_on(surface: BoneSurface, plane: FittedPlane, towards: FloatArray, anterior_sign: float) -> Plateau | None:
    """Rim and patches as they are seen on a plane of the plateau, and the plane through both patches."""
    level = (surface.vertices - plane.point) @ plane.normal
    index = np.flatnonzero(_facing(surface, plane.normal) & (np.abs(level) < _LAYER_MM))
    if len(index) < _FEWEST_FACING:
        return None
    # the rim is the silhouette of what lies within 10 mm below the plane: widest level on either side, however it is tilted
    near = surface.vertices[surface.real & (level > -_RIM_MM)]
    lateral = _width_direction(near, plane.normal, towards)
    anterior = anterior_sign * np.cross(plane.normal, lateral)
    across, along = near @ lateral, near @ anterior
    half_width, half_depth = 0.5 * float(np.ptp(across)), 0.5 * float(np.ptp(along))
    if half_width < 15.0 or half_depth < 10.0:
        return None
    centre = plane.point + (0.5 * float(across.max() + across.min()) - float(plane.point @ lateral)) * lateral
    centre = centre + (0.5 * float(along.max() + along.min()) - float(plane.point @ anterior)) * anterior
    patches = [_patch(surface, index, plane, centre, sign * lateral, anterior, half_width, half_depth) for sign in (-1.0, 1.0)]
    members = [inside for inside, _ in patches if inside is not None]
    if not members:
        return None
    union = np.concatenate(members)
    refit = fit_plane(surface.vertices[union], surface.areas[union])
    normal = refit.normal if float(refit.normal @ plane.normal) > 0 else -refit.normal
    return Plateau(
        refit.point, normal, lateral, anterior, refit.rms, centre, half_width, half_depth, patches[0][1], patches[1][1]
    )


def _patch(
    surface: BoneSurface,
    index: AnyArray,
    plane: FittedPlane,
    centre: FloatArray,
    outward: FloatArray,
    anterior: FloatArray,
    half_width: float,
    half_depth: float,
) -> tuple[AnyArray | None, Patch | None]:
    """Grow one patch from its seed: articular surface inside the inner ellipse of the facet."""
    points = surface.vertices[index]
    middle, half_depth = _facet_depth(surface, plane, centre, outward, anterior, half_width, half_depth)
    centre = centre + middle * anterior
    seed = centre + _FACET_CENTRE * half_width * outward
    u, v = (points - seed) @ outward / half_width, (points - centre) @ anterior / half_depth
    kept = []
    for half in (_FACET_HALF, _SLOPE_HALF):
        window = (u / half[0]) ** 2 + (v / half[1]) ** 2 < 1.0
        if np.count_nonzero(window) < 20:
            return None, None
        kept.append(_near_its_plane(surface, _connected(surface, index[window], seed)))
    keep = kept[0]
    local, deep = (fit_plane(surface.vertices[part], surface.areas[part]) for part in kept)
    area = float(surface.areas[keep].sum())
    if area < _MIN_PATCH_MM2 * min(1.0, (half_width / 36.0) ** 2) * 0.6 or local.rms > _MAX_RMS_MM:
        return keep, None
    normal, slope = (fit.normal * np.sign(float(fit.normal @ plane.normal)) for fit in (local, deep))
    # the centroid is taken on the facet's middle line, so that a ragged patch does not move it along the slope
    place = local.point + float((centre - local.point) @ anterior) * anterior
    place = place - float((place - local.point) @ normal) / float(normal @ plane.normal) * plane.normal
    expected = np.pi * _FACET_HALF[0] * half_width * _FACET_HALF[1] * half_depth
    return keep, Patch(place, slope, local.rms, area, len(keep), min(1.0, area / expected), half_depth)


def _near_its_plane(surface: BoneSurface, patch: AnyArray) -> AnyArray:
    """What of a patch lies near the plane through it, when what lies far off is left out."""
    keep = patch
    for band in (4.0, 2.5):
        local = fit_plane(surface.vertices[keep], surface.areas[keep])
        residual = np.abs((surface.vertices[patch] - local.point) @ local.normal)
        if np.count_nonzero(residual < band) >= 20:
            keep = patch[residual < band]
    return keep


def _facet_depth(
    surface: BoneSurface,
    plane: FittedPlane,
    centre: FloatArray,
    outward: FloatArray,
    anterior: FloatArray,
    half_width: float,
    half_depth: float,
) -> tuple[float, float]:
    """Middle of a facet from front to back (mm in front of ``centre``) and half its depth, from its front and rear rim.

    The facets' own middle, not that of the whole plateau: one reaches farther back than the other.
    """
    offset = surface.vertices - centre
    across = offset @ outward
    strip = surface.real & (across > 0.45 * half_width) & (across < 0.75 * half_width)
    strip &= np.abs((surface.vertices - plane.point) @ plane.normal) < _FACET_RIM_MM
    if np.count_nonzero(strip) < 20:
        return 0.0, half_depth
    along = offset[strip] @ anterior
    front, rear = float(along.max()), float(along.min())
    return 0.5 * (front + rear), 0.5 * (front - rear)


def _pieces(surface: BoneSurface, index: AnyArray) -> tuple[AnyArray, FloatArray]:
    """Number of the piece that each vertex of ``index`` hangs together with, and the area of each piece in mm2."""
    number = np.full(len(surface.vertices), -1, dtype=np.int64)
    number[index] = np.arange(len(index))
    faces = number[surface.faces]
    edges = np.concatenate([faces[:, :2], faces[:, 1:], faces[:, ::2]])
    edges = edges[(edges >= 0).all(axis=1)]
    graph = coo_array((np.ones(len(edges)), (edges[:, 0], edges[:, 1])), shape=(len(index), len(index)))
    _, label = connected_components(graph, directed=False)
    areas: FloatArray = np.bincount(label, weights=surface.areas[index]).astype(np.float64)
    return label, areas


def _connected(surface: BoneSurface, index: AnyArray, seed: FloatArray) -> AnyArray:
    """Vertices of ``index`` that hang together with the one nearest to ``seed`` (or the largest piece, when that is a crumb)."""
    label, areas = _pieces(surface, index)
    own = int(label[int(np.argmin(np.linalg.norm(surface.vertices[index] - seed, axis=1)))])
    if areas[own] < 0.25 * areas.sum():
        own = int(np.argmax(areas))
    members: AnyArray = index[label == own]
    return members


def largest_piece(surface: BoneSurface, region: BoolArray) -> BoolArray:
    """The part of a region of largest area that hangs together."""
    index = np.flatnonzero(region)
    label, areas = _pieces(surface, index)
    result = np.zeros(len(surface.vertices), dtype=np.bool_)
    result[index[label == int(np.argmax(areas))]] = True
    return result


def find_edges(surface: BoneSurface, plateau: Plateau) -> tuple[FloatArray, FloatArray] | None:
    """Medial and lateral ends of the joint line: extremes of the rim, dropped on the line through both patch centroids."""
    if plateau.medial is None or plateau.lateral is None:
        return None
    depth = -((surface.vertices - plateau.point) @ plateau.normal)
    region = surface.real & (depth > -1.0) & (depth < _RIM_MM)
    start, line = plateau.medial.centre, plateau.lateral.centre - plateau.medial.centre
    line = line / np.linalg.norm(line)
    ends = []
    for outward in (-plateau.to_lateral, plateau.to_lateral):
        tip = extreme(surface, region, outward)
        if tip is None:
            return None
        ends.append(start + float((tip[0] - start) @ line) * line)
    return ends[0], ends[1]


def find_posterior(
    surface: BoneSurface, plateau: Plateau, up: FloatArray, lateral: FloatArray, anterior: FloatArray
) -> tuple[FloatArray, FloatArray, float | None] | None:
    """Most posterior points of the medial and the lateral plateau rim: contacts of the bitangent in the axial projection."""
    depth = -((surface.vertices - plateau.point) @ plateau.normal)
    offset = surface.vertices - plateau.centre
    # not the middle: the attachment of the posterior cruciate ligament stands out there on some bones
    beside = np.abs(offset @ lateral) > 0.25 * plateau.half_width
    region = surface.real & beside & (depth > -2.0) & (depth < _REAR_MM) & (offset @ anterior < 0.0)
    if np.count_nonzero(region) < 30:
        return None
    tangent = lateral - (lateral @ up) * up
    tangent /= np.linalg.norm(tangent)
    outward = -(anterior - (anterior @ up) * up - (anterior @ tangent) * tangent)
    outward /= np.linalg.norm(outward)
    contacts = bitangent(surface, region, tangent, outward, across=float(plateau.centre @ tangent), radius_mm=_REAR_FIT_MM)
    if contacts is None or float((contacts[1] - contacts[0]) @ tangent) < 0.35 * plateau.half_width:
        return None
    return contacts
