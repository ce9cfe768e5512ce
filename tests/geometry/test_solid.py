"""Solids against exact volumes, gates and canonical form."""

import numpy as np
import pytest

from surgiplan_desktop.base.errors import ComputationError, InputDataError
from surgiplan_desktop.base.spaces import Affine, Frame, Plane, rotation_about
from surgiplan_desktop.geometry import solid
from surgiplan_desktop.model.mesh import Mesh

WORLD = Frame(np.zeros(3), np.eye(3))
TURN = rotation_about(np.array([3.0, -2.0, 5.0]), np.array([1.0, 2.0, -0.5]), 37.0)
TURNED = Frame(TURN(np.zeros(3)), TURN.linear)


def prism_area(segments: int, radius: float) -> float:
    return 0.5 * segments * radius**2 * np.sin(2 * np.pi / segments)


def test_primitives_have_their_exact_volumes() -> None:
    assert solid.volume(solid.box(TURNED, (10, 20, 30))) == pytest.approx(6000, abs=0.2)
    bar = solid.cylinder(np.array([1, 2, 3.0]), np.array([4, 6, 15.0]), 2.0, 24)
    assert solid.volume(bar) == pytest.approx(13 * prism_area(24, 2.0), abs=0.02)
    wide = solid.cylinder(np.zeros(3), np.array([0, 0, 10.0]), 2.0, 24, circumscribed=True)
    assert np.linalg.norm(wide.vertices[:, :2], axis=1).min() == pytest.approx(2.0 / np.cos(np.pi / 24), abs=1e-4)
    cone = solid.cylinder(np.zeros(3), np.array([0, 0, 9.0]), 4.0, 400, end_radius_mm=1.0)
    assert solid.volume(cone) == pytest.approx(np.pi * 9 / 3 * (16 + 4 + 1), rel=1e-3)
    square = np.array([[0, 0], [10, 0], [10, 10], [0, 10.0]])
    hole = square[::-1] * 0.2 + 4
    assert solid.volume(solid.extrude([square, hole], TURNED, -1.0, 4.0)) == pytest.approx(5 * (100 - 4), abs=0.05)
    pill = solid.capsule(np.array([0, 0, 1.0]), np.array([0, 0, 11.0]), 2.0, 96)
    assert solid.volume(pill) == pytest.approx(np.pi * 4 * 10 + 4 / 3 * np.pi * 8, rel=4e-3)
    assert pill.vertices[:, 2].min() == pytest.approx(-1.0)
    assert solid.volume(solid.ball(np.array([7.0, 8, 9]), 5.0, 128)) == pytest.approx(4 / 3 * np.pi * 125, rel=3e-3)


def test_booleans_against_exact_volumes() -> None:
    a = solid.box(TURNED, (10, 10, 10))
    b = a.moved(Affine.from_parts(np.eye(3), TURNED.x * 4.0))
    assert solid.volume(solid.union(a, b)) == pytest.approx(1400, abs=0.1)
    assert solid.volume(solid.difference(a, b)) == pytest.approx(400, abs=0.1)
    assert solid.volume(solid.intersection(a, b)) == pytest.approx(600, abs=0.1)
    assert solid.intersection_volume(a, b) == pytest.approx(600, abs=0.1)
    far = a.moved(Affine.from_parts(np.eye(3), TURNED.x * 40.0))
    assert solid.intersection_volume(a, far) == 0.0
    assert len(solid.intersection(a, far, may_be_empty=True).faces) == 0
    assert len(solid.components(solid.union(a, far))) == 2
    with pytest.raises(ComputationError, match="solid_empty"):
        solid.intersection(a, far)
    with pytest.raises(ComputationError, match="solid_empty"):
        solid.difference(a, solid.box(TURNED, (20, 20, 20)))


def test_split_gives_the_part_of_the_normal_first() -> None:
    body = solid.box(WORLD, (10, 20, 30))
    plane = Plane(np.array([0.0, 0.0, 5.0]), np.array([0.0, 0.0, 1.0]))
    above, below = solid.split(body, plane)
    assert solid.volume(above) == pytest.approx(10 * 20 * 10)
    assert solid.volume(below) == pytest.approx(10 * 20 * 20)
    assert above.vertices[:, 2].min() == pytest.approx(5.0)
    with pytest.raises(ComputationError, match="plane_misses_body"):
        solid.split(body, Plane(np.array([0.0, 0.0, 15.0]), np.array([0.0, 0.0, 1.0])))


def test_the_gate_names_body_and_fault() -> None:
    body = solid.box(WORLD, (10, 20, 30))
    assert solid.is_solid(body)
    holed = Mesh(body.vertices, body.faces[1:])
    inside_out = Mesh(body.vertices, body.faces[:, ::-1])
    one_turned = Mesh(body.vertices, np.concatenate([body.faces[:1, ::-1], body.faces[1:]]))
    spoilt = body.vertices.copy()
    spoilt[0, 0] = np.nan
    for mesh, error in (
        (holed, "body_open"),
        (inside_out, "body_inside_out"),
        (one_turned, "body_not_oriented"),
        (Mesh(spoilt, body.faces), "body_not_finite"),
        (solid.EMPTY, "body_empty"),
    ):
        assert not solid.is_solid(mesh)
        with pytest.raises(InputDataError, match=error) as caught:
            solid.gate(mesh, "right tibia")
        assert caught.value.parameters["body"] == "right tibia"
    with pytest.raises(InputDataError, match="tool 1"):
        solid.difference(body, holed)


def test_results_are_canonical_and_do_not_depend_on_the_order_of_vertices() -> None:
    body = solid.ball(np.zeros(3), 20.0, 32)
    tool = solid.cylinder(np.array([-30, 1.0, 2]), np.array([30, 3.0, 1]), 6.0)
    first = solid.difference(body, tool)
    again = solid.difference(body, tool)
    assert first.vertices.tobytes() == again.vertices.tobytes()
    assert first.faces.tobytes() == again.faces.tobytes()
    assert np.array_equal(first.vertices, np.round(first.vertices, 4))
    shuffle = np.random.default_rng(1).permutation(len(first.vertices))
    shuffled = Mesh(first.vertices[np.argsort(shuffle)], shuffle[first.faces][::-1])
    assert solid.canonical(shuffled).vertices.tobytes() == first.vertices.tobytes()
    assert solid.canonical(shuffled).faces.tobytes() == first.faces.tobytes()


def test_touching_faces_and_thin_slivers_come_out_closed() -> None:
    body = solid.box(WORLD, (10, 10, 10))
    for offset in (0.0, 1e-6, 3e-5, 1e-4, 2e-4):
        tool = solid.box(Frame(np.array([5.0 + 5.0 - offset, 0, 0]), np.eye(3)), (10, 3, 3))
        result = solid.difference(body, tool)
        assert solid.is_solid(result)
        assert solid.volume(result) == pytest.approx(1000, abs=0.01)


def test_faces_in_one_plane_leave_no_crumbs() -> None:
    body = solid.ball(np.array([3.0, 1, 2]), 20.0, 64).moved(TURN)
    plane = Plane(TURN(np.array([3.1, 1.2, 4.0])), TURN.directions(np.array([0.2, 0.1, 1.0])))
    above, below = solid.split(body, plane)
    slot = solid.box(solid.frame_along(plane.point_lps + 15.0 * TURN.linear[:, 0], plane.normal), (30, 60, 1.0))
    joined = solid.union(solid.difference(above, slot), solid.difference(below, slot))
    assert len(solid.components(joined)) == 1
    assert solid.volume(joined) == pytest.approx(solid.volume(body) - solid.intersection_volume(body, slot), rel=1e-5)


def test_a_cavity_stays() -> None:
    hollow = solid.difference(solid.ball(np.zeros(3), 20.0), solid.ball(np.zeros(3), 10.0))
    assert solid.volume(hollow) == pytest.approx(7 / 8 * solid.volume(solid.ball(np.zeros(3), 20.0)), rel=1e-3)
