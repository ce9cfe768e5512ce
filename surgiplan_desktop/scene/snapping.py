"""Where a dragged point comes to lie: on the surface of its bone where its definition says so, free in space elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np

from surgiplan_desktop.base.arrays import FloatArray
from surgiplan_desktop.model.anatomy import LandmarkId
from surgiplan_desktop.model.mesh import Mesh
from surgiplan_desktop.scene.picking import Ray, crossings

#: Landmarks that are centres or lie on a fitted line or plane: no surface holds them.
INSIDE: Final[frozenset[LandmarkId]] = frozenset(
    {
        "hip_centre", "femoral_neck_base", "femoral_shaft_proximal", "femoral_shaft_distal", "tibial_knee_centre",
        "medial_plateau_centre", "lateral_plateau_centre", "tibial_shaft_proximal", "tibial_shaft_distal", "ankle_centre",
    }
)  # fmt: skip


def on_section(sections: Iterable[FloatArray], point_lps: FloatArray, reach_mm: float) -> FloatArray | None:
    """Return the nearest point on contours of a slice, or None when it lies farther than ``reach_mm``.

    Parameters
    ----------
    sections
        Segments of each contour, shape (n, 2, 3), mm LPS, in the plane of ``point_lps``.
    """
    parts = [segments for segments in sections if len(segments)]
    if not parts:
        return None
    segments = np.concatenate(parts)
    start, along = segments[:, 0], segments[:, 1] - segments[:, 0]
    length2 = np.maximum(np.einsum("ij,ij->i", along, along), 1e-12)
    share = np.clip(np.einsum("ij,ij->i", point_lps - start, along) / length2, 0.0, 1.0)
    nearest = start + share[:, None] * along
    distance2 = ((nearest - point_lps) ** 2).sum(axis=1)
    best = int(np.argmin(distance2))
    found: FloatArray | None = nearest[best] if distance2[best] <= reach_mm**2 else None
    return found


def on_surface(meshes: Sequence[Mesh], ray: Ray, depth_like: FloatArray | None = None) -> FloatArray | None:
    """Return where a line of sight meets the bone; beside the bone the point of its surface that is nearest to the line.

    Parameters
    ----------
    depth_like
        None: what is seen, the first crossing. A point: of all crossings the one that is about as deep as it, so that a point
        behind the bone stays behind it in a picture that shows through.
    """
    best: tuple[float, FloatArray] | None = None
    wanted = None if depth_like is None else float((depth_like - ray.start) @ ray.direction)
    for mesh in meshes:
        for distance in crossings(mesh, ray):
            badness = distance if wanted is None else abs(distance - wanted)
            if best is None or badness < best[0]:
                best = (badness, ray.start + distance * ray.direction)
    if best is not None:
        return best[1]
    for mesh in meshes:
        away = mesh.vertices - ray.start
        along = away @ ray.direction
        apart2 = np.einsum("ij,ij->i", away, away) - along**2
        nearest = int(np.argmin(apart2))
        if best is None or apart2[nearest] < best[0]:
            best = (float(apart2[nearest]), mesh.vertices[nearest])
    return None if best is None else np.array(best[1])
