"""History against a plain list of cases."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from surgiplan_desktop.app.history import History
from surgiplan_desktop.model.case import Case

LIMIT = 5


class Walk(RuleBasedStateMachine):
    """Random edits, undo, redo and saves; the model keeps everything and remembers how far undo may go."""

    def __init__(self) -> None:
        super().__init__()
        first = Case()
        self.history = History(first, LIMIT)
        self.past: list[tuple[str, Case]] = [("", first)]
        self.future: list[tuple[str, Case]] = []
        self.saved = first
        self.events: list[tuple[str, str, Case]] = []

    def check(self) -> None:
        history = self.history
        assert history.case is self.past[-1][1]
        assert history.undo_label == (self.past[-1][0] if len(self.past) > 1 else None)
        assert history.redo_label == (self.future[-1][0] if self.future else None)
        assert history.labels == tuple(label for label, _ in self.past[1:])
        assert history.modified == (history.case != self.saved)

    @rule(notes=st.text(max_size=2))
    def edit(self, notes: str) -> None:
        case = Case(notes=notes)
        self.history.push(notes, case)
        self.past = [*self.past, (notes, case)][-1 - LIMIT :]
        self.future = []
        self.events.append(("edit", notes, case))
        self.check()

    @precondition(lambda self: len(self.past) > 1)
    @rule()
    def undo(self) -> None:
        self.future.append(self.past.pop())
        assert self.history.undo() is self.past[-1][1]
        self.events.append(("undo", self.future[-1][0], self.history.case))
        self.check()

    @precondition(lambda self: self.future)
    @rule()
    def redo(self) -> None:
        self.past.append(self.future.pop())
        assert self.history.redo() is self.past[-1][1]
        self.events.append(("redo", self.past[-1][0], self.history.case))
        self.check()

    @rule()
    def save(self) -> None:
        self.saved = self.history.case
        self.history.mark_saved(self.saved)
        self.check()

    @rule()
    def replay(self) -> None:
        replayed = History.replayed(Case(), self.events, LIMIT)  # type: ignore[arg-type]
        assert replayed.case == self.history.case
        assert (replayed.labels, replayed.redo_label) == (self.history.labels, self.history.redo_label)


Walk.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestWalk = Walk.TestCase


def test_there_is_nothing_beyond_the_ends() -> None:
    history = History(Case())
    with pytest.raises(IndexError):
        history.undo()
    with pytest.raises(IndexError):
        history.redo()
