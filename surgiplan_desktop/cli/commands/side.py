"""``surgiplan side CASE``: what the four witnesses of side say, and the word of a named person where they contradict."""

from __future__ import annotations

import argparse

from surgiplan_desktop.app.describe_side import hearing_data, hearing_lines, resolution_data
from surgiplan_desktop.app.resolve_side import hear_sides, resolve_side
from surgiplan_desktop.base.errors import UsageError
from surgiplan_desktop.cli.command import Command, Outcome
from surgiplan_desktop.cli.console import Console
from surgiplan_desktop.cli.session import add_case_argument, open_for_command
from surgiplan_desktop.model.anatomy import Side


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    add_case_argument(parser)
    parser.add_argument("--resolve", metavar="SIDE", choices=[side.value for side in Side], help="the side that holds")
    parser.add_argument("--as", dest="person", metavar="NAME", help="who resolves the contradiction")
    parser.add_argument("--reason", metavar="TEXT", help="why that side holds")


def _run(arguments: argparse.Namespace, console: Console) -> Outcome:
    wanted = None if arguments.resolve is None else Side(arguments.resolve)
    if wanted is None and (arguments.person or arguments.reason):
        raise UsageError("side_resolve_missing")
    with open_for_command(console, arguments.case) as session:
        if wanted is not None:
            resolve_side(session, wanted, arguments.person or "", arguments.reason or "", progress=console)
        heard = hear_sides(session, progress=console)
        case = session.case
    data: dict[str, object] = {
        "requested": None if case.intake.side is None else case.intake.side.value,
        "sides": [hearing_data(item, console.texts) for item in heard],
        "resolutions": [resolution_data(item) for item in case.side_resolutions],
        "files": [str(arguments.case.expanduser().resolve())],
    }
    lines = [line for item in heard for line in hearing_lines(item, console.texts)]
    blocked = any(item.open for item in heard)
    return Outcome(data, tuple(lines) or (console.texts.text("ui.side_unknown"),), PLAN_CHECK if blocked else 0)


#: Exit code of the contract: the work was done, a check of the plan fails.
PLAN_CHECK = 4

COMMAND = Command(
    name="side",
    summary="What request, tags, position and bones say of the side; a contradiction is resolved by a named person.",
    example="surgiplan side case.surgiplan --resolve right --as 'Dr A. Yilmaz' --reason 'tag mistyped, confirmed with the ward'",
    add_arguments=_add_arguments,
    run=_run,
)
