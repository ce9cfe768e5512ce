"""A small picture of the middle slice of a series, turned as a radiologist looks at it: for finding it, not for judging it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from surgiplan_desktop.base.arrays import AnyArray, FloatArray
from surgiplan_desktop.imaging.dicom_header import SliceHeader

#: Window and level of bone, HU, as on the views' key 1.
BONE_WINDOW_HU: Final = (1800.0, 400.0)
#: Images whose values are no Hounsfield units are shown from the first to the last of these percentiles.
_SPREAD: Final = (1.0, 99.0)
#: What right and down on the screen mean in LPS for a slice whose normal runs mostly along x, y or z: axial slices are seen from
#: the feet, coronal ones from the front, sagittal ones from the patient's left.
_RIGHT_AND_DOWN: Final = (
    ((0.0, 1.0, 0.0), (0.0, 0.0, -1.0)),
    ((1.0, 0.0, 0.0), (0.0, 0.0, -1.0)),
    ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0)),
)
_LETTERS: Final = (("R", "L"), ("A", "P"), ("I", "S"))
#: A direction this near to two axes at once gets no letter (share of its length).
_CLEAR: Final = 0.8


@dataclass(frozen=True, slots=True, eq=False)
class Thumbnail:
    """Grey values uint8 (rows, columns), and the letters at the left, top, right and bottom edge, empty where not told."""

    pixels: NDArray[np.uint8]
    letters: tuple[str, str, str, str] = ("", "", "", "")


def middle_header(headers: Sequence[SliceHeader], blocks: Sequence[Sequence[SliceHeader]]) -> SliceHeader:
    """Return the slice that stands for a series: the middle of its largest block, or of its files where there is none."""
    slices = max(blocks, key=len) if blocks else headers
    return slices[len(slices) // 2]


def thumbnail_of(values: AnyArray, header: SliceHeader, longest_px: int) -> Thumbnail:
    """Make the picture of one slice.

    Parameters
    ----------
    values
        The slice, shape (rows, columns); Hounsfield units where the modality is CT.
    header
        Its header: modality, directions and pixel spacing.
    longest_px
        Length of the longer edge of the picture.

    Returns
    -------
    Thumbnail
        Square in mm where the spacing is told, radiologically oriented where the directions are told.
    """
    grey = _grey(values, header)
    down_mm, right_mm = header.pixel_spacing or (1.0, 1.0)
    letters = ("", "", "", "")
    if header.orientation is not None:
        grey, turned, letters = _turned(grey, np.array(header.orientation).reshape(2, 3))
        if turned:
            down_mm, right_mm = right_mm, down_mm
    high, wide = grey.shape[0] * down_mm, grey.shape[1] * right_mm
    scale = longest_px / max(high, wide)
    size = max(1, round(wide * scale)), max(1, round(high * scale))
    small = Image.fromarray(np.ascontiguousarray(grey)).resize(size, Image.Resampling.BOX)
    return Thumbnail(np.asarray(small, dtype=np.uint8), letters)


def _grey(values: AnyArray, header: SliceHeader) -> NDArray[np.uint8]:
    if header.modality == "CT" and "LOCALIZER" not in header.image_type:
        window, level = BONE_WINDOW_HU
        low, high = level - window / 2.0, level + window / 2.0
    else:
        low, high = (float(value) for value in np.percentile(values, _SPREAD))
    share = (values.astype(np.float32) - low) / max(high - low, 1e-6)
    if header.photometric == "MONOCHROME1":
        share = 1.0 - share
    grey: NDArray[np.uint8] = np.rint(255.0 * np.clip(share, 0.0, 1.0)).astype(np.uint8)
    return grey


def _turned(grey: NDArray[np.uint8], directions: FloatArray) -> tuple[NDArray[np.uint8], bool, tuple[str, str, str, str]]:
    """Turn and flip a slice so that the patient's right is on the left; ``directions`` are those of growing column and row."""
    along_columns, along_rows = directions
    normal = np.abs(np.cross(along_columns, along_rows))
    right, down = (np.array(item) for item in _RIGHT_AND_DOWN[int(normal.argmax())])
    turned = bool(abs(along_columns @ right) < abs(along_rows @ right))
    if turned:
        grey, along_columns, along_rows = grey.T, along_rows, along_columns
    if along_columns @ right < 0:
        grey, along_columns = grey[:, ::-1], -along_columns
    if along_rows @ down < 0:
        grey, along_rows = grey[::-1], -along_rows
    letters = (_letter(-along_columns), _letter(-along_rows), _letter(along_columns), _letter(along_rows))
    return grey, turned, letters


def _letter(direction: FloatArray) -> str:
    axis = int(np.abs(direction).argmax())
    if abs(direction[axis]) < _CLEAR:
        return ""
    return _LETTERS[axis][int(direction[axis] > 0)]
