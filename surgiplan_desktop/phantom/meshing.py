"""From a field to a closed mesh: evaluation in bricks near the surface, marching cubes, and Newton steps onto the surface."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from surgiplan_desktop.base.arrays import FloatArray
from surgiplan_desktop.model.mesh import Mesh
from surgiplan_desktop.phantom.fields import Field, onto_surface

_BRICK = 6
_CHUNK = 400_000
#: Fields may overestimate the distance by this factor; bricks further from the surface than that are not evaluated.
_SAFETY = 1.7
_GRADIENT_STEP_MM = 1e-4
#: A vertex that is still this far from the surface after a step is followed with a fresh gradient.
_CREASE_MM = 0.01


@dataclass(frozen=True, slots=True, eq=False)
class Sampled:
    """A field on a regular grid: values (l, a, u), lowest corner and step (mm). Far cells hold only their sign (times far)."""

    values: NDArray[np.float32]
    lowest: FloatArray
    step: FloatArray


def sample(field: Field, lowest: FloatArray, highest: FloatArray, step: FloatArray, margin_mm: float) -> Sampled:
    """Evaluate a field on a grid wherever its size is below about ``margin_mm``; elsewhere put +-``margin_mm`` or more."""
    # The small allowance keeps a box that is a whole number of steps from growing by one through rounding.
    counts = np.ceil((highest - lowest) / step - 1e-6).astype(int) + 1
    bricks = -(-counts // _BRICK)
    half = 0.5 * _BRICK * step
    starts = np.stack(np.meshgrid(*(np.arange(n) for n in bricks), indexing="ij"), axis=-1).reshape(-1, 3) * _BRICK
    centres = lowest + starts * step + half
    rough = field(centres)
    close = np.abs(rough) < _SAFETY * (float(np.linalg.norm(half)) + margin_mm)
    values = np.empty(bricks * _BRICK, dtype=np.float32)
    blocks = values.reshape(bricks[0], _BRICK, bricks[1], _BRICK, bricks[2], _BRICK).transpose(0, 2, 4, 1, 3, 5)
    flat = np.where(rough < 0, -1e3, 1e3).astype(np.float32)
    blocks[...] = flat.reshape(*bricks, 1, 1, 1)
    inner = np.stack(np.meshgrid(*(np.arange(_BRICK),) * 3, indexing="ij"), axis=-1).reshape(-1, 3) * step
    ids = np.nonzero(close)[0]
    at_once = max(1, _CHUNK // len(inner))
    for first in range(0, len(ids), at_once):
        some = ids[first : first + at_once]
        corners = lowest + starts[some] * step
        points = (corners[:, None, :] + inner).reshape(-1, 3).astype(np.float32)
        result = field(points).reshape(len(some), _BRICK, _BRICK, _BRICK)
        i, j, k = np.unravel_index(some, bricks)
        blocks[i, j, k] = result
    return Sampled(values[: counts[0], : counts[1], : counts[2]], lowest, step)


def mesh_of(field: Field, lowest: FloatArray, highest: FloatArray, step_mm: float) -> Mesh:
    """Closed, outward-oriented mesh of a field, its vertices on the surface to about 1e-3 mm; largest component only."""
    from vtkmodules.util.numpy_support import numpy_to_vtk, vtk_to_numpy
    from vtkmodules.vtkCommonDataModel import vtkImageData
    from vtkmodules.vtkFiltersCore import vtkFlyingEdges3D

    step = np.full(3, step_mm)
    sampled = sample(field, lowest, highest, step, 2.0 * step_mm)
    values = sampled.values
    image = vtkImageData()
    image.SetDimensions(*values.shape)
    # Index units: lattice coordinates decide which vertices are one, before any rounding of millimetres.
    flat = np.clip(values.transpose(2, 1, 0).ravel(), -4.0 * step_mm, 4.0 * step_mm)
    flat[flat == 0.0] = 1e-6
    image.GetPointData().SetScalars(numpy_to_vtk(flat, deep=True))
    edges = vtkFlyingEdges3D()
    edges.SetInputData(image)
    edges.SetValue(0, 0.0)
    edges.ComputeNormalsOff()
    edges.ComputeScalarsOff()
    edges.Update()
    surface = edges.GetOutput()
    vertices = vtk_to_numpy(surface.GetPoints().GetData()).astype(np.float64) * step_mm + lowest
    faces = vtk_to_numpy(surface.GetPolys().GetConnectivityArray()).reshape(-1, 3).astype(np.int32)
    vertices, faces = _largest(vertices, faces)
    shift = _onto(field, vertices) - vertices
    length = np.linalg.norm(shift, axis=1, keepdims=True)
    vertices = vertices + shift * np.minimum(1.0, 0.5 * step_mm / np.maximum(length, 1e-12))
    a, b, c = (vertices[faces[:, n]] for n in range(3))
    if np.einsum("ij,ij->i", a, np.cross(b, c)).sum() < 0:
        faces = faces[:, ::-1]
    return Mesh(vertices, np.ascontiguousarray(faces))


def _onto(field: Field, vertices: FloatArray) -> FloatArray:
    """Two Newton steps along one gradient, chunk by chunk: vertices already lie within a fraction of the lattice's edge."""
    result = np.empty_like(vertices)
    for first in range(0, len(vertices), _CHUNK):
        part = vertices[first : first + _CHUNK]
        moves = np.concatenate([np.zeros((1, 3)), _GRADIENT_STEP_MM * np.eye(3)])
        values = field((part[None] + moves[:, None]).reshape(-1, 3)).reshape(4, -1)
        slope = ((values[1:] - values[0]) / _GRADIENT_STEP_MM).T
        along = slope / np.maximum((slope * slope).sum(axis=1), 1e-6)[:, None]
        part = part - values[0][:, None] * along
        left = field(part)
        part = part - left[:, None] * along
        # Near a crease one gradient is not enough.
        bad = np.abs(left) > _CREASE_MM
        if bad.any():
            part[bad] = onto_surface(field, part[bad])
        result[first : first + _CHUNK] = part
    return result


def _largest(vertices: FloatArray, faces: NDArray[np.int32]) -> tuple[FloatArray, NDArray[np.int32]]:
    """Keep the component with most faces; drop unused vertices."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    n = len(vertices)
    rows = np.concatenate([faces[:, 0], faces[:, 1]])
    columns = np.concatenate([faces[:, 1], faces[:, 2]])
    _, part = connected_components(coo_matrix((np.ones(len(rows), np.int8), (rows, columns)), shape=(n, n)), directed=False)
    sizes = np.bincount(part[faces[:, 0]])
    keep = part == int(sizes.argmax())
    renumber = np.cumsum(keep) - 1
    return vertices[keep], renumber[faces[keep[faces[:, 0]]]].astype(np.int32)
