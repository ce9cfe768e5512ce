"""NIfTI, NRRD and MetaImage keep voxels and places; what is no CT volume is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK

from surgiplan_desktop.base.errors import InputDataError
from surgiplan_desktop.base.spaces import Affine, rotation_about
from surgiplan_desktop.imaging.volume_files import read_volume_file, volume_info, write_volume_file
from surgiplan_desktop.model.images import Volume

TURN = rotation_about(np.zeros(3), np.array([1.0, 2.0, 3.0]), 27.3).linear
AXES = {
    "identity": np.eye(3),
    "flipped_i": np.diag([-1.0, 1.0, 1.0]),
    "flipped_all": -np.eye(3),
    "coronal": np.array([[1.0, 0, 0], [0, 0, 1.0], [0, -1.0, 0]]),
    "oblique": TURN,
    "oblique_flipped": TURN @ np.diag([1.0, 1.0, -1.0]),
}


def volume(axes: np.ndarray) -> Volume:
    """``axes`` holds the directions of i, j, k as columns."""
    values = np.random.default_rng(1).permutation(7 * 5 * 6).reshape(7, 5, 6).astype(np.int16) * 10 - 1000
    linear = (axes * np.array([0.6, 0.7, 1.25]))[:, ::-1]
    return Volume(values, Affine.from_parts(linear, np.array([-12.3, 45.6, -789.0123])))


@pytest.mark.parametrize("ending", ["nii.gz", "nii", "nrrd", "mha"])
@pytest.mark.parametrize("axes", AXES.values(), ids=AXES)
def test_voxels_keep_their_places(tmp_path: Path, ending: str, axes: np.ndarray) -> None:
    written = volume(axes)
    path = tmp_path / f"ct.{ending}"
    write_volume_file(path, written)
    read = read_volume_file(path)
    assert read.array.dtype == np.int16
    assert np.linalg.det(read.affine.linear[:, ::-1]) > 0
    index = np.array(list(np.ndindex(written.shape)), dtype=np.float64)
    nearest = np.rint(read.affine.inverse()(written.affine(index))).astype(int)
    np.testing.assert_allclose(read.affine(nearest.astype(float)), written.affine(index), atol=1e-3)
    np.testing.assert_array_equal(read.array[tuple(nearest.T)], written.array.reshape(-1))
    assert volume_info(path).size == (6, 5, 7)


def test_nifti_is_ras_on_the_disk(tmp_path: Path) -> None:
    written = volume(np.eye(3))
    path = tmp_path / "ct.nii"
    write_volume_file(path, written)
    header = path.read_bytes()
    rows = np.frombuffer(header, dtype="<f4", count=12, offset=280).reshape(3, 4)  # srow_x, srow_y, srow_z of NIfTI-1
    np.testing.assert_allclose(rows[:, 3], [12.3, -45.6, -789.0123], atol=1e-3)
    np.testing.assert_allclose(np.diag(rows), [-0.6, -0.7, 1.25], atol=1e-6)


def test_float_files_become_16_bits(tmp_path: Path) -> None:
    image = SimpleITK.GetImageFromArray(volume(np.eye(3)).array.astype(np.float32) + 0.25)
    SimpleITK.WriteImage(image, str(tmp_path / "ct.nrrd"))
    read = read_volume_file(tmp_path / "ct.nrrd")
    assert read.array.dtype == np.int16
    np.testing.assert_array_equal(read.array, volume(np.eye(3)).array)


def test_a_label_map_is_no_scan(tmp_path: Path) -> None:
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(np.arange(60, dtype=np.uint8).reshape(3, 4, 5)), str(tmp_path / "l.nii.gz"))
    with pytest.raises(InputDataError, match="not_hounsfield") as caught:
        read_volume_file(tmp_path / "l.nii.gz")
    assert caught.value.file == str(tmp_path / "l.nii.gz")


def test_not_a_number_is_refused(tmp_path: Path) -> None:
    values = volume(np.eye(3)).array.astype(np.float32)
    values[0, 0, 0] = np.nan
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(values), str(tmp_path / "ct.nrrd"))
    with pytest.raises(InputDataError, match="not_hounsfield"):
        read_volume_file(tmp_path / "ct.nrrd")


def test_text_with_the_name_of_a_volume_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ct.nii.gz").write_text("no volume")
    with pytest.raises(InputDataError, match="unreadable_volume"):
        read_volume_file(tmp_path / "ct.nii.gz")
