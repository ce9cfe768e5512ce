"""The stored values of one image, whatever its encoding: native pixels straight from the file, compressed ones decoded.

Stored values are those before the rescale, cleaned of what stands in the bits that are not stored. Which encoding is read by
which library is listed in docs/import.md.
"""

from __future__ import annotations

import io
import threading
from typing import BinaryIO, Final

import numpy as np
from pydicom.encaps import get_frame
from pydicom.uid import UID

from surgiplan_desktop.base.arrays import AnyArray
from surgiplan_desktop.base.errors import InputDataError
from surgiplan_desktop.imaging.decoder_process import decode_apart
from surgiplan_desktop.imaging.decoding import DecodeError, Frame
from surgiplan_desktop.imaging.deflated import inflated
from surgiplan_desktop.imaging.dicom_header import SliceHeader
from surgiplan_desktop.imaging.sources import Sources

#: An image larger than this is no slice and no film of a leg; it guards the memory against headers that lie.
MAX_PIXELS: Final = 1 << 26


class PixelReader:
    """Read images from the files of a scan; may be used from several threads."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._lock = threading.Lock()
        self._inflated: tuple[str, bytes] | None = None

    def stored(self, header: SliceHeader) -> AnyArray:
        """Return the stored values of an image, shape (rows, columns), signed or unsigned as the header says.

        Raises
        ------
        InputDataError
            ``unreadable_file``, ``truncated_file``, ``image_too_large`` or ``cannot_decode``; each names the file.
        """
        name = self._sources.full_name(header.name)
        if header.rows * header.columns > MAX_PIXELS:
            raise InputDataError("image_too_large", file=name, columns=header.columns, rows=header.rows)
        sound = 1 <= header.bits_stored <= header.bits_allocated and header.bits_allocated in (8, 16, 32)
        if not sound or header.samples != 1:
            raise self._undecodable(header, f"{header.samples} x {header.bits_stored} bits in {header.bits_allocated}")
        try:
            with self._open(header) as stream:
                values = self._encoded(stream, header) if header.encapsulated else self._native(stream, header)
        except OSError as error:
            raise InputDataError("unreadable_file", file=name, detail=str(error)) from error
        return _cleaned(values, header)

    def _open(self, header: SliceHeader) -> BinaryIO:
        if not header.deflated:
            return self._sources.open(header.name)
        with self._lock:
            # Frames of one file come one after the other: it is inflated once for all of them.
            if self._inflated is None or self._inflated[0] != header.name:
                try:
                    with self._sources.open(header.name) as stream:
                        self._inflated = header.name, inflated(stream).read()
                except ValueError as error:
                    raise self._undecodable(header, str(error)) from error
            return io.BytesIO(self._inflated[1])

    def _native(self, stream: BinaryIO, header: SliceHeader) -> AnyArray:
        kind = f"{'>' if header.big_endian else '<'}{'i' if header.signed else 'u'}{header.bits_allocated // 8}"
        size = header.rows * header.columns * header.bits_allocated // 8
        start = header.pixel_offset + header.frame_index * size
        if header.bits_allocated != 16:
            stream.seek(header.pixel_offset - 12)
            head = stream.read(12)
            if b"\xe0\x7f\x10\x00" not in head and b"\x7f\xe0\x00\x10" not in head:
                raise self._undecodable(header, "pixels of floating point")
            swapped = header.big_endian and header.bits_allocated == 8 and head[4:6] == b"OW"
        else:
            swapped = False
        # Big endian words hold bytes in pairs, the second one first (PS3.5 8.1.1 and A.3).
        first, last = (start - start % 2, start + size + (start + size) % 2) if swapped else (start, start + size)
        stream.seek(first)
        data = stream.read(last - first)
        if swapped and len(data) == last - first:
            data = np.frombuffer(data, dtype=np.uint8).reshape(-1, 2)[:, ::-1].tobytes()[start - first : start - first + size]
        if len(data) < size:
            raise InputDataError("truncated_file", file=self._sources.full_name(header.name))
        return np.frombuffer(data, dtype=kind).reshape(header.rows, header.columns)

    def _encoded(self, stream: BinaryIO, header: SliceHeader) -> AnyArray:
        stream.seek(header.pixel_offset)
        try:
            data = get_frame(stream, header.frame_index, number_of_frames=header.file_frames)
            frame = Frame(
                data,
                header.transfer_syntax,
                header.rows,
                header.columns,
                header.bits_allocated,
                header.bits_stored,
                header.signed,
            )
            return decode_apart(frame)
        except (DecodeError, ValueError, EOFError, LookupError, RuntimeError, NotImplementedError) as error:
            raise self._undecodable(header, str(error)) from error

    def _undecodable(self, header: SliceHeader, detail: str) -> InputDataError:
        encoding = UID(header.transfer_syntax).name
        return InputDataError("cannot_decode", file=self._sources.full_name(header.name), detail=detail, encoding=encoding)


def padding_mask(stored: AnyArray, header: SliceHeader) -> AnyArray | None:
    """Return where the stored values (shape (rows, columns)) are padding, None where nothing is (PS3.3 C.7.5.1.1.2)."""
    if header.padding is None:
        return None
    low, high = header.padding
    mask: AnyArray = (stored >= low) & (stored <= high)
    return mask if mask.any() else None


def _cleaned(stored: AnyArray, header: SliceHeader) -> AnyArray:
    """Drop what stands in bits that are not stored (old overlays, padding beyond them) and carry the sign of what is."""
    if stored.dtype.kind != ("i" if header.signed else "u") and stored.dtype.itemsize == header.bits_allocated // 8:
        stored = stored.view(stored.dtype.str.replace("u" if header.signed else "i", "i" if header.signed else "u"))
    bits = 8 * stored.dtype.itemsize
    unused = header.bits_allocated - header.bits_stored
    if unused == 0 or bits != header.bits_allocated:
        return stored
    above = unused if header.high_bit < 0 else min(max(header.bits_allocated - 1 - header.high_bit, 0), unused)
    return np.right_shift(np.left_shift(stored, above), unused)
