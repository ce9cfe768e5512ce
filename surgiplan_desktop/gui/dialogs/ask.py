"""The few questions that must be answered at once: losing work, overwriting."""

from __future__ import annotations

from typing import Literal

from PySide6.QtWidgets import QDialog, QHBoxLayout, QVBoxLayout, QWidget

from surgiplan_desktop.gui.bridge import Bridge
from surgiplan_desktop.gui.widgets.layout import button, label

Answer = Literal["save", "discard", "cancel"]


class AskUnsaved(QDialog):
    """Save, do not save, or stay."""

    def __init__(self, bridge: Bridge, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("ask_unsaved")
        self.setWindowTitle(bridge.word("unsaved_title"))
        self.setMinimumWidth(420)
        self.answer: Answer = "cancel"
        layout = QVBoxLayout(self)
        layout.setContentsMargins(20, 16, 20, 16)
        layout.setSpacing(12)
        layout.addWidget(label(bridge.word("unsaved_title"), "title"))
        layout.addWidget(label(bridge.word("unsaved_text"), "secondary"))
        foot = QHBoxLayout()
        foot.addWidget(button(bridge.word("discard"), "ask_discard", lambda: self._end("discard")))
        foot.addStretch(1)
        foot.addWidget(button(bridge.word("stay"), "ask_cancel", lambda: self._end("cancel")))
        save = button(bridge.word("save"), "ask_save", lambda: self._end("save"))
        save.setProperty("role", "primary")
        save.setDefault(True)
        foot.addWidget(save)
        layout.addLayout(foot)

    def _end(self, answer: Answer) -> None:
        self.answer = answer
        self.accept()


class AskReplace(QDialog):
    """Replace existing files, or not."""

    def __init__(self, bridge: Bridge, what: str, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("ask_replace")
        self.setWindowTitle(bridge.word("replace_title"))
        self.setMinimumWidth(420)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(20, 16, 20, 16)
        layout.setSpacing(12)
        layout.addWidget(label(bridge.word("replace_title"), "title"))
        layout.addWidget(label(what, "secondary"))
        foot = QHBoxLayout()
        foot.addStretch(1)
        foot.addWidget(button(bridge.word("stay"), "replace_cancel", self.reject))
        foot.addWidget(button(bridge.word("replace"), "replace_do", self.accept))
        layout.addLayout(foot)


class AskOtherScan(QDialog):
    """The case holds a scan or bones already: a case of its own, in place of what is there, or stay."""

    def __init__(self, bridge: Bridge, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("ask_other_scan")
        self.setWindowTitle(bridge.word("other_scan_title"))
        self.setMinimumWidth(480)
        self.answer: Literal["new", "replace", "stay"] = "stay"
        layout = QVBoxLayout(self)
        layout.setContentsMargins(20, 16, 20, 16)
        layout.setSpacing(12)
        layout.addWidget(label(bridge.word("other_scan_title"), "title"))
        layout.addWidget(label(bridge.word("other_scan_text", code=bridge.case.code), "secondary"))
        foot = QHBoxLayout()
        foot.addWidget(button(bridge.word("other_scan_replace"), "other_replace", lambda: self._end("replace")))
        foot.addStretch(1)
        foot.addWidget(button(bridge.word("stay"), "other_stay", lambda: self._end("stay")))
        new = button(bridge.word("other_scan_new"), "other_new", lambda: self._end("new"))
        new.setProperty("role", "primary")
        new.setDefault(True)
        foot.addWidget(new)
        layout.addLayout(foot)

    def _end(self, answer: Literal["new", "replace", "stay"]) -> None:
        self.answer = answer
        self.accept()
