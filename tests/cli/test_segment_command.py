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
from surgiplan_desktop.model.study import SeriesOrigin, Study, VolumeBlock
from surgiplan_desktop.planning.graph import bone_key
from tests.segmentation.toy_leg import toy_leg


@pytest.fixture
def case(tmp_path: Path) -> Path:
    path = tmp_path / "leg.surgiplan"
    volume = toy_leg(Side.RIGHT).volume
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
