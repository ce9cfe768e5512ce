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
from surgiplan_desktop.cli.leg_options import LEG_OPTION_OF, add_leg_arguments, leg_of
from surgiplan_desktop.cli.numbers import number
from surgiplan_desktop.cli.scene_options import SCENE_OPTION_OF, add_scene_arguments, scene_of
from surgiplan_desktop.imaging.dicom_defects import DEFECTS
from surgiplan_desktop.imaging.encoding import SYNTAXES
from surgiplan_desktop.imaging.reorient import ORIENTATIONS, PATIENT_POSITIONS

_SHOWN = ("hka_deviation", "mldfa", "mpta", "jlca", "wbl", "slope_medial", "femoral_torsion", "tibial_torsion")


_T = TypeVar("_T")
#: The option behind each parameter of the phantom.
_OPTION_OF: Final = {
    **LEG_OPTION_OF,
    "spacing": "--spacing",
    "tilt": "--tilt",
    **SCENE_OPTION_OF,
}


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-o", "--output", required=True, metavar="DIR", help="folder to write to")
    add_leg_arguments(parser)
    parser.add_argument("--spacing", type=number, metavar="MM", default=1.0, help="voxel edge, default 1.0")
    parser.add_argument("--blocks", type=int, default=1, help="1 = whole leg, 3 = hip, knee and ankle")
    parser.add_argument("--tilt", type=number, default=0.0, metavar="DEG", help="of the gantry: really tilted slices, -30..30")
    parser.add_argument("--syntax", default="explicit_le", **_one_of(SYNTAXES, "encoding"))
    parser.add_argument("--orientation", default="axial", **_one_of(ORIENTATIONS, "planes of the slices"))
    parser.add_argument("--patient-position", default="HFS", **_one_of(PATIENT_POSITIONS, "position on the table"))
    parser.add_argument("--defect", default="", **_one_of(DEFECTS, "plant a fault"))
    parser.add_argument("--force", action="store_true", help="replace what is in the folder")
    add_scene_arguments(parser)


def _one_of(names: Iterable[str], what: str) -> dict[str, Any]:
    return {"choices": tuple(names), "metavar": "NAME", "help": f"{what}: {', '.join(names)}"}


def _run(options: argparse.Namespace, console: Console) -> Outcome:
    parameters = _with_option_names(lambda: leg_of(options))
    written = _with_option_names(
        lambda: write_phantom(
            parameters,
            Path(options.output),
            spacing_mm=_spacing(options),
            blocks=options.blocks,
            wish=ScanWish(
                tilt_deg=options.tilt,
                syntax=options.syntax,
                orientation=options.orientation,
                patient_position=options.patient_position,
                defect=options.defect,
                scene=scene_of(options),
            ),
            force=options.force,
            progress=console,
        )
    )
    data = {**written.truth, "files": [str(path) for path in written.files]}
    lines = [f"{parameters.side} leg in {Path(options.output).resolve()}: {len(written.files)} files"]
    lines += [f"  {name:<16} {written.leg.truth_measures[name]:8.2f}" for name in _SHOWN]
    return Outcome(data, tuple(lines))


def _spacing(options: argparse.Namespace) -> tuple[float, float, float]:
    along = options.spacing if options.slice_spacing is None else options.slice_spacing
    return along, options.spacing, options.spacing


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
