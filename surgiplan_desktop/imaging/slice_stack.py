"""Geometry of a stack of slices from their positions alone: order, spacing, gaps, missing slices, tilt.

Slice thickness, slice location, tilt tag and instance numbers are never used: they lie (data trap list). The order is by
projection of the positions on the normal (row direction x column direction), so (i, j, k) is right-handed. DICOM PS3.3 C.7.6.2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Literal

import numpy as np

from surgiplan_desktop.base.arrays import FloatArray, unit
from surgiplan_desktop.base.spaces import Affine
from surgiplan_desktop.imaging.dicom_header import SliceHeader

#: Slices that lie on an even ladder to this share of the spacing are even (jitter below 1 % of the spacing).
JITTER: Final = 0.01
#: Below this a difference of positions is rounding of decimal strings, mm.
ROUNDING_MM: Final = 0.01
#: Positions written with one decimal are rounded by up to this, mm: more than 1 % of a thin spacing, and yet no jitter.
COARSE_ROUNDING_MM: Final = 0.05
#: A step longer than this, and longer than GAP_STEPS steps, is the gap between two blocks, not missing slices (mm).
GAP_MM: Final = 10.0
GAP_STEPS: Final = 5.0
#: Slices that jump sideways by more than this against the step before belong to another block: another field of view (mm).
JUMP_MM: Final = 20.0
#: A stack that moves sideways by more than this, and by this share of its length, is tilted; less is rounding of directions.
DRIFT_MM: Final = 0.05
DRIFT_SHARE: Final = 1e-4

StackCode = Literal["tilt", "gap", "missing_slices", "uneven", "duplicate_position", "duplicate_uid"]


@dataclass(frozen=True, slots=True)
class StackFinding:
    """What is wrong with a stack: code, parameters for the text, and the files concerned."""

    code: StackCode
    parameters: tuple[tuple[str, str | int | float | bool], ...]
    files: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Stack:
    """Slices of one orientation and size in the order of their positions, cut into blocks at gaps.

    ``blocks`` holds the headers of each block from the lowest to the highest projection on the normal; ``doubles`` those that
    show the same place, the one in the block first. There is at most one finding of each code.
    """

    blocks: tuple[tuple[SliceHeader, ...], ...]
    findings: tuple[StackFinding, ...]
    doubles: tuple[tuple[SliceHeader, ...], ...] = ()


def directions_of(header: SliceHeader) -> tuple[FloatArray, FloatArray]:
    """Return the unit directions of rows (increasing column index i) and of columns (increasing row index j), LPS.

    They are exactly at right angles: what the digits of the file leave over is taken from the direction of the columns.
    """
    if header.orientation is None:
        raise ValueError("the slice has no orientation")
    row, column = unit(np.array(header.orientation[:3])), np.array(header.orientation[3:])
    return row, unit(column - (column @ row) * row)


def normal_of(header: SliceHeader) -> FloatArray:
    """Return the unit normal, row direction x column direction, LPS."""
    return unit(np.cross(*directions_of(header)))


def positions_of(headers: Sequence[SliceHeader]) -> FloatArray:
    """Return the positions of the first voxels, shape (n, 3), LPS mm."""
    return np.array([header.position for header in headers], dtype=np.float64).reshape(-1, 3)


def block_affine(block: Sequence[SliceHeader]) -> Affine:
    """Return index (k, j, i) -> LPS mm of an ordered, even block; the slice step is the mean step of the positions.

    A drift sideways within the rounding of the directions is dropped, so that the axes are at right angles. Slices that are
    missing leave the step too long: repaired series have an affine of their own.
    """
    header = block[0]
    if header.pixel_spacing is None or len(block) < 2:
        raise ValueError("a block needs a pixel spacing and two slices")
    row, column = directions_of(header)
    positions = positions_of(block)
    step = (positions[-1] - positions[0]) / (len(block) - 1)
    normal = np.cross(row, column)
    along = float(step @ normal) * normal
    if float(np.linalg.norm(step - along)) * (len(block) - 1) <= _straight(block, float(step @ normal) * (len(block) - 1)):
        step = along
    between_rows, between_columns = header.pixel_spacing
    return Affine.from_parts(np.column_stack([step, column * between_rows, row * between_columns]), positions[0])


def _straight(block: Sequence[SliceHeader], length_mm: float) -> float:
    """Return how far a block of this length may move sideways and still count as straight, mm."""
    return max(DRIFT_MM, DRIFT_SHARE * abs(length_mm), 4 * _rounding(block))


def stack_slices(headers: Sequence[SliceHeader]) -> Stack:
    """Order slices of one orientation and size, cut them at gaps, and say what is not even.

    Parameters
    ----------
    headers
        At least one; all with position, orientation and pixel spacing, orientations alike.
    """
    normal = normal_of(headers[0])
    heights = positions_of(headers) @ normal
    order = sorted(range(len(headers)), key=lambda index: (heights[index], headers[index].name, headers[index].frame_index))
    ordered = [headers[index] for index in order]
    unique, doubles, findings = _without_duplicates(ordered, heights[order])
    blocks = _cut_at_gaps(unique, normal)
    if len(blocks) > 1:
        borders = tuple(name for below, above in pairwise(blocks) for name in (below[-1].name, above[0].name))
        widest = max(
            float((positions_of([above[0]]) - positions_of([below[-1]]))[0] @ normal) for below, above in pairwise(blocks)
        )
        findings.append(StackFinding("gap", (("blocks", len(blocks)), ("widest_mm", round(widest, 3))), borders))
    ladders = [ladder_of(block) for block in blocks if len(block) > 1]
    findings += _evenness(ladders)
    return Stack(tuple(blocks), tuple(findings), tuple(doubles))


@dataclass(frozen=True, slots=True, eq=False)
class Ladder:
    """How the slices of one block lie, measured from the first one.

    ``heights`` and ``sideways`` (n, 3) are the positions along and across the normal, mm; ``rungs`` the whole-numbered place of
    each slice on the even ladder that fits best, ``spacing`` its step (mm), ``off`` each slice's distance from its rung along the
    normal (mm), ``lean`` (3,) what a straight stack moves sideways for each mm of height, ``beside`` each slice's distance from
    that straight line (mm), ``tolerance`` what counts as rounding or jitter (mm).
    """

    block: tuple[SliceHeader, ...]
    heights: FloatArray
    sideways: FloatArray
    rungs: FloatArray
    spacing: float
    off: FloatArray
    lean: FloatArray
    beside: FloatArray
    tolerance: float

    @property
    def is_uneven(self) -> bool:
        """Whether slices lie off the ladder, or beside the straight line."""
        return bool((self.off > self.tolerance).any() or (self.beside > max(self.tolerance, self.straight)).any())

    @property
    def straight(self) -> float:
        """How far the block may drift sideways and still count as straight, mm."""
        return _straight(self.block, float(self.heights[-1]))

    @property
    def is_tilted(self) -> bool:
        """Whether the block as a whole leans."""
        return float(np.linalg.norm(self.lean)) * float(self.heights[-1]) > self.straight

    @property
    def is_even(self) -> bool:
        """Whether the block can be read as it is."""
        return not self.is_uneven and not self.is_tilted and int(self.rungs[-1]) == len(self.block) - 1


def ladder_of(block: tuple[SliceHeader, ...]) -> Ladder:
    """Measure how an ordered block of at least two slices lies."""
    normal = normal_of(block[0])
    relative = positions_of(block) - positions_of(block[:1])
    heights = relative @ normal
    sideways = relative - np.multiply.outer(heights, normal)
    steps = np.diff(heights)
    rungs = np.concatenate([[0.0], np.cumsum(np.maximum(np.rint(steps / float(np.median(steps))), 1.0))])
    spacing, start = np.polyfit(rungs, heights, 1) if len(block) > 2 else (float(heights[-1]), 0.0)
    tolerance = max(JITTER * float(spacing), ROUNDING_MM / 2, _rounding(block))
    # Slopes between slices half a block apart: rounding counts less than between neighbours, and one odd slice for nothing.
    far = len(block) // 2
    lean = np.median((sideways[far:] - sideways[:-far]) / (heights[far:] - heights[:-far])[:, None], axis=0)
    beside = sideways - np.multiply.outer(heights, lean)
    return Ladder(
        block=block,
        heights=heights,
        sideways=sideways,
        rungs=rungs,
        spacing=float(spacing),
        off=np.abs(heights - start - spacing * rungs),
        lean=lean,
        beside=np.asarray(np.linalg.norm(beside - np.median(beside, axis=0), axis=1), dtype=np.float64),
        tolerance=tolerance,
    )


def _rounding(block: Sequence[SliceHeader]) -> float:
    """Return half a unit of the last decimal in which the positions are written, at most COARSE_ROUNDING_MM, and a fifth more.

    Even places rounded to a unit follow each other in steps of two neighbouring whole numbers of it: what scatters more was not
    even before. The ladder is fitted to rounded places, so that the worst of them lies a little further from it.
    """
    positions = positions_of(block)
    moves = np.diff(positions, axis=0)
    lengths = np.linalg.norm(moves, axis=1)
    usual = moves[lengths < 1.5 * np.median(lengths)]
    for unit_mm in (2 * COARSE_ROUNDING_MM, 0.2 * COARSE_ROUNDING_MM):
        whole = np.allclose(positions / unit_mm, np.rint(positions / unit_mm), rtol=0, atol=1e-6)
        if whole and len(usual) and float(np.ptp(usual, axis=0).max()) < 1.5 * unit_mm:
            return 0.6 * unit_mm
    return 0.0


def _without_duplicates(
    ordered: list[SliceHeader], heights: FloatArray
) -> tuple[list[SliceHeader], list[tuple[SliceHeader, ...]], list[StackFinding]]:
    by_uid: dict[tuple[str, int], list[SliceHeader]] = {}
    for header in ordered:
        by_uid.setdefault((header.sop_uid, header.frame_index), []).append(header)
    same_uid = [header for (uid, _), group in by_uid.items() if uid and len(group) > 1 for header in group]
    places: list[list[SliceHeader]] = [[ordered[0]]]
    last = heights[0]
    for header, height in zip(ordered[1:], heights[1:], strict=True):
        if height - last > ROUNDING_MM:
            places.append([header])
            last = height
        else:
            places[-1].append(header)
    doubles = [tuple(place) for place in places if len(place) > 1]
    doubled = [header for place in doubles for header in place]
    findings = [_duplicates("duplicate_uid", same_uid)] if same_uid else []
    if {id(header) for header in doubled} - {id(header) for header in same_uid}:
        findings.append(_duplicates("duplicate_position", doubled))
    return [place[0] for place in places], doubles, findings


def _duplicates(code: StackCode, headers: Sequence[SliceHeader]) -> StackFinding:
    names = tuple(dict.fromkeys(header.name for header in headers))
    return StackFinding(code, (("files", len(headers)),), names)


def _cut_at_gaps(ordered: list[SliceHeader], normal: FloatArray) -> list[tuple[SliceHeader, ...]]:
    if len(ordered) < 3:
        return [tuple(ordered)]
    positions = positions_of(ordered)
    moves = np.diff(positions, axis=0)
    steps = moves @ normal
    limit = max(GAP_MM, GAP_STEPS * float(np.median(steps)))
    aside = moves - np.multiply.outer(steps, normal)
    jumps = np.linalg.norm(aside - np.multiply.outer(steps, np.median(aside / steps[:, None], axis=0)), axis=1)
    cuts = [0, *(int(index) + 1 for index in np.flatnonzero((steps > limit) | (jumps > JUMP_MM))), len(ordered)]
    return [tuple(ordered[start:end]) for start, end in pairwise(cuts)]


def _evenness(ladders: Sequence[Ladder]) -> list[StackFinding]:
    """Say which slices are missing or uneven, and whether the blocks are tilted."""
    findings = []
    uneven = [ladder for ladder in ladders if ladder.is_uneven]
    holed = [ladder for ladder in ladders if not ladder.is_uneven and ladder.rungs[-1] > len(ladder.block) - 1]
    tilted = [ladder for ladder in ladders if ladder.is_tilted]
    if holed:
        findings.append(_missing(holed))
    if uneven:
        findings.append(_uneven(uneven))
    if tilted:
        lean = max(float(np.linalg.norm(ladder.lean)) for ladder in tilted)
        findings.append(StackFinding("tilt", (("degrees", round(float(np.degrees(np.arctan(lean))), 2)),)))
    return findings


def _missing(ladders: Sequence[Ladder]) -> StackFinding:
    holes = [(ladder, int(index)) for ladder in ladders for index in np.flatnonzero(np.diff(ladder.rungs) > 1)]
    lacking = [int(ladder.rungs[index + 1] - ladder.rungs[index]) - 1 for ladder, index in holes]
    widest = max(float(ladder.heights[index + 1] - ladder.heights[index]) for ladder, index in holes)
    values = (
        ("count", sum(lacking)),
        ("together", max(lacking)),
        ("spacing_mm", round(ladders[0].spacing, 4)),
        ("largest_mm", round(widest, 3)),
    )
    return StackFinding("missing_slices", values, _beside(holes))


def _uneven(ladders: Sequence[Ladder]) -> StackFinding:
    places = []
    for ladder in ladders:
        steps = np.diff(ladder.heights)
        odd = np.abs(steps - float(np.median(steps))) > 2 * ladder.tolerance
        out = (ladder.off > ladder.tolerance) | (ladder.beside > max(ladder.tolerance, ladder.straight))
        places += [(ladder, int(index)) for index in np.flatnonzero(odd if odd.any() else out[:-1] | out[1:])]
    values = (
        ("smallest_mm", round(min(float(np.diff(ladder.heights).min()) for ladder in ladders), 4)),
        ("largest_mm", round(max(float(np.diff(ladder.heights).max()) for ladder in ladders), 4)),
        ("sideways_mm", round(max(float(ladder.beside.max()) for ladder in ladders), 4)),
    )
    return StackFinding("uneven", values, _beside(places))


def _beside(places: Sequence[tuple[Ladder, int]]) -> tuple[str, ...]:
    """Names of the files on both sides of these steps."""
    return tuple(dict.fromkeys(ladder.block[index + near].name for ladder, index in places for near in (0, 1)))
