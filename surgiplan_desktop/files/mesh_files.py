"""Mesh files: read STL, PLY, OBJ; write them in LPS millimetres, atomically, the same bytes for the same mesh.

Whether a mesh can be a bone is not asked here (``planning.imported_bone`` does); whether the file is a mesh is.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np

from surgiplan_desktop.base.errors import InputDataError, UsageError
from surgiplan_desktop.base.units import VERTEX_ROUNDING_MM
from surgiplan_desktop.files.mesh_formats import STL_RECORD, MeshFormatError, Triangles, parse_obj, parse_ply, parse_stl
from surgiplan_desktop.model.mesh import Mesh

_PARSERS: Final[dict[str, Callable[[bytes], Triangles]]] = {".stl": parse_stl, ".ply": parse_ply, ".obj": parse_obj}
MESH_ENDINGS: Final = tuple(_PARSERS)
_STL_HEADER_BYTES: Final = 80


def read_mesh(path: Path) -> Mesh:
    """Read a mesh as it stands in the file: its own unit and space, vertices at one place joined, collapsed faces dropped.

    Raises
    ------
    InputDataError
        ``not_found``, ``mesh_is_folder``, ``unreadable_file``, ``mesh_format_unknown`` or ``not_a_mesh``; each names the file.
    """
    path = Path(path)
    parser = _PARSERS.get(path.suffix.lower())
    if path.is_dir():
        raise InputDataError("mesh_is_folder", file=path)
    if not path.is_file():
        raise InputDataError("not_found", file=path)
    if parser is None:
        raise InputDataError("mesh_format_unknown", file=path, ending=path.suffix or path.name)
    try:
        vertices, faces = parser(path.read_bytes())
        if not len(faces) or not np.isfinite(vertices).all():
            raise MeshFormatError("no triangles" if not len(faces) else "a coordinate is not a finite number")
        kept = (faces != np.roll(faces, 1, axis=1)).all(axis=1)
        return Mesh(vertices, faces[kept])
    except OSError as error:
        raise InputDataError("unreadable_file", file=path, detail=repr(error)) from error
    except ValueError as error:
        raise InputDataError("not_a_mesh", file=path, detail=str(error)) from error


def write_stl(path: Path, mesh: Mesh, header: str) -> None:
    """Write a binary STL: LPS mm, canonical order, a header of at most 80 ASCII characters without time.

    The header must not begin with "solid" (readers would take the file for ASCII). Raises UsageError ``output_not_writable``.
    """
    text = header.encode("ascii", "replace")[:_STL_HEADER_BYTES]
    if text.lower().startswith(b"solid"):
        raise ValueError("the header of a binary STL must not begin with 'solid'")
    ordered = canonical(mesh)
    records = np.zeros(len(ordered.faces), dtype=STL_RECORD)
    corners = ordered.vertices[ordered.faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    lengths = np.linalg.norm(normals, axis=1, keepdims=True)
    records["normal"] = np.divide(normals, lengths, out=np.zeros_like(normals), where=lengths > 0)
    records["corners"] = corners
    count = np.array([len(records)], dtype="<u4").tobytes()
    write_atomic(path, text.ljust(_STL_HEADER_BYTES, b" ") + count + records.tobytes())


def write_ply(path: Path, mesh: Mesh, comment: str) -> None:
    """Write a binary little-endian PLY: LPS mm, double precision, canonical order."""
    ordered = canonical(mesh)
    lines = [
        "ply", "format binary_little_endian 1.0", f"comment {comment.encode('ascii', 'replace').decode()}",
        f"element vertex {len(ordered.vertices)}", "property double x", "property double y", "property double z",
        f"element face {len(ordered.faces)}", "property list uchar int vertex_indices", "end_header",
    ]  # fmt: skip
    records = np.zeros(len(ordered.faces), dtype=[("count", "u1"), ("corners", "<i4", 3)])
    records["count"], records["corners"] = 3, ordered.faces
    write_atomic(path, ("\n".join(lines) + "\n").encode() + ordered.vertices.astype("<f8").tobytes() + records.tobytes())


def write_obj(path: Path, mesh: Mesh, comment: str) -> None:
    """Write a Wavefront OBJ: LPS mm with four decimals, canonical order."""
    ordered = canonical(mesh)
    lines = [f"# {comment.encode('ascii', 'replace').decode()}"]
    lines += [f"v {x:.4f} {y:.4f} {z:.4f}" for x, y, z in ordered.vertices.tolist()]
    lines += [f"f {a} {b} {c}" for a, b, c in (ordered.faces + 1).tolist()]
    write_atomic(path, ("\n".join(lines) + "\n").encode("ascii"))


def canonical(mesh: Mesh) -> Mesh:
    """Return the mesh with vertices rounded to 1e-4 mm and sorted, faces from their smallest vertex on and sorted.

    Faces whose corners fall together are dropped; nothing else changes, so equal shapes give equal bytes.
    """
    grid = np.rint(mesh.vertices / VERTEX_ROUNDING_MM).astype(np.int64)
    unique, index = np.unique(grid, axis=0, return_inverse=True)
    faces = index.reshape(-1)[mesh.faces].astype(np.int32)
    faces = faces[(faces != np.roll(faces, 1, axis=1)).all(axis=1)]
    start = faces.argmin(axis=1)
    faces = np.take_along_axis(faces, (start[:, None] + np.arange(3)) % 3, axis=1)
    faces = faces[np.lexsort((faces[:, 2], faces[:, 1], faces[:, 0]))]
    used, compact = np.unique(faces, return_inverse=True)
    vertices = np.asarray(unique[used] * VERTEX_ROUNDING_MM, dtype=np.float64)
    return Mesh(vertices, compact.reshape(-1, 3).astype(np.int32))


def write_atomic(path: Path, data: bytes) -> None:
    """Write bytes to a temporary file beside ``path`` and put it in place; nothing half written stays behind.

    Raises UsageError ``output_not_writable`` naming the file when the folder or the disk refuses.
    """
    path = Path(path)
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
            Path(name).chmod(0o644)
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise UsageError("output_not_writable", file=path, reason=error.strerror or str(error), detail=repr(error)) from error
