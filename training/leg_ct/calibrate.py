"""Find the temperature that makes the fine network's chances honest, on legs that it was not trained on.

    python training/leg_ct/calibrate.py UNSEEN RUN [--seed 0] [--tiles 40]

UNSEEN is a folder of shapes of its own seeds (shapes.py --first 2000). Tiles of them are rendered as in training, with coarse
names shaken as there; one number divides all logits so that the cross entropy of the true class is least (Guo 2017,
arXiv:1706.04599). Writes ``RUN/calibration.json``: the temperature, and the reliability before and after it within 5 mm of a
bone's surface, where alone chances are in doubt: for each tenth of the highest chance how many voxels there are, what was said,
and how often it was right.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from export import load_network
from networks import DESIGNS
from rendering import normalised, render
from scenes import load_shapes, random_tile
from torch.nn.functional import cross_entropy
from train import coarse_names

#: Draws of training are [seed, step, item]: this first number is no seed of theirs.
_DRAW = 91_000
_BAND_MM = 5.0
_VOXELS_A_TILE = 4000
_BINS = 10


def main() -> None:
    """Write the calibration."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("unseen", type=Path)
    parser.add_argument("run", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--tiles", type=int, default=40)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    shapes = load_shapes(options.unseen)
    network, steps = load_network(options.run, "fine", options.seed)
    logits, truth = _voxels(network, shapes, options.tiles)
    temperature = best_temperature(logits, truth)
    found = {
        "temperature": round(temperature, 3),
        "method": "temperature scaling: one number, least cross entropy, voxels within 5 mm of a bone's surface",
        "data": f"{options.tiles} rendered tiles of {len(shapes)} procedural legs that were not trained on",
        "steps": steps,
        "before": reliability(logits, truth, 1.0),
        "after": reliability(logits, truth, temperature),
    }
    (options.run / "calibration.json").write_text(json.dumps(found, indent=1), encoding="utf-8")
    for when in ("before", "after"):
        told = found[when]
        print(f"{when}: error of calibration {told['error']:.4f}, cross entropy {told['cross_entropy']:.4f}")
    print(f"temperature {temperature:.3f}, right {100.0 * found['after']['right']:.2f} %")


def _voxels(network: torch.nn.Module, shapes: list[Any], tiles: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits (n, classes) and true classes (n,) of voxels near surfaces, as many of each tile."""
    design = DESIGNS["fine"]
    logits, truth = [], []
    for number in range(tiles):
        random = np.random.default_rng([_DRAW, number])
        tile = random_tile(shapes, design.tile, design.step_mm, random)
        image = normalised(render(tile, random))[None]
        with torch.no_grad():
            answer = network(torch.cat([image, coarse_names(tile, random)])[None])[0]
        near = ((tile.depth.abs() < _BAND_MM) & tile.inside).flatten().nonzero()[:, 0]
        if not len(near):
            continue
        taken = near[torch.from_numpy(random.choice(len(near), min(_VOXELS_A_TILE, len(near)), replace=False))]
        logits.append(answer.flatten(1)[:, taken].T)
        truth.append(tile.target.flatten()[taken].long())
    return torch.cat(logits), torch.cat(truth)


def best_temperature(logits: torch.Tensor, truth: torch.Tensor) -> float:
    """Return the temperature of least cross entropy, which has one minimum in its logarithm: golden section, 1 % fine."""
    low, high = np.log(0.2), np.log(5.0)
    share = 0.5 * (np.sqrt(5.0) - 1.0)

    def cost(place: float) -> float:
        return float(cross_entropy(logits / float(np.exp(place)), truth))

    while high - low > 0.01:
        first, second = high - share * (high - low), low + share * (high - low)
        if cost(first) < cost(second):
            high = second
        else:
            low = first
    return float(np.exp(0.5 * (low + high)))


def reliability(logits: torch.Tensor, truth: torch.Tensor, temperature: float) -> dict[str, Any]:
    """Return how well the highest chance tells how often it is right: expected error of calibration, cross entropy, the bins."""
    chance, named = (logits / temperature).softmax(dim=1).max(dim=1)
    right = (named == truth).float()
    place = (chance * _BINS).long().clamp(0, _BINS - 1)
    bins = []
    error = 0.0
    for number in range(_BINS):
        here = place == number
        count = int(here.sum())
        if not count:
            continue
        said, was = float(chance[here].mean()), float(right[here].mean())
        error += count / len(truth) * abs(said - was)
        bins.append({"count": count, "said": round(said, 4), "was": round(was, 4)})
    entropy = float(cross_entropy(logits / temperature, truth))
    return {"error": round(error, 5), "cross_entropy": round(entropy, 5), "right": round(float(right.mean()), 5), "bins": bins}


if __name__ == "__main__":
    main()
