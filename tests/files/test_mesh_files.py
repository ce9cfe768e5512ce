"""Mesh files: what is written is read again, the same mesh gives the same bytes, what is no mesh is named."""

from __future__ import annotations

import json
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from surgiplan_desktop.base.errors import InputDataError, UsageError
from surgiplan_desktop.files.mesh_files import (
    canonical,
    read_mesh,
    read_mesh_file,
    write_3mf,
    write_glb,
    write_obj,
    write_ply,
    write_stl,
)
from surgiplan_desktop.model.mesh import Mesh

BOX_FACES = np.array(
    [
        [0, 2, 1],
        [0, 3, 2],
        [4, 5, 6],
        [4, 6, 7],
        [0, 1, 5],
        [0, 5, 4],
        [1, 2, 6],
        [1, 6, 5],
        [2, 3, 7],
        [2, 7, 6],
        [3, 0, 4],
        [3, 4, 7],
    ],
    dtype=np.int32,
)


def box(size: tuple[float, float, float] = (30.0, 40.0, 350.0), at: tuple[float, float, float] = (-20.5, 13.25, -700.0)) -> Mesh:
    corners = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0], [0, 0, 1], [1, 0, 1], [1, 1, 1], [0, 1, 1]], dtype=float)
    return Mesh(corners * size + at, BOX_FACES)


WRITERS: dict[str, Callable[[Path, Mesh, str], None]] = {
    ".stl": write_stl,
    ".ply": write_ply,
    ".obj": write_obj,
    ".3mf": write_3mf,
    ".glb": write_glb,
}


@pytest.mark.parametrize(("ending", "write"), WRITERS.items(), ids=WRITERS)
def test_a_mesh_survives_the_way_to_the_file_and_back(
    tmp_path: Path, ending: str, write: Callable[[Path, Mesh, str], None]
) -> None:
    path = tmp_path / f"box{ending}"
    write(path, box(), "LPS mm")
    read = canonical(read_mesh(path))
    expected = canonical(box())
    np.testing.assert_allclose(read.vertices, expected.vertices, atol=1e-4)
    np.testing.assert_array_equal(read.faces, expected.faces)


@pytest.mark.parametrize(("ending", "write"), WRITERS.items(), ids=WRITERS)
def test_the_order_of_vertices_and_faces_changes_no_byte(
    tmp_path: Path, ending: str, write: Callable[[Path, Mesh, str], None]
) -> None:
    order = np.random.default_rng(3).permutation(8)
    place = np.argsort(order).astype(np.int32)
    shuffled = Mesh(box().vertices[order], np.roll(place[BOX_FACES[::-1]], 1, axis=1))
    write(tmp_path / f"a{ending}", box(), "LPS mm")
    write(tmp_path / f"b{ending}", shuffled, "LPS mm")
    assert (tmp_path / f"a{ending}").read_bytes() == (tmp_path / f"b{ending}").read_bytes()


def test_an_stl_is_binary_with_the_header_given(tmp_path: Path) -> None:
    write_stl(tmp_path / "box.stl", box(), "SurgiPlan LPS mm")
    data = (tmp_path / "box.stl").read_bytes()
    assert data[:80].rstrip() == b"SurgiPlan LPS mm"
    assert struct.unpack_from("<I", data, 80) == (12,)
    assert len(data) == 84 + 12 * 50
    with pytest.raises(ValueError, match="solid"):
        write_stl(tmp_path / "bad.stl", box(), "solid box")


def ascii_stl(mesh: Mesh) -> str:
    lines = ["solid box"]
    for corners in mesh.vertices[mesh.faces]:
        lines += ["facet normal 0 0 0", "outer loop", *(f"vertex {x:.6e} {y:.6e} {z:.6e}" for x, y, z in corners)]
        lines += ["endloop", "endfacet"]
    return "\n".join([*lines, "endsolid box", ""])


def test_an_ascii_stl_is_read(tmp_path: Path) -> None:
    (tmp_path / "box.stl").write_text(ascii_stl(box()))
    read = canonical(read_mesh(tmp_path / "box.stl"))
    np.testing.assert_allclose(read.vertices, canonical(box()).vertices, atol=1e-3)
    np.testing.assert_array_equal(read.faces, canonical(box()).faces)


def test_a_binary_stl_that_says_solid_is_read(tmp_path: Path) -> None:
    path = tmp_path / "box.stl"
    write_stl(path, box(), "x")
    path.write_bytes(b"solid exported".ljust(80) + path.read_bytes()[80:])
    assert len(read_mesh(path).faces) == 12


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_binary_ply_with_polygons_and_colours_is_read(tmp_path: Path, order: str) -> None:
    kind = "binary_little_endian" if order == "<" else "binary_big_endian"
    header = (
        f"ply\nformat {kind} 1.0\nelement vertex 4\nproperty float x\nproperty float y\nproperty float z\nproperty uchar red\n"
        "element face 2\nproperty list uchar int vertex_indices\nend_header\n"
    )
    vertices = b"".join(struct.pack(f"{order}fffB", *corner, 200) for corner in [(0, 0, 0), (1, 0, 0), (1, 1, 0), (0, 1, 0)])
    faces = struct.pack(f"{order}Biiii", 4, 0, 1, 2, 3) + struct.pack(f"{order}Biii", 3, 0, 2, 1)
    (tmp_path / "m.ply").write_bytes(header.encode() + vertices + faces)
    read = read_mesh(tmp_path / "m.ply")
    np.testing.assert_array_equal(read.faces, [[0, 1, 2], [0, 2, 3], [0, 2, 1]])
    np.testing.assert_array_equal(read.vertices[2], [1, 1, 0])


def test_an_ascii_ply_and_an_obj_with_relative_indices_are_read(tmp_path: Path) -> None:
    (tmp_path / "m.ply").write_text(
        "ply\nformat ascii 1.0\ncomment x\nelement vertex 3\nproperty float x\nproperty float y\nproperty float z\n"
        "element face 1\nproperty list uchar int vertex_index\nend_header\n0 0 0\n1 0 0\n0 1 0\n3 0 1 2\n"
    )
    (tmp_path / "m.obj").write_text("o x\nv 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\nvn 0 0 1\nf -4//1 -3//1 -2//1 -1//1\n")
    np.testing.assert_array_equal(read_mesh(tmp_path / "m.ply").faces, [[0, 1, 2]])
    np.testing.assert_array_equal(read_mesh(tmp_path / "m.obj").faces, [[0, 1, 2], [0, 2, 3]])


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("text.stl", b"this is no mesh"),
        ("empty.stl", b""),
        ("cut.stl", b"\0" * 80 + struct.pack("<I", 12) + b"\0" * 77),
        ("cut_text.stl", b"solid x\nfacet normal 0 0 0\nouter loop\nvertex 0 0 0\nvertex 1 0 0\n"),
        ("nan.obj", b"v nan 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n"),
        ("wild.obj", b"v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 9\n"),
        ("points.obj", b"v 0 0 0\nv 1 0 0\n"),
        ("far.obj", b"v 1e200 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n"),
        ("flat.obj", b"v 0 0 0\nv 0 0 0\nv 0 1 0\nf 1 2 3\n"),
        ("text.ply", b"this is no mesh"),
        ("text.3mf", b"this is no mesh"),
        ("text.glb", b"this is no mesh"),
        ("cut.ply", b"ply\nformat binary_little_endian 1.0\nelement vertex 9\nproperty float x\nend_header\n\0\0"),
    ],
)
def test_what_is_no_mesh_is_named(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputDataError, match="not_a_mesh") as caught:
        read_mesh(tmp_path / name)
    assert caught.value.file == str(tmp_path / name)


def test_other_formats_and_missing_files_are_named(tmp_path: Path) -> None:
    (tmp_path / "bone.step").write_text("x")
    with pytest.raises(InputDataError, match="mesh_format_unknown"):
        read_mesh(tmp_path / "bone.step")
    with pytest.raises(InputDataError, match="not_found"):
        read_mesh(tmp_path / "nothing.stl")


def test_a_folder_that_cannot_be_written_is_told_and_nothing_stays(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UsageError, match="output_not_writable"):
        write_stl(tmp_path / "file" / "box.stl", box(), "x")
    (tmp_path / "box.stl").mkdir()
    with pytest.raises(UsageError, match="output_not_writable"):
        write_stl(tmp_path / "box.stl", box(), "x")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["box.stl", "file"]


def archive(path: Path, files: dict[str, str]) -> Path:
    with zipfile.ZipFile(path, "w") as target:
        for name, content in files.items():
            target.writestr(name, content)
    return path


TRIANGLES = (
    '<mesh><vertices><vertex x="0" y="0" z="0"/><vertex x="1" y="0" z="0"/><vertex x="0" y="1" z="0"/><vertex x="0" y="0" z="1"/>'
    '</vertices><triangles><triangle v1="0" v2="2" v3="1"/><triangle v1="0" v2="1" v3="3"/><triangle v1="1" v2="2" v3="3"/>'
    '<triangle v1="0" v2="3" v3="2"/></triangles></mesh>'
)
NAMES = (
    'xmlns="http://schemas.microsoft.com/3dmanufacturing/core/2015/02" '
    'xmlns:p="http://schemas.microsoft.com/3dmanufacturing/production/2015/06"'
)


@pytest.mark.parametrize(("unit", "factor"), [("micron", 1e-3), ("inch", 25.4), ("meter", 1000.0), ("", 1.0)])
def test_a_3mf_of_components_in_its_own_unit_and_places(tmp_path: Path, unit: str, factor: float) -> None:
    said = f'unit="{unit}"' if unit else ""
    root = (
        f'<model {said} {NAMES}><resources><object id="2"><components><component objectid="7" p:path="/3D/part.model" '
        'transform="0 1 0 -1 0 0 0 0 1 5 0 0"/></components></object></resources>'
        '<build><item objectid="2" transform="1 0 0 0 1 0 0 0 1 0 0 100"/></build></model>'
    )
    part = f'<model {NAMES}><resources><object id="7">{TRIANGLES}</object></resources><build/></model>'
    read = read_mesh_file(archive(tmp_path / "a.3mf", {"3D/3dmodel.model": root, "3D/part.model": part}))
    assert read.unit == "mm"
    # row vectors: x goes to +y, y to -x, then 5 along x and 100 along z
    expected = np.array([[5, 0, 100], [5, 1, 100], [4, 0, 100], [5, 0, 101]]) * factor
    np.testing.assert_allclose(np.sort(read.mesh.vertices, axis=0), np.sort(expected, axis=0), atol=1e-12)
    assert len(read.mesh.faces) == 4


def model(resources: str, build: str = '<item objectid="1"/>', said: str = "") -> str:
    return f"<model {said} {NAMES}><resources>{resources}</resources><build>{build}</build></model>"


@pytest.mark.parametrize(
    "content",
    [
        "<!DOCTYPE a [<!ENTITY b 'x'>]><model/>",
        model("", ""),
        model(""),
        model(f'<object id="1">{TRIANGLES}</object>', said='unit="furlong"'),
        model('<object id="1"><components><component objectid="1"/></components></object>'),
        model(f'<object id="1">{TRIANGLES.replace("v3", "v9", 1)}</object>'),
    ],
)
def test_a_3mf_whose_parts_do_not_fit_is_refused(tmp_path: Path, content: str) -> None:
    with pytest.raises(InputDataError, match="not_a_mesh"):
        read_mesh(archive(tmp_path / "a.3mf", {"3D/3dmodel.model": content}))


def test_a_glb_of_another_program_is_placed_by_its_nodes(tmp_path: Path) -> None:
    write_glb(tmp_path / "a.glb", box((1, 2, 3), (0, 0, 0)), "x")
    data = (tmp_path / "a.glb").read_bytes()
    (size,) = struct.unpack_from("<I", data, 12)
    document = json.loads(data[20 : 20 + size])
    del document["asset"]["extras"]
    document["nodes"] = [
        {"children": [1], "translation": [0, 0, 0.5], "scale": [2, 2, 2]},
        {"mesh": 0, "rotation": [0, 0, np.sqrt(0.5), np.sqrt(0.5)]},
    ]
    text = json.dumps(document).encode()
    text += b" " * (-len(text) % 4)
    rest = data[20 + size :]
    path = tmp_path / "b.glb"
    path.write_bytes(struct.pack("<4sIIII", b"glTF", 2, 20 + len(text) + len(rest), len(text), 0x4E4F534A) + text + rest)
    read = read_mesh_file(path)
    assert (read.unit, read.space, read.y_up) == ("m", None, True)
    # a quarter turn about z, twice as large, half a metre up
    np.testing.assert_allclose(read_mesh(path).vertices.min(axis=0), [-4, 0, 500], atol=1e-4)
    np.testing.assert_allclose(read_mesh(path).vertices.max(axis=0), [0, 2, 506], atol=1e-4)


def test_what_files_say_of_unit_and_space(tmp_path: Path) -> None:
    for ending, write in WRITERS.items():
        write(tmp_path / f"a{ending}", box(), "SurgiPlan tibia unit=mm space=RAS")
        read = read_mesh_file(tmp_path / f"a{ending}")
        assert (read.unit, read.space) == (("m", "lps") if ending == ".glb" else ("mm", "ras"))
        if ending != ".3mf" and ending != ".glb":
            write(tmp_path / f"b{ending}", box(), "from somewhere")
            assert read_mesh_file(tmp_path / f"b{ending}").unit is None
    write_stl(tmp_path / "slicer.stl", box(), "3D Slicer output. SPACE=LPS")
    assert read_mesh_file(tmp_path / "slicer.stl").space == "lps"


@pytest.mark.parametrize("ending", [".3mf", ".glb"])
def test_cut_archives_and_scenes_raise_nothing_else(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"a{ending}"
    WRITERS[ending](path, box(), "x")
    whole = path.read_bytes()
    for length in range(0, len(whole), 37):
        path.write_bytes(whole[:length])
        with pytest.raises(InputDataError, match="not_a_mesh"):
            read_mesh(path)


def test_repeated_vertices_are_joined(tmp_path: Path) -> None:
    corners = box().vertices[BOX_FACES].reshape(-1, 3)
    lines = [f"v {x} {y} {z}" for x, y, z in corners.tolist()]
    lines += [f"f {n + 1} {n + 2} {n + 3}" for n in range(0, len(corners), 3)]
    (tmp_path / "a.obj").write_text("\n".join(lines))
    assert len(read_mesh(tmp_path / "a.obj").vertices) == 8


@pytest.mark.parametrize("second", WRITERS)
@pytest.mark.parametrize("first", WRITERS)
def test_every_pair_of_formats_keeps_places_far_from_the_origin(tmp_path: Path, first: str, second: str) -> None:
    turn = np.array([[0.36, 0.48, -0.8], [-0.8, 0.6, 0.0], [0.48, 0.64, 0.6]])
    body = Mesh(box().vertices @ turn.T + [-310.1234, 220.5678, -1450.4321], BOX_FACES)
    WRITERS[first](tmp_path / f"a{first}", body, "unit=mm space=LPS")
    WRITERS[second](tmp_path / f"b{second}", read_mesh(tmp_path / f"a{first}"), "unit=mm space=LPS")
    read = read_mesh(tmp_path / f"b{second}")
    nearest = np.linalg.norm(read.vertices[:, None] - body.vertices[None], axis=2).min(axis=0)
    assert nearest.max() < 1e-3
    assert len(read.faces) == len(BOX_FACES)
