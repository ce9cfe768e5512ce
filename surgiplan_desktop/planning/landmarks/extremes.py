"""Extreme points and bitangents of a surface, freed of noise by a local fit around the extreme vertex."""

from __future__ import annotations

import numpy as np

from surgiplan_desktop.base.arrays import BoolArray, FloatArray
from surgiplan_desktop.geometry.fit import local_apex
from surgiplan_desktop.geometry.section import bridge
from surgiplan_desktop.planning.landmarks.surface import BoneSurface


def refined_extreme(
    surface: BoneSurface, region: BoolArray, seed: FloatArray, outward: FloatArray, *, radius_mm: float = 6.0
) -> tuple[FloatArray, float | None]:
    """Apex of the surface along ``outward`` near ``seed``, with the RMS of its fit; the seed itself where no fit holds."""
    facing = region & (surface.normals @ outward > 0.5)
    points, areas = surface.vertices[facing], surface.areas[facing]
    place = seed
    apex: tuple[FloatArray, float] | None = None
    # twice: an outlier of the noise may lie off the apex, and the fit should be centred on what it finds
    for _ in range(2):
        apex = local_apex(points, areas, place, outward, radius_mm=radius_mm)
        if apex is None or float(np.linalg.norm(apex[0] - seed)) > radius_mm:
            return seed, None
        place = apex[0]
    return seed if apex is None else apex[0], None if apex is None else apex[1]


def extreme(
    surface: BoneSurface, region: BoolArray, outward: FloatArray, *, radius_mm: float = 6.0
) -> tuple[FloatArray, float | None] | None:
    """Most extreme point of a region along ``outward``; None for an empty region."""
    index = np.flatnonzero(region)
    if len(index) == 0:
        return None
    seed = surface.vertices[index[int(np.argmax(surface.vertices[index] @ outward))]]
    return refined_extreme(surface, region, seed, outward, radius_mm=radius_mm)


def bitangent(
    surface: BoneSurface,
    region: BoolArray,
    tangent: FloatArray,
    outward: FloatArray,
    *,
    across: float | None = None,
    radius_mm: float = 9.0,
) -> tuple[FloatArray, FloatArray, float | None] | None:
    """Contact points of the line that touches two bulges from outside, seen along ``tangent x outward``.

    Parameters
    ----------
    region
        Vertices that count.
    tangent, outward
        Orthogonal unit vectors: along the line (roughly) and away from the bone.
    across
        The contacts must lie on either side of this coordinate along ``tangent``.

    Returns
    -------
    tuple or None
        First and second contact (3,) along ``tangent`` and the larger RMS of their fits.
    """
    index = np.flatnonzero(region)
    if len(index) < 3:
        return None
    flat = np.column_stack([surface.vertices[index] @ tangent, surface.vertices[index] @ outward])
    pair = bridge(flat, np.array([0.0, 1.0]), across=across)
    if pair is None:
        return None
    seeds = (surface.vertices[index[pair[0]]], surface.vertices[index[pair[1]]])
    contacts = seeds
    residuals: list[float] = []
    for _ in range(3):
        run = float((contacts[1] - contacts[0]) @ tangent)
        rise = float((contacts[1] - contacts[0]) @ outward)
        normal = run * outward - rise * tangent
        length = float(np.linalg.norm(normal))
        if length < 1.0:
            return None  # both ends have run together: one bulge, no two
        normal /= length
        fits = [refined_extreme(surface, region, seed, normal, radius_mm=radius_mm) for seed in seeds]
        contacts = (fits[0][0], fits[1][0])
        residuals = [rms for _, rms in fits if rms is not None]
    return contacts[0], contacts[1], max(residuals, default=None)
