"""Accuracy of the measuring road on phantoms: DICOM -> import -> bones without AI -> landmarks -> measures, against truth.

    python benchmarks/accuracy_phantoms.py [--spacing 1.0] [--legs 6]

Prints one row a leg (error = measured - true) and the largest absolute error of each measure.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

from command import surgiplan

#: Side, HKA deviation, mLDFA, seed: both sides, deviations from -10 to +6.
LEGS = (
    ("right", -10.0, 89.0, 1),
    ("left", -7.0, 88.0, 2),
    ("right", -4.0, 87.0, 3),
    ("left", 0.0, 87.0, 4),
    ("right", 3.0, 86.0, 5),
    ("left", 6.0, 84.0, 6),
)
MEASURES = ("hka_deviation", "mldfa", "mpta", "jlca", "wbl", "mad", "femoral_torsion", "tibial_torsion")


def measured_errors(side: str, deviation: float, mldfa: float, seed: int, spacing: float, folder: Path) -> dict[str, float]:
    """Drive one leg through the program and return measured minus true by measure."""
    user = folder / "user"
    leg = folder / "leg"
    case = folder / "leg.surgiplan"
    phantom = ["phantom", "-o", leg, "--side", side, "--hka-deviation", deviation, "--mldfa", mldfa]
    surgiplan([str(item) for item in phantom] + ["--seed", str(seed), "--spacing", str(spacing)], user)
    surgiplan(["import", leg / "dicom", "-o", case, "--side", side], user)
    surgiplan(["segment", case, "--no-ai"], user)
    measures = surgiplan(["measure", case], user).data["legs"][0]["measures"]
    truth = json.loads((leg / "truth.json").read_text())["measures"]
    errors = {}
    for name in MEASURES:
        value = measures[name]["value"]
        errors[name] = float("nan") if value is None else value - truth[name]
    return errors


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--spacing", type=float, default=1.0)
    parser.add_argument("--legs", type=int, default=len(LEGS))
    options = parser.parse_args()
    print("leg".ljust(14) + "".join(name.rjust(17) for name in MEASURES))
    worst = dict.fromkeys(MEASURES, 0.0)
    for side, deviation, mldfa, seed in LEGS[: options.legs]:
        with tempfile.TemporaryDirectory() as name:
            errors = measured_errors(side, deviation, mldfa, seed, options.spacing, Path(name))
        print(f"{side} {deviation:+.0f}".ljust(14) + "".join(f"{value:17.3f}" for value in errors.values()), flush=True)
        worst = {name: max(worst[name], abs(errors[name])) for name in MEASURES}
    print("largest |error|".ljust(14) + "".join(f"{value:17.3f}" for value in worst.values()))


if __name__ == "__main__":
    main()
