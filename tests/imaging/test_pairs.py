"""Every pair of formats of a volume: written in one, read, written in the other, read: each voxel is where it was."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from surgiplan_desktop.base.spaces import Affine, rotation_about
from surgiplan_desktop.imaging.dicom_write import write_ct_series
from surgiplan_desktop.imaging.enhanced_write import write_enhanced_ct
from surgiplan_desktop.imaging.volume_files import read_volume_file, write_volume_file
from surgiplan_desktop.model.images import Volume
from tests.imaging.spots import imported

TURN = rotation_about(np.zeros(3), np.array([1.0, 2.0, 3.0]), 27.3).linear
#: Directions of i, j, k as columns, and spacings along them in mm.
GRIDS = {
    "identity": (np.eye(3), (1.0, 1.0, 1.0)),
    "flipped": (np.diag([-1.0, 1.0, -1.0]), (0.8, 0.8, 1.0)),
    "left_handed": (np.diag([1.0, 1.0, -1.0]), (0.8, 0.8, 1.0)),
    "oblique": (TURN, (0.9, 0.9, 0.9)),
    "anisotropic": (TURN @ np.diag([1.0, -1.0, 1.0]), (0.488281, 0.731934, 2.999)),
}


def volume(grid: str) -> Volume:
    axes, spacing = GRIDS[grid]
    values = np.random.default_rng(1).permutation(6 * 7 * 8).reshape(6, 7, 8).astype(np.int16) * 7 - 1000
    return Volume(values, Affine.from_parts((axes * np.array(spacing))[:, ::-1], np.array([-123.4567, 45.6, -789.0123])))


def through_dicom(given: Volume, folder: Path) -> Volume:
    write_ct_series(given, folder / "slices")
    (read,) = imported(folder / "slices")
    return read


def through_enhanced(given: Volume, folder: Path) -> Volume:
    write_enhanced_ct([given], folder / "enhanced.dcm", order_seed=3)
    (read,) = imported(folder)
    return read


def through_file(ending: str) -> Callable[[Volume, Path], Volume]:
    def through(given: Volume, folder: Path) -> Volume:
        path = folder / f"volume.{ending}"
        write_volume_file(path, given)
        return read_volume_file(path)

    return through


FORMATS: dict[str, Callable[[Volume, Path], Volume]] = {
    "dicom": through_dicom,
    "enhanced": through_enhanced,
    **{ending: through_file(ending) for ending in ("nii.gz", "nrrd", "mha")},
}


@pytest.fixture(scope="module", params=FORMATS)
def once(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Volume]:
    """Give each grid as it comes back from one format, for each format in turn."""
    folder = tmp_path_factory.mktemp(request.param)
    read = {}
    for grid in GRIDS:
        (folder / grid).mkdir()
        read[grid] = FORMATS[request.param](volume(grid), folder / grid)
    return read


@pytest.mark.parametrize("second", FORMATS)
def test_positions_survive(tmp_path: Path, once: dict[str, Volume], second: str) -> None:
    for grid in GRIDS:
        (tmp_path / grid).mkdir()
        given = volume(grid)
        read = FORMATS[second](once[grid], tmp_path / grid)
        index = np.array(list(np.ndindex(given.shape)), dtype=np.float64)
        places = given.affine(index)
        nearest = np.rint(read.affine.inverse()(places))
        np.testing.assert_allclose(read.affine(nearest), places, atol=1e-3, err_msg=grid)
        assert sorted(read.shape) == sorted(given.shape)
        np.testing.assert_array_equal(read.array[tuple(nearest.astype(int).T)], given.array.reshape(-1), err_msg=grid)
