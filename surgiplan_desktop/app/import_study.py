"""Use case: from a folder, zip or file to the blocks of a case.

``scan`` says what is there, ``choose`` picks the series that belong together (or says why none can be taken), ``load`` reads them
into the store, ``put_in_case`` is the one edit. The first three may run in a job; ``import_study`` does all four.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from surgiplan_desktop.app.case_code import case_code
from surgiplan_desktop.app.session import Session
from surgiplan_desktop.base.errors import InputDataError, UsageError
from surgiplan_desktop.base.progress import SILENT, PartOfProgress, Progress
from surgiplan_desktop.base.spaces import Affine
from surgiplan_desktop.files.asset_store import AssetStore
from surgiplan_desktop.imaging.dicom_blocks import BlockPlan, best_series, plan_blocks
from surgiplan_desktop.imaging.dicom_read import read_block
from surgiplan_desktop.imaging.dicom_scan import ScanResult, Series, scan_folder
from surgiplan_desktop.imaging.sources import Sources
from surgiplan_desktop.imaging.volume_files import VolumeKind, read_volume_file, volume_kind
from surgiplan_desktop.model.case import Case, Intake
from surgiplan_desktop.model.edits import set_intake, set_study
from surgiplan_desktop.model.images import Volume
from surgiplan_desktop.model.study import Finding, Matrix, SeriesOrigin, Study, VolumeBlock
from surgiplan_desktop.planning.sides import sides_of_blocks

#: The finding that is told first when a series cannot be taken: what nothing helps against before what could be repaired.
_WORST_FIRST: Final = (
    "identity_conflict", "not_ct", "secondary_capture", "film", "localizer", "colour", "multiframe", "no_position",
    "bad_spacing", "tilt", "uneven", "missing_slices", "duplicate_position", "duplicate_uid", "truncated",
)  # fmt: skip
_TELLING_REASONS: Final = ("truncated", "unreadable", "no_image", "not_dicom")
_SCANNING_SHARE: Final = 0.4


@dataclass(frozen=True, slots=True)
class LoadedStudy:
    """Blocks in the store, proximal first, and what has to be said about them."""

    blocks: tuple[VolumeBlock, ...]
    code: str
    series: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()


def scan(path: Path, *, progress: Progress = SILENT) -> ScanResult:
    """Scan a folder tree, zip, DICOMDIR or file for DICOM series; InputDataError ``not_found``."""
    return scan_folder(path, progress=progress)


def nothing_found(result: ScanResult) -> InputDataError | None:
    """Return the error that tells why a scan found no series at all, naming the file, or None when it found some."""
    if result.series:
        return None
    if not result.files:
        return InputDataError("folder_empty", file=result.path)
    for reason in _TELLING_REASONS:
        files = [item for item in result.rejected if item.reason == reason]
        if files:
            with Sources(result.path) as sources:
                name = sources.full_name(files[0].name)
            return InputDataError(f"file_{reason}", file=name, detail=files[0].detail, others=len(result.rejected) - 1)
    return InputDataError("folder_empty", file=result.path)


def choose(result: ScanResult, uids: Sequence[str] = (), *, accept_repair: bool = False) -> tuple[Series, ...]:
    """Pick the series that are imported together.

    Without ``uids``: all series with verdict ok of the one study and frame of reference, without second pictures of a region.

    Raises
    ------
    UsageError
        ``several_studies`` (with the list), ``several_frames``, ``unknown_series``, ``series_not_together``.
    InputDataError
        Nothing there at all (see :func:`nothing_found`), ``refused_<finding code>`` naming the first file concerned, or
        ``repair_not_in_this_version``.
    """
    nothing = nothing_found(result)
    if nothing is not None:
        raise nothing
    if uids:
        chosen = _named(result, uids)
        for series in chosen:
            _refuse(result, series, accept_repair)
        return chosen
    images = [series for series in result.series if _is_ct(series)]
    if not images:
        _refuse(result, max(result.series, key=lambda series: series.slices), accept_repair)
    if len({series.identity for series in images}) > 1:
        raise UsageError("several_studies", file=result.path, listing=_listing(images), count=len(images))
    usable = [series for series in images if series.verdict == "ok"]
    if not usable:
        _refuse(result, max(images, key=lambda series: (series.verdict == "repairable", series.slices)), accept_repair)
    if len({series.first.frame_uid for series in usable}) > 1:
        raise UsageError("several_frames", file=result.path, listing=_listing(usable), count=len(usable))
    return best_series(usable)


def load(result: ScanResult, series: Sequence[Series], store: AssetStore, *, progress: Progress = SILENT) -> LoadedStudy:
    """Read the series block by block into the store; only one block is in memory at a time.

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
            blocks.append(_stored(read_block(sources, plan, progress=part), _origin(plan, series), store))
            done += len(plan.slices)
    taken = tuple(item.uid for item in series)
    left_out = tuple(item.uid for item in result.series if item.uid not in taken and _is_ct(item))
    findings = tuple(dict.fromkeys(_nameless(finding) for item in series for finding in item.findings))
    return LoadedStudy(tuple(blocks), _code(blocks), taken, left_out, findings)


def load_volume_file(path: Path, kind: VolumeKind, store: AssetStore, *, progress: Progress = SILENT) -> LoadedStudy:
    """Read a NIfTI, NRRD or MetaImage file into the store as one block; errors as :func:`read_volume_file`."""
    block = _stored(read_volume_file(path, progress=progress), SeriesOrigin(kind), store)
    return LoadedStudy((block,), _code([block]))


def put_in_case(session: Session, loaded: LoadedStudy, intake: Intake) -> LoadedStudy:
    """Make the study and the intake part of the case, as one undo step; returns it with the conflicts of side found."""
    conflicts = side_conflicts(loaded, intake)
    blocks = tuple(
        replace(block, origin=replace(block.origin, findings=(*block.origin.findings, *conflicts))) for block in loaded.blocks
    )

    def edit(case: Case) -> Case:
        return set_study(set_intake(case, intake), Study(blocks), loaded.code)

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
    progress: Progress = SILENT,
) -> LoadedStudy:
    """Scan, choose, load and put in the case; errors as those of the four.

    Parameters
    ----------
    series
        UIDs to take; empty = as :func:`choose` proposes.
    intake
        What the request says; None keeps the intake of the case.
    """
    path = Path(path)
    kind = volume_kind(path) if path.is_file() else None
    if kind is not None:
        loaded = load_volume_file(path, kind, session.store, progress=progress)
    else:
        result = scan(path, progress=PartOfProgress(progress, 0.0, _SCANNING_SHARE))
        chosen = choose(result, series, accept_repair=accept_repair)
        loaded = load(result, chosen, session.store, progress=PartOfProgress(progress, _SCANNING_SHARE, 1.0))
    return put_in_case(session, loaded, session.case.intake if intake is None else intake)


def _is_ct(series: Series) -> bool:
    codes = {finding.code for finding in series.findings}
    return not codes & {"not_ct", "film", "secondary_capture", "localizer"}


def _named(result: ScanResult, uids: Sequence[str]) -> tuple[Series, ...]:
    by_uid = {series.uid: series for series in result.series}
    for uid in uids:
        if uid not in by_uid:
            raise UsageError("unknown_series", uid=uid, listing=_listing(result.series))
    chosen = tuple(by_uid[uid] for uid in dict.fromkeys(uids))
    if len({(series.identity, series.first.frame_uid) for series in chosen}) > 1:
        raise UsageError("series_not_together", file=result.path)
    return chosen


def _refuse(result: ScanResult, series: Series, accept_repair: bool) -> None:
    """Raise what keeps a series from being taken; nothing when its verdict is ok."""
    if series.verdict == "ok":
        return
    worst = min(
        (finding for finding in series.findings if finding.code in _WORST_FIRST), key=lambda item: _WORST_FIRST.index(item.code)
    )
    with Sources(result.path) as sources:
        name = sources.full_name(worst.files[0]) if worst.files else str(result.path.absolute())
    if accept_repair and series.verdict == "repairable":
        raise InputDataError("repair_not_in_this_version", file=name, code=worst.code)
    parameters: dict[str, Any] = dict(worst.parameters)
    raise InputDataError(f"refused_{worst.code}", file=name, **parameters)


def _listing(series: Sequence[Series]) -> str:
    """List series by UID, without anything that names a patient."""
    patients = {patient: number for number, patient in enumerate(dict.fromkeys(item.first.patient for item in series), start=1)}
    return "; ".join(f"{item.uid} (patient {patients[item.first.patient]}, {item.slices} slices)" for item in series)


def _stored(volume: Volume, origin: SeriesOrigin, store: AssetStore) -> VolumeBlock:
    return VolumeBlock(store.put(volume.array), _rows(volume.affine), volume.shape, origin)


def _rows(affine: Affine) -> Matrix:
    return tuple((float(a), float(b), float(c), float(d)) for a, b, c, d in affine.matrix)


def _code(blocks: Sequence[VolumeBlock]) -> str:
    return case_code(*(f"{block.voxels} {block.affine}" for block in blocks))


def _nameless(finding: Finding) -> Finding:
    """Drop the file names: they may hold the patient's name, and a case keeps none."""
    return replace(finding, files=())


def _origin(plan: BlockPlan, series: Sequence[Series]) -> SeriesOrigin:
    first = plan.slices[0]
    findings = tuple(
        dict.fromkeys(_nameless(finding) for item in series if item.uid in plan.series_uids for finding in item.findings)
    )
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
    )
