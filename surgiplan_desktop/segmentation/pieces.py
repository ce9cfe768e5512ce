"""Pieces of bone and what can be said of them: sections along the body, and chains of pieces through the blocks of a scan.

A chain is one bone: its pieces in the blocks it passes, proximal first. Sections are measured across the body's long axis.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np

from surgiplan_desktop.base.arrays import BoolArray, FloatArray, IntArray
from surgiplan_desktop.base.spaces import Affine

#: Thickness of a section, mm.
SECTION_MM: Final = 3.0
#: Sections of one bone above and below a gap differ by less than this factor (a flare of the tibia doubles in 20 mm).
_LIKE_AREA: Final = 6.0
#: ... or by less than this one where they are judged by their place alone: a fibula is no tibia.
_MORE_LIKE_AREA: Final = 2.5
#: Pieces smaller than this are no bone that is named here, mm3.
SMALLEST_MM3: Final = 600.0


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """A connected piece of bone in one block.

    Attributes
    ----------
    block, number
        Block of the scan and code in that block's array of pieces.
    volume_mm3
        Marrow included.
    z_mm, area_mm2, centre_xy
        Sections from distal to proximal: height (n,), area (n,), centroid (n, 2) in LPS x, y.
    moments_mm2
        Covariance of each section's voxels: xx, xy, yy, (n, 3).
    low_cut, high_cut, side_cut
        Whether the block's lower, upper or any lateral edge cuts the piece.
    """

    block: int
    number: int
    volume_mm3: float
    z_mm: FloatArray
    area_mm2: FloatArray
    centre_xy: FloatArray
    moments_mm2: FloatArray
    low_cut: bool
    high_cut: bool
    side_cut: bool


@dataclass(frozen=True, slots=True, eq=False)
class Chain:
    """One bone: its pieces through the blocks, and their sections together."""

    pieces: tuple[Piece, ...]
    z_mm: FloatArray
    area_mm2: FloatArray
    centre_xy: FloatArray
    moments_mm2: FloatArray

    @property
    def low(self) -> float:
        """Lowest height, mm."""
        return float(self.z_mm[0])

    @property
    def high(self) -> float:
        """Highest height, mm."""
        return float(self.z_mm[-1])

    @property
    def length(self) -> float:
        """Height from end to end, mm."""
        return self.high - self.low + SECTION_MM

    @property
    def volume_mm3(self) -> float:
        """Volume, mm3."""
        return sum(piece.volume_mm3 for piece in self.pieces)

    @property
    def low_cut(self) -> bool:
        """Whether the scan ends before the lower end of the bone."""
        return min(self.pieces, key=lambda piece: float(piece.z_mm[0])).low_cut

    @property
    def high_cut(self) -> bool:
        """Whether the scan ends before the upper end of the bone."""
        return max(self.pieces, key=lambda piece: float(piece.z_mm[-1])).high_cut

    @property
    def cut(self) -> bool:
        """Whether any edge of the scan cuts the bone, between blocks or at its ends."""
        return any(piece.low_cut or piece.high_cut or piece.side_cut for piece in self.pieces)

    def between(self, low: float, high: float) -> BoolArray:
        """Tell which sections lie between two heights."""
        inside: BoolArray = (self.z_mm >= low) & (self.z_mm <= high)
        return inside

    def centre(self, low: float, high: float) -> FloatArray:
        """Centroid (x, y) of the bone between two heights; of the nearest section when there is none between."""
        inside = self.between(low, high)
        if not inside.any():
            inside[np.abs(self.z_mm - 0.5 * (low + high)).argmin()] = True
        weight = self.area_mm2[inside]
        result: FloatArray = (self.centre_xy[inside] * weight[:, None]).sum(axis=0) / weight.sum()
        return result

    def wide_axis(self, low: float, high: float) -> tuple[FloatArray, float]:
        """Direction (x, y), sign open, in which the sections between two heights are widest, and width over depth."""
        inside = self.between(low, high)
        if not inside.any():
            return np.array([1.0, 0.0]), 1.0
        xx, xy, yy = np.average(self.moments_mm2[inside], axis=0, weights=self.area_mm2[inside])
        values, vectors = np.linalg.eigh(np.array([[xx, xy], [xy, yy]]))
        return np.asarray(vectors[:, 1], dtype=np.float64), float(np.sqrt(values[1] / max(values[0], 1e-9)))

    @property
    def centroid(self) -> FloatArray:
        """Centroid (x, y, z), mm LPS."""
        xy = self.centre(self.low, self.high)
        return np.array([*xy, float((self.z_mm * self.area_mm2).sum() / self.area_mm2.sum())])


def measure_pieces(block: int, pieces: IntArray, affine: Affine) -> tuple[Piece, ...]:
    """Measure every piece of a block.

    Parameters
    ----------
    block
        Index of the block.
    pieces
        Codes 1.. of pieces, shape (k, j, i).
    affine
        Index (k, j, i) to LPS, mm.
    """
    index = np.argwhere(pieces > 0)
    if not len(index):
        return ()
    code = pieces[tuple(index.T)].astype(np.int64)
    points = affine(index.astype(np.float64))
    voxel = float(abs(np.linalg.det(affine.linear)))
    volumes = np.bincount(code) * voxel
    long_axis = int(np.abs(affine.linear[2]).argmax())
    rising = affine.linear[2, long_axis] > 0
    first, last = index == 0, index == np.array(pieces.shape) - 1
    beside = np.delete(first | last, long_axis, axis=1).any(axis=1)
    down, up = (first, last) if rising else (last, first)
    edges = [np.bincount(code, weights=flag, minlength=len(volumes)) for flag in (down[:, long_axis], up[:, long_axis], beside)]
    layer = np.floor(points[:, 2] / SECTION_MM).astype(np.int64)
    result = []
    for number in np.flatnonzero(volumes >= SMALLEST_MM3).tolist():
        mine = code == number
        here, xy = layer[mine], points[mine, :2]
        lowest = int(here.min())
        count = np.bincount(here - lowest)
        full = np.flatnonzero(count)
        sums = [np.bincount(here - lowest, weights=xy[:, axis])[full] / count[full] for axis in (0, 1)]
        centre = np.stack(sums, axis=1)
        place = np.zeros(len(count), dtype=np.int64)
        place[full] = np.arange(len(full))
        off = xy - centre[place[here - lowest]]
        products = (off[:, 0] ** 2, off[:, 0] * off[:, 1], off[:, 1] ** 2)
        moments = np.stack([np.bincount(here - lowest, weights=item)[full] / count[full] for item in products], axis=1)
        z = ((full + lowest + 0.5) * SECTION_MM).astype(np.float64)
        area = (count[full] * voxel / SECTION_MM).astype(np.float64)
        cut = [bool(edge[number] >= 4) for edge in edges]
        result.append(Piece(block, number, float(volumes[number]), z, area, centre, moments, *cut))
    return tuple(result)


def chain_of(pieces: Sequence[Piece]) -> Chain:
    """Put pieces together to one chain."""
    z, area, centre, moments = (
        np.concatenate([getattr(piece, name) for piece in pieces]) for name in ("z_mm", "area_mm2", "centre_xy", "moments_mm2")
    )
    order = np.argsort(z, kind="stable")
    by_block = tuple(sorted(pieces, key=lambda piece: piece.block))
    return Chain(by_block, z[order], area[order], centre[order], moments[order])


def link_blocks(pieces: Sequence[Piece]) -> tuple[Chain, ...]:
    """Chain pieces that continue each other from block to block.

    A piece cut by the lower edge of a block is continued by the piece of the next lower block that is cut by its upper edge,
    lies where the shaft points to, and has a section of like area. Each piece is used once, the best fit first. Of a short block
    the last stretch may be a flare that points elsewhere: what is left is linked where it lies under the end of the other.
    """
    heights: dict[int, float] = {}
    for piece in pieces:
        heights[piece.block] = max(heights.get(piece.block, -np.inf), float(piece.z_mm[-1]))
    order = sorted(heights, key=lambda block: -heights[block])
    follows: dict[int, int] = {}
    for upper, lower in pairwise(order):
        above = [n for n, piece in enumerate(pieces) if piece.block == upper and piece.low_cut]
        below = [n for n, piece in enumerate(pieces) if piece.block == lower and piece.high_cut]
        used: set[int] = set()
        for cost_of in (misfit, _aslant):
            fits = sorted((cost, a, b) for a in above for b in below if (cost := cost_of(pieces[a], pieces[b])) < 1.0)
            for _, a, b in fits:
                if a not in follows and b not in used:
                    follows[a] = b
                    used.add(b)
    continued = set(follows.values())
    chains = []
    for start in range(len(pieces)):
        if start in continued:
            continue
        members = [pieces[start]]
        here = start
        while here in follows:
            here = follows[here]
            members.append(pieces[here])
        chains.append(chain_of(members))
    return tuple(sorted(chains, key=lambda chain: -chain.volume_mm3))


def misfit(upper: Piece, lower: Piece) -> float:
    """How badly two pieces continue each other: below 1 they may."""
    z_upper, z_lower = float(upper.z_mm[0]), float(lower.z_mm[-1])
    gap = max(0.0, z_upper - z_lower)
    middle = 0.5 * (z_upper + z_lower)
    offset = float(np.linalg.norm(_towards(upper, middle, 0) - _towards(lower, middle, -1)))
    areas = _area_at(upper.area_mm2), _area_at(lower.area_mm2[::-1])
    ratio = max(areas) / max(min(areas), 1.0)
    return max(offset / (20.0 + 0.15 * gap), float(np.log(ratio) / np.log(_LIKE_AREA)))


def _aslant(upper: Piece, lower: Piece) -> float:
    """As :func:`misfit`, by the line between the two ends instead of where they point, and of more like sections."""
    gap = max(0.0, float(upper.z_mm[0] - lower.z_mm[-1]))
    ends = [piece.centre_xy[:3] if piece is upper else piece.centre_xy[-3:] for piece in (upper, lower)]
    offset = float(np.linalg.norm(ends[0].mean(axis=0) - ends[1].mean(axis=0)))
    areas = _area_at(upper.area_mm2), _area_at(lower.area_mm2[::-1])
    ratio = max(areas) / max(min(areas), 1.0)
    return max(offset / (20.0 + 0.15 * gap), float(np.log(ratio) / np.log(_MORE_LIKE_AREA)))


def _area_at(areas_mm2: FloatArray) -> float:
    """Area of the sections next to an end; the outermost one is only partly filled."""
    return float(np.median(areas_mm2[1:3] if len(areas_mm2) > 2 else areas_mm2))


def _towards(piece: Piece, height: float, end: int) -> FloatArray:
    """Where the axis of a piece, carried on from its lower (0) or upper (-1) end, passes a height."""
    near = np.abs(piece.z_mm - piece.z_mm[end]) <= 45.0
    z, xy = piece.z_mm[near], piece.centre_xy[near]
    if len(z) < 5:
        return np.asarray(xy.mean(axis=0), dtype=np.float64)
    slope = np.clip(np.polyfit(z, xy, 1)[0], -0.35, 0.35)
    result: FloatArray = xy.mean(axis=0) + slope * (height - z.mean())
    return result
