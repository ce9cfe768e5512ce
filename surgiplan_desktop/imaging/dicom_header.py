"""Read the header of one DICOM file: what scan and reader need, and nothing that names the patient."""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import BinaryIO, Final, Literal, TypeVar

import pydicom
from pydicom import config
from pydicom.errors import BytesLengthException, InvalidDicomError
from pydicom.tag import Tag
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, ImplicitVRLittleEndian

from surgiplan_desktop.imaging import dicom_values as tags
from surgiplan_desktop.imaging.deflated import inflated, is_deflated
from surgiplan_desktop.imaging.dicom_values import Triple
from surgiplan_desktop.imaging.identity import decoded_name, patient_digest, without_person
from surgiplan_desktop.imaging.jpeg_headers import irreversible_jpeg_2000

#: The rescale type of images whose values have no rescale and cannot be Hounsfield units as they are: air would be negative.
UNSCALED: Final = "UNSCALED"
_T = TypeVar("_T")
RejectReason = Literal["not_dicom", "truncated", "no_image", "unreadable", "missing", "unsafe", "archive"]

#: How much of a file's beginning tells whether it is DICOM, and whether it is deflated.
_START: Final = 2048
_TAGS: Final = [*tags.TAG_OF.values(), Tag("DirectoryRecordSequence")]

#: What pydicom raises for bytes that are no sound dataset (tried with thousands of random mutations).
_BROKEN: Final = (
    ValueError, TypeError, AttributeError, LookupError, ArithmeticError, NotImplementedError, OSError, RecursionError,
    MemoryError, BytesLengthException, zlib.error,
)  # fmt: skip

# Foreign files break small rules of DICOM everywhere; what matters for geometry is checked here, value by value.
config.settings.reading_validation_mode = config.IGNORE


@dataclass(frozen=True, slots=True)
class SliceHeader:
    """The header of one image: a file, or one frame of a multi-frame file.

    ``patient`` is a one-way digest, used only to tell patients apart, never written. ``position``, ``orientation`` (row
    direction, column direction) in LPS and mm, ``pixel_spacing`` (between rows, between columns) in mm; None where absent or not
    finite. ``pixel_offset`` is where the file's pixel data begins (in the inflated file where ``deflated``); ``truncated`` says
    that the file ends before its pixel data does. ``frames`` is how many frames this header stands for: one, unless the file's
    frames were not told apart. ``frame_index`` is its place among the ``file_frames`` of the file; frames with another ``part``
    (stack, time) belong to another volume. ``padding`` holds lowest and highest stored value that are no image. ``splitters``
    are the values of ``AcquisitionNumber`` and further tags in which images of one place may differ. ``instance`` is never used
    for geometry. ``age_years`` is the patient's age at the acquisition. ``rescaled`` tells whether the file says how stored
    values become Hounsfield units.
    """

    name: str
    sop_uid: str
    series_uid: str
    study_uid: str
    frame_uid: str
    patient: str
    sop_class: str
    modality: str
    image_type: tuple[str, ...]
    description: str
    series_number: int
    transfer_syntax: str
    kernel: str
    thickness_mm: float | None
    laterality: str
    patient_position: str
    acquired: str
    rows: int
    columns: int
    frames: int
    samples: int
    photometric: str
    bits_allocated: int
    bits_stored: int
    signed: bool
    slope: float
    intercept: float
    padded: bool
    lossy: bool
    position: Triple | None
    orientation: tuple[float, ...] | None
    pixel_spacing: tuple[float, float] | None
    pixel_offset: int
    truncated: bool
    encapsulated: bool = False
    high_bit: int = -1
    padding: tuple[int, int] | None = None
    rescale_type: str = ""
    frame_index: int = 0
    file_frames: int = 1
    part: str = ""
    instance: int = 0
    splitters: tuple[str, ...] = ()
    age_years: float | None = None
    body_part: str = ""
    burned_in: bool = False
    rescaled: bool = True

    @property
    def big_endian(self) -> bool:
        """Whether the pixel data is big endian."""
        return self.transfer_syntax == ExplicitVRBigEndian

    @property
    def deflated(self) -> bool:
        """Whether the whole dataset is deflated."""
        return self.transfer_syntax == DeflatedExplicitVRLittleEndian


@dataclass(frozen=True, slots=True)
class Rejected:
    """A file that is no image of a series, with the reason."""

    name: str
    reason: RejectReason
    detail: str = ""


def read_header(name: str, stream: BinaryIO) -> SliceHeader | Rejected | None:
    """Read the header of one file, its frames not told apart; None for a DICOMDIR, which is no image and no mistake.

    Never raises for what the file holds: whatever pydicom says about a broken file becomes a :class:`Rejected`.
    """
    return read_header_with(name, stream, lambda _, header: header)


def read_header_with(name: str, stream: BinaryIO, make: Callable[[pydicom.Dataset, SliceHeader], _T]) -> _T | Rejected | None:
    """Read the header of one file and return what ``make`` makes of the dataset (without pixels) and the header."""
    stream.seek(0)
    start = stream.read(_START)
    has_preamble = start[128:132] == b"DICM"
    if not has_preamble and not _looks_like_dataset(start):
        return Rejected(name, "not_dicom")
    try:
        deflated = is_deflated(start)
        if deflated:
            stream = inflated(stream)
        size = stream.seek(0, os.SEEK_END)
        stream.seek(0)
        dataset = pydicom.dcmread(stream, stop_before_pixels=True, force=not has_preamble, specific_tags=_TAGS)
        if "DirectoryRecordSequence" in dataset:
            return None
        header = _header_of(name, dataset, stream, size, DeflatedExplicitVRLittleEndian if deflated else None)
        return header if isinstance(header, Rejected) else make(dataset, header)
    except (EOFError, struct.error) as error:
        return Rejected(name, "truncated", str(error))
    except InvalidDicomError as error:
        return Rejected(name, "not_dicom", str(error))
    except _BROKEN as error:
        return Rejected(name, "unreadable", f"{type(error).__name__}: {error}")


def _looks_like_dataset(start: bytes) -> bool:
    """Whether a file without preamble begins with a group 0002 or 0008 element (little endian), as old files do."""
    return len(start) >= 12 and start[0:2] in (b"\x02\x00", b"\x08\x00") and start[3] == 0 and start[4:6] != b"\0\0"


def _header_of(
    name: str, dataset: pydicom.Dataset, stream: BinaryIO, size: int, syntax_on_disk: str | None
) -> SliceHeader | Rejected:
    meta = getattr(dataset, "file_meta", None)
    # a plain string: a UID of pydicom cannot be in a case's fingerprint
    syntax = str(syntax_on_disk or getattr(meta, "TransferSyntaxUID", "") or ImplicitVRLittleEndian)
    modality = tags.text(dataset, "Modality").upper()
    order = ">" if syntax == ExplicitVRBigEndian else "<"
    rows, columns = tags.short(dataset, "Rows", order, 0), tags.short(dataset, "Columns", order, 0)
    offset, length = _pixel_data(stream, size, syntax)
    if rows < 1 or columns < 1 or length is None:
        # Every whole file says what it is; an image says its size before its pixels.
        kind = tags.text(dataset, "SOPClassUID")
        is_cut = rows > 0 or not kind or "Image Storage" in UID(kind).name
        return Rejected(name, "truncated" if is_cut else "no_image")
    frames, samples = max(tags.whole(dataset, "NumberOfFrames", 1), 1), tags.short(dataset, "SamplesPerPixel", order, 1)
    bits = tags.short(dataset, "BitsAllocated", order, 16)
    signed = tags.short(dataset, "PixelRepresentation", order, 0) == 1
    name_of_patient = _patient_name(dataset)
    wanted = (rows * columns * samples * frames * bits + 7) // 8
    short = length >= 0 and (length < wanted or offset + length > size)
    short = short or (wanted > _LARGE_BYTES and wanted > _MOST_COMPRESSION * (size - offset))
    return SliceHeader(
        name=name,
        sop_uid=tags.text(dataset, "SOPInstanceUID"),
        series_uid=tags.text(dataset, "SeriesInstanceUID"),
        study_uid=tags.text(dataset, "StudyInstanceUID"),
        frame_uid=tags.text(dataset, "FrameOfReferenceUID"),
        patient=patient_digest(tags.text(dataset, "PatientID"), name_of_patient, tags.text(dataset, "PatientBirthDate")),
        sop_class=tags.text(dataset, "SOPClassUID"),
        modality=modality,
        image_type=tuple(str(value).upper() for value in tags.values(dataset, "ImageType")),
        description=without_person(
            str(dataset.get("SeriesDescription") or "").strip(" \0"), name_of_patient, tags.text(dataset, "PatientID")
        ),
        series_number=tags.whole(dataset, "SeriesNumber", 0),
        transfer_syntax=syntax,
        kernel="/".join(str(value) for value in tags.values(dataset, "ConvolutionKernel")),
        thickness_mm=tags.number(dataset, "SliceThickness"),
        laterality=(tags.text(dataset, "ImageLaterality") or tags.text(dataset, "Laterality")).upper(),
        patient_position=tags.text(dataset, "PatientPosition"),
        acquired=_acquired(dataset),
        rows=rows,
        columns=columns,
        frames=frames,
        samples=samples,
        photometric=tags.text(dataset, "PhotometricInterpretation"),
        bits_allocated=bits,
        bits_stored=tags.short(dataset, "BitsStored", order, bits),
        signed=signed,
        slope=_rescale(dataset, "RescaleSlope", 1.0),
        intercept=_rescale(dataset, "RescaleIntercept", 0.0),
        padded=tags.TAG_OF["PixelPaddingValue"] in dataset,
        lossy=tags.text(dataset, "LossyImageCompression") == "01" or _is_lossy(stream, offset, syntax),
        position=tags.triple(dataset, "ImagePositionPatient"),
        orientation=tags.numbers(dataset, "ImageOrientationPatient", 6),
        pixel_spacing=tags.pair(dataset, "PixelSpacing"),
        pixel_offset=offset,
        truncated=short or length == _CUT_FRAGMENTS,
        encapsulated=length < 0,
        high_bit=tags.short(dataset, "HighBit", order, -1),
        padding=_padding(dataset, order, signed),
        rescale_type=_rescale_type(dataset, signed),
        file_frames=frames,
        instance=tags.whole(dataset, "InstanceNumber", 0),
        splitters=tuple(tags.text(dataset, keyword) for keyword in tags.SPLITTERS),
        age_years=_age_years(dataset),
        body_part=tags.text(dataset, "BodyPartExamined").upper(),
        burned_in=tags.text(dataset, "BurnedInAnnotation").upper() == "YES",
        rescaled=any(tags.values(dataset, keyword) for keyword in ("RescaleSlope", "RescaleIntercept")),
    )


def _patient_name(dataset: pydicom.Dataset) -> str:
    raw = tags.raw(dataset, "PatientName")
    character_sets = "\\".join(map(str, tags.values(dataset, "SpecificCharacterSet")))
    return decoded_name(raw, character_sets) if isinstance(raw, bytes) else str(raw or "")


def _rescale(dataset: pydicom.Dataset, keyword: str, default: float) -> float:
    """Return slope or intercept; ValueError for one that is there and no number: a guess would be wrong by hundreds of HU."""
    if not any(str(value).strip() for value in tags.values(dataset, keyword)):
        return default
    number = tags.number(dataset, keyword)
    if number is None or (keyword == "RescaleSlope" and number == 0.0):
        raise ValueError(f"{keyword} is no number to go by")
    return number


_LOSSY_SYNTAXES: Final = frozenset({"1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51", "1.2.840.10008.1.2.4.81"})
#: JPEG 2000 and its fast form: with loss or without, as each image says itself.
_EITHER: Final = frozenset({"1.2.840.10008.1.2.4.91", "1.2.840.10008.1.2.4.203"})
_CODESTREAM_HEAD: Final = 1024


def _is_lossy(stream: BinaryIO, offset: int, syntax: str) -> bool:
    """Whether the encoding loses something, whatever the tag says or leaves out."""
    if syntax not in _EITHER:
        return syntax in _LOSSY_SYNTAXES
    stream.seek(offset + 4)
    (table,) = struct.unpack("<I", stream.read(4))
    stream.seek(offset + 16 + table)  # behind the offset table and the tag and length of the first fragment
    return irreversible_jpeg_2000(stream.read(_CODESTREAM_HEAD))


#: Lengths that are no length: the data is encapsulated and whole; or its fragments run past the end of the file.
_ENCAPSULATED: Final = -1
_CUT_FRAGMENTS: Final = -2
#: No codec makes a picture so much smaller; a picture larger than this that claims it is not there (a small one may be all air).
_MOST_COMPRESSION: Final = 2000
_LARGE_BYTES: Final = 64 << 20


def _pixel_data(stream: BinaryIO, size: int, syntax: str) -> tuple[int, int | None]:
    """Return offset and length in bytes of the pixel data at the stream's place; length None where there is none."""
    place = stream.tell()
    head = stream.read(12)
    stream.seek(place)
    order = ">" if syntax == ExplicitVRBigEndian else "<"
    if len(head) < 8 or struct.unpack(f"{order}HH", head[:4]) not in ((0x7FE0, 0x0010), (0x7FE0, 0x0008), (0x7FE0, 0x0009)):
        return 0, None
    if head[4:6].isalpha():
        if len(head) < 12:
            return 0, None
        (length,) = struct.unpack(f"{order}I", head[8:12])
        offset = place + 12
    else:
        (length,) = struct.unpack(f"{order}I", head[4:8])
        offset = place + 8
    if length != 0xFFFFFFFF:
        return offset, length
    return offset, _walk_fragments(stream, offset, size)


def _walk_fragments(stream: BinaryIO, offset: int, size: int) -> int:
    while True:
        stream.seek(offset)
        head = stream.read(8)
        if len(head) < 8:
            return _CUT_FRAGMENTS
        group, element, length = struct.unpack("<HHI", head)
        if (group, element) == (0xFFFE, 0xE0DD):
            return _ENCAPSULATED
        offset += 8 + length
        if (group, element) != (0xFFFE, 0xE000) or offset > size:
            return _CUT_FRAGMENTS


def _rescale_type(dataset: pydicom.Dataset, signed: bool) -> str:
    """Return the unit of the values after the rescale; :data:`UNSCALED` where values that cannot be negative have no rescale."""
    told = tags.text(dataset, "RescaleType").upper()
    scaled = tags.number(dataset, "RescaleIntercept") is not None or signed
    return told or ("" if scaled or "LOCALIZER" in tags.text_of_all(dataset, "ImageType") else UNSCALED)


def _padding(dataset: pydicom.Dataset, order: str, signed: bool) -> tuple[int, int] | None:
    """Return lowest and highest stored value that stand for no image (PS3.3 C.7.5.1.1.2): one value, or up to the range limit."""
    values = []
    for keyword in ("PixelPaddingValue", "PixelPaddingRangeLimit"):
        value = tags.raw(dataset, keyword)
        if isinstance(value, bytes) and len(value) >= 2:
            # Scanners write it as US or SS whatever the pixels are; the pixels' own sign is what counts.
            values.append(struct.unpack(f"{order}{'h' if signed else 'H'}", value[:2])[0])
        elif isinstance(value, int):
            values.append(value)
    return (min(values), max(values)) if values else None


def _acquired(dataset: pydicom.Dataset) -> str:
    day = tags.text(dataset, "AcquisitionDate") or tags.text(dataset, "SeriesDate") or tags.text(dataset, "StudyDate")
    time = tags.text(dataset, "AcquisitionTime") or tags.text(dataset, "SeriesTime")
    return f"{day}T{time[:6]}" if day and time else day


_YEARS_OF_UNIT: Final = {"Y": 1.0, "M": 1 / 12, "W": 7 / 365.25, "D": 1 / 365.25}


def _age_years(dataset: pydicom.Dataset) -> float | None:
    """Return the age at the acquisition in years: from the birth date, else from the age tag (DICOM PS3.5 6.2, AS)."""
    born, taken = tags.text(dataset, "PatientBirthDate"), _acquired(dataset)[:8]
    try:
        days = (date(int(taken[:4]), int(taken[4:6]), int(taken[6:8])) - date(int(born[:4]), int(born[4:6]), int(born[6:8]))).days
    except ValueError:
        days = -1
    if 0 < days <= 130 * 366:
        return round(days / 365.25, 2)
    told = tags.text(dataset, "PatientAge").upper()
    if len(told) < 2 or told[-1] not in _YEARS_OF_UNIT or not told[:-1].isdigit():
        return None
    return round(int(told[:-1]) * _YEARS_OF_UNIT[told[-1]], 2)
