"""Figures of meshes with known answers: concentric balls, boxes, open and turned surfaces; no dependence on triangulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
import trimesh

from surgiplan_desktop.model.mesh import Mesh
from surgiplan_desktop.validation.mesh_metrics import compare_meshes
from surgiplan_desktop.validation.weighted import WeightedDistances, surface_metrics


def ball(radius: float, subdivisions: int = 4) -> Mesh:
    shape = trimesh.creation.icosphere(subdivisions=subdivisions, radius=radius)
    return Mesh(shape.vertices, shape.faces)


def box(size: tuple[float, float, float], low: tuple[float, float, float] = (0, 0, 0)) -> Mesh:
    shape = trimesh.creation.box(size)
    return Mesh(shape.vertices + np.array(size) / 2 + np.array(low), shape.faces)


def test_concentric_balls() -> None:
    found = compare_meshes(ball(20.75), ball(20.0))
    np.testing.assert_allclose([found.surface.assd_mm, found.surface.hd95_mm, found.surface.hd_mm], 0.75, atol=0.01)
    assert (found.surface.nsd_1mm, found.surface.nsd_half_mm) == (1, 0)
    assert found.dice == pytest.approx(2 * 20**3 / (20**3 + 20.75**3), abs=1e-3)
    assert found.volume_mm3[1] == pytest.approx(4 / 3 * math.pi * 20**3, rel=5e-3)
    assert (found.solid, found.inside_out) == ((True, True), (False, False))


def test_boxes_that_share_half() -> None:
    found = compare_meshes(box((10, 20, 30)), box((10, 20, 30), (0, 0, 15)))
    assert found.dice == pytest.approx(0.5)
    # half of each side lies on the other's; of the rest and the ends the far end is 15 mm away at most
    assert found.surface.hd_mm == pytest.approx(15.0, abs=0.2)
    inner_end, within = 200.0, 900.0
    tolerated = within + 60 * 1.0 + 2 * (10 + 20 - 2) * 1.0
    assert found.surface.nsd_1mm == pytest.approx(tolerated / (1800 + 2 * inner_end), abs=0.01)


def test_a_mesh_turned_inside_out_is_turned_back() -> None:
    body = ball(15.0)
    found = compare_meshes(Mesh(body.vertices, body.faces[:, ::-1]), body)
    assert found.inside_out == (True, False)
    assert found.dice == pytest.approx(1.0)
    assert found.volume_mm3[0] == pytest.approx(found.volume_mm3[1])


def test_an_open_mesh_has_a_surface_and_no_volume() -> None:
    body = ball(15.0)
    found = compare_meshes(Mesh(body.vertices, body.faces[1:]), body)
    assert found.solid == (False, True)
    assert math.isnan(found.dice)
    assert math.isnan(found.volume_mm3[0])
    assert found.surface.hd95_mm < 1e-6
    assert found.surface.nsd_half_mm == 1


def test_bodies_apart_and_bodies_far_from_the_origin() -> None:
    found = compare_meshes(box((10, 10, 10)), box((10, 10, 10), (40, 0, 0)))
    assert found.dice == 0
    assert found.surface.nsd_1mm == 0
    far = compare_meshes(box((10, 10, 10), (9e3, 9e3, 9e3)), box((10, 10, 12), (9e3, 9e3, 9e3)))
    assert far.dice == pytest.approx(20 / 22, abs=1e-6)


def test_sums_of_weighted_distances() -> None:
    there = WeightedDistances(np.array([3.0, 0.0, 1.0]), np.array([1.0, 17.0, 2.0]))
    back = WeightedDistances(np.array([0.0, 0.4]), np.array([5.0, 5.0]))
    found = surface_metrics(there, back)
    assert found.asd_mm == pytest.approx((0.25, 0.2))
    assert found.assd_mm == pytest.approx((3 + 2 + 2) / 30)
    # 95 % of 20 mm2 are reached with the 19 mm2 up to 1 mm
    assert (found.hd95_mm, found.hd_mm) == (1.0, 3.0)
    assert (found.nsd_1mm, found.nsd_half_mm) == pytest.approx((29 / 30, 27 / 30))
    none = WeightedDistances(np.zeros(0), np.zeros(0))
    assert math.isnan(surface_metrics(none, none).assd_mm)
    one = surface_metrics(WeightedDistances(np.array([np.inf]), np.ones(1)), none)
    assert (one.assd_mm, one.hd95_mm, one.nsd_1mm) == (math.inf, math.inf, 0.0)
