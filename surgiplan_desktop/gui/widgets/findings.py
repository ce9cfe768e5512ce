"""Findings and reasons as cards: a sentence each, with a colour and a word for how severe it is."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtWidgets import QFrame, QVBoxLayout, QWidget

from surgiplan_desktop.gui.bridge import Bridge
from surgiplan_desktop.gui.widgets.layout import clear, label
from surgiplan_desktop.model.study import Finding

_TONE = {"note": "", "warn": "warn", "fail": "fail", "critical": "fail", "ok": "ok"}


def card(words: str, tone: str, heading: str = "") -> QFrame:
    """Return a framed sentence; ``tone`` is "", "ok", "warn" or "fail"."""
    frame = QFrame()
    frame.setProperty("role", "card")
    frame.setProperty("tone", tone)
    inner = QVBoxLayout(frame)
    inner.setContentsMargins(8, 6, 8, 6)
    inner.setSpacing(2)
    if heading:
        inner.addWidget(label(heading, tone or "group"))
    inner.addWidget(label(words[:1].upper() + words[1:], "" if tone else "secondary"))
    return frame


class FindingList(QWidget):
    """All findings of something, the worst first; hidden when there are none."""

    def __init__(self, bridge: Bridge, name: str) -> None:
        super().__init__()
        self.setObjectName(name)
        self._bridge = bridge
        self._shown: tuple[Finding, ...] | None = None
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(6)
        self.hide()

    def show_findings(self, findings: Sequence[Finding]) -> None:
        """Show these findings; equal ones once."""
        order = ("critical", "fail", "warn", "note")
        sorted_ones = tuple(sorted(dict.fromkeys(findings), key=lambda finding: order.index(finding.severity)))
        if sorted_ones == self._shown:
            return
        self._shown = sorted_ones
        clear(self._layout)
        for finding in sorted_ones:
            heading = self._bridge.word(f"severity_{finding.severity}")
            self._layout.addWidget(card(self._bridge.texts.finding(finding), _TONE[finding.severity], heading))
        self.setVisible(bool(sorted_ones))
