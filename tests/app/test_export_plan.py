"""Export: all files or none, read back, named and described as the contract says."""

from __future__ import annotations

import hashlib
import json
import re
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from surgiplan_desktop.app import export_plan
from surgiplan_desktop.base.errors import ComputationError, PlanCheckError, UsageError
from surgiplan_desktop.files.mesh_files import read_mesh
from surgiplan_desktop.geometry.solid import is_solid, volume
from surgiplan_desktop.model.anatomy import Side
from surgiplan_desktop.model.case import Approval
from surgiplan_desktop.model.edits import approve
from surgiplan_desktop.planning import graph
from tests.helpers.guide_session import guide_session

#: The bones of the session at hand came as meshes.
export = partial(export_plan.export, mesh_only_acknowledged=True)


@pytest.mark.parametrize("fmt", ["stl", "3mf", "ply", "obj", "glb"])
def test_guide_comes_back_from_its_file_with_a_sidecar(tmp_path: Path, fmt: str) -> None:
    with guide_session(tmp_path / "user") as session:
        body, sidecar = export(session, "guide", fmt, tmp_path / "out")
        guide = session.require(graph.guide_key("guide-1"))[0]
    assert re.fullmatch(rf"TEST_K7QX2M_right_guide_guide-1_[0-9a-f]{{8}}\.{fmt}", body.name)
    read = read_mesh(body)
    assert is_solid(read)
    assert volume(read) == pytest.approx(volume(guide.mesh), rel=1e-6)
    data = json.loads(sidecar.read_text())
    assert (data["unit"], data["space"], data["side"], data["case"], data["approval"]) == (
        "m" if fmt == "glb" else "mm",
        "LPS",
        "right",
        "K7QX2M",
        "draft",
    )
    assert data["sha256"] == hashlib.sha256(body.read_bytes()).hexdigest()
    assert data["fingerprint"].startswith(body.stem.rsplit("_", 1)[1])
    if fmt == "stl":
        assert b"unit=mm space=LPS" in body.read_bytes()[:80]


def test_same_case_gives_the_same_bytes(tmp_path: Path) -> None:
    files = []
    for name in ("one", "two"):
        with guide_session(tmp_path / name) as session:
            files.append([path.read_bytes() for path in export(session, "all", "stl", tmp_path / f"out-{name}")])
    assert files[0] == files[1]


def test_moved_piece_is_the_distal_piece_under_the_stated_motion(tmp_path: Path) -> None:
    with guide_session(tmp_path / "user") as session:
        paths = export(session, "plan", "ply", tmp_path / "out")
    distal, moved = (next(path for path in paths if f"_{name}_" in path.name and path.suffix == ".ply")
                     for name in ("tibia-distal", "tibia-distal-moved"))  # fmt: skip
    matrix = np.array(json.loads(moved.with_name(moved.name + ".json").read_text())["correction_lps"])
    carried = read_mesh(distal).vertices @ matrix[:3, :3].T + matrix[:3, 3]
    there = read_mesh(moved).vertices
    assert np.abs(np.sort(carried, axis=0) - np.sort(there, axis=0)).max() < 1e-3


def test_a_failing_check_writes_nothing(tmp_path: Path) -> None:
    with guide_session(tmp_path / "user", status="fail") as session, pytest.raises(PlanCheckError) as caught:
        export(session, "all", "stl", tmp_path / "out")
    assert caught.value.exit_code == 4
    assert caught.value.parameters["checks"] == "seat_unstable"
    assert not (tmp_path / "out").exists()


def test_a_guide_on_bones_without_a_scan_leaves_only_acknowledged(tmp_path: Path) -> None:
    with guide_session(tmp_path / "user") as session:
        with pytest.raises(PlanCheckError) as caught:
            export_plan.export(session, "guide", "stl", tmp_path / "out")
        assert caught.value.message_id == "mesh_only_not_acknowledged"
        assert not (tmp_path / "out").exists()
        assert export_plan.export(session, "bones", "stl", tmp_path / "out")


def test_an_approved_case_is_not_called_test(tmp_path: Path) -> None:
    with guide_session(tmp_path / "user", Side.LEFT) as session:
        session.apply("Approve", lambda case: approve(case, Approval("surgeon", "A", "f", "2026-01-01T00:00:00Z")))
        body, sidecar = export(session, "guide", "stl", tmp_path / "out")
    assert body.name.startswith("K7QX2M_left_guide_")
    assert json.loads(sidecar.read_text())["approval"] == "approved"


def test_existing_output_is_refused_and_kept(tmp_path: Path) -> None:
    with guide_session(tmp_path / "user") as session:
        body, _ = export(session, "guide", "stl", tmp_path / "out")
        body.write_bytes(b"mine")
        with pytest.raises(UsageError) as caught:
            export(session, "guide", "stl", tmp_path / "out")
        assert caught.value.message_id == "output_exists"
        assert body.read_bytes() == b"mine"
        export(session, "guide", "stl", tmp_path / "out", force=True)
        assert body.stat().st_size > 84
    assert not list((tmp_path / "out").glob(".surgiplan-*"))


def test_a_folder_that_refuses_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with guide_session(tmp_path / "user") as session, pytest.raises(UsageError) as caught:
        export(session, "guide", "stl", tmp_path / "file" / "out")
    assert caught.value.message_id in {"output_not_writable", "output_exists"}
    assert str(tmp_path / "file") in (caught.value.file or "")


def test_a_file_that_does_not_read_back_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def cut_short(path: Path) -> object:
        mesh = read_mesh(path)
        return type(mesh)(mesh.vertices + 0.01, mesh.faces)

    monkeypatch.setattr(export_plan, "read_mesh", cut_short)
    with guide_session(tmp_path / "user") as session, pytest.raises(ComputationError) as caught:
        export(session, "guide", "stl", tmp_path / "out")
    assert caught.value.message_id == "export_read_back"
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("what", "fmt", "message"),
    [("labels", "dicom-seg", "not_in_this_version"), ("labels", "stl", "export_format"), ("guide", "nifti", "export_format"),
     ("labels", "nifti", "export_nothing"), ("implants", "stl", "export_nothing")],
)  # fmt: skip
def test_what_cannot_be_exported_is_refused(tmp_path: Path, what: str, fmt: str, message: str) -> None:
    with guide_session(tmp_path / "user") as session, pytest.raises(UsageError) as caught:
        export(session, what, fmt, tmp_path / "out")
    assert caught.value.message_id == message
    assert not (tmp_path / "out").exists()
