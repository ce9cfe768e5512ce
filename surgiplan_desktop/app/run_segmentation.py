"""Use case: find the bones of a case and keep the run in it."""

from __future__ import annotations

import time

import numpy as np

from surgiplan_desktop.app.session import Session
from surgiplan_desktop.base.errors import UsageError
from surgiplan_desktop.base.progress import SILENT, PartOfProgress, Progress
from surgiplan_desktop.base.spaces import Affine
from surgiplan_desktop.model.anatomy import Side
from surgiplan_desktop.model.case import Case, SegmentationRun
from surgiplan_desktop.model.edits import set_segmentation
from surgiplan_desktop.model.images import Volume
from surgiplan_desktop.model.study import Finding
from surgiplan_desktop.planning.sides import tagged_sides
from surgiplan_desktop.segmentation.bones import METHOD, VERSION, BoneLabelling, find_bones


def segment(session: Session, *, progress: Progress = SILENT) -> BoneLabelling:
    """Find the bones by threshold and anatomy, store the run and make it the active one (one undo step).

    Returns
    -------
    BoneLabelling
        What was found; the run's findings also hold contradictions between the bones, the request and the scan's own tags.

    Raises
    ------
    UsageError
        ``no_scan_in_case`` when the case has no volume (bones imported as meshes need no segmentation).
    InputDataError
        ``no_bone_found``, ``no_bone_named``.
    """
    case = session.case
    if case.study is None:
        raise UsageError("no_scan_in_case")
    started = time.monotonic()
    volumes = [Volume(session.store.load(block.voxels), Affine(np.array(block.affine))) for block in case.study.blocks]
    tagged = tagged_sides(case)
    expected = case.intake.side or (tagged[0] if len(tagged) == 1 else None)
    found = find_bones(volumes, expected=expected, progress=PartOfProgress(progress, 0.0, 0.95))
    findings = [*found.findings, *(finding for bone in found.bones for finding in bone.findings)]
    findings += side_witnesses(case, {bone.id.side for bone in found.bones})
    run = SegmentationRun(
        id=_next_run_id(case),
        method=METHOD,
        version=VERSION,
        provider="cpu",
        labels=tuple(session.store.put(labels.array) for labels in found.labels),
        bones=tuple(bone.id for bone in found.bones),
        findings=tuple(findings),
        seconds=round(time.monotonic() - started, 1),
    )
    session.apply("Find bones", lambda current: set_segmentation(current, run))
    progress.step(1.0, 1.0, "labelling_bones")
    return found


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


def _next_run_id(case: Case) -> str:
    numbers = [int(run.id.rsplit("-", 1)[1]) for run in case.segmentations if run.id.startswith(f"{METHOD}-")]
    return f"{METHOD}-{max(numbers, default=0) + 1}"
