"""``surgiplan film CASE``: points on a standing film, its measures beside the CT, the leg standing, where the deformity is."""

from __future__ import annotations

import argparse
from pathlib import Path

from surgiplan_desktop.app.describe_film import film_data, film_lines
from surgiplan_desktop.app.describe_film_measures import (
    comparison_data,
    comparison_lines,
    deformity_data,
    deformity_lines,
    standing_data,
    standing_lines,
)
from surgiplan_desktop.app.draw_deformity import write_deformity_picture
from surgiplan_desktop.app.film_points import film_named, place_points, set_mirrored
from surgiplan_desktop.app.plan_steps import put_standing
from surgiplan_desktop.app.session import Session
from surgiplan_desktop.app.typed_alignment import parse_standing_hka, parse_standing_jlca
from surgiplan_desktop.base.errors import UsageError
from surgiplan_desktop.cli.command import Command, Outcome
from surgiplan_desktop.cli.console import Console
from surgiplan_desktop.cli.session import add_case_argument, open_for_command
from surgiplan_desktop.model.anatomy import Side
from surgiplan_desktop.model.study import FILM_POINTS
from surgiplan_desktop.planning.film_graph import deformity_key, film_comparison_key, standing_key
from surgiplan_desktop.planning.graph import cora_key


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    add_case_argument(parser)
    parser.add_argument("--film", metavar="ID", help="film of the case (needed when it has several of that side)")
    parser.add_argument(
        "--side", choices=[side.value for side in Side], help="leg on the film (else the side it was attached with)"
    )
    parser.add_argument(
        "--point",
        nargs=3,
        action="append",
        default=[],
        metavar=("NAME", "X", "Y"),
        help=f"place a point, column and row in pixels; may be given again; names: {' '.join(FILM_POINTS)}",
    )
    parser.add_argument("--head", nargs=3, metavar=("X", "Y", "RADIUS"), help="head circle: centre and radius in pixels")
    parser.add_argument("--remove-point", action="append", default=[], metavar="NAME", help="take a point away")
    parser.add_argument("--mirrored", choices=["yes", "no"], help="the patient's right is at the right of the film")
    parser.add_argument(
        "--standing-hka", metavar="VALUE", help="as the request says it, with its word: 5varus, 2valgus, straight"
    )
    parser.add_argument("--standing-jlca", metavar="VALUE", help="3 or 3lateral (opens laterally), 2medial")
    parser.add_argument("--picture", type=Path, metavar="FILE", help="where the deformity is, as .png or .svg")
    parser.add_argument("--force", action="store_true", help="overwrite the picture")


def _run(arguments: argparse.Namespace, console: Console) -> Outcome:
    hka = None if arguments.standing_hka is None else parse_standing_hka(arguments.standing_hka)
    jlca = None if arguments.standing_jlca is None else parse_standing_jlca(arguments.standing_jlca)
    points = _points(arguments)
    asked = None if arguments.side is None else Side(arguments.side)
    files = [str(arguments.case.resolve())]
    with open_for_command(console, arguments.case) as session:
        if points or arguments.head or arguments.mirrored or arguments.film:
            film = film_named(session.case, arguments.film, asked)
            side = asked or film.side
            if side is None:
                raise UsageError("film_side_missing", file=arguments.case)
            if arguments.mirrored:
                set_mirrored(session, film.id, mirrored=arguments.mirrored == "yes")
            if points:
                radius = None if arguments.head is None else _number(arguments.head[2])
                place_points(session, film.id, side, points, radius)
        put_standing(session, hka, jlca)
        data, lines = _described(session, console)
        if arguments.picture is not None:
            shown = asked or session.case.intake.side or next(iter(session.case.sides), None) or Side.RIGHT
            (found,) = session.require(deformity_key(shown), progress=console)
            bent = session.require(cora_key(shown), progress=console)[0] if cora_key(shown) in session.keys else ()
            write_deformity_picture(arguments.picture, shown, found, console.texts, cora=bent, force=arguments.force)
            files.append(str(arguments.picture.resolve()))
    return Outcome({**data, "files": files}, tuple(lines))


def _described(session: Session, console: Console) -> tuple[dict[str, object], list[str]]:
    texts, case = console.texts, session.case
    films: list[dict[str, object]] = []
    lines: list[str] = []
    for film in case.films:
        legs = []
        lines += film_lines(film, texts)
        for side in Side:
            if film_comparison_key(film.id, side) in session.keys:
                (comparison,) = session.require(film_comparison_key(film.id, side), progress=console)
                legs.append(comparison_data(comparison, film, texts))
                lines += comparison_lines(comparison, texts)
        films.append({**film_data(film, texts), "mirrored": film.mirrored, "legs": legs})
    sides = [side for side in Side if side in case.sides or any(film.leg(side).points for film in case.films)]
    if case.intake.side is not None and case.intake.side not in sides:
        sides.append(case.intake.side)
    standing, deformity = {}, {}
    for side in sides:
        values, found = session.require(standing_key(side), deformity_key(side), progress=console)
        standing[side.value] = standing_data(values, texts)
        deformity[side.value] = [deformity_data(item) for item in found]
        lines += standing_lines(side, values, texts)
        lines += deformity_lines(found, texts)
    return {"films": films, "standing": standing, "deformity": deformity}, lines


def _points(arguments: argparse.Namespace) -> dict[str, tuple[float, float] | None]:
    points: dict[str, tuple[float, float] | None] = {}
    for name, x, y in arguments.point:
        points[name] = (_number(x), _number(y))
    if arguments.head is not None:
        points["head"] = (_number(arguments.head[0]), _number(arguments.head[1]))
    for name in arguments.remove_point:
        points[name] = None
    return points


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise UsageError("bad_coordinate", value=text) from error


COMMAND = Command(
    name="film",
    summary="Points on a standing film, its measures beside the CT, what is known of the leg standing, where the deformity is.",
    example="surgiplan film case.surgiplan --head 412 233 48 --point knee 430 1350 --point ankle 455 2280",
    add_arguments=_add_arguments,
    run=_run,
)
