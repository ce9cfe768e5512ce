"""Meshes brought to edges of about a millimetre: finer ones decimated, coarser ones divided along the curved surface."""

from __future__ import annotations

from typing import Final

import fast_simplification
import numpy as np
from scipy.spatial import cKDTree

from surgiplan_desktop.base.arrays import BoolArray, FloatArray, IntArray
from surgiplan_desktop.geometry.distance import vertex_normals
from surgiplan_desktop.model.mesh import Mesh

#: Median edges outside of this are brought nearer to ``_AIM_MM``.
_EDGE_MM: Final = (0.75, 2.0)
_AIM_MM: Final = 1.0
_MOST_DIVISIONS: Final = 2


def evened(mesh: Mesh, cap: BoolArray) -> tuple[Mesh, BoolArray]:
    """Return the surface with edges of about 1 mm, and which of its vertices lie on caps.

    Parameters
    ----------
    mesh
        Closed, mm; comes back as it is when its median edge is 0.75 to 2 mm.
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
        return even, cap[nearest]
    for _ in range(_MOST_DIVISIONS):
        if edge <= _EDGE_MM[1]:
            break
        mesh, cap = _divided(mesh, cap)
        edge = _median_edge(mesh)
    return mesh, cap


def _median_edge(mesh: Mesh) -> float:
    corners = mesh.vertices[mesh.faces]
    return float(np.median(np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=2)))


def _divided(mesh: Mesh, cap: BoolArray) -> tuple[Mesh, BoolArray]:
    """Every triangle in four; the middle of an edge goes half way to the tangent planes of its ends: right on a sphere."""
    edges = np.concatenate([mesh.faces[:, [0, 1]], mesh.faces[:, [1, 2]], mesh.faces[:, [2, 0]]])
    ends, number = np.unique(np.sort(edges, axis=1), axis=0, return_inverse=True)
    first, second, third = number.reshape(3, -1) + len(mesh.vertices)
    a, b, c = mesh.faces.T
    faces: IntArray = np.concatenate(
        [
            np.column_stack(corner)
            for corner in ((a, first, third), (first, b, second), (third, second, c), (first, second, third))
        ]
    ).astype(np.int32)
    normals = vertex_normals(mesh)
    middle = mesh.vertices[ends].mean(axis=1)
    planar = cap[ends].any(axis=1)
    towards: FloatArray = np.zeros_like(middle)
    for end in ends.T:
        height = np.einsum("ij,ij->i", mesh.vertices[end] - middle, normals[end])
        towards += 0.5 * height[:, None] * normals[end]
    middle = middle + np.where(planar[:, None], 0.0, 0.5 * towards)
    return Mesh(np.concatenate([mesh.vertices, middle]), faces), np.concatenate([cap, cap[ends].all(axis=1)])
