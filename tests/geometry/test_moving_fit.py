"""Calming takes off noise and leaves the shape; evening changes the mesh and not the surface; local fits find their points."""

from __future__ import annotations

import numpy as np
import pytest

from surgiplan_desktop.base.arrays import FloatArray
from surgiplan_desktop.geometry.even_mesh import evened
from surgiplan_desktop.geometry.local_fit import crest_point, fit_quadric, pass_point, peak_along
from surgiplan_desktop.geometry.moving_fit import calmed
from surgiplan_desktop.geometry.solid import ball
from surgiplan_desktop.model.mesh import Mesh

NOISE_MM = 0.3
UP, ACROSS = np.array([0.0, 0.0, 1.0]), np.array([1.0, 0.0, 0.0])


def sphere(radius: float, count: int) -> FloatArray:
    """Points spread evenly over a sphere (Fibonacci)."""
    number = np.arange(count) + 0.5
    height = 1.0 - 2.0 * number / count
    turn = np.pi * (1.0 + np.sqrt(5.0)) * number
    ring = np.sqrt(1.0 - height**2)
    return radius * np.column_stack([ring * np.cos(turn), ring * np.sin(turn), height])


@pytest.mark.parametrize("radius", [6.0, 24.0])
def test_calming_takes_noise_and_not_shape(radius: float) -> None:
    exact = sphere(radius, int(4.0 * np.pi * radius**2))
    ones, all_real = np.ones(len(exact)), np.ones(len(exact), dtype=bool)
    kept = calmed(exact, exact / radius, ones, all_real, 3.0)
    assert np.linalg.norm(kept, axis=1) == pytest.approx(radius, abs=0.06 if radius < 10.0 else 0.01)
    random = np.random.default_rng(3)
    noisy = exact + random.normal(0.0, NOISE_MM, exact.shape)
    calm = calmed(noisy, exact / radius, ones, all_real, 3.0)
    assert np.std(np.linalg.norm(calm, axis=1)) < 0.6 * NOISE_MM


def test_caps_stay_and_enter_nothing() -> None:
    exact = sphere(20.0, 3000)
    real = exact[:, 2] < 10.0
    moved = exact.copy()
    moved[~real] += [0.0, 0.0, 5.0]
    calm = calmed(moved, exact / 20.0, np.ones(len(exact)), real, 3.0)
    assert np.array_equal(calm[~real], moved[~real])
    assert np.linalg.norm(calm[real], axis=1) == pytest.approx(20.0, abs=0.05)


def radii(mesh: Mesh) -> FloatArray:
    return np.asarray(np.linalg.norm(mesh.vertices, axis=1))


def test_a_coarse_ball_is_divided_on_its_sphere() -> None:
    coarse = ball(np.zeros(3), 24.0, segments=32)
    even, cap = evened(coarse, np.zeros(len(coarse.vertices), dtype=bool))
    assert len(even.faces) >= 16 * len(coarse.faces)
    assert len(cap) == len(even.vertices)
    assert radii(even) == pytest.approx(24.0, abs=0.05)


def edge_lengths(mesh: Mesh) -> FloatArray:
    corners = mesh.vertices[mesh.faces]
    return np.asarray(np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=2))


def test_long_thin_triangles_alone_are_divided_and_the_surface_stays_closed() -> None:
    dense = ball(np.zeros(3), 12.0, segments=64)
    # a cigar: as fine round as the ball, ten times as long along its axis, so that no edge round it is too long
    cigar = Mesh(dense.vertices * [1.0, 1.0, 10.0], dense.faces)
    even, cap = evened(cigar, np.zeros(len(cigar.vertices), dtype=bool))
    assert edge_lengths(cigar).max() > 4.0
    assert edge_lengths(even).max() <= 2.5
    assert len(cap) == len(even.vertices) > len(cigar.vertices)
    sides = np.sort(np.concatenate([even.faces[:, [0, 1]], even.faces[:, [1, 2]], even.faces[:, [2, 0]]]), axis=1)
    assert (np.unique(sides, axis=0, return_counts=True)[1] == 2).all()
    first, second, third = (even.vertices[even.faces[:, corner]] for corner in range(3))
    volume = float(np.sum(np.cross(first, second) * third)) / 6.0
    assert volume == pytest.approx(4.0 / 3.0 * np.pi * 12.0**2 * 120.0, rel=0.01)


def test_a_fine_ball_is_decimated() -> None:
    fine = ball(np.zeros(3), 12.0, segments=160)
    even, cap = evened(fine, np.ones(len(fine.vertices), dtype=bool))
    assert len(even.faces) < 0.6 * len(fine.faces)
    assert cap.all()
    assert radii(even) == pytest.approx(12.0, abs=0.05)


def test_local_fits_find_peak_pass_and_crest() -> None:
    u, v = (item.ravel() for item in np.meshgrid(np.arange(-8.0, 8.1, 0.5), np.arange(-8.0, 8.1, 0.5)))
    ones = np.ones(len(u))

    def fitted(height: FloatArray, u0: float, v0: float):  # type: ignore[no-untyped-def]
        points = np.column_stack([u, v, height])
        return fit_quadric(points, ones, np.array([u0, v0, 0.0]), UP, ACROSS, (6.0, 5.0))

    peak = peak_along(fitted(-((u - 1.0) ** 2 + (v + 2.0) ** 2) / 40.0, 0.0, 0.0), 5.0)
    assert peak == pytest.approx([1.0, -2.0, 0.0], abs=1e-6)
    saddle = fitted(((u - 1.0) ** 2 - (v - 0.5) ** 2) / 30.0, 0.0, 0.0)
    assert pass_point(saddle, 5.0) == pytest.approx([1.0, 0.5, 0.0], abs=1e-6)
    assert peak_along(saddle, 5.0) is None
    crest = crest_point(fitted(0.1 * u - (v - 1.5) ** 2 / 20.0, 2.0, 0.0), 4.0)
    assert crest == pytest.approx([2.0, 1.5, 0.2], abs=1e-6)
    assert fit_quadric(np.zeros((3, 3)), np.ones(3), np.zeros(3), UP, ACROSS, (2.0, 2.0)) is None
