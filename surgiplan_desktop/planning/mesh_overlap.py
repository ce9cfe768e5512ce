"""How much of a mesh lies on bone edges of a scan: the witness of unit and space where a scan is at hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from surgiplan_desktop.base.arrays import BoolArray, FloatArray
from surgiplan_desktop.model.images import Volume
from surgiplan_desktop.model.mesh import Mesh

#: Points looked at; fixed places, so that the same mesh gives the same share.
_POINTS: Final = 4000
#: Inside of the surface by the first, outside by the second (mm): a cortex is thicker, soft tissue is wider.
_INSIDE_MM: Final = 1.0
_OUTSIDE_MM: Final = 3.0
#: Bone inside, and brighter than what is outside by this (HU).
_BONE_HU: Final = 150.0
_STEP_HU: Final = 60.0


def edge_share(mesh: Mesh, volumes: Sequence[Volume]) -> float:
    """Return the share of the surface (0..1) that has bone just inside and less dense tissue just outside.

    Parameters
    ----------
    mesh
        LPS mm, faces outward.
    volumes
        Blocks of the scan. Surface outside all of them counts as not on an edge, unless most of the mesh is outside: the scan may
        hold only a part of the bone, so the share is of the surface inside, and zero where less than a tenth is inside.
    """
    corners = mesh.vertices[mesh.faces]
    crosses = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    areas = np.linalg.norm(crosses, axis=1)
    if not float(areas.sum()) > 0:
        return 0.0
    # evenly spread over the area, without chance
    places = np.searchsorted(np.cumsum(areas), (np.arange(_POINTS) + 0.5) / _POINTS * areas.sum())
    chosen = np.minimum(places, len(areas) - 1)
    centres = corners[chosen].mean(axis=1)
    normals = crosses[chosen] / np.maximum(areas[chosen, None], 1e-12)
    inner, has_inner = _sampled(centres - _INSIDE_MM * normals, volumes)
    outer, has_outer = _sampled(centres + _OUTSIDE_MM * normals, volumes)
    seen = has_inner & has_outer
    if float(seen.mean()) < 0.1:
        return 0.0
    edges = (inner > _BONE_HU) & (inner - outer > _STEP_HU)
    return float(edges[seen].mean())


def _sampled(points: FloatArray, volumes: Sequence[Volume]) -> tuple[FloatArray, BoolArray]:
    """Return the value of the nearest voxel at points (n, 3), and which points lie in one of the volumes."""
    values = np.zeros(len(points))
    found = np.zeros(len(points), dtype=np.bool_)
    for volume in volumes:
        index = np.rint(volume.affine.inverse()(points)).astype(np.int64)
        inside = ((index >= 0) & (index < np.array(volume.shape))).all(axis=1)
        k, j, i = index[inside].T
        values[inside] = volume.array[k, j, i]
        found |= inside
    return values, found
