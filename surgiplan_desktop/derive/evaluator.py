"""The evaluator: takes the newest graph, computes what is wanted, keeps what is known, and says the state of every result.

It belongs to one thread (the owner's); only :meth:`Evaluator.require` may be called from others. It knows no jobs: ways to
submit and cancel work and to post to the owner's thread are given to it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, Protocol

from surgiplan_desktop.base.errors import InputDataError, SurgiPlanError
from surgiplan_desktop.base.progress import SILENT, Cancelled, PartOfProgress, Progress
from surgiplan_desktop.derive.cache import MISSING, MemoryCache
from surgiplan_desktop.derive.node import Cost, Failed, Key, Node, Ready, Running, Stale, State, Waiting
from surgiplan_desktop.derive.plan import EMPTY_PLAN, Plan, plan_of

#: How many failures are remembered, so that the same input does not fail twice.
_FAILURES_KEPT: Final = 500
_WAIT_S: Final = 0.05

Ending = Literal["done", "failed", "cancelled"]


@dataclass(frozen=True, slots=True)
class Work:
    """Work handed to ``submit``.

    ``begin()`` is to be called on the worker right before the work; False means that it is no longer needed. ``finished(how,
    value, error)`` is to be called on the worker in any case at the end; a job that was not begun ends as "cancelled".
    """

    name: str
    function: Callable[..., Any]
    args: tuple[Any, ...]
    lane: Cost
    begin: Callable[[], bool]
    finished: Callable[[Ending, Any, Exception | None], None]


Submit = Callable[[Work], Any]
Cancel = Callable[[Any], object]
Post = Callable[[Callable[[], object]], object]


class ResultStore(Protocol):
    """Heavy results that outlive the program, by fingerprint (a disk cache)."""

    def __contains__(self, fingerprint: str) -> bool:
        """Tell quickly whether it is likely there."""

    def get(self, fingerprint: str) -> Any:
        """Return the value, or ``MISSING`` when it is not there or cannot be read."""

    def put(self, fingerprint: str, value: Any) -> None:
        """Keep the value; never raises."""


class NoStore:
    """Keeps nothing."""

    def __contains__(self, fingerprint: str) -> bool:
        return False

    def get(self, fingerprint: str) -> Any:  # noqa: ARG002 - protocol
        """Return ``MISSING``."""
        return MISSING

    def put(self, fingerprint: str, value: Any) -> None:
        """Do nothing."""


@dataclass(slots=True)
class _Running:
    """A job under way for one fingerprint."""

    handle: Any = None
    cancelled: bool = False
    begun: bool = False
    refused: bool = False


@dataclass(slots=True)
class _Shared:
    """What worker threads touch, under one lock: fingerprints being computed right now, and failures."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    in_flight: dict[str, threading.Event] = field(default_factory=dict)
    failures: dict[str, Exception] = field(default_factory=dict)


class Evaluator:
    """States of results for the newest graph.

    Parameters
    ----------
    submit, cancel
        Start work on a lane (returns a handle), and cancel by handle.
    post
        Hands a call to the owner's thread.
    changed
        Called on the owner's thread with the keys whose state changed.
    cache
        Values in memory; may be shared by several evaluators.
    store
        Heavy values on disk.
    """

    def __init__(
        self,
        *,
        submit: Submit,
        cancel: Cancel,
        post: Post,
        changed: Callable[[frozenset[Key]], object],
        cache: MemoryCache,
        store: ResultStore | None = None,
    ) -> None:
        self._submit = submit
        self._cancel = cancel
        self._post = post
        self._changed = changed
        self._cache = cache
        self._store: ResultStore = store or NoStore()
        self._plan: Plan = EMPTY_PLAN
        self._states: dict[Key, State] = {}
        self._last: dict[Key, Any] = {}
        self._wanted: dict[str, frozenset[Key]] = {}
        self._watched: set[Key] = set()
        self._jobs: dict[str, _Running] = {}
        self._stopped: set[str] = set()
        self._holds = 0
        self._shared = _Shared()
        self._closed = False
        self._owner = threading.get_ident()

    # ---------------------------------------------------------------- owner's thread

    def update(self, graph: Mapping[Key, Node]) -> None:
        """Take the newest graph: cancel jobs it no longer asks for, compute cheap results, start wanted heavy ones."""
        plan = plan_of(graph)
        before = self._plan.fingerprints
        self._plan = plan
        current = set(plan.fingerprints.values())
        self._stopped &= current
        for fingerprint, job in self._jobs.items():
            if fingerprint not in current and not job.cancelled:
                job.cancelled = True
                self._cancel(job.handle)
        gone = frozenset(before) - frozenset(plan.fingerprints)
        altered = frozenset(key for key, value in plan.fingerprints.items() if before.get(key) != value)
        for key in gone:
            self._states.pop(key, None)
            self._last.pop(key, None)
        self._advance(gone | altered)

    def want(self, keys: Iterable[Key], claimant: str = "") -> None:
        """Say which results ``claimant`` wants kept current; heavy results are started only for wanted keys and their needs."""
        self._wanted[claimant] = frozenset(keys)
        self._advance()

    def hold(self) -> None:
        """Start no heavy work until :meth:`release` (an interaction is open)."""
        self._holds += 1

    def release(self) -> None:
        """End one :meth:`hold`."""
        self._holds -= 1
        if self._holds == 0:
            self._advance()

    def state(self, key: Key) -> State:
        """Return the state; cheap results are computed when first looked at and kept current from then on.

        A key that the graph does not have is Waiting for itself.
        """
        if key not in self._plan.nodes:
            return Waiting(None, key, "")
        if key not in self._states or key not in self._watched:
            self._watched.add(key)
            self._advance()
        return self._states.get(key) or Waiting(None, key, "")

    def retry(self, keys: Iterable[Key]) -> None:
        """Start anew what the user had stopped and what had failed, for these keys and all they need."""
        plan = self._plan
        for key in plan.closure(keys):
            self._stopped.discard(plan.fingerprints[key])
            self._shared.failures.pop(plan.fingerprints[key], None)
        self._advance()

    def close(self) -> None:
        """Cancel what runs and take no more results."""
        self._closed = True
        for job in self._jobs.values():
            if not job.cancelled:
                job.cancelled = True
                self._cancel(job.handle)

    def _advance(self, announce: frozenset[Key] = frozenset()) -> None:
        """Bring the states of watched and wanted results up to date, and tell what changed."""
        if self._closed:
            return
        plan = self._plan
        wanted = frozenset(key for keys in self._wanted.values() for key in keys)
        followed = plan.closure(wanted | self._watched)
        demanded = self._demanded(plan, wanted) if self._holds == 0 else frozenset()
        changed = set(announce)
        for key in plan.order:
            if key not in followed:
                self._states.pop(key, None)
                continue
            state = self._new_state(plan, key, startable=key in demanded)
            old = self._states.get(key)
            # A key looked at for the first time is no news: who looks gets the state.
            if old is not None and (type(old) is not type(state) or old.fingerprint != state.fingerprint):
                changed.add(key)
            self._states[key] = state
            if isinstance(state, Ready):
                self._last[key] = state.value
        if changed:
            self._changed(frozenset(changed))

    def _demanded(self, plan: Plan, wanted: frozenset[Key]) -> frozenset[Key]:
        """Keys to be computed for the wanted ones: a value at hand, in memory or on disk, demands nothing below it."""
        demanded: set[Key] = set()
        todo = [key for key in wanted if key in plan.nodes]
        while todo:
            key = todo.pop()
            if key in demanded:
                continue
            demanded.add(key)
            fingerprint, node = plan.fingerprints[key], plan.nodes[key]
            if fingerprint not in self._cache and (node.cost == "cheap" or fingerprint not in self._store):
                todo.extend(need for need in node.needs if need in plan.nodes)
        return frozenset(demanded)

    def _new_state(self, plan: Plan, key: Key, *, startable: bool) -> State:
        fingerprint = plan.fingerprints[key]
        old = self._states.get(key)
        if isinstance(old, Ready) and old.fingerprint == fingerprint:
            return old
        value = self._cache.get(fingerprint)
        if value is not MISSING:
            return Ready(value, fingerprint)
        error = self._shared.failures.get(fingerprint)
        if error is not None:
            return Failed(error, fingerprint)
        node = plan.nodes[key]
        last = self._last.get(key)
        if node.cost != "cheap" and fingerprint in self._store:
            return self._started(node, (), fingerprint, last, startable=startable)
        values = []
        for need in node.needs:
            state = self._states.get(need)
            if not isinstance(state, Ready):
                return Waiting(last, state.key if isinstance(state, Waiting) else need, fingerprint)
            values.append(state.value)
        if node.cost != "cheap":
            return self._started(node, tuple(values), fingerprint, last, startable=startable)
        try:
            value = node.function(*node.context, *node.params, *values)
        except Exception as failure:  # noqa: BLE001 - a failure stays at its node
            self._remember_failure(fingerprint, failure)
            return Failed(failure, fingerprint)
        self._cache.put(fingerprint, value)
        return Ready(value, fingerprint)

    def _started(self, node: Node, values: tuple[Any, ...], fingerprint: str, last: Any, *, startable: bool) -> State:
        if fingerprint in self._jobs or fingerprint in self._shared.in_flight:
            return Running(last, fingerprint)
        if not startable or fingerprint in self._stopped:
            return Stale(last, fingerprint)
        from_store = fingerprint in self._store
        job = _Running()

        def begin() -> bool:
            with self._shared.lock:
                if fingerprint in self._cache or fingerprint in self._shared.in_flight:
                    job.refused = True
                    return False
                self._shared.in_flight[fingerprint] = threading.Event()
            job.begun = True
            return True

        def finished(how: Ending, value: Any, error: Exception | None) -> None:
            # On the worker: a late result is worth keeping, and whoever waits in require() need not wait for the owner.
            done = how == "done" and value is not MISSING
            if done:
                self._cache.put(fingerprint, value)
            elif error is not None:
                self._remember_failure(fingerprint, error)
            if job.begun:
                self._landed(fingerprint)
            self._post(lambda: self._collect(fingerprint, how))
            if done and not from_store:
                self._store.put(fingerprint, value)

        self._jobs[fingerprint] = job
        if from_store:
            work = Work("loading_result", _load, (self._store, fingerprint), "thread", begin, finished)
        else:
            work = Work(node.name, node.function, (*node.context, *node.params, *values), node.cost, begin, finished)
        job.handle = self._submit(work)
        return Running(last, fingerprint)

    def _collect(self, fingerprint: str, how: Ending) -> None:
        job = self._jobs.pop(fingerprint, None)
        if how == "cancelled" and job is not None and not (job.cancelled or job.refused):
            # Somebody else cancelled it, so it was the user: do not start it again by ourselves.
            self._stopped.add(fingerprint)
        self._advance()

    # ---------------------------------------------------------------- any thread

    @property
    def keys(self) -> frozenset[Key]:
        """Keys of the newest graph."""
        return frozenset(self._plan.nodes)

    def fingerprint(self, key: Key) -> str:
        """Return the fingerprint of a result of the newest graph; KeyError if it has none."""
        return self._plan.fingerprints[key] if key in self._plan.nodes else _no_key(key)

    def require(self, *keys: Key, progress: Progress = SILENT) -> list[Any]:
        """Compute all these results here and now and return their values; raise the first error.

        Needs are computed in order, what is cached is taken, what a job is computing is awaited. From another thread it works
        on the graph as it was at the call.
        """
        plan = self._plan
        values: dict[Key, Any] = {}
        missing: list[Key] = []
        for key in keys:
            if key not in plan.nodes:
                raise InputDataError("needs_missing", key=" ".join(key))
            self._look_up(plan, key, values, missing)
        try:
            for number, key in enumerate(missing):
                part = PartOfProgress(progress, number / len(missing), (number + 1) / len(missing))
                values[key] = self._computed(plan, key, values, part)
        finally:
            if missing and threading.get_ident() == self._owner:
                self._advance()
            elif missing:
                self._post(self._advance)
        return [values[key] for key in keys]

    def _look_up(self, plan: Plan, root: Key, values: dict[Key, Any], missing: list[Key]) -> None:
        """Walk down from ``root`` as far as values are not at hand; append what must be computed to ``missing``, needs first."""
        listed = set(missing)
        stack = [(root, False)]
        while stack:
            key, needs_done = stack.pop()
            if key in values or key in listed:
                continue
            node = plan.nodes.get(key)
            if node is None:
                raise InputDataError("needs_missing", key=" ".join(key))
            if needs_done:
                missing.append(key)
                listed.add(key)
                continue
            value = self._known(plan.fingerprints[key], node)
            if value is not MISSING:
                values[key] = value
            else:
                stack.append((key, True))
                stack.extend((need, False) for need in reversed(node.needs))

    def _known(self, fingerprint: str, node: Node) -> Any:
        value = self._cache.get(fingerprint)
        if value is MISSING and node.cost != "cheap" and fingerprint in self._store:
            value = self._store.get(fingerprint)
            if value is not MISSING:
                self._cache.put(fingerprint, value)
        return value

    def _computed(self, plan: Plan, key: Key, values: Mapping[Key, Any], progress: Progress) -> Any:
        fingerprint, node = plan.fingerprints[key], plan.nodes[key]
        while True:
            with self._shared.lock:
                error = self._shared.failures.get(fingerprint)
                value = self._cache.get(fingerprint)
                other = self._shared.in_flight.get(fingerprint)
                if value is MISSING and error is None and other is None:
                    self._shared.in_flight[fingerprint] = threading.Event()
            if value is not MISSING:
                return value
            if isinstance(error, SurgiPlanError):
                raise error
            if error is not None:
                # An error without words (no memory, no file) may be gone by now: try again.
                self._shared.failures.pop(fingerprint, None)
                continue
            if other is None:
                break
            while not other.wait(_WAIT_S):
                progress.step(0.0, 1.0, "computing")
        try:
            value = _call(node, tuple(values[need] for need in node.needs), progress)
            self._cache.put(fingerprint, value)
        except Cancelled:
            raise
        except Exception as failure:
            self._remember_failure(fingerprint, failure)
            raise
        finally:
            self._landed(fingerprint)
        if node.cost != "cheap":
            self._store.put(fingerprint, value)
        return value

    def _landed(self, fingerprint: str) -> None:
        with self._shared.lock:
            event = self._shared.in_flight.pop(fingerprint, None)
        if event is not None:
            event.set()

    def _remember_failure(self, fingerprint: str, error: Exception) -> None:
        with self._shared.lock:
            failures = self._shared.failures
            failures[fingerprint] = error
            while len(failures) > _FAILURES_KEPT:
                del failures[next(iter(failures))]


def _call(node: Node, values: tuple[Any, ...], progress: Progress) -> Any:
    if node.cost == "cheap":
        return node.function(*node.context, *node.params, *values)
    return node.function(*node.context, *node.params, *values, progress=progress)


def _load(store: ResultStore, fingerprint: str, *, progress: Progress) -> Any:
    progress.step(0.0, 1.0, "loading_result")
    return store.get(fingerprint)


def _no_key(key: Key) -> str:
    raise KeyError(key)
