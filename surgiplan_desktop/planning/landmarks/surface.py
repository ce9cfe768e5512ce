"""What every finder works on: the surface of a bone in all its parts, with smooth normals, areas, and its open ends."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil

import numpy as np
from scipy.sparse import coo_array, csr_array

from surgiplan_desktop.base.arrays import BoolArray, FloatArray, IntArray
from surgiplan_desktop.base.spaces import Plane
from surgiplan_desktop.geometry.even_mesh import evened
from surgiplan_desktop.geometry.fit import FittedLine, fit_line
from surgiplan_desktop.geometry.moving_fit import calmed
from surgiplan_desktop.geometry.section import Outline, section
from surgiplan_desktop.model.mesh import Bone

#: Normals are averaged over about this length, so that 0.3 mm noise on 1 mm edges does not turn them by 20 degrees.
_NORMAL_SMOOTHING_MM = 2.0
#: Radius over which the surface itself is calmed: noise of single vertices goes, a spine of 4 mm stays.
_CALM_MM = 3.0
_CALM_EDGES = 2.2
#: An end is cut when more than this share of the surface of its last 10 mm is cap (clinical.md A.1).
_CUT_SHARE = 0.05
_END_MM = 10.0


@dataclass(frozen=True, slots=True, eq=False)
class BoneSurface:
    """All parts of a bone as one surface.

    Attributes
    ----------
    vertices, faces
        Shape (n, 3) mm LPS and (m, 3); parts do not touch.
    normals
        Shape (n, 3), unit, outward, averaged over about 2 mm.
    areas
        Shape (n,), mm2: a third of the triangles around each vertex; 0 on caps.
    real
        Shape (n,), False on caps.
    cap_centres, cap_normals, cap_areas
        Of each open end: centre (c, 3), outward normal (c, 3) and area (c,) in mm2.
    """

    vertices: FloatArray
    faces: IntArray
    normals: FloatArray
    areas: FloatArray
    real: BoolArray
    cap_centres: FloatArray
    cap_normals: FloatArray
    cap_areas: FloatArray

    @property
    def centroid(self) -> FloatArray:
        """Area-weighted centroid of the real surface."""
        centre: FloatArray = self.areas @ self.vertices / self.areas.sum()
        return centre

    def heights(self, axis: FloatArray) -> FloatArray:
        """Coordinate of every vertex along ``axis``, mm."""
        heights: FloatArray = self.vertices @ axis
        return heights

    def crop(self, keep: BoolArray) -> BoneSurface:
        """The triangles whose three vertices are all kept; for cutting sections faster, so it need not be closed."""
        number = np.cumsum(keep) - 1
        faces = self.faces[keep[self.faces].all(axis=1)]
        return BoneSurface(
            self.vertices[keep],
            number[faces].astype(np.int32),
            self.normals[keep],
            self.areas[keep],
            self.real[keep],
            self.cap_centres,
            self.cap_normals,
            self.cap_areas,
        )

    def section(self, point: FloatArray, normal: FloatArray) -> tuple[Outline, ...]:
        """Closed outlines in the plane through ``point``, largest first."""
        return section(self.vertices, self.faces, Plane(point, normal))


def bone_surface(bone: Bone, *, calm: bool = True) -> BoneSurface:
    """Prepare a bone for the finders; without ``calm`` as it is, for sections alone (their centroids mind no noise)."""
    bone = _evened(bone) if calm else bone
    offsets = np.cumsum([0, *(len(part.mesh.vertices) for part in bone.parts)])
    vertices = np.concatenate([part.mesh.vertices for part in bone.parts])
    faces = np.concatenate([part.mesh.faces + offset for part, offset in zip(bone.parts, offsets, strict=False)]).astype(np.int32)
    cap = np.concatenate([part.cap_vertices for part in bone.parts])
    face_normals = _face_normals(vertices, faces)
    face_areas = np.linalg.norm(face_normals, axis=1)
    on_cap: BoolArray = np.asarray(cap[faces].all(axis=1), dtype=np.bool_)
    spread = coo_array(
        (np.ones(faces.size), (faces.ravel(), np.repeat(np.arange(len(faces)), 3))), shape=(len(vertices), len(faces))
    ).tocsr()
    real_faces = np.where(on_cap, 0.0, 1.0)
    areas = spread @ (face_areas * real_faces) / 3.0
    normals: FloatArray = np.asarray(spread @ (face_normals * real_faces[:, None]), dtype=np.float64)
    edges = np.linalg.norm(vertices[faces] - vertices[np.roll(faces, 1, axis=1)], axis=2)
    rounds = min(12, max(1, ceil((_NORMAL_SMOOTHING_MM / max(float(np.median(edges)), 0.2)) ** 2 / 2.0)))
    normals = _smoothed(normals, faces, rounds if calm else 1)
    areas = np.where(cap, 0.0, areas)
    if calm:
        vertices = calmed(vertices, normals, areas, ~cap, max(_CALM_MM, _CALM_EDGES * float(np.median(edges))))
        # triangles that noise sets on edge have more area, and what has more noise would weigh more
        face_areas = np.linalg.norm(_face_normals(vertices, faces), axis=1)
        areas = np.where(cap, 0.0, spread @ (face_areas * real_faces) / 3.0)
    centres, directions, sizes = _caps(bone, offsets, vertices, faces, on_cap, face_areas)
    return BoneSurface(vertices, faces, normals, areas, ~cap, centres, directions, sizes)


def _face_normals(vertices: FloatArray, faces: IntArray) -> FloatArray:
    """Normals (m, 3) of triangles, as long as their area in mm2."""
    first, second, third = (vertices[faces[:, corner]] for corner in range(3))
    normals: FloatArray = 0.5 * np.cross(second - first, third - first)
    return normals


def _evened(bone: Bone) -> Bone:
    """The bone with edges of about a millimetre, whatever mesh it came with."""
    parts = []
    for part in bone.parts:
        mesh, cap = evened(part.mesh, part.cap_vertices)
        parts.append(part if mesh is part.mesh else replace(part, mesh=mesh, cap_vertices=cap))
    return Bone(bone.id, tuple(parts))


def _smoothed(normals: FloatArray, faces: IntArray, rounds: int) -> FloatArray:
    rows = np.concatenate([faces[:, 0], faces[:, 1], faces[:, 2]])
    columns = np.concatenate([faces[:, 1], faces[:, 2], faces[:, 0]])
    size = len(normals)
    neighbours: csr_array = coo_array((np.ones(len(rows)), (rows, columns)), shape=(size, size)).tocsr()
    for _ in range(rounds):
        normals = normals + neighbours @ normals
        normals = normals / np.maximum(np.linalg.norm(normals, axis=1), 1e-12)[:, None]
    return normals


def _caps(
    bone: Bone, offsets: FloatArray, vertices: FloatArray, faces: IntArray, on_cap: BoolArray, face_areas: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    centres, normals, areas = [], [], []
    centroids = vertices[faces].mean(axis=1)
    for part, start, stop in zip(bone.parts, offsets[:-1], offsets[1:], strict=True):
        own = on_cap & (faces[:, 0] >= start) & (faces[:, 0] < stop)
        for plane in part.caps:
            lies_on = own & (np.abs(plane.signed_distance(centroids)) < 1.0)
            area = float(face_areas[lies_on].sum())
            centres.append(face_areas[lies_on] @ centroids[lies_on] / area if area > 0 else np.array(plane.point_lps))
            normals.append(np.array(plane.normal))
            areas.append(area)
    shape = (len(centres), 3)
    return np.array(centres).reshape(shape), np.array(normals).reshape(shape), np.array(areas)


def end_is_cut(surface: BoneSurface, axis: FloatArray) -> bool:
    """Whether the end of the bone towards ``axis`` was cut off by the field of view (clinical.md A.1)."""
    if len(surface.cap_areas) == 0:
        return False
    heights = surface.heights(axis)
    top = float(heights.max())
    last = float(surface.areas[heights > top - _END_MM].sum())
    cap = float(surface.cap_areas[surface.cap_centres @ axis > top - _END_MM].sum())
    return cap > _CUT_SHARE * (cap + last)


def long_axis(surface: BoneSurface) -> FloatArray:
    """Unsigned long axis: of inertia, or normal to the cut when what is in view is too stubby for that.

    The sign is chosen towards +z of the patient (superior), the finder of the bone decides whether the bone agrees.
    """
    local = surface.vertices - surface.centroid
    values, vectors = np.linalg.eigh((local * surface.areas[:, None]).T @ local / surface.areas.sum())
    axis: FloatArray = vectors[:, 2]
    if len(surface.cap_areas) and values[2] < 4.0 * values[1]:
        axis = surface.cap_normals[int(np.argmax(surface.cap_areas))]
    return axis if axis[2] >= 0 else -axis


def shaft_levels(surface: BoneSurface, axis: FloatArray, low: float, high: float, step_mm: float) -> FloatArray:
    """Heights between ``low`` and ``high`` at which a section shows the whole shaft: in view and 5 mm off any open end."""
    levels = np.arange(low, high + 1e-9, step_mm)
    heights = surface.heights(axis)
    free = np.ones(len(levels), dtype=np.bool_)
    cap = ~surface.real
    if cap.any():
        centres = surface.cap_centres @ axis
        nearest = np.argmin(np.abs(heights[cap][:, None] - centres[None, :]), axis=1)
        for number in range(len(centres)):
            own = heights[cap][nearest == number]
            if len(own):
                free &= (levels < own.min() - 5.0) | (levels > own.max() + 5.0)
    return levels[free]


def shaft_line(surface: BoneSurface, axis: FloatArray, low: float, high: float, *, step_mm: float = 4.0) -> FittedLine | None:
    """Robust line through the centroids of cross-sections between two heights, pointing along ``axis``.

    Returns None when less than 40 mm of shaft is in view.
    """
    levels = shaft_levels(surface, axis, low, high, step_mm)
    heights = surface.heights(axis)
    cropped = surface.crop((heights > low - 6.0) & (heights < high + 6.0))
    centres = [
        outlines[0].centroid
        for level in levels
        if (outlines := cropped.section(axis * level, axis)) and outlines[0].area_mm2 > 30.0
    ]
    if len(centres) < 40.0 / step_mm:
        return None
    line = fit_line(np.array(centres))
    direction = line.direction if float(line.direction @ axis) > 0 else -line.direction
    return FittedLine(line.point, direction, line.rms, line.n_points)


def section_centroid(surface: BoneSurface, point: FloatArray, axis: FloatArray) -> FloatArray | None:
    """Area centroid of the largest outline in the plane through ``point``; None where the plane misses the bone."""
    outlines = surface.section(point, axis)
    return outlines[0].centroid if outlines else None
