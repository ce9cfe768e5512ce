"""Write the CT of a drawn leg as a volume file, for benchmarks that run in another environment than the program's.

python benchmarks/made_scan.py FILE.nii.gz [--seed 3000] [--region knee|leg] [--mm 160] [--spacing 0.7] [--noise 20]
"""

from __future__ import annotations

import argparse
from pathlib import Path

from surgiplan_desktop.imaging.volume_files import write_volume_file
from surgiplan_desktop.model.anatomy import Side
from surgiplan_desktop.phantom.ct import CtScene, simulate
from surgiplan_desktop.phantom.draws import draw_leg
from surgiplan_desktop.phantom.limb import build_leg


def main() -> None:
    """Write the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--seed", type=int, default=3000)
    parser.add_argument("--region", choices=("knee", "leg"), default="knee")
    parser.add_argument("--mm", type=float, default=160.0)
    parser.add_argument("--spacing", type=float, default=0.7)
    parser.add_argument("--noise", type=float, default=20.0)
    options = parser.parse_args()
    leg = build_leg(draw_leg(options.seed, side=Side.RIGHT), step_mm=2.0)
    scene = CtScene(region=options.region, region_mm=options.mm, noise_hu=options.noise)
    volume = simulate(leg, options.spacing, scene=scene).volumes[0]
    write_volume_file(options.file, volume)
    print(f"{options.file}: {'x'.join(map(str, volume.shape))} voxels of {options.spacing:g} mm")


if __name__ == "__main__":
    main()
