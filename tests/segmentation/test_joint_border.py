"""The border between two bones: on the dark line between their plates, wherever the names change near it."""

from __future__ import annotations

import numpy as np
import pytest

from surgiplan_desktop.segmentation.joint_border import along_dark_line

SPACING = np.array([1.25, 1.0, 1.0])


def joint(noise_hu: float) -> tuple[np.ndarray, np.ndarray]:
    """A bone below a wavy gap of less than a voxel and one above it, 30 mm across, with plates: HU, and which lies below."""
    k, j, i = (axis * step for axis, step in zip(np.indices((28, 40, 40)), SPACING, strict=True))
    gap = 17.0 + 2.0 * np.sin(j / 6.0) + 0.1 * i
    away = np.abs(k - gap)
    hu = np.where(away < 4.0, 900.0, 250.0)
    hu = hu - 450.0 * np.exp(-0.5 * (away / 0.7) ** 2)
    inside = (j > 5.0) & (j < 35.0) & (i > 5.0) & (i < 35.0)
    hu = np.where(inside, hu, 40.0) + np.random.default_rng(3).normal(0.0, noise_hu, hu.shape)
    return hu.astype(np.float32), np.where(inside, np.where(k < gap, 1, 2), 0)


@pytest.mark.parametrize("off_mm", [-2.0, 0.0, 2.0])
@pytest.mark.parametrize("noise_hu", [0.0, 60.0])
def test_a_border_that_wanders_comes_back_to_the_gap(off_mm: float, noise_hu: float) -> None:
    hu, truth = joint(noise_hu)
    k, j, i = (axis * step for axis, step in zip(np.indices(hu.shape), SPACING, strict=True))
    named = 17.0 + 2.0 * np.sin(j / 6.0) + 0.1 * i + off_mm * np.cos(i / 5.0)
    one, two = (truth > 0) & (k < named), (truth > 0) & (k >= named)
    before = int((one != (truth == 1)).sum())
    below, above = along_dark_line(one, two, hu, SPACING)
    assert np.array_equal(below | above, truth > 0)
    assert not (below & above).any()
    after = int((below != (truth == 1)).sum())
    assert after <= (0.2 * before if off_mm else 120)  # 30 x 30 voxels lie along the gap


def test_bones_that_lie_apart_stay_as_they_are() -> None:
    hu, truth = joint(0.0)
    k = np.indices(hu.shape)[0] * SPACING[0]
    one, two = (truth > 0) & (k < 10.0), (truth > 0) & (k > 15.0)
    for other in (two, np.zeros_like(two)):
        bone, rest = along_dark_line(one, other, hu, SPACING)
        assert np.array_equal(bone, one)
        assert np.array_equal(rest, other)


@pytest.mark.parametrize("noise_hu", [0.0, 60.0])
def test_a_small_bone_with_dark_marrow_does_not_lose_its_shell_to_its_neighbour(noise_hu: float) -> None:
    """The head of a fibula beside a tibia: its marrow is darker than the gap, and at one place both touch."""
    k, j, i = np.indices((30, 44, 44)).astype(np.float64)
    away = np.hypot(j - 30.0, i - 22.0) - 7.0
    gap = 21.5 + 0.012 * (i - 22.0) ** 2
    small, large = away < 0.0, j < gap
    shell = np.maximum(0.5 * np.exp(-0.5 * ((away + 1.0) / 0.7) ** 2), np.exp(-0.5 * ((j - gap + 1.0) / 0.7) ** 2))
    hu = 40.0 + 760.0 * shell + np.where(large, 260.0, 0.0) + np.where(small & (away < -2.5), -60.0, 0.0)
    hu = np.where(~small & ~large & (away < 2.5) & (k < 8.0) & (np.abs(i - 22.0) < 3.0), 300.0, hu)
    hu = hu + np.random.default_rng(5).normal(0.0, noise_hu, hu.shape)
    # between the bones bone is named too, and the near side of the small one by the large one's name
    union = small | large | ((j < 26.0) & (np.abs(i - 22.0) < 6.0))
    named = union & (j > 26.5 - 0.2 * np.abs(i - 22.0)) & (away < 1.0)
    bone, _ = along_dark_line(named, union & ~named, hu.astype(np.float32), np.ones(3))
    before, after = (float((small & ~item).sum() / small.sum()) for item in (named, bone))
    assert before > 0.1
    assert after < 0.06
