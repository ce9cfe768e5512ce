"""Time and peak memory of the import against plain SimpleITK on the same series, each in processes of its own.

    python benchmarks/bench_import.py [FOLDER] [--runs 3] [--slices 500] [--headers 2000]

FOLDER holds one CT series (in one folder or a tree); without it a series is written first. The best of the runs counts. Peak is
the largest resident size minus that after the imports, in multiples of the volume's bytes. Then the headers of another series are
scanned, and scanning and reading are cancelled at twenty moments: the longest time from the wish to the end counts.
Goals: ratio <= 1.2, peak <= 2.2, FOLDER (500 slices) scanned in <= 1 s and 2,000 headers in <= 4 s, cancelled within 0.5 s.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import subprocess
import sys
import tempfile
import threading
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


def scan_headers(folder: Path) -> int:
    """Scan only; return the bytes that the blocks would take."""
    from surgiplan_desktop.app.import_study import choose, scan
    from surgiplan_desktop.imaging.dicom_blocks import plan_blocks

    return sum(2 * int(np.prod(plan.shape)) for plan in plan_blocks(choose(scan(folder))))


def longest_cancel(folder: Path, moments: int = 20) -> float:
    """Scan and read a folder in a thread, cancel at evenly spread moments, and return the longest wait until it ended (s)."""
    from surgiplan_desktop.app.import_study import choose, scan
    from surgiplan_desktop.base.progress import Cancelled, Progress
    from surgiplan_desktop.imaging.dicom_blocks import plan_blocks
    from surgiplan_desktop.imaging.repair import read_repaired
    from surgiplan_desktop.imaging.sources import Sources

    class Wish:
        wanted = False

        def step(self, *_: object) -> None:
            if self.wanted:
                raise Cancelled

    def run(progress: Progress) -> None:
        with contextlib.suppress(Cancelled):
            chosen = choose(scan(folder, progress=progress))
            with Sources(folder) as sources:
                for plan in plan_blocks(chosen):
                    read_repaired(sources, plan, (), progress=progress)

    start = time.perf_counter()
    run(Wish())
    whole = time.perf_counter() - start
    longest = 0.0
    for moment in range(moments):
        wish = Wish()
        thread = threading.Thread(target=run, args=(wish,))
        thread.start()
        thread.join(whole * moment / moments)
        wish.wanted, wished = True, time.perf_counter()
        thread.join()
        longest = max(longest, time.perf_counter() - wished)
    return longest


WAYS = {"simpleitk": read_with_simpleitk, "surgiplan": read_with_surgiplan, "into a case": import_into_case, "scan": scan_headers}


def _measure(way: str, folder: Path) -> None:
    """Run one way in this process and print what it took as JSON."""
    import SimpleITK  # noqa: F401 - imports are not what is measured

    import surgiplan_desktop.app.documents
    import surgiplan_desktop.app.import_study
    import surgiplan_desktop.planning.graph  # noqa: F401 - as above

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


def _write_series(folder: Path, slices: int, size: tuple[int, int] = (288, 282)) -> None:
    from surgiplan_desktop.base.spaces import Affine
    from surgiplan_desktop.imaging.dicom_write import write_ct_series
    from surgiplan_desktop.model.images import Volume

    values = np.random.default_rng(0).integers(-1000, 1500, (slices, *size)).astype(np.int16)
    linear = np.column_stack([[0, 0, 1.0], [0, 1.0, 0], [1.0, 0, 0]])
    write_ct_series(Volume(values, Affine.from_parts(linear, np.zeros(3))), folder)


def main() -> None:
    """Print the table and the ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--slices", type=int, default=500)
    parser.add_argument("--headers", type=int, default=2000)
    parser.add_argument("--way", choices=list(WAYS), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.way:
        _measure(options.way, options.folder)
        return
    with tempfile.TemporaryDirectory() as name:
        folder = options.folder or Path(name) / "series"
        if options.folder is None:
            _write_series(folder, options.slices)
        answers: dict[str, list[dict[str, float]]] = {way: [] for way in WAYS}
        for _ in range(options.runs):
            for way in WAYS:
                answers[way].append(_run(way, folder))
        longest = longest_cancel(folder)
        many = Path(name) / "headers"
        _write_series(many, options.headers, (32, 32))
        headers = min(_run("scan", many)["seconds"] for _ in range(options.runs))
    print(f"{'':<14}{'seconds':>10}{'peak x volume':>16}")
    best = {way: min(item["seconds"] for item in found) for way, found in answers.items()}
    for way, found in answers.items():
        print(f"{way:<14}{best[way]:>10.3f}{max(item['peak'] for item in found):>16.2f}")
    print(
        f"volume {answers['simpleitk'][0]['mib']:.1f} MiB; ratio to SimpleITK {best['surgiplan'] / best['simpleitk']:.2f}", end=""
    )
    print(f", into a case {best['into a case'] / best['simpleitk']:.2f}")
    print(f"scan of {options.headers} headers {headers:.2f} s; longest wait after a cancel {longest:.3f} s")


if __name__ == "__main__":
    main()
