"""Repairs against a field that is linear in the patient: what a repair makes must agree with it at every voxel."""

from __future__ import annotations

import math
import shutil
from itertools import pairwise
from pathlib import Path

import numpy as np
import pydicom
import pytest

from surgiplan_desktop.app.import_study import choose, repair_limits, scan
from surgiplan_desktop.base.errors import InputDataError
from surgiplan_desktop.base.spaces import Affine
from surgiplan_desktop.imaging.dicom_blocks import plan_blocks
from surgiplan_desktop.imaging.repair import read_repaired
from surgiplan_desktop.imaging.repair_plan import RepairLimits
from surgiplan_desktop.imaging.resample import even_spacing, straighten
from surgiplan_desktop.imaging.sources import Sources
from surgiplan_desktop.model.images import Volume
from tests.imaging.fields import PLANES, differences, hounsfield, read_series, stack, the_series, write_stack

#: Values are rounded to whole units once by the reader and once by the repair.
ROUNDED = 1.07


def kinds(folder: Path) -> list[str]:
    return [repair.kind for repair in the_series(folder).repairs]


def test_the_limits_of_the_program_are_those_that_scan_uses_alone() -> None:
    assert repair_limits() == RepairLimits()


@pytest.mark.parametrize("plane", PLANES)
@pytest.mark.parametrize("lean", [(math.tan(math.radians(18.5)), 0.0), (0.0, -0.2), (-0.3, 0.1)])
def test_a_tilt_is_straightened_in_every_plane(tmp_path: Path, plane: str, lean: tuple[float, float]) -> None:
    heights = [2.0 * k for k in range(9)]
    write_stack(stack(heights, plane, lean), tmp_path)
    series = the_series(tmp_path)
    assert (series.verdict, kinds(tmp_path)) == ("repairable", ["tilt"])
    volume, (repair,) = read_series(tmp_path, series)
    off, share = differences(volume)
    assert np.abs(off).max() < ROUNDED
    assert share > 0.35
    linear = volume.affine.linear / volume.affine.spacing
    np.testing.assert_allclose(linear.T @ linear, np.eye(3), atol=1e-9)
    assert np.linalg.det(linear[:, ::-1]) > 0
    np.testing.assert_allclose(volume.affine.spacing, [2.0, 0.8, 0.5], atol=1e-6)
    told = dict(repair.parameters)
    assert told["degrees"] == pytest.approx(math.degrees(math.atan(math.hypot(*lean))), abs=0.01)
    assert repair.original_affine is not None
    sheared = Affine(np.array(repair.original_affine))
    (plan,) = plan_blocks([series])
    for k, header in enumerate(plan.slices):
        np.testing.assert_allclose(sheared(np.array([k, 0.0, 0.0])), header.position, atol=1e-5)


def test_a_straightened_slice_keeps_its_voxels_where_it_moves_by_whole_pixels(tmp_path: Path) -> None:
    write_stack(stack([1.6 * k for k in range(6)], lean=(0.5, 0.0)), tmp_path)
    series = the_series(tmp_path)
    volume, _ = read_series(tmp_path, series)
    assert volume.shape == (6, 12 + 5, 10)
    for k in range(6):
        original = stack([1.6 * k], lean=(0.5, 0.0))[0].array[0] * 0.125
        np.testing.assert_allclose(volume.array[k, k : k + 12], original, atol=0.51)
        assert (volume.array[k, :k] == -1024).all()
        assert (volume.array[k, k + 12 :] == -1024).all()


@pytest.mark.parametrize("plane", PLANES)
def test_uneven_slices_become_even(tmp_path: Path, plane: str) -> None:
    heights = [0.0, 1.0, 2.0, 3.0, 3.4, 6.4, 9.4, 12.4, 13.4]
    write_stack(stack(heights, plane), tmp_path)
    series = the_series(tmp_path)
    assert (series.verdict, kinds(tmp_path)) == ("repairable", ["uneven"])
    volume, (repair,) = read_series(tmp_path, series)
    off, share = differences(volume)
    assert (np.abs(off).max() < ROUNDED, share) == (True, 1.0)
    # from the first slice to the last, and no coarser than the closest two, but for the distance of pixels
    assert volume.affine.spacing[0] <= 0.5 + 1e-6
    assert volume.affine.spacing[0] * (volume.shape[0] - 1) == pytest.approx(13.4, abs=1e-5)
    spans = [volume.affine.spacing[0] * np.array([first - 1, last + 1]) for first, last in repair.stretches]
    assert all(any(low <= a + 0.5 and b - 0.5 <= high for low, high in spans) for a, b in pairwise(heights) if b - a > 1)
    assert all(low > 2.8 for low, _ in spans)


def test_tilted_and_uneven_at_once(tmp_path: Path) -> None:
    write_stack(stack([0.0, 4.0, 8.0, 12.0, 13.1, 20.1, 27.1], lean=(0.33, 0.0)), tmp_path)
    series = the_series(tmp_path)
    assert sorted(kinds(tmp_path)) == ["tilt", "uneven"]
    volume, repairs = read_series(tmp_path, series)
    off, _ = differences(volume)
    assert np.abs(off).max() < ROUNDED
    assert [repair.kind for repair in repairs] == ["tilt", "uneven"]
    assert repairs[0].original_affine is None


def test_missing_slices_are_made_and_named(tmp_path: Path) -> None:
    heights = [1.5 * k for k in range(14) if k not in (4, 8, 9)]
    paths = write_stack(stack(heights), tmp_path)
    series = the_series(tmp_path)
    (plan,) = series.repairs
    assert (series.verdict, plan.kind, dict(plan.parameters)["count"]) == ("repairable", "missing_slices", 3)
    assert plan.files == tuple(paths[place].name for place in (3, 4, 6, 7))
    volume, (repair,) = read_series(tmp_path, series)
    assert repair.stretches == ((4, 4), (8, 9))
    off, share = differences(volume)
    assert (volume.shape[0], share) == (14, 1.0)
    assert np.abs(off).max() < ROUNDED


@pytest.mark.parametrize(
    "heights",
    [
        [1.0 * k for k in range(20) if k not in (5, 6, 7)],
        [3.0 * k for k in range(9) if k not in (4, 5)],
        [0.0, 1.0, 2.0, 3.0, 12.0, 13.0, 14.5],
    ],
)
def test_too_wide_a_hole_is_refused_with_consent_too(tmp_path: Path, heights: list[float]) -> None:
    write_stack(stack(heights), tmp_path)
    assert (the_series(tmp_path).verdict, kinds(tmp_path)) == ("refused", [])
    with pytest.raises(InputDataError, match=r"refused_(missing_slices|uneven)"):
        choose(scan(tmp_path), accept_repair=True)


def test_too_large_a_tilt_or_a_slice_far_aside_is_refused(tmp_path: Path) -> None:
    write_stack(stack([1.0 * k for k in range(8)], lean=(0.9, 0.0)), tmp_path / "tilt")
    assert the_series(tmp_path / "tilt").verdict == "refused"
    paths = write_stack(stack([1.0 * k for k in range(8)]), tmp_path / "aside")
    dataset = pydicom.dcmread(paths[3])
    dataset.ImagePositionPatient = [*dataset.ImagePositionPatient[:1], 30.0, dataset.ImagePositionPatient[2]]
    dataset.save_as(paths[3])
    assert the_series(tmp_path / "aside").verdict == "refused"


def test_a_slice_a_little_aside_is_put_in_its_place(tmp_path: Path) -> None:
    volumes = stack([2.0 * k for k in range(9)])
    moved = volumes[4].affine.matrix.copy()
    moved[:2, 3] += [0.2, -1.1]
    index = np.stack(np.meshgrid([0], np.arange(12), np.arange(10), indexing="ij"), axis=-1).reshape(-1, 3)
    values = hounsfield(Affine(moved)(index.astype(float))).reshape(1, 12, 10)
    volumes[4] = Volume(np.rint(values * 8).astype(np.int16), Affine(moved))
    write_stack(volumes, tmp_path)
    series = the_series(tmp_path)
    assert kinds(tmp_path) == ["uneven"]
    volume, _ = read_series(tmp_path, series)
    off, _ = differences(volume)
    assert np.abs(off).max() < ROUNDED


def test_second_copies_are_left_out_and_different_ones_refused(tmp_path: Path) -> None:
    paths = write_stack(stack([1.0 * k for k in range(8)]), tmp_path)
    shutil.copy(paths[2], tmp_path / "copy.dcm")
    series = the_series(tmp_path)
    assert (series.verdict, kinds(tmp_path)) == ("repairable", ["duplicate_uid"])
    volume, (repair,) = read_series(tmp_path, series)
    assert (volume.shape[0], repair.kind) == (8, "duplicate_uid")
    dataset = pydicom.dcmread(tmp_path / "copy.dcm")
    dataset.SOPInstanceUID = "1.2.9"
    dataset.save_as(tmp_path / "copy.dcm")
    assert kinds(tmp_path) == ["duplicate_position"]
    dataset.PixelData = dataset.PixelData[:-2] + b"\1\1"
    dataset.save_as(tmp_path / "copy.dcm")
    series = the_series(tmp_path)
    assert (series.verdict, series.repairs) == ("refused", ())
    (finding,) = series.findings
    assert finding.files == (paths[2].name, "copy.dcm")
    with pytest.raises(InputDataError, match="refused_duplicate_position"):
        choose(scan(tmp_path), accept_repair=True)


def test_one_uid_for_all_slices_loses_none_of_them(tmp_path: Path) -> None:
    """What a careless anonymiser makes: the places tell the slices apart."""
    for path in write_stack(stack([1.0 * k for k in range(8)]), tmp_path):
        dataset = pydicom.dcmread(path)
        dataset.SOPInstanceUID = "1.2.3"
        dataset.save_as(path)
    series = the_series(tmp_path)
    assert (series.verdict, kinds(tmp_path)) == ("repairable", ["duplicate_uid"])
    volume, _ = read_series(tmp_path, series)
    off, share = differences(volume)
    assert (volume.shape[0], share, np.abs(off).max() < ROUNDED) == (8, 1.0, True)


def test_a_copy_in_another_encoding_is_a_copy(tmp_path: Path) -> None:
    paths = write_stack(stack([1.0 * k for k in range(8)]), tmp_path)
    dataset = pydicom.dcmread(paths[5])
    dataset.compress(pydicom.uid.RLELossless)
    dataset.save_as(tmp_path / "copy.dcm")
    assert (the_series(tmp_path).verdict, kinds(tmp_path)) == ("repairable", ["duplicate_position"])


def test_cut_files_are_left_out_like_missing_ones(tmp_path: Path) -> None:
    paths = write_stack(stack([1.0 * k for k in range(9)]), tmp_path)
    for path in (paths[3], paths[8]):
        path.write_bytes(path.read_bytes()[:-20])
    series = the_series(tmp_path)
    assert sorted(kinds(tmp_path)) == ["missing_slices", "truncated"]
    volume, repairs = read_series(tmp_path, series)
    off, _ = differences(volume)
    assert (volume.shape[0], sorted(repair.kind for repair in repairs)) == (8, ["missing_slices", "truncated"])
    assert np.abs(off).max() < ROUNDED


def test_nothing_is_repaired_without_consent(tmp_path: Path) -> None:
    write_stack(stack([1.0 * k for k in range(8)], lean=(0.2, 0.0)), tmp_path)
    series = the_series(tmp_path)
    (plan,) = plan_blocks([series])
    with Sources(tmp_path) as sources, pytest.raises(ValueError, match="consent"):
        read_repaired(sources, plan, ())


def test_the_error_told_is_that_of_a_slice_left_out(tmp_path: Path) -> None:
    """On a field that bends across the slices the error of the made slices is about the one told."""
    volumes = stack([1.0 * k for k in range(40) if k != 17])
    bent = [
        Volume(np.full_like(volume.array, round(8 * 400 * math.sin(volume.affine.translation[2] / 3))), volume.affine)
        for volume in volumes
    ]
    write_stack(bent, tmp_path)
    _, (repair,) = read_series(tmp_path, the_series(tmp_path))
    # sin(x/3) between two places 2 mm apart is off by (1/3)^2 / 2 of its value; over tissue (> -300 HU) its mean square is less
    assert dict(repair.parameters)["error_hu"] == pytest.approx(400 / 18 / math.sqrt(2), rel=0.25)


@pytest.mark.parametrize("turned", [1, -1])
def test_a_sheared_volume_is_straightened(turned: int) -> None:
    linear = np.column_stack([[0.3, 0.5, 2.0 * turned], [0, 0.8, 0], [0.6, 0, 0]])
    affine = Affine.from_parts(linear, np.array([1.0, 2.0, 3.0]))
    index = np.stack(np.meshgrid(np.arange(9), np.arange(14), np.arange(12), indexing="ij"), axis=-1).reshape(-1, 3)
    values = np.rint(hounsfield(affine(index.astype(float)))).reshape(9, 14, 12).astype(np.int16)
    volume, repair = straighten(Volume(values, affine))
    off, share = differences(volume)
    assert np.abs(off).max() < ROUNDED
    assert share > 0.35
    assert repair.original_affine == tuple(map(tuple, affine.matrix.tolist()))
    with pytest.raises(ValueError, match="right angles"):
        straighten(Volume(values, Affine.from_parts(linear + np.outer([1, 0, 0], [0, 0.5, 0]), np.zeros(3))))


def test_the_even_spacing_meets_the_slices_it_can_meet() -> None:
    assert even_spacing(np.array([0.0, 1.0, 2.0, 4.0, 6.0]), 0.1) == pytest.approx(1.0)
    heights = np.array([0.0, 4.0, 8.0, 9.1, 16.1, 23.1])
    step = even_spacing(heights, 0.4)
    places = heights / step
    assert 0.4 <= step <= 1.1
    assert np.abs(places - np.rint(places)).max() * step < 0.15
    # a slice almost on another does not make the grid finer than the pixels
    assert even_spacing(np.array([0.0, 1.0, 1.05, 2.0, 3.0]), 0.5) >= 0.5 - 1e-9
