"""scan, import and import-meshes as a user types them: shapes of docs/cli.md, exit codes, words, nothing half written."""

from __future__ import annotations

import errno
import json
import tempfile
from pathlib import Path

import numpy as np
import pydicom
import pytest

from surgiplan_desktop.base.spaces import Affine
from surgiplan_desktop.cli.main import run
from surgiplan_desktop.files.mesh_files import write_stl
from surgiplan_desktop.geometry.solid import cylinder
from surgiplan_desktop.imaging.dicom_write import write_ct_series
from surgiplan_desktop.model.images import Volume
from surgiplan_desktop.model.mesh import Mesh


@pytest.fixture
def ct(tmp_path: Path) -> Path:
    """A folder with a CT of ten slices."""
    values = np.random.default_rng(0).integers(-1000, 1500, (10, 5, 6)).astype(np.int16)
    linear = np.column_stack([[0, 0, 1.5], [0, 0.7, 0], [0.6, 0, 0]])
    folder = tmp_path / "ct"
    write_ct_series(Volume(values, Affine.from_parts(linear, np.array([1.0, 2.0, 3.0]))), folder, patient_name="SECRET^NAME")
    return folder


def tibia() -> Mesh:
    return cylinder(np.array([0.0, 0, -350]), np.array([0.0, 0, 0]), 18.0)


def answer(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, dict, str]:
    """Run with --json: exit code, the one JSON object, what stands on standard error."""
    code = run([str(argument) for argument in (*arguments, "--json")])
    out, err = capsys.readouterr()
    assert "Traceback" not in out + err
    assert "SECRET" not in out + err
    return code, json.loads(out), err


def test_scan_has_the_shape_of_the_contract(ct: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (ct / "notes.txt").write_text("x")
    code, data, _ = answer(capsys, "scan", ct)
    (series,) = data["series"]
    assert code == 0
    assert set(series) >= {
        "uid", "description", "modality", "slices", "size", "spacing_mm", "transfer_syntax", "verdict", "findings", "blocks",
        "linked",
    }  # fmt: skip
    assert series["size"] == [6, 5, 10]
    assert series["spacing_mm"] == pytest.approx([0.6, 0.7, 1.5])
    assert (series["modality"], series["verdict"], series["linked"]) == ("CT", "ok", [])
    assert series["blocks"] == [{"slices": 10, "z_mm": [3.0, 16.5]}]
    assert data["rejected"] == [{"file": str(ct / "notes.txt"), "reason": "not a DICOM file"}]
    assert run(["scan", str(ct)]) == 0
    assert "OK" in capsys.readouterr().out


def test_import_writes_a_case_that_opens_again(ct: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from surgiplan_desktop.app import documents, startup

    case = tmp_path / "case.surgiplan"
    code, data, _ = answer(capsys, "import", ct, "-o", case, "--side", "left", "--procedure", "mowhto")
    assert code == 0
    assert data["files"] == [str(case)]
    assert data["blocks"][0]["size"] == [6, 5, 10]
    services = startup.start()
    session = documents.open_session(services, case)
    assert session.case.code == data["code"]
    assert (session.case.intake.side, session.case.intake.procedure) == ("left", "mowhto")
    session.close()
    services.close()
    code, data, _ = answer(capsys, "import", ct, "-o", case)
    assert (code, data["error"]["id"], data["error"]["file"]) == (2, "output_exists", str(case))
    assert answer(capsys, "import", ct, "-o", case, "--force")[0] == 0


def test_a_repair_is_described_then_done_with_consent_only(ct: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sorted(ct.iterdir())[4].unlink()
    case = tmp_path / "case.surgiplan"
    _, data, _ = answer(capsys, "scan", ct)
    (series,) = data["series"]
    assert (series["verdict"], series["repairs"][0]["kind"]) == ("repairable", "missing_slices")
    assert len(series["repairs"][0]["files"]) == 2
    assert run(["scan", str(ct)]) == 0
    assert "with --accept-repair" in capsys.readouterr().out
    code, data, _ = answer(capsys, "import", ct, "-o", case)
    assert (code, data["error"]["id"], case.exists()) == (3, "refused_missing_slices", False)
    code, data, _ = answer(capsys, "import", ct, "-o", case, "--accept-repair")
    assert (code, data["blocks"][0]["slices"]) == (0, 10)
    assert [(item["kind"], item["stretches"]) for item in data["blocks"][0]["repairs"]] == [("missing_slices", [[4, 4]])]
    assert data["findings"][0]["code"] == "missing_slices"
    assert data["findings"][0]["severity"] == "warn"


def test_two_patients_end_with_the_list(ct: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for path in sorted(ct.iterdir())[:5]:
        dataset = pydicom.dcmread(path)
        dataset.PatientID, dataset.StudyInstanceUID, dataset.SeriesInstanceUID = "SECRET", "1.2.3", "1.2.3.4"
        dataset.save_as(path)
    code, data, _ = answer(capsys, "import", ct, "-o", tmp_path / "c.surgiplan")
    assert (code, data["error"]["id"]) == (2, "several_studies")
    assert "1.2.3.4" in data["error"]["text"]
    assert not (tmp_path / "c.surgiplan").exists()
    code, data, _ = answer(capsys, "import", ct, "--series", "1.2.3.4", "-o", tmp_path / "c.surgiplan")
    assert (code, data["blocks"][0]["slices"]) == (0, 5)


def empty(folder: Path) -> Path:
    return folder


def text_named_dcm(folder: Path) -> Path:
    (folder / "notes.dcm").write_text("these are notes\n" * 40)
    return folder / "notes.dcm"


def truncated(folder: Path) -> Path:
    (path, *_) = write_ct_series(Volume(np.zeros((1, 64, 64), np.int16), Affine.identity()), folder)
    path.write_bytes(path.read_bytes()[:4000])
    return path


def mr(folder: Path) -> Path:
    write_ct_series(Volume(np.zeros((3, 4, 4), np.int16), Affine.identity()), folder, modality="MR")
    return folder


def missing(folder: Path) -> Path:
    return folder / "nothing"


@pytest.mark.parametrize(
    ("make", "error", "scan_code"),
    [
        (empty, "folder_empty", 3),
        (text_named_dcm, "file_not_dicom", 3),
        (truncated, "refused_truncated", 0),
        (mr, "refused_not_ct", 0),
        (missing, "not_found", 3),
    ],
)
def test_wrong_input_is_told_with_file_and_remedy(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], make: object, error: str, scan_code: int
) -> None:
    folder = tmp_path / "input"
    folder.mkdir()
    path = make(folder)  # type: ignore[operator]
    code, data, told = answer(capsys, "import", path, "-o", tmp_path / "case.surgiplan")
    assert (code, data["error"]["id"]) == (3, error)
    assert data["error"]["file"] == str(path)
    assert data["error"]["hint"]
    assert str(path) in told
    assert sorted(item.name for item in tmp_path.iterdir()) == ["input"]
    code, data, _ = answer(capsys, "scan", path)
    assert code == scan_code


def test_meshes_become_a_case(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_stl(tmp_path / "t.stl", tibia(), "x")
    case = tmp_path / "m.surgiplan"
    code, data, _ = answer(capsys, "import-meshes", "--side", "right", "--tibia", tmp_path / "t.stl", "-o", case)
    assert code == 0
    assert data["bones"][0]["id"] == "right_tibia"
    assert data["files"] == [str(case)]
    assert case.is_file()


def test_a_mesh_with_a_hole_is_told_and_nothing_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_stl(tmp_path / "t.stl", Mesh(tibia().vertices, tibia().faces[:-1]), "x")
    case = tmp_path / "m.surgiplan"
    code, data, told = answer(capsys, "import-meshes", "--side", "right", "--tibia", tmp_path / "t.stl", "-o", case)
    assert (code, data["error"]["id"], data["error"]["file"]) == (3, "mesh_open", str(tmp_path / "t.stl"))
    assert "hole" in told
    assert not case.exists()


def test_wrong_usage_of_import_meshes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    case = tmp_path / "m.surgiplan"
    assert answer(capsys, "import-meshes", "--tibia", "t.stl", "-o", case)[:1] == (2,)
    code, data, _ = answer(capsys, "import-meshes", "--side", "left", "-o", case)
    assert (code, data["error"]["id"]) == (2, "no_meshes")


def test_an_output_folder_that_cannot_hold_a_file(ct: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("in the way")
    code, data, _ = answer(capsys, "import", ct, "-o", tmp_path / "file" / "case.surgiplan")
    assert code == 2
    assert data["error"]["hint"]
    assert (tmp_path / "file").read_text() == "in the way"


def test_an_output_folder_without_permission(
    ct: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Root may write anywhere, so the answer of the system is put in its place.
    def refuse(**_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(tempfile, "NamedTemporaryFile", refuse)
    code, data, _ = answer(capsys, "import", ct, "-o", tmp_path / "case.surgiplan")
    assert (code, data["error"]["id"], data["error"]["file"]) == (2, "output_not_writable", str(tmp_path / "case.surgiplan"))
    assert sorted(item.name for item in tmp_path.iterdir()) == ["ct"]


@pytest.mark.parametrize(
    "typed", [["--ball", "25", "1", "1", "2", "2"], ["--attach"], ["--invert"], ["--film-date", "2026-01-01"]]
)
def test_what_is_for_films_is_not_passed_over_for_a_scan(
    ct: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], typed: list[str]
) -> None:
    code, data, _ = answer(capsys, "import", ct, "-o", tmp_path / "c.surgiplan", *typed)
    assert (code, data["error"]["id"]) == (2, "scan_option")
    assert not (tmp_path / "c.surgiplan").exists()


def test_a_refused_series_says_what_to_ask_for(ct: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for path in ct.iterdir():
        dataset = pydicom.dcmread(path)
        dataset.ImagePositionPatient = None
        dataset.save_as(path)
    assert run(["scan", str(ct)]) == 0
    assert "what to do: Ask for the original DICOM export" in capsys.readouterr().out


def test_a_folder_of_volume_files_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "labels.nii.gz").write_bytes(b"x" * 400)
    code, data, _ = answer(capsys, "scan", tmp_path)
    assert (code, data["error"]["id"]) == (3, "folder_of_volumes")
    assert "labels.nii.gz" in data["error"]["text"]


@pytest.mark.parametrize("syntax", ["implicit_le", "explicit_be", "deflated", "rle"])
def test_encodings_go_the_whole_way_into_a_case(tmp_path: Path, capsys: pytest.CaptureFixture[str], syntax: str) -> None:
    values = np.random.default_rng(0).integers(-1000, 1500, (4, 5, 6)).astype(np.int16)
    write_ct_series(Volume(values, Affine(np.eye(4)[[2, 1, 0, 3]])), tmp_path / "ct", transfer_syntax=syntax)
    code, data, _ = answer(capsys, "import", tmp_path / "ct", "-o", tmp_path / "c.surgiplan")
    assert (code, data["blocks"][0]["slices"]) == (0, 4)
