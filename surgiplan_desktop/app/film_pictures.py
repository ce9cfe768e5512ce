"""What the film viewer shows, made beside the window's work: films in a file, films and scouts of the case."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from surgiplan_desktop.app.import_film import preview_film
from surgiplan_desktop.base.progress import SILENT, Progress
from surgiplan_desktop.files.asset_store import AssetStore
from surgiplan_desktop.imaging.film_image import FilmImage
from surgiplan_desktop.model.study import Film, Scout
from surgiplan_desktop.scene.film_grey import FilmLevels, film_levels


@dataclass(frozen=True, slots=True, eq=False)
class FoundFilm:
    """A film in a file that is not in the case yet."""

    path: Path
    image: FilmImage
    levels: FilmLevels
    inverted: bool


def found_film(path: Path, inverted: bool, *, progress: Progress = SILENT) -> FoundFilm:
    """Read a film without storing anything; errors as :func:`surgiplan_desktop.app.import_film.preview_film`."""
    progress.step(0, 2, "reading_film")
    image = preview_film(path, invert=inverted)
    progress.step(1, 2, "reading_film")
    return FoundFilm(path, image, film_levels(image.pixels, image.aspect), inverted)


def stored_picture(store: AssetStore, item: Film | Scout, *, progress: Progress = SILENT) -> FilmLevels:
    """Return a film or scout of the case for the viewer."""
    progress.step(0, 1, "reading_film")
    if isinstance(item, Film):
        return film_levels(store.load(item.pixels), item.aspect)
    columns = np.array(item.affine)[:3, :3]
    down, right = float(np.linalg.norm(columns[:, 1])), float(np.linalg.norm(columns[:, 2]))
    return film_levels(store.load(item.pixels), down / right)
