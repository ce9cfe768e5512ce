"""Films as DICOM: DX, CR, RF, XA, RG. Which of the two kinds of spacing is meant, and how bright bone is stored.

ImagerPixelSpacing is the distance of pixels at the detector, where the shadow is larger than the leg: lengths in it are wrong by
the magnification. PixelSpacing is in the patient only where PixelSpacingCalibrationType says by what it was calibrated
(DICOM PS3.3 10.7.1.3).
"""

from __future__ import annotations

import math
import struct
from pathlib import Path
from typing import Any, Final

import numpy as np
import pydicom
from pydicom.pixels.utils import pixel_array

from surgiplan_desktop.base.arrays import AnyArray
from surgiplan_desktop.base.errors import InputDataError
from surgiplan_desktop.imaging.dicom_header import SliceHeader, read_header
from surgiplan_desktop.imaging.dicom_pixels import PixelReader
from surgiplan_desktop.imaging.film_image import FilmImage, Grey, Pair, check_size, grey_of_colours, inverted, shape_findings
from surgiplan_desktop.imaging.sources import Sources
from surgiplan_desktop.model.study import Finding

FILM_MODALITIES: Final = frozenset({"CR", "DX", "RF", "XA", "RG"})
#: Magnification of a leg before a detector: the detector is behind the bone, and never twice as far from the source.
_MAGNIFICATION: Final = (0.995, 1.6)
_STITCHING_WORDS: Final = ("STITCH", "COMPOS", "MERGED", "PASTED")
#: What pydicom raises for bytes that are no sound dataset or pixel data.
_BROKEN: Final = (
    ValueError, TypeError, AttributeError, LookupError, ArithmeticError, NotImplementedError, OSError, RecursionError,
    MemoryError, EOFError, RuntimeError, struct.error, pydicom.errors.BytesLengthException, pydicom.errors.InvalidDicomError,
)  # fmt: skip


def film_modality(path: Path) -> str | None:
    """Return the modality of a DICOM file, or None where the file is none."""
    try:
        with path.open("rb") as stream:
            if stream.read(132)[128:] != b"DICM":
                return None
        dataset = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=["Modality"])
        return str(dataset.get("Modality", "")).strip().upper()
    except _BROKEN:
        return None


def read_dicom_film(path: Path) -> FilmImage:
    """Read one film of one frame.

    Raises
    ------
    InputDataError
        ``film_unreadable``, ``film_not_a_film``, ``film_frames``, ``film_size``, ``film_colour``, ``truncated_file`` or
        ``cannot_decode``; each names the file.
    """
    file = str(path)
    try:
        dataset = pydicom.dcmread(path)
    except _BROKEN as error:
        raise InputDataError("film_unreadable", file=path, detail=repr(error)) from error
    modality = _text(dataset, "Modality").upper()
    if modality not in FILM_MODALITIES:
        raise InputDataError("film_not_a_film", file=path, modality=modality or "-")
    frames = _whole(dataset, "NumberOfFrames", 1)
    if frames > 1:
        raise InputDataError("film_frames", file=path, frames=frames)
    check_size(_whole(dataset, "Rows", 0), _whole(dataset, "Columns", 0), file)
    stored = _stored(dataset, path)
    findings: list[Finding] = []
    pixels = _bright_bone(stored, dataset, file, findings)
    detector, patient = _spacings(dataset, findings)
    aspect = _aspect(dataset, patient or detector)
    if abs(aspect - 1.0) > 0.005:
        findings.append(Finding("film_pixels_not_square", "warn", (("aspect", round(aspect, 4)),)))
    orientation = "\\".join(str(value).upper() for value in _values(dataset, "PatientOrientation"))
    findings += _remarks(dataset, orientation)
    told_by = _stitching(dataset)
    shape = shape_findings(pixels, aspect)
    if told_by and all(item.code != "film_stitched" for item in shape):
        findings.append(Finding("film_stitched", "warn", (("told_by", told_by),)))
    return FilmImage(
        pixels=pixels,
        source="dicom",
        modality=modality,
        aspect=aspect,
        detector_spacing_mm=detector,
        patient_spacing_mm=patient,
        taken=_date(dataset),
        laterality=(_text(dataset, "ImageLaterality") or _text(dataset, "Laterality")).upper(),
        orientation=orientation,
        patient_id=_text(dataset, "PatientID"),
        findings=(*findings, *shape),
    )


def _stored(dataset: pydicom.Dataset, path: Path) -> AnyArray:
    """Return the stored values: shape (rows, columns), or (rows, columns, 3) of a colour image."""
    if _whole(dataset, "SamplesPerPixel", 1) == 1:
        with Sources(path) as sources, path.open("rb") as stream:
            header = read_header(sources.names[0], stream)
            if not isinstance(header, SliceHeader) or header.truncated:
                raise InputDataError("truncated_file", file=path)
            return PixelReader(sources).stored(header)
    try:
        colours: AnyArray = pixel_array(dataset, raw=False)
    except _BROKEN as error:
        syntax = pydicom.uid.UID(str(getattr(getattr(dataset, "file_meta", None), "TransferSyntaxUID", "")))
        raise InputDataError("cannot_decode", file=path, detail=repr(error), encoding=syntax.name or "unknown") from error
    return colours


def _bright_bone(stored: AnyArray, dataset: pydicom.Dataset, file: str, findings: list[Finding]) -> Grey:
    """Return the values with bone bright: MONOCHROME1, an inverse presentation or a falling rescale turn them, each once.

    MONOCHROME1 and the presentation shape INVERSE say the same (DICOM PS3.3 C.8.11.3), so together they turn once.
    """
    if stored.ndim == 3:
        from_colours, tint = grey_of_colours(stored.astype(np.uint8), file)
        findings.append(tint or Finding("film_was_coloured", "note"))
        return np.ascontiguousarray(from_colours.astype(np.uint16))
    values: AnyArray = stored.astype(np.int64 if stored.dtype.itemsize > 2 else np.int32)
    bits = min(_whole(dataset, "BitsStored", 16), 16)
    padded = _padding(dataset, values)
    # old overlays lie in the bits above those stored
    signed = _whole(dataset, "PixelRepresentation", 0) == 1
    grey = np.clip(values + (1 << (bits - 1)) if signed else values & ((1 << bits) - 1), 0, 65535).astype(np.uint16)
    turned = _text(dataset, "PhotometricInterpretation").upper() == "MONOCHROME1"
    turned |= _text(dataset, "PresentationLUTShape").upper() == "INVERSE"
    slope = _number(dataset, "RescaleSlope")
    turned ^= slope is not None and slope < 0
    if turned:
        grey = inverted(grey, (1 << bits) - 1)
    if padded is not None and padded.any() and not padded.all():
        grey[padded] = 0
    sign = _whole(dataset, "PixelIntensityRelationshipSign", 0)
    if sign in (1, -1) and (sign == 1) != turned:
        # lower stored values for less radiation (sign 1) is dark bone unless it was turned
        findings.append(Finding("film_photometry_contradicts", "warn"))
    return np.ascontiguousarray(grey)


def _padding(dataset: pydicom.Dataset, values: AnyArray) -> AnyArray | None:
    value = dataset.get("PixelPaddingValue")
    return None if not isinstance(value, int) else np.asarray(values == value)


def _spacings(dataset: pydicom.Dataset, findings: list[Finding]) -> tuple[Pair | None, Pair | None]:
    """Return the spacing at the detector and that in the patient, each None where it is not told reliably."""
    detector = _pair(dataset, "ImagerPixelSpacing", findings)
    given = _pair(dataset, "PixelSpacing", findings)
    kind = _text(dataset, "PixelSpacingCalibrationType").upper()
    factor = _number(dataset, "EstimatedRadiographicMagnificationFactor")
    patient = given if kind in ("FIDUCIAL", "GEOMETRY") else None
    if patient is not None and detector is not None:
        magnification = detector[0] / patient[0]
        if not _MAGNIFICATION[0] <= magnification <= _MAGNIFICATION[1]:
            findings.append(Finding("film_spacing_implausible", "warn", (("magnification", round(magnification, 3)),)))
            patient = None
    if patient is not None:
        if kind == "GEOMETRY":
            findings.append(Finding("film_spacing_by_geometry", "warn"))
    elif given is not None and given != detector:
        findings.append(Finding("film_spacing_unstated", "warn", (("spacing_mm", round(given[0], 5)),)))
    elif detector is not None:
        findings.append(Finding("film_detector_spacing", "note", (("spacing_mm", round(detector[0], 5)),)))
    else:
        findings.append(Finding("film_no_spacing", "note"))
    if patient is None and factor is not None and factor > 0:
        findings.append(Finding("film_magnification", "note", (("factor", round(factor, 3)),)))
    return detector or (given if patient is None else None), patient


def _aspect(dataset: pydicom.Dataset, spacing: Pair | None) -> float:
    """Return distance between rows / between columns: of the spacing, or of PixelAspectRatio (vertical, horizontal)."""
    if spacing is not None:
        return spacing[0] / spacing[1]
    try:
        vertical, horizontal = (float(value) for value in _values(dataset, "PixelAspectRatio"))
    except ValueError:
        return 1.0
    return vertical / horizontal if vertical > 0 and horizontal > 0 else 1.0


def _remarks(dataset: pydicom.Dataset, orientation: str) -> list[Finding]:
    findings = []
    if orientation and [part[:1] for part in orientation.split("\\")] != ["L", "F"]:
        findings.append(Finding("film_orientation", "warn", (("orientation", orientation),)))
    if _text(dataset, "BurnedInAnnotation").upper() == "YES":
        findings.append(Finding("film_burned_in", "note"))
    if _text(dataset, "LossyImageCompression") == "01":
        findings.append(Finding("lossy", "note"))
    return findings


def _stitching(dataset: pydicom.Dataset) -> str:
    """Return the tag that says the film was put together from several exposures, or an empty text."""
    texts = {
        "ImageType": " ".join(str(value) for value in _values(dataset, "ImageType")),
        "DerivationDescription": _text(dataset, "DerivationDescription"),
        "SeriesDescription": _text(dataset, "SeriesDescription"),
        "AcquisitionDeviceProcessingDescription": _text(dataset, "AcquisitionDeviceProcessingDescription"),
        "DerivationCodeSequence": " ".join(
            str(item.get("CodeMeaning", "")) for item in _values(dataset, "DerivationCodeSequence")
        ),
    }
    return next((name for name, text in texts.items() if any(word in text.upper() for word in _STITCHING_WORDS)), "")


def _date(dataset: pydicom.Dataset) -> str:
    for keyword in ("AcquisitionDate", "AcquisitionDateTime", "ContentDate", "SeriesDate", "StudyDate"):
        text = _text(dataset, keyword)
        if len(text) >= 8 and text[:8].isdigit():
            return f"{text[:4]}-{text[4:6]}-{text[6:8]}"
    return ""


def _values(dataset: pydicom.Dataset, keyword: str) -> list[Any]:
    try:
        value = dataset.get(keyword)
    except _BROKEN:
        return []
    if value is None or value == "":
        return []
    return list(value) if isinstance(value, (list, tuple, pydicom.multival.MultiValue, pydicom.Sequence)) else [value]


def _text(dataset: pydicom.Dataset, keyword: str) -> str:
    values = _values(dataset, keyword)
    return str(values[0]).strip(" \0") if values else ""


def _number(dataset: pydicom.Dataset, keyword: str) -> float | None:
    try:
        value = float(_text(dataset, keyword))
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _whole(dataset: pydicom.Dataset, keyword: str, absent: int) -> int:
    value = _number(dataset, keyword)
    return absent if value is None else int(value)


def _pair(dataset: pydicom.Dataset, keyword: str, findings: list[Finding]) -> Pair | None:
    """Return two positive finite numbers, or None; a pair that is there but no such numbers is a finding."""
    values = _values(dataset, keyword)
    if not values:
        return None
    try:
        one, other = (float(value) for value in values)
    except (ValueError, TypeError):
        one = other = math.nan
    if math.isfinite(one) and math.isfinite(other) and one > 0 and other > 0:
        return one, other
    findings.append(Finding("film_spacing_invalid", "warn", (("tag", keyword),)))
    return None
