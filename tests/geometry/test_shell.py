"""Bodies as distance fields: exact where it matters, rounded, closed, mirrored grids included."""

from __future__ import annotations

import numpy as np
import pytest

from surgiplan_desktop.base.errors import ComputationError
from surgiplan_desktop.geometry.shell import (
    body_of,
    filleted_either,
    grid_around,
    rounded_both,
    sample_distance,
    swept_along_last,
)
from surgiplan_desktop.geometry.solid import ball, is_solid, volume


@pytest.mark.parametrize("mirrored", [False, True])
def test_offset_of_a_ball_is_a_bigger_ball(mirrored: bool) -> None:
    axes = np.diag([-1.0 if mirrored else 1.0, 1.0, 1.0])
    grid = grid_around(np.full(3, -10.0), np.full(3, 10.0), axes, 0.5)
    field = sample_distance(ball(np.zeros(3), 6.0, 64), grid)
    body = body_of(field - np.float32(1.0), grid, name="ball")
    assert is_solid(body)
    radii = np.linalg.norm(body.vertices, axis=1)
    assert radii.mean() == pytest.approx(7.0, abs=0.03)
    assert volume(body) == pytest.approx(4 / 3 * np.pi * 7.0**3, rel=0.01)


def test_sweep_leaves_no_undercut_along_the_last_axis() -> None:
    grid = grid_around(np.array([-8.0, -8.0, -12.0]), np.array([8.0, 8.0, 8.0]), np.eye(3), 0.5)
    swept = swept_along_last(sample_distance(ball(np.zeros(3), 5.0), grid))
    assert (np.diff(swept, axis=2) >= 0).all()  # once out of the sweep, out of it for good
    centre = grid.shape[0] // 2
    assert (swept[centre, centre, :30] < 0).all()


def test_rounding_takes_from_an_edge_and_a_fillet_adds_to_a_corner() -> None:
    x = np.linspace(-3, 3, 61, dtype=np.float32)[:, None] * np.ones((1, 61), dtype=np.float32)
    y = x.T.copy()
    sharp, rounded = np.maximum(x, y), rounded_both(x, y, 1.0)
    assert (rounded >= sharp - 1e-6).all()
    assert rounded[30, 30] == pytest.approx(np.sqrt(2) - 1, abs=1e-5)
    both, filleted = np.minimum(x, y), filleted_either(x, y, 1.0)
    assert (filleted <= both + 1e-6).all()
    assert filleted[30, 30] == pytest.approx(1 - np.sqrt(2), abs=1e-5)


def test_empty_and_overflowing_fields_are_refused() -> None:
    grid = grid_around(np.zeros(3), np.full(3, 4.0), np.eye(3), 0.5)
    with pytest.raises(ComputationError, match="field_empty"):
        body_of(np.ones(grid.shape, dtype=np.float32), grid, name="nothing")
    with pytest.raises(ComputationError, match="field_leaves_grid"):
        body_of(-np.ones(grid.shape, dtype=np.float32), grid, name="all")
