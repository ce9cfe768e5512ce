"""Volumes whose Hounsfield value is linear in the patient's space: any right resampling of them is exact, anywhere."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom

from surgiplan_desktop.app.import_study import repair_limits
from surgiplan_desktop.base.arrays import AnyArray, FloatArray
from surgiplan_desktop.base.spaces import Affine
from surgiplan_desktop.imaging.dicom_blocks import plan_blocks
from surgiplan_desktop.imaging.dicom_scan import Series, scan_folder
from surgiplan_desktop.imaging.dicom_write import write_ct_series
from surgiplan_desktop.imaging.repair import read_repaired
from surgiplan_desktop.imaging.sources import Sources
from surgiplan_desktop.model.images import Volume
from surgiplan_desktop.model.study import Repair

SLOPE_HU_PER_MM = np.array([7.0, -5.0, 4.0])
#: (row direction, column direction) of the usual planes; "feet first" and "decubitus" are axial with turned axes.
PLANES = {
    "axial": ([1, 0, 0], [0, 1, 0]),
    "feet first prone": ([1, 0, 0], [0, -1, 0]),
    "decubitus": ([0, 1, 0], [-1, 0, 0]),
    "coronal": ([1, 0, 0], [0, 0, -1]),
    "sagittal": ([0, 1, 0], [0, 0, -1]),
    "oblique": ([0.8, 0.6, 0], [-0.36, 0.48, 0.8]),
}


def hounsfield(points: FloatArray) -> FloatArray:
    """The value at points (n, 3), LPS mm."""
    return 300.0 + points @ SLOPE_HU_PER_MM


def stack(
    heights: list[float], plane: str = "axial", lean: tuple[float, float] = (0.0, 0.0), size: tuple[int, int] = (12, 10)
) -> list[Volume]:
    """Slices at these heights along row x column, each its own volume; ``lean`` is mm along (column, row) per mm of height."""
    row, column = (np.array(axis, dtype=float) for axis in PLANES[plane])
    normal = np.cross(row, column)
    volumes = []
    for height in heights:
        origin = np.array([-20.0, 13.0, 40.0]) + height * (normal + lean[0] * column + lean[1] * row)
        affine = Affine.from_parts(np.column_stack([normal, 0.8 * column, 0.5 * row]), origin)
        index = np.stack(np.meshgrid([0], np.arange(size[0]), np.arange(size[1]), indexing="ij"), axis=-1).reshape(-1, 3)
        values = hounsfield(affine(index.astype(float))).reshape(1, *size)
        volumes.append(Volume(np.rint(values * 8).astype(np.int16), affine))
    return volumes


def write_stack(volumes: list[Volume], folder: Path, **options: object) -> list[Path]:
    """Write slices as one series whose values are eighths of a Hounsfield unit, so that rounding does not hide mistakes."""
    paths: list[Path] = []
    for number, volume in enumerate(volumes):
        (path,) = write_ct_series(volume, folder, first_instance=number + 1, rescale_intercept=0, **options)  # type: ignore[arg-type]
        dataset = pydicom.dcmread(path)
        dataset.SeriesInstanceUID, dataset.SOPInstanceUID = "1.2.3.4", f"1.2.3.4.{number + 1}"
        dataset.RescaleSlope = "0.125"
        dataset.save_as(path)
        paths.append(path)
    return paths


def read_series(folder: Path, series: Series) -> tuple[Volume, tuple[Repair, ...]]:
    """Read the one block of a series, repaired."""
    (plan,) = plan_blocks([series])
    with Sources(folder) as sources:
        return read_repaired(sources, plan, series.repairs)


def the_series(folder: Path) -> Series:
    """The one series of a folder, judged by the limits of the program."""
    (series,) = scan_folder(folder, limits=repair_limits()).series
    return series


def differences(volume: Volume, *, fill: float = -1024.0) -> tuple[AnyArray, float]:
    """How far the voxels are from the field, HU, where they are not fill; and the share of those that are."""
    index = np.stack(np.meshgrid(*map(np.arange, volume.shape), indexing="ij"), axis=-1).reshape(-1, 3)
    values = volume.array.reshape(-1).astype(float)
    inside = values != fill
    return (values - hounsfield(volume.affine(index.astype(float))))[inside], float(inside.mean())
