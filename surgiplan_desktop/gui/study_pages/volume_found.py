"""A volume file before it is taken: its light, what is odd about it, and the consent where it must be straightened."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFrame, QVBoxLayout

from surgiplan_desktop.app.study_page import VolumeCard
from surgiplan_desktop.gui.study_pages.series_card import TickBox
from surgiplan_desktop.gui.study_pages.verdict_light import VerdictLight
from surgiplan_desktop.gui.viewports.stage import Stage
from surgiplan_desktop.gui.widgets.layout import label


class VolumeFound(QFrame):
    """A card for the panel."""

    #: The repair was agreed to or refused.
    changed = Signal()

    def __init__(self, stage: Stage, found: VolumeCard) -> None:
        super().__init__()
        self.setProperty("role", "card")
        self._found = found
        word = stage.bridge.word
        inner = QVBoxLayout(self)
        inner.setContentsMargins(8, 6, 8, 6)
        inner.setSpacing(4)
        inner.addWidget(VerdictLight(stage, found.verdict, word(f"verdict_{found.verdict}"), "volume_verdict"))
        inner.addWidget(label(found.title, "small", "volume_title"))
        for number, finding in enumerate(found.findings):
            tone = "secondary" if finding.severity == "note" else "warn" if found.verdict != "refused" else "fail"
            inner.addWidget(label(finding.words[:1].upper() + finding.words[1:], tone, f"volume_finding_{number}"))
        self._consent = TickBox(word("repair_consent"))
        self._consent.setObjectName("volume_consent")
        self._consent.setToolTip(word("repair_consent_tip"))
        self._consent.setVisible(found.verdict == "repairable")
        self._consent.toggled.connect(lambda _on: self.changed.emit())
        inner.addWidget(self._consent)

    @property
    def agreed(self) -> bool:
        """Whether the repair was agreed to."""
        return self._consent.isChecked()

    @property
    def can_be_taken(self) -> bool:
        """Whether it is usable as it is, or its repair was agreed to."""
        return self._found.verdict == "ok" or (self._found.verdict == "repairable" and self.agreed)
