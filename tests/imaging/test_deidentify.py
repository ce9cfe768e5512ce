"""A copy without the person: a marker planted in every attribute with words is found nowhere, and the image is the same."""

from __future__ import annotations

import datetime as dt
import json
import zipfile
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.datadict import DicomDictionary, keyword_for_tag
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.tag import Tag
from pydicom.uid import CTImageStorage, ExplicitVRBigEndian, ImplicitVRLittleEndian, RLELossless

from surgiplan_desktop.app.deidentify_copy import deidentify_copy
from surgiplan_desktop.base.errors import InputDataError, UsageError
from surgiplan_desktop.base.spaces import Affine
from surgiplan_desktop.cli.main import run
from surgiplan_desktop.imaging.deidentify import IDENTITY, Secret, profile
from surgiplan_desktop.imaging.dicom_blocks import plan_blocks
from surgiplan_desktop.imaging.dicom_read import read_block
from surgiplan_desktop.imaging.dicom_scan import scan_folder
from surgiplan_desktop.imaging.dicom_write import write_ct_series
from surgiplan_desktop.imaging.enhanced_write import write_enhanced_ct
from surgiplan_desktop.imaging.sources import Sources
from surgiplan_desktop.model.images import Volume

MARKER = "ZZMARKERZZ"
#: Planted where the patient's own names and numbers stand: found nowhere at all, not even in words that are kept.
PERSON = "YYPERSONYY"
TEXT = ("AE", "AS", "CS", "DA", "DS", "DT", "IS", "LO", "LT", "PN", "SH", "ST", "TM", "UC", "UR", "UT", "UI", "OB", "UN")
GEOMETRY = {
    "Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "SamplesPerPixel", "PixelData",
    "PhotometricInterpretation", "SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID",
    "SpecificCharacterSet", "NumberOfFrames", "ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "RescaleSlope",
    "RescaleIntercept", "Modality", "ImageType",
}  # fmt: skip


def sound(slices: int = 5) -> Volume:
    values = np.arange(slices * 6 * 8, dtype=np.int16).reshape(slices, 6, 8) - 100
    return Volume(values, Affine.from_parts(np.column_stack([[0, 0, 2.0], [0, 0.5, 0], [0.5, 0, 0]]), np.array([-9.0, 3.0, 7.0])))


def series(folder: Path, **options: object) -> list[Path]:
    return write_ct_series(sound(), folder, patient_id="TC10203040506", patient_name="Yılmaz^Ayşe", **options)


def volume_of(path: Path) -> Volume:
    (found,) = scan_folder(path).series
    (plan,) = plan_blocks([found])
    with Sources(path) as sources:
        return read_block(sources, plan)


def planted(dataset: Dataset) -> None:
    """Plant the marker into every attribute of the standard that can hold words, also in sequences and private groups."""
    nested = Dataset()
    for tag, (vr, *_) in DicomDictionary.items():
        keyword = keyword_for_tag(tag)
        if vr not in TEXT or not keyword or keyword in GEOMETRY or Tag(tag).group in (0x0000, 0x0002, 0xFFFE):
            continue
        words = PERSON if keyword in IDENTITY else MARKER
        value = words.encode() if vr in ("OB", "UN") else words
        if vr in ("AS", "DA", "TM", "DS", "IS", "UI"):
            item = DataElement(tag, "UN", b"")
            item.VR, item._value = vr, words  # words where the standard wants a number: readers meet it
        else:
            item = DataElement(tag, vr, value)
        dataset[tag] = item
        nested[tag] = item
    nested.add_new((0x0009, 0x0010), "LO", f"{MARKER} 1")
    deeper = Dataset()
    deeper.ReferencedSOPSequence = Sequence([nested])
    for keyword in (
        "SourceImageSequence",
        "AnatomicRegionSequence",
        "SharedFunctionalGroupsSequence",
        "RequestAttributesSequence",
    ):
        setattr(dataset, keyword, Sequence([deeper]))
    dataset.add_new((0x0029, 0x0010), "LO", "SOMEBODY 1.0")
    dataset.add_new((0x0029, 0x1010), "OB", MARKER.encode())
    dataset.add_new((0x0029, 0x1011), "SQ", Sequence([nested]))
    dataset.add_new((0x6000, 0x4000), "LT", MARKER)
    dataset.add_new((0x6000, 0x3000), "OW", MARKER.encode())
    dataset.add_new((0x5000, 0x0022), "LO", MARKER)


def test_a_marker_in_every_attribute_with_words_is_found_only_where_the_profile_keeps_words(tmp_path: Path) -> None:
    paths = series(tmp_path / "in")
    dataset = pydicom.dcmread(paths[0])
    planted(dataset)
    dataset.SeriesDescription, dataset.FilterType = f"knee {PERSON}", PERSON
    dataset.preamble = MARKER.encode().ljust(128, b"\0")
    dataset.file_meta.SourceApplicationEntityTitle = MARKER
    dataset.file_meta.PrivateInformationCreatorUID = "1.2.3.4"
    dataset.file_meta.PrivateInformation = MARKER.encode()
    dataset.save_as(paths[0])
    assert paths[0].read_bytes().count(MARKER.encode()) > 1000
    done = deidentify_copy(paths[0], tmp_path / "out")
    (name,) = done.copy.files
    clean = pydicom.dcmread(done.folder / name)
    holding = {item.keyword for item in clean.iterall() if item.VR != "SQ" and MARKER in str(item.value)}
    assert holding <= profile().words
    assert {"ConvolutionKernel", "Manufacturer"} <= holding
    assert PERSON.encode() not in (done.folder / name).read_bytes()
    for item in list(clean.iterall()):
        if item.keyword in profile().words and MARKER in str(item.value):
            item.value = None
    clean.save_as(tmp_path / "bare.dcm")
    assert MARKER.encode() not in (tmp_path / "bare.dcm").read_bytes()


def test_words_that_are_kept_go_when_they_name_the_patient(tmp_path: Path) -> None:
    paths = series(tmp_path / "in", kernel="knee AYŞE", body_part="TC10203040506")
    done = deidentify_copy(paths[0], tmp_path / "out")
    clean = pydicom.dcmread(done.folder / done.copy.files[0])
    assert "ConvolutionKernel" not in clean
    assert "BodyPartExamined" not in clean


def test_nothing_of_the_person_is_in_bytes_or_names(tmp_path: Path) -> None:
    paths = series(tmp_path / "in", description="KNEE YILMAZ")
    for path in paths:
        dataset = pydicom.dcmread(path)
        dataset.PatientBirthDate, dataset.AccessionNumber, dataset.InstitutionName = "19620229", "ACC778899", "Klinik Yılmaz"
        dataset.PatientComments = "neighbour of TC10203040506"
        dataset.save_as(path.with_name(f"Yilmaz_Ayse_{path.name}"))
        path.unlink()
    done = deidentify_copy(tmp_path / "in", tmp_path / "out", code="K7QX2M")
    assert done.copy.codes == ("K7QX2M",)
    for path in (tmp_path / "out").rglob("*"):
        assert not any(word in str(path.relative_to(tmp_path)).casefold() for word in ("yilmaz", "ayse", "102030"))
        if path.is_file():
            data = path.read_bytes()
            for word in ("Yılmaz", "Ayşe", "YILMAZ", "TC10203040506", "19620229", "ACC778899"):
                assert word.encode() not in data
    clean = pydicom.dcmread(tmp_path / "out" / done.copy.files[0])
    assert (clean.PatientID, clean.PatientName, clean.PatientIdentityRemoved) == ("K7QX2M", "K7QX2M", "YES")
    assert [item.CodeValue for item in clean.DeidentificationMethodCodeSequence] == ["113100", "113107"]


@pytest.mark.parametrize("syntax", ["explicit", ImplicitVRLittleEndian, ExplicitVRBigEndian, RLELossless])
def test_the_copy_imports_to_the_same_volume(tmp_path: Path, syntax: str) -> None:
    for path in series(tmp_path / "in"):
        dataset = pydicom.dcmread(path)
        dataset.add_new("PixelPaddingValue", "SS", -2000)
        if syntax == RLELossless:
            dataset.compress(RLELossless)
        elif syntax != "explicit":
            if syntax == ExplicitVRBigEndian:
                dataset.PixelData = dataset.pixel_array.astype(">i2").tobytes()
            dataset.file_meta.TransferSyntaxUID = syntax
        pydicom.dcmwrite(
            path,
            dataset,
            implicit_vr=syntax == ImplicitVRLittleEndian,
            little_endian=syntax != ExplicitVRBigEndian,
            force_encoding=True,
        )
    deidentify_copy(tmp_path / "in", tmp_path / "out")
    before, after = volume_of(tmp_path / "in"), volume_of(tmp_path / "out")
    np.testing.assert_array_equal(after.array, before.array)
    np.testing.assert_array_equal(after.affine.matrix, before.affine.matrix)
    assert pydicom.dcmread(next((tmp_path / "out").rglob("*.dcm"))).PixelPaddingValue == -2000


def test_an_enhanced_file_keeps_its_frames(tmp_path: Path) -> None:
    path = write_enhanced_ct([sound()], tmp_path / "enhanced.dcm")
    dataset = pydicom.dcmread(path)
    for item in dataset.PerFrameFunctionalGroupsSequence:
        item.FrameContentSequence[0].FrameAcquisitionDateTime = "20240110120000"
        item.FrameContentSequence[0].FrameComments = "Yılmaz"
    dataset.PatientName = "Yılmaz^Ayşe"
    dataset.save_as(path)
    deidentify_copy(path, tmp_path / "out")
    before, after = volume_of(path), volume_of(tmp_path / "out")
    np.testing.assert_array_equal(after.array, before.array)
    np.testing.assert_array_equal(after.affine.matrix, before.affine.matrix)
    clean = pydicom.dcmread(next((tmp_path / "out").rglob("*.dcm")))
    content = clean.PerFrameFunctionalGroupsSequence[0].FrameContentSequence[0]
    assert "FrameComments" not in content
    assert content.FrameAcquisitionDateTime < "20230201"


def test_bits_above_those_stored_are_emptied(tmp_path: Path) -> None:
    (path, *_) = series(tmp_path / "in")
    dataset = pydicom.dcmread(path)
    values = np.full(48, 0x3ABC, dtype="<u2")
    dataset.PixelData, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = values.tobytes(), 12, 11, 0
    dataset.save_as(path)
    done = deidentify_copy(path, tmp_path / "out")
    clean = pydicom.dcmread(done.folder / done.copy.files[0])
    assert set(np.frombuffer(clean.PixelData, dtype="<u2").tolist()) == {0x0ABC}


def test_uids_change_alike_with_one_key_and_intervals_stay(tmp_path: Path) -> None:
    first = series(tmp_path / "first", study_date="20240110")
    second = series(tmp_path / "second", study_date="20240725", seed=1)
    key = tmp_path / "secret.key"
    copies = [deidentify_copy(folder, tmp_path / f"out{number}", key_file=key) for number, folder in enumerate(
        [tmp_path / "first", tmp_path / "second", tmp_path / "first"])]  # fmt: skip
    clean = [pydicom.dcmread(item.folder / item.copy.files[0]) for item in copies]
    assert clean[0].SOPInstanceUID == clean[2].SOPInstanceUID
    assert clean[0].SOPInstanceUID not in (pydicom.dcmread(first[0]).SOPInstanceUID, clean[1].SOPInstanceUID)
    assert clean[0].file_meta.MediaStorageSOPInstanceUID == clean[0].SOPInstanceUID
    assert clean[0].SOPClassUID == CTImageStorage
    dates = [dt.datetime.strptime(item.StudyDate + item.StudyTime[:6], "%Y%m%d%H%M%S") for item in clean]
    assert (dates[1] - dates[0]).days == 197
    assert abs((dates[0] - dt.datetime(2024, 1, 10)).days) > 360
    assert clean[0].PatientID == clean[1].PatientID
    assert key.stat().st_mode & 0o077 == 0
    other = deidentify_copy(tmp_path / "first", tmp_path / "other")
    assert pydicom.dcmread(other.folder / other.copy.files[0]).SOPInstanceUID != clean[0].SOPInstanceUID
    assert len(second) == 5


def test_a_secret_needs_its_key_to_go_back() -> None:
    one, two = Secret(b"a" * 32), Secret(b"b" * 32)
    assert one.uid("1.2.3") == one.uid("1.2.3") != two.uid("1.2.3")
    assert one.uid(CTImageStorage) == CTImageStorage
    assert one.shift("x") != one.shift("y")


def test_what_is_no_image_of_a_scanner_stays_behind_with_its_reason(tmp_path: Path) -> None:
    paths = series(tmp_path / "in")
    changes = {
        1: ("SOPClassUID", "1.2.840.10008.5.1.4.1.1.7"),
        2: ("BurnedInAnnotation", "YES"),
        3: ("SOPClassUID", "1.2.840.10008.5.1.4.1.1.88.67"),
    }
    for number, (keyword, value) in changes.items():
        dataset = pydicom.dcmread(paths[number])
        setattr(dataset, keyword, value)
        dataset.save_as(paths[number])
    paths[4].write_bytes(paths[4].read_bytes()[:-20])
    (tmp_path / "in" / "report.pdf").write_bytes(b"%PDF-1.4" + b" " * 200)
    done = deidentify_copy(tmp_path / "in", tmp_path / "out")
    assert len(done.copy.files) == 1
    assert {item.name: item.reason for item in done.copy.left_out} == {
        "IM00002.dcm": "not_an_image", "IM00003.dcm": "burned_in", "IM00004.dcm": "not_an_image", "IM00005.dcm": "truncated",
        "report.pdf": "not_dicom",
    }  # fmt: skip
    assert done.copy.unchecked_pixels == 1


def test_nothing_is_left_when_it_cannot_be_done(tmp_path: Path) -> None:
    paths = series(tmp_path / "in")
    other = pydicom.dcmread(paths[0])
    other.PatientID = "SOMEBODY-ELSE"
    other.save_as(paths[0])
    with pytest.raises(UsageError, match="deidentify_several"):
        deidentify_copy(tmp_path / "in", tmp_path / "out", code="ABC")
    with pytest.raises(UsageError, match="deidentify_code"):
        deidentify_copy(tmp_path / "in", tmp_path / "out", code="Ayşe Yılmaz")
    with pytest.raises(UsageError, match="output_exists"):
        deidentify_copy(tmp_path / "in", tmp_path / "in")
    (tmp_path / "text").write_text("no image")
    with pytest.raises(InputDataError, match="deidentify_nothing"):
        deidentify_copy(tmp_path / "text", tmp_path / "out")
    with pytest.raises(UsageError, match="deidentify_key"):
        deidentify_copy(tmp_path / "in", tmp_path / "out", key_file=tmp_path / "text")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "text"]
    assert len(deidentify_copy(tmp_path / "in", tmp_path / "out").copy.codes) == 2


def test_the_command_copies_a_zip_and_lists_the_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    archive = tmp_path / "disc.zip"
    with zipfile.ZipFile(archive, "w") as stream:
        for path in series(tmp_path / "in"):
            stream.write(path, path.name)
    assert run(["deidentify", str(archive), "-o", str(tmp_path / "out"), "--case-code", "k7qx2m", "--json", "--quiet"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["codes"] == ["K7QX2M"]
    assert len(data["files"]) == 5
    assert all(Path(name).is_file() for name in data["files"])
    assert data["left_out"] == []
