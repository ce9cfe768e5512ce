"""The four witnesses on whole legs that were turned, mirrored or swapped: what contradicts, and what a word may resolve."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from surgiplan_desktop.base.errors import PlanCheckError
from surgiplan_desktop.base.spaces import Affine
from surgiplan_desktop.model.anatomy import BoneId, BoneName, Side
from surgiplan_desktop.model.case import Case, ImportedBone, Intake, SegmentationRun, SideResolution
from surgiplan_desktop.model.edits import resolve_side, set_intake, set_study
from surgiplan_desktop.model.images import Volume
from surgiplan_desktop.model.study import Finding, SeriesOrigin, Study, VolumeBlock
from surgiplan_desktop.phantom.limb import Leg, build_leg
from surgiplan_desktop.phantom.parameters import LegParameters
from surgiplan_desktop.planning.imported_bone import bone_from_mesh
from surgiplan_desktop.planning.landmarks.femur import find_femur
from surgiplan_desktop.planning.landmarks.merge import merge_landmarks
from surgiplan_desktop.planning.landmarks.tibia import find_tibia
from surgiplan_desktop.planning.records import LandmarkEstimate, Landmarks
from surgiplan_desktop.planning.sides import (
    contradictions,
    covering,
    diagnosis,
    open_contradictions,
    require_sides_agree,
    sides_in_question,
    sides_in_words,
    witnesses,
    witnesses_of,
)
from surgiplan_desktop.segmentation.bones import find_bones
from tests.segmentation.toy_leg import toy_leg, two_legs

IDENTITY = ((1.0, 0.0, 0.0, 0.0), (0.0, 1.0, 0.0, 0.0), (0.0, 0.0, 1.0, 0.0), (0.0, 0.0, 0.0, 1.0))
TIBIA = BoneId(Side.RIGHT, BoneName.TIBIA)
#: Turns and mirrors of patient space: what a wrong tag or space does to a leg.
LPS_RAS, HEAD_FEET, MIRROR = (-1.0, -1.0, 1.0), (-1.0, 1.0, -1.0), (-1.0, 1.0, 1.0)


@cache
def leg() -> Leg:
    return build_leg(LegParameters(mldfa_deg=88.0, mpta_deg=83.0, jlca_deg=2.0), step_mm=2.5)


@cache
def landmarks(signs: Sequence[float] = (1.0, 1.0, 1.0), side: Side = Side.RIGHT) -> Landmarks:
    """Landmarks of the right phantom leg, its coordinates multiplied by ``signs``, imported as ``side``."""
    bones = {}
    for name in (BoneName.FEMUR, BoneName.TIBIA):
        mesh = next(mesh for bone, mesh in leg().meshes.items() if str(bone) == f"right_{name}")
        faces = mesh.faces if np.prod(signs) > 0 else mesh.faces[:, ::-1]
        bones[name] = bone_from_mesh(BoneId(side, name), mesh.vertices * np.array(signs), faces)
    return merge_landmarks(side, (), find_femur(side, bones[BoneName.FEMUR]), find_tibia(side, bones[BoneName.TIBIA]))


def case(
    *, request: Side | None = Side.RIGHT, tag: str = "", findings: tuple[Finding, ...] = (), bones: tuple[BoneId, ...] = (TIBIA,),
    kind: str = "dicom", description: str = "",
) -> Case:  # fmt: skip
    origin = SeriesOrigin(kind, laterality=tag, description=description)  # type: ignore[arg-type]
    run = SegmentationRun("threshold-1", "threshold", "1", "cpu", ("sha256:1",), bones, findings)
    study = Study((VolumeBlock("sha256:0", IDENTITY, (1, 1, 1), origin),))
    return Case(study=study, segmentations=(run,), active_segmentation="threshold-1", intake=Intake(side=request))


def statements(of: Case, side: Side = Side.RIGHT, found: Landmarks | None = None) -> dict[str, bool]:
    return {item.statement: item.resolvable for item in contradictions(of, side, found)}


def signed(of: Case, *statement: str, side: Side = Side.RIGHT) -> Case:
    return resolve_side(of, SideResolution(side, "Dr N", "asked the ward twice", statement, "2026-01-02T03:04:05Z"))


def test_a_leg_as_it_should_be_has_four_witnesses_that_agree() -> None:
    of = case(tag="R", description="knee rechts")
    assert statements(of, found=landmarks()) == {}
    says = {item.kind: item.says for item in witnesses(of, Side.RIGHT, landmarks())}
    assert says == dict.fromkeys(("request", "tags", "position", "handedness", "description"), (Side.RIGHT,))
    assert diagnosis(()) == "agree"


def test_lps_and_ras_mixed_up_keep_the_handedness_and_a_person_may_speak() -> None:
    of = case()
    against = {"position:left:beside": True, "position:turned": True}
    assert statements(of, found=landmarks(LPS_RAS)) == against
    assert diagnosis(contradictions(of, Side.RIGHT, landmarks(LPS_RAS))) == "rotated"
    with pytest.raises(PlanCheckError, match="side_contradiction"):
        require_sides_agree(Side.RIGHT, witnesses_of(of), landmarks(LPS_RAS))
    agreed = signed(of, *against)
    require_sides_agree(Side.RIGHT, witnesses_of(agreed), landmarks(LPS_RAS))
    assert covering(agreed, Side.RIGHT, landmarks(LPS_RAS)) == agreed.side_resolutions[0]


def test_a_volume_file_has_no_midline_but_a_front() -> None:
    assert statements(case(kind="nifti"), found=landmarks(LPS_RAS)) == {"position:turned": True}
    with pytest.raises(PlanCheckError, match="leg_turned_round"):
        require_sides_agree(Side.RIGHT, witnesses_of(case(kind="nifti")), landmarks(LPS_RAS))


def test_a_mirrored_bone_is_resolved_by_no_word() -> None:
    of = case(kind="nifti")
    against = statements(of, found=landmarks(MIRROR))
    assert against == {"handedness:left:femur": False, "handedness:left:tibia": False}
    assert diagnosis(contradictions(of, Side.RIGHT, landmarks(MIRROR))) == "mirrored"
    assert len(open_contradictions(signed(of, *against), Side.RIGHT, landmarks(MIRROR))) == 2
    with pytest.raises(PlanCheckError, match="side_contradiction"):
        require_sides_agree(Side.RIGHT, witnesses_of(signed(of, *against)), landmarks(MIRROR))


def test_head_first_and_feet_first_swapped_is_resolved_by_no_word() -> None:
    against = statements(case(), found=landmarks(HEAD_FEET))
    assert against == {"position:upside_down": False}
    with pytest.raises(PlanCheckError, match="scan_direction_wrong"):
        require_sides_agree(Side.RIGHT, witnesses_of(signed(case(), *against)), landmarks(HEAD_FEET))


def test_the_bones_of_the_other_leg_are_the_other_leg() -> None:
    """The left leg of the same shape, under the name of the right one."""
    left = landmarks(MIRROR)
    assert "position:left:beside" in statements(case(tag="L"), found=left)
    assert diagnosis(contradictions(case(tag="L"), Side.RIGHT, left)) == "other_leg"
    assert statements(case(request=Side.LEFT, tag="L"), Side.LEFT, landmarks(MIRROR, Side.LEFT)).keys() == {
        "handedness:right:bones"  # the case still calls its bones right
    }


def test_a_femur_alone_against_a_quiet_tibia_may_be_a_mistake_of_the_finder() -> None:
    odd = replace(landmarks(), findings=(Finding("handedness_contradicts_side", "critical", (("bone", "femur"),)),))
    assert statements(case(), found=odd) == {"handedness:left:femur": True}
    without = replace(odd, items={key: item for key, item in odd.items.items() if key != "tibial_tuberosity"})
    assert statements(case(), found=without) == {"handedness:left:femur": False}


@pytest.mark.parametrize(("x", "says"), [(-100.0, ()), (59.0, ()), (61.0, (Side.LEFT,))])
def test_only_what_lies_clearly_beside_the_midline_speaks(x: float, says: tuple[Side, ...]) -> None:
    one = Landmarks(Side.RIGHT, {"ankle_centre": LandmarkEstimate("ankle_centre", np.array([x, 0.0, 0.0]), "auto")})
    found = [item.says for item in contradictions(case(), Side.RIGHT, one)]
    assert found == [says] * bool(says)


def test_a_tag_is_resolved_for_what_was_signed_and_no_further() -> None:
    of = case(tag="L")
    assert statements(of) == {"tags:left": True}
    agreed = signed(of, "tags:left")
    assert open_contradictions(agreed, Side.RIGHT) == ()
    # another witness that speaks up later, another side, and another scan are not covered
    assert [item.statement for item in open_contradictions(agreed, Side.RIGHT, landmarks(LPS_RAS))] == [
        "position:left:beside", "position:turned",
    ]  # fmt: skip
    both = replace(agreed.study.blocks[0], origin=replace(agreed.study.blocks[0].origin, laterality="R"))
    two = replace(agreed, study=Study((*agreed.study.blocks, both)))
    assert [item.statement for item in open_contradictions(two, Side.RIGHT)] == ["tags:right+left"]
    assert set_study(agreed, agreed.study, "OTHER").side_resolutions == ()


def test_a_wrong_request_is_corrected_never_overruled() -> None:
    of = case(request=Side.LEFT)
    assert statements(of) == {"request:left": True}
    agreed = signed(of, "request:left")
    assert agreed.intake.side is Side.RIGHT
    assert open_contradictions(agreed, Side.RIGHT) == ()
    back = set_intake(agreed, replace(agreed.intake, side=Side.LEFT))
    assert [item.statement for item in open_contradictions(back, Side.RIGHT)] == ["request:left"]


def test_a_scan_of_both_legs_with_both_tags_contradicts_neither() -> None:
    legs = (TIBIA, BoneId(Side.LEFT, BoneName.TIBIA))
    of = case(tag="R", bones=legs)
    other = replace(of.study.blocks[0], origin=replace(of.study.blocks[0].origin, laterality="L"))
    both = replace(of, study=Study((*of.study.blocks, other)))
    assert statements(both) == {}
    assert statements(case(tag="L", bones=legs)) == {"tags:left": True}


@pytest.mark.parametrize("side", list(Side))
def test_one_of_two_legs_says_its_side_by_its_fibula(side: Side) -> None:
    legs = (TIBIA, BoneId(Side.LEFT, BoneName.TIBIA))
    points = {"tibial_knee_centre": (0, 0, 0), "ankle_centre": (0, 0, -350), "tibial_tuberosity": (2, -25, -35)}
    points["fibular_head_tip"] = (-38 * side.sign, 15, -10)
    items = {name: LandmarkEstimate(name, np.array(point, dtype=float), "auto") for name, point in points.items()}
    says = {item.kind: item.says for item in witnesses(case(bones=legs, request=None), side, Landmarks(side, items))}
    assert says["handedness"] == (side,)


def test_an_imported_bone_that_lies_wrong_is_a_witness_of_position() -> None:
    against = (Finding("mesh_middle_outside", "critical", (("bone", "tibia"), ("side", "right"))), Finding("mesh_turned", "note"))
    bone = ImportedBone(TIBIA, "sha256:1", "sha256:2", "tibia.stl", "mm", "lps", findings=against)
    of = Case(imported_bones=(bone,), intake=Intake(side=Side.RIGHT))
    assert statements(of) == {"position:mesh": True}
    with pytest.raises(PlanCheckError, match="mesh_lies_wrong"):
        require_sides_agree(Side.RIGHT, witnesses_of(of), Landmarks(Side.RIGHT, {}))
    assert open_contradictions(signed(of, "position:mesh"), Side.RIGHT) == ()
    assert statements(replace(of, imported_bones=(replace(bone, findings=against[1:]),))) == {}


def test_a_guess_needs_a_request() -> None:
    guess = (Finding("side_uncertain", "fail", (("side", "right"),)),)
    of = case(request=None, findings=guess)
    assert statements(of) == {"handedness:guess": True}
    assert open_contradictions(signed(of, "handedness:guess"), Side.RIGHT) == ()
    assert sides_in_question(of) == (Side.RIGHT,)


def test_the_sides_that_matter() -> None:
    legs = (TIBIA, BoneId(Side.LEFT, BoneName.TIBIA))
    assert sides_in_question(case(bones=legs)) == (Side.RIGHT,)
    assert sides_in_question(case(request=None, bones=legs)) == (Side.RIGHT, Side.LEFT)
    assert sides_in_question(case(request=Side.LEFT)) == (Side.RIGHT,)
    assert sides_in_question(Case(intake=Intake(side=Side.LEFT))) == (Side.LEFT,)
    assert sides_in_question(Case()) == ()


def test_words_are_a_hint_and_contradict_nothing() -> None:
    assert sides_in_words("KNEE LT 1.0 B60", "") == (Side.LEFT,)
    assert sides_in_words("Diz sağ", "KNIE_LI") == (Side.RIGHT, Side.LEFT)
    assert sides_in_words("Bright soldier", "SOLID leftover") == ()
    of = case(description="knee left")
    assert statements(of) == {}
    assert witnesses(of, Side.RIGHT)[-1].says == (Side.LEFT,)


# ---- what the segmentation says of whole scans


def codes(volume: Volume) -> tuple[list[str], set[str]]:
    found = find_bones([volume])
    return [str(bone.id) for bone in found.bones if bone.id.bone is BoneName.TIBIA], {item.code for item in found.findings}


def moved(volume: Volume, signs: Sequence[float]) -> Volume:
    return Volume(volume.array, Affine(np.diag([*signs, 1.0])) @ volume.affine)


def test_prone_with_the_right_tag_is_nothing_special_and_with_the_wrong_one_turns_the_leg() -> None:
    volume = toy_leg(Side.RIGHT).volume
    lying_on_the_belly = Volume(volume.array[:, ::-1, ::-1], volume.affine @ Affine(np.array(
        [[1, 0, 0, 0], [0, -1, 0, volume.shape[1] - 1], [0, 0, -1, volume.shape[2] - 1], [0, 0, 0, 1.0]])))  # fmt: skip
    assert codes(lying_on_the_belly) == (["right_tibia"], set())
    # told as supine: a rotation, so the bones are still those of a right leg
    assert codes(moved(volume, LPS_RAS)) == (["right_tibia"], set())


def test_a_flipped_index_turns_a_right_leg_into_a_left_one() -> None:
    volume = toy_leg(Side.RIGHT).volume
    names, found = codes(Volume(volume.array[:, :, ::-1], volume.affine))
    assert (names, found) == (["left_tibia"], set())


def test_head_and_feet_swapped_are_seen_in_the_scan() -> None:
    names, found = codes(moved(toy_leg(Side.RIGHT).volume, HEAD_FEET))
    assert names == ["right_tibia"]
    assert "scan_upside_down" in found


def test_two_legs_turned_round_or_flipped_front_to_back_contradict_their_bones() -> None:
    volume = two_legs(toy_leg(Side.RIGHT), toy_leg(Side.LEFT))
    assert codes(volume) == (["right_tibia", "left_tibia"], set())
    assert "side_handedness" in codes(moved(volume, LPS_RAS))[1]
    assert "side_handedness" in codes(Volume(volume.array[:, ::-1, :], volume.affine))[1]


def test_a_leg_whose_bones_say_nothing_is_called_as_expected_and_never_against_its_bones() -> None:
    silent = toy_leg(Side.RIGHT, without=(BoneName.FIBULA, BoneName.PATELLA)).volume
    for expected in Side:
        found = find_bones([silent], expected=expected)
        assert {bone.id.side for bone in found.bones} == {expected}
        assert [item.code for item in found.findings] == ["side_uncertain"]
    spoken = find_bones([toy_leg(Side.RIGHT).volume], expected=Side.LEFT)
    assert {bone.id.side for bone in spoken.bones} == {Side.RIGHT}
