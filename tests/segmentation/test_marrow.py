"""Bones are solid: a thin shaft is not parted where its canal narrows for a stretch, nor an end where its shell has a hole."""

from __future__ import annotations

import numpy as np
import pytest

from surgiplan_desktop.base.arrays import BoolArray
from surgiplan_desktop.segmentation.label_ops import _bridged, filled


def canal(narrow: int, broader: int = 0) -> tuple[BoolArray, BoolArray]:
    """A canal of 5 x 5 voxels over 60 layers, and its wide part: not there in ``narrow`` layers, which may be broader."""
    hollow = np.zeros((60, 21, 21), dtype=bool)
    hollow[:, 8:13, 8:13] = True
    wide = hollow.copy()
    middle = slice(30 - narrow // 2, 30 - narrow // 2 + narrow)
    wide[middle] = False
    hollow[middle, 8 - broader : 13 + broader, 8:13] = True
    return hollow, wide


@pytest.mark.parametrize("step_mm", [1.0, 2.0])
def test_a_short_stretch_between_wide_ones_is_filled(step_mm: float) -> None:
    hollow, wide = canal(narrow=4)
    np.testing.assert_array_equal(_bridged(hollow, wide, step_mm), hollow)


@pytest.mark.parametrize(("narrow", "broader"), [(14, 0), (4, 2)])
def test_a_long_or_broader_one_is_not(narrow: int, broader: int) -> None:
    hollow, wide = canal(narrow, broader)
    np.testing.assert_array_equal(_bridged(hollow, wide, 1.0), wide)


def test_a_canal_that_ends_is_not_carried_on() -> None:
    hollow, wide = canal(narrow=4)
    hollow[40:], wide[40:] = False, False
    wide[32:] = False
    np.testing.assert_array_equal(_bridged(hollow, wide, 1.0), wide)


def shell(layers: int) -> BoolArray:
    """A closed can of 31 x 31 voxels with walls of two."""
    can = np.zeros((layers, 41, 41), dtype=bool)
    can[:, 5:36, 5:36] = True
    can[2:-2, 7:34, 7:34] = False
    return can


@pytest.mark.parametrize("open_layers", [1, 3])
def test_a_hole_in_the_shell_leaves_no_layer_hollow(open_layers: int) -> None:
    bone = shell(40)
    bone[18 : 18 + open_layers, 20:22, 34:36] = False
    hole = np.zeros_like(bone)
    hole[18 : 18 + open_layers, 20:22, 34:36] = True
    solid = filled(bone, np.ones(3))
    np.testing.assert_array_equal(solid[:, 5:36, 5:36] | hole[:, 5:36, 5:36], True)
    assert not solid[:, :, 36:].any()


def test_the_gap_between_two_bones_is_not_filled_where_both_shells_have_holes() -> None:
    bones = np.concatenate([shell(30), np.zeros((3, 41, 41), dtype=bool), shell(30)])
    bones[12, 20:22, 34:36] = bones[50, 20:22, 34:36] = False
    assert not filled(bones, np.ones(3))[30:33].any()
