"""What the study browser shows of a scan, in words and plain numbers: made in the scan's own job, so the window only paints.

Names no patient. File names are absolute; they stay in the window and never enter a case.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from surgiplan_desktop.app.describe_scan import repair_words, what_to_ask
from surgiplan_desktop.app.import_study import choose, nothing_found, scan
from surgiplan_desktop.app.texts import Texts
from surgiplan_desktop.base.errors import SurgiPlanError, UsageError
from surgiplan_desktop.base.progress import SILENT, Progress
from surgiplan_desktop.imaging.dicom_blocks import BlockPlan
from surgiplan_desktop.imaging.dicom_header import SliceHeader
from surgiplan_desktop.imaging.film_dicom import FILM_MODALITIES
from surgiplan_desktop.imaging.series import ScanResult, Series, Verdict
from surgiplan_desktop.imaging.slice_stack import block_affine
from surgiplan_desktop.imaging.sources import Sources
from surgiplan_desktop.imaging.volume_files import VolumeKind, volume_info

_CHOICES: Final = frozenset({"several_studies", "several_frames"})
_ORDER: Final = ("critical", "fail", "warn", "note")


@dataclass(frozen=True, slots=True)
class FindingWords:
    """A finding in a sentence, with the files it speaks of."""

    severity: Literal["note", "warn", "fail", "critical"]
    words: str
    files: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class SeriesRow:
    """One series of the browser.

    ``facts`` is its size in a line; ``proposed`` whether it is ticked at first; ``reason`` why it is proposed or why not;
    ``repairs`` what would be done to it with consent; ``ask`` what to ask the scanner for where it cannot be taken as it is;
    ``spans_mm`` lowest and highest z (LPS) of each block; ``film`` the file of a radiograph, which is attached as a film.
    """

    series: Series
    title: str
    facts: str
    verdict: Verdict
    findings: tuple[FindingWords, ...]
    proposed: bool
    reason: str
    repairs: tuple[FindingWords, ...]
    ask: str
    spans_mm: tuple[tuple[float, float], ...]
    film: Path | None

    @property
    def uid(self) -> str:
        """UID of the series."""
        return self.series.uid


@dataclass(frozen=True, slots=True, eq=False)
class StudyPage:
    """All of it: ``groups`` are series that share patient, study and frame of reference, those with a proposal first.

    ``trouble`` says why nothing is proposed; ``left_aside`` the files that belong to no series, by reason.
    """

    result: ScanResult
    groups: tuple[tuple[SeriesRow, ...], ...]
    trouble: str
    left_aside: tuple[tuple[str, tuple[str, ...]], ...]

    @property
    def patients(self) -> tuple[str, ...]:
        """The patients as one-way digests, in the order in which their groups are shown."""
        return tuple(dict.fromkeys(row.series.first.patient for row in self.rows))

    @property
    def rows(self) -> tuple[SeriesRow, ...]:
        """All series, in the order shown."""
        return tuple(row for group in self.groups for row in group)


@dataclass(frozen=True, slots=True)
class VolumeCard:
    """A volume that is one file (NIfTI, NRRD, MetaImage): its kind, and what is said of it before it is taken."""

    path: Path
    kind: VolumeKind
    title: str
    verdict: Verdict
    findings: tuple[FindingWords, ...]


def volume_card(path: Path, kind: VolumeKind, texts: Texts, *, progress: Progress = SILENT) -> VolumeCard:
    """Look at the head of a volume file. Raises InputDataError where it is damaged or none."""
    progress.step(0, 1, "scanning")
    info = volume_info(path)
    size, spacing = " x ".join(map(str, info.size)), " x ".join(f"{value:.3g}" for value in info.spacing_mm)
    title = texts.text("ui.volume_file", name=path.name, size=size, spacing=spacing)
    findings = tuple(FindingWords(item.severity, texts.finding(item)) for item in info.findings)
    return VolumeCard(path, kind, title, info.verdict, findings)


def scan_page(path: Path, texts: Texts, *, progress: Progress = SILENT) -> StudyPage:
    """Scan a folder, zip or file and say what is there.

    Raises
    ------
    InputDataError
        The path does not exist, or holds no series at all; the error says why and names a file.
    """
    result = scan(path, progress=progress)
    nothing = nothing_found(result)
    if nothing is not None:
        raise nothing
    return page_of(result, texts, progress=progress)


def page_of(result: ScanResult, texts: Texts, *, progress: Progress = SILENT) -> StudyPage:
    """Put the result of a scan in words."""
    proposed, trouble = _proposed(result, texts)
    groups: dict[object, list[SeriesRow]] = {}
    with Sources(result.path) as sources:
        for number, series in enumerate(result.series):
            progress.step(number, len(result.series), "scanning")
            row = _row(result, series, proposed, sources, texts)
            groups.setdefault((series.identity, series.frame) if series.blocks else series.uid, []).append(row)
        reasons: dict[str, list[str]] = {}
        for item in result.rejected:
            reasons.setdefault(item.reason, []).append(sources.full_name(item.name))
    ordered = sorted(groups.values(), key=lambda rows: min(map(_rank, rows)))
    aside = tuple((texts.text(f"reason.{reason}"), tuple(names)) for reason, names in reasons.items())
    return StudyPage(result, tuple(tuple(sorted(rows, key=_rank)) for rows in ordered), trouble, aside)


def _rank(row: SeriesRow) -> tuple[bool, int]:
    return not row.proposed, ("ok", "repairable", "refused").index(row.verdict)


def _proposed(result: ScanResult, texts: Texts) -> tuple[frozenset[str], str]:
    try:
        return frozenset(series.uid for series in choose(result)), ""
    except SurgiPlanError as error:
        if isinstance(error, UsageError) and error.message_id in _CHOICES:
            return frozenset(), texts.text(f"ui.choose_{error.message_id}")
        mendable = any(series.verdict == "repairable" for series in result.series)
        return frozenset(), texts.text("ui.only_repairable" if mendable else "ui.only_refused")


def _row(result: ScanResult, series: Series, proposed: frozenset[str], sources: Sources, texts: Texts) -> SeriesRow:
    findings = tuple(
        FindingWords(item.severity, texts.finding(item), tuple(map(sources.full_name, item.files)))
        for item in sorted(series.findings, key=lambda item: _ORDER.index(item.severity))
    )
    first = series.first
    spacing = " x ".join("?" if value is None else f"{value:.3g}" for value in series.spacing_mm)
    facts = texts.text(
        "ui.series_facts",
        modality=first.modality or "?",
        slices=series.slices,
        size=f"{first.columns} x {first.rows}",
        spacing=spacing,
        encoding=series.encoding,
    )
    return SeriesRow(
        series=series,
        title=series.description or texts.text("ui.no_description"),
        facts=facts,
        verdict=series.verdict,
        findings=findings,
        proposed=series.uid in proposed,
        reason=_reason(series, texts),
        repairs=_repairs(series, sources, texts),
        ask="" if series.verdict == "ok" else what_to_ask(result, series, texts),
        spans_mm=tuple(sorted(_span(block) for block in series.blocks if len(block) > 1)),
        film=Path(sources.full_name(first.name)) if first.modality in FILM_MODALITIES and not sources.is_archive else None,
    )


def _reason(series: Series, texts: Texts) -> str:
    if not series.reason:
        return ""
    reasons = ", ".join(texts.text(f"label.series_{name}") for name in series.reason)
    return texts.text("ui.series_proposed" if series.proposed else "ui.series_not_proposed", reasons=reasons)


def _repairs(series: Series, sources: Sources, texts: Texts) -> tuple[FindingWords, ...]:
    """Say what each repair would do and how large its error is."""
    return tuple(
        FindingWords("warn", repair_words(plan, texts), tuple(map(sources.full_name, plan.files))) for plan in series.repairs
    )


def _span(block: tuple[SliceHeader, ...]) -> tuple[float, float]:
    low, high = BlockPlan(block, block_affine(block), ()).box_lps[:, 2]
    return float(low), float(high)
