"""Bones from meshes: gates, open ends, sizes."""

from __future__ import annotations

import numpy as np
import pytest

from surgiplan_desktop.base.errors import InputDataError
from surgiplan_desktop.base.spaces import Affine, Plane, rotation_about
from surgiplan_desktop.geometry.solid import cylinder, split, union
from surgiplan_desktop.model.anatomy import BoneId, BoneName, Side
from surgiplan_desktop.model.mesh import Mesh
from surgiplan_desktop.planning.imported_bone import bone_from_mesh, check_bone_mesh, plausible_units

TIBIA = BoneId(Side.RIGHT, BoneName.TIBIA)


def capsule(length: float = 300.0, radius: float = 15.0) -> Mesh:
    """A closed round-ended shaft along z: bone without open ends."""
    around, along = 48, 24
    rows = []
    for end, start in ((0.0, -np.pi / 2), (length, 0.0)):
        for latitude in np.linspace(start, start + np.pi / 2, along + 1):
            turn = np.arange(around) * 2 * np.pi / around
            ring = np.cos(latitude) * radius
            rows.append(np.c_[ring * np.cos(turn), ring * np.sin(turn), np.full(around, end + radius * np.sin(latitude))])
    rows[0], rows[-1] = rows[0][:1], rows[-1][:1]
    starts = np.cumsum([0, *(len(row) for row in rows)])
    faces = []
    for number in range(len(rows) - 1):
        for m in range(around):
            a, b = starts[number] + m % len(rows[number]), starts[number] + (m + 1) % len(rows[number])
            c, d = starts[number + 1] + m % len(rows[number + 1]), starts[number + 1] + (m + 1) % len(rows[number + 1])
            faces += [face for face in ((a, b, d), (a, d, c)) if len(set(face)) == 3]
    return Mesh(np.concatenate(rows), np.array(faces, dtype=np.int32))


def test_a_whole_bone_has_no_open_ends() -> None:
    bone = bone_from_mesh(TIBIA, capsule().vertices, capsule().faces)
    assert bone.cut_ends == 0
    assert len(bone.surface_points) == len(capsule().vertices)


@pytest.mark.parametrize("turn_deg", [0.0, 31.0])
def test_a_cut_end_is_found_wherever_it_points(turn_deg: float) -> None:
    motion = rotation_about(np.array([10.0, -20.0, 30.0]), np.array([1.0, 2.0, 0.5]), turn_deg)
    upper, _ = split(capsule(), Plane(np.array([0.0, 0.0, 120.0]), np.array([0.1, 0.0, 1.0])))
    moved = upper.moved(motion)
    (part,) = bone_from_mesh(TIBIA, moved.vertices, moved.faces).parts
    (cap,) = part.caps
    expected = motion.directions(np.array([-0.1, 0.0, -1.0])) / np.hypot(0.1, 1.0)
    np.testing.assert_allclose(cap.normal, expected, atol=1e-3)
    assert np.abs(cap.signed_distance(part.mesh.vertices[part.cap_vertices])).max() < 0.02
    assert cap.signed_distance(part.surface_points).max() < 0.02
    assert part.cap_vertices.sum() >= 48


def test_a_shaft_piece_has_two_open_ends() -> None:
    piece = cylinder(np.array([0.0, 0, 0]), np.array([0.0, 0, 150]), 12.0)
    assert bone_from_mesh(TIBIA, piece.vertices, piece.faces).cut_ends == 2


def test_a_small_facet_is_no_open_end() -> None:
    # 5 mm radius: 78 mm2, below the 100 mm2 of a cut bone
    pin = cylinder(np.array([0.0, 0, 0]), np.array([0.0, 0, 150]), 5.0)
    assert bone_from_mesh(TIBIA, pin.vertices, pin.faces).cut_ends == 0


def test_a_hole_is_refused_with_file_and_bone() -> None:
    mesh = Mesh(capsule().vertices, capsule().faces[:-1])
    with pytest.raises(InputDataError, match="mesh_open") as caught:
        check_bone_mesh(TIBIA, mesh, "tibia.stl")
    assert (caught.value.file, caught.value.parameters["edges"]) == ("tibia.stl", 3)


def test_an_inside_out_mesh_is_turned() -> None:
    mesh, turned = check_bone_mesh(TIBIA, Mesh(capsule().vertices, capsule().faces[:, ::-1]), "tibia.stl")
    assert turned
    assert check_bone_mesh(TIBIA, mesh, "tibia.stl")[1] is False


def test_mixed_orientation_and_parts_are_refused() -> None:
    faces = capsule().faces.copy()
    faces[7] = faces[7][::-1]
    with pytest.raises(InputDataError, match="mesh_not_oriented"):
        check_bone_mesh(TIBIA, Mesh(capsule().vertices, faces), "tibia.stl")
    two = union(capsule(), capsule().moved(Affine.from_parts(np.eye(3), np.array([100.0, 0, 0]))))
    with pytest.raises(InputDataError, match="mesh_parts"):
        check_bone_mesh(TIBIA, two, "tibia.stl")


@pytest.mark.parametrize(("factor", "likely"), [(0.001, "m"), (0.1, "cm"), (1 / 25.4, "inch")])
def test_another_unit_is_named_never_taken(factor: float, likely: str) -> None:
    with pytest.raises(InputDataError, match="mesh_size") as caught:
        check_bone_mesh(TIBIA, Mesh(capsule().vertices * factor, capsule().faces), "tibia.stl")
    assert likely in str(caught.value.parameters["likely"]).split(", ")


def test_units_that_fit() -> None:
    assert plausible_units(BoneName.TIBIA, 0.36) == ("m",)
    assert plausible_units(BoneName.TIBIA, 360.0) == ("mm",)
