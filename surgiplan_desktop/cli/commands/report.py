"""``surgiplan report CASE -o FILE.pdf``: the plan on paper."""

from __future__ import annotations

import argparse
from pathlib import Path

from surgiplan_desktop.app.make_report import write_report
from surgiplan_desktop.cli.command import Command, Outcome
from surgiplan_desktop.cli.console import Console
from surgiplan_desktop.cli.session import add_case_argument, add_force_argument, check_output_file, open_for_command


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    add_case_argument(parser)
    parser.add_argument("--step", metavar="ID", help="the osteotomy to report, such as mowhto-1 (needed when there are several)")
    parser.add_argument("-o", "--output", metavar="FILE.pdf", type=Path, required=True, help="the PDF to be made")
    add_force_argument(parser)


def _run(arguments: argparse.Namespace, console: Console) -> Outcome:
    output = check_output_file(arguments.output, arguments.force, source=arguments.case)
    with open_for_command(console, arguments.case) as session:
        path = write_report(session, output, step_id=arguments.step, force=arguments.force, progress=console)
        code = session.case.code
    return Outcome({"case": code, "files": [str(path)]}, (str(path),))


COMMAND = Command(
    name="report",
    summary="The plan on one sheet of paper (PDF): pictures, before and after, gaps, depths, guide checks, findings.",
    example="surgiplan report case.surgiplan -o plan.pdf",
    add_arguments=_add_arguments,
    run=_run,
)
