"""About: what this program is and is not, and the versions that a report of trouble needs."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QDialog, QHBoxLayout, QVBoxLayout, QWidget

from surgiplan_desktop.app.acceptance import hardware, program_versions
from surgiplan_desktop.gui.bridge import Bridge
from surgiplan_desktop.gui.widgets.findings import card
from surgiplan_desktop.gui.widgets.layout import Table, button, label


class About(QDialog):
    """Versions as a table that can be copied."""

    def __init__(self, bridge: Bridge, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("about")
        word = bridge.word
        self.setWindowTitle(word("action_about"))
        self._rows = (*program_versions(), *hardware())
        layout = QVBoxLayout(self)
        layout.setContentsMargins(20, 16, 20, 16)
        layout.setSpacing(10)
        headline = label(word("program_title"), "headline")
        headline.setFixedWidth(480)
        layout.addWidget(headline)
        layout.addWidget(card(word("about_text"), "warn", word("research_use_only")))
        table = Table("about_versions", ["", ""], (180, 0))
        table.fill([[(name, None, ""), (version, None, "")] for name, version in self._rows])
        layout.addWidget(table)
        layout.setSizeConstraint(
            QVBoxLayout.SizeConstraint.SetFixedSize
        )  # else the table, high as its rows, lies under the buttons
        foot = QHBoxLayout()
        foot.addWidget(button(word("about_copy"), "about_copy", self._copy))
        foot.addStretch(1)
        foot.addWidget(button(word("close"), "about_close", self.accept), 0, Qt.AlignmentFlag.AlignRight)
        layout.addLayout(foot)

    def _copy(self) -> None:
        QApplication.clipboard().setText("\n".join(f"{name}: {version}" for name, version in self._rows))
