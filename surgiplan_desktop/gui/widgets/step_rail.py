"""The steps on the left: number, name, a glyph with a word for how far each is, the reason on hover."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import QButtonGroup, QToolButton, QVBoxLayout, QWidget

from surgiplan_desktop.gui.bridge import Bridge
from surgiplan_desktop.gui.icons import icon
from surgiplan_desktop.gui.steps import STEPS, StepState, step_states
from surgiplan_desktop.gui.theme import Theme
from surgiplan_desktop.gui.widgets.layout import label

_ROLE: Final = {
    "done": "ok",
    "next": "accent",
    "open": "text/disabled",
    "attention": "warn",
    "stale": "text/secondary",
    "blocked": "text/disabled",
}
RAIL_PX: Final = 130


class StepRail(QWidget):
    """Buttons of the steps; a click on a blocked one leads to what is missing."""

    go = Signal(str)

    def __init__(self, bridge: Bridge, theme: Theme) -> None:
        super().__init__()
        self.setObjectName("stepRail")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setFixedWidth(RAIL_PX)
        self._bridge = bridge
        self._theme = theme
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 10, 6, 10)
        layout.setSpacing(4)
        group = QButtonGroup(self)
        self._buttons: dict[str, QToolButton] = {}
        self._shown: dict[str, tuple[StepState, bool, str]] = {}  # what each button shows: nothing is drawn for nothing
        for number, step in enumerate(STEPS, start=1):
            made = QToolButton()
            made.setObjectName(f"step_{step}")
            made.setText(f"{number}  {bridge.word(f'step_short_{step}')}")
            made.setProperty("role", "step")
            made.setCheckable(True)
            made.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
            made.setIconSize(QSize(14, 14))
            made.setFixedSize(RAIL_PX - 12, 34)
            made.setCursor(Qt.CursorShape.PointingHandCursor)
            made.clicked.connect(lambda _checked, step=step: self._clicked(step))
            group.addButton(made)
            self._buttons[step] = made
            layout.addWidget(made)
        layout.addStretch(1)
        layout.addWidget(label(bridge.word("research_use_only"), "small", "research_use_only"))
        self.refresh()

    def set_theme(self, theme: Theme) -> None:
        """Use other colours."""
        self._theme = theme
        self.refresh()

    def refresh(self) -> None:
        """Show how far each step is, and which one is open."""
        word = self._bridge.word
        now = self._bridge.session.view.step
        for step, state in step_states(self._bridge).items():
            made = self._buttons[step]
            shown = (state, step == now, self._theme.look)
            if self._shown.get(step) == shown and made.isChecked() == (step == now):
                continue
            self._shown[step] = shown
            made.setIcon(icon(f"state-{state.glyph}", self._theme, _ROLE[state.glyph]))
            name, how = word(f"step_{step}"), word(f"state_{state.glyph}")
            reason = word(state.reason) if state.reason else ""
            made.setAccessibleName(f"{name}, {how}")
            made.setToolTip(f"{name}: {how}" + (f"\n{reason}" if reason else ""))
            made.setChecked(step == now)

    def _clicked(self, step: str) -> None:
        state = step_states(self._bridge)[step]
        if state.glyph == "blocked":
            self._bridge.tell("step_blocked", step=self._bridge.word(f"step_{step}"), reason=self._bridge.word(state.reason))
            step = state.missing or step
        self.go.emit(step)
        self.refresh()
