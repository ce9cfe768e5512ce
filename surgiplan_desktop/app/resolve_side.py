"""Use case: hear the four witnesses of side, and let a named person resolve a contradiction with a reason (practice.md 13).

The window calls :func:`hear_side` to show what each witness says and :func:`resolve_side` when the person has signed; the command
``surgiplan side`` does the same.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Final

from surgiplan_desktop.app.session import Session
from surgiplan_desktop.base.errors import PlanCheckError, UsageError
from surgiplan_desktop.base.progress import SILENT, Progress
from surgiplan_desktop.model import edits
from surgiplan_desktop.model.anatomy import Side
from surgiplan_desktop.model.case import SideResolution
from surgiplan_desktop.planning.graph import landmarks_key
from surgiplan_desktop.planning.records import Landmarks
from surgiplan_desktop.planning.sides import (
    Contradiction,
    Witness,
    contradictions,
    covering,
    diagnosis,
    open_contradictions,
    sides_in_question,
    witnesses,
)

#: A reason shorter than this says nothing.
LEAST_REASON: Final = 10
_LEAST_NAME: Final = 2


@dataclass(frozen=True, slots=True)
class SideHearing:
    """What the witnesses say of one side, what contradicts it, what of that is still open, and the word that covers the rest."""

    side: Side
    witnesses: tuple[Witness, ...]
    contradictions: tuple[Contradiction, ...]
    open: tuple[Contradiction, ...]
    resolution: SideResolution | None
    diagnosis: str

    @property
    def needs_other_data(self) -> tuple[Contradiction, ...]:
        """The contradictions that no word can resolve."""
        return tuple(item for item in self.open if not item.resolvable)


def hear_sides(session: Session, *, progress: Progress = SILENT) -> tuple[SideHearing, ...]:
    """Hear the witnesses of each side in question, finding the landmarks where there are bones."""
    return tuple(hear_side(session, side, progress=progress) for side in sides_in_question(session.case))


def hear_side(session: Session, side: Side, *, progress: Progress = SILENT) -> SideHearing:
    """Hear the witnesses of one side; errors of the landmarks' results pass through."""
    case = session.case
    landmarks: Landmarks | None = None
    if side in case.sides:
        landmarks = session.require(landmarks_key(side), progress=progress)[0]
    found = contradictions(case, side, landmarks)
    return SideHearing(
        side=side,
        witnesses=witnesses(case, side, landmarks),
        contradictions=found,
        open=open_contradictions(case, side, landmarks),
        resolution=covering(case, side, landmarks),
        diagnosis=diagnosis(found),
    )


def resolve_side(session: Session, side: Side, person: str, reason: str, *, progress: Progress = SILENT) -> SideResolution:
    """Sign for a side against the witnesses that contradict it now, as one undo step that also corrects the request.

    The resolution covers only what contradicted when it was signed: a witness that speaks up later blocks again, and another scan
    starts without any.

    Raises
    ------
    UsageError
        ``side_person_missing``, ``side_reason_missing``, ``side_nothing_to_resolve``.
    PlanCheckError
        ``side_not_resolvable``: a witness contradicts against which no word helps (the bones themselves, a scan upside down).
    """
    person, reason = " ".join(person.split()), " ".join(reason.split())
    if len(person) < _LEAST_NAME:
        raise UsageError("side_person_missing")
    if len(reason) < LEAST_REASON:
        raise UsageError("side_reason_missing", least=LEAST_REASON)
    heard = hear_side(session, side, progress=progress)
    if not heard.open:
        raise UsageError("side_nothing_to_resolve", side=str(side))
    if heard.needs_other_data:
        raise PlanCheckError(
            "side_not_resolvable", side=str(side), witnesses=", ".join(item.statement for item in heard.needs_other_data)
        )
    now = dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    signed = SideResolution(side, person, reason, tuple(item.statement for item in heard.open), now)
    session.apply("Resolve side", lambda case: edits.resolve_side(case, signed))
    session.audit("resolve_side", side=str(side), person=person, reason=reason, witnesses=", ".join(signed.witnesses))
    return signed
