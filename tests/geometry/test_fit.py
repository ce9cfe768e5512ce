"""Fits on exact, noisy and polluted points."""

from __future__ import annotations

import numpy as np
import pytest

from surgiplan_desktop.geometry.fit import (
    fit_ellipse,
    fit_line,
    fit_plane_robust,
    fit_sphere,
    local_apex,
    ransac_sphere,
)

RANDOM = np.random.default_rng(4)


def cap(centre: np.ndarray, radius: float, height: float, count: int = 2000) -> tuple[np.ndarray, np.ndarray]:
    """Points and normals of the part of a sphere above ``height`` (share of the radius)."""
    normals = np.random.default_rng(1).normal(size=(count, 3))
    normals /= np.linalg.norm(normals, axis=1)[:, None]
    normals = normals[normals[:, 2] > height]
    return centre + radius * normals, normals


def test_sphere_from_a_third_of_it_is_exact() -> None:
    centre = np.array([500.0, -300.0, 1200.0])
    points, _ = cap(centre, 24.0, 0.3)
    sphere = fit_sphere(points)
    assert sphere.centre == pytest.approx(centre, abs=1e-6)
    assert sphere.radius == pytest.approx(24.0, abs=1e-6)
    assert sphere.rms < 1e-6


def test_sphere_of_flat_points_is_refused() -> None:
    with pytest.raises(ValueError, match="plane"):
        fit_sphere(np.column_stack([RANDOM.normal(size=(20, 2)), np.zeros(20)]))


def test_sphere_weights_are_areas() -> None:
    points, _ = cap(np.zeros(3), 20.0, -1.0)
    doubled = np.concatenate([points, points[:400]])
    weights = np.ones(len(doubled))
    weights[:400] = weights[-400:] = 0.5
    assert fit_sphere(doubled, weights).centre == pytest.approx(fit_sphere(points).centre, abs=1e-9)


def test_ransac_finds_the_sphere_among_other_surface() -> None:
    centre = np.array([10.0, 5.0, -7.0])
    points, normals = cap(centre, 23.0, -0.2)
    clutter = RANDOM.uniform(-60.0, 60.0, (len(points), 3))
    directions = RANDOM.normal(size=clutter.shape)
    directions /= np.linalg.norm(directions, axis=1)[:, None]
    sphere = ransac_sphere(np.concatenate([points, clutter]), np.concatenate([normals, directions]), radius_range=(18.0, 30.0))
    assert sphere is not None
    assert np.linalg.norm(sphere.centre - centre) < 0.2


def test_line_leaves_outliers_out() -> None:
    along = np.linspace(0.0, 200.0, 60)
    points = np.column_stack([0.1 * along, np.zeros(60), along]) + RANDOM.normal(0.0, 0.05, (60, 3))
    points[:6] += np.array([15.0, 0.0, 0.0])
    line = fit_line(points)
    direction = np.array([0.1, 0.0, 1.0]) / np.linalg.norm([0.1, 0.0, 1.0])
    assert abs(float(line.direction @ direction)) > np.cos(np.radians(0.1))


def test_robust_plane_takes_the_dense_layer() -> None:
    flat = np.column_stack([RANDOM.uniform(-30.0, 30.0, (800, 2)), np.zeros(800)])
    ridge = np.column_stack([RANDOM.uniform(-5.0, 5.0, (300, 2)), RANDOM.uniform(3.5, 12.0, 300)])
    points = np.concatenate([flat, ridge])
    plane = fit_plane_robust(points, np.ones(len(points)), np.array([0.0, 0.1, 1.0]), band_mm=2.0)
    assert plane.normal == pytest.approx([0.0, 0.0, 1.0], abs=2e-3)
    assert np.count_nonzero(plane.inliers) == 800


def test_ellipse() -> None:
    t = np.linspace(0.0, 5.0, 80)
    turn = np.array([[0.8, -0.6], [0.6, 0.8]])
    ellipse = fit_ellipse(np.column_stack([38.0 * np.cos(t), 24.0 * np.sin(t)]) @ turn.T + np.array([100.0, -40.0]))
    assert ellipse.centre == pytest.approx([100.0, -40.0], abs=1e-6)
    assert ellipse.semi_axes == pytest.approx((38.0, 24.0), abs=1e-6)
    assert abs(float(ellipse.major @ turn[:, 0])) == pytest.approx(1.0, abs=1e-9)


def test_local_apex_undoes_the_noise_of_the_extreme_vertex() -> None:
    points, _ = cap(np.zeros(3), 22.0, 0.0, count=20000)
    noisy = points + RANDOM.normal(0.0, 0.3, points.shape)
    seed = noisy[int(np.argmax(noisy[:, 2]))]
    found = local_apex(noisy, np.ones(len(noisy)), seed, np.array([0.0, 0.0, 1.0]), radius_mm=9.0)
    assert found is not None
    assert found[0][2] == pytest.approx(22.0, abs=0.12)
    assert seed[2] > 22.4


def test_local_apex_refuses_a_hollow() -> None:
    points, _ = cap(np.zeros(3), 22.0, 0.0)
    assert (
        local_apex(-points, np.ones(len(points)), np.array([0.0, 0.0, -22.0]), np.array([0.0, 0.0, 1.0]), radius_mm=6.0) is None
    )
