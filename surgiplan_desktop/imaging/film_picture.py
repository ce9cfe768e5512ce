"""Films kept as pictures: JPEG, PNG, TIFF. They say nothing of the patient's size, so lengths stay locked until calibrated."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from surgiplan_desktop.base.arrays import AnyArray
from surgiplan_desktop.base.errors import InputDataError
from surgiplan_desktop.imaging.film_image import FilmImage, Grey, check_size, grey_of_colours, inverted, shape_findings
from surgiplan_desktop.model.study import Finding

PICTURE_ENDINGS: Final = (".jpg", ".jpeg", ".png", ".tif", ".tiff")
_FORMATS: Final = ("JPEG", "PNG", "TIFF", "MPO")
_EXIF_ORIENTATION: Final = 0x0112
_TIFF_PHOTOMETRIC: Final = 262
_WHITE_IS_ZERO: Final = 0
#: Horizontal and vertical resolution that differ by more than this mean pixels that are not square.
_SQUARE: Final = 0.005
#: What Pillow raises for bytes that are no sound picture.
_BROKEN: Final = (OSError, ValueError, SyntaxError, TypeError, LookupError, ArithmeticError, MemoryError, NotImplementedError)


def read_picture(path: Path) -> FilmImage:
    """Read a grey picture of 8 or 16 bits, turned upright as its EXIF orientation says.

    Raises
    ------
    InputDataError
        ``film_unreadable``, ``film_size``, ``film_pages``, ``film_colour``, ``film_depth``; each names the file.
    """
    try:
        with warnings.catch_warnings():
            # the size is checked here, before anything is unpacked
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(path, formats=_FORMATS) as image:
                return _film(image, str(path))
    except (UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise InputDataError("film_unreadable", file=path, detail=repr(error)) from error
    except _BROKEN as error:
        raise InputDataError("film_unreadable", file=path, detail=repr(error)) from error


def _film(image: Image.Image, file: str) -> FilmImage:
    columns, rows = image.size
    check_size(rows, columns, file)
    if image.format == "TIFF" and getattr(image, "n_frames", 1) > 1:
        raise InputDataError("film_pages", file=file, pages=int(getattr(image, "n_frames", 1)))
    modality = "JPEG" if image.format == "MPO" else str(image.format)
    findings: list[Finding] = []
    orientation = int(image.getexif().get(_EXIF_ORIENTATION, 1) or 1)
    aspect = _aspect(image)
    white_is_zero = image.format == "TIFF" and image.mode.startswith("I;16") and _photometric(image) == _WHITE_IS_ZERO
    if orientation != 1:
        findings.append(Finding("film_turned", "note", (("orientation", orientation),)))
        image = ImageOps.exif_transpose(image)
        aspect = 1.0 / aspect if orientation >= 5 else aspect
    if aspect != 1.0:
        findings.append(Finding("film_pixels_not_square", "warn", (("aspect", round(aspect, 4)),)))
    pixels, highest, told = _grey(image, file)
    findings += told
    if white_is_zero:
        pixels = inverted(pixels, highest)
    findings += [Finding("film_no_spacing", "note"), *shape_findings(pixels, aspect)]
    return FilmImage(pixels, "picture", modality, aspect, findings=tuple(findings))


def _photometric(image: Image.Image) -> int | None:
    tags = getattr(image, "tag_v2", {})
    value = tags.get(_TIFF_PHOTOMETRIC)
    return None if value is None else int(value)


def _aspect(image: Image.Image) -> float:
    """Return distance between rows / between columns: more dots an inch means less distance."""
    resolution = image.info.get("dpi")
    if not resolution:
        return 1.0
    across, down = float(resolution[0]), float(resolution[1])
    if not (across > 1 and down > 1) or abs(across / down - 1.0) <= _SQUARE:
        return 1.0
    return across / down


def _grey(image: Image.Image, file: str) -> tuple[Grey, int, list[Finding]]:
    """Return grey values, the highest value of their kind, and what was done to get them."""
    if image.mode in ("1", "L"):
        return _wide(np.asarray(image.convert("L"))), 255, []
    if image.mode == "LA":
        return _wide(np.asarray(image.getchannel("L"))), 255, []
    if image.mode.startswith("I;16") or image.mode == "I":
        values: AnyArray = np.asarray(image)
        if int(values.min()) < 0 or int(values.max()) > 65535:
            raise InputDataError("film_depth", file=file, mode=image.mode)
        return _wide(values), 65535, []
    if image.mode in ("P", "PA", "RGB", "RGBA", "RGBX"):
        grey, tint = grey_of_colours(np.asarray(image.convert("RGB")), file)
        return _wide(grey), 255, [tint or Finding("film_was_coloured", "note")]
    if image.mode in ("F", "I"):
        raise InputDataError("film_depth", file=file, mode=image.mode)
    raise InputDataError("film_colour", file=file)


def _wide(values: AnyArray) -> Grey:
    return np.ascontiguousarray(values.astype(np.uint16))
