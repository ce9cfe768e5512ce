"""Mesh files: read and write STL, PLY, OBJ, 3MF, GLB: LPS, atomically, the same bytes for the same mesh.

Whether a mesh can be a bone is not asked here (``planning.imported_bone`` does); whether the file is a mesh is.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from surgiplan_desktop.base.errors import InputDataError, UsageError
from surgiplan_desktop.base.units import MM_PER_UNIT, VERTEX_ROUNDING_MM
from surgiplan_desktop.files.mesh_3mf import make_3mf, parse_3mf
from surgiplan_desktop.files.mesh_formats import (
    STL_RECORD,
    MeshFormatError,
    Triangles,
    comments,
    joined,
    parse_obj,
    parse_ply,
    parse_stl,
)
from surgiplan_desktop.files.mesh_glb import make_glb, parse_glb
from surgiplan_desktop.model.mesh import Mesh

_PARSERS: Final[dict[str, Callable[[bytes], tuple[Triangles, str]]]] = {
    ".stl": lambda data: (parse_stl(data), comments(data)),
    ".ply": lambda data: (parse_ply(data), comments(data)),
    ".obj": lambda data: (parse_obj(data), comments(data)),
    ".3mf": parse_3mf,
    ".glb": parse_glb,
}
MESH_ENDINGS: Final = tuple(_PARSERS)
#: Formats whose standard says the unit, whatever their comments say.
_UNIT_OF_FORMAT: Final = {".3mf": "mm", ".glb": "m"}
#: What this program, 3D Slicer and others write into headers and comments.
_SPACE: Final = re.compile(r"\bspace\s*=\s*(lps|ras)\b", re.IGNORECASE)
_UNIT: Final = re.compile(r"\bunit\s*=\s*(mm|cm|m|inch)\b", re.IGNORECASE)
_STL_HEADER_BYTES: Final = 80
#: No bone lies this far from the origin in any unit; what does is a broken number.
_FARTHEST: Final = 1e9


@dataclass(frozen=True, slots=True, eq=False)
class MeshFile:
    """A mesh as it stands in its file: own unit and space, and what the file says of them (None where it says nothing).

    ``y_up`` marks a GLB that does not name its axes: by the standard of the format +y is up and +z forward.
    """

    mesh: Mesh
    unit: str | None
    space: str | None
    y_up: bool = False


def read_mesh(path: Path) -> Mesh:
    """Read a mesh in millimetres where the file says its unit, as it stands otherwise; errors as :func:`read_mesh_file`."""
    read = read_mesh_file(path)
    factor = 1.0 if read.unit is None else MM_PER_UNIT[read.unit]
    return read.mesh if factor == 1.0 else Mesh(read.mesh.vertices * factor, read.mesh.faces)


def read_mesh_file(path: Path) -> MeshFile:
    """Read a mesh with what its file says: vertices at one place joined, collapsed faces dropped.

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
        (vertices, faces), told = parser(path.read_bytes())
        if not np.isfinite(vertices).all() or (len(vertices) and float(np.abs(vertices).max()) > _FARTHEST):
            raise MeshFormatError("a coordinate is not a finite number")
        vertices, faces = joined(vertices, faces)
        kept = (faces != np.roll(faces, 1, axis=1)).all(axis=1)
        if not kept.any():
            raise MeshFormatError("no triangles")
        mesh = Mesh(vertices, faces[kept])
    except OSError as error:
        raise InputDataError("unreadable_file", file=path, detail=repr(error)) from error
    except ValueError as error:
        raise InputDataError("not_a_mesh", file=path, detail=str(error)) from error
    unit, space = _UNIT.search(told), _SPACE.search(told)
    known = _UNIT_OF_FORMAT.get(path.suffix.lower())
    return MeshFile(
        mesh=mesh,
        unit=known or (unit.group(1).lower() if unit else None),
        space=space.group(1).lower() if space else None,
        y_up=path.suffix.lower() == ".glb" and space is None,
    )


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


def write_3mf(path: Path, mesh: Mesh, title: str) -> None:
    """Write a 3MF: LPS, unit millimetre said in the file, four decimals, canonical order."""
    ordered = canonical(mesh)
    write_atomic(path, make_3mf((ordered.vertices, ordered.faces), title))


def write_glb(path: Path, mesh: Mesh, title: str) -> None:
    """Write a GLB: metres by the format's standard, the axes of LPS, canonical order."""
    ordered = canonical(mesh)
    write_atomic(path, make_glb((ordered.vertices, ordered.faces), title))


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
