"""A list of file names that unfolds and can be copied; made only when it is opened, for it may hold thousands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from PySide6.QtWidgets import QApplication, QHBoxLayout, QPlainTextEdit, QVBoxLayout, QWidget

from surgiplan_desktop.gui.bridge import Bridge
from surgiplan_desktop.gui.widgets.layout import button

_LINE_PX: Final = 17
_MOST_LINES: Final = 8


class FileNames(QWidget):
    """``heading`` as a button; below it, when pressed, the names with a button that copies them."""

    def __init__(self, bridge: Bridge, heading: str, names: Sequence[str], name: str) -> None:
        super().__init__()
        self._bridge = bridge
        self._names = tuple(names)
        self._name = name
        self._list: QPlainTextEdit | None = None
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(4)
        row = QHBoxLayout()
        row.setSpacing(6)
        self._open = button(heading, name, lambda: None, checkable=True)
        self._open.setProperty("role", "link")
        self._open.toggled.connect(self._show)
        row.addWidget(self._open)
        row.addStretch(1)
        self._copy = button(bridge.word("copy_names"), f"{name}_copy", self.copy)
        self._copy.setProperty("role", "link")
        self._copy.hide()
        row.addWidget(self._copy)
        self._layout.addLayout(row)

    def copy(self) -> None:
        """Put the names on the clipboard, one a line."""
        QApplication.clipboard().setText("\n".join(self._names))
        self._bridge.tell("names_copied", count=len(self._names))

    def _show(self, shown: bool) -> None:
        if shown and self._list is None:
            self._list = QPlainTextEdit("\n".join(self._names))
            self._list.setObjectName(f"{self._name}_list")
            self._list.setReadOnly(True)
            self._list.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
            self._list.setFixedHeight(_LINE_PX * min(len(self._names), _MOST_LINES) + 26)
            self._layout.addWidget(self._list)
        if self._list is not None:
            self._list.setVisible(shown)
        self._copy.setVisible(shown)
