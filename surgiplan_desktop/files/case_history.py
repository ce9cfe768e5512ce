"""The history of a case as its journal tells it."""

from __future__ import annotations

from typing import Final, Literal

from surgiplan_desktop.base.errors import InputDataError
from surgiplan_desktop.files import json_patch
from surgiplan_desktop.files.case_json import Json, case_from_json, case_to_json, dumps
from surgiplan_desktop.files.journal import JournalContent
from surgiplan_desktop.model.case import Case

EventKind = Literal["edit", "undo", "redo"]
#: The first case, and the events since with the case after each.
Told = tuple[Case, tuple[tuple[EventKind, str, Case], ...]]

EVENTS: Final = ("edit", "undo", "redo")
#: Lines after which the case file holds what the journal tells.
MARKS: Final = ("opened", "saved")
#: Only so many of the last events are read back as undo steps.
EVENTS_READ: Final = 400


def history_of(content: JournalContent, case: Case, file: str) -> Told | None:
    """Return the history that a file's journal tells, or None when it does not lead to the case in the file."""
    states = states_of(content)
    if content.torn or content.damaged_from is not None or not states:
        return None
    try:
        first, events = structured(states, file)
    except InputDataError:
        return None
    last = events[-1][2] if events else first
    return (first, events) if last == case else None


def lines_saved(content: JournalContent) -> int:
    """Return how many lines of a journal the case file tells, too; 0 when there is no case file."""
    for number, line in reversed(list(enumerate(content.lines))):
        if line.get("kind") in MARKS:
            lines = line.get("lines", number + 1)
            return lines if isinstance(lines, int) else 0
    return 0


def states_of(content: JournalContent) -> list[tuple[str, str, Json]]:
    """Replay a journal: kind, label and the JSON of the case after each line; the first is the base. Empty when it has none."""
    states: list[tuple[str, str, Json]] = []
    for line in content.lines:
        kind, label = str(line.get("kind")), str(line.get("label", ""))
        try:
            if kind == "base":
                states = [("base", "", line["case"])]
            elif not states:
                return []
            elif kind in EVENTS:
                states.append((kind, label, json_patch.apply(states[-1][2], line["patch"])))
            else:
                states.append((kind, label, states[-1][2]))
        except (KeyError, ValueError, TypeError, IndexError):
            # The chain holds but the content does not fit: written by a program with a mistake. What is before it stands.
            return []
    return states


def structured(states: list[tuple[str, str, Json]], file: str) -> Told:
    """Turn replayed states to cases; the same JSON gives the very same Case. InputDataError when one is no case."""
    events = [state for state in states[1:] if state[0] in EVENTS]
    cut = max(0, len(events) - EVENTS_READ)
    first = case_from_json(events[cut - 1][2] if cut else states[0][2], file=file)
    known: dict[str, Case] = {dumps(case_to_json(first)): first}
    result: list[tuple[EventKind, str, Case]] = []
    for kind, label, data in events[cut:]:
        text = dumps(data)
        # Undo brings back the very Case, so that what compares with "is" sees nothing new.
        case = known.get(text)
        if case is None:
            case = known[text] = case_from_json(data, file=file)
        result.append((kind, label, case))  # type: ignore[arg-type]
    return first, tuple(result)
