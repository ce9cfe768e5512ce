"""All measures of a leg: the table of what they are, and how they are had or why not (clinical.md A.2, A.4)."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from math import isfinite
from types import MappingProxyType
from typing import Final, Literal

import numpy as np

from surgiplan_desktop.base.paths import resource_folder
from surgiplan_desktop.base.spaces import Frame
from surgiplan_desktop.model.anatomy import LandmarkId
from surgiplan_desktop.model.study import Finding
from surgiplan_desktop.planning import measure_formulas as formula
from surgiplan_desktop.planning.axes import leg_frames
from surgiplan_desktop.planning.limits import default_limits
from surgiplan_desktop.planning.measure_formulas import Leg
from surgiplan_desktop.planning.records import (
    Landmarks,
    LegFrames,
    Measure,
    MeasurePlane,
    Measures,
    MeasureStatus,
)

Unit = Literal["deg", "mm", "%", ""]

_HIP, _NOTCH, _KNEE, _ANKLE = "hip_centre", "femoral_knee_centre", "tibial_knee_centre", "ankle_centre"
_POSTERIOR = ("medial_posterior_condyle", "lateral_posterior_condyle")
_REAR = ("medial_posterior_plateau", "lateral_posterior_plateau")
_DISTAL = ("medial_distal_condyle", "lateral_distal_condyle")
_CENTRES = ("medial_plateau_centre", "lateral_plateau_centre")
_EDGES = ("medial_plateau_edge", "lateral_plateau_edge")
_FEMUR = (_HIP, _NOTCH, *_POSTERIOR)
_TIBIA = (_KNEE, _ANKLE, *_REAR)
_LIMB = (_HIP, _ANKLE, *_POSTERIOR)
_SHAFT = ("femoral_shaft_proximal", "femoral_shaft_distal")


@dataclass(frozen=True, slots=True)
class MeasureSpec:
    """What a measure is: plane, unit, version of its definition, landmarks it needs, formula.

    ``limb`` is the same measure in the limb plane, for bone-plane measures. ``function`` None: not in this version.
    """

    id: str
    plane: MeasurePlane
    unit: Unit
    needs: tuple[LandmarkId, ...]
    function: Callable[[Leg], float | str | None] | None
    limb: Callable[[Leg], float] | None = None
    version: int = 1


def _of_bone(
    measure: Callable[[Leg, Frame], float], bone: Literal["femur", "tibia"]
) -> tuple[Callable[[Leg], float], Callable[[Leg], float]]:
    """The bone-plane and the limb-plane form of a measure that takes its frame."""
    if bone == "femur":
        return (lambda leg: measure(leg, leg.femur)), (lambda leg: measure(leg, leg.limb))
    return (lambda leg: measure(leg, leg.tibia)), (lambda leg: measure(leg, leg.limb))


_SPECS: Final = (
    MeasureSpec("hka_deviation", "limb", "deg", (*_LIMB, _NOTCH, _KNEE), formula.hka_deviation),
    MeasureSpec("hka", "limb", "deg", (*_LIMB, _NOTCH, _KNEE), formula.hka),
    MeasureSpec("mldfa", "bone", "deg", (*_FEMUR, *_DISTAL), *_of_bone(formula.mldfa, "femur")),
    MeasureSpec("mpta", "bone", "deg", (*_TIBIA, *_CENTRES), *_of_bone(formula.mpta, "tibia")),
    MeasureSpec("jlca", "limb", "deg", (*_LIMB, *_DISTAL, *_CENTRES), formula.jlca),
    MeasureSpec("ahka", "bone", "deg", (*_FEMUR, *_TIBIA, *_DISTAL, *_CENTRES), formula.ahka, formula.ahka_limb),
    MeasureSpec("jlo", "bone", "deg", (*_FEMUR, *_TIBIA, *_DISTAL, *_CENTRES), formula.jlo, formula.jlo_limb),
    MeasureSpec("cpak", "bone", "", (*_FEMUR, *_TIBIA, *_DISTAL, *_CENTRES), formula.cpak),
    MeasureSpec("mad", "limb", "mm", (*_LIMB, _NOTCH), formula.mad),
    MeasureSpec("wbl", "limb", "%", (*_LIMB, *_EDGES), formula.wbl),
    MeasureSpec("lpfa", "bone", "deg", (*_FEMUR, "greater_trochanter_tip"), *_of_bone(formula.lpfa, "femur")),
    MeasureSpec("ldta", "bone", "deg", (*_TIBIA, "medial_plafond", "lateral_plafond"), *_of_bone(formula.ldta, "tibia")),
    MeasureSpec("aldfa", "bone", "deg", (*_FEMUR, *_DISTAL, *_SHAFT), *_of_bone(formula.aldfa, "femur")),
    MeasureSpec("ama", "bone", "deg", (*_FEMUR, *_SHAFT), *_of_bone(formula.ama, "femur")),
    MeasureSpec("femoral_torsion", "axial", "deg", (*_FEMUR, "femoral_neck_base"), formula.femoral_torsion),
    MeasureSpec("tibial_torsion", "axial", "deg", (*_TIBIA, "medial_malleolus", "lateral_malleolus"), formula.tibial_torsion),
    MeasureSpec("slope_medial", "sagittal", "deg", (*_TIBIA, "medial_plateau_centre"), lambda leg: formula.slope(leg, "medial")),
    MeasureSpec(
        "slope_lateral", "sagittal", "deg", (*_TIBIA, "lateral_plateau_centre"), lambda leg: formula.slope(leg, "lateral")
    ),
    MeasureSpec("tt_tg", "axial", "mm", (*_FEMUR, "tibial_tuberosity", "trochlear_groove"), formula.tt_tg),
    MeasureSpec("caton_deschamps", "none", "", ("patella_articular_inferior", "tibial_anterosuperior_edge"), None),
    MeasureSpec(
        "insall_salvati",
        "none",
        "",
        ("patella_superior_pole", "patella_inferior_pole", "tibial_tuberosity"),
        formula.insall_salvati,
    ),
    MeasureSpec("knee_flexion", "none", "deg", (*_FEMUR, *_TIBIA), lambda leg: formula.pose(leg).flexion_deg),
    MeasureSpec("knee_rotation", "none", "deg", (*_FEMUR, *_TIBIA), lambda leg: formula.pose(leg).internal_rotation_deg),
    MeasureSpec("femur_length", "none", "mm", (_HIP, _NOTCH), lambda leg: formula.length(leg, _HIP, _NOTCH)),
    MeasureSpec("tibia_length", "none", "mm", (_KNEE, _ANKLE), lambda leg: formula.length(leg, _KNEE, _ANKLE)),
    MeasureSpec("leg_length", "none", "mm", (_HIP, _ANKLE), lambda leg: formula.length(leg, _HIP, _ANKLE)),
    MeasureSpec("femoral_head_radius", "none", "mm", (_HIP,), lambda leg: leg.landmarks.femoral_head_radius_mm),
    MeasureSpec("neck_shaft_angle", "none", "deg", (_HIP, "femoral_neck_base", *_SHAFT), formula.neck_shaft_angle),
    MeasureSpec("femur_ml_width", "none", "mm", _DISTAL, lambda leg: leg.landmarks.femur_ml_width_mm),
    MeasureSpec("tibia_ml_width", "none", "mm", _CENTRES, lambda leg: leg.landmarks.tibia_ml_width_mm),
)
#: Every measure of the command line's contract, in its order.
MEASURES: Final[dict[str, MeasureSpec]] = {spec.id: spec for spec in _SPECS}


@dataclass(frozen=True, slots=True)
class NormalRange:
    """Normal range of a measure (None: no range that holds for this definition) and where it comes from."""

    range: tuple[float, float] | None
    source: str


@cache
def normal_ranges() -> Mapping[str, NormalRange]:
    """The table of normal ranges shipped with the program (resources/normal_ranges.toml)."""
    with (resource_folder() / "normal_ranges.toml").open("rb") as stream:
        table = tomllib.load(stream)
    return MappingProxyType(
        {
            measure: NormalRange((float(entry["low"]), float(entry["high"])) if "low" in entry else None, str(entry["source"]))
            for measure, entry in table.items()
            if isinstance(entry, dict)
        }
    )


def measure_leg(landmarks: Landmarks, frames: LegFrames) -> Measures:
    """Compute every measure of a leg.

    A measure whose landmarks are not all there is ``not_measurable`` with the reason of the first missing one; one that
    stands on an estimated landmark is ``estimated``.
    """
    leg = Leg(landmarks, frames)
    ranges = normal_ranges()
    # landmarks placed on one another have no direction: the value is then not finite and refused, without a warning
    with np.errstate(divide="ignore", invalid="ignore"):
        items = {spec.id: _measure(spec, leg, ranges[spec.id]) for spec in _SPECS}
    return Measures(landmarks.side, MappingProxyType(items), (*landmarks.findings, *_findings(items)))


def measure_points(landmarks: Landmarks) -> Measures:
    """Frames and measures at once; fast enough to stand inside a root search."""
    return measure_leg(landmarks, leg_frames(landmarks))


def _measure(spec: MeasureSpec, leg: Leg, normal: NormalRange) -> Measure:
    reason = leg.landmarks.missing_reason(*spec.needs)
    value: float | str | None = None
    limb: float | None = None
    if reason is None and spec.function is None:
        reason = Finding("measure_not_in_this_version", "note", (("measure", spec.id),))
    elif reason is None and spec.function is not None:
        try:
            value = spec.function(leg)
        except KeyError as missing:
            reason = Finding("axes_not_defined", "warn", (("axes", str(missing.args[0])),))
        except ZeroDivisionError:
            reason = Finding("landmarks_coincide", "warn", (("measure", spec.id),))
        else:
            if value is None:
                reason = Finding("size_not_measured", "note", (("measure", spec.id),))
            elif not isinstance(value, str) and not isfinite(value):
                value, reason = None, Finding("landmarks_coincide", "warn", (("measure", spec.id),))
    if value is not None and spec.limb is not None and leg.frames.limb is not None and _limb_there(leg):
        limb = spec.limb(leg)
    status: MeasureStatus = "not_measurable"
    if value is not None:
        estimated = any(leg.landmarks.items[landmark].status == "estimated" for landmark in spec.needs)
        status = "estimated" if estimated else "ok"
        value = value if isinstance(value, str) else float(value)
    return Measure(spec.id, value, spec.plane, spec.unit, spec.version, status, limb, reason, None, normal.range, normal.source)


def _limb_there(leg: Leg) -> bool:
    return all(leg.landmarks.point(landmark) is not None for landmark in (_HIP, _NOTCH, _KNEE, _ANKLE))


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
