"""What a knee alone allows to estimate, against the truth of whole phantoms that were cropped to the knee.

    python benchmarks/accuracy_surrogates.py [--legs 24] [--first 5001] [--above 150,180,220] [--results FILE.jsonl] [--exact]

Each leg is drawn like people, its femur cut that far above and its tibia that far below the joint, landmarks and shaft axes are
found on what is left, and the estimated angles compared with mLDFA, MPTA and HKA of the whole leg. ``--exact`` takes the knee's
landmarks from the truth, so that the error of the axes stands alone. A leg that stands in the results file is not done again.
Prints by length in view: n, mean error, its standard deviation, 95 % of |error|, and the share inside the printed interval.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from surgiplan_desktop.base.spaces import Plane
from surgiplan_desktop.geometry.solid import split
from surgiplan_desktop.model.anatomy import BoneId, BoneName
from surgiplan_desktop.model.mesh import Bone, Mesh
from surgiplan_desktop.phantom.draws import draw_leg
from surgiplan_desktop.phantom.limb import Leg, build_leg
from surgiplan_desktop.planning.constructions import find_constructions
from surgiplan_desktop.planning.imported_bone import bone_from_mesh
from surgiplan_desktop.planning.landmarks.femur import find_femur
from surgiplan_desktop.planning.landmarks.merge import merge_landmarks
from surgiplan_desktop.planning.landmarks.tibia import find_tibia
from surgiplan_desktop.planning.measure_table import STAND_IN
from surgiplan_desktop.planning.measures import measure_points
from surgiplan_desktop.planning.records import LandmarkEstimate, Landmarks
from surgiplan_desktop.planning.surrogates import half_width_deg

_FAR = ("hip_centre", "ankle_centre", "medial_malleolus", "lateral_malleolus", "femoral_neck_base", "lesser_trochanter_tip",
        "greater_trochanter_tip", "medial_plafond", "lateral_plafond")  # fmt: skip


def cropped(leg: Leg, name: BoneName, height_mm: float, *, keep_above: bool) -> Bone:
    """The bone on one side of a level (patient's z, mm)."""
    bone = BoneId(leg.side, name)
    above, below = split(leg.meshes[bone], Plane(np.array([0.0, 0.0, height_mm]), np.array([0.0, 0.0, 1.0])))
    mesh: Mesh = above if keep_above else below
    return bone_from_mesh(bone, mesh.vertices, mesh.faces)


def leg_errors(leg: Leg, reach_mm: float, *, exact: bool) -> dict[str, float | None]:
    """Errors of the estimates (estimated - true) by measure, degrees; None where the program refuses."""
    above, below = (float(leg.truth_landmarks[f"{name}_knee_centre"][2]) for name in ("femoral", "tibial"))
    femur = cropped(leg, BoneName.FEMUR, above + reach_mm, keep_above=False)
    tibia = cropped(leg, BoneName.TIBIA, below - reach_mm, keep_above=True)
    fibula = cropped(leg, BoneName.FIBULA, below - reach_mm, keep_above=True)
    if exact:
        points = {
            name: LandmarkEstimate(name, None if name in _FAR else point, "missing" if name in _FAR else "auto")
            for name, point in leg.truth_landmarks.items()
        }
        found: tuple[Landmarks, ...] = (Landmarks(leg.side, points),)
    else:
        found = (find_femur(leg.side, femur), find_tibia(leg.side, tibia, fibula))
    names = (BoneName.FEMUR, BoneName.TIBIA, BoneName.FIBULA)
    made = find_constructions(leg.side, names, femur, tibia, fibula, *found)
    measures = measure_points(merge_landmarks(leg.side, (), *found, made))
    errors: dict[str, float | None] = {}
    for name, stand_in in STAND_IN.items():
        value = measures.number(stand_in)
        if measures.items[name].value is not None:
            raise AssertionError(f"{name} was measured on a knee alone")
        errors[stand_in] = None if value is None else value - float(leg.truth_measures[name])
    return errors


def table(rows: list[dict[str, Any]], reaches: list[float]) -> list[str]:
    """Rows of the table."""
    lines = ["| estimate | bone in view above and below | n | mean | sd | 95 % of abs | inside the interval |"]
    lines.append("|---|---|---|---|---|---|---|")
    for name in STAND_IN.values():
        width = half_width_deg(name) or 0.0
        for reach in reaches:
            errors = np.array([row["errors"][name] for row in rows if row["reach"] == reach and row["errors"][name] is not None])
            if not len(errors):
                lines.append(f"| {name} | {reach:.0f} mm | 0 | | | | |")
                continue
            inside = 100.0 * float((np.abs(errors) <= width).mean())
            lines.append(
                f"| {name} | {reach:.0f} mm | {len(errors)} | {errors.mean():+.2f} | {errors.std(ddof=1):.2f} "
                f"| {np.quantile(np.abs(errors), 0.95):.2f} | {inside:.0f} % of +-{width:.1f} |"
            )
    return lines


def main() -> None:
    """Compute what is missing and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--legs", type=int, default=24)
    parser.add_argument("--first", type=int, default=5001)
    parser.add_argument("--above", default="150,180,220", help="mm of bone on either side of the joint")
    parser.add_argument("--results", type=Path, default=Path("accuracy_surrogates.jsonl"))
    parser.add_argument("--exact", action="store_true", help="landmarks of the knee from the truth")
    options = parser.parse_args()
    reaches = [float(item) for item in options.above.split(",")]
    rows = [json.loads(line) for line in options.results.read_text().splitlines()] if options.results.exists() else []
    done = {(row["seed"], row["reach"], row["exact"]) for row in rows}
    for seed in range(options.first, options.first + options.legs):
        wanted = [reach for reach in reaches if (seed, reach, options.exact) not in done]
        if not wanted:
            continue
        leg = build_leg(draw_leg(seed), step_mm=1.5)
        with options.results.open("a") as out:
            for reach in wanted:
                row = {
                    "seed": seed,
                    "reach": reach,
                    "exact": options.exact,
                    "errors": leg_errors(leg, reach, exact=options.exact),
                }
                rows.append(row)
                out.write(json.dumps(row) + "\n")
    print("\n".join(table([row for row in rows if row["exact"] == options.exact], reaches)))


if __name__ == "__main__":
    main()
