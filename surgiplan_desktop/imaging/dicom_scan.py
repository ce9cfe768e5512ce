"""Say what is in a folder, zip or file: series with geometry, findings and verdict; every other file with its reason.

Headers only (pixels are looked at where two files show one place). Files are read by threads, in parts small enough that
cancelling acts at once. Patients are told apart by a one-way digest and never named.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from surgiplan_desktop.base.errors import InputDataError
from surgiplan_desktop.base.progress import SILENT, Progress
from surgiplan_desktop.imaging.best_series import with_proposals
from surgiplan_desktop.imaging.dicom_header import Rejected, SliceHeader
from surgiplan_desktop.imaging.duplicates import same_pixels
from surgiplan_desktop.imaging.enhanced import read_headers
from surgiplan_desktop.imaging.grouping import Rules, group_headers
from surgiplan_desktop.imaging.repair_plan import RepairLimits
from surgiplan_desktop.imaging.series import REFUSING, REPAIRABLE, ScanResult, Series, Verdict
from surgiplan_desktop.imaging.sources import Sources, UnsafeMemberError, is_archive_name

__all__ = ["REFUSING", "REPAIRABLE", "ScanResult", "Series", "Verdict", "scan_folder"]

_FILES_AT_ONCE: Final = 8
_THREADS: Final = 2


def scan_folder(path: Path, *, limits: RepairLimits = RepairLimits(), progress: Progress = SILENT) -> ScanResult:  # noqa: B008
    """Scan a folder tree, a zip, a DICOMDIR or one file.

    Parameters
    ----------
    limits
        How far a repair may go before the verdict is *refused*.

    Raises
    ------
    InputDataError
        ``not_found`` or ``unreadable_file`` for the path itself; ``medium_gone`` when it disappears while it is read.
    """
    with Sources(path) as sources:
        sources.list_files(progress)
        headers, rejected = _read_headers(sources, progress)
        if any(item.reason == "unreadable" for item in rejected) and not Path(path).exists():
            name = next(item.name for item in rejected if item.reason == "unreadable")
            raise InputDataError("medium_gone", file=sources.full_name(name))

        def same(one: SliceHeader, other: SliceHeader) -> bool:
            progress.step(0, 1, "comparing")
            return same_pixels(sources, one, other)

        rules = Rules(limits, same)
        series = with_proposals(group_headers(headers, rules, progress=progress))
        return ScanResult(Path(path), series, (*sources.left_aside, *rejected), len(sources.names))


def _read_headers(sources: Sources, progress: Progress) -> tuple[list[SliceHeader], list[Rejected]]:
    names = sources.names
    parts = [names[start : start + _FILES_AT_ONCE] for start in range(0, len(names), _FILES_AT_ONCE)]
    headers: list[SliceHeader] = []
    rejected: list[Rejected] = []

    def read(part: Sequence[str]) -> list[list[SliceHeader] | Rejected | None]:
        return [_read_one(sources, name) for name in part]

    progress.step(0, len(names), "scanning")
    executor = ThreadPoolExecutor(_THREADS)
    try:
        for number, answers in enumerate(executor.map(read, parts), start=1):
            for answer in answers:
                if isinstance(answer, Rejected):
                    rejected.append(answer)
                elif answer is not None:
                    headers.extend(answer)
            progress.step(min(number * _FILES_AT_ONCE, len(names)), len(names), "scanning")
    finally:
        executor.shutdown(wait=True, cancel_futures=True)
    return headers, rejected


def _read_one(sources: Sources, name: str) -> list[SliceHeader] | Rejected | None:
    try:
        with sources.open(name) as stream:
            answer = read_headers(name, stream)
    except UnsafeMemberError as error:
        return Rejected(name, "unsafe", str(error))
    except OSError as error:
        return Rejected(name, "unreadable", str(error))
    if isinstance(answer, Rejected) and answer.reason == "not_dicom" and is_archive_name(name):
        return Rejected(name, "archive")
    return answer
