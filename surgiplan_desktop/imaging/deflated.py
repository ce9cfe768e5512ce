"""Inflate a deflated DICOM file (PS3.5 A.5) to the same file in Explicit VR Little Endian, never beyond a bound of memory."""

from __future__ import annotations

import io
import struct
import zlib
from typing import BinaryIO, Final

from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian

#: What a deflated file may grow to: an enhanced CT of 1000 frames of 512 x 512; it guards the memory against bombs.
MAX_BYTES: Final = 1 << 29
_META_END: Final = 2048
_DEFLATED: Final = DeflatedExplicitVRLittleEndian.encode()
#: The plain syntax in as many bytes, so that the file's meta information keeps its length.
_PLAIN: Final = ExplicitVRLittleEndian.encode().ljust(len(_DEFLATED), b"\0")


def is_deflated(start: bytes) -> bool:
    """Whether the first bytes of a file (2 kB are enough) name the deflated transfer syntax."""
    return _DEFLATED in start[:_META_END] and start[128:132] == b"DICM"


def inflated(stream: BinaryIO) -> BinaryIO:
    """Return the file as plain Explicit VR Little Endian; what is cut off stays cut off.

    Raises
    ------
    ValueError
        The file has no length of its meta information, is no deflate stream, or grows beyond :data:`MAX_BYTES`.
    """
    stream.seek(0)
    data = stream.read()
    if data[132:138] != b"\x02\x00\x00\x00UL" or len(data) < 144:
        raise ValueError("the file does not tell the length of its meta information")
    start = 144 + struct.unpack("<I", data[140:144])[0]
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        dataset = inflater.decompress(data[start:], MAX_BYTES)
    except zlib.error as error:
        raise ValueError(str(error)) from error
    if inflater.unconsumed_tail:
        raise ValueError(f"the deflated file grows beyond {MAX_BYTES} bytes")
    return io.BytesIO(data[:start].replace(_DEFLATED, _PLAIN) + dataset)
