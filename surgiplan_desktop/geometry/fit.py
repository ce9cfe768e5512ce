"""Least-squares and robust fits of spheres, lines, planes, ellipses and local apices to points, weighted by area.

Weights are surface areas, so that a fit does not depend on how finely a surface is triangulated.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import numpy as np

from surgiplan_desktop.base.arrays import BoolArray, FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Sphere:
    """A sphere with the weighted root mean square of its residuals (mm) and the number of points that entered."""

    centre: FloatArray
    radius: float
    rms: float
    n_points: int


@dataclass(frozen=True, slots=True, eq=False)
class FittedLine:
    """A line through ``point`` along the unit ``direction``; RMS distance of the points that entered, mm."""

    point: FloatArray
    direction: FloatArray
    rms: float
    n_points: int


@dataclass(frozen=True, slots=True, eq=False)
class FittedPlane:
    """A plane through the weighted centroid ``point`` with unit ``normal``; ``inliers`` marks the points that entered."""

    point: FloatArray
    normal: FloatArray
    rms: float
    inliers: BoolArray


@dataclass(frozen=True, slots=True, eq=False)
class Ellipse:
    """An ellipse in the plane: centre (2,), semi-axes (major, minor) in mm, unit direction of the major axis (2,)."""

    centre: FloatArray
    semi_axes: tuple[float, float]
    major: FloatArray


def fit_sphere(points: FloatArray, weights: FloatArray | None = None, *, iterations: int = 20) -> Sphere:
    """Geometric least-squares sphere (algebraic start, then Gauss-Newton on distances).

    Parameters
    ----------
    points
        Shape (n, 3), n >= 4, mm.
    weights
        Shape (n,), or None for equal weights.

    Raises
    ------
    ValueError
        When fewer than four points are given or they lie in one plane.
    """
    if len(points) < 4:
        raise ValueError("a sphere needs at least four points")
    weights = np.ones(len(points)) if weights is None else weights
    total = float(weights.sum())
    origin = weights @ points / total
    local = points - origin
    system = np.column_stack([2.0 * local, np.ones(len(local))])
    root = np.sqrt(weights)
    solution, _, rank, _ = np.linalg.lstsq(system * root[:, None], np.einsum("ij,ij->i", local, local) * root, rcond=1e-9)
    if rank < 4:
        raise ValueError("the points lie in one plane")
    centre = solution[:3]
    radius = sqrt(max(solution[3] + float(centre @ centre), 1e-12))
    for _ in range(iterations):
        offset = local - centre
        distance = np.linalg.norm(offset, axis=1)
        jacobian = np.column_stack([-offset / np.maximum(distance, 1e-9)[:, None], -np.ones(len(local))])
        normal_matrix = (jacobian * weights[:, None]).T @ jacobian
        step = np.linalg.solve(normal_matrix + 1e-12 * np.eye(4) * total, -(jacobian * weights[:, None]).T @ (distance - radius))
        centre = centre + step[:3]
        radius = radius + step[3]
        if float(np.abs(step).max()) < 1e-9:
            break
    residual = np.linalg.norm(local - centre, axis=1) - radius
    return Sphere(centre + origin, float(radius), sqrt(float(weights @ residual**2) / total), len(points))


def ransac_sphere(
    points: FloatArray,
    normals: FloatArray,
    *,
    radius_range: tuple[float, float],
    tolerance_mm: float = 1.0,
    samples: int = 600,
    seed: int = 20021,
) -> Sphere | None:
    """Find the sphere that most points lie on, from random pairs of points with outward normals.

    Two points with normals give a centre (the nearest point of the two normal lines) and a radius, so that few samples are
    enough. Deterministic for a given ``seed``. Returns None when no pair gives a radius in range.
    """
    random = np.random.default_rng(seed)
    first, second = random.integers(0, len(points), (2, samples))
    p, q, n, m = points[first], points[second], normals[first], normals[second]
    gap = q - p
    nm = np.einsum("ij,ij->i", n, m)
    scale = 1.0 - nm**2
    usable = scale > 0.03
    # lines p - t n and q - s m, nearest points
    gn, gm = np.einsum("ij,ij->i", gap, n), np.einsum("ij,ij->i", gap, m)
    safe = np.where(usable, scale, 1.0)
    t = -(gn - gm * nm) / safe
    s = (gm - gn * nm) / safe
    centres = 0.5 * (p - t[:, None] * n + q - s[:, None] * m)
    radii = 0.5 * (t + s)
    usable &= (np.abs(t - s) < 0.15 * np.abs(radii)) & (radii > radius_range[0]) & (radii < radius_range[1])
    best: tuple[int, int] | None = None
    for index in np.flatnonzero(usable):
        offset = points - centres[index]
        distance = np.linalg.norm(offset, axis=1)
        radial = np.einsum("ij,ij->i", offset, normals) > 0.95 * distance
        votes = int(np.count_nonzero(radial & (np.abs(distance - radii[index]) < 2.0 * tolerance_mm)))
        if best is None or votes > best[0]:
            best = (votes, int(index))
    if best is None:
        return None
    centre, radius = centres[best[1]], float(radii[best[1]])
    for _ in range(10):
        offset = points - centre
        distance = np.linalg.norm(offset, axis=1)
        near = (np.abs(distance - radius) < 2.0 * tolerance_mm) & (np.einsum("ij,ij->i", offset, normals) > 0.9 * distance)
        if np.count_nonzero(near) < 10:
            return None
        sphere = fit_sphere(points[near])
        moved = float(np.linalg.norm(sphere.centre - centre))
        centre, radius = sphere.centre, sphere.radius
        if moved < 1e-3:
            break
    return sphere


def fit_line(points: FloatArray, *, rejections: int = 3, factor: float = 3.0, floor_mm: float = 0.5) -> FittedLine:
    """Robust line through points of shape (n, 3): points beyond ``factor`` times the median distance are left out."""
    if len(points) < 2:
        raise ValueError("a line needs at least two points")
    keep = np.ones(len(points), dtype=np.bool_)
    for _ in range(rejections + 1):
        centre = points[keep].mean(axis=0)
        direction = np.linalg.svd(points[keep] - centre, full_matrices=False)[2][0]
        offset = points - centre
        distance = np.linalg.norm(offset - np.outer(offset @ direction, direction), axis=1)
        next_keep = distance <= max(factor * float(np.median(distance[keep])), floor_mm)
        if np.count_nonzero(next_keep) < max(2, len(points) // 2) or np.array_equal(next_keep, keep):
            break
        keep = next_keep
    rms = sqrt(float(np.mean(distance[keep] ** 2)))
    return FittedLine(centre, direction, rms, int(np.count_nonzero(keep)))


def fit_plane(points: FloatArray, weights: FloatArray | None = None) -> FittedPlane:
    """Weighted least-squares plane through points of shape (n, 3), n >= 3; the sign of the normal is arbitrary."""
    if len(points) < 3:
        raise ValueError("a plane needs at least three points")
    weights = np.ones(len(points)) if weights is None else weights
    total = float(weights.sum())
    centre = weights @ points / total
    local = points - centre
    values, vectors = np.linalg.eigh((local * weights[:, None]).T @ local / total)
    return FittedPlane(centre, vectors[:, 0], sqrt(max(float(values[0]), 0.0)), np.ones(len(points), dtype=np.bool_))


def fit_plane_robust(
    points: FloatArray, weights: FloatArray, normal: FloatArray, *, band_mm: float, iterations: int = 15
) -> FittedPlane:
    """Plane through the densest layer of points: start at the best level along ``normal``, refit within +-``band_mm``.

    The returned normal points to the side of ``normal``.
    """
    height = points @ normal
    order = np.argsort(height, kind="stable")
    running = np.concatenate([[0.0], np.cumsum(weights[order])])
    upper = np.searchsorted(height[order], height[order] + 2.0 * band_mm, side="right")
    start = int(np.argmax(running[upper] - running[:-1]))
    inliers = np.abs(height - height[order][start] - band_mm) <= band_mm
    for _ in range(iterations):
        plane = fit_plane(points[inliers], weights[inliers])
        towards = plane.normal if float(plane.normal @ normal) > 0 else -plane.normal
        next_inliers = np.abs((points - plane.point) @ towards) <= band_mm
        if np.count_nonzero(next_inliers) < 10 or np.array_equal(next_inliers, inliers):
            break
        inliers = next_inliers
    return FittedPlane(plane.point, towards, plane.rms, inliers)


def fit_ellipse(points: FloatArray) -> Ellipse:
    """Direct least-squares ellipse through points of shape (n, 2), n >= 5 (Fitzgibbon's constraint, Halir's numerics).

    Raises
    ------
    ValueError
        When the points do not determine an ellipse.
    """
    if len(points) < 5:
        raise ValueError("an ellipse needs at least five points")
    origin = points.mean(axis=0)
    scale = float(np.abs(points - origin).max())
    x, y = ((points - origin) / scale).T
    quadratic = np.column_stack([x * x, x * y, y * y])
    linear = np.column_stack([x, y, np.ones_like(x)])
    mixed = quadratic.T @ linear
    to_linear = -np.linalg.solve(linear.T @ linear, mixed.T)
    reduced = quadratic.T @ quadratic + mixed @ to_linear
    reduced = np.array([reduced[2] / 2.0, -reduced[1], reduced[0] / 2.0])
    _, vectors = np.linalg.eig(reduced)
    vectors = np.real(vectors)
    condition = 4.0 * vectors[0] * vectors[2] - vectors[1] ** 2
    if not (condition > 0).any():
        raise ValueError("the points do not determine an ellipse")
    a, b, c = vectors[:, int(np.argmax(condition))]
    d, e, f = to_linear @ np.array([a, b, c])
    matrix = np.array([[a, b / 2.0], [b / 2.0, c]])
    centre = np.linalg.solve(-2.0 * matrix, np.array([d, e]))
    constant = f + 0.5 * float(np.array([d, e]) @ centre)
    values, axes = np.linalg.eigh(matrix)
    squared = -constant / values
    if not (squared > 0).all():
        raise ValueError("the points do not determine an ellipse")
    lengths = np.sqrt(squared) * scale
    major = int(np.argmax(lengths))
    return Ellipse(centre * scale + origin, (float(lengths[major]), float(lengths[1 - major])), axes[:, major])


def local_apex(
    points: FloatArray, weights: FloatArray, seed: FloatArray, outward: FloatArray, *, radius_mm: float
) -> tuple[FloatArray, float] | None:
    """Extreme point of a smooth surface along ``outward``, from a quadratic fitted around ``seed``.

    The single most extreme vertex of a noisy surface lies outside of it; the apex of a local fit does not.

    Parameters
    ----------
    points, weights
        Surface points (n, 3) near the seed and their areas.
    seed
        The extreme vertex, shape (3,).
    outward
        Unit direction.
    radius_mm
        Points within this distance of the seed enter.

    Returns
    -------
    tuple or None
        Apex (3,) and RMS residual in mm, or None when there are too few points or the surface is not convex there.
    """
    near = np.einsum("ij,ij->i", points - seed, points - seed) <= radius_mm**2
    if np.count_nonzero(near) < 12:
        return None
    helper = np.eye(3)[int(np.argmin(np.abs(outward)))]
    first = np.cross(outward, helper)
    first /= np.linalg.norm(first)
    second = np.cross(outward, first)
    local = points[near] - seed
    u, v, h = local @ first, local @ second, local @ outward
    system = np.column_stack([np.ones_like(u), u, v, u * u, u * v, v * v])
    root = np.sqrt(weights[near])
    coefficients, _, rank, _ = np.linalg.lstsq(system * root[:, None], h * root, rcond=1e-9)
    if rank < 6:
        return None
    rms = sqrt(float(weights[near] @ (system @ coefficients - h) ** 2) / float(weights[near].sum()))
    gradient = coefficients[1:3]
    hessian = np.array([[2.0 * coefficients[3], coefficients[4]], [coefficients[4], 2.0 * coefficients[5]]])
    values, vectors = np.linalg.eigh(hessian)
    step = np.zeros(2)
    for value, vector in zip(values, vectors.T, strict=True):
        # flat directions (radius over 150 mm) say nothing about where the apex is: stay at the seed along them
        if value < -1.0 / 150.0:
            step -= vector * float(vector @ gradient) / value
    if values[0] >= -1.0 / 150.0 or float(np.linalg.norm(step)) > radius_mm:
        return None
    height = float(np.array([1.0, step[0], step[1], step[0] ** 2, step[0] * step[1], step[1] ** 2]) @ coefficients)
    return seed + step[0] * first + step[1] * second + height * outward, rms
