"""Which block of a scan shows which joint: by the bones once they are found, else by where the blocks lie, or unknown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from surgiplan_desktop.base.arrays import AnyArray
from surgiplan_desktop.base.progress import SILENT, Progress
from surgiplan_desktop.base.spaces import Affine
from surgiplan_desktop.model.anatomy import BoneId, BoneName, bone_of_label
from surgiplan_desktop.model.images import LabelMap
from surgiplan_desktop.model.study import VolumeBlock

Joint = Literal["hip", "knee", "ankle"]
JOINTS: Final[tuple[Joint, ...]] = ("hip", "knee", "ankle")
#: A single volume of this height shows the whole leg, mm (short adults: 700 from hip joint to ankle).
_WHOLE_LEG_MM: Final = 650.0
#: Three blocks of at most this height each are hip, knee and ankle, mm.
_SLAB_MM: Final = 420.0
#: An end of a bone is in view when the block goes on this far beyond it, mm; and when so many labelled pixels are there.
_BEYOND_MM: Final = 2.0
_LEAST_PIXELS: Final = 6


@dataclass(frozen=True, slots=True)
class JointBlocks:
    """Blocks (indices) that show each joint.

    ``known_by`` says how that is known; with ``"unknown"`` all tuples are empty. ``cut_beside`` are femora, tibiae and fibulae
    that a lateral edge of a block cuts, with the block; empty before bones are found.
    """

    hip: tuple[int, ...] = ()
    knee: tuple[int, ...] = ()
    ankle: tuple[int, ...] = ()
    known_by: Literal["bones", "position", "unknown"] = "unknown"
    cut_beside: tuple[tuple[BoneId, int], ...] = ()

    def of(self, joint: Joint) -> tuple[int, ...]:
        """Blocks that show a joint."""
        return {"hip": self.hip, "knee": self.knee, "ankle": self.ankle}[joint]


def heights_of(shape: Sequence[int], affine: Affine) -> tuple[float, float]:
    """Lowest and highest voxel centre of a block along the body, mm (LPS z)."""
    last = np.array(shape, dtype=np.float64) - 1.0
    corners = affine(np.array([[a, b, c] for a in (0.0, 1.0) for b in (0.0, 1.0) for c in (0.0, 1.0)]) * last)
    return float(corners[:, 2].min()), float(corners[:, 2].max())


def block_heights(block: VolumeBlock) -> tuple[float, float]:
    """Lowest and highest voxel centre of a block of a study along the body, mm."""
    return heights_of(block.shape, Affine(np.array(block.affine)))


def joints_by_position(blocks: Sequence[VolumeBlock]) -> JointBlocks:
    """Tell the joints from number and height of the blocks alone; unknown for anything that is no usual leg scan."""
    heights = [high - low for low, high in map(block_heights, blocks)]
    if len(blocks) == 1 and heights[0] >= _WHOLE_LEG_MM:
        return JointBlocks((0,), (0,), (0,), "position")
    if len(blocks) == 3 and max(heights) <= _SLAB_MM:
        hip, knee, ankle = sorted(range(3), key=lambda number: -sum(block_heights(blocks[number])))
        return JointBlocks((hip,), (knee,), (ankle,), "position")
    return JointBlocks()


@dataclass(frozen=True, slots=True)
class _Reach:
    """How far a bone reaches in one block, and whether the block goes on beyond its ends."""

    bone: BoneId
    block: int
    low: float
    high: float
    low_in_view: bool
    high_in_view: bool
    cut_beside: bool


def joints_by_bones(*labels: LabelMap, progress: Progress = SILENT) -> JointBlocks:
    """Tell the joints from the label maps of all blocks.

    A block shows the hip when a femur ends at its top, the knee when one ends at its bottom or a tibia at its top, the ankle when
    a tibia ends at its bottom: beyond the end the block goes on, and no other block shows more of the bone.
    """
    reaches: list[_Reach] = []
    for number, item in enumerate(labels):
        progress.step(number, len(labels), "measuring_quality")
        reaches += _reaches(number, item)
    femora = [reach for reach in reaches if reach.bone.bone is BoneName.FEMUR]
    tibiae = [reach for reach in reaches if reach.bone.bone is BoneName.TIBIA]
    hip = {reach.block for reach in femora if reach.high_in_view and not _goes_on(reach, femora, up=True)}
    ankle = {reach.block for reach in tibiae if reach.low_in_view and not _goes_on(reach, tibiae, up=False)}
    above = {reach.block for reach in femora if reach.low_in_view and not _goes_on(reach, femora, up=False)}
    below = {reach.block for reach in tibiae if reach.high_in_view and not _goes_on(reach, tibiae, up=True)}
    knee = above | below
    cut = tuple((reach.bone, reach.block) for reach in reaches if reach.cut_beside)
    return JointBlocks(tuple(sorted(hip)), tuple(sorted(knee)), tuple(sorted(ankle)), "bones", cut)


def _goes_on(reach: _Reach, all_of_kind: Sequence[_Reach], *, up: bool) -> bool:
    """Whether the same bone goes on in another block, above or below."""
    for other in all_of_kind:
        if other.bone == reach.bone and other.block != reach.block:
            if up and other.high > reach.high + _BEYOND_MM:
                return True
            if not up and other.low < reach.low - _BEYOND_MM:
                return True
    return False


def _reaches(block: int, labels: LabelMap) -> list[_Reach]:
    """Reach of every femur, tibia and fibula in a block."""
    linear = labels.affine.linear
    axis = int(np.abs(linear[2]).argmax())
    rising = linear[2, axis] > 0
    spacing = float(labels.affine.spacing[axis])
    array = np.moveaxis(labels.array, axis, 0)
    others = [other for other in range(3) if other != axis]
    low_block, high_block = heights_of(labels.shape, labels.affine)
    present: dict[int, list[int]] = {}
    beside: dict[int, int] = {}
    for level, plane in enumerate(array):
        for code, count in _counts(plane[::2, ::2]):
            if count * 4 >= _LEAST_PIXELS:
                present.setdefault(code, []).append(level)
        for code, count in _counts(np.concatenate([plane[0], plane[-1], plane[:, 0], plane[:, -1]])):
            beside[code] = beside.get(code, 0) + count
    result = []
    edge_mm2 = spacing * float(labels.affine.spacing[others].mean())
    for code, levels in sorted(present.items()):
        bone = bone_of_label(code)
        if bone is None or bone.bone not in (BoneName.FEMUR, BoneName.TIBIA, BoneName.FIBULA):
            continue
        first, last = (levels[0], levels[-1]) if rising else (len(array) - 1 - levels[-1], len(array) - 1 - levels[0])
        low, high = low_block + first * spacing, low_block + last * spacing
        result.append(
            _Reach(
                bone,
                block,
                low,
                high,
                low - low_block > _BEYOND_MM,
                high_block - high > _BEYOND_MM,
                beside.get(code, 0) * edge_mm2 > 20.0,
            )
        )
    return result


def _counts(plane: AnyArray) -> list[tuple[int, int]]:
    counts = np.bincount(plane.ravel())
    return [(int(code), int(counts[code])) for code in np.flatnonzero(counts) if code]
