"""``surgiplan implant CASE``: place and size a component of a catalogue."""

from __future__ import annotations

import argparse

from surgiplan_desktop.app.describe_plan import implant_data, implant_lines
from surgiplan_desktop.app.plan_steps import chosen_side, find_component, put_implant
from surgiplan_desktop.base.errors import UsageError
from surgiplan_desktop.base.paths import catalogue_roots
from surgiplan_desktop.cli.command import Command, Outcome
from surgiplan_desktop.cli.console import Console
from surgiplan_desktop.cli.session import add_case_argument, open_for_command
from surgiplan_desktop.files.catalogues import load_catalogues
from surgiplan_desktop.model.anatomy import Side
from surgiplan_desktop.planning.graph import implant_key

_PLAN_CHECK_FAILED = 4


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    add_case_argument(parser)
    parser.add_argument("--side", choices=[side.value for side in Side], help="needed when the case has two legs")
    parser.add_argument("--catalogue", default="generic", metavar="NAME", help="implant catalogue (default generic)")
    parser.add_argument("--component", default="tray", metavar="NAME", help="tray, plate or the id of a component")
    parser.add_argument("--size", default="auto", metavar="ID", help="a size of the family, or auto for the proposed one")
    parser.add_argument("--step", metavar="ID", help="an implant step to change, or the osteotomy that a plate holds open")


def _run(arguments: argparse.Namespace, console: Console) -> Outcome:
    catalogues = load_catalogues(catalogue_roots())
    if arguments.catalogue not in catalogues:
        raise UsageError("catalogue_unknown", catalogue=arguments.catalogue, known=", ".join(sorted(catalogues)))
    catalogue = catalogues[arguments.catalogue]
    component = find_component(catalogue, arguments.component)
    with open_for_command(console, arguments.case) as session:
        side = chosen_side(session.case, None if arguments.side is None else Side(arguments.side))
        size = None if arguments.size == "auto" else arguments.size
        step = put_implant(session, side, catalogue, component, size=size, step_id=arguments.step)
        (placement,) = session.require(implant_key(step.id), progress=console)
    data = implant_data(placement, catalogue.name, console.texts)
    failed = any(item.severity == "fail" for item in placement.findings)
    lines = tuple(implant_lines(placement, console.texts))
    return Outcome({**data, "files": [str(arguments.case.resolve())]}, lines, _PLAN_CHECK_FAILED if failed else 0)


COMMAND = Command(
    name="implant",
    summary="Places a tray on the cut tibia, its size proposed by overhang, or a plate with its screws on the opened one.",
    example="surgiplan implant case.surgiplan --side right --catalogue generic --size auto",
    add_arguments=_add_arguments,
    run=_run,
)
