"""``surgiplan phantom``: a procedural leg with known angles."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final, TypeVar

from surgiplan_desktop.app.make_phantom import ScanWish, write_phantom
from surgiplan_desktop.base.errors import UsageError
from surgiplan_desktop.cli.command import Command, Outcome
from surgiplan_desktop.cli.console import Console
from surgiplan_desktop.cli.numbers import number
from surgiplan_desktop.imaging.dicom_defects import DEFECTS
from surgiplan_desktop.imaging.encoding import SYNTAXES
from surgiplan_desktop.imaging.reorient import ORIENTATIONS, PATIENT_POSITIONS
from surgiplan_desktop.model.anatomy import Side
from surgiplan_desktop.phantom.parameters import LegParameters, resolve_angles

_SHOWN = ("hka_deviation", "mldfa", "mpta", "jlca", "wbl", "slope_medial", "femoral_torsion", "tibial_torsion")


_T = TypeVar("_T")
#: The option behind each parameter of the phantom.
_OPTION_OF: Final = {
    "mldfa_deg": "--mldfa",
    "mpta_deg": "--mpta",
    "jlca_deg": "--jlca",
    "slope_medial_deg": "--slope",
    "slope_lateral_deg": "--slope",
    "femoral_torsion_deg": "--femoral-torsion",
    "tibial_torsion_deg": "--tibial-torsion",
    "spacing": "--spacing",
    "seed": "--seed",
    "tilt": "--tilt",
}


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    default = LegParameters()
    parser.add_argument("-o", "--output", required=True, metavar="DIR", help="folder to write to")
    parser.add_argument("--side", choices=[str(side) for side in Side], default=str(Side.RIGHT), help="default right")
    parser.add_argument("--mldfa", type=number, metavar="DEG", help=f"80..95, default {default.mldfa_deg:g}")
    parser.add_argument("--mpta", type=number, metavar="DEG", help=f"80..95, default {default.mpta_deg:g}")
    parser.add_argument("--jlca", type=number, metavar="DEG", help=f"-2..6, opens laterally +, default {default.jlca_deg:g}")
    parser.add_argument("--hka-deviation", type=number, metavar="DEG", help="varus -, valgus +; = MPTA - mLDFA - JLCA")
    parser.add_argument("--slope", type=number, metavar="DEG", help=f"of both plateaus, default {default.slope_medial_deg:g}")
    parser.add_argument(
        "--femoral-torsion",
        type=number,
        metavar="DEG",
        default=default.femoral_torsion_deg,
        help=f"antetorsion +, default {default.femoral_torsion_deg:g}",
    )
    parser.add_argument(
        "--tibial-torsion",
        type=number,
        metavar="DEG",
        default=default.tibial_torsion_deg,
        help=f"external +, default {default.tibial_torsion_deg:g}",
    )
    parser.add_argument("--spacing", type=number, metavar="MM", default=1.0, help="voxel edge, default 1.0")
    parser.add_argument("--seed", type=int, default=0, help="of shape and noise")
    parser.add_argument("--blocks", type=int, default=1, help="1 = whole leg, 3 = hip, knee and ankle")
    parser.add_argument("--tilt", type=number, default=0.0, metavar="DEG", help="of the gantry: really tilted slices, -30..30")
    parser.add_argument("--syntax", default="explicit_le", **_one_of(SYNTAXES, "encoding"))
    parser.add_argument("--orientation", default="axial", **_one_of(ORIENTATIONS, "planes of the slices"))
    parser.add_argument("--patient-position", default="HFS", **_one_of(PATIENT_POSITIONS, "position on the table"))
    parser.add_argument("--defect", default="", **_one_of(DEFECTS, "plant a fault"))
    parser.add_argument("--force", action="store_true", help="replace what is in the folder")


def _one_of(names: Iterable[str], what: str) -> dict[str, Any]:
    return {"choices": tuple(names), "metavar": "NAME", "help": f"{what}: {', '.join(names)}"}


def _run(options: argparse.Namespace, console: Console) -> Outcome:
    angles = _with_option_names(lambda: resolve_angles(options.mldfa, options.mpta, options.jlca, options.hka_deviation))
    slope = LegParameters().slope_medial_deg if options.slope is None else options.slope
    parameters = _checked(
        side=Side(options.side),
        mldfa_deg=angles.mldfa_deg,
        mpta_deg=angles.mpta_deg,
        jlca_deg=angles.jlca_deg,
        slope_medial_deg=slope,
        slope_lateral_deg=slope,
        femoral_torsion_deg=options.femoral_torsion,
        tibial_torsion_deg=options.tibial_torsion,
        seed=options.seed,
    )
    written = _with_option_names(
        lambda: write_phantom(
            parameters,
            Path(options.output),
            spacing_mm=options.spacing,
            blocks=options.blocks,
            wish=ScanWish(
                tilt_deg=options.tilt,
                syntax=options.syntax,
                orientation=options.orientation,
                patient_position=options.patient_position,
                defect=options.defect,
            ),
            force=options.force,
            progress=console,
        )
    )
    data = {**written.truth, "files": [str(path) for path in written.files]}
    lines = [f"{parameters.side} leg in {Path(options.output).resolve()}: {len(written.files)} files"]
    lines += [f"  {name:<16} {written.leg.truth_measures[name]:8.2f}" for name in _SHOWN]
    return Outcome(data, tuple(lines))


def _checked(**values: Any) -> LegParameters:
    return _with_option_names(lambda: LegParameters(**values))


def _with_option_names(make: Callable[[], _T]) -> _T:
    """Make something of the options; a value out of range is told by the option that was typed."""
    try:
        return make()
    except UsageError as error:
        name = error.parameters.get("parameter")
        if name not in _OPTION_OF:
            raise
        error.parameters["parameter"] = _OPTION_OF[str(name)]
        raise


COMMAND = Command(
    "phantom",
    "Write a procedural leg with known angles: DICOM, labels, meshes, truth. RESEARCH USE ONLY.",
    "surgiplan phantom -o leg --side right --mldfa 88 --mpta 83 --jlca 2",
    _add_arguments,
    _run,
)
