"""Verdicts and findings of what hospitals send, each made from a sound series by one defect."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRBigEndian, ImplicitVRLittleEndian, JPEGLSLossless, RLELossless

from surgiplan_desktop.base.errors import InputDataError
from surgiplan_desktop.base.progress import Cancelled
from surgiplan_desktop.base.spaces import Affine
from surgiplan_desktop.imaging.dicom_blocks import plan_blocks
from surgiplan_desktop.imaging.dicom_read import read_block
from surgiplan_desktop.imaging.dicom_scan import Series, scan_folder
from surgiplan_desktop.imaging.dicom_write import write_ct_series
from surgiplan_desktop.imaging.sources import Sources
from surgiplan_desktop.model.images import Volume


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Ten slices of a sound series, in a folder of their own."""
    return write_ct_series(sound(), tmp_path / "ct")


def sound(slices: int = 10) -> Volume:
    values = np.arange(slices * 4 * 5, dtype=np.int16).reshape(slices, 4, 5)
    return Volume(values, Affine.from_parts(np.column_stack([[0, 0, 2.0], [0, 0.5, 0], [0.5, 0, 0]]), np.zeros(3)))


def change(paths: list[Path], edit: Callable[[Dataset], object]) -> None:
    for path in paths:
        dataset = pydicom.dcmread(path)
        edit(dataset)
        dataset.save_as(path)


def only_series(path: Path) -> Series:
    (series,) = scan_folder(path).series
    return series


def codes(series: Series) -> list[str]:
    return [finding.code for finding in series.findings]


def test_a_sound_series_is_ok(files: list[Path]) -> None:
    result = scan_folder(files[0].parent)
    (series,) = result.series
    assert (series.verdict, codes(series), result.rejected) == ("ok", [], ())
    assert series.spacing_mm == pytest.approx((0.5, 0.5, 2.0))
    assert series.heights_mm == ((0.0, 18.0),)


@pytest.mark.parametrize(
    ("edit", "code", "verdict"),
    [
        (lambda d: setattr(d, "Modality", "MR"), "not_ct", "refused"),
        (lambda d: setattr(d, "Modality", "DX"), "film", "refused"),
        (lambda d: setattr(d, "SOPClassUID", "1.2.840.10008.5.1.4.1.1.7"), "secondary_capture", "refused"),
        (lambda d: setattr(d, "ImageType", ["ORIGINAL", "PRIMARY", "LOCALIZER"]), "localizer", "refused"),
        (lambda d: setattr(d, "PhotometricInterpretation", "PALETTE COLOR"), "colour", "refused"),
        (lambda d: delattr(d, "ImagePositionPatient"), "no_position", "refused"),
        (lambda d: setattr(d, "ImageOrientationPatient", [1, 0, 0, 1, 0, 0]), "no_position", "refused"),
        (lambda d: delattr(d, "PixelSpacing"), "bad_spacing", "refused"),
        (lambda d: setattr(d, "PixelSpacing", [0, 0.5]), "bad_spacing", "refused"),
        (lambda d: setattr(d, "LossyImageCompression", "01"), "lossy", "ok"),
        (lambda d: d.add_new("PixelPaddingValue", "SS", -2000), "padded", "ok"),
    ],
)
def test_the_kind_of_image_decides(files: list[Path], edit: Callable[[Dataset], object], code: str, verdict: str) -> None:
    change(files, edit)
    series = only_series(files[0].parent)
    assert code in codes(series)
    assert series.verdict == verdict


def test_a_spacing_that_is_no_number_is_refused(files: list[Path]) -> None:
    for path in files:
        data = path.read_bytes()
        path.write_bytes(data.replace(b"0.5\\0.5 ", b"nan\\nan "))
    series = only_series(files[0].parent)
    assert "bad_spacing" in codes(series)


def test_missing_slices_are_counted_and_named(files: list[Path]) -> None:
    files[4].unlink()
    files[5].unlink()
    series = only_series(files[0].parent)
    (finding,) = series.findings
    assert (series.verdict, finding.code, dict(finding.parameters)["count"]) == ("repairable", "missing_slices", 2)
    assert finding.files == (files[3].name, files[6].name)


def test_a_slice_out_of_place_is_uneven(files: list[Path]) -> None:
    change(files[3:4], lambda d: setattr(d, "ImagePositionPatient", [0, 0, 6.5]))
    series = only_series(files[0].parent)
    assert (series.verdict, codes(series)) == ("repairable", ["uneven"])


def test_a_slice_shifted_sideways_is_uneven(files: list[Path]) -> None:
    change(files[3:4], lambda d: setattr(d, "ImagePositionPatient", [0.4, 0, 6]))
    assert codes(only_series(files[0].parent)) == ["uneven"]


def test_spacing_that_creeps_is_uneven(tmp_path: Path) -> None:
    paths = write_ct_series(sound(200), tmp_path)
    for number, path in enumerate(paths):
        change(
            [path],
            lambda d, number=number: setattr(d, "ImagePositionPatient", [0, 0, round(2 * number * (1 + 2e-5 * number), 5)]),
        )
    assert codes(only_series(tmp_path)) == ["uneven"]


def test_a_copied_file_is_a_duplicate(files: list[Path]) -> None:
    shutil.copy(files[2], files[2].with_name("copy.dcm"))
    series = only_series(files[0].parent)
    assert (series.verdict, codes(series)) == ("repairable", ["duplicate_uid"])
    change([files[2].with_name("copy.dcm")], lambda d: setattr(d, "SOPInstanceUID", "1.2.3"))
    assert codes(only_series(files[0].parent)) == ["duplicate_position"]


def test_a_cut_file_is_named(files: list[Path]) -> None:
    data = files[5].read_bytes()
    files[5].write_bytes(data[:-10])
    series = only_series(files[0].parent)
    assert series.verdict == "repairable"
    assert series.findings[0].code == "truncated"
    assert series.findings[0].files == (files[5].name,)


@pytest.mark.parametrize("tenth", range(10))
def test_a_file_cut_anywhere_is_rejected_or_truncated(files: list[Path], tmp_path: Path, tenth: int) -> None:
    data = files[0].read_bytes()
    cut = tmp_path / "cut.dcm"
    cut.write_bytes(data[: len(data) * tenth // 10])
    result = scan_folder(cut)
    reasons = [item.reason for item in result.rejected]
    found = [code for series in result.series for code in codes(series)]
    assert reasons in (["not_dicom"], ["truncated"]) or "truncated" in found


def test_other_files_are_left_aside_with_the_reason(files: list[Path]) -> None:
    (files[0].parent / "notes.dcm").write_text("these are notes, not images\n" * 20)
    (files[0].parent / "empty.dcm").touch()
    result = scan_folder(files[0].parent)
    assert {item.name: item.reason for item in result.rejected} == {"notes.dcm": "not_dicom", "empty.dcm": "not_dicom"}
    assert result.series[0].verdict == "ok"


def test_two_patients_are_never_one_series(files: list[Path]) -> None:
    change(files[:5], lambda d: setattr(d, "PatientID", "OTHER"))
    result = scan_folder(files[0].parent)
    assert len(result.series) == 2
    assert all("identity_conflict" in codes(series) and series.verdict == "refused" for series in result.series)


def test_padding_of_a_name_makes_no_other_patient(files: list[Path]) -> None:
    change(files[:5], lambda d: setattr(d, "PatientName", "PHANTOM^_"))
    assert only_series(files[0].parent).verdict == "ok"


def test_kernels_and_scouts_are_taken_apart(files: list[Path]) -> None:
    change(files[:2], lambda d: setattr(d, "ConvolutionKernel", "soft"))
    change(files[2:3], lambda d: setattr(d, "ImageType", ["ORIGINAL", "PRIMARY", "LOCALIZER"]))
    largest, *others = sorted(scan_folder(files[0].parent).series, key=lambda series: -series.slices)
    assert (largest.slices, largest.verdict) == (7, "ok")
    assert "mixed_kernel" in codes(largest)
    assert [series.uid.split("#")[0] for series in others] == [largest.uid] * 2
    assert any("localizer" in codes(series) for series in others)


def test_orientations_of_one_series_are_taken_apart(files: list[Path]) -> None:
    change(files[:3], lambda d: setattr(d, "ImageOrientationPatient", [1, 0, 0, 0, 0, -1]))
    series = scan_folder(files[0].parent).series
    assert sorted(item.slices for item in series) == [3, 7]
    assert all("mixed_orientation" in codes(item) for item in series)


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRBigEndian, RLELossless, JPEGLSLossless])
def test_encodings_give_the_same_voxels(files: list[Path], tmp_path: Path, syntax: str) -> None:
    folder = tmp_path / "other"
    folder.mkdir()
    for path in files:
        dataset = pydicom.dcmread(path)
        if syntax in (RLELossless, JPEGLSLossless):
            dataset.compress(syntax)
            dataset.save_as(folder / path.name)
        else:
            if syntax == ExplicitVRBigEndian:
                dataset.PixelData = dataset.pixel_array.astype(">i2").tobytes()
            dataset.file_meta.TransferSyntaxUID = syntax
            pydicom.dcmwrite(
                folder / path.name,
                dataset,
                implicit_vr=syntax == ImplicitVRLittleEndian,
                little_endian=syntax != ExplicitVRBigEndian,
                force_encoding=True,
            )
    series = only_series(folder)
    assert series.verdict == "ok"
    with Sources(folder) as sources:
        (plan,) = plan_blocks([series])
        np.testing.assert_array_equal(read_block(sources, plan).array, sound().array)


def test_twelve_bits_in_sixteen_and_foreign_bits_above(files: list[Path]) -> None:
    def dirty(dataset: Dataset) -> None:
        stored = dataset.pixel_array + 1024  # any values of 12 bits
        dataset.PixelData = ((stored - 1024).astype(np.uint16) & 0x0FFF | 0x3000).astype("<u2").tobytes()
        dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 12, 11, 0

    change(files, dirty)
    with Sources(files[0].parent) as sources:
        (plan,) = plan_blocks([only_series(files[0].parent)])
        np.testing.assert_array_equal(read_block(sources, plan).array, sound().array)


def test_a_zip_is_read_like_a_folder(files: list[Path], tmp_path: Path) -> None:
    archive = tmp_path / "study.zip"
    with zipfile.ZipFile(archive, "w") as stream:
        for path in files:
            stream.write(path, f"disc/{path.name}")
    series = only_series(archive)
    with Sources(archive) as sources:
        (plan,) = plan_blocks([series])
        np.testing.assert_array_equal(read_block(sources, plan).array, sound().array)


def test_a_dicomdir_stands_for_its_folder(files: list[Path]) -> None:
    directory = Dataset()
    directory.file_meta = pydicom.dataset.FileMetaDataset()
    directory.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.1.3.10"
    directory.file_meta.MediaStorageSOPInstanceUID = "1.2.3"
    directory.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    directory.DirectoryRecordSequence = []
    path = files[0].parent / "DICOMDIR"
    directory.save_as(path, enforce_file_format=True)
    result = scan_folder(path)
    assert (len(result.series), result.rejected) == (1, ())


def test_a_file_cut_between_scan_and_read_is_an_error_with_its_name(files: list[Path]) -> None:
    (plan,) = plan_blocks([only_series(files[0].parent)])
    files[3].write_bytes(files[3].read_bytes()[:-10])
    with Sources(files[0].parent) as sources, pytest.raises(InputDataError, match="truncated_file") as caught:
        read_block(sources, plan)
    assert caught.value.file == str(files[3])


def test_scanning_can_be_cancelled(tmp_path: Path) -> None:
    write_ct_series(sound(60), tmp_path)

    class Impatient:
        def step(self, done: float, total: float, text_id: str) -> None:
            if done > 0:
                raise Cancelled

    with pytest.raises(Cancelled):
        scan_folder(tmp_path, progress=Impatient())


def test_what_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputDataError, match="not_found"):
        scan_folder(tmp_path / "nothing")
