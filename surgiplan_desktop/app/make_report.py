"""Use case: the plan on one sheet of paper."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from surgiplan_desktop.app.build_guide import osteotomy_step
from surgiplan_desktop.app.draw_deformity import deformity_picture
from surgiplan_desktop.app.measure_side import measure_side
from surgiplan_desktop.app.report_content import report_content
from surgiplan_desktop.app.report_pictures import LegParts, report_shots
from surgiplan_desktop.app.session import Session
from surgiplan_desktop.base.errors import UsageError
from surgiplan_desktop.base.progress import SILENT, PartOfProgress, Progress
from surgiplan_desktop.derive.node import Key
from surgiplan_desktop.files.report import ReportPicture, write_report_pdf
from surgiplan_desktop.model.anatomy import BoneId, BoneName
from surgiplan_desktop.model.mesh import Bone
from surgiplan_desktop.model.steps import GuideStep, ImplantStep, OsteotomyStep
from surgiplan_desktop.planning import graph
from surgiplan_desktop.planning.film_graph import deformity_key, film_comparison_key
from surgiplan_desktop.scene.snapshot import take_pictures


def write_report(
    session: Session, path: Path, *, step_id: str | None = None, force: bool = False, progress: Progress = SILENT
) -> Path:
    """Write the report of an osteotomy with its guide and implants as PDF and return its path.

    Parameters
    ----------
    step_id
        The osteotomy; needed when the case has several.

    Raises
    ------
    UsageError
        ``output_exists`` without ``force``, ``output_folder_missing``, ``output_not_writable``, ``osteotomy_not_planned``,
        ``step_unknown``, ``several_steps``.
    """
    target = Path(path).expanduser().resolve()
    if target.is_dir() or (target.exists() and not force):
        raise UsageError("output_exists", file=target)
    if not target.parent.is_dir():
        raise UsageError("output_folder_missing", file=target.parent)
    step = osteotomy_step(session, step_id)
    leg = _leg_parts(session, step, PartOfProgress(progress, 0.0, 0.6))
    wedge = session.require(graph.wedge_key(step.id))[0]
    progress.step(0.6, 1.0, "report_pictures")
    wanted = report_shots(leg)
    taken = take_pictures([shot for _, _, shot in wanted])
    texts = session.services.texts
    pictures = tuple(
        ReportPicture(texts.text(f"ui.report_picture_{name}"), pixels, wide)
        for (name, wide, _), pixels in zip(wanted, taken.shots, strict=False)
    )
    progress.step(0.9, 1.0, "report_page")
    gate = graph.leg_quality_key(step.side)
    films = [key for key in (film_comparison_key(film.id, step.side) for film in session.case.films) if key in session.keys]
    known = _required(session, [key for key in (deformity_key(step.side),) if key in session.keys], SILENT)
    deformity = deformity_picture(step.side, known[0], texts) if known else None
    if pictures and deformity is not None:
        pictures = (*pictures, ReportPicture(texts.text("ui.report_picture_deformity"), deformity, 1.1))
    content = report_content(
        session.case,
        step,
        leg.plan,
        wedge,
        leg.guide,
        leg.implants,
        session.fingerprint(graph.osteotomy_key(step.id)),
        pictures,
        taken.reason,
        texts,
        session.require(gate)[0] if gate in session.keys else None,
        tuple(_required(session, films, SILENT)),
        measure_side(session, step.side) if graph.measure_spread_key(step.side) in session.keys else None,
    )
    write_report_pdf(target, content)
    session.audit("report", file=target.name)
    return target


def _leg_parts(session: Session, step: OsteotomyStep, progress: Progress) -> LegParts:
    side = step.side
    landmarks, frames, plan, pieces = session.require(
        graph.landmarks_key(side),
        graph.frames_key(side),
        graph.osteotomy_key(step.id),
        graph.pieces_key(step.id),
        progress=progress,
    )
    bones: dict[BoneName, Bone | None] = {}
    for name in (BoneName.TIBIA, BoneName.FEMUR, BoneName.FIBULA):
        there = BoneId(side, name) in session.case.bones
        bones[name] = session.require(graph.bone_key(BoneId(side, name)), progress=progress)[0] if there else None
    tibia = bones[BoneName.TIBIA]
    assert tibia is not None  # noqa: S101 - a planned osteotomy has its tibia
    followers = [item for item in session.case.steps if getattr(item, "osteotomy", None) == step.id]
    guides = _required(session, [graph.guide_key(item.id) for item in followers if isinstance(item, GuideStep)], progress)
    implants = _required(session, [graph.implant_key(item.id) for item in followers if isinstance(item, ImplantStep)], progress)
    return LegParts(
        landmarks,
        frames,
        plan,
        pieces,
        tibia,
        bones[BoneName.FEMUR],
        bones[BoneName.FIBULA],
        guides[0] if guides else None,
        tuple(implants),
    )


def _required(session: Session, keys: list[Key], progress: Progress) -> list[Any]:
    return session.require(*keys, progress=progress) if keys else []
