"""The options of ``surgiplan phantom`` that say what is scanned besides the leg and how."""

from __future__ import annotations

import argparse
from typing import Final

from surgiplan_desktop.cli.numbers import number
from surgiplan_desktop.phantom.ct import CtScene
from surgiplan_desktop.phantom.ct.scene import KERNELS, METAL, REGIONS

#: The option behind each number of a scene.
SCENE_OPTION_OF: Final = {
    "thickness": "--thickness",
    "noise": "--noise",
    "motion": "--motion",
    "block_shift": "--block-shift",
    "block_turn": "--block-turn",
    "region_length": "--region-length",
}


def add_scene_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the scene."""
    default = CtScene()
    group = parser.add_argument_group("scan")
    kernels, regions = ", ".join(KERNELS), ", ".join(REGIONS)
    group.add_argument("--slice-spacing", type=number, metavar="MM", help="distance of slices, default as --spacing")
    group.add_argument("--thickness", type=number, metavar="MM", help="of a slice, default its spacing; may exceed it")
    group.add_argument("--kernel", choices=tuple(KERNELS), default=default.kernel, metavar="NAME", help=f"one of {kernels}")
    group.add_argument("--noise", type=number, metavar="HU", help="behind 140 mm of water, default by kernel and thickness")
    group.add_argument("--second-leg", action="store_true", help="the leg's mirror image beside it, labelled as the other side")
    group.add_argument("--no-table", action="store_true", help="without the couch")
    group.add_argument("--metal", choices=METAL, action="append", default=[], metavar="NAME", help=f"of {', '.join(METAL)}")
    group.add_argument("--beam-hardening", action="store_true", help="dark bands between dense bone (slower)")
    group.add_argument("--motion", type=number, default=0.0, metavar="MM", help="largest sway while scanned, 0..10")
    group.add_argument("--block-shift", type=number, default=0.0, metavar="MM", help="move between blocks, 0..20")
    group.add_argument("--block-turn", type=number, default=0.0, metavar="DEG", help="turn between blocks, 0..10")
    group.add_argument("--region", choices=tuple(REGIONS), default="", metavar="NAME", help=f"scan only this: {regions}")
    group.add_argument("--region-length", type=number, default=default.region_mm, metavar="MM", help="default 160")


def scene_of(options: argparse.Namespace) -> CtScene:
    """Return the scene that the options ask for; UsageError ``phantom_range`` or ``phantom_other_leg_needed``."""
    return CtScene(
        table=not options.no_table,
        second_leg=options.second_leg,
        kernel=options.kernel,
        thickness_mm=options.thickness,
        noise_hu=options.noise,
        metal=tuple(options.metal),
        beam_hardening=options.beam_hardening,
        motion_mm=options.motion,
        block_shift_mm=options.block_shift,
        block_turn_deg=options.block_turn,
        region=options.region,
        region_mm=options.region_length,
    )
