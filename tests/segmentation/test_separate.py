"""Separation, filling and islands on shapes with a known answer."""

from __future__ import annotations

import numpy as np
import pytest

from surgiplan_desktop.segmentation.fused import cut_between
from surgiplan_desktop.segmentation.label_ops import bone_voxels, closed_pores, filled, grown, largest, smoothed, solid_inside
from surgiplan_desktop.segmentation.separate import separate

ONE = np.array([1.0, 1.0, 1.0])


def balls(distance: float, radius: float = 12.0) -> tuple[np.ndarray, np.ndarray]:
    z, y, x = np.ogrid[:40, :40, :80]
    one = (z - 20) ** 2 + (y - 20) ** 2 + (x - 25) ** 2 < radius**2
    return one, (z - 20) ** 2 + (y - 20) ** 2 + (x - 25 - distance) ** 2 < radius**2


@pytest.mark.parametrize("distance", [22.5, 23.5, 24.5])
def test_two_balls_that_touch_are_two_pieces(distance: float) -> None:
    one, two = balls(distance)
    pieces = separate(one | two, ONE)
    assert pieces.max() == 2
    assert pieces[20, 20, 25] != pieces[20, 20, round(25 + distance)]
    share = (pieces[one & ~two] == pieces[20, 20, 25]).mean()
    assert share > 0.97


def test_a_waisted_bone_stays_one_piece() -> None:
    z, y, x = np.ogrid[:40, :40, :90]
    radius = np.interp(x, [5, 15, 45, 75, 85], [12, 12, 7, 12, 12])
    shape = ((z - 20) ** 2 + (y - 20) ** 2 < radius**2) & (x > 5) & (x < 85)
    assert separate(shape, ONE).max() == 1


def test_spacing_counts_in_millimetres() -> None:
    one, two = balls(23.5)
    thin = (one | two)[::2]
    assert separate(thin, np.array([2.0, 1.0, 1.0])).max() == 2


def test_nothing_gives_nothing() -> None:
    assert separate(np.zeros((4, 4, 4), dtype=bool), ONE).max() == 0
    single = np.zeros((5, 5, 5), dtype=bool)
    single[2, 2, 2] = True
    assert separate(single, ONE).sum() == 1


def test_threshold_needs_sure_bone_and_drops_islands() -> None:
    hu = np.full((30, 30, 60), 40.0, dtype=np.float32)
    hu[10:20, 10:20, 5:15] = 220.0  # never sure
    hu[10:20, 10:20, 25:35] = 220.0
    hu[12:18, 12:18, 27:33] = 900.0
    hu[5:7, 5:7, 50:52] = 900.0  # an island
    mask = bone_voxels(hu, ONE)
    assert not mask[:, :, :20].any()
    assert mask[10:20, 10:20, 25:35].all()
    assert not mask[:, :, 45:].any()


def test_a_dark_sheet_between_two_banks_is_no_bone() -> None:
    hu = np.full((30, 30, 40), 40.0, dtype=np.float32)
    hu[5:25, 5:25, 5:35] = 700.0
    hu[5:25, 5:25, 19:21] = 300.0
    mask = bone_voxels(hu, ONE)
    assert not mask[10, 10, 19:21].any()
    assert mask[10, 10, 10]
    assert mask[10, 10, 30]


def test_marrow_is_filled_also_where_the_scan_cuts_the_shaft() -> None:
    z, y, x = np.ogrid[:20, :40, :40]
    radius = np.hypot(y - 20, x - 20) + 0 * z
    shell = (radius < 12) & (radius > 8)
    assert np.array_equal(filled(shell, ONE), radius < 12)
    gap = np.zeros((20, 40, 40), dtype=bool)
    gap[:, 10:30, 10:30] = True
    gap[:, 12:28, 19:21] = False  # a closed but narrow gap stays open
    assert not filled(gap, ONE)[1:-1, 20, 19:21].any()


def test_one_bone_becomes_solid_without_losing_a_notch() -> None:
    z, y, x = np.ogrid[:50, :50, :50]
    radius = np.sqrt((z - 25.0) ** 2 + (y - 25.0) ** 2 + (x - 25.0) ** 2)
    shell = (radius < 18) & (radius > 14)
    shell[:, 24:27, 24:27] &= (z < 25)[:, :, 0:1]  # an opening into the hollow
    notch = (np.abs(x - 25) < 6) & (y > 41) & (z > -1)
    solid = solid_inside(shell & ~notch, np.zeros_like(shell), ONE)
    assert solid[25, 25, 25]
    assert solid[radius < 13].all()
    assert not solid[25, 42, 25]


def test_small_helpers() -> None:
    mask = np.zeros((9, 9, 9), dtype=bool)
    mask[1:4, 1:4, 1:4] = True
    mask[7, 7, 7] = True
    assert largest(mask).sum() == 27
    labels = np.zeros((1, 1, 7), dtype=np.int32)
    labels[0, 0, 0], labels[0, 0, 6] = 4, 2
    assert grown(labels, np.ones((1, 1, 7), dtype=bool), 2)[0, 0].tolist() == [4, 4, 4, 0, 2, 2, 2]
    pores = np.ones((7, 7, 7), dtype=bool)
    pores[3, 3, :] = False
    assert closed_pores(pores, np.zeros_like(pores)).all()
    assert smoothed(np.full((3, 3, 3), 100, dtype=np.int16), ONE).dtype == np.float32


def test_cut_between_markers_follows_the_waist() -> None:
    one, two = balls(20.0)
    mask = one | two
    markers = np.zeros(mask.shape, dtype=np.int32)
    markers[20, 20, 25], markers[20, 20, 45] = 1, 2
    halves = cut_between(mask, markers, np.full(mask.shape, 500.0, dtype=np.float32), ONE)
    assert set(np.unique(halves[mask])) == {1, 2}
    border = np.argwhere((halves[:, :, 1:] == 2) & (halves[:, :, :-1] == 1))[:, 2]
    assert np.abs(border - 34.5).max() <= 1.5
