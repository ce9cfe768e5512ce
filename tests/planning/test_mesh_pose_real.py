"""How bones lie, told by shape alone: knees of a statistical shape model, tibiae of two people, whole femora."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from surgiplan_desktop.files.mesh_files import read_mesh
from surgiplan_desktop.geometry.solid import volume
from surgiplan_desktop.model.anatomy import BoneName, Side
from surgiplan_desktop.model.mesh import Mesh
from surgiplan_desktop.planning.mesh_guess import guess_unit_and_space
from surgiplan_desktop.planning.mesh_pose import pose_of

pytestmark = pytest.mark.real


def outward(vertices: np.ndarray, faces: np.ndarray) -> Mesh:
    mesh = Mesh(vertices, faces)
    return mesh if volume(mesh) > 0 else Mesh(vertices, faces[:, ::-1])


def off_back_deg(bone: BoneName, mesh: Mesh) -> float:
    back = pose_of(bone, mesh).back
    assert back is not None
    return float(np.degrees(np.arctan2(abs(back[0]), back[1])))


@pytest.mark.parametrize("bone", [BoneName.FEMUR, BoneName.TIBIA])
def test_the_back_of_knee_pieces_is_found(bone: BoneName, data_folder: Callable[[str], Path]) -> None:
    path = next(data_folder("bones").rglob("synthetic-knees-100.npz"))
    with np.load(path) as knees:
        vertices, faces = knees[f"{bone}_vertices_5um"] * 0.005, knees[f"{bone}_faces"]
    # +x lateral, +y anterior, +z superior: a right knee's LPS is half a turn from it
    off = [off_back_deg(bone, outward(shape * [-1, -1, 1], faces)) for shape in vertices]
    assert max(off) < 30.0
    for shape in vertices[::10]:
        turned = guess_unit_and_space({bone: outward(shape, faces)}, Side.RIGHT)
        assert (turned.space, turned.space_by) == ("ras", "guessed")


def test_tibiae_of_two_people(data_folder: Callable[[str], Path]) -> None:
    folder = data_folder("visible-human-bones")
    paths = sorted(folder.rglob("*Tibia*.stl"))
    assert paths
    for path in paths:
        read = read_mesh(path)
        female = "VHF" in path.name
        # VHF: x right, y anterior, z superior; VHM: x left, y anterior, z inferior
        mesh = outward(read.vertices * ([-1, -1, 1] if female else [1, -1, -1]), read.faces)
        side = Side.LEFT if "Left" in path.name else Side.RIGHT
        assert off_back_deg(BoneName.TIBIA, mesh) < 40.0
        assert pose_of(BoneName.TIBIA, mesh).shape_side is side
        taken = guess_unit_and_space({BoneName.TIBIA: mesh}, side)
        assert (taken.space, taken.is_guess, taken.against) == ("lps", False, ())
        if female:
            stored = guess_unit_and_space({BoneName.TIBIA: outward(read.vertices / 1000.0, read.faces)}, side)
            assert (stored.unit, stored.space, stored.is_guess) == ("m", "ras", True)


def test_coarse_whole_femora(data_folder: Callable[[str], Path]) -> None:
    for path in sorted(data_folder("bones").rglob("whole-femora/*.stl")):
        read = read_mesh(path)
        assert off_back_deg(BoneName.FEMUR, outward(read.vertices, read.faces)) < 30.0
