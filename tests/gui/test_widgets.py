"""Fields, tables, words and overlays without a screen."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QColor
from pytestqt.qtbot import QtBot

from surgiplan_desktop.base.arrays import FloatArray
from surgiplan_desktop.gui.bridge import Bridge
from surgiplan_desktop.gui.dialogs.palette import matches
from surgiplan_desktop.gui.icons import icon
from surgiplan_desktop.gui.panels.measure_rows import measure_row
from surgiplan_desktop.gui.theme import style_sheet, theme_named
from surgiplan_desktop.gui.tools.base import Handle
from surgiplan_desktop.gui.viewports.overlay import direction_letter, handle_under
from surgiplan_desktop.gui.widgets.fields import ChoiceField, NumberField
from surgiplan_desktop.gui.widgets.layout import Table
from surgiplan_desktop.gui.words import landmark_words, value_words
from surgiplan_desktop.planning.records import Measure, MeasureSpread


def _number(qtbot: QtBot) -> NumberField:
    field = NumberField("angle", "Angle", "°", 0.0, 25.0, 0.5, 1, theme_named("dark"))
    qtbot.addWidget(field)
    field.show()
    return field


def test_a_number_is_told_once_for_each_entry_and_never_when_shown(qtbot: QtBot) -> None:
    field = _number(qtbot)
    told: list[float] = []
    field.committed.connect(told.append)
    field.show_value(7.5)
    assert told == []
    assert field.box.text() == "7.5 °"
    field.box.setFocus()
    field.box.selectAll()
    qtbot.keyClicks(field.box, "12.5")
    qtbot.keyClick(field.box, Qt.Key.Key_Return)
    assert told == [12.5]


def test_the_reset_arrow_appears_only_where_the_value_differs_from_the_proposal(qtbot: QtBot) -> None:
    field = _number(qtbot)
    field.show_value(np.float64(7.5), np.float64(7.52))
    assert field.findChild(object, "angle_reset").isHidden()
    field.show_value(8.0, 7.5, "back")
    reset = field.findChild(object, "angle_reset")
    assert not reset.isHidden()
    with qtbot.waitSignal(field.reset):
        qtbot.mouseClick(reset, Qt.MouseButton.LeftButton)


def test_a_choice_tells_its_data_and_the_wheel_changes_nothing(qtbot: QtBot) -> None:
    field = ChoiceField("target", "Target", [("line", "wbl"), ("axis", "hka")])
    qtbot.addWidget(field)
    chosen: list[object] = []
    field.chosen.connect(chosen.append)
    field.show_choice("hka")
    assert (field.box.currentText(), chosen) == ("axis", [])
    field.box.activated.emit(0)
    assert chosen == ["wbl"]


def test_a_table_is_as_high_as_its_rows(qtbot: QtBot) -> None:
    table = Table("t", ("", "value"), (0, 60))
    qtbot.addWidget(table)
    empty = table.height()
    table.fill([[("a", None, ""), ("1", QColor("red"), "tip")]] * 4, right=(1,))
    assert table.rowCount() == 4
    assert table.height() > empty + 80
    assert table.item(0, 1).toolTip() == "tip"


@pytest.mark.parametrize(
    ("measure", "value", "unit", "words"),
    [
        ("hka_deviation", -5.24, "deg", "5.2° varus"),
        ("hka_deviation", 1.0, "deg", "1.0° valgus"),
        ("femoral_torsion_murphy", -2.0, "deg", "2.0° retroversion"),
        ("tt_tg", 9.5, "mm", "9.5 mm lateral"),
        ("hka", 174.8, "deg", "174.8° varus"),
        ("mad", 27.0, "mm", "27.0 mm medial"),
        ("mad", -3.0, "mm", "3.0 mm lateral"),
        ("wbl", 55.2, "%", "55 % from medial edge"),
        ("mpta", 87.04, "deg", "87.0°"),
        ("slope_medial", -0.01, "deg", "0.0°"),
        ("cpak", "II", "", "II"),
        ("mpta", None, "deg", "–"),
    ],
)
def test_no_alignment_number_stands_without_its_word(
    bridge: Bridge, measure: str, value: float | str | None, unit: str, words: str
) -> None:
    assert value_words(bridge, measure, value, unit) == words


def test_letters_follow_the_patient() -> None:
    assert [direction_letter(np.array(v)) for v in ((1, 0, 0), (-1, 0.2, 0), (0, 1, 0), (0, -1, 0), (0, 0, 1), (0, 0, -1))] == [
        "L",
        "R",
        "P",
        "A",
        "S",
        "I",
    ]


def test_the_nearest_handle_within_reach_is_grabbed() -> None:
    handles = tuple(Handle(name, np.array([x, 10.0, 0.0]), "accent", name) for name, x in (("a", 10.0), ("b", 16.0)))
    found = handle_under(handles, _from_above, QPointF(14.0, 10.0))
    assert found is not None
    assert found.id == "b"
    assert handle_under(handles, _from_above, QPointF(40.0, 40.0)) is None
    assert handle_under((), _from_above, QPointF(0.0, 0.0)) is None


def _from_above(points_lps: FloatArray) -> FloatArray:
    return points_lps[:, :2]


def test_the_palette_finds_letters_in_order() -> None:
    assert matches("opc", "Open case ...")
    assert matches("", "Undo")
    assert not matches("zz", "Undo")


@pytest.mark.parametrize(("sd", "told"), [(0.004, "±0.1"), (0.42, "±0.4")])
def test_no_measure_is_shown_as_sure_to_nothing(bridge: Bridge, sd: float, told: str) -> None:
    item = Measure("wbl", 28.2, "limb", "%", 1, "ok")
    _, value, _ = measure_row(bridge, theme_named("dark"), item, MeasureSpread(sd, (28.0, 28.4), ()), None)
    assert value[0].endswith(told)


def test_landmarks_are_named_in_words() -> None:
    assert landmark_words("medial_plateau_edge") == "Medial plateau edge"


def _luminance(colour: QColor) -> float:
    parts = [
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (colour.redF(), colour.greenF(), colour.blueF())
    ]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


@pytest.mark.parametrize("look", ["dark", "light"])
def test_words_are_readable_in_both_looks(look: str) -> None:
    theme = theme_named(look)  # type: ignore[arg-type]

    def contrast(front: str, back: str) -> float:
        lights = sorted((_luminance(theme.colour(front)), _luminance(theme.colour(back))))
        return (lights[1] + 0.05) / (lights[0] + 0.05)

    for surface in ("surface/0", "surface/1", "surface/2"):
        for role in ("text/primary", "text/secondary", "ok", "warn", "fail"):
            assert contrast(role, surface) >= 4.5, (role, surface)
    for role in ("accent", "side/right", "side/left"):
        assert contrast("text/on-accent", role) >= 4.5, role
    assert "@" not in style_sheet(theme, "icons")


def test_icons_are_drawn_at_the_size_asked_for(qapp: object) -> None:
    picture = icon("undo", theme_named("dark")).pixmap(40, 40).toImage()
    assert picture.width() == 40
    assert any(picture.pixelColor(x, y).alpha() > 100 for x in range(40) for y in range(40))
