"""Accuracy of the whole road on random phantoms: DICOM -> import -> bones without AI -> landmarks -> measures, against truth.

    python benchmarks/accuracy_phantoms.py [--legs 20] [--first 0] [--spacing 1.0] [--blocks mixed] [--results FILE.jsonl]

Leg n is drawn from seed n, right and left in turn, every second pair in three blocks (``--blocks 1`` or ``3``: all alike).
Each leg is one line of the results file; legs that stand there already are not computed again, so a batch goes on where it was
stopped.
Prints the table of errors (found - true): n, mean with its 95 % interval, 95 % of |error|, largest |error| and the leg it is of.
"""

from __future__ import annotations

import argparse
import json
import math
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from command import surgiplan
from scipy.stats import t as student

from surgiplan_desktop.model.anatomy import Side
from surgiplan_desktop.phantom.draws import draw_leg


def leg_errors(seed: int, spacing: float, blocks: int, folder: Path) -> dict[str, Any]:
    """Drive one leg through the program; errors by measure and distances by landmark, None where the program has no value."""
    user, case = folder / "user", folder / "leg.surgiplan"
    drawn = draw_leg(seed, side=Side.LEFT if seed % 2 else Side.RIGHT)
    surgiplan(["phantom", "-o", folder / "leg", "--draw", str(seed), "--side", str(drawn.side), "--spacing", str(spacing),
               "--blocks", str(blocks)], user)  # fmt: skip
    surgiplan(["import", folder / "leg" / "dicom", "-o", case, "--side", str(drawn.side)], user)
    surgiplan(["segment", case, "--no-ai"], user)
    truth = json.loads((folder / "leg" / "truth.json").read_text())
    found = next((leg for leg in surgiplan(["measure", case], user).data["legs"] if leg["side"] == str(drawn.side)), None)
    if found is None:  # the bones were not named, or for the other side (which the program says)
        nothing = {kind: dict.fromkeys(truth[kind]) for kind in ("measures", "landmarks")}
        return {"seed": seed, "side": str(drawn.side), "blocks": blocks, **nothing}
    measures = {
        name: None if found["measures"][name]["value"] is None else found["measures"][name]["value"] - value
        for name, value in truth["measures"].items()
        if isinstance(value, float)
    }
    landmarks = {
        name: None if (item := found["landmarks"][name])["point_lps"] is None else math.dist(item["point_lps"], point)
        for name, point in truth["landmarks"].items()
    }
    return {"seed": seed, "side": str(drawn.side), "blocks": blocks, "measures": measures, "landmarks": landmarks}


def table(legs: list[dict[str, Any]], kind: str) -> list[str]:
    """Rows of the table of one kind ("measures" or "landmarks")."""
    rows = [f"| {kind} | n | mean | 95 % of the mean | 95 % of abs | largest abs | of leg |", "|---|---|---|---|---|---|---|"]
    for name in legs[0][kind]:
        pairs = [(leg[kind][name], leg["seed"]) for leg in legs if leg[kind].get(name) is not None]
        if not pairs:
            rows.append(f"| {name} | 0 | | | | | |")
            continue
        errors = np.array([error for error, _ in pairs])
        half = (
            float(student.ppf(0.975, len(errors) - 1) * errors.std(ddof=1) / math.sqrt(len(errors))) if len(errors) > 1 else 0.0
        )
        worst = int(np.argmax(np.abs(errors)))
        rows.append(
            f"| {name} | {len(errors)} | {errors.mean():+.3f} | {errors.mean() - half:+.3f} .. {errors.mean() + half:+.3f} "
            f"| {np.quantile(np.abs(errors), 0.95):.3f} | {abs(errors[worst]):.3f} | {pairs[worst][1]} |"
        )
    return rows


def main() -> None:
    """Compute what is missing and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--legs", type=int, default=20)
    parser.add_argument("--first", type=int, default=0, help="seed of the first leg")
    parser.add_argument("--spacing", type=float, default=1.0)
    parser.add_argument("--blocks", choices=("1", "3", "mixed"), default="mixed")
    parser.add_argument("--results", type=Path, default=Path("accuracy_phantoms.jsonl"))
    options = parser.parse_args()
    lines = options.results.read_text().splitlines() if options.results.exists() else []
    done = {leg["seed"]: leg for leg in map(json.loads, lines)}
    wanted = range(options.first, options.first + options.legs)
    for seed in wanted:
        if seed in done:
            continue
        blocks = (3 if seed % 4 > 1 else 1) if options.blocks == "mixed" else int(options.blocks)
        with tempfile.TemporaryDirectory() as name:
            done[seed] = leg_errors(seed, options.spacing, blocks, Path(name))
        with options.results.open("a") as stream:
            stream.write(json.dumps(done[seed]) + "\n")
        print(f"leg {seed}: " + ", ".join(f"{n} {done[seed]['measures'][n]}" for n in ("hka", "mldfa", "mpta")), flush=True)
    legs = [done[seed] for seed in wanted]
    lost = [leg["seed"] for leg in legs if all(value is None for value in leg["landmarks"].values())]
    print(f"{len(legs)} legs; no bones found on that side: {len(lost)} {lost or ''}")
    for kind in ("measures", "landmarks"):
        print("\n".join(["", *table(legs, kind)]))


if __name__ == "__main__":
    main()
