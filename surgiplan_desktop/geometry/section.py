"""Planar sections of meshes: closed outlines with area and centroid, the long axis and the bitangents of a projected outline."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import ConvexHull

from surgiplan_desktop.base.arrays import FloatArray, IntArray
from surgiplan_desktop.base.spaces import Plane


@dataclass(frozen=True, slots=True, eq=False)
class Outline:
    """One closed loop of a section: points (n, 3) in order (mm), enclosed area (mm2, holes negative), centroid of the area."""

    points: FloatArray
    area_mm2: float
    centroid: FloatArray


def plane_basis(normal: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Two unit vectors u, v with u x v = normal, chosen deterministically."""
    helper = np.eye(3)[int(np.argmin(np.abs(normal)))]
    u = np.cross(helper, normal)
    u /= np.linalg.norm(u)
    return u, np.cross(normal, u)


def section_segments(vertices: FloatArray, faces: IntArray, plane: Plane) -> tuple[FloatArray, FloatArray, IntArray]:
    """Cut triangles by a plane.

    Returns
    -------
    tuple
        Start and end points (m, 3) of the segments, oriented so that the solid lies to the left seen against the normal, and
        the nodes (m, 2) they join: equal numbers are the same point of the outline.
    """
    distance = (vertices - plane.point_lps) @ plane.normal
    above = distance >= 0.0
    corners = above[faces]
    count = corners.sum(axis=1)
    crossing = (count == 1) | (count == 2)
    cut, corners, count = faces[crossing].astype(np.int64), corners[crossing], count[crossing]
    if len(cut) == 0:
        return np.zeros((0, 3)), np.zeros((0, 3)), np.zeros((0, 2), dtype=np.int32)
    lone = np.where(count == 1, np.argmax(corners, axis=1), np.argmin(corners, axis=1))
    rows = np.arange(len(cut))
    tip, following, previous = cut[rows, lone], cut[rows, (lone + 1) % 3], cut[rows, (lone + 2) % 3]

    def crossing_point(a: IntArray, b: IntArray) -> FloatArray:
        # always from the lower index, so that both triangles of an edge give the same point to the last bit
        low, high = np.minimum(a, b), np.maximum(a, b)
        share = distance[low] / (distance[low] - distance[high])
        points: FloatArray = vertices[low] + share[:, None] * (vertices[high] - vertices[low])
        return points

    size = len(vertices)
    first, second = crossing_point(tip, following), crossing_point(tip, previous)
    keys = np.column_stack(
        [
            np.minimum(tip, following) * size + np.maximum(tip, following),
            np.minimum(tip, previous) * size + np.maximum(tip, previous),
        ]
    )
    flip = count == 1
    start = np.where(flip[:, None], first, second)
    end = np.where(flip[:, None], second, first)
    keys[~flip] = keys[~flip][:, ::-1]
    _, nodes = np.unique(keys, return_inverse=True)
    return start, end, nodes.reshape(keys.shape).astype(np.int32)


def section(vertices: FloatArray, faces: IntArray, plane: Plane) -> tuple[Outline, ...]:
    """Closed outlines of a closed mesh in a plane, largest enclosed area first; empty when the plane misses the mesh."""
    start, _, nodes = section_segments(vertices, faces, plane)
    if len(start) == 0:
        return ()
    leaving = np.full(int(nodes.max()) + 1, -1, dtype=np.int64)
    leaving[nodes[:, 0]] = np.arange(len(nodes))
    following = leaving[nodes[:, 1]].tolist()
    seen = [False] * len(nodes)
    u, v = plane_basis(plane.normal)
    outlines = []
    for first in range(len(nodes)):
        chain: list[int] = []
        index = first
        while index >= 0 and not seen[index]:
            seen[index] = True
            chain.append(index)
            index = following[index]
        if len(chain) >= 3:
            outlines.append(outline_of(start[chain], u, v))
    return tuple(sorted(outlines, key=lambda item: -abs(item.area_mm2)))


def outline_of(points: FloatArray, u: FloatArray, v: FloatArray) -> Outline:
    """Outline through points (n, 3) of a plane, in their order, with its signed area and centroid; u, v: axes of the plane."""
    origin = points.mean(axis=0)
    x, y = (points - origin) @ u, (points - origin) @ v
    cross = x * np.roll(y, -1) - np.roll(x, -1) * y
    area = 0.5 * float(cross.sum())
    if abs(area) < 1e-9:
        return Outline(points, 0.0, origin)
    centre_u = float(((x + np.roll(x, -1)) * cross).sum()) / (6.0 * area)
    centre_v = float(((y + np.roll(y, -1)) * cross).sum()) / (6.0 * area)
    return Outline(points, area, origin + centre_u * u + centre_v * v)


def hull_axis(points: FloatArray) -> FloatArray:
    """Long axis (2,), unit, sign arbitrary, of the convex hull of points (n, 2): of the second moments of its area."""
    corners = points[ConvexHull(points).vertices]
    corners = corners - corners.mean(axis=0)
    following = np.roll(corners, -1, axis=0)
    cross = corners[:, 0] * following[:, 1] - following[:, 0] * corners[:, 1]
    sums = corners + following
    area = float(cross.sum()) / 2.0
    centre = cross @ sums / (6.0 * area)
    moments = sum(np.einsum("m,mi,mj->ij", cross, item, item) for item in (sums, corners, following)) / (24.0 * area)
    axis: FloatArray = np.linalg.eigh(moments - np.outer(centre, centre))[1][:, 1]
    return axis


def bridge(points: FloatArray, outward: FloatArray, *, across: float | None = None) -> tuple[int, int] | None:
    """Indices of the two points that the longest hull edge facing ``outward`` joins: the bitangent over a notch.

    Parameters
    ----------
    points
        Shape (n, 2).
    outward
        Shape (2,): the side on which the notch is bridged; edges whose normal is within 45 degrees of it count.
    across
        When given, the edge must join a point on either side of this coordinate along the tangent ``(outward_y, -outward_x)``.

    Returns
    -------
    tuple or None
        Indices ordered along that tangent, or None when no edge qualifies.
    """
    outward = outward / np.linalg.norm(outward)
    hull = ConvexHull(points)
    corners = np.asarray(hull.vertices)
    a, b = corners, np.roll(corners, -1)
    edge = points[b] - points[a]
    length = np.linalg.norm(edge, axis=1)
    facing = (edge[:, 1] * outward[0] - edge[:, 0] * outward[1]) / np.maximum(length, 1e-12)
    usable = facing > np.cos(np.radians(45.0))
    tangent = np.array([outward[1], -outward[0]])
    if across is not None:
        usable &= (points[a] @ tangent - across) * (points[b] @ tangent - across) <= 0.0
    if not usable.any():
        return None
    best = int(np.argmax(np.where(usable, length, -1.0)))
    pair = (int(a[best]), int(b[best]))
    return pair if float((points[pair[1]] - points[pair[0]]) @ tangent) >= 0 else (pair[1], pair[0])
