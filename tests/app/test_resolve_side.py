"""A contradiction of side: shown by the command, resolved by a named person, one undo step, in audit and report."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from surgiplan_desktop.app import documents, startup
from surgiplan_desktop.app.describe_side import side_findings
from surgiplan_desktop.app.resolve_side import hear_sides, resolve_side
from surgiplan_desktop.app.session import Session
from surgiplan_desktop.app.texts import load_texts
from surgiplan_desktop.base.errors import PlanCheckError, UsageError
from surgiplan_desktop.cli.main import run
from surgiplan_desktop.model.anatomy import BoneId, BoneName, Side
from surgiplan_desktop.model.case import Case, Intake, SegmentationRun
from surgiplan_desktop.model.edits import set_intake, set_study
from surgiplan_desktop.model.study import SeriesOrigin, Study, VolumeBlock

IDENTITY = ((1.0, 0.0, 0.0, 0.0), (0.0, 1.0, 0.0, 0.0), (0.0, 0.0, 1.0, 0.0), (0.0, 0.0, 0.0, 1.0))
REASON = "tag mistyped, ward and film say right"


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    """A case whose request says right and whose tag says left, before any bone is found."""
    services = startup.start()
    open_session = documents.new_session(services)
    origin = SeriesOrigin("dicom", laterality="L", description="KNEE LEFT")

    voxels = open_session.store.put(np.zeros((1, 1, 1), dtype=np.int16))

    def edit(case: Case) -> Case:
        study = Study((VolumeBlock(voxels, IDENTITY, (1, 1, 1), origin),))
        return set_study(set_intake(case, Intake(side=Side.RIGHT)), study, "ABC234")

    open_session.apply("Import", edit)
    yield open_session
    open_session.close(discard=True)
    services.close()


def test_a_named_person_resolves_with_a_reason_as_one_undo_step(session: Session) -> None:
    (heard,) = hear_sides(session)
    assert [item.statement for item in heard.open] == ["tags:left"]
    before = session.case
    said = resolve_side(session, Side.RIGHT, "  Dr A.  Yilmaz ", REASON)
    assert (said.person, said.witnesses) == ("Dr A. Yilmaz", ("tags:left",))
    (heard,) = hear_sides(session)
    assert (heard.open, heard.resolution) == ((), said)
    assert session.undo_label == "Resolve side"
    session.undo()
    assert session.case == before
    (heard,) = hear_sides(session)
    assert heard.open


def test_without_name_reason_or_contradiction_nothing_is_resolved(session: Session) -> None:
    for person, reason, error in (("", REASON, "side_person_missing"), ("Dr N", "because", "side_reason_missing")):
        with pytest.raises(UsageError, match=error):
            resolve_side(session, Side.RIGHT, person, reason)
    resolve_side(session, Side.RIGHT, "Dr N", REASON)
    with pytest.raises(UsageError, match="side_nothing_to_resolve"):
        resolve_side(session, Side.RIGHT, "Dr N", REASON)


def test_the_request_follows_the_resolved_side(session: Session) -> None:
    said = resolve_side(session, Side.LEFT, "Dr N", "the request was read wrongly, it says left")
    assert said.witnesses == ("request:right",)
    assert session.case.intake.side is Side.LEFT
    (heard,) = hear_sides(session)
    assert (heard.side, heard.open) == (Side.LEFT, ())


def test_the_resolution_is_kept_in_the_case_and_its_audit_and_said_in_the_report(session: Session, tmp_path: Path) -> None:
    resolve_side(session, Side.RIGHT, "Dr N", REASON)
    path = session.save(tmp_path / "leg.surgiplan")
    with zipfile.ZipFile(path) as archive:
        kept = json.loads(archive.read("case.json"))["side_resolutions"]
        audit = archive.read("audit.jsonl").decode()
    assert [(item["side"], item["person"], item["reason"]) for item in kept] == [("right", "Dr N", REASON)]
    assert '"resolve_side"' in audit
    found = side_findings(session.case, Side.RIGHT)
    assert [item.code for item in found] == ["side_resolved", "side_hint"]
    words = load_texts("en", strict=True).finding(found[0])
    assert "Dr N" in words
    assert REASON in words
    assert side_findings(session.case, Side.LEFT) == ()


def test_the_command_shows_the_witnesses_and_resolves(
    session: Session, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = str(session.save(tmp_path / "leg.surgiplan"))
    session.close(discard=True)

    def answer(*options: str) -> tuple[int, dict]:
        code = run(["side", path, *options, "--json", "--quiet"])
        return code, json.loads(capsys.readouterr().out)

    code, data = answer()
    assert code == 4
    (told,) = data["sides"]
    assert (told["side"], told["agreed"], told["diagnosis"]) == ("right", False, "tag")
    assert [item["witness"] for item in told["witnesses"]] == ["request", "tags", "position", "handedness", "description"]
    assert [(item["statement"], item["resolvable"], item["resolved"]) for item in told["contradictions"]] == [
        ("tags:left", True, False)
    ]
    assert answer("--resolve", "right", "--reason", REASON)[1]["error"]["id"] == "side_person_missing"
    assert answer("--as", "Dr N")[1]["error"]["id"] == "side_resolve_missing"
    code, data = answer("--resolve", "right", "--as", "Dr N", "--reason", REASON)
    assert code == 0
    assert data["resolutions"][0]["person"] == "Dr N"
    assert data["sides"][0]["contradictions"][0]["resolved"]
    assert run(["side", path, "--quiet"]) == 0
    lines = capsys.readouterr().out
    assert "contradicts, resolved" in lines
    assert REASON in lines


def test_no_word_helps_against_the_bones(session: Session) -> None:
    left = (BoneId(Side.LEFT, BoneName.PATELLA),)
    run_found = SegmentationRun("threshold-1", "threshold", "1", "cpu", ("sha256:" + "1" * 64,), left)
    session.apply("Find bones", lambda case: replace(case, segmentations=(run_found,), active_segmentation="threshold-1"))
    with pytest.raises(PlanCheckError, match="side_not_resolvable"):
        resolve_side(session, Side.RIGHT, "Dr N", REASON)
    assert session.case.side_resolutions == ()
