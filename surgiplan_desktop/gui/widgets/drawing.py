"""Paints a flat drawing of the scene in the colours of the window."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QFont, QFontMetricsF, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QWidget

from surgiplan_desktop.gui.theme import FAMILIES
from surgiplan_desktop.gui.viewports.stage import Stage
from surgiplan_desktop.scene.flat_drawing import Box, Drawing, Stroke, Words

#: Colour roles of the window for the roles of a drawing.
_ROLES: Final = {
    "ink": "text/primary",
    "quiet": "text/secondary",
    "line": "surface/3",
    "band": "surface/2",
    "strong": "warn",
    "mild": "text/disabled",
    "lying": "accent",
}


class DrawingView(QWidget):
    """As high as the drawing at its width; ``make`` returns the drawing for a width, None for nothing."""

    def __init__(self, stage: Stage, name: str) -> None:
        super().__init__()
        self.setObjectName(name)
        self._stage = stage
        self._make: Callable[[float], Drawing | None] = lambda _width: None
        self._drawing: Drawing | None = None
        stage.theme_changed.connect(self.update)
        self.hide()

    def show_drawing(self, make: Callable[[float], Drawing | None]) -> None:
        """Show another drawing; hidden where there is none."""
        self._make = make
        self._lay_out()
        self.setVisible(self._drawing is not None)

    @property
    def shows(self) -> bool:
        """Whether there is a drawing."""
        return self._drawing is not None

    def _lay_out(self) -> None:
        self._drawing = self._make(float(max(self.width(), 200)))
        if self._drawing is not None:
            self.setFixedHeight(round(self._drawing.high))
            words = (item.text for item in self._drawing.items if isinstance(item, Words))
            self.setAccessibleDescription(" ".join(words))
        self.update()

    def resizeEvent(self, event: object) -> None:
        super().resizeEvent(event)
        if self._drawing is not None and abs(self._drawing.wide - self.width()) >= 1.0:
            self._lay_out()

    def paintEvent(self, _event: QPaintEvent) -> None:
        if self._drawing is None:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for item in self._drawing.items:
            colour = self._stage.theme.colour(_ROLES[item.role])
            if isinstance(item, Box):
                painter.fillRect(QRectF(item.x, item.y, item.wide, item.high), colour)
            elif isinstance(item, Stroke):
                painter.setPen(QPen(colour, item.width))
                painter.drawLine(QPointF(item.x0, item.y0), QPointF(item.x1, item.y1))
            else:
                self._write(painter, item)
        painter.end()

    def _write(self, painter: QPainter, item: Words) -> None:
        face = QFont()
        face.setFamilies(FAMILIES)
        face.setPixelSize(max(round(item.size), 10))
        face.setBold(item.bold)
        wide = QFontMetricsF(face).horizontalAdvance(item.text)
        left = item.x - {"start": 0.0, "middle": 0.5 * wide, "end": wide}[item.held]
        painter.setFont(face)
        painter.setPen(self._stage.theme.colour(_ROLES[item.role]))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawText(QPointF(left, item.y), item.text)
