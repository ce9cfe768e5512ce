"""All notices of this run with their details."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtWidgets import QDialog, QHBoxLayout, QPlainTextEdit, QVBoxLayout, QWidget

from surgiplan_desktop.gui.bridge import Bridge, Said
from surgiplan_desktop.gui.widgets.layout import button, label


class NoticeList(QDialog):
    """Notices, newest first, as text that can be copied."""

    def __init__(self, bridge: Bridge, said: Sequence[Said], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("notice_list")
        self.setWindowTitle(bridge.word("notices"))
        self.resize(640, 420)
        layout = QVBoxLayout(self)
        layout.addWidget(label(bridge.word("notices"), "title"))
        text = QPlainTextEdit()
        text.setReadOnly(True)
        blocks = []
        for item in reversed(said):
            rows = (bridge.word(f"notice_{item.severity}") + ": " + item.text, item.hint, item.detail)
            blocks.append("\n".join(row for row in rows if row))
        text.setPlainText("\n\n".join(blocks))
        layout.addWidget(text, 1)
        foot = QHBoxLayout()
        foot.addStretch(1)
        foot.addWidget(button(bridge.word("close"), "notice_list_close", self.accept))
        layout.addLayout(foot)
