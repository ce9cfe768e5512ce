"""``surgiplan import-meshes --side S --tibia FILE ... -o CASE``: bones that others segmented into a case."""

from __future__ import annotations

import argparse
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final

from surgiplan_desktop.app.import_meshes import MeshPreview, preview_meshes, put_in_case, require_consent, scan_volumes
from surgiplan_desktop.app.session import Session
from surgiplan_desktop.base.errors import UsageError
from surgiplan_desktop.base.units import MM_PER_UNIT
from surgiplan_desktop.cli.command import Command, Outcome
from surgiplan_desktop.cli.console import Console
from surgiplan_desktop.cli.session import (
    CASE_SUFFIX,
    add_force_argument,
    check_case_output,
    new_for_command,
    open_for_command,
)
from surgiplan_desktop.model.anatomy import BoneName, Side
from surgiplan_desktop.model.study import Finding
from surgiplan_desktop.planning.imported_bone import length_mm
from surgiplan_desktop.planning.mesh_guess import TO_LPS

_BONES: Final[dict[str, BoneName]] = {
    "femur": BoneName.FEMUR,
    "tibia": BoneName.TIBIA,
    "fibula": BoneName.FIBULA,
    "patella": BoneName.PATELLA,
    "pelvis": BoneName.HIP,
    "sacrum": BoneName.SACRUM,
}


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--side", choices=[side.value for side in Side], required=True, help="side of the bones")
    for name in _BONES:
        parser.add_argument(f"--{name}", metavar="FILE", type=Path, help=f"{name} (STL, PLY, OBJ, 3MF, GLB)")
    parser.add_argument(
        "--space",
        choices=list(TO_LPS),
        help="space of the coordinates (default: as the file says, else lps while the bones agree)",
    )
    parser.add_argument(
        "--unit", choices=list(MM_PER_UNIT), help="unit of the coordinates (default: as the file says, else mm while plausible)"
    )
    parser.add_argument("--accept-guess", action="store_true", help="take the unit and space that were named as a guess")
    parser.add_argument("--attach", action="store_true", help="put the bones beside the scan of the case that is there")
    parser.add_argument("--procedure", metavar="NAME", help="the operation, from the request")
    parser.add_argument("-o", "--output", metavar="CASE", type=Path, required=True, help="the case file to be made")
    add_force_argument(parser)


def _run(arguments: argparse.Namespace, console: Console) -> Outcome:
    side = Side(arguments.side)
    options = vars(arguments)
    files = {bone: options[name] for name, bone in _BONES.items() if options[name] is not None}
    output, opened = _case(arguments, console)
    with opened as session:
        volumes = scan_volumes(session) if arguments.attach else ()
        preview = preview_meshes(side, files, unit=arguments.unit, space=arguments.space, volumes=volumes, progress=console)
        if not arguments.accept_guess:
            _show_guess(preview, console)
            require_consent(preview, files)
        done = put_in_case(session, preview, beside_scan=arguments.attach, procedure=arguments.procedure)
    guess = preview.guess
    data: dict[str, object] = {
        "case": str(output),
        "code": done.code,
        "side": side,
        "unit": guess.unit,
        "unit_by": guess.unit_by,
        "space": guess.space,
        "space_by": guess.space_by,
        "bones": [
            {
                "id": str(item.bone),
                "file": item.file_name,
                "triangles": len(item.mesh.faces),
                "length_mm": length_mm(item.mesh.vertices),
            }
            for item in preview.bones
        ],
        "findings": [
            {"code": item.code, "severity": item.severity, "text": console.texts.finding(item)} for item in _once(preview)
        ],
        "files": [str(output)],
    }
    lines = [
        console.texts.text(
            "ui.import_bone", bone=str(item.bone), faces=len(item.mesh.faces), length=length_mm(item.mesh.vertices)
        )
        for item in preview.bones
    ]
    lines += [f"{item.code}: {console.texts.finding(item)}" for item in _once(preview)]
    return Outcome(data, tuple(lines))


def _case(arguments: argparse.Namespace, console: Console) -> tuple[Path, AbstractContextManager[Session]]:
    """Return the case's file and the session on it: a new case, or with ``--attach`` the one that is there."""
    if not arguments.attach:
        output = check_case_output(arguments.output, arguments.force)
        return output, new_for_command(console, arguments.output, arguments.force)
    output = arguments.output
    if output.suffix != CASE_SUFFIX:
        output = output.with_name(output.name + CASE_SUFFIX)
    output = output.expanduser().resolve()
    if not output.is_file():
        raise UsageError("attach_no_case", file=output)
    return output, open_for_command(console, output)


def _show_guess(preview: MeshPreview, console: Console) -> None:
    """Say what contradicts mm and LPS and what speaks for the guess, before it is refused for want of consent."""
    for sign, findings in (("-", preview.guess.assumed_against), ("+", preview.guess.reasons)):
        for finding in findings if preview.needs_consent else ():
            console.say(f"{sign} {console.texts.finding(finding)}")


def _once(preview: MeshPreview) -> list[Finding]:
    """Return the findings, what holds for all bones once."""
    return list(dict.fromkeys(preview.findings))


COMMAND = Command(
    name="import-meshes",
    summary="Bones that others segmented (STL, PLY, OBJ, 3MF, GLB) into a new case, or beside the scan of one.",
    example="surgiplan import-meshes --side right --tibia tibia.stl --fibula fibula.stl --space ras -o case.surgiplan",
    add_arguments=_add_arguments,
    run=_run,
)
