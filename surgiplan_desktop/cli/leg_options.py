"""Options that say what a procedural leg is like, one for each of its parameters, and the leg they ask for."""

from __future__ import annotations

import argparse
from dataclasses import replace
from typing import Final, NamedTuple

from surgiplan_desktop.cli.numbers import number
from surgiplan_desktop.model.anatomy import Side
from surgiplan_desktop.phantom.draws import draw_leg
from surgiplan_desktop.phantom.parameters import RANGES, LegParameters, resolve_angles


class _Option(NamedTuple):
    """An option, the parameters that it sets, and its words."""

    name: str
    parameters: tuple[str, ...]
    metavar: str
    words: str


#: Frontal angles are resolved together; the later of two options that set one parameter wins (--slope, then --slope-lateral).
_FRONTAL: Final = ("--mldfa", "--mpta", "--jlca")
_OPTIONS: Final = (
    _Option("--mldfa", ("mldfa_deg",), "DEG", "limb plane"),
    _Option("--mpta", ("mpta_deg",), "DEG", "limb plane"),
    _Option("--jlca", ("jlca_deg",), "DEG", "opens laterally +"),
    _Option("--slope", ("slope_medial_deg", "slope_lateral_deg"), "DEG", "of both plateaus, falling to the back +"),
    _Option("--slope-lateral", ("slope_lateral_deg",), "DEG", "of the lateral plateau, where it differs"),
    _Option("--femoral-torsion", ("femoral_torsion_deg",), "DEG", "antetorsion +"),
    _Option("--tibial-torsion", ("tibial_torsion_deg",), "DEG", "external +"),
    _Option("--neck-shaft", ("neck_shaft_deg",), "DEG", "neck-shaft angle"),
    _Option("--flexion", ("knee_flexion_deg",), "DEG", "of the knee; the other angles are those of the straight leg"),
    _Option("--rotation", ("knee_rotation_deg",), "DEG", "of the tibia in the knee, inward +"),
    _Option("--femur-length", ("femur_length_mm",), "MM", "hip centre to notch"),
    _Option("--tibia-length", ("tibia_length_mm",), "MM", "knee centre to ankle centre"),
    _Option("--head-radius", ("head_radius_mm",), "MM", "of the femoral head"),
    _Option("--knee-width", ("knee_width_mm",), "MM", "of the tibial plateau"),
    _Option("--patella-height", ("patella_height",), "INDEX", "Caton-Deschamps"),
    _Option("--tt-tg", ("tt_tg_mm",), "MM", "tuberosity lateral of the groove; default: as the leg's axis makes it"),
    _Option("--joint-gap", ("joint_gap_mm",), "MM", "between femur and tibia where they are nearest"),
    _Option("--narrowing", ("joint_narrowing_mm",), "MM", "of that gap by lost cartilage"),
    _Option("--osteophytes", ("osteophyte_mm",), "MM", "how far they stand off"),
    _Option("--flattened-condyle", ("flattened_condyle_mm",), "MM", "bone worn off the medial + or lateral - femoral condyle"),
    _Option("--roughness", ("roughness_mm",), "MM", "random displacement of the surface away from landmarks"),
    _Option("--variation", ("variation",), "SHARE", "of the seeded variation of shape"),
)
#: The option behind each parameter, for messages.
LEG_OPTION_OF: Final = {"seed": "--seed", **{name: option.name for option in reversed(_OPTIONS) for name in option.parameters}}


def add_leg_arguments(parser: argparse.ArgumentParser) -> None:
    """Add --side, --seed, --draw, --hka-deviation and one option for each parameter, with its range and default."""
    default = LegParameters()
    parser.add_argument("--side", choices=[str(side) for side in Side], default=str(Side.RIGHT), help="default right")
    for option in _OPTIONS:
        limits, value = RANGES[option.parameters[0]], getattr(default, option.parameters[0])
        known = "" if value is None or option.name == "--slope-lateral" else f", default {value:g}"
        words = f"{option.words}, {limits.lowest:g}..{limits.highest:g}{known}"
        parser.add_argument(option.name, type=number, metavar=option.metavar, help=words)
    parser.add_argument("--hka-deviation", type=number, metavar="DEG", help="varus -, valgus +; = MPTA - mLDFA - JLCA")
    parser.add_argument("--seed", type=int, default=None, help="of shape and noise, default 0")
    parser.add_argument(
        "--draw", type=int, metavar="SEED", help="draw a leg as people have them; what other options say is taken from them"
    )


def leg_of(options: argparse.Namespace) -> LegParameters:
    """Make the leg that the options ask for.

    Raises
    ------
    UsageError
        ``phantom_range`` or ``phantom_angle_sum``, with names of parameters; :data:`LEG_OPTION_OF` has the options.
    """
    side = Side(options.side)
    drawn = LegParameters(side=side) if options.draw is None else draw_leg(options.draw, side=side)
    values: dict[str, float] = {}
    for option in _OPTIONS:
        value = getattr(options, option.name.removeprefix("--").replace("-", "_"))
        if value is not None and option.name not in _FRONTAL:
            values.update(dict.fromkeys(option.parameters, float(value)))
    given = (options.mldfa, options.mpta, options.jlca)
    if options.draw is not None and options.hka_deviation is None:
        kept = (drawn.mldfa_deg, drawn.mpta_deg, drawn.jlca_deg)
        given = tuple(own if value is None else value for value, own in zip(given, kept, strict=True))  # type: ignore[assignment]
    angles = resolve_angles(*given, options.hka_deviation)
    seed = drawn.seed if options.seed is None else options.seed
    return replace(drawn, **angles._asdict(), **values, seed=seed)  # type: ignore[arg-type]  # each is a float
