"""Bones that somebody else segmented: is the mesh a solid of plausible size, and where are its open ends?

A mesh without its scan tells no field of view, so planar ends of more than 100 mm2 with the whole bone on one side are taken for
cuts (design: blocks and parts).
"""

from __future__ import annotations

from typing import Final

import numpy as np

from surgiplan_desktop.base.arrays import BoolArray, FloatArray, IntArray
from surgiplan_desktop.base.errors import InputDataError
from surgiplan_desktop.base.spaces import Plane
from surgiplan_desktop.base.units import MM_PER_UNIT
from surgiplan_desktop.geometry.section import plane_basis
from surgiplan_desktop.geometry.solid import volume
from surgiplan_desktop.model.anatomy import BoneId, BoneName
from surgiplan_desktop.model.mesh import Bone, BonePart, Mesh

#: A planar end of at least this area is a cut through the bone, not its shape (mm2; design.md 4).
CAP_AREA_MM2: Final = 100.0
#: A cut through a shaft is at least this wide; long strips between flat facets are not (mm).
CAP_WIDTH_MM: Final = 6.0
#: Faces of a cap lie within this of its plane, and the bone does not reach further out than this (mm).
CAP_FLATNESS_MM: Final = 0.02
#: Faces of a cap point the same way within this (deg).
CAP_ANGLE_DEG: Final = 1.0
#: Longest extent of the bone or a part of it worth planning on, mm (adult range with margin, clinical.md has no table: [P]).
PLAUSIBLE_LENGTH_MM: Final[dict[BoneName, tuple[float, float]]] = {
    BoneName.FEMUR: (60.0, 650.0),
    BoneName.TIBIA: (50.0, 550.0),
    BoneName.FIBULA: (45.0, 550.0),
    BoneName.PATELLA: (20.0, 80.0),
    BoneName.TALUS: (30.0, 90.0),
    BoneName.HIP: (80.0, 350.0),
    BoneName.SACRUM: (70.0, 180.0),
}


def length_mm(vertices: FloatArray) -> float:
    """Return the longest extent of the bounding box, in the unit of the vertices."""
    return float(np.ptp(vertices, axis=0).max())


def plausible_units(bone: BoneName, length: float) -> tuple[str, ...]:
    """Return the units in which a length is a plausible size of the bone."""
    low, high = PLAUSIBLE_LENGTH_MM[bone]
    return tuple(unit for unit, factor in MM_PER_UNIT.items() if low <= length * factor <= high)


def check_bone_mesh(bone: BoneId, mesh: Mesh, file: str, unit: str = "mm") -> tuple[Mesh, bool]:
    """Check that a mesh in LPS mm is a solid that can be this bone; turn it if it is inside out.

    ``unit`` is the one the file was said to be in: the error names the others that would fit.

    Returns
    -------
    mesh, turned
        The mesh with faces outward, and whether they had to be turned.

    Raises
    ------
    InputDataError
        ``mesh_open``, ``mesh_not_oriented``, ``mesh_parts`` or ``mesh_size``, naming the file and what to do.
    """
    open_edges, turned_edges = edge_faults(mesh.faces)
    if open_edges:
        raise InputDataError("mesh_open", file=file, bone=str(bone.bone), edges=open_edges, holes="some")
    if turned_edges:
        raise InputDataError("mesh_not_oriented", file=file, bone=str(bone.bone), edges=turned_edges)
    parts = component_sizes(mesh.faces, len(mesh.vertices))
    if len(parts) > 1:
        raise InputDataError("mesh_parts", file=file, bone=str(bone.bone), parts=len(parts), faces=parts[1])
    length = length_mm(mesh.vertices)
    low, high = PLAUSIBLE_LENGTH_MM[bone.bone]
    if not low <= length <= high:
        likely = ", ".join(other for other in plausible_units(bone.bone, length / MM_PER_UNIT[unit]) if other != unit) or "none"
        raise InputDataError(
            "mesh_size", file=file, bone=str(bone.bone), length_mm=round(length, 3), low=low, high=high, likely=likely
        )
    if volume(mesh) < 0:
        return Mesh(mesh.vertices, mesh.faces[:, ::-1]), True
    return mesh, False


def bone_from_mesh(bone: BoneId, vertices: FloatArray, faces: IntArray) -> Bone:
    """Make a bone of one part from an imported mesh (LPS mm, checked on import), its planar ends known as caps.

    Raises
    ------
    InputDataError
        As :func:`check_bone_mesh`; the bone stands for the file.
    """
    mesh, _ = check_bone_mesh(bone, Mesh(vertices, faces), str(bone))
    caps, on_cap = find_caps(mesh)
    return Bone(bone, (BonePart(0, mesh, caps, on_cap),))


def find_caps(mesh: Mesh) -> tuple[tuple[Plane, ...], BoolArray]:
    """Find the planar ends: connected coplanar faces of more than 100 mm2 with the whole mesh on their inner side.

    Returns
    -------
    caps, vertices
        Planes with normals out of the bone, largest first, and a mask of shape (n,) of the vertices on any of them.
    """
    corners = mesh.vertices[mesh.faces]
    crosses = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    areas = 0.5 * np.linalg.norm(crosses, axis=1)
    normals = np.divide(crosses, 2.0 * areas[:, None], out=np.zeros_like(crosses), where=areas[:, None] > 0)
    free = areas > 0
    found: list[tuple[float, Plane]] = []
    on_cap = np.zeros(len(mesh.vertices), dtype=np.bool_)
    for normal, offset in _candidates(normals, areas, corners):
        heights = mesh.vertices @ normal - offset
        if float(heights.max()) > CAP_FLATNESS_MM:
            continue
        flat = (np.abs(heights) <= CAP_FLATNESS_MM)[mesh.faces].all(axis=1)
        members = free & flat & (normals @ normal > np.cos(np.radians(CAP_ANGLE_DEG)))
        area = float(areas[members].sum())
        if area <= CAP_AREA_MM2 or _width(corners[members], areas[members], normal) < CAP_WIDTH_MM:
            continue
        free &= ~members
        centre = np.average(corners[members].mean(axis=1), axis=0, weights=areas[members])
        direction = (normals[members] * areas[members, None]).sum(axis=0)
        found.append((area, Plane(centre, direction)))
        on_cap[mesh.faces[members].ravel()] = True
    found.sort(key=lambda item: -item[0])
    return tuple(plane for _, plane in found), on_cap


def _width(corners: FloatArray, areas: FloatArray, normal: FloatArray) -> float:
    """Return the smaller width of a flat patch (triangles of shape (m, 3, 3)): that of the ellipse of its second moments, mm."""
    u, v = plane_basis(normal)
    flat = corners @ np.column_stack([u, v])
    flat = flat - np.average(flat.mean(axis=1), axis=0, weights=areas)
    sums = flat.sum(axis=1)
    moments = np.einsum("m,mij,mik->jk", areas, flat, flat) + np.einsum("m,mj,mk->jk", areas, sums, sums)
    smallest = float(np.linalg.eigvalsh(moments / (12.0 * areas.sum()))[0])
    return 4.0 * float(np.sqrt(max(smallest, 0.0)))


def _candidates(normals: FloatArray, areas: FloatArray, corners: FloatArray) -> list[tuple[FloatArray, float]]:
    """Return planes (normal, offset) that hold much area: faces sorted into bins of like normal and offset, largest first."""
    rounded = np.c_[np.rint(normals * 50.0), np.rint((corners.mean(axis=1) * normals).sum(axis=1) * 10.0)]
    # Twice, half a bin apart, so that a plane on the border of two bins is not split in both.
    planes: list[tuple[float, FloatArray, float]] = []
    shifted = np.c_[np.floor(normals * 50.0), np.floor((corners.mean(axis=1) * normals).sum(axis=1) * 10.0)]
    for bins in (rounded, shifted):
        _, index = np.unique(bins, axis=0, return_inverse=True)
        index = index.reshape(-1)
        sums = np.bincount(index, weights=areas)
        for number in np.flatnonzero(sums > CAP_AREA_MM2 / 4):
            members = index == number
            mean = (normals[members] * areas[members, None]).sum(axis=0)
            normal = mean / np.linalg.norm(mean)
            offset = float((corners[members].reshape(-1, 3) @ normal).mean())
            planes.append((float(sums[number]), normal, offset))
    planes.sort(key=lambda item: -item[0])
    return [(normal, offset) for _, normal, offset in planes]


def edge_faults(faces: IntArray) -> tuple[int, int]:
    """Return the number of edges that do not have exactly two faces, and of those that both faces run through alike."""
    tails, heads = faces.ravel().astype(np.int64), np.roll(faces, -1, axis=1).ravel().astype(np.int64)
    keys = np.minimum(tails, heads) * (int(faces.max()) + 1) + np.maximum(tails, heads)
    _, index, counts = np.unique(keys, return_inverse=True, return_counts=True)
    forward = np.bincount(index.reshape(-1), weights=tails < heads)
    closed = counts == 2
    return int((~closed).sum()), int((closed & (forward != 1)).sum())


def component_sizes(faces: IntArray, vertex_count: int) -> tuple[int, ...]:
    """Return the number of faces of each connected part, largest first."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    tails, heads = faces.ravel(), np.roll(faces, -1, axis=1).ravel()
    graph = coo_matrix((np.ones(len(tails), dtype=np.int8), (tails, heads)), shape=(vertex_count, vertex_count))
    _, labels = connected_components(graph, directed=False)
    sizes = np.bincount(labels[faces[:, 0]])
    return tuple(sorted((int(size) for size in sizes if size), reverse=True))
