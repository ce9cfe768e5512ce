"""Put pixels into a DICOM dataset in any transfer syntax that a codec at hand can write."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom import uid as syntaxes
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, get_frame
from pydicom.pixels.encoders.base import get_encoder
from pydicom.uid import UID

from surgiplan_desktop.base.arrays import AnyArray

#: What can be written, by the name that the command line takes.
SYNTAXES: Final[dict[str, UID]] = {
    "implicit_le": syntaxes.ImplicitVRLittleEndian,
    "explicit_le": syntaxes.ExplicitVRLittleEndian,
    "explicit_be": syntaxes.ExplicitVRBigEndian,
    "deflated": syntaxes.DeflatedExplicitVRLittleEndian,
    "rle": syntaxes.RLELossless,
    "jpeg_lossless": syntaxes.JPEGLosslessSV1,
    "jpeg_ls": syntaxes.JPEGLSLossless,
    "jpeg_ls_near": syntaxes.JPEGLSNearLossless,
    "j2k_lossless": syntaxes.JPEG2000Lossless,
    "j2k_lossy": syntaxes.JPEG2000,
}
#: What those that lose something are told to lose, and what the dataset says of it (PS3.3 C.7.6.1.1.5).
_LOSS: Final[dict[str, tuple[dict[str, Any], str]]] = {
    "jpeg_ls_near": ({"jls_error": 2}, "ISO_14495_1"),
    "j2k_lossy": ({"j2k_cr": [6]}, "ISO_15444_1"),
}


def put_pixels(dataset: Dataset, frames: Sequence[NDArray[np.int16] | NDArray[np.uint16]], syntax: str) -> None:
    """Make ``frames`` (stored values, each of shape (rows, columns), all of one type) the pixels of the dataset.

    Sets the elements that describe the pixels and the transfer syntax in ``dataset.file_meta``.

    Raises
    ------
    KeyError
        ``syntax`` is none of :data:`SYNTAXES`.
    """
    uid = SYNTAXES[syntax]
    first = frames[0]
    dataset.file_meta.TransferSyntaxUID = uid
    dataset.Rows, dataset.Columns = first.shape
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 16, 15
    dataset.PixelRepresentation = int(first.dtype.kind == "i")
    if not uid.is_compressed:
        kind = f"{'>' if uid == syntaxes.ExplicitVRBigEndian else '<'}{first.dtype.kind}2"
        dataset.add_new("PixelData", "OW", b"".join(frame.astype(kind).tobytes() for frame in frames))
        return
    encoded = [encode(frame, syntax) for frame in frames]
    dataset.add_new("PixelData", "OB", encapsulate(encoded))
    dataset["PixelData"].is_undefined_length = True
    if syntax in _LOSS:
        ratio = sum(frame.nbytes for frame in frames) / sum(map(len, encoded))
        dataset.LossyImageCompression = "01"
        dataset.LossyImageCompressionRatio = f"{ratio:.4g}"
        dataset.LossyImageCompressionMethod = _LOSS[syntax][1]


def encode(stored: NDArray[np.int16] | NDArray[np.uint16], syntax: str) -> bytes:
    """Return one compressed frame; JPEG lossless is written by GDCM, the others by the codecs pydicom knows."""
    if syntax == "jpeg_lossless":
        return _jpeg_lossless(stored)
    options, _ = _LOSS.get(syntax, ({}, ""))
    frame: bytes = get_encoder(SYNTAXES[syntax]).encode(
        np.ascontiguousarray(stored),
        rows=stored.shape[0],
        columns=stored.shape[1],
        samples_per_pixel=1,
        number_of_frames=1,
        bits_allocated=16,
        bits_stored=16,
        pixel_representation=int(stored.dtype.kind == "i"),
        photometric_interpretation="MONOCHROME2",
        **options,
    )
    return frame


def _jpeg_lossless(stored: AnyArray) -> bytes:
    import SimpleITK

    writer = SimpleITK.ImageFileWriter()
    writer.SetImageIO("GDCMImageIO")
    writer.UseCompressionOn()
    writer.SetCompressor("JPEG")  # process 14, first-order prediction
    with tempfile.TemporaryDirectory(prefix="surgiplan-") as folder:
        path = Path(folder) / "frame.dcm"
        writer.SetFileName(str(path))
        writer.Execute(SimpleITK.GetImageFromArray(stored[None]))
        return get_frame(pydicom.dcmread(path).PixelData, 0, number_of_frames=1)
