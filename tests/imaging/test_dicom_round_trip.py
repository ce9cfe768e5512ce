"""What is written as DICOM comes back with the same voxels at the same places."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest

from surgiplan_desktop.base.spaces import Affine, rotation_about
from surgiplan_desktop.imaging.best_series import best_series
from surgiplan_desktop.imaging.dicom_blocks import plan_blocks
from surgiplan_desktop.imaging.dicom_read import read_block
from surgiplan_desktop.imaging.dicom_scan import ScanResult, scan_folder
from surgiplan_desktop.imaging.dicom_write import derived_uid, write_ct_series
from surgiplan_desktop.imaging.sources import Sources
from surgiplan_desktop.model.images import Volume

LEFT, BACK, UP = np.eye(3)


def volume(axes: tuple[np.ndarray, ...] = (UP, BACK, LEFT), shape: tuple[int, int, int] = (7, 5, 6), seed: int = 0) -> Volume:
    """Noise with its own value at every voxel; ``axes`` are the directions of k, j, i."""
    values = np.random.default_rng(seed).permutation(int(np.prod(shape))).reshape(shape).astype(np.int16) - 100
    linear = np.column_stack([axis * step for axis, step in zip(axes, (1.25, 0.7, 0.6), strict=True)])
    return Volume(values, Affine.from_parts(linear, np.array([-12.3, 45.6, -789.0123])))


def read_all(folder: Path) -> tuple[ScanResult, tuple[Volume, ...]]:
    result = scan_folder(folder)
    with Sources(folder) as sources:
        plans = plan_blocks(best_series([series for series in result.series if series.verdict == "ok"]))
        return result, tuple(read_block(sources, plan) for plan in plans)


def assert_same_place(written: Volume, read: Volume) -> None:
    """Each written voxel stands in the read volume at the same point of the patient, to 1e-4 mm, with its value."""
    index = np.array(list(np.ndindex(written.shape)), dtype=np.float64)
    found = read.affine.inverse()(written.affine(index))
    np.testing.assert_allclose(found, np.rint(found), atol=1e-6)
    nearest = np.rint(found).astype(int)
    np.testing.assert_allclose(read.affine(nearest.astype(float)), written.affine(index), atol=1e-4)
    assert read.shape == tuple(nearest.max(axis=0) + 1)
    np.testing.assert_array_equal(read.array[tuple(nearest.T)], written.array.reshape(-1))


TURN = rotation_about(np.zeros(3), np.array([1.0, 2.0, 3.0]), 27.3).linear
ORIENTATIONS = {
    "axial": (UP, BACK, LEFT),
    "axial_from_above": (-UP, BACK, LEFT),
    "feet_first_supine": (UP, BACK, -LEFT),
    "prone": (UP, -BACK, -LEFT),
    "coronal": (BACK, -UP, LEFT),
    "sagittal": (LEFT, -UP, BACK),
    "oblique": tuple(TURN.T),
}


@pytest.mark.parametrize("axes", ORIENTATIONS.values(), ids=ORIENTATIONS)
def test_every_orientation_keeps_its_place(tmp_path: Path, axes: tuple[np.ndarray, ...]) -> None:
    written = volume(axes)
    write_ct_series(written, tmp_path)
    result, (read,) = read_all(tmp_path)
    assert result.series[0].verdict == "ok"
    assert read.array.dtype == np.int16
    assert_same_place(written, read)
    # (i, j, k) is right-handed whatever was written
    assert np.linalg.det(read.affine.linear[:, ::-1]) > 0


def test_order_of_the_files_means_nothing(tmp_path: Path) -> None:
    written = volume()
    paths = write_ct_series(written, tmp_path)
    for number, path in enumerate(reversed(paths)):
        path.rename(tmp_path / f"slice {number * 7 % 11}-{number}")
    _, (read,) = read_all(tmp_path)
    assert_same_place(written, read)


def test_spacing_comes_from_positions_not_from_thickness(tmp_path: Path) -> None:
    write_ct_series(volume(), tmp_path, slice_thickness_mm=3.0)
    result, (read,) = read_all(tmp_path)
    assert result.series[0].spacing_mm == pytest.approx((0.6, 0.7, 1.25))
    np.testing.assert_allclose(read.spacing_kji_mm, (1.25, 0.7, 0.6))


@pytest.mark.parametrize("intercept", [0, -1024, -8192])
def test_rescale_gives_the_hounsfield_values_back(tmp_path: Path, intercept: int) -> None:
    written = volume()
    write_ct_series(written, tmp_path, rescale_intercept=intercept)
    _, (read,) = read_all(tmp_path)
    assert_same_place(written, read)


def test_three_slabs_become_three_blocks_proximal_first(tmp_path: Path) -> None:
    linear = volume().affine.linear
    slabs = [
        Volume(volume(seed=number).array, Affine.from_parts(linear, np.array([0.0, 0.0, z])))
        for number, z in enumerate((0.0, 300.0, 700.0))
    ]
    for number, slab in enumerate(slabs):
        write_ct_series(slab, tmp_path / str(number), series_number=number + 1, description=f"slab {number}")
    result, read = read_all(tmp_path)
    assert [len(series.linked) for series in result.series] == [2, 2, 2]
    assert [float(block.affine.translation[2]) for block in read] == [700.0, 300.0, 0.0]
    for slab, block in zip(reversed(slabs), read, strict=True):
        assert_same_place(slab, block)


def test_one_series_with_gaps_is_cut_into_blocks(tmp_path: Path) -> None:
    whole = volume(shape=(30, 5, 6))
    for number, path in enumerate(write_ct_series(whole, tmp_path)):
        if 8 <= number < 20:
            path.unlink()
    result, read = read_all(tmp_path)
    (series,) = result.series
    assert series.verdict == "ok"
    assert [finding.code for finding in series.findings] == ["gap"]
    assert [len(block) for block in series.blocks] == [8, 10]
    assert [block.shape[0] for block in read] == [10, 8]
    assert_same_place(
        Volume(whole.array[20:], Affine.from_parts(whole.affine.linear, whole.affine(np.array([20.0, 0, 0])))), read[0]
    )


def test_series_that_continue_each_other_become_one_volume(tmp_path: Path) -> None:
    whole = volume(shape=(12, 5, 6))
    upper = Volume(whole.array[5:], Affine.from_parts(whole.affine.linear, whole.affine(np.array([5.0, 0, 0]))))
    lower = Volume(whole.array[:5], whole.affine)
    write_ct_series(upper, tmp_path / "knee", description="knee", series_number=2)
    write_ct_series(lower, tmp_path / "ankle", description="ankle", series_number=3)
    result, read = read_all(tmp_path)
    assert len(result.series) == 2
    assert len(read) == 1
    assert_same_place(whole, read[0])


def test_series_of_other_frames_are_not_joined(tmp_path: Path) -> None:
    write_ct_series(volume(), tmp_path / "a", frame_of_reference_uid=derived_uid("a"))
    write_ct_series(volume(seed=1), tmp_path / "b", frame_of_reference_uid=derived_uid("b"))
    result = scan_folder(tmp_path)
    assert [series.linked for series in result.series] == [(), ()]


def test_writing_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    first = write_ct_series(volume(), tmp_path / "a")
    second = write_ct_series(volume(), tmp_path / "b")
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]
    other = write_ct_series(volume(), tmp_path / "c", seed=1)
    assert first[0].read_bytes() != other[0].read_bytes()


def test_a_sheared_volume_is_written_as_tilt_and_seen(tmp_path: Path) -> None:
    straight = volume(shape=(20, 5, 6))
    linear = straight.affine.linear.copy()
    linear[1, 0] = np.tan(np.radians(8.0)) * linear[2, 0]
    write_ct_series(Volume(straight.array, Affine.from_parts(linear, straight.affine.translation)), tmp_path)
    (series,) = scan_folder(tmp_path).series
    assert series.verdict == "repairable"
    (tilt,) = [finding for finding in series.findings if finding.code == "tilt"]
    assert dict(tilt.parameters)["degrees"] == pytest.approx(8.0)


def test_values_beyond_16_bits_become_float(tmp_path: Path) -> None:
    for path in write_ct_series(volume(), tmp_path, rescale_intercept=0):
        dataset = pydicom.dcmread(path)
        dataset.RescaleSlope = "1000"
        dataset.save_as(path)
    _, (read,) = read_all(tmp_path)
    assert read.array.dtype == np.float32
    np.testing.assert_array_equal(np.sort(read.array.reshape(-1)), np.sort(volume().array.reshape(-1)) * 1000.0)
