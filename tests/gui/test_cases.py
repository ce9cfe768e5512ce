"""Cases that are not the demo: sides that contradict each other, bones from meshes, work left by a run that ended suddenly."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from surgiplan_desktop.app.documents import new_session
from surgiplan_desktop.base.errors import UsageError
from surgiplan_desktop.gui.bridge import Bridge
from surgiplan_desktop.gui.main_window import MainWindow
from surgiplan_desktop.gui.panels.approve import export_all
from surgiplan_desktop.gui.steps import step_states
from surgiplan_desktop.model.anatomy import BoneId, BoneName, Side
from surgiplan_desktop.model.case import Case, ImportedBone, Intake
from surgiplan_desktop.model.edits import set_imported_bones, set_intake

_CORNERS = np.array([[x, y, z] for x in (40.0, 80.0) for y in (-20.0, 20.0) for z in (100.0, 400.0)])
_FACES = np.array(
    [
        [0, 1, 3],
        [0, 3, 2],
        [4, 6, 7],
        [4, 7, 5],
        [0, 4, 5],
        [0, 5, 1],
        [2, 3, 7],
        [2, 7, 6],
        [0, 2, 6],
        [0, 6, 4],
        [1, 5, 7],
        [1, 7, 3],
    ]
)


def _add_block(case: Case, bridge: Bridge, side: Side) -> Case:
    """Give the case a bone that is a block; nothing can be measured on it."""
    store = bridge.session.store
    bone = ImportedBone(BoneId(side, BoneName.TIBIA), store.put(_CORNERS), store.put(_FACES), "tibia.stl", "mm", "lps")
    return set_imported_bones(case, (bone,), "K7QX2M")


def _right_bone_left_request(bridge: Bridge) -> None:
    bridge.session.apply("bones", lambda case: _add_block(case, bridge, Side.RIGHT))
    bridge.session.apply("request", lambda case: set_intake(case, Intake(Side.LEFT, "mowhto")))


def test_a_contradicted_side_is_said_where_the_work_is_and_resolved_in_study(
    qtbot: QtBot, window: MainWindow, bridge: Bridge
) -> None:
    _right_bone_left_request(bridge)
    window.go("bones")
    qtbot.waitUntil(lambda: window.panel.findChild(object, "bones_to_study") is not None)
    to_study = window.panel.findChild(object, "bones_to_study")
    assert step_states(bridge)["plan"].reason == "sides_contradict"
    assert (bridge.word("sides_disagree"), "fail") in window.stage.identity()
    qtbot.mouseClick(to_study, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: window.panel.step == "study" and window.panel.isVisible())
    qtbot.mouseClick(window.panel.findChild(object, "side_right"), Qt.MouseButton.LeftButton)
    card = window.panel.findChild(object, "study_side_card")
    qtbot.waitUntil(card.isHidden)
    assert step_states(bridge)["plan"].reason != "sides_contradict"
    bridge.session.undo()
    qtbot.waitUntil(lambda: not card.isHidden())


def test_bones_from_meshes_bring_the_crosshair_to_them(qtbot: QtBot, window: MainWindow, bridge: Bridge) -> None:
    bridge.session.apply("request", lambda case: set_intake(case, Intake(Side.RIGHT, "mowhto")))
    bridge.session.apply("bones", lambda case: _add_block(case, bridge, Side.RIGHT))
    qtbot.waitUntil(lambda: bool(window.stage.picture.outlines), timeout=5000)
    qtbot.waitUntil(lambda: np.allclose(window.stage.crosshair, (60.0, 0.0, 250.0)), timeout=5000)
    assert window.panel.primary.text() == bridge.word("next_bones_there")


def test_work_left_by_a_run_that_ended_is_offered_and_undo_reaches_back(qtbot: QtBot, window: MainWindow, bridge: Bridge) -> None:
    earlier = new_session(bridge.services)
    earlier.apply("Set the request", lambda case: set_intake(case, Intake(Side.LEFT, "mowhto")))
    earlier.apply("Change the side", lambda case: set_intake(case, replace(case.intake, side=Side.RIGHT)))
    earlier.close()  # keeps what is in no file, as a killed program does
    window.documents.tell_left_work()
    assert window.status.said[-1].text == bridge.word("left_work_found")
    window.panel.renew()
    offered = window.panel.findChild(object, "recover_0")
    qtbot.mouseClick(offered, Qt.MouseButton.LeftButton)
    assert bridge.case.intake.side is Side.RIGHT
    window.undo()
    assert bridge.case.intake.side is Side.LEFT


@pytest.mark.parametrize("content", [None, b"", b"no archive at all", b"PK\x03\x04 torn"])
def test_a_file_that_cannot_be_opened_is_a_sentence_and_the_case_stays(
    qtbot: QtBot, window: MainWindow, bridge: Bridge, tmp_path: Path, content: bytes | None
) -> None:
    path = tmp_path / "case.surgiplan"
    if content is not None:
        path.write_bytes(content)
    before = bridge.session
    window.documents.open(path)
    qtbot.waitUntil(lambda: bool(window.status.said), timeout=10000)
    said = window.status.said[-1]
    assert said.severity == "error"
    assert "case.surgiplan" in said.text
    assert said.hint
    assert bridge.session is before


def test_a_case_is_opened_beside_the_windows_work(qtbot: QtBot, window: MainWindow, bridge: Bridge, tmp_path: Path) -> None:
    path = tmp_path / "case.surgiplan"
    bridge.session.apply("request", lambda case: set_intake(case, Intake(Side.RIGHT, "mowhto")))
    bridge.session.save(path)
    window.documents.start_new()
    before = bridge.session
    window.documents.open(path)
    assert bridge.session is before  # a job reads it
    qtbot.waitUntil(lambda: bridge.session is not before, timeout=10000)
    assert bridge.case.intake.side is Side.RIGHT
    window.documents.open(path)
    assert window.status.said[-1].text == bridge.word("already_here", file=path.name)


def test_a_folder_that_refuses_files_is_a_sentence(bridge: Bridge, tmp_path: Path) -> None:
    taken = tmp_path / "taken"
    taken.write_text("a file where the folder should be")
    with pytest.raises(UsageError) as refused:
        export_all(bridge.session, taken / "export", everything=False, report=True, force=False, mesh_only_acknowledged=False)
    text, hint = bridge.texts.error(refused.value)
    assert "export" in text
    assert hint
