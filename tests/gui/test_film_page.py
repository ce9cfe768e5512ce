"""The eight points on the film page, off screen: placed, dragged, nudged, undone; typed values are asked back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtWidgets import QLineEdit, QPushButton
from pytestqt.qtbot import QtBot

from surgiplan_desktop.app.import_film import KnownSize, attach_film
from surgiplan_desktop.gui.bridge import Bridge
from surgiplan_desktop.gui.main_window import MainWindow
from surgiplan_desktop.gui.study_pages.film_page import FilmPage
from surgiplan_desktop.gui.study_pages.film_points import RIM
from surgiplan_desktop.model.anatomy import Side
from surgiplan_desktop.model.case import Intake
from surgiplan_desktop.model.edits import set_intake
from surgiplan_desktop.model.study import FILM_POINTS
from surgiplan_desktop.planning.film_graph import film_measures_key
from tests.helpers.film_points import film_of
from tests.planning.golden_leg import golden_landmarks


@pytest.fixture
def page(qtbot: QtBot, window: MainWindow, bridge: Bridge, tmp_path: Path) -> FilmPage:
    """The film page with a film of the right leg, 1000 x 2000, 0.5 mm a pixel, without points."""
    x = np.tile(np.arange(1000), (2000, 1))
    Image.fromarray((40 + 60 * np.exp(-(((x - 500) / 60.0) ** 2))).astype(np.uint8)).save(tmp_path / "f.png")
    bridge.session.apply("request", lambda case: set_intake(case, Intake(Side.RIGHT, "mowhto")))
    known = KnownSize("ruler", 100.0, ((100.0, 100.0), (300.0, 100.0)))
    attach_film(bridge.session, tmp_path / "f.png", side=Side.RIGHT, taken="2026-03-01", calibration=known)
    window._study.show_film("film-1")
    shown = window.pages.film
    qtbot.waitUntil(lambda: shown.view._film is not None and shown.form.results is not None, timeout=20000)
    return shown


def places() -> dict[str, QPointF]:
    leg = film_of(golden_landmarks()).leg(Side.RIGHT)
    return {point.name: QPointF(point.x, point.y) for point in leg.points}


def at(page: FilmPage, point: QPointF) -> QPoint:
    return page.view.to_screen(point).toPoint()


def place_all(qtbot: QtBot, page: FilmPage) -> None:
    wanted = places()
    qtbot.mouseClick(page.findChild(QPushButton, "film_place"), Qt.MouseButton.LeftButton)
    for name in FILM_POINTS:
        assert page.view.legs.placing == name
        qtbot.mouseClick(page.view, Qt.MouseButton.LeftButton, pos=at(page, wanted[name]))
    assert page.view.legs.placing is None


def test_eight_clicks_give_the_measures(qtbot: QtBot, page: FilmPage, bridge: Bridge) -> None:
    place_all(qtbot, page)
    (leg,) = bridge.case.films[0].legs
    assert [point.name for point in leg.points] == list(FILM_POINTS)
    assert leg.head_radius_px == pytest.approx(48.0)  # 24 mm
    measured = bridge.value(film_measures_key("film-1", Side.RIGHT))
    # a click is read to a pixel of the screen, some 3 of the film
    assert measured.number("hka") == pytest.approx(172.0, abs=0.5)
    table = page.findChild(object, "film_measures")
    assert "varus" in table.item(0, 1).text()
    assert page.findChild(object, "film_deformity").isVisibleTo(page)
    assert "All points" in page.findChild(object, "film_next_point").text()


def test_a_drag_moves_the_numbers_and_is_one_undo_step(qtbot: QtBot, page: FilmPage, bridge: Bridge) -> None:
    place_all(qtbot, page)
    before = bridge.value(film_measures_key("film-1", Side.RIGHT)).number("hka")
    start = at(page, page.view.legs.handles()["knee"])
    qtbot.mousePress(page.view, Qt.MouseButton.LeftButton, pos=start)
    for step in range(1, 5):
        qtbot.mouseMove(page.view, start + QPoint(2 * step, 0))
    during = bridge.value(film_measures_key("film-1", Side.RIGHT)).number("hka")
    assert page.view.legs.value_words("knee").startswith("HKA")
    qtbot.mouseRelease(page.view, Qt.MouseButton.LeftButton, pos=start + QPoint(8, 0))
    assert abs(during - before) > 0.5
    assert bridge.value(film_measures_key("film-1", Side.RIGHT)).number("hka") == during
    bridge.session.undo()
    assert bridge.value(film_measures_key("film-1", Side.RIGHT)).number("hka") == before
    rim = at(page, page.view.legs.handles()[RIM])
    qtbot.mousePress(page.view, Qt.MouseButton.LeftButton, pos=rim)
    qtbot.mouseMove(page.view, rim + QPoint(6, 0))
    qtbot.mouseRelease(page.view, Qt.MouseButton.LeftButton, pos=rim + QPoint(6, 0))
    assert bridge.case.films[0].legs[0].head_radius_px > 55.0


def test_keys_choose_nudge_and_remove(qtbot: QtBot, page: FilmPage, bridge: Bridge) -> None:
    place_all(qtbot, page)
    page.view.setFocus()
    page.view.legs.chosen = "head"
    qtbot.keyClick(page.view, Qt.Key.Key_Tab)
    assert page.view.legs.chosen == "knee"
    before = page.view.legs.handles()["knee"]
    qtbot.keyClick(page.view, Qt.Key.Key_Right)
    qtbot.keyClick(page.view, Qt.Key.Key_Down, Qt.KeyboardModifier.ShiftModifier)
    moved = page.view.legs.handles()["knee"] - before
    assert (moved.x(), moved.y()) == (pytest.approx(0.2, abs=0.011), pytest.approx(2.0, abs=0.011))  # 0.1 and 1 mm
    qtbot.keyClick(page.view, Qt.Key.Key_Delete)
    assert bridge.case.films[0].leg(Side.RIGHT).point("knee") is None
    bridge.session.undo()
    assert bridge.case.films[0].leg(Side.RIGHT).point("knee") is not None


def test_the_other_leg_and_a_mirrored_film(qtbot: QtBot, page: FilmPage, bridge: Bridge) -> None:
    place_all(qtbot, page)
    page.findChild(object, "film_mirrored").click()
    assert bridge.case.films[0].mirrored
    found = bridge.value(film_measures_key("film-1", Side.RIGHT)).findings
    assert [item.code for item in found] == ["film_points_swapped"]
    qtbot.mouseClick(page.findChild(object, "film_leg_left"), Qt.MouseButton.LeftButton)
    assert page.view.legs.handles() == {}
    assert page.findChild(object, "film_place").isEnabled()


def test_a_typed_standing_value_without_its_word_is_asked_back(qtbot: QtBot, page: FilmPage, bridge: Bridge) -> None:
    field = page.findChild(QLineEdit, "film_standing_hka")
    field.setFocus()
    qtbot.keyClicks(field, "175")
    qtbot.keyClick(field, Qt.Key.Key_Return)
    assert bridge.case.intake.standing_hka_deg is None
    qtbot.mouseClick(page.findChild(QPushButton, "film_answer_varus"), Qt.MouseButton.LeftButton)
    assert bridge.case.intake.standing_hka_deg == 175.0
    field.clear()
    qtbot.keyClicks(field, "2 valgus")
    qtbot.keyClick(field, Qt.Key.Key_Return)
    assert bridge.case.intake.standing_hka_deg == 182.0
    field.selectAll()
    qtbot.keyClicks(field, "much")
    qtbot.keyClick(field, Qt.Key.Key_Return)
    assert bridge.case.intake.standing_hka_deg == 182.0
    assert page.findChild(object, "film_standing_question") is not None
