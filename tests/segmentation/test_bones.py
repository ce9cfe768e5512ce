"""Bones without a model: named, with their side, on a coarse leg of known voxels."""

from __future__ import annotations

import numpy as np
import pytest

from surgiplan_desktop.base.errors import InputDataError
from surgiplan_desktop.base.progress import Cancelled
from surgiplan_desktop.base.spaces import Affine
from surgiplan_desktop.model.anatomy import BoneId, BoneName, Side, label_code
from surgiplan_desktop.model.images import Volume
from surgiplan_desktop.segmentation.bones import BoneLabelling, find_bones
from tests.segmentation.toy_leg import HALF_X, LOW_Z, STEP, grid, leg_affine, slab, toy_leg, two_legs

F, T, P, B, A = BoneName.FEMUR, BoneName.TIBIA, BoneName.PATELLA, BoneName.FIBULA, BoneName.TALUS


def dice(found: BoneLabelling, side: Side, name: BoneName, truth: np.ndarray) -> float:
    mine = found.labels[0].array == label_code(BoneId(side, name))
    return 2.0 * float((mine & truth).sum()) / float(mine.sum() + truth.sum())


def names(found: BoneLabelling) -> set[str]:
    return {str(bone.id) for bone in found.bones}


def codes(found: BoneLabelling) -> list[str]:
    return [finding.code for finding in found.findings]


@pytest.mark.parametrize("side", list(Side))
def test_every_bone_of_a_single_leg_has_its_name_side_and_place(side: Side) -> None:
    leg = toy_leg(side, extras=True)
    found = find_bones([leg.volume])
    assert names(found) == {f"{side}_{name}" for name in (F, T, P, B, A)}
    assert codes(found) == []
    for name, truth in leg.bones.items():
        assert dice(found, side, name, truth) > (0.93 if name is B else 0.96), name
    labelled = set(np.unique(found.labels[0].array)) - {0}
    assert labelled == {bone.label for bone in found.bones}  # no table, no specks
    femur = next(bone for bone in found.bones if bone.id.bone is F)
    assert not femur.touches_edge
    tibia = next(bone for bone in found.bones if bone.id.bone is T)
    assert tibia.volume_mm3 == pytest.approx(leg.bones[T].sum() * STEP**3, rel=0.05)


def test_a_fibula_keeps_its_head_though_its_neck_is_thin() -> None:
    leg = toy_leg()
    z, y, x = grid()
    waist = (np.abs(z - 142.0) < 3.0) & ((x + 28.0) ** 2 + (y - 24.0) ** 2 > 3.0**2) & leg.bones[B]
    found = find_bones([Volume(np.where(waist, 40, leg.volume.array), leg.volume.affine)])
    layers = np.flatnonzero((found.labels[0].array == label_code(BoneId(Side.RIGHT, B))).any(axis=(1, 2)))
    assert grid()[0][layers.max(), 0, 0] > 160.0
    assert dice(found, Side.RIGHT, T, leg.bones[T]) > 0.96


def test_a_mirrored_scan_is_the_other_side_and_a_turned_one_is_not() -> None:
    leg = toy_leg(Side.RIGHT)
    for matrix, side in (
        (np.diag([-1.0, 1.0, 1.0, 1.0]), Side.LEFT),
        (np.diag([-1.0, -1.0, 1.0, 1.0]), Side.RIGHT),
        (np.diag([1.0, -1.0, 1.0, 1.0]), Side.LEFT),
    ):
        found = find_bones([Volume(leg.volume.array, Affine(matrix @ leg.volume.affine.matrix))])
        assert {bone.id.side for bone in found.bones} == {side}
        assert codes(found) == []


def test_two_legs_take_their_sides_from_where_they_lie() -> None:
    right, left = toy_leg(Side.RIGHT), toy_leg(Side.LEFT)
    found = find_bones([two_legs(right, left)])
    assert len(found.bones) == 10
    assert codes(found) == []
    swapped = find_bones([two_legs(left, right)])
    assert codes(swapped) == ["side_handedness", "side_handedness"]


@pytest.mark.parametrize("without", [(B,), ()])
def test_the_second_leg_is_found_by_the_first_where_little_of_its_fibula_is_seen(without: tuple[BoneName, ...]) -> None:
    right, left = toy_leg(Side.RIGHT), toy_leg(Side.LEFT, without=(*without, A))
    array = two_legs(right, left).array.copy()
    width = right.volume.shape[2]
    # 35 mm of its fibula, 50 of its tibia
    array[:, :, width:][np.indices(left.volume.shape)[0] < round((130.0 - LOW_Z) / STEP)] = (
        40  # 35 mm of its fibula, 50 of its tibia
    )
    array = array[round((95.0 - LOW_Z) / STEP) :]
    start = Affine.from_parts(np.eye(3), np.array([round((95.0 - LOW_Z) / STEP), 0.0, 0.0]))
    found = find_bones([Volume(array, leg_affine(-HALF_X) @ start)])
    seen = {f"{side}_{name}" for side in Side for name in (F, T, P)} | {"right_fibula"}
    assert names(found) == seen | (set() if without else {"left_fibula"})
    assert codes(found) == []


def test_a_large_piece_without_a_name_is_told() -> None:
    leg = toy_leg()
    cut = np.broadcast_to(np.abs(grid()[0] - 240.0) < 4.0, leg.volume.shape)
    found = find_bones([Volume(np.where(cut & (leg.volume.array > 0), 40, leg.volume.array), leg.volume.affine)])
    assert codes(found) == ["bone_unnamed"]


def test_plaster_round_the_leg_is_no_bone_and_told() -> None:
    leg = toy_leg()
    _, y, x = grid()
    around = np.broadcast_to((x / 52) ** 2 + (y / 60) ** 2, leg.volume.shape)
    found = find_bones([Volume(np.where((around > 0.86) & (around < 1.0), 500, leg.volume.array), leg.volume.affine)])
    assert names(found) == {f"right_{name}" for name in (F, T, P, B, A)}
    assert codes(found) == ["wrapping_left_out"]
    for name, truth in leg.bones.items():
        assert dice(found, Side.RIGHT, name, truth) > 0.9, name


def test_a_bright_vessel_beside_the_thigh_bone_does_not_make_it_a_shank() -> None:
    leg = toy_leg(without=(A,))
    z, y, x = grid()
    vessel = np.broadcast_to(((x - 26.0) ** 2 + (y - 38.0) ** 2 < 5.0**2) & (z > 150.0), leg.volume.shape)
    found = find_bones([Volume(np.where(vessel, 350, leg.volume.array).astype(np.int16), leg.volume.affine)])
    assert names(found) == {f"right_{name}" for name in (F, T, P, B)}
    assert codes(found) == ["vessels_left_out"]
    assert not found.labels[0].array[vessel].any()


def test_blocks_give_one_bone_one_name() -> None:
    leg = toy_leg(Side.LEFT)
    blocks = [slab(leg.volume, 150, 330), slab(leg.volume, 60, 140), slab(leg.volume, -45, 50)]
    found = find_bones(blocks)
    assert names(found) == {f"left_{name}" for name in (F, T, P, B, A)}
    tibia = label_code(BoneId(Side.LEFT, T))
    assert all((labels.array == tibia).sum() > 1000 for labels in found.labels)
    assert [labels.shape for labels in found.labels] == [block.shape for block in blocks]
    turned = find_bones(blocks[::-1])
    for one, two in zip(found.labels, turned.labels[::-1], strict=True):
        assert np.array_equal(one.array, two.array)


def test_a_knee_grown_together_is_parted_and_told() -> None:
    leg = toy_leg(bridge="knee")
    found = find_bones([leg.volume])
    assert {"right_femur", "right_tibia", "right_fibula"} <= names(found)
    assert dice(found, Side.RIGHT, F, leg.bones[F]) > 0.93
    assert dice(found, Side.RIGHT, T, leg.bones[T]) > 0.93
    fused = [finding for finding in found.findings if finding.code == "joint_fused"]
    assert [dict(finding.parameters)["bones"] for finding in fused] == ["femur, tibia"]


def test_a_fibula_grown_to_the_tibia_is_parted_and_told() -> None:
    leg = toy_leg(bridge="fibula")
    found = find_bones([leg.volume])
    assert {"right_femur", "right_tibia", "right_fibula"} <= names(found)
    assert dice(found, Side.RIGHT, B, leg.bones[B]) > 0.8
    assert dice(found, Side.RIGHT, T, leg.bones[T]) > 0.93


def test_a_bone_cut_by_the_scan_says_so_and_a_stump_is_left_out() -> None:
    leg = toy_leg()
    cut = find_bones([slab(leg.volume, -45, 290)])
    femur = next(bone for bone in cut.bones if bone.id.bone is F)
    assert femur.touches_edge
    assert [finding.code for finding in femur.findings] == ["bone_cut_by_field_of_view"]
    stump = find_bones([slab(leg.volume, -45, 205)])
    assert "right_femur" not in names(stump)
    assert "bone_too_short" in codes(stump)
    assert {"right_tibia", "right_fibula"} <= names(stump)


def test_without_a_fibula_stacked_bones_are_named_and_the_side_comes_from_what_is_left() -> None:
    leg = toy_leg(without=(B, A))
    found = find_bones([leg.volume])
    assert {bone.id.bone for bone in found.bones} == {F, T, P}


def test_a_scan_upside_down_is_told() -> None:
    leg = toy_leg(Side.RIGHT)
    found = find_bones([Volume(leg.volume.array, Affine(np.diag([1.0, -1.0, -1.0, 1.0]) @ leg.volume.affine.matrix))])
    assert codes(found) == ["scan_upside_down"]
    assert "right_tibia" in names(found)


def test_sagittal_slices_are_as_good_as_axial_ones() -> None:
    leg = toy_leg(Side.LEFT)
    matrix = leg.volume.affine.matrix[:, [2, 0, 1, 3]]
    found = find_bones([Volume(np.ascontiguousarray(leg.volume.array.transpose(2, 0, 1)), Affine(matrix))])
    assert names(found) == {f"left_{name}" for name in (F, T, P, B, A)}


def test_a_displaced_slice_does_not_cut_a_bone() -> None:
    leg = toy_leg()
    array = leg.volume.array.copy()
    array[65] = np.roll(array[65], 30, axis=0)
    found = find_bones([Volume(array, leg.volume.affine)])
    assert codes(found) == ["slice_displaced"]
    assert dice(found, Side.RIGHT, T, leg.bones[T]) > 0.95


@pytest.mark.parametrize("shape", [(40, 40, 40), (1, 1, 1), (2, 30, 30)])
def test_no_bone_is_an_error_of_the_input(shape: tuple[int, int, int]) -> None:
    with pytest.raises(InputDataError) as caught:
        find_bones([Volume(np.full(shape, 40, dtype=np.int16), leg_affine())])
    assert caught.value.message_id == "no_bone_found"


def test_a_lump_that_is_no_bone_of_the_leg_is_not_named() -> None:
    array = np.full((60, 60, 60), 40, dtype=np.int16)
    array[20:40, 20:40, 20:40] = 800
    with pytest.raises(InputDataError) as caught:
        find_bones([Volume(array, leg_affine())])
    assert caught.value.message_id == "no_bone_named"


def test_work_can_be_cancelled() -> None:
    class Stop:
        def step(self, done: float, total: float, text_id: str) -> None:
            if text_id == "separating_bones":
                raise Cancelled

    with pytest.raises(Cancelled):
        find_bones([toy_leg().volume], progress=Stop())


def test_same_input_gives_the_same_labels() -> None:
    leg = toy_leg()
    one, two = (find_bones([leg.volume]).labels[0].array for _ in range(2))
    assert one.tobytes() == two.tobytes()
