"""The medial opening-wedge tibial osteotomy: plane and hinge, the angle that reaches the target, before and after.

The model is rigid (clinical.md B.1). The angle is the root of "measure after the motion minus target" on the 3-D landmarks,
each carried by its piece and all measures computed anew (B.2); poses and the post-operative joint line after practice.md 1.
Cheap enough to follow a handle while it is dragged.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

import numpy as np
from scipy.optimize import brentq

from surgiplan_desktop.base.arrays import FloatArray, frozen, unit
from surgiplan_desktop.base.errors import InputDataError, UsageError
from surgiplan_desktop.base.spaces import Affine, Plane
from surgiplan_desktop.model.anatomy import LANDMARKS, LandmarkId
from surgiplan_desktop.model.case import Intake
from surgiplan_desktop.model.steps import OsteotomyStep, Target
from surgiplan_desktop.planning.leg_motion import carry, joint_turn, opening
from surgiplan_desktop.planning.limits import default_limits
from surgiplan_desktop.planning.measures import measure_number, measure_points
from surgiplan_desktop.planning.osteotomy_findings import find_osteotomy
from surgiplan_desktop.planning.osteotomy_site import points_from_parameters
from surgiplan_desktop.planning.records import (
    Landmarks,
    LegFrames,
    Measures,
    OsteotomyPlan,
    OsteotomySite,
    Scenario,
    StandingPrediction,
)
from surgiplan_desktop.planning.standing import StandingValues, typed_values

#: The angle is solved to this (clinical.md B.2).
ANGLE_TOLERANCE_DEG: Final = 1e-6
#: The scenario rows may also close: how far the search goes below zero.
_MOST_CLOSING_DEG: Final = -15.0
_NEEDED: Final[Mapping[str, tuple[LandmarkId, ...]]] = MappingProxyType(
    {
        "mpta": (
            "tibial_knee_centre", "medial_plateau_centre", "lateral_plateau_centre",
            "medial_posterior_plateau", "lateral_posterior_plateau", "ankle_centre",
        ),
        "limb": (
            "hip_centre", "femoral_knee_centre", "medial_posterior_condyle", "lateral_posterior_condyle",
            "medial_distal_condyle", "lateral_distal_condyle", "tibial_knee_centre", "medial_plateau_centre",
            "lateral_plateau_centre", "medial_plateau_edge", "lateral_plateau_edge", "medial_posterior_plateau",
            "lateral_posterior_plateau", "ankle_centre",
        ),
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class _Leg:
    """What the solver works on: landmarks as scanned, the cut, and the antero-posterior axis about which the knee turns."""

    landmarks: Landmarks
    plane: Plane
    hinge: FloatArray
    hinge_direction: FloatArray
    anterior: FloatArray | None
    jlca_ct: float | None

    def after(self, angle_deg: float, jlca_deg: float | None, *, cut: bool = True) -> Measures:
        """Measures with the distal piece opened by ``angle_deg`` and the joint line at ``jlca_deg`` (None: as scanned)."""
        return measure_points(self.moved(angle_deg, jlca_deg, cut=cut))

    def moved(self, angle_deg: float, jlca_deg: float | None, *, cut: bool = True) -> Landmarks:
        """Landmarks carried by their pieces."""
        distal = opening(self.landmarks.side, self.hinge, self.hinge_direction, angle_deg)
        plane = self.plane if cut else None
        if jlca_deg is None or self.jlca_ct is None or self.anterior is None:
            return carry(self.landmarks, plane, distal, Affine.identity())
        # the joint opens or closes by the difference of the two angles; nothing turns when the joint line is left as it is
        turn = jlca_deg - self.jlca_ct
        medial = jlca_deg + self.jlca_ct >= 0.0
        knee = joint_turn(self.landmarks.side, self.landmarks, self.anterior, turn, medial_contact=medial)
        return carry(self.landmarks, plane, distal, knee)


def plan_osteotomy(
    step: OsteotomyStep,
    intake: Intake,
    landmarks: Landmarks,
    frames: LegFrames,
    site: OsteotomySite,
    standing: StandingValues | None = None,
) -> OsteotomyPlan:
    """Solve the osteotomy.

    Parameters
    ----------
    step
        Target, pose, post-operative JLCA (None: min(JLCA of the pose, 2 deg)), start and hinge (None: as proposed).
    intake
        Standing HKA and JLCA as typed, if known; they count where ``standing`` is None.
    landmarks, frames, site
        Of the leg as scanned.
    standing
        What is known of the leg standing, typed or measured on a film.

    Raises
    ------
    InputDataError
        ``target_not_measurable`` naming the measure and the missing bone; ``standing_values_missing``.
    UsageError
        ``hinge_not_lateral``, ``hinge_direction``, ``angle_out_of_range``, ``target_unreachable``, ``target_needs_closing``.
    """
    start, hinge, direction = points_from_parameters(step, site)
    direction = direction if float(direction @ site.frame.x) >= 0 else -direction
    plane = _cut_plane(step, site, start, hinge, direction)
    scanned = measure_points(landmarks)
    require_measurable(step.target, landmarks, scanned)
    anterior = None if frames.limb is None else frames.limb.x
    jlca_ct = scanned.number("jlca")
    leg = _Leg(landmarks, plane, hinge, direction, anterior, jlca_ct)
    standing = typed_values(intake) if standing is None else standing
    stands = standing.pose_jlca(scanned)
    if step.pose == "standing" and stands is None:
        raise InputDataError("standing_values_missing")
    pose_jlca = stands[0] if step.pose == "standing" and stands is not None else jlca_ct
    before = scanned if step.pose == "ct" else leg.after(0.0, pose_jlca, cut=False)
    post_jlca = _post_jlca(step, pose_jlca)
    angle = _solve(leg, step.target, post_jlca, strict=True)
    after_landmarks = leg.moved(angle, post_jlca)
    after = measure_points(after_landmarks)
    scenarios = _scenarios(leg, step.target, pose_jlca)
    limb = find_osteotomy(standing, scanned, before, after, after_landmarks, angle, pose_jlca, scenarios)
    return OsteotomyPlan(
        step=step.id,
        side=step.side,
        frame=site.frame,
        plane=plane,
        start_lps=frozen(start),
        hinge_lps=frozen(hinge),
        hinge_direction=frozen(direction),
        angle_deg=angle,
        correction=opening(step.side, hinge, direction, angle),
        kerf_mm=step.blade.kerf_mm,
        pose=step.pose,
        pose_jlca_deg=pose_jlca,
        post_jlca_deg=post_jlca,
        before=_numbers(before),
        after=_numbers(after),
        scenarios=scenarios,
        findings=(*site.findings, *limb),
        bone_correction_deg=_change(before, after, "mpta"),
        standing=None if stands is None or jlca_ct is None else _predict(leg, step, angle, *stands),
        landmarks_after=after_landmarks,
    )


def _change(before: Measures, after: Measures, measure: str) -> float | None:
    one, two = before.number(measure), after.number(measure)
    return None if one is None or two is None else two - one


def _predict(leg: _Leg, step: OsteotomyStep, angle_deg: float, jlca_deg: float, jlca_from: str) -> StandingPrediction:
    """Return the leg standing before and after, whatever pose the angle was solved in (clinical.md A.3)."""
    post = _post_jlca(step, jlca_deg)
    assert post is not None  # noqa: S101 - the pose's joint line is given
    before, after = leg.after(0.0, jlca_deg, cut=False), leg.after(angle_deg, post)
    return StandingPrediction(jlca_deg, jlca_from, post, _numbers(before), _numbers(after))


def require_measurable(target: Target, landmarks: Landmarks, measures: Measures) -> None:
    """Raise InputDataError naming the missing bone when the target's measure cannot be had; a typed angle needs none."""
    if target.kind == "angle" or measures.number(target.kind) is not None:
        return
    needed = _NEEDED["mpta" if target.kind == "mpta" else "limb"]
    missing = next((name for name in needed if landmarks.point(name) is None), None)
    reason = measures.items[target.kind].reason
    if missing is None:
        raise InputDataError(
            "target_not_measurable", measure=target.kind, bone="leg", landmark="", detail="" if reason is None else reason.code
        )
    raise InputDataError(
        "target_not_measurable",
        measure=target.kind,
        bone=f"{landmarks.side} {LANDMARKS[missing].bone}",
        landmark=missing,
        detail="" if reason is None else reason.code,
    )


def _cut_plane(step: OsteotomyStep, site: OsteotomySite, start: FloatArray, hinge: FloatArray, direction: FloatArray) -> Plane:
    """Return the plane through hinge line and start point, its normal pointing proximal."""
    if abs(float(direction @ site.frame.x)) < 0.5:
        raise UsageError("hinge_direction")
    across = start - hinge
    across = across - direction * float(across @ direction)
    medial = -step.side.sign * site.frame.z
    if float(across @ medial) < 10.0:
        raise UsageError("hinge_not_lateral", distance_mm=float(across @ medial))
    normal = unit(np.cross(direction, across))
    return Plane(hinge, normal if float(normal @ site.frame.y) >= 0 else -normal)


def _post_jlca(step: OsteotomyStep, pose_jlca: float | None) -> float | None:
    if pose_jlca is None:
        return None
    if step.post_jlca_deg is not None:
        return step.post_jlca_deg
    return min(pose_jlca, default_limits()["osteotomy.post_jlca_deg"])


def _scenarios(leg: _Leg, target: Target, pose_jlca: float | None) -> tuple[Scenario, ...]:
    """Return the three rows of practice.md 1; none where the joint line is not measurable."""
    if pose_jlca is None:
        return ()
    rows: tuple[tuple[Literal["unchanged", "default", "zero"], float], ...] = (
        ("unchanged", pose_jlca),
        ("default", min(pose_jlca, default_limits()["osteotomy.post_jlca_deg"])),
        ("zero", 0.0),
    )
    solved: dict[float, tuple[float, Mapping[str, float | None]]] = {}
    for _, jlca in rows:
        if jlca not in solved:
            angle = _solve(leg, target, jlca, strict=False)
            solved[jlca] = (angle, _numbers(leg.after(angle, jlca)))
    return tuple(Scenario(name, jlca, *solved[jlca]) for name, jlca in rows)


def _solve(leg: _Leg, target: Target, jlca: float | None, *, strict: bool) -> float:
    """Return the opening angle that reaches the target; ``strict`` refuses a closing one."""
    most = default_limits()["osteotomy.max_angle_deg"]
    if target.kind == "angle":
        if not 0.0 <= target.value <= most:
            raise UsageError("angle_out_of_range", angle_deg=target.value, most_deg=most)
        return target.value
    difference = _difference(leg, target, jlca)
    low, high = (difference(_MOST_CLOSING_DEG), difference(most))
    if low * high > 0.0:
        raise UsageError(
            "target_unreachable", target=target.kind, value=target.value, low=low + target.value, high=high + target.value
        )
    angle = float(brentq(difference, _MOST_CLOSING_DEG, most, xtol=ANGLE_TOLERANCE_DEG, rtol=1e-12))
    if abs(angle) < ANGLE_TOLERANCE_DEG:
        return 0.0
    if strict and angle < 0.0:
        raise UsageError("target_needs_closing", target=target.kind, value=target.value, angle_deg=-angle)
    return angle


def _difference(leg: _Leg, target: Target, jlca: float | None) -> Callable[[float], float]:
    """Return the function of the angle whose root is wanted."""
    small = _Leg(
        _only(leg.landmarks, "mpta" if target.kind == "mpta" else "limb"),
        leg.plane, leg.hinge, leg.hinge_direction, leg.anterior, leg.jlca_ct,
    )  # fmt: skip

    def difference(angle: float) -> float:
        value = measure_number(small.moved(angle, None if target.kind == "mpta" else jlca), target.kind)
        if value is None:
            raise UsageError("target_unreachable", target=target.kind, value=target.value, low=float("nan"), high=float("nan"))
        return value - target.value

    return difference


def _only(landmarks: Landmarks, group: str) -> Landmarks:
    """Return the landmarks that a target needs and no others, so that each step of the search computes little."""
    items = {name: landmarks.items[name] for name in _NEEDED[group] if name in landmarks.items}
    return Landmarks(landmarks.side, MappingProxyType(items))


def _numbers(measures: Measures) -> Mapping[str, float | None]:
    return MappingProxyType({name: measures.number(name) for name in measures.items if name != "cpak"})
