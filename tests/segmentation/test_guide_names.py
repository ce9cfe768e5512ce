"""What a coarse network named rightly is not spoilt by shapes that look like two bones where there is one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from surgiplan_desktop.model.anatomy import BoneName
from surgiplan_desktop.model.images import Volume
from surgiplan_desktop.segmentation import guide_names
from surgiplan_desktop.segmentation.leg_networks import Guide
from surgiplan_desktop.segmentation.naming import name_legs
from surgiplan_desktop.segmentation.network_grid import network_grid, seen_by_network
from surgiplan_desktop.segmentation.pieces import Piece, link_blocks, measure_pieces
from tests.segmentation.said import BONES, CHANNEL, OTHER, classes_of
from tests.segmentation.toy_leg import STEP, grid, slab, toy_leg


def guide_of(volume: Volume, classes: np.ndarray, step_mm: float = 4.0) -> Guide:
    """What a coarse network says that is right."""
    lattice = network_grid(volume, "SPL", (step_mm,) * 3)
    result = np.zeros(lattice.shape, dtype=np.uint8)
    for channel in np.unique(classes[classes > 0]).tolist():
        share = seen_by_network(Volume((classes == channel).astype(np.float32), volume.affine), lattice, outside=0.0)
        result[share > 0.5] = channel
    return Guide(result, lattice)


def test_a_thigh_bone_that_its_shape_parts_in_two_stays_one_in_all_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    leg = toy_leg()
    codes = classes_of(leg.bones).astype(np.int32)
    # parted at the flare, where its upper part looks like a hip bone over a short femur
    codes[leg.bones[BoneName.FEMUR] & np.broadcast_to(grid()[0] > 222.0, codes.shape)] = 9
    heights = ((255.0, 330.0), (-45.0, 240.0))
    blocks = [slab(leg.volume, *height) for height in heights]
    parts = [slab(Volume(codes.astype(np.int16), leg.volume.affine), *height).array.astype(np.int32) for height in heights]
    pieces = [
        item
        for block, (part, volume) in enumerate(zip(parts, blocks, strict=True))
        for item in measure_pieces(block, part, volume.affine)
    ]
    monkeypatch.setattr(guide_names, "parted_chains", lambda volumes, progress: (parts, link_blocks(pieces)))
    guides = [guide_of(volume, np.where(part == 9, 1, part).astype(np.uint8)) for volume, part in zip(blocks, parts, strict=True)]
    for guide, mended in zip(guides, guide_names.mended_guides(blocks, guides, BONES, "SPL", (STEP,) * 3), strict=True):
        said = mended.classes[guide.classes == CHANNEL[BoneName.FEMUR]]
        assert (said == CHANNEL[BoneName.FEMUR]).mean() > 0.85


@pytest.mark.parametrize(("lost_above_mm", "better"), [(1000.0, True), (30.0, False)])
def test_bones_grown_together_are_parted_where_the_coarse_network_parts_them(
    monkeypatch: pytest.MonkeyPatch, lost_above_mm: float, better: bool
) -> None:
    """Shape cuts a joint that it cannot see 15 mm too high; a network that is unsure of the whole bone is no better witness."""
    leg = toy_leg()
    volume, heights = leg.volume, np.broadcast_to(grid()[0], leg.volume.shape)
    femur, tibia = leg.bones[BoneName.FEMUR], leg.bones[BoneName.TIBIA]
    low = heights[femur].min()
    codes = classes_of(leg.bones).astype(np.int32)
    said = np.where(femur & (heights > low + lost_above_mm), CHANNEL[BoneName.TIBIA], codes).astype(np.uint8)
    far = tibia & (heights < heights[tibia].min() + 30.0)
    said[far] = CHANNEL[BoneName.FEMUR]
    codes[femur & (heights < low + 15.0)] = CHANNEL[BoneName.TIBIA]
    top = np.where(tibia, heights, -1000.0).max()
    codes[(heights > top) & (heights < low) & (ndimage.binary_dilation(femur, iterations=4))] = CHANNEL[BoneName.TIBIA]
    chains = link_blocks(measure_pieces(0, codes, volume.affine))
    monkeypatch.setattr(guide_names, "parted_chains", lambda volumes, progress: ([codes], chains))
    guide = guide_of(volume, said)
    mended = guide_names.mended_guides([volume], [guide], BONES, "SPL", (STEP,) * 3)[0]
    cap = guide_of(volume, np.where(femur & (heights < low + 12.0), 1, 0).astype(np.uint8)).classes > 0
    assert cap.sum() > 50
    assert ((mended.classes[cap] == CHANNEL[BoneName.FEMUR]).mean() > 0.9) == better
    end = guide_of(volume, far.astype(np.uint8)).classes > 0
    assert (mended.classes[end] == CHANNEL[BoneName.TIBIA]).mean() > 0.9


@pytest.mark.parametrize("seen_percent", [0, 3])
def test_a_piece_that_the_coarse_network_overlooked_belongs_to_the_bone_it_shares_most_with(
    monkeypatch: pytest.MonkeyPatch, seen_percent: int
) -> None:
    """The head of a fibula that its shape parts at the neck; the few voxels of it that are called tibia name nothing."""
    leg = toy_leg()
    volume, heights = leg.volume, np.broadcast_to(grid()[0], leg.volume.shape)
    fibula = leg.bones[BoneName.FIBULA]
    head = fibula & (heights > heights[fibula].max() - 12.0)
    codes = classes_of(leg.bones).astype(np.int32)
    said = np.where(head, 0, codes).astype(np.uint8)
    some = np.argwhere(head)
    said[tuple(some[: len(some) * seen_percent // 100].T)] = CHANNEL[BoneName.TIBIA]
    codes[head] = 9
    chains = link_blocks(measure_pieces(0, codes, volume.affine))
    monkeypatch.setattr(guide_names, "parted_chains", lambda volumes, progress: ([codes], chains))
    mended = guide_names.mended_guides([volume], [guide_of(volume, said)], BONES, "SPL", (STEP,) * 3)[0]
    there = guide_of(volume, head.astype(np.uint8)).classes > 0
    assert there.sum() > 5
    assert (mended.classes[there] == CHANNEL[BoneName.FIBULA]).mean() > 0.85


def piece(block: int, number: int, heights: tuple[float, float], xy: tuple[float, float], area: float) -> Piece:
    """A straight stretch of shaft, cut at both ends."""
    z = np.arange(heights[0], heights[1], 3.0)
    count = len(z)
    flat = np.tile(np.array([40.0, 0.0, 40.0]), (count, 1))
    volume = area * (heights[1] - heights[0])
    return Piece(block, number, volume, z, np.full(count, area), np.tile(np.array(xy), (count, 1)), flat, True, True, False)


def leaning(item: Piece, slope: float) -> Piece:
    """The same with its middle running aside, as a trochanter draws it."""
    course = np.stack([item.centre_xy[:, 0] + slope * (item.z_mm - item.z_mm[0]), item.centre_xy[:, 1]], axis=1)
    return replace(item, centre_xy=course)


def test_short_blocks_are_linked_by_where_their_ends_lie() -> None:
    # 260 mm between: the stretch below the trochanter points far aside of the knee
    upper = leaning(piece(0, 1, (-120.0, -60.0), (80.0, 0.0), 800.0), -0.6)
    lower = leaning(piece(1, 1, (-440.0, -390.0), (40.0, 0.0), 1300.0), -0.2)
    other = piece(1, 2, (-440.0, -390.0), (-150.0, 0.0), 1000.0)
    chains = link_blocks([upper, lower, other])
    assert sorted([(item.block, item.number) for item in chain.pieces] for chain in chains) == [[(0, 1), (1, 1)], [(1, 2)]]


def test_a_fibula_is_not_linked_to_a_tibia() -> None:
    upper = piece(0, 1, (-520.0, -460.0), (30.0, 20.0), 120.0)
    lower = piece(1, 1, (-820.0, -740.0), (0.0, 0.0), 900.0)
    assert len(link_blocks([upper, lower])) == 2


def test_pieces_of_one_name_where_no_such_bone_can_be_are_another_bone(monkeypatch: pytest.MonkeyPatch) -> None:
    leg = toy_leg()
    z, y, x = grid()
    codes = classes_of(leg.bones).astype(np.int32)
    stray = np.broadcast_to((x > 36.0) & (np.abs(y) < 20.0) & (z > 50.0) & (z < 120.0), codes.shape)
    codes[stray] = np.where(np.broadcast_to(z, codes.shape)[stray] < 85.0, 10, 11)
    chains = link_blocks(measure_pieces(0, codes, leg.volume.affine))
    monkeypatch.setattr(guide_names, "parted_chains", lambda volumes, progress: ([codes], chains))
    guide = guide_of(leg.volume, np.where(stray, CHANNEL[BoneName.HIP], classes_of(leg.bones)).astype(np.uint8))
    mended = guide_names.mended_guides([leg.volume], [guide], BONES, "SPL", (STEP,) * 3)[0]
    assert (mended.classes[guide.classes == CHANNEL[BoneName.HIP]] == OTHER).mean() > 0.8


def test_a_thigh_bone_whose_condyles_reach_below_the_spines_is_no_hip_bone() -> None:
    """A slab of one condyle, parted at a narrow joint, stands on the tibia as well; the femur is the long bone."""

    def bone(number: int, heights: tuple[float, float], x: float, area: float) -> Piece:
        return replace(piece(0, number, heights, (x, 0.0), area), low_cut=False, high_cut=False, side_cut=False)

    tibia, fibula = bone(1, (0.0, 400.0), 0.0, 900.0), bone(2, (-12.0, 388.0), -30.0, 120.0)
    slab, femur = bone(3, (398.0, 432.0), 15.0, 640.0), bone(4, (367.0, 820.0), 0.0, 1300.0)
    leg = name_legs(link_blocks([tibia, fibula, slab, femur]))[0]
    assert [item.number for item in leg.bones[BoneName.FEMUR].pieces] == [4]
    assert BoneName.HIP not in leg.bones
