"""The wedge as it is made in theatre: gaps to measure, saw depths, hinge and its zone (clinical.md B.3, practice.md 4, 6, 7)."""

from __future__ import annotations

from collections.abc import Mapping
from math import radians, sin
from types import MappingProxyType
from typing import Final

import numpy as np

from surgiplan_desktop.base.arrays import FloatArray, frozen
from surgiplan_desktop.base.progress import SILENT, Progress
from surgiplan_desktop.geometry.distance import ray_hits
from surgiplan_desktop.model.case import Intake
from surgiplan_desktop.model.mesh import Bone
from surgiplan_desktop.model.steps import OsteotomyStep
from surgiplan_desktop.model.study import Finding
from surgiplan_desktop.planning.cut_section import CutSection, cut_section
from surgiplan_desktop.planning.limits import default_limits
from surgiplan_desktop.planning.records import Landmarks, LegFrames, OsteotomyPlan, SawRay, WedgeDetail

#: Rays of the saw table: share of the way from the posterior to the anterior end of the bone in the cut.
SAW_RAYS: Final[Mapping[str, float]] = MappingProxyType(
    {"posterior": 0.06, "posteromedial": 0.28, "middle": 0.5, "anteromedial": 0.72, "anterior": 0.94}
)


def describe_wedge(
    step: OsteotomyStep,
    intake: Intake,
    landmarks: Landmarks,
    frames: LegFrames,
    plan: OsteotomyPlan,
    tibia: Bone,
    fibula: Bone | None = None,
    *,
    progress: Progress = SILENT,
) -> WedgeDetail:
    """Describe the wedge on the bone as it is.

    The gap to measure is chord + kerf at the outer cortex; chord = 2 d sin(a/2) with d the distance from the hinge line. The
    volume is a * area * distance of the section's centroid to the hinge line, for the bone medial of the hinge.

    Raises
    ------
    InputDataError
        ``plane_outside_bone`` or ``start_outside_bone``.
    """
    del step, intake, frames, fibula  # named by the graph for all wedges; this type needs the plan, landmarks and bone alone
    progress.step(0, 3, "describing_wedge")
    cut = cut_section(plan, tibia)
    area, moment = cut.cut_moment()
    points = cut.gap_points(plan.start_lps)
    chord = _chords(cut, points, plan.angle_deg)
    gap = _gaps(cut, points, plan.angle_deg, plan.kerf_mm)
    progress.step(1, 3, "describing_wedge")
    saw, entry = saw_table(cut)
    progress.step(2, 3, "describing_wedge")
    zone = hinge_zone(plan, landmarks)
    to_cortex = _leaves(cut, plan.hinge_lps, -cut.medial)
    to_plateau = _to_plateau(cut, plan, landmarks)
    findings = (
        *_gap_findings(gap, landmarks, plan),
        *_hinge_findings(zone, to_cortex, to_plateau),
        *_tuberosity_findings(cut, landmarks),
        *_fragment_findings(cut, plan, landmarks),
    )
    return WedgeDetail(
        chord_mm=MappingProxyType(chord),
        gap_to_measure_mm=MappingProxyType(gap),
        gap_points_lps=MappingProxyType({name: frozen(point.copy()) for name, point in points.items()}),
        volume_mm3=radians(plan.angle_deg) * moment,
        saw=saw,
        hinge_zone=zone,
        hinge_to_cortex_mm=to_cortex,
        hinge_to_plateau_mm=to_plateau,
        section_outline_lps=frozen(cut.outlines[0].points.copy()),
        findings=findings,
        cut_area_mm2=area,
        saw_entry_lps=frozen(entry),
        blade_direction=frozen(-cut.medial),
        scenario_gaps_mm=MappingProxyType(
            {row.name: MappingProxyType(_gaps(cut, points, row.angle_deg, plan.kerf_mm)) for row in plan.scenarios}
        ),
    )


def saw_table(cut: CutSection, entry_mm: float | None = None) -> tuple[tuple[SawRay, ...], FloatArray]:
    """Return the depths along parallel rays of the slot, and their entry points (n, 3).

    Parameters
    ----------
    cut
        The section.
    entry_mm
        Distance of the entry face (the plane where the blade enters the slot, at right angles to it) from the hinge line, mm.
        By default the most medial cortex plus ``wedge.entry_before_cortex_mm``.
    """
    local = cut.local(cut.outlines[0].points)
    if entry_mm is None:
        entry_mm = float(local[:, 0].max()) + default_limits()["wedge.entry_before_cortex_mm"]
    medial_of_hinge = local[local[:, 0] > 0.0]
    low, high = float(medial_of_hinge[:, 1].min()), float(medial_of_hinge[:, 1].max())
    at = [low + share * (high - low) for share in SAW_RAYS.values()]
    entries = np.array([cut.to_lps(entry_mm, where) for where in at])
    hits = ray_hits(cut.mesh, entries, np.tile(-cut.medial, (len(at), 1)))
    first, last = hits.first(len(at)), hits.last(len(at))
    rows = tuple(
        SawRay(name, float(first[number]), entry_mm, float(last[number]))
        for number, name in enumerate(SAW_RAYS)
        if np.isfinite(first[number])
    )
    return rows, entries


def hinge_zone(plan: OsteotomyPlan, landmarks: Landmarks) -> str:
    """Return the zone of the hinge: A, W or B (above, within, below the tibiofibular joint) and M or L (of its medial margin).

    "unknown" without the joint's landmarks (clinical.md B.3; BJJ 2017;99-B:1313).
    """
    points = [landmarks.point(name) for name in ("ptfj_proximal", "ptfj_distal", "ptfj_medial_margin")]
    if any(point is None for point in points):
        return "unknown"
    proximal, distal, margin = (plan.frame.to_local(point) for point in points if point is not None)
    hinge = plan.frame.to_local(plan.hinge_lps)
    height = "A" if hinge[1] > proximal[1] else "B" if hinge[1] < distal[1] else "W"
    return height + ("L" if plan.side.sign * (hinge[2] - margin[2]) >= 0 else "M")


def _chords(cut: CutSection, points: Mapping[str, FloatArray], angle_deg: float) -> dict[str, float]:
    return {name: 2.0 * float(cut.local(point)[0, 0]) * sin(radians(angle_deg) / 2.0) for name, point in points.items()}


def _gaps(cut: CutSection, points: Mapping[str, FloatArray], angle_deg: float, kerf_mm: float) -> dict[str, float]:
    return {name: chord + kerf_mm for name, chord in _chords(cut, points, angle_deg).items()}


def _leaves(cut: CutSection, origin_lps: FloatArray, direction: FloatArray) -> float | None:
    """Distance at which a ray from inside leaves the bone for the first time, mm; None when it starts outside."""
    hits = ray_hits(cut.mesh, origin_lps[None], direction[None])
    if not len(hits.distance_mm) or bool(hits.entering[0]):
        return None
    return float(hits.distance_mm[0])


def _to_plateau(cut: CutSection, plan: OsteotomyPlan, landmarks: Landmarks) -> float | None:
    """Distance from the hinge point up to the plateau along the tibia's axis: bone surface, or the lateral plateau's height."""
    up = _leaves(cut, plan.hinge_lps, plan.frame.y)
    plateau = landmarks.point("lateral_plateau_centre")
    if plateau is None:
        return up
    height = float((plateau - plan.hinge_lps) @ plan.frame.y)
    return height if up is None else min(up, height)


def _gap_findings(gap: Mapping[str, float], landmarks: Landmarks, plan: OsteotomyPlan) -> list[Finding]:
    limits, largest = default_limits(), max(gap.values())
    found = []
    if largest > limits["wedge.gap_warn_mm"]:
        found.append(Finding("gap_large", "warn", (("gap_mm", largest),)))
    elif largest > limits["wedge.gap_flag_mm"]:
        found.append(Finding("gap_flag", "note", (("gap_mm", largest),)))
    outer = landmarks.point("ankle_centre")
    if outer is not None:
        # along the tibia's axis: how much longer the tibia becomes
        longer = float((outer - plan.correction(outer)) @ plan.frame.y)
        found.append(Finding("tibia_longer", "note", (("longer_mm", longer),)))
    return found


def _hinge_findings(zone: str, to_cortex: float | None, to_plateau: float | None) -> list[Finding]:
    limits, found = default_limits(), []
    if zone == "unknown":
        found.append(Finding("hinge_zone_unknown", "warn"))
    elif zone != "WL":
        found.append(Finding("hinge_zone", "note" if zone == "AL" else "warn", (("zone", zone),)))
    if to_cortex is None:
        return [*found, Finding("hinge_outside_bone", "fail")]
    low, high = limits["wedge.hinge_to_cortex_low_mm"], limits["wedge.hinge_to_cortex_high_mm"]
    if not low <= to_cortex <= high:
        found.append(Finding("hinge_to_cortex", "warn", (("distance_mm", to_cortex), ("low_mm", low), ("high_mm", high))))
    if to_plateau is None:
        return found
    if to_plateau < limits["wedge.hinge_to_plateau_mm"]:
        least = limits["wedge.hinge_to_plateau_mm"]
        found.append(Finding("hinge_to_plateau", "warn", (("distance_mm", to_plateau), ("least_mm", least))))
    if to_plateau < limits["wedge.hinge_plateau_ratio"] * to_cortex:
        found.append(Finding("hinge_fracture_risk", "warn", (("to_plateau_mm", to_plateau), ("to_cortex_mm", to_cortex))))
    return found


def _tuberosity_findings(cut: CutSection, landmarks: Landmarks) -> list[Finding]:
    """Say when the plane meets bone within the limit of the tuberosity (practice.md 7)."""
    tuberosity = landmarks.point("tibial_tuberosity")
    if tuberosity is None:
        return [Finding("tuberosity_unknown", "warn")]
    points = cut.outlines[0].points
    following = np.roll(points, -1, axis=0) - points
    share = np.einsum("ij,ij->i", tuberosity - points, following) / np.maximum(np.einsum("ij,ij->i", following, following), 1e-18)
    nearest = points + np.clip(share, 0.0, 1.0)[:, None] * following
    distance = float(np.linalg.norm(nearest - tuberosity, axis=1).min())
    if distance >= default_limits()["wedge.tuberosity_mm"]:
        return []
    return [Finding("tuberosity_cut", "fail", (("distance_mm", distance),))]


def _fragment_findings(cut: CutSection, plan: OsteotomyPlan, landmarks: Landmarks) -> list[Finding]:
    """Say when the proximal fragment is too low for a plate (practice.md 6)."""
    plateau = landmarks.point("medial_plateau_centre")
    if plateau is None:
        return []
    height = float((plateau - cut.gap_points(plan.start_lps)["mid"]) @ plan.frame.y)
    least = default_limits()["wedge.fragment_height_mm"]
    return [] if height >= least else [Finding("fragment_low", "warn", (("height_mm", height), ("least_mm", least)))]
