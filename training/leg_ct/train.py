"""Train one network of the leg-ct pack on randomly rendered CT; goes on from its checkpoint when there is one.

    python training/leg_ct/train.py SHAPES OUT --network coarse|fine [--steps 20000] [--seed 0] [--device cpu|cuda] [--minutes M]

Writes ``OUT/<network>_<seed>.pt`` (weights, average of weights, optimizer, step) every few minutes and a line of the learning
curve to ``OUT/<network>_<seed>.jsonl``. The Visible Human is in no part of it.
"""

from __future__ import annotations

import argparse
import copy
import json
import time
from pathlib import Path

import numpy as np
import torch
from networks import CLASSES, DESIGNS, Design, UNet
from rendering import normalised, render
from scenes import Shape, Tile, load_shapes, random_tile
from torch.nn.functional import cross_entropy, interpolate, one_hot

_SAVE_EVERY_S = 180.0
_REPORT_EVERY = 25
_AVERAGE = 0.998


def example(shapes: list[Shape], design: Design, random: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Draw an input (c, k, j, i) and its target codes (k, j, i)."""
    tile = random_tile(shapes, design.tile, design.step_mm, random)
    image = normalised(render(tile, random))[None]
    target = tile.target.long()
    return (torch.cat([image, coarse_names(tile, random)]) if design.guided else image), target


def coarse_names(tile: Tile, random: np.random.Generator) -> torch.Tensor:
    """What the coarse network might have said of this tile: names on its lattice, shaken, at times wrong or missing."""
    size = tuple(tile.depth.shape)
    shake = torch.from_numpy(random.normal(0.0, random.uniform(0.3, 2.0), (1, 1, 5, 5, 5)).astype(np.float32))
    depth = tile.depth + interpolate(shake, size=size, mode="trilinear", align_corners=True)[0, 0]
    names = torch.where((depth > random.normal(0.0, 0.8)) & tile.inside, tile.code, torch.zeros_like(tile.code)).long()
    present = [code for code in range(1, CLASSES) if bool((names == code).any())]
    for code in present:
        draw = random.random()
        if draw < 0.08:
            names[names == code] = 0
        elif draw < 0.20:
            names[names == code] = int(random.integers(1, CLASSES))
        elif draw < 0.38:  # a part of the bone under another name, as at the ends of fields of view
            start = int(random.integers(size[0]))
            part = slice(start, None) if random.random() < 0.5 else slice(0, start)
            names[part][names[part] == code] = int(random.integers(0, CLASSES))
    # on the coarse lattice at a random phase and back by the nearest voxel, as the program feeds it
    ratio = DESIGNS["coarse"].step_mm / tile.step_mm
    phase = random.uniform(0.0, ratio, 3)
    rows = [((torch.arange(n) + float(p)) / ratio).floor() for n, p in zip(size, phase, strict=True)]
    picks = [((row + 0.5) * ratio - float(p)).round().long().clamp(0, n - 1) for row, n, p in zip(rows, size, phase, strict=True)]
    names = names[picks[0]][:, picks[1]][:, :, picks[2]]
    return one_hot(names, CLASSES).permute(3, 0, 1, 2)[1:].float()


def loss_of(logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Cross entropy plus soft Dice over the classes in view."""
    entropy = cross_entropy(logits, target)
    chance = logits.softmax(dim=1)
    hot = one_hot(target, CLASSES).permute(0, 4, 1, 2, 3).to(chance.dtype)
    dims = (0, 2, 3, 4)
    shared, total = (chance * hot).sum(dims), (chance + hot).sum(dims)
    present = hot.sum(dims) > 0
    present[0] = False
    dice = (2.0 * shared + 1.0) / (total + 1.0)
    absent = chance.sum(dims)[~present][1:] / float(target.numel())
    return entropy + (1.0 - dice[present].mean() if bool(present.any()) else 0.0) + 5.0 * absent.sum()


def main() -> None:
    """Train until the steps or the minutes are used."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shapes", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--network", choices=tuple(DESIGNS), required=True)
    parser.add_argument("--steps", type=int, default=20000)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=1e9)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    options.out.mkdir(parents=True, exist_ok=True)
    name = f"{options.network}_{options.seed}"
    checkpoint, curve = options.out / f"{name}.pt", options.out / f"{name}.jsonl"
    design, shapes = DESIGNS[options.network], load_shapes(options.shapes)
    torch.manual_seed(options.seed)
    network = UNet(design).to(options.device)
    optimizer = torch.optim.AdamW(network.parameters(), lr=2e-3, weight_decay=1e-4)
    average = copy.deepcopy(network).eval()
    step = 0
    if checkpoint.exists():
        state = torch.load(checkpoint, map_location=options.device, weights_only=True)
        network.load_state_dict(state["network"])
        average.load_state_dict(state["average"])
        optimizer.load_state_dict(state["optimizer"])
        step = int(state["step"])
    end = time.monotonic() + 60.0 * options.minutes
    saved, losses = time.monotonic(), []
    while step < options.steps and time.monotonic() < end:
        rate = 2e-3 * min(1.0, (step + 1) / 200) * max(0.02, (1.0 - step / options.steps) ** 0.9)
        for group in optimizer.param_groups:
            group["lr"] = rate
        pairs = [example(shapes, design, np.random.default_rng([options.seed, step, item])) for item in range(options.batch)]
        image = torch.stack([pair[0] for pair in pairs]).to(options.device)
        target = torch.stack([pair[1] for pair in pairs]).to(options.device)
        with torch.autocast(torch.device(options.device).type, dtype=torch.bfloat16):
            logits = network(image)
        loss = loss_of(logits.float(), target)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        keep = min(_AVERAGE, (1.0 + step) / (10.0 + step))
        with torch.no_grad():
            for mean, value in zip(average.parameters(), network.parameters(), strict=True):
                mean.lerp_(value, 1.0 - keep)
        losses.append(float(loss.detach()))
        step += 1
        if step % _REPORT_EVERY == 0:
            with curve.open("a") as stream:
                stream.write(json.dumps({"step": step, "loss": round(float(np.mean(losses)), 4), "rate": rate}) + "\n")
            losses = []
        if time.monotonic() - saved > _SAVE_EVERY_S or step == options.steps:
            save(checkpoint, network, average, optimizer, step)
            saved = time.monotonic()
    save(checkpoint, network, average, optimizer, step)


def save(path: Path, network: UNet, average: UNet, optimizer: torch.optim.Optimizer, step: int) -> None:
    """Write the checkpoint whole or not at all."""
    partial = path.with_suffix(".part")
    torch.save(
        {"network": network.state_dict(), "average": average.state_dict(), "optimizer": optimizer.state_dict(), "step": step},
        partial,
    )
    partial.rename(path)


if __name__ == "__main__":
    main()
