"""Make one closed outward surface of what a file holds: faces turned, fragments and inner walls dropped, flat open ends closed.

Everything that is done is a finding; what cannot be done without inventing bone is refused by ``planning.imported_bone``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from surgiplan_desktop.base.arrays import FloatArray, IntArray
from surgiplan_desktop.base.errors import InputDataError
from surgiplan_desktop.geometry.section import plane_basis
from surgiplan_desktop.geometry.solid import volume
from surgiplan_desktop.model.anatomy import BoneName
from surgiplan_desktop.model.mesh import Mesh
from surgiplan_desktop.model.study import Finding
from surgiplan_desktop.planning.imported_bone import edge_faults

#: Parts of less than this share of the largest one's volume are fragments.
_FRAGMENT_SHARE: Final = 0.02
#: Points of an open end lie within this share of its width of one plane, or it is a hole.
_FLAT_SHARE: Final = 5e-4
#: Vertices closer than this share of the mesh's extent are one place that was rounded differently.
_SAME_PLACE: Final = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """A connected part of a mesh: its faces with their own vertices, and its signed volume (0 where it is open)."""

    mesh: Mesh
    volume: float


def parts_of(mesh: Mesh) -> tuple[Part, ...]:
    """Take a mesh apart into connected parts, largest volume (or extent, where open) first."""
    tails, heads = mesh.faces.ravel(), np.roll(mesh.faces, -1, axis=1).ravel()
    count = len(mesh.vertices)
    graph = coo_matrix((np.ones(len(tails), dtype=np.int8), (tails, heads)), shape=(count, count))
    _, labels = connected_components(graph, directed=False)
    of_face = labels[mesh.faces[:, 0]]
    parts = []
    for label in np.unique(of_face):
        used, faces = np.unique(mesh.faces[of_face == label], return_inverse=True)
        part = Mesh(mesh.vertices[used], faces.reshape(-1, 3).astype(np.int32))
        parts.append(Part(part, volume(part)))
    return tuple(sorted(parts, key=lambda part: -abs(part.volume)))


def cleaned(bone: BoneName, mesh: Mesh, file: str) -> tuple[Mesh, tuple[Finding, ...]]:
    """Return one surface in the numbers of the file, and what was done to get it.

    Raises
    ------
    InputDataError
        ``mesh_open`` with the number of holes, ``mesh_not_oriented``, ``mesh_parts``.
    """
    told = (("bone", str(bone)),)
    findings: list[Finding] = []
    mesh = _near_joined(mesh)
    if edge_faults(mesh.faces)[0]:
        mesh, capped = _capped(bone, mesh, file)
        findings.append(Finding("mesh_capped", "warn", (*told, ("ends", capped))))
    turned_edges = edge_faults(mesh.faces)[1]
    if turned_edges:
        raise InputDataError("mesh_not_oriented", file=file, bone=str(bone), edges=turned_edges)
    parts = parts_of(mesh)
    main = parts[0]
    if main.volume < 0:
        findings.append(Finding("mesh_turned", "note", told))
    walls, fragments = 0, 0
    for part in parts[1:]:
        if part.volume * main.volume < 0 and _inside(part.mesh, main.mesh):
            walls += 1
        elif abs(part.volume) <= _FRAGMENT_SHARE * abs(main.volume):
            fragments += 1
        else:
            raise InputDataError("mesh_parts", file=file, bone=str(bone), parts=len(parts), faces=len(part.mesh.faces))
    if walls:
        findings.append(Finding("mesh_inner_walls", "note", (*told, ("parts", walls))))
    if fragments:
        findings.append(Finding("mesh_fragments", "warn", (*told, ("parts", fragments))))
    faces = main.mesh.faces[:, ::-1] if main.volume < 0 else main.mesh.faces
    return Mesh(main.mesh.vertices, faces), tuple(findings)


def split_bones(mesh: Mesh, bones: tuple[BoneName, ...], file: str) -> dict[BoneName, Mesh]:
    """Tell the bones of one file apart: femur and tibia are the largest, the higher of the two the femur; the fibula is long.

    Raises
    ------
    InputDataError
        ``mesh_parts_few`` when the file holds fewer bodies than bones were named.
    """
    whole = _near_joined(mesh)
    large = [part for part in parts_of(whole) if part.volume]
    if len(large) < len(bones):
        raise InputDataError("mesh_parts_few", file=file, parts=len(large), bones=len(bones))
    chosen = large[: len(bones)]
    first: list[BoneName] = [bone for bone in (BoneName.FEMUR, BoneName.TIBIA) if bone in bones]
    found: dict[BoneName, Mesh] = {}
    upper_first = sorted(chosen[: len(first)], key=lambda part: -float(part.mesh.vertices[:, 2].mean()))
    for bone, part in zip(first, upper_first, strict=True):
        found[bone] = part.mesh
    rest = sorted(chosen[len(first) :], key=lambda part: -float(np.ptp(part.mesh.vertices, axis=0).max()))
    order = (BoneName.HIP, BoneName.FIBULA, BoneName.SACRUM, BoneName.TALUS, BoneName.PATELLA)
    others = [bone for bone in order if bone in bones]
    for name, part in zip(others, rest, strict=True):
        found[name] = part.mesh
    return found


def _near_joined(mesh: Mesh) -> Mesh:
    """Join vertices that rounding has put apart, where the mesh is open without it."""
    if not edge_faults(mesh.faces)[0]:
        return mesh
    step = _SAME_PLACE * float(np.ptp(mesh.vertices, axis=0).max())
    if not step > 0:
        return mesh
    pairs = cKDTree(mesh.vertices).query_pairs(step, output_type="ndarray")
    count = len(mesh.vertices)
    near_by = coo_matrix((np.ones(len(pairs), dtype=np.int8), (pairs[:, 0], pairs[:, 1])), shape=(count, count))
    places, index = connected_components(near_by, directed=False)
    first = np.full(places, count, dtype=np.int64)
    np.minimum.at(first, index, np.arange(count))
    faces = index[mesh.faces].astype(np.int32)
    kept = (faces != np.roll(faces, 1, axis=1)).all(axis=1)
    near = Mesh(mesh.vertices[first], faces[kept])
    return near if edge_faults(near.faces)[0] < edge_faults(mesh.faces)[0] else mesh


def _inside(inner: Mesh, outer: Mesh) -> bool:
    low, high = outer.vertices.min(axis=0), outer.vertices.max(axis=0)
    return bool((inner.vertices.min(axis=0) >= low).all() and (inner.vertices.max(axis=0) <= high).all())


def _capped(bone: BoneName, mesh: Mesh, file: str) -> tuple[Mesh, int]:
    """Close open ends that are flat (a bone cut by the end of the scan); raises ``mesh_open`` for any other hole."""
    loops = _open_loops(mesh.faces)
    open_edges = edge_faults(mesh.faces)[0]
    if loops is None:
        raise InputDataError("mesh_open", file=file, bone=str(bone), edges=open_edges, holes="several")
    extent = float(np.ptp(mesh.vertices, axis=0).max())
    caps: list[IntArray] = []
    for loop in loops:
        points = mesh.vertices[loop]
        centred = points - points.mean(axis=0)
        _, _, axes = np.linalg.svd(centred, full_matrices=False)
        width = float(np.ptp(centred @ axes[1]))
        flat = len(loop) >= 8 and float(np.ptp(centred @ axes[2])) <= max(_FLAT_SHARE * width, 1e-5 * extent)
        is_end = flat and width > 0.02 * extent and _at_end(mesh.vertices, points.mean(axis=0), axes[2])
        if not is_end:
            raise InputDataError("mesh_open", file=file, bone=str(bone), edges=open_edges, holes=len(loops))
        caps.append(_filled(points, axes[2], loop))
    return Mesh(mesh.vertices, np.concatenate([mesh.faces, *caps])), len(caps)


def _at_end(vertices: FloatArray, point: FloatArray, normal: FloatArray) -> bool:
    """Tell whether the whole mesh lies on one side of a plane."""
    heights = (vertices - point) @ normal
    least = 0.01 * float(np.ptp(heights))
    return bool(heights.min() > -least or heights.max() < least)


def _open_loops(faces: IntArray) -> list[IntArray] | None:
    """Return the open edges as closed rings of vertices, running against the faces beside them; None where rings touch."""
    tails, heads = faces.ravel().astype(np.int64), np.roll(faces, -1, axis=1).ravel().astype(np.int64)
    size = int(faces.max()) + 1
    there = set((tails * size + heads).tolist())
    following: dict[int, int] = {}
    for tail, head in zip(tails.tolist(), heads.tolist(), strict=True):
        if head * size + tail not in there:
            if head in following:
                return None
            following[head] = tail
    loops = []
    while following:
        start, here = following.popitem()
        ring = [start]
        while here != start:
            ring.append(here)
            nxt = following.pop(here, None)
            if nxt is None:
                return None
            here = nxt
        loops.append(np.array(ring, dtype=np.int32))
    return loops


def _filled(points: FloatArray, normal: FloatArray, ring: IntArray) -> IntArray:
    """Fill a flat ring by cutting off ears; returns triangles of the ring's vertex numbers, running as the ring does."""
    u, v = plane_basis(normal)
    flat = np.column_stack([points @ u, points @ v])
    area = float(np.sum(flat[:, 0] * np.roll(flat[:, 1], -1) - np.roll(flat[:, 0], -1) * flat[:, 1]))
    if area < 0:
        flat = flat * np.array([1.0, -1.0])
    left = list(range(len(ring)))
    triangles = []
    while len(left) > 3:
        for n in range(len(left)):
            a, b, c = left[n - 1], left[n], left[(n + 1) % len(left)]
            if _is_ear(flat, a, b, c, left):
                triangles.append((ring[a], ring[b], ring[c]))
                del left[n]
                break
        else:  # a ring that crosses itself by rounding: any corner will do, the cap is flat all the same
            a, b, c = left[-1], left[0], left[1]
            triangles.append((ring[a], ring[b], ring[c]))
            del left[0]
    triangles.append((ring[left[0]], ring[left[1]], ring[left[2]]))
    return np.array(triangles, dtype=np.int32)


def _is_ear(flat: FloatArray, a: int, b: int, c: int, left: list[int]) -> bool:
    pa, pb, pc = flat[a], flat[b], flat[c]
    if _cross(pa, pb, pc) <= 0:
        return False
    others = flat[[n for n in left if n not in (a, b, c)]]
    inside = (_cross(pa, pb, others) > 0) & (_cross(pb, pc, others) > 0) & (_cross(pc, pa, others) > 0)
    return not bool(np.any(inside))


def _cross(start: FloatArray, end: FloatArray, points: FloatArray) -> FloatArray:
    edge = end - start
    turned: FloatArray = edge[0] * (points[..., 1] - start[1]) - edge[1] * (points[..., 0] - start[0])
    return turned
