"""Decode one compressed frame: the codec that is asked first, the one asked second, and what is checked before either is.

What a frame claims of its size is read from its own first bytes and compared with the header of the file, so that a broken or
hostile file makes no decoder reserve memory for an image that is not there. Run inside :mod:`decoder_process`.
"""

from __future__ import annotations

import struct
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from pydicom import uid as syntaxes
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.pixels.decoders.base import get_decoder

from surgiplan_desktop.base.arrays import AnyArray
from surgiplan_desktop.imaging.jpeg_headers import size_in_jpeg, size_in_jpeg_2000

_JPEG: Final = (
    syntaxes.JPEGBaseline8Bit, syntaxes.JPEGExtended12Bit, syntaxes.JPEGLossless, syntaxes.JPEGLosslessSV1,
)  # fmt: skip
_JPEG_LS: Final = (syntaxes.JPEGLSLossless, syntaxes.JPEGLSNearLossless)
_JPEG_2000: Final = (
    syntaxes.JPEG2000Lossless, syntaxes.JPEG2000, syntaxes.HTJ2KLossless, syntaxes.HTJ2KLosslessRPCL, syntaxes.HTJ2K,
)  # fmt: skip
#: The transfer syntaxes that can be decoded, beside those that need no decoder.
DECODABLE: Final = frozenset(map(str, (*_JPEG, *_JPEG_LS, *_JPEG_2000, syntaxes.RLELossless)))
#: The library asked first; GDCM (through SimpleITK) is asked for the JPEG family, and second for all but HTJ2K.
_PLUGIN: Final = {
    str(syntaxes.RLELossless): "pydicom",
    **{str(name): "pyjpegls" for name in _JPEG_LS},
    **{str(name): "pylibjpeg" for name in _JPEG_2000},
}
_WHAT_CODECS_RAISE: Final = (
    RuntimeError, ValueError, TypeError, AttributeError, LookupError, NotImplementedError, OSError, ArithmeticError,
)  # fmt: skip


class DecodeError(Exception):
    """The frame cannot be decoded; the text says why, in English, for the log."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One compressed frame and what the header of its file says of it."""

    data: bytes
    transfer_syntax: str
    rows: int
    columns: int
    bits_allocated: int
    bits_stored: int
    signed: bool


def decode(frame: Frame) -> AnyArray:
    """Return the stored values of the frame, shape (rows, columns), without any rescale.

    Raises
    ------
    DecodeError
        The frame is cut, of another size than the header says, or no codec can read it.
    """
    check(frame)
    failures = []
    for codec in (_by_pydicom, _by_gdcm):
        try:
            values = codec(frame)
        except _WHAT_CODECS_RAISE as error:
            failures.append(" ".join(str(error).split())[:300] or type(error).__name__)
            continue
        if values is not None:
            if values.shape != (frame.rows, frame.columns) or values.dtype.kind not in "iu":
                raise DecodeError(f"decoded to {values.dtype} of shape {values.shape}")
            return values
    raise DecodeError("; ".join(failures) or "no codec for this encoding")


def check(frame: Frame) -> None:
    """Compare what the frame's own header says with the file's, and see that the frame ends as its encoding asks.

    Raises
    ------
    DecodeError
        Naming the first thing that is wrong.
    """
    if frame.transfer_syntax not in DECODABLE:
        raise DecodeError("an encoding that no codec here can read")
    if frame.bits_allocated not in (8, 16, 32):
        raise DecodeError(f"{frame.bits_allocated} bits allocated")
    if frame.transfer_syntax == syntaxes.RLELossless:
        _check_rle(frame)
        return
    # Some writers pad the frame to an even length with other bytes than zero.
    if not frame.data.rstrip(b"\0\xff").endswith(b"\xff\xd9"):
        raise DecodeError("the encoded image has no end")
    size = size_in_jpeg_2000(frame.data) if frame.transfer_syntax in _JPEG_2000 else size_in_jpeg(frame.data)
    if size is None:
        raise DecodeError("the encoded image has no header")
    columns, rows, samples, bits = size
    if (columns, rows, samples) != (frame.columns, frame.rows, 1) or bits > frame.bits_allocated:
        raise DecodeError(f"the encoded image has {columns} x {rows} pixels of {samples} x {bits} bits")


def _check_rle(frame: Frame) -> None:
    segments = struct.unpack("<16I", frame.data[:64]) if len(frame.data) >= 64 else (0,)
    if segments[0] != frame.bits_allocated // 8 or any(offset > len(frame.data) for offset in segments[1 : segments[0] + 1]):
        raise DecodeError(f"{segments[0]} run-length segments for {frame.bits_allocated} bits")


def _by_pydicom(frame: Frame) -> AnyArray | None:
    plugin = _PLUGIN.get(frame.transfer_syntax)
    if plugin is None:
        return None
    decoder = get_decoder(syntaxes.UID(frame.transfer_syntax))
    values, _ = decoder.as_array(_dataset(frame), raw=True, index=0, decoding_plugin=plugin)
    return np.asarray(values)


def _by_gdcm(frame: Frame) -> AnyArray | None:
    """Decode with GDCM, which reads files only: the frame goes into one of its own, without the rescale GDCM would apply."""
    if "High-Throughput" in syntaxes.UID(frame.transfer_syntax).name:
        return None
    import SimpleITK  # 0.15 s: only where a frame really needs it

    with tempfile.TemporaryDirectory(prefix="surgiplan-") as folder:
        path = Path(folder) / "frame.dcm"
        _dataset(frame).save_as(path, enforce_file_format=True)
        reader = SimpleITK.ImageFileReader()
        reader.SetImageIO("GDCMImageIO")
        reader.SetFileName(str(path))
        values: AnyArray = SimpleITK.GetArrayFromImage(reader.Execute())
    return values.reshape(values.shape[-2:])


def _dataset(frame: Frame) -> Dataset:
    """Return a file of one frame that says nothing but its size and encoding."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = syntaxes.UID(frame.transfer_syntax)
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = syntaxes.CTImageStorage
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = syntaxes.UID("2.25.1")
    dataset.Rows, dataset.Columns = frame.rows, frame.columns
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = frame.bits_allocated, frame.bits_stored, frame.bits_stored - 1
    dataset.PixelRepresentation = int(frame.signed)
    content: Any = encapsulate([frame.data + b"\0" * (len(frame.data) % 2)])
    dataset.PixelData = content
    dataset["PixelData"].VR = "OB"
    return dataset
