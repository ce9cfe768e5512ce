"""evaluate as a user types it: the JSON of the contract, every kind of file, what must be refused or told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK
import trimesh

from surgiplan_desktop.base.spaces import Affine
from surgiplan_desktop.cli.main import run
from surgiplan_desktop.files.mesh_files import write_glb, write_stl
from surgiplan_desktop.imaging.volume_files import write_volume_file
from surgiplan_desktop.model.images import LabelMap
from surgiplan_desktop.model.mesh import Mesh

CONTRACT = {"name", "dice", "hd95_mm", "assd_mm", "nsd_1mm", "volume_mm3"}
LPS = np.array([[0.0, 0.0, 0.75], [0.0, 0.5, 0.0], [2.0, 0.0, 0.0]])


def answer(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, dict[str, Any]]:
    code = run([str(argument) for argument in ("evaluate", *arguments, "--json", "--quiet")])
    out, err = capsys.readouterr()
    assert "Traceback" not in out + err
    return code, json.loads(out, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))


def codes(data: dict[str, Any]) -> set[str]:
    return {item["code"] for item in data["findings"]}


def legs(longer: int = 0) -> np.ndarray:
    array = np.zeros((20, 30, 24), dtype=np.uint16)
    array[3:10, 5 : 15 + longer, 3:9] = 2
    array[3:10, 5:15, 14:20] = 102
    array[12:18, 5:15, 3:9] = 1
    return array


def written(path: Path, array: np.ndarray, origin: tuple[float, float, float] = (-30.0, 10.0, 400.0)) -> Path:
    write_volume_file(path, LabelMap(array.astype(np.uint16), Affine.from_parts(LPS, np.array(origin))))
    return path


def ball(path: Path, radius: float = 20.0, factor: float = 1.0, drop: int = 0) -> Path:
    shape = trimesh.creation.icosphere(subdivisions=3, radius=radius)
    mesh = Mesh((shape.vertices + np.array([5.0, -60.0, 200.0])) * factor, shape.faces[drop:])
    (write_glb if path.suffix == ".glb" else write_stl)(path, mesh, "x")
    return path


def test_the_answer_has_the_names_of_the_contract(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ours, theirs = written(tmp_path / "p.nii.gz", legs(2)), written(tmp_path / "r.nrrd", legs())
    code, data = answer(capsys, ours, theirs)
    assert code == 0
    assert set(data["labels"]) == {"1", "2", "102"}
    assert [data["labels"][key]["name"] for key in ("1", "2", "102")] == ["right_femur", "right_tibia", "left_tibia"]
    tibia = data["labels"]["2"]
    assert set(tibia) >= CONTRACT
    assert tibia["dice"] == pytest.approx(20 / 22)
    assert tibia["volume_mm3"] == pytest.approx([7 * 12 * 6 * 0.75, 7 * 10 * 6 * 0.75])
    assert tibia["hd_mm"] == pytest.approx(1.0, abs=1e-5)
    assert tibia["nsd_1mm"] == 1
    assert data["labels"]["102"]["dice"] == data["median"]["dice"] == 1
    assert data["findings"] == []


def test_a_label_in_one_file_or_in_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ours = legs()
    ours[ours == 1] = 0
    ours[0:2, 20:25, 3:9] = 233
    pair = written(tmp_path / "p.mha", ours), written(tmp_path / "r.mha", legs())
    code, data = answer(capsys, *pair)
    rows = data["labels"]
    assert (code, set(rows)) == (0, {"1", "2", "102", "233"})
    for key, status in (("1", "only_reference"), ("233", "only_prediction")):
        row = rows[key]
        assert (row["status"], row["dice"], row["nsd_1mm"], row["hd95_mm"], row["assd_mm"]) == (status, 0, 0, None, None)
    assert rows["233"]["name"] == "label_233"
    assert codes(data) == {"evaluate_only_prediction", "evaluate_only_reference", "evaluate_at_edge"}
    code, data = answer(capsys, *pair, "--labels", 5, 102)
    assert set(data["labels"]) == {"5", "102"}
    assert (data["labels"]["5"]["status"], data["labels"]["5"]["dice"], data["labels"]["5"]["nsd_1mm"]) == (
        "absent_correct",
        1,
        None,
    )
    assert data["median"]["dice"] == 1


def test_empty_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    empty, full = written(tmp_path / "e.nii.gz", np.zeros((20, 30, 24))), written(tmp_path / "f.nii.gz", legs())
    code, data = answer(capsys, empty, empty)
    assert (code, data["labels"], codes(data)) == (0, {}, {"evaluate_no_labels"})
    code, data = answer(capsys, empty, full)
    assert {row["status"] for row in data["labels"].values()} == {"only_reference"}
    assert (data["median"]["dice"], data["median"]["hd95_mm"]) == (0, None)


def test_grids_that_differ_are_matched_by_place_and_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    theirs = written(tmp_path / "r.nii.gz", legs())
    image = SimpleITK.ReadImage(str(theirs))
    SimpleITK.WriteImage(SimpleITK.DICOMOrient(image, "RSA"), str(tmp_path / "turned.nii.gz"))
    SimpleITK.WriteImage(image[:, 8:, :], str(tmp_path / "part.nrrd"))
    SimpleITK.WriteImage(SimpleITK.Expand(image, [2, 2, 2], SimpleITK.sitkNearestNeighbor), str(tmp_path / "fine.mha"))
    for name, finding in (
        ("turned.nii.gz", "evaluate_turned"),
        ("part.nrrd", "evaluate_cropped"),
        ("fine.mha", "evaluate_resampled"),
    ):
        code, data = answer(capsys, tmp_path / name, theirs)
        assert (code, codes(data) - {"evaluate_at_edge"}) == (0, {finding})
        assert all(row["dice"] == 1 and row["hd95_mm"] == 0 for row in data["labels"].values())
    # the same numbers in another place are another thing
    moved = written(tmp_path / "m.nii.gz", legs(), origin=(-25.5, 10.0, 400.0))
    code, data = answer(capsys, moved, theirs)
    assert data["labels"]["2"]["dice"] == 0
    apart = written(tmp_path / "a.nii.gz", legs(), origin=(900.0, 10.0, 400.0))
    code, data = answer(capsys, apart, theirs)
    assert (code, data["error"]["id"]) == (3, "evaluate_apart")


def test_a_scan_is_no_label_map(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    labels = written(tmp_path / "r.nii.gz", legs())
    random = np.random.default_rng(3)
    scans = {
        "ct.nii.gz": random.integers(-1000, 1500, (20, 30, 24)).astype(np.int16),
        "unsigned.nii.gz": random.integers(0, 4000, (20, 30, 24)).astype(np.uint16),
        "share.nii.gz": random.random((20, 30, 24)).astype(np.float32),
        "nan.nii.gz": np.full((20, 30, 24), np.nan, dtype=np.float32),
    }
    for name, values in scans.items():
        image = SimpleITK.GetImageFromArray(values)
        image.CopyInformation(SimpleITK.ReadImage(str(labels)))
        SimpleITK.WriteImage(image, str(tmp_path / name))
        code, data = answer(capsys, labels, tmp_path / name)
        assert (code, data["error"]["id"], data["error"]["file"]) == (3, "not_labels", str(tmp_path / name))
    # labels stored as whole numbers in floating point are labels
    SimpleITK.WriteImage(SimpleITK.Cast(SimpleITK.ReadImage(str(labels)), SimpleITK.sitkFloat64), str(tmp_path / "f.nii.gz"))
    code, data = answer(capsys, tmp_path / "f.nii.gz", labels)
    assert (code, data["median"]["dice"]) == (0, 1)


def test_meshes_with_their_units(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ours, theirs = ball(tmp_path / "k7_left_tibia.stl", 20.5), ball(tmp_path / "left_tibia.glb", 20.0)
    code, data = answer(capsys, ours, theirs, "--reference-space", "lps")
    assert (code, data["kind"], set(data["labels"])) == (0, "meshes", {"102"})
    row = data["labels"]["102"]
    assert row["name"] == "left_tibia"
    np.testing.assert_allclose([row["assd_mm"], row["hd95_mm"]], 0.5, atol=0.02)
    assert row["dice"] == pytest.approx(2 * 20**3 / (20**3 + 20.5**3), abs=2e-3)
    metres = ball(tmp_path / "m.stl", 20.0, factor=0.001)
    code, data = answer(capsys, ours, metres)
    assert (code, data["error"]["id"]) == (3, "evaluate_sizes")
    code, data = answer(capsys, ours, metres, "--reference-unit", "m")
    assert (code, set(data["labels"])) == (0, {"102"})
    code, data = answer(capsys, ours, tmp_path / "left_tibia.glb", "--reference-space", "ras")
    assert "evaluate_meshes_apart" in codes(data)
    assert data["labels"]["102"]["dice"] == 0


def test_an_open_mesh_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, data = answer(capsys, ball(tmp_path / "o.stl", drop=3), ball(tmp_path / "r.stl"))
    row = data["labels"]["mesh"]
    assert (code, row["name"], row["dice"], row["volume_mm3"][0]) == (0, "r", None, None)
    assert row["nsd_1mm"] == 1
    assert [item["files"] for item in data["findings"] if item["code"] == "evaluate_mesh_open"] == [[str(tmp_path / "o.stl")]]


def test_what_cannot_be_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    labels, mesh = written(tmp_path / "r.nii.gz", legs()), ball(tmp_path / "b.stl")
    (tmp_path / "x.txt").write_text("x")
    (tmp_path / "cut.nii.gz").write_bytes(labels.read_bytes()[:-40])
    for pair, exit_code, name in (
        ((labels, mesh), 2, "evaluate_mixed"),
        ((labels, tmp_path / "none.nii.gz"), 3, "not_found"),
        ((tmp_path / "x.txt", labels), 3, "evaluate_format"),
        ((tmp_path, labels), 3, "evaluate_format"),
        ((tmp_path / "cut.nii.gz", labels), 3, "truncated_file"),
        ((labels,), 2, "usage"),
        ((labels, labels, "--labels", 0), 2, "usage"),
    ):
        code, data = answer(capsys, *pair)
        assert (code, data["error"]["id"]) == (exit_code, name)


def test_the_table_for_people(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ours = legs()
    ours[ours == 1] = 0
    assert run(["evaluate", str(written(tmp_path / "p.nrrd", ours)), str(written(tmp_path / "r.nrrd", legs()))]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[:3] == ["label", "Dice", "HD95"]
    assert lines[1].split() == ["right_femur", "0.000", "inf", "inf", "0.000", "0.00", "/", "0.27"]
    assert lines[2].split()[:5] == ["right_tibia", "1.000", "0.00", "0.00", "1.000"]
    assert lines[-1].startswith("evaluate_only_reference: only in the reference")
