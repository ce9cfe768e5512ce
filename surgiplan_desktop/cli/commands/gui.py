"""``surgiplan gui``: the window."""

from __future__ import annotations

import argparse
import os
import sys
from importlib import import_module
from pathlib import Path

from surgiplan_desktop.base.errors import ComputationError, InputDataError
from surgiplan_desktop.cli.command import Command, Outcome
from surgiplan_desktop.cli.console import Console


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("case", nargs="?", type=Path, metavar="CASE", help="a .surgiplan file to open")


def _run(options: argparse.Namespace, console: Console) -> Outcome:  # noqa: ARG001 - the window speaks for itself
    if options.case is not None and not options.case.is_file():
        raise InputDataError("case_not_found", file=options.case)
    wanted = os.environ.get("QT_QPA_PLATFORM", "")
    if sys.platform == "linux" and not wanted and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        raise ComputationError("no_display")
    # By name: cli and gui are siblings that do not import each other; Qt is loaded only when the window is wanted.
    application = import_module("surgiplan_desktop.gui.application")
    code = application.run(options.case)
    return Outcome({"exit_code": code}, exit_code=code)


COMMAND = Command("gui", "open the window", "surgiplan gui case.surgiplan", _add_arguments, _run)
