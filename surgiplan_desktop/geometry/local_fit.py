"""Points of a smooth surface that have a definition (peak, pass, crest), from a quadratic fitted where they are thought to be."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from surgiplan_desktop.base.arrays import BoolArray, FloatArray

_FEWEST: Final = 12
#: A surface flatter than this (1/mm) has no peak and no crest.
_FLAT: Final = 1.0 / 250.0


class Quadric(NamedTuple):
    """Height over a plane through ``origin``: ``h = c0 + c1 u + c2 v + c3 u2 + c4 uv + c5 v2``; RMS of the fit, mm."""

    origin: FloatArray
    first: FloatArray
    second: FloatArray
    outward: FloatArray
    coefficients: FloatArray
    rms: float
    n_points: int

    def at(self, u: float, v: float) -> FloatArray:
        """Point of the quadratic, shape (3,)."""
        height = float(np.array([1.0, u, v, u * u, u * v, v * v]) @ self.coefficients)
        point: FloatArray = self.origin + u * self.first + v * self.second + height * self.outward
        return point

    @property
    def hessian(self) -> FloatArray:
        """Second derivatives of the height, shape (2, 2), 1/mm."""
        _, _, _, uu, uv, vv = self.coefficients
        return np.array([[2.0 * uu, uv], [uv, 2.0 * vv]])


def fit_quadric(
    points: FloatArray,
    weights: FloatArray,
    origin: FloatArray,
    outward: FloatArray,
    first: FloatArray,
    half: tuple[float, float],
) -> Quadric | None:
    """Fit a quadratic to the surface around ``origin``, seen along ``outward``.

    Parameters
    ----------
    points, weights
        Surface points (n, 3) that face ``outward``, mm, and their areas.
    outward, first
        Orthogonal unit vectors.
    half
        Half axes (mm) of the ellipse around the origin, along ``first`` and across it; points near its rim count less.

    Returns
    -------
    Quadric or None
        None with too few points or when they do not determine a quadratic.
    """
    second = np.cross(outward, first)
    local = points - origin
    u, v, h = local @ first, local @ second, local @ outward
    share = (u / half[0]) ** 2 + (v / half[1]) ** 2
    near: BoolArray = (share < 1.0) & (np.abs(h) < 2.0 * max(half))
    if np.count_nonzero(near) < _FEWEST:
        return None
    u, v, h = u[near], v[near], h[near]
    weight = weights[near] * (1.0 - share[near])
    design = np.column_stack([np.ones_like(u), u, v, u * u, u * v, v * v])
    root = np.sqrt(weight)
    coefficients, _, rank, _ = np.linalg.lstsq(design * root[:, None], h * root, rcond=1e-9)
    if rank < 6:
        return None
    residual = design @ coefficients - h
    rms = float(np.sqrt(weight @ residual**2 / weight.sum()))
    return Quadric(origin, first, second, outward, np.asarray(coefficients, dtype=np.float64), rms, len(u))


def peak_along(quadric: Quadric, reach: float) -> FloatArray | None:
    """Point of the quadratic highest along its ``outward``; None when it has no peak within ``reach`` mm."""
    if float(np.linalg.eigvalsh(quadric.hessian)[1]) > -_FLAT:
        return None
    return _stationary(quadric, reach)


def pass_point(quadric: Quadric, reach: float) -> FloatArray | None:
    """Saddle that is a valley along ``first`` and a crest along ``second``; None when there is none within ``reach`` mm."""
    hessian = quadric.hessian
    if hessian[0, 0] < _FLAT or hessian[1, 1] > -_FLAT:
        return None
    return _stationary(quadric, reach)


def crest_point(quadric: Quadric, reach: float) -> FloatArray | None:
    """Highest point of the profile along ``second`` through the origin (u = 0); None when the profile has no crest."""
    _, _, slope, _, _, bend = quadric.coefficients
    if 2.0 * bend > -_FLAT:
        return None
    v = -float(slope) / (2.0 * float(bend))
    return None if abs(v) > reach else quadric.at(0.0, v)


def _stationary(quadric: Quadric, reach: float) -> FloatArray | None:
    step = -np.linalg.solve(quadric.hessian, quadric.coefficients[1:3])
    return None if float(np.linalg.norm(step)) > reach else quadric.at(float(step[0]), float(step[1]))
