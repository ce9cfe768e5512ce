"""Icons: the program's SVG files, tinted by the theme and drawn at the screen's resolution."""

from __future__ import annotations

from PySide6.QtCore import QByteArray, QRectF, QSize, Qt
from PySide6.QtGui import QIcon, QIconEngine, QPainter, QPixmap
from PySide6.QtSvg import QSvgRenderer

from surgiplan_desktop.base.paths import resource_folder
from surgiplan_desktop.gui.theme import Theme

_DRAWN_IN = "#9aa4b2"


class _SvgEngine(QIconEngine):
    """Draws the SVG anew for every size, so that no scaling blurs it."""

    def __init__(self, source: str, colour: str, disabled: str) -> None:
        super().__init__()
        self._source, self._colour, self._disabled = source, colour, disabled

    def paint(self, painter: QPainter, rect: object, mode: QIcon.Mode, state: QIcon.State) -> None:
        colour = self._disabled if mode == QIcon.Mode.Disabled else self._colour
        renderer = QSvgRenderer(QByteArray(self._source.replace(_DRAWN_IN, colour).encode()))
        renderer.render(painter, QRectF(rect))

    def pixmap(self, size: QSize, mode: QIcon.Mode, state: QIcon.State) -> QPixmap:
        made = QPixmap(size)
        made.fill(Qt.GlobalColor.transparent)
        painter = QPainter(made)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self.paint(painter, made.rect(), mode, state)
        painter.end()
        return made

    def clone(self) -> QIconEngine:
        return _SvgEngine(self._source, self._colour, self._disabled)


def icon(name: str, theme: Theme, role: str = "text/primary") -> QIcon:
    """Return the icon ``resources/icons/<name>.svg`` in the colour of a role."""
    source = (resource_folder() / "icons" / f"{name}.svg").read_text(encoding="utf-8")
    return QIcon(_SvgEngine(source, theme.roles[role], theme.roles["text/disabled"]))
