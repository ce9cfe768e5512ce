"""What a scan finds, as records: series with findings, repairs and verdict, and the files that belong to none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import numpy as np
from pydicom.uid import UID

from surgiplan_desktop.imaging.dicom_header import Rejected, SliceHeader
from surgiplan_desktop.imaging.repair_plan import RepairPlan
from surgiplan_desktop.imaging.slice_stack import directions_of, normal_of, positions_of
from surgiplan_desktop.model.study import Finding

Verdict = Literal["ok", "repairable", "refused"]

#: Findings that say no, and what has to be asked of the scanner stands in their text.
REFUSING: Final = frozenset({
    "not_ct", "secondary_capture", "localizer", "film", "multiframe", "no_position", "bad_spacing", "colour",
    "identity_conflict", "mixed_rescale",
})  # fmt: skip
#: Findings that a repair could mend, with the user's consent.
REPAIRABLE: Final = frozenset({"tilt", "missing_slices", "uneven", "duplicate_position", "duplicate_uid", "truncated"})


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """One series, or one part of a series that holds images of several orientations, sizes, kernels or acquisitions.

    ``uid`` is the series UID; further parts of the same series carry ``#2``, ``#3`` behind it. ``blocks`` holds the headers in
    order, one tuple a gap-free block, empty where the geometry cannot be told. ``repairs`` is what would be done with the user's
    consent, empty unless the verdict is repairable. ``linked`` names the CT series of the same patient, study and frame of
    reference. ``proposed`` says that the series belongs to the best ones of its study and frame of reference; ``reason`` why it
    does, or why not (ids of words).
    """

    uid: str
    headers: tuple[SliceHeader, ...]
    blocks: tuple[tuple[SliceHeader, ...], ...]
    findings: tuple[Finding, ...]
    repairs: tuple[RepairPlan, ...] = ()
    linked: tuple[str, ...] = ()
    proposed: bool = False
    reason: tuple[str, ...] = ()

    @property
    def first(self) -> SliceHeader:
        """The header that stands for all."""
        return self.headers[0]

    @property
    def description(self) -> str:
        """What the scanner calls the series."""
        return self.first.description

    @property
    def verdict(self) -> Verdict:
        """Whether it can be read as it is, only after a repair, or not at all."""
        wrong = {finding.code for finding in self.findings if finding.severity in ("fail", "critical")}
        if not self.blocks or any(finding.code in REFUSING and finding.code != "multiframe" for finding in self.findings):
            return "refused"
        wrong &= REFUSING | REPAIRABLE
        if wrong - {repair.kind for repair in self.repairs}:
            return "refused"
        return "repairable" if wrong else "ok"

    @property
    def slices(self) -> int:
        """Number of slices (frames for multi-frame files)."""
        return sum(header.frames for header in self.headers)

    @property
    def spacing_mm(self) -> tuple[float | None, float | None, float | None]:
        """Spacing along i, j, k, mm; k from the positions (median), None where it cannot be told."""
        pixel = self.first.pixel_spacing
        between_rows, between_columns = pixel if pixel else (None, None)
        steps = [np.diff(positions_of(block) @ normal_of(block[0])) for block in self.blocks if len(block) > 1]
        return between_columns, between_rows, (float(np.median(np.concatenate(steps))) if steps else None)

    @property
    def encoding(self) -> str:
        """Name of the transfer syntax."""
        return UID(self.first.transfer_syntax).name

    @property
    def heights_mm(self) -> tuple[tuple[float, float], ...]:
        """Lowest and highest z (LPS) of the slices' centres, a pair for each block."""
        return tuple(_z_range(block) for block in self.blocks)

    @property
    def identity(self) -> tuple[str, str]:
        """Patient digest and study: series that differ here never come together."""
        return self.first.patient, self.first.study_uid

    @property
    def frame(self) -> str:
        """What stands for the frame of reference: a series that names none has one of its own."""
        return self.first.frame_uid or f"of {self.uid}"


@dataclass(frozen=True, slots=True, eq=False)
class ScanResult:
    """What was found below ``path``: series ordered by number and UID, and the files that belong to none."""

    path: Path
    series: tuple[Series, ...]
    rejected: tuple[Rejected, ...]
    files: int


def file_names(headers: Sequence[SliceHeader]) -> tuple[str, ...]:
    """Names of the files of these headers, each once."""
    return tuple(dict.fromkeys(header.name for header in headers))


def _z_range(block: Sequence[SliceHeader]) -> tuple[float, float]:
    heights = []
    for header in (block[0], block[-1]):
        row, column = directions_of(header)
        between_rows, between_columns = header.pixel_spacing or (0.0, 0.0)
        middle = row * between_columns * (header.columns - 1) / 2 + column * between_rows * (header.rows - 1) / 2
        heights.append(float(positions_of([header])[0, 2] + middle[2]))
    return min(heights), max(heights)
