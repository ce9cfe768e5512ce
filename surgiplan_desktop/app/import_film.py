"""Use case: a standing film into a case, with side and date by hand. Nothing else of the case is touched."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from surgiplan_desktop.app.case_code import case_code
from surgiplan_desktop.app.session import Session
from surgiplan_desktop.base.arrays import content_digest
from surgiplan_desktop.base.errors import UsageError
from surgiplan_desktop.base.progress import SILENT, Progress
from surgiplan_desktop.imaging.film_image import FilmImage, inverted
from surgiplan_desktop.imaging.films import read_film
from surgiplan_desktop.model.anatomy import Side
from surgiplan_desktop.model.case import Case
from surgiplan_desktop.model.edits import calibrate_film, next_film_id, put_film
from surgiplan_desktop.model.study import Film, FilmCalibration, Finding
from surgiplan_desktop.planning.film_geometry import ball_calibration, calibration_findings, ruler_calibration

_SIDE_OF_TAG = {"R": Side.RIGHT, "L": Side.LEFT}
#: Findings that a new calibration makes anew.
_OF_CALIBRATION = ("film_magnification_odd", "film_scale_coarse")
#: Findings that say why lengths are locked: a ball or ruler settles them.
_LOCKED = ("film_no_spacing", "film_detector_spacing", "film_spacing_unstated", "film_spacing_implausible")


@dataclass(frozen=True, slots=True)
class KnownSize:
    """Something of known size on the film: a ball (diameter; rim points) or a ruler (length; two points), mm and pixels."""

    kind: Literal["ball", "ruler"]
    known_mm: float
    points_px: tuple[tuple[float, float], ...]


def preview_film(path: Path, *, invert: bool = False) -> FilmImage:
    """Read a film without storing anything; errors as :func:`read_film`."""
    image = read_film(Path(path))
    return _turned(image) if invert else image


def attach_film(
    session: Session,
    path: Path,
    *,
    side: Side | None,
    taken: str = "",
    calibration: KnownSize | None = None,
    invert: bool = False,
    progress: Progress = SILENT,
) -> Film:
    """Read a film and put it in the case as one undo step; the same film again takes the place of itself,
    and the points on it stay.

    Parameters
    ----------
    side
        The side that was filmed, by hand: the tags are only compared with it.
    taken
        ``YYYY-MM-DD``; empty = the date that the file tells, if any.
    calibration
        Ball or ruler; None = the spacing in the patient where the file tells it reliably, otherwise lengths stay locked.
    invert
        Turn bright and dark: a photograph of a film on which bones are dark.

    Raises
    ------
    UsageError
        ``film_side_missing``, ``film_date``, and those of the calibration.
    InputDataError
        As :func:`read_film` and the calibration.
    """
    if side is None:
        raise UsageError("film_side_missing", file=path)
    taken = checked_date(taken)
    progress.step(0, 2, "reading_film")
    read = read_film(Path(path))
    source = content_digest(read.pixels)
    image = _turned(read) if invert else read
    progress.step(1, 2, "reading_film")
    case = session.case
    same = next((film for film in case.films if film.source == source), None)
    calibrated = _calibration(image, calibration)
    findings = [item for item in image.findings if not (calibration and item.code in _LOCKED)]
    findings += calibration_findings(calibrated, image.detector_spacing_mm)
    findings += _conflicts(image, side, taken, case)
    film = Film(
        id=same.id if same else next_film_id(case),
        pixels=session.store.put(image.pixels),
        shape=(int(image.pixels.shape[0]), int(image.pixels.shape[1])),
        modality=image.modality,
        side=side,
        taken=taken or image.taken,
        calibration=calibrated,
        detector_spacing_mm=image.detector_spacing_mm,
        findings=tuple(findings),
        aspect=image.aspect,
        source=source,
        inverted=invert,
        laterality=image.laterality,
        orientation=image.orientation,
        # rows that run towards the patient's right: the film hangs the other way round
        mirrored=same.mirrored if same else image.orientation[:1] == "R",
        legs=same.legs if same else (),
    )
    session.apply("Attach film", lambda before: put_film(before, film, case_code(film.source)))
    progress.step(2, 2, "reading_film")
    return film


def calibrate(session: Session, film_id: str, known: KnownSize) -> Film:
    """Calibrate a film of the case by ball or ruler, as one undo step; errors as the calibrations."""
    film = session.case.film(film_id)
    calibration = _known(known, film.shape, film.aspect)
    kept = tuple(item for item in film.findings if item.code not in (*_OF_CALIBRATION, *_LOCKED))
    findings = (*kept, *calibration_findings(calibration, film.detector_spacing_mm))

    def edit(case: Case) -> Case:
        told = put_film(case, replace(case.film(film_id), findings=findings), case.code)
        return calibrate_film(told, film_id, calibration)

    return session.apply("Calibrate film", edit).film(film_id)


def known_size(kind: Literal["ball", "ruler"], numbers: Sequence[float]) -> KnownSize:
    """Make a known size of typed numbers: millimetres, then x and y of each point; UsageError ``film_numbers``."""
    if len(numbers) < 5 or len(numbers) % 2 == 0:
        raise UsageError("film_numbers", option=f"--{kind}")
    points = tuple(zip(numbers[1::2], numbers[2::2], strict=True))
    return KnownSize(kind, numbers[0], points)


def checked_date(text: str) -> str:
    """Return a date as ``YYYY-MM-DD``, not in the future; UsageError ``film_date``."""
    if not text:
        return ""
    try:
        date = dt.date.fromisoformat(text)
    except ValueError as error:
        raise UsageError("film_date", date=text) from error
    if date > dt.date.today() + dt.timedelta(days=1):
        raise UsageError("film_date", date=text)
    return date.isoformat()


def _calibration(image: FilmImage, known: KnownSize | None) -> FilmCalibration:
    if known is not None:
        rows, columns = image.pixels.shape
        return _known(known, (rows, columns), image.aspect)
    if image.patient_spacing_mm is not None:
        return FilmCalibration("patient_spacing", image.patient_spacing_mm)
    return FilmCalibration()


def _known(known: KnownSize, shape: tuple[int, int], aspect: float) -> FilmCalibration:
    make = ball_calibration if known.kind == "ball" else ruler_calibration
    return make(known.known_mm, known.points_px, shape, aspect)


def _turned(image: FilmImage) -> FilmImage:
    highest = 255 if image.source == "picture" and int(image.pixels.max()) <= 255 else int(image.pixels.max())
    findings = tuple(item for item in image.findings if item.code not in ("film_looks_inverted", "film_photometry_contradicts"))
    return replace(image, pixels=inverted(image.pixels, highest), findings=findings)


def _conflicts(image: FilmImage, side: Side, taken: str, case: Case) -> list[Finding]:
    """Compare what is said by hand with the tags and with the case."""
    findings = []
    tagged = _SIDE_OF_TAG.get(image.laterality[:1])
    if tagged not in (None, side):
        findings.append(Finding("side_conflict", "critical", (("tagged", str(tagged)), ("side", str(side)))))
    if case.intake.side not in (None, side):
        findings.append(Finding("film_other_side", "warn", (("side", str(side)), ("requested", str(case.intake.side)))))
    if taken and image.taken and taken != image.taken:
        findings.append(Finding("film_date_conflict", "warn", (("said", taken), ("tagged", image.taken))))
    if not taken and not image.taken:
        findings.append(Finding("film_date_unknown", "note"))
    if case.patient is not None and case.patient.patient_id and image.patient_id not in ("", case.patient.patient_id):
        findings.append(Finding("identity_conflict", "critical"))
    return findings
