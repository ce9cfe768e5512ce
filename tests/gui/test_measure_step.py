"""The step Measure off screen: check of the points, drags with snapping, comparison, copies."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from surgiplan_desktop.app.measure_table import COLUMNS
from surgiplan_desktop.gui.bridge import Bridge
from surgiplan_desktop.gui.main_window import MainWindow
from surgiplan_desktop.gui.panels.measure import KEY_POINTS, MeasurePanel
from surgiplan_desktop.model.anatomy import Side
from surgiplan_desktop.planning.graph import landmarks_key, measures_key
from surgiplan_desktop.planning.point_checks import STAGES, stage_states
from surgiplan_desktop.scene.snapping import INSIDE
from tests.gui.made_leg import made_session

LEFT_BUTTON = Qt.MouseButton.LeftButton


@pytest.fixture
def measuring(qtbot: QtBot, window: MainWindow, bridge: Bridge) -> Iterator[MainWindow]:
    """Give the window at the step Measure with two measured legs."""
    bridge._replace(made_session(bridge.services))
    window.go("measure")
    qtbot.waitUntil(lambda: "varus" in table(window, "measures"))
    qtbot.waitUntil(lambda: window.views.film.leg is not None)
    return window


def table(window: MainWindow, name: str) -> str:
    found = window.findChild(object, name)
    rows = range(found.rowCount())
    return "\n".join("\t".join(found.item(r, c).text() for c in range(found.columnCount())) for r in rows)


def press(qtbot: QtBot, window: MainWindow, name: str) -> None:
    qtbot.mouseClick(window.findChild(object, name), LEFT_BUTTON)


def states(bridge: Bridge) -> list[str]:
    landmarks = bridge.value(landmarks_key(Side.RIGHT))
    return list(stage_states(bridge.case, Side.RIGHT, landmarks).values())


def test_the_five_stages_are_confirmed_one_by_one_and_never_all_at_once(
    qtbot: QtBot, measuring: MainWindow, bridge: Bridge
) -> None:
    panel = measuring.panel
    assert isinstance(panel, MeasurePanel)
    assert states(bridge) == ["open"] * len(STAGES)
    assert bridge.word("check_points", left=5) == panel.primary.text()
    for number in range(len(STAGES)):
        press(qtbot, measuring, "measure_primary")  # the first begins, the others confirm what is looked at
        assert panel.checking
        assert measuring.views.layout_name == "check"
        assert states(bridge) == ["confirmed"] * number + ["open"] * (len(STAGES) - number)
        assert all(handle.id in STAGES[number].points for handle in measuring.stage.tool.handles())
    measuring.actions_by_id["accept"].trigger()  # Enter confirms as well
    assert states(bridge) == ["confirmed"] * len(STAGES)
    assert not panel.checking
    assert measuring.views.layout_name == "film"
    qtbot.waitUntil(lambda: panel.primary.text() == bridge.word("next_plan"))
    assert [check.stage for check in bridge.case.point_checks] == [stage.id for stage in STAGES]
    assert all(check.seconds >= 0.0 for check in bridge.case.point_checks)


def test_the_head_is_looked_at_with_its_sphere_and_a_moved_point_is_open_again(
    qtbot: QtBot, measuring: MainWindow, bridge: Bridge
) -> None:
    press(qtbot, measuring, "measure_primary")
    picture = measuring.stage.picture
    assert "fit" in picture.items
    assert picture.outlines[-1].role == "fit"
    assert "24.0 mm" in table(measuring, "check_fit_facts")
    assert np.allclose(measuring.stage.crosshair, bridge.value(landmarks_key(Side.RIGHT)).point("hip_centre"))
    press(qtbot, measuring, "measure_primary")
    assert states(bridge)[0] == "confirmed"
    drag_by_hand(measuring, "hip_centre", np.array([4.0, 0.0, 0.0]))
    assert states(bridge)[0] == "moved"
    press(qtbot, measuring, "check_head")
    assert "fit" in measuring.stage.picture.items  # what the hand is held against stays
    press(qtbot, measuring, "check_reset")
    assert states(bridge)[0] == "confirmed"
    near = measuring.views.volume.to_screen(np.array([[-150.0, 0.0, 420.0], [-150.0, 0.0, 0.0]]))
    measuring.cancel()  # Esc leads back to the leg
    assert measuring.views.layout_name == "film"
    far = measuring.views.volume.to_screen(np.array([[-150.0, 0.0, 420.0], [-150.0, 0.0, 0.0]]))
    assert np.linalg.norm(far[1] - far[0]) < 0.5 * np.linalg.norm(near[1] - near[0])  # the whole leg in 3D as well


def drag_by_hand(window: MainWindow, landmark: str, by: np.ndarray) -> None:
    tool, bridge = window.stage.tool, window.bridge
    start = bridge.value(landmarks_key(bridge.side)).point(landmark)
    tool.press(landmark)
    tool.drag(landmark, start + by)
    tool.release(landmark)
    QApplication.processEvents()


def test_a_drag_changes_the_numbers_at_once_and_is_one_step_back(qtbot: QtBot, measuring: MainWindow, bridge: Bridge) -> None:
    before = bridge.value(measures_key(Side.RIGHT)).number("hka_deviation")
    shown = table(measuring, "measures")
    tool = measuring.stage.tool
    start = bridge.value(landmarks_key(Side.RIGHT)).point("ankle_centre")
    tool.press("ankle_centre")
    for mm in (1.0, 2.0, 5.0):
        tool.drag("ankle_centre", start + np.array([-mm, 0.0, 0.0]))
        now = bridge.value(measures_key(Side.RIGHT)).number("hka_deviation")
        assert now > before  # lateral: less varus
        told = next(handle.value for handle in tool.handles() if handle.id == "ankle_centre")
        assert told.startswith(bridge.word("moved_by", mm=f"{mm:.1f}"))
        assert "varus" in told
    assert table(measuring, "measures") == shown  # painted once a turn of the event loop
    tool.release("ankle_centre")
    qtbot.waitUntil(lambda: table(measuring, "measures") != shown)
    bridge.session.undo()
    assert bridge.value(measures_key(Side.RIGHT)).number("hka_deviation") == before
    assert not bridge.case.landmarks


def test_a_surface_point_stays_on_its_bone_in_every_view(qtbot: QtBot, measuring: MainWindow, bridge: Bridge) -> None:
    """The bones are boxes: 80 wide, 60 deep; the plateau edge is dragged along the lateral wall of the tibia at x = -190."""
    point = bridge.value(landmarks_key(Side.RIGHT)).point("lateral_plateau_edge")
    measuring.views.use_layout("four")
    measuring.stage.look_at(point)
    measuring.stage.focus_wanted.emit(point, 120.0)
    QApplication.processEvents()
    for view, end in (
        (measuring.views.slices["coronal"], point + np.array([-3.0, 0.0, -20.0])),
        (measuring.views.volume, point + np.array([-2.0, 0.0, -30.0])),
    ):
        drag_on(qtbot, view, point, end)
        landed = bridge.value(landmarks_key(Side.RIGHT)).point("lateral_plateau_edge")
        assert distance_to_box(landed) < 0.1, view.objectName()
        assert landed[2] < -5.0
        bridge.session.undo()
        QApplication.processEvents()
    assert "lateral_plateau_edge" not in INSIDE
    assert "hip_centre" in INSIDE


def distance_to_box(point: np.ndarray) -> float:
    inside = np.array([40.0, 30.0, 100.0]) - np.abs(point - np.array([-150.0, 0.0, -100.0]))
    return float(abs(inside.min()))


def drag_on(qtbot: QtBot, view: object, start: np.ndarray, end: np.ndarray) -> None:
    (x, y), (right, down) = view.to_screen(np.array([start, end]))
    qtbot.mousePress(view, LEFT_BUTTON, pos=QPoint(round(x), round(y)))
    for share in (0.3, 0.7, 1.0):
        qtbot.mouseMove(view, QPoint(round(x + share * (right - x)), round(y + share * (down - y))))
        QApplication.processEvents()
    qtbot.mouseRelease(view, LEFT_BUTTON, pos=QPoint(round(right), round(down)))


def test_the_other_leg_stands_beside_with_the_same_rows(qtbot: QtBot, measuring: MainWindow, bridge: Bridge) -> None:
    assert not measuring.findChild(object, "compare_after").isEnabled()
    press(qtbot, measuring, "compare_other")
    qtbot.waitUntil(measuring.views.compared.isVisible)
    rows = [row.split("\t") for row in table(measuring, "measures").split("\n")]
    names = [row[0] for row in rows]
    mpta = rows[names.index("MPTA")]
    assert mpta[1] != mpta[2]
    assert measuring.views.compared.leg.side is Side.LEFT
    press(qtbot, measuring, "compare_other")
    assert not measuring.views.compared.isVisible()
    drag_by_hand(measuring, "ankle_centre", np.array([-5.0, 0.0, 0.0]))
    qtbot.waitUntil(measuring.findChild(object, "compare_auto").isEnabled)
    press(qtbot, measuring, "compare_auto")
    first = table(measuring, "measures").split("\n")[0].split("\t")
    assert first[1] != first[2]


def test_copies_say_what_the_panel_says(
    qtbot: QtBot, measuring: MainWindow, bridge: Bridge, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    press(qtbot, measuring, "compare_other")
    press(qtbot, measuring, "copy_text")
    text = QGuiApplication.clipboard().text()
    assert "MADEAB" in text
    assert "varus" in text
    press(qtbot, measuring, "copy_csv")
    rows = list(csv.DictReader(io.StringIO(QGuiApplication.clipboard().text())))
    assert tuple(rows[0]) == COLUMNS
    mpta = next(row for row in rows if row["measure"] == "mpta")
    values = bridge.value(measures_key(Side.RIGHT))
    assert float(mpta["value"]) == pytest.approx(values.number("mpta"), abs=1e-4)
    assert float(mpta["difference"]) == pytest.approx(float(mpta["compared_value"]) - float(mpta["value"]), abs=2e-4)
    press(qtbot, measuring, "copy_picture")
    assert QGuiApplication.clipboard().image().width() > 300
    press(qtbot, measuring, "save_csv")
    (written,) = tmp_path.rglob("*.csv")
    assert written.name.startswith("TEST_MADEAB_right_measures")
    assert list(csv.DictReader(io.StringIO(written.read_text(encoding="utf-8")))) == rows


def test_a_chosen_measure_is_drawn_alone_with_its_definition(qtbot: QtBot, measuring: MainWindow) -> None:
    assert len(measuring.stage.picture.angles) == 5
    found = measuring.findChild(object, "measures")
    row = next(row for row in range(found.rowCount()) if found.item(row, 0).text() == "MPTA")
    found.itemClicked.emit(found.item(row, 0))
    assert [mark.measure for mark in measuring.stage.picture.angles] == ["mpta"]
    found.itemClicked.emit(found.item(row, 0))
    assert len(measuring.stage.picture.angles) == 5


def test_the_film_is_projected_and_its_points_are_dragged_in_its_plane(
    qtbot: QtBot, measuring: MainWindow, bridge: Bridge
) -> None:
    film = measuring.views.film
    qtbot.waitUntil(lambda: bool(film.handles_shown()), timeout=10_000)
    assert {handle.id for handle in film.handles_shown()} <= set(KEY_POINTS)
    start = bridge.value(landmarks_key(Side.RIGHT)).point("ankle_centre")
    drag_on(qtbot, film, start, start + np.array([-12.0, 0.0, 0.0]))
    moved = bridge.value(landmarks_key(Side.RIGHT)).point("ankle_centre")
    assert moved[0] < start[0] - 6.0
    assert abs(moved[1] - start[1]) < 0.5  # as far before the plane as it was


def test_keys_go_from_point_to_point_and_move_one_by_a_tenth_of_a_millimetre(
    qtbot: QtBot, measuring: MainWindow, bridge: Bridge
) -> None:
    press(qtbot, measuring, "measure_primary")
    view = measuring.views.slices["coronal"]
    view.setFocus()
    start = bridge.value(landmarks_key(Side.RIGHT)).point("hip_centre")
    qtbot.keyClick(view, Qt.Key.Key_Right)  # no point is held yet
    assert not bridge.case.landmarks
    qtbot.keyClick(view, Qt.Key.Key_Tab)
    qtbot.keyClick(view, Qt.Key.Key_Right)
    qtbot.keyClick(view, Qt.Key.Key_Up, Qt.KeyboardModifier.ShiftModifier)
    moved = bridge.value(landmarks_key(Side.RIGHT)).point("hip_centre")
    assert np.allclose(moved - start, [0.1, 0.0, 1.0])
