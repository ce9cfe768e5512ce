"""``surgiplan guide CASE``: build and check the guide of an osteotomy."""

from __future__ import annotations

import argparse

from surgiplan_desktop.app.build_guide import describe_guide, guide_of, osteotomy_step, put_guide
from surgiplan_desktop.base.errors import UsageError
from surgiplan_desktop.cli.command import Command, Outcome
from surgiplan_desktop.cli.console import Console
from surgiplan_desktop.cli.numbers import number
from surgiplan_desktop.cli.session import add_case_argument, open_for_command

_PLAN_CHECK_FAILED = 4
#: Options in mm with the range that makes sense (clinical.md D).
_OPTIONS = {
    "clearance": ("clearance_mm", 0.05, 1.0, "gap between guide and bone"),
    "wall": ("wall_mm", 1.5, 8.0, "thickness of the shell"),
    "pin": ("pin_diameter_mm", 1.2, 4.0, "diameter of the guide pins"),
}


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    add_case_argument(parser)
    parser.add_argument(
        "--step", metavar="ID", help="the osteotomy to build for, such as mowhto-1 (needed when there are several)"
    )
    for name, (_, low, high, text) in _OPTIONS.items():
        parser.add_argument(f"--{name}", metavar="MM", type=number, help=f"{text}, {low:g} to {high:g} mm")
    parser.add_argument("--revision", metavar="N", type=int, help="revision on the label")


def _run(arguments: argparse.Namespace, console: Console) -> Outcome:
    values: dict[str, float] = {}
    for name, (parameter, low, high, _) in _OPTIONS.items():
        value = getattr(arguments, name)
        if value is None:
            continue
        if not low <= value <= high:
            raise UsageError("guide_option", option=f"--{name}", value=value, low=low, high=high)
        values[parameter] = value
    if arguments.revision is not None:
        if not 1 <= arguments.revision <= 99:
            raise UsageError("guide_option", option="--revision", value=arguments.revision, low=1, high=99)
        values["revision"] = arguments.revision
    with open_for_command(console, arguments.case) as session:
        step = put_guide(session, osteotomy_step(session, arguments.step), **values)
        guide = guide_of(session, step, progress=console)
        data = describe_guide(session, guide, console.texts)
    failed = any(check.status == "fail" for check in guide.checks)
    lines = [console.texts.text("ui.guide_built", step=guide.step, side=guide.side.value, label=" · ".join(guide.label))]
    lines += [f"  {check.status:<4}  {console.texts.check(check)}" for check in guide.checks]
    return Outcome({**data, "files": [str(arguments.case.resolve())]}, tuple(lines), _PLAN_CHECK_FAILED if failed else 0)


COMMAND = Command(
    name="guide",
    summary="Builds the cutting and drilling guide of an osteotomy and checks it.",
    example="surgiplan guide case.surgiplan --step mowhto-1",
    add_arguments=_add_arguments,
    run=_run,
)
