"""Which files a DICOMDIR names (DICOM PS3.3 F, PS3.10 8): to read what it lists, and to say what it lists in vain."""

from __future__ import annotations

import struct
import zlib
from typing import BinaryIO, Final

import pydicom
from pydicom.errors import BytesLengthException, InvalidDicomError

_BROKEN: Final = (
    InvalidDicomError, BytesLengthException, ValueError, TypeError, AttributeError, LookupError, ArithmeticError,
    NotImplementedError, OSError, EOFError, RecursionError, MemoryError, struct.error, zlib.error,
)  # fmt: skip


def is_dicomdir(name: str) -> bool:
    """Whether a file bears the name of a directory of a medium."""
    return name.rsplit("/", 1)[-1].upper() in ("DICOMDIR", "DICOMDIR.")


def named_files(stream: BinaryIO) -> tuple[str, ...]:
    """Return the files named, relative to the folder of the DICOMDIR, with ``/``; none where it is damaged or names none.

    Names that lead out of the folder are left out: a medium has no business there.
    """
    try:
        dataset = pydicom.dcmread(stream, specific_tags=["DirectoryRecordSequence"], force=True)
        identifiers = [record.get("ReferencedFileID") for record in dataset.get("DirectoryRecordSequence", [])]
        parts = [[value] if isinstance(value, str) else [str(part) for part in value] for value in identifiers if value]
    except _BROKEN:
        return ()
    names = ["/".join(part.strip(" \0") for part in names) for names in parts]
    return tuple(dict.fromkeys(name for name in names if not leaves_folder(name)))


def leaves_folder(name: str) -> bool:
    """Whether a relative name, with slashes of either kind, is absolute or leads out of its folder."""
    steps = name.replace("\\", "/").split("/")
    return name.startswith(("/", "\\")) or ".." in steps or (len(steps[0]) > 1 and steps[0][1] == ":")


def plain(name: str) -> str:
    """Return a name as media of all kinds write it: without case, version number and closing dot (ISO 9660)."""
    return name.split(";", maxsplit=1)[0].rstrip(".").casefold()
