"""Files dropped on the window, wherever: a veil says what will happen, and each kind of file goes where it belongs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal

from PySide6.QtCore import QMimeData, Qt
from PySide6.QtGui import QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QLineEdit, QWidget

from surgiplan_desktop.files.mesh_files import MESH_ENDINGS
from surgiplan_desktop.gui.theme import LARGE, font
from surgiplan_desktop.gui.viewports.stage import Stage
from surgiplan_desktop.imaging.films import is_film

DropKind = Literal["case", "meshes", "film", "study"]
_CASE: Final = ".surgiplan"


def dropped_files(mime: QMimeData) -> list[Path]:
    """Return the files and folders on this machine among what is dragged."""
    return [Path(url.toLocalFile()) for url in mime.urls() if url.isLocalFile()]


def kind_of(paths: Sequence[Path]) -> DropKind:
    """Tell what was dropped; whatever is no case, mesh or film is looked through as a study."""
    endings = {path.suffix.lower() for path in paths if not path.is_dir()}
    folders = any(path.is_dir() for path in paths)
    if not folders and len(paths) == 1 and endings == {_CASE}:
        return "case"
    if not folders and endings and endings <= set(MESH_ENDINGS):
        return "meshes"
    if len(paths) == 1 and is_film(paths[0]):
        return "film"
    return "study"


def let_drops_through(window: QWidget) -> None:
    """Keep text fields from taking a dropped file as text: the window takes it."""
    for field in window.findChildren(QLineEdit):
        field.setAcceptDrops(False)


class DropVeil(QWidget):
    """Covers the window while files are dragged over it."""

    def __init__(self, stage: Stage, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("drop_veil")
        self.setMouseTracking(True)
        self._stage = stage
        self.hide()

    def cover(self, words: str) -> None:
        """Show the veil with a sentence."""
        self._words = words
        self.setAccessibleName(words)
        self.setGeometry(self.parentWidget().rect())
        self.raise_()
        self.show()

    def mouseMoveEvent(self, _event: QMouseEvent) -> None:
        self.hide()  # no mouse events come while something is dragged: the program it came from has ended without a word

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        theme = self._stage.theme
        painter.fillRect(self.rect(), theme.colour("surface/0", 0.82))
        painter.setPen(QPen(theme.colour("accent"), 3.0, Qt.PenStyle.DashLine))
        painter.drawRoundedRect(self.rect().adjusted(16, 16, -16, -16), 10, 10)
        painter.setPen(theme.colour("text/primary"))
        painter.setFont(font(LARGE, bold=True))
        painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, self._words)
        painter.end()
