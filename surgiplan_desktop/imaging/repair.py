"""Read a block whose slices are tilted, uneven, missing or double into a volume, with the user's consent, and say what was done.

Nothing is made up silently: slices that lie between slices far apart are named (``Repair.stretches``), the error is told, and
the transform of the slices as they were is kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from surgiplan_desktop.base.arrays import frozen
from surgiplan_desktop.base.errors import InputDataError
from surgiplan_desktop.base.progress import SILENT, Progress
from surgiplan_desktop.imaging.dicom_blocks import BlockPlan
from surgiplan_desktop.imaging.dicom_read import read_block, read_slice
from surgiplan_desktop.imaging.repair_plan import RepairPlan
from surgiplan_desktop.imaging.resample import (
    Grid,
    ResampleError,
    even_spacing,
    grid_over,
    matrix_rows,
    resample_slices,
    tilt_parameters,
)
from surgiplan_desktop.imaging.slice_stack import Ladder, block_affine, directions_of, ladder_of, positions_of
from surgiplan_desktop.imaging.sources import Sources
from surgiplan_desktop.model.images import Volume
from surgiplan_desktop.model.study import Repair


def read_repaired(
    sources: Sources, plan: BlockPlan, repairs: Sequence[RepairPlan], *, progress: Progress = SILENT
) -> tuple[Volume, tuple[Repair, ...]]:
    """Read one block and mend what its positions show.

    Parameters
    ----------
    plan
        Slices in order; doubles and cut files are no longer among them.
    repairs
        What the user consented to, of the series the block belongs to.

    Returns
    -------
    tuple
        The volume on an orthogonal, even, right-handed grid, and what was done to it; nothing was where the block is sound and
        no file of the series was left out.

    Raises
    ------
    InputDataError
        A file cannot be read; the error names it. ``image_too_large`` where memory cannot hold the volume.
    ValueError
        The block has a defect to whose repair nobody consented.
    """
    left_out = [Repair(repair.kind, repair.parameters) for repair in repairs if repair.kind in _LEAVING_OUT]
    ladder = ladder_of(plan.slices)
    if ladder.is_even:
        return read_block(sources, plan, progress=progress), tuple(left_out)
    kinds = _kinds(ladder)
    if not kinds <= {repair.kind for repair in repairs}:
        raise ValueError(f"no consent to repair {kinds}")
    grid = repaired_grid(ladder)
    try:
        voxels, error = resample_slices(lambda index: read_slice(sources, plan.slices[index]), grid, progress=progress)
    except MemoryError as shortage:
        name = sources.full_name(plan.slices[0].name)
        raise InputDataError("image_too_large", file=name, columns=grid.shape[2], rows=grid.shape[1]) from shortage
    done = [*left_out, *(_done(kind, ladder, grid, error) for kind in sorted(kinds))]
    return Volume(frozen(voxels), grid.affine), tuple(done)


#: Uneven slices further apart than this, or than 1.5 usual steps, leave a hole: no guide on slices so thick (practice.md 24), mm.
HOLE_MM: Final = 1.5
_LEAVING_OUT: Final = frozenset({"duplicate_position", "duplicate_uid", "truncated"})


def repaired_grid(ladder: Ladder) -> Grid:
    """Return the grid on which a block is laid: its own spacing where slices are only missing, else one found for it."""
    first = ladder.block[0]
    if first.pixel_spacing is None:
        raise ValueError("a block needs a pixel spacing")
    row, column = directions_of(first)
    normal = np.cross(row, column)
    usual = float(np.median(np.diff(ladder.heights)))
    off_ladder = bool((ladder.off > ladder.tolerance).any())
    if off_ladder:
        step = even_spacing(ladder.heights, min(*first.pixel_spacing, usual / 2))
        heights = ladder.heights
    else:
        step = float(ladder.heights[-1] / ladder.rungs[-1])
        heights = ladder.rungs * step
    leans = ladder.is_tilted or bool((ladder.beside > max(ladder.tolerance, ladder.straight)).any())
    sideways = ladder.sideways if leans else np.zeros_like(ladder.sideways)
    positions = positions_of(ladder.block)[0] + np.multiply.outer(heights, normal) + sideways
    hole = min(1.5 * usual, HOLE_MM) if off_ladder else 0.0
    return grid_over(positions, row, column, first.pixel_spacing, (first.rows, first.columns), step, hole)


def _kinds(ladder: Ladder) -> set[str]:
    kinds = {"tilt"} if ladder.is_tilted else set()
    if ladder.is_uneven:
        return kinds | {"uneven"}
    return kinds | ({"missing_slices"} if ladder.rungs[-1] > len(ladder.block) - 1 else set())


def _done(kind: str, ladder: Ladder, grid: Grid, error: ResampleError) -> Repair:
    if kind == "tilt":
        degrees = float(np.degrees(np.arctan(np.linalg.norm(ladder.lean))))
        even = not ladder.is_uneven and int(ladder.rungs[-1]) == len(ladder.block) - 1
        original = matrix_rows(block_affine(ladder.block)) if even else None
        return Repair("tilt", tilt_parameters(degrees, grid, error.in_plane_hu), original)
    steps = np.diff(ladder.heights)
    told = (
        ("slices", len(ladder.block)),
        ("made", grid.shape[0]),
        ("spacing_mm", round(float(grid.affine.spacing[0]), 4)),
        ("largest_mm", round(float(steps.max()), 3)),
        ("off_grid_mm", round(grid.off_grid_mm, 3)),
        ("error_hu", round(error.across_hu, 1)),
    )
    mended = Repair("uneven" if kind == "uneven" else "missing_slices", told)
    return replace(mended, stretches=grid.stretches)
