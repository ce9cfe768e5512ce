"""Jobs: long work on a thread lane or a process lane, with progress and cancel; results come back to the owner's thread.

The thread lane suits work that lets other threads run (VTK, SimpleITK, numpy). Whatever holds the interpreter, such as booleans
of manifold3d, goes to the process lane: a warm spawned worker whose process is ended when its job is cancelled.
"""

from __future__ import annotations

import logging
import os
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Literal

from psygnal import Signal

from surgiplan_desktop.app.worker import Worker
from surgiplan_desktop.base.progress import Cancelled

_LOG = logging.getLogger(__name__)

Lane = Literal["thread", "process"]
JobState = Literal["queued", "running", "done", "failed", "cancelled"]
#: Hands a call to the owner's thread.
Post = Callable[[Callable[[], object]], object]

#: Progress is passed on to listeners at most this often (s).
_REPORT_EVERY_S: Final = 0.1


class Inbox:
    """The plain dispatcher of the command line and of tests: calls posted from any thread, run by the owner."""

    def __init__(self) -> None:
        self._calls: queue.SimpleQueue[Callable[[], object]] = queue.SimpleQueue()

    def post(self, call: Callable[[], object]) -> None:
        """Take a call from any thread."""
        self._calls.put(call)

    def run_pending(self) -> int:
        """Run what has been posted, on the calling thread; return how many calls that were."""
        count = 0
        while True:
            try:
                call = self._calls.get_nowait()
            except queue.Empty:
                return count
            call()
            count += 1

    def run_until(self, condition: Callable[[], bool], timeout_s: float = 60.0) -> bool:
        """Run posted calls until the condition holds; False when the time is over first."""
        end = time.monotonic() + timeout_s
        while True:
            self.run_pending()
            if condition():
                return True
            left = end - time.monotonic()
            if left <= 0:
                return False
            try:
                call = self._calls.get(timeout=min(left, 0.05))
            except queue.Empty:
                continue
            call()


class Job:
    """One piece of long work. ``state``, ``fraction`` (0..1) and ``text_id`` may be read from any thread.

    ``value`` is there when ``state`` is "done", ``error`` when it is "failed". ``cancel()`` asks it to stop: a queued job never
    starts, a thread job stops at its next report of progress, the process of a process job is ended.
    """

    def __init__(self, name: str, lane: Lane) -> None:
        self.name = name
        self.lane = lane
        self.state: JobState = "queued"
        self.fraction = 0.0
        self.text_id = ""
        self.value: Any = None
        self.error: Exception | None = None
        self.cancel_requested = False
        self.ended = threading.Event()

    def cancel(self) -> None:
        """Ask the job to stop; it ends as "cancelled", or as "done" when it was faster."""
        self.cancel_requested = True

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait for the end of the work (not for ``on_done``, which the owner's thread runs); False on time-out."""
        return self.ended.wait(timeout_s)


@dataclass(frozen=True, slots=True)
class _Task:
    job: Job
    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    on_done: Callable[[Job], object] | None
    begin: Callable[[], bool] | None
    finished: Callable[[Job], object] | None


class _JobProgress:
    """The Progress that a job's function gets on the thread lane."""

    def __init__(self, job: Job, report: Callable[[Job], None]) -> None:
        self._job = job
        self._report = report
        self._last = 0.0

    def step(self, done: float, total: float, text_id: str) -> None:
        """Note the progress; raises Cancelled after ``cancel()``."""
        if self._job.cancel_requested:
            raise Cancelled
        self._job.fraction = min(1.0, done / total) if total > 0 else 1.0
        self._job.text_id = text_id
        now = time.monotonic()
        if now - self._last >= _REPORT_EVERY_S:
            self._last = now
            self._report(self._job)


class JobRunner:
    """Runs jobs on its lanes.

    Parameters
    ----------
    post
        Hands a call to the owner's thread; ``on_done`` and the signal ``changed`` come through it.
    threads, processes
        Number of workers of each lane. They start with the first job of their lane.

    Signals
    -------
    changed(Job)
        A job changed its state or progress (at most ten times a second a job); on the owner's thread.
    """

    changed = Signal(Job)

    def __init__(self, post: Post, *, threads: int | None = None, processes: int = 1) -> None:
        self._post = post
        self._lanes: dict[Lane, queue.SimpleQueue[_Task | None]] = {"thread": queue.SimpleQueue(), "process": queue.SimpleQueue()}
        self._sizes: dict[Lane, int] = {"thread": threads or max(2, (os.cpu_count() or 2) - 1), "process": processes}
        self._threads: dict[Lane, list[threading.Thread]] = {"thread": [], "process": []}
        self._lock = threading.Lock()
        self._active: list[Job] = []
        self._newest: dict[str, Job] = {}
        self._closed = False

    @property
    def active(self) -> tuple[Job, ...]:
        """Jobs queued or running, oldest first."""
        with self._lock:
            return tuple(self._active)

    @property
    def closed(self) -> bool:
        """Whether the runner takes no more jobs; results posted before may still arrive."""
        return self._closed

    def submit(
        self,
        name: str,
        function: Callable[..., Any],
        *args: Any,
        lane: Lane = "thread",
        on_done: Callable[[Job], object] | None = None,
        newest: str | None = None,
        begin: Callable[[], bool] | None = None,
        finished: Callable[[Job], object] | None = None,
        **kwargs: Any,
    ) -> Job:
        """Queue ``function(*args, **kwargs, progress=...)`` and return its job at once.

        Parameters
        ----------
        name
            Text id under ``[progress]`` (or any name) by which the jobs bar calls it.
        function
            For the process lane a top-level function; its arguments and result travel as pickles.
        on_done
            Called with the job on the owner's thread when it has ended in any way.
        newest
            Jobs of the same ``newest`` replace each other: an older one still going is cancelled (newest wins).
        begin
            Called on the worker just before the work; False means it is no longer needed: the job ends as cancelled.
        finished
            Called with the ended job on the worker, before ``on_done`` is posted.
        """
        if self._closed:
            raise RuntimeError("the job runner is closed")
        job = Job(name, lane)
        with self._lock:
            self._active.append(job)
            older = self._newest.get(newest) if newest is not None else None
            if newest is not None:
                self._newest[newest] = job
        if older is not None:
            older.cancel()
        self._start_lane(lane)
        self._lanes[lane].put(_Task(job, function, args, kwargs, on_done, begin, finished))
        self._report(job)
        return job

    def warm(self, *modules: str) -> None:
        """Start the process lane now and let its worker import the modules, so that the first job need not wait for it."""
        self.submit("warm", import_modules, modules, lane="process")

    def close(self, timeout_s: float = 5.0) -> None:
        """Cancel all jobs, end the workers and wait for them."""
        self._closed = True
        for job in self.active:
            job.cancel()
        for lane, threads in self._threads.items():
            for _ in threads:
                self._lanes[lane].put(None)
        end = time.monotonic() + timeout_s
        for threads in self._threads.values():
            for thread in threads:
                thread.join(max(0.0, end - time.monotonic()))

    def _start_lane(self, lane: Lane) -> None:
        with self._lock:
            threads = self._threads[lane]
            busy = sum(job.lane == lane for job in self._active)
            if len(threads) >= min(self._sizes[lane], busy):
                return
            target = self._thread_lane if lane == "thread" else self._process_lane
            # Daemon threads: a job deep inside a library cannot hold the program's end.
            thread = threading.Thread(target=target, name=f"{lane}-lane-{len(threads)}", daemon=True)
            threads.append(thread)
        thread.start()

    def _thread_lane(self) -> None:
        while (task := self._lanes["thread"].get()) is not None:
            progress = _JobProgress(task.job, self._report)
            self._carry_out(task, partial(task.function, *task.args, **task.kwargs, progress=progress))
            del task, progress  # a waiting lane holds no arrays

    def _process_lane(self) -> None:
        worker = Worker()
        try:
            while (task := self._lanes["process"].get()) is not None:
                progress = _JobProgress(task.job, self._report)
                cancelled = partial(_cancel_requested, task.job)
                self._carry_out(task, partial(worker.call, task.function, task.args, task.kwargs, progress, cancelled))
                del task, progress, cancelled
        finally:
            worker.close()

    def _carry_out(self, task: _Task, work: Callable[[], Any]) -> None:
        job = task.job
        try:
            if job.cancel_requested or (task.begin is not None and not task.begin()):
                raise Cancelled
            job.state = "running"
            self._report(job)
            job.value = work()
            job.fraction = 1.0
            job.state = "done"
        except Cancelled:
            job.state = "cancelled"
        except Exception as error:  # noqa: BLE001 - the end of a job is one of the two places where errors are caught
            job.error = error
            job.state = "failed"
            _LOG.debug("job %s failed", job.name, exc_info=error)
        self._end(task)

    def _end(self, task: _Task) -> None:
        job = task.job
        try:
            if task.finished is not None:
                task.finished(job)
        finally:
            with self._lock:
                self._active.remove(job)
                for key in [key for key, newest in self._newest.items() if newest is job]:
                    del self._newest[key]
            job.ended.set()
            if not self._closed:
                if task.on_done is not None:
                    on_done = task.on_done
                    self._post(lambda: on_done(job))
                self._report(job)

    def _report(self, job: Job) -> None:
        if not self._closed and len(self.changed):
            self._post(lambda: self.changed.emit(job))


def _cancel_requested(job: Job) -> bool:
    return job.cancel_requested


def import_modules(modules: tuple[str, ...], *, progress: object = None) -> None:  # noqa: ARG001 - the shape of every job
    """Import modules by name: the work of :meth:`JobRunner.warm`."""
    from importlib import import_module

    for module in modules:
        import_module(module)
