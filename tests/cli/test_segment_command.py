"""``surgiplan segment``: the JSON of the contract, options that are refused, findings about the side."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from surgiplan_desktop.app import documents, startup
from surgiplan_desktop.app.run_segmentation import side_witnesses
from surgiplan_desktop.cli.main import run
from surgiplan_desktop.model.anatomy import Side
from surgiplan_desktop.model.case import Case, Intake
from surgiplan_desktop.model.edits import set_intake, set_study
from surgiplan_desktop.model.images import Volume
from surgiplan_desktop.model.study import SeriesOrigin, Study, VolumeBlock
from surgiplan_desktop.planning.graph import bone_key, uncertainty_key
from tests.helpers.painted_pack import painted, write_painted_pack
from tests.segmentation.said import classes_of
from tests.segmentation.toy_leg import toy_leg


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No model is installed."""
    monkeypatch.setattr("surgiplan_desktop.app.models.catalogue_roots", lambda: (tmp_path,))


@pytest.fixture
def painted_case(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A case that the model painted, the only one there is, can read."""
    write_painted_pack(tmp_path / "models" / "painted")
    for place in ("models", "run_segmentation", "propose_segmentation"):
        monkeypatch.setattr(f"surgiplan_desktop.app.{place}.catalogue_roots", lambda: (tmp_path,))
    # proposed whatever the slices are: what is tested is the way, not where the limit lies
    names = ("model_from_slice_mm", "model_from_slice_mm_several", "several_joints_from_mm")
    limits = {f"segmentation.{name}": 0.0 for name in names}
    monkeypatch.setattr("surgiplan_desktop.app.propose_segmentation.default_limits", lambda: limits)
    leg = toy_leg(Side.RIGHT)
    return _case_of(painted(classes_of(leg.bones), leg.volume), tmp_path)


@pytest.fixture
def case(tmp_path: Path) -> Path:
    return _case_of(toy_leg(Side.RIGHT).volume, tmp_path)


def _case_of(volume: Volume, tmp_path: Path) -> Path:
    path = tmp_path / "leg.surgiplan"
    services = startup.start()
    session = documents.new_session(services)
    rows = tuple(tuple(float(value) for value in row) for row in volume.affine.matrix)
    block = VolumeBlock(session.store.put(volume.array), rows, volume.shape, SeriesOrigin("nifti"))
    session.apply("Import", lambda case: set_study(set_intake(case, Intake(side=Side.RIGHT)), Study((block,)), "TESTLEG"))
    session.save(path)
    session.close()
    services.close()
    return path


def answer(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, dict]:
    code = run([*map(str, arguments), "--json"])
    return code, json.loads(capsys.readouterr().out)


def test_segment_has_the_shape_of_the_contract_and_is_kept(case: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, data = answer(capsys, "segment", case, "--no-ai")
    assert code == 0
    assert {"bones", "model", "provider", "seconds"} <= set(data)
    assert data["model"] is None
    assert {"id", "label", "side", "volume_mm3", "touches_edge", "findings"} == set(data["bones"][0])
    assert [(bone["id"], bone["label"]) for bone in data["bones"]] == [
        ("right_femur", 1), ("right_tibia", 2), ("right_patella", 3), ("right_fibula", 4), ("right_talus", 5),
    ]  # fmt: skip
    assert data["findings"] == []
    services = startup.start()
    session = documents.open_session(services, case)
    run_kept = session.case.segmentation
    assert run_kept is not None
    assert [str(bone) for bone in run_kept.bones] == [bone["id"] for bone in data["bones"]]
    (bone,) = session.require(bone_key(run_kept.bones[2]))
    assert bone.parts[0].mesh.faces.shape[0] > 500
    session.close()
    services.close()


def test_a_second_run_is_kept_beside_the_first(case: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):
        assert answer(capsys, "segment", case, "--no-ai")[0] == 0
    services = startup.start()
    session = documents.open_session(services, case)
    assert [item.id for item in session.case.segmentations] == ["threshold-1", "threshold-2"]
    assert session.case.active_segmentation == "threshold-2"
    session.close()
    services.close()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--model", "knees"), "model_unknown"),
        (("--no-ai", "--model", "knees"), "model_and_no_ai"),
        (("--no-ai", "--device", "cuda"), "device_without_model"),
    ],
)
def test_options_that_cannot_be_are_refused(
    case: Path, capsys: pytest.CaptureFixture[str], options: tuple[str, ...], message: str
) -> None:
    code, data = answer(capsys, "segment", case, *options)
    assert code == 2
    assert data["error"]["id"] == message
    assert data["error"]["hint"]


def test_without_a_model_the_proposed_way_is_the_one_without(case: Path, capsys: pytest.CaptureFixture[str], bare: None) -> None:
    code, data = answer(capsys, "segment", case)
    assert code == 0
    assert data["model"] is None
    assert data["method"] == "threshold"
    assert data["proposed"]["model"] is None
    assert "no model" in data["proposed"]["reason"]


def test_a_model_is_proposed_run_and_kept(painted_case: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = run(["segment", str(painted_case), "--json"])
    out, err = capsys.readouterr()
    data = json.loads(out)
    assert code == 0
    assert "licence Apache-2.0" in err  # said before it runs, with the memory it will take
    assert "MiB" in err
    assert (data["model"], data["model_version"], data["licence"]) == ("painted", "0.1", "Apache-2.0")
    assert data["proposed"]["model"] == "painted"
    assert data["memory_mib"] > 0
    assert "float32" in data["provider"]
    assert [bone["id"] for bone in data["bones"]] == [
        "right_femur", "right_tibia", "right_patella", "right_fibula", "right_talus",
    ]  # fmt: skip
    services = startup.start()
    session = documents.open_session(services, painted_case)
    kept = session.case.segmentation
    assert kept is not None
    assert kept.id == "painted-1"
    assert kept.likeness == data["likeness"]
    (sure,) = session.require(uncertainty_key(0))
    assert sure.entropy.shape == sure.chance.shape
    (bone,) = session.require(bone_key(kept.bones[1]))
    assert bone.parts[0].mesh.faces.shape[0] > 500
    session.close()
    services.close()
    assert answer(capsys, "segment", painted_case, "--no-ai")[1]["model"] is None
    services = startup.start()
    session = documents.open_session(services, painted_case)
    assert [item.id for item in session.case.segmentations] == ["painted-1", "threshold-1"]
    session.close()
    services.close()


def test_a_broken_model_is_not_proposed_and_refused_by_name(painted_case: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fine = painted_case.parent / "models" / "painted" / "fine.onnx"
    fine.write_bytes(fine.read_bytes()[:-10])
    code, data = answer(capsys, "segment", painted_case, "--model", "painted")
    assert code == 3
    assert data["error"]["id"] == "pack_hash"
    code, data = answer(capsys, "segment", painted_case)
    assert code == 0
    assert data["method"] == "threshold"
    assert "painted cannot be used" in data["proposed"]["reason"]


def test_a_case_without_a_scan_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "empty.surgiplan"
    services = startup.start()
    session = documents.new_session(services)
    session.save(path)
    session.close()
    services.close()
    code, data = answer(capsys, "segment", path, "--no-ai")
    assert code == 2
    assert data["error"]["id"] == "no_scan_in_case"


def test_request_and_tags_are_witnesses_of_the_side() -> None:
    origin = SeriesOrigin("dicom", laterality="L")
    rows = ((1.0, 0.0, 0.0, 0.0), (0.0, 1.0, 0.0, 0.0), (0.0, 0.0, 1.0, 0.0), (0.0, 0.0, 0.0, 1.0))
    study = Study((VolumeBlock("sha256:0", rows, (1, 1, 1), origin),))
    case = replace(Case(), study=study, intake=Intake(side=Side.LEFT))
    assert side_witnesses(case, {Side.LEFT}) == []
    assert side_witnesses(case, {Side.LEFT, Side.RIGHT}) == []
    against = side_witnesses(case, {Side.RIGHT})
    assert [dict(finding.parameters)["source"] for finding in against] == ["request", "DICOM laterality"]
    assert {finding.severity for finding in against} == {"critical"}
