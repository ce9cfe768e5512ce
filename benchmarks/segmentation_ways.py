"""Bones with a model against bones without, on the same scans: joints narrowed to 1 mm, noise to 60 HU, thick slices.

    python benchmarks/segmentation_ways.py [--model leg-ct] [--legs 2] [--step-mm 1.0] [--results FILE.jsonl]

Knees (150 mm) of drawn phantom legs, seeds that no training uses, are scanned with a joint gap of 3.5 and of 1 mm, with the noise
of the kernel, 60 HU, and with slices of 2.5 mm, and segmented both ways. A row is, per bone, Dice of the labels and ASSD and HD95
of the final surface (mm), the share of bone under another bone's name, and findings. Rows that are in the results file already
are not run again.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from surgiplan_desktop.base.errors import SurgiPlanError
from surgiplan_desktop.base.paths import catalogue_roots
from surgiplan_desktop.geometry.surface import bone_from_blocks
from surgiplan_desktop.model.anatomy import BoneId, BoneName, Side, label_code
from surgiplan_desktop.model.images import LabelMap, Volume
from surgiplan_desktop.phantom.ct import simulate
from surgiplan_desktop.phantom.ct.scene import CtScene
from surgiplan_desktop.phantom.draws import draw_leg
from surgiplan_desktop.phantom.limb import Leg, build_leg
from surgiplan_desktop.planning.limits import default_limits
from surgiplan_desktop.segmentation.bones import find_bones
from surgiplan_desktop.segmentation.leg_model import find_bones_with_model
from surgiplan_desktop.segmentation.packs import pack_named
from surgiplan_desktop.validation.surface_distance import bone_distance

#: Name of a row: narrowing of the joint (mm), noise (HU, None: the kernel's), slice thickness (mm, None: the step).
CASES: dict[str, tuple[float, float | None, float | None]] = {
    "plain": (0.0, None, None),
    "joint 1 mm": (2.5, None, None),
    "noise 60 HU": (0.0, 60.0, None),
    "both": (2.5, 60.0, None),
    "slices 2.5 mm": (0.0, None, 2.5),
}
FIRST_SEED = 7000
LENGTH_MM = 150.0
BONES = (BoneName.FEMUR, BoneName.TIBIA, BoneName.PATELLA, BoneName.FIBULA)


def knee_of(seed: int, case: str, step_mm: float) -> tuple[Volume, LabelMap, Leg]:
    """Scan the knee of a drawn leg."""
    narrowing, noise, thick = CASES[case]
    parameters = replace(draw_leg(seed), joint_gap_mm=3.5, joint_narrowing_mm=narrowing)
    spacing = step_mm if thick is None else (thick, step_mm, step_mm)
    leg = build_leg(parameters)
    scan = simulate(leg, spacing, seed=seed, scene=CtScene(noise_hu=noise, region="knee", region_mm=LENGTH_MM))
    return scan.volumes[0], scan.labels[0], leg


def score(found: LabelMap, truth: LabelMap, side: Side) -> dict[str, float]:
    """Dice per bone, and the percentage of bone under another bone's name."""
    result = {}
    wrong = total = 0
    for name in BONES:
        code = label_code(BoneId(side, name))
        own, mine = truth.array == code, found.array == code
        result[str(name)] = round(2.0 * float((own & mine).sum()) / max(1, int(own.sum() + mine.sum())), 4)
        wrong += int(((found.array[own] > 0) & (found.array[own] != code)).sum())
        total += int(own.sum())
    return {**result, "wrong_name_percent": round(100.0 * wrong / max(1, total), 2)}


def surface_score(found: LabelMap, volume: Volume, leg: Leg, doubt_mm: float) -> dict[str, float]:
    """ASSD and HD95 of the final surface of each bone within the scan, mm; absent where there is no surface."""
    ends = volume.affine(np.array([np.zeros(3), np.array(volume.shape) - 1.0]))
    result = {}
    for name in BONES:
        bone = BoneId(leg.side, name)
        try:
            surface = bone_from_blocks(bone, found, volume, doubt_mm=doubt_mm)
        except SurgiPlanError:
            continue
        low, high = ends.min(axis=0) + 0.5, ends.max(axis=0) - 0.5
        distance = bone_distance(surface, leg.meshes[bone], low_lps=low, high_lps=high)
        result |= {f"{name}_assd_mm": round(distance.assd_mm, 3), f"{name}_hd95_mm": round(distance.hd95_mm, 3)}
    return result


def main() -> None:
    """Run what is not there yet and print the means."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="leg-ct")
    parser.add_argument("--legs", type=int, default=2)
    parser.add_argument("--step-mm", type=float, default=1.0)
    parser.add_argument("--results", type=Path, default=Path("segmentation_ways.jsonl"))
    options = parser.parse_args()
    rows = [json.loads(line) for line in options.results.read_text().splitlines()] if options.results.exists() else []
    done = {(row["seed"], row["case"], row["way"]) for row in rows}
    pack = pack_named(catalogue_roots(), options.model)
    for seed in range(FIRST_SEED, FIRST_SEED + options.legs):
        for case in CASES:
            ways = [way for way in ("model", "threshold") if (seed, case, way) not in done]
            if not ways:
                continue
            volume, truth, leg = knee_of(seed, case, options.step_mm)
            for way in ways:
                try:
                    found = find_bones_with_model([volume], pack) if way == "model" else find_bones([volume])
                    told = [item.code for item in (*found.findings, *(note for bone in found.bones for note in bone.findings))]
                    doubt = default_limits()["surface.label_doubt_mm"] if way == "model" else 0.0
                    values = score(found.labels[0], truth, leg.side) | surface_score(found.labels[0], volume, leg, doubt)
                except SurgiPlanError as error:
                    told, values = [error.message_id], score(LabelMap(np.zeros_like(truth.array), truth.affine), truth, leg.side)
                rows.append({"seed": seed, "case": case, "way": way, **values, "findings": told})
                with options.results.open("a", encoding="utf-8") as stream:
                    stream.write(json.dumps(rows[-1]) + "\n")
                print(rows[-1], flush=True)
    for case in CASES:
        for way in ("model", "threshold"):
            some = [row for row in rows if row["case"] == case and row["way"] == way]
            if some:
                keys = [key for key in some[0] if isinstance(some[0][key], float)]
                means = {key: round(float(np.mean([row[key] for row in some if key in row])), 4) for key in keys}
                print(f"{case:>14} {way:>9} n={len(some)} {means}")


if __name__ == "__main__":
    main()
