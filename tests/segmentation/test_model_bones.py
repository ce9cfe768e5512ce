"""Bones out of what a network said: one name a bone whatever was said on the way, sides, blocks, joints, what must be told."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from surgiplan_desktop.base.spaces import Affine
from surgiplan_desktop.model.anatomy import BoneId, BoneName, Side, label_code
from surgiplan_desktop.model.images import Volume
from surgiplan_desktop.segmentation.model_bones import BonesOfScan, bones_of_answers
from surgiplan_desktop.segmentation.named_pieces import named_pieces
from tests.segmentation.said import BONES, CHANNEL, OTHER, classes_of, said
from tests.segmentation.toy_leg import ToyLeg, grid, slab, toy_leg, two_legs

F, T, P, B, A = BoneName.FEMUR, BoneName.TIBIA, BoneName.PATELLA, BoneName.FIBULA, BoneName.TALUS
ALL = {f"right_{name}" for name in (F, T, P, B, A)}
#: The toy is a child's leg: its sizes are told each time and not what these tests are about.
SMALL = "bone_size_implausible"


def found(volume: Volume, classes: np.ndarray) -> BonesOfScan:
    return bones_of_answers([volume], [said(volume, classes)], BONES)


def names(result: BonesOfScan) -> set[str]:
    return {str(bone.id) for bone in result.bones}


def told(result: BonesOfScan) -> list[str]:
    every = [*result.findings, *(finding for bone in result.bones for finding in bone.findings)]
    return [finding.code for finding in every if finding.code != SMALL]


def dice(result: BonesOfScan, side: Side, name: BoneName, truth: np.ndarray, block: int = 0) -> float:
    mine = result.labels[block].array == label_code(BoneId(side, name))
    return 2.0 * float((mine & truth).sum()) / float(mine.sum() + truth.sum())


def height(shape: tuple[int, ...]) -> np.ndarray:
    return np.broadcast_to(grid()[0], shape)


def all_right(result: BonesOfScan, leg: ToyLeg, side: Side = Side.RIGHT, least: float = 0.97) -> None:
    for name, truth in leg.bones.items():
        assert dice(result, side, name, truth) >= least, name


def test_what_is_said_rightly_stays() -> None:
    leg = toy_leg()
    result = found(leg.volume, classes_of(leg.bones))
    assert names(result) == ALL
    assert told(result) == []
    all_right(result, leg, least=0.995)


def _between(low: float, high: float, bone: BoneName, name: int) -> Callable[[np.ndarray], None]:
    def spoil(classes: np.ndarray) -> None:
        z = height(classes.shape)
        classes[(classes == CHANNEL[bone]) & (z > low) & (z < high)] = name

    return spoil


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (_between(-99, 60, T, CHANNEL[F]), "names_mended"),
        (_between(-99, 40, T, CHANNEL[A]), "names_mended"),
        (_between(150, 999, T, CHANNEL[F]), "names_mended"),
        (_between(260, 999, F, CHANNEL[BoneName.HIP]), "names_mended"),
        (_between(250, 999, F, OTHER), "names_mended"),
        (_between(60, 110, B, CHANNEL[T]), "names_mended"),
        (_between(60, 80, B, 0), "shaft_bridged"),
        (_between(-99, 999, A, CHANNEL[T]), "names_disagree"),
    ],
    ids=["ankle end femur", "ankle end talus", "plateau femur", "thigh hip", "thigh other", "fibula tibia", "gap", "talus tibia"],
)
def test_a_stretch_under_a_wrong_name_is_given_that_of_its_bone(spoil: Callable[[np.ndarray], None], code: str) -> None:
    leg = toy_leg()
    classes = classes_of(leg.bones)
    spoil(classes)
    result = found(leg.volume, classes)
    assert names(result) == ALL
    assert set(told(result)) == {code}
    all_right(result, leg)


def test_tibia_and_fibula_called_each_other_are_known_by_their_shape() -> None:
    leg = toy_leg()
    classes = classes_of(leg.bones)
    swapped = classes.copy()
    swapped[classes == CHANNEL[T]], swapped[classes == CHANNEL[B]] = CHANNEL[B], CHANNEL[T]
    result = found(leg.volume, swapped)
    assert told(result) == ["names_disagree", "names_disagree"]
    assert {dict(item.parameters)["bone"] for item in result.findings} == {"tibia", "fibula"}
    all_right(result, leg)


def test_bones_that_the_network_let_grow_together_are_parted() -> None:
    leg = toy_leg(bridge="knee")
    z, y, x = grid()
    classes = classes_of(leg.bones)
    bridge = np.broadcast_to((x**2 + y**2 < 15**2) & (z > 178) & (z < 189), classes.shape) & (classes == 0)
    two_names = classes.copy()
    two_names[bridge] = np.where(height(classes.shape)[bridge] < 184, CHANNEL[T], CHANNEL[F])
    result = found(leg.volume, two_names)
    assert names(result) == ALL
    assert told(result) == []
    all_right(result, leg)
    one_name = two_names.copy()
    one_name[one_name == CHANNEL[F]] = CHANNEL[T]
    result = found(leg.volume, one_name)
    assert names(result) == ALL
    assert {"joint_fused"} <= set(told(result)) <= {"joint_fused", "bone_filled"}
    all_right(result, leg, least=0.95)


def test_pieces_where_no_such_bone_can_be_are_left_out_and_told() -> None:
    leg = toy_leg()
    classes = classes_of(leg.bones)
    classes[20:30, 5:15, 5:15] = CHANNEL[P]
    classes[150:158, 50:60, 5:12] = CHANNEL[A]
    classes[100:110, 2:10, 40:50] = OTHER
    result = found(leg.volume, classes)
    assert names(result) == ALL
    assert told(result) == ["piece_left_out", "piece_left_out"]
    all_right(result, leg, least=0.99)


def test_no_voxel_of_one_leg_is_in_the_other() -> None:
    right, left = toy_leg(Side.RIGHT), toy_leg(Side.LEFT)
    volume = two_legs(right, left)
    classes = np.concatenate([classes_of(right.bones), classes_of(left.bones)], axis=2)
    spoil = (classes == CHANNEL[T]) & (height(classes.shape) < 60)
    classes[spoil] = CHANNEL[F]
    result = found(volume, classes)
    assert len(result.bones) == 10
    assert told(result) == ["names_mended"]
    labels, half = result.labels[0].array, volume.shape[2] // 2
    assert not (labels[:, :, :half] > 100).any()
    assert not ((labels[:, :, half:] > 0) & (labels[:, :, half:] < 100)).any()
    for side, leg, part in ((Side.RIGHT, right, slice(0, half)), (Side.LEFT, left, slice(half, None))):
        for name, truth in leg.bones.items():
            mine = labels[:, :, part] == label_code(BoneId(side, name))
            assert 2.0 * (mine & truth).sum() / (mine.sum() + truth.sum()) > 0.97, (side, name)


def test_the_side_is_that_of_the_bones() -> None:
    leg = toy_leg(Side.RIGHT)
    classes = classes_of(leg.bones)
    mirrored = Volume(leg.volume.array, Affine(np.diag([-1.0, 1.0, 1.0, 1.0]) @ leg.volume.affine.matrix))
    assert {bone.id.side for bone in found(mirrored, classes).bones} == {Side.LEFT}
    turned = Volume(leg.volume.array, Affine(np.diag([-1.0, -1.0, 1.0, 1.0]) @ leg.volume.affine.matrix))
    assert {bone.id.side for bone in found(turned, classes).bones} == {Side.RIGHT}


def test_three_blocks_give_one_bone_one_name_though_one_block_is_named_wrongly() -> None:
    leg = toy_leg(Side.LEFT)
    cuts = ((150, 330), (60, 140), (-45, 50))
    volumes = [slab(leg.volume, *cut) for cut in cuts]
    classes = classes_of(leg.bones)
    parts = [slab(Volume(classes.astype(np.int16), leg.volume.affine), *cut).array.astype(np.uint8) for cut in cuts]
    parts[1][parts[1] == CHANNEL[T]] = CHANNEL[F]  # a shank alone, called a thigh
    result = bones_of_answers(volumes, [said(*pair) for pair in zip(volumes, parts, strict=True)], BONES)
    assert names(result) == {f"left_{name}" for name in (F, T, P, B, A)}
    assert "names_disagree" not in told(result)
    tibia = label_code(BoneId(Side.LEFT, T))
    for volume, labels, truth in zip(volumes, result.labels, parts, strict=True):
        assert labels.shape == volume.shape
        mine = labels.array == tibia
        expected = (truth == CHANNEL[T]) | ((truth == CHANNEL[F]) & (volume is volumes[1]))
        assert 2.0 * (mine & expected).sum() / (mine.sum() + expected.sum()) > 0.97


@pytest.mark.parametrize(("low", "high", "bone"), [(90, 330, T), (-45, 260, F), (100, 270, T)])
def test_a_scan_that_cuts_bones_tells_it_and_names_them(low: float, high: float, bone: BoneName) -> None:
    leg = toy_leg()
    volume = slab(leg.volume, low, high)
    classes = slab(Volume(classes_of(leg.bones).astype(np.int16), leg.volume.affine), low, high).array.astype(np.uint8)
    z = volume.affine(np.stack(np.indices(classes.shape), axis=-1).reshape(-1, 3).astype(float))[:, 2].reshape(classes.shape)
    # the end next to the cut under another name, as networks name badly there
    end = (z < low + 20) if bone is T else (z > high - 20)
    classes[(classes == CHANNEL[bone]) & end] = CHANNEL[F if bone is T else T]
    result = found(volume, classes)
    assert f"right_{bone}" in names(result)
    assert "bone_cut_by_field_of_view" in told(result)
    truth = slab(Volume(leg.bones[bone].astype(np.int16), leg.volume.affine), low, high).array > 0
    assert dice(result, Side.RIGHT, bone, truth) > 0.97
    touching = {str(item.id): item.touches_edge for item in result.bones}
    assert touching[f"right_{bone}"]
    assert not touching["right_patella"]


def test_a_femur_of_a_sliver_is_no_femur() -> None:
    leg = toy_leg()
    volume = slab(leg.volume, -45, 205)
    classes = slab(Volume(classes_of(leg.bones).astype(np.int16), leg.volume.affine), -45, 205).array.astype(np.uint8)
    result = found(volume, classes)
    assert "right_femur" not in names(result)
    assert "bone_too_short" in told(result)


@pytest.mark.parametrize("said_of_it", [OTHER, CHANNEL[BoneName.HIP]], ids=["other", "hip"])
def test_a_sliver_of_a_femur_that_touches_the_tibia_is_no_part_of_it(said_of_it: int) -> None:
    leg = toy_leg(bridge="knee")
    z, y, x = grid()
    whole = classes_of(leg.bones)
    bridge = np.broadcast_to((x**2 + y**2 < 15**2) & (z > 178) & (z < 189), whole.shape) & (whole == 0)
    whole[bridge] = np.where(height(whole.shape)[bridge] < 184, CHANNEL[T], CHANNEL[F])
    whole[whole == CHANNEL[F]] = said_of_it
    volume = slab(leg.volume, -45, 215)
    classes, tibia = (
        slab(Volume(values.astype(np.int16), leg.volume.affine), -45, 215).array.astype(np.uint8)
        for values in (whole, leg.bones[T])
    )
    result = found(volume, classes)
    assert not {"right_femur", "right_hip"} & names(result)
    assert dice(result, Side.RIGHT, T, tibia > 0) >= 0.97


def test_what_lacks_and_what_is_too_large_is_told() -> None:
    leg = toy_leg(without=(B,))
    result = found(leg.volume, classes_of(leg.bones))
    missing = [dict(item.parameters)["bone"] for item in result.findings if item.code == "bone_not_found"]
    assert [name.split()[1] for name in missing] == ["fibula"]
    large = Volume(leg.volume.array, Affine(leg.volume.affine.matrix @ np.diag([3.0, 3.0, 3.0, 1.0])))
    result = bones_of_answers([large], [said(large, classes_of(leg.bones), step_mm=6.0)], BONES)
    sizes = {dict(item.parameters)["bone"] for bone in result.bones for item in bone.findings if item.code == SMALL}
    assert "tibia" in {name.split()[1] for name in sizes}


def test_a_leg_on_its_head_is_seen() -> None:
    leg = toy_leg()
    turned = Volume(leg.volume.array, Affine(np.diag([1.0, -1.0, -1.0, 1.0]) @ leg.volume.affine.matrix))
    assert found(turned, classes_of(leg.bones)).upside_down
    assert not found(leg.volume, classes_of(leg.bones)).upside_down


def test_the_same_answer_gives_the_same_labels() -> None:
    leg = toy_leg()
    one, two = (found(leg.volume, classes_of(leg.bones)).labels[0].array for _ in range(2))
    assert np.array_equal(one, two)


def test_labels_lie_where_the_voxels_are_smaller_than_the_networks() -> None:
    """The surface between two voxels of the network is found to a part of them."""
    leg = toy_leg(noise_hu=5.0)
    classes = classes_of(leg.bones)
    coarse = bones_of_answers([leg.volume], [said(leg.volume, classes, step_mm=3.0)], BONES)
    all_right(coarse, leg, least=0.95)


def test_a_shank_called_a_thigh_is_known_by_its_shape_though_it_touches_the_thigh() -> None:
    leg = toy_leg(bridge="knee")
    z, y, x = grid()
    classes = classes_of(leg.bones)
    bridge = np.broadcast_to((x**2 + y**2 < 15**2) & (z > 178) & (z < 189), classes.shape) & (classes == 0)
    classes[bridge] = CHANNEL[F]
    classes[classes == CHANNEL[T]] = CHANNEL[F]
    classes[classes == CHANNEL[B]] = CHANNEL[BoneName.HIP]
    result = found(leg.volume, classes)
    assert names(result) == ALL
    assert {"names_disagree"} <= set(told(result)) <= {"names_disagree", "joint_fused", "bone_filled"}
    all_right(result, leg, least=0.95)


def test_a_waist_within_one_name_does_not_part_a_bone() -> None:
    """A femur whose shaft the landscape of depth takes for two mountains: a neck as thin as some are."""
    leg = toy_leg()
    z, y, x = grid()
    classes = classes_of(leg.bones)
    thin = np.broadcast_to((np.abs(z - 280.0) < 6.0) & (x**2 + (y - 4.0) ** 2 > 5.5**2), classes.shape)
    classes[(classes == CHANNEL[F]) & thin] = 0
    result = found(leg.volume, classes)
    assert names(result) == ALL
    assert "piece_left_out" not in told(result)
    labels = result.labels[0].array
    height_of_label = np.flatnonzero((labels == label_code(BoneId(Side.RIGHT, F))).any(axis=(1, 2)))
    assert grid()[0][height_of_label.max(), 0, 0] > 310.0


@pytest.mark.parametrize(("cut_z", "bridge", "pieces"), [(92.0, "", 1), (183.0, "knee", 2)], ids=["shaft", "joint"])
def test_a_long_bone_parted_by_depth_alone_is_one_unless_the_place_looks_like_a_joint(
    monkeypatch: pytest.MonkeyPatch, cut_z: float, bridge: str, pieces: int
) -> None:
    """Thigh and shank under one name: the landscape of depth parts the shank's shaft, or the knee that a bridge closes."""

    def parted(mask: np.ndarray, spacing_mm: np.ndarray) -> np.ndarray:
        assert spacing_mm[0] == 2.0
        lowest = (answer.grid.affine(np.zeros((1, 3)))[0, 2]) + 2.0 * np.flatnonzero(whole.any(axis=(1, 2)))[0]
        above = np.arange(len(mask)) * 2.0 + lowest > cut_z
        return np.where(mask, np.where(above, 2, 1)[:, None, None], 0)

    leg = toy_leg(bridge=bridge, without=(B, A, P))
    z, y, x = grid()
    classes = (classes_of(leg.bones) > 0).astype(np.uint8) * CHANNEL[T]
    if bridge:
        classes[np.broadcast_to((x**2 + y**2 < 15**2) & (z > 178) & (z < 189), classes.shape)] = CHANNEL[T]
    else:
        classes[np.broadcast_to(z > 184.0, classes.shape)] = 0
    answer = said(leg.volume, classes)
    whole = answer.answer.chance >= 128
    monkeypatch.setattr("surgiplan_desktop.segmentation.named_pieces.separate", parted)
    assert named_pieces(answer, BONES).pieces.max() == pieces


@pytest.mark.parametrize("said_of", [{F: T, T: F}, {F: F, T: F}, {F: T, T: T}])
def test_without_a_fibula_the_order_along_the_limb_names_thigh_and_shank(said_of: dict[BoneName, BoneName]) -> None:
    leg = toy_leg(without=(B,))
    classes = classes_of(leg.bones)
    spoilt = classes.copy()
    for bone, name in said_of.items():
        spoilt[classes == CHANNEL[bone]] = CHANNEL[name]
    result = found(leg.volume, spoilt)
    assert {bone.id.bone for bone in result.bones} == {F, T, P, A}
    assert {item.code for item in result.findings} >= {"names_disagree"}
    side = result.bones[0].id.side
    for name, truth in leg.bones.items():
        assert dice(result, side, name, truth) > 0.97, name


@pytest.mark.parametrize("high", [True, False], ids=["whole", "lump beside"])
def test_a_head_of_a_fibula_under_no_name_is_part_of_it(high: bool) -> None:
    """The network calls the head another bone; a lump of other bone away from the fibula's line stays one."""
    leg = toy_leg()
    z, y, x = grid()
    classes = classes_of(leg.bones)
    head = (classes == CHANNEL[B]) & np.broadcast_to(z > 140.0, classes.shape)
    if high:
        classes[head] = np.where(np.broadcast_to(z > 143.0, classes.shape)[head], OTHER, 0)
    else:
        classes[head] = 0
        lump = np.broadcast_to((x - 44.0) ** 2 + (y - 40.0) ** 2 + (z - 152.0) ** 2 < 9.0**2, classes.shape)
        classes[lump] = OTHER
    result = found(leg.volume, classes)
    labels = result.labels[0].array == label_code(BoneId(Side.RIGHT, B))
    heights = grid()[0][np.flatnonzero(labels.any(axis=(1, 2))), 0, 0]
    assert (heights.max() > 160.0) == high
    assert names(result) == ALL


def test_a_talus_that_the_network_calls_no_bone_of_the_leg_is_known_by_its_place() -> None:
    """Surely another bone, says the network, and sees no talus elsewhere: what carries the shank is the talus."""
    leg = toy_leg()
    classes = classes_of(leg.bones)
    classes[classes == CHANNEL[A]] = OTHER
    result = found(leg.volume, classes)
    assert names(result) == ALL
    assert told(result) == ["names_disagree"]
    assert dice(result, Side.RIGHT, A, leg.bones[A]) > 0.97


def test_a_hollow_that_the_network_left_open_is_filled_and_told() -> None:
    """Fatty marrow below a plateau taken for fat, with a hole through the thin cortex behind it."""
    leg = toy_leg()
    z, y, x = grid()
    classes = classes_of(leg.bones)
    hollow = np.broadcast_to(
        (np.abs(z - 164.0) < 9.0) & (np.abs(x) < 24.0) & (y > -16.0) & ((y < 14.0) | (np.abs(x) < 7.0)), classes.shape
    )
    classes[(classes == CHANNEL[T]) & hollow] = 0
    result = found(leg.volume, classes)
    assert names(result) == ALL
    assert "bone_filled" in told(result)
    assert dice(result, Side.RIGHT, T, leg.bones[T]) > 0.97
