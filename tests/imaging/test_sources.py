"""Folders, archives and media as they come: broken, hostile, oddly named, or pulled out half way."""

from __future__ import annotations

import os
import shutil
import struct
import sys
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Self

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MediaStorageDirectoryStorage, generate_uid

from surgiplan_desktop.app.import_study import choose, load, scan
from surgiplan_desktop.base.errors import InputDataError
from surgiplan_desktop.base.progress import Cancelled
from surgiplan_desktop.base.spaces import Affine
from surgiplan_desktop.files.asset_store import AssetStore
from surgiplan_desktop.imaging.dicom_scan import ScanResult, scan_folder
from surgiplan_desktop.imaging.dicom_write import write_ct_series
from surgiplan_desktop.imaging.sources import Sources
from surgiplan_desktop.model.images import Volume


def volume(slices: int = 6, size: int = 8) -> Volume:
    values = np.random.default_rng(0).integers(-1000, 1500, (slices, size, size)).astype(np.int16)
    return Volume(values, Affine.from_parts(np.column_stack([[0, 0, 2.0], [0, 0.5, 0], [0.5, 0, 0]]), np.zeros(3)))


@pytest.fixture
def ct(tmp_path: Path) -> Path:
    write_ct_series(volume(), tmp_path / "disc" / "IMAGES")
    return tmp_path / "disc"


def new_store(folder: Path) -> AssetStore:
    (folder / "store").mkdir()
    return AssetStore(folder / "store")


def reasons(result: ScanResult) -> dict[str, str]:
    return {item.name: item.reason for item in result.rejected}


def zipped(folder: Path, target: Path, **extra: bytes) -> Path:
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*.dcm")):
            archive.write(path, path.relative_to(folder).as_posix())
        for name, data in extra.items():
            archive.writestr(name, data)
    return target


def dicomdir(folder: Path, names: list[str]) -> Path:
    directory = Dataset()
    directory.file_meta = FileMetaDataset()
    directory.file_meta.MediaStorageSOPClassUID = MediaStorageDirectoryStorage
    directory.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    directory.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    patient = Dataset()
    patient.DirectoryRecordType = "PATIENT"
    records = [patient]
    for name in names:
        record = Dataset()
        record.DirectoryRecordType = "IMAGE"
        record.ReferencedFileID = name.split("/")
        records.append(record)
    directory.DirectoryRecordSequence = records
    directory.save_as(folder / "DICOMDIR", enforce_file_format=True)
    return folder / "DICOMDIR"


def test_a_dicomdir_names_what_is_read_and_what_is_not_there(ct: Path) -> None:
    write_ct_series(volume(3), ct / "OTHER", seed=5)
    path = dicomdir(ct, [f"images/im{k:05d}.DCM" for k in range(1, 9)])
    result = scan_folder(path)
    (series,) = result.series
    assert (series.slices, result.files) == (6, 6)
    assert reasons(result) == {"images/im00007.DCM": "missing", "images/im00008.DCM": "missing"}
    whole = scan_folder(ct)
    assert (len(whole.series), reasons(whole)) == (2, reasons(result))
    archive = shutil.make_archive(str(ct.parent / "disc"), "zip", ct)
    assert reasons(scan_folder(Path(archive))) == reasons(result)


@pytest.mark.parametrize("names", [[], ["GONE/IM1"], ["../../etc/passwd"], ["/etc/passwd"]])
def test_a_dicomdir_that_names_nothing_here_stands_for_its_folder(ct: Path, names: list[str]) -> None:
    result = scan_folder(dicomdir(ct, names))
    assert [series.slices for series in result.series] == [6]
    assert set(reasons(result)) == set(names) & {"GONE/IM1"}


def test_a_broken_dicomdir_stands_for_its_folder(ct: Path) -> None:
    path = dicomdir(ct, ["IMAGES/IM00001.dcm"])
    data = path.read_bytes()
    for end in range(0, len(data), max(len(data) // 10, 1)):
        path.write_bytes(data[:end])
        assert scan_folder(path).series[0].slices in (1, 6)


def test_odd_names_are_read_from_folders_and_archives(ct: Path, tmp_path: Path) -> None:
    files = sorted((ct / "IMAGES").iterdir())
    names = ["görüntü ığüşöç İ.dcm", "膝关节 扫描.dcm", "a" * 251 + ".dcm", " leading space", "-o dash; rm", "tab\tname"]
    for path, name in zip(files, names, strict=True):
        path.rename(path.with_name(name))
    (series,) = scan_folder(ct).series
    assert (series.slices, series.verdict) == (6, "ok")
    archive = tmp_path / "çalışma 膝.zip"
    with zipfile.ZipFile(archive, "w") as stream:
        for path, name in zip(sorted((ct / "IMAGES").iterdir()), [*names[:5], "b" * 300 + "/" + "c" * 300], strict=True):
            stream.write(path, name)
    result = scan(archive)
    loaded = load(result, choose(result), new_store(tmp_path))
    assert loaded.blocks[0].shape == (6, 8, 8)


@pytest.mark.skipif(sys.platform != "linux", reason="only here may names be any bytes")
def test_names_that_are_no_text_are_read(ct: Path) -> None:
    for number, path in enumerate(sorted((ct / "IMAGES").iterdir())):
        os.rename(os.fsencode(path), os.fsencode(path.parent) + b"/\xff\xfe" + str(number).encode())
    (series,) = scan_folder(ct).series
    assert series.slices == 6


@pytest.mark.skipif(os.name == "nt", reason="no pipes in folders, links only for administrators")
def test_links_pipes_and_folders_without_permission_do_no_harm(ct: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (ct / "loop").symlink_to(ct)
    (ct / "IMAGES" / "self").symlink_to(ct / "IMAGES" / "self")
    (ct / "gone").symlink_to(ct / "nothing")
    os.mkfifo(ct / "pipe")
    (ct / "closed").mkdir()
    scandir = os.scandir

    def refuse(path: object) -> object:
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied")
        return scandir(path)  # type: ignore[call-overload]

    monkeypatch.setattr(os, "scandir", refuse)
    result = scan_folder(ct)
    assert [series.slices for series in result.series] == [6]
    assert reasons(result) == {"IMAGES/self": "unreadable", "gone": "unreadable", "closed": "unreadable"}


def test_archives_inside_are_named_not_opened(ct: Path, tmp_path: Path) -> None:
    inner = zipped(ct, tmp_path / "inner.zip")
    result = scan_folder(zipped(ct, tmp_path / "outer.zip", **{"more/inner.zip": inner.read_bytes()}))
    assert (result.series[0].slices, reasons(result)) == (6, {"more/inner.zip": "archive"})


@pytest.mark.parametrize("name", ["../../outside.dcm", "/tmp/outside.dcm", "C:\\outside.dcm", "a/../../outside.dcm"])
def test_names_that_leave_the_archive_are_left_aside(ct: Path, tmp_path: Path, name: str) -> None:
    data = next((ct / "IMAGES").iterdir()).read_bytes()
    before = sorted(tmp_path.rglob("*"))
    result = scan_folder(zipped(ct, tmp_path / "study.zip", **{name: data}))
    assert (result.series[0].slices, list(reasons(result).values())) == (6, ["unsafe"])
    assert sorted(tmp_path.rglob("*")) == [*before, tmp_path / "study.zip"]


def bomb(path: Path, size: int) -> Path:
    """A zip with one member of ``size`` zero bytes behind the start of a DICOM file."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("bomb.dcm", "w", force_zip64=True) as member:
        member.write(b"\0" * 128 + b"DICM")
        for _ in range(size >> 20):
            member.write(b"\0" * (1 << 20))
    return path


def test_a_member_that_expands_without_measure_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = bomb(tmp_path / "bomb.zip", 80 << 20)
    read: list[int] = []
    original = zipfile.ZipExtFile.read

    def counted(self: zipfile.ZipExtFile, n: int | None = -1) -> bytes:
        data = original(self, n)
        read.append(len(data))
        return data

    monkeypatch.setattr(zipfile.ZipExtFile, "read", counted)
    assert reasons(scan_folder(path)) == {"bomb.dcm": "unsafe"}
    assert sum(read) == 0


def test_a_member_that_tells_a_smaller_size_than_it_has_is_no_bomb(tmp_path: Path) -> None:
    """The directory of the archive lies about the size: no more than it says is unpacked, and the file is left aside."""
    path = bomb(tmp_path / "bomb.zip", 8 << 20)
    data = bytearray(path.read_bytes())
    entry = data.rindex(b"PK\x01\x02")
    struct.pack_into("<I", data, entry + 24, 4096)
    path.write_bytes(bytes(data))
    with Sources(path) as sources, pytest.raises(OSError, match="CRC"):
        sources.open("bomb.dcm")
    assert list(reasons(scan_folder(path)).values()) == ["unreadable"]


def test_an_archive_of_overlapping_members_is_refused(tmp_path: Path) -> None:
    """Many entries of the directory that share one member: 200 bytes each in the file, 40 MB each when unpacked."""
    path = bomb(tmp_path / "bomb.zip", 40 << 20)
    data = path.read_bytes()
    entry = data[data.rindex(b"PK\x01\x02") : data.rindex(b"PK\x05\x06")]
    entries = b"".join(entry.replace(b"bomb.dcm", f"b{number:03d}.dcm".encode()) for number in range(100))
    body = data[: data.rindex(b"PK\x01\x02")]
    end = struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, 100, 100, len(entries), len(body), 0)
    path.write_bytes(body + entries + end)
    with pytest.raises(InputDataError, match="archive_bomb"):
        scan_folder(path)


def test_a_damaged_archive_is_told(ct: Path, tmp_path: Path) -> None:
    path = zipped(ct, tmp_path / "study.zip")
    data = bytearray(path.read_bytes())
    data[60:90] = b"\xff" * 30
    path.write_bytes(bytes(data))
    result = scan_folder(path)
    assert sum(series.slices for series in result.series) == 5
    assert list(reasons(result).values()) == ["unreadable"]


def claim(path: Path, edit: Callable[[Dataset], object]) -> ScanResult:
    dataset = pydicom.dcmread(path)
    edit(dataset)
    dataset.save_as(path)
    return scan_folder(path)


@pytest.mark.parametrize("syntax", ["explicit_le", "rle", "deflated", "j2k_lossless", "jpeg_ls"])
def test_a_small_file_that_claims_a_huge_picture_is_refused_before_anything_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, syntax: str
) -> None:
    (path,) = write_ct_series(volume(1, 64), tmp_path, transfer_syntax=syntax)

    def huge(dataset: Dataset) -> None:
        dataset.Rows = dataset.Columns = 65535

    monkeypatch.setattr(np, "empty", lambda *_, **__: pytest.fail("memory was asked for"))
    result = claim(path, huge)
    assert [series.verdict for series in result.series] in ([], ["refused"])
    codes = {finding.code for series in result.series for finding in series.findings}
    assert "truncated" in codes or "truncated" in reasons(result).values()


def test_a_deflated_bomb_is_left_aside(tmp_path: Path) -> None:
    (path,) = write_ct_series(volume(1), tmp_path, transfer_syntax="deflated")
    data = path.read_bytes()
    with path.open("rb") as stream:
        pydicom.filereader.read_preamble(stream, force=False)
        pydicom.filereader._read_file_meta_info(stream)
        start = stream.tell()
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    body = packer.compress(struct.pack("<HH2sHI", 9, 0x1001, b"OB", 0, 100 << 20))
    for _ in range(100):
        body += packer.compress(b"\0" * (1 << 20))
    path.write_bytes(data[:start] + body + packer.flush())
    assert list(reasons(scan_folder(path)).values()) in (["unsafe"], ["truncated"], ["unreadable"])


class Vanishing:
    """A progress that takes the medium away after some steps, or is cancelled."""

    def __init__(self, folder: Path, after: int) -> None:
        self.folder, self.after = folder, after

    def step(self, done: float, total: float, text_id: str) -> None:
        if text_id in ("scanning", "reading") and done >= self.after and self.folder.exists():
            shutil.move(self.folder, self.folder.with_name("away"))


def test_a_medium_pulled_out_while_it_is_scanned_is_told(tmp_path: Path) -> None:
    write_ct_series(volume(120), tmp_path / "disc")
    with pytest.raises(InputDataError, match="medium_gone") as caught:
        scan_folder(tmp_path / "disc", progress=Vanishing(tmp_path / "disc", 20))
    assert caught.value.file is not None
    assert Path(caught.value.file).parent == tmp_path / "disc"


def test_a_medium_pulled_out_while_it_is_read_is_told_with_the_file(tmp_path: Path) -> None:
    write_ct_series(volume(60), tmp_path / "disc")
    result = scan(tmp_path / "disc")
    with pytest.raises(InputDataError, match="unreadable_file") as caught:
        load(result, choose(result), new_store(tmp_path), progress=Vanishing(tmp_path / "disc", 0))
    assert caught.value.file is not None
    assert Path(caught.value.file).parent == tmp_path / "disc"


def test_an_error_of_the_medium_in_the_middle_of_a_file_is_told(ct: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original = Sources.open

    class Dying:
        def __init__(self, stream: BinaryIO) -> None:
            self._stream = stream

        def __getattr__(self, name: str) -> object:
            return getattr(self._stream, name)

        def __enter__(self) -> Self:
            return self

        def __exit__(self, *_: object) -> None:
            self._stream.close()

        def read(self, count: int = -1) -> bytes:
            if self._stream.tell() > 300:
                raise OSError(5, "Input/output error")
            return self._stream.read(count)

    def dying(self: Sources, name: str) -> BinaryIO:
        stream = original(self, name)
        return Dying(stream) if name.endswith("3.dcm") else stream  # type: ignore[return-value]

    monkeypatch.setattr(Sources, "open", dying)
    result = scan_folder(ct)
    assert reasons(result) == {"IMAGES/IM00003.dcm": "unreadable"}
    assert result.series[0].slices == 5


def test_listing_and_scanning_can_be_cancelled_at_any_step(ct: Path) -> None:
    steps: list[str] = []

    class Counting:
        stop_at = 10**6

        def step(self, done: float, total: float, text_id: str) -> None:
            steps.append(text_id)
            if len(steps) > self.stop_at:
                raise Cancelled

    scan_folder(ct, progress=Counting())
    for stop_at in range(len(steps)):
        steps.clear()
        patient = Counting()
        patient.stop_at = stop_at
        with pytest.raises(Cancelled):
            scan_folder(ct, progress=patient)
