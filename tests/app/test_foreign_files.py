"""Random damage to meshes, volumes and films: every reader answers with a file it can use or an error that names the file."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from surgiplan_desktop.base.errors import SurgiPlanError
from surgiplan_desktop.base.spaces import Affine
from surgiplan_desktop.files.mesh_files import read_mesh_file, write_3mf, write_glb, write_obj, write_ply, write_stl
from surgiplan_desktop.imaging.films import read_film
from surgiplan_desktop.imaging.volume_files import read_volume, volume_info, write_volume_file
from surgiplan_desktop.model.anatomy import BoneName, Side
from surgiplan_desktop.model.images import Volume
from surgiplan_desktop.planning.mesh_cleaning import cleaned
from surgiplan_desktop.planning.mesh_guess import guess_unit_and_space
from tests.helpers.films import dicom_film, leg
from tests.helpers.lofts import loft

MUTATIONS = 40
SHAFT = loft([(0, 0, 0, 12, 12), (0, 0, 20, 14, 14), (3, 0, 200, 14, 14)], 12)
MESH_WRITERS = {".stl": write_stl, ".ply": write_ply, ".obj": write_obj, ".3mf": write_3mf, ".glb": write_glb}
GREY = np.random.default_rng(5).integers(-1000, 2000, (6, 20, 20)).astype(np.int16)


def make(path: Path) -> None:
    if path.suffix in MESH_WRITERS:
        MESH_WRITERS[path.suffix](path, SHAFT, "x unit=mm")
    elif path.suffix == ".dcm":
        dicom_film(path, ImagerPixelSpacing=[0.2, 0.2], StudyDate="20200101")
    elif path.suffix in (".png", ".jpg", ".tif"):
        Image.fromarray((leg() // 16).astype(np.uint8)).save(path)
    else:
        write_volume_file(path, Volume(GREY, Affine.from_parts(np.eye(3)[:, ::-1], np.zeros(3))))


def use_mesh(path: Path) -> None:
    body, _ = cleaned(BoneName.TIBIA, read_mesh_file(path).mesh, str(path))
    guess_unit_and_space({BoneName.TIBIA: body}, Side.LEFT)


def use_volume(path: Path) -> None:
    volume_info(path)
    read_volume(path, accept_repair=True)


USES: dict[str, Callable[[Path], object]] = {
    **dict.fromkeys(("a.stl", "a.ply", "a.obj", "a.3mf", "a.glb"), use_mesh),
    **dict.fromkeys(("a.nii", "a.nii.gz", "a.nrrd", "a.mha"), use_volume),
    **dict.fromkeys(("a.dcm", "a.png", "a.jpg", "a.tif"), read_film),
}


def mutated(data: bytes, chance: np.random.Generator) -> bytes:
    """Change, insert, remove or cut at a few places, most of them near the beginning, where headers are."""
    changed = bytearray(data)
    for _ in range(int(chance.integers(1, 6))):
        end = min(len(changed), 3000) if chance.random() < 0.7 else len(changed)
        at = int(chance.integers(0, max(end, 1)))
        match int(chance.integers(0, 5)):
            case 0:
                changed[at : at + 1] = chance.bytes(1)
            case 1:
                changed[at : at + 4] = chance.bytes(4)
            case 2:
                del changed[at : at + int(chance.integers(1, 40))]
            case 3:
                changed[at:at] = chance.bytes(int(chance.integers(1, 20)))
            case _:
                del changed[at + 1 :]
    return bytes(changed)


@pytest.mark.parametrize("name", USES)
def test_damage_ends_in_words(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    make(path)
    USES[name](path)
    whole = path.read_bytes()
    chance = np.random.default_rng(len(name) + len(whole))
    answers = 0
    for _ in range(MUTATIONS):
        path.write_bytes(mutated(whole, chance))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                USES[name](path)
            except SurgiPlanError as error:
                assert error.file == str(path)  # noqa: PT017 - damage may also leave a file that can be used
                answers += 1
    assert answers
