"""Repaired real scans, point by point against what SimpleITK (GDCM) says of the original files."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import SimpleITK
from scipy import ndimage

from surgiplan_desktop.app.import_study import choose, scan
from surgiplan_desktop.base.arrays import AnyArray
from surgiplan_desktop.base.errors import InputDataError
from surgiplan_desktop.base.spaces import Affine
from surgiplan_desktop.imaging.dicom_blocks import plan_blocks
from surgiplan_desktop.imaging.dicom_read import read_block
from surgiplan_desktop.imaging.dicom_scan import scan_folder
from surgiplan_desktop.imaging.dicom_write import write_ct_series
from surgiplan_desktop.imaging.repair import read_repaired
from surgiplan_desktop.imaging.sources import Sources
from surgiplan_desktop.model.images import Volume
from surgiplan_desktop.model.study import Repair
from tests.imaging.fields import the_series

pytestmark = pytest.mark.real
Data = Callable[[str], Path]
#: Air and padding (-1024 here, -1500 there) are left out of the comparison.
TISSUE_HU = -300


def repaired(folder: Path) -> tuple[Volume, dict[str, Repair]]:
    """The one block that the program makes of a folder, with consent."""
    chosen = choose(scan(folder), accept_repair=True)
    (plan,) = plan_blocks(chosen)
    with Sources(folder) as sources:
        volume, repairs = read_repaired(sources, plan, chosen[0].repairs)
    return volume, {repair.kind: repair for repair in repairs}


def placed_by_gdcm(image: SimpleITK.Image, every: int) -> tuple[AnyArray, AnyArray]:
    """Values and LPS points of some voxels of an image as SimpleITK reads and places it."""
    values = SimpleITK.GetArrayFromImage(image)
    index = np.stack(
        np.meshgrid(*(np.arange(0, count, every if count > 1 else 1) for count in values.shape), indexing="ij"), axis=-1
    )
    index = index.reshape(-1, 3)
    linear = np.array(image.GetDirection()).reshape(3, 3) * np.array(image.GetSpacing())
    points = index[:, ::-1] @ linear.T + np.array(image.GetOrigin())
    return values[tuple(index.T)].astype(float), points


def sampled(volume: Volume, points: AnyArray) -> AnyArray:
    index = volume.affine.inverse()(points)
    return ndimage.map_coordinates(volume.array, index.T, order=1, mode="nearest", output=np.float32)


def test_the_tilted_head_agrees_with_its_slices(data_folder: Data) -> None:
    folder = data_folder("dicom-corpus") / "dicom-corpus" / "ct-gantry-tilt-uneven"
    with pytest.raises(InputDataError, match="refused_tilt"):
        choose(scan(folder))
    volume, repairs = repaired(folder)
    assert set(repairs) == {"tilt", "uneven"}
    assert dict(repairs["tilt"].parameters)["degrees"] == pytest.approx(18.5, abs=0.05)
    assert dict(repairs["uneven"].parameters)["off_grid_mm"] < 0.1
    assert volume.affine.spacing[0] == pytest.approx(1.0, abs=0.01)
    off, unrepaired = [], []
    (series,) = scan_folder(folder).series
    (plan,) = plan_blocks([series])
    with Sources(folder) as sources:
        as_stacked = read_block(sources, plan)
    straight = Affine.from_parts(
        np.column_stack([np.array([0, 0, 152.0 / 27]), *plan.affine.linear[:, 1:].T]), plan.affine.translation
    )
    for path in sorted(folder.iterdir())[::3]:
        values, points = placed_by_gdcm(SimpleITK.ReadImage(str(path)), 3)
        tissue = values > TISSUE_HU
        off.append((sampled(volume, points) - values)[tissue])
        unrepaired.append((sampled(Volume(as_stacked.array, straight), points) - values)[tissue])
    errors = np.abs(np.concatenate(off))
    # what linear interpolation in the plane and between slices 0.1 mm off may leave, and nothing else
    assert np.median(errors) < 2
    assert np.percentile(errors, 95) < 20
    assert np.sqrt(np.mean(errors**2)) < 15
    # the same slices stacked as if they were even and straight: this comparison would notice
    assert np.sqrt(np.mean(np.concatenate(unrepaired) ** 2)) > 200
    # every stretch between slices 4 and 7 mm apart is named
    covered = sum(last - first + 1 for first, last in repairs["uneven"].stretches)
    assert covered > 0.9 * (volume.shape[0] - 28)


def test_a_hole_in_the_legs_is_filled_and_nothing_else_changes(data_folder: Data, tmp_path: Path) -> None:
    folder = data_folder("visible-human-legs") / "visible-human-legs"
    (series,) = scan_folder(folder).series
    (plan,) = plan_blocks([series])
    part = plan.slices[330:370]
    missing = (10, 25, 26)
    for k, header in enumerate(part):
        if k not in missing:
            shutil.copy(folder / header.name, tmp_path / f"{k:03d}.dcm")
    volume, repairs = repaired(tmp_path)
    reader = SimpleITK.ImageSeriesReader()
    reader.SetFileNames([str(folder / header.name) for header in part])
    whole = SimpleITK.GetArrayFromImage(reader.Execute()).astype(float)
    present = [k for k in range(40) if k not in missing]
    np.testing.assert_array_equal(volume.array[present], whole[present])
    assert repairs["missing_slices"].stretches == ((10, 10), (25, 26))
    made, true = volume.array[10].astype(float), whole[10]
    tissue = true > TISSUE_HU
    error = float(np.sqrt(np.mean((made - true)[tissue] ** 2)))
    told = dict(repairs["missing_slices"].parameters)["error_hu"]
    assert 0.5 * told < error < 2 * told


def test_legs_scanned_with_a_tilted_gantry_come_back(data_folder: Data, tmp_path: Path) -> None:
    """Slices of the real legs in tilted planes, cut by SimpleITK, against SimpleITK's cut along the repaired grid."""
    folder = data_folder("visible-human-legs") / "visible-human-legs"
    (series,) = scan_folder(folder).series
    (plan,) = plan_blocks([series])
    reader = SimpleITK.ImageSeriesReader()
    reader.SetFileNames([str(folder / header.name) for header in plan.slices[330:430]])
    legs = reader.Execute()
    angle = np.radians(-14.0)
    row, column = np.array([1.0, 0, 0]), np.array([0, np.cos(angle), np.sin(angle)])
    corner = np.array(legs.TransformIndexToPhysicalPoint((0, 0, 50)))
    tilted = Affine.from_parts(np.column_stack([[0, 0, 1.0], column, row]), corner)
    slices = [cut(legs, tilted.matrix, k) for k in range(30)]
    write_ct_series(Volume(np.concatenate(slices), tilted), tmp_path, gantry_tilt_deg=3.0)
    assert [repair.kind for repair in the_series(tmp_path).repairs] == ["tilt"]
    volume, repairs = repaired(tmp_path)
    assert dict(repairs["tilt"].parameters)["degrees"] == pytest.approx(14.0, abs=0.01)
    expected = np.concatenate([cut(legs, volume.affine.matrix, k, volume.shape) for k in range(volume.shape[0])])
    compared = (expected > TISSUE_HU) & (volume.array > TISSUE_HU)
    assert compared.mean() > 0.15
    errors = np.abs(volume.array[compared].astype(float) - expected[compared])
    assert np.median(errors) < 5
    assert np.sqrt(np.mean(errors**2)) < 25


def cut(image: SimpleITK.Image, matrix: AnyArray, k: int, shape: tuple[int, ...] | None = None) -> AnyArray:
    """One slice of a grid (k, j, i) -> LPS through an image, by SimpleITK's linear resampling."""
    affine = Affine(matrix)
    direction = affine.linear / affine.spacing
    normal = np.cross(direction[:, 2], direction[:, 1])
    resampler = SimpleITK.ResampleImageFilter()
    resampler.SetSize((shape[2], shape[1], 1) if shape else (*image.GetSize()[:2], 1))
    resampler.SetOutputOrigin(affine(np.array([float(k), 0, 0])).tolist())
    resampler.SetOutputSpacing((float(affine.spacing[2]), float(affine.spacing[1]), 1.0))
    resampler.SetOutputDirection(np.column_stack([direction[:, 2], direction[:, 1], normal]).reshape(-1).tolist())
    resampler.SetInterpolator(SimpleITK.sitkLinear)
    resampler.SetDefaultPixelValue(-1024)
    array: AnyArray = SimpleITK.GetArrayFromImage(resampler.Execute(image))
    return array
