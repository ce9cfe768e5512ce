"""Correlated random texture fixed in space: the same point has the same value on every lattice.

Values come from periodic tiles of noise made once per seed. Several tiles with different periods, read along turned axes, keep
the repetition from being seen.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from surgiplan_desktop.base.arrays import AnyArray, FloatArray

_SIZE = 64


@dataclass(frozen=True, slots=True, eq=False)
class Texture:
    """Zero mean, unit deviation; ``step_mm`` along the three axes of the tile, ``axes`` turns LPS into them."""

    tile: NDArray[np.float32]
    step_mm: FloatArray
    axes: FloatArray

    def __call__(self, points: AnyArray) -> NDArray[np.float32]:
        """Values at LPS points of shape (n, 3), linear between the nodes of the tile."""
        index = (points @ self.axes.T.astype(points.dtype)) / self.step_mm.astype(points.dtype)
        base = np.floor(index).astype(np.int32)
        part = (index - base).astype(np.float32)
        base &= _SIZE - 1
        following = (base + 1) & (_SIZE - 1)
        flat = self.tile.ravel()
        rows = [(base[:, 0] * _SIZE, 1.0 - part[:, 0]), (following[:, 0] * _SIZE, part[:, 0])]
        result = np.zeros(len(points), dtype=np.float32)
        for row, row_weight in rows:
            for column, column_weight in ((base[:, 1], 1.0 - part[:, 1]), (following[:, 1], part[:, 1])):
                start = (row + column) * _SIZE
                weight = row_weight * column_weight
                result += weight * (flat[start + base[:, 2]] * (1.0 - part[:, 2]) + flat[start + following[:, 2]] * part[:, 2])
        return result


def texture(seed: int, purpose: int, step_mm: tuple[float, float, float], smooth: float, turn_deg: float = 0.0) -> Texture:
    """Make a texture.

    Parameters
    ----------
    seed, purpose
        Name the random numbers; another purpose of the same seed is independent of it.
    step_mm
        Of the tile along the turned x, y and z; its correlation length is about 1.5 times ``smooth`` of these steps.
    smooth
        Standard deviation of the Gaussian that correlates the noise, in steps.
    turn_deg
        Turn of the tile about the long axis of the body.
    """
    noise = np.random.default_rng([seed, purpose, 20260102]).standard_normal((_SIZE,) * 3, dtype=np.float32)
    ndimage.gaussian_filter(noise, smooth, output=noise, mode="wrap")
    noise -= noise.mean()
    noise /= noise.std()
    angle = np.radians(turn_deg)
    axes = np.array([[np.cos(angle), np.sin(angle), 0.0], [-np.sin(angle), np.cos(angle), 0.0], [0.0, 0.0, 1.0]])
    return Texture(noise, np.asarray(step_mm), axes)
