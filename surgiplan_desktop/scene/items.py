"""What can be drawn in 3D, as plain descriptions, and the VTK actors that draw them. Works without Qt and off screen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from vtkmodules.util.numpy_support import numpy_to_vtk, numpy_to_vtkIdTypeArray
from vtkmodules.vtkCommonCore import vtkPoints
from vtkmodules.vtkCommonDataModel import vtkCellArray, vtkPolyData
from vtkmodules.vtkCommonMath import vtkMatrix4x4
from vtkmodules.vtkFiltersCore import vtkPolyDataNormals, vtkTubeFilter
from vtkmodules.vtkRenderingCore import vtkActor, vtkPolyDataMapper

from surgiplan_desktop.base.arrays import FloatArray
from surgiplan_desktop.base.spaces import Affine
from surgiplan_desktop.model.mesh import Mesh
from surgiplan_desktop.scene.heat import HEAT_COLOURS, HeatedPart

Rgb = tuple[float, float, float]
#: Gives the colour of a role such as ``"bone/tibia"``.
Colours = Callable[[str], Rgb]

#: Corners sharper than this are drawn as edges on printed and cut parts (deg).
EDGE_DEG: Final = 35.0


@dataclass(frozen=True, slots=True, eq=False)
class Surface:
    """A closed surface; ``sharp`` draws edges as edges (guides, implants, cut pieces), ``updating`` greys it.

    ``motion`` moves it as it is drawn, without a new mesh: what turns with a handle follows at once. ``heated`` are the
    values of the heat map (:mod:`surgiplan_desktop.scene.heat`) on its vertices; None draws it in the colour of its role.
    """

    mesh: Mesh
    role: str
    opacity: float = 1.0
    sharp: bool = False
    updating: bool = False
    motion: Affine | None = None
    heated: HeatedPart | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Tubes:
    """Straight segments, shape (n, 2, 3), mm LPS, drawn as rods of a radius in mm: axes, pins, screws, hinge."""

    segments: FloatArray
    radius_mm: float
    role: str
    opacity: float = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Patch:
    """A flat polygon, shape (n, 3), mm LPS, seen through: a plane."""

    corners: FloatArray
    role: str
    opacity: float = 0.35


Item = Surface | Tubes | Patch


def vertex_normals(mesh: Mesh) -> FloatArray:
    """Return unit normals of the vertices, weighted by triangle area, shape (n, 3)."""
    corners = mesh.vertices[mesh.faces]
    weighted = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    total = np.empty_like(mesh.vertices)
    index = mesh.faces.ravel(order="F")
    for axis in range(3):
        total[:, axis] = np.bincount(index, np.tile(weighted[:, axis], 3), minlength=len(total))
    length = np.linalg.norm(total, axis=1, keepdims=True)
    normals: FloatArray = total / np.where(length > 0.0, length, 1.0)
    return normals


def _points(array: FloatArray) -> vtkPoints:
    points = vtkPoints()
    points.SetData(numpy_to_vtk(np.ascontiguousarray(array, dtype=np.float32), deep=True))
    return points


def _cells(index: np.ndarray[tuple[int, int], np.dtype[np.int32]]) -> vtkCellArray:
    count, width = index.shape
    cells = vtkCellArray()
    offsets = np.arange(count + 1, dtype=np.int64) * width
    cells.SetData(
        numpy_to_vtkIdTypeArray(offsets, deep=True),
        numpy_to_vtkIdTypeArray(np.ascontiguousarray(index, dtype=np.int64).ravel(), deep=True),
    )
    return cells


def surface_data(mesh: Mesh, *, sharp: bool) -> vtkPolyData:
    """Return the mesh with normals, ready to be drawn."""
    data = vtkPolyData()
    data.SetPoints(_points(mesh.vertices))
    data.SetPolys(_cells(mesh.faces))
    if sharp:
        split = vtkPolyDataNormals()
        split.SetInputData(data)
        split.SetFeatureAngle(EDGE_DEG)
        split.SplittingOn()
        split.ConsistencyOff()
        split.Update()
        result: vtkPolyData = split.GetOutput()
        return result
    data.GetPointData().SetNormals(numpy_to_vtk(vertex_normals(mesh).astype(np.float32), deep=True))
    return data


def make_actor(item: Item, colours: Colours) -> vtkActor:
    """Return the actor that draws an item."""
    actor = vtkActor()
    look = actor.GetProperty()
    if isinstance(item, Surface):
        mapper = vtkPolyDataMapper()
        mapper.SetInputData(surface_data(item.mesh, sharp=item.sharp))
    elif isinstance(item, Tubes):
        mapper = vtkPolyDataMapper()
        tubes = _tubes(item)  # a name of its own: VTK's output port does not keep its filter alive
        mapper.SetInputConnection(tubes.GetOutputPort())
    else:
        mapper = vtkPolyDataMapper()
        data = vtkPolyData()
        data.SetPoints(_points(item.corners))
        data.SetPolys(_cells(np.arange(len(item.corners), dtype=np.int32)[None, :]))
        mapper.SetInputData(data)
        look.LightingOff()
    actor.SetMapper(mapper)
    dress_actor(actor, item, colours)
    return actor


def dress_actor(actor: vtkActor, item: Item, colours: Colours) -> None:
    """Give an actor the colour and opacity of its item (the geometry stays)."""
    look = actor.GetProperty()
    look.SetInterpolationToPhong()
    look.SetAmbient(0.12)
    look.SetDiffuse(0.88)
    look.SetSpecular(0.12)
    look.SetSpecularPower(18.0)
    colour = colours(item.role)
    if isinstance(item, Surface):
        _shade(actor, item)
        if item.updating:
            grey = sum(colour) / 3.0
            colour = (0.75 * grey + 0.25 * colour[0], 0.75 * grey + 0.25 * colour[1], 0.75 * grey + 0.25 * colour[2])
        look.SetOpacity(item.opacity)
        actor.SetUserMatrix(None if item.motion is None else _vtk_matrix(item.motion))
        if item.opacity < 1.0:
            look.BackfaceCullingOn()  # one layer of each translucent body: no sorting needed within it
    else:
        look.SetOpacity(item.opacity)
    look.SetColor(*colour)


def _shade(actor: vtkActor, item: Surface) -> None:
    """Colour the vertices by their steps of the heat map, or take that colour away again; split edges have other vertices."""
    mapper = actor.GetMapper()
    heated = None if item.sharp else item.heated
    mapper.SetScalarVisibility(heated is not None)
    if heated is not None:
        colours = numpy_to_vtk(np.ascontiguousarray(HEAT_COLOURS[heated.shades]), deep=True)
        mapper.GetInput().GetPointData().SetScalars(colours)
        mapper.SetColorModeToDirectScalars()


def _vtk_matrix(motion: Affine) -> vtkMatrix4x4:
    matrix = vtkMatrix4x4()
    for row in range(4):
        for column in range(4):
            matrix.SetElement(row, column, float(motion.matrix[row, column]))
    return matrix


def _tubes(item: Tubes) -> vtkTubeFilter:
    data = vtkPolyData()
    data.SetPoints(_points(item.segments.reshape(-1, 3)))
    data.SetLines(_cells(np.arange(2 * len(item.segments), dtype=np.int32).reshape(-1, 2)))
    tubes = vtkTubeFilter()
    tubes.SetInputData(data)
    tubes.SetRadius(item.radius_mm)
    tubes.SetNumberOfSides(14)
    tubes.CappingOn()
    return tubes
