"""Whether the printed standard deviation of a measure is the error it really has: random phantoms at mesh level against truth.

    python benchmarks/accuracy_spread.py [--legs 40] [--first 6000] [--noise 0.3] [--step 1.5] [--results FILE.jsonl]

Each leg is drawn like people and meshed with noise on every vertex; landmarks, measures and their spread are found as the program
does. A leg that stands in the results file is not done again. Prints for each measure: n, root mean square error, mean of the
printed sd, their ratio, and the share of errors within one and within two printed sd (68 % and 95 % where errors are normal).
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from accuracy_landmarks import drawn, landmarks_of, meshes_of, with_noise

from surgiplan_desktop.planning.axes import leg_frames
from surgiplan_desktop.planning.measure_spread import spread_of
from surgiplan_desktop.planning.measures import measure_leg


def leg_row(seed: int, noise_mm: float, step_mm: float) -> dict[str, Any]:
    """Error and printed sd of every measure that the truth knows."""
    leg = drawn(seed, step_mm)
    landmarks = landmarks_of(leg.side, with_noise(meshes_of(leg), noise_mm, seed))
    frames = leg_frames(landmarks)
    measures, spreads = measure_leg(landmarks, frames), spread_of(landmarks, frames, {})
    rows = {}
    for name, true in leg.truth_measures.items():
        found = measures.number(name)
        if found is not None and isinstance(true, float) and name in spreads:
            rows[name] = (found - true, spreads[name].sd)
    return {"seed": seed, "noise": noise_mm, "measures": rows}


def table(legs: list[dict[str, Any]]) -> list[str]:
    """Rows of the table."""
    lines = ["| measure | n | rms error | mean sd | error / sd | within 1 sd | within 2 sd |", "|---|---|---|---|---|---|---|"]
    for name in dict.fromkeys(name for leg in legs for name in leg["measures"]):
        pairs = np.array([leg["measures"][name] for leg in legs if name in leg["measures"]])
        error, sd = np.sqrt((pairs[:, 0] ** 2).mean()), pairs[:, 1].mean()
        inside = [100.0 * float((np.abs(pairs[:, 0]) <= times * pairs[:, 1]).mean()) for times in (1.0, 2.0)]
        row = f"| {name} | {len(pairs)} | {error:.3f} | {sd:.3f} | {error / sd:.2f} "
        lines.append(row + f"| {inside[0]:.0f} % | {inside[1]:.0f} % |")
    return lines


def main() -> None:
    """Compute what is missing and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--legs", type=int, default=40)
    parser.add_argument("--first", type=int, default=6000)
    parser.add_argument("--noise", type=float, default=0.3)
    parser.add_argument("--step", type=float, default=1.5)
    parser.add_argument("--results", type=Path, default=Path("accuracy_spread.jsonl"))
    options = parser.parse_args()
    legs = [json.loads(line) for line in options.results.read_text().splitlines()] if options.results.exists() else []
    done = {leg["seed"] for leg in legs}
    for seed in range(options.first, options.first + options.legs):
        if seed in done:
            continue
        legs.append(leg_row(seed, options.noise, options.step))
        with options.results.open("a") as out:
            out.write(json.dumps(legs[-1]) + "\n")
    print("\n".join(table([leg for leg in legs if options.first <= leg["seed"] < options.first + options.legs])))


if __name__ == "__main__":
    main()
