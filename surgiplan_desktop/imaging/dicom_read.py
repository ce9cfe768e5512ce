"""Read the slices of a block into one int16 array: native pixels straight from the file, compressed ones through a decoder.

Only one slice is held beside the volume. The rescale is applied slice by slice and rounded to whole Hounsfield units; a block
whose values do not fit into 16 bits becomes float32.
"""

from __future__ import annotations

import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import numpy as np
import pydicom
import SimpleITK
from numpy.typing import NDArray
from pydicom.pixels.utils import pixel_array

from surgiplan_desktop.base.arrays import AnyArray, frozen
from surgiplan_desktop.base.errors import InputDataError
from surgiplan_desktop.base.progress import SILENT, Progress
from surgiplan_desktop.imaging.dicom_blocks import BlockPlan
from surgiplan_desktop.imaging.dicom_header import SliceHeader
from surgiplan_desktop.imaging.sources import Sources
from surgiplan_desktop.model.images import Volume

_SLICES_AT_ONCE: Final = 16
_THREADS: Final = 2
_INT16: Final = np.iinfo(np.int16)


class _TooWide(Exception):  # noqa: N818 - a way out of the loop, caught below
    """A value does not fit into 16 bits."""


def read_block(sources: Sources, plan: BlockPlan, *, progress: Progress = SILENT) -> Volume:
    """Read one block.

    Parameters
    ----------
    sources
        The files that were scanned.
    plan
        Slices in order and the affine.

    Returns
    -------
    Volume
        Hounsfield values, int16 (float32 where they do not fit), shape ``plan.shape``.

    Raises
    ------
    InputDataError
        A file cannot be opened, ends too early, or its encoding cannot be decoded; the error names the file.
    """
    array: NDArray[np.int16] | NDArray[np.float32] = np.empty(plan.shape, dtype=np.int16)
    try:
        _fill(array, sources, plan, progress)
    except _TooWide:
        array = np.empty(plan.shape, dtype=np.float32)
        _fill(array, sources, plan, progress)
    return Volume(frozen(array), plan.affine)


def _fill(array: AnyArray, sources: Sources, plan: BlockPlan, progress: Progress) -> None:
    starts = range(0, len(plan.slices), _SLICES_AT_ONCE)

    def fill_part(start: int) -> None:
        for k in range(start, min(start + _SLICES_AT_ONCE, len(plan.slices))):
            _fill_slice(array[k], sources, plan.slices[k])

    executor = ThreadPoolExecutor(_THREADS)
    try:
        for start, _ in zip(starts, executor.map(fill_part, starts), strict=True):
            progress.step(min(start + _SLICES_AT_ONCE, len(plan.slices)), len(plan.slices), "reading")
    finally:
        executor.shutdown(wait=True, cancel_futures=True)


def _fill_slice(out: AnyArray, sources: Sources, header: SliceHeader) -> None:
    if header.pixel_offset >= 0 and not header.encapsulated and header.bits_allocated in (8, 16):
        _rescale(_native_pixels(sources, header), header, out)
    else:
        _decode(sources, header, out)


def _native_pixels(sources: Sources, header: SliceHeader) -> AnyArray:
    """Return the stored values of an uncompressed slice, shape (rows, columns), the bits above those stored cleaned."""
    kind = f"{'>' if header.big_endian else '<'}{'i' if header.signed else 'u'}{header.bits_allocated // 8}"
    count = header.rows * header.columns
    try:
        with sources.open(header.name) as stream:
            stream.seek(header.pixel_offset)
            data = stream.read(count * header.bits_allocated // 8)
    except OSError as error:
        raise InputDataError("unreadable_file", file=sources.full_name(header.name), detail=str(error)) from error
    if len(data) < count * header.bits_allocated // 8:
        raise InputDataError("truncated_file", file=sources.full_name(header.name))
    stored: AnyArray = np.frombuffer(data, dtype=kind).reshape(header.rows, header.columns)
    unused = header.bits_allocated - header.bits_stored
    if unused > 0:
        # Shifting up and back drops foreign bits (old overlays) and carries the sign of what is stored.
        stored = np.right_shift(np.left_shift(stored, unused), unused)
    return stored


def _rescale(stored: AnyArray, header: SliceHeader, out: AnyArray) -> None:
    slope, intercept = header.slope, header.intercept
    low, high = sorted((float(stored.min()) * slope + intercept, float(stored.max()) * slope + intercept))
    if out.dtype == np.int16 and (low < _INT16.min or high > _INT16.max):
        raise _TooWide
    whole = slope == 1.0 and intercept == int(intercept) and abs(intercept) <= _INT16.max
    if whole and out.dtype == np.int16 and stored.max() <= _INT16.max:
        np.add(stored.astype(np.int16, copy=False), np.int16(intercept), out=out)
    else:
        values = stored.astype(np.float64) * slope + intercept
        out[...] = np.rint(values) if out.dtype == np.int16 else values


def _decode(sources: Sources, header: SliceHeader, out: AnyArray) -> None:
    """Decode a compressed slice: GDCM first (it applies the rescale), then pydicom's own decoders."""
    try:
        values = _decoded_by_gdcm(sources, header)
    except RuntimeError as first:
        try:
            with sources.open(header.name) as stream:
                stored = pixel_array(pydicom.dcmread(stream, force=True), raw=True)
        except (RuntimeError, ValueError, AttributeError, NotImplementedError, TypeError, OSError, EOFError, KeyError) as second:
            raise InputDataError(
                "cannot_decode",
                file=sources.full_name(header.name),
                detail=f"{first}; {second}",
                encoding=pydicom.uid.UID(header.transfer_syntax).name,
            ) from second
        _place(stored, header, sources)
        _rescale(stored, header, out)
        return
    _place(values, header, sources)
    if out.dtype == np.int16 and (values.min() < _INT16.min or values.max() > _INT16.max):
        raise _TooWide
    out[...] = np.rint(values) if values.dtype.kind == "f" and out.dtype == np.int16 else values


def _place(values: AnyArray, header: SliceHeader, sources: Sources) -> None:
    if values.shape != (header.rows, header.columns):
        raise InputDataError("truncated_file", file=sources.full_name(header.name), detail=f"decoded shape {values.shape}")


def _decoded_by_gdcm(sources: Sources, header: SliceHeader) -> NDArray[Any]:
    if not sources.is_archive:
        return _gdcm(sources.full_name(header.name))
    with tempfile.TemporaryDirectory(prefix="surgiplan-") as folder, sources.open(header.name) as stream:
        copy = Path(folder) / "slice.dcm"
        copy.write_bytes(stream.read())
        return _gdcm(str(copy))


def _gdcm(path: str) -> NDArray[Any]:
    reader = SimpleITK.ImageFileReader()
    reader.SetImageIO("GDCMImageIO")
    reader.SetFileName(path)
    array: NDArray[Any] = SimpleITK.GetArrayFromImage(reader.Execute())
    return array[0] if array.ndim == 3 and len(array) == 1 else array
