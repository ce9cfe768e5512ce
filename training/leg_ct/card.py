"""Write the program's page about the pack leg-ct, its learning curve and its reliability from what training left.

    python training/leg_ct/card.py RUN PACK DOCS [--seeds 0] [--hours TEXT] [--figures FILE]

``DOCS/leg-ct.md`` holds the pack's card, how it was trained, the calibration and, from FILE (Markdown, made by the benchmarks),
the figures against truth; ``DOCS/leg-ct-training.jsonl`` and ``DOCS/leg-ct-training.svg`` are the log and the curve of all seeds.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from networks import DESIGNS

_WIDE, _HIGH, _LEFT, _LOW = 640, 300, 50, 40
_COLOURS = {"coarse": "#b3541e", "fine": "#1e6fb3"}


def main() -> None:
    """Write page, log and curve."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("pack", type=Path)
    parser.add_argument("docs", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--hours", default="", help="how long it took on what, in words")
    parser.add_argument("--figures", type=Path)
    options = parser.parse_args()
    curves = {(name, seed): read_curve(options.run / f"{name}_{seed}.jsonl") for name in DESIGNS for seed in options.seeds}
    lines = [json.dumps({"network": name, "seed": seed, **point}) for (name, seed), curve in curves.items() for point in curve]
    (options.docs / "leg-ct-training.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")
    (options.docs / "leg-ct-training.svg").write_text(curve_picture(curves), encoding="utf-8", newline="\n")
    files = sorted(options.pack.glob("*"))
    size = sum(path.stat().st_size for path in files)
    parts = [
        (options.pack / "card.md").read_text(encoding="utf-8").strip(),
        _training(curves, options.hours),
        f"The pack takes {size / 1e6:.1f} MB: {', '.join(f'{path.name} {path.stat().st_size / 1e6:.2f}' for path in files)}.",
        _calibration(options.run / "calibration.json"),
        options.figures.read_text(encoding="utf-8").strip() if options.figures else "",
    ]
    text = "\n\n".join(part for part in parts if part)
    (options.docs / "leg-ct.md").write_text(f"{text}\n", encoding="utf-8", newline="\n")


def read_curve(path: Path) -> list[dict[str, Any]]:
    """Return the points of a curve; where training was taken up again from a checkpoint, the later ones stand."""
    points: dict[int, dict[str, Any]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        point = json.loads(line)
        points = {step: value for step, value in points.items() if step < point["step"]} | {point["step"]: point}
    return list(points.values())


def _training(curves: dict[tuple[str, int], list[dict[str, Any]]], hours: str) -> str:
    lines = [
        "## Training",
        "",
        "`python training/leg_ct/make.py WORK` makes all of it from nothing." + (f" {hours}" if hours else ""),
        "",
    ]
    lines += ["| network | seed | steps | loss at the end |", "|---|---|---|---|"]
    for (name, seed), curve in curves.items():
        last = curve[-8:]
        mean = sum(point["loss"] for point in last) / len(last)
        lines.append(f"| {name} | {seed} | {curve[-1]['step']} | {mean:.3f} |")
    lines += ["", "![learning curve](leg-ct-training.svg)"]
    return "\n".join(lines)


def _calibration(path: Path) -> str:
    if not path.exists():
        return ""
    found = json.loads(path.read_text(encoding="utf-8"))
    lines = ["## Calibration", "", f"{found['method']}; {found['data']}. Temperature {found['temperature']:g}.", ""]
    lines += ["| | expected error of the chance | cross entropy |", "|---|---|---|"]
    lines += [f"| {when} | {found[when]['error']:.4f} | {found[when]['cross_entropy']:.4f} |" for when in ("before", "after")]
    lines += ["", "| said, after | right | voxels |", "|---|---|---|"]
    lines += [f"| {item['said']:.3f} | {item['was']:.3f} | {item['count']} |" for item in found["after"]["bins"]]
    return "\n".join(lines)


def curve_picture(curves: dict[tuple[str, int], list[dict[str, Any]]]) -> str:
    """Draw the loss over the steps as SVG, both networks and all seeds."""
    most_steps = max(curve[-1]["step"] for curve in curves.values())
    most = max(point["loss"] for curve in curves.values() for point in curve)
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDE} {_HIGH}" font-family="sans-serif" font-size="11">']
    parts.append(f'<rect width="{_WIDE}" height="{_HIGH}" fill="#ffffff"/>')

    def at(step: float, loss: float) -> str:
        x = _LEFT + (_WIDE - _LEFT - 20) * step / most_steps
        return f"{x:.1f},{_HIGH - _LOW - (_HIGH - _LOW - 20) * loss / most:.1f}"

    for loss in range(int(most) + 1):
        x, y = at(0.0, loss).split(",")
        parts.append(f'<path d="M{at(0.0, loss)} L{at(most_steps, loss)}" stroke="#dddddd"/>')
        parts.append(f'<text x="{float(x) - 20}" y="{y}">{loss}</text>')
    for share in range(5):
        step = most_steps * share // 4
        parts.append(f'<text x="{at(step, 0.0).split(",")[0]}" y="{_HIGH - _LOW + 16}">{step}</text>')
    for (name, seed), curve in curves.items():
        points = " ".join(at(point["step"], point["loss"]) for point in curve)
        parts.append(f'<polyline points="{points}" fill="none" stroke="{_COLOURS[name]}"><title>{name} {seed}</title></polyline>')
    for number, (name, colour) in enumerate(_COLOURS.items()):
        parts.append(f'<text x="{_WIDE - 90}" y="{30 + 16 * number}" fill="{colour}">{name}</text>')
    parts.append(f'<text x="{_WIDE // 2 - 60}" y="{_HIGH - 8}">steps; loss (cross entropy + Dice)</text></svg>')
    return "\n".join(parts) + "\n"


if __name__ == "__main__":
    main()
