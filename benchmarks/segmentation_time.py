"""How long finding bones takes and what memory, by the two sizes that the program is judged by; each row in a process of its own.

    python benchmarks/segmentation_time.py [--model leg-ct] [--scan VOLUME] [--only knee|legs] [--repeat 1]

*knee*: a cube of 160 mm at 0.7 mm round the knee of the embedded phantom, with and without uncertainty. *legs*: 282 x 288 x 500
voxels of 1 mm: VOLUME (a NIfTI, NRRD or MetaImage file, such as the Visible Human legs), without it two phantom shanks. Printed:
seconds from the voxels to the labels with the networks loaded anew, peak resident memory, memory stated before, what ran.
Speeds of the engines are measured once per machine and remembered, which the first row may pay; ``--no-ai`` rows compare.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from surgiplan_desktop.base.paths import catalogue_roots
from surgiplan_desktop.base.spaces import Affine
from surgiplan_desktop.imaging.volume_files import read_volume_file
from surgiplan_desktop.model.anatomy import Side
from surgiplan_desktop.model.images import Volume
from surgiplan_desktop.phantom.ct import simulate
from surgiplan_desktop.phantom.ct.scene import CtScene
from surgiplan_desktop.phantom.limb import build_leg
from surgiplan_desktop.phantom.parameters import LegParameters
from surgiplan_desktop.segmentation.bones import find_bones
from surgiplan_desktop.segmentation.leg_model import find_bones_with_model
from surgiplan_desktop.segmentation.packs import pack_named

ROWS = ("knee", "knee+", "knee-no-ai", "legs", "legs-no-ai")


def knee() -> Volume:
    """A cube of 160 mm at 0.7 mm, the joint in its middle."""
    leg = build_leg(LegParameters(side=Side.RIGHT))
    volume = simulate(leg, 0.7, seed=0, scene=CtScene(region="knee", region_mm=160.0)).volumes[0]
    return _box(volume, leg.truth_landmarks["femoral_knee_centre"], (229, 229, 229))


def two_shanks() -> Volume:
    """Both legs as the Visible Human shows them: from the feet to the plateaus, 282 x 288 x 500."""
    parts = []
    for side in Side:
        leg = build_leg(LegParameters(side=side))
        volume = simulate(leg, 1.0, seed=0).volumes[0]
        middle = leg.truth_landmarks["tibial_knee_centre"] - np.array([0.0, 0.0, 230.0])
        parts.append(_box(volume, middle, (500, 288, 141)))
    array = np.concatenate([part.array for part in parts], axis=2)
    return Volume(array, parts[0].affine)


def _box(volume: Volume, middle: np.ndarray, shape: tuple[int, int, int]) -> Volume:
    """Voxels round a point, air where the scan ends."""
    first = np.rint(volume.affine.inverse()(middle)).astype(int) - np.array(shape) // 2
    out = np.full(shape, -1000, dtype=np.int16)
    low, high = np.maximum(first, 0), np.minimum(first + shape, volume.shape)
    inside = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    out[tuple(slice(a, b) for a, b in zip(low - first, high - first, strict=True))] = volume.array[inside]
    return Volume(out, volume.affine @ Affine.from_parts(np.eye(3), first.astype(float)))


def measure(row: str, file: Path, model: str) -> None:
    """Run one row and print its figures as JSON; the largest resident size is read by the parent."""
    with np.load(file) as data:
        volume = Volume(data["voxels"], Affine(data["affine"]))
    start = time.perf_counter()
    if row.endswith("no-ai"):
        find_bones([volume])
        told: dict[str, object] = {"ran": "threshold", "stated_mib": None}
    else:
        found = find_bones_with_model([volume], pack_named(catalogue_roots(), model), uncertainty=row.endswith("+"))
        ran = "; ".join(dict.fromkeys(f"{item.engine} {item.provider} {item.precision}" for item in found.running))
        told = {"ran": ran, "stated_mib": found.needs.peak_bytes >> 20, "bones": len(found.bones)}
    print(json.dumps({"row": row, "seconds": round(time.perf_counter() - start, 1), **told}))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="leg-ct")
    parser.add_argument("--scan", type=Path)
    parser.add_argument("--only", choices=("knee", "legs"))
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--folder", type=Path, default=Path("segmentation_time"))
    parser.add_argument("--row", choices=ROWS, help=argparse.SUPPRESS)
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.row:
        measure(options.row, options.file, options.model)
        return
    options.folder.mkdir(parents=True, exist_ok=True)
    for size, make in (("knee", knee), ("legs", two_shanks)):
        if options.only not in (None, size):
            continue
        file = options.folder / f"{size}.npz"
        if not file.exists():
            volume = read_volume_file(options.scan) if size == "legs" and options.scan else make()
            np.savez(file, voxels=volume.array, affine=volume.affine.matrix)
        for row in (name for name in ROWS if name.startswith(size)):
            for _ in range(options.repeat):
                command = [sys.executable, __file__, "--row", row, "--file", str(file), "--model", options.model]
                process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
                assert process.stdout is not None
                output = process.stdout.read()
                _, status, usage = os.wait4(process.pid, 0)
                print(output.strip() or f"{row}: exit {os.waitstatus_to_exitcode(status)}", f"peak {usage.ru_maxrss // 1024} MiB")


if __name__ == "__main__":
    main()
