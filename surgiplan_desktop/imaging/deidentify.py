"""Take the person out of a DICOM dataset (PS3.15, Basic Application Level Confidentiality Profile) and leave the image as it is.

Stricter than the profile where an attribute can hold words: what neither the profile names nor the data file
``resources/confidentiality_profile.toml`` keeps is removed. Dates and times of study, series, acquisition and content are shifted
together by one secret time span a patient, so intervals stay (Retain Longitudinal Temporal Information with Modified Dates); all
others are removed.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import math
import re
import tomllib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import numpy as np
from pydicom.charset import python_encoding
from pydicom.datadict import dictionary_VR, keyword_for_tag
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.errors import BytesLengthException
from pydicom.filewriter import correct_ambiguous_vr
from pydicom.sequence import Sequence
from pydicom.uid import UID

from surgiplan_desktop.base.paths import resource_folder
from surgiplan_desktop.imaging.dicom_write import IMPLEMENTATION_UID

#: (code of PS3.16 CID 7050, meaning) of what is done here.
METHODS: Final = (
    ("113100", "Basic Application Confidentiality Profile"),
    ("113107", "Retain Longitudinal Temporal Information Modified Dates Option"),
)
#: Values that hold numbers, never words.
_NUMBERS: Final = frozenset({"US", "SS", "UL", "SL", "UV", "SV", "FL", "FD", "AT"})
_NUMBERS_AS_TEXT: Final = frozenset({"DS", "IS"})
_TEXT: Final = frozenset({"AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT"})
_DUMMIES: Final = {"DA": "19000101", "TM": "000000", "DT": "19000101000000", "AS": "000Y"}
_PIXEL_KEYWORDS: Final = frozenset({"PixelData", "FloatPixelData", "DoubleFloatPixelData"})
_TABLES: Final = re.compile(r"(Red|Green|Blue)PaletteColorLookupTableData|LUTData")
#: Pieces of names and numbers shorter than this are found everywhere and tell nobody.
_LEAST_TOKEN: Final = 4
#: The span by which dates move: 1 to 10 years back, not whole days.
_SHIFT_DAYS: Final = (365, 3650)
#: What pydicom raises for a value that is not what its VR says: such an element goes.
_UNREADABLE: Final = (
    ValueError,
    TypeError,
    AttributeError,
    LookupError,
    ArithmeticError,
    NotImplementedError,
    BytesLengthException,
)
#: Attributes whose values name or number the patient.
IDENTITY: Final = (
    "PatientName", "PatientID", "PatientBirthDate", "OtherPatientIDs", "OtherPatientNames", "PatientBirthName", "AccessionNumber",
    "PatientMotherBirthName", "PatientTelephoneNumbers", "PatientAddress", "StudyID", "ReferringPhysicianName",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Profile:
    """The table of the profile and what is kept beyond it (``resources/confidentiality_profile.toml``)."""

    edition: str
    actions: dict[int, str]
    words: frozenset[str]
    numbers: frozenset[str]
    shifted: tuple[str, ...]
    shifted_datetimes: frozenset[str]


@cache
def profile() -> Profile:
    """Return the profile shipped with the program."""
    with (resource_folder() / "confidentiality_profile.toml").open("rb") as stream:
        table = tomllib.load(stream)
    actions = {int(tag, 16): action for action, tags in table["actions"].items() for tag in tags.split()}
    kept = table["kept"]
    return Profile(
        table["edition"],
        actions,
        frozenset(kept["words"]),
        frozenset(kept["numbers"]),
        tuple(kept["shifted"]),
        frozenset(kept["shifted_datetimes"]),
    )


class Secret:
    """A secret with which UIDs and dates are changed: the same way each time, and nobody without it finds the way back."""

    def __init__(self, salt: bytes) -> None:
        self._salt = salt

    def number(self, *parts: str) -> int:
        """Return 128 bits that only who knows the secret can make from ``parts``."""
        return int.from_bytes(hmac.digest(self._salt, "\x1f".join(parts).encode(), hashlib.sha256)[:16], "big")

    def uid(self, uid: str) -> str:
        """Return the new UID that stands for a UID; those that the standard itself assigns stay."""
        return uid if not uid or UID(uid).name != uid else f"2.25.{self.number('uid', uid)}"

    def shift(self, patient: str) -> dt.timedelta:
        """Return the time span by which the dates of a patient (digest) move back."""
        low, high = _SHIFT_DAYS
        seconds = self.number("dates", patient) % ((high - low) * 86400)
        return dt.timedelta(days=low, seconds=seconds)


def identity_tokens(dataset: Dataset) -> frozenset[str]:
    """Return the pieces of names and numbers that identify the patient of a dataset, folded, at least four characters long."""
    tokens: set[str] = set()
    for keyword in IDENTITY:
        for text in _words_of(dataset.get(keyword)):
            pieces = [text, *re.split(r"[\W_]+", text)]
            tokens |= {piece.casefold() for piece in pieces if len(piece) >= _LEAST_TOKEN}
    return frozenset(tokens)


def deidentify(dataset: Dataset, *, code: str, patient: str, secret: Secret) -> Dataset:
    """Return a copy of a dataset without the person; ``dataset`` is used up.

    Parameters
    ----------
    dataset
        Read whole, with pixel data and file meta.
    code
        Stands for the patient's name and ID.
    patient
        Digest of the patient, which chooses the shift of dates.
    secret
        Changes UIDs and dates.

    Returns
    -------
    Dataset
        With file meta of its own; transfer syntax and pixel data as they were, but for bits above those stored (old overlays).
    """
    tokens = identity_tokens(dataset)
    syntax = UID(dataset.file_meta.TransferSyntaxUID)
    with suppress(*_UNREADABLE):
        correct_ambiguous_vr(dataset, syntax.is_little_endian)
    clean = _Cleaner(secret, secret.shift(patient), tokens).dataset(dataset)
    clean.PatientName = clean.PatientID = code
    clean.PatientBirthDate = clean.PatientSex = ""
    clean.PatientIdentityRemoved = "YES"
    clean.DeidentificationMethod = [meaning for _, meaning in METHODS]
    clean.DeidentificationMethodCodeSequence = Sequence([_code_item(code_value, meaning) for code_value, meaning in METHODS])
    clean.LongitudinalTemporalInformationModified = "MODIFIED"
    if not syntax.is_encapsulated and "PixelData" in clean:
        _drop_foreign_bits(clean, big_endian=not syntax.is_little_endian)
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = clean.SOPClassUID
    meta.MediaStorageSOPInstanceUID = clean.SOPInstanceUID
    meta.TransferSyntaxUID = syntax
    meta.ImplementationClassUID = UID(IMPLEMENTATION_UID)
    clean.file_meta = meta
    clean.preamble = b"\0" * 128
    return clean


@dataclass(frozen=True, slots=True)
class _Cleaner:
    secret: Secret
    shift: dt.timedelta
    tokens: frozenset[str]

    def dataset(self, source: Dataset) -> Dataset:
        """Return what may stay of a dataset or of an item of a sequence."""
        clean = Dataset()
        moved = dict(self._moved_pairs(source))
        for tag in sorted(source.keys()):
            keyword = keyword_for_tag(tag)
            if tag.is_private or not keyword or tag.element == 0 or tag.group & 0xFF00 in (0x5000, 0x6000):
                continue
            try:
                element = source[tag]
            except _UNREADABLE:
                continue
            if keyword in moved:
                kept: DataElement | None = DataElement(element.tag, dictionary_VR(element.tag), moved[keyword])
            elif keyword in profile().shifted_datetimes:
                kept = DataElement(element.tag, "DT", self._moved_datetimes(element.value))
            else:
                kept = self._element(element, keyword, profile().actions.get(int(element.tag), ""))
            if kept is not None:
                clean.add(kept)
        return clean

    def _element(self, element: DataElement, keyword: str, action: str) -> DataElement | None:
        vr = dictionary_VR(element.tag).split(" or ")[-1] if element.VR == "UN" else element.VR
        if action == "U" or (vr == "UI" and not action):
            return DataElement(element.tag, "UI", [self.secret.uid(uid) for uid in _words_of(element.value)])
        if "X" in action or vr == "UN":
            return None
        if "Z" in action:
            return DataElement(element.tag, vr, Sequence() if vr == "SQ" else None)
        if "D" in action:
            return DataElement(element.tag, vr, _DUMMIES.get(vr, "REMOVED")) if vr in _TEXT or vr in _DUMMIES else None
        if vr == "SQ":
            items = [item for item in map(self.dataset, element.value) if len(item)]
            return DataElement(element.tag, "SQ", Sequence(items)) if items else None
        return element if self._may_stay(element, keyword, vr) else None

    def _may_stay(self, element: DataElement, keyword: str, vr: str) -> bool:
        if keyword in _PIXEL_KEYWORDS or vr in _NUMBERS or _TABLES.fullmatch(keyword):
            return not isinstance(element.value, str)
        words = _words_of(element.value)
        if vr in _NUMBERS_AS_TEXT:
            return all(_is_number(word) for word in words)
        if keyword == "SpecificCharacterSet":
            return all(word in python_encoding for word in words)
        if keyword in profile().numbers:
            return all(word.isdecimal() for word in words)
        if keyword not in profile().words:
            return False
        text = " ".join(words).casefold()
        return not any(token in text for token in self.tokens)

    def _moved_pairs(self, source: Dataset) -> Iterator[tuple[str, str | None]]:
        """Yield new values of the dates and times that go in pairs; None empties what is no date."""
        for name in profile().shifted:
            date, time = str(source.get(f"{name}Date") or ""), str(source.get(f"{name}Time") or "")
            moved = self._moved(date, time)
            if f"{name}Date" in source:
                yield f"{name}Date", None if moved is None else moved.strftime("%Y%m%d")
            if f"{name}Time" in source:
                yield f"{name}Time", None if moved is None or not time else moved.strftime("%H%M%S.%f")

    def _moved_datetimes(self, value: Any) -> list[str]:
        moved = (self._moved(text[:8], re.split(r"[+-]", text[8:])[0]) for text in _words_of(value))
        return [item.strftime("%Y%m%d%H%M%S.%f") for item in moved if item is not None]

    def _moved(self, date: str, time: str) -> dt.datetime | None:
        """Return a moment moved back, or None for what is no date (ACR-NEMA dots and colons are read too)."""
        digits, clock = date.replace(".", ""), time.replace(":", "").strip()
        whole, _, part = clock.partition(".")
        try:
            moment = dt.datetime.strptime(digits + (whole + "000000")[:6], "%Y%m%d%H%M%S")
            return moment + dt.timedelta(microseconds=int((part + "000000")[:6])) - self.shift
        except (ValueError, OverflowError):
            return None


def _words_of(value: Any) -> list[str]:
    if value is None or isinstance(value, (bytes, Sequence)):
        return []
    values = value if isinstance(value, (list, tuple)) or hasattr(value, "append") else [value]
    return [str(item).strip(" \0") for item in values if str(item).strip(" \0")]


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text)) and "_" not in text
    except ValueError:
        return False


def _code_item(value: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "DCM", meaning
    return item


def _drop_foreign_bits(dataset: Dataset, *, big_endian: bool) -> None:
    """Set the bits above those stored to what the stored value says: old overlays hide there."""
    allocated, stored = dataset.get("BitsAllocated", 0), dataset.get("BitsStored", 0)
    data = dataset.PixelData
    if allocated not in (8, 16) or not 0 < stored < allocated or len(data) % (allocated // 8):
        return
    signed = dataset.get("PixelRepresentation", 0) == 1
    kind = f"{'>' if big_endian and allocated == 16 else '<'}{'i' if signed else 'u'}{allocated // 8}"
    unused = allocated - stored
    values = np.frombuffer(data, dtype=kind)
    dataset.PixelData = np.right_shift(np.left_shift(values, unused), unused).astype(kind).tobytes()
