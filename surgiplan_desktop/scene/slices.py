"""Grey values of a slice through volumes, at the resolution of the screen: no copy of the volume, any orientation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from vtkmodules.util.numpy_support import get_vtk_array_type, vtk_to_numpy
from vtkmodules.vtkCommonCore import vtkDataArray
from vtkmodules.vtkCommonDataModel import vtkImageData
from vtkmodules.vtkCommonMath import vtkMatrix4x4
from vtkmodules.vtkImagingCore import vtkImageReslice

from surgiplan_desktop.base.arrays import FloatArray
from surgiplan_desktop.model.images import Volume

#: Value where no volume is; below every Hounsfield value of a scanner.
OUTSIDE: Final = -32768


@dataclass(frozen=True, slots=True, eq=False)
class SliceGrid:
    """A grid of pixels in the patient: LPS of the first pixel, steps to the next column and the next row (mm), and its size."""

    first_lps: FloatArray
    column_step: FloatArray
    row_step: FloatArray
    width: int
    height: int


def share_with_vtk(volume: Volume) -> vtkImageData:
    """Return the voxels as a VTK image in index coordinates (spacing 1, origin 0); memory is shared, nothing is copied."""
    flat = volume.array.reshape(-1)
    values = vtkDataArray.CreateDataArray(get_vtk_array_type(flat.dtype))
    values.SetVoidArray(flat, flat.size, 1)  # VTK keeps a reference to the buffer
    values.SetNumberOfComponents(1)
    image = vtkImageData()
    k, j, i = volume.shape
    image.SetDimensions(i, j, k)
    image.GetPointData().SetScalars(values)
    return image


class VolumeSampler:
    """Samples slices of one or more volumes; keep it as long as the volumes are shown.

    ``outside`` is the value where no volume is, one that the voxels' type holds.
    """

    def __init__(self, volumes: Sequence[Volume], outside: int = OUTSIDE) -> None:
        self._volumes = tuple(volumes)
        self._outside = outside
        self._reslicers = [self._reslicer(share_with_vtk(volume)) for volume in self._volumes]

    def _reslicer(self, image: vtkImageData) -> vtkImageReslice:
        reslice = vtkImageReslice()
        reslice.SetInputData(image)
        reslice.SetOutputDimensionality(2)
        reslice.SetInterpolationModeToLinear()
        reslice.SetBackgroundLevel(self._outside)
        reslice.SetOutputOrigin(0.0, 0.0, 0.0)
        reslice.SetOutputSpacing(1.0, 1.0, 1.0)
        return reslice

    def sample(self, grid: SliceGrid) -> NDArray[np.float32] | NDArray[np.int16]:
        """Return Hounsfield values of shape (height, width), linearly interpolated, ``outside`` where no volume is."""
        result: NDArray[np.int16] | NDArray[np.float32] = np.full((grid.height, grid.width), self._outside, dtype=np.int16)
        for volume, reslice in zip(self._volumes, self._reslicers, strict=True):
            index_from_lps = volume.affine.inverse()
            first = index_from_lps(grid.first_lps)
            column = index_from_lps.directions(grid.column_step)
            row = index_from_lps.directions(grid.row_step)
            matrix = vtkMatrix4x4()
            normal = np.cross(column[::-1], row[::-1])
            for axis in range(3):  # VTK counts i, j, k; our index is k, j, i
                matrix.SetElement(axis, 0, column[2 - axis])
                matrix.SetElement(axis, 1, row[2 - axis])
                matrix.SetElement(axis, 2, normal[axis])
                matrix.SetElement(axis, 3, first[2 - axis])
            reslice.SetResliceAxes(matrix)
            reslice.SetOutputExtent(0, grid.width - 1, 0, grid.height - 1, 0, 0)
            reslice.Update()
            values = vtk_to_numpy(reslice.GetOutput().GetPointData().GetScalars()).reshape(grid.height, grid.width)
            result = values.copy() if len(self._volumes) == 1 else np.where(values == self._outside, result, values)
        return result


def to_grey(values: NDArray[np.int16] | NDArray[np.float32], window_hu: float, level_hu: float) -> NDArray[np.uint8]:
    """Map Hounsfield values to grey 0..255 by window and level; black where there is no volume."""
    low = level_hu - window_hu / 2.0
    if values.dtype == np.int16:
        table = np.clip((np.arange(-32768, 32768) - low) * (255.0 / max(window_hu, 1.0)), 0, 255).astype(np.uint8)
        return np.take(table, values.astype(np.int32) + 32768)
    grey: NDArray[np.uint8] = np.clip((values - low) * (255.0 / max(window_hu, 1.0)), 0, 255).astype(np.uint8)
    return grey


def bounds_lps(volumes: Sequence[Volume]) -> tuple[FloatArray, FloatArray]:
    """Return the lowest and highest corner (mm LPS) of the boxes of all volumes."""
    corners = []
    for volume in volumes:
        top = np.array(volume.shape, dtype=np.float64) - 1.0
        choices = np.array([[a, b, c] for a in (0.0, 1.0) for b in (0.0, 1.0) for c in (0.0, 1.0)])
        corners.append(volume.affine(choices * top))
    points = np.concatenate(corners)
    return points.min(axis=0), points.max(axis=0)
