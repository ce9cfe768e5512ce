"""``surgiplan doctor``: what works on this machine."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from surgiplan_desktop import __version__
from surgiplan_desktop.app.doctor import Trial, examine
from surgiplan_desktop.cli.command import Command, Outcome
from surgiplan_desktop.cli.console import Console

_MARKS = {"ok": "ok  ", "warn": "warn", "fail": "FAIL"}


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    """No arguments of its own."""


def _line(trial: Trial, console: Console) -> str:
    value = f"{trial.value:g}" if isinstance(trial.value, float) else trial.value
    name = console.texts.text(f"ui.doctor_{trial.id}")
    detail = f"  ({trial.detail})" if trial.detail else ""
    return f"{_MARKS[trial.status]}  {name:<28} {value} {trial.unit}{detail}".rstrip()


def _run(_: argparse.Namespace, console: Console) -> Outcome:
    trials = examine(progress=console)
    data: dict[str, object] = {"version": __version__, "checks": [asdict(trial) for trial in trials], "files": []}
    lines = [f"SurgiPlan Desktop {__version__}: RESEARCH USE ONLY", *(_line(trial, console) for trial in trials)]
    return Outcome(data, tuple(lines), 0)


COMMAND = Command(
    "doctor",
    "What works on this machine: graphics, inference, disk, worker process; each tried and measured.",
    "surgiplan doctor --json",
    _add_arguments,
    _run,
)
