"""GLB: glTF 2.0 in one binary file. Lengths are metres and +y is up by its standard (Khronos glTF 2.0, 3.4).

What the program writes keeps the axes of LPS, so that one frame holds in every file, and says so in the asset's extras.
"""

from __future__ import annotations

import base64
import binascii
import json
import struct
from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from surgiplan_desktop.base.arrays import FloatArray
from surgiplan_desktop.files.mesh_formats import MeshFormatError, Triangles

_MAGIC: Final = b"glTF"
_JSON_CHUNK: Final = 0x4E4F534A
_BIN_CHUNK: Final = 0x004E4942
_TRIANGLES: Final = 4
_COMPONENTS: Final = {5120: "i1", 5121: "u1", 5122: "<i2", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
_WIDTH: Final = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4}
_MAX_DEPTH: Final = 64


def parse_glb(data: bytes) -> tuple[Triangles, str]:
    """Return the triangles of the scene as one mesh in the units of the file, and the text of the asset's extras.

    Raises
    ------
    MeshFormatError
        The bytes are no GLB of version 2, or hold triangles in a way that is not read (strips, compression).
    """
    try:
        document, binary = _chunks(data)
        return _scene(document, binary), _told(document)
    except (ValueError, KeyError, IndexError, TypeError, struct.error, binascii.Error, RecursionError) as error:
        if isinstance(error, MeshFormatError):
            raise
        raise MeshFormatError(f"{type(error).__name__}: {error}") from error


def _chunks(data: bytes) -> tuple[dict[str, Any], bytes]:
    magic, version, length = struct.unpack_from("<4sII", data)
    if magic != _MAGIC or version != 2 or length > len(data):
        raise MeshFormatError("no whole GLB of version 2")
    document: dict[str, Any] | None = None
    binary = b""
    place = 12
    while place + 8 <= length:
        size, kind = struct.unpack_from("<II", data, place)
        chunk = data[place + 8 : place + 8 + size]
        if len(chunk) < size:
            raise MeshFormatError("the file ends inside a chunk")
        if kind == _JSON_CHUNK and document is None:
            document = json.loads(chunk)
        elif kind == _BIN_CHUNK:
            binary = chunk
        place += 8 + size
    if not isinstance(document, dict):
        raise MeshFormatError("no description of the scene")
    return document, binary


def _scene(document: Mapping[str, Any], binary: bytes) -> Triangles:
    required = document.get("extensionsRequired", [])
    if required:
        raise MeshFormatError(f"needs the extension {required[0]}")
    nodes = document.get("nodes", [])
    scenes = document.get("scenes")
    children = {child for node in nodes for child in node.get("children", [])}
    roots = scenes[document.get("scene", 0)].get("nodes", []) if scenes else [n for n in range(len(nodes)) if n not in children]
    vertices: list[FloatArray] = []
    faces: list[Any] = []
    count = 0

    def visit(number: int, place: FloatArray, depth: int) -> None:
        nonlocal count
        if depth > _MAX_DEPTH:
            raise MeshFormatError("nodes are nested too deep")
        node = nodes[number]
        here = place @ _matrix(node)
        if "mesh" in node:
            for primitive in document["meshes"][node["mesh"]]["primitives"]:
                points, corners = _primitive(document, binary, primitive)
                if np.linalg.det(here[:3, :3]) < 0:
                    corners = corners[:, ::-1]  # a mirroring node turns the faces inside out
                vertices.append(points @ here[:3, :3].T + here[:3, 3])
                faces.append(corners + count)
                count += len(points)
        for child in node.get("children", []):
            visit(child, here, depth + 1)

    for root in roots:
        visit(root, np.eye(4), 0)
    if not vertices:
        raise MeshFormatError("the scene holds no mesh")
    return np.concatenate(vertices), np.concatenate(faces).astype(np.int32)


def _matrix(node: Mapping[str, Any]) -> FloatArray:
    if "matrix" in node:
        return np.array(node["matrix"], dtype=np.float64).reshape(4, 4).T
    x, y, z, w = (float(value) for value in node.get("rotation", (0.0, 0.0, 0.0, 1.0)))
    turn = np.array([
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ])  # fmt: skip
    matrix = np.eye(4)
    matrix[:3, :3] = turn * np.array(node.get("scale", (1.0, 1.0, 1.0)), dtype=np.float64)
    matrix[:3, 3] = node.get("translation", (0.0, 0.0, 0.0))
    return matrix


def _primitive(document: Mapping[str, Any], binary: bytes, primitive: Mapping[str, Any]) -> tuple[FloatArray, Any]:
    if primitive.get("mode", _TRIANGLES) != _TRIANGLES:
        raise MeshFormatError("strips, lines and points are not read")
    points = _accessor(document, binary, primitive["attributes"]["POSITION"]).astype(np.float64)
    if "indices" in primitive:
        order = _accessor(document, binary, primitive["indices"]).reshape(-1).astype(np.int64)
    else:
        order = np.arange(len(points))
    if len(order) % 3 or (len(order) and int(order.max()) >= len(points)):
        raise MeshFormatError("a triangle names a vertex that is not there")
    return points, order.reshape(-1, 3)


def _accessor(document: Mapping[str, Any], binary: bytes, number: int) -> Any:
    accessor = document["accessors"][number]
    if "sparse" in accessor or "bufferView" not in accessor:
        raise MeshFormatError("sparse data is not read")
    view = document["bufferViews"][accessor["bufferView"]]
    data = _buffer(document, binary, view["buffer"])
    kind = np.dtype(_COMPONENTS[accessor["componentType"]])
    width, count = _WIDTH[accessor["type"]], int(accessor["count"])
    row = kind.itemsize * width
    stride = int(view.get("byteStride", row))
    start = int(view.get("byteOffset", 0)) + int(accessor.get("byteOffset", 0))
    if count < 0 or stride < row or start < 0 or start + (count - 1) * stride + row > len(data):
        raise MeshFormatError("data ends too early")
    return np.ndarray((count, width), dtype=kind, buffer=data, offset=start, strides=(stride, kind.itemsize)).copy()


def _buffer(document: Mapping[str, Any], binary: bytes, number: int) -> bytes:
    uri = document["buffers"][number].get("uri")
    if uri is None:
        return binary
    head, _, content = str(uri).partition(";base64,")
    if not head.startswith("data:"):
        raise MeshFormatError("the data lies in another file")
    return base64.b64decode(content, validate=True)


def _told(document: Mapping[str, Any]) -> str:
    extras = document.get("asset", {}).get("extras", {})
    return " ".join(f"{key}={value}" for key, value in extras.items()) if isinstance(extras, dict) else ""


def make_glb(mesh: Triangles, title: str) -> bytes:
    """Return the bytes of a GLB of one body given in LPS mm: metres, axes kept, said in the extras; equal input, equal bytes."""
    vertices, faces = mesh
    points = np.ascontiguousarray(vertices / 1000.0, dtype="<f4")
    corners = np.ascontiguousarray(faces, dtype="<u4").reshape(-1)
    body = points.tobytes() + corners.tobytes()
    document = {
        "asset": {"version": "2.0", "generator": "SurgiPlan Desktop", "extras": {"space": "LPS", "unit": "m", "title": title}},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0, "name": title}],
        "meshes": [{"name": title, "primitives": [{"attributes": {"POSITION": 0}, "indices": 1, "mode": _TRIANGLES}]}],
        "accessors": [
            {
                "bufferView": 0, "componentType": 5126, "count": len(points), "type": "VEC3",
                "min": [float(value) for value in points.min(axis=0)], "max": [float(value) for value in points.max(axis=0)],
            },
            {"bufferView": 1, "componentType": 5125, "count": len(corners), "type": "SCALAR"},
        ],
        "bufferViews": [
            {"buffer": 0, "byteOffset": 0, "byteLength": points.nbytes, "target": 34962},
            {"buffer": 0, "byteOffset": points.nbytes, "byteLength": corners.nbytes, "target": 34963},
        ],
        "buffers": [{"byteLength": len(body)}],
    }  # fmt: skip
    text = json.dumps(document, ensure_ascii=True, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 4)
    body += b"\0" * (-len(body) % 4)
    length = 12 + 8 + len(text) + 8 + len(body)
    head = struct.pack("<4sII", _MAGIC, 2, length)
    return head + struct.pack("<II", len(text), _JSON_CHUNK) + text + struct.pack("<II", len(body), _BIN_CHUNK) + body
