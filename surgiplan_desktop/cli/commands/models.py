"""``surgiplan models [list / info NAME / check DIR]``: model packs, what they are and what really runs them."""

from __future__ import annotations

import argparse
from pathlib import Path

from surgiplan_desktop.app.models import (
    check_model,
    list_models,
    model_info,
    pack_data,
    pack_lines,
    problem_data,
    trial_data,
    trial_lines,
)
from surgiplan_desktop.base.errors import InputDataError, UsageError
from surgiplan_desktop.cli.command import Command, Outcome
from surgiplan_desktop.cli.console import Console


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", nargs="?", choices=("list", "info", "check"), default="list")
    parser.add_argument("target", nargs="?", metavar="NAME / DIR", help="name of a model for info, folder of a pack for check")
    parser.add_argument(
        "--device", choices=("auto", "cpu", "cuda", "tensorrt", "gpu"), default="auto", help="what shall run it (info, check)"
    )


def _run(arguments: argparse.Namespace, console: Console) -> Outcome:
    if (arguments.target is None) != (arguments.action == "list"):
        raise UsageError("models_target", action=arguments.action)
    return {"list": _list, "info": _info, "check": _check}[arguments.action](arguments, console)


def _list(_: argparse.Namespace, console: Console) -> Outcome:
    packs, problems = list_models()
    texts = console.texts
    lines = [f"{pack.name} {pack.version}  {pack.licence}  {pack.intended_use}" for pack in packs]
    told = [texts.error(problem)[0] for problem in problems]
    for line in told:
        console.say(line)
    data: dict[str, object] = {
        "models": [pack_data(pack) for pack in packs],
        "problems": [problem_data(problem, texts) for problem in problems],
        "files": [],
    }
    return Outcome(data, tuple(lines) or (texts.text("ui.models_none"),))


def _info(arguments: argparse.Namespace, console: Console) -> Outcome:
    pack, trials = model_info(arguments.target, wish=arguments.device, progress=console)
    data: dict[str, object] = {
        **pack_data(pack),
        "providers": [trial_data(trial, console.texts) for trial in trials],
        "files": [],
    }
    lines = [*pack_lines(pack, console.texts), *(line for trial in trials for line in trial_lines(trial, console.texts))]
    return Outcome(data, tuple(lines))


def _check(arguments: argparse.Namespace, console: Console) -> Outcome:
    folder = Path(arguments.target).expanduser().resolve()
    if not folder.is_dir():
        raise UsageError("models_no_folder", file=folder)
    report = check_model(folder, wish=arguments.device, progress=console)
    texts = console.texts
    data: dict[str, object] = {
        "valid": report.valid,
        "model": None if report.pack is None else pack_data(report.pack),
        "problems": [problem_data(problem, texts) for problem in report.problems],
        "providers": [trial_data(trial, texts) for trial in report.trials],
        "files": [],
    }
    lines = [
        *(() if report.pack is None else pack_lines(report.pack, texts)),
        *(line for trial in report.trials for line in trial_lines(trial, texts)),
        *(texts.error(problem)[0] for problem in report.problems),
        texts.text("ui.model_valid" if report.valid else "ui.model_not_valid"),
    ]
    return Outcome(data, tuple(lines), 0 if report.valid else InputDataError.exit_code)


COMMAND = Command(
    "models",
    "Model packs: labels, licence, hash, intended use, and what really runs them on this machine.",
    "surgiplan models info leg-ct --json",
    _add_arguments,
    _run,
)
