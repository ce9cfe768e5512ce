"""Distances between two surfaces, weighted by area, each direction for itself (clinical.md E.1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from surgiplan_desktop.base.arrays import FloatArray
from surgiplan_desktop.geometry.distance import closest_points
from surgiplan_desktop.geometry.solid import area
from surgiplan_desktop.model.mesh import Bone, Mesh

#: Sample points a surface: the 95th percentile then stands to about 1 % of itself.
SAMPLES: Final = 15000


@dataclass(frozen=True, slots=True)
class Directed:
    """Distances from points of one surface, spread evenly over its area, to another surface, mm; the area they stand for."""

    median_mm: float
    mean_mm: float
    p95_mm: float
    max_mm: float
    points: int
    area_mm2: float


@dataclass(frozen=True, slots=True)
class SurfaceDistance:
    """Both directions, and what is made of them: ASSD (mean by area) and HD95 (the larger of the two 95th percentiles)."""

    there: Directed
    back: Directed

    @property
    def assd_mm(self) -> float:
        """Average symmetric surface distance: the mean over both surfaces by area, mm."""
        area = self.there.area_mm2 + self.back.area_mm2
        return (self.there.mean_mm * self.there.area_mm2 + self.back.mean_mm * self.back.area_mm2) / area

    @property
    def hd95_mm(self) -> float:
        """The larger of the two directed 95th percentiles, mm (not the percentile of the pooled distances)."""
        return max(self.there.p95_mm, self.back.p95_mm)


def surface_distance(
    surface: Mesh, reference: Mesh, *, low_lps: FloatArray | None = None, high_lps: FloatArray | None = None, count: int = SAMPLES
) -> SurfaceDistance:
    """Compare two surfaces.

    Parameters
    ----------
    surface, reference
        Triangles, LPS mm.
    low_lps, high_lps
        Corners of the common field of view, mm: points outside it are left out (of both), since one of the two cannot have
        what lies there.
    count
        Sample points a surface.

    Raises
    ------
    ValueError
        When a surface has no point in the field of view.
    """
    box = (np.full(3, -np.inf) if low_lps is None else low_lps, np.full(3, np.inf) if high_lps is None else high_lps)
    there, back = (_inside(area_samples(mesh, count), *box) for mesh in (surface, reference))
    return SurfaceDistance(
        _summary(closest_points(reference, there)[1], area(surface) * len(there) / count),
        _summary(closest_points(surface, back)[1], area(reference) * len(back) / count),
    )


def bone_distance(bone: Bone, reference: Mesh, **options: FloatArray) -> SurfaceDistance:
    """Compare the parts of a bone with a whole reference surface; the planes that close its open ends are left out."""
    surfaces = []
    for part in bone.parts:
        capped = np.asarray(part.cap_vertices[part.mesh.faces]).all(axis=1)
        surfaces.append(Mesh(part.mesh.vertices, part.mesh.faces[~capped]))
    areas = [area(mesh) for mesh in surfaces]
    count = len(surfaces) * SAMPLES
    samples = [area_samples(mesh, max(round(count * part / sum(areas)), 1)) for mesh, part in zip(surfaces, areas, strict=True)]
    box = (options.get("low_lps", np.full(3, -np.inf)), options.get("high_lps", np.full(3, np.inf)))
    there = _inside(np.concatenate(samples), *box)
    back = _inside(area_samples(reference, SAMPLES), *box)
    nearest = np.min([closest_points(part.mesh, back)[1] for part in bone.parts], axis=0)
    return SurfaceDistance(
        _summary(closest_points(reference, there)[1], sum(areas) * len(there) / count),
        _summary(nearest, area(reference) * len(back) / SAMPLES),
    )


def area_samples(mesh: Mesh, count: int) -> FloatArray:
    """Return points spread over a surface by area, shape (count, 3): always the same ones for the same mesh.

    Systematic sampling: equal steps through the cumulated area, and a low-discrepancy sequence (Roberts 2018, R2) inside the
    triangles.
    """
    corners = mesh.vertices[mesh.faces]
    areas = 0.5 * np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    if not areas.sum() > 0:
        raise ValueError("a surface without area has no points")
    steps = (np.arange(count) + 0.5) / count * areas.sum()
    face = np.minimum(np.searchsorted(np.cumsum(areas), steps), len(areas) - 1)
    number = np.arange(1, count + 1)
    u, v = (0.5 + number * 0.7548776662466927) % 1.0, (0.5 + number * 0.5698402909980532) % 1.0
    over = u + v > 1.0
    u, v = np.where(over, 1.0 - u, u), np.where(over, 1.0 - v, v)
    chosen = corners[face]
    points: FloatArray = chosen[:, 0] + u[:, None] * (chosen[:, 1] - chosen[:, 0]) + v[:, None] * (chosen[:, 2] - chosen[:, 0])
    return points


def _inside(points: FloatArray, low: FloatArray, high: FloatArray) -> FloatArray:
    kept = points[((points >= low) & (points <= high)).all(axis=1)]
    if not len(kept):
        raise ValueError("no point of the surface lies in the field of view")
    return kept


def _summary(distance: FloatArray, area_mm2: float) -> Directed:
    return Directed(
        float(np.median(distance)),
        float(distance.mean()),
        float(np.quantile(distance, 0.95)),
        float(distance.max()),
        len(distance),
        area_mm2,
    )
