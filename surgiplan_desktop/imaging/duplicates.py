"""Tell whether two images of one place are the same image: by the bytes of their pixels, else by the pixels themselves."""

from __future__ import annotations

import hashlib
from typing import Final

import numpy as np

from surgiplan_desktop.base.errors import InputDataError
from surgiplan_desktop.imaging.dicom_header import SliceHeader
from surgiplan_desktop.imaging.dicom_read import read_slice
from surgiplan_desktop.imaging.sources import Sources

_PART_BYTES: Final = 1 << 20


def same_pixels(sources: Sources, one: SliceHeader, other: SliceHeader) -> bool:
    """Whether both show the same Hounsfield values; False where one of them cannot be read."""
    if one.pixel_offset >= 0 and _told_alike(one, other) and _digest(sources, one) == _digest(sources, other):
        return True
    try:
        return bool(np.array_equal(read_slice(sources, one), read_slice(sources, other)))
    except InputDataError:
        return False


def _told_alike(one: SliceHeader, other: SliceHeader) -> bool:
    """Whether equal bytes mean equal values: the same encoding and rescale, and both files of one image."""

    def meaning(header: SliceHeader) -> tuple[object, ...]:
        stored = (header.bits_allocated, header.bits_stored, header.high_bit, header.signed, header.padding)
        return *stored, header.transfer_syntax, header.slope, header.intercept, header.rows, header.columns

    return meaning(one) == meaning(other) and one.file_frames == other.file_frames == 1


def _digest(sources: Sources, header: SliceHeader) -> bytes | None:
    digest = hashlib.sha256()
    try:
        with sources.open(header.name) as stream:
            stream.seek(header.pixel_offset)
            while part := stream.read(_PART_BYTES):
                digest.update(part)
    except OSError:
        return None
    return digest.digest()
