"""A wrong side is refused: request, scan tags and shape of the bones each stop a plan that contradicts them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from surgiplan_desktop.base.errors import PlanCheckError
from surgiplan_desktop.model.anatomy import BoneId, BoneName, Side
from surgiplan_desktop.model.case import Case, Intake, SegmentationRun
from surgiplan_desktop.model.steps import OsteotomyStep, Target
from surgiplan_desktop.model.study import Finding, SeriesOrigin, Study, VolumeBlock
from surgiplan_desktop.planning.graph import plan_graph
from surgiplan_desktop.planning.records import Landmarks
from surgiplan_desktop.planning.sides import SideWitnesses, require_sides_agree, tagged_sides, witnesses_of

PLAIN = Landmarks(Side.RIGHT, {})
_IDENTITY = ((1.0, 0.0, 0.0, 0.0), (0.0, 1.0, 0.0, 0.0), (0.0, 0.0, 1.0, 0.0), (0.0, 0.0, 0.0, 1.0))


def case_with_tags(*tags: str) -> Case:
    blocks = tuple(VolumeBlock("sha256:0", _IDENTITY, (1, 1, 1), SeriesOrigin("dicom", laterality=tag)) for tag in tags)
    return Case(study=Study(blocks))


def test_nothing_is_refused_where_nobody_contradicts() -> None:
    require_sides_agree(Side.RIGHT, SideWitnesses(None, ()), PLAIN)
    require_sides_agree(Side.RIGHT, SideWitnesses(Side.RIGHT, (Side.RIGHT,)), PLAIN)


SHAPE = (Finding("handedness_contradicts_side", "critical", (("bone", "femur"),)),)
TURNED = (Finding("side_handedness", "critical", (("side", "right"), ("bones_say", "left"))),)


@pytest.mark.parametrize(
    ("witnesses", "findings", "witness"),
    [
        (SideWitnesses(Side.LEFT, ()), (), "request"),
        (SideWitnesses(None, (Side.LEFT,)), (), "laterality tag of the scan"),
        (SideWitnesses(None, (Side.RIGHT, Side.LEFT)), (), "laterality tag of the scan"),
        (SideWitnesses(None, (), TURNED), (), "handedness of the bones"),
        (SideWitnesses(None, ()), SHAPE, "shape of the femur"),
    ],
)
def test_each_witness_alone_refuses(witnesses: SideWitnesses, findings: tuple[Finding, ...], witness: str) -> None:
    with pytest.raises(PlanCheckError) as caught:
        require_sides_agree(Side.RIGHT, witnesses, replace(PLAIN, findings=findings))
    assert caught.value.message_id == "side_contradiction"
    assert caught.value.parameters["witness"] == witness
    assert caught.value.exit_code == 4


def test_a_guessed_side_needs_a_second_witness() -> None:
    guess = (Finding("side_uncertain", "fail", (("side", "right"),)),)
    with pytest.raises(PlanCheckError, match="side_only_guessed"):
        require_sides_agree(Side.RIGHT, SideWitnesses(None, (), guess), PLAIN)
    require_sides_agree(Side.RIGHT, SideWitnesses(Side.RIGHT, (), guess), PLAIN)


def test_the_other_leg_of_a_pair_may_be_planned_when_only_one_is_in_doubt() -> None:
    require_sides_agree(Side.LEFT, SideWitnesses(None, (), TURNED), replace(PLAIN, side=Side.LEFT))


def test_nothing_is_planned_on_a_scan_that_lies_upside_down() -> None:
    with pytest.raises(PlanCheckError, match="scan_direction_wrong"):
        require_sides_agree(Side.RIGHT, SideWitnesses(Side.RIGHT, (), (Finding("scan_upside_down", "critical"),)), PLAIN)


def test_doubts_come_from_the_active_segmentation() -> None:
    note = Finding("joint_fused", "warn")
    run = SegmentationRun("run-1", "threshold", "1", "cpu", (), (), (*TURNED, note))
    case = Case(segmentations=(run,), active_segmentation="run-1", intake=Intake(side=Side.RIGHT))
    assert witnesses_of(case) == SideWitnesses(Side.RIGHT, (), TURNED)
    assert witnesses_of(replace(case, active_segmentation=None)).doubts == ()


def test_tags_of_all_blocks_are_heard_and_empty_ones_say_nothing() -> None:
    assert tagged_sides(case_with_tags("", "B")) == ()
    assert tagged_sides(case_with_tags("l", "")) == (Side.LEFT,)
    assert tagged_sides(case_with_tags("R", "L")) == (Side.RIGHT, Side.LEFT)
    assert tagged_sides(Case()) == ()


def test_the_plan_of_a_step_stands_on_the_witnesses() -> None:
    run = SegmentationRun("run-1", "threshold", "1", "cpu", ("sha256:1",), (BoneId(Side.RIGHT, BoneName.TIBIA),))
    step = OsteotomyStep("mowhto-1", Side.RIGHT, Target("angle", 5.0))
    case = replace(
        case_with_tags("L"), segmentations=(run,), active_segmentation="run-1", steps=(step,), intake=Intake(side=Side.RIGHT)
    )
    node = plan_graph(case, lambda _: pytest.fail("nothing is loaded"), {})["osteotomy", "mowhto-1"]
    with pytest.raises(PlanCheckError, match="side_contradiction"):
        node.function(*node.params, PLAIN, None, None)
