"""Thousands of damaged studies through scan and import: no crash, no hang, no volume that contradicts its headers.

    python benchmarks/fuzz_import.py [--count 2000] [--first 0] [--seed 1] [--corpus DIR] [-o RESULTS.jsonl]

Each study runs in a worker process with a watchdog of 2 s for each of its files, those in archives too (a study that is late
is tried once more, so that a busy machine is not taken for a hang). A worker that dies or answers with anything but the
program's own errors is a crash. What is accepted is judged by fuzz_judge.py. Results are one line of JSON a study; an existing
file is continued. DIR is the unpacked ``dicom-corpus``.
"""

from __future__ import annotations

import argparse
import json
import logging
import multiprocessing
import os
import random
import resource
import shutil
import sys
import tempfile
import time
import traceback
import warnings
import zipfile
from collections import Counter
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.fuzz_judge import contradiction, planes_of
from benchmarks.fuzz_mutations import Files, mutate, studies

LIMIT_S: Final = 2.0
_MEMORY: Final = 6 << 30


@dataclass(frozen=True)
class Result:
    """What became of one damaged study; ``kind``: refused, accepted, contradiction, crash or hang."""

    number: int
    study: str
    mutation: str
    kind: str
    detail: str = ""
    seconds: float = 0.0


def damaged(number: int, seed: int, scratch: Path, corpus: Path | None) -> tuple[str, str, Files]:
    """Return study, mutation and files number ``number`` of a seed."""
    random_ = random.Random(f"{seed}/{number}")
    all_studies = studies(scratch, corpus)
    study = random_.choice(sorted(all_studies))
    mutation, files = mutate(all_studies[study], random_)
    return study, mutation, files


def run_one(files: Files, folder: Path) -> tuple[str, str]:
    """Scan and import a study as the program does; return kind and detail."""
    from surgiplan_desktop.app.import_study import choose, load, scan
    from surgiplan_desktop.base.errors import InputDataError, UsageError
    from surgiplan_desktop.files.asset_store import AssetStore

    place, assets = folder / "study", folder / "assets"
    for path in (place, assets):
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir(parents=True)
    for name, data in files.items():
        (place / name).write_bytes(data)
    path = place / next(iter(files)) if len(files) == 1 else place
    judged = files
    if path.is_file() and zipfile.is_zipfile(path):
        judged = _unzipped(path)
    try:
        result = scan(path)
        store = AssetStore(assets)
        codes: list[str] = []
        for repair in (False, True):
            try:
                chosen = choose(result, accept_repair=repair)
                loaded = load(result, chosen, store)
            except (InputDataError, UsageError) as error:
                codes.append(error.message_id)
                continue
            if repair:
                return "refused", f"{codes[0]}, repaired"
            planes = planes_of(judged)
            for block in loaded.blocks:
                said = contradiction(planes, np.array(block.affine), store.load(block.voxels), block.origin.series_uids)
                if said:
                    return "contradiction", said
            return "accepted", ""
    except (InputDataError, UsageError) as error:
        codes = [error.message_id]
    return "refused", codes[0]


def _unzipped(path: Path) -> Files:
    files: Files = {}
    try:
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                try:
                    files[name] = archive.read(name)
                except Exception:  # noqa: BLE001, S112 - a damaged member: the judge does without
                    continue
    except Exception:  # noqa: BLE001 - a damaged archive
        return {}
    return files


def _work(pipe: Connection, seed: int, scratch: Path, corpus: Path | None) -> None:
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    # libraries in C write to the terminal themselves
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        run_one({"warm.dcm": next(iter(studies(scratch, corpus)["rle"].values()))}, Path(folder))
        pipe.send(None)
        while (number := pipe.recv()) is not None:
            _, _, files = damaged(number, seed, scratch, corpus)
            pipe.send(sum(max(data.count(b"PK\1\2"), 1) for data in files.values()))
            start = time.perf_counter()
            try:
                kind, detail = run_one(files, Path(folder))
            except BaseException:  # noqa: BLE001 - exactly what is looked for
                kind, detail = "crash", traceback.format_exc(limit=-4)
            pipe.send((kind, detail, time.perf_counter() - start))


class _Worker:
    """A process that can be lost."""

    def __init__(self, seed: int, scratch: Path, corpus: Path | None) -> None:
        self._arguments = (seed, scratch, corpus)
        self._start()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_work, args=(theirs, *self._arguments), daemon=False)
        self._process.start()
        theirs.close()
        self._pipe.recv()

    def run(self, number: int) -> tuple[str, str, float]:
        """Run one study; a lost or late worker is replaced."""
        limit = LIMIT_S
        try:
            self._pipe.send(number)
            limit = LIMIT_S * max(self._pipe.recv(), 1)
            if self._pipe.poll(limit):
                answer: tuple[str, str, float] = self._pipe.recv()
                return answer
        except (EOFError, ConnectionError):
            self._process.join(5)
            code = self._process.exitcode
            self._start()
            return "crash", f"the process died (exit code {code})", 0.0
        self._process.kill()
        self._process.join()
        self._start()
        return "hang", f"longer than {limit:g} s", limit

    def close(self) -> None:
        """End the process."""
        self._pipe.send(None)
        self._process.join(10)


def fuzz(first: int, count: int, seed: int, corpus: Path | None, output: Path | None) -> list[Result]:
    """Run the studies that ``output`` does not hold yet, and return all results."""
    results: list[Result] = []
    if output is not None and output.exists():
        results = [Result(**json.loads(line)) for line in output.read_text().splitlines()]
    there = {item.number for item in results}
    with tempfile.TemporaryDirectory(prefix="fuzz-studies-") as scratch:
        worker = _Worker(seed, Path(scratch) / "worker", corpus)
        for number in range(first, first + count):
            if number in there:
                continue
            study, mutation, _ = damaged(number, seed, Path(scratch) / "parent", corpus)
            kind, detail, seconds = worker.run(number)
            if kind == "hang":
                kind, detail, seconds = worker.run(number)
            result = Result(number, study, mutation, kind, detail, round(seconds, 3))
            results.append(result)
            if kind not in ("refused", "accepted"):
                print(f"{number} {study} {mutation}: {kind}: {detail}", flush=True)
            if output is not None:
                with output.open("a") as stream:
                    stream.write(json.dumps(asdict(result)) + "\n")
        worker.close()
    return results


def table(results: list[Result]) -> str:
    """Return the figures as lines of a Markdown table."""
    kinds = ("accepted", "refused", "contradiction", "crash", "hang")
    rows = ["| damage | " + " | ".join(kinds) + " | slowest |", "|---|" + "---|" * (len(kinds) + 1)]
    for mutation in [*sorted({item.mutation for item in results}), "all"]:
        own = [item for item in results if mutation in (item.mutation, "all")]
        counts = Counter(item.kind for item in own)
        slowest = max(item.seconds for item in own)
        rows.append(f"| {mutation} | " + " | ".join(str(counts[kind]) for kind in kinds) + f" | {slowest:.2f} s |")
    return "\n".join(rows)


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--corpus", type=Path)
    parser.add_argument("-o", "--output", type=Path)
    options = parser.parse_args()
    results = fuzz(options.first, options.count, options.seed, options.corpus, options.output)
    print(table(results))
    sys.exit(any(item.kind not in ("accepted", "refused") for item in results))


if __name__ == "__main__":
    main()
