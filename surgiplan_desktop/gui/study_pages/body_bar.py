"""Where the series of one frame of reference lie along the body: a column each, blocks and the gaps between them, head up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QWidget

from surgiplan_desktop.app.study_page import SeriesRow
from surgiplan_desktop.gui.theme import SMALL, font
from surgiplan_desktop.gui.viewports.stage import Stage

_WIDTH_PX: Final = 138
_MARGIN_PX: Final = 18
_COLUMN_PX: Final = 22
#: More series than this are not drawn side by side.
_MOST_COLUMNS: Final = 4
#: A block or gap shorter than this bears no number (px).
_ROOM_PX: Final = 12
_ROLES: Final = {"ok": "ok", "repairable": "warn", "refused": "fail"}

Span = tuple[float, float]


def gaps_between(spans: Sequence[Span]) -> list[Span]:
    """Return the gaps between spans (mm), lowest first; spans may overlap."""
    found: list[Span] = []
    reached: float | None = None
    for low, high in sorted(spans):
        if reached is not None and low > reached:
            found.append((reached, low))
        reached = high if reached is None else max(reached, high)
    return found


class BodyBar(QWidget):
    """See the module's text; every series has a place. Ticked series are filled, others outlined."""

    def __init__(self, stage: Stage, rows: Sequence[SeriesRow], name: str) -> None:
        super().__init__()
        self.setObjectName(name)
        self.setFixedWidth(_WIDTH_PX)
        self.setMinimumHeight(120)
        self._stage = stage
        self._rows = list(rows)
        self._ticked: frozenset[str] = frozenset()
        self._spans = sorted({span for row in self._rows for span in row.spans_mm})
        self._gaps = [gap for gap in gaps_between(self._spans) if gap[1] - gap[0] >= 1.0]
        word = stage.bridge.word
        lines = [word("bar_block", low=f"{low:.0f}", high=f"{high:.0f}", mm=f"{high - low:.0f}") for low, high in self._spans]
        lines += [word("bar_gap_tip", mm=f"{high - low:.0f}") for low, high in self._gaps]
        self.setToolTip("\n".join(lines))
        self.setAccessibleName("; ".join(lines))
        stage.theme_changed.connect(self.update)

    def text(self) -> str:
        """Return what is drawn in words, for tools that look from outside."""
        return self.accessibleName()

    def set_ticked(self, uids: frozenset[str]) -> None:
        """Fill these series."""
        if uids != self._ticked:
            self._ticked = uids
            self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:
        low, high = min(span[0] for span in self._spans), max(span[1] for span in self._spans)
        scale = (self.height() - 2 * _MARGIN_PX) / max(high - low, 1e-6)

        def y_of(z: float) -> float:
            return _MARGIN_PX + (high - z) * scale

        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(font(SMALL))
        theme = self._stage.theme
        columns = min(len(self._rows), _MOST_COLUMNS)
        wide = _COLUMN_PX if columns <= 2 else _COLUMN_PX * 2 // columns
        right = columns * (wide + 3) + 6
        for column, row in enumerate(self._rows[:_MOST_COLUMNS]):
            for bottom, top in row.spans_mm:
                box = QRectF(column * (wide + 3) + 1.0, y_of(top), wide, max((top - bottom) * scale, 2.0))
                filled = row.uid in self._ticked
                painter.setPen(QPen(theme.colour(_ROLES[row.verdict]), 1.5))
                painter.setBrush(theme.colour(_ROLES[row.verdict], 0.55) if filled else Qt.BrushStyle.NoBrush)
                painter.drawRect(box)
        painter.setPen(theme.colour("text/secondary"))
        painter.drawText(QPointF(3.0, 12.0), self._stage.bridge.word("bar_head"))
        painter.drawText(QPointF(3.0, self.height() - 4.0), self._stage.bridge.word("bar_feet"))
        for bottom, top in self._spans_apart():
            self._number(painter, right, y_of(top), y_of(bottom), "bar_mm", top - bottom)
        painter.setPen(QPen(theme.colour("warn"), 1.0, Qt.PenStyle.DashLine))
        for bottom, top in self._gaps:
            middle = columns * (wide + 3) / 2.0
            painter.drawLine(QPointF(middle, y_of(top)), QPointF(middle, y_of(bottom)))
        painter.setPen(theme.colour("warn"))
        for bottom, top in self._gaps:
            self._number(painter, right, y_of(top), y_of(bottom), "bar_gap", top - bottom)
        painter.end()

    def _spans_apart(self) -> list[Span]:
        """Return the stretches that any series covers, for one number each."""
        merged: list[Span] = []
        for low, high in self._spans:
            if merged and low <= merged[-1][1] + 1.0:
                merged[-1] = merged[-1][0], max(merged[-1][1], high)
            else:
                merged.append((low, high))
        return merged

    def _number(self, painter: QPainter, x: float, top: float, bottom: float, name: str, mm: float) -> None:
        if bottom - top < _ROOM_PX:
            return
        words = self._stage.bridge.word(name, mm=f"{mm:.0f}")
        painter.drawText(QRectF(x, top, self.width() - x, bottom - top), Qt.AlignmentFlag.AlignVCenter, words)
