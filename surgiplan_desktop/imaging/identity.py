"""Tell patients apart without naming them, and read who a patient is only where the user asked for it.

One person is written in many ways: ``YILMAZ^AYSE`` and ``Yılmaz Ayşe``, with separators, carets, padding, with and without the
dots of an alphabet that the archive lacks. Names are folded to plain letters before they are compared; the ID and the date of
birth must be the same as well, and what is missing on one side is not the same.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from functools import lru_cache
from typing import BinaryIO, Final

import pydicom
from pydicom.charset import convert_encodings
from pydicom.valuerep import PersonName

from surgiplan_desktop.model.case import Patient

#: Letters that lose more than an accent on their way through old systems.
_PLAIN: Final = str.maketrans({"ı": "i", "ø": "o", "ł": "l", "đ": "d", "æ": "a", "œ": "o", "þ": "th", "ð": "d"})
#: Umlauts written out and not written are the same: ``Mueller``, ``Müller``, ``Muller``.
_WRITTEN_OUT: Final = re.compile(r"([aou])e")
#: Pieces of a name shorter than this are in too many words to tell anything.
_LEAST_PIECE: Final = 4


def folded(text: str) -> str:
    """Return the plain lower-case letters and digits of a name."""
    plain = unicodedata.normalize("NFKD", text.casefold().translate(_PLAIN))
    return _WRITTEN_OUT.sub(r"\1", "".join(letter for letter in plain if letter.isalnum()))


@lru_cache(maxsize=256)
def decoded_name(raw: bytes, character_sets: str) -> str:
    """Return a person's name as text, in its character sets (joined by backslashes); undecodable bytes become marks."""
    encodings = convert_encodings(character_sets.split("\\") if character_sets else ["ISO_IR 6"])
    return str(PersonName(raw, encodings).decode())


@lru_cache(maxsize=256)
def patient_digest(patient_id: str, name: str, birth_date: str) -> str:
    """Return a one-way digest that is the same for the same patient."""
    parts = (patient_id.strip().casefold(), folded(name), birth_date.strip())
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()


@lru_cache(maxsize=256)
def without_person(text: str, name: str, patient_id: str) -> str:
    """Return a describing text, or an empty one when it holds a piece of the patient's name or the ID."""
    pieces = [folded(piece) for piece in (*re.split(r"[\W_]+", name), patient_id)]
    plain = folded(text)
    return "" if any(len(piece) >= _LEAST_PIECE and piece in plain for piece in pieces) else text


def read_patient(stream: BinaryIO) -> Patient:
    """Read who the patient of a DICOM file is, for a case that keeps it on request; what the file does not say stays empty."""
    wanted = ["PatientName", "PatientID", "PatientBirthDate", "SpecificCharacterSet"]
    dataset = pydicom.dcmread(stream, stop_before_pixels=True, force=True, specific_tags=wanted)
    name = str(dataset.get("PatientName") or "").strip("^ ")
    return Patient(
        name=" ".join(part for part in name.split("=")[0].split("^") if part),
        patient_id=str(dataset.get("PatientID") or "").strip(),
        birth_date=str(dataset.get("PatientBirthDate") or "").strip(),
    )
