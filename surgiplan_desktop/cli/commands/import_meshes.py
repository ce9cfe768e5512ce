"""``surgiplan import-meshes --side S --tibia FILE ... -o CASE``: bones that others segmented into a new case."""

from __future__ import annotations

import argparse
from pathlib import Path

from surgiplan_desktop.app.import_meshes import put_in_case, read_bones
from surgiplan_desktop.base.errors import UsageError
from surgiplan_desktop.base.units import MM_PER_UNIT
from surgiplan_desktop.cli.command import Command, Outcome
from surgiplan_desktop.cli.console import Console
from surgiplan_desktop.cli.session import add_force_argument, check_case_output, new_for_command
from surgiplan_desktop.model.anatomy import BoneName, Side
from surgiplan_desktop.planning.imported_bone import length_mm

_BONES = (BoneName.FEMUR, BoneName.TIBIA, BoneName.FIBULA, BoneName.PATELLA)
#: In the contract of the command line, not in this version.
_LATER = ("pelvis", "sacrum")


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--side", choices=[side.value for side in Side], required=True, help="side of the bones")
    for bone in _BONES:
        parser.add_argument(f"--{bone}", metavar="FILE", type=Path, help=f"{bone} (STL, PLY, OBJ)")
    for name in _LATER:
        parser.add_argument(f"--{name}", metavar="FILE", type=Path, help="not in this version")
    parser.add_argument("--space", choices=["lps", "ras"], default="lps", help="space of the coordinates (default: lps)")
    parser.add_argument("--unit", choices=list(MM_PER_UNIT), default="mm", help="unit of the coordinates (default: mm)")
    parser.add_argument("--procedure", metavar="NAME", help="the operation, from the request")
    parser.add_argument("-o", "--output", metavar="CASE", type=Path, required=True, help="the case file to be made")
    add_force_argument(parser)


def _run(arguments: argparse.Namespace, console: Console) -> Outcome:
    side = Side(arguments.side)
    options = vars(arguments)
    for name in _LATER:
        if options[name] is not None:
            raise UsageError("bone_not_in_this_version", file=options[name], bone=name)
    files = {bone: options[bone.value] for bone in _BONES if options[bone.value] is not None}
    output = check_case_output(arguments.output, arguments.force)
    read = read_bones(side, files, space=arguments.space, unit=arguments.unit, progress=console)
    with new_for_command(console, arguments.output, arguments.force) as session:
        done = put_in_case(session, read, space=arguments.space, unit=arguments.unit, procedure=arguments.procedure)
    data: dict[str, object] = {
        "case": str(output),
        "code": done.code,
        "side": side,
        "bones": [
            {
                "id": str(item.bone),
                "file": item.file_name,
                "triangles": len(item.mesh.faces),
                "length_mm": length_mm(item.mesh.vertices),
            }
            for item in read
        ],
        "findings": [
            {"code": item.code, "severity": item.severity, "text": console.texts.finding(item)} for item in done.findings
        ],
        "files": [str(output)],
    }
    lines = [
        console.texts.text(
            "ui.import_bone", bone=str(item.bone), faces=len(item.mesh.faces), length=length_mm(item.mesh.vertices)
        )
        for item in read
    ]
    lines += [f"{item.code}: {console.texts.finding(item)}" for item in done.findings]
    return Outcome(data, tuple(lines))


COMMAND = Command(
    name="import-meshes",
    summary="Bones that others segmented (STL, PLY, OBJ) into a new case.",
    example="surgiplan import-meshes --side right --tibia tibia.stl --fibula fibula.stl --space ras -o case.surgiplan",
    add_arguments=_add_arguments,
    run=_run,
)
