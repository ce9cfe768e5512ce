"""Use case: find the bones of a case and keep the run in it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Final

from surgiplan_desktop.app.propose_segmentation import case_volumes, proposed_way
from surgiplan_desktop.app.session import Session
from surgiplan_desktop.base.paths import catalogue_roots
from surgiplan_desktop.base.progress import SILENT, PartOfProgress, Progress
from surgiplan_desktop.imaging.resample import matrix_rows
from surgiplan_desktop.model.anatomy import Side
from surgiplan_desktop.model.case import Case, SegmentationRun
from surgiplan_desktop.model.edits import set_segmentation
from surgiplan_desktop.model.study import Finding
from surgiplan_desktop.planning.sides import tagged_sides
from surgiplan_desktop.segmentation.bones import METHOD, VERSION, BoneLabelling, find_bones
from surgiplan_desktop.segmentation.inference.choose import Wish, settings_for
from surgiplan_desktop.segmentation.inference.engine import Running
from surgiplan_desktop.segmentation.leg_model import VERSION as MODEL_VERSION
from surgiplan_desktop.segmentation.leg_model import ModelLabelling, find_bones_with_model
from surgiplan_desktop.segmentation.packs import ModelPack, pack_named

#: Stands for the path by threshold and anatomy where the name of a model is asked for.
WITHOUT_AI: Final = ""
#: The method of a run by a model pack.
MODEL_METHOD: Final = "model"


def segment(
    session: Session,
    *,
    model: str | None = None,
    device: Wish = "auto",
    leave_one_core: bool = False,
    progress: Progress = SILENT,
) -> BoneLabelling | ModelLabelling:
    """Find the bones of the case's scan, store the run and make it the active one (one undo step).

    Parameters
    ----------
    model
        Name of a model pack; ``WITHOUT_AI`` for the path by threshold and anatomy; None for the proposed way
        (:func:`surgiplan_desktop.app.propose_segmentation.proposed_way`).
    device
        Where a model shall run; what cannot is told in the findings, and the processor takes over.
    leave_one_core
        Leave a core to the window.

    Returns
    -------
    BoneLabelling or ModelLabelling
        What was found; the run's findings also hold contradictions between the bones, the request and the scan's own tags.

    Raises
    ------
    UsageError
        ``no_scan_in_case`` when the case has no volume (bones imported as meshes need no segmentation), ``model_unknown``.
    InputDataError
        ``no_bone_found``, ``no_bone_named``, ``no_bone_by_model``, ``scan_extent``, and what is wrong with a pack.
    ComputationError
        ``tiles_memory`` before anything runs, ``inference_failed``.
    """
    case = session.case
    volumes = case_volumes(session)
    chosen = proposed_way(session).model if model is None else model
    tagged = tagged_sides(case)
    expected = case.intake.side or (tagged[0] if len(tagged) == 1 else None)
    part = PartOfProgress(progress, 0.0, 0.95)
    if chosen == WITHOUT_AI:
        started = time.monotonic()
        found = find_bones(volumes, expected=expected, progress=part)
        run = SegmentationRun(
            id=_next_run_id(case, METHOD),
            method=METHOD,
            version=VERSION,
            provider="cpu",
            labels=tuple(session.store.put(labels.array) for labels in found.labels),
            bones=tuple(bone.id for bone in found.bones),
            findings=_findings(case, found),
            seconds=round(time.monotonic() - started, 1),
        )
        session.apply("Find bones", lambda current: set_segmentation(current, run))
        progress.step(1.0, 1.0, "labelling_bones")
        return found
    pack = pack_named(catalogue_roots(), chosen)
    settings = settings_for(leave_one_core=leave_one_core)
    said = find_bones_with_model(volumes, pack, device=device, expected=expected, settings=settings, progress=part)
    of_model = _run_of_model(session, pack, said)
    session.apply("Find bones", lambda current: set_segmentation(current, of_model))
    progress.step(1.0, 1.0, "labelling_bones")
    return said


def _run_of_model(session: Session, pack: ModelPack, said: ModelLabelling) -> SegmentationRun:
    put = session.store.put
    return SegmentationRun(
        id=_next_run_id(session.case, pack.name),
        method=MODEL_METHOD,
        version=MODEL_VERSION,
        provider=words_of(said.running),
        labels=tuple(put(labels.array) for labels in said.labels),
        bones=tuple(bone.id for bone in said.bones),
        findings=_findings(session.case, said),
        seconds=said.seconds,
        model=pack.name,
        model_version=pack.version,
        licence=pack.licence,
        peak_mib=said.needs.peak_bytes >> 20,
        likeness=said.likeness,
        uncertainty=tuple((put(item.entropy), put(item.disagreement), put(item.chance)) for item in said.uncertainty),
        uncertainty_affines=tuple(matrix_rows(item.affine) for item in said.uncertainty),
    )


def words_of(running: Sequence[Running]) -> str:
    """Say what ran the networks, as their sessions told it; one text for all that ran alike."""
    told = [f"{item.engine} {item.version}, {item.provider} on {item.hardware}, {item.precision}" for item in running]
    return "; ".join(dict.fromkeys(told)) or "cpu"


def _findings(case: Case, found: BoneLabelling | ModelLabelling) -> tuple[Finding, ...]:
    of_bones = [finding for bone in found.bones for finding in bone.findings]
    return (*found.findings, *of_bones, *side_witnesses(case, {bone.id.side for bone in found.bones}))


def side_witnesses(case: Case, sides: set[Side]) -> list[Finding]:
    """Compare the sides of the bones with the request and with the scan's tags (practice.md 13)."""
    findings = []
    if case.intake.side is not None and case.intake.side not in sides:
        said = (("source", "request"), ("says", str(case.intake.side)), ("bones_say", _words(sides)))
        findings.append(Finding("side_witness", "critical", said))
    for tagged in [side for side in tagged_sides(case) if side not in sides][:1]:
        said = (("source", "DICOM laterality"), ("says", str(tagged)), ("bones_say", _words(sides)))
        findings.append(Finding("side_witness", "critical", said))
    return findings


def _words(sides: set[Side]) -> str:
    return ", ".join(str(side) for side in Side if side in sides)


def _next_run_id(case: Case, method: str) -> str:
    numbers = [int(run.id.rsplit("-", 1)[1]) for run in case.segmentations if run.id.rsplit("-", 1)[0] == method]
    return f"{method}-{max(numbers, default=0) + 1}"
