"""Notices: what the user is told outside an answer, as ids with parameters; the window shows a bar, the command line a line."""

from __future__ import annotations

import logging
import traceback
from dataclasses import dataclass
from typing import Final, Literal

from psygnal import Signal

from surgiplan_desktop.base.errors import ComputationError, SurgiPlanError
from surgiplan_desktop.model.study import Finding

_LOG = logging.getLogger(__name__)
_KEPT: Final = 200


@dataclass(frozen=True, slots=True)
class Notice:
    """A finding or an error with its severity; ``detail`` is technical and stays behind a button."""

    severity: Literal["info", "warning", "error"]
    content: Finding | SurgiPlanError
    detail: str = ""


class Notices:
    """The latest notices. Signal ``added(Notice)`` is emitted on the thread that adds: the owner's."""

    added = Signal(Notice)

    def __init__(self) -> None:
        self._items: list[Notice] = []

    @property
    def items(self) -> tuple[Notice, ...]:
        """Notices, oldest first."""
        return tuple(self._items)

    def finding(self, finding: Finding) -> None:
        """Tell a finding."""
        self._add(Notice("info" if finding.severity == "note" else "warning", finding))

    def error(self, error: Exception) -> None:
        """Tell an error; one without words of its own is told as ``unexpected``, with its traceback as detail."""
        if isinstance(error, SurgiPlanError):
            self._add(Notice("error", error, error.detail))
            return
        trace = "".join(traceback.format_exception(error))
        # Message ids and types carry no patient data; values of variables are in no traceback text.
        _LOG.error("unexpected error:\n%s", trace)
        self._add(Notice("error", ComputationError("unexpected", detail=trace), trace))

    def _add(self, notice: Notice) -> None:
        self._items.append(notice)
        del self._items[:-_KEPT]
        self.added.emit(notice)
