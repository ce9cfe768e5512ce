"""Subjects for scans by ``other_simulator.py``: statistical knees with a fibula, drawn legs bent anew, feet and hands."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from knee_scans import knee_meshes
from scipy.spatial import cKDTree
from vtkmodules.util.numpy_support import vtk_to_numpy
from vtkmodules.vtkCommonComputationalGeometry import vtkParametricSuperEllipsoid
from vtkmodules.vtkFiltersCore import vtkCleanPolyData, vtkTriangleFilter
from vtkmodules.vtkFiltersSources import vtkParametricFunctionSource
from vtkmodules.vtkImagingStencil import vtkImageStencilToImage, vtkPolyDataToImageStencil

from surgiplan_desktop.base.arrays import BoolArray, FloatArray
from surgiplan_desktop.base.spaces import rotation_about
from surgiplan_desktop.geometry.convert import mesh_to_polydata, polydata_to_arrays
from surgiplan_desktop.model.anatomy import BoneId, BoneName, Side, label_code
from surgiplan_desktop.model.mesh import Mesh
from surgiplan_desktop.phantom.draws import draw_leg
from surgiplan_desktop.phantom.limb import build_leg

#: Surfaces (LPS mm) by label code; codes from 200 on are bones that the program has no name for.
Subject = dict[int, Mesh]

_RIGHT = {name: label_code(BoneId(Side.RIGHT, name)) for name in BoneName}
_LEFT_FROM_RIGHT = label_code(BoneId(Side.LEFT, BoneName.FEMUR)) - _RIGHT[BoneName.FEMUR]
_NO_NAME = 200


def drawn_leg(seed: int, gap_mm: float = 3.0, flexion_deg: float = 0.0) -> Subject:
    """A right leg of a seed that nothing else uses, scaled by up to 7 % in each direction and bent by some millimetres."""
    drawn = draw_leg(seed, side=Side.RIGHT)
    narrowing = max(0.0, 3.0 - gap_mm)
    leg = build_leg(replace(drawn, joint_gap_mm=3.0, joint_narrowing_mm=narrowing, knee_flexion_deg=flexion_deg), step_mm=1.0)
    random = np.random.default_rng([seed, 5])
    scale = random.uniform(0.93, 1.07, 3)
    waves = [(random.normal(size=3), random.uniform(0.012, 0.035) * _direction(random), random.uniform(0, 6.3)) for _ in range(5)]

    def bent(points: FloatArray) -> FloatArray:
        moved = points * scale
        return moved + sum(1.1 * amount * np.sin(points @ way + phase)[:, None] for amount, way, phase in waves)

    return {label_code(bone): Mesh(bent(mesh.vertices), mesh.faces) for bone, mesh in leg.meshes.items()}


def statistical_knee(file: Path, number: int, gap_mm: float, fibula_of: int) -> Subject:
    """A right knee of the stored shape model; the fibula, which it lacks, is that of a drawn leg, scaled and set beside it."""
    knee = {_RIGHT[name]: mesh for name, mesh in knee_meshes(file, number, gap_mm).items()}
    leg = drawn_leg(fibula_of)
    (middle, width), (other, other_width) = (_plateau(item[_RIGHT[BoneName.TIBIA]]) for item in (knee, leg))
    fibula = leg[_RIGHT[BoneName.FIBULA]]
    points = (fibula.vertices - other) * (width / other_width) + middle
    tibia = cKDTree(knee[_RIGHT[BoneName.TIBIA]].vertices)
    upper = points[:, 2] > middle[2] - 70.0
    for _ in range(40):
        if tibia.query(points[upper])[0].min() > 1.5 and not _swallowed(points[upper], tibia, middle):
            break
        points = points + np.array([-0.7, 0.7, 0.0])
    return knee | {_RIGHT[BoneName.FIBULA]: Mesh(points, fibula.faces)}


def _swallowed(points: FloatArray, tibia: cKDTree, middle: FloatArray) -> bool:
    """Tell whether points lie nearer to the tibia's axis than its surface beside them."""
    nearest = np.asarray(tibia.data)[tibia.query(points)[1]]
    return bool((np.hypot(*(points - middle)[:, :2].T) < np.hypot(*(nearest - middle)[:, :2].T)).any())


def _plateau(tibia: Mesh) -> tuple[FloatArray, float]:
    top = tibia.vertices[tibia.vertices[:, 2] > tibia.vertices[:, 2].max() - 15.0]
    middle = 0.5 * (top.min(axis=0) + top.max(axis=0))
    return np.array([*middle[:2], top[:, 2].max()]), float(np.ptp(top[:, 0]))


def foot_and_hand(subject: Subject, *, hand: bool = False) -> Subject:
    """Bones that the program has no name for: heel, midfoot and metatarsals in front of the talus, fingers beside the hip."""
    solids = []
    talus = subject[_RIGHT[BoneName.TALUS]].vertices
    middle, low = talus.mean(axis=0), talus[:, 2].min()
    solids.append(_ellipsoid(np.array([middle[0], middle[1] + 18.0, low - 19.0]), (17.0, 36.0, 18.0)))
    solids.append(_ellipsoid(np.array([middle[0], talus[:, 1].min() - 16.0, low - 4.0]), (22.0, 14.0, 13.0)))
    for toe in range(5):
        place = np.array([middle[0] - 22.0 + 11.0 * toe, talus[:, 1].min() - 66.0, low - 14.0])
        solids.append(_ellipsoid(place, (4.5, 34.0, 6.0)))
    if hand:
        head = subject[_RIGHT[BoneName.FEMUR]].vertices
        start = head[head[:, 2].argmax()] + np.array([-95.0, -20.0, -70.0])
        solids += [_ellipsoid(start + np.array([0.0, 14.0 * f, -10.0 * (f % 2)]), (5.0, 5.0, 32.0)) for f in range(5)]
    return subject | {_NO_NAME + n: solid for n, solid in enumerate(solids)}


def stencil(mesh: Mesh, low: FloatArray, step: FloatArray, shape: tuple[int, int, int]) -> BoolArray:
    """Points of a grid inside a closed surface; ``low`` (x, y, z), ``step`` and ``shape`` (k, j, i)."""
    filled = vtkPolyDataToImageStencil()
    filled.SetInputData(mesh_to_polydata(mesh))
    filled.SetOutputOrigin(*low)
    filled.SetOutputSpacing(*step[::-1])
    filled.SetOutputWholeExtent(0, shape[2] - 1, 0, shape[1] - 1, 0, shape[0] - 1)
    drawn = vtkImageStencilToImage()
    drawn.SetInputConnection(filled.GetOutputPort())
    drawn.SetInsideValue(1)
    drawn.SetOutsideValue(0)
    drawn.SetOutputScalarTypeToUnsignedChar()
    drawn.Update()
    return vtk_to_numpy(drawn.GetOutput().GetPointData().GetScalars()).reshape(shape) > 0


def _ellipsoid(centre: FloatArray, radii: tuple[float, float, float]) -> Mesh:
    shape = vtkParametricSuperEllipsoid()
    shape.SetN1(0.8)
    shape.SetN2(0.8)
    source = vtkParametricFunctionSource()
    source.SetParametricFunction(shape)
    clean, triangles = vtkCleanPolyData(), vtkTriangleFilter()
    clean.SetInputConnection(source.GetOutputPort())
    triangles.SetInputConnection(clean.GetOutputPort())
    triangles.Update()
    vertices, faces = polydata_to_arrays(triangles.GetOutput())
    return Mesh(vertices * np.array(radii) + centre, faces)


def mirrored(subject: Subject, aside_mm: float) -> Subject:
    """Make a right leg a left one, moved so far to the left."""
    flip, shift = np.array([-1.0, 1.0, 1.0]), np.array([aside_mm, 0.0, 0.0])
    return {
        code + (_LEFT_FROM_RIGHT if code < _NO_NAME else 50): Mesh(mesh.vertices * flip + shift, mesh.faces[:, ::-1])
        for code, mesh in subject.items()
    }


def turned(subject: Subject, degrees: tuple[float, float, float]) -> Subject:
    """Turn a subject about the middle of its tibia's top: about x, y and z, degrees."""
    tibia = next(mesh for code, mesh in subject.items() if code % 100 == _RIGHT[BoneName.TIBIA])
    centre = _plateau(tibia)[0]
    for axis, angle in zip(np.eye(3), degrees, strict=True):
        turn = rotation_about(centre, axis, angle)
        subject = {code: mesh.moved(turn) for code, mesh in subject.items()}
    return subject


def _direction(random: np.random.Generator) -> FloatArray:
    direction = random.normal(size=3)
    return direction / np.linalg.norm(direction)
