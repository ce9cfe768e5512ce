"""Use case: put a guide step into the case, build the guide and describe it for window, command line and report."""

from __future__ import annotations

import tempfile
from pathlib import Path

from surgiplan_desktop.app.export_plan import intersection_as_read
from surgiplan_desktop.app.session import Session
from surgiplan_desktop.app.texts import Texts
from surgiplan_desktop.base.errors import UsageError
from surgiplan_desktop.base.progress import SILENT, Progress
from surgiplan_desktop.geometry.solid import is_solid
from surgiplan_desktop.model.anatomy import BoneId, BoneName
from surgiplan_desktop.model.edits import next_step_id, put_step
from surgiplan_desktop.model.steps import GuideStep, OsteotomyStep
from surgiplan_desktop.planning import graph
from surgiplan_desktop.planning.records import Guide


def osteotomy_step(session: Session, step_id: str | None) -> OsteotomyStep:
    """Return the osteotomy that a guide or report is for.

    Raises
    ------
    UsageError
        ``osteotomy_not_planned``, ``step_unknown`` or ``several_steps``.
    """
    steps = [step for step in session.case.steps if isinstance(step, OsteotomyStep)]
    known = ", ".join(step.id for step in steps)
    if not steps:
        raise UsageError("osteotomy_not_planned")
    if step_id is not None:
        chosen = next((step for step in steps if step.id == step_id), None)
        if chosen is None:
            raise UsageError("step_unknown", kind="osteotomy", step=step_id, known=known)
        return chosen
    if len(steps) > 1:
        raise UsageError("several_steps", kind="osteotomy", known=known)
    return steps[0]


def put_guide(session: Session, osteotomy: OsteotomyStep, **parameters: float) -> GuideStep:
    """Put a guide for an osteotomy into the case (or change the one that is there) and return its step."""
    present = next((step for step in session.case.steps if isinstance(step, GuideStep) and step.osteotomy == osteotomy.id), None)
    step = present or GuideStep(next_step_id(session.case, "guide"), osteotomy.side, osteotomy.id)
    changed = GuideStep(
        id=step.id,
        side=step.side,
        osteotomy=step.osteotomy,
        clearance_mm=parameters.get("clearance_mm", step.clearance_mm),
        wall_mm=parameters.get("wall_mm", step.wall_mm),
        pin_diameter_mm=parameters.get("pin_diameter_mm", step.pin_diameter_mm),
        sleeve_clearance_mm=step.sleeve_clearance_mm,
        sleeve_height_mm=step.sleeve_height_mm,
        revision=int(parameters.get("revision", step.revision)),
    )
    session.apply("Build guide", lambda case: put_step(case, changed))
    return changed


def guide_of(session: Session, step: GuideStep, *, progress: Progress = SILENT) -> Guide:
    """Build the guide of a step and return it."""
    guide: Guide = session.require(graph.guide_key(step.id), progress=progress)[0]
    return guide


def describe_guide(session: Session, guide: Guide, texts: Texts) -> dict[str, object]:
    """Return the guide in the shape of ``guide --json``; the intersection is measured on the STL as it is read again."""
    tibia = session.require(graph.bone_key(BoneId(guide.side, BoneName.TIBIA)))[0]
    with tempfile.TemporaryDirectory(prefix="surgiplan-") as folder:
        shared = intersection_as_read(guide, tibia, Path(folder))
    return {
        "step": guide.step,
        "side": guide.side.value,
        "closed": is_solid(guide.mesh),
        "volume_mm3": guide.volume_mm3,
        "bone_intersection_mm3": shared,
        "contact_mm2": guide.contact_mm2,
        "free_play": {"mm": guide.free_play.mm, "deg": guide.free_play.deg, "direction": list(guide.free_play.direction)},
        "checks": [
            {"id": item.id, "status": item.status, "value": item.value, "limit": item.limit, "text": texts.check(item)}
            for item in guide.checks
        ],
        "label": list(guide.label),
        "check_code": guide.check_code,
        "slot_width_mm": guide.slot_width_mm,
        "findings": [{"code": item.code, "severity": item.severity, "text": texts.finding(item)} for item in guide.findings],
    }
