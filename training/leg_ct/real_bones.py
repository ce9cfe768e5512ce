"""Real bones in the place of drawn ones: whole femora, and fibulae and patellae of the Visible Human man, fitted to a drawn leg.

    python training/leg_ct/real_bones.py FOLDER --femora DIR --visible-human DIR [--legs 20] [--first 5000]

Writes shapes of the same form as ``shapes.py`` (``real_05000.npz``). A real bone is laid on the drawn one of its kind by nearest
points, with one scale along and one across its length; where it then meets a neighbour, the deeper bone has the voxel. Credits:
whole femora by unibas-gravis (Apache-2.0); Andreassen et al., Sci Data 2022, doi:10.1038/s41597-022-01905-2 (CC BY 4.0).
"""

from __future__ import annotations

import argparse
from itertools import product
from pathlib import Path

import numpy as np
from scipy.spatial import cKDTree
from shapes import DEPTH_UNIT_MM, OTHER_BONE, REACH_MM, STEP_MM, Shape, drawn_fields, shape_of
from vtkmodules.util.numpy_support import vtk_to_numpy
from vtkmodules.vtkCommonDataModel import vtkImageData
from vtkmodules.vtkImagingStencil import vtkImageStencilToImage, vtkPolyDataToImageStencil

from surgiplan_desktop.base.arrays import FloatArray
from surgiplan_desktop.files.mesh_files import read_mesh
from surgiplan_desktop.geometry.convert import mesh_to_polydata
from surgiplan_desktop.model.anatomy import BoneName
from surgiplan_desktop.model.mesh import Mesh

_ROUNDS = 25
_SAMPLE_MM = 0.8


def laid_on(real: Mesh, drawn: Mesh) -> Mesh:
    """Return a real bone (of either side) fitted to the drawn one: the best of all turns of the main axes and their mirrors."""
    tree = cKDTree(_samples(drawn, 2.0))
    own = _samples(real, 2.0)
    middle, target = own.mean(axis=0), tree.data.mean(axis=0)
    axes, goal = _axes(own - middle), _axes(tree.data - target)
    # sizes once and for all: a scale that follows the nearest points would shrink the bone
    spread, wanted = ((own - middle) @ axes).std(axis=0), ((tree.data - target) @ goal).std(axis=0)
    across = np.sqrt(wanted[1] * wanted[2] / (spread[1] * spread[2]))
    size = np.diag([wanted[0] / spread[0], across, across])
    best, answer = np.inf, (np.eye(3), target)
    for signs in product((1.0, -1.0), repeat=3):
        turn, at = goal @ np.diag(signs) @ size @ axes.T, target
        for _ in range(_ROUNDS):
            placed = (own - middle) @ turn.T + at
            pairs = tree.data[tree.query(placed)[1]]
            step = _rotation(placed - placed.mean(axis=0), pairs - pairs.mean(axis=0))
            turn, at = step @ turn, pairs.mean(axis=0) + step @ (at - placed.mean(axis=0))
        off = float(np.sqrt(np.mean(tree.query((own - middle) @ turn.T + at)[0] ** 2)))
        if off < best:
            best, answer = off, (turn, at)
    turn, at = answer
    vertices = (real.vertices - middle) @ turn.T + at
    faces = real.faces if np.linalg.det(turn) > 0 else real.faces[:, ::-1]
    return Mesh(vertices, np.ascontiguousarray(faces))


def _rotation(points: FloatArray, wanted: FloatArray) -> FloatArray:
    left, _, right = np.linalg.svd(wanted.T @ points)
    turn: FloatArray = left @ np.diag([1.0, 1.0, np.sign(np.linalg.det(left @ right))]) @ right
    return turn


def _axes(points: FloatArray) -> FloatArray:
    values, axes = np.linalg.eigh(points.T @ points)
    return axes[:, np.argsort(values)[::-1]]


def _samples(mesh: Mesh, step_mm: float) -> FloatArray:
    """Points spread evenly over the surface, about one a step squared."""
    corners = mesh.vertices[mesh.faces]
    area = 0.5 * np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    random = np.random.default_rng(0)
    face = random.choice(len(area), int(area.sum() / step_mm**2), p=area / area.sum())
    u, v = np.sqrt(random.random(len(face))), random.random(len(face))
    a, b, c = corners[face].transpose(1, 0, 2)
    return (1 - u)[:, None] * a + (u * (1 - v))[:, None] * b + (u * v)[:, None] * c


def mesh_depth(mesh: Mesh, origin: FloatArray, size: FloatArray) -> np.ndarray:
    """Signed distance (positive inside, mm, clipped) of a mesh on a grid of STEP_MM, shape (k, j, i)."""
    image = vtkImageData()
    image.SetOrigin(*origin)
    image.SetSpacing(STEP_MM, STEP_MM, STEP_MM)
    image.SetDimensions(*(int(n) for n in size))
    image.AllocateScalars(3, 1)
    image.GetPointData().GetScalars().Fill(1)
    stencil = vtkPolyDataToImageStencil()
    stencil.SetInputData(mesh_to_polydata(mesh))
    stencil.SetOutputOrigin(image.GetOrigin())
    stencil.SetOutputSpacing(image.GetSpacing())
    stencil.SetOutputWholeExtent(image.GetExtent())
    filled = vtkImageStencilToImage()
    filled.SetInputConnection(stencil.GetOutputPort())
    filled.SetInsideValue(1)
    filled.SetOutsideValue(0)
    filled.Update()
    inside = vtk_to_numpy(filled.GetOutput().GetPointData().GetScalars()).reshape(size[::-1].astype(int)) > 0
    axes = [origin[axis] + STEP_MM * np.arange(int(size[axis])) for axis in (2, 1, 0)]
    z, y, x = np.meshgrid(*axes, indexing="ij")
    points = np.stack([x.ravel(), y.ravel(), z.ravel()], axis=1)
    distance = cKDTree(_samples(mesh, _SAMPLE_MM)).query(points, distance_upper_bound=REACH_MM)[0].reshape(x.shape)
    distance = np.minimum(distance, REACH_MM)
    return np.where(inside, distance, -distance)


def with_real(seed: int, femora: list[Mesh], fibulae: list[Mesh], patellae: list[Mesh]) -> Shape:
    """Draw a leg and put real bones in the place of some of its own."""
    random = np.random.default_rng([seed, 11])
    leg, fields = drawn_fields(seed)
    real: dict[int, Mesh] = {}
    for (bone, mesh), kinds in product(leg.meshes.items(), ((BoneName.FEMUR, femora, 1), (BoneName.FIBULA, fibulae, 4),
                                                            (BoneName.PATELLA, patellae, 3))):  # fmt: skip
        name, stock, code = kinds
        if bone.bone is name:
            real[code] = laid_on(stock[int(random.integers(len(stock)))], mesh)
    shape = shape_of([field for field in fields if field[0] not in real])
    depth, code_map = shape.depth.astype(np.float32) * DEPTH_UNIT_MM, shape.code.copy()
    for code, mesh in real.items():
        first = np.floor((mesh.vertices.min(axis=0) - REACH_MM - shape.origin) / STEP_MM).astype(int).clip(0)
        last = np.ceil((mesh.vertices.max(axis=0) + REACH_MM - shape.origin) / STEP_MM).astype(int) + 1
        last = np.minimum(last, depth.shape[::-1])
        own = mesh_depth(mesh, shape.origin + STEP_MM * first, last - first)
        box = tuple(slice(int(a), int(b)) for a, b in zip(first[::-1], last[::-1], strict=True))
        closer = own > depth[box]
        depth[box][closer] = own[closer]
        code_map[box][closer] = code
    return Shape(np.clip(np.rint(depth / DEPTH_UNIT_MM), -127, 127).astype(np.int8), code_map, shape.origin)


def main() -> None:
    """Write the shapes that are not there yet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--femora", type=Path, required=True)
    parser.add_argument("--visible-human", type=Path, required=True)
    parser.add_argument("--legs", type=int, default=20)
    parser.add_argument("--first", type=int, default=5000)
    options = parser.parse_args()
    wanted = (
        (options.femora, "*.stl"),
        (options.visible_human, "VHM_*Fibula*.stl"),
        (options.visible_human, "VHM_*Patella*.stl"),
    )
    stocks = [[read_mesh(path) for path in sorted(folder.glob(pattern))] for folder, pattern in wanted]
    for seed in range(options.first, options.first + options.legs):
        path = options.folder / f"real_{seed:05d}.npz"
        if path.exists():
            continue
        shape = with_real(seed, *stocks)
        partial = path.with_suffix(".part.npz")
        np.savez_compressed(partial, depth=shape.depth, code=shape.code, origin=shape.origin)
        partial.rename(path)
        volumes = np.bincount(shape.code[shape.depth > 0], minlength=OTHER_BONE + 1)[1:]
        print(path.name, shape.depth.shape, volumes, flush=True)


if __name__ == "__main__":
    main()
