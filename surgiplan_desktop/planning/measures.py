"""All measures of a leg: how they are had or why not (clinical.md A.2, A.4)."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from types import MappingProxyType
from typing import Final

import numpy as np

from surgiplan_desktop.model.study import Finding
from surgiplan_desktop.planning import measure_formulas as formula
from surgiplan_desktop.planning.axes import LegTriads, leg_frames, planning_triads
from surgiplan_desktop.planning.limits import default_limits
from surgiplan_desktop.planning.measure_leg import Leg
from surgiplan_desktop.planning.measure_table import MEASURES, Formula, MeasureSpec, NormalRange, normal_ranges
from surgiplan_desktop.planning.records import FrameVariant, Landmarks, LegFrames, Measure, Measures, MeasureStatus
from surgiplan_desktop.planning.surrogates import SURROGATES, half_width_deg

_LIMB_POINTS: Final = ("hip_centre", "femoral_knee_centre", "tibial_knee_centre", "ankle_centre")


def measure_leg(landmarks: Landmarks, frames: LegFrames) -> Measures:
    """Compute every measure of a leg in the frames given (their variant is named in ``frames``).

    A measure whose landmarks are not all there is ``not_measurable`` with the reason of the first missing one; one that
    stands on an estimated landmark or axis is ``estimated``.
    """
    leg = Leg(landmarks, frames)
    ranges = normal_ranges()
    # landmarks placed on one another have no direction: the value is then not finite and refused, without a warning
    with np.errstate(divide="ignore", invalid="ignore"):
        items = {spec.id: _measure(spec, leg, ranges[spec.id]) for spec in MEASURES.values()}
    return Measures(landmarks.side, MappingProxyType(items), (*landmarks.findings, *_findings(items)))


def measure_points(landmarks: Landmarks, variant: FrameVariant = "planning") -> Measures:
    """Frames and measures at once."""
    return measure_leg(landmarks, leg_frames(landmarks, variant))


def measure_number(landmarks: Landmarks, measure: str) -> float | None:
    """Return one numeric measure alone, None when it cannot be had: what a root search asks thousands of times."""
    leg = Leg(landmarks, planning_triads(landmarks.point, landmarks.side))
    if landmarks.missing_reason(*MEASURES[measure].needs) is not None:
        return None
    with np.errstate(divide="ignore", invalid="ignore"):
        value, _ = _value(MEASURES[measure], leg)
    return value if isinstance(value, float) else None


def measure_draws(landmarks: Landmarks, triads: LegTriads) -> Mapping[str, np.ndarray]:
    """Every numeric measure of n draws of a leg at once.

    Parameters
    ----------
    landmarks
        Points of shape (3, n), sizes of shape (n,), normals of shape (3, n).
    triads
        Frames made from the same points.

    Returns
    -------
    Mapping
        Shape (n,) by measure id; measures that cannot be had are absent.
    """
    leg = Leg(landmarks, triads)
    values: dict[str, np.ndarray] = {}
    with np.errstate(divide="ignore", invalid="ignore"):
        for spec in MEASURES.values():
            if spec.is_number and landmarks.missing_reason(*spec.needs) is None:
                try:
                    value = np.asarray(spec.function(leg))
                except LookupError:
                    continue
                if value.shape and np.isfinite(value).all():
                    values[spec.id] = value
    return values


def _value(spec: MeasureSpec, leg: Leg) -> tuple[float | str | None, Finding | None]:
    try:
        value = spec.function(leg)
    except KeyError as missing:
        return None, Finding("axes_not_defined", "warn", (("axes", str(missing.args[0])),))
    except LookupError:
        return None, Finding("size_not_measured", "note", (("measure", spec.id),))
    if isinstance(value, str):
        return value, None
    number = float(value) + 0.0  # no minus zero
    return (number, None) if isfinite(number) else (None, Finding("landmarks_coincide", "warn", (("measure", spec.id),)))


def _measure(spec: MeasureSpec, leg: Leg, normal: NormalRange) -> Measure:
    reason = leg.landmarks.missing_reason(*spec.needs)
    value: float | str | None = None
    if reason is None:
        value, reason = _value(spec, leg)
    limb = space = None
    status: MeasureStatus = "not_measurable"
    if value is not None:
        guessed = spec.id in SURROGATES or any(_estimated(leg.landmarks, landmark) for landmark in spec.needs)
        status = "estimated" if guessed else "ok"
        if leg.frames.limb is not None and all(leg.landmarks.point(landmark) is not None for landmark in _LIMB_POINTS):
            limb = _beside(spec.limb, leg)
        space = _beside(spec.space, leg)
    return Measure(
        spec.id, value, spec.plane, spec.unit, spec.version, status, limb, reason,
        normal=normal.range, source=normal.source, plus_minus=None if value is None else half_width_deg(spec.id),
        value_3d=space,
    )  # fmt: skip


def _estimated(landmarks: Landmarks, landmark: str) -> bool:
    item = landmarks.estimate(landmark)
    return item is not None and item.status == "estimated"


def _beside(function: Formula | None, leg: Leg) -> float | None:
    if function is None:
        return None
    value = float(function(leg)) + 0.0
    return value if isfinite(value) else None


def _findings(items: Mapping[str, Measure]) -> tuple[Finding, ...]:
    limits = default_limits()
    findings = []
    flexion = items["knee_flexion"].value
    if isinstance(flexion, float) and abs(flexion) > limits["measure.flexion_warn_deg"]:
        parameters = (("flexion_deg", flexion), ("limit_deg", limits["measure.flexion_warn_deg"]))
        findings.append(Finding("scan_knee_flexed", "warn", parameters))
    ahka, jlo = items["ahka"].value, items["jlo"].value
    if isinstance(ahka, float) and isinstance(jlo, float):
        distance = formula.cpak_edge_distance(ahka, jlo, limits)
        if distance < limits["measure.cpak_edge_deg"]:
            findings.append(Finding("cpak_near_edge", "note", (("type", str(items["cpak"].value)), ("distance_deg", distance))))
    return tuple(findings)
