"""Make the pack leg-ct from nothing, by one command; each part goes on where it was stopped.

    python training/leg_ct/make.py WORK [--pack resources/models/leg-ct] [--seed 0] [--program PYTHON] [--device cpu|cuda]
        [--femora DIR --visible-human DIR] [--coarse-steps 4000] [--fine-steps 6000] [--legs 100] [--version 1.0.0]

Shapes are made with the program (``--program``, an interpreter that has it installed; default this one), the rest with this
interpreter, which needs torch, onnx and onnxscript. Real bones are taken only where their folders are given. Draws follow from
the seed alone, so the same seed, machine and threads give the same pack. About 20 min of shapes and 2 h of training on two cores.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

_HERE = Path(__file__).resolve().parent
_ROOT = _HERE.parents[1]
#: First seeds of drawn legs for training and for calibration, and of the legs with real bones.
_TRAINED_FROM, _UNSEEN_FROM = 0, 2000


def main() -> None:
    """Run every part that is not done."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path)
    parser.add_argument("--pack", type=Path, default=_ROOT / "resources" / "models" / "leg-ct")
    parser.add_argument("--docs", type=Path, default=_ROOT / "docs" / "models")
    parser.add_argument("--program", default=sys.executable)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", default="2")
    parser.add_argument("--legs", type=int, default=100)
    parser.add_argument("--unseen-legs", type=int, default=8)
    parser.add_argument("--coarse-steps", type=int, default=4000)
    parser.add_argument("--fine-steps", type=int, default=6000)
    parser.add_argument("--femora", type=Path)
    parser.add_argument("--visible-human", type=Path)
    parser.add_argument("--version", default="1.0.0")
    parser.add_argument("--hours", default="")
    options = parser.parse_args()
    shapes, unseen, run = (options.work / name for name in ("shapes", "unseen", "run"))
    part(options.program, "shapes.py", shapes, "--legs", options.legs, "--first", _TRAINED_FROM)
    part(options.program, "shapes.py", unseen, "--legs", options.unseen_legs, "--first", _UNSEEN_FROM)
    if options.femora and options.visible_human:
        folders = ("--femora", options.femora, "--visible-human", options.visible_human)
        part(options.program, "real_bones.py", shapes, *folders)
    for network, steps in (("coarse", options.coarse_steps), ("fine", options.fine_steps)):
        learning = ("--network", network, "--seed", options.seed, "--steps", steps)
        part(sys.executable, "train.py", shapes, run, *learning, "--device", options.device, "--threads", options.threads)
    part(sys.executable, "calibrate.py", unseen, run, "--seed", options.seed, "--threads", options.threads)
    told = ("--seeds", options.seed, "--version", options.version, "--state", "released")
    part(sys.executable, "export.py", run, options.pack, "--shapes", shapes, *told)
    part(sys.executable, "card.py", run, options.pack, options.docs, "--seeds", options.seed, "--hours", options.hours)


def part(python: str, script: str, *arguments: object) -> None:
    """Run one script; its failure ends all."""
    print(f"{script} {' '.join(map(str, arguments))}", flush=True)
    subprocess.run([python, str(_HERE / script), *map(str, arguments)], check=True)


if __name__ == "__main__":
    main()
