"""Say what is in a folder, zip or file: series with geometry, findings and verdict; every other file with its reason.

Headers only. Files are read by threads, in parts small enough that cancelling acts at once. Patients are told apart by a one-way
digest and never named.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal

import numpy as np
from pydicom.uid import UID

from surgiplan_desktop.base.progress import SILENT, Progress
from surgiplan_desktop.imaging.dicom_header import Rejected, SliceHeader, read_header
from surgiplan_desktop.imaging.dicom_write import derived_uid
from surgiplan_desktop.imaging.slice_stack import Stack, directions_of, normal_of, positions_of, stack_slices
from surgiplan_desktop.imaging.sources import Sources
from surgiplan_desktop.model.study import Finding

Verdict = Literal["ok", "repairable", "refused"]

#: Findings that say no, and what has to be asked of the scanner stands in their text.
REFUSING: Final = frozenset({
    "not_ct", "secondary_capture", "localizer", "film", "multiframe", "no_position", "bad_spacing", "colour",
    "identity_conflict",
})  # fmt: skip
#: Findings that a repair could mend, with the user's consent.
REPAIRABLE: Final = frozenset({"tilt", "missing_slices", "uneven", "duplicate_position", "duplicate_uid", "truncated"})
_FILM_MODALITIES: Final = frozenset({"CR", "DX", "RF", "XA", "RG"})
_SECONDARY_CAPTURE: Final = "1.2.840.10008.5.1.4.1.1.7"
_FILES_AT_ONCE: Final = 16
_THREADS: Final = 2
#: Directions and spacings closer than this are the same, written with other digits.
_SAME_DIRECTION: Final = 1e-3
_SAME_SPACING_MM: Final = 1e-4


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """One series, or one part of a series that holds images of several orientations, sizes or kernels.

    ``uid`` is the series UID; further parts of the same series carry ``#2``, ``#3`` behind it. ``blocks`` holds the headers in
    order, one tuple a gap-free block, empty where the geometry cannot be told. ``linked`` names the CT series of the same
    patient, study and frame of reference.
    """

    uid: str
    headers: tuple[SliceHeader, ...]
    blocks: tuple[tuple[SliceHeader, ...], ...]
    findings: tuple[Finding, ...]
    linked: tuple[str, ...] = ()

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
        codes = {finding.code for finding in self.findings}
        if codes & REFUSING or not self.blocks:
            return "refused"
        return "repairable" if codes & REPAIRABLE else "ok"

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


@dataclass(frozen=True, slots=True, eq=False)
class ScanResult:
    """What was found below ``path``: series ordered by number and UID, and the files that belong to none."""

    path: Path
    series: tuple[Series, ...]
    rejected: tuple[Rejected, ...]
    files: int


def scan_folder(path: Path, *, progress: Progress = SILENT) -> ScanResult:
    """Scan a folder tree, a zip, a DICOMDIR or one file. Raises InputDataError where the path does not exist or is no archive."""
    with Sources(path) as sources:
        headers, rejected = _read_headers(sources, progress)
    return ScanResult(Path(path), _grouped(headers), tuple(rejected), len(sources.names))


def _read_headers(sources: Sources, progress: Progress) -> tuple[list[SliceHeader], list[Rejected]]:
    names = sources.names
    parts = [names[start : start + _FILES_AT_ONCE] for start in range(0, len(names), _FILES_AT_ONCE)]
    headers: list[SliceHeader] = []
    rejected: list[Rejected] = []

    def read(part: Sequence[str]) -> list[SliceHeader | Rejected | None]:
        return [_read_one(sources, name) for name in part]

    progress.step(0, len(names), "scanning")
    executor = ThreadPoolExecutor(_THREADS)
    try:
        for number, answers in enumerate(executor.map(read, parts), start=1):
            for answer in answers:
                if isinstance(answer, SliceHeader):
                    headers.append(answer)
                elif answer is not None:
                    rejected.append(answer)
            progress.step(min(number * _FILES_AT_ONCE, len(names)), len(names), "scanning")
    finally:
        executor.shutdown(wait=True, cancel_futures=True)
    return headers, rejected


def _read_one(sources: Sources, name: str) -> SliceHeader | Rejected | None:
    try:
        with sources.open(name) as stream:
            return read_header(name, stream)
    except OSError as error:
        return Rejected(name, "unreadable", str(error))


def _grouped(headers: Iterable[SliceHeader]) -> tuple[Series, ...]:
    """Group by patient and series, split what cannot be one volume, and link what shares a frame of reference."""
    by_series: dict[tuple[str, str, str], list[SliceHeader]] = defaultdict(list)
    for header in headers:
        by_series[header.patient, header.study_uid, header.series_uid].append(header)
    patients_of: dict[str, set[str]] = defaultdict(set)
    for patient, study, uid in by_series:
        for shared in (study, uid):
            if shared:
                patients_of[shared].add(patient)
    found: list[Series] = []
    for (_, study, uid), members in by_series.items():
        torn = max(len(patients_of[study]), len(patients_of[uid])) > 1
        found.extend(_series_of(uid, members, torn))
    found.sort(key=lambda series: (series.first.patient, series.first.study_uid, series.first.series_number, series.uid))
    return tuple(replace(series, linked=_linked(series, found)) for series in found)


def _linked(series: Series, others: list[Series]) -> tuple[str, ...]:
    if not series.first.frame_uid or not series.blocks:
        return ()
    return tuple(
        other.uid
        for other in others
        if other is not series
        and other.blocks
        and other.identity == series.identity
        and other.first.frame_uid == series.first.frame_uid
        and other.verdict != "refused"
    )


def _series_of(uid: str, members: list[SliceHeader], torn: bool) -> list[Series]:
    name = uid or derived_uid("series without uid", *sorted(header.name for header in members))
    whole = [header for header in members if not header.truncated]
    cut = tuple(header.name for header in members if header.truncated)
    groups = _split(whole or members)
    shared = _mixed([group for group in groups if "LOCALIZER" not in group[0].image_type])
    if torn:
        shared.append(_finding("identity_conflict", "critical"))
    series = []
    for number, group in enumerate(groups, start=1):
        findings = list(shared)
        if cut and number == 1:
            findings.append(Finding("truncated", "fail", (("files", len(cut)),), cut))
        findings += _image_findings(group)
        stack = _stack(group, findings) if whole else Stack((), ())
        series.append(Series(name if number == 1 else f"{name}#{number}", tuple(group), stack.blocks, tuple(findings)))
    return series


def _mixed(groups: list[list[SliceHeader]]) -> list[Finding]:
    """Say why one series became several."""
    kernels = len({_kernel_key(group[0]) for group in groups})
    findings = [_finding("mixed_kernel", "note", kernels=kernels)] if kernels > 1 else []
    if len(groups) > max(kernels, 1):
        findings.append(_finding("mixed_orientation", "note", parts=len(groups)))
    return findings


def _stack(group: list[SliceHeader], findings: list[Finding]) -> Stack:
    """Order the slices where their geometry is told; add what is wrong with it to ``findings``."""
    single = all(header.frames == 1 for header in group)
    placed = all(header.position and header.orientation and header.pixel_spacing for header in group)
    if not single or not placed or any(finding.code in ("no_position", "bad_spacing", "localizer") for finding in findings):
        return Stack((), ())
    stack = stack_slices(group)
    findings.extend(
        Finding(item.code, "note" if item.code == "gap" else "fail", item.parameters, item.files) for item in stack.findings
    )
    alone = tuple(block[0].name for block in stack.blocks if len(block) < 2)
    if alone:
        findings.append(Finding("bad_spacing", "fail", (("reason", "single_slice"),), alone))
    return stack


def _image_findings(group: list[SliceHeader]) -> list[Finding]:
    """Say what kind of image it is, as far as that decides about its use."""
    first = group[0]
    findings: list[Finding] = []
    if first.modality in _FILM_MODALITIES:
        findings.append(_finding("film", "fail", modality=first.modality))
    elif first.modality != "CT":
        findings.append(_finding("not_ct", "fail", modality=first.modality or "-"))
    if first.sop_class.startswith(_SECONDARY_CAPTURE):
        findings.append(_finding("secondary_capture", "fail"))
    if "LOCALIZER" in first.image_type:
        findings.append(_finding("localizer", "note"))
    if first.samples != 1 or not first.photometric.startswith("MONOCHROME"):
        findings.append(_finding("colour", "fail", photometric=first.photometric or "-"))
    if first.frames > 1:
        findings.append(_finding("multiframe", "fail", frames=sum(header.frames for header in group)))
    else:
        findings += _placing_findings(group)
    if any(header.lossy for header in group):
        findings.append(_finding("lossy", "warn"))
    if any(header.padded for header in group):
        findings.append(_finding("padded", "note"))
    sides = {header.laterality for header in group} & {"L", "R"}
    if len(sides) > 1:
        findings.append(_finding("side_conflict", "critical"))
    return findings


def _placing_findings(group: list[SliceHeader]) -> list[Finding]:
    findings = []
    homeless = tuple(header.name for header in group if header.position is None or not _has_directions(header))
    if homeless:
        findings.append(Finding("no_position", "fail", (("files", len(homeless)),), homeless))
    spaceless = tuple(header.name for header in group if header.pixel_spacing is None or min(header.pixel_spacing) <= 0)
    if spaceless:
        findings.append(Finding("bad_spacing", "fail", (("reason", "pixel_spacing"),), spaceless))
    return findings


def _has_directions(header: SliceHeader) -> bool:
    """Whether the orientation is a pair of unit vectors at right angles."""
    if header.orientation is None:
        return False
    a, b, c, d, e, f = header.orientation
    products = (a * a + b * b + c * c - 1, d * d + e * e + f * f - 1, a * d + b * e + c * f)
    return all(abs(product) <= _SAME_DIRECTION for product in products)


def _split(members: list[SliceHeader]) -> list[list[SliceHeader]]:
    """Split into groups that could be one stack: same size, spacing, kernel, kind and directions; the largest first."""
    groups: list[list[SliceHeader]] = []
    for header in members:
        for group in groups:
            if _same_stack(group[0], header):
                group.append(header)
                break
        else:
            groups.append([header])
    return sorted(groups, key=lambda group: (-len(group), group[0].name))


def _same_stack(one: SliceHeader, other: SliceHeader) -> bool:
    alike = (
        (one.rows, one.columns, one.frames > 1, one.samples) == (other.rows, other.columns, other.frames > 1, other.samples)
        and ("LOCALIZER" in one.image_type) == ("LOCALIZER" in other.image_type)
        and _kernel_key(one) == _kernel_key(other)
    )
    if not alike or (one.pixel_spacing is None) != (other.pixel_spacing is None):
        return False
    if one.pixel_spacing and other.pixel_spacing and not _alike(one.pixel_spacing, other.pixel_spacing, _SAME_SPACING_MM):
        return False
    return _same_directions(one, other)


def _same_directions(one: SliceHeader, other: SliceHeader) -> bool:
    if not (_has_directions(one) and _has_directions(other)):
        return _has_directions(one) == _has_directions(other)
    return _alike(one.orientation or (), other.orientation or (), _SAME_DIRECTION)


def _alike(one: Sequence[float], other: Sequence[float], tolerance: float) -> bool:
    return all(abs(mine - theirs) <= tolerance for mine, theirs in zip(one, other, strict=True))


def _z_range(block: Sequence[SliceHeader]) -> tuple[float, float]:
    heights = []
    for header in (block[0], block[-1]):
        row, column = directions_of(header)
        between_rows, between_columns = header.pixel_spacing or (0.0, 0.0)
        middle = row * between_columns * (header.columns - 1) / 2 + column * between_rows * (header.rows - 1) / 2
        heights.append(float(positions_of([header])[0, 2] + middle[2]))
    return min(heights), max(heights)


def _kernel_key(header: SliceHeader) -> str:
    return header.kernel.strip().upper()


def _finding(code: str, severity: Literal["note", "warn", "fail", "critical"], **parameters: str | float | bool) -> Finding:
    return Finding(code, severity, tuple(parameters.items()))
