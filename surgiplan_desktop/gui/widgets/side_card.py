"""The card that says that witnesses of the side contradict each other: each by name, and how it is resolved."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from surgiplan_desktop.app.describe_side import hearing_rows
from surgiplan_desktop.gui.bridge import Bridge
from surgiplan_desktop.gui.dialogs.resolve_side import ResolveSide
from surgiplan_desktop.gui.steps import hear_witnesses, side_conflict
from surgiplan_desktop.gui.widgets.findings import card
from surgiplan_desktop.gui.widgets.layout import button, clear


class SideCard(QWidget):
    """Hidden while the sides agree. In Study, where the side is chosen, it can be resolved; elsewhere it leads there."""

    #: The step where it is resolved is wanted.
    go = Signal(str)

    def __init__(self, bridge: Bridge, step: str) -> None:
        super().__init__()
        self.setObjectName(f"{step}_side_card")
        self._bridge = bridge
        self._step = step
        self._shown: tuple[str, ...] = ()
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(6)
        self.hide()

    def refresh(self) -> None:
        """Show the contradiction of the case at hand, or hide."""
        words = self._words()
        if words == self._shown:
            return
        self._shown = words
        clear(self._layout)
        if words:
            word = self._bridge.word
            self._layout.addWidget(card("\n".join(words), "fail", word("sides_contradict")))
            if self._step == "study":
                self._layout.addWidget(button(word("resolve_sides"), "resolve_sides", self._resolve, tip=word("resolve_tip")))
            else:
                self._layout.addWidget(button(word("to_study"), f"{self._step}_to_study", lambda: self.go.emit("study")))
        self.setVisible(bool(words))

    def _words(self) -> tuple[str, ...]:
        side = self._bridge.side
        if side is None or side_conflict(self._bridge) is None:
            return ()
        heard = hear_witnesses(self._bridge, side)
        texts = self._bridge.texts
        quiet = self._bridge.word("side_state_quiet")
        rows = [f"{name}: {says} ({state})" for name, says, state in hearing_rows(heard, texts) if state != quiet]
        way = "side_way_study" if self._step == "study" else "side_way_elsewhere"
        about = self._bridge.word("side_work_on", side=self._bridge.word(f"side_word_{side}"))
        return about, *rows, texts.text(f"ui.side_diagnosis_{heard.diagnosis}"), self._bridge.word(way)

    def _resolve(self) -> None:
        ResolveSide(self._bridge, self.window()).exec()
