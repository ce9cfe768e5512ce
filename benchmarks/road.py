"""Wall time and peak memory of every command of the road, one process each, on the embedded leg.

    python benchmarks/road.py [--spacing 1.0]

Commands follow each other on one case, so each row is what that command adds: bones found earlier are taken from the user's
cache.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from command import Answer, surgiplan


def road(folder: Path, spacing: float) -> list[tuple[str, Answer]]:
    """Run the commands and return their answers in order."""
    leg = folder / "leg"
    case = folder / "leg.surgiplan"
    commands: dict[str, list[str | Path]] = {
        "phantom": ["phantom", "-o", leg, "--spacing", str(spacing), "--jlca", "1"],
        "scan": ["scan", leg / "dicom"],
        "import": ["import", leg / "dicom", "-o", case, "--side", "right", "--procedure", "mowhto"],
        "segment": ["segment", case, "--no-ai"],
        "surfaces": ["export", case, "bones", "-f", "stl", "-o", folder / "bones"],
        "measure": ["measure", case],
        "plan": ["plan", "mowhto", case, "--target", "wbl=55"],
        "implant": ["implant", case, "--side", "right", "--catalogue", "generic"],
        "guide": ["guide", case],
        "export": ["export", case, "all", "-f", "stl", "-o", folder / "stl"],
        "report": ["report", case, "-o", folder / "plan.pdf"],
    }
    return [(name, surgiplan(command, folder / "user")) for name, command in commands.items()]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--spacing", type=float, default=1.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        rows = road(Path(name), options.spacing)
    print(f"{'command':<12}{'seconds':>10}{'peak MiB':>10}")
    for command, answer in rows:
        print(f"{command:<12}{answer.seconds:>10.2f}{answer.peak_mib:>10.0f}")
    print(f"{'sum':<12}{sum(answer.seconds for _, answer in rows):>10.2f}")


if __name__ == "__main__":
    main()
