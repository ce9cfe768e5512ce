"""Separation of a solid bone mask at its joints.

The depth of a voxel (distance to the nearest voxel that is not bone) makes a landscape: every bone is a mountain, a joint where
two bones touch is a pass. Voxels climb to their summit (basins of steepest ascent), and basins are joined over passes, highest
first, as long as the pass is not much lower than the smaller summit (watershed by dynamics, relative to the size of the bone).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from surgiplan_desktop.base.arrays import BoolArray, FloatArray, IntArray

#: Two summits belong to one bone when the pass between them has at least this share of the smaller one's depth.
SAME_BONE: Final = 0.5
#: ... or lies less than this below it, mm (bumps).
BUMP_MM: Final = 1.0
#: ... or when they share a face of this many times the smaller one's girth (pi depth^2) with a pass of at least WIDE_PASS.
WIDE_FACE: Final = 4.0
WIDE_PASS: Final = 0.35

_Index = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class _Landscape:
    """Bone voxels as a list: flat index in the padded grid, height, basin; and the passes between basins."""

    shape: tuple[int, int, int]
    flat: _Index
    table: NDArray[np.int32]
    basin: _Index
    summit: FloatArray


def separate(solid: BoolArray, spacing_mm: FloatArray) -> IntArray:
    """Part a solid mask into single bones.

    Parameters
    ----------
    solid
        Bone voxels with marrow filled, shape (k, j, i).
    spacing_mm
        Along k, j, i.

    Returns
    -------
    IntArray
        int32 of the same shape: 0 background, pieces 1.. by descending size.
    """
    if not solid.any():
        return np.zeros(solid.shape, dtype=np.int32)
    depth = ndimage.distance_transform_edt(np.pad(solid, 1, mode="edge"), sampling=spacing_mm).astype(np.float32)
    depth = ndimage.gaussian_filter(depth, np.minimum(0.7 / spacing_mm, 1.0))[1:-1, 1:-1, 1:-1] * solid
    land, height = _climb(depth)
    passes, levels = _passes(land, height)
    owner = _join_over_passes(land.summit, passes, levels)
    owner = _join_wide_faces(land, height, owner, spacing_mm)
    names, member = np.unique(owner, return_inverse=True)
    sizes = np.bincount(member[land.basin], minlength=len(names))
    rank = np.zeros(len(names), dtype=np.int32)
    rank[np.argsort(-sizes, kind="stable")] = np.arange(1, len(names) + 1)
    result = np.zeros(int(np.prod(land.shape)), dtype=np.int32)
    result[land.flat] = rank[member[land.basin]]
    return result.reshape(land.shape)[1:-1, 1:-1, 1:-1].copy()


def _offsets(shape: tuple[int, int, int]) -> list[int]:
    return [(k * shape[1] + j) * shape[2] + i for k, j, i in product((-1, 0, 1), repeat=3) if (k, j, i) != (0, 0, 0)]


def _climb(depth: NDArray[np.float32]) -> tuple[_Landscape, FloatArray]:
    padded = np.pad(depth, 1)
    shape = (padded.shape[0], padded.shape[1], padded.shape[2])
    flat = np.flatnonzero(padded > 0).astype(np.int64)
    table = np.full(padded.size, -1, dtype=np.int32)
    table[flat] = np.arange(len(flat), dtype=np.int32)
    height = padded.ravel()[flat].astype(np.float64)
    best, best_height = np.arange(len(flat)), height.copy()
    for offset in _offsets(shape):
        other = table[flat + offset]
        other_height = np.where(other >= 0, height[other], -1.0)
        higher = (other_height > best_height) | ((other_height == best_height) & (other > best))
        best[higher], best_height[higher] = other[higher], other_height[higher]
    while not np.array_equal(best, best[best]):
        best = best[best]
    roots, basin = np.unique(best, return_inverse=True)
    return _Landscape(shape, flat, table, basin.astype(np.int64), height[roots]), height


def _passes(land: _Landscape, height: FloatArray) -> tuple[_Index, FloatArray]:
    """Return pairs of neighbouring basins, shape (p, 2), and the height of the highest pass between them, highest first."""
    count = len(land.summit)
    codes, levels = [np.zeros(0, dtype=np.int64)], [np.zeros(0)]
    for offset in _offsets(land.shape):
        if offset < 0:
            continue
        one, two = _neighbours(land, offset)
        low, high = np.minimum(land.basin[one], land.basin[two]), np.maximum(land.basin[one], land.basin[two])
        across = low != high
        codes.append(low[across] * count + high[across])
        levels.append(np.minimum(height[one], height[two])[across])
    code, level = np.concatenate(codes), np.concatenate(levels)
    order = np.lexsort((-level, code))
    code, level = code[order], level[order]
    first = np.r_[True, code[1:] != code[:-1]] if len(code) else np.zeros(0, dtype=np.bool_)
    code, level = code[first], level[first]
    order = np.lexsort((code, -level))
    code, level = code[order], level[order]
    return np.stack([code // count, code % count], axis=1), level


def _neighbours(land: _Landscape, offset: int) -> tuple[_Index, _Index]:
    other = land.table[land.flat + offset]
    one = np.flatnonzero(other >= 0)
    return one, other[one].astype(np.int64)


def _join_over_passes(summit: FloatArray, passes: _Index, levels: FloatArray) -> _Index:
    owner = list(range(len(summit)))
    top = summit.tolist()
    for (a, b), level in zip(passes.tolist(), levels.tolist(), strict=True):
        one, two = _root(owner, a), _root(owner, b)
        if one == two:
            continue
        smaller = min(top[one], top[two])
        if level >= SAME_BONE * smaller or smaller - level <= BUMP_MM:
            keep, gone = (one, two) if (top[one], -one) >= (top[two], -two) else (two, one)
            owner[gone] = keep
    return np.array([_root(owner, item) for item in range(len(owner))], dtype=np.int64)


def _root(owner: list[int], item: int) -> int:
    while owner[item] != item:
        owner[item] = owner[owner[item]]
        item = owner[item]
    return item


def _join_wide_faces(land: _Landscape, height: FloatArray, owner: _Index, spacing_mm: FloatArray) -> _Index:
    """Join pieces that share a wide face: a bone cut by noise in thin spongy bone, not two bones at a joint."""
    count = len(owner)
    while True:
        for code, area, level in _shared_faces(land, height, owner, spacing_mm):
            a, b = divmod(code, count)
            smaller = min(float(land.summit[a]), float(land.summit[b]))
            if level >= WIDE_PASS * smaller and area >= WIDE_FACE * np.pi * smaller**2:
                keep, gone = (a, b) if land.summit[a] >= land.summit[b] else (b, a)
                owner = np.where(owner == gone, keep, owner)
                break
        else:
            return owner


def _shared_faces(land: _Landscape, height: FloatArray, owner: _Index, spacing_mm: FloatArray) -> list[tuple[int, float, float]]:
    """Return (code of the pair, shared area in mm2, highest pass) of pieces that touch, widest first."""
    piece, count = owner[land.basin], len(owner)
    shares: dict[int, tuple[float, float]] = {}
    for axis, offset in enumerate((land.shape[1] * land.shape[2], land.shape[2], 1)):
        face_mm2 = float(np.prod(spacing_mm) / spacing_mm[axis])
        one, two = _neighbours(land, offset)
        first, second = piece[one], piece[two]
        across = first != second
        codes = np.minimum(first, second)[across] * count + np.maximum(first, second)[across]
        names, inverse, faces = np.unique(codes, return_inverse=True, return_counts=True)
        highest = np.zeros(len(names))
        np.maximum.at(highest, inverse, np.minimum(height[one], height[two])[across])
        for name, number, high in zip(names.tolist(), faces.tolist(), highest.tolist(), strict=True):
            area, so_far = shares.get(name, (0.0, 0.0))
            shares[name] = (area + number * face_mm2, max(so_far, high))
    return sorted(((name, area, level) for name, (area, level) in shares.items()), key=lambda item: (-item[1], item[0]))
