"""The phantom's files: complete, readable by the program itself, the same bytes every time, never half written."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
import SimpleITK

from surgiplan_desktop.app.make_phantom import ScanWish, write_phantom
from surgiplan_desktop.cli.main import run
from surgiplan_desktop.files.mesh_files import read_mesh
from surgiplan_desktop.imaging.dicom_scan import scan_folder
from surgiplan_desktop.model.anatomy import LANDMARKS
from surgiplan_desktop.phantom.parameters import LegParameters


def _digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_the_command_writes_a_complete_phantom(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "leg"
    options = ["--side", "left", "--hka-deviation", "3", "--spacing", "5", "--seed", "2", "--blocks", "3", "--json", "--quiet"]
    assert run(["phantom", "-o", str(folder), *options]) == 0
    data = json.loads(capsys.readouterr().out)
    assert set(data["landmarks"]) == set(LANDMARKS)
    assert data["measures"]["hka_deviation"] == pytest.approx(3.0, abs=0.001)
    assert all(Path(path).is_absolute() and Path(path).is_file() for path in data["files"])
    truth = json.loads((folder / "truth.json").read_text())
    assert truth["side"] == "left"
    assert truth["parameters"]["mpta_deg"] == pytest.approx(91.0)
    assert {path.name for path in (folder / "meshes").iterdir()} == {
        f"left_{bone}.stl" for bone in ("femur", "tibia", "fibula", "patella", "talus", "hip")
    }
    assert len(read_mesh(folder / "meshes" / "left_talus.stl").faces) > 1000
    result = scan_folder(folder / "dicom")
    assert [series.verdict for series in result.series] == ["ok"] * 3
    assert all(len(series.linked) == 2 for series in result.series)
    assert not list(tmp_path.glob(".*"))


def test_the_same_leg_gives_the_same_files(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_phantom(LegParameters(seed=3), tmp_path / name, spacing_mm=5.0, mesh_step_mm=4.0)
    assert _digests(tmp_path / "one") == _digests(tmp_path / "two")


def test_a_tilted_encoded_phantom_with_a_fault_says_what_is_right(tmp_path: Path) -> None:
    wish = ScanWish(tilt_deg=12.0, syntax="jpeg_ls", defect="duplicate", patient_position="FFP")
    write_phantom(LegParameters(seed=3), tmp_path / "leg", spacing_mm=5.0, mesh_step_mm=4.0, wish=wish)
    truth = json.loads((tmp_path / "leg" / "truth.json").read_text())
    assert truth["scan"]["tilt_deg"] == 12.0
    assert truth["defect"]["verdict"] == "repairable"
    assert all((tmp_path / "leg" / file).is_file() for file in truth["defect"]["files"])
    (series,) = scan_folder(tmp_path / "leg" / "dicom").series
    assert (series.verdict, series.first.patient_position) == ("repairable", "FFP")
    assert {finding.code for finding in series.findings} == {"tilt", *truth["defect"]["findings"]}
    labels = SimpleITK.ReadImage(str(tmp_path / "leg" / "labels.nii.gz"))
    assert labels.GetDirection() == (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)
    knee = labels.TransformPhysicalPointToIndex(truth["landmarks"]["medial_distal_condyle"])
    around = tuple(slice(index - 1, index + 3) for index in reversed(knee))
    assert 1 in SimpleITK.GetArrayFromImage(labels)[around]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--mldfa", "88", "--mpta", "83", "--jlca", "2", "--hka-deviation", "-6"], "-7"),
        (["--mpta", "40"], "80"),
        (["--spacing", "0.01"], "spacing"),
        (["--blocks", "2"], "--blocks"),
        (["--tilt", "60"], "--tilt"),
        (["--tilt", "10", "--orientation", "coronal"], "coronal"),
        (["--defect", "gap"], "--defect"),
        (["--syntax", "zip"], "--syntax"),
        (["--patient-position", "HFX"], "--patient-position"),
    ],
)
def test_impossible_wishes_exit_with_2_and_leave_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], words: str
) -> None:
    assert run(["phantom", "-o", str(tmp_path / "out"), "--quiet", *options]) == 2
    assert words in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_folder_in_use_is_not_touched_without_force(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    assert run(["phantom", "-o", str(tmp_path), "--spacing", "5", "--quiet"]) == 2
    assert str(tmp_path) in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]
