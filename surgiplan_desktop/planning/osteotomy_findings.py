"""What must be said about a solved osteotomy: joint line, standing values, limits of the correction (practice.md 1, 3, 10)."""

from __future__ import annotations

from math import atan2, degrees
from typing import Literal

from surgiplan_desktop.model.study import Finding
from surgiplan_desktop.planning.axes import leg_frames
from surgiplan_desktop.planning.deformity import measured_deformity
from surgiplan_desktop.planning.limits import default_limits
from surgiplan_desktop.planning.records import Landmarks, Measures, Scenario
from surgiplan_desktop.planning.standing import StandingValues, standing_doubt

Severity = Literal["note", "warn", "fail", "critical"]


def find_osteotomy(
    standing: StandingValues,
    scanned: Measures,
    before: Measures,
    after: Measures,
    after_landmarks: Landmarks,
    angle_deg: float,
    pose_jlca: float | None,
    scenarios: tuple[Scenario, ...],
) -> tuple[Finding, ...]:
    """Return the findings of a plan: ``critical`` ones are to be acknowledged, ``fail`` ones stop the export."""
    found = [
        *_deformity(before),
        *_joint_line(pose_jlca, scenarios),
        *standing.findings,
        *_standing(standing, scanned),
        *_corrected_bone(before, after, angle_deg),
        *_corrected_limb(after, after_landmarks),
    ]
    return tuple(found)


def joint_line_obliquity_deg(landmarks: Landmarks) -> float | None:
    """Return the plateau line against the perpendicular of the hip-ankle axis, lateral side up positive, degrees.

    It is the obliquity to the floor when hip and ankle stand one above the other.
    """
    frame = leg_frames(landmarks).limb
    medial, lateral = landmarks.point("medial_plateau_centre"), landmarks.point("lateral_plateau_centre")
    if frame is None or medial is None or lateral is None:
        return None
    line = lateral - medial
    return degrees(atan2(float(line @ frame.y), landmarks.side.sign * float(line @ frame.z)))


def _deformity(before: Measures) -> list[Finding]:
    found = measured_deformity(before)
    if found is None:
        return []
    parameters = (("tibia_deg", found.tibia_deg), ("femur_deg", found.femur_deg), ("joint_deg", found.joint_deg))
    return [Finding(f"deformity_{found.kind}", "note", parameters)]


def _joint_line(pose_jlca: float | None, scenarios: tuple[Scenario, ...]) -> list[Finding]:
    limits = default_limits()
    found = []
    if pose_jlca is not None and pose_jlca >= limits["osteotomy.jlca_high_deg"]:
        found.append(Finding("jlca_high", "warn", (("jlca_deg", pose_jlca),)))
    angles = [row.angle_deg for row in scenarios]
    spread = max(angles, default=0.0) - min(angles, default=0.0)
    if spread > limits["osteotomy.jlca_spread_deg"]:
        found.append(
            Finding("jlca_spread", "warn", (("spread_deg", spread), ("low_deg", min(angles)), ("high_deg", max(angles))))
        )
    return found


def _standing(standing: StandingValues, scanned: Measures) -> list[Finding]:
    deviation = scanned.number("hka_deviation")
    if deviation is None:
        return []
    if not standing.known:
        return [Finding("standing_unknown", "critical")]
    if standing.hka_deg is None:
        return []
    limits, found = default_limits(), []
    stands = standing.hka_deg - 180.0
    asked = standing_doubt(stands, deviation)
    if asked:
        found.append(Finding(asked, "warn", (("standing_deg", stands), ("ct_deg", deviation))))
    jlca = scanned.number("jlca")
    if standing.jlca_deg is not None and jlca is not None:
        implied = jlca + deviation - stands
        if abs(implied - standing.jlca_deg) > limits["osteotomy.jlca_spread_deg"]:
            found.append(Finding("standing_inconsistent", "warn", (("typed_deg", standing.jlca_deg), ("implied_deg", implied))))
    return found


def _corrected_bone(before: Measures, after: Measures, angle_deg: float) -> list[Finding]:
    limits, found = default_limits(), []
    if angle_deg > limits["osteotomy.angle_warn_deg"]:
        found.append(Finding("correction_large", "warn", (("angle_deg", angle_deg),)))
    mpta = after.number("mpta")
    if mpta is not None and mpta > limits["osteotomy.mpta_note_deg"]:
        severity: Severity = "critical" if mpta > limits["osteotomy.mpta_acknowledge_deg"] else "note"
        found.append(Finding("mpta_high", severity, (("mpta_deg", mpta),)))
    mldfa = after.number("mldfa")
    if mldfa is not None and not limits["osteotomy.mldfa_low_deg"] <= mldfa <= limits["osteotomy.mldfa_high_deg"]:
        found.append(Finding("mldfa_outside", "warn", (("mldfa_deg", mldfa),)))
    for measure in ("slope_medial", "slope_lateral"):
        one, two = before.number(measure), after.number(measure)
        if one is not None and two is not None and abs(two - one) > limits["osteotomy.slope_change_deg"]:
            found.append(Finding("slope_changes", "warn", (("measure", measure), ("before_deg", one), ("after_deg", two))))
    flexion = before.number("knee_flexion")
    if flexion is not None and flexion > limits["osteotomy.flexion_deg"]:
        found.append(Finding("knee_flexed", "warn", (("flexion_deg", flexion),)))
    return found


def _corrected_limb(after: Measures, after_landmarks: Landmarks) -> list[Finding]:
    limits, found = default_limits(), []
    wbl = after.number("wbl")
    if wbl is not None and wbl > limits["osteotomy.wbl_warn_percent"] + 1e-6:
        severity: Severity = "critical" if wbl > limits["osteotomy.wbl_acknowledge_percent"] else "warn"
        found.append(Finding("wbl_high", severity, (("wbl", wbl),)))
    obliquity = joint_line_obliquity_deg(after_landmarks)
    if obliquity is not None and abs(obliquity) > limits["osteotomy.joint_line_deg"]:
        found.append(Finding("joint_line_oblique", "critical", (("obliquity_deg", obliquity),)))
    return found
