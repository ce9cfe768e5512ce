"""History of a case: labelled snapshots, undo, redo and the saved mark. Unchanged parts are shared, so each costs little."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal

from surgiplan_desktop.model.case import Case

#: How many steps can be undone.
UNDO_LIMIT: Final = 300

Event = Literal["edit", "undo", "redo"]


class History:
    """Snapshots with labels; ``case`` is the current one. No inverse operations: undo is going back to an earlier Case."""

    def __init__(self, first: Case, limit: int = UNDO_LIMIT) -> None:
        self._entries: list[tuple[str, Case]] = [("", first)]
        self._at = 0
        self._limit = limit
        self._saved: Case | None = first

    @property
    def case(self) -> Case:
        """The current case."""
        return self._entries[self._at][1]

    @property
    def undo_label(self) -> str | None:
        """Label of the edit that undo would take back, or None."""
        return self._entries[self._at][0] if self._at > 0 else None

    @property
    def redo_label(self) -> str | None:
        """Label of the edit that redo would bring back, or None."""
        return self._entries[self._at + 1][0] if self._at + 1 < len(self._entries) else None

    @property
    def modified(self) -> bool:
        """Whether the current case is another than the saved one."""
        return self.case is not self._saved and self.case != self._saved

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels of all edits that can be undone, oldest first."""
        return tuple(label for label, _ in self._entries[1 : self._at + 1])

    def push(self, label: str, case: Case) -> None:
        """Add an edit; what could have been redone goes."""
        del self._entries[self._at + 1 :]
        self._entries.append((label, case))
        del self._entries[: max(0, len(self._entries) - 1 - self._limit)]
        self._at = len(self._entries) - 1

    def undo(self) -> Case:
        """Go back one edit; IndexError when there is none."""
        if self._at == 0:
            raise IndexError("nothing to undo")
        self._at -= 1
        return self.case

    def redo(self) -> Case:
        """Go forward one edit; IndexError when there is none."""
        if self._at + 1 >= len(self._entries):
            raise IndexError("nothing to redo")
        self._at += 1
        return self.case

    def mark_saved(self, case: Case | None) -> None:
        """Note which case is in the file (None: none of them)."""
        self._saved = case

    @staticmethod
    def replayed(first: Case, events: Iterable[tuple[Event, str, Case]], limit: int = UNDO_LIMIT) -> History:
        """Build the history that these events made, as read from a journal; the saved mark is on the first case."""
        history = History(first, limit)
        for kind, label, case in events:
            if kind == "undo" and history.undo_label is not None:
                history.undo()
            elif kind == "redo" and history.redo_label is not None:
                history.redo()
            else:
                history.push(label, case)
        return history
