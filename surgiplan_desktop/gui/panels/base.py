"""What every panel is: a title, groups, and one primary button at the foot that does the next thing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtWidgets import QPushButton, QVBoxLayout, QWidget

from surgiplan_desktop.app.jobs import Job
from surgiplan_desktop.base.errors import SurgiPlanError
from surgiplan_desktop.derive.node import Failed, Key, Stale, State
from surgiplan_desktop.gui.bridge import Bridge
from surgiplan_desktop.gui.viewports.stage import Stage
from surgiplan_desktop.gui.widgets.findings import card
from surgiplan_desktop.gui.widgets.layout import button, clear, label, line, scroller
from surgiplan_desktop.gui.widgets.side_card import SideCard

PANEL_PX = 320


class Panel(QWidget):
    """The panel of a step. Subclasses fill ``self.body``, read the session in :meth:`refresh`, and act in :meth:`act`."""

    #: The step's id.
    step = ""
    #: Another step is wanted.
    go = Signal(str)

    def __init__(self, bridge: Bridge, stage: Stage) -> None:
        super().__init__()
        self.bridge = bridge
        self.stage = stage
        self.setObjectName("panelFrame")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setFixedWidth(PANEL_PX)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.setSpacing(0)
        inside = QWidget()
        self.body = QVBoxLayout(inside)
        self.body.setContentsMargins(12, 12, 14, 12)
        self.body.setSpacing(8)
        self.body.addWidget(label(self.word(f"step_{self.step}"), "title"))
        self._sides_card = SideCard(bridge, self.step)
        self._sides_card.go.connect(self.go)
        self.body.addWidget(self._sides_card)
        self.content = QVBoxLayout()
        self.content.setSpacing(8)
        self.body.addLayout(self.content)
        self.body.addStretch(1)
        outer.addWidget(scroller(inside), 1)
        outer.addWidget(line())
        foot = QVBoxLayout()
        foot.setContentsMargins(12, 8, 12, 10)
        foot.setSpacing(6)
        self._reason = label("", "small", f"{self.step}_reason")
        self.primary = QPushButton()
        self.primary.setObjectName(f"{self.step}_primary")
        self.primary.setProperty("role", "primary")
        self.primary.setCursor(Qt.CursorShape.PointingHandCursor)
        self.primary.clicked.connect(self.act)
        foot.addWidget(self._reason)
        foot.addWidget(self.primary)
        outer.addLayout(foot)
        self._late = QTimer(self)
        self._late.setSingleShot(True)
        self._late.setInterval(0)
        self._late.timeout.connect(self._refresh_if_seen)
        bridge.session_replaced.connect(self.renew)
        bridge.case_changed.connect(self._late.start)
        bridge.results_changed.connect(self._late.start)
        bridge.job_changed.connect(self._on_job)
        self.job: Job | None = None
        self._trouble = ""
        self.build()

    @property
    def busy(self) -> bool:
        """Whether a job of this panel is under way."""
        return self.job is not None and self.job.state in ("queued", "running")

    def work(
        self,
        name: str,
        function: Callable[..., Any],
        *args: Any,
        on_value: Callable[[Any], object],
        lane: str = "thread",
        **kwargs: Any,
    ) -> None:
        """Run the panel's job; it shows itself anew when the job has ended."""
        self.job = self.bridge.run_job(name, function, *args, on_value=on_value, lane=lane, **kwargs)
        self.refresh()

    def word(self, name: str, /, **parameters: str | float | bool) -> str:
        """Return the text ``[ui.<name>]``."""
        return self.bridge.word(name, **parameters)

    def build(self) -> None:
        """Make the widgets, once."""

    def refresh(self) -> None:
        """Show the state of the session."""

    def act(self) -> None:
        """Do the next thing."""

    @property
    def may_accept(self) -> bool:
        """Whether something is looked at that Enter confirms."""
        return False

    def accept(self) -> None:
        """Confirm what is looked at."""

    def renew(self) -> None:
        """Another case is open: forget what belonged to the one before."""
        self._late.start()

    def say_next(self, text: str, *, enabled: bool = True, reason: str = "") -> None:
        """Name the primary button, and say why it cannot be pressed yet."""
        self.primary.setText(text.replace("&", "&&"))  # one & would make the next letter a shortcut
        self.primary.setAccessibleName(text)
        self.primary.setEnabled(enabled)
        self._reason.setText(reason)
        self._reason.setVisible(bool(reason))

    def show_trouble(self, into: QVBoxLayout, keys: Sequence[Key], heading: str) -> bool:
        """Show why the first of these results failed, with a way to try again. Return whether any did."""
        words = ""
        for key in keys:
            words = self._trouble_words(self.bridge.state(key))
            if words:
                break
        if words != self._trouble:
            self._trouble = words
            clear(into)
            if words:
                into.addWidget(card(words, "fail", heading))
                into.addWidget(button(self.word("try_again"), f"{self.step}_retry", lambda: self._retry(keys)))
        return bool(words)

    def _trouble_words(self, state: State | None) -> str:
        """Words of a failure; a result that nobody computes although it is wanted was stopped by the user."""
        if isinstance(state, Stale) and not self.bridge.services.jobs.active:
            return self.word("stopped")
        if not isinstance(state, Failed):
            return ""
        if isinstance(state.error, SurgiPlanError):
            return "\n".join(part for part in self.bridge.texts.error(state.error) if part)
        return self.word("unexpected")

    def _retry(self, keys: Sequence[Key]) -> None:
        self.bridge.attempt(lambda: self.bridge.session.retry(keys))
        self._late.start()

    def showEvent(self, event: object) -> None:
        super().showEvent(event)
        self._sides_card.refresh()
        self.refresh()

    def _on_job(self, job: Job) -> None:
        if job.state not in ("queued", "running"):
            self._late.start()

    def _refresh_if_seen(self) -> None:
        if self.isVisible():
            self._sides_card.refresh()
            self.refresh()
