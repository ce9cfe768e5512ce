"""The card that says that request, tags of the scan and bones speak of different sides, and how to resolve it."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from surgiplan_desktop.gui.bridge import Bridge
from surgiplan_desktop.gui.steps import side_conflict
from surgiplan_desktop.gui.widgets.findings import card
from surgiplan_desktop.gui.widgets.layout import button, clear


class SideCard(QWidget):
    """Hidden while the sides agree. In Study, where the side is chosen, it says so; elsewhere it leads there."""

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
            self._layout.addWidget(card("\n".join(words), "fail", self._bridge.word("sides_contradict")))
            if self._step != "study":
                to_study = button(self._bridge.word("to_study"), f"{self._step}_to_study", lambda: self.go.emit("study"))
                self._layout.addWidget(to_study)
        self.setVisible(bool(words))

    def _words(self) -> tuple[str, ...]:
        error = side_conflict(self._bridge)
        if error is None:
            return ()
        text, hint = self._bridge.texts.error(error)
        if error.message_id != "side_contradiction":
            return text, hint
        says = {name: str(value) for name, value in error.parameters.items()}
        way = "side_way_study" if self._step == "study" else "side_way_elsewhere"
        return self._bridge.word("side_contradiction", **says), self._bridge.word(way)
