"""guide, export and report on the command line: exit codes and the one JSON object, also when they refuse."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

from surgiplan_desktop.cli.main import run
from surgiplan_desktop.files.mesh_files import write_stl
from tests.helpers.guide_leg import guide_leg


@pytest.fixture
def case(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """A case with a tibia and no plan."""
    write_stl(tmp_path / "tibia.stl", guide_leg().tibia.parts[0].mesh, "test unit=mm space=LPS")
    path = tmp_path / "case.surgiplan"
    code = run(["import-meshes", "--side", "right", "--tibia", str(tmp_path / "tibia.stl"), "-o", str(path), "--quiet"])
    assert code == 0
    capsys.readouterr()
    return path


def _error(capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    error: dict[str, str] = json.loads(capsys.readouterr().out)["error"]
    return error


@pytest.mark.parametrize("command", [["guide"], ["report", "-o", "plan.pdf"]])
def test_without_an_osteotomy_guide_and_report_say_what_to_do(
    case: Path, command: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(case.parent)
    assert run([command[0], str(case), *command[1:], "--json", "--quiet"]) == 2
    error = _error(capsys)
    assert error["id"] == "osteotomy_not_planned"
    assert "plan" in error["hint"]
    assert not (case.parent / "plan.pdf").exists()


def test_an_option_out_of_range_is_refused_with_the_range(case: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["guide", str(case), "--clearance", "3", "--json", "--quiet"]) == 2
    assert _error(capsys)["id"] == "guide_option"


def test_bones_are_exported_with_absolute_paths_and_read_as_lps_mm(case: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = case.parent / "out"
    assert run(["export", str(case), "bones", "-o", str(out), "--json", "--quiet"]) == 0
    files = [Path(name) for name in json.loads(capsys.readouterr().out)["files"]]
    assert len(files) == 2
    assert all(path.is_absolute() and path.is_file() for path in files)
    assert json.loads(files[1].read_text())["space"] == "LPS"
    assert b"unit=mm space=LPS" in files[0].read_bytes()[:80]
    assert run(["export", str(case), "bones", "-o", str(out), "--json", "--quiet"]) == 2
    assert _error(capsys)["id"] == "output_exists"


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission_is_named(case: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = case.parent / "locked"
    folder.mkdir()
    folder.chmod(0o500)
    assert run(["export", str(case), "bones", "-o", str(folder / "out"), "--json", "--quiet"]) == 2
    assert str(folder) in _error(capsys)["file"]


def test_the_exported_bone_is_the_imported_one(case: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from surgiplan_desktop.files.mesh_files import read_mesh

    out = case.parent / "out"
    assert run(["export", str(case), "bones", "-f", "ply", "-o", str(out), "--json", "--quiet"]) == 0
    exported = read_mesh(Path(json.loads(capsys.readouterr().out)["files"][0]))
    given = guide_leg().tibia.parts[0].mesh
    assert np.abs(np.sort(exported.vertices, axis=0) - np.sort(given.vertices, axis=0)).max() < 2e-4
