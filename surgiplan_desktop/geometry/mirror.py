"""How well a surface is its own mirror image: the plane found by iterated closest points, and what remains."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.spatial import cKDTree

from surgiplan_desktop.base.arrays import FloatArray

#: Share of the points that the plane is fitted to: edges and spurs that one side alone has do not count.
_KEPT: Final = 0.85
#: A mirrored normal and that of its nearest point are the same face when their cosine is above this.
_SAME_FACE: Final = 0.8
_ITERATIONS: Final = 25
_CONVERGED: Final = 1e-5


@dataclass(frozen=True, slots=True, eq=False)
class Mirror:
    """A plane of symmetry.

    Attributes
    ----------
    point, normal
        The plane, mm and unit.
    gaps_mm
        Distance of each mirrored point from the tangent plane of its nearest point, unsigned, those that met a face alone.
    share
        Share of the points that met one.
    """

    point: FloatArray
    normal: FloatArray
    gaps_mm: FloatArray
    share: float


def fit_mirror(
    points: FloatArray, normals: FloatArray, onto: FloatArray, onto_normals: FloatArray, point: FloatArray, normal: FloatArray
) -> Mirror:
    """Find the plane in which points mirrored lie nearest to a surface.

    Parameters
    ----------
    points, normals
        Shape (n, 3): what is mirrored, with unit normals.
    onto, onto_normals
        Shape (m, 3): vertices of the surface, both sides of the plane.
    point, normal
        First guess of the plane.
    """
    tree = cKDTree(onto)
    gaps, same = np.empty(0), np.zeros(len(points), dtype=np.bool_)
    for _ in range(_ITERATIONS):
        away = (points - point) @ normal
        _, nearest = tree.query(points - 2.0 * away[:, None] * normal)
        faces = onto_normals[nearest]
        same = np.einsum("ij,ij->i", faces, normals - 2.0 * (normals @ normal)[:, None] * normal) > _SAME_FACE
        if same.sum() < 10:
            break
        gaps = np.einsum("ij,ij->i", points - 2.0 * away[:, None] * normal - onto[nearest], faces)
        kept = same & (np.abs(gaps) <= np.quantile(np.abs(gaps[same]), _KEPT))
        # turns of the plane about two lines in it, and its shift: how each moves the mirrored points along the faces
        turns = np.linalg.svd(normal[None, :])[2][1:]
        ways = [-2.0 * (((points - point) @ turn)[:, None] * normal + away[:, None] * turn) for turn in turns]
        effect = np.stack([np.einsum("ij,ij->i", way, faces) for way in ways] + [2.0 * (faces @ normal)], axis=1)
        change = np.linalg.lstsq(effect[kept], -gaps[kept], rcond=None)[0]
        point = point + change[2] * normal
        normal = normal + change[0] * turns[0] + change[1] * turns[1]
        normal = normal / np.linalg.norm(normal)
        if np.abs(change).max() < _CONVERGED:
            break
    found = np.abs(gaps[same]) if len(gaps) else gaps
    return Mirror(point, normal, found, float(same.mean()) if len(points) else 0.0)
