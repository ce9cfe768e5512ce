"""The witnesses of side (practice.md 13): request, the scan's own tags, shape of the bones. A contradiction stops the plan.

A wrong side is refused, never planned with a remark: the plan of a step stands on :func:`require_sides_agree`.
"""

from __future__ import annotations

from typing import Final

from surgiplan_desktop.base.errors import PlanCheckError
from surgiplan_desktop.model.anatomy import Side
from surgiplan_desktop.model.case import Case, Intake
from surgiplan_desktop.planning.records import Landmarks

#: DICOM (0020,0060) Laterality; "B" and empty say nothing.
_SIDE_OF_TAG: Final = {"R": Side.RIGHT, "L": Side.LEFT}
#: Findings of the landmarks which say that a bone's shape is that of the other side.
_SHAPE_FINDING: Final = "handedness_contradicts_side"


def tagged_sides(case: Case) -> tuple[Side, ...]:
    """Return the sides that the tags of the scan name, right first; empty when they say nothing."""
    blocks = () if case.study is None else case.study.blocks
    tags = {_SIDE_OF_TAG.get(block.origin.laterality.strip().upper()[:1]) for block in blocks}
    return tuple(side for side in Side if side in tags)


def require_sides_agree(side: Side, intake: Intake, tagged: tuple[Side, ...], landmarks: Landmarks) -> None:
    """Refuse a step whose side one of the witnesses contradicts.

    Raises
    ------
    PlanCheckError
        ``side_contradiction`` naming the witness, what it says and the side of the step.
    """
    if intake.side not in (None, side):
        raise PlanCheckError("side_contradiction", witness="request", says=str(intake.side), side=str(side))
    if tagged and tagged != (side,):
        says = " and ".join(map(str, tagged))
        raise PlanCheckError("side_contradiction", witness="laterality tag of the scan", says=says, side=str(side))
    for finding in landmarks.findings:
        if finding.code == _SHAPE_FINDING:
            bone = str(dict(finding.parameters).get("bone", "bone"))
            raise PlanCheckError("side_contradiction", witness=f"shape of the {bone}", says=str(side.other), side=str(side))
