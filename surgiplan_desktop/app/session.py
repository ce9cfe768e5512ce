"""A session: a case, its history, its results and its view. Window and command line are two users of it.

It belongs to the thread that made it. ``apply``, ``undo``, ``redo``, ``set_view``, ``require`` and ``save`` may be called from a
job too: edits are handed to the owner's thread and awaited, ``require`` and ``save`` work where they are called.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, TypeVar

from psygnal import Signal

from surgiplan_desktop.app.history import Event, History
from surgiplan_desktop.app.jobs import Job, Post
from surgiplan_desktop.app.startup import Services
from surgiplan_desktop.base.arrays import AnyArray
from surgiplan_desktop.base.errors import Parameter, UsageError
from surgiplan_desktop.base.progress import SILENT, Cancelled, Progress
from surgiplan_desktop.derive.evaluator import Evaluator, Work
from surgiplan_desktop.derive.node import Key, Node, State
from surgiplan_desktop.files.asset_store import AssetStore
from surgiplan_desktop.files.case_file import CaseFolder
from surgiplan_desktop.model.case import Case
from surgiplan_desktop.model.study import AssetId
from surgiplan_desktop.model.view import View

_T = TypeVar("_T")
#: How often a job that waits for the owner's thread looks whether the session is closed (s).
_LOOK_EVERY_S: Final = 0.1
Edit = Callable[[Case], Case]
#: ``graph(case, load, catalogues)``, such as ``planning.graph.plan_graph``.
Graph = Callable[[Case, Callable[[AssetId], AnyArray], Mapping[str, Any]], Mapping[Key, Node]]


@dataclass(frozen=True, slots=True)
class Change:
    """What an edit, undo or redo did; compare parts with ``is`` to see whether they differ."""

    before: Case
    after: Case
    label: str


class Session:
    """See the module's text.

    Signals
    -------
    changed(Change)
        The case is another one. Comes before ``results_changed``.
    results_changed(frozenset of keys)
        State or value of these results is another one.
    view_changed(frozenset of names)
        These fields of the view are others.
    """

    changed = Signal(Change)
    results_changed = Signal(frozenset)
    view_changed = Signal(frozenset)

    def __init__(self, services: Services, folder: CaseFolder, history: History, view: View, graph: Graph) -> None:
        self.services = services
        self._folder = folder
        self._history = history
        self._case = history.case
        self._view = view
        self._graph = graph
        self._owner = threading.get_ident()
        self._post: Post = services.post
        self._closed = False
        self._save_lock = threading.Lock()
        # Journal and history go together, for a save on another thread.
        self._edit_lock = threading.RLock()
        self._gathering: set[Key] | None = None
        self._interaction: Interaction | None = None
        self._evaluator = Evaluator(
            submit=self._submit,
            cancel=Job.cancel,
            post=services.post,
            changed=self._results_changed,
            cache=services.cache,
            store=services.results,
        )
        self._evaluator.update(self._graph_of(self._case))

    # ---------------------------------------------------------------- what is

    @property
    def case(self) -> Case:
        """The current case."""
        return self._case

    @property
    def view(self) -> View:
        """What is visible."""
        return self._view

    @property
    def store(self) -> AssetStore:
        """Big arrays by content."""
        return self._folder.store

    @property
    def path(self) -> Path | None:
        """The case file, or None when it was never saved."""
        return self._folder.path

    @property
    def modified(self) -> bool:
        """Whether there are changes that are not in the case file."""
        return self._history.modified

    @property
    def interacting(self) -> bool:
        """Whether an interaction is open: heavy results wait for its end."""
        return self._interaction is not None

    @property
    def can_undo(self) -> bool:
        """Whether there is something to undo."""
        return self._interaction is None and self._history.undo_label is not None

    @property
    def can_redo(self) -> bool:
        """Whether there is something to redo."""
        return self._interaction is None and self._history.redo_label is not None

    @property
    def undo_label(self) -> str | None:
        """Label of the edit that undo takes back."""
        return self._history.undo_label

    @property
    def redo_label(self) -> str | None:
        """Label of the edit that redo brings back."""
        return self._history.redo_label

    # ---------------------------------------------------------------- edits

    def apply(self, label: str, edit: Edit) -> Case:
        """Apply an edit as one undo step and return the new case; an edit that raises leaves everything as it was."""
        return self._on_owner(lambda: self._apply(label, edit))

    @contextmanager
    def interaction(self, label: str) -> Iterator[Interaction]:
        """Gather edits between press and release to one undo step; heavy results wait for the release.

        When the block raises, the case goes back to what it was before.
        """
        if self._interaction is not None:
            raise RuntimeError("an interaction is already open")
        before = self._case
        self._interaction = Interaction(self, label)
        self._evaluator.hold()
        try:
            yield self._interaction
        except BaseException:
            if self._case is not before:
                self._show(before, label)
            raise
        else:
            if self._case != before:
                try:
                    self._keep(label, before, self._case)
                except BaseException:
                    self._show(before, label)
                    raise
        finally:
            self._interaction = None
            self._evaluator.release()

    def undo(self) -> None:
        """Take back the last edit; nothing happens when there is none."""
        self._on_owner(lambda: self._travel("undo"))

    def redo(self) -> None:
        """Bring back the edit taken back last; nothing happens when there is none."""
        self._on_owner(lambda: self._travel("redo"))

    def set_view(self, **changes: object) -> None:
        """Change fields of the view; never undone."""
        self._on_owner(lambda: self._set_view(changes))

    # ---------------------------------------------------------------- results

    def state(self, key: Key) -> State:
        """Return the state of a result (never waits); a key the case does not have is Waiting for itself."""
        return self._evaluator.state(key)

    def want(self, keys: Iterable[Key], claimant: str = "") -> None:
        """Keep these results current, starting jobs for heavy ones; replaces what ``claimant`` wanted before."""
        self._evaluator.want(keys, claimant)

    def retry(self, keys: Iterable[Key]) -> None:
        """Start results anew that failed or were cancelled by the user."""
        self._evaluator.retry(keys)

    def require(self, *keys: Key, progress: Progress = SILENT) -> list[Any]:
        """Compute all these results now, on the calling thread, and return their values; raises the first error."""
        return self._evaluator.require(*keys, progress=progress)

    def fingerprint(self, key: Key) -> str:
        """Return the fingerprint of a result; KeyError if the case has none of this key."""
        return self._evaluator.fingerprint(key)

    @property
    def keys(self) -> frozenset[Key]:
        """Keys of all results the case can have."""
        return self._evaluator.keys

    # ---------------------------------------------------------------- file

    def audit(self, action: str, **data: Parameter) -> None:
        """Append a line to the audit log of the case."""
        self._folder.audit(action, data)

    def save(self, path: Path | None = None, *, progress: Progress = SILENT) -> Path:
        """Write the case file atomically (to ``path``, or where it came from) and return its path.

        Raises
        ------
        UsageError
            ``case_not_named`` without any path, ``case_changed_elsewhere`` when another program wrote the file meanwhile.
        ComputationError
            ``case_not_written`` when the disk refuses; nothing is lost, the work folder has it all.
        """
        with self._save_lock:
            target = path or self._folder.path
            if target is None:
                raise UsageError("case_not_named")
            with self._edit_lock:
                case, told = self._history.case, self._folder.told()
            self._folder.save(case, told, self._view, Path(target).resolve(), progress=progress)
            self._history.mark_saved(case)
            return Path(target).resolve()

    def close(self, *, discard: bool = False) -> None:
        """End the session. Unsaved work stays in the work folder and can be recovered, unless ``discard``."""
        self._closed = True
        self._evaluator.close()
        for signal in (self.changed, self.results_changed, self.view_changed):
            signal.disconnect()
        self._folder.close(keep=self.modified and not discard)

    # ---------------------------------------------------------------- inside

    def _on_owner(self, call: Callable[[], _T]) -> _T:
        if threading.get_ident() == self._owner:
            return call()
        answer: Future[_T] = Future()

        def run() -> None:
            try:
                answer.set_result(call())
            except BaseException as error:  # noqa: BLE001 - raised on the thread that asked
                answer.set_exception(error)

        self._post(run)
        while not self._closed:
            with suppress(TimeoutError):
                return answer.result(_LOOK_EVERY_S)
        raise Cancelled

    def _apply(self, label: str, edit: Edit) -> Case:
        if self._interaction is not None:
            raise RuntimeError("an interaction is open: apply edits to it")
        before = self._case
        after = edit(before)
        if after == before:
            return before
        graph = self._graph_of(after)
        self._keep(label, before, after)
        self._show(after, label, graph)
        return after

    def _keep(self, label: str, before: Case, after: Case) -> None:
        """Put an edit into journal and history: into both or, when the disk refuses, into none."""
        with self._edit_lock:
            self._folder.record("edit", label, before, after)
            self._history.push(label, after)

    def _travel(self, kind: Event) -> None:
        label = self._history.undo_label if kind == "undo" else self._history.redo_label
        if label is None or self._interaction is not None:
            return
        before = self._case
        with self._edit_lock:
            after = self._history.undo() if kind == "undo" else self._history.redo()
            try:
                self._folder.record(kind, label, before, after)
            except BaseException:
                self._history.redo() if kind == "undo" else self._history.undo()
                raise
        self._show(after, label)

    def _show(self, case: Case, label: str, graph: Mapping[Key, Node] | None = None) -> None:
        """Make the case the current one: results first, then the two signals."""
        before = self._case
        graph = self._graph_of(case) if graph is None else graph
        self._gathering = set()
        try:
            self._case = case
            self._evaluator.update(graph)
        finally:
            gathered, self._gathering = frozenset(self._gathering), None
        self.changed.emit(Change(before, case, label))
        if gathered:
            self.results_changed.emit(gathered)

    def _graph_of(self, case: Case) -> Mapping[Key, Node]:
        return self._graph(case, self._folder.store.load, self.services.catalogues)

    def _set_view(self, changes: Mapping[str, object]) -> None:
        before = self._view
        view = replace(before, **changes)  # type: ignore[arg-type]
        names = frozenset(name for name in changes if getattr(view, name) != getattr(before, name))
        if names:
            self._view = view
            self.view_changed.emit(names)

    def _results_changed(self, keys: frozenset[Key]) -> None:
        if self._gathering is not None:
            self._gathering |= keys
        else:
            self.results_changed.emit(keys)

    def _submit(self, work: Work) -> Job:
        def finished(job: Job) -> None:
            how = job.state if job.state in ("done", "failed") else "cancelled"
            work.finished(how, job.value, job.error)

        return self.services.jobs.submit(
            work.name,
            work.function,
            *work.args,
            lane="process" if work.lane == "process" else "thread",
            begin=work.begin,
            finished=finished,
        )


class Interaction:
    """An open interaction: ``apply`` edits on it between press and release."""

    def __init__(self, session: Session, label: str) -> None:
        self._session = session
        self._label = label

    def apply(self, edit: Edit) -> Case:
        """Apply an edit; it becomes part of the one undo step of the interaction."""
        session = self._session
        if session._interaction is not self:  # noqa: SLF001 - the two are one thing
            raise RuntimeError("the interaction is over")
        after = edit(session.case)
        if after != session.case:
            session._show(after, self._label)  # noqa: SLF001
        return session.case
