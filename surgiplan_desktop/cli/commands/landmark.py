"""``surgiplan landmark CASE SIDE ID X Y Z``: place a landmark by hand."""

from __future__ import annotations

import argparse
from math import isfinite

from surgiplan_desktop.app.describe_measures import leg_data, leg_lines
from surgiplan_desktop.app.measure_side import measure_side
from surgiplan_desktop.app.typed_points import check_landmark_point
from surgiplan_desktop.base.errors import UsageError
from surgiplan_desktop.cli.command import Command, Outcome
from surgiplan_desktop.cli.console import Console
from surgiplan_desktop.cli.session import add_case_argument, open_for_command
from surgiplan_desktop.model.anatomy import LANDMARKS, Side
from surgiplan_desktop.model.edits import place_landmark


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    add_case_argument(parser)
    parser.add_argument("side", metavar="SIDE", choices=[side.value for side in Side], help="left or right")
    parser.add_argument("landmark", metavar="ID", help="landmark id, such as hip_centre")
    # as text, so that a wrong number is told as such; "-83.2" is a number and no option, since no option begins with a digit
    for axis in ("x", "y", "z"):
        parser.add_argument(axis, metavar=axis.upper(), help=f"{axis} in mm, patient space (LPS)")


def _coordinate(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not isfinite(value):
        raise UsageError("bad_coordinate", value=text)
    return value


def _run(arguments: argparse.Namespace, console: Console) -> Outcome:
    side = Side(arguments.side)
    if arguments.landmark not in LANDMARKS:
        raise UsageError("unknown_landmark", landmark=arguments.landmark, known=" ".join(LANDMARKS))
    point = (_coordinate(arguments.x), _coordinate(arguments.y), _coordinate(arguments.z))
    with open_for_command(console, arguments.case) as session:
        if side not in session.case.sides:
            known = ", ".join(item.value for item in session.case.sides) or "none"
            raise UsageError("no_such_leg", file=arguments.case, side=side.value, known=known)
        check_landmark_point(session, side, arguments.landmark, point, progress=console)
        session.apply(f"landmark {arguments.landmark}", lambda case: place_landmark(case, side, arguments.landmark, point))
        leg = measure_side(session, side, progress=console)
        shown = (leg.landmarks, leg.measures, console.texts, leg.frames, leg.spreads)
        data = {"legs": [leg_data(*shown)], "files": [str(arguments.case.resolve())]}
        lines = tuple(leg_lines(*shown))
    return Outcome(data, lines)


COMMAND = Command(
    name="landmark",
    summary="Place a landmark by hand; it wins over the automatic one from then on.",
    example="surgiplan landmark case.surgiplan right hip_centre -83.2 -12.5 412.0",
    add_arguments=_add_arguments,
    run=_run,
)
