"""Time and peak memory of the import against plain SimpleITK on the same series, each in processes of its own.

    python benchmarks/bench_import.py [FOLDER] [--runs 3] [--slices 500]

FOLDER holds one CT series (in one folder or a tree); without it a series is written first. The best of the runs counts. Peak is
the largest resident size minus that after the imports, in multiples of the volume's bytes. Goal: ratio <= 1.5, peak <= 2.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np


def _memory_bytes(field: str) -> int:
    """Resident size now (``VmRSS``) or at its highest (``VmHWM``); ru_maxrss would count the parent process in."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{field}:"))


def read_with_simpleitk(folder: Path) -> int:
    """Read with SimpleITK's series reader; return the bytes of the volume."""
    import SimpleITK

    names = SimpleITK.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder), "", False, True, False)
    reader = SimpleITK.ImageSeriesReader()
    reader.SetFileNames(names)
    image = reader.Execute()
    return int(np.prod(image.GetSize())) * 2


def read_with_surgiplan(folder: Path) -> int:
    """Scan, choose and read the blocks into memory; return their bytes."""
    from surgiplan_desktop.app.import_study import choose, scan
    from surgiplan_desktop.imaging.dicom_blocks import plan_blocks
    from surgiplan_desktop.imaging.dicom_read import read_block
    from surgiplan_desktop.imaging.sources import Sources

    plans = plan_blocks(choose(scan(folder)))
    with Sources(folder) as sources:
        return sum(read_block(sources, plan).array.nbytes for plan in plans)


def import_into_case(folder: Path) -> int:
    """The whole use case: scan, choose, read, hash and store on the disk, edit the case; return the bytes of the blocks."""
    from surgiplan_desktop.app import documents, startup
    from surgiplan_desktop.app.import_study import import_study

    with tempfile.TemporaryDirectory() as user:
        services = startup.start(user_folder=Path(user), catalogues={})
        session = documents.new_session(services)
        loaded = import_study(session, folder)
        session.close(discard=True)
        services.close()
    return sum(2 * int(np.prod(block.shape)) for block in loaded.blocks)


WAYS = {"simpleitk": read_with_simpleitk, "surgiplan": read_with_surgiplan, "into a case": import_into_case}


def _measure(way: str, folder: Path) -> None:
    """Run one way in this process and print what it took as JSON."""
    import SimpleITK  # noqa: F401 - imports are not what is measured

    import surgiplan_desktop.app.documents
    import surgiplan_desktop.app.import_study
    import surgiplan_desktop.planning.graph  # noqa: F401

    before = _memory_bytes("VmRSS")
    start = time.perf_counter()
    size = WAYS[way](folder)
    seconds = time.perf_counter() - start
    peak = _memory_bytes("VmHWM") - before
    print(json.dumps({"seconds": seconds, "peak": peak / size, "mib": size / 2**20}))


def _run(way: str, folder: Path) -> dict[str, float]:
    command = [sys.executable, __file__, str(folder), "--way", way]
    answer: dict[str, float] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return answer


def _write_series(folder: Path, slices: int) -> None:
    from surgiplan_desktop.base.spaces import Affine
    from surgiplan_desktop.imaging.dicom_write import write_ct_series
    from surgiplan_desktop.model.images import Volume

    values = np.random.default_rng(0).integers(-1000, 1500, (slices, 288, 282)).astype(np.int16)
    linear = np.column_stack([[0, 0, 1.0], [0, 1.0, 0], [1.0, 0, 0]])
    write_ct_series(Volume(values, Affine.from_parts(linear, np.zeros(3))), folder)


def main() -> None:
    """Print the table and the ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--slices", type=int, default=500)
    parser.add_argument("--way", choices=list(WAYS), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.way:
        _measure(options.way, options.folder)
        return
    with tempfile.TemporaryDirectory() as name:
        folder = options.folder or Path(name)
        if options.folder is None:
            _write_series(folder, options.slices)
        answers: dict[str, list[dict[str, float]]] = {way: [] for way in WAYS}
        for _ in range(options.runs):
            for way in WAYS:
                answers[way].append(_run(way, folder))
    print(f"{'':<14}{'seconds':>10}{'peak x volume':>16}")
    best = {way: min(item["seconds"] for item in found) for way, found in answers.items()}
    for way, found in answers.items():
        print(f"{way:<14}{best[way]:>10.3f}{max(item['peak'] for item in found):>16.2f}")
    print(
        f"volume {answers['simpleitk'][0]['mib']:.1f} MiB; ratio to SimpleITK {best['surgiplan'] / best['simpleitk']:.2f}", end=""
    )
    print(f", into a case {best['into a case'] / best['simpleitk']:.2f}")


if __name__ == "__main__":
    main()
