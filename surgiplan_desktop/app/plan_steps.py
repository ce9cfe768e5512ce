"""Use cases: put an osteotomy or an implant into the case, from what a person types; for command line and window alike."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from typing import Final

from surgiplan_desktop.app.session import Session
from surgiplan_desktop.base.errors import InputDataError, UsageError
from surgiplan_desktop.model.anatomy import BoneId, BoneName, Side
from surgiplan_desktop.model.case import Case
from surgiplan_desktop.model.edits import next_step_id, put_step, set_intake
from surgiplan_desktop.model.steps import ImplantStep, OsteotomyStep, PoseName, StepId, Target, Vector
from surgiplan_desktop.planning.catalogue import Catalogue, Component, PlateFamily, TrayFamily

#: Default target (practice.md 12).
DEFAULT_TARGET: Final = Target("wbl", 55.0)
#: Osteotomies of the contract that are not built yet.
LATER_TYPES: Final = ("lowhto", "lcwhto", "mcwhto", "lowdfo", "mcwdfo", "lcwdfo", "mowdfo")
_TARGET: Final = re.compile(r"(wbl|hka|mpta|angle)=([+-]?\d+(?:\.\d+)?)(valgus|varus)?")


def parse_target(text: str) -> Target:
    """Return the target of ``wbl=55``, ``hka=182``, ``hka=2valgus``, ``mpta=90`` or ``angle=8``.

    Raises
    ------
    UsageError
        ``target_syntax``.
    """
    match = _TARGET.fullmatch(text.strip().lower().replace(" ", ""))
    if match is None or (match[3] and match[1] != "hka"):
        raise UsageError("target_syntax", target=text)
    value = float(match[2])
    if match[3]:
        if value < 0.0:
            raise UsageError("target_syntax", target=text)
        value = 180.0 + value if match[3] == "valgus" else 180.0 - value
    if match[1] == "hka" and not 150.0 <= value <= 210.0:
        # a deviation without its word: which way is not to be guessed (practice.md 10)
        raise UsageError("target_syntax", target=text)
    if not math.isfinite(value):
        raise UsageError("target_syntax", target=text)
    return Target(match[1], value)  # type: ignore[arg-type]


def chosen_side(case: Case, side: Side | None) -> Side:
    """Return the side to work on; with two legs it must be named.

    Raises
    ------
    UsageError
        ``side_needed`` or ``side_not_there``.
    InputDataError
        ``bone_not_there`` when that side has no tibia.
    """
    if side is None:
        if len(case.sides) > 1:
            raise UsageError("side_needed")
        if not case.sides:
            raise InputDataError("bone_not_there", bone="tibia")
        side = case.sides[0]
    if side not in case.sides:
        raise UsageError("side_not_there", side=side.value, sides=", ".join(item.value for item in case.sides) or "none")
    if BoneId(side, BoneName.TIBIA) not in case.bones:
        raise InputDataError("bone_not_there", bone=f"{side.value} tibia")
    return side


def put_osteotomy(
    session: Session,
    side: Side,
    target: Target,
    *,
    pose: PoseName = "ct",
    post_jlca_deg: float | None = None,
    start_tibia: Vector | None = None,
    hinge_tibia: Vector | None = None,
    step_id: StepId | None = None,
) -> OsteotomyStep:
    """Put a medial opening wedge into the case, or change the step of that id, as one undo step.

    Raises
    ------
    UsageError
        ``step_unknown``.
    """
    present = _step(session, step_id, OsteotomyStep, "osteotomy")
    step = present or OsteotomyStep(next_step_id(session.case, "mowhto"), side, target)
    changed = replace(
        step,
        side=side,
        target=target,
        pose=pose,
        post_jlca_deg=post_jlca_deg,
        start_tibia=start_tibia if start_tibia is not None else step.start_tibia,
        hinge_tibia=hinge_tibia if hinge_tibia is not None else step.hinge_tibia,
    )
    session.apply("Plan osteotomy", lambda case: put_step(case, changed))
    return changed


def put_standing(session: Session, hka_deg: float | None, jlca_deg: float | None) -> None:
    """Enter what the standing film says; None leaves the value as it is."""
    if hka_deg is None and jlca_deg is None:
        return
    intake = session.case.intake
    changed = replace(
        intake,
        standing_hka_deg=intake.standing_hka_deg if hka_deg is None else hka_deg,
        standing_jlca_deg=intake.standing_jlca_deg if jlca_deg is None else jlca_deg,
    )
    session.apply("Enter standing values", lambda case: set_intake(case, changed))


def find_component(catalogue: Catalogue, name: str) -> Component:
    """Return a component by id, or the first tray or plate of the catalogue."""
    kinds: dict[str, type[Component]] = {"tray": TrayFamily, "plate": PlateFamily}
    if name in kinds:
        for item in catalogue.components:
            if isinstance(item, kinds[name]):
                return item
    return catalogue.component(name)


def put_implant(
    session: Session,
    side: Side,
    catalogue: Catalogue,
    component: Component,
    *,
    size: str | None = None,
    step_id: StepId | None = None,
) -> ImplantStep:
    """Put a component into the case, or change the implant step of that id.

    ``step_id`` names an implant step to change, or the osteotomy that a plate holds open (needed only when there are several).

    Raises
    ------
    UsageError
        ``size_unknown``, ``step_unknown``, ``osteotomy_not_planned`` or ``several_steps``.
    """
    if size is not None and isinstance(component, TrayFamily):
        component.size(size)
    elif size is not None:
        raise UsageError("size_unknown", size=size, sizes="one")
    present = next((step for step in session.case.steps if isinstance(step, ImplantStep) and step.id == step_id), None)
    osteotomy: StepId | None = None
    if isinstance(component, PlateFamily):
        osteotomy = present.osteotomy if present is not None and present.osteotomy else _osteotomy_of(session, side, step_id)
    elif step_id is not None and present is None:
        known = ", ".join(step.id for step in session.case.steps if isinstance(step, ImplantStep))
        raise UsageError("step_unknown", kind="implant", step=step_id, known=known or "none")
    step = present or ImplantStep(next_step_id(session.case, "implant"), side, catalogue.name, component.id)
    changed = replace(step, side=side, catalogue=catalogue.name, component=component.id, size=size, osteotomy=osteotomy)
    session.apply("Place implant", lambda case: put_step(case, changed))
    return changed


def _osteotomy_of(session: Session, side: Side, step_id: StepId | None) -> StepId:
    steps = [step for step in session.case.steps if isinstance(step, OsteotomyStep) and step.side is side]
    known = ", ".join(step.id for step in steps)
    if step_id is not None:
        if step_id not in {step.id for step in steps}:
            raise UsageError("step_unknown", kind="osteotomy", step=step_id, known=known or "none")
        return step_id
    if not steps:
        raise UsageError("osteotomy_not_planned")
    if len(steps) > 1:
        raise UsageError("several_steps", kind="osteotomy", known=known)
    return steps[0].id


def _step(session: Session, step_id: StepId | None, kind: type[OsteotomyStep], name: str) -> OsteotomyStep | None:
    if step_id is None:
        return None
    for step in session.case.steps:
        if step.id == step_id and isinstance(step, kind):
            return step
    known = ", ".join(step.id for step in session.case.steps if isinstance(step, kind))
    raise UsageError("step_unknown", kind=name, step=step_id, known=known or "none")
