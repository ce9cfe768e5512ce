"""The check of the points that everything hangs on: its stages, and which of them the user has looked at (practice.md 16)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from surgiplan_desktop.model.anatomy import LandmarkId, Side
from surgiplan_desktop.model.case import Case, PointCheck
from surgiplan_desktop.planning.records import Landmarks

#: A point is the one that was looked at while it lies within this distance of it (mm): rounding of what is stored, no more.
SAME_POINT_MM: Final = 0.05

StageState = Literal["open", "confirmed", "moved", "missing"]


@dataclass(frozen=True, slots=True)
class PointStage:
    """One stage of the check: its points, the landmark whose fit is drawn, and what is seen around it.

    Attributes
    ----------
    points
        Landmarks that are looked at together; the first is the one that the views are centred on.
    fit
        Landmark whose fit says where the points come from.
    measures
        Measures that hang on these points, shown while they are looked at.
    span_mm
        Height of what the views show.
    """

    id: str
    points: tuple[LandmarkId, ...]
    fit: LandmarkId
    measures: tuple[str, ...]
    span_mm: float


#: From hip to ankle.
STAGES: Final = (
    PointStage("head", ("hip_centre",), "hip_centre", ("hka_deviation", "mldfa", "wbl"), 110.0),
    PointStage("notch", ("femoral_knee_centre",), "femoral_knee_centre", ("hka_deviation", "mldfa", "mad"), 110.0),
    PointStage(
        "condyles", ("medial_distal_condyle", "lateral_distal_condyle"), "femoral_knee_centre", ("mldfa", "jlca"), 120.0
    ),
    PointStage(
        "plateau",
        (
            "tibial_knee_centre", "medial_plateau_centre", "lateral_plateau_centre", "medial_plateau_edge",
            "lateral_plateau_edge",
        ),
        "tibial_knee_centre",
        ("mpta", "hka_deviation", "wbl"),
        120.0,
    ),
    PointStage("ankle", ("ankle_centre",), "ankle_centre", ("hka_deviation", "mpta", "wbl"), 90.0),
)  # fmt: skip


def stage_points(stage: PointStage, landmarks: Landmarks) -> tuple[tuple[LandmarkId, tuple[float, float, float]], ...]:
    """Return the points of a stage as they lie now, to 0.01 mm; those that are missing are left out."""
    found = []
    for name in stage.points:
        point = landmarks.point(name)
        if point is not None:
            x, y, z = (round(float(value), 2) for value in point)
            found.append((name, (x, y, z)))
    return tuple(found)


def stage_states(case: Case, side: Side, landmarks: Landmarks | None) -> Mapping[str, StageState]:
    """Say of every stage whether its points were looked at where they lie now.

    ``moved``: they were, and have moved since; ``missing``: none of its points is there.
    """
    kept = {check.stage: check for check in case.point_checks if check.side is side}
    return {stage.id: _state(stage, kept.get(stage.id), landmarks) for stage in STAGES}


def unchecked(case: Case, side: Side, landmarks: Landmarks | None) -> tuple[PointStage, ...]:
    """Return the stages that are still to be looked at, hip first."""
    states = stage_states(case, side, landmarks)
    return tuple(stage for stage in STAGES if states[stage.id] in ("open", "moved"))


def _state(stage: PointStage, check: PointCheck | None, landmarks: Landmarks | None) -> StageState:
    now = {} if landmarks is None else dict(stage_points(stage, landmarks))
    if not now:
        return "missing"
    if check is None:
        return "open"
    then = dict(check.points)
    same = now.keys() == then.keys() and all(
        float(np.linalg.norm(np.subtract(now[name], then[name]))) <= SAME_POINT_MM for name in now
    )
    return "confirmed" if same else "moved"
