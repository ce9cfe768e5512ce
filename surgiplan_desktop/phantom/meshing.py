"""From a field to a closed mesh: evaluation in bricks near the surface, marching cubes, and Newton steps onto the surface."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from surgiplan_desktop.base.arrays import FloatArray
from surgiplan_desktop.model.mesh import Mesh
from surgiplan_desktop.phantom.fields import Field, onto_surface

#: Lattice points along an edge of the bricks of each level: what lies far from the surface is left out at every level.
_BRICKS = (8, 4, 2)
#: Points evaluated at once: few enough that their arrays stay in the processor's cache.
_CHUNK = 16_000
#: Fields may overestimate the distance by this factor; bricks further from the surface than that are not evaluated.
_SAFETY = 1.7
_GRADIENT_STEP_MM = 1e-4
#: A vertex that is still this far from the surface after a step is followed with a fresh gradient.
_CREASE_MM = 0.01
#: Below this step the lattice is twice as coarse, and every triangle of its mesh is divided into four.
_DIVIDED_MM = 0.65
#: Steps by which a box grows on every side when the surface leaves it.
_GROW_STEPS = 8


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
    bricks = -(-counts // _BRICKS[0])
    values = np.empty(bricks * _BRICKS[0], dtype=np.float32)
    starts = _places(bricks) * _BRICKS[0]
    for level, edge in enumerate(_BRICKS):
        half = 0.5 * (edge - 1) * step
        middle = _evaluated(field, starts, lowest + half, step)
        close = np.abs(middle) < _SAFETY * (float(np.linalg.norm(half)) + margin_mm)
        _in_bricks(values, edge)[tuple(starts // edge)] = np.where(middle < 0, -1e3, 1e3)[:, None, None, None]
        inner = _BRICKS[level + 1] if level + 1 < len(_BRICKS) else 1
        within = _places(np.full(3, edge // inner)) * inner
        starts = (starts[:, close, None] + within[:, None, :]).reshape(3, -1)
    values[tuple(starts)] = _evaluated(field, starts, lowest, step)
    return Sampled(values[: counts[0], : counts[1], : counts[2]], lowest, step)


def _places(counts: NDArray[np.int_]) -> NDArray[np.int_]:
    """All places of a lattice, shape (3, n), the last coordinate fastest."""
    return np.indices(tuple(int(n) for n in counts)).reshape(3, -1)


def _in_bricks(values: NDArray[np.float32], edge: int) -> NDArray[np.float32]:
    """The lattice seen as bricks: three numbers of the brick, then the place in it."""
    shape = [part for count in values.shape for part in (count // edge, edge)]
    return values.reshape(shape).transpose(0, 2, 4, 1, 3, 5)


def _evaluated(field: Field, places: NDArray[np.int_], origin: FloatArray, step: FloatArray) -> NDArray[np.float32]:
    """Values of a field at places (3, n) of a lattice, shape (n,)."""
    result = np.empty(places.shape[1], dtype=np.float32)
    for first in range(0, len(result), _CHUNK):
        part = slice(first, first + _CHUNK)
        points = (places[:, part] * step[:, None] + origin[:, None]).astype(np.float32)
        result[part] = field(points.T)
    return result


def mesh_of(field: Field, lowest: FloatArray, highest: FloatArray, step_mm: float, *, whole: bool = True) -> Mesh:
    """Closed, outward-oriented mesh of a field, its vertices on the surface to about 1e-3 mm; largest component only.

    The box is where the surface is looked for; where the surface leaves it the box grows, unless ``whole`` is False: then the
    mesh is open there.
    """
    from surgiplan_desktop.geometry.isosurface import zero_surface

    divided = step_mm < _DIVIDED_MM
    step_mm = 2.0 * step_mm if divided else step_mm
    step = np.full(3, step_mm)
    sampled = sample(field, lowest, highest, step, 2.0 * step_mm)
    while whole and _leaves_box(sampled.values):
        lowest, highest = lowest - _GROW_STEPS * step, highest + _GROW_STEPS * step
        sampled = sample(field, lowest, highest, step, 2.0 * step_mm)
    values = sampled.values
    # Index units: lattice coordinates decide which vertices are one, before any rounding of millimetres.
    clipped = np.clip(values, -4.0 * step_mm, 4.0 * step_mm)
    clipped[clipped == 0.0] = 1e-6
    index, faces = zero_surface(clipped.transpose(2, 1, 0))
    vertices = index[:, ::-1] * step_mm + lowest
    vertices, faces = _largest(vertices, faces)
    vertices = _settled(field, vertices, 0.5 * step_mm)
    if divided:
        middles, faces = _divided(vertices, faces)
        vertices = np.concatenate([vertices, _settled(field, middles, 0.25 * step_mm)])
    a, b, c = (vertices[faces[:, n]] for n in range(3))
    if np.einsum("ij,ij->i", a, np.cross(b, c)).sum() < 0:
        faces = faces[:, ::-1]
    return Mesh(vertices, np.ascontiguousarray(faces))


def _leaves_box(values: NDArray[np.float32]) -> bool:
    """Tell whether the solid reaches a side of its box."""
    return any(bool((np.take(values, end, axis=axis) < 0.0).any()) for axis in range(3) for end in (0, -1))


def _divided(vertices: FloatArray, faces: NDArray[np.int32]) -> tuple[FloatArray, NDArray[np.int32]]:
    """Middles of all edges, numbered after the vertices, and the four triangles that they make of each one."""
    count = len(vertices)
    ends = np.stack([faces, np.roll(faces, -1, axis=1)], axis=-1).astype(np.int64)
    ends.sort(axis=-1)
    keys, number = np.unique(ends[..., 0] * count + ends[..., 1], return_inverse=True)
    middles = 0.5 * (vertices[keys // count] + vertices[keys % count])
    (a, b, c), (ab, bc, ca) = faces.T, (number.reshape(-1, 3) + count).T
    parts = [(a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca)]
    return middles, np.concatenate([np.stack(part, axis=-1) for part in parts]).astype(np.int32)


def _settled(field: Field, vertices: FloatArray, reach_mm: float) -> FloatArray:
    """Vertices moved onto the surface, none further than ``reach_mm``."""
    shift = _onto(field, vertices) - vertices
    length = np.linalg.norm(shift, axis=1, keepdims=True)
    result: FloatArray = vertices + shift * np.minimum(1.0, reach_mm / np.maximum(length, 1e-12))
    return result


def _onto(field: Field, vertices: FloatArray) -> FloatArray:
    """Two Newton steps along one gradient, chunk by chunk: vertices already lie within a fraction of the lattice's edge."""
    result = np.empty_like(vertices)
    moves = np.concatenate([np.zeros((1, 3)), _GRADIENT_STEP_MM * np.eye(3)])
    for first in range(0, len(vertices), _CHUNK // 4):
        part = vertices[first : first + _CHUNK // 4].T
        values = field((part[:, None, :] + moves.T[:, :, None]).reshape(3, -1).T).reshape(4, -1)
        slope = (values[1:] - values[0]) / _GRADIENT_STEP_MM
        along = slope / np.maximum((slope * slope).sum(axis=0), 1e-6)
        part = part - values[0] * along
        left = field(part.T)
        part = (part - left * along).T
        # Near a crease one gradient is not enough.
        bad = np.abs(left) > _CREASE_MM
        if bad.any():
            part[bad] = onto_surface(field, part[bad])
        result[first : first + _CHUNK // 4] = part
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
