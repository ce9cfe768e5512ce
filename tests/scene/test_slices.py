"""Grey values of slices against the voxels they come from."""

from __future__ import annotations

import numpy as np
import pytest

from surgiplan_desktop.base.spaces import Affine, rotation_about
from surgiplan_desktop.model.images import Volume
from surgiplan_desktop.scene.slices import OUTSIDE, SliceGrid, VolumeSampler, bounds_lps, share_with_vtk, to_grey


def _ramp(affine: Affine) -> Volume:
    k, j, i = np.meshgrid(np.arange(20), np.arange(24), np.arange(30), indexing="ij")
    return Volume((7 * k + 3 * j + i).astype(np.int16), affine)


def _tilted() -> Affine:
    plain = Affine(np.array([[0.0, 0.0, 0.7, -40.0], [0.0, 0.8, 0.0, 12.0], [1.5, 0.0, 0.0, 300.0], [0.0, 0.0, 0.0, 1.0]]))
    return rotation_about(np.array([0.0, 0.0, 300.0]), np.array([1.0, 2.0, 3.0]), 20.0) @ plain


@pytest.mark.parametrize("direction", [(0, 1), (0, 2), (1, 2)])
def test_a_slice_through_voxel_centres_gives_the_voxels(direction: tuple[int, int]) -> None:
    volume = _ramp(_tilted())
    row_axis, column_axis = direction
    start = np.array([4.0, 5.0, 6.0])
    unit = np.eye(3)
    grid = SliceGrid(
        volume.affine(start), volume.affine.directions(unit[column_axis]), volume.affine.directions(unit[row_axis]), 9, 7
    )
    values = VolumeSampler([volume]).sample(grid)
    rows, columns = np.meshgrid(np.arange(7), np.arange(9), indexing="ij")
    index = start[:, None, None] + unit[row_axis][:, None, None] * rows + unit[column_axis][:, None, None] * columns
    expected = volume.array[tuple(index.astype(int))]
    assert np.array_equal(values, expected)


def test_between_voxels_it_interpolates_linearly_and_outside_is_marked() -> None:
    volume = _ramp(_tilted())
    first = volume.affine(np.array([3.5, 4.0, 5.0]))
    grid = SliceGrid(first, volume.affine.directions(np.array([0.0, 0.0, 1.0])), volume.affine.directions(np.eye(3)[1]), 60, 3)
    values = VolumeSampler([volume]).sample(grid)
    assert abs(int(values[0, 0]) - (7 * 3.5 + 3 * 4 + 5)) <= 1
    assert values[0, -1] == OUTSIDE


def test_blocks_do_not_hide_each_other() -> None:
    low = _ramp(Affine(np.diag([1.0, 1.0, 1.0, 1.0])[[2, 1, 0, 3]]))
    high = Volume(low.array, Affine.from_parts(low.affine.linear, np.array([0.0, 0.0, 100.0])))
    sampler = VolumeSampler([high, low])
    grid = SliceGrid(np.array([5.0, 5.0, 0.0]), np.array([1.0, 0.0, 0.0]), np.array([0.0, 0.0, 1.0]), 4, 120)
    values = sampler.sample(grid)
    assert (values[:20] != OUTSIDE).all()
    assert (values[25:95] == OUTSIDE).all()
    assert (values[100:] != OUTSIDE).all()
    lowest, highest = bounds_lps([high, low])
    assert lowest[2] == 0.0
    assert highest[2] == 119.0


def test_memory_is_shared_and_window_maps_to_grey() -> None:
    volume = _ramp(Affine.identity())
    image = share_with_vtk(volume)
    assert image.GetScalarComponentAsDouble(6, 5, 4, 0) == volume.array[4, 5, 6]
    grey = to_grey(np.array([[-1000, 400, 3000, OUTSIDE]], dtype=np.int16), 1800.0, 400.0)
    assert grey.tolist() == [[0, 127, 255, 0]]
