"""Meshes brought to edges of about a millimetre: finer ones decimated, coarser places divided along the curved surface."""

from __future__ import annotations

from typing import Final

import fast_simplification
import numpy as np
from scipy.spatial import cKDTree

from surgiplan_desktop.base.arrays import AnyArray, BoolArray, FloatArray, IntArray
from surgiplan_desktop.geometry.distance import vertex_normals
from surgiplan_desktop.model.mesh import Mesh

#: Median edges outside of this are brought nearer to ``_AIM_MM``.
_EDGE_MM: Final = (0.75, 2.0)
_AIM_MM: Final = 1.0
#: Longer edges are halved one by one: a decimated mesh has few vertices, and long thin triangles, just where the bone is flat,
#: and fits through its vertices would lean on a handful of them.
_LONGEST_MM: Final = 2.5
#: An edge this many times longer than the median lies where the bone is straight.
_STRAIGHT: Final = 1.5
_MOST_DIVISIONS: Final = 6
#: Rotations of a triangle's corners.
_TURNS: Final = ((0, 1, 2), (1, 2, 0), (2, 0, 1))


def evened(mesh: Mesh, cap: BoolArray) -> tuple[Mesh, BoolArray]:
    """Return the surface with edges of about 1 mm, and which of its vertices lie on caps.

    Parameters
    ----------
    mesh
        Closed, mm; comes back as it is when its median edge is at least 0.75 mm and none off the caps is longer than 2.5 mm.
    cap
        Shape (n,), vertices of planar open ends.
    """
    edge = _median_edge(mesh)
    if edge < _EDGE_MM[0]:
        origin = mesh.vertices.mean(axis=0)
        near = np.ascontiguousarray(mesh.vertices - origin, dtype=np.float32)
        vertices, faces = fast_simplification.simplify(near, mesh.faces.copy(), target_reduction=1.0 - (edge / _AIM_MM) ** 2)
        even = Mesh(np.asarray(vertices, dtype=np.float64) + origin, np.asarray(faces, dtype=np.int32))
        _, nearest = cKDTree(mesh.vertices).query(even.vertices)
        mesh, cap = even, cap[nearest]
    for _ in range(_MOST_DIVISIONS):
        finer = _divided(mesh, cap)
        if finer is None:
            break
        mesh, cap = finer
    return mesh, cap


def _median_edge(mesh: Mesh) -> float:
    corners = mesh.vertices[mesh.faces]
    return float(np.median(np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=2)))


def _divided(mesh: Mesh, cap: BoolArray) -> tuple[Mesh, BoolArray] | None:
    """Halve every edge of a coarse mesh, or those that are too long, and their triangles with them; None when there is none.

    The middle of an edge goes half way to the tangent planes of its ends: right on a sphere. That of an edge much longer than the
    others stays on it: decimation left it long because the bone is straight along it, and its ends may lie on rounded rims.
    """
    edges = np.concatenate([mesh.faces[:, [0, 1]], mesh.faces[:, [1, 2]], mesh.faces[:, [2, 0]]])
    # one number an edge: sorting pairs is many times slower
    keys = edges.min(axis=1).astype(np.int64) * len(mesh.vertices) + edges.max(axis=1)
    unique, number = np.unique(keys, return_inverse=True)
    ends = np.column_stack(np.divmod(unique, len(mesh.vertices)))
    length = np.linalg.norm(np.diff(mesh.vertices[ends], axis=1)[:, 0], axis=1)
    usual = _median_edge(mesh)
    halved = length > (0.0 if usual > _EDGE_MM[1] else _LONGEST_MM)
    # caps are planes that no fit uses
    halved &= ~cap[ends].all(axis=1)
    if not halved.any():
        return None
    place = np.full(len(ends), -1, dtype=np.int64)
    place[halved] = len(mesh.vertices) + np.arange(np.count_nonzero(halved))
    faces = _halves(mesh.faces, place[number.reshape(3, -1).T])
    ends, straight = ends[halved], length[halved] > _STRAIGHT * usual
    normals = vertex_normals(mesh)
    middle = mesh.vertices[ends].mean(axis=1)
    towards: FloatArray = np.zeros_like(middle)
    for end in ends.T:
        height = np.einsum("ij,ij->i", mesh.vertices[end] - middle, normals[end])
        towards += 0.5 * height[:, None] * normals[end]
    middle = middle + np.where((straight | cap[ends].any(axis=1))[:, None], 0.0, 0.5 * towards)
    return Mesh(np.concatenate([mesh.vertices, middle]), faces), np.concatenate([cap, np.zeros(len(middle), dtype=np.bool_)])


def _halves(faces: IntArray, middles: AnyArray) -> IntArray:
    """Triangles (m, 3) cut at the middles (m, 3) of their edges 01, 12 and 20; -1 where an edge stays whole."""
    cut = middles >= 0
    count = cut.sum(axis=1)
    parts = [faces[count == 0]]
    a, b, c = faces[count == 3].T
    ab, bc, ca = middles[count == 3].T
    parts += [np.column_stack(corner) for corner in ((a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca))]
    for turn in _TURNS:
        first, second, third = turn
        # the edge 01 of the turned triangle alone
        own = (count == 1) & cut[:, first]
        (a, b, c), ab = faces[own][:, turn].T, middles[own, first]
        parts += [np.column_stack(corner) for corner in ((a, ab, c), (ab, b, c))]
        # all but its edge 20; which diagonal cuts the rest does not depend on how the triangle goes round, so nor on the side
        own = (count == 2) & ~cut[:, third]
        (a, b, c), ab, bc = faces[own][:, turn].T, middles[own, first], middles[own, second]
        third_of, first_of = np.where(a < c, bc, c), np.where(a < c, a, ab)
        parts += [np.column_stack(corner) for corner in ((ab, b, bc), (a, ab, third_of), (first_of, bc, c))]
    return np.concatenate(parts).astype(np.int32)
