"""The surface where a field on a regular grid passes zero (flying edges, Schroeder et al. 2015)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from vtkmodules.util.numpy_support import numpy_to_vtk
from vtkmodules.vtkCommonDataModel import vtkImageData
from vtkmodules.vtkFiltersCore import vtkFlyingEdges3D

from surgiplan_desktop.base.arrays import FloatArray, IntArray
from surgiplan_desktop.geometry.convert import polydata_to_arrays


def zero_surface(field: NDArray[np.floating]) -> tuple[FloatArray, IntArray]:
    """Return points (n, 3) in index coordinates along the axes of ``field`` (k, j, i), and triangles (m, 3)."""
    image = vtkImageData()
    image.SetDimensions(field.shape[2], field.shape[1], field.shape[0])
    image.GetPointData().SetScalars(numpy_to_vtk(np.ascontiguousarray(field).ravel(), deep=True))
    contour = vtkFlyingEdges3D()
    contour.SetInputData(image)
    contour.SetValue(0, 0.0)
    contour.ComputeNormalsOff()
    contour.ComputeGradientsOff()
    contour.ComputeScalarsOff()
    contour.Update()
    vertices, faces = polydata_to_arrays(contour.GetOutput())
    return vertices[:, ::-1], faces
