"""The proximal tibia: plateau patches, edges, spines, posterior rim and tuberosity (clinical.md A.1)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from scipy.signal import find_peaks
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from surgiplan_desktop.base.arrays import AnyArray, BoolArray, FloatArray, frozen
from surgiplan_desktop.geometry.fit import FittedLine, FittedPlane, fit_plane, fit_plane_robust
from surgiplan_desktop.planning.landmarks.extremes import bitangent, extreme
from surgiplan_desktop.planning.landmarks.surface import BoneSurface

#: Articular surface faces proximal within this angle (clinical.md A.1).
FACING_DEG = 35.0
_MIN_PATCH_MM2 = 300.0
_MAX_RMS_MM = 2.0
_SPINE_HEIGHT_MM = (2.0, 16.0)


@dataclass(frozen=True, slots=True, eq=False)
class Patch:
    """One articular patch: area centroid (3,), unit proximal normal (3,), RMS from its plane (mm), area (mm2)."""

    centre: FloatArray
    normal: FloatArray
    rms: float
    area_mm2: float
    n_points: int


@dataclass(frozen=True, slots=True, eq=False)
class Plateau:
    """The tibial plateau: plane over both patches, the ellipse of its rim, and both patches (None: not found)."""

    point: FloatArray
    normal: FloatArray
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


def anterior_direction(surface: BoneSurface, up: FloatArray, shaft: FittedLine | None) -> FloatArray:
    """First guess of anterior (unit, orthogonal to ``up``): across the plateau's width, away from where the plateau leans.

    The width is the long axis of the section 14 mm below the top. Two signs of the front are added up: the plateau stands
    behind the shaft (retroversion), and at the tuberosity's level the section reaches farther forward of its centroid than
    backward. On 100 tibiae of a shape model the sum was +8 mm (sd 1.5).
    """
    heights = surface.heights(up)
    top = float(heights.max())
    across = surface.centroid - (surface.centroid @ up) * up
    plateau = surface.section(across + (top - 14.0) * up, up)
    points = plateau[0].points if plateau else surface.vertices[heights > top - 20.0]
    spread = points - points.mean(axis=0)
    width = np.linalg.svd(spread - np.outer(spread @ up, up), full_matrices=False)[2][0]
    width = width - (width @ up) * up
    anterior = np.cross(up, width / np.linalg.norm(width))
    evidence = 0.0
    lower = surface.section(across + (top - 70.0) * up, up)
    if plateau and shaft is not None:
        foot = shaft.point + shaft.direction * float((plateau[0].centroid - shaft.point) @ up) / float(shaft.direction @ up)
        evidence -= float((plateau[0].centroid - foot) @ anterior)
    elif plateau and lower:
        evidence -= float((plateau[0].centroid - lower[0].centroid) @ anterior)
    reaches = []
    for depth in (25.0, 30.0, 35.0, 40.0, 45.0, 50.0):
        outlines = surface.section(across + (top - depth) * up, up)
        if outlines:
            forward = (outlines[0].points - outlines[0].centroid) @ anterior
            reaches.append(float(forward.max() + forward.min()))
    evidence += float(np.mean(reaches)) if reaches else 0.0
    return anterior if evidence >= 0.0 else -anterior


def find_plateau(surface: BoneSurface, up: FloatArray, lateral: FloatArray, anterior: FloatArray) -> Plateau | None:
    """Plane, rim ellipse and patches of the plateau; None when no plateau faces ``up``."""
    heights = surface.heights(up)
    top = float(heights.max())
    facing = surface.real & (surface.normals @ up > np.cos(np.radians(FACING_DEG))) & (heights > top - 30.0)
    if np.count_nonzero(facing) < 60:
        return None
    index = np.flatnonzero(facing)
    plane = fit_plane_robust(surface.vertices[index], surface.areas[index], up, band_mm=3.0)
    # the rim is the outline a little below the plane; its second moments make the ellipse
    outlines = surface.section(plane.point - 6.0 * plane.normal, plane.normal)
    if not outlines or outlines[0].area_mm2 < 500.0:
        return None
    rim = outlines[0].points
    across, along = (rim - outlines[0].centroid) @ lateral, (rim - outlines[0].centroid) @ anterior
    half_width, half_depth = 0.5 * float(np.ptp(across)), 0.5 * float(np.ptp(along))
    centre = outlines[0].centroid + 0.5 * float(across.max() + across.min()) * lateral
    centre = centre + 0.5 * float(along.max() + along.min()) * anterior
    for _ in range(3):
        patches = [
            _patch(surface, index, plane, centre, sign * lateral, anterior, half_width, half_depth) for sign in (-1.0, 1.0)
        ]
        members = [inside for inside, _ in patches if inside is not None]
        if not members:
            return None
        union = np.concatenate(members)
        refit = fit_plane(surface.vertices[union], surface.areas[union])
        normal = refit.normal if float(refit.normal @ up) > 0 else -refit.normal
        moved = float(np.linalg.norm(normal - plane.normal))
        plane = FittedPlane(refit.point, normal, refit.rms, refit.inliers)
        if moved < 1e-5:
            break
    return Plateau(plane.point, plane.normal, plane.rms, centre, half_width, half_depth, patches[0][1], patches[1][1])


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
    """Grow one patch from its seed at two thirds of the half width.

    The window is the same in front of and behind the middle on both sides: with a sloping plateau, patches at different depth
    would tilt the line between their centroids.
    """
    points = surface.vertices[index]
    u, v = (points - centre) @ outward / half_width, (points - centre) @ anterior / half_depth
    height = (points - plane.point) @ plane.normal
    window = (u > 0.27) & (u < 0.88) & (np.abs(v) < 0.62) & (u**2 + v**2 < 0.9) & (np.abs(height) < 6.0)
    if np.count_nonzero(window) < 20:
        return None, None
    seed = centre + (2.0 / 3.0) * half_width * outward
    keep = _connected(surface, index[window], seed)
    for band in (2.5, 1.5):
        local = fit_plane(surface.vertices[keep], surface.areas[keep])
        residual = np.abs((surface.vertices[keep] - local.point) @ local.normal)
        if np.count_nonzero(residual < band) >= 20:
            keep = keep[residual < band]
    local = fit_plane(surface.vertices[keep], surface.areas[keep])
    normal = local.normal if float(local.normal @ plane.normal) > 0 else -local.normal
    area = float(surface.areas[keep].sum())
    if area < _MIN_PATCH_MM2 * min(1.0, (half_width / 36.0) ** 2) * 0.6 or local.rms > _MAX_RMS_MM:
        return keep, None
    # the centroid is taken over the window's middle line, so that a ragged patch does not move it along the slope
    middle = local.point + float((centre - local.point) @ anterior) * anterior
    middle = middle - float((middle - local.point) @ normal) / float(normal @ plane.normal) * plane.normal
    return keep, Patch(middle, normal, local.rms, area, len(keep))


def _pieces(surface: BoneSurface, index: AnyArray) -> tuple[AnyArray, FloatArray]:
    """Number of the piece that each vertex of ``index`` hangs together with, and the area of each piece in mm2."""
    number = np.full(len(surface.vertices), -1, dtype=np.int64)
    number[index] = np.arange(len(index))
    faces = number[surface.faces]
    edges = np.concatenate([faces[:, :2], faces[:, 1:], faces[:, ::2]])
    edges = edges[(edges >= 0).all(axis=1)]
    graph = coo_array((np.ones(len(edges)), (edges[:, 0], edges[:, 1])), shape=(len(index), len(index)))
    _, label = connected_components(graph, directed=False)
    return label, np.bincount(label, weights=surface.areas[index])


def _connected(surface: BoneSurface, index: AnyArray, seed: FloatArray) -> AnyArray:
    """Vertices of ``index`` that hang together with the one nearest to ``seed`` (or the largest piece, when that is a crumb)."""
    label, areas = _pieces(surface, index)
    own = int(label[int(np.argmin(np.linalg.norm(surface.vertices[index] - seed, axis=1)))])
    if areas[own] < 0.25 * areas.sum():
        own = int(np.argmax(areas))
    return index[label == own]


def largest_piece(surface: BoneSurface, region: BoolArray) -> BoolArray:
    """The part of a region of largest area that hangs together."""
    index = np.flatnonzero(region)
    label, areas = _pieces(surface, index)
    result = np.zeros(len(surface.vertices), dtype=np.bool_)
    result[index[label == int(np.argmax(areas))]] = True
    return result


def find_spines(
    surface: BoneSurface, plateau: Plateau, lateral: FloatArray, anterior: FloatArray
) -> tuple[FloatArray | None, FloatArray | None]:
    """Tips of the medial and lateral intercondylar tubercles: the two peaks of the ridge in the central 40 % of the width."""
    height = (surface.vertices - plateau.point) @ plateau.normal
    u = (surface.vertices - plateau.centre) @ lateral
    v = (surface.vertices - plateau.centre) @ anterior
    region = surface.real & (np.abs(u) < 0.42 * plateau.half_width) & (np.abs(v) < 0.6 * plateau.half_depth) & (height > -2.0)
    index = np.flatnonzero(region)
    if len(index) < 30:
        return None, None
    width = 1.0
    column = np.floor((u[index] - u[index].min()) / width).astype(np.int64)
    ridge = np.full(int(column.max()) + 1, -2.0)
    np.maximum.at(ridge, column, height[index])
    smooth = np.convolve(np.pad(ridge, 1, mode="edge"), [0.25, 0.5, 0.25], mode="valid")
    peaks, shape = find_peaks(np.concatenate([[-10.0], smooth, [-10.0]]), prominence=0.3)
    order = np.argsort(-shape["prominences"], kind="stable")
    tops = [int(peaks[number]) - 1 for number in order]
    tops = [top for top in tops if smooth[top] > _SPINE_HEIGHT_MM[0]]
    pair = next(((tops[0], other) for other in tops[1:] if 4.0 <= abs(other - tops[0]) * width <= 22.0), None)
    if pair is None:
        return None, None
    tips: list[FloatArray] = []
    for peak in sorted(pair):
        near = index[np.abs(column - peak) <= 1]
        seed = surface.vertices[near[int(np.argmax(height[near]))]]
        tips.append(seed)
    high = [float((tip - plateau.point) @ plateau.normal) for tip in tips]
    if not all(_SPINE_HEIGHT_MM[0] <= value <= _SPINE_HEIGHT_MM[1] for value in high):
        return None, None
    return tips[0], tips[1]


def find_edges(surface: BoneSurface, plateau: Plateau, lateral: FloatArray) -> tuple[FloatArray, FloatArray] | None:
    """Medial and lateral ends of the joint line: extremes of the rim, projected on the line through both patch centroids."""
    if plateau.medial is None or plateau.lateral is None:
        return None
    depth = -((surface.vertices - plateau.point) @ plateau.normal)
    region = surface.real & (depth > -1.0) & (depth < 14.0)
    start, line = plateau.medial.centre, plateau.lateral.centre - plateau.medial.centre
    line = line / np.linalg.norm(line)
    ends = []
    for outward in (-lateral, lateral):
        tip = extreme(surface, region, outward)
        if tip is None:
            return None
        # along the view from the front: the point of the joint line under the extreme of the rim
        share = float((tip[0] - start) @ lateral) / float(line @ lateral)
        ends.append(start + share * line)
    return ends[0], ends[1]


def find_posterior(
    surface: BoneSurface, plateau: Plateau, up: FloatArray, lateral: FloatArray, anterior: FloatArray
) -> tuple[FloatArray, FloatArray, float | None] | None:
    """Most posterior points of the medial and the lateral plateau rim: contacts of the bitangent in the axial projection."""
    depth = -((surface.vertices - plateau.point) @ plateau.normal)
    region = surface.real & (depth > -1.5) & (depth < 9.0) & ((surface.vertices - plateau.centre) @ anterior < 0.0)
    if np.count_nonzero(region) < 30:
        return None
    tangent = lateral - (lateral @ up) * up
    tangent /= np.linalg.norm(tangent)
    outward = -(anterior - (anterior @ up) * up - (anterior @ tangent) * tangent)
    outward /= np.linalg.norm(outward)
    contacts = bitangent(surface, region, tangent, outward, across=float(plateau.centre @ tangent))
    if contacts is None or float((contacts[1] - contacts[0]) @ tangent) < 0.35 * plateau.half_width:
        return None
    return contacts


def find_tuberosity(
    surface: BoneSurface, plateau: Plateau, up: FloatArray, anterior: FloatArray, axis_point: FloatArray, axis: FloatArray
) -> FloatArray | None:
    """Tuberosity: per level 20 to 45 mm below the plateau the most anterior point; of these the one farthest from the axis."""
    depth = (plateau.centre - surface.vertices) @ up
    offset = surface.vertices - axis_point
    radial = offset - np.outer(offset @ axis, axis)
    forward = radial @ anterior
    sector = surface.real & (depth > 20.0) & (depth < 45.0) & (forward > 0.7 * np.linalg.norm(radial, axis=1))
    index = np.flatnonzero(sector)
    if len(index) < 20:
        return None
    level = np.floor(depth[index]).astype(np.int64)
    best: FloatArray | None = None
    farthest = -np.inf
    for number in np.unique(level):
        own = index[level == number]
        front = own[int(np.argmax(forward[own]))]
        radius = float(np.linalg.norm(radial[front]))
        if radius > farthest:
            farthest, best = radius, surface.vertices[front]
    return best
