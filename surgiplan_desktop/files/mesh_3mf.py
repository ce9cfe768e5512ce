"""3MF: a zip with an XML model that names its unit (3MF Core Specification 1.3). Reads what others write, writes one body."""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from typing import Final
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

import numpy as np

from surgiplan_desktop.base.arrays import FloatArray, IntArray
from surgiplan_desktop.files.mesh_formats import MeshFormatError, Triangles

_CORE: Final = "{http://schemas.microsoft.com/3dmanufacturing/core/2015/02}"
_PATH: Final = "{http://schemas.microsoft.com/3dmanufacturing/production/2015/06}path"
_MODEL_TYPE: Final = "http://schemas.microsoft.com/3dmanufacturing/2013/01/3dmodel"
_ROOT: Final = "3D/3dmodel.model"
#: A model larger than this when unpacked is no bone; it guards the memory against zip bombs.
_MAX_BYTES: Final = 1 << 30
_MAX_DEPTH: Final = 8
_MM_PER_UNIT: Final = {"micron": 1e-3, "millimeter": 1.0, "centimeter": 10.0, "inch": 25.4, "foot": 304.8, "meter": 1000.0}
_TIME: Final = (1980, 1, 1, 0, 0, 0)


def parse_3mf(data: bytes) -> tuple[Triangles, str]:
    """Return the bodies of the build as one mesh in mm, and the text of its metadata.

    Raises
    ------
    MeshFormatError
        The bytes are no 3MF, or its parts do not fit together.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return _build(archive)
    except MeshFormatError:
        raise
    except (
        zipfile.BadZipFile, ET.ParseError, KeyError, ValueError, IndexError, OSError, EOFError, NotImplementedError,
        RuntimeError, RecursionError, zlib.error,
    ) as error:  # fmt: skip
        raise MeshFormatError(f"{type(error).__name__}: {error}") from error


def _build(archive: zipfile.ZipFile) -> tuple[Triangles, str]:
    root_name = _root_name(archive)
    models = {root_name: _model(archive, root_name)}
    root = models[root_name]
    factor = _MM_PER_UNIT[root.get("unit", "millimeter")]
    vertices: list[FloatArray] = []
    faces: list[IntArray] = []
    count = 0
    items = root.findall(f"{_CORE}build/{_CORE}item")
    for item in items:
        for points, corners in _bodies(archive, models, _path_of(item, root_name), item.attrib["objectid"], 0):
            vertices.append(_moved(points, item.get("transform")))
            faces.append(corners + count)
            count += len(points)
    if not vertices:
        raise MeshFormatError("the build holds no body")
    told = " ".join(item.text or "" for item in root.findall(f"{_CORE}metadata"))
    return (np.concatenate(vertices) * factor, np.concatenate(faces).astype(np.int32)), told


def _root_name(archive: zipfile.ZipFile) -> str:
    names = set(archive.namelist())
    if "_rels/.rels" in names:
        relations = _model(archive, "_rels/.rels")
        for relation in relations:
            if relation.get("Type") == _MODEL_TYPE:
                return relation.attrib["Target"].lstrip("/")
    if _ROOT in names:
        return _ROOT
    raise MeshFormatError("the archive holds no 3D model")


def _model(archive: zipfile.ZipFile, name: str) -> ET.Element:
    return ET.fromstring(_unpacked(archive, name))  # noqa: S314 - what declares entities was refused


def _unpacked(archive: zipfile.ZipFile, name: str) -> bytes:
    if archive.getinfo(name).file_size > _MAX_BYTES:
        raise MeshFormatError("the model is larger than any bone")
    data = archive.read(name)
    # entities that grow when they are read have no place in a 3MF (Core Specification 2.3.1 forbids DTDs)
    if re.search(rb"<!DOCTYPE|<!ENTITY", data[:4096], re.IGNORECASE):
        raise MeshFormatError("the model declares entities")
    return data


def _path_of(element: ET.Element, current: str) -> str:
    path = element.get(_PATH)
    return current if path is None else path.lstrip("/")


def _bodies(
    archive: zipfile.ZipFile, models: dict[str, ET.Element], model_name: str, object_id: str, depth: int
) -> list[Triangles]:
    """Return the meshes of an object and of the objects it is put together from, each in the object's own place."""
    if depth > _MAX_DEPTH:
        raise MeshFormatError("objects are nested too deep")
    if model_name not in models:
        models[model_name] = _model(archive, model_name)
    for item in models[model_name].findall(f"{_CORE}resources/{_CORE}object"):
        if item.get("id") == object_id:
            break
    else:
        raise MeshFormatError(f"there is no object {object_id}")
    if item.get("type", "model") not in ("model", "solidsupport"):
        return []
    mesh = item.find(f"{_CORE}mesh")
    found = [] if mesh is None else [_mesh(mesh)]
    for component in item.findall(f"{_CORE}components/{_CORE}component"):
        place = component.get("transform")
        inner = _bodies(archive, models, _path_of(component, model_name), component.attrib["objectid"], depth + 1)
        found += [(_moved(points, place), corners) for points, corners in inner]
    return found


def _mesh(mesh: ET.Element) -> Triangles:
    vertices = [
        (float(v.attrib["x"]), float(v.attrib["y"]), float(v.attrib["z"]))
        for v in mesh.iterfind(f"{_CORE}vertices/{_CORE}vertex")
    ]
    faces = [
        (int(t.attrib["v1"]), int(t.attrib["v2"]), int(t.attrib["v3"]))
        for t in mesh.iterfind(f"{_CORE}triangles/{_CORE}triangle")
    ]
    points = np.array(vertices, dtype=np.float64).reshape(-1, 3)
    corners = np.array(faces, dtype=np.int32).reshape(-1, 3)
    if corners.size and (corners.min() < 0 or corners.max() >= len(points)):
        raise MeshFormatError("a triangle names a vertex that is not there")
    return points, corners


def _moved(points: FloatArray, transform: str | None) -> FloatArray:
    """Apply a 3MF transform: twelve numbers, four rows of three, for row vectors."""
    if transform is None:
        return points
    rows = np.array([float(word) for word in transform.split()], dtype=np.float64).reshape(4, 3)
    moved: FloatArray = points @ rows[:3] + rows[3]
    return moved


def make_3mf(mesh: Triangles, title: str) -> bytes:
    """Return the bytes of a 3MF with one body in millimetres, coordinates with four decimals; equal input gives equal bytes."""
    vertices, faces = mesh
    text = escape(title.encode("ascii", "replace").decode())
    points = "".join(f'<vertex x="{x:.4f}" y="{y:.4f}" z="{z:.4f}"/>' for x, y, z in vertices.tolist())
    corners = "".join(f'<triangle v1="{a}" v2="{b}" v3="{c}"/>' for a, b, c in faces.tolist())
    model = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<model unit="millimeter" xml:lang="en-US" xmlns="{_CORE[1:-1]}">'
        f'<metadata name="Title">{text}</metadata>'
        '<resources><object id="1" type="model"><mesh>'
        f"<vertices>{points}</vertices><triangles>{corners}</triangles>"
        '</mesh></object></resources><build><item objectid="1"/></build></model>\n'
    )
    kinds = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        '<Default Extension="model" ContentType="application/vnd.ms-package.3dmanufacturing-3dmodel+xml"/></Types>\n'
    )
    relations = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
        f'<Relationship Target="/{_ROOT}" Id="rel0" Type="{_MODEL_TYPE}"/></Relationships>\n'
    )
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for name, content in (("[Content_Types].xml", kinds), ("_rels/.rels", relations), (_ROOT, model)):
            entry = zipfile.ZipInfo(name, _TIME)  # no time of writing: the same body gives the same bytes
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, content)
    return buffer.getvalue()
