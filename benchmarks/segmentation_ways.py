"""Bones with a model against bones without, on the same scans: joints narrowed to 1 mm, noise to 60 HU, thick slices, whole legs.

    python benchmarks/segmentation_ways.py [--model leg-ct] [--legs 2] [--cases ...] [--results FILE.jsonl]

Legs of seeds that no training uses are scanned: the knee (150 mm, pixels of 1 mm) with a joint gap of 3.5 and of 1 mm, with the
noise of the kernel, 60 HU, and with slices of 2.5 mm; the whole leg with voxels of 1.5 mm; hip, knee and ankle as three blocks
of 1 to 2 mm; of each kind with the narrow joint and the noise together. Each is segmented both ways. A row is, per bone, Dice of
the labels and, of one block, ASSD and HD95 of the final surface (mm), the share of bone under another bone's name, and findings.
Rows that are there already are not run again.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from accuracy_surface import inside_of

from surgiplan_desktop.base.errors import SurgiPlanError
from surgiplan_desktop.base.paths import catalogue_roots
from surgiplan_desktop.geometry.surface import bone_from_blocks
from surgiplan_desktop.model.anatomy import BoneId, BoneName, Side, label_code
from surgiplan_desktop.model.images import LabelMap, Volume
from surgiplan_desktop.phantom.ct.scene import CtScene
from surgiplan_desktop.phantom.ct.simulate import SimulatedCt, simulate
from surgiplan_desktop.phantom.draws import draw_leg
from surgiplan_desktop.phantom.limb import Leg, build_leg
from surgiplan_desktop.planning.limits import default_limits
from surgiplan_desktop.segmentation.bones import find_bones
from surgiplan_desktop.segmentation.leg_model import find_bones_with_model
from surgiplan_desktop.segmentation.packs import ModelPack, pack_named
from surgiplan_desktop.validation.surface_distance import bone_distance


class ScanKind(NamedTuple):
    """Voxel edge and slice thickness (None: the voxel edge), mm; narrowing of the joint, mm; noise (None: the kernel's), HU."""

    step_mm: float = 1.0
    slice_mm: float | None = None
    narrowing_mm: float = 0.0
    noise_hu: float | None = None
    region: str = "knee"
    blocks: int = 1


CASES = {
    "plain": ScanKind(),
    "joint 1 mm": ScanKind(narrowing_mm=2.5),
    "noise 60 HU": ScanKind(noise_hu=60.0),
    "both": ScanKind(narrowing_mm=2.5, noise_hu=60.0),
    "slices 2.5 mm": ScanKind(slice_mm=2.5),
    "slices 2.5 mm, both": ScanKind(slice_mm=2.5, narrowing_mm=2.5, noise_hu=60.0),
    "whole leg": ScanKind(step_mm=1.5, region=""),
    "whole leg, joint 1 mm": ScanKind(step_mm=1.5, narrowing_mm=2.5, region=""),
    "whole leg, noise 60 HU": ScanKind(step_mm=1.5, noise_hu=60.0, region=""),
    "whole leg 1 mm, both": ScanKind(narrowing_mm=2.5, noise_hu=60.0, region=""),
    "whole leg, both": ScanKind(step_mm=1.5, narrowing_mm=2.5, noise_hu=60.0, region=""),
    "three blocks": ScanKind(step_mm=2.0, region="", blocks=3),
    "three blocks 1.5 mm": ScanKind(step_mm=1.5, region="", blocks=3),
    "three blocks 1.25 mm": ScanKind(step_mm=1.0, slice_mm=1.25, region="", blocks=3),
    "three blocks 1.25 mm, both": ScanKind(step_mm=1.0, slice_mm=1.25, narrowing_mm=2.5, noise_hu=60.0, region="", blocks=3),
    "three blocks 1 mm": ScanKind(region="", blocks=3),
}
FIRST_SEED = 7000
LENGTH_MM = 150.0


def scan_of(seed: int, case: str) -> tuple[SimulatedCt, Leg]:
    """Scan a drawn leg or its knee."""
    kind = CASES[case]
    leg = build_leg(replace(draw_leg(seed), joint_gap_mm=3.5, joint_narrowing_mm=kind.narrowing_mm))
    spacing = (kind.slice_mm or kind.step_mm, kind.step_mm, kind.step_mm)
    scene = CtScene(noise_hu=kind.noise_hu, region=kind.region, region_mm=LENGTH_MM)
    return simulate(leg, spacing, seed=seed, scene=scene, blocks=kind.blocks), leg


def score(found: Sequence[LabelMap], truth: Sequence[LabelMap], side: Side) -> dict[str, float]:
    """Dice per bone over all blocks, and the percentage of bone under another bone's name."""
    mine, own = (np.concatenate([item.array.ravel() for item in labels]) for labels in (found, truth))
    codes = {name: label_code(BoneId(side, name)) for name in BoneName}
    result: dict[str, float] = {}
    for name, code in codes.items():
        here, there = own == code, mine == code
        if here.any():
            result[str(name)] = round(2.0 * float((here & there).sum()) / int(here.sum() + there.sum()), 4)
    bone = np.isin(own, list(codes.values()))
    wrong = float(((mine[bone] > 0) & (mine[bone] != own[bone])).mean())
    return {**result, "wrong_name_percent": round(100.0 * wrong, 2)}


def surface_score(found: LabelMap, volume: Volume, leg: Leg, doubt_mm: float) -> dict[str, float]:
    """ASSD and HD95 of the final surface of each bone within the scan, mm; absent where there is no surface."""
    box = inside_of(volume)
    result = {}
    for name in (BoneName.FEMUR, BoneName.TIBIA, BoneName.PATELLA, BoneName.FIBULA):
        bone = BoneId(leg.side, name)
        try:
            surface = bone_from_blocks(bone, found, volume, doubt_mm=doubt_mm)
        except SurgiPlanError:
            continue
        distance = bone_distance(surface, leg.meshes[bone], **box)
        result |= {f"{name}_assd_mm": round(distance.assd_mm, 3), f"{name}_hd95_mm": round(distance.hd95_mm, 3)}
    return result


def row_of(scan: SimulatedCt, leg: Leg, way: str, pack: ModelPack) -> dict[str, Any]:
    """Segment one way and score."""
    try:
        model = way == "model"
        found = find_bones_with_model(scan.volumes, pack, uncertainty=False) if model else find_bones(scan.volumes)
    except SurgiPlanError as error:
        nothing = [LabelMap(np.zeros_like(item.array), item.affine) for item in scan.labels]
        return {**score(nothing, scan.labels, leg.side), "findings": [error.message_id]}
    values = score(found.labels, scan.labels, leg.side)
    if len(scan.volumes) == 1:
        doubt = default_limits()["surface.label_doubt_mm"] if way == "model" else 0.0
        values |= surface_score(found.labels[0], scan.volumes[0], leg, doubt)
    return {**values, "findings": [item.code for item in (*found.findings, *(f for bone in found.bones for f in bone.findings))]}


def main() -> None:
    """Run what is not there yet and print the means."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="leg-ct")
    parser.add_argument("--legs", type=int, default=2)
    parser.add_argument("--cases", nargs="+", choices=tuple(CASES), default=tuple(CASES))
    parser.add_argument("--results", type=Path, default=Path("segmentation_ways.jsonl"))
    options = parser.parse_args()
    rows = [json.loads(line) for line in options.results.read_text().splitlines()] if options.results.exists() else []
    done = {(row["seed"], row["case"], row["way"]) for row in rows}
    pack = pack_named(catalogue_roots(), options.model)
    for seed in range(FIRST_SEED, FIRST_SEED + options.legs):
        for case in options.cases:
            ways = [way for way in ("model", "threshold") if (seed, case, way) not in done]
            if not ways:
                continue
            scan, leg = scan_of(seed, case)
            for way in ways:
                rows.append({"seed": seed, "case": case, "way": way, **row_of(scan, leg, way, pack)})
                with options.results.open("a", encoding="utf-8") as stream:
                    stream.write(json.dumps(rows[-1]) + "\n")
                print(rows[-1], flush=True)
    for case in options.cases:
        for way in ("model", "threshold"):
            some = [row for row in rows if row["case"] == case and row["way"] == way]
            if some:
                keys = [key for key in some[0] if isinstance(some[0][key], float)]
                means = {key: round(float(np.mean([row[key] for row in some if key in row])), 4) for key in keys}
                print(f"{case:>14} {way:>9} n={len(some)} {means}")


if __name__ == "__main__":
    main()
