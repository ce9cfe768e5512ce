"""Distances to a surface: nearest point, signed distance, and every crossing of a ray.

All points are LPS mm. The nearest triangle comes from a static cell locator (exact); signs and ray crossings are computed here
in double precision, so that a point nearest to an edge or a corner gets the right sign.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.spatial import cKDTree
from vtkmodules.vtkCommonCore import reference, vtkIdList
from vtkmodules.vtkCommonDataModel import vtkGenericCell, vtkStaticCellLocator

from surgiplan_desktop.base.arrays import BoolArray, FloatArray, IntArray, points3
from surgiplan_desktop.geometry.convert import mesh_to_polydata
from surgiplan_desktop.model.mesh import Mesh

#: A nearest point closer than this share of a triangle to one of its edges counts as lying on the edge.
_ON_EDGE = 1e-7
#: Two crossings of a ray in the same sense closer than this (mm) are one crossing seen by two triangles of an edge.
_SAME_CROSSING_MM = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class RayHits:
    """Where rays cross a surface, sorted by ray and then by distance.

    Attributes
    ----------
    ray
        Shape (h,), index of the ray.
    distance_mm
        Shape (h,), distance from the ray's origin, >= 0.
    face
        Shape (h,), the triangle.
    entering
        Shape (h,), True where the ray goes into the body.
    points
        Shape (h, 3), mm LPS.
    """

    ray: IntArray
    distance_mm: FloatArray
    face: IntArray
    entering: BoolArray
    points: FloatArray

    def of(self, ray: int) -> FloatArray:
        """Distances of the crossings of one ray, ascending, mm."""
        first, last = np.searchsorted(self.ray, (ray, ray + 1))
        return self.distance_mm[first:last]

    def first(self, count: int) -> FloatArray:
        """Distance of the first crossing of rays 0..count-1, shape (count,); infinity where a ray meets nothing."""
        nearest = np.full(count, np.inf)
        np.minimum.at(nearest, self.ray, self.distance_mm)
        return nearest

    def last(self, count: int) -> FloatArray:
        """Distance of the last crossing of rays 0..count-1, shape (count,); minus infinity where a ray meets nothing."""
        farthest = np.full(count, -np.inf)
        np.maximum.at(farthest, self.ray, self.distance_mm)
        return farthest


def _locator(mesh: Mesh) -> vtkStaticCellLocator:
    if not len(mesh.faces):
        raise ValueError("a distance needs a surface with at least one triangle")
    locator = vtkStaticCellLocator()
    locator.SetDataSet(mesh_to_polydata(mesh))
    locator.BuildLocator()
    return locator


def closest_points(mesh: Mesh, points: FloatArray) -> tuple[FloatArray, FloatArray, IntArray]:
    """Find the nearest point of the surface for each point.

    Parameters
    ----------
    mesh
        Any triangles, open or closed.
    points
        Shape (n, 3), mm LPS.

    Returns
    -------
    nearest, distance_mm, face
        Shapes (n, 3), (n,) and (n,); some 20 microseconds a point.
    """
    points = points3(points)
    nearest = np.zeros((len(points), 3))
    face = np.zeros(len(points), dtype=np.int32)
    locator: Any = _locator(mesh)  # its type stubs do not know that results come back in references
    cell, cell_id, sub_id, squared = vtkGenericCell(), reference(0), reference(0), reference(0.0)
    found = [0.0, 0.0, 0.0]
    for number, point in enumerate(points.tolist()):
        locator.FindClosestPoint(point, found, cell, cell_id, sub_id, squared)
        nearest[number] = found
        face[number] = int(cell_id)
    distance: FloatArray = np.asarray(np.linalg.norm(nearest - points, axis=1))
    return nearest, distance, face


def signed_distance(mesh: Mesh, points: FloatArray) -> FloatArray:
    """Return the distance of points (n, 3) from a closed surface, mm: negative inside, positive outside.

    The sign is that of the angle-weighted pseudonormal at the nearest point, which is right on faces, edges and corners alike
    (Baerentzen and Aanaes 2005, IEEE TVCG 11:243).
    """
    points = points3(points)
    nearest, distance, face = closest_points(mesh, points)
    normal = _pseudonormals(mesh, nearest, face)
    inside = np.einsum("ij,ij->i", points - nearest, normal) < 0
    return np.where(inside, -distance, distance)


def distance_to_points(points: FloatArray, cloud: FloatArray) -> FloatArray:
    """Return the distance of each point (n, 3) to the nearest point of a cloud (m, 3), mm: fast, for dense clouds."""
    distance, _ = cKDTree(points3(cloud, "cloud")).query(points3(points))
    return np.asarray(distance, dtype=np.float64)


def face_normals(mesh: Mesh) -> FloatArray:
    """Return the outward unit normals of the triangles, shape (m, 3); zero for a triangle without area."""
    a, b, c = (mesh.vertices[mesh.faces[:, corner]] for corner in range(3))
    normal = np.cross(b - a, c - a)
    length = np.linalg.norm(normal, axis=1, keepdims=True)
    result: FloatArray = np.divide(normal, length, out=np.zeros_like(normal), where=length > 0)
    return result


def vertex_normals(mesh: Mesh) -> FloatArray:
    """Return the outward unit normals of the vertices, weighted by the angle of each triangle, shape (n, 3)."""
    normals = np.zeros_like(mesh.vertices)
    faces, flat = mesh.faces, face_normals(mesh)
    for corner in range(3):
        here = mesh.vertices[faces[:, corner]]
        one = mesh.vertices[faces[:, (corner + 1) % 3]] - here
        two = mesh.vertices[faces[:, (corner + 2) % 3]] - here
        angle = np.arctan2(np.linalg.norm(np.cross(one, two), axis=1), np.einsum("ij,ij->i", one, two))
        for axis in range(3):
            normals[:, axis] += np.bincount(faces[:, corner], angle * flat[:, axis], minlength=len(normals))
    length = np.linalg.norm(normals, axis=1, keepdims=True)
    result: FloatArray = np.divide(normals, length, out=np.zeros_like(normals), where=length > 0)
    return result


def _pseudonormals(mesh: Mesh, nearest: FloatArray, face: IntArray) -> FloatArray:
    corners = mesh.vertices[mesh.faces[face]]
    share = _barycentric(corners, nearest)
    near_zero = share < _ON_EDGE
    flat = face_normals(mesh)
    normal: FloatArray = flat[face].copy()
    on_corner = near_zero.sum(axis=1) >= 2
    if on_corner.any():
        vertex = mesh.faces[face[on_corner], share[on_corner].argmax(axis=1)]
        normal[on_corner] = vertex_normals(mesh)[vertex]
    on_edge = near_zero.sum(axis=1) == 1
    if on_edge.any():
        opposite = near_zero[on_edge].argmax(axis=1)
        normal[on_edge] += flat[_neighbours(mesh)[face[on_edge], opposite]]
    return normal


def _neighbours(mesh: Mesh) -> IntArray:
    """Return for each triangle and corner the triangle beyond the opposite edge (itself on an open edge), shape (m, 3)."""
    faces = mesh.faces.astype(np.int64)
    count = len(faces)
    edges = np.sort(np.concatenate([faces[:, (1, 2)], faces[:, (2, 0)], faces[:, (0, 1)]]), axis=1)
    code = edges[:, 0] * len(mesh.vertices) + edges[:, 1]
    order = np.argsort(code, kind="stable")
    same = code[order][1:] == code[order][:-1]
    partner = np.tile(np.arange(count), 3)
    one, two = order[:-1][same], order[1:][same]
    partner[one], partner[two] = two % count, one % count
    return partner.reshape(3, count).T.astype(np.int32)


def _barycentric(corners: FloatArray, points: FloatArray) -> FloatArray:
    one, two, here = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0], points - corners[:, 0]
    d11, d12, d22 = (np.einsum("ij,ij->i", a, b) for a, b in ((one, one), (one, two), (two, two)))
    p1, p2 = np.einsum("ij,ij->i", here, one), np.einsum("ij,ij->i", here, two)
    area = np.maximum(d11 * d22 - d12 * d12, 1e-300)
    v, w = (d22 * p1 - d12 * p2) / area, (d11 * p2 - d12 * p1) / area
    return np.stack([1.0 - v - w, v, w], axis=1)


def ray_hits(mesh: Mesh, origins: FloatArray, directions: FloatArray) -> RayHits:
    """Find every crossing of rays with the surface.

    Parameters
    ----------
    mesh
        Any triangles.
    origins, directions
        Shape (n, 3) each, mm LPS; directions need not have length 1. Rays are half-lines.

    Returns
    -------
    RayHits
        All crossings; one that runs exactly through an edge or corner counts once.
    """
    origins, directions = points3(origins, "origins"), points3(directions, "directions")
    if origins.shape != directions.shape:
        raise ValueError("ray_hits needs one direction for each origin")
    length = np.linalg.norm(directions, axis=1, keepdims=True)
    if len(length) and length.min() < 1e-12:
        raise ValueError("a ray without a direction")
    directions = directions / length
    low, high = mesh.vertices.min(axis=0), mesh.vertices.max(axis=0)
    reach = np.linalg.norm(origins - (low + high) / 2, axis=1) + np.linalg.norm(high - low)
    ends = origins + directions * reach[:, None]
    locator, cells = _locator(mesh), vtkIdList()
    rays: list[IntArray] = []
    faces: list[IntArray] = []
    for number, (start, end) in enumerate(zip(origins.tolist(), ends.tolist(), strict=True)):
        locator.FindCellsAlongLine(start, end, 1e-6, cells)
        count = cells.GetNumberOfIds()
        if count:
            rays.append(np.full(count, number, dtype=np.int32))
            faces.append(np.array([cells.GetId(item) for item in range(count)], dtype=np.int32))
    if not rays:
        empty = np.zeros(0, dtype=np.int32)
        return RayHits(empty, np.zeros(0), empty, np.zeros(0, dtype=np.bool_), np.zeros((0, 3)))
    return _crossings(mesh, origins, directions, np.concatenate(rays), np.concatenate(faces))


def _crossings(mesh: Mesh, origins: FloatArray, directions: FloatArray, ray: IntArray, face: IntArray) -> RayHits:
    """Cut candidate pairs of ray and triangle (Moeller and Trumbore 1997, with a hair of tolerance at the edges)."""
    corners = mesh.vertices[mesh.faces[face]]
    start, along = origins[ray], directions[ray]
    one, two = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    across = np.cross(along, two)
    det = np.einsum("ij,ij->i", one, across)
    with np.errstate(divide="ignore", invalid="ignore"):
        to = start - corners[:, 0]
        u = np.einsum("ij,ij->i", to, across) / det
        turned = np.cross(to, one)
        v = np.einsum("ij,ij->i", along, turned) / det
        distance = np.einsum("ij,ij->i", two, turned) / det
        slack = 1e-9
        hit = (np.abs(det) > 1e-14) & (u >= -slack) & (v >= -slack) & (u + v <= 1 + slack) & (distance >= 0)
    ray, face, distance, entering = ray[hit], face[hit], distance[hit], det[hit] > 0
    order = np.lexsort((face, entering, distance, ray))
    ray, face, distance, entering = ray[order], face[order], distance[order], entering[order]
    keep = np.ones(len(ray), dtype=np.bool_)
    for back in (1, 2, 3):  # a crossing at a corner is seen by several triangles, possibly with the other sense between them
        same = (ray[back:] == ray[:-back]) & (entering[back:] == entering[:-back])
        keep[back:] &= ~(same & (distance[back:] - distance[:-back] < _SAME_CROSSING_MM))
    ray, face, distance, entering = ray[keep], face[keep], distance[keep], entering[keep]
    return RayHits(ray, distance, face, entering, origins[ray] + distance[:, None] * directions[ray])
