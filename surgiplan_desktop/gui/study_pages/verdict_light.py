"""The light of a verdict: colour, shape and word, so that none of them stands alone."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QWidget

from surgiplan_desktop.gui.theme import NORMAL, font
from surgiplan_desktop.gui.viewports.stage import Stage

_ROLES: Final = {"ok": "ok", "repairable": "warn", "refused": "fail", "green": "ok", "amber": "warn", "red": "fail"}
_MARK_PX: Final = 12


class VerdictLight(QWidget):
    """A disc for yes, a triangle for a condition, a square for no; the word beside it."""

    def __init__(self, stage: Stage, verdict: str, words: str, name: str) -> None:
        super().__init__()
        self.setObjectName(name)
        self.setAccessibleName(words)
        self.setToolTip(words)
        self._stage = stage
        self._words = words
        self._role = _ROLES[verdict]
        self.setFont(font(NORMAL, bold=True))
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        stage.theme_changed.connect(self.update)

    def text(self) -> str:
        """Return the words, for tools that look from outside."""
        return self._words

    def sizeHint(self) -> QSize:
        metrics = self.fontMetrics()
        return QSize(_MARK_PX + 8 + metrics.horizontalAdvance(self._words), max(metrics.height(), _MARK_PX) + 4)

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        colour = self._stage.theme.colour(self._role)
        box = QRectF(0.5, (self.height() - _MARK_PX) / 2.0, _MARK_PX, _MARK_PX)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(colour)
        if self._role == "ok":
            painter.drawEllipse(box)
        elif self._role == "warn":
            painter.drawPolygon(QPolygonF([QPointF(box.center().x(), box.top()), box.bottomRight(), box.bottomLeft()]))
        else:
            painter.drawRect(box.adjusted(1, 1, -1, -1))
        painter.setPen(colour)
        painter.drawText(self.rect().adjusted(_MARK_PX + 8, 0, 0, 0), Qt.AlignmentFlag.AlignVCenter, self._words)
        painter.end()
