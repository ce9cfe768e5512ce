"""Read the slices of a block into one int16 array of Hounsfield units.

Only one slice is held beside the volume. The rescale is that of each slice, rounded to whole Hounsfield units; a block whose
values do not fit into 16 bits becomes float32. Padding becomes air. MONOCHROME1 says how to show an image, not what its values
are, so Hounsfield units are the same either way (PS3.3 C.7.6.3.1.2).
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from surgiplan_desktop.base.arrays import AnyArray, frozen
from surgiplan_desktop.base.errors import InputDataError
from surgiplan_desktop.base.progress import SILENT, Progress
from surgiplan_desktop.imaging.dicom_blocks import BlockPlan
from surgiplan_desktop.imaging.dicom_header import SliceHeader
from surgiplan_desktop.imaging.dicom_pixels import PixelReader, padding_mask
from surgiplan_desktop.imaging.sources import Sources
from surgiplan_desktop.model.images import Volume

_SLICES_AT_ONCE: Final = 16
_ENCODED_AT_ONCE: Final = 4
_THREADS: Final = 2
_INT16: Final = np.iinfo(np.int16)
#: What padding becomes: the least value of a scale that begins at air (HU).
PADDING_HU: Final = -1024
#: Padding that reads as a value of the body's (HU) is believed only where it reaches the border of the image.
_BODY_HU: Final = (-900.0, 3000.0)


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
        A file cannot be opened, ends too early, or its encoding cannot be decoded; the error names the file. ``image_too_large``
        where the headers claim more voxels than memory can hold.
    """
    array: NDArray[np.int16] | NDArray[np.float32]
    try:
        array = np.empty(plan.shape, dtype=np.int16)
        try:
            _fill(array, sources, plan, progress)
        except _TooWide:
            del array
            array = np.empty(plan.shape, dtype=np.float32)
            _fill(array, sources, plan, progress)
    except MemoryError as error:
        first = plan.slices[0]
        name = sources.full_name(first.name)
        raise InputDataError("image_too_large", file=name, columns=first.columns, rows=first.rows) from error
    return Volume(frozen(array), plan.affine)


def read_slice(sources: Sources, header: SliceHeader) -> AnyArray:
    """Read one image.

    Returns
    -------
    array
        Hounsfield units (after the rescale of its header, padding as air), shape (rows, columns), int16 or float32.

    Raises
    ------
    InputDataError
        As :func:`read_block`.
    """
    reader = PixelReader(sources)
    out: AnyArray = np.empty((header.rows, header.columns), dtype=np.int16)
    try:
        _rescale(reader.stored(header), header, out)
    except _TooWide:
        out = np.empty(out.shape, dtype=np.float32)
        _rescale(reader.stored(header), header, out)
    return out


def _fill(array: AnyArray, sources: Sources, plan: BlockPlan, progress: Progress) -> None:
    reader = PixelReader(sources)
    at_once = _ENCODED_AT_ONCE if plan.slices[0].encapsulated else _SLICES_AT_ONCE
    starts = range(0, len(plan.slices), at_once)

    def fill_part(start: int) -> None:
        for k in range(start, min(start + at_once, len(plan.slices))):
            _rescale(reader.stored(plan.slices[k]), plan.slices[k], array[k])

    executor = ThreadPoolExecutor(_THREADS)
    try:
        for start, _ in zip(starts, executor.map(fill_part, starts), strict=True):
            progress.step(min(start + at_once, len(plan.slices)), len(plan.slices), "reading")
    finally:
        executor.shutdown(wait=True, cancel_futures=True)


def _rescale(stored: AnyArray, header: SliceHeader, out: AnyArray) -> None:
    """Write the Hounsfield units of an image into ``out``; _TooWide where int16 cannot hold them."""
    slope, intercept = header.slope, header.intercept
    padding = _believed_padding(stored, header)
    if padding is not None:
        # Padding may lie far outside the scale, so it takes no part in what decides the type of the volume.
        image = stored[~padding]
        stored = np.where(padding, image.min() if image.size else stored.dtype.type(0), stored)
    low, high = sorted((float(stored.min()) * slope + intercept, float(stored.max()) * slope + intercept))
    if out.dtype == np.int16 and (low < _INT16.min or high > _INT16.max):
        raise _TooWide
    whole = slope == 1.0 and intercept == int(intercept) and abs(intercept) <= _INT16.max
    if whole and out.dtype == np.int16 and stored.max() <= _INT16.max:
        np.add(stored.astype(np.int16, copy=False), np.int16(intercept), out=out)
    else:
        values = stored.astype(np.float64) * slope + intercept
        out[...] = np.rint(values) if out.dtype == np.int16 else values
    if padding is not None:
        out[padding] = PADDING_HU


def _believed_padding(stored: AnyArray, header: SliceHeader) -> AnyArray | None:
    """Return where an image is padding, None where nowhere.

    A padding value that no body has is padding wherever it stands. One that a body has too (0 where water is 0) is padding only
    where it hangs together with the border of the image, as what lies outside the field of view does.
    """
    mask = padding_mask(stored, header)
    if mask is None or header.padding is None:
        return None
    low, high = sorted(value * header.slope + header.intercept for value in header.padding)
    if high < _BODY_HU[0] or low > _BODY_HU[1]:
        return mask
    border = np.zeros_like(mask)
    border[[0, -1], :] = border[:, [0, -1]] = True
    outside: AnyArray = ndimage.binary_propagation(mask & border, mask=mask)
    return outside if outside.any() else None
