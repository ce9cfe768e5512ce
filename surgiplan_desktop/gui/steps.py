"""The steps of the work, and how far each is: the one place that says what is done, next, blocked or in need of a look."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from surgiplan_desktop.app.resolve_side import SideHearing
from surgiplan_desktop.app.run_segmentation import side_witnesses
from surgiplan_desktop.base.errors import PlanCheckError
from surgiplan_desktop.derive.node import Failed, Key
from surgiplan_desktop.gui.bridge import Bridge
from surgiplan_desktop.model.anatomy import Side
from surgiplan_desktop.model.steps import GuideStep, ImplantStep, OsteotomyStep
from surgiplan_desktop.model.study import Finding
from surgiplan_desktop.planning.film_graph import deformity_key, film_comparison_key, film_measures_key, standing_key
from surgiplan_desktop.planning.graph import (
    bone_key,
    cora_key,
    guide_key,
    implant_key,
    landmarks_key,
    leg_quality_key,
    measures_key,
    osteotomy_key,
    pieces_key,
    scan_quality_key,
    surface_sd_key,
    uncertainty_key,
    wedge_key,
)
from surgiplan_desktop.planning.records import Landmarks
from surgiplan_desktop.planning.scan_quality import ScanQuality
from surgiplan_desktop.planning.sides import (
    contradictions,
    covering,
    diagnosis,
    open_contradictions,
    require_sides_agree,
    witnesses,
    witnesses_of,
)

STEPS: Final = ("study", "bones", "review", "measure", "plan", "guide", "approve")
Glyph = Literal["done", "next", "attention", "stale", "blocked", "open"]


@dataclass(frozen=True, slots=True)
class StepState:
    """How far a step is; ``reason`` is a text id under ``[ui]`` and ``missing`` the step to go to first."""

    glyph: Glyph
    reason: str = ""
    missing: str = ""


def osteotomy_of(bridge: Bridge) -> OsteotomyStep | None:
    """Return the osteotomy of the side worked on, or None."""
    steps = [step for step in bridge.case.steps if isinstance(step, OsteotomyStep) and step.side == bridge.side]
    return steps[0] if steps else None


def guide_of(bridge: Bridge) -> GuideStep | None:
    """Return the guide of the side worked on, or None."""
    steps = [step for step in bridge.case.steps if isinstance(step, GuideStep) and step.side == bridge.side]
    return steps[0] if steps else None


def implants_of(bridge: Bridge) -> tuple[ImplantStep, ...]:
    """Return the implants of the side worked on."""
    return tuple(step for step in bridge.case.steps if isinstance(step, ImplantStep) and step.side == bridge.side)


def wanted_keys(bridge: Bridge) -> set[Key]:
    """Return the results that the window keeps current: bones of all, plan and measures of the side worked on."""
    case, side = bridge.case, bridge.side
    wanted = {scan_quality_key(), *(bone_key(bone) for bone in case.bones), *(surface_sd_key(bone) for bone in case.bones)}
    if case.study is not None:
        wanted |= {uncertainty_key(number) for number in range(len(case.study.blocks))}
    for leg in Side:
        wanted |= {standing_key(leg), deformity_key(leg), *(film_comparison_key(film.id, leg) for film in case.films)}
        wanted |= {film_measures_key(film.id, leg) for film in case.films}
    if side is not None:
        wanted |= {landmarks_key(side), measures_key(side), cora_key(side), leg_quality_key(side)}
        for step in case.steps:
            if step.side is not side:
                continue
            if isinstance(step, OsteotomyStep):
                wanted |= {osteotomy_key(step.id), wedge_key(step.id), pieces_key(step.id)}
            elif isinstance(step, ImplantStep):
                wanted.add(implant_key(step.id))
            else:
                wanted.add(guide_key(step.id))
    return wanted & bridge.session.keys


def findings_of_segmentation(bridge: Bridge) -> tuple[Finding, ...]:
    """Return what the segmentation asks to be looked at."""
    return tuple(finding for finding in findings_of_bones(bridge) if finding.severity != "note")


def findings_of_bones(bridge: Bridge) -> tuple[Finding, ...]:
    """Return all findings of the segmentation; what the request says is asked anew, for it may have been changed since."""
    case = bridge.case
    if case.segmentation is None:
        return ()
    kept = tuple(finding for finding in case.segmentation.findings if finding.code != "side_witness")
    return (*kept, *side_witnesses(case, set(case.sides)))


def scan_quality(bridge: Bridge) -> ScanQuality | None:
    """Return what the gate says of the scan: with the leg's pose once it is measured, before that by the images alone."""
    found = None if bridge.side is None else bridge.value(leg_quality_key(bridge.side))
    quality: ScanQuality | None = found or bridge.value(scan_quality_key())
    return quality


def hear_witnesses(bridge: Bridge, side: Side) -> SideHearing:
    """Return what every witness of side says now, with the landmarks at hand; nothing is computed for it."""
    landmarks = bridge.value(landmarks_key(side))
    found = landmarks if isinstance(landmarks, Landmarks) else None
    against = contradictions(bridge.case, side, found)
    return SideHearing(
        side=side,
        witnesses=witnesses(bridge.case, side, found),
        contradictions=against,
        open=open_contradictions(bridge.case, side, found),
        resolution=covering(bridge.case, side, found),
        diagnosis=diagnosis(against),
    )


def side_conflict(bridge: Bridge) -> PlanCheckError | None:
    """Return why nothing may be planned on the side worked on, or None while all witnesses agree (practice.md 13)."""
    side = bridge.side
    if side is None or (bridge.case.study is None and not bridge.case.bones):
        return None
    landmarks = bridge.value(landmarks_key(side))
    try:
        require_sides_agree(
            side, witnesses_of(bridge.case), landmarks if isinstance(landmarks, Landmarks) else Landmarks(side, {})
        )
    except PlanCheckError as error:
        return error
    return None


def step_states(bridge: Bridge) -> dict[str, StepState]:
    """Return how far each step is."""
    states = {
        "study": _study(bridge),
        "bones": _bones(bridge),
        "review": _review(bridge),
        "measure": _measure(bridge),
        "plan": _plan(bridge),
        "guide": _guide(bridge),
        "approve": _approve(bridge),
    }
    for step in STEPS:
        if states[step].glyph == "open":
            states[step] = StepState("next")
            break
    return states


def _study(bridge: Bridge) -> StepState:
    if side_conflict(bridge) is not None:
        return StepState("attention", "sides_contradict")
    return StepState("done" if bridge.case.study or bridge.case.imported_bones else "open")


def _bones(bridge: Bridge) -> StepState:
    case = bridge.case
    if case.study is None and not case.imported_bones:
        return StepState("blocked", "needs_study", "study")
    if not case.bones:
        return StepState("open")
    states = [bridge.state(bone_key(bone)) for bone in case.bones]
    if any(isinstance(state, Failed) for state in states):
        return StepState("attention", "bone_failed")
    if side_conflict(bridge) is not None:
        return StepState("attention", "sides_contradict")
    return StepState("done") if all(bridge.ready(bone_key(bone)) for bone in case.bones) else StepState("stale", "computing")


def _review(bridge: Bridge) -> StepState:
    if not bridge.case.bones:
        return StepState("blocked", "needs_bones", "bones")
    return StepState("attention", "findings_to_see") if findings_of_segmentation(bridge) else StepState("done")


def _measure(bridge: Bridge) -> StepState:
    if not bridge.case.bones or bridge.side is None:
        return StepState("blocked", "needs_bones", "bones")
    key = measures_key(bridge.side)
    if isinstance(bridge.state(key), Failed):
        return StepState("attention", "measures_failed")
    if not bridge.ready(key):
        return StepState("stale", "computing")
    return StepState("done")


def _plan(bridge: Bridge) -> StepState:
    if not bridge.case.bones or bridge.side is None:
        return StepState("blocked", "needs_bones", "bones")
    step = osteotomy_of(bridge)
    if step is None:
        conflict = side_conflict(bridge)
        return StepState("open") if conflict is None else StepState("blocked", "sides_contradict", "study")
    if isinstance(bridge.state(osteotomy_key(step.id)), Failed):
        return StepState("attention", "plan_failed")
    if not bridge.ready(pieces_key(step.id)):
        return StepState("stale", "computing")
    plan = bridge.value(osteotomy_key(step.id))
    severe = any(finding.severity in ("fail", "critical") for finding in plan.findings)
    return StepState("attention", "findings_to_see") if severe else StepState("done")


def _guide(bridge: Bridge) -> StepState:
    osteotomy = osteotomy_of(bridge)
    if osteotomy is None:
        return StepState("blocked", "needs_plan", "plan")
    if isinstance(bridge.state(osteotomy_key(osteotomy.id)), Failed):
        return StepState("blocked", "plan_failed", "plan")
    step = guide_of(bridge)
    if step is None:
        return StepState("open")
    if isinstance(bridge.state(guide_key(step.id)), Failed):
        return StepState("attention", "guide_failed")
    if not bridge.ready(guide_key(step.id)):
        return StepState("stale", "computing")
    guide = bridge.value(guide_key(step.id))
    failed = any(check.status == "fail" for check in guide.checks)
    return StepState("attention", "checks_failed") if failed else StepState("done")


def _approve(bridge: Bridge) -> StepState:
    step = guide_of(bridge)
    if step is None or not bridge.ready(guide_key(step.id)):
        return StepState("blocked", "needs_guide", "guide")
    return StepState("open")
