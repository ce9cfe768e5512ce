"""NIfTI, NRRD and MetaImage keep voxels and places; what is no CT volume is refused."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest
import SimpleITK

from surgiplan_desktop.base.errors import InputDataError
from surgiplan_desktop.base.spaces import Affine, rotation_about
from surgiplan_desktop.imaging.volume_files import read_volume, read_volume_file, volume_info, write_volume_file
from surgiplan_desktop.model.images import Volume

TURN = rotation_about(np.zeros(3), np.array([1.0, 2.0, 3.0]), 27.3).linear
AXES = {
    "identity": np.eye(3),
    "flipped_i": np.diag([-1.0, 1.0, 1.0]),
    "flipped_all": -np.eye(3),
    "coronal": np.array([[1.0, 0, 0], [0, 0, 1.0], [0, -1.0, 0]]),
    "oblique": TURN,
    "oblique_flipped": TURN @ np.diag([1.0, 1.0, -1.0]),
}


def volume(axes: np.ndarray) -> Volume:
    """``axes`` holds the directions of i, j, k as columns."""
    values = np.random.default_rng(1).permutation(7 * 5 * 6).reshape(7, 5, 6).astype(np.int16) * 10 - 1000
    linear = (axes * np.array([0.6, 0.7, 1.25]))[:, ::-1]
    return Volume(values, Affine.from_parts(linear, np.array([-12.3, 45.6, -789.0123])))


@pytest.mark.parametrize("ending", ["nii.gz", "nii", "nrrd", "mha"])
@pytest.mark.parametrize("axes", AXES.values(), ids=AXES)
def test_voxels_keep_their_places(tmp_path: Path, ending: str, axes: np.ndarray) -> None:
    written = volume(axes)
    path = tmp_path / f"ct.{ending}"
    write_volume_file(path, written)
    read = read_volume_file(path)
    assert read.array.dtype == np.int16
    assert np.linalg.det(read.affine.linear[:, ::-1]) > 0
    index = np.array(list(np.ndindex(written.shape)), dtype=np.float64)
    nearest = np.rint(read.affine.inverse()(written.affine(index))).astype(int)
    np.testing.assert_allclose(read.affine(nearest.astype(float)), written.affine(index), atol=1e-3)
    np.testing.assert_array_equal(read.array[tuple(nearest.T)], written.array.reshape(-1))
    assert volume_info(path).size == (6, 5, 7)


def test_nifti_is_ras_on_the_disk(tmp_path: Path) -> None:
    written = volume(np.eye(3))
    path = tmp_path / "ct.nii"
    write_volume_file(path, written)
    header = path.read_bytes()
    rows = np.frombuffer(header, dtype="<f4", count=12, offset=280).reshape(3, 4)  # srow_x, srow_y, srow_z of NIfTI-1
    np.testing.assert_allclose(rows[:, 3], [12.3, -45.6, -789.0123], atol=1e-3)
    np.testing.assert_allclose(np.diag(rows), [-0.6, -0.7, 1.25], atol=1e-6)


def test_float_files_become_16_bits(tmp_path: Path) -> None:
    image = SimpleITK.GetImageFromArray(volume(np.eye(3)).array.astype(np.float32) + 0.25)
    SimpleITK.WriteImage(image, str(tmp_path / "ct.nrrd"))
    read = read_volume_file(tmp_path / "ct.nrrd")
    assert read.array.dtype == np.int16
    np.testing.assert_array_equal(read.array, volume(np.eye(3)).array)


def test_a_label_map_is_no_scan(tmp_path: Path) -> None:
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(np.arange(60, dtype=np.uint8).reshape(3, 4, 5)), str(tmp_path / "l.nii.gz"))
    with pytest.raises(InputDataError, match="not_hounsfield") as caught:
        read_volume_file(tmp_path / "l.nii.gz")
    assert caught.value.file == str(tmp_path / "l.nii.gz")


def test_not_a_number_is_refused(tmp_path: Path) -> None:
    values = volume(np.eye(3)).array.astype(np.float32)
    values[0, 0, 0] = np.nan
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(values), str(tmp_path / "ct.nrrd"))
    with pytest.raises(InputDataError, match="not_hounsfield"):
        read_volume_file(tmp_path / "ct.nrrd")


def test_text_with_the_name_of_a_volume_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ct.nii.gz").write_text("no volume")
    with pytest.raises(InputDataError, match="unreadable_volume"):
        read_volume_file(tmp_path / "ct.nii.gz")


# ---- NIfTI: files made byte by byte after nifti1.h, so that no library's reading is the measure


def nifti(
    path: Path,
    values: np.ndarray,
    *,
    sform: np.ndarray | None = None,
    qform: tuple[tuple[float, float, float], tuple[float, float, float]] | None = None,
    qfac: float = 1.0,
    spacing: tuple[float, float, float] = (0.6, 0.7, 1.25),
    units: int = 2,
    slope: float = 0.0,
    intercept: float = 0.0,
    order: str = "<",
    version: int = 1,
    **fields: object,
) -> Path:
    """Write values (k, j, i); ``sform`` 3 x 4 in RAS, ``qform`` (b, c, d) and offset."""
    codes = {"uint8": 2, "int16": 4, "float32": 16, "uint16": 512}
    small = version == 1
    header = bytearray(352 if small else 544)

    def put(kind: str, at: int, *items: object) -> None:
        struct.pack_into(order + kind, header, at, *items)

    kind = codes[str(values.dtype)]
    dim = fields.get("dim", (3, *values.shape[::-1], 1, 1, 1, 1))
    rows = np.zeros(12) if sform is None else np.asarray(sform, dtype=float).ravel()
    quaternion, shift = qform or ((0.0, 0.0, 0.0), (0.0, 0.0, 0.0))
    put("i", 0, 348 if small else 540)
    if small:
        put("8h", 40, *dim)
        put("hh", 70, kind, values.itemsize * 8)
        put("h", 68, fields.get("intent", 0))
        put("8f", 76, qfac, *spacing, 1, 1, 1, 1)
        put("3f", 108, 352, slope, intercept)
        header[123] = units
        put("2h", 252, int(qform is not None), 2 * int(sform is not None))
        put("3f", 256, *quaternion)
        put("3f", 268, *shift)
        put("12f", 280, *rows)
        header[344:348] = b"n+1\0"
    else:
        header[4:12] = b"n+2\0\r\n\032\n"
        put("hh", 12, kind, values.itemsize * 8)
        put("8q", 16, *dim)
        put("8d", 104, qfac, *spacing, 1, 1, 1, 1)
        put("q2d", 168, 544, slope, intercept)
        put("2i", 344, int(qform is not None), 2 * int(sform is not None))
        put("3d", 352, *quaternion)
        put("3d", 376, *shift)
        put("12d", 400, *rows)
        put("2i", 500, units, fields.get("intent", 0))
    data = bytes(header) + values.astype(values.dtype.newbyteorder(order)).tobytes()
    path.write_bytes(gzip.compress(data) if path.name.endswith("gz") else data)
    return path


CT = (np.random.default_rng(2).permutation(7 * 5 * 6).reshape(7, 5, 6) * 10 - 1000).astype(np.int16)
#: Oblique, anisotropic and left-handed in RAS: i to the right, j to the back, k up and a little forward.
RAS = np.column_stack([np.array([0.6, 0, 0]), 0.7 * np.array([0, -0.8, 0.6]), 1.25 * np.array([0, 0.6, 0.8]), [10.0, -20, 30]])
#: The quaternion of a turn by 40 deg about x.
TURN_X = (np.sin(np.radians(20)), 0.0, 0.0)


def check_places(read: Volume, stored: np.ndarray, ras: np.ndarray) -> None:
    """Each stored voxel lies where the 3 x 4 RAS map puts it, in LPS, within 1e-3 mm."""
    assert np.linalg.det(read.affine.linear[:, ::-1]) > 0
    for k, j, i in np.ndindex(stored.shape):
        place = (ras @ [i, j, k, 1]) * [-1, -1, 1]
        index = read.affine.inverse()(place)
        nearest = np.rint(index).astype(int)
        np.testing.assert_allclose(index, nearest, atol=1e-3)
        assert read.array[tuple(nearest)] == stored[k, j, i]


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("version", [1, 2])
def test_nifti_of_either_version_and_byte_order(tmp_path: Path, name: str, order: str, version: int) -> None:
    read = read_volume(nifti(tmp_path / name, CT, sform=RAS, order=order, version=version))
    check_places(read.volume, CT, RAS)
    assert read.findings == ()


@pytest.mark.parametrize("qfac", [1.0, -1.0, 0.0])
def test_the_qform_alone_places_a_volume(tmp_path: Path, qfac: float) -> None:
    read = read_volume(nifti(tmp_path / "a.nii", CT, qform=(TURN_X, (1.0, 2.0, 3.0)), qfac=qfac))
    c, s = np.cos(np.radians(40)), np.sin(np.radians(40))
    sign = -1.0 if qfac < 0 else 1.0
    linear = np.array([[1, 0, 0], [0, c, -s], [0, s, c]]) * np.array([0.6, 0.7, 1.25 * sign])
    check_places(read.volume, CT, np.column_stack([linear, [1.0, 2, 3]]))


def test_sform_and_qform_that_disagree_are_reported_with_millimetres(tmp_path: Path) -> None:
    straight = np.column_stack([np.diag([0.6, 0.7, 1.25]), [1.0, 2, 3]])
    moved = nifti(tmp_path / "a.nii", CT, sform=straight, qform=((0, 0, 0), (1.0, 2, 8.0)))
    read = read_volume(moved)
    assert [(item.code, item.parameters) for item in read.findings] == [("volume_forms_disagree", (("apart_mm", 5.0),))]
    check_places(read.volume, CT, straight)
    assert [item.code for item in volume_info(moved).findings] == ["volume_forms_disagree"]
    assert read_volume(nifti(tmp_path / "b.nii", CT, sform=straight, qform=((0, 0, 0), (1.0, 2, 3)))).findings == ()
    with pytest.raises(InputDataError, match="volume_forms_mirrored"):
        read_volume(nifti(tmp_path / "c.nii", CT, sform=straight * [[-1], [1], [1]], qform=((0, 0, 0), (1.0, 2, 3))))


@pytest.mark.parametrize("bad", [np.zeros((3, 4)), np.full((3, 4), np.nan), np.ones((3, 4))])
def test_without_a_valid_place_a_nifti_is_refused(tmp_path: Path, bad: np.ndarray) -> None:
    for path in (nifti(tmp_path / "a.nii", CT, sform=bad), nifti(tmp_path / "b.nii", CT)):
        with pytest.raises(InputDataError, match="volume_no_orientation"):
            read_volume(path)
        assert volume_info(path).verdict == "refused"
    # one valid form is enough
    assert read_volume(nifti(tmp_path / "c.nii", CT, sform=bad, qform=((0, 0, 0), (0, 0, 0)))).volume.shape == CT.shape


@pytest.mark.parametrize(("units", "factor", "codes"), [(1, 1000.0, []), (3, 1e-3, []), (0, 1.0, ["volume_unit_assumed"])])
def test_units_of_nifti(tmp_path: Path, units: int, factor: float, codes: list[str]) -> None:
    read = read_volume(nifti(tmp_path / "a.nii", CT, sform=RAS / factor, units=units))
    np.testing.assert_allclose(read.volume.affine.spacing, [1.25, 0.7, 0.6], rtol=1e-5)
    assert [item.code for item in read.findings] == codes
    with pytest.raises(InputDataError, match="volume_spacing_implausible"):
        read_volume(nifti(tmp_path / "b.nii", CT, sform=RAS / 1000.0))


@pytest.mark.parametrize(("slope", "intercept"), [(1.0, -1024.0), (2.0, -1000.0), (0.5, -1000.0)])
@pytest.mark.parametrize("kind", ["uint16", "float32"])
def test_the_rescale_is_applied(tmp_path: Path, slope: float, intercept: float, kind: str) -> None:
    stored = np.arange(4 * 5 * 600).reshape(4, 5, 600).astype(kind)
    stored = stored - (2000 if kind == "float32" else 0)
    read = read_volume(nifti(tmp_path / "a.nii", stored, sform=RAS / 4, slope=slope, intercept=intercept))
    found = np.sort(read.volume.array.ravel())
    np.testing.assert_allclose(found, np.sort((stored * slope + intercept).ravel()), atol=0.5)


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"dim": (4, 6, 5, 7, 3, 1, 1, 1)}, "volume_not_3d"),
        ({"dim": (2, 6, 5, 1, 1, 1, 1, 1)}, "volume_not_3d"),
        ({"dim": (3, 6, 5, 900, 1, 1, 1, 1)}, "truncated_file"),
        ({"dim": (3, 30000, 30000, 30000, 1, 1, 1, 1), "sform": RAS / 20}, "truncated_file"),
        ({"intent": 1002}, "volume_is_labels"),
    ],
)
def test_what_a_nifti_may_not_be(tmp_path: Path, fields: dict[str, object], error: str) -> None:
    for name in ("a.nii", "a.nii.gz"):
        with pytest.raises(InputDataError, match=error):
            read_volume(nifti(tmp_path / name, CT, **{"sform": RAS, **fields}))  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz", "a.nrrd", "a.mha"])
def test_truncated_files_are_refused_at_every_tenth(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    write_volume_file(path, Volume(CT, Affine.from_parts(np.eye(3)[:, ::-1], np.zeros(3))))
    whole = path.read_bytes()
    for tenth in range(10):
        path.write_bytes(whole[: len(whole) * tenth // 10])
        with pytest.raises(InputDataError):
            read_volume(path)


def test_an_analyze_header_says_nothing_of_left_and_right(tmp_path: Path) -> None:
    path = nifti(tmp_path / "a.nii", CT, sform=RAS)
    header = bytearray(path.read_bytes()[:348])
    header[344:348] = b"\0\0\0\0"
    (tmp_path / "old.hdr").write_bytes(header)
    with pytest.raises(InputDataError, match="volume_no_orientation"):
        read_volume(tmp_path / "old.hdr")
    header[344:348] = b"ni1\0"
    (tmp_path / "pair.hdr").write_bytes(header)
    with pytest.raises(InputDataError, match="volume_data_missing"):
        read_volume(tmp_path / "pair.hdr")
    (tmp_path / "pair.img").write_bytes(CT.tobytes())
    check_places(read_volume(tmp_path / "pair.hdr").volume, CT, RAS)


def test_a_label_map_is_told_from_a_scan(tmp_path: Path) -> None:
    labels = np.zeros((6, 20, 20), np.uint16)
    labels[2:4, 5:12, 5:12] = 102
    with pytest.raises(InputDataError, match="volume_is_labels"):
        read_volume(nifti(tmp_path / "a.nii", labels, sform=RAS))
    stored = (CT.astype(np.int32) + 1024).astype(np.uint16)
    with pytest.raises(InputDataError, match="not_hounsfield"):
        read_volume(nifti(tmp_path / "b.nii", stored, sform=RAS))


def test_sheared_slices_are_refused_or_straightened_with_consent(tmp_path: Path) -> None:
    k, j, i = np.meshgrid(*(np.arange(n) for n in (40, 30, 24)), indexing="ij")
    sheared = np.array([[0.8, 0, 0, 5], [0, 0.8, 0.4, 6], [0, 0, 1.5, 7]])
    place = np.stack([i, j, k, np.ones_like(i)], axis=-1) @ sheared.T
    values = (place @ [6.0, 11.0, -9.0] + 40).astype(np.int16)
    path = nifti(tmp_path / "a.nii", values, sform=sheared)
    with pytest.raises(InputDataError, match="refused_tilt") as caught:
        read_volume(path)
    assert caught.value.parameters["degrees"] == pytest.approx(14.9, abs=0.1)
    assert volume_info(path).verdict == "repairable"
    read = read_volume(path, accept_repair=True)
    (repair,) = read.repairs
    assert repair.kind == "tilt"
    directions = read.volume.affine.linear / read.volume.affine.spacing
    np.testing.assert_allclose(directions.T @ directions, np.eye(3), atol=1e-9)
    index = np.argwhere(read.volume.array > -1000)
    found = read.volume.affine(index.astype(float)) * [-1, -1, 1]
    wanted = found @ [6.0, 11.0, -9.0] + 40
    inside = read.volume.array[tuple(index.T)]
    # a linear field is kept by linear interpolation; stored values were cut to whole numbers
    assert np.quantile(np.abs(inside - wanted), 0.9) < 2.0


# ---- NRRD and MetaImage: what the text header leaves unsaid


def nrrd(path: Path, *lines: str) -> Path:
    head = ["NRRD0004", "type: short", "dimension: 3", "sizes: 6 5 7", "endian: little", "encoding: raw", *lines]
    path.write_bytes("\n".join(head).encode() + b"\n\n" + CT.tobytes())
    return path


DIRECTIONS = "space directions: (0.6,0,0) (0,-0.56,0.42) (0,0.75,1)"


@pytest.mark.parametrize(
    ("space", "to_ras"),
    [
        ("RAS", [1, 1, 1]), ("right-anterior-superior", [1, 1, 1]), ("LAS", [-1, 1, 1]), ("left-anterior-superior", [-1, 1, 1]),
        ("LPS", [-1, -1, 1]), ("left-posterior-superior", [-1, -1, 1]),
    ],
)  # fmt: skip
def test_nrrd_spaces(tmp_path: Path, space: str, to_ras: list[int]) -> None:
    path = nrrd(tmp_path / "a.nrrd", f"space: {space}", DIRECTIONS, "space origin: (10,-20,30)")
    said = np.array([[0.6, 0, 0, 10], [0, -0.56, 0.75, -20], [0, 0.42, 1, 30]])
    check_places(read_volume(path).volume, CT, said * np.array(to_ras)[:, None])


@pytest.mark.parametrize(
    ("lines", "error"),
    [
        (["spacings: 0.6 0.7 1.25"], "volume_no_orientation"),
        (["space dimension: 3", DIRECTIONS], "volume_no_orientation"),
        (["space: scanner-xyz", DIRECTIONS], "volume_no_orientation"),
        (["space: LPS"], "volume_no_orientation"),
        (["space: LPS", DIRECTIONS, 'space units: "m" "m" "m"'], "volume_unit"),
        (["space: LPS", DIRECTIONS, "data file: gone.raw"], "volume_data_missing"),
    ],
)
def test_a_nrrd_that_leaves_its_axes_unsaid_is_refused(tmp_path: Path, lines: list[str], error: str) -> None:
    path = nrrd(tmp_path / "a.nrrd", *lines)
    with pytest.raises(InputDataError, match=error):
        read_volume(path)
    assert volume_info(path).verdict == "refused"


def mha(path: Path, *lines: str, data: str = "LOCAL") -> Path:
    head = ["ObjectType = Image", "NDims = 3", "BinaryData = True", "BinaryDataByteOrderMSB = False", *lines]
    text = "\n".join([*head, "DimSize = 6 5 7", "ElementType = MET_SHORT", f"ElementDataFile = {data}"]) + "\n"
    path.write_bytes(text.encode() + (CT.tobytes() if data == "LOCAL" else b""))
    return path


def test_metaimage_rows_of_the_matrix_are_the_axes(tmp_path: Path) -> None:
    # three numbers for where i points, three for j, three for k, in LPS
    matrix = "TransformMatrix = 0 1 0 -1 0 0 0 0 1"
    lps = np.array([[0, -0.7, 0, 1], [0.6, 0, 0, 2], [0, 0, 1.25, 3]])
    ras = lps * np.array([[-1], [-1], [1]])
    read = read_volume(mha(tmp_path / "a.mha", matrix, "Offset = 1 2 3", "ElementSpacing = 0.6 0.7 1.25"))
    check_places(read.volume, CT, ras)
    (tmp_path / "b.raw").write_bytes(CT.tobytes())
    detached = mha(tmp_path / "b.mhd", matrix, "Offset = 1 2 3", "ElementSpacing = 0.6 0.7 1.25", data="b.raw")
    check_places(read_volume(detached).volume, CT, ras)
    assert read.findings == ()


def test_metaimage_that_leaves_things_unsaid(tmp_path: Path) -> None:
    read = read_volume(mha(tmp_path / "a.mha", "ElementSpacing = 0.6 0.7 1.25"))
    assert [item.code for item in read.findings] == ["volume_directions_assumed", "volume_origin_assumed"]
    with pytest.raises(InputDataError, match="volume_no_spacing"):
        read_volume(mha(tmp_path / "b.mha", "Offset = 1 2 3"))
    with pytest.raises(InputDataError, match="volume_data_missing"):
        read_volume(mha(tmp_path / "c.mhd", "ElementSpacing = 1 1 1", data="gone.raw"))
    sheared = mha(tmp_path / "d.mha", "TransformMatrix = 1 0 0 0 1 0 0 0.3 0.95", "ElementSpacing = 1 1 1")
    with pytest.raises(InputDataError, match="refused_tilt"):
        read_volume(sheared)


@pytest.mark.parametrize("ending", ["nii.gz", "nrrd", "mha"])
@pytest.mark.parametrize("axes", AXES.values(), ids=AXES)
def test_simpleitk_puts_our_files_where_we_do(tmp_path: Path, ending: str, axes: np.ndarray) -> None:
    written = volume(axes)
    write_volume_file(tmp_path / f"a.{ending}", written)
    image = SimpleITK.ReadImage(str(tmp_path / f"a.{ending}"))
    for k, j, i in [(0, 0, 0), (6, 0, 0), (0, 4, 0), (0, 0, 5), (3, 2, 1)]:
        place = image.TransformIndexToPhysicalPoint((i, j, k))
        ours = written.affine.inverse()(np.array(place))
        np.testing.assert_allclose(ours, np.rint(ours), atol=1e-3)
        assert image[i, j, k] == written.array[tuple(np.rint(ours).astype(int))]
