"""Everything bad that is handed to an import ends in a volume that is right or in words that say what to do, and leaves nothing.

One table through the command itself; what scan finds and how it is repaired is tried beside the modules that do it.
"""

from __future__ import annotations

import json
import os
import shutil
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest

from surgiplan_desktop.app import documents, startup
from surgiplan_desktop.app.import_study import import_study
from surgiplan_desktop.base.errors import InputDataError
from surgiplan_desktop.base.spaces import Affine
from surgiplan_desktop.cli.main import run
from surgiplan_desktop.imaging.dicom_write import write_ct_series
from surgiplan_desktop.imaging.enhanced_write import write_enhanced_ct
from surgiplan_desktop.imaging.sources import Sources
from surgiplan_desktop.model.images import Volume

SLICES, ROWS, COLUMNS = 8, 6, 10


def sound() -> Volume:
    values = np.arange(SLICES * ROWS * COLUMNS, dtype=np.int16).reshape(SLICES, ROWS, COLUMNS)
    return Volume(values, Affine.from_parts(np.column_stack([[0, 0, 2.0], [0, 0.5, 0], [0.5, 0, 0]]), np.zeros(3)))


@pytest.fixture
def ct(tmp_path: Path) -> list[Path]:
    return write_ct_series(sound(), tmp_path / "in" / "ct")


@pytest.fixture
def take(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, dict]]:
    """Import a path with the command; checks that a refusal is whole: one error in words with a hint, and no case file."""

    def imported(path: Path, *options: str) -> tuple[int, dict]:
        case = tmp_path / "case.surgiplan"
        code = run(["import", str(path), "-o", str(case), "--json", "--quiet", *options])
        data = json.loads(capsys.readouterr().out)
        assert code in (0, 2, 3), data
        assert case.exists() == (code == 0)
        if code:
            error = data["error"]
            assert error["id"] not in ("unexpected_in_command", "system_refused")
            assert error["text"]
            assert error["hint"]
            assert "{" not in error["text"] + error["hint"]
        return code, data

    return imported


def voxels(path: Path, **options: bool) -> np.ndarray:
    """Import a path and return the voxels of its one block."""
    services = startup.start()
    session = documents.new_session(services)
    try:
        (block,) = import_study(session, path, **options).blocks
        return np.array(session.store.load(block.voxels))
    finally:
        session.close(discard=True)
        services.close()


def edit(*paths: Path, **changes: object) -> None:
    for path in paths:
        dataset = pydicom.dcmread(path)
        for keyword, value in changes.items():
            if value is None:
                delattr(dataset, keyword)
            else:
                setattr(dataset, keyword, value)
        dataset.save_as(path)


def cut(path: Path, part: float) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * part)])


# ---- one file of a series is bad


@pytest.mark.parametrize("tenth", range(10))
def test_a_file_cut_at_a_tenth(ct: list[Path], take: Callable[..., tuple[int, dict]], tenth: int) -> None:
    cut(ct[3], tenth / 10)
    code, data = take(ct[0].parent)
    assert (code, data["error"]["id"] in ("refused_truncated", "refused_missing_slices")) == (3, True)
    assert data["error"]["file"].startswith(str(ct[0].parent))


@pytest.mark.parametrize("tenth", range(10))
def test_a_single_file_cut_at_a_tenth(ct: list[Path], take: Callable[..., tuple[int, dict]], tenth: int) -> None:
    cut(ct[3], tenth / 10)
    assert take(ct[3])[0] == 3


def no_number(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"0.5\\0.5 ", b"nan\\nan "))


def no_rescale(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"-1024 ", b"-1O24 "))


def from_another_series(path: Path) -> None:
    other = write_ct_series(sound(), path.parent.parent / "other", description="another", seed=9)
    shutil.move(other[3], path)
    shutil.rmtree(other[0].parent)


def short_pixels(path: Path) -> None:
    edit(path, PixelData=b"\0" * (ROWS * COLUMNS))


@pytest.mark.parametrize(
    ("damage", "ids"),
    [
        (Path.unlink, {"refused_missing_slices"}),
        (lambda path: path.write_bytes(b""), {"refused_missing_slices"}),
        (lambda path: path.write_bytes(b"this is no image " * 30), {"refused_missing_slices"}),
        (short_pixels, {"refused_truncated", "refused_missing_slices"}),
        (no_number, {"refused_bad_spacing", "refused_missing_slices"}),
        (lambda path: edit(path, PixelSpacing=[0, 0.5]), {"refused_bad_spacing", "refused_missing_slices"}),
        (lambda path: edit(path, ImagePositionPatient=None), {"refused_no_position", "refused_missing_slices"}),
        (lambda path: edit(path, ImagePositionPatient=[0, 0, 5.2]), {"refused_uneven"}),
        (lambda path: edit(path, PatientID="SOMEBODY ELSE"), {"mixed_patients"}),
        (no_rescale, {"refused_missing_slices"}),
        (lambda path: edit(path, RescaleIntercept=None, RescaleSlope=None), {"refused_mixed_rescale"}),
        (from_another_series, {"refused_missing_slices", "several_studies"}),
    ],
)  # fmt: skip
def test_one_bad_file_keeps_the_series_out(
    ct: list[Path], take: Callable[..., tuple[int, dict]], damage: Callable[[Path], object], ids: set[str]
) -> None:
    damage(ct[3])
    code, data = take(ct[0].parent)
    assert code in (2, 3), data
    assert data["error"]["id"] in ids


@pytest.mark.parametrize("uid", [True, False])
def test_a_repeated_slice(ct: list[Path], take: Callable[..., tuple[int, dict]], uid: bool) -> None:
    second = shutil.copy(ct[3], ct[3].with_name("again.dcm"))
    if not uid:
        edit(second, SOPInstanceUID="1.2.3")
    code, data = take(ct[0].parent)
    assert (code, data["error"]["id"]) == (3, "refused_duplicate_uid" if uid else "refused_duplicate_position")


def test_one_uid_on_different_slices(ct: list[Path], take: Callable[..., tuple[int, dict]]) -> None:
    edit(*ct[3:5], SOPInstanceUID="1.2.3")
    code, data = take(ct[0].parent)
    assert code == 3, data
    assert data["error"]["id"] in ("refused_duplicate_uid", "refused_missing_slices")


def test_names_and_numbers_in_any_order_make_the_same_volume(ct: list[Path]) -> None:
    edit(ct[2], InstanceNumber=7)
    ct[2].rename(ct[2].with_name("x"))
    ct[6].rename(ct[2])
    ct[2].with_name("x").rename(ct[6])
    np.testing.assert_array_equal(voxels(ct[0].parent), sound().array)


def test_pixels_longer_than_told_are_read_as_told(ct: list[Path]) -> None:
    for path in ct:
        dataset = pydicom.dcmread(path)
        dataset.PixelData += b"\1\2" * 50
        dataset.save_as(path)
    np.testing.assert_array_equal(voxels(ct[0].parent), sound().array)


# ---- the whole input is bad


def colour(paths: list[Path]) -> None:
    for path in paths:
        pixels = b"\0" * (ROWS * COLUMNS * 3)
        edit(path, SamplesPerPixel=3, PhotometricInterpretation="RGB", PlanarConfiguration=0, BitsAllocated=8, BitsStored=8,
             HighBit=7, PixelData=pixels)  # fmt: skip


def alone(paths: list[Path]) -> None:
    for path in paths[1:]:
        path.unlink()


def emptied(paths: list[Path]) -> None:
    for path in paths:
        path.write_bytes(b"")


def only_text(paths: list[Path]) -> None:
    alone(paths)
    paths[0].write_text("no image\n" * 50)


def gone(paths: list[Path]) -> None:
    shutil.rmtree(paths[0].parent)


def without_files(paths: list[Path]) -> None:
    for path in paths:
        path.unlink()


def huge(paths: list[Path]) -> None:
    for path in paths:
        edit(path, Rows=50000, Columns=2)
        data = path.read_bytes()
        # 100,000 pixels in a small file
        path.write_bytes(data)


def huge_compressed(paths: list[Path]) -> None:
    for path in paths:
        dataset = pydicom.dcmread(path)
        dataset.compress(pydicom.uid.RLELossless)
        dataset.Rows, dataset.Columns = 65535, 65535
        dataset.save_as(path)


@pytest.mark.parametrize(
    ("damage", "ids"),
    [
        (colour, {"refused_colour"}),
        (alone, {"refused_bad_spacing"}),
        (emptied, {"file_not_dicom"}),
        (only_text, {"file_not_dicom"}),
        (gone, {"not_found"}),
        (without_files, {"folder_empty"}),
        (huge, {"refused_truncated"}),
        (huge_compressed, {"refused_truncated", "image_too_large", "cannot_decode"}),
        (lambda paths: edit(*paths, ImagePositionPatient=None), {"refused_no_position"}),
        (lambda paths: edit(*paths, PixelSpacing=[0, 0]), {"refused_bad_spacing"}),
        (lambda paths: edit(*paths, ImagePositionPatient=[0, 0, 0]), {"refused_duplicate_position", "refused_bad_spacing"}),
        (lambda paths: edit(*paths, ImageOrientationPatient=[1, 0, 0, 1, 0, 0]), {"refused_no_position"}),
        (lambda paths: edit(*paths[:4], PatientID="ONE") or edit(*paths[4:], PatientID="TWO"), {"mixed_patients"}),
        (lambda paths: edit(*paths, Modality="MR"), {"refused_not_ct"}),
        (lambda paths: edit(*paths, RescaleSlope="0"), {"file_unreadable"}),
    ],
)  # fmt: skip
def test_a_bad_folder_is_refused(
    ct: list[Path], take: Callable[..., tuple[int, dict]], damage: Callable[[list[Path]], object], ids: set[str]
) -> None:
    damage(ct)
    code, data = take(ct[0].parent)
    assert code in (2, 3), data
    assert data["error"]["id"] in ids


def test_a_frame_without_a_number_to_rescale_by(tmp_path: Path, take: Callable[..., tuple[int, dict]]) -> None:
    path = write_enhanced_ct([sound()], tmp_path / "enhanced.dcm")
    assert take(path)[0] == 0
    (tmp_path / "case.surgiplan").unlink()
    path.write_bytes(path.read_bytes().replace(b"-1024 ", b"-1O24 ", 1))
    code, data = take(path)
    assert (code, data["error"]["id"]) == (3, "file_unreadable")


# ---- archives


def archive_of(ct: list[Path], target: Path, **names: str) -> Path:
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as stream:
        for path in ct:
            stream.write(path, names.get(path.stem, path.name))
    return target


def test_a_bomb_is_refused(tmp_path: Path, take: Callable[..., tuple[int, dict]]) -> None:
    target = tmp_path / "bomb.zip"
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as stream:
        stream.writestr("a.dcm", b"\0" * (70 << 20))
    assert target.stat().st_size < 200_000
    code, data = take(target)
    assert (code, data["error"]["id"]) == (3, "file_unsafe")


def test_a_path_that_leaves_the_archive_is_never_followed(
    ct: list[Path], tmp_path: Path, take: Callable[..., tuple[int, dict]]
) -> None:
    target = archive_of(ct, tmp_path / "in" / "a.zip", **{ct[3].stem: "../../evil.dcm"})
    code, data = take(target)
    assert (code, data["error"]["id"]) == (3, "refused_missing_slices")
    assert not list(tmp_path.rglob("evil.dcm"))


@pytest.mark.parametrize("part", [0.3, 0.6, 0.95])
def test_an_archive_cut_short(ct: list[Path], tmp_path: Path, take: Callable[..., tuple[int, dict]], part: float) -> None:
    target = archive_of(ct, tmp_path / "a.zip")
    cut(target, part)
    assert take(target)[0] == 3


def test_an_archive_with_a_damaged_member(ct: list[Path], tmp_path: Path, take: Callable[..., tuple[int, dict]]) -> None:
    target = archive_of(ct, tmp_path / "a.zip")
    data = bytearray(target.read_bytes())
    with zipfile.ZipFile(target) as archive:
        start = archive.infolist()[3].header_offset + 60
    for place in range(start, start + 40):
        data[place] ^= 0xFF
    target.write_bytes(bytes(data))
    code, answer = take(target)
    assert (code, answer["error"]["id"]) == (3, "refused_missing_slices")


def test_a_sound_archive_is_taken(ct: list[Path], tmp_path: Path, take: Callable[..., tuple[int, dict]]) -> None:
    assert take(archive_of(ct, tmp_path / "a.zip"))[0] == 0


# ---- names and places


@pytest.mark.parametrize("name", ["Ağrı diz ölçüsü İĞŞ", "膝关节扫描 数据", "x" * 250, "a b'c\"d#%&;$(e)", "e\u0301e"])
def test_any_name_of_a_folder(ct: list[Path], tmp_path: Path, take: Callable[..., tuple[int, dict]], name: str) -> None:
    place = tmp_path / name[:120] / name[120:] if len(name) > 120 else tmp_path / name
    place.parent.mkdir(exist_ok=True)
    shutil.move(ct[0].parent, place)
    assert take(place)[0] == 0


def test_a_path_of_300_characters_and_more(ct: list[Path], tmp_path: Path, take: Callable[..., tuple[int, dict]]) -> None:
    place = tmp_path / ("uzun klasör adı " * 6).strip() / ("çok " * 30).strip() / ("z" * 90)
    assert len(str(place)) > 300
    place.parent.mkdir(parents=True)
    shutil.move(ct[0].parent, place)
    ct = sorted(place.iterdir())
    ct[0].rename(ct[0].with_name("ş" * 100 + ".dcm"))
    assert take(place)[0] == 0


def test_links_pipes_and_folders_among_the_files(ct: list[Path], take: Callable[..., tuple[int, dict]]) -> None:
    folder = ct[0].parent
    (folder / "folder.dcm").mkdir()
    (folder / "gone.dcm").symlink_to(folder / "nowhere")
    (folder / "round.dcm").symlink_to(folder)
    os.mkfifo(folder / "pipe.dcm")
    assert take(folder)[0] == 0


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read anything")
def test_a_file_without_permission(ct: list[Path], take: Callable[..., tuple[int, dict]]) -> None:
    ct[3].chmod(0)
    code, data = take(ct[0].parent)
    assert (code, data["error"]["id"]) == (3, "refused_missing_slices")


# ---- the medium goes


class Leaving:
    """Lets files be opened a number of times, then says what a pulled stick says."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, times: int, what: str) -> None:
        self._times, self._what = times, what
        original = Sources.open
        this = self

        def opened(self: Sources, name: str) -> object:
            this._times -= 1
            stream = original(self, name)
            if this._times >= 0:
                return stream
            if what == "open":
                stream.close()
                raise OSError(5, "Input/output error")
            stream.read = lambda *_: (_ for _ in ()).throw(OSError(5, "Input/output error"))  # type: ignore[method-assign]
            return stream

        monkeypatch.setattr(Sources, "open", opened)


@pytest.mark.parametrize("times", [0, 3, SLICES, SLICES + 3])
def test_a_medium_pulled_out_half_way_leaves_the_case_as_it_was(
    ct: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    services = startup.start()
    session = documents.new_session(services)
    import_study(session, ct[0].parent)
    before = session.case
    (tmp_path / "b").mkdir()
    later = write_ct_series(sound(), tmp_path / "b", seed=3)
    Leaving(monkeypatch, times, "open")
    with pytest.raises(InputDataError) as caught:
        import_study(session, later[0].parent)
    assert caught.value.file is not None
    assert session.case is before
    session.close(discard=True)
    services.close()


def test_a_file_that_vanishes_between_scan_and_read(
    ct: list[Path], take: Callable[..., tuple[int, dict]], monkeypatch: pytest.MonkeyPatch
) -> None:
    from surgiplan_desktop.app import import_study as module

    scanned = module.scan_folder

    def scan_then_lose(path: Path, **options: object) -> object:
        result = scanned(path, **options)
        ct[4].unlink()
        return result

    monkeypatch.setattr(module, "scan_folder", scan_then_lose)
    code, data = take(ct[0].parent)
    assert (code, data["error"]["id"]) == (3, "unreadable_file")
    assert data["error"]["file"] == str(ct[4])


@pytest.mark.parametrize(
    ("keyword", "length"), [("Modality", 65535), ("PatientID", 60000), ("PixelSpacing", 0), ("Rows", 65535), ("Rows", 1)]
)
def test_a_length_that_is_none(ct: list[Path], take: Callable[..., tuple[int, dict]], keyword: str, length: int) -> None:
    tag = pydicom.tag.Tag(keyword)
    data = bytearray(ct[3].read_bytes())
    place = data.find(struct.pack("<HH", tag.group, tag.element))
    assert place > 0
    data[place + 6 : place + 8] = struct.pack("<H", length)
    ct[3].write_bytes(bytes(data))
    assert take(ct[0].parent)[0] in (2, 3)


def test_files_at_the_end_that_cannot_be_read_are_told(ct: list[Path], take: Callable[..., tuple[int, dict]]) -> None:
    cut(ct[-1], 0.3)
    code, data = take(ct[0].parent)
    assert code == 0
    assert [item["code"] for item in data["findings"]] == ["files_unread"]
