"""A plane of symmetry is found from a wrong guess; what has none says so by its gaps."""

from __future__ import annotations

import numpy as np
import pytest

from surgiplan_desktop.base.arrays import FloatArray
from surgiplan_desktop.base.spaces import rotation_about
from surgiplan_desktop.geometry.mirror import fit_mirror


def two_bulges(right_mm: float, right_height_mm: float) -> tuple[FloatArray, FloatArray]:
    """Two ellipsoids beside each other, 20 mm and ``right_mm`` thick, seen from outside: points and normals."""
    turns = np.pi * (3.0 - np.sqrt(5.0)) * np.arange(3000)
    z = np.linspace(-0.98, 0.98, 3000)
    ball = np.stack([np.sqrt(1.0 - z**2) * np.cos(turns), np.sqrt(1.0 - z**2) * np.sin(turns), z], axis=1)
    points, normals = [], []
    for place, half in ((-24.0, (14.0, 20.0, 25.0)), (24.0, (14.0, right_mm, right_height_mm))):
        points.append(ball * half + [place, 0.0, 0.0])
        slope = ball / half
        normals.append(slope / np.linalg.norm(slope, axis=1)[:, None])
    return np.concatenate(points), np.concatenate(normals)


def test_the_plane_of_a_symmetric_body_is_found() -> None:
    points, normals = two_bulges(20.0, 25.0)
    motion = rotation_about(np.array([5.0, 1.0, 0.0]), np.array([1.0, 2.0, 3.0]), 40.0)
    moved, facing = motion(points), motion.directions(normals)
    true = motion.directions(np.array([1.0, 0.0, 0.0]))
    guess = true + 0.06 * motion.directions(np.array([0.0, 1.0, 1.0]))
    start = motion(np.array([1.5, 4.0, -3.0]))
    found = fit_mirror(moved[::4], facing[::4], moved, facing, start, guess / np.linalg.norm(guess))
    assert abs(float(found.normal @ true)) > np.cos(np.radians(0.3))
    assert abs(float((found.point - motion(np.zeros(3))) @ true)) < 0.05
    assert found.share > 0.95
    assert float(np.quantile(found.gaps_mm, 0.8)) < 0.05


def test_unequal_halves_leave_gaps() -> None:
    points, normals = two_bulges(22.0, 23.0)
    found = fit_mirror(points[::4], normals[::4], points, normals, np.zeros(3), np.array([1.0, 0.0, 0.0]))
    assert float(np.quantile(found.gaps_mm, 0.8)) > 0.5


def test_nothing_to_meet_is_no_symmetry() -> None:
    points, normals = two_bulges(20.0, 25.0)
    found = fit_mirror(points[::4], normals[::4], points, -normals, np.zeros(3), np.array([1.0, 0.0, 0.0]))
    assert found.share == pytest.approx(0.0)
    assert len(found.gaps_mm) == 0
