"""From the session's signals to Qt's, at most once per turn of the event loop; and the one place where the window acts on it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from PySide6.QtCore import QObject, Qt, QTimer, Signal

from surgiplan_desktop.app.documents import new_session, recover_session, session_of, unpack
from surgiplan_desktop.app.jobs import Job
from surgiplan_desktop.app.notices import Notice
from surgiplan_desktop.app.session import Change, Session
from surgiplan_desktop.app.startup import Services
from surgiplan_desktop.app.texts import Texts
from surgiplan_desktop.base.errors import SurgiPlanError
from surgiplan_desktop.base.progress import Cancelled
from surgiplan_desktop.derive.node import Key, Ready, State
from surgiplan_desktop.files.case_file import Restored
from surgiplan_desktop.files.work_folders import Recoverable
from surgiplan_desktop.model.anatomy import Side
from surgiplan_desktop.model.case import Case


@dataclass(frozen=True, slots=True)
class Said:
    """A notice in words: what happened, what to do, and the detail behind the button."""

    severity: Literal["info", "warning", "error"]
    text: str
    hint: str = ""
    detail: str = ""


class Dispatcher(QObject):
    """Runs calls posted from any thread on the thread of the window."""

    _posted = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self._posted.connect(self._run, Qt.ConnectionType.QueuedConnection)

    def post(self, call: Callable[[], object]) -> None:
        """Take a call from any thread."""
        self._posted.emit(call)

    @staticmethod
    def _run(call: Callable[[], object]) -> None:
        call()


class Bridge(QObject):
    """The session for the window's parts: what changed, and acts with their errors caught and told.

    Signals
    -------
    session_replaced
        Another case is open; read everything anew.
    case_changed(Case before, Case after)
        The case changed (gathered over one turn of the event loop).
    results_changed(frozenset of keys), view_changed(frozenset of names)
        As the session's, gathered.
    said(Said), job_changed(Job)
        For the status bar.
    """

    session_replaced = Signal()
    case_changed = Signal(object, object)
    results_changed = Signal(object)
    view_changed = Signal(object)
    said = Signal(object)
    job_changed = Signal(object)

    def __init__(self, services: Services) -> None:
        super().__init__()
        self.services = services
        self.session: Session = new_session(services)
        self._before: Case | None = None
        self._keys: set[Key] = set()
        self._names: set[str] = set()
        self._turn = QTimer(self)
        self._turn.setSingleShot(True)
        self._turn.setInterval(0)
        self._turn.timeout.connect(self._tell)
        services.jobs.changed.connect(self._on_job)
        services.notices.added.connect(self._on_notice)
        self._attach()

    @property
    def texts(self) -> Texts:
        """Words by id."""
        return self.services.texts

    def word(self, name: str, /, **parameters: str | float | bool) -> str:
        """Return the text ``[ui.<name>]``."""
        return self.texts.text(f"ui.{name}", **parameters)

    @property
    def case(self) -> Case:
        """The case at hand."""
        return self.session.case

    @property
    def side(self) -> Side | None:
        """The side worked on: the intake's when its bones are there, else the only or first side at hand."""
        sides = self.case.sides
        wanted = self.case.intake.side
        if wanted is not None and (wanted in sides or not sides):
            return wanted
        return sides[0] if sides else None

    def state(self, key: Key) -> State | None:
        """Return the state of a result, or None when the case has no such result."""
        return self.session.state(key) if key in self.session.keys else None

    def value(self, key: Key) -> Any:
        """Return the newest value of a result, also an older one that is being updated; None when there is none."""
        state = self.state(key)
        if isinstance(state, Ready):
            return state.value
        return getattr(state, "last", None)

    def ready(self, key: Key) -> bool:
        """Tell whether the result is at hand and current."""
        return isinstance(self.state(key), Ready)

    # Acts ------------------------------------------------------------------------------------------------------------------

    def apply(self, label: str, edit: Callable[[Case], Case]) -> bool:
        """Apply an edit; its label is a text id under ``[ui]``. Return False when it was refused (the notice says why)."""
        return self.attempt(lambda: self.session.apply(self.word(label), edit))

    def interaction(self, label: str) -> Drag:
        """Open an interaction (press); edits go to it until :meth:`Drag.close` (release)."""
        return Drag(self, self.word(label))

    def attempt(self, act: Callable[[], object]) -> bool:
        """Do something that may be refused; a refusal becomes a notice."""
        try:
            act()
        except SurgiPlanError as error:
            self.tell_error(error)
            return False
        return True

    def run_job(
        self, name: str, function: Callable[..., Any], *args: Any, on_value: Callable[[Any], object], **kwargs: Any
    ) -> Job:
        """Run long work on the thread lane; ``on_value`` gets its result here, a failure becomes a notice."""

        def ended(job: Job) -> None:
            if job.state == "done":
                self.attempt(lambda: on_value(job.value))
            elif job.state == "failed" and job.error is not None:
                self.tell_error(job.error)
            elif job.state == "cancelled":
                self.tell("cancelled")

        return self.services.jobs.submit(name, function, *args, on_done=ended, **kwargs)

    def tell(self, name: str, /, hint: str = "", **parameters: str | float | bool) -> None:
        """Tell the user that something was done: the text ``[ui.<name>]``."""
        self.said.emit(Said("info", self.word(name, **parameters), hint))

    def tell_error(self, error: Exception) -> None:
        """Tell the user what failed and what to do."""
        if isinstance(error, Cancelled):
            self.tell("cancelled")
        else:
            self.services.notices.error(error)

    def _on_notice(self, notice: Notice) -> None:
        content = notice.content
        if isinstance(content, SurgiPlanError):
            text, hint = self.texts.error(content)
            where = f"{content.file}: " if content.file and content.file not in text else ""
            self.said.emit(Said(notice.severity, where + text, hint, notice.detail))
        else:
            self.said.emit(Said(notice.severity, self.texts.finding(content), "", notice.detail))

    # Documents -------------------------------------------------------------------------------------------------------------

    def start_new(self) -> None:
        """Close the case and open an empty one."""
        self._replace(new_session(self.services))

    def open(self, path: Path, *, may_replace: Callable[[], bool], opened: Callable[[], object]) -> Job:
        """Open a case file instead of the case at hand; it is read beside the window's work.

        ``may_replace`` is asked when it has been read and the case at hand was changed meanwhile.
        """
        session, case = self.session, self.case

        def put(restored: Restored) -> None:
            if (self.session is not session or self.case is not case) and not may_replace():
                restored.folder.close(keep=False)
                return
            self._replace(session_of(self.services, restored))
            opened()

        return self.run_job("opening", unpack, self.services, path, on_value=put)

    def recover(self, item: Recoverable) -> None:
        """Open unsaved work that an earlier run left behind."""
        self._replace(recover_session(self.services, item))

    def close(self, *, discard: bool) -> None:
        """Close the session; the services stay. Unsaved work is kept for recovery unless ``discard``."""
        self._detach()
        self.session.close(discard=discard)

    def _replace(self, session: Session) -> None:
        self._detach()
        self.session.close(discard=True)
        self.session = session
        self._before = None
        self._keys.clear()
        self._names.clear()
        self._attach()
        self.session_replaced.emit()

    # Signals ---------------------------------------------------------------------------------------------------------------

    def _attach(self) -> None:
        self.session.changed.connect(self._on_changed)
        self.session.results_changed.connect(self._on_results)
        self.session.view_changed.connect(self._on_view)

    def _detach(self) -> None:
        self.session.changed.disconnect(self._on_changed)
        self.session.results_changed.disconnect(self._on_results)
        self.session.view_changed.disconnect(self._on_view)

    def _on_changed(self, change: Change) -> None:
        if self._before is None:
            self._before = change.before
        self._turn.start()

    def _on_results(self, keys: frozenset[Key]) -> None:
        self._keys |= keys
        self._turn.start()

    def _on_view(self, names: frozenset[str]) -> None:
        self._names |= names
        self._turn.start()

    def _on_job(self, job: Job) -> None:
        self.job_changed.emit(job)

    def _tell(self) -> None:
        before, self._before = self._before, None
        keys, self._keys = frozenset(self._keys), set()
        names, self._names = frozenset(self._names), set()
        if before is not None:
            self.case_changed.emit(before, self.case)
        if keys:
            self.results_changed.emit(keys)
        if names:
            self.view_changed.emit(names)


class Drag:
    """Press to release over several events of the window: one step of the history."""

    def __init__(self, bridge: Bridge, label: str) -> None:
        self._bridge = bridge
        self._stack = ExitStack()
        self._open = self._stack.enter_context(bridge.session.interaction(label))

    def apply(self, edit: Callable[[Case], Case]) -> None:
        """Apply an edit; light results follow at once, heavy ones after the release."""
        self._bridge.attempt(lambda: self._open.apply(edit))

    def close(self) -> None:
        """Release."""
        self._bridge.attempt(self._stack.close)
