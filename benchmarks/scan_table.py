"""What ``surgiplan scan --json`` says of folders, as a table for docs/import.md.

    python benchmarks/scan_table.py FOLDER [FOLDER ...]

Each argument is scanned on its own: one row a series, with verdict and findings, and one row for the files left aside.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any


def scanned(folder: Path) -> dict[str, Any]:
    """Run the command and return its JSON object."""
    command = [sys.executable, "-m", "surgiplan_desktop", "scan", str(folder), "--json", "--quiet"]
    answer: dict[str, Any] = json.loads(subprocess.run(command, check=False, capture_output=True, text=True).stdout)
    return answer


def rows(folder: Path) -> list[tuple[str, ...]]:
    """One row a series: folder, what it is, verdict, findings, what a repair would do."""
    data = scanned(folder)
    found = []
    for series in data["series"]:
        spacing = " x ".join("?" if value is None else f"{value:.4g}" for value in series["spacing_mm"])
        what = f"{series['modality'] or '-'}, {series['slices']} x {series['size'][0]} x {series['size'][1]}, {spacing} mm"
        codes = " ".join(finding["code"] for finding in series["findings"]) or "none"
        repairs = ", ".join(repair["kind"] for repair in series.get("repairs", ()))
        found.append((folder.name, what, f"**{series['verdict']}**", codes, repairs))
    for reason, count in Counter(item["reason"] for item in data["rejected"]).items():
        found.append((folder.name, f"{count} file(s)", "left aside", reason, ""))
    return found


def main() -> None:
    """Print the table."""
    print("| folder | series | verdict | findings | repair offered |\n|---|---|---|---|---|")
    for argument in sys.argv[1:]:
        for row in rows(Path(argument)):
            print(f"| {' | '.join(row)} |")


if __name__ == "__main__":
    main()
