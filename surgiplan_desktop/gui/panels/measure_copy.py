"""Copies of the measures: as text, as CSV, as a picture of the views; and the CSV as a file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QHBoxLayout, QWidget

from surgiplan_desktop.app.compare_legs import measured_leg
from surgiplan_desktop.app.measure_table import MeasureRow, as_csv, as_text, measure_rows, write_measures_csv
from surgiplan_desktop.gui.bridge import Bridge
from surgiplan_desktop.gui.viewports.stage import Stage
from surgiplan_desktop.gui.widgets.layout import button
from surgiplan_desktop.planning.records import MeasureSpread


class CopyRow(QWidget):
    """Four buttons in a row; each says in a notice what was done."""

    def __init__(self, bridge: Bridge, stage: Stage, spreads: Callable[[], Mapping[str, MeasureSpread]]) -> None:
        super().__init__()
        self._bridge = bridge
        self._stage = stage
        self._spreads = spreads
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(4)
        for name, act in (
            ("copy_text", self._copy_text),
            ("copy_csv", self._copy_csv),
            ("copy_picture", self._copy_picture),
            ("save_csv", self._save_csv),
        ):
            row.addWidget(button(bridge.word(name), name, act, tip=bridge.word(f"{name}_tip")), 1)

    def _rows(self) -> list[MeasureRow]:
        side, session = self._bridge.side, self._bridge.session
        leg = None if side is None else measured_leg(session, side, "now")
        if leg is None or side is None:
            return []
        kind = self._stage.looking.compare
        compared = measured_leg(session, side, kind) if kind else None  # type: ignore[arg-type]
        return measure_rows(session.case.code, leg, self._bridge.texts, self._spreads(), compared)

    def _copy(self, words: str, told: str) -> None:
        if words:
            QGuiApplication.clipboard().setText(words)
            self._bridge.tell(told)
        else:
            self._bridge.tell("nothing_to_copy")

    def _copy_text(self) -> None:
        self._copy(as_text(self._rows(), self._bridge.texts), "copied_text")

    def _copy_csv(self) -> None:
        rows = self._rows()
        self._copy(as_csv(rows) if rows else "", "copied_csv")

    def _copy_picture(self) -> None:
        QGuiApplication.clipboard().setPixmap(self._stage.grab())
        self._bridge.tell("copied_picture")

    def _save_csv(self) -> None:
        rows, side, session = self._rows(), self._bridge.side, self._bridge.session
        if not rows or side is None:
            self._bridge.tell("nothing_to_copy")
            return
        folder = Path(f"~/SurgiPlan/{session.case.code or 'CASE'}").expanduser()

        def write() -> None:
            path = write_measures_csv(session, side, folder, rows)
            self._bridge.tell("saved_csv", file=path.name, folder=str(folder))

        self._bridge.attempt(write)
