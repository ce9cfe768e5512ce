"""Distances and ray crossings against shapes with a formula, under rigid motion."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh

from surgiplan_desktop.base.spaces import Affine, rotation_about
from surgiplan_desktop.geometry.distance import closest_points, ray_hits, signed_distance, vertex_normals
from surgiplan_desktop.model.mesh import Mesh

HALF = np.array([5.0, 10.0, 15.0])


def box() -> Mesh:
    shape = trimesh.creation.box(2 * HALF)
    return Mesh(shape.vertices, shape.faces)


def box_distance(points: np.ndarray) -> np.ndarray:
    beyond = np.abs(points) - HALF
    return np.linalg.norm(np.maximum(beyond, 0), axis=1) + np.minimum(beyond.max(axis=1), 0)


@pytest.mark.parametrize("angle_deg", [0.0, 33.0, 171.0])
def test_signed_distance_of_a_box_is_exact_beside_faces_edges_and_corners(angle_deg: float) -> None:
    motion: Affine = rotation_about(np.array([7.0, -3.0, 2.0]), np.array([1.0, 2.0, -0.5]), angle_deg)
    points = np.random.default_rng(0).uniform(-25, 25, (2000, 3))
    found = signed_distance(box().moved(motion), motion(points))
    assert np.abs(found - box_distance(points)).max() < 1e-9


def test_closest_points_lie_on_their_face() -> None:
    points = np.random.default_rng(1).uniform(-25, 25, (500, 3))
    nearest, distance, face = closest_points(box(), points)
    assert np.allclose(distance, np.abs(box_distance(points)))
    normal = np.cross(*[(box().vertices[box().faces[face, c]] - box().vertices[box().faces[face, 0]]) for c in (1, 2)])
    offset = np.einsum("ij,ij->i", nearest - box().vertices[box().faces[face, 0]], normal)
    assert np.abs(offset).max() < 1e-9


def test_ray_hits_are_all_there_and_sorted() -> None:
    origins = np.array([[-50.0, 1.0, 2.0], [0.0, 1.0, 2.0], [-50.0, 0.0, 100.0], [-55.0, -60.0, 0.0]])
    directions = np.array([[2.0, 0.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [1.0, 1.0, 0.0]])
    hits = ray_hits(box(), origins, directions)
    assert np.allclose(hits.of(0), [45.0, 55.0])
    assert np.allclose(hits.of(1), [13.0])
    assert len(hits.of(2)) == 0
    assert np.allclose(hits.of(3), np.array([50.0, 60.0]) * np.sqrt(2))
    assert hits.entering.tolist() == [True, False, False, True, False]
    assert np.allclose(hits.first(4)[:2], [45.0, 13.0])
    assert hits.first(4)[2] == np.inf
    assert np.allclose(hits.last(4)[0], 55.0)


def test_rays_through_vertices_count_once() -> None:
    ball = trimesh.creation.icosphere(subdivisions=3, radius=30.0)
    mesh = Mesh(ball.vertices, ball.faces)
    origins = 2.0 * mesh.vertices
    hits = ray_hits(mesh, origins, -origins)
    assert np.bincount(hits.ray).tolist() == [2] * len(origins)


def test_vertex_normals_of_a_sphere_point_outward() -> None:
    ball = trimesh.creation.icosphere(subdivisions=3, radius=30.0)
    normals = vertex_normals(Mesh(ball.vertices, ball.faces))
    assert np.einsum("ij,ij->i", normals, ball.vertices / 30.0).min() > 0.999


def test_wrong_input_is_named() -> None:
    with pytest.raises(ValueError, match="points"):
        signed_distance(box(), np.zeros((3,)))
    with pytest.raises(ValueError, match="direction"):
        ray_hits(box(), np.zeros((1, 3)), np.zeros((1, 3)))
