"""Label map and Hounsfield values to the closed surfaces of a bone, one part a block."""

from __future__ import annotations

from typing import Final

import numpy as np
from scipy import ndimage

from surgiplan_desktop.base.arrays import BoolArray, FloatArray, IntArray
from surgiplan_desktop.base.errors import ComputationError, InputDataError
from surgiplan_desktop.base.progress import SILENT, Progress
from surgiplan_desktop.base.spaces import Affine, Plane
from surgiplan_desktop.geometry.distance import closest_points
from surgiplan_desktop.geometry.edge import FloatImage, edge_field
from surgiplan_desktop.geometry.isosurface import zero_surface
from surgiplan_desktop.geometry.outline import carried_to_edges, settled, without_cavities
from surgiplan_desktop.geometry.simplify import simplified, smoothed
from surgiplan_desktop.geometry.slices import bridged, displaced_slices
from surgiplan_desktop.geometry.solid import canonical, components, split, volume
from surgiplan_desktop.model.anatomy import BoneId, label_code
from surgiplan_desktop.model.images import LabelMap, Volume
from surgiplan_desktop.model.mesh import Bone, BonePart, Deviation, Mesh

#: Simplification keeps within this of the full surface, mm.
SIMPLIFICATION_MM: Final = 0.1
#: A bone is carried on beyond the edge of its block by this, mm, before it is cut flat there: smoothing then rounds no rim.
_BEYOND_MM: Final = 6.0
#: What reaches less than this beyond an open end is not cut, mm.
_LEAST_BEYOND_MM: Final = 0.3
#: Fewer voxels than this are no surface.
_LEAST_VOXELS: Final = 20
#: A vertex belongs to a cap when it lies this near to the cap's plane, mm (vertices are rounded to 1e-4).
_ON_CAP_MM: Final = 2e-4
_MARGIN: Final = 4
#: What profiles see beyond the farthest place of an edge, mm.
_SEEN_BEYOND_MM: Final = 3.0


def bone_from_blocks(
    bone: BoneId, *labels_and_volumes: LabelMap | Volume, doubt_mm: float = 0.0, progress: Progress = SILENT
) -> Bone:
    """Make the surfaces of a bone from label maps and volumes.

    Parameters
    ----------
    bone
        The bone; its label code selects the voxels.
    *labels_and_volumes
        LabelMap and Volume of block 0, of block 1, and so on; a block without the bone is passed over.
    doubt_mm
        How far the labels may be wrong: so far the edge is looked for (a network's labels). 0 for labels that were drawn by
        Hounsfield values: the edge then lies within about a voxel of them.
    progress
        Reports one step a block.

    Returns
    -------
    Bone
        One part a block: closed, oriented, one component, simplified within 0.1 mm; where the block's edge cuts the bone it is
        closed by a plane cap at the outer face of the last voxels.

    Raises
    ------
    InputDataError
        ``bone_not_in_labels`` when no block holds the bone.
    ComputationError
        ``surface_failed`` when voxels give no closed surface.
    """
    maps = [item for item in labels_and_volumes if isinstance(item, LabelMap)]
    volumes = [item for item in labels_and_volumes if isinstance(item, Volume)]
    if len(maps) != len(volumes) or len(maps) + len(volumes) != len(labels_and_volumes):
        raise ValueError("bone_from_blocks takes a LabelMap and a Volume for each block, in turn")
    parts = []
    for block, (labels, image) in enumerate(zip(maps, volumes, strict=True)):
        progress.step(block, len(maps), "surface")
        if labels.shape != image.shape:
            raise ValueError(f"label map and volume of block {block} differ in shape")
        if np.count_nonzero(labels.array == label_code(bone)) >= _LEAST_VOXELS:
            parts.append(surface_part(block, labels, image, label_code(bone), doubt_mm))
    progress.step(len(maps), len(maps), "surface")
    if not parts:
        raise InputDataError("bone_not_in_labels", bone=str(bone))
    return Bone(bone, tuple(parts))


def surface_part(block: int, labels: LabelMap, image: Volume, code: int, doubt_mm: float = 0.0) -> BonePart:
    """Make the closed surface of the voxels of one label code in one block; ``doubt_mm`` as in ``bone_from_blocks``."""
    own, foreign, hu, affine, edges = _cropped(labels, image, code, doubt_mm)
    label = own
    if doubt_mm > 0.0:
        own = without_cavities(own, foreign, affine.spacing)
        own = carried_to_edges(hu, own, foreign, edges, affine.spacing, doubt_mm)
        outline = settled(hu, own, foreign, affine.spacing, doubt_mm)
        own, foreign = outline.depth_mm > 0.0, outline.shut
        if np.count_nonzero(own) < _LEAST_VOXELS:
            raise ComputationError("surface_failed", label=code, detail="no edge of bone near the label")
    open_ends = tuple((axis, end) for axis, end in edges if own.take(end, axis).any())
    field = edge_field(hu, own, foreign, affine.spacing)
    field, shift = _carried_on(field, open_ends, affine.spacing)
    raw = _surface_of(field, affine @ Affine.from_parts(np.eye(3), -shift))
    if not len(raw.faces):
        raise ComputationError("surface_failed", label=code, detail="no zero crossing")
    before = volume(raw)
    fine = smoothed(raw)
    coarse = simplified(fine, SIMPLIFICATION_MM)
    change = volume(coarse) / before - 1.0
    mesh, caps = coarse, []
    for plane in _edge_planes(own.shape, affine, open_ends):
        if plane.signed_distance(mesh.vertices).max() < _LEAST_BEYOND_MM:
            continue  # a tip that just touches the edge was rounded off
        _, mesh = split(mesh, plane, name=f"label {code}")
        caps.append(plane)
    mesh = canonical(components(mesh, name=f"label {code}")[0])
    on_cap = np.zeros(len(mesh.vertices), dtype=np.bool_)
    real = []
    for plane in caps:
        here = np.abs(plane.signed_distance(mesh.vertices)) <= _ON_CAP_MM
        if here.any():
            real.append(plane)
            on_cap |= here
    return BonePart(block, mesh, tuple(real), on_cap, _deviation(mesh, on_cap, label, affine, open_ends), float(change))


def _cropped(
    labels: LabelMap, image: Volume, code: int, doubt_mm: float
) -> tuple[BoolArray, BoolArray, FloatImage, Affine, tuple[tuple[int, int], ...]]:
    """Cut out the bone with a margin; tell which faces of the cut-out are edges of the block: (axis, 0) or (axis, -1)."""
    where = ndimage.find_objects((labels.array == code).astype(np.uint8))[0]
    reach = 0.0 if doubt_mm == 0.0 else doubt_mm + _SEEN_BEYOND_MM
    margin = [max(_MARGIN, int(np.ceil(reach / step))) for step in image.affine.spacing]
    low = [max(0, item.start - more) for item, more in zip(where, margin, strict=True)]
    high = [min(size, item.stop + more) for item, more, size in zip(where, margin, labels.shape, strict=True)]
    box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    steady = bridged(image, displaced_slices(image)) if image.shape[0] > 2 else image
    part = labels.array[box]
    own = part == code
    edges = []
    for axis, (first, last, size) in enumerate(zip(low, high, labels.shape, strict=True)):
        if first == 0:
            edges.append((axis, 0))
        if last == size:
            edges.append((axis, -1))
    affine = image.affine @ Affine.from_parts(np.eye(3), np.array(low, dtype=np.float64))
    return own, (part > 0) & ~own, steady.array[box].astype(np.float32), affine, tuple(edges)


def _carried_on(field: FloatImage, ends: tuple[tuple[int, int], ...], spacing_mm: FloatArray) -> tuple[FloatImage, FloatArray]:
    """Repeat the last layer of the field beyond open ends, then close all round with one layer of outside.

    Returns the field and by how many voxels its index runs ahead, (3,).
    """
    pads = [[0, 0], [0, 0], [0, 0]]
    for axis, end in ends:
        pads[axis][0 if end == 0 else 1] = int(np.ceil(_BEYOND_MM / spacing_mm[axis]))
    carried = np.pad(field, pads, mode="edge")
    closed = np.pad(carried, 1, constant_values=-1.0)
    return closed, np.array([before + 1 for before, _ in pads], dtype=np.float64)


def _surface_of(field: FloatImage, affine: Affine) -> Mesh:
    """Return the surface where the field passes zero, outward, in LPS mm."""
    index, faces = zero_surface(field)
    mesh = Mesh(affine(index), faces)
    return mesh if volume(mesh) >= 0 else Mesh(mesh.vertices, faces[:, ::-1])


def _edge_planes(shape: tuple[int, ...], affine: Affine, ends: tuple[tuple[int, int], ...]) -> list[Plane]:
    """Planes through the outer faces of the block's last voxels at open ends, normals out of the block."""
    normals = np.linalg.inv(affine.linear)  # row a: the direction that changes only index a
    planes = []
    for axis, end in ends:
        index = np.zeros(3)
        index[axis] = -0.5 if end == 0 else shape[axis] - 0.5
        planes.append(Plane(affine(index), normals[axis] * (-1.0 if end == 0 else 1.0)))
    return planes


def _deviation(mesh: Mesh, on_cap: BoolArray, own: BoolArray, affine: Affine, ends: tuple[tuple[int, int], ...]) -> Deviation:
    """Measure how far the surface lies from the mask's boundary: at the centres of the faces between bone and other voxels."""
    padded = np.pad(own, 1)
    for axis, end in ends:
        layer = [slice(1, -1)] * 3
        layer[axis] = slice(0, 1) if end == 0 else slice(-1, None)
        padded[tuple(layer)] = own.take([0 if end == 0 else -1], axis)
    boundary = []
    for axis in range(3):
        low, high = padded.take(range(padded.shape[axis] - 1), axis), padded.take(range(1, padded.shape[axis]), axis)
        centre = np.argwhere(low != high).astype(np.float64) - 1.0
        centre[:, axis] += 0.5
        boundary.append(centre)
    points = np.concatenate(boundary)
    points = points[:: max(1, len(points) // 8000)]
    _, distance, face = closest_points(mesh, affine(points))
    away = ~on_cap[mesh.faces[face]].all(axis=1)
    distance = distance[away] if away.any() else distance
    return Deviation(float(distance.mean()), float(np.quantile(distance, 0.95)), float(distance.max()))


def part_areas(mesh: Mesh, faces: IntArray) -> FloatArray:
    """Return the areas of the triangles, mm2."""
    corners = mesh.vertices[faces]
    result: FloatArray = 0.5 * np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    return result
