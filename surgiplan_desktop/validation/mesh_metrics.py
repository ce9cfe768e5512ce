"""Surface meshes against a reference: distances by area, and Dice of the bodies they enclose (clinical.md E.1)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from surgiplan_desktop.base.progress import SILENT, Progress
from surgiplan_desktop.geometry import solid
from surgiplan_desktop.geometry.canonical import edge_counts
from surgiplan_desktop.geometry.distance import closest_points
from surgiplan_desktop.model.mesh import Mesh
from surgiplan_desktop.validation.surface_distance import area_samples
from surgiplan_desktop.validation.weighted import SurfaceMetrics, WeightedDistances, surface_metrics

#: Sample points a surface: shares of area then stand to about 0.3 %.
_SAMPLES: Final = 30000


@dataclass(frozen=True, slots=True)
class MeshMetrics:
    """Two meshes compared; pairs are (prediction, reference).

    Attributes
    ----------
    dice
        Of the enclosed bodies, exact; NaN where one of the two encloses none.
    volume_mm3
        NaN for a mesh that encloses no body.
    solid
        Whether each mesh encloses a body (closed, every edge between two triangles).
    inside_out
        Whether the triangles of each face inwards; it is turned before it is compared.
    """

    dice: float
    surface: SurfaceMetrics
    volume_mm3: tuple[float, float]
    solid: tuple[bool, bool]
    inside_out: tuple[bool, bool]


def compare_meshes(prediction: Mesh, reference: Mesh, *, progress: Progress = SILENT) -> MeshMetrics:
    """Compare two surfaces, LPS mm; distances are exact from sample points of one to the triangles of the other."""
    outward, turned = zip(*(_outward(mesh) for mesh in (prediction, reference)), strict=True)
    bodies = tuple(solid.is_solid(mesh) for mesh in outward)
    volumes = tuple(solid.volume(mesh) if whole else math.nan for mesh, whole in zip(outward, bodies, strict=True))
    progress.step(0, 3, "evaluating")
    there = _distances(prediction, reference)
    progress.step(1, 3, "evaluating")
    back = _distances(reference, prediction)
    progress.step(2, 3, "evaluating")
    dice = 2.0 * solid.intersection_volume(outward[0], outward[1]) / sum(volumes) if all(bodies) else math.nan
    progress.step(3, 3, "evaluating")
    return MeshMetrics(
        dice=dice,
        surface=surface_metrics(there, back),
        volume_mm3=(volumes[0], volumes[1]),
        solid=(bodies[0], bodies[1]),
        inside_out=(turned[0], turned[1]),
    )


def _outward(mesh: Mesh) -> tuple[Mesh, bool]:
    """Return a closed mesh with its triangles facing outwards, and whether they had to be turned."""
    if edge_counts(mesh.faces) != (0, 0) or solid.volume(mesh) >= 0:
        return mesh, False
    return Mesh(mesh.vertices, mesh.faces[:, ::-1]), True


def _distances(mesh: Mesh, other: Mesh) -> WeightedDistances:
    distance = closest_points(other, area_samples(mesh, _SAMPLES))[1]
    return WeightedDistances(distance, np.full(_SAMPLES, solid.area(mesh) / _SAMPLES))
