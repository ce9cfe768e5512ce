"""``surgiplan protocol -o FILE.pdf``: the scan protocol for the radiology department, one printed page."""

from __future__ import annotations

import argparse
from pathlib import Path

from surgiplan_desktop.app.scan_protocol import LANGUAGES, write_scan_protocol
from surgiplan_desktop.cli.command import Command, Outcome
from surgiplan_desktop.cli.console import Console
from surgiplan_desktop.cli.session import add_force_argument, check_output_file


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-o", "--output", metavar="FILE.pdf", type=Path, required=True, help="the PDF to be made")
    parser.add_argument("--language", choices=LANGUAGES, default="en", help="default en")
    add_force_argument(parser)


def _run(arguments: argparse.Namespace, console: Console) -> Outcome:  # noqa: ARG001 - every command has this shape
    output = check_output_file(arguments.output, arguments.force)
    path = write_scan_protocol(output, arguments.language)
    return Outcome({"language": arguments.language, "files": [str(path)]}, (str(path),))


COMMAND = Command(
    name="protocol",
    summary="The scan protocol for the radiology department: one printed page in English, German or Turkish.",
    example="surgiplan protocol -o ct-protokoll.pdf --language de",
    add_arguments=_add_arguments,
    run=_run,
)
