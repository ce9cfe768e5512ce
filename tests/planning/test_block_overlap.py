"""Overlapping blocks laid on each other by a shaft of known shape and a motion that is known too."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from surgiplan_desktop.base.arrays import FloatArray
from surgiplan_desktop.base.spaces import Affine
from surgiplan_desktop.geometry.surface import surface_part
from surgiplan_desktop.model.anatomy import BoneId, BoneName, Side, label_code
from surgiplan_desktop.model.images import LabelMap, Volume
from surgiplan_desktop.model.mesh import Bone, BonePart
from surgiplan_desktop.planning.block_overlap import compare_blocks

TIBIA = BoneId(Side.RIGHT, BoneName.TIBIA)
UPPER, LOWER = (20.0, 69.0), (0.0, 49.0)
MIDDLE = np.array([30.0, 30.0, 34.5])


def shaft(points: FloatArray) -> FloatArray:
    """Depth under the surface of a bowed, tapering shaft with the triangular section of a tibia, mm; noise comes later."""
    x, y, z = points[..., 0] - 30.0 - 0.0008 * (points[..., 2] - 50.0) ** 2, points[..., 1] - 30.0, points[..., 2]
    radius = 13.0 - 0.02 * z + 2.2 * np.cos(3.0 * np.arctan2(y, x) + 0.4) + 0.8 * np.cos(2.0 * np.arctan2(y, x))
    depth: FloatArray = radius - np.hypot(x, y)
    return depth


def block(low: float, motion: Affine, seed: int) -> tuple[LabelMap, Volume]:
    """The block from ``low`` up of a bone that ``motion`` moved before it was scanned, 1 mm."""
    k, j, i = np.mgrid[0:50, 4:56, 4:56].astype(np.float64)
    points = np.stack([i, j, k + low], axis=-1)
    depth = shaft(motion.inverse()(points.reshape(-1, 3)).reshape(points.shape))
    hu = np.clip(depth + 0.5, 0.0, 1.0) * 1000.0 + np.random.default_rng(seed).normal(0.0, 15.0, depth.shape)
    linear = np.array([[0.0, 0, 1], [0, 1, 0], [1, 0, 0]])
    affine = Affine.from_parts(linear, np.array([4.0, 4.0, low]))
    return LabelMap((depth > 0).astype(np.uint16) * label_code(TIBIA), affine), Volume(hu.astype(np.int16), affine)


@cache
def bone(shift: tuple[float, float, float] = (0.0, 0.0, 0.0), degrees: float = 0.0, axis: int = 0) -> Bone:
    """A bone in two blocks, the lower scanned after a motion about the middle of the overlap."""
    turn = np.eye(3)
    one, two = (axis + 1) % 3, (axis + 2) % 3
    angle = np.radians(degrees)
    turn[one, one] = turn[two, two] = np.cos(angle)
    turn[one, two], turn[two, one] = -np.sin(angle), np.sin(angle)
    motion = Affine.from_parts(turn, MIDDLE - turn @ MIDDLE + np.array(shift))
    return Bone(TIBIA, (upper(), surface_part(1, *block(LOWER[0], motion, 2), label_code(TIBIA))))


@cache
def upper() -> BonePart:
    return surface_part(0, *block(UPPER[0], Affine.identity(), 1), label_code(TIBIA))


def test_a_leg_that_kept_still_agrees_with_itself() -> None:
    (pair,) = compare_blocks((UPPER, LOWER), bone())
    assert (pair.upper, pair.lower, pair.height_mm, pair.bones) == (0, 1, 29.0, (TIBIA,))
    assert pair.mm is not None
    assert pair.mm < 0.1
    assert pair.deg is not None
    assert pair.deg < 0.2
    assert pair.rms_mm is not None
    assert pair.rms_mm < 0.2


@pytest.mark.parametrize("shift", [(0.0, -1.5, 0.0), (4.0, 3.0, 0.0)])
def test_a_shift_across_the_shaft_is_measured(shift: tuple[float, float, float]) -> None:
    (pair,) = compare_blocks((UPPER, LOWER), bone(shift))
    assert pair.mm == pytest.approx(float(np.linalg.norm(shift)), abs=0.15)
    assert pair.deg is not None
    assert pair.deg < 0.4


@pytest.mark.parametrize(("degrees", "axis"), [(-2.0, 0), (4.0, 2)])
def test_a_turn_is_measured_bent_or_about_the_shaft(degrees: float, axis: int) -> None:
    (pair,) = compare_blocks((UPPER, LOWER), bone((0.0, 0.0, 0.0), degrees, axis))
    assert pair.deg == pytest.approx(abs(degrees), abs=0.35)
    assert pair.mm is not None
    assert pair.mm < 0.4


def test_a_shift_along_the_shaft_is_not_guessed() -> None:
    (pair,) = compare_blocks((UPPER, LOWER), bone((0.0, 0.0, 3.0)))
    assert pair.mm is not None
    assert pair.mm < 0.5


def test_blocks_apart_or_hardly_overlapping_are_not_compared_and_without_shared_bone_nothing_is_claimed() -> None:
    assert compare_blocks(((20.0, 69.0), (0.0, 15.0)), bone()) == ()
    assert compare_blocks(((40.0, 69.0), (0.0, 49.0)), bone()) == ()
    (pair,) = compare_blocks((UPPER, LOWER))
    assert (pair.mm, pair.deg, pair.bones) == (None, None, ())
