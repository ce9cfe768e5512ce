"""Surface distances: known answers, both directions, area weights, common field of view."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh

from surgiplan_desktop.base.spaces import Plane
from surgiplan_desktop.model.anatomy import BoneId, BoneName, Side
from surgiplan_desktop.model.mesh import Bone, BonePart, Mesh
from surgiplan_desktop.validation.surface_distance import area_samples, bone_distance, surface_distance


def ball(radius: float) -> Mesh:
    shape = trimesh.creation.icosphere(subdivisions=5, radius=radius)
    return Mesh(shape.vertices, shape.faces)


def box(size: tuple[float, float, float], low: tuple[float, float, float] = (0, 0, 0)) -> Mesh:
    shape = trimesh.creation.box(size)
    return Mesh(shape.vertices + np.array(size) / 2 + np.array(low), shape.faces)


def test_concentric_balls_are_their_radii_apart_both_ways() -> None:
    found = surface_distance(ball(20.0), ball(21.0), count=3000)
    for way in (found.there, found.back):
        assert way.median_mm == pytest.approx(1.0, abs=0.01)
        assert way.p95_mm == pytest.approx(1.0, abs=0.01)
    assert found.assd_mm == pytest.approx(1.0, abs=0.01)
    assert found.hd95_mm == max(found.there.p95_mm, found.back.p95_mm)


def test_doubling_the_size_doubles_the_distance() -> None:
    one, two = surface_distance(ball(20.0), ball(21.0), count=2000), surface_distance(ball(40.0), ball(42.0), count=2000)
    assert two.there.median_mm == pytest.approx(2.0 * one.there.median_mm, rel=1e-3)


def test_points_are_spread_by_area_whatever_the_triangles() -> None:
    coarse = box((10.0, 10.0, 40.0))
    fine = trimesh.Trimesh(coarse.vertices, coarse.faces).subdivide(np.arange(4))
    points = area_samples(Mesh(fine.vertices, fine.faces), 9000)
    side = (points[:, 2] > 0.01) & (points[:, 2] < 39.99)
    assert side.mean() == pytest.approx(1600.0 / 1800.0, abs=0.01)
    assert points[side, 2].mean() == pytest.approx(20.0, abs=0.3)
    assert np.array_equal(points, area_samples(Mesh(fine.vertices, fine.faces), 9000))


def test_what_lies_outside_the_common_field_of_view_is_left_out() -> None:
    short, long = box((10.0, 10.0, 30.0)), box((10.0, 10.0, 60.0))
    assert surface_distance(short, long, count=4000).back.max_mm > 20.0
    high = np.array([100.0, 100.0, 29.5])
    within = surface_distance(short, long, low_lps=np.full(3, -100.0), high_lps=high, count=4000)
    assert within.back.max_mm < 1e-6
    with pytest.raises(ValueError, match="field of view"):
        surface_distance(short, long, low_lps=np.full(3, 200.0))


def test_caps_of_a_bone_are_no_surface() -> None:
    mesh = box((10.0, 10.0, 30.0))
    cap = Plane(np.array([0.0, 0.0, 30.0]), np.array([0.0, 0.0, 1.0]))
    part = BonePart(0, mesh, (cap,), mesh.vertices[:, 2] > 29.9)
    found = bone_distance(Bone(BoneId(Side.LEFT, BoneName.TIBIA), (part,)), box((10.0, 10.0, 60.0)))
    assert found.there.max_mm < 1e-6
