"""Fit the weights of a surface's standard deviation on simulated scans, and show how well it holds on others.

    python training/leg_ct/calibrate_surface.py FOLDER [--scans 14] [--first 900] [--test 5]

Each scan is a procedural leg of its own seed, cut at knee or ankle, 0.7 to 1.5 mm, noise 10 to 60 HU, every second joint
narrowed to 1 mm, some with osteophytes or a screw. Its labels are the true ones shaken by 0.6 to 2.4 mm and drawn at 1.5 mm, as
a network gives them; in every third scan each bone has lost a bite and gained a lump. FOLDER keeps what is measured of each
scan, so a batch goes on where it was stopped. The last ``--test`` scans are not fitted. Prints the weights for
``geometry/spread.py`` and the table of predicted against found errors, before and after.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy import ndimage
from scipy.optimize import nnls
from scipy.stats import spearmanr

from surgiplan_desktop.base.errors import SurgiPlanError
from surgiplan_desktop.geometry.spread import FEATURES, WEIGHTS, spread_features, surface_spread
from surgiplan_desktop.geometry.surface import surface_part
from surgiplan_desktop.model.anatomy import label_code
from surgiplan_desktop.model.images import LabelMap
from surgiplan_desktop.phantom.ct.scene import CtScene
from surgiplan_desktop.phantom.ct.simulate import simulate
from surgiplan_desktop.phantom.draws import draw_leg
from surgiplan_desktop.phantom.fields import Field, gradient
from surgiplan_desktop.phantom.limb import build_leg
from surgiplan_desktop.phantom.shaken import shaken

#: What the weights are before anything is fitted: every part counts as it is, in mm.
BEFORE = np.where(np.array(FEATURES) == "always", 0.0025, 0.25)
#: What the weights are expected to be (general knowledge), and as how many vertices that counts: it decides where the simulated
#: scans have next to nothing to say, such as metal at the edge, or entropy where labels come from no network.
EXPECTED = (0.003, 0.002, 0.2, 0.05, 0.02, 0.01, 0.1, 0.1, 0.05, 0.2, 0.2)
EXPECTED_COUNTS = np.full(len(FEATURES), 300.0)
DOUBT_MM = 3.0
#: Vertices a bone that are kept: neighbours say the same.
KEPT = 3000
#: Errors beyond this count as this, mm: one lost osteophyte is not to rule the fit.
WORST_MM = 3.0


def true_errors(field: Field, points: np.ndarray) -> np.ndarray:
    """Signed distances (n,) of points from the true surface, mm, positive outside; exact near it."""
    slope = np.linalg.norm(gradient(field, points), axis=1)
    return np.asarray(field(points)) / np.maximum(slope, 0.2)


def damaged(labels: LabelMap, random: np.random.Generator) -> LabelMap:
    """Take a bite out of each bone and stick a lump onto it, as networks do where they have not seen the like."""
    codes, spacing = labels.array.copy(), labels.affine.spacing
    for code in np.unique(labels.array)[1:]:
        mine = labels.array == code
        if np.count_nonzero(mine) < 800:
            continue
        rim = np.argwhere(mine & ~ndimage.binary_erosion(mine))
        for bite in (True, False):
            centre, radius = rim[random.integers(len(rim))], float(random.uniform(3.0, 8.0))
            grid = np.ogrid[tuple(slice(size) for size in codes.shape)]
            away = sum(((axis - middle) * step) ** 2 for axis, middle, step in zip(grid, centre, spacing, strict=True))
            ball = away < radius**2
            codes[ball & (mine if bite else labels.array == 0)] = 0 if bite else code
    return LabelMap(codes, labels.affine)


def measured(seed: int) -> dict[str, np.ndarray]:
    """Features, errors and the present prediction at vertices of the bones of one scan."""
    random = np.random.default_rng([seed, 5])
    narrow = seed % 2 == 0
    wear = {"joint_gap_mm": 3.0, "joint_narrowing_mm": 2.0} if narrow else {"osteophyte_mm": float(random.uniform(0.0, 4.0))}
    region = "ankle" if seed % 4 == 3 else "knee"
    scene = CtScene(
        noise_hu=float(random.uniform(10.0, 60.0)),
        kernel=str(random.choice(["soft", "medium", "sharp"])),
        metal=("screw",) if seed % 5 == 4 else (),
        region=region,
        region_mm=90.0,
    )
    leg = build_leg(replace(draw_leg(seed), **wear), step_mm=1.5)
    scan = simulate(leg, float(random.choice([0.7, 1.0, 1.0, 1.5])), seed=seed, scene=scene)
    labels = shaken(scan.labels[0], float(random.uniform(0.6, 2.4)), seed=seed)
    if seed % 3 == 0:
        labels = damaged(labels, random)
    features, errors, now = [], [], []
    for solid in leg.solids:
        code = label_code(solid.bone)
        if np.count_nonzero(labels.array == code) < 800:
            continue
        try:
            part = surface_part(0, labels, scan.volumes[0], code, DOUBT_MM)
        except SurgiPlanError as lost:
            print(f"seed {seed}, {solid.bone}: {lost}", flush=True)
            continue
        spread = surface_spread(part, labels, scan.volumes[0], code)
        rows = np.flatnonzero(~part.cap_vertices)
        rows = random.choice(rows, min(KEPT, len(rows)), replace=False)
        features.append(spread_features(part, labels, scan.volumes[0], code)[rows])
        errors.append(true_errors(solid.field, part.mesh.vertices[rows]))
        now.append(spread[rows])
    return {"features": np.concatenate(features), "errors": np.concatenate(errors), "now": np.concatenate(now)}


def fitted(features: np.ndarray, errors: np.ndarray) -> np.ndarray:
    """Weights (m,), none negative, for which the sum of weighted squares is the expected squared error."""
    squares, target = np.square(features), np.square(np.clip(errors, -WORST_MM, WORST_MM))
    weights = np.array(EXPECTED)
    pull = np.diag(np.sqrt(EXPECTED_COUNTS) / np.array(EXPECTED))
    for _ in range(5):  # large variances spread more: weigh them less, as in a gamma model
        predicted = np.maximum(squares @ weights, 1e-3)
        rows = np.concatenate([squares / predicted[:, None], pull])
        weights = nnls(rows, np.concatenate([target / predicted, pull @ EXPECTED]))[0]
    return weights


def table(predicted: np.ndarray, errors: np.ndarray) -> list[str]:
    """Found error by predicted standard deviation, in ten groups; the last row says how far both lie apart on average."""
    rows = ["| predicted sd, mm | found RMS, mm | vertices |", "|---|---|---|"]
    groups = np.array_split(np.argsort(predicted), 10)
    gap = 0.0
    for group in groups:
        said, found = float(np.sqrt(np.mean(predicted[group] ** 2))), float(np.sqrt(np.mean(errors[group] ** 2)))
        gap += abs(said - found) * len(group) / len(errors)
        rows.append(f"| {said:.3f} | {found:.3f} | {len(group)} |")
    within = [float(np.mean(np.abs(errors) < z * predicted)) for z in (1.0, 2.0)]
    rank = float(spearmanr(predicted, np.abs(errors)).statistic)
    rows.append(
        f"mean |predicted - found| {gap:.3f} mm; within 1 sd {within[0]:.1%}, within 2 sd {within[1]:.1%}; rank {rank:.2f}"
    )
    return rows


def main() -> None:
    """Measure what is missing, fit, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--scans", type=int, default=14)
    parser.add_argument("--first", type=int, default=900)
    parser.add_argument("--test", type=int, default=5)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    scans = []
    for seed in range(options.first, options.first + options.scans):
        path = options.folder / f"surface_{seed}.npz"
        if not path.exists():
            np.savez_compressed(path, **measured(seed))
            print(f"seed {seed} measured", flush=True)
        with np.load(path) as kept:
            scans.append({name: kept[name] for name in kept.files})
    fit, test = scans[: -options.test], scans[-options.test :]
    features, errors = (np.concatenate([scan[name] for scan in fit]) for name in ("features", "errors"))
    weights = fitted(features, errors)
    print("WEIGHTS = (" + ", ".join(f"{value:.4f}" for value in weights) + ")")
    for name, value, now in zip(FEATURES, weights, WEIGHTS, strict=True):
        print(f"{name:16s} {value:.4f} (program: {now:.4f})")
    features, errors = (np.concatenate([scan[name] for scan in test]) for name in ("features", "errors"))
    for what, choice in (("before", BEFORE), ("after", weights)):
        print("\n".join(["", f"{what}, {len(test)} scans not fitted:", *table(np.sqrt(np.square(features) @ choice), errors)]))
    print("\n".join(["", "as the program says it:", *table(np.concatenate([scan["now"] for scan in test]), errors)]))


if __name__ == "__main__":
    main()
