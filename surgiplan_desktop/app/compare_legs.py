"""What a leg is compared with: the other leg, its own points as they were found, or itself after the planned correction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from surgiplan_desktop.app.session import Session
from surgiplan_desktop.derive.node import Key, Ready
from surgiplan_desktop.model.anatomy import BoneName, Side
from surgiplan_desktop.model.edits import release_landmarks
from surgiplan_desktop.model.steps import OsteotomyStep
from surgiplan_desktop.planning.axes import leg_frames
from surgiplan_desktop.planning.graph import bone_key, frames_key, landmarks_key, measures_key, osteotomy_key, plan_graph
from surgiplan_desktop.planning.records import Landmarks, LegFrames, Measures, OsteotomyPlan

LegKind = Literal["now", "other", "auto", "after"]
#: Bones that a frontal picture of a leg shows.
LEG_BONES: Final = (BoneName.FEMUR, BoneName.PATELLA, BoneName.TIBIA, BoneName.FIBULA, BoneName.TALUS)


@dataclass(frozen=True, slots=True, eq=False)
class MeasuredLeg:
    """A leg with its points and numbers.

    ``numbers`` are the values of the contract by measure; ``plan`` is there for the leg after it. Landmarks and frames are None
    where only the numbers are known.
    """

    kind: LegKind
    side: Side
    landmarks: Landmarks | None
    frames: LegFrames | None
    numbers: Mapping[str, float | str | None]
    measures: Measures | None = None
    plan: OsteotomyPlan | None = None


def possible_comparisons(session: Session, side: Side) -> tuple[LegKind, ...]:
    """Return what a leg can be compared with now, the other leg first."""
    case = session.case
    found: list[LegKind] = []
    if side.other in case.sides:
        found.append("other")
    if _plan_of(session, side) is not None:
        found.append("after")
    if any(where is side for where, _ in case.landmarks):
        found.append("auto")
    return tuple(found)


def comparison_keys(session: Session, side: Side, kind: str) -> set[Key]:
    """Return the results that must be kept current for a comparison."""
    if kind != "other":
        return set()
    bones = {bone_key(bone) for bone in session.case.bones if bone.side is side.other}
    return (bones | {landmarks_key(side.other), frames_key(side.other), measures_key(side.other)}) & session.keys


def measured_leg(session: Session, side: Side, kind: LegKind) -> MeasuredLeg | None:
    """Return a leg as it stands, or what it is compared with; None while that is not at hand."""
    if kind == "after":
        return _after(session, side)
    whose = side.other if kind == "other" else side
    keys = (landmarks_key(whose), frames_key(whose), measures_key(whose))
    if kind == "auto":
        landmarks, frames, measures = _as_found(session, side, keys)
    else:
        landmarks, frames, measures = (_value(session, key) for key in keys)
    if not isinstance(landmarks, Landmarks) or not isinstance(frames, LegFrames) or not isinstance(measures, Measures):
        return None
    numbers = {name: item.value for name, item in measures.items.items()}
    return MeasuredLeg(kind, whose, landmarks, frames, numbers, measures)


def _after(session: Session, side: Side) -> MeasuredLeg | None:
    plan = _plan_of(session, side)
    if plan is None:
        return None
    landmarks = plan.landmarks_after
    frames = None if landmarks is None else leg_frames(landmarks)
    return MeasuredLeg("after", side, landmarks, frames, dict(plan.after), plan=plan)


def _as_found(session: Session, side: Side, keys: tuple[Key, ...]) -> list[Any]:
    """Return what cheap results would be without what was placed by hand; None for one that needs what is not at hand."""
    graph = plan_graph(release_landmarks(session.case, side), session.store.load, session.services.catalogues)
    values: dict[Key, Any] = {}

    def value(key: Key) -> Any:
        if key not in values:
            node = graph[key]
            if node.cost != "cheap":
                values[key] = _value(session, key)  # bones and finders do not hang on placed points
            else:
                needs = [value(need) for need in node.needs]
                missing = any(need is None for need in needs)
                values[key] = None if missing else node.function(*node.context, *node.params, *needs)
        return values[key]

    return [value(key) for key in keys]


def _plan_of(session: Session, side: Side) -> OsteotomyPlan | None:
    for step in session.case.steps:
        if isinstance(step, OsteotomyStep) and step.side is side:
            plan = _value(session, osteotomy_key(step.id))
            return plan if isinstance(plan, OsteotomyPlan) else None
    return None


def _value(session: Session, key: Key) -> object:
    """Return the newest value of a result, also one that is being updated."""
    if key not in session.keys:
        return None
    state = session.state(key)
    return state.value if isinstance(state, Ready) else getattr(state, "last", None)
