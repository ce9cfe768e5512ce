"""What a command of the command line is made of."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass

from surgiplan_desktop.cli.console import Console


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a command gives back: the one JSON object of ``--json``, the lines for a person, and the exit code.

    ``exit_code`` 4 says that the work was done and a plan check failed (the JSON is printed all the same).
    """

    data: dict[str, object]
    lines: tuple[str, ...] = ()
    exit_code: int = 0


@dataclass(frozen=True, slots=True)
class Command:
    """A command: its name, one line of help, an example, its arguments and its work.

    ``run(arguments, console)`` does the work with ``console.progress`` and raises SurgiPlanError for the user's mistakes.
    """

    name: str
    summary: str
    example: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace, Console], Outcome]
