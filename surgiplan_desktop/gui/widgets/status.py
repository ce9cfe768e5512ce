"""The row at the foot: the last notice with its remedy, and the job at work with progress and cancel."""

from __future__ import annotations

import math
import time
from typing import Final

from PySide6.QtCore import QSize, Qt, QTimer
from PySide6.QtWidgets import QHBoxLayout, QLabel, QProgressBar, QPushButton, QSizePolicy, QToolButton, QWidget

from surgiplan_desktop.app.jobs import Job
from surgiplan_desktop.base.progress import Pace
from surgiplan_desktop.gui.bridge import Bridge, Said
from surgiplan_desktop.gui.dialogs.notice_list import NoticeList
from surgiplan_desktop.gui.icons import icon
from surgiplan_desktop.gui.theme import Theme
from surgiplan_desktop.gui.widgets.layout import set_role

#: Jobs shorter than this are not shown at all (s).
QUIET_S: Final = 0.3
#: Longer than this is told in minutes (s).
_MINUTES_FROM_S: Final = 90.0
#: Jobs that nobody waits for.
_UNSEEN: Final = frozenset({"warm", "thumbnail"})
_ROLE: Final = {"info": "ok", "warning": "warn", "error": "fail"}
_GLYPH: Final = {"info": "state-done", "warning": "state-attention", "error": "state-attention"}
_TONE: Final = {"info": "ok", "warning": "warn", "error": "fail"}


class StatusBar(QWidget):
    """Notices on the left, jobs on the right."""

    def __init__(self, bridge: Bridge, theme: Theme) -> None:
        super().__init__()
        self.setObjectName("statusBar")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setMinimumHeight(30)
        self._bridge = bridge
        self._theme = theme
        self._said: list[Said] = []
        self._started: dict[int, tuple[Job, float, Pace]] = {}
        layout = QHBoxLayout(self)
        layout.setContentsMargins(10, 2, 8, 2)
        layout.setSpacing(8)
        self._glyph = QLabel()
        self._words = QLabel(bridge.word("ready"))
        self._words.setObjectName("notice")
        self._words.setWordWrap(True)
        self._words.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._words.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self._details = QPushButton(bridge.word("details"))
        self._details.setObjectName("notice_details")
        self._details.setStyleSheet("padding: 1px 8px; min-height: 14px;")
        self._details.clicked.connect(self._show_all)
        self._details.hide()
        self._job = QLabel()
        self._job.setObjectName("job_text")
        self._bar = QProgressBar()
        self._bar.setTextVisible(False)
        self._bar.setFixedWidth(90)
        self._bar.setRange(0, 1000)
        self._cancel = QToolButton()
        self._cancel.setObjectName("job_cancel")
        self._cancel.setToolTip(bridge.word("cancel_job"))
        self._cancel.setAccessibleName(bridge.word("cancel_job"))
        self._cancel.clicked.connect(self.cancel_jobs)
        layout.addWidget(self._glyph)
        layout.addWidget(self._words, 1)
        layout.addWidget(self._details)
        for widget in (self._job, self._bar, self._cancel):
            layout.addWidget(widget)
        self._clock = QTimer(self)
        self._clock.setInterval(200)
        self._clock.timeout.connect(self._show_jobs)
        bridge.said.connect(self._say)
        bridge.job_changed.connect(self._on_job)
        self.set_theme(theme)
        self._show_jobs()

    @property
    def said(self) -> tuple[Said, ...]:
        """What was said, oldest first."""
        return tuple(self._said)

    def set_theme(self, theme: Theme) -> None:
        """Use other colours."""
        self._theme = theme
        self._cancel.setIcon(icon("close", theme))
        if self._said:
            self._show_notice(self._said[-1])

    def cancel_jobs(self) -> None:
        """Ask the jobs at work to stop."""
        for job in self._bridge.services.jobs.active:  # also those whose begin has not been told here yet
            if job.name not in _UNSEEN:
                job.cancel()

    def _say(self, said: Said) -> None:
        self._said.append(said)
        del self._said[:-100]
        self._show_notice(said)

    def _show_notice(self, said: Said) -> None:
        role = _ROLE[said.severity]
        self._glyph.setPixmap(icon(_GLYPH[said.severity], self._theme, role).pixmap(QSize(16, 16)))
        self._words.setText(f"{said.text} · {said.hint}" if said.hint else said.text)
        self._words.setToolTip(f"{said.text}\n{said.hint}".strip())
        set_role(self._words, "" if said.severity == "info" else _TONE[said.severity])
        self._details.show()

    def _show_all(self) -> None:
        NoticeList(self._bridge, self.said, self.window()).exec()

    def _on_job(self, job: Job) -> None:
        if job.state in ("queued", "running") and job.name not in _UNSEEN:
            self._started.setdefault(id(job), (job, time.monotonic(), Pace()))
            self._clock.start()
        else:
            self._started.pop(id(job), None)
        self._show_jobs()

    def time_left(self, seconds: float | None) -> str:
        """Say how long the work will still take, where that can be said."""
        if seconds is None:
            return ""
        word = self._bridge.word
        long = seconds >= _MINUTES_FROM_S
        left = word("minutes_left", minutes=round(seconds / 60.0)) if long else word("seconds_left", seconds=math.ceil(seconds))
        return f"  ·  {left}"

    def _show_jobs(self) -> None:
        now = time.monotonic()
        self._started = {key: item for key, item in self._started.items() if item[0].state in ("queued", "running")}
        running = [item for item in self._started.values() if item[0].state == "running"] or list(self._started.values())
        seen = [(job, now - start, pace) for job, start, pace in running if now - start >= QUIET_S]
        for widget in (self._job, self._bar, self._cancel):
            widget.setVisible(bool(seen))
        if not self._started:
            self._clock.stop()
        if not seen:
            return
        job, seconds, pace = seen[0]
        texts = self._bridge.texts
        text_id = f"progress.{job.text_id or job.name}"
        words = texts.text(text_id) if texts.has(text_id) else texts.text("progress.computing")
        more = f"  (+{len(self._started) - 1})" if len(self._started) > 1 else ""
        ahead = self.time_left(pace.seconds_left(job.fraction))
        self._job.setText(f"{words[:1].upper()}{words[1:]}  {100 * job.fraction:.0f} %  ·  {seconds:.0f} s{ahead}{more}")
        self._bar.setValue(round(1000 * job.fraction))
