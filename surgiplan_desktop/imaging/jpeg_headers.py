"""What the first bytes of a JPEG, JPEG-LS or JPEG 2000 image say of it."""

from __future__ import annotations

import struct


def size_in_jpeg_2000(data: bytes) -> tuple[int, int, int, int] | None:
    """Return columns, rows, components and bits of a codestream (ISO 15444-1 A.5.1), also inside a JP2 wrapper."""
    place = data.find(b"\xff\x4f\xff\x51", 0, 4096)
    if place < 0 or len(data) < place + 45:
        return None
    right, bottom, left, top = struct.unpack(">4I", data[place + 8 : place + 24])
    (samples,) = struct.unpack(">H", data[place + 40 : place + 42])
    return right - left, bottom - top, samples, (data[place + 42] & 0x7F) + 1


def size_in_jpeg(data: bytes) -> tuple[int, int, int, int] | None:
    """Return columns, rows, components and bits from the frame header of a JPEG or JPEG-LS image (ISO 10918-1 B.2.2)."""
    place = 2
    while len(data) >= place + 10 and data[place] == 0xFF:
        marker = data[place + 1]
        if marker == 0xFF:
            place += 1
        elif marker == 0xF7 or (0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC)):
            bits, rows, columns, samples = struct.unpack(">BHHB", data[place + 4 : place + 10])
            return columns, rows, samples, bits
        else:
            place += 2 + struct.unpack(">H", data[place + 2 : place + 4])[0]
    return None


def irreversible_jpeg_2000(start: bytes) -> bool:
    """Whether a JPEG 2000 codestream says that its wavelet loses something (9-7 irreversible, ISO 15444-1 A.6.1).

    ``start`` are the first bytes of the codestream; a few hundred are enough.
    """
    place = start.find(b"\xff\x52")
    # COD: marker 2, length 2, Scod 1, progression 1, layers 2, component transform 1, levels, width, height, style 1 each.
    return place >= 0 and len(start) > place + 13 and start[place + 13] == 0
