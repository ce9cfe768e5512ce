"""Accuracy of landmarks and measures on random phantoms at mesh level: bones with noise on every vertex, against their truth.

    python benchmarks/accuracy_landmarks.py [--legs 200] [--first 1000] [--noise 0.3] [--step 1.0] [--results FILE.jsonl]
    python benchmarks/accuracy_landmarks.py --invariance [--legs 100] [--first 1000] [--results FILE.jsonl]

Leg n is drawn from seed n (like people), right and left in turn. Each leg is one line of the results file; legs that stand there
already are not computed again, so a batch goes on where it was stopped.
Without ``--invariance``: distances of landmarks (mm) and errors of measures (found - true), with n, the 95 % interval of the
mean, the median and the 95 % quantile of |error| with its own 95 % interval (by order statistics), and the worst leg.
With it: each leg once as built (1 mm, no noise) and once changed, by the seed in turn: moved at random, mirrored to the other
side, meshed anew with 0.5 or 2 mm, decimated to 5,000 faces a bone, or with noise; the changes of the measures.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import fast_simplification
import numpy as np
from scipy.stats import binom
from scipy.stats import t as student

from surgiplan_desktop.base.spaces import Affine
from surgiplan_desktop.model.anatomy import BoneId, BoneName, Side
from surgiplan_desktop.model.mesh import Bone, BonePart, Mesh
from surgiplan_desktop.phantom.draws import draw_leg
from surgiplan_desktop.phantom.limb import Leg, build_leg
from surgiplan_desktop.planning.landmarks.femur import find_femur
from surgiplan_desktop.planning.landmarks.merge import merge_landmarks
from surgiplan_desktop.planning.landmarks.patella import find_patella
from surgiplan_desktop.planning.landmarks.tibia import find_tibia
from surgiplan_desktop.planning.measures import measure_points
from surgiplan_desktop.planning.records import Landmarks

BONES = (BoneName.FEMUR, BoneName.TIBIA, BoneName.FIBULA, BoneName.PATELLA)
CHANGES = ("moved", "mirrored", "mesh 0.5 mm", "mesh 2 mm", "5000 faces", "noise 0.3 mm")
FACES = 5000
Meshes = dict[BoneName, Mesh]


def drawn(seed: int, step_mm: float) -> Leg:
    """The leg of a seed, right and left in turn."""
    return build_leg(draw_leg(seed, side=Side.LEFT if seed % 2 else Side.RIGHT), step_mm=step_mm)


def meshes_of(leg: Leg) -> Meshes:
    """The bones that have landmarks."""
    return {name: leg.meshes[BoneId(leg.side, name)] for name in BONES}


def with_noise(meshes: Meshes, noise_mm: float, seed: int) -> Meshes:
    """Normal noise on every coordinate of every vertex."""
    random = np.random.default_rng([seed, 77])
    return {
        name: Mesh(mesh.vertices + random.normal(0.0, noise_mm, mesh.vertices.shape), mesh.faces) for name, mesh in meshes.items()
    }


def landmarks_of(side: Side, meshes: Meshes) -> Landmarks:
    """All finders, as the program's graph runs them."""
    bones = {
        name: Bone(BoneId(side, name), (BonePart(0, mesh, (), np.zeros(len(mesh.vertices), dtype=bool)),))
        for name, mesh in meshes.items()
    }
    femur = find_femur(side, bones[BoneName.FEMUR])
    tibia = find_tibia(side, bones[BoneName.TIBIA], bones[BoneName.FIBULA])
    return merge_landmarks(side, (), femur, tibia, find_patella(side, bones[BoneName.PATELLA], femur, tibia))


def numbers(landmarks: Landmarks) -> dict[str, float]:
    """Measures that are numbers."""
    measures = measure_points(landmarks)
    return {name: item.value for name, item in measures.items.items() if isinstance(item.value, float)}


def leg_errors(seed: int, step_mm: float, noise_mm: float) -> dict[str, Any]:
    """Errors of one leg: landmarks as distances, measures as differences; None where the program has no value."""
    leg = drawn(seed, step_mm)
    meshes = with_noise(meshes_of(leg), noise_mm, seed)
    start = time.process_time()
    landmarks = landmarks_of(leg.side, meshes)
    found = numbers(landmarks)
    seconds = time.process_time() - start
    points = {
        name: None if (point := landmarks.point(name)) is None else math.dist(point, truth)
        for name, truth in leg.truth_landmarks.items()
    }
    sds = {name: landmarks.items[name].sd_mm for name in leg.truth_landmarks}
    measures = {
        name: found[name] - true if name in found else None
        for name, true in leg.truth_measures.items()
        if isinstance(true, float)
    }
    told = sorted({finding.code for finding in landmarks.findings})
    return {"seed": seed, "seconds": seconds, "landmarks": points, "sd_mm": sds, "measures": measures, "findings": told}


def decimated(mesh: Mesh) -> Mesh:
    """The mesh with about 5,000 faces, by quadric edge collapse."""
    share = 1.0 - FACES / len(mesh.faces)
    vertices, faces = fast_simplification.simplify(
        mesh.vertices.astype(np.float32), mesh.faces.copy(), target_reduction=max(share, 0.0)
    )
    return Mesh(np.asarray(vertices, dtype=np.float64), np.asarray(faces, dtype=np.int32))


def random_motion(seed: int) -> Affine:
    """A turn about any axis and a shift."""
    random = np.random.default_rng([seed, 78])
    rotation = np.linalg.qr(random.normal(size=(3, 3)))[0]
    rotation *= np.sign(np.linalg.det(rotation))
    return Affine.from_parts(rotation, random.uniform(-300.0, 300.0, 3))


def changed(seed: int, leg: Leg, change: str) -> tuple[Side, Meshes]:
    """The leg in another pose, on the other side or of another mesh."""
    meshes = meshes_of(leg)
    if change == "moved":
        motion = random_motion(seed)
        return leg.side, {name: mesh.moved(motion) for name, mesh in meshes.items()}
    if change == "mirrored":
        return leg.side.other, {
            name: Mesh(mesh.vertices * [-1.0, 1.0, 1.0], np.ascontiguousarray(mesh.faces[:, ::-1]))
            for name, mesh in meshes.items()
        }
    if change == "5000 faces":
        return leg.side, {name: decimated(mesh) for name, mesh in meshes.items()}
    if change.startswith("noise"):
        return leg.side, with_noise(meshes, 0.3, seed)
    return leg.side, meshes_of(drawn(seed, float(change.split()[1])))


def leg_changes(seed: int) -> dict[str, Any]:
    """Changes of the measures of one leg under the change that is its turn."""
    leg, change = drawn(seed, 1.0), CHANGES[seed % len(CHANGES)]
    before, after = numbers(landmarks_of(leg.side, meshes_of(leg))), numbers(landmarks_of(*changed(seed, leg, change)))
    measures = {name: after[name] - value if name in after else None for name, value in before.items()}
    return {"seed": seed, "change": change, "measures": measures}


def table(rows: Mapping[str, list[tuple[int, float | None]]], title: str) -> list[str]:
    """One row a name: n of all, mean and its interval, median and 95 % of the size, interval of the latter, the worst leg."""
    lines = [f"| {title} | n | mean | 95 % of the mean | median abs | 95 % of abs | its 95 % interval | largest | of leg |"]
    lines.append("|---" * 9 + "|")
    for name, pairs in rows.items():
        known = [(seed, value) for seed, value in pairs if value is not None]
        if len(known) < 2:
            lines.append(f"| {name} | {len(known)} of {len(pairs)} | | | | | | | |")
            continue
        errors = np.array([value for _, value in known])
        size = np.sort(np.abs(errors))
        n = len(errors)
        half = float(student.ppf(0.975, n - 1) * errors.std(ddof=1) / math.sqrt(n))
        low, high = (int(np.clip(binom.ppf(share, n, 0.95), 0, n - 1)) for share in (0.025, 0.975))
        worst = known[int(np.argmax(np.abs(errors)))]
        lines.append(
            f"| {name} | {n} of {len(pairs)} | {errors.mean():+.3f} | {errors.mean() - half:+.3f} .. {errors.mean() + half:+.3f} "
            f"| {np.median(size):.3f} | {np.quantile(size, 0.95):.3f} | {size[low]:.3f} .. {size[high]:.3f} "
            f"| {abs(worst[1]):.3f} | {worst[0]} |"
        )
    return lines


def columns(legs: list[dict[str, Any]], kind: str) -> dict[str, list[tuple[int, float | None]]]:
    """Values by name with the seed of their leg."""
    names = list(dict.fromkeys(name for leg in legs for name in leg[kind]))
    return {name: [(leg["seed"], leg[kind].get(name)) for leg in legs] for name in names}


def report(legs: list[dict[str, Any]], *, invariance: bool) -> None:
    """Print the tables."""
    if invariance:
        for change in CHANGES:
            own = [leg for leg in legs if leg["change"] == change]
            if own:
                print("\n".join(["", f"**{change}**", "", *table(columns(own, "measures"), "change of")]))
        print("\n".join(["", "**all**", "", *table(columns(legs, "measures"), "change of")]))
        return
    seconds = [leg["seconds"] for leg in legs]
    print(f"{len(legs)} legs; CPU time of all finders and measures: median {np.median(seconds):.1f} s, most {max(seconds):.1f} s")
    told = sorted({code for leg in legs for code in leg["findings"]})
    print("findings: " + (", ".join(f"{code} {sum(code in leg['findings'] for leg in legs)}" for code in told) or "none"))
    for kind in ("measures", "landmarks"):
        print("\n".join(["", *table(columns(legs, kind), kind)]))
    print("\n| landmark | distance within the sd told | within twice the sd |\n|---|---|---|")
    for name in legs[0]["landmarks"]:
        pairs = [(leg["landmarks"][name], leg["sd_mm"].get(name)) for leg in legs]
        known = np.array([error / sd for error, sd in pairs if error is not None and sd])
        if len(known):
            print(f"| {name} | {100.0 * np.mean(known <= 1.0):.0f} % | {100.0 * np.mean(known <= 2.0):.0f} % |")


def main() -> None:
    """Compute what is missing and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--legs", type=int, default=200)
    parser.add_argument("--first", type=int, default=1000, help="seed of the first leg")
    parser.add_argument("--noise", type=float, default=0.3)
    parser.add_argument("--step", type=float, default=1.0)
    parser.add_argument("--invariance", action="store_true")
    parser.add_argument("--results", type=Path)
    options = parser.parse_args()
    results = options.results or Path("invariance.jsonl" if options.invariance else "accuracy_landmarks.jsonl")
    lines = results.read_text().splitlines() if results.exists() else []
    done = {leg["seed"]: leg for leg in map(json.loads, lines)}
    wanted = range(options.first, options.first + options.legs)
    for seed in wanted:
        if seed in done:
            continue
        done[seed] = leg_changes(seed) if options.invariance else leg_errors(seed, options.step, options.noise)
        with results.open("a") as stream:
            stream.write(json.dumps(done[seed]) + "\n")
        print(f"leg {seed}", flush=True)
    report([done[seed] for seed in wanted], invariance=options.invariance)


if __name__ == "__main__":
    main()
