"""A noisy surface calmed by moving least squares: every vertex goes onto a quadratic through its surroundings.

Unlike averaging, a quadratic does not pull in what is bent (Levin 1998, Math Comp 67:1517): the error on a sphere of 6 mm is some
hundredths of a millimetre with a radius of 3 mm.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from scipy.spatial import cKDTree

from surgiplan_desktop.base.arrays import BoolArray, FloatArray

#: Neighbours that enter a fit at most, and vertices fitted at once.
_NEIGHBOURS: Final = 40
_CHUNK: Final = 16_384
#: Neighbours that look another way belong to another side of the bone (cosine between normals).
_SAME_SIDE: Final = 0.3
#: Keeps curvatures finite where few neighbours enter; in the unit of the window.
_RIDGE: Final = 1e-3
#: A vertex moves by no more than this share of the radius, so that a poor fit does no harm.
_MOST_MOVED: Final = 0.4


def calmed(vertices: FloatArray, normals: FloatArray, areas: FloatArray, real: BoolArray, radius_mm: float) -> FloatArray:
    """Move every real vertex along its normal onto the quadratic that fits its surroundings.

    Parameters
    ----------
    vertices, normals
        Shape (n, 3), mm and unit.
    areas
        Shape (n,), weight of each vertex, mm2.
    real
        Shape (n,); the others (caps) stay and enter no fit.
    radius_mm
        Neighbours within this distance enter, the nearer the more.

    Returns
    -------
    FloatArray
        Moved vertices (n, 3).
    """
    index = np.flatnonzero(real)
    result = vertices.copy()
    if len(index) < 12:
        return result
    points = vertices[index]
    tree = cKDTree(points)
    for first in range(0, len(index), _CHUNK):
        part = index[first : first + _CHUNK]
        away, near = tree.query(vertices[part], k=min(_NEIGHBOURS, len(index)), distance_upper_bound=radius_mm)
        distance = np.asarray(away, dtype=np.float64)
        there = np.isfinite(distance)
        near = index[np.where(there, near, 0)]
        # where more would be near than enter, the window shrinks, so that it ends at weight zero whoever comes last
        reach = np.where(there[:, -1:], np.where(there, distance, 0.0)[:, -1:], radius_mm)
        shift = _shifts(vertices[part], normals[part], vertices[near], normals[near], areas[near], distance, there, reach)
        result[part] += np.clip(shift, -_MOST_MOVED * radius_mm, _MOST_MOVED * radius_mm)[:, None] * normals[part]
    return result


def _shifts(
    centres: FloatArray,
    normals: FloatArray,
    points: FloatArray,
    point_normals: FloatArray,
    areas: FloatArray,
    distance: FloatArray,
    there: BoolArray,
    reach: FloatArray,
) -> FloatArray:
    """Height of the fitted quadratic over each centre along its normal, shape (n,), mm; ``reach`` (n, 1) is the window."""
    first = np.cross(normals, np.eye(3)[np.argmin(np.abs(normals), axis=1)])
    first /= np.maximum(np.linalg.norm(first, axis=1, keepdims=True), 1e-12)
    second = np.cross(normals, first)
    offset = (points - centres[:, None]) / reach[..., None]
    u, v, h = (np.einsum("nkd,nd->nk", offset, axis) for axis in (first, second, normals))
    share = np.where(there, np.minimum(distance / reach, 1.0), 1.0)
    weight = areas * (1.0 - share**2) ** 2
    weight *= np.einsum("nkd,nd->nk", point_normals, normals) > _SAME_SIDE
    weight /= np.maximum(weight.sum(axis=1, keepdims=True), 1e-12)
    design = np.stack([np.ones_like(u), u, v, u * u, u * v, v * v], axis=-1)
    weighted = design * weight[..., None]
    matrix = np.einsum("nki,nkj->nij", weighted, design)
    # half for the mixed term: then the penalty does not depend on how the axes are turned
    matrix[:, range(1, 6), range(1, 6)] += _RIDGE * np.array([1.0, 1.0, 1.0, 0.5, 1.0])
    matrix[:, 0, 0] += 1e-9
    right = np.einsum("nki,nk->ni", weighted, h)
    height: FloatArray = np.linalg.solve(matrix, right[..., None])[:, 0, 0] * reach[:, 0]
    return height
