"""Use case: from a folder, zip or file to the blocks of a case.

``scan`` says what is there, ``choose`` picks the series that belong together (or says why none can be taken), ``load`` reads them
into the store, ``put_in_case`` is the one edit. The first three may run in a job; ``import_study`` does all four.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, NoReturn

import numpy as np

from surgiplan_desktop.app.case_code import case_code
from surgiplan_desktop.app.session import Session
from surgiplan_desktop.base.errors import InputDataError, UsageError
from surgiplan_desktop.base.progress import SILENT, PartOfProgress, Progress
from surgiplan_desktop.base.spaces import Affine
from surgiplan_desktop.files.asset_store import AssetStore
from surgiplan_desktop.imaging.best_series import best_series
from surgiplan_desktop.imaging.dicom_blocks import BlockPlan, plan_blocks
from surgiplan_desktop.imaging.dicom_read import read_slice
from surgiplan_desktop.imaging.dicom_scan import ScanResult, Series, scan_folder
from surgiplan_desktop.imaging.identity import read_patient
from surgiplan_desktop.imaging.image_evidence import measure_evidence
from surgiplan_desktop.imaging.repair import read_repaired
from surgiplan_desktop.imaging.repair_plan import RepairLimits, RepairPlan
from surgiplan_desktop.imaging.slice_stack import directions_of
from surgiplan_desktop.imaging.sources import Sources
from surgiplan_desktop.imaging.splitting import has_directions
from surgiplan_desktop.imaging.volume_files import VolumeKind, read_volume, volume_kind
from surgiplan_desktop.model.case import Case, Intake, Patient
from surgiplan_desktop.model.edits import set_intake, set_patient, set_study
from surgiplan_desktop.model.images import Volume
from surgiplan_desktop.model.study import Finding, Matrix, Repair, Scout, SeriesOrigin, Study, VolumeBlock
from surgiplan_desktop.planning.limits import default_limits
from surgiplan_desktop.planning.sides import sides_of_blocks

#: The finding that is told first when a series cannot be taken: what nothing helps against before what could be repaired.
_WORST_FIRST: Final = (
    "identity_conflict", "not_ct", "secondary_capture", "film", "localizer", "colour", "multiframe", "no_position",
    "bad_spacing", "mixed_rescale", "tilt", "uneven", "missing_slices", "duplicate_position", "duplicate_uid", "truncated",
)  # fmt: skip
_TELLING_REASONS: Final = ("unsafe", "truncated", "unreadable", "missing", "no_image", "archive", "not_dicom")
#: Why a file may lack at an end of the series without a gap telling it.
_UNREAD: Final = frozenset({"truncated", "unreadable", "unsafe", "missing"})
_SCANNING_SHARE: Final = 0.4
#: Share of reading in the time of a block; the rest looks at its quality.
_READING_SHARE: Final = 0.5


@dataclass(frozen=True, slots=True)
class LoadedStudy:
    """Blocks in the store, proximal first, and what has to be said about them."""

    blocks: tuple[VolumeBlock, ...]
    code: str
    series: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    scouts: tuple[Scout, ...] = ()


def repair_limits() -> RepairLimits:
    """Return how far a repair may go, from the table of limits."""
    limits = default_limits()
    return RepairLimits(
        missing_slices=int(limits["repair.missing_slices"]),
        gap_mm=limits["repair.gap_mm"],
        tilt_deg=limits["repair.tilt_deg"],
        sideways_mm=limits["repair.sideways_mm"],
    )


def scan(path: Path, *, progress: Progress = SILENT) -> ScanResult:
    """Scan a folder tree, zip, DICOMDIR or file for DICOM series; errors as :func:`scan_folder`."""
    return scan_folder(path, limits=repair_limits(), progress=progress)


def nothing_found(result: ScanResult) -> InputDataError | None:
    """Return the error that tells why a scan found no series at all, naming the file, or None when it found some."""
    if result.series:
        return None
    if not result.files:
        return InputDataError("folder_empty", file=result.path)
    volumes = [item.name for item in result.rejected if volume_kind(Path(item.name)) is not None]
    if volumes and all(item.reason == "not_dicom" for item in result.rejected):
        return InputDataError("folder_of_volumes", file=result.path, name=volumes[0])
    for reason in _TELLING_REASONS:
        files = [item for item in result.rejected if item.reason == reason]
        if files:
            with Sources(result.path) as sources:
                name = sources.full_name(files[0].name)
            return InputDataError(f"file_{reason}", file=name, detail=files[0].detail, others=len(result.rejected) - 1)
    return InputDataError("folder_empty", file=result.path)


def choose(result: ScanResult, uids: Sequence[str] = (), *, accept_repair: bool = False) -> tuple[Series, ...]:
    """Pick the series that are imported together.

    Without ``uids``: all series with verdict ok of the one study and frame of reference, without second pictures of a region;
    with ``accept_repair`` also those that can be repaired, where no sound one shows the region.

    Raises
    ------
    UsageError
        ``several_studies`` (with the list), ``mixed_patients``, ``several_frames``, ``unknown_series``, ``series_not_together``.
    InputDataError
        Nothing there at all (see :func:`nothing_found`), or ``refused_<finding code>`` naming the first file concerned.
    """
    nothing = nothing_found(result)
    if nothing is not None:
        raise nothing
    if uids:
        chosen = _named(result, uids)
        for series in chosen:
            if series.verdict != "ok" and not (accept_repair and series.verdict == "repairable"):
                _refuse(result, series)
        return chosen
    images = [series for series in result.series if _is_ct(series)]
    if not images:
        _refuse(result, max(result.series, key=lambda series: series.slices))
    if any(finding.code == "identity_conflict" for series in images for finding in series.findings):
        raise UsageError("mixed_patients", file=result.path, listing=_listing(images))
    if len({series.identity for series in images}) > 1:
        raise UsageError("several_studies", file=result.path, listing=_listing(images), count=len(images))
    taken = ("ok", "repairable") if accept_repair else ("ok",)
    usable = [series for series in images if series.verdict in taken]
    if not usable:
        _refuse(result, max(images, key=lambda series: (series.verdict == "repairable", series.slices)))
    if len({series.frame for series in usable}) > 1:
        raise UsageError("several_frames", file=result.path, listing=_listing(usable), count=len(usable))
    return best_series(usable)


def load(result: ScanResult, series: Sequence[Series], store: AssetStore, *, progress: Progress = SILENT) -> LoadedStudy:
    """Read the series block by block into the store, repaired where :func:`choose` let them through; one block at a time.

    Raises
    ------
    InputDataError
        A file cannot be read; the error names it.
    """
    plans = plan_blocks(series)
    total = sum(len(plan.slices) for plan in plans)
    done = 0
    blocks: list[VolumeBlock] = []
    with Sources(result.path) as sources:
        for plan in plans:
            part = PartOfProgress(progress, done / total, (done + len(plan.slices)) / total)
            consented = [repair for item in series if item.uid in plan.series_uids for repair in item.repairs]
            reading, looking = PartOfProgress(part, 0.0, _READING_SHARE), PartOfProgress(part, _READING_SHARE, 1.0)
            volume, repairs = read_repaired(sources, plan, consented, progress=reading)
            blocks.append(_stored(volume, _origin(plan, series, repairs), store, looking))
            done += len(plan.slices)
        scouts = tuple(_scouts(result, series[0], sources, store))
    taken = tuple(item.uid for item in series)
    left_out = tuple(item.uid for item in result.series if item.uid not in taken and _is_ct(item))
    findings = tuple(dict.fromkeys(_told_after(finding, item.repairs) for item in series for finding in item.findings))
    unread = sum(item.reason in _UNREAD for item in result.rejected)
    if unread:
        findings = (*findings, Finding("files_unread", "warn", (("files", unread),)))
    return LoadedStudy(tuple(blocks), _code(blocks), taken, left_out, findings, scouts)


def load_volume_file(
    path: Path, kind: VolumeKind, store: AssetStore, *, accept_repair: bool = False, progress: Progress = SILENT
) -> LoadedStudy:
    """Read a NIfTI, NRRD or MetaImage file into the store as one block; errors as :func:`read_volume`."""
    reading, looking = PartOfProgress(progress, 0.0, _READING_SHARE), PartOfProgress(progress, _READING_SHARE, 1.0)
    read = read_volume(path, accept_repair=accept_repair, progress=reading)
    origin = SeriesOrigin(kind, findings=read.findings, repairs=read.repairs)
    block = _stored(read.volume, origin, store, looking)
    return LoadedStudy((block,), _code([block]), findings=origin.findings)


def patient_of(result: ScanResult, series: Sequence[Series]) -> Patient:
    """Read who the patient of the chosen series is, for a case that shall keep it; InputDataError ``unreadable_file``."""
    name = series[0].first.name
    with Sources(result.path) as sources:
        try:
            with sources.open(name) as stream:
                return read_patient(stream)
        except OSError as error:
            raise InputDataError("unreadable_file", file=sources.full_name(name), detail=str(error)) from error


def put_in_case(session: Session, loaded: LoadedStudy, intake: Intake, patient: Patient | None = None) -> LoadedStudy:
    """Make the study and the intake part of the case, as one undo step; returns it with the conflicts of side found.

    Parameters
    ----------
    patient
        Kept in the case where the user asked for it; None: the code alone stands for the patient.
    """
    conflicts = side_conflicts(loaded, intake)
    blocks = tuple(
        replace(block, origin=replace(block.origin, findings=(*block.origin.findings, *conflicts))) for block in loaded.blocks
    )

    def edit(case: Case) -> Case:
        return set_patient(set_study(set_intake(case, intake), Study(blocks, loaded.scouts), loaded.code), patient)

    session.apply("Import study", edit)
    return replace(loaded, blocks=blocks, findings=(*loaded.findings, *conflicts))


def side_conflicts(loaded: LoadedStudy, intake: Intake) -> tuple[Finding, ...]:
    """Compare the side of the request with the side in the images' tags (two of the four witnesses, practice.md 13)."""
    tagged = sides_of_blocks(loaded.blocks)
    if len(tagged) == 1 and intake.side not in (None, *tagged):
        return (Finding("side_conflict", "critical"),)
    return ()


def import_study(
    session: Session,
    path: Path,
    *,
    series: Sequence[str] = (),
    accept_repair: bool = False,
    intake: Intake | None = None,
    keep_identifiers: bool = False,
    progress: Progress = SILENT,
) -> LoadedStudy:
    """Scan, choose, load and put in the case; errors as those of the four.

    Parameters
    ----------
    series
        UIDs to take; empty = as :func:`choose` proposes.
    intake
        What the request says; None keeps the intake of the case.
    keep_identifiers
        Keep name, ID and date of birth of the patient in the case; without it only the code stands for the patient.
    """
    path = Path(path)
    patient: Patient | None = None
    kind = volume_kind(path) if path.is_file() else None
    if kind is not None:
        loaded = load_volume_file(path, kind, session.store, accept_repair=accept_repair, progress=progress)
    else:
        result = scan(path, progress=PartOfProgress(progress, 0.0, _SCANNING_SHARE))
        chosen = choose(result, series, accept_repair=accept_repair)
        patient = patient_of(result, chosen) if keep_identifiers else None
        loaded = load(result, chosen, session.store, progress=PartOfProgress(progress, _SCANNING_SHARE, 1.0))
    return put_in_case(session, loaded, session.case.intake if intake is None else intake, patient)


def _is_ct(series: Series) -> bool:
    codes = {finding.code for finding in series.findings}
    return not codes & {"not_ct", "film", "secondary_capture", "localizer"}


def _named(result: ScanResult, uids: Sequence[str]) -> tuple[Series, ...]:
    by_uid = {series.uid: series for series in result.series}
    for uid in uids:
        if uid not in by_uid:
            raise UsageError("unknown_series", uid=uid, listing=_listing(result.series))
    chosen = tuple(by_uid[uid] for uid in dict.fromkeys(uids))
    if len({(series.identity, series.frame) for series in chosen}) > 1:
        raise UsageError("series_not_together", file=result.path)
    return chosen


def _refuse(result: ScanResult, series: Series) -> NoReturn:
    """Raise what keeps a series from being taken."""
    wrong = [
        item for item in series.findings if item.code in _WORST_FIRST and (item.severity != "note" or item.code == "localizer")
    ]
    mended = {repair.kind for repair in series.repairs} if series.verdict == "refused" else set()
    worst = min(wrong, key=lambda item: (item.code in mended, _WORST_FIRST.index(item.code)))
    with Sources(result.path) as sources:
        name = sources.full_name(worst.files[0]) if worst.files else str(result.path.absolute())
    parameters: dict[str, Any] = dict(worst.parameters)
    raise InputDataError(f"refused_{worst.code}", file=name, **parameters)


def _listing(series: Sequence[Series]) -> str:
    """List series by UID, without anything that names a patient."""
    patients = {patient: number for number, patient in enumerate(dict.fromkeys(item.first.patient for item in series), start=1)}
    return "; ".join(f"{item.uid} (patient {patients[item.first.patient]}, {item.slices} slices)" for item in series)


def _stored(volume: Volume, origin: SeriesOrigin, store: AssetStore, progress: Progress) -> VolumeBlock:
    evidence = measure_evidence(volume, progress=progress)
    return VolumeBlock(store.put(volume.array), _rows(volume.affine), volume.shape, origin, evidence)


def _rows(affine: Affine) -> Matrix:
    return tuple((float(a), float(b), float(c), float(d)) for a, b, c, d in affine.matrix)


def _code(blocks: Sequence[VolumeBlock]) -> str:
    return case_code(*(f"{block.voxels} {block.affine}" for block in blocks))


def _scouts(result: ScanResult, taken: Series, sources: Sources, store: AssetStore) -> Iterator[Scout]:
    """Yield the localizers of the same patient, study and frame of reference; one that cannot be read is left out."""
    for series in result.series:
        if series.identity != taken.identity or series.frame != taken.frame:
            continue
        for header in series.headers if any(item.code == "localizer" for item in series.findings) else ():
            if header.position is None or header.pixel_spacing is None or not has_directions(header):
                continue
            try:
                pixels = read_slice(sources, header)
            except InputDataError:
                continue
            row, column = directions_of(header)
            between_rows, between_columns = header.pixel_spacing
            axes = np.column_stack([np.cross(row, column), column * between_rows, row * between_columns])
            affine = Affine.from_parts(axes, np.array(header.position))
            size = (header.rows, header.columns)
            yield Scout(store.put(np.ascontiguousarray(pixels)), _rows(affine), size, series.uid, series.description)


def _told_after(finding: Finding, repairs: Sequence[RepairPlan]) -> Finding:
    """Return a finding as the case keeps it: without file names, which may hold the patient's; a warning once it is repaired."""
    mended = any(repair.kind == finding.code for repair in repairs)
    return replace(finding, files=(), severity="warn" if mended else finding.severity)


def _origin(plan: BlockPlan, series: Sequence[Series], repairs: tuple[Repair, ...]) -> SeriesOrigin:
    first = plan.slices[0]
    told = (_told_after(finding, item.repairs) for item in series if item.uid in plan.series_uids for finding in item.findings)
    findings = tuple(dict.fromkeys(told))
    return SeriesOrigin(
        kind="dicom",
        series_uids=plan.series_uids,
        study_uid=first.study_uid,
        frame_of_reference_uid=first.frame_uid,
        description=first.description,
        kernel=first.kernel,
        slice_thickness_mm=first.thickness_mm,
        patient_position=first.patient_position,
        laterality=first.laterality,
        acquired=first.acquired,
        findings=findings,
        repairs=repairs,
        patient_age_years=first.age_years,
        transfer_syntax=first.transfer_syntax,
        body_part=first.body_part,
    )
