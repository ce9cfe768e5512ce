"""A film as plain data for ``--json`` and as lines for a person. Names no patient."""

from __future__ import annotations

from pathlib import Path

from surgiplan_desktop.app.import_film import preview_film
from surgiplan_desktop.app.texts import Texts
from surgiplan_desktop.imaging.film_image import FilmImage
from surgiplan_desktop.model.study import Film, Finding
from surgiplan_desktop.planning.film_geometry import reading_error_percent


def film_data(film: Film, texts: Texts) -> dict[str, object]:
    """Return a film of a case as JSON values."""
    calibration = film.calibration
    return {
        "id": film.id,
        "modality": film.modality,
        "side": film.side,
        "taken": film.taken or None,
        "size": [film.shape[1], film.shape[0]],
        "aspect": film.aspect,
        "inverted": film.inverted,
        "detector_spacing_mm": None if film.detector_spacing_mm is None else list(film.detector_spacing_mm),
        "lengths": "locked" if calibration.spacing_mm is None else "calibrated",
        "calibration": {
            "kind": calibration.kind,
            "spacing_mm": None if calibration.spacing_mm is None else list(calibration.spacing_mm),
            "known_mm": calibration.known_mm,
            "measured_px": calibration.measured_px,
            "reading_error_percent": reading_error_percent(calibration),
        },
        "findings": _findings(film.findings, texts),
    }


def film_lines(film: Film, texts: Texts) -> tuple[str, ...]:
    """Return a film of a case in lines."""
    size = f"{film.shape[1]} x {film.shape[0]}"
    lines = [texts.text("ui.film", id=film.id, kind=film.modality, side=str(film.side), taken=film.taken or "-", size=size)]
    spacing = film.calibration.spacing_mm
    if spacing is None:
        lines.append(texts.text("ui.film_locked"))
    else:
        lines.append(texts.text("ui.film_calibrated", kind=film.calibration.kind, spacing=spacing[1]))
    return (*lines, *(f"{item.code}: {texts.finding(item)}" for item in film.findings))


def picture_data(path: Path, texts: Texts) -> dict[str, object]:
    """Return the object of ``scan --json`` for a film kept as a picture: a film is no volume, so its verdict is refused."""
    image = preview_film(path)
    series = {
        "uid": "",
        "description": path.name,
        "modality": image.modality,
        "slices": 1,
        "size": [image.pixels.shape[1], image.pixels.shape[0], 1],
        "spacing_mm": [None, None, None],
        "transfer_syntax": image.modality,
        "verdict": "refused",
        "findings": _findings(_of_picture(image), texts, str(path.absolute())),
        "blocks": [],
        "linked": [],
    }
    return {"series": [series], "rejected": []}


def picture_lines(path: Path, texts: Texts) -> tuple[str, ...]:
    """Return the same in lines."""
    image = preview_film(path)
    size = f"{image.pixels.shape[1]} x {image.pixels.shape[0]}"
    title = texts.text("ui.film_file", name=path.name, kind=image.modality, size=size)
    return (title, *(f"{item.code}: {texts.finding(item)}" for item in _of_picture(image)))


def _of_picture(image: FilmImage) -> tuple[Finding, ...]:
    return (Finding("film", "fail", (("modality", image.modality),)), *image.findings)


def _findings(findings: tuple[Finding, ...], texts: Texts, file: str = "") -> list[dict[str, object]]:
    """Shape of the import's findings; the file only where one was looked at."""
    if file:
        return [{"code": item.code, "text": texts.finding(item), "files": [file]} for item in findings]
    return [{"code": item.code, "severity": item.severity, "text": texts.finding(item)} for item in findings]
