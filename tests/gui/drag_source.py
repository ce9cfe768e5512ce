"""A program of its own that files can be dragged from, as from a file manager: python -m tests.gui.drag_source PATH..."""

from __future__ import annotations

import sys
from typing import Final

from PySide6.QtCore import QMimeData, Qt, QTimer, QUrl
from PySide6.QtGui import QDrag, QMouseEvent
from PySide6.QtWidgets import QApplication, QLabel

#: The target fetches the names after the drop: until then the program they come from must answer.
_STAYS_MS: Final = 1500


class Source(QLabel):
    """A small window above all others; pressing and moving drags the files. It ends when they were dropped."""

    def __init__(self, paths: list[str]) -> None:
        super().__init__("drag me")
        self._paths = paths
        self.setWindowFlags(Qt.WindowType.WindowStaysOnTopHint | Qt.WindowType.X11BypassWindowManagerHint)
        self.setGeometry(4, 4, 60, 24)

    def mouseMoveEvent(self, _event: QMouseEvent) -> None:
        mime = QMimeData()
        mime.setUrls([QUrl.fromLocalFile(path) for path in self._paths])
        drag = QDrag(self)
        drag.setMimeData(mime)
        taken = drag.exec(Qt.DropAction.CopyAction)
        sys.stdout.write(f"{taken.name}\n")
        QTimer.singleShot(_STAYS_MS, QApplication.quit)


if __name__ == "__main__":
    application = QApplication(sys.argv[:1])
    source = Source(sys.argv[1:])
    source.show()
    application.exec()
