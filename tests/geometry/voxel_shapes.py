"""Simulated scans of shapes with a formula: partial volume, blur and noise as a scanner makes them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import ndimage

from surgiplan_desktop.base.spaces import Affine
from surgiplan_desktop.model.images import LabelMap, Volume

SOFT_HU, CORTEX_HU, MARROW_HU = 40.0, 1200.0, 20.0
Inside = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


def affine_of(spacing_kji: tuple[float, float, float]) -> Affine:
    """Axial slices: k up, j posterior, i left; voxel (0, 0, 0) at the origin."""
    k, j, i = spacing_kji
    return Affine(np.array([[0.0, 0.0, i, 0.0], [0.0, j, 0.0, 0.0], [k, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0]]))


def share(inside: Inside, size_mm: tuple[float, float, float], spacing: tuple[float, float, float], fine: int = 3) -> np.ndarray:
    """Share of each voxel that lies inside ``inside(z, y, x)``, by sub-sampling."""
    shape = tuple(int(np.ceil(length / step)) for length, step in zip(size_mm, spacing, strict=True))
    total = np.zeros(shape, dtype=np.float32)
    k, j, i = np.ogrid[: shape[0], : shape[1], : shape[2]]
    offsets = (np.arange(fine) + 0.5) / fine - 0.5
    for a in offsets:
        for b in offsets:
            for c in offsets:
                total += inside((k + a) * spacing[0], (j + b) * spacing[1], (i + c) * spacing[2])
    return total / fine**3


def scanned(hu: np.ndarray, spacing: tuple[float, float, float], *, noise_hu: float = 15.0, blur_mm: float = 0.5) -> Volume:
    """Blur, add noise (seeded) and round."""
    soft = ndimage.gaussian_filter(hu, blur_mm / np.array(spacing))
    soft = soft + np.random.default_rng(0).normal(0.0, noise_hu, hu.shape)
    return Volume(np.rint(soft).astype(np.int16), affine_of(spacing))


def labelled(mask: np.ndarray, code: int, spacing: tuple[float, float, float]) -> LabelMap:
    """Label map of one code."""
    return LabelMap((mask * code).astype(np.uint16), affine_of(spacing))


def ball(centre: tuple[float, float, float], radius: float) -> Inside:
    """Ball at (x, y, z)."""
    x0, y0, z0 = centre
    return lambda z, y, x: (x - x0) ** 2 + (y - y0) ** 2 + (z - z0) ** 2 < radius**2


def tube(centre: tuple[float, float], radius: float, low: float = -np.inf, high: float = np.inf) -> Inside:
    """Upright cylinder at (x, y) from ``low`` to ``high``."""
    x0, y0 = centre
    return lambda z, y, x: ((x - x0) ** 2 + (y - y0) ** 2 < radius**2) & (z > low) & (z < high)
