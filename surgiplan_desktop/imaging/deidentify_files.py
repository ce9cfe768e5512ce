"""Copy the images of a folder, zip or file without the person: new names, new UIDs, nothing but images.

What is no image of a scanner (screenshots, reports, documents, directories) is left out with the reason, and so is every file
that still holds a piece of the patient's name or number after cleaning.
"""

from __future__ import annotations

import struct
import zlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Final

import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.errors import BytesLengthException, InvalidDicomError
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian, MRImageStorage

from surgiplan_desktop.base.progress import SILENT, Progress
from surgiplan_desktop.imaging.deidentify import Secret, deidentify, identity_tokens
from surgiplan_desktop.imaging.dicom_header import SliceHeader, read_header
from surgiplan_desktop.imaging.dicom_write import derived_uid
from surgiplan_desktop.imaging.sources import Sources

#: Images of scanners; every other object (screenshots, reports, documents, structures, raw data) stays behind.
_IMAGES: Final = (
    "CT Image Storage", "Enhanced CT Image Storage", "Legacy Converted Enhanced CT Image Storage", "MR Image Storage",
    "Enhanced MR Image Storage", "Legacy Converted Enhanced MR Image Storage", "Computed Radiography Image Storage",
    "Digital X-Ray Image Storage - For Presentation", "Digital X-Ray Image Storage - For Processing",
    "X-Ray Angiographic Image Storage", "X-Ray Radiofluoroscopic Image Storage",
)  # fmt: skip
#: Old archives leave the class out; the modality says it.
_CLASS_OF: Final = {"CT": CTImageStorage, "MR": MRImageStorage}
#: Pixels, and what the cleaning itself writes.
_OWN: Final = frozenset({
    "PixelData", "FloatPixelData", "DoubleFloatPixelData", "PatientName", "PatientID", "PatientIdentityRemoved",
    "DeidentificationMethod", "DeidentificationMethodCodeSequence", "LongitudinalTemporalInformationModified",
})  # fmt: skip
_BROKEN: Final = (
    ValueError, TypeError, AttributeError, LookupError, ArithmeticError, NotImplementedError, OSError, RecursionError,
    MemoryError, BytesLengthException, InvalidDicomError, EOFError, struct.error, zlib.error,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A file that is not in the copy: its name in the source, and an id that says why.

    ``not_dicom``, ``truncated``, ``no_image``, ``unreadable``, ``not_an_image`` (object of another kind), ``burned_in`` (the
    pixels themselves name the patient, says the header) or ``still_identified``.
    """

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class CleanCopy:
    """What was written: files relative to the folder, codes of the patients, what was left out, pictures that nobody checked."""

    files: tuple[str, ...]
    codes: tuple[str, ...]
    left_out: tuple[LeftOut, ...]
    unchecked_pixels: int


def copy_without_person(
    path: Path, folder: Path, secret: Secret, code_of: Callable[[str], str], *, progress: Progress = SILENT
) -> CleanCopy:
    """Write the images below ``path`` into ``folder`` (which is there and empty) without the person.

    Parameters
    ----------
    secret
        Changes UIDs and dates; the same secret makes copies that fit together.
    code_of
        Returns the code that stands for a patient, from the patient's digest.

    Raises
    ------
    InputDataError
        ``not_found``, or an archive that cannot be read.
    """
    written: list[str] = []
    left_out: list[LeftOut] = []
    codes: dict[str, str] = {}
    numbers: dict[tuple[str, str], int] = {}
    counts: Counter[Path] = Counter()
    unchecked = 0
    with Sources(path) as sources:
        for done, name in enumerate(sources.names):
            progress.step(done, len(sources.names), "deidentifying")
            answer = _clean(sources, name, secret, code_of, codes)
            if answer is None:
                continue
            if isinstance(answer, str):
                left_out.append(LeftOut(name, answer))
                continue
            data, series, code, checked = answer
            number = numbers.setdefault((code, series), sum(1 for owner, _ in numbers if owner == code) + 1)
            place = Path(code) / f"S{number:03d}"
            (folder / place).mkdir(parents=True, exist_ok=True)
            counts[place] += 1
            target = place / f"I{counts[place]:05d}.dcm"
            (folder / target).write_bytes(data)
            written.append(target.as_posix())
            unchecked += not checked
    progress.step(1, 1, "deidentifying")
    return CleanCopy(tuple(written), tuple(dict.fromkeys(codes.values())), tuple(left_out), unchecked)


def _clean(
    sources: Sources, name: str, secret: Secret, code_of: Callable[[str], str], codes: dict[str, str]
) -> tuple[bytes, str, str, bool] | str | None:
    """Return the bytes of a file without the person, its old series, its code and whether its pixels are said to name nobody.

    A text is the reason why the file stays behind; None says that it is a directory, which needs none.
    """
    try:
        with sources.open(name) as stream:
            header = read_header(name, stream)
            if not isinstance(header, SliceHeader):
                return None if header is None else header.reason
            if UID(header.sop_class).name not in _IMAGES and not (not header.sop_class and header.modality in _CLASS_OF):
                return "not_an_image"
            if header.truncated:
                return "truncated"
            stream.seek(0)
            dataset = pydicom.dcmread(stream, force=True)
            if str(dataset.get("BurnedInAnnotation", "")).strip().upper() == "YES":
                return "burned_in"
            if "SCREEN SAVE" in header.image_type:
                return "not_an_image"
            if not header.sop_class:
                dataset.SOPClassUID = _CLASS_OF[header.modality]
            if not header.sop_uid:
                dataset.SOPInstanceUID = derived_uid("instance without uid", dataset.get("PixelData", b""), header.position)
            tokens = identity_tokens(dataset)
            checked = str(dataset.get("BurnedInAnnotation", "")).strip().upper() == "NO"
            code = codes.setdefault(header.patient, code_of(header.patient))
            clean = deidentify(dataset, code=code, patient=header.patient, secret=secret)
            if _still_identified(clean, tokens):
                return "still_identified"
            return _bytes_of(clean), header.series_uid, code, checked
    except _BROKEN:
        return "unreadable"


def _still_identified(clean: Dataset, tokens: frozenset[str]) -> bool:
    """Look for the patient's name and numbers in the bytes of what is to be written, pixels aside: the last gate."""
    bare = Dataset()
    bare.file_meta = FileMetaDataset()
    bare.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    for element in clean:
        if element.keyword not in _OWN and element.VR != "UI":
            bare.add(element)
    bare.SOPClassUID, bare.SOPInstanceUID = clean.SOPClassUID, clean.SOPInstanceUID
    text = _bytes_of(bare).decode("latin-1").casefold()
    words = {str(item.value) for item in bare.iterall() if item.VR not in ("SQ", "UI", "DS", "IS")}
    # digits alone are also found in positions and spacings, where they mean nothing
    return any(token in words if token.isdecimal() else _in_bytes(token, text) for token in tokens)


def _in_bytes(token: str, text: str) -> bool:
    return token in text or token.encode().decode("latin-1") in text


def _bytes_of(dataset: Dataset) -> bytes:
    stream = BytesIO()
    dataset.save_as(stream, enforce_file_format=True)
    return stream.getvalue()
