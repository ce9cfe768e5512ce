"""The command line: finds the command, runs it, turns errors into text and exit codes (docs: cli contract in docs/cli.md)."""

from __future__ import annotations

import argparse
import logging
import os
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module
from typing import Any, NoReturn

from surgiplan_desktop import __version__
from surgiplan_desktop.app.texts import Texts, load_texts
from surgiplan_desktop.base.errors import ComputationError, SurgiPlanError, UsageError
from surgiplan_desktop.base.paths import user_log_folder
from surgiplan_desktop.base.progress import Cancelled
from surgiplan_desktop.cli.command import Command, Outcome
from surgiplan_desktop.cli.console import Console
from surgiplan_desktop.cli.numbers import NEGATIVE
from surgiplan_desktop.cli.session import CASE_SUFFIX

#: Commands in the order of the help; each is a module of ``cli.commands`` with a ``COMMAND``, imported only when it is named.
COMMANDS: dict[str, str] = {
    "gui": "open the window",
    "demo": "the main job on the embedded phantom: from DICOM to the guide's STL and the report",
    "phantom": "write a procedural leg with known angles as DICOM, labels, meshes and truth",
    "scan": "what is in a folder, zip or file",
    "import": "a scan into a new case",
    "import-meshes": "bones that others segmented into a new case",
    "models": "model packs: labels, licence, hash, intended use, what really runs them",
    "segment": "find the bones",
    "measure": "landmarks and measures",
    "landmark": "place a landmark by hand",
    "film": "points on a standing film, its measures beside the CT, where the deformity is",
    "side": "what the witnesses say of the side, and who resolves a contradiction",
    "plan": "an osteotomy step",
    "implant": "place and size a component",
    "guide": "build and check the guide",
    "export": "files for printer and archive, with a sidecar",
    "report": "the plan on paper (PDF)",
    "evaluate": "a result against a reference: Dice, HD95, ASSD, NSD, volumes",
    "protocol": "the scan protocol for the radiology department (PDF; English, German, Turkish)",
    "accept": "the site acceptance test: simulated legs of known truth through the whole program",
    "deidentify": "a copy of a study without the person",
    "doctor": "what works on this machine, measured",
}
#: In the contract, not in this version: they say so and exit with 2.
NOT_YET = ("approve", "audit", "wipe", "usage", "review")
CANCELLED_EXIT_CODE = 130
#: Commands whose name is a word of Python.
_MODULES = {"import": "import_"}


class _Parser(argparse.ArgumentParser):
    """Raises instead of exiting, so that ``--json`` answers wrong usage in JSON too."""

    def __init__(self, **settings: Any) -> None:
        # abbreviated options would change their meaning when an option is added
        super().__init__(allow_abbrev=False, **settings)
        self._negative_number_matcher = NEGATIVE

    def error(self, message: str) -> NoReturn:
        raise UsageError("usage", detail=message, message=message, command=self.prog)


def command_named(name: str) -> Command:
    """Import and return a command."""
    module = import_module(f"surgiplan_desktop.cli.commands.{_MODULES.get(name, name.replace('-', '_'))}")
    command: Command = module.COMMAND
    return command


def _parser_of(command: Command) -> _Parser:
    parser = _Parser(
        prog=f"surgiplan {command.name}",
        description=command.summary,
        epilog=f"example:\n  {command.example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_arguments(parser)
    parser.add_argument("--json", action="store_true", help="write exactly one JSON object to standard output")
    parser.add_argument("--quiet", action="store_true", help="no progress and no notices")
    return parser


def _overview() -> str:
    width = max(map(len, COMMANDS))
    rows = "\n".join(f"  {name:<{width}}  {summary}" for name, summary in COMMANDS.items())
    return (
        "usage: surgiplan [COMMAND] [--help] [--version]\n\n"
        "Planning of bone surgery from CT, offline. RESEARCH USE ONLY.\n"
        "Without a command the window opens.\n\n"
        f"commands:\n{rows}\n\n'surgiplan COMMAND --help' shows the options and an example.\n"
    )


def run(arguments: Sequence[str]) -> int:
    """Run the command line and return the exit code (0 done, 2 usage, 3 input, 4 plan check, 5 computation, 130 cancelled)."""
    texts = load_texts("en")
    json_wanted = "--json" in arguments
    console = Console(texts, quiet="--quiet" in arguments)
    if arguments and arguments[0] in ("-h", "--help", "help"):
        console.print(_overview())
        return 0
    if arguments and arguments[0] == "--version":
        console.print(f"surgiplan {__version__}")
        return 0
    name, rest = (arguments[0], list(arguments[1:])) if arguments else ("gui", [])
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    try:
        if name in NOT_YET:
            raise UsageError("not_in_this_version", command=name)
        if name not in COMMANDS:
            if name.endswith(CASE_SUFFIX):
                raise UsageError("command_is_case", command=name)
            raise UsageError("unknown_command", command=name)
        command = command_named(name)
        options = _parser_of(command).parse_args(rest)
        outcome = command.run(options, console)
    except SurgiPlanError as error:
        _report(error, texts, console, json_wanted)
        return error.exit_code
    except (Cancelled, KeyboardInterrupt):
        _report(UsageError("cancelled"), texts, console, json_wanted)
        return CANCELLED_EXIT_CODE
    except BrokenPipeError:
        return _reader_gone()
    except Exception as error:  # noqa: BLE001 - the last place: a fault of the program is told and logged, never a bare trace
        told = _told(error, name)
        _report(told, texts, console, json_wanted)
        return told.exit_code
    try:
        _print(outcome, console, json_wanted)
    except BrokenPipeError:
        return _reader_gone()
    return outcome.exit_code


def _print(outcome: Outcome, console: Console, json_wanted: bool) -> None:
    if json_wanted:
        console.print_json(outcome.data)
    else:
        for line in outcome.lines:
            console.print(line)
    console.flush()


def _reader_gone() -> int:
    """End without a word when who reads our output has left, as ``head`` does after ten lines."""
    # the interpreter flushes once more when it leaves: let that go nowhere
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _told(error: Exception, command: str) -> SurgiPlanError:
    """Return what to tell of an error that no layer foresaw: one of paths and disks by its file, any other as our fault."""
    if isinstance(error, OSError) and error.strerror and error.filename is not None:
        return UsageError("system_refused", file=str(error.filename), reason=error.strerror)
    return ComputationError("unexpected_in_command", kind=type(error).__name__, log=_logged(command))


def _logged(command: str) -> str:
    """Append the fault being handled to the log in the user's folder; return the log's path, or why there is none."""
    path = user_log_folder() / "command.log"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as stream:
            stream.write(f"surgiplan {__version__} {command}\n{traceback.format_exc()}\n")
    except OSError as error:
        return f"{path} ({error.strerror})"
    return str(path)


def _report(error: SurgiPlanError, texts: Texts, console: Console, json_wanted: bool) -> None:
    text, hint = texts.error(error)
    if json_wanted:
        console.print_json({"error": {"id": error.message_id, "text": text, "hint": hint, "file": error.file}})
    where = f"{error.file}: " if error.file and error.file not in text else ""
    console.complain(f"error: {where}{text}" + (f"\n  {hint}" if hint else ""))
