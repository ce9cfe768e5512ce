"""A wrong side is refused: request, scan tags and shape of the bones each stop a plan that contradicts them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from surgiplan_desktop.base.errors import PlanCheckError
from surgiplan_desktop.model.anatomy import BoneId, BoneName, Side
from surgiplan_desktop.model.case import Case, Finding, Intake, SegmentationRun, SeriesOrigin, Study, VolumeBlock
from surgiplan_desktop.model.steps import OsteotomyStep, Target
from surgiplan_desktop.planning.graph import plan_graph
from surgiplan_desktop.planning.records import Landmarks
from surgiplan_desktop.planning.sides import require_sides_agree, tagged_sides

PLAIN = Landmarks(Side.RIGHT, {})
_IDENTITY = ((1.0, 0.0, 0.0, 0.0), (0.0, 1.0, 0.0, 0.0), (0.0, 0.0, 1.0, 0.0), (0.0, 0.0, 0.0, 1.0))


def case_with_tags(*tags: str) -> Case:
    blocks = tuple(VolumeBlock("sha256:0", _IDENTITY, (1, 1, 1), SeriesOrigin("dicom", laterality=tag)) for tag in tags)
    return Case(study=Study(blocks))


def test_nothing_is_refused_where_nobody_contradicts() -> None:
    require_sides_agree(Side.RIGHT, Intake(), (), PLAIN)
    require_sides_agree(Side.RIGHT, Intake(side=Side.RIGHT), (Side.RIGHT,), PLAIN)


@pytest.mark.parametrize(
    ("intake", "tagged", "findings", "witness"),
    [
        (Intake(side=Side.LEFT), (), (), "request"),
        (Intake(), (Side.LEFT,), (), "laterality tag of the scan"),
        (Intake(), (Side.RIGHT, Side.LEFT), (), "laterality tag of the scan"),
        (Intake(), (), (Finding("handedness_contradicts_side", "critical", (("bone", "femur"),)),), "shape of the femur"),
    ],
)
def test_each_witness_alone_refuses(
    intake: Intake, tagged: tuple[Side, ...], findings: tuple[Finding, ...], witness: str
) -> None:
    with pytest.raises(PlanCheckError) as caught:
        require_sides_agree(Side.RIGHT, intake, tagged, replace(PLAIN, findings=findings))
    assert caught.value.message_id == "side_contradiction"
    assert caught.value.parameters["witness"] == witness
    assert caught.value.exit_code == 4


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
