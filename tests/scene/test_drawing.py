"""Contours, picking and the scene that follows what is wanted."""

from __future__ import annotations

import numpy as np
from vtkmodules.vtkRenderingCore import vtkCamera, vtkRenderer

from surgiplan_desktop.base.spaces import Affine, Plane
from surgiplan_desktop.model.mesh import Mesh
from surgiplan_desktop.scene.contours import section_segments
from surgiplan_desktop.scene.items import Surface, Tubes, surface_data, vertex_normals
from surgiplan_desktop.scene.picking import Ray, pick, project, ray_at, view_matrix
from surgiplan_desktop.scene.sync import SceneSync


def _box(size: float = 20.0, at: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> Mesh:
    corners = np.array([[x, y, z] for z in (-1, 1) for y in (-1, 1) for x in (-1, 1)], dtype=float) * size / 2 + at
    faces = [
        (0, 2, 1), (1, 2, 3), (4, 5, 6), (5, 7, 6), (0, 1, 4), (1, 5, 4),
        (2, 6, 3), (3, 6, 7), (0, 4, 2), (2, 4, 6), (1, 3, 5), (3, 7, 5),
    ]  # fmt: skip
    return Mesh(corners, np.array(faces, dtype=np.int32))


def _rgb(_role: str) -> tuple[float, float, float]:
    return 0.5, 0.5, 0.5


def test_the_section_of_a_box_is_its_outline() -> None:
    plane = Plane(np.array([0.0, 0.0, 3.0]), np.array([0.0, 0.0, 1.0]))
    segments = section_segments(_box(), plane)
    assert np.allclose(segments[:, :, 2], 3.0)
    length = np.linalg.norm(segments[:, 1] - segments[:, 0], axis=1).sum()
    assert np.isclose(length, 80.0)
    assert np.allclose(np.abs(segments[:, :, :2]).max(axis=2), 10.0)


def test_a_plane_through_vertices_still_gives_whole_segments() -> None:
    segments = section_segments(_box(), Plane(np.array([0.0, 0.0, -10.0]), np.array([0.0, 0.0, 1.0])))
    assert len(segments) == 0
    segments = section_segments(_box(), Plane(np.array([0.0, 0.0, 10.0]), np.array([0.0, 0.0, 1.0])))
    assert np.isclose(np.linalg.norm(segments[:, 1] - segments[:, 0], axis=1).sum(), 80.0)


def test_the_ray_of_a_pixel_meets_the_point_drawn_there() -> None:
    camera = vtkCamera()
    camera.SetParallelProjection(True)
    camera.SetPosition(30.0, -200.0, 40.0)
    camera.SetFocalPoint(1.0, 2.0, 3.0)
    camera.SetViewUp(0.0, 0.0, 1.0)
    camera.SetParallelScale(50.0)
    camera.SetClippingRange(1.0, 500.0)
    matrix = view_matrix(camera, 4.0 / 3.0)
    point = np.array([5.0, -4.0, 7.0])
    x, y, _ = project(matrix, point, 800.0, 600.0)[0]
    ray = ray_at(matrix, x, y, 800.0, 600.0)
    along = float((point - ray.start) @ ray.direction)
    assert np.allclose(ray.start + along * ray.direction, point, atol=1e-6)


def test_the_nearest_surface_is_picked_also_when_it_is_moved() -> None:
    ray = Ray(np.array([1.0, 1.5, 100.0]), np.array([0.0, 0.0, -1.0]))
    lifted = Affine.from_parts(np.eye(3), np.array([0.0, 0.0, 30.0]))
    items = {"low": Surface(_box(), "bone/femur"), "glass": Surface(_box(at=(0, 0, 50)), "guide", opacity=0.3)}
    key, point = pick(items, ray) or ("", np.zeros(3))
    assert key == "low"
    assert np.allclose(point, [1.0, 1.5, 10.0])
    items["high"] = Surface(_box(), "bone/tibia", motion=lifted)
    key, point = pick(items, ray) or ("", np.zeros(3))
    assert key == "high"
    assert np.allclose(point, [1.0, 1.5, 40.0])
    assert pick(items, Ray(np.array([50.0, 0.0, 100.0]), np.array([0.0, 0.0, -1.0]))) is None


def test_lines_of_sight_meet_planes_and_lines() -> None:
    ray = Ray(np.array([0.0, 0.0, 10.0]), np.array([0.0, 0.0, -1.0]))
    assert np.allclose(ray.meets(Plane(np.array([3.0, 3.0, 2.0]), np.array([0.0, 0.0, 1.0]))), [0.0, 0.0, 2.0])
    assert ray.meets(Plane(np.zeros(3), np.array([1.0, 0.0, 0.0]))) is None


def test_the_scene_changes_only_what_changed() -> None:
    renderer = vtkRenderer()
    sync = SceneSync(renderer, _rgb)
    box, rod = Surface(_box(), "bone/femur"), Tubes(np.array([[[0.0, 0.0, 0.0], [0.0, 0.0, 9.0]]]), 1.0, "pin")
    assert sync.show({"box": box, "rod": rod})
    assert not sync.show({"box": box, "rod": rod})
    actor = next(iter(renderer.GetActors()))
    assert sync.show({"box": Surface(box.mesh, "bone/femur", updating=True), "rod": rod})
    assert renderer.GetActors().GetNumberOfItems() == 2
    assert sync.key_of(actor) == "box"  # same geometry: the same actor in another colour
    assert sync.show({})
    assert renderer.GetActors().GetNumberOfItems() == 0


def test_normals_point_outwards_and_edges_are_split() -> None:
    box = _box()
    assert (np.einsum("ij,ij->i", vertex_normals(box), box.vertices) > 0.0).all()
    assert surface_data(box, sharp=True).GetNumberOfPoints() == 24
    assert surface_data(box, sharp=False).GetNumberOfPoints() == 8
