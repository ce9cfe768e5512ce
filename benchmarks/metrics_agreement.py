"""Dice, HD95, ASSD and NSD of random shapes against DeepMind's library ``surface-distance``, as the table of docs/metrics.md.

    pip install --no-deps surface-distance        (0.1, Apache-2.0; compared here, never shipped)
    python benchmarks/metrics_agreement.py [--shapes 200] [--seed 1]

Each pair is a random blob and the same blob disturbed (shifted, grown or shrunk, noisy; now and then cut by the edge of the image
or left empty) on a grid with a random spacing of 0.3 to 3 mm along each axis. The library pads with background, so surfaces on
the edge of the image count in it: compared with ``closed_edges``.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import time

import numpy as np
from scipy import ndimage

from surgiplan_desktop.base.spaces import Affine
from surgiplan_desktop.model.images import LabelMap
from surgiplan_desktop.validation.label_metrics import compare_labels

NAMES = ("dice", "asd_there", "asd_back", "assd", "hd95", "nsd_1mm", "nsd_half_mm")


def blob(random: np.random.Generator, shape: np.ndarray, spacing: np.ndarray) -> np.ndarray:
    """Return a smooth random body, as a field that is positive inside (mm, roughly)."""
    places = np.stack(
        np.meshgrid(*[np.arange(length) * step for length, step in zip(shape, spacing, strict=True)], indexing="ij"), -1
    )
    size = shape * spacing
    field = np.full(shape, -np.inf)
    for _ in range(random.integers(1, 4)):
        centre, radius = random.uniform(0.25, 0.75, 3) * size, random.uniform(0.12, 0.3) * size.min()
        field = np.maximum(field, radius - np.linalg.norm(places - centre, axis=-1))
    rough = ndimage.gaussian_filter(random.standard_normal(shape), random.uniform(1, 3))
    return field + rough * random.uniform(0, 3) / max(rough.std(), 1e-9) * spacing.min()


def pair(random: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return prediction, reference and spacing."""
    shape, spacing = random.integers(12, 48, 3), random.uniform(0.3, 3.0, 3)
    field = blob(random, shape, spacing)
    moved = ndimage.shift(field, random.uniform(-2, 2, 3), order=1, mode="nearest") + random.normal(0, 1.0)
    reference, prediction = field > 0, moved + random.normal(0, random.uniform(0, 0.5), shape) > 0
    kind = random.integers(20)
    if kind == 0:
        prediction[:] = False
    elif kind == 1:
        reference[:] = False
    elif kind == 2:
        prediction, reference = np.roll(prediction, shape[0] // 2, 0), np.roll(reference, shape[0] // 2, 0)
    return prediction, reference, spacing


def theirs(prediction: np.ndarray, reference: np.ndarray, spacing: np.ndarray) -> tuple[float, ...]:
    """Return the figures of the library; ASSD, which it has not, from its distances and areas."""
    import surface_distance as library

    found = library.compute_surface_distances(reference, prediction, spacing)
    back, there = library.compute_average_surface_distance(found)
    areas = found["surfel_areas_pred"].sum(), found["surfel_areas_gt"].sum()
    pooled = np.inf if 0 in areas else (there * areas[0] + back * areas[1]) / sum(areas)
    return (
        library.compute_dice_coefficient(reference, prediction), there, back, pooled,
        library.compute_robust_hausdorff(found, 95.0),
        library.compute_surface_dice_at_tolerance(found, 1.0), library.compute_surface_dice_at_tolerance(found, 0.5),
    )  # fmt: skip


def ours(prediction: np.ndarray, reference: np.ndarray, spacing: np.ndarray) -> tuple[float, ...]:
    """Return the figures of this program."""
    affine = Affine.from_parts(np.diag(spacing), np.zeros(3))
    maps = (LabelMap(mask.astype(np.uint16), affine) for mask in (prediction, reference))
    row = compare_labels(*maps, codes=(1,), closed_edges=True).labels[0]
    surface = row.surface
    return row.dice, *surface.asd_mm, surface.assd_mm, surface.hd95_mm, surface.nsd_1mm, surface.nsd_half_mm


def main() -> None:
    """Compare and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shapes", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    # the library's release 0.1 names infinity as NumPy 1 did
    vars(np).setdefault("Inf", np.inf)
    vars(np).setdefault("NaN", np.nan)
    random = np.random.default_rng(options.seed)
    rows, seconds = [], [0.0, 0.0]
    while len(rows) < options.shapes:
        shapes = pair(random)
        if not (shapes[0].any() or shapes[1].any()):
            continue
        figures = []
        for number, measured in enumerate((ours, theirs)):
            start = time.perf_counter()
            with np.errstate(invalid="ignore"):
                figures.append(measured(*shapes))
            seconds[number] += time.perf_counter() - start
        rows.append(figures)
    table = np.array(rows)
    one_empty = ~np.isfinite(table[:, 1, 4])
    print(
        f"surface-distance {importlib.metadata.version('surface-distance')}, {len(table)} pairs, {one_empty.sum()} with one empty"
    )
    print("| figure | pairs compared | largest difference | median figure |\n|---|---|---|---|")
    for number, name in enumerate(NAMES):
        pairs = table[:, :, number]
        both = np.isfinite(pairs).all(axis=1)
        difference = np.abs(pairs[both, 0] - pairs[both, 1])
        print(f"| {name} | {both.sum()} | {difference.max():.1e} | {np.median(pairs[both, 1]):.3f} |")
    same = (np.isinf(table[one_empty][:, :, 4])).all() and (table[one_empty][:, :, 5] == 0).all()
    print(f"one empty: infinite HD95 and NSD 0 in both: {bool(same)}")
    print(f"seconds: {seconds[0]:.1f} here, {seconds[1]:.1f} there")


if __name__ == "__main__":
    main()
