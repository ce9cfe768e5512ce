"""Progress of long work, and the way it is cancelled."""

from __future__ import annotations

from typing import Protocol


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
