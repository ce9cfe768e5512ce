"""``surgiplan export CASE WHAT -f FORMAT -o DIR``: files for printer and archive."""

from __future__ import annotations

import argparse
from pathlib import Path

from surgiplan_desktop.app.export_plan import KINDS, LABEL_FORMATS, LATER_FORMATS, MESH_FORMATS, export
from surgiplan_desktop.cli.command import Command, Outcome
from surgiplan_desktop.cli.console import Console
from surgiplan_desktop.cli.session import add_case_argument, add_force_argument, open_for_command


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    add_case_argument(parser)
    parser.add_argument("what", metavar="WHAT", choices=KINDS, help=" / ".join(KINDS))
    parser.add_argument(
        "-f",
        "--format",
        choices=(*MESH_FORMATS, *LABEL_FORMATS, *LATER_FORMATS),
        help="stl (default), 3mf, obj, ply, glb (metres by its standard); nifti (default for labels), nrrd",
    )
    parser.add_argument("-o", "--output", metavar="DIR", type=Path, required=True, help="the folder for the files")
    parser.add_argument(
        "--acknowledge",
        choices=("mesh-only",),
        action="append",
        default=[],
        help="mesh-only: the guide stands on bones that others segmented, without their scan",
    )
    add_force_argument(parser)


def _run(arguments: argparse.Namespace, console: Console) -> Outcome:
    fmt = arguments.format or ("nifti" if arguments.what == "labels" else "stl")
    with open_for_command(console, arguments.case) as session:
        paths = export(
            session,
            arguments.what,
            fmt,
            arguments.output,
            force=arguments.force,
            mesh_only_acknowledged="mesh-only" in arguments.acknowledge,
            progress=console,
        )
        code = session.case.code
    data: dict[str, object] = {"case": code, "what": arguments.what, "format": fmt, "files": [str(path) for path in paths]}
    return Outcome(data, tuple(str(path) for path in paths))


COMMAND = Command(
    name="export",
    summary="Files for printer and archive, each with a sidecar (unit, space, side, case, fingerprint, approval).",
    example="surgiplan export case.surgiplan guide -f stl -o out",
    add_arguments=_add_arguments,
    run=_run,
)
