"""Random legs evenly over everything the phantom can be: closed, whole, apart from each other, landmarks in their place.

    python benchmarks/phantom_draws.py --first 0 --count 2000 --jobs 2 -o draws.jsonl            on meshes of 2 mm
    python benchmarks/phantom_draws.py --first 0 --count 100 --jobs 2 --step 0.5 -o full.jsonl   at full resolution

``--jobs`` draws so many legs side by side; set OMP_NUM_THREADS=1 for it. One JSON line a seed; seeds that the file already has
are not done again, so a broken run goes on where it stopped. A draw whose parts are not possible together is refused with a
message: that is counted, not a failure.
"""

from __future__ import annotations

import argparse
import json
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np

from surgiplan_desktop.base.arrays import FloatArray
from surgiplan_desktop.base.errors import UsageError
from surgiplan_desktop.model.anatomy import LANDMARKS, BoneId, BoneName
from surgiplan_desktop.model.mesh import Mesh
from surgiplan_desktop.phantom.draws import draw_anywhere
from surgiplan_desktop.phantom.fields import Field
from surgiplan_desktop.phantom.limb import Leg, build_leg

#: Landmarks that are centres, or lie on a line or plane of the joint and not on the bone.
OFF_THE_BONE = {
    "hip_centre", "femoral_neck_base", "femoral_shaft_proximal", "femoral_shaft_distal", "tibial_shaft_proximal",
    "tibial_shaft_distal", "tibial_knee_centre", "medial_plateau_centre", "lateral_plateau_centre", "medial_plateau_edge",
    "lateral_plateau_edge", "ankle_centre", "medial_plafond", "lateral_plafond",
}  # fmt: skip
SURFACE_MM = 0.1
_CHUNK = 8_000
#: From proximal to distal along femur or tibia; from medial to lateral across the knee.
FEMUR_ORDER = ("hip_centre", "lesser_trochanter_tip", "femoral_shaft_proximal", "femoral_shaft_distal", "adductor_tubercle",
               "medial_epicondyle", "femoral_knee_centre", "medial_distal_condyle")  # fmt: skip
TIBIA_ORDER = ("medial_spine", "tibial_knee_centre", "tibial_tuberosity", "tibial_shaft_proximal", "tibial_shaft_distal",
               "ankle_centre", "medial_malleolus", "lateral_malleolus")  # fmt: skip
PAIRS = ("epicondyle", "distal_condyle", "posterior_condyle")
TIBIA_PAIRS = ("plateau_edge", "plateau_centre", "spine", "posterior_plateau", "plafond", "malleolus")


def faults(leg: Leg) -> list[str]:
    """What is wrong with a leg, in a word and a number each."""
    found = [f"{bone.bone}: {fault}" for bone, mesh in leg.meshes.items() for fault in mesh_faults(mesh)]
    fields = {solid.bone.bone: solid for solid in leg.solids}
    for one, mesh in leg.meshes.items():
        for other, solid in fields.items():
            if other is one.bone:
                continue
            near = ((mesh.vertices > solid.lowest - 1.0) & (mesh.vertices < solid.highest + 1.0)).all(axis=1)
            if near.any() and (gap := lowest(solid.field, mesh.vertices[near])) <= 0.0:
                found.append(f"{one.bone} in {other} by {-gap:.2f} mm")
    points = leg.truth_landmarks
    for name, point in points.items():
        if name not in OFF_THE_BONE:
            off = abs(float(fields[LANDMARKS[name].bone].field(point[None])[0]))
            if off > SURFACE_MM:
                found.append(f"{name} {off:.2f} mm off its bone")
    return found + order_faults(leg)


def lowest(field: Field, points: FloatArray) -> float:
    """Lowest value of a field at points, some at a time."""
    return min(float(field(points[first : first + _CHUNK]).min()) for first in range(0, len(points), _CHUNK))


def mesh_faults(mesh: Mesh) -> list[str]:
    """Open edges, more than one piece or handles, inside out."""
    found = []
    edges = np.concatenate([mesh.faces[:, [0, 1]], mesh.faces[:, [1, 2]], mesh.faces[:, [2, 0]]]).astype(np.int64)
    count = len(mesh.vertices)
    keys, back = np.sort(edges[:, 0] * count + edges[:, 1]), np.sort(edges[:, 1] * count + edges[:, 0])
    if not np.array_equal(keys, back) or (np.diff(keys) == 0).any():
        found.append("not closed")
    if count - len(edges) // 2 + len(mesh.faces) != 2:
        found.append("not one ball")
    a, b, c = (mesh.vertices[mesh.faces[:, n]] for n in range(3))
    if np.einsum("ij,ij->i", a, np.cross(b, c)).sum() <= 0.0:
        found.append("inside out")
    return found


def order_faults(leg: Leg) -> list[str]:
    """Landmarks that are not in the order anatomy demands."""
    p = leg.truth_landmarks
    femur, tibia = p["hip_centre"] - p["femoral_knee_centre"], p["tibial_knee_centre"] - p["ankle_centre"]
    across = p["lateral_posterior_condyle"] - p["medial_posterior_condyle"]
    below = p["lateral_posterior_plateau"] - p["medial_posterior_plateau"]
    found = []
    for axis, order in ((femur, FEMUR_ORDER), (tibia, TIBIA_ORDER)):
        heights = [float(p[name] @ axis) for name in order]
        found += [f"{order[n + 1]} above {order[n]}" for n in range(len(order) - 1) if heights[n] <= heights[n + 1]]
    for line, pairs in ((across, PAIRS), (below, TIBIA_PAIRS)):
        found += [f"{name} swapped" for name in pairs if (p[f"lateral_{name}"] - p[f"medial_{name}"]) @ line <= 0.0]
    if (p["greater_trochanter_tip"] - p["hip_centre"]) @ across <= 0.0:
        found.append("greater trochanter medial of the head")
    forward = leg.side.sign * np.cross(tibia, below)
    if (p["tibial_tuberosity"] - p["tibial_knee_centre"]) @ forward <= 0.0:
        found.append("tuberosity behind the knee")
    if (p["fibular_head_tip"] - p["tibial_knee_centre"]) @ below <= 0.0:
        found.append("fibula on the medial side")
    if (p["patella_superior_pole"] - p["patella_inferior_pole"]) @ femur <= 0.0:
        found.append("patella upside down")
    if (p["ptfj_proximal"] - p["ptfj_distal"]) @ tibia <= 0.0:
        found.append("tibiofibular joint upside down")
    return found


def one(seed: int, step_mm: float) -> dict[str, object]:
    """Draw, build and look at one leg."""
    start, cpu = time.perf_counter(), time.process_time()
    row: dict[str, object] = {"seed": seed, "step_mm": step_mm}
    try:
        leg = build_leg(draw_anywhere(seed), step_mm=step_mm)
        row["faults"] = faults(leg)
        row["femur_volume_mm3"] = round(_volume(leg.meshes[BoneId(leg.side, BoneName.FEMUR)]))
    except UsageError as error:
        row["refused"] = str(error)
    except Exception as error:  # noqa: BLE001 - a batch notes what broke and goes on
        row["faults"] = [f"{type(error).__name__}: {error}"]
    row["seconds"], row["cpu_seconds"] = round(time.perf_counter() - start, 2), round(time.process_time() - cpu, 2)
    return row


def _volume(mesh: Mesh) -> float:
    a, b, c = (mesh.vertices[mesh.faces[:, n]] for n in range(3))
    return float(np.einsum("ij,ij->i", a, np.cross(b, c)).sum() / 6.0)


def main() -> None:
    """Do the seeds that are missing and print the sum of the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--count", type=int, default=20)
    parser.add_argument("--step", type=float, default=2.0)
    parser.add_argument("--jobs", type=int, default=1)
    options = parser.parse_args()
    done = [json.loads(line) for line in options.output.read_text().splitlines()] if options.output.exists() else []
    known = {row["seed"] for row in done}
    missing = [seed for seed in range(options.first, options.first + options.count) if seed not in known]
    start = time.perf_counter()
    with options.output.open("a") as stream, ProcessPoolExecutor(options.jobs) as pool:
        for row in pool.map(one, missing, [options.step] * len(missing)):
            done.append(row)
            stream.write(json.dumps(row) + "\n")
            stream.flush()
            if row.get("faults"):
                print(row["seed"], *row["faults"], sep="\n  ", flush=True)
    if missing:
        print(f"{(time.perf_counter() - start) / len(missing):.2f} s a draw, {options.jobs} side by side")
    refused = sum("refused" in row for row in done)
    bad = sum(bool(row.get("faults")) for row in done)
    seconds = np.median([row["seconds"] for row in done])
    cpu = np.median([row["cpu_seconds"] for row in done])
    print(f"{len(done)} draws: {len(done) - refused - bad} sound, {bad} with faults, {refused} refused; "
          f"median {seconds:.2f} s, {cpu:.2f} s of one core")  # fmt: skip


if __name__ == "__main__":
    main()
