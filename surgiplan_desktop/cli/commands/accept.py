"""``surgiplan accept``: the site acceptance test on simulated legs of known truth."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from pathlib import Path

from surgiplan_desktop.app.acceptance import acceptance_legs, run_acceptance
from surgiplan_desktop.app.describe_acceptance import acceptance_data, acceptance_lines, acceptance_sheet
from surgiplan_desktop.cli.command import Command, Outcome
from surgiplan_desktop.cli.console import Console
from surgiplan_desktop.cli.session import add_force_argument, check_output_file
from surgiplan_desktop.files.acceptance_sheet import write_acceptance_pdf

_FAILED = 4


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-o", "--output", metavar="FILE.pdf", type=Path, help="default: surgiplan-acceptance-<time>.pdf in this folder"
    )
    parser.add_argument("--legs", type=int, default=2, metavar="N", help="default 2, one of each side; each takes about 1 minute")
    add_force_argument(parser)


def _run(arguments: argparse.Namespace, console: Console) -> Outcome:
    legs = acceptance_legs(arguments.legs)
    now = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    target = check_output_file(arguments.output or Path(f"surgiplan-acceptance-{now}.pdf"), arguments.force)
    result = run_acceptance(legs, progress=console)
    write_acceptance_pdf(target, acceptance_sheet(result, console.texts))
    data = {**acceptance_data(result), "files": [str(target)]}
    lines = (*acceptance_lines(result, console.texts), str(target))
    return Outcome(data, lines, 0 if result.passed else _FAILED)


COMMAND = Command(
    "accept",
    "Site acceptance test: simulated legs of known truth through the whole program, compared, with a PDF. RESEARCH USE ONLY.",
    "surgiplan accept -o acceptance.pdf",
    _add_arguments,
    _run,
)
