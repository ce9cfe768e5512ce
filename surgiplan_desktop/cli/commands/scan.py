"""``surgiplan scan PATH``: what is in a folder, zip, DICOMDIR or file."""

from __future__ import annotations

import argparse
from pathlib import Path

from surgiplan_desktop.app.describe_film import picture_data, picture_lines
from surgiplan_desktop.app.describe_scan import scan_data, scan_lines, volume_file_data, volume_file_lines
from surgiplan_desktop.app.import_study import nothing_found, scan
from surgiplan_desktop.base.errors import UsageError
from surgiplan_desktop.cli.command import Command, Outcome
from surgiplan_desktop.cli.console import Console
from surgiplan_desktop.cli.session import CASE_SUFFIX
from surgiplan_desktop.imaging.films import is_picture
from surgiplan_desktop.imaging.volume_files import volume_kind


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("path", metavar="PATH", type=Path, help="folder, zip, DICOMDIR or single file")


def _run(arguments: argparse.Namespace, console: Console) -> Outcome:
    path: Path = arguments.path
    if path.is_file() and volume_kind(path) is not None:
        return Outcome(volume_file_data(path, console.texts), volume_file_lines(path, console.texts))
    if path.is_file() and is_picture(path):
        return Outcome(picture_data(path, console.texts), picture_lines(path, console.texts))
    if path.suffix == CASE_SUFFIX and path.is_file():
        raise UsageError("scan_is_case", file=path)
    result = scan(path, progress=console)
    data = scan_data(result, console.texts)
    lines = scan_lines(result, console.texts)
    nothing = nothing_found(result)
    if nothing is None:
        return Outcome(data, lines)
    text, hint = console.texts.error(nothing)
    console.complain(f"error: {nothing.file}: {text}\n  {hint}")
    data["error"] = {"id": nothing.message_id, "text": text, "hint": hint, "file": nothing.file}
    return Outcome(data, lines, nothing.exit_code)


COMMAND = Command(
    name="scan",
    summary="What is in a folder, zip, DICOMDIR or file: series with geometry, findings and verdict.",
    example="surgiplan scan /media/cdrom --json",
    add_arguments=_add_arguments,
    run=_run,
)
