"""Where a plane cuts a mesh: the line segments that slices show, and the triangles that they lie in."""

from __future__ import annotations

import numpy as np

from surgiplan_desktop.base.arrays import FloatArray, IntArray
from surgiplan_desktop.base.spaces import Plane
from surgiplan_desktop.model.mesh import Mesh


def section_segments(mesh: Mesh, plane: Plane) -> FloatArray:
    """Return the segments in which the plane cuts the triangles, shape (n, 2, 3), mm LPS.

    A vertex exactly in the plane counts as above it, so that every crossed triangle gives one segment.
    """
    return section(mesh, plane)[0]


def section(mesh: Mesh, plane: Plane) -> tuple[FloatArray, IntArray]:
    """Return the segments of :func:`section_segments` and the index of the triangle that each lies in, shape (n,)."""
    distance = plane.signed_distance(mesh.vertices)
    above = distance >= 0.0
    corner = above[mesh.faces]
    count = corner.sum(axis=1)
    crossed = np.flatnonzero((count == 1) | (count == 2))
    if crossed.size == 0:
        return np.empty((0, 2, 3)), np.empty(0, dtype=np.int32)
    faces, corner = mesh.faces[crossed], corner[crossed]
    # The corner that lies alone on its side: both cut edges start there.
    alone = np.where(count[crossed, None] == 1, corner, ~corner).argmax(axis=1)
    rows = np.arange(len(faces))
    apex = faces[rows, alone]
    ends = np.stack([faces[rows, (alone + 1) % 3], faces[rows, (alone + 2) % 3]], axis=1)
    d_apex = distance[apex][:, None]
    share = d_apex / (d_apex - distance[ends])
    start = mesh.vertices[apex][:, None, :]
    segments: FloatArray = start + share[:, :, None] * (mesh.vertices[ends] - start)
    return segments, crossed.astype(np.int32)
