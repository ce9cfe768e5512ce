"""A film as it was read: grey values with bright bone, what its source says of size, side and date, and what is odd about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from surgiplan_desktop.base.arrays import AnyArray
from surgiplan_desktop.base.errors import InputDataError
from surgiplan_desktop.model.study import Finding

Pair = tuple[float, float]
Grey = NDArray[np.uint16]

#: More pixels than the longest film at the finest pitch in use (43 x 130 cm at 0.07 mm) would have; a guard of the memory.
MAX_PIXELS: Final = 150_000_000
#: Air beside the leg is darker than the leg: a rim brighter than the mean inside by this share of the range looks inverted.
_INVERTED_SHARE: Final = 0.05
_RIM_SHARE: Final = 20
#: A film that is longer than this times its width was put together from several exposures.
_STITCHED_ASPECT: Final = 2.0
#: Channels of one grey picture differ by no more than this (JPEG writes colour coarsely), in most pixels.
_GREY_SPREAD: Final = 8
#: A picture of one tint: the channels follow the brightness within this (root mean square, of 255).
_TINT_RMS: Final = 6.0
_SAMPLED: Final = 200_000


@dataclass(frozen=True, slots=True, eq=False)
class FilmImage:
    r"""A film read from a file.

    Attributes
    ----------
    pixels
        uint16 of shape (rows, columns); bone bright as far as the photometry of the source says it.
    source
        ``dicom`` or ``picture``.
    modality
        DX, CR, RF, XA, RG; or JPEG, PNG, TIFF of a picture.
    aspect
        Distance between rows / distance between columns.
    detector_spacing_mm, patient_spacing_mm
        (Between rows, between columns) at the detector, and in the patient where the source says how it was calibrated.
    taken
        ``YYYY-MM-DD`` or empty.
    laterality
        The tag: R, L, B, U or empty.
    orientation
        The tag PatientOrientation such as ``L\F``, or empty.
    patient_id
        Only to compare with the case at hand; stored nowhere.
    """

    pixels: Grey
    source: Literal["dicom", "picture"]
    modality: str
    aspect: float = 1.0
    detector_spacing_mm: Pair | None = None
    patient_spacing_mm: Pair | None = None
    taken: str = ""
    laterality: str = ""
    orientation: str = ""
    patient_id: str = ""
    findings: tuple[Finding, ...] = ()


def check_size(rows: int, columns: int, file: str) -> None:
    """Refuse a size that no film has, before memory is asked for it; InputDataError ``film_size``."""
    if rows < 2 or columns < 2 or rows * columns > MAX_PIXELS:
        raise InputDataError("film_size", file=file, rows=rows, columns=columns)


def inverted(values: Grey, highest: int) -> Grey:
    """Return the grey values with bright and dark exchanged; ``highest`` is the largest value the source can hold."""
    return np.subtract(np.uint16(max(highest, int(values.max(initial=0)))), values, dtype=np.uint16)


def shape_findings(pixels: Grey, aspect: float) -> tuple[Finding, ...]:
    """Say what the picture itself shows: put together from several exposures, or bones probably dark."""
    findings = []
    rows, columns = pixels.shape
    length = rows * aspect / columns
    if max(length, 1.0 / length) >= _STITCHED_ASPECT:
        findings.append(Finding("film_stitched", "warn", (("told_by", f"{length:.1f} times as long as wide"),)))
    step = max(round((rows * columns / _SAMPLED) ** 0.5), 1)
    sparse = pixels[::step, ::step]
    rim = max(min(sparse.shape) // _RIM_SHARE, 1)
    inside = sparse[rim:-rim, rim:-rim]
    if inside.size:
        # the sides only: collimators and legs leave the upper and lower end
        sides = np.concatenate([sparse[:, :rim].ravel(), sparse[:, -rim:].ravel()])
        low, high = np.quantile(inside, (0.01, 0.99))
        if float(np.median(sides)) - float(inside.mean()) > _INVERTED_SHARE * float(high - low):
            findings.append(Finding("film_looks_inverted", "warn"))
    return tuple(findings)


def grey_of_colours(values: AnyArray, file: str) -> tuple[NDArray[np.uint8], Finding | None]:
    """Make grey of an 8-bit colour picture of shape (rows, columns, 3) that shows only grey.

    Returns
    -------
    grey, finding
        The finding says that the picture was coloured with one tint (a photograph of a film); None for exact grey.

    Raises
    ------
    InputDataError
        ``film_colour`` when the picture shows colours.
    """
    flat = values.reshape(-1, 3)
    sample = flat[:: max(len(flat) // _SAMPLED, 1)].astype(np.float64)
    spread = np.ptp(sample, axis=1)
    grey = np.asarray(np.rint(values @ np.array([0.299, 0.587, 0.114])), dtype=np.uint8)
    if float(np.quantile(spread, 0.995)) <= _GREY_SPREAD:
        return grey, None
    brightness = sample.mean(axis=1)
    powers = np.column_stack([np.ones_like(brightness), brightness, brightness**2])
    fitted, *_ = np.linalg.lstsq(powers, sample, rcond=None)
    rms = float(np.sqrt(np.mean((powers @ fitted - sample) ** 2)))
    if rms > _TINT_RMS:
        raise InputDataError("film_colour", file=file)
    return grey, Finding("film_tinted", "note", (("rms", round(rms, 1)),))
