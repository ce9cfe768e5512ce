"""Progress of long work, and the way it is cancelled."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, Protocol

#: Before so many seconds and such a share of the work nobody knows how long it will take.
_LEAST_SECONDS: Final = 2.0
_LEAST_SHARE: Final = 0.02


class Cancelled(Exception):  # noqa: N818 - not an error: the user asked for it
    """Raised inside long work by :meth:`Progress.step` after the user cancelled."""


class Progress(Protocol):
    """What long work reports to. ``step`` raises :class:`Cancelled` when the user has asked to stop."""

    def step(self, done: float, total: float, text_id: str) -> None:
        """Report ``done`` of ``total`` (any unit) and what is being done (a text id under ``[progress]``)."""


class SilentProgress:
    """Reports to nobody and is never cancelled; for tests and short work."""

    def step(self, done: float, total: float, text_id: str) -> None:
        """Ignore the report."""


class PartOfProgress:
    """A share of another progress: maps 0..total of a sub-task to ``start..end`` (fractions 0..1) of the whole."""

    def __init__(self, whole: Progress, start: float, end: float) -> None:
        self._whole = whole
        self._start = start
        self._end = end

    def step(self, done: float, total: float, text_id: str) -> None:
        """Report to the whole."""
        fraction = done / total if total > 0 else 1.0
        self._whole.step(self._start + (self._end - self._start) * fraction, 1.0, text_id)


SILENT = SilentProgress()


class Pace:
    """How long work will still take, from its pace since it was first seen; work that falls back is new work."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._start = (0.0, clock())
        self._last = 0.0

    def seconds_left(self, fraction: float) -> float | None:
        """Return the seconds left at a fraction 0..1 of the work; None while it is too early to say."""
        now = self._clock()
        if fraction < self._last:
            self._start = (fraction, now)
        self._last = fraction
        done, passed = fraction - self._start[0], now - self._start[1]
        if passed < _LEAST_SECONDS or done < _LEAST_SHARE:
            return None
        return max(0.0, 1.0 - fraction) * passed / done
