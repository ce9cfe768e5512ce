"""The command palette: type part of a name, Enter does it."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QDialog, QLineEdit, QListWidget, QListWidgetItem, QVBoxLayout, QWidget

from surgiplan_desktop.gui.bridge import Bridge


class Palette(QDialog):
    """Finds an action by the letters of its name, in order."""

    def __init__(self, bridge: Bridge, actions: Sequence[QAction], parent: QWidget) -> None:
        super().__init__(parent, Qt.WindowType.Popup)
        self.setObjectName("palette")
        self._actions = [action for action in actions if action.isEnabled()]
        self.setFixedSize(460, 360)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 8, 8, 8)
        self._entry = QLineEdit()
        self._entry.setObjectName("palette_entry")
        self._entry.setPlaceholderText(bridge.word("palette_hint"))
        self._entry.textChanged.connect(self._filter)
        self._entry.installEventFilter(self)
        self._list = QListWidget()
        self._list.setObjectName("palette_list")
        self._list.itemClicked.connect(self._run)
        layout.addWidget(self._entry)
        layout.addWidget(self._list, 1)
        self._filter("")
        corner = parent.mapToGlobal(parent.rect().topLeft())
        self.move(corner.x() + (parent.width() - self.width()) // 2, corner.y() + 46)
        self._entry.setFocus()

    def _filter(self, text: str) -> None:
        self._list.clear()
        for action in self._actions:
            if matches(text, action.text()):
                keys = action.shortcut().toString(QKeySequence.SequenceFormat.NativeText)
                item = QListWidgetItem(action.text() + (f"    {keys}" if keys else ""))
                item.setData(Qt.ItemDataRole.UserRole, action)
                self._list.addItem(item)
        self._list.setCurrentRow(0)

    def _run(self, item: QListWidgetItem | None = None) -> None:
        item = item or self._list.currentItem()
        self.accept()
        if item is not None:
            item.data(Qt.ItemDataRole.UserRole).trigger()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.KeyPress:
            key = event.key()
            if key in (Qt.Key.Key_Down, Qt.Key.Key_Up):
                step = 1 if key == Qt.Key.Key_Down else -1
                self._list.setCurrentRow(max(0, min(self._list.count() - 1, self._list.currentRow() + step)))
                return True
            if key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
                self._run()
                return True
        return super().eventFilter(watched, event)


def matches(typed: str, name: str) -> bool:
    """Tell whether the letters typed occur in the name in this order (blanks and case do not count)."""
    letters = iter(name.lower())
    return all(letter in letters for letter in typed.lower() if not letter.isspace())
