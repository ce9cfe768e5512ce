"""``surgiplan plan TYPE CASE``: an osteotomy step, solved and described."""

from __future__ import annotations

import argparse

import numpy as np

from surgiplan_desktop.app.describe_plan import plan_data, plan_lines
from surgiplan_desktop.app.plan_steps import LATER_TYPES, chosen_side, parse_target, put_osteotomy, put_standing
from surgiplan_desktop.app.session import Session
from surgiplan_desktop.app.typed_alignment import parse_standing_hka, parse_standing_jlca
from surgiplan_desktop.app.typed_points import check_cut_point
from surgiplan_desktop.base.errors import InputDataError, UsageError
from surgiplan_desktop.cli.command import Command, Outcome
from surgiplan_desktop.cli.console import Console
from surgiplan_desktop.cli.numbers import number
from surgiplan_desktop.cli.session import add_case_argument, open_for_command
from surgiplan_desktop.model.anatomy import Side
from surgiplan_desktop.model.steps import Vector
from surgiplan_desktop.planning.graph import frames_key, osteotomy_key, pieces_key, wedge_key
from surgiplan_desktop.planning.osteotomy_site import parameters_from_points

_PLAN_CHECK_FAILED = 4
#: Joint line angles that a knee can have, degrees.
_JLCA = (-15.0, 25.0)


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("type", metavar="TYPE", help="mowhto: medial opening-wedge high tibial osteotomy")
    add_case_argument(parser)
    parser.add_argument("--side", choices=[side.value for side in Side], help="needed when the case has two legs")
    parser.add_argument(
        "--target",
        default="wbl=55",
        help="wbl=55 (percent from medial; default), hka=182, hka=2valgus, mpta=90 or angle=8",
    )
    parser.add_argument("--pose", choices=["ct", "standing"], default="ct", help="pose of the leg before the correction")
    parser.add_argument(
        "--post-jlca", metavar="DEG", type=number, help="JLCA after the operation (default: that of the pose, at most 2)"
    )
    parser.add_argument("--standing-hka", metavar="VALUE", help="HKA standing, with its word: 5varus, 2valgus, straight")
    parser.add_argument("--standing-jlca", metavar="VALUE", help="JLCA standing: 3 or 3lateral (opens laterally), 2medial")
    parser.add_argument("--start", nargs=3, type=number, metavar=("X", "Y", "Z"), help="start point, LPS mm (else as proposed)")
    parser.add_argument("--hinge", nargs=3, type=number, metavar=("X", "Y", "Z"), help="hinge point, LPS mm (else as proposed)")
    parser.add_argument("--step", metavar="ID", help="change this step instead of adding one")


def _run(arguments: argparse.Namespace, console: Console) -> Outcome:
    if arguments.type != "mowhto":
        if arguments.type in LATER_TYPES:
            raise UsageError("not_in_this_version", command=f"plan {arguments.type}")
        raise UsageError("osteotomy_type_unknown", type=arguments.type)
    target = parse_target(arguments.target)
    post_jlca = arguments.post_jlca
    if post_jlca is not None and not _JLCA[0] <= post_jlca <= _JLCA[1]:
        raise UsageError("option_range", option="--post-jlca", value=post_jlca, low=_JLCA[0], high=_JLCA[1])
    standing_hka = None if arguments.standing_hka is None else parse_standing_hka(arguments.standing_hka)
    standing_jlca = None if arguments.standing_jlca is None else parse_standing_jlca(arguments.standing_jlca)
    with open_for_command(console, arguments.case) as session:
        side = chosen_side(session.case, None if arguments.side is None else Side(arguments.side))
        put_standing(session, standing_hka, standing_jlca)
        step = put_osteotomy(
            session,
            side,
            target,
            pose=arguments.pose,
            post_jlca_deg=post_jlca,
            start_tibia=_tibial(session, side, arguments.start, "--start", console),
            hinge_tibia=_tibial(session, side, arguments.hinge, "--hinge", console),
            step_id=arguments.step,
        )
        plan, wedge, _ = session.require(osteotomy_key(step.id), wedge_key(step.id), pieces_key(step.id), progress=console)
    data = plan_data(plan, wedge, console.texts)
    failed = any(item.severity == "fail" for item in (*plan.findings, *wedge.findings))
    lines = tuple(plan_lines(plan, wedge, console.texts))
    return Outcome({**data, "files": [str(arguments.case.resolve())]}, lines, _PLAN_CHECK_FAILED if failed else 0)


def _tibial(session: Session, side: Side, point: list[float] | None, option: str, console: Console) -> Vector | None:
    """Return a typed LPS point in the tibial frame."""
    if point is None:
        return None
    (frames,) = session.require(frames_key(side), progress=console)
    if frames.tibia is None:
        raise InputDataError("site_landmark_missing", landmark="ankle_centre")
    x, y, z = point
    check_cut_point(session, side, (x, y, z), option, progress=console)
    position = np.array(point)
    return parameters_from_points(frames.tibia, position, position, frames.tibia.x)[0]


COMMAND = Command(
    name="plan",
    summary="Plans an osteotomy: solves the angle for a target and says what it changes, where to cut and how far to open.",
    example="surgiplan plan mowhto case.surgiplan --side right --target wbl=55",
    add_arguments=_add_arguments,
    run=_run,
)
