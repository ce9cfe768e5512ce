"""Lay the series of one study that are imported together out as blocks, proximal first.

Series that continue each other become one volume; what lies apart stays apart, never interpolated across (clinical.md A.4).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise, product

import numpy as np

from surgiplan_desktop.base.arrays import FloatArray
from surgiplan_desktop.base.spaces import Affine
from surgiplan_desktop.imaging.dicom_header import SliceHeader
from surgiplan_desktop.imaging.series import Series
from surgiplan_desktop.imaging.slice_stack import block_affine, stack_slices
from surgiplan_desktop.imaging.splitting import is_pause


@dataclass(frozen=True, slots=True, eq=False)
class BlockPlan:
    """A gap-free volume still to be read: its slices in order, its affine (k, j, i) -> LPS mm and where it comes from."""

    slices: tuple[SliceHeader, ...]
    affine: Affine
    series_uids: tuple[str, ...]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Number of voxels along k, j, i."""
        return len(self.slices), self.slices[0].rows, self.slices[0].columns

    @property
    def box_lps(self) -> FloatArray:
        """Lowest and highest corner of the voxel centres' bounding box, shape (2, 3), mm."""
        corners = np.array(list(product(*((0.0, count - 1.0) for count in self.shape))))
        placed = self.affine(corners)
        return np.array([placed.min(axis=0), placed.max(axis=0)])


def plan_blocks(series: Sequence[Series]) -> tuple[BlockPlan, ...]:
    """Lay the blocks of the series out: those that continue each other joined, ordered from proximal to distal.

    Raises
    ------
    ValueError
        A series has no readable geometry (its verdict is not ok).
    """
    plans = [plan for item in series for plan in plans_of(item)]
    if not plans:
        raise ValueError("the series have no blocks")
    plans.sort(key=lambda plan: (-float(plan.box_lps[:, 2].mean()), plan.series_uids))
    joined: list[BlockPlan] = []
    for plan in plans:
        for index, other in enumerate(joined):
            both = _joined(other, plan)
            if both is not None:
                joined[index] = both
                break
        else:
            joined.append(plan)
    joined.sort(key=lambda plan: (-float(plan.box_lps[:, 2].mean()), plan.series_uids))
    return tuple(joined)


def plans_of(series: Series) -> list[BlockPlan]:
    """Return the blocks of one series, those of a single slice left out."""
    return [BlockPlan(block, block_affine(block), (series.uid,)) for block in series.blocks if len(block) > 1]


def _joined(one: BlockPlan, other: BlockPlan) -> BlockPlan | None:
    """Return both as one volume where one goes on where and when the other ends, on the same grid; else None."""
    mine, theirs = one.slices[0], other.slices[0]
    if one.shape[1:] != other.shape[1:] or mine.kernel.strip().upper() != theirs.kernel.strip().upper():
        return None
    if not np.allclose(one.affine.linear[:, 1:], other.affine.linear[:, 1:], rtol=0, atol=1e-6):
        return None
    stack = stack_slices([*one.slices, *other.slices])
    if len(stack.blocks) != 1 or stack.findings:
        return None
    first = {id(header) for header in one.slices}
    changes = [pair for pair in pairwise(stack.blocks[0]) if (id(pair[0]) in first) != (id(pair[1]) in first)]
    if len(changes) != 1 or is_pause(*changes[0]):
        return None
    uids = tuple(dict.fromkeys([*one.series_uids, *other.series_uids]))
    return BlockPlan(stack.blocks[0], block_affine(stack.blocks[0]), uids)
