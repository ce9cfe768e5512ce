"""What STL, PLY and OBJ bytes mean: triangles as arrays, and what their comments say. Knows formats only, nothing of bones."""

from __future__ import annotations

import struct
from typing import Final

import numpy as np
from numpy.typing import NDArray

from surgiplan_desktop.base.arrays import AnyArray, FloatArray, IntArray

Triangles = tuple[FloatArray, IntArray]

STL_RECORD: Final = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])
_PLY_TYPES: Final = {
    "char": "i1", "int8": "i1", "uchar": "u1", "uint8": "u1", "short": "i2", "int16": "i2", "ushort": "u2", "uint16": "u2",
    "int": "i4", "int32": "i4", "uint": "u4", "uint32": "u4", "float": "f4", "float32": "f4", "double": "f8", "float64": "f8",
}  # fmt: skip


class MeshFormatError(ValueError):
    """The bytes are not a mesh of the format, with the technical reason."""


def parse_stl(data: bytes) -> Triangles:
    """Return vertices (n, 3) and faces (m, 3) of a binary or ASCII STL; corners at exactly one place are one vertex."""
    count = struct.unpack_from("<I", data, 80)[0] if len(data) >= 84 else -1
    if len(data) == 84 + STL_RECORD.itemsize * count:
        corners = np.frombuffer(data, dtype=STL_RECORD, offset=84)["corners"].astype(np.float64)
    elif data.lstrip()[:5].lower() == b"solid" and b"facet" in data[:4096]:
        corners = _ascii_corners(data)
    else:
        raise MeshFormatError(f"{len(data)} bytes do not hold the {max(count, 0)} triangles that the header promises")
    points = corners.reshape(-1, 3)
    return joined(points, np.arange(len(points), dtype=np.int32).reshape(-1, 3))


def _ascii_corners(data: bytes) -> FloatArray:
    words = [line.split() for line in data.splitlines()]
    rows = [line[1:4] for line in words if line and line[0].lower() == b"vertex"]
    if len(rows) % 3 or not any(line and line[0].lower() == b"endsolid" for line in words[-3:]):
        raise MeshFormatError("the text ends inside a triangle")
    try:
        return np.array(rows, dtype=np.float64).reshape(-1, 3, 3)
    except ValueError as error:
        raise MeshFormatError(str(error)) from error


def joined(points: FloatArray, faces: IntArray) -> Triangles:
    """Join vertices at exactly one place: many programs repeat a vertex for each face or normal it has."""
    points = points + 0.0
    order = np.lexsort((points[:, 2], points[:, 1], points[:, 0]))
    ordered = points[order]
    new = np.r_[True, (np.diff(ordered, axis=0) != 0).any(axis=1)] if len(points) else np.zeros(0, dtype=bool)
    if new.all():
        return points, faces
    index = np.empty(len(points), dtype=np.int32)
    index[order] = np.cumsum(new) - 1
    return ordered[new], index[faces]


def comments(data: bytes) -> str:
    """Return what a STL header, or the comments of a PLY or OBJ, say; at most their first 4096 bytes."""
    start = data[:4096]
    if start.startswith(b"ply"):
        lines = start.split(b"end_header")[0].splitlines()
        return " ".join(line[8:].decode("latin-1") for line in lines if line.startswith(b"comment "))
    if start.lstrip()[:5].lower() == b"solid" or len(data) < 84 or start.lstrip()[:1] in (b"#", b"v", b"o", b"g"):
        lines = start.splitlines()
        return " ".join(line.decode("latin-1") for line in lines if line[:1] == b"#" or line.lstrip()[:5].lower() == b"solid")
    return start[:80].decode("latin-1").strip(" \0")


def parse_obj(data: bytes) -> Triangles:
    """Return vertices and faces of a Wavefront OBJ; polygons become fans, groups and materials are passed over."""
    vertices: list[list[float]] = []
    polygons: list[list[int]] = []
    try:
        for line in data.decode("utf-8", "replace").splitlines():
            words = line.split()
            if not words:
                continue
            if words[0] == "v":
                vertices.append([float(word) for word in words[1:4]])
            elif words[0] == "f":
                numbers = [int(word.split("/")[0]) for word in words[1:]]
                polygons.append([number - 1 if number > 0 else len(vertices) + number for number in numbers])
        return np.array(vertices, dtype=np.float64).reshape(-1, 3), _fans(polygons)
    except (ValueError, IndexError) as error:
        raise MeshFormatError(str(error)) from error


def _fans(polygons: list[list[int]]) -> IntArray:
    corners = [(p[0], p[n], p[n + 1]) for p in polygons for n in range(1, len(p) - 1)]
    return np.array(corners, dtype=np.int32).reshape(-1, 3)


def parse_ply(data: bytes) -> Triangles:
    """Return vertices and faces of a PLY (ascii, binary little or big endian); polygons become fans."""
    end = data.find(b"end_header")
    start = data.find(b"\n", end) + 1
    if not data.startswith(b"ply") or end < 0 or start == 0:
        raise MeshFormatError("no PLY header")
    lines = [line.split() for line in data[:end].decode("ascii", "replace").splitlines()]
    order = next(
        ({"ascii": "", "binary_little_endian": "<", "binary_big_endian": ">"}.get(w[1]) for w in lines if w[:1] == ["format"]),
        None,
    )
    if order is None:
        raise MeshFormatError("unknown kind of PLY")
    try:
        elements = _ply_elements(lines)
        return _ply_ascii(data[start:], elements) if order == "" else _ply_binary(data, start, elements, order)
    except (ValueError, IndexError, KeyError, StopIteration) as error:
        raise MeshFormatError(f"{type(error).__name__}: {error}") from error


_Element = tuple[str, int, list[list[str]]]


def _ply_elements(lines: list[list[str]]) -> list[_Element]:
    """Return (name, count, properties) in order; a property is [type, name] or ["list", count type, item type, name]."""
    elements: list[_Element] = []
    for words in lines:
        if words[:1] == ["element"]:
            elements.append((words[1], int(words[2]), []))
        elif words[:1] == ["property"]:
            elements[-1][2].append(words[1:])
    return elements


def _ply_ascii(body: bytes, elements: list[_Element]) -> Triangles:
    rows = iter(body.decode("ascii", "replace").splitlines())
    vertices: FloatArray = np.empty((0, 3))
    polygons: list[list[int]] = []
    for name, count, properties in elements:
        taken = [next(rows).split() for _ in range(count)]
        if name == "vertex":
            names = [item[-1] for item in properties]
            columns = [names.index(axis) for axis in "xyz"]
            vertices = np.array([[float(row[column]) for column in columns] for row in taken]).reshape(-1, 3)
        elif name == "face":
            polygons = [[int(word) for word in row[1 : 1 + int(row[0])]] for row in taken]
    return vertices, _fans(polygons)


def _ply_binary(data: bytes, start: int, elements: list[_Element], order: str) -> Triangles:
    vertices: FloatArray = np.empty((0, 3))
    faces: IntArray = np.empty((0, 3), dtype=np.int32)
    for name, count, properties in elements:
        if any(item[0] == "list" for item in properties):
            found, start = _ply_lists(data, start, count, properties, order)
            faces = found if name == "face" else faces
            continue
        record = np.dtype([(item[1], order + _PLY_TYPES[item[0]]) for item in properties])
        table = np.frombuffer(data, dtype=record, count=count, offset=start)
        start += count * record.itemsize
        if name == "vertex":
            vertices = np.column_stack([table[axis].astype(np.float64) for axis in "xyz"])
    return vertices, faces


def _ply_lists(data: bytes, start: int, count: int, properties: list[list[str]], order: str) -> tuple[IntArray, int]:
    """Read an element with lists: all triangles at once, anything else item by item."""
    kinds: list[tuple[str, str, int]] = []
    for item in properties:
        if item[0] == "list":
            kinds += [(f"{item[3]}#", order + _PLY_TYPES[item[1]], 1), (item[3], order + _PLY_TYPES[item[2]], 3)]
        else:
            kinds.append((item[1], order + _PLY_TYPES[item[0]], 1))
    record = np.dtype([(name, kind, (number,)) if number > 1 else (name, kind) for name, kind, number in kinds])
    lists = [item[3] for item in properties if item[0] == "list"]
    indices = next((name for name in lists if name in ("vertex_indices", "vertex_index")), lists[0])
    if start + count * record.itemsize <= len(data):
        table: AnyArray = np.frombuffer(data, dtype=record, count=count, offset=start)
        if all((table[f"{name}#"] == 3).all() for name in lists):
            return table[indices].astype(np.int32), start + count * record.itemsize
    polygons: list[list[int]] = []
    for _ in range(count):
        for item in properties:
            if item[0] == "list":
                length, start = _item(data, start, order + _PLY_TYPES[item[1]], 1)
                values, start = _item(data, start, order + _PLY_TYPES[item[2]], int(length[0]))
                if item[3] == indices:
                    polygons.append([int(value) for value in values])
            else:
                _, start = _item(data, start, order + _PLY_TYPES[item[0]], 1)
    return _fans(polygons), start


def _item(data: bytes, start: int, kind: str, count: int) -> tuple[NDArray[np.generic], int]:
    values = np.frombuffer(data, dtype=kind, count=count, offset=start)
    return values, start + values.nbytes
