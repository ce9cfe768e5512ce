"""import-meshes as a user types it: assumptions stated, guesses shown before they are taken, every format and its export."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from surgiplan_desktop.app import documents, startup
from surgiplan_desktop.app.import_meshes import named_bone
from surgiplan_desktop.base.spaces import Affine
from surgiplan_desktop.cli.main import run
from surgiplan_desktop.files.mesh_files import read_mesh, write_3mf, write_glb, write_stl
from surgiplan_desktop.imaging.dicom_write import write_ct_series
from surgiplan_desktop.model.anatomy import BoneName, Side
from surgiplan_desktop.model.case import Case
from surgiplan_desktop.model.images import Volume
from surgiplan_desktop.model.mesh import Mesh
from tests.helpers.lofts import loft


def tibia() -> Mesh:
    """A right shin bone in LPS: plateau behind the shaft, malleolus on the middle side."""
    shin = [(7, 0, 0, 6, 8), (3, 0, 12, 20, 16), (0, 0, 40, 14, 13), (0, 0, 180, 12, 14), (0, 0, 300, 16, 18)]
    return loft([*shin, (0, 9, 338, 35, 24), (0, 11, 356, 36, 25), (0, 11, 360, 20, 14)])


def moved(mesh: Mesh, factors: tuple[float, float, float]) -> Mesh:
    return Mesh(mesh.vertices * factors, mesh.faces)


def answer(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, dict, str]:
    code = run([str(argument) for argument in (*arguments, "--json")])
    out, err = capsys.readouterr()
    assert "Traceback" not in out + err
    return code, json.loads(out), err


def opened(path: Path) -> tuple[Case, np.ndarray]:
    services = startup.start()
    session = documents.open_session(services, path)
    case = session.case
    vertices = np.array(session.store.load(case.imported_bones[0].vertices))
    session.close()
    services.close()
    return case, vertices


def test_plain_millimetres_in_lps_pass_with_the_assumption_stated(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_stl(tmp_path / "t.stl", tibia(), "x")
    code, data, _ = answer(capsys, "import-meshes", "--side", "right", "--tibia", tmp_path / "t.stl", "-o", tmp_path / "c")
    assert (code, data["unit"], data["unit_by"], data["space"], data["space_by"]) == (0, "mm", "assumed", "lps", "assumed")
    assert {"mesh_taken_assumed", "mesh_space_assumed"} <= {item["code"] for item in data["findings"]}
    case, _ = opened(tmp_path / "c.surgiplan")
    assert (case.imported_bones[0].unit, case.imported_bones[0].chosen_by) == ("mm", "user")


@pytest.mark.parametrize(
    ("factors", "error", "guess"),
    [
        ((0.001, 0.001, 0.001), "mesh_size", ("m", "lps")),
        ((-1, -1, 1), "mesh_space", ("mm", "ras")),
        ((-0.001, -0.001, 0.001), "mesh_size", ("m", "ras")),
    ],
)
def test_a_guess_is_shown_and_taken_only_with_consent(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    factors: tuple[float, float, float],
    error: str,
    guess: tuple[str, str],
) -> None:
    write_stl(tmp_path / "t.stl", moved(tibia(), factors), "x")
    command = ("import-meshes", "--side", "right", "--tibia", tmp_path / "t.stl", "-o", tmp_path / "c")
    code, data, told = answer(capsys, *command)
    assert (code, data["error"]["id"], data["error"]["file"]) == (3, error, str(tmp_path / "t.stl"))
    assert "--accept-guess" in data["error"]["hint"]
    assert all(part in data["error"]["text"] for part in guess if part not in ("mm", "lps"))
    # both sides of the guess are shown: what contradicts mm and LPS, and what speaks for the other
    assert any(line.startswith("- ") for line in told.splitlines())
    assert any(line.startswith("+ ") for line in told.splitlines())
    assert not (tmp_path / "c.surgiplan").exists()
    code, data, _ = answer(capsys, *command, "--accept-guess")
    assert (code, data["unit"], data["space"]) == (0, *guess)
    case, vertices = opened(tmp_path / "c.surgiplan")
    assert case.imported_bones[0].chosen_by == "confirmed_guess"
    # the writer rounds to 1e-4 of its unit
    np.testing.assert_allclose(np.ptp(vertices, axis=0), np.ptp(tibia().vertices, axis=0), atol=0.2 if guess[0] == "m" else 1e-3)
    np.testing.assert_allclose(vertices.min(axis=0), tibia().vertices.min(axis=0), atol=0.2 if guess[0] == "m" else 1e-3)


@pytest.mark.parametrize(("ending", "write", "unit"), [("3mf", write_3mf, "mm"), ("glb", write_glb, "m")])
def test_formats_that_say_their_unit_are_certain(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], ending: str, write: object, unit: str
) -> None:
    write(tmp_path / f"t.{ending}", tibia(), "SurgiPlan unit=mm space=LPS")  # type: ignore[operator]
    command = ("import-meshes", "--side", "right", "--tibia", tmp_path / f"t.{ending}", "-o", tmp_path / "c")
    code, data, _ = answer(capsys, *command)
    assert (code, data["unit"], data["unit_by"], data["space"], data["space_by"]) == (0, unit, "declared", "lps", "declared")
    for fmt in ("stl", "3mf", "obj", "ply", "glb"):
        code, data, _ = answer(capsys, "export", tmp_path / "c.surgiplan", "bones", "-f", fmt, "-o", tmp_path / fmt)
        assert code == 0
        body = next(Path(name) for name in data["files"] if name.endswith(fmt))
        sidecar = json.loads(body.with_name(body.name + ".json").read_text())
        assert (sidecar["unit"], sidecar["space"]) == ("m" if fmt == "glb" else "mm", "LPS")
        found = np.sort(read_mesh(body).vertices, axis=0)
        np.testing.assert_allclose(found, np.sort(tibia().vertices, axis=0), atol=1e-3)


def test_pelvis_and_sacrum_are_bones_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_stl(tmp_path / "p.stl", loft([(0, 0, 0, 130, 60), (0, 0, 200, 140, 80)]), "x")
    write_stl(tmp_path / "s.stl", loft([(0, 0, 0, 20, 20), (0, 0, 110, 55, 30)]), "x")
    code, data, _ = answer(
        capsys,
        "import-meshes",
        "--side",
        "left",
        "--pelvis",
        tmp_path / "p.stl",
        "--sacrum",
        tmp_path / "s.stl",
        "-o",
        tmp_path / "c",
    )
    assert (code, [item["id"] for item in data["bones"]]) == (0, ["left_hip", "left_sacrum"])


def test_bones_join_a_scan_and_are_compared_with_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shaft = loft([(0, 0, 0, 12, 12), (0, 0, 200, 12, 12)])
    z, y, x = np.meshgrid(np.arange(-9, 219, 3.0), *[np.arange(-30, 31, 3.0)] * 2, indexing="ij")
    values = np.where((np.hypot(x, y) < 12) & (z >= 0) & (z <= 200), 1000, -1000).astype(np.int16)
    linear = np.column_stack([[0, 0, 3.0], [0, 3.0, 0], [3.0, 0, 0]])
    place = np.array([70.0, -40.0, 0.0])
    write_ct_series(Volume(values, Affine.from_parts(linear, np.array([-30.0, -30, -9]) + place)), tmp_path / "ct")
    assert answer(capsys, "import", tmp_path / "ct", "-o", tmp_path / "c", "--side", "right")[0] == 0
    write_stl(tmp_path / "t.stl", Mesh((shaft.vertices + place) * [-1, -1, 1], shaft.faces), "x")
    command = ("import-meshes", "--side", "right", "--tibia", tmp_path / "t.stl", "-o", tmp_path / "c", "--attach")
    code, data, _ = answer(capsys, *command)
    assert (code, data["error"]["id"]) == (3, "mesh_space")
    code, data, _ = answer(capsys, *command, "--accept-guess")
    assert (code, data["space"]) == (0, "ras")
    assert "mesh_on_scan" in {item["code"] for item in data["findings"]}
    case, vertices = opened(tmp_path / "c.surgiplan")
    assert case.study is not None
    np.testing.assert_allclose(vertices.mean(axis=0)[:2], place[:2], atol=0.5)
    code, data, _ = answer(capsys, *command[:-2], tmp_path / "none", "--attach")
    assert (code, data["error"]["id"]) == (2, "attach_no_case")


def test_file_names_tell_bone_and_side() -> None:
    assert named_bone(Path("VHF_Left_Bone_Tibia_smooth.stl")) == (BoneName.TIBIA, Side.LEFT)
    assert named_bone(Path("rightFemur.ply")) == (BoneName.FEMUR, Side.RIGHT)
    assert named_bone(Path("femur_and_tibia.stl")) == (None, None)
