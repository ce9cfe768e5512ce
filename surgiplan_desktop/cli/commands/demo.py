"""``surgiplan demo``: the main job on the embedded leg, planned against true values."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

from surgiplan_desktop.app.build_guide import describe_guide
from surgiplan_desktop.app.demo import DEMO_MEASURES, DemoResult, run_demo
from surgiplan_desktop.base.errors import UsageError
from surgiplan_desktop.cli.command import Command, Outcome
from surgiplan_desktop.cli.console import Console
from surgiplan_desktop.cli.session import add_force_argument, new_for_command

_PLAN_CHECK_FAILED = 4
_CASE_NAME = "demo.surgiplan"


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-o", "--output", required=True, metavar="DIR", type=Path, help="folder to write to")
    add_force_argument(parser)


def _run(arguments: argparse.Namespace, console: Console) -> Outcome:
    folder = _prepared(arguments.output, arguments.force)
    try:
        with new_for_command(console, folder / _CASE_NAME, arguments.force) as session:
            result = run_demo(session, folder, force=arguments.force, progress=console)
            guide = describe_guide(session, result.guide, console.texts)
    except BaseException:
        # cancelled or failed before anything was written: leave no empty folder behind
        if not any(folder.iterdir()):
            folder.rmdir()
        raise
    data: dict[str, object] = {
        "truth": dict(result.truth),
        "measured": dict(result.measured),
        "planned": dict(result.planned),
        "reached": dict(result.reached),
        "tray": {"size": result.tray.size, "proposed": result.tray.proposed_size},
        "guide": guide,
        "seconds": dict(result.seconds),
        "files": [str(path) for path in (*result.files, folder / _CASE_NAME)],
    }
    failed = any(check.status == "fail" for check in result.guide.checks)
    return Outcome(data, _lines(result, folder), _PLAN_CHECK_FAILED if failed else 0)


def _prepared(folder: Path, force: bool) -> Path:
    """Return the output folder, made; one with content needs ``--force``."""
    folder = folder.expanduser().resolve()
    try:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())) and not force:
            raise UsageError("output_exists", file=folder)
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError("output_not_writable", file=folder, reason=str(error.strerror or error)) from error
    return folder


def _lines(result: DemoResult, folder: Path) -> tuple[str, ...]:
    columns: dict[str, Mapping[str, float | None]] = {
        "true": result.truth,
        "measured": result.measured,
        "planned": result.planned,
        "reached": result.reached,
    }
    lines = ["RESEARCH USE ONLY", "", f"{'':<16}" + "".join(f"{name:>10}" for name in columns)]
    lines += [f"{name:<16}" + "".join(_cell(column.get(name)) for column in columns.values()) for name in DEMO_MEASURES]
    checks = [check.status for check in result.guide.checks]
    passed, looked_at, failed = (checks.count(status) for status in ("pass", "warn", "fail"))
    lines += [
        "",
        f"tray: size {result.tray.size}; guide: {passed} checks passed, {looked_at} to look at, {failed} failed",
        "seconds: " + ", ".join(f"{name} {value:.1f}" for name, value in result.seconds.items()),
        f"files in {folder}",
    ]
    return tuple(lines)


def _cell(value: float | None) -> str:
    return f"{'-':>10}" if value is None else f"{value:>10.2f}"


COMMAND = Command(
    "demo",
    "The main job on the embedded leg: DICOM, bones, measures, osteotomy, implants, guide, STL and report. RESEARCH USE ONLY.",
    "surgiplan demo -o out --json",
    _add_arguments,
    _run,
)
