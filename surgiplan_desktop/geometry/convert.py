"""Mesh to and from vtkPolyData, images to SimpleITK. Library objects live only inside the function that needs them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from vtkmodules.util.numpy_support import numpy_to_vtk, numpy_to_vtkIdTypeArray, vtk_to_numpy
from vtkmodules.vtkCommonCore import vtkPoints
from vtkmodules.vtkCommonDataModel import vtkCellArray, vtkPolyData

from surgiplan_desktop.base.arrays import FloatArray, IntArray
from surgiplan_desktop.base.errors import ComputationError
from surgiplan_desktop.base.spaces import Affine
from surgiplan_desktop.model.images import LabelMap, Volume
from surgiplan_desktop.model.mesh import Mesh

if TYPE_CHECKING:
    import SimpleITK


def polydata_from_arrays(vertices: FloatArray, faces: IntArray) -> vtkPolyData:
    """Make a vtkPolyData from vertices (n, 3) in mm and triangles (m, 3). The arrays are copied, so nothing is shared.

    Points are double: with float a vertex 800 mm from the origin would move by 3e-5 mm.
    """
    points = vtkPoints()
    points.SetDataTypeToDouble()
    points.SetData(numpy_to_vtk(np.array(vertices, dtype=np.float64), deep=True))
    count = len(faces)
    cells = vtkCellArray()
    offsets = np.arange(0, 3 * count + 1, 3, dtype=np.int64)
    corners = np.ascontiguousarray(faces, dtype=np.int64).reshape(-1)
    cells.SetData(numpy_to_vtkIdTypeArray(offsets, deep=True), numpy_to_vtkIdTypeArray(corners, deep=True))
    result = vtkPolyData()
    result.SetPoints(points)
    result.SetPolys(cells)
    return result


def mesh_to_polydata(mesh: Mesh) -> vtkPolyData:
    """Return the mesh as vtkPolyData in LPS mm (a copy)."""
    return polydata_from_arrays(mesh.vertices, mesh.faces)


def polydata_to_arrays(data: vtkPolyData) -> tuple[FloatArray, IntArray]:
    """Return vertices (n, 3) float64 and triangles (m, 3) int32 of a vtkPolyData as copies.

    Raises
    ------
    ComputationError
        ``polydata_not_triangles`` when a cell is not a triangle.
    """
    if data.GetNumberOfPoints() == 0 or data.GetNumberOfPolys() == 0:
        return np.zeros((0, 3)), np.zeros((0, 3), dtype=np.int32)
    cells = data.GetPolys()
    offsets = vtk_to_numpy(cells.GetOffsetsArray())
    if not np.array_equal(np.diff(offsets), np.full(len(offsets) - 1, 3)):
        raise ComputationError("polydata_not_triangles")
    vertices = np.array(vtk_to_numpy(data.GetPoints().GetData()), dtype=np.float64)
    faces = np.array(vtk_to_numpy(cells.GetConnectivityArray()), dtype=np.int32).reshape(-1, 3)
    return vertices, faces


def polydata_to_mesh(data: vtkPolyData) -> Mesh:
    """Return a vtkPolyData of triangles (LPS mm) as a Mesh."""
    return Mesh(*polydata_to_arrays(data))


def image_to_sitk(image: Volume | LabelMap) -> SimpleITK.Image:
    """Return a volume or label map as a SimpleITK image with its place in LPS (the voxels are copied).

    SimpleITK counts (i, j, k), so the columns of the affine are taken in reverse.

    Raises
    ------
    ComputationError
        ``image_sheared`` when the axes are not at right angles: such an image has no SimpleITK direction.
    """
    import SimpleITK  # 30 MB and 0.2 s: only where an image is really converted

    steps = image.affine.linear[:, ::-1]
    spacing = np.linalg.norm(steps, axis=0)
    direction = steps / spacing
    if not np.allclose(direction.T @ direction, np.eye(3), atol=1e-5):
        raise ComputationError("image_sheared")
    result = SimpleITK.GetImageFromArray(image.array)
    result.SetSpacing(spacing.tolist())
    result.SetDirection(direction.reshape(-1).tolist())
    result.SetOrigin(image.affine.translation.tolist())
    return result


def affine_of_sitk(image: SimpleITK.Image) -> Affine:
    """Return the map from the array index (k, j, i) of a SimpleITK image to LPS, mm."""
    direction = np.array(image.GetDirection(), dtype=np.float64).reshape(3, 3)
    steps = direction * np.array(image.GetSpacing(), dtype=np.float64)
    return Affine.from_parts(steps[:, ::-1], np.array(image.GetOrigin(), dtype=np.float64))


def array_of_sitk(image: SimpleITK.Image) -> Any:
    """Return the voxels of a SimpleITK image as an array in index order (k, j, i)."""
    import SimpleITK

    return SimpleITK.GetArrayFromImage(image)
