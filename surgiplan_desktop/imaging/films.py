"""Standing films of the leg: DICOM of the kinds that a radiograph comes as, and pictures of films."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from surgiplan_desktop.base.errors import InputDataError
from surgiplan_desktop.imaging.film_dicom import FILM_MODALITIES, film_modality, read_dicom_film
from surgiplan_desktop.imaging.film_image import FilmImage
from surgiplan_desktop.imaging.film_picture import PICTURE_ENDINGS, read_picture

#: A folder with more files than this is looked at as a scan.
_FILES_ON_A_FILM_CD: Final = 64


def is_picture(path: Path) -> bool:
    """Tell whether the name of a file is that of a picture (JPEG, PNG, TIFF)."""
    return path.suffix.lower() in PICTURE_ENDINGS


def is_film(path: Path) -> bool:
    """Tell whether a file is a film: a picture by its name, or DICOM of a film's modality. A folder never is."""
    return path.is_file() and (is_picture(path) or film_modality(path) in FILM_MODALITIES)


def film_at(path: Path) -> Path | None:
    """Return the film that a path stands for: itself, or the only image in a folder tree (a CD with one film); None otherwise."""
    if path.is_file():
        return path if is_film(path) else None
    if not path.is_dir():
        return None
    found: Path | None = None
    for number, file in enumerate(file for file in path.rglob("*") if file.is_file()):
        modality = film_modality(file)
        if number >= _FILES_ON_A_FILM_CD or (modality and modality not in FILM_MODALITIES):
            return None
        if modality:
            if found is not None:
                return None
            found = file
    return found


def read_film(path: Path) -> FilmImage:
    """Read a film; InputDataError ``not_found``, or as :func:`read_picture` and :func:`read_dicom_film`."""
    if not path.is_file():
        raise InputDataError("not_found", file=path)
    return read_picture(path) if is_picture(path) else read_dicom_film(path)
