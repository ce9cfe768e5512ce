"""A small graph over a case for tests of the session, with functions that a worker process can import."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import Any

from surgiplan_desktop.base.errors import PlanCheckError
from surgiplan_desktop.base.progress import SILENT, Progress
from surgiplan_desktop.derive.node import Key, Node
from surgiplan_desktop.model.case import Case

LENGTH: Key = ("length",)
DOUBLE: Key = ("double",)
PROCESS: Key = ("process",)
SUM: Key = ("sum",)


def double(length: int, *, progress: Progress = SILENT) -> int:
    """Twice the length."""
    progress.step(0, 1, "computing")
    return 2 * length


def with_process(length: int, *, progress: Progress = SILENT) -> tuple[int, int]:
    """The length and the process that had it; "fail" in five letters fails."""
    progress.step(1, 2, "computing")
    if length == 13:
        raise PlanCheckError("output_exists", file="x", detail="thirteen")
    return length, os.getpid()


def sleep_long(*, progress: Progress = SILENT) -> None:
    """Sleep without ever reporting, as a library does that cannot be stopped."""
    progress.step(0, 1, "computing")
    time.sleep(60)


def report_long(*, progress: Progress = SILENT) -> None:
    """Report for a minute."""
    for number in range(6000):
        progress.step(number, 6000, "computing")
        time.sleep(0.01)


def die(*, progress: Progress = SILENT) -> None:
    """End the process as a crash in a library does."""
    os._exit(9)


def cannot_travel(*, progress: Progress = SILENT) -> Any:
    """Give something that no pickle can carry."""
    return lambda: None


def fail(message: str, *, progress: Progress = SILENT) -> None:
    """Raise an error without words."""
    raise ValueError(message)


def add(*items: Any, progress: Progress = SILENT) -> Any:
    """Give the items, for jobs that need arguments."""
    return items


def small_graph(case: Case, load: Any, catalogues: Mapping[str, Any]) -> dict[Key, Node]:
    """Length of the notes, twice of it on a thread, itself in a process, and the sum of the first two."""
    return {
        LENGTH: Node("length", 1, len, (case.notes,)),
        DOUBLE: Node("double", 1, double, (), (LENGTH,), "thread"),
        PROCESS: Node("with_process", 1, with_process, (), (LENGTH,), "process"),
        SUM: Node("sum", 1, int.__add__, (), (LENGTH, DOUBLE)),
    }
