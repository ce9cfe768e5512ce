"""The whole window off screen: frame, steps, panels and undo over an empty case."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from surgiplan_desktop.base.errors import InputDataError
from surgiplan_desktop.gui.actions import ACTS
from surgiplan_desktop.gui.bridge import Bridge
from surgiplan_desktop.gui.main_window import MainWindow
from surgiplan_desktop.gui.steps import STEPS, step_states
from surgiplan_desktop.model.anatomy import Side


def test_it_opens_on_the_study_with_one_next_act(window: MainWindow, bridge: Bridge) -> None:
    assert bridge.session.view.step == "study"
    states = step_states(bridge)
    assert [states[step].glyph for step in STEPS] == ["next", *["blocked"] * 6]
    assert not window.panel.primary.isEnabled()  # the side is asked first
    assert window.title.findChild(object, "case_side").text() == bridge.word("side_not_asked")


def test_side_and_procedure_open_the_way_to_a_scan_and_can_be_undone(qtbot: QtBot, window: MainWindow, bridge: Bridge) -> None:
    panel = window.panel
    qtbot.mouseClick(panel.findChild(object, "side_left"), Qt.MouseButton.LeftButton)
    qtbot.mouseClick(panel.findChild(object, "procedure_mowhto"), Qt.MouseButton.LeftButton)
    assert bridge.case.intake.side is Side.LEFT
    assert bridge.case.intake.procedure == "mowhto"
    qtbot.waitUntil(lambda: window.title.findChild(object, "case_side").text() == "LEFT")
    qtbot.waitUntil(panel.primary.isEnabled)
    assert panel.findChild(object, "open_demo").isEnabled()
    window.actions_by_id["undo"].trigger()
    assert bridge.case.intake.procedure is None
    qtbot.waitUntil(window.actions_by_id["redo"].isEnabled)
    window.actions_by_id["redo"].trigger()
    assert bridge.case.intake.procedure == "mowhto"


def test_a_blocked_step_leads_to_what_is_missing_and_says_so(qtbot: QtBot, window: MainWindow, bridge: Bridge) -> None:
    bridge.session.set_view(step="bones")
    qtbot.mouseClick(window.rail.findChild(object, "step_guide"), Qt.MouseButton.LeftButton)
    assert bridge.session.view.step == "plan"
    assert bridge.word("needs_plan") in window.status.said[-1].text


@pytest.mark.parametrize("step", STEPS)
def test_every_step_can_be_opened_empty(qtbot: QtBot, window: MainWindow, bridge: Bridge, step: str) -> None:
    window.go(step)
    qtbot.waitUntil(window.panel.isVisible)
    assert window.panel.step == step
    assert window.panel.primary.text()


def test_an_error_is_a_sentence_with_a_remedy(window: MainWindow, bridge: Bridge) -> None:
    def refuse() -> None:
        raise InputDataError("case_not_found", file="somewhere.surgiplan")

    assert not bridge.attempt(refuse)
    said = window.status.said[-1]
    assert said.severity == "error"
    assert "somewhere.surgiplan" in said.text
    assert said.hint


def test_both_looks_and_all_acts_are_there(window: MainWindow, bridge: Bridge) -> None:
    window.switch_look()
    assert window.theme.look == "light"
    assert set(window.actions_by_id) == {act.id for act in ACTS}
    for act in ACTS:
        assert bridge.texts.has(f"ui.action_{act.id}")
    taken = [keys for act in ACTS for keys in act.keys]
    assert len(taken) == len(set(taken))


def test_everything_to_press_has_a_name_for_tools_and_readers(window: MainWindow) -> None:
    from PySide6.QtWidgets import QAbstractButton

    for made in window.findChildren(QAbstractButton):
        if not made.objectName().startswith("qt_"):
            assert made.objectName(), made.text()
            assert made.accessibleName() or made.text() or made.toolTip(), made.objectName()
