"""Planar sections and bitangents."""

from __future__ import annotations

import numpy as np
import pytest

from surgiplan_desktop.base.spaces import Plane
from surgiplan_desktop.geometry.section import bridge, section


def box(low: tuple[float, float, float], high: tuple[float, float, float]) -> tuple[np.ndarray, np.ndarray]:
    corners = np.array(
        [[(low, high)[i][0], (low, high)[j][1], (low, high)[k][2]] for i in (0, 1) for j in (0, 1) for k in (0, 1)]
    )
    quads = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    faces = [tri for a, b, c, d in quads for tri in ((a, b, c), (a, c, d))]
    return corners.astype(float), np.array(faces, dtype=np.int32)


def test_area_and_centroid_of_a_box() -> None:
    vertices, faces = box((0.0, 0.0, 0.0), (10.0, 20.0, 30.0))
    (outline,) = section(vertices, faces, Plane(np.array([0.0, 0.0, 12.0]), np.array([0.0, 0.0, 1.0])))
    assert outline.area_mm2 == pytest.approx(200.0)
    assert outline.centroid == pytest.approx([5.0, 10.0, 12.0])


def test_area_does_not_depend_on_the_sign_of_the_normal() -> None:
    vertices, faces = box((0.0, 0.0, 0.0), (10.0, 20.0, 30.0))
    (outline,) = section(vertices, faces, Plane(np.array([0.0, 0.0, 12.0]), np.array([0.0, 0.0, -1.0])))
    assert outline.area_mm2 == pytest.approx(200.0)


def test_oblique_section() -> None:
    vertices, faces = box((-5.0, -5.0, -50.0), (5.0, 5.0, 50.0))
    normal = np.array([0.0, np.sin(0.5), np.cos(0.5)])
    (outline,) = section(vertices, faces, Plane(np.zeros(3), normal))
    assert outline.area_mm2 == pytest.approx(100.0 / np.cos(0.5))
    assert outline.centroid == pytest.approx([0.0, 0.0, 0.0], abs=1e-9)


def test_two_bodies_largest_first_and_a_cavity_negative() -> None:
    big, faces = box((0.0, 0.0, 0.0), (10.0, 10.0, 10.0))
    small, _ = box((20.0, 0.0, 0.0), (23.0, 3.0, 10.0))
    hole, _ = box((4.0, 4.0, 2.0), (6.0, 6.0, 8.0))
    vertices = np.concatenate([big, small, hole])
    everything = np.concatenate([faces, faces + 8, faces[:, ::-1] + 16]).astype(np.int32)
    outlines = section(vertices, everything, Plane(np.array([0.0, 0.0, 5.0]), np.array([0.0, 0.0, 1.0])))
    assert [outline.area_mm2 for outline in outlines] == pytest.approx([100.0, 9.0, -4.0])


def test_a_plane_that_misses() -> None:
    vertices, faces = box((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
    assert section(vertices, faces, Plane(np.array([0.0, 0.0, 2.0]), np.array([0.0, 0.0, 1.0]))) == ()


def test_bridge_spans_the_notch() -> None:
    t = np.linspace(0.0, 2.0 * np.pi, 200)
    first = np.column_stack([-24.0 + 12.0 * np.cos(t), 12.0 * np.sin(t)])
    second = np.column_stack([24.0 + 12.0 * np.cos(t), 1.5 + 12.0 * np.sin(t)])
    points = np.concatenate([first, second])
    pair = bridge(points, np.array([0.0, 1.0]), across=0.0)
    assert pair is not None
    assert points[pair[0]][0] < 0.0 < points[pair[1]][0]
    line = points[pair[1]] - points[pair[0]]
    assert np.degrees(np.arctan2(line[1], line[0])) == pytest.approx(np.degrees(np.arctan(1.5 / 48.0)), abs=0.2)
    below = bridge(points, np.array([0.0, -1.0]))
    assert below is not None
    assert points[below[0]][0] > points[below[1]][0]
