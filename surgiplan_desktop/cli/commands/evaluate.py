"""``surgiplan evaluate PREDICTION REFERENCE``: Dice, HD95, ASSD, NSD and volumes of label maps or meshes."""

from __future__ import annotations

import argparse
from pathlib import Path

from surgiplan_desktop.app.describe_evaluation import evaluation_data, evaluation_lines
from surgiplan_desktop.app.evaluate import MeshReading, evaluate
from surgiplan_desktop.base.units import MM_PER_UNIT
from surgiplan_desktop.cli.command import Command, Outcome
from surgiplan_desktop.cli.console import Console
from surgiplan_desktop.planning.mesh_guess import TO_LPS


def _code(text: str) -> int:
    code = int(text)
    if not 1 <= code <= 65535:
        raise ValueError(text)
    return code


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "prediction", metavar="PREDICTION", type=Path, help="label map (NIfTI, NRRD, MHA) or mesh (STL, PLY, OBJ, 3MF, GLB)"
    )
    parser.add_argument("reference", metavar="REFERENCE", type=Path, help="a file of the same kind to compare it with")
    parser.add_argument(
        "--labels", metavar="CODE", type=_code, nargs="+", help="label codes to compare, present or not (default: all present)"
    )
    parser.add_argument(
        "--closed-edges", action="store_true", help="count the surface where the edge of the image cuts a bone, as libraries do"
    )
    for name in ("prediction", "reference"):
        parser.add_argument(
            f"--{name}-unit", choices=list(MM_PER_UNIT), help=f"unit of the {name}'s mesh (default: as its file says, else mm)"
        )
        parser.add_argument(
            f"--{name}-space", choices=list(TO_LPS), help=f"space of the {name}'s mesh (default: as its file says, else lps)"
        )


def _run(arguments: argparse.Namespace, console: Console) -> Outcome:
    found = evaluate(
        arguments.prediction,
        arguments.reference,
        codes=arguments.labels,
        closed_edges=arguments.closed_edges,
        readings=(
            MeshReading(arguments.prediction_unit, arguments.prediction_space),
            MeshReading(arguments.reference_unit, arguments.reference_space),
        ),
        progress=console,
    )
    return Outcome(evaluation_data(found, console.texts), evaluation_lines(found, console.texts))


COMMAND = Command(
    name="evaluate",
    summary="A result against a reference: Dice, HD95, ASSD, NSD and volumes of every label, or of two meshes.",
    example="surgiplan evaluate prediction.nii.gz reference.nii.gz --json",
    add_arguments=_add_arguments,
    run=_run,
)
