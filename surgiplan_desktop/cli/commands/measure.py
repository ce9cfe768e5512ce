"""``surgiplan measure CASE``: landmarks and measures of every leg of a case."""

from __future__ import annotations

import argparse

from surgiplan_desktop.app.describe_cora import cora_data, cora_lines
from surgiplan_desktop.app.describe_measures import leg_data, leg_lines
from surgiplan_desktop.app.describe_quality import quality_data, quality_lines
from surgiplan_desktop.app.measure_side import measure_side
from surgiplan_desktop.base.errors import InputDataError
from surgiplan_desktop.cli.command import Command, Outcome
from surgiplan_desktop.cli.console import Console
from surgiplan_desktop.cli.session import add_case_argument, open_for_command
from surgiplan_desktop.planning.graph import leg_quality_key, scan_quality_key


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    add_case_argument(parser)
    parser.add_argument(
        "--frames",
        choices=["planning", "isb"],
        default="planning",
        help="bone frames that the planes are taken from; plans always use the planning variant (default)",
    )


def _run(arguments: argparse.Namespace, console: Console) -> Outcome:
    legs: list[dict[str, object]] = []
    lines: list[str] = []
    with open_for_command(console, arguments.case) as session:
        if not session.case.sides:
            raise InputDataError("no_bones_to_measure", file=arguments.case)
        for side in session.case.sides:
            leg = measure_side(session, side, variant=arguments.frames, progress=console)
            shown = (leg.landmarks, leg.measures, console.texts, leg.frames, leg.spreads)
            data = leg_data(*shown)
            lines.extend(leg_lines(*shown))
            data["cora"] = cora_data(leg.cora, console.texts)
            lines.extend(cora_lines(leg.cora, console.texts))
            data["scan_quality"] = None
            if leg_quality_key(side) in session.keys:
                quality = session.require(leg_quality_key(side), progress=console)[0]
                data["scan_quality"] = quality_data(quality, console.texts)
                lines.extend(f"  {line}" for line in quality_lines(quality, console.texts))
            legs.append(data)
        scan = session.require(scan_quality_key())[0] if scan_quality_key() in session.keys else None
    return Outcome({"legs": legs, "scan_quality": None if scan is None else quality_data(scan, console.texts)}, tuple(lines))


COMMAND = Command(
    name="measure",
    summary="Landmarks and measures of every leg, with definition, plane, uncertainty and normal range, or why not to be had.",
    example="surgiplan measure case.surgiplan --json",
    add_arguments=_add_arguments,
    run=_run,
)
