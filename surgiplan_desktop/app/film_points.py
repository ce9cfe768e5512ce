"""Use cases: points on a film of the case, typed or clicked; each an undo step of its own."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import cast

from surgiplan_desktop.app.session import Session
from surgiplan_desktop.base.errors import UsageError
from surgiplan_desktop.model.anatomy import Side
from surgiplan_desktop.model.case import Case
from surgiplan_desktop.model.edits import mirror_film, place_film_point
from surgiplan_desktop.model.study import FILM_POINTS, Film, FilmPointName

Point = tuple[float, float]


def film_named(case: Case, film_id: str | None, side: Side | None = None) -> Film:
    """Return a film of the case; without an id the only one, or the only one of a side.

    Raises
    ------
    UsageError
        ``film_none``, ``film_unknown``, ``film_several``.
    """
    known = ", ".join(film.id for film in case.films)
    if not case.films:
        raise UsageError("film_none")
    if film_id is not None:
        found = [film for film in case.films if film.id == film_id]
        if not found:
            raise UsageError("film_unknown", film=film_id, known=known)
        return found[0]
    films = case.films if len(case.films) == 1 else tuple(film for film in case.films if film.side == side)
    if len(films) != 1:
        raise UsageError("film_several", known=known)
    return films[0]


def place_points(
    session: Session, film_id: str, side: Side, points: Mapping[str, Point | None], head_radius_px: float | None = None
) -> Film:
    """Place points of a leg on a film, or take them away (None), as one undo step.

    Parameters
    ----------
    points
        Column and row by name of the point.
    head_radius_px
        Radius of the head circle, in distances between columns.

    Raises
    ------
    UsageError
        ``film_point_unknown``, ``film_points_outside``, ``film_head_radius``, ``film_head_missing``.
    """
    film = session.case.film(film_id)
    for name, at in points.items():
        if name not in FILM_POINTS:
            raise UsageError("film_point_unknown", point=name, known=" ".join(FILM_POINTS))
        if at is not None:
            check_inside(film, at)
    head = points.get("head", film.leg(side).point("head"))
    if head_radius_px is not None:
        check_radius(film, head_radius_px)
        if head is None:
            raise UsageError("film_head_missing")

    def edit(case: Case) -> Case:
        for name, at in points.items():
            radius = head_radius_px if name == "head" else None
            case = place_film_point(case, film_id, side, cast("FilmPointName", name), at, radius)
        if head_radius_px is not None and "head" not in points:
            case = place_film_point(case, film_id, side, "head", head, head_radius_px)
        return case

    return session.apply("Place points on the film", edit).film(film_id)


def set_mirrored(session: Session, film_id: str, *, mirrored: bool) -> Film:
    """Say whether the patient's right is at the right of a film, as one undo step."""
    return session.apply("Mirror film", lambda case: mirror_film(case, film_id, mirrored=mirrored)).film(film_id)


def check_inside(film: Film, at: Point) -> None:
    """Raise UsageError ``film_points_outside`` for a point beside the film."""
    rows, columns = film.shape
    x, y = at
    if not (math.isfinite(x) and math.isfinite(y) and -0.5 <= x <= columns - 0.5 and -0.5 <= y <= rows - 0.5):
        raise UsageError("film_points_outside", x=x, y=y, columns=columns, rows=rows)


def check_radius(film: Film, radius_px: float) -> None:
    """Raise UsageError ``film_head_radius`` for a circle that no film holds."""
    if not (math.isfinite(radius_px) and 0.5 <= radius_px <= max(film.shape)):
        raise UsageError("film_head_radius", radius=radius_px)
