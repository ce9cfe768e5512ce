"""Geometry of a stack of slices from their positions alone: order, spacing, gaps, missing slices, tilt.

Slice thickness, slice location and instance numbers are never used: they lie (data trap list). The order is by projection of
the positions on the normal (row direction x column direction), so (i, j, k) is right-handed. DICOM PS3.3 C.7.6.2.
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

#: Slices spaced evenly to this share of the spacing are even (issue of import: jitter below 1 % of spacing).
JITTER: Final = 0.01
#: Below this a difference of positions is rounding of decimal strings, mm.
ROUNDING_MM: Final = 0.01
#: A step longer than this, and longer than GAP_STEPS steps, is the gap between two blocks, not missing slices (mm).
GAP_MM: Final = 10.0
GAP_STEPS: Final = 5.0
#: A stack that moves sideways by more than this from its first to its last slice is tilted (mm); less is rounding of directions.
DRIFT_MM: Final = 0.05

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

    ``blocks`` holds the headers of each block from the lowest to the highest projection on the normal.
    """

    blocks: tuple[tuple[SliceHeader, ...], ...]
    findings: tuple[StackFinding, ...]


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

    A drift sideways within the rounding of the directions is dropped, so that the axes are at right angles.
    """
    header = block[0]
    if header.pixel_spacing is None or len(block) < 2:
        raise ValueError("a block needs a pixel spacing and two slices")
    row, column = directions_of(header)
    positions = positions_of(block)
    step = (positions[-1] - positions[0]) / (len(block) - 1)
    normal = np.cross(row, column)
    along = float(step @ normal) * normal
    if float(np.linalg.norm(step - along)) * (len(block) - 1) <= DRIFT_MM:
        step = along
    between_rows, between_columns = header.pixel_spacing
    return Affine.from_parts(np.column_stack([step, column * between_rows, row * between_columns]), positions[0])


def stack_slices(headers: Sequence[SliceHeader]) -> Stack:
    """Order slices of one orientation and size, cut them at gaps, and say what is not even.

    Parameters
    ----------
    headers
        At least one; all with position, orientation and pixel spacing, orientations alike.
    """
    normal = normal_of(headers[0])
    heights = positions_of(headers) @ normal
    order = sorted(range(len(headers)), key=lambda index: (heights[index], headers[index].name))
    ordered = [headers[index] for index in order]
    unique, findings = _without_duplicates(ordered, heights[order])
    blocks = _cut_at_gaps(unique, positions_of(unique) @ normal)
    if len(blocks) > 1:
        borders = tuple(name for below, above in pairwise(blocks) for name in (below[-1].name, above[0].name))
        widest = max(
            float((positions_of([above[0]]) - positions_of([below[-1]]))[0] @ normal) for below, above in pairwise(blocks)
        )
        findings.append(StackFinding("gap", (("blocks", len(blocks)), ("widest_mm", round(widest, 3))), borders))
    for block in blocks:
        findings.extend(_evenness(block, normal))
    return Stack(tuple(blocks), tuple(findings))


def _without_duplicates(ordered: list[SliceHeader], heights: FloatArray) -> tuple[list[SliceHeader], list[StackFinding]]:
    findings: list[StackFinding] = []
    by_uid: dict[str, list[str]] = {}
    for header in ordered:
        by_uid.setdefault(header.sop_uid, []).append(header.name)
    same_uid = tuple(name for uid, names in by_uid.items() if uid and len(names) > 1 for name in names)
    if same_uid:
        findings.append(StackFinding("duplicate_uid", (("files", len(same_uid)),), same_uid))
    unique = [ordered[0]]
    last = heights[0]
    doubled: list[str] = []
    for header, height in zip(ordered[1:], heights[1:], strict=True):
        if height - last > ROUNDING_MM:
            unique.append(header)
            last = height
        else:
            doubled += [unique[-1].name, header.name]
    if set(doubled) - set(same_uid):
        names = tuple(dict.fromkeys(doubled))
        findings.append(StackFinding("duplicate_position", (("files", len(names)),), names))
    return unique, findings


def _cut_at_gaps(ordered: list[SliceHeader], heights: FloatArray) -> list[tuple[SliceHeader, ...]]:
    if len(ordered) < 3:
        return [tuple(ordered)]
    steps = np.diff(heights)
    limit = max(GAP_MM, GAP_STEPS * float(np.median(steps)))
    cuts = [0, *(int(index) + 1 for index in np.flatnonzero(steps > limit)), len(ordered)]
    return [tuple(ordered[start:end]) for start, end in pairwise(cuts)]


def _evenness(block: tuple[SliceHeader, ...], normal: FloatArray) -> list[StackFinding]:
    """Find missing slices, uneven spacing and tilt in one block."""
    if len(block) < 2:
        return []
    findings: list[StackFinding] = []
    positions = positions_of(block)
    steps = np.diff(positions @ normal)
    spacing = float(np.median(steps))
    tolerance = max(JITTER * spacing, ROUNDING_MM)
    times = np.rint(steps / spacing)
    whole = np.abs(steps - times * spacing) <= np.maximum(tolerance, JITTER * steps)
    missing = whole & (times >= 2)
    uneven = ~whole | (times < 1)
    if missing.any() and not uneven.any():
        names = tuple(name for index in np.flatnonzero(missing) for name in (block[index].name, block[index + 1].name))
        count = int((times[missing] - 1).sum())
        findings.append(StackFinding("missing_slices", (("count", count), ("spacing_mm", round(spacing, 4))), names))
    if uneven.any():
        names = tuple(
            dict.fromkeys(
                name for index in np.flatnonzero(uneven | missing) for name in (block[index].name, block[index + 1].name)
            )
        )
        values = (("smallest_mm", round(float(steps.min()), 4)), ("largest_mm", round(float(steps.max()), 4)))
        findings.append(StackFinding("uneven", values, names))
    direction = positions[-1] - positions[0]
    along = float(direction @ normal)
    drift = float(np.linalg.norm(direction - along * normal))
    angle = float(np.degrees(np.arctan2(drift, along)))
    sideways = positions - positions[0] - np.multiply.outer((positions - positions[0]) @ normal / along, direction)
    if drift > DRIFT_MM:
        findings.append(StackFinding("tilt", (("degrees", round(angle, 2)),)))
    off = np.linalg.norm(sideways, axis=1)
    if not uneven.any() and not missing.any():
        off = np.hypot(
            off, positions @ normal - np.linspace(float(positions[0] @ normal), float(positions[-1] @ normal), len(block))
        )
    if not uneven.any() and (off > max(tolerance, DRIFT_MM)).any():
        names = tuple(block[index].name for index in np.flatnonzero(off > max(tolerance, DRIFT_MM)))
        findings.append(StackFinding("uneven", (("off_place_mm", round(float(off.max()), 4)),), names))
    return findings
