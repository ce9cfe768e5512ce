"""The step Bones: by what bones are found, licence before first use, the heat map, two results of one case."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPointF
from PySide6.QtWidgets import QCheckBox, QComboBox, QLabel
from pytestqt.qtbot import QtBot

from surgiplan_desktop.app.run_segmentation import WITHOUT_AI
from surgiplan_desktop.app.settings import read_settings
from surgiplan_desktop.gui.bridge import Bridge
from surgiplan_desktop.gui.main_window import MainWindow
from surgiplan_desktop.gui.panels.bones import BonesPanel
from surgiplan_desktop.gui.widgets.layout import Table
from surgiplan_desktop.planning.graph import bone_key, surface_sd_key, uncertainty_key
from tests.helpers.tiny_pack import write_pack
from tests.helpers.two_results import TIBIA, put_scan, put_two_results


def _bones(window: MainWindow) -> BonesPanel:
    window.go("bones")
    panel = window.panel
    assert isinstance(panel, BonesPanel)
    return panel


def _choose(panel: BonesPanel, name: str, data: object) -> None:
    box = panel.findChild(QComboBox, name)
    row = box.findData(data)
    assert row >= 0, [box.itemText(number) for number in range(box.count())]
    box.setCurrentIndex(row)
    box.activated.emit(row)


def test_licence_and_limits_come_before_the_first_use_of_a_model(
    qtbot: QtBot, window: MainWindow, bridge: Bridge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_pack(tmp_path / "models" / "tiny")
    monkeypatch.setenv("SURGIPLAN_DATA_PATH", str(tmp_path))
    put_scan(bridge.session)
    panel = _bones(window)
    qtbot.waitUntil(lambda: panel.findChild(QComboBox, "bones_way").isVisible(), timeout=20_000)
    way = panel.findChild(QComboBox, "bones_way")
    assert way.findData("tiny") >= 0
    _choose(panel, "bones_way", "tiny")
    read = panel.findChild(QCheckBox, "licence_read")
    assert read.isVisible()
    assert not panel.primary.isEnabled()
    words = " ".join(label.text() for label in panel.findChild(object, "about_model").findChildren(QLabel))
    assert "Apache-2.0" in words
    assert "knows no anatomy" in words  # its limits
    _choose(panel, "bones_way", WITHOUT_AI)
    assert panel.primary.isEnabled()
    _choose(panel, "bones_way", "tiny")
    read.click()
    assert panel.primary.isEnabled()
    assert read.isHidden()
    (mark,) = read_settings(bridge.services.settings_folder)[0].accepted_models
    assert mark.startswith("tiny 1.0.0 ")


def test_the_time_left_is_told_in_seconds_and_then_in_minutes(window: MainWindow) -> None:
    assert window.status.time_left(None) == ""
    assert "about 12 s left" in window.status.time_left(11.2)
    assert "about 3 min left" in window.status.time_left(170.0)


def test_nothing_known_is_said_instead_of_an_empty_map(qtbot: QtBot, window: MainWindow, bridge: Bridge) -> None:
    put_two_results(bridge.session)
    panel = _bones(window)
    qtbot.waitUntil(lambda: bridge.ready(bone_key(TIBIA)), timeout=20_000)
    panel.refresh()
    known = {surface_sd_key(TIBIA), uncertainty_key(0)} & bridge.session.keys
    assert panel.findChild(object, "heat_map").isEnabled() == bool(known)
    assert "leg 2.0" in panel.findChild(QLabel, "found_by").text()
    assert "MIT" in panel.findChild(QLabel, "found_by").text()


def test_two_results_are_compared_and_the_earlier_one_used_again(qtbot: QtBot, window: MainWindow, bridge: Bridge) -> None:
    put_two_results(bridge.session)
    panel = _bones(window)
    qtbot.waitUntil(lambda: bool(window.stage.picture.outlines), timeout=20_000)
    panel.refresh()
    _choose(panel, "result_other", "other-1")
    qtbot.waitUntil(lambda: window.stage.heat is not None, timeout=20_000)
    table = panel.findChild(Table, "result_table")
    assert table.rowCount() == 2
    assert 0.7 < float(table.item(0, 1).text()) < 0.76
    assert table.item(1, 2).text() == "–"  # the fibula is in one of them alone
    assert bridge.session.view.heat == "difference"
    assert any(outline.dashed for outline in window.stage.picture.outlines)
    assert any(outline.heated is not None for outline in window.stage.picture.outlines)
    volume = window.views.volume
    x, y = volume.to_screen(np.array([[17.5, 17.5, 17.5]]))[0]
    volume.heat.pointer_at(QPointF(x, y))
    qtbot.waitUntil(lambda: volume.heat.value is not None, timeout=5000)
    assert 0.0 < volume.heat.value < 4.0  # two balls about one centre, their surfaces on one edge of the scan at the most
    volume.heat.pointer_at(QPointF(1.0, 1.0))
    qtbot.waitUntil(lambda: volume.heat.value is None, timeout=5000)
    window.actions_by_id["heat"].trigger()
    qtbot.waitUntil(lambda: window.stage.heat is None)
    assert not any(outline.dashed for outline in window.stage.picture.outlines)
    window.actions_by_id["heat"].trigger()
    qtbot.waitUntil(lambda: window.stage.heat is not None)
    _choose(panel, "result_used", "other-1")
    assert bridge.case.active_segmentation == "other-1"
    qtbot.waitUntil(lambda: window.stage.comparison is None, timeout=20_000)  # it was of the result before
    bridge.session.undo()
    assert bridge.case.active_segmentation == "leg-1"
