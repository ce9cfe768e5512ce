"""``surgiplan import FILM --side S -o CASE``: a standing film into a new case, or beside what a case already holds."""

from __future__ import annotations

import argparse
from pathlib import Path

from surgiplan_desktop.app.describe_film import film_data, film_lines
from surgiplan_desktop.app.import_film import KnownSize, attach_film, checked_date, known_size
from surgiplan_desktop.base.errors import UsageError
from surgiplan_desktop.cli.command import Outcome
from surgiplan_desktop.cli.console import Console
from surgiplan_desktop.cli.numbers import number
from surgiplan_desktop.cli.session import CASE_SUFFIX, new_for_command, open_for_command
from surgiplan_desktop.model.anatomy import Side


def add_film_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that only films have."""
    group = parser.add_argument_group("films (DX, CR, RF, XA, RG; JPEG, PNG, TIFF)")
    group.add_argument(
        "--attach", action="store_true", help="add to the case that is there; films are always added, nothing else changes"
    )
    group.add_argument("--film-date", metavar="YYYY-MM-DD", default="", help="when the film was taken")
    known = group.add_mutually_exclusive_group()
    known.add_argument(
        "--ball",
        metavar="N",
        nargs="+",
        type=number,
        help="calibrate: diameter in mm, then x y of two opposite or more rim points",
    )
    known.add_argument(
        "--ruler", metavar="N", nargs="+", type=number, help="calibrate: length in mm, then x y of its two ends, in pixels"
    )
    group.add_argument("--invert", action="store_true", help="bones are dark on this picture: turn bright and dark")


def run_film(path: Path, arguments: argparse.Namespace, console: Console) -> Outcome:
    """Attach the film to the case of ``-o``, made when it is not there; what else the case holds stays as it is.

    Raises
    ------
    UsageError
        ``film_side_missing``, ``film_option`` for options of scans, those of the calibration, and of writing a case.
    InputDataError
        What is wrong with the film.
    """
    if arguments.side is None:
        raise UsageError("film_side_missing", file=path)
    for option in ("series", "accept_repair", "keep_identifiers"):
        if getattr(arguments, option):
            raise UsageError("film_option", option=f"--{option.replace('_', '-')}")
    checked_date(arguments.film_date)
    known = _known(arguments)
    target: Path = arguments.output
    if target.suffix != CASE_SUFFIX:
        target = target.with_name(target.name + CASE_SUFFIX)
    target = target.expanduser().resolve()
    there = target.is_file()
    opened = open_for_command(console, target) if there else new_for_command(console, target, False)
    with opened as session:
        film = attach_film(
            session,
            path,
            side=Side(arguments.side),
            taken=arguments.film_date,
            calibration=known,
            invert=arguments.invert,
            progress=console,
        )
        code = session.case.code
    data: dict[str, object] = {
        "case": str(target),
        "code": code,
        "side": arguments.side,
        "attached": there,
        "film": film_data(film, console.texts),
        "findings": film_data(film, console.texts)["findings"],
        "files": [str(target)],
    }
    key = "ui.film_attached" if there else "ui.film_case"
    return Outcome(data, (console.texts.text(key, code=code), *film_lines(film, console.texts)))


def refuse_film_options(arguments: argparse.Namespace) -> None:
    """Raise UsageError ``scan_option`` where an option of films was typed for a scan: nothing typed is passed over."""
    for option in ("attach", "film_date", "ball", "ruler", "invert"):
        if getattr(arguments, option):
            raise UsageError("scan_option", file=arguments.path, option=f"--{option.replace('_', '-')}")


def _known(arguments: argparse.Namespace) -> KnownSize | None:
    if arguments.ball is not None:
        return known_size("ball", arguments.ball)
    if arguments.ruler is not None:
        return known_size("ruler", arguments.ruler)
    return None
