"""Overlapping blocks of one scan checked against each other by the bone that both show (clinical.md A.4).

The surface of the shared shaft in the upper block is laid on that in the lower one (point to plane, Chen and Medioni 1992). What
a shaft cannot show, such as a shift along a smooth cylinder, is left out of the answer and never guessed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np

from surgiplan_desktop.base.arrays import BoolArray, FloatArray, IntArray
from surgiplan_desktop.base.progress import SILENT, Progress
from surgiplan_desktop.geometry.distance import closest_points
from surgiplan_desktop.model.anatomy import BoneId
from surgiplan_desktop.model.mesh import Bone, BonePart
from surgiplan_desktop.planning.limits import default_limits

#: Vertices nearer to the end of the overlap than this have no partner in the other block, mm.
_MARGIN_MM: Final = 2.0
_ROUNDS: Final = 40
#: The first rounds only shift: a section with three corners could else be turned on to the wrong ones.
_SHIFTING_ROUNDS: Final = 8
_STILL_MM: Final = 1e-4
#: Fewer points than this are no shaft; more are thinned.
_LEAST_POINTS: Final = 60
_MOST_POINTS: Final = 3000
#: A direction of motion is determined when the surface's normals see at least this share of it (rms).
_SEEN: Final = 0.1


@dataclass(frozen=True, slots=True)
class BlockOverlap:
    """Two blocks and how far they disagree about the bones both show.

    ``mm`` is the displacement in the middle of the overlap, ``deg`` the turn, ``rms_mm`` what is left between the surfaces after
    both; all None where the shared piece of bone is too short or not there.
    """

    upper: int
    lower: int
    height_mm: float
    bones: tuple[BoneId, ...] = ()
    mm: float | None = None
    deg: float | None = None
    rms_mm: float | None = None


def compare_blocks(
    heights: tuple[tuple[float, float], ...], *bones: Bone, progress: Progress = SILENT
) -> tuple[BlockOverlap, ...]:
    """Compare every pair of neighbouring blocks that overlap.

    Parameters
    ----------
    heights
        Lowest and highest voxel centre of each block along the body, mm, in the order of the blocks.
    bones
        Bones of one leg in all their parts; those of one leg move together (femur alone above, tibia and fibula below the knee).
    progress
        Reports one step a pair.

    Returns
    -------
    tuple of BlockOverlap
        One entry for each pair that overlaps by as much as shows a tilt (limit ``overlap.least_mm``).
    """
    least = default_limits()["overlap.least_mm"]
    order = sorted(range(len(heights)), key=lambda number: -sum(heights[number]))
    result = []
    for step, (upper, lower) in enumerate(pairwise(order)):
        progress.step(step, len(order), "comparing_blocks")
        low, high = heights[upper][0], heights[lower][1]
        if high - low >= least:
            result.append(_compared(upper, lower, low, high, bones))
    return tuple(result)


def _compared(upper: int, lower: int, low: float, high: float, bones: Sequence[Bone]) -> BlockOverlap:
    pairs = []
    for bone in bones:
        above = next((part for part in bone.parts if part.block == upper), None)
        below = next((part for part in bone.parts if part.block == lower), None)
        if above is None or below is None:
            continue
        points = above.surface_points
        points = points[(points[:, 2] > low + _MARGIN_MM) & (points[:, 2] < high - _MARGIN_MM)]
        if len(points) >= _LEAST_POINTS:
            pairs.append((bone.id, points[:: -(-len(points) // _MOST_POINTS)], below))
    ids = tuple(bone for bone, _, _ in pairs)
    if not pairs:
        return BlockOverlap(upper, lower, round(high - low, 1))
    turn, shift, rms = _laid_on([(points, part) for _, points, part in pairs])
    return BlockOverlap(upper, lower, round(high - low, 1), ids, round(shift, 3), round(turn, 3), round(rms, 3))


def _laid_on(pairs: Sequence[tuple[FloatArray, BonePart]]) -> tuple[float, float, float]:
    """Lay points on their surfaces by one rigid motion; return its turn (deg), its shift in the middle (mm) and the rest (mm)."""
    start = np.concatenate([points for points, _ in pairs])
    ends = np.cumsum([0, *(len(points) for points, _ in pairs)])
    middle = start.mean(axis=0)
    reach = float(np.sqrt(((start - middle) ** 2).sum(axis=1).mean()))
    turned, shifted = np.eye(3), np.zeros(3)
    rest = np.zeros(len(start))
    for number in range(_ROUNDS):
        here = (start - middle) @ turned.T + middle + shifted
        near, normals, bony = _nearest(here, ends, pairs)
        rest = ((near - here) * normals).sum(axis=1)
        scatter = 1.4826 * float(np.median(np.abs(rest - np.median(rest))))
        good = bony & (np.abs(rest - np.median(rest)) <= max(3.0 * scatter, 0.2))
        arms = np.cross(here[good] - middle - shifted, normals[good]) / reach
        if number < _SHIFTING_ROUNDS:
            arms = np.zeros_like(arms)
        system = np.concatenate([arms, normals[good]], axis=1)
        values, vectors = np.linalg.eigh(system.T @ system / len(system))
        seen = vectors[:, values > _SEEN**2]
        moved = seen @ ((seen.T @ (system.T @ rest[good] / len(system))) / values[values > _SEEN**2])
        turned = _rotation(moved[:3] / reach) @ turned
        shifted = shifted + moved[3:]
        rest = rest[good]
        if number >= _SHIFTING_ROUNDS and float(np.linalg.norm(moved)) < _STILL_MM:
            break
    angle = float(np.degrees(np.arccos(np.clip((np.trace(turned) - 1.0) / 2.0, -1.0, 1.0))))
    return angle, float(np.linalg.norm(shifted)), float(np.sqrt((rest**2).mean()))


def _nearest(
    points: FloatArray, ends: IntArray, pairs: Sequence[tuple[FloatArray, BonePart]]
) -> tuple[FloatArray, FloatArray, BoolArray]:
    """Nearest points on the surface of each pair and the normals there, (n, 3) each; and where that is bone and no cap, (n,)."""
    near, normals, bony = [], [], []
    for (_, part), first, last in zip(pairs, ends[:-1], ends[1:], strict=True):
        found, _, face = closest_points(part.mesh, points[first:last])
        corners = part.mesh.vertices[part.mesh.faces[face]]
        normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        near.append(found)
        normals.append(normal / np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12))
        bony.append(~part.cap_vertices[part.mesh.faces[face]].any(axis=1))
    return np.concatenate(near), np.concatenate(normals), np.concatenate(bony)


def _rotation(vector: FloatArray) -> FloatArray:
    """Return the rotation by a vector (radians) as a matrix (Rodrigues)."""
    angle = float(np.linalg.norm(vector))
    if angle < 1e-12:
        return np.eye(3)
    x, y, z = vector / angle
    cross = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    result: FloatArray = np.eye(3) + np.sin(angle) * cross + (1.0 - np.cos(angle)) * (cross @ cross)
    return result
