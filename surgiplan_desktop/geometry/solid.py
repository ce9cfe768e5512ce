"""Solids: booleans, splitting and primitives. The only user of manifold3d.

Meshes go in and come out as :class:`Mesh`. Every input is gated (finite, closed, oriented, positive volume; the error names the
body), every output is checked (status, not empty, volume inside the band that its inputs allow) and brought to one canonical
form: vertices rounded to 1e-4 mm and merged, vertices and faces sorted, so that equal inputs give equal bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import manifold3d
import numpy as np

from surgiplan_desktop.base.arrays import FloatArray, points3, unit, vector3
from surgiplan_desktop.base.errors import ComputationError, InputDataError
from surgiplan_desktop.base.spaces import Affine, Frame, Plane
from surgiplan_desktop.base.units import VERTEX_ROUNDING_MM
from surgiplan_desktop.geometry.canonical import canonical_mesh, edge_counts, grid_of, is_closed, set_apart
from surgiplan_desktop.model.mesh import Mesh

#: Short edges are collapsed within this before rounding (mm): shorter ones would be lost in the single precision of an STL.
_CLEANING_MM: Final = 5e-4
#: Segments of a full circle of cylinders and capsules.
SEGMENTS: Final = 48
EMPTY: Final = Mesh(np.empty((0, 3)), np.empty((0, 3), dtype=np.int32))


def gate(mesh: Mesh, name: str) -> None:
    """Check that a mesh is a solid: finite, closed, oriented, of positive volume.

    Raises
    ------
    InputDataError
        ``body_empty``, ``body_not_finite``, ``body_open``, ``body_not_oriented``, ``body_inside_out`` or ``body_refused``,
        each naming the body.
    """
    _solid(mesh, name)


def is_solid(mesh: Mesh) -> bool:
    """Tell whether the mesh passes :func:`gate`."""
    return len(mesh.faces) > 0 and _complaint(mesh, "") is None


def volume(mesh: Mesh) -> float:
    """Return the volume in mm3 by the divergence theorem; negative when the mesh is turned inside out."""
    if not len(mesh.faces):
        return 0.0
    # about a near point: coordinates far from the origin would lose digits
    corners = (mesh.vertices - mesh.vertices[0])[mesh.faces]
    return float(np.einsum("ij,ij->", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])) / 6.0)


def area(mesh: Mesh) -> float:
    """Return the surface area in mm2."""
    corners = mesh.vertices[mesh.faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    return float(0.5 * np.linalg.norm(normals, axis=1).sum())


def union(*meshes: Mesh, name: str = "union") -> Mesh:
    """Join bodies to one mesh (of several components where they do not touch)."""
    if not meshes:
        raise ValueError("union of nothing")
    bodies = [_solid(mesh, f"{name}, body {number}") for number, mesh in enumerate(meshes, start=1)]
    volumes = [volume(mesh) for mesh in meshes]
    result = manifold3d.Manifold.batch_boolean(bodies, manifold3d.OpType.Add)
    return _checked(result, name, max(volumes), sum(volumes), _slack(*meshes))


def difference(body: Mesh, *tools: Mesh, name: str = "difference") -> Mesh:
    """Subtract tools from a body; ComputationError ``solid_empty`` when nothing is left."""
    solids = [_solid(body, name)]
    solids += [_solid(tool, f"{name}, tool {number}") for number, tool in enumerate(tools, start=1)]
    whole = volume(body)
    result = manifold3d.Manifold.batch_boolean(solids, manifold3d.OpType.Subtract)
    return _checked(result, name, whole - sum(map(volume, tools)), whole, _slack(body, *tools))


def intersection(first: Mesh, second: Mesh, *, name: str = "intersection", may_be_empty: bool = False) -> Mesh:
    """Return what two bodies share; without ``may_be_empty`` nothing shared is ComputationError ``solid_empty``."""
    result = _solid(first, f"{name}, first") ^ _solid(second, f"{name}, second")
    if may_be_empty and result.status() == manifold3d.Error.NoError and _is_nothing(result):
        return EMPTY
    return _checked(result, name, 0.0, min(volume(first), volume(second)), _slack(first, second))


def intersection_volume(first: Mesh, second: Mesh, *, name: str = "intersection") -> float:
    """Return the volume two bodies share, mm3; 0.0 exactly when they share none. Not rounded to the vertex grid."""
    result = _solid(first, f"{name}, first") ^ _solid(second, f"{name}, second")
    _check_status(result, name)
    return 0.0 if result.is_empty() else max(0.0, float(result.volume()))


def split(mesh: Mesh, plane: Plane, *, name: str = "body") -> tuple[Mesh, Mesh]:
    """Cut a body by a plane into the part the normal points to and the other.

    Raises
    ------
    ComputationError
        ``plane_misses_body`` when one of the two would be empty.
    """
    normal, offset = plane.normal, float(plane.normal @ plane.point_lps)
    parts = _solid(mesh, name).split_by_plane(tuple(normal), offset)
    for part in parts:
        _check_status(part, name)
        if _is_nothing(part):
            raise ComputationError("plane_misses_body", body=name)
    whole, slack = volume(mesh), _slack(mesh)
    above, below = (_checked(part, name, 0.0, whole, slack) for part in parts)
    if abs(volume(above) + volume(below) - whole) > 2.0 * slack:
        raise ComputationError("solid_volume", body=name, volume_mm3=volume(above) + volume(below), low=whole, high=whole)
    return above, below


def components(mesh: Mesh, *, name: str = "body") -> tuple[Mesh, ...]:
    """Return the connected bodies of a mesh, largest volume first."""
    whole, slack = volume(mesh), _slack(mesh)
    bodies = [_checked(part, name, 0.0, whole, slack) for part in _solid(mesh, name).decompose() if not _is_nothing(part)]
    return tuple(sorted(bodies, key=lambda body: (-round(volume(body), 3), body.vertices[0].tolist())))


def canonical(mesh: Mesh, *, name: str = "body") -> Mesh:
    """Return the mesh in canonical form (rounded, merged, sorted) without any other change of shape.

    Raises
    ------
    ComputationError
        ``solid_not_clean`` when rounding to 1e-4 mm would open the surface or join two sheets.
    """
    clean = canonical_mesh(grid_of(mesh.vertices), mesh.faces)
    if not is_closed(clean.faces):
        raise ComputationError("solid_not_clean", body=name)
    return clean


def cylinder(
    start_lps: FloatArray,
    end_lps: FloatArray,
    radius_mm: float,
    segments: int = SEGMENTS,
    *,
    end_radius_mm: float | None = None,
    circumscribed: bool = False,
) -> Mesh:
    """Return a cylinder or cone between two points, mm.

    The polygon lies inside the circle; ``circumscribed`` puts it around the circle, as a bore needs that must keep its width.
    """
    start, end = vector3(start_lps, "start"), vector3(end_lps, "end")
    height = float(np.linalg.norm(end - start))
    end_radius = radius_mm if end_radius_mm is None else end_radius_mm
    if not (height > 0 and radius_mm > 0 and end_radius > 0 and segments >= 3):
        raise ValueError("a cylinder has a positive height and radius and at least 3 segments")
    factor = 1.0 / np.cos(np.pi / segments) if circumscribed else 1.0
    body = manifold3d.Manifold.cylinder(height, radius_mm * factor, end_radius * factor, segments)
    return _placed(body, frame_along(start, end - start), "cylinder")


def box(frame: Frame, size_mm: FloatArray | Sequence[float]) -> Mesh:
    """Return a box centred on the frame's origin with edges ``size_mm`` along the frame's X, Y, Z."""
    size = vector3(size_mm, "size")
    if not (size > 0).all():
        raise ValueError("a box has positive edges")
    return _placed(manifold3d.Manifold.cube(tuple(size), True), frame, "box")


def extrude(polygons: FloatArray | Sequence[FloatArray], frame: Frame, low_mm: float, high_mm: float) -> Mesh:
    """Return a prism: polygons in the frame's X-Y plane carried along its Z from ``low_mm`` to ``high_mm``.

    Parameters
    ----------
    polygons
        One polygon of shape (n, 2), or several: one inside another is a hole (even-odd rule); order and direction do not matter.
    """
    if not high_mm > low_mm:
        raise ValueError("a prism has a positive height")
    many = [polygons] if isinstance(polygons, np.ndarray) and polygons.ndim == 2 else list(polygons)
    outlines = [np.array(polygon, dtype=np.float64) for polygon in many]
    section = manifold3d.CrossSection(outlines, manifold3d.FillRule.EvenOdd)
    body = manifold3d.Manifold.extrude(section, high_mm - low_mm).translate((0.0, 0.0, low_mm))
    return _placed(body, frame, "prism")


def capsule(start_lps: FloatArray, end_lps: FloatArray, radius_mm: float, segments: int = SEGMENTS) -> Mesh:
    """Return all points within ``radius_mm`` of a segment, as a polyhedron inscribed in the capsule."""
    start, end = vector3(start_lps, "start"), vector3(end_lps, "end")
    frame = frame_along(start, end - start)
    turn = 2.0 * np.pi * np.arange(segments) / segments
    lift = 0.5 * np.pi * np.arange(1, segments // 4 + 1) / (segments // 4)
    rings = [(0.0, 1.0), *((float(np.sin(a)), float(np.cos(a))) for a in lift)]
    points = [
        frame.to_lps(np.column_stack([r * np.cos(turn), r * np.sin(turn), np.full(segments, h)]) * radius_mm) + shift
        for h, r in rings
        for h, shift in ((h, end - start), (-h, np.zeros(3)))
    ]
    return hull(np.concatenate(points))


def ball(centre_lps: FloatArray, radius_mm: float, segments: int = SEGMENTS) -> Mesh:
    """Return a ball as a polyhedron inscribed in the sphere."""
    if not radius_mm > 0:
        raise ValueError("a ball has a positive radius")
    body = manifold3d.Manifold.sphere(radius_mm, segments)
    return _placed(body, Frame(vector3(centre_lps, "centre"), np.eye(3)), "ball")


def hull(points_lps: FloatArray) -> Mesh:
    """Return the convex hull of points (n, 3)."""
    result = manifold3d.Manifold.hull_points(np.ascontiguousarray(points3(points_lps)))
    return _checked(result, "hull", 0.0, np.inf, 0.0)


def frame_along(origin_lps: FloatArray, direction: FloatArray) -> Frame:
    """Return a frame whose Z points along a direction; X and Y are fixed by the direction alone."""
    z = unit(direction)
    helper = np.eye(3)[int(np.argmin(np.abs(z)))]
    x = unit(np.cross(helper, z))
    return Frame(vector3(origin_lps), np.column_stack([x, np.cross(z, x), z]))


def _solid(mesh: Mesh, name: str) -> manifold3d.Manifold:
    """Return the manifold of a mesh that passes the gate; manifold3d refuses read-only arrays, so they are copied."""
    if not len(mesh.faces):
        raise InputDataError("body_empty", body=name)
    if not np.isfinite(mesh.vertices).all():
        raise InputDataError("body_not_finite", body=name)
    body = _manifold(mesh)
    if body.status() != manifold3d.Error.NoError or body.is_empty() or volume(mesh) <= 0.0:
        error = _complaint(mesh, name)
        raise error or InputDataError("body_refused", body=name, status=body.status().name)
    return body


def _manifold(mesh: Mesh) -> manifold3d.Manifold:
    return manifold3d.Manifold(manifold3d.Mesh64(np.array(mesh.vertices), mesh.faces.astype(np.uint64)))


def _complaint(mesh: Mesh, name: str) -> InputDataError | None:
    """Say what keeps a mesh from being a solid, or None."""
    if not np.isfinite(mesh.vertices).all():
        return InputDataError("body_not_finite", body=name)
    counts = edge_counts(mesh.faces)
    open_edges, turned_edges = counts
    if open_edges:
        return InputDataError("body_open", body=name, edges=open_edges)
    if turned_edges:
        return InputDataError("body_not_oriented", body=name, edges=turned_edges)
    if volume(mesh) <= 0.0:
        return InputDataError("body_inside_out", body=name)
    body = _manifold(mesh)
    if body.status() != manifold3d.Error.NoError or body.is_empty():
        return InputDataError("body_refused", body=name, status=body.status().name)
    return None


def _is_nothing(body: manifold3d.Manifold) -> bool:
    """Tell whether a result is empty or a sliver that rounding would remove."""
    return bool(body.is_empty()) or float(body.volume()) <= VERTEX_ROUNDING_MM * float(body.surface_area())


def _without_slivers(body: manifold3d.Manifold) -> manifold3d.Manifold:
    """Drop shells without thickness, which a boolean leaves where two faces lie in one plane; cavities stay."""
    shells = body.decompose()
    kept = [shell for shell in shells if abs(float(shell.volume())) > VERTEX_ROUNDING_MM * float(shell.surface_area())]
    return body if len(kept) == len(shells) else manifold3d.Manifold.compose(kept)


def _check_status(body: manifold3d.Manifold, name: str) -> None:
    if body.status() != manifold3d.Error.NoError:
        raise ComputationError("solid_failed", body=name, status=body.status().name)


def _slack(*meshes: Mesh) -> float:
    """Volume by which rounding of vertices may change a result, mm3."""
    return 1e-3 + VERTEX_ROUNDING_MM * sum(map(area, meshes))


def _checked(body: manifold3d.Manifold, name: str, low: float, high: float, slack: float) -> Mesh:
    """Check a result and return it in canonical form."""
    _check_status(body, name)
    if _is_nothing(body):
        raise ComputationError("solid_empty", body=name)
    body = _without_slivers(body)
    expected = float(body.volume())
    allowed = 1e-3 + VERTEX_ROUNDING_MM * float(body.surface_area())
    for candidate in (body.simplify(_CLEANING_MM), body):
        mesh = _rounded(candidate)
        # slivers can lead the simplification astray, so its volume is compared with the volume before
        if is_closed(mesh.faces) and abs(volume(mesh) - expected) <= allowed:
            break
    else:
        raise ComputationError("solid_not_clean", body=name)
    found = volume(mesh)
    if not (low - slack <= found <= high + slack):
        raise ComputationError("solid_volume", body=name, volume_mm3=found, low=low, high=high)
    return mesh


def _rounded(body: manifold3d.Manifold) -> Mesh:
    """Return the canonical mesh; sheets that rounding would join are set apart."""
    raw = body.to_mesh64()
    grid, faces = grid_of(np.asarray(raw.vert_properties)[:, :3]), np.asarray(raw.tri_verts).astype(np.int32)
    mesh = canonical_mesh(grid, faces)
    return mesh if is_closed(mesh.faces) else canonical_mesh(set_apart(grid), faces)


def _placed(body: manifold3d.Manifold, frame: Frame, name: str) -> Mesh:
    """Move a primitive from the frame's coordinates to LPS."""
    transform: Affine = frame.lps_from_local
    expected = float(body.volume())
    result = body.transform(np.array(transform.matrix[:3, :]))
    return _checked(result, name, expected, expected, 1e-3 + VERTEX_ROUNDING_MM * float(body.surface_area()))
