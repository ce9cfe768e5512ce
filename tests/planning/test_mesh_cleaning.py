"""What foreign meshes bring along: fragments, inner walls, open ends, faces inside out."""

from __future__ import annotations

import numpy as np
import pytest

from surgiplan_desktop.base.errors import InputDataError
from surgiplan_desktop.geometry.solid import is_solid, volume
from surgiplan_desktop.model.anatomy import BoneName
from surgiplan_desktop.model.mesh import Mesh
from surgiplan_desktop.planning.imported_bone import find_caps
from surgiplan_desktop.planning.mesh_cleaning import cleaned, split_bones
from tests.helpers.lofts import loft

FEMUR, TIBIA = BoneName.FEMUR, BoneName.TIBIA


def shaft(radius: float = 14.0, low: float = 0.0, high: float = 300.0, x: float = 0.0) -> Mesh:
    return loft([(x, 0, low, 2, 2), (x, 0, low + 10, radius, radius), (x, 0, high - 10, radius, radius), (x, 0, high, 2, 2)])


def together(*meshes: Mesh) -> Mesh:
    starts = np.cumsum([0, *(len(mesh.vertices) for mesh in meshes[:-1])])
    faces = [mesh.faces + start for mesh, start in zip(meshes, starts, strict=True)]
    return Mesh(np.concatenate([mesh.vertices for mesh in meshes]), np.concatenate(faces).astype(np.int32))


def turned(mesh: Mesh) -> Mesh:
    return Mesh(mesh.vertices, mesh.faces[:, ::-1])


@pytest.mark.parametrize(
    ("mesh", "codes"),
    [
        (shaft(), []),
        (turned(shaft()), ["mesh_turned"]),
        (together(shaft(), shaft(3.0, 20, 60, 40.0)), ["mesh_fragments"]),
        (together(shaft(), turned(shaft(9.0, 20, 280))), ["mesh_inner_walls"]),
        (turned(together(shaft(), turned(shaft(9.0, 20, 280)))), ["mesh_turned", "mesh_inner_walls"]),
    ],
    ids=["plain", "inside out", "fragment", "marrow", "marrow inside out"],
)
def test_one_outward_surface_comes_out_and_what_was_done_is_said(mesh: Mesh, codes: list[str]) -> None:
    clean, findings = cleaned(TIBIA, mesh, "tibia.stl")
    assert [item.code for item in findings] == codes
    assert is_solid(clean)
    assert volume(clean) == pytest.approx(volume(shaft()))


def test_two_bones_in_one_file_are_refused_or_told_apart() -> None:
    both = together(shaft(14.0, 0, 300), shaft(15.0, 310, 640))
    with pytest.raises(InputDataError, match="mesh_parts"):
        cleaned(TIBIA, both, "both.stl")
    split = split_bones(both, (TIBIA, FEMUR), "both.stl")
    assert split[FEMUR].vertices[:, 2].min() > split[TIBIA].vertices[:, 2].max()
    with pytest.raises(InputDataError, match="mesh_parts_few"):
        split_bones(shaft(), (TIBIA, FEMUR), "one.stl")


@pytest.mark.parametrize("ends", [(True, False), (True, True)])
def test_flat_open_ends_are_closed_and_known_as_cuts(ends: tuple[bool, bool]) -> None:
    body = loft([(0, 0, 0, 14, 9), (3, 0, 150, 12, 16), (0, 0, 300, 15, 12)])
    low, high = 0.0, 300.0
    flat = [(body.vertices[body.faces][:, :, 2] == level).all(axis=1) & end for level, end in zip((low, high), ends, strict=True)]
    opened = Mesh(body.vertices, body.faces[~(flat[0] | flat[1])])
    closed, findings = cleaned(TIBIA, opened, "tibia.stl")
    assert [(item.code, dict(item.parameters)["ends"]) for item in findings] == [("mesh_capped", sum(ends))]
    assert volume(closed) == pytest.approx(volume(body))
    assert len(find_caps(closed)[0]) == 2


def test_a_concave_end_is_closed_with_its_own_area() -> None:
    turn = np.arange(48) * 2 * np.pi / 48
    radius = 15 + 6 * np.cos(3 * turn)
    rings = [np.c_[radius * np.cos(turn), radius * np.sin(turn), np.full(48, z)] for z in (0.0, 100.0)]
    faces = []
    for m in range(48):
        n = (m + 1) % 48
        faces += [(m, n, 48 + n), (m, 48 + n, 48 + m)]
    closed, _ = cleaned(TIBIA, Mesh(np.concatenate(rings), np.array(faces, dtype=np.int32)), "t.stl")
    x, y = rings[0][:, 0], rings[0][:, 1]
    area = 0.5 * abs(np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y))
    assert volume(closed) == pytest.approx(area * 100.0)


def test_a_hole_is_refused_with_its_number() -> None:
    body = shaft()
    away = np.isin(np.arange(len(body.faces)), [200, 201, 700])
    with pytest.raises(InputDataError, match="mesh_open") as caught:
        cleaned(TIBIA, Mesh(body.vertices, body.faces[~away]), "tibia.stl")
    assert caught.value.parameters["holes"] in (2, 3)


def test_vertices_that_rounding_put_apart_are_joined() -> None:
    corners = shaft().vertices[shaft().faces].reshape(-1, 3)
    noise = np.random.default_rng(0).choice([-2e-5, 0.0, 2e-5], corners.shape)
    faces = np.arange(len(corners), dtype=np.int32).reshape(-1, 3)
    clean, findings = cleaned(TIBIA, Mesh(corners + noise, faces), "tibia.stl")
    assert is_solid(clean)
    assert findings == ()
