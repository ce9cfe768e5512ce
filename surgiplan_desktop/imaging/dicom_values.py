"""Values of the elements that scan and reader need, taken from the bytes as they stand in the file.

Decoding each element through pydicom costs three times the whole scan; what matters for geometry is checked here, value by value.
"""

from __future__ import annotations

import math
import struct
from typing import Any, Final

import pydicom
from pydicom.tag import Tag

Triple = tuple[float, float, float]

#: What images of one series may differ in when they show the same place twice: acquisitions, phases, energies, echoes.
SPLITTERS: Final = (
    "AcquisitionNumber", "TemporalPositionIdentifier", "NominalPercentageOfCardiacPhase", "KVP", "EchoTime", "FilterType",
    "ContrastBolusAgent", "ReconstructionDiameter",
)  # fmt: skip

_KEYWORDS: Final = (
    "SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID", "FrameOfReferenceUID", "Modality", "ImageType",
    "SeriesDescription", "PatientID", "PatientName", "PatientBirthDate", "Laterality", "ImageLaterality", "PatientPosition",
    "ConvolutionKernel", "SliceThickness", "AcquisitionDate", "AcquisitionTime", "SeriesDate", "SeriesTime", "StudyDate",
    "SeriesNumber", "ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "Rows", "Columns", "NumberOfFrames",
    "SamplesPerPixel", "PhotometricInterpretation", "BitsAllocated", "BitsStored", "PixelRepresentation", "RescaleSlope",
    "RescaleIntercept", "RescaleType", "PixelPaddingValue", "PixelPaddingRangeLimit", "HighBit", "LossyImageCompression",
    "SpecificCharacterSet", "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence",
    "InstanceNumber", "PatientAge", "BodyPartExamined", "BurnedInAnnotation", *SPLITTERS,
)  # fmt: skip
#: The elements that are read of every file.
TAG_OF: Final = {keyword: Tag(keyword) for keyword in _KEYWORDS}


def raw(dataset: pydicom.Dataset, keyword: str) -> bytes | Any:
    """Return an element's bytes as they stand in the file (what pydicom made of them where it already did), None without it."""
    tag = TAG_OF[keyword]
    return dataset.get_item(tag).value if tag in dataset else None


def values(dataset: pydicom.Dataset, keyword: str) -> list[Any]:
    """Return the values of an element, none where it is absent or empty; text without padding."""
    value = raw(dataset, keyword)
    if isinstance(value, bytes):
        return [part.strip(" \0") for part in value.decode("latin-1").split("\\")] if value else []
    if value is None or value == "":
        return []
    return list(value) if isinstance(value, (list, pydicom.multival.MultiValue)) else [value]


def text(dataset: pydicom.Dataset, keyword: str) -> str:
    """Return the first value as text, empty where there is none."""
    found = values(dataset, keyword)
    return str(found[0]) if found else ""


def numbers(dataset: pydicom.Dataset, keyword: str, count: int) -> tuple[float, ...] | None:
    """Return ``count`` finite numbers, None where there are others or none."""
    try:
        found = tuple(float(value) for value in values(dataset, keyword))
    except (ValueError, TypeError, OverflowError):
        return None
    return found if len(found) == count and all(map(math.isfinite, found)) else None


def number(dataset: pydicom.Dataset, keyword: str) -> float | None:
    """Return one finite number, None where there is none."""
    found = numbers(dataset, keyword, 1)
    return found[0] if found else None


def short(dataset: pydicom.Dataset, keyword: str, order: str, default: int) -> int:
    """Return an unsigned 16-bit number (VR US)."""
    value = raw(dataset, keyword)
    if isinstance(value, bytes):
        return struct.unpack(f"{order}H", value[:2])[0] if len(value) >= 2 else default
    return value if isinstance(value, int) else default


def pair(dataset: pydicom.Dataset, keyword: str) -> tuple[float, float] | None:
    """Return two finite numbers, None where there are others or none."""
    found = numbers(dataset, keyword, 2)
    return (found[0], found[1]) if found else None


def triple(dataset: pydicom.Dataset, keyword: str) -> Triple | None:
    """Return three finite numbers, None where there are others or none."""
    found = numbers(dataset, keyword, 3)
    return (found[0], found[1], found[2]) if found else None


def whole(dataset: pydicom.Dataset, keyword: str, default: int) -> int:
    """Return a number without its decimals, ``default`` where there is none."""
    found = number(dataset, keyword)
    return default if found is None else int(found)


def text_of_all(dataset: pydicom.Dataset, keyword: str) -> str:
    """Return all values in one text, upper case."""
    return "\\".join(str(value).upper() for value in values(dataset, keyword))
