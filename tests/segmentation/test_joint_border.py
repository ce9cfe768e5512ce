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
