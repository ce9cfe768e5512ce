"""Surface elements of voxel masks: every 2 x 2 x 2 neighbourhood that the boundary crosses, and the area that lies in it.

The area is that of the Marching Cubes triangles of the neighbourhood (Lorensen and Cline 1987), of the case with at most four
corners inside: the same areas as in the surface distances of Nikolov et al. 2018 (arXiv:1809.04430), so that figures compare.
"""

from __future__ import annotations

from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray
from vtkmodules.util.numpy_support import numpy_to_vtk, vtk_to_numpy
from vtkmodules.vtkCommonDataModel import vtkImageData
from vtkmodules.vtkFiltersCore import vtkMarchingCubes

from surgiplan_desktop.base.arrays import BoolArray, FloatArray

#: Corners (k, j, i) of a neighbourhood; the corner of number n is bit n of the code.
_CORNERS: Final = tuple(np.ndindex(2, 2, 2))
#: Code of a neighbourhood that lies inside; 0 lies outside, all others hold surface.
INSIDE: Final = 255


def neighbourhood_codes(mask: BoolArray) -> NDArray[np.uint8]:
    """Return the code of each 2 x 2 x 2 neighbourhood of a mask, shape one less than the mask's along each axis.

    What lies beyond the array is not looked at: a body cut by its edge has no surface there.
    """
    k, j, i = (max(length - 1, 0) for length in mask.shape)
    codes = np.zeros((k, j, i), dtype=np.uint8)
    bits = mask.view(np.uint8)
    for bit, (dk, dj, di) in enumerate(_CORNERS):
        codes |= bits[dk : dk + k, dj : dj + j, di : di + i] << np.uint8(bit)
    return codes


def surfel_areas(linear: FloatArray) -> FloatArray:
    """Return the surface area of each code, shape (256,), mm2.

    Parameters
    ----------
    linear
        Shape (3, 3), the steps of the index (k, j, i) in mm: any spacing, turned or sheared.
    """
    # an area vector follows the cofactors of the map, whatever the map does to lengths
    cofactors = np.linalg.inv(linear).T * np.linalg.det(linear)
    return np.array([np.linalg.norm(vectors @ cofactors.T, axis=1).sum() for vectors in _area_vectors()])


@cache
def _area_vectors() -> tuple[FloatArray, ...]:
    """Area vectors (k, j, i) of the triangles of each code in a cube of side 1."""
    return tuple(_triangles(code if code.bit_count() <= 4 else INSIDE - code) for code in range(INSIDE + 1))


def _triangles(code: int) -> FloatArray:
    inside = np.array([float(code >> bit & 1) for bit in range(len(_CORNERS))])
    image = vtkImageData()
    image.SetDimensions(2, 2, 2)
    image.GetPointData().SetScalars(numpy_to_vtk(inside, deep=True))
    cubes = vtkMarchingCubes()
    cubes.SetInputData(image)
    cubes.SetValue(0, 0.5)
    cubes.ComputeNormalsOff()
    cubes.Update()
    found = cubes.GetOutput()
    if not found.GetNumberOfPolys():
        return np.zeros((0, 3))
    points = vtk_to_numpy(found.GetPoints().GetData()).astype(np.float64)[:, ::-1]
    corners = points[vtk_to_numpy(found.GetPolys().GetConnectivityArray()).reshape(-1, 3)]
    vectors: FloatArray = 0.5 * np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    return vectors
