"""One spawned worker process that does jobs one after the other and stays warm between them."""

from __future__ import annotations

import multiprocessing
import signal
import traceback
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from typing import Any, Final

from surgiplan_desktop.base.errors import ComputationError
from surgiplan_desktop.base.progress import Cancelled, Progress
from surgiplan_desktop.derive.packing import pack, unpack

#: How often a waiting lane looks whether its job was cancelled (s).
_LOOK_EVERY_S: Final = 0.05


class Worker:
    """A process reached over a pipe; started with the first call, ended by ``close`` or by a cancelled call."""

    def __init__(self) -> None:
        self._process: SpawnProcess | None = None
        self._pipe: Connection | None = None

    def call(
        self,
        function: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        progress: Progress,
        cancelled: Callable[[], bool],
    ) -> Any:
        """Run ``function(*args, **kwargs, progress=...)`` in the process and return its value.

        Raises
        ------
        Cancelled
            ``cancelled()`` became true; the process has been ended.
        ComputationError
            ``worker_died`` when the process ended by itself (out of memory, crash in a library).
        """
        request = pack((function, args, kwargs))
        try:
            pipe = self._started()
            pipe.send_bytes(request)
            while True:
                while not pipe.poll(_LOOK_EVERY_S):
                    if cancelled():
                        raise Cancelled
                kind, content = unpack(pipe.recv_bytes())
                if kind == "progress":
                    progress.step(*content)
                elif kind == "done":
                    return content
                else:
                    raise _with_note(*content)
        except Cancelled:
            self.close()
            raise
        except (EOFError, BrokenPipeError, ConnectionResetError) as error:
            code = None if self._process is None else self._process.exitcode
            self.close()
            raise ComputationError("worker_died", detail=f"{function.__name__}: exit code {code}, {error!r}") from error

    def close(self) -> None:
        """End the process, if there is one, and free its pipe."""
        process, pipe = self._process, self._pipe
        self._process = self._pipe = None
        if pipe is not None:
            pipe.close()
        if process is not None:
            process.kill()
            process.join()
            process.close()

    def _started(self) -> Connection:
        if self._pipe is None or self._process is None or not self._process.is_alive():
            self.close()
            context = multiprocessing.get_context("spawn")
            here, there = context.Pipe()
            self._process = context.Process(target=work, args=(there,), name="surgiplan-worker", daemon=True)
            self._process.start()
            there.close()
            self._pipe = here
        return self._pipe


def _with_note(error: Exception, trace: str) -> Exception:
    error.add_note(f"in the worker process:\n{trace}")
    return error


class _PipeProgress:
    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe

    def step(self, done: float, total: float, text_id: str) -> None:
        """Send the progress; a cancelled job never comes back here, since its process is ended."""
        self._pipe.send_bytes(pack(("progress", (float(done), float(total), text_id))))


def work(pipe: Connection) -> None:
    """Serve calls until the pipe closes: the main function of the worker process."""
    # Ctrl-C on the terminal goes to the whole group; the owner decides what becomes of this process.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with suppress(EOFError, OSError):
        while True:
            request = pipe.recv_bytes()
            pipe.send_bytes(_answer(request, _PipeProgress(pipe)))


def _answer(request: bytes, progress: Progress) -> bytes:
    try:
        function, args, kwargs = unpack(request)
        return pack(("done", function(*args, **kwargs, progress=progress)))
    except Exception as error:  # noqa: BLE001 - carried to the owner's side and raised there
        trace = traceback.format_exc()
        try:
            packed = pack(("failed", (error, trace)))
            unpack(packed)
        except Exception:  # noqa: BLE001 - an error that cannot travel is told in words
            packed = pack(("failed", (ComputationError("unexpected", detail=trace), trace)))
        return packed
