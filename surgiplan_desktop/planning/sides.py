"""The witnesses of side (practice.md 13): request, the scan's own tags, shape of the bones. A contradiction stops the plan.

A wrong side is refused, never planned with a remark: the plan of a step stands on :func:`require_sides_agree`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from surgiplan_desktop.base.errors import PlanCheckError
from surgiplan_desktop.model.anatomy import Side
from surgiplan_desktop.model.case import Case
from surgiplan_desktop.model.study import Finding, VolumeBlock
from surgiplan_desktop.planning.records import Landmarks

#: DICOM (0020,0060) Laterality; "B" and empty say nothing.
_SIDE_OF_TAG: Final = {"R": Side.RIGHT, "L": Side.LEFT}
#: Findings of the landmarks which say that a bone's shape is that of the other side.
_SHAPE_FINDING: Final = "handedness_contradicts_side"
#: Findings of a segmentation that put the side in doubt.
_DOUBTS: Final = frozenset({"side_handedness", "side_uncertain", "scan_upside_down"})


def tagged_sides(case: Case) -> tuple[Side, ...]:
    """Return the sides that the tags of the scan name, right first; empty when they say nothing."""
    return sides_of_blocks(() if case.study is None else case.study.blocks)


def sides_of_blocks(blocks: Sequence[VolumeBlock]) -> tuple[Side, ...]:
    """Return the sides that the tags of these blocks name, right first: the one place where the tag is read as a side."""
    tags = {_SIDE_OF_TAG.get(block.origin.laterality.strip().upper()[:1]) for block in blocks}
    return tuple(side for side in Side if side in tags)


@dataclass(frozen=True, slots=True)
class SideWitnesses:
    """What speaks for or against a side besides the landmarks: request, tags of the scan, findings of the segmentation."""

    requested: Side | None
    tagged: tuple[Side, ...]
    doubts: tuple[Finding, ...] = ()


def witnesses_of(case: Case) -> SideWitnesses:
    """Gather the witnesses of a case."""
    run = case.segmentation
    findings = () if run is None else run.findings
    return SideWitnesses(case.intake.side, tagged_sides(case), tuple(item for item in findings if item.code in _DOUBTS))


def require_sides_agree(side: Side, witnesses: SideWitnesses, landmarks: Landmarks) -> None:
    """Refuse a step whose side one of the witnesses contradicts, or that nothing but a guess supports.

    Raises
    ------
    PlanCheckError
        ``side_contradiction`` naming the witness, what it says and the side of the step; ``side_only_guessed``;
        ``scan_direction_wrong``.
    """
    if witnesses.requested not in (None, side):
        raise _contradiction("request", str(witnesses.requested), side)
    if witnesses.tagged and witnesses.tagged != (side,):
        raise _contradiction("laterality tag of the scan", " and ".join(map(str, witnesses.tagged)), side)
    for doubt in witnesses.doubts:
        said = dict(doubt.parameters)
        if doubt.code == "scan_upside_down":
            raise PlanCheckError("scan_direction_wrong")
        if doubt.code == "side_handedness" and said.get("side") == str(side):
            raise _contradiction("handedness of the bones", str(side.other), side)
        # a guess by position alone is not enough; the request may confirm it
        if doubt.code == "side_uncertain" and witnesses.requested is None and not witnesses.tagged:
            raise PlanCheckError("side_only_guessed", side=str(side))
    for finding in landmarks.findings:
        if finding.code == _SHAPE_FINDING:
            bone = str(dict(finding.parameters).get("bone", "bone"))
            raise _contradiction(f"shape of the {bone}", str(side.other), side)


def _contradiction(witness: str, says: str, side: Side) -> PlanCheckError:
    return PlanCheckError("side_contradiction", witness=witness, says=says, side=str(side))
