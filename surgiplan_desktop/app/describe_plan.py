"""An osteotomy or an implant as the JSON of the contract and as lines for people, every number with its word."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from surgiplan_desktop.app.describe_film_measures import source_words
from surgiplan_desktop.app.describe_measures import value_words
from surgiplan_desktop.app.texts import Texts
from surgiplan_desktop.base.arrays import FloatArray
from surgiplan_desktop.model.study import Finding
from surgiplan_desktop.planning.limits import default_limits
from surgiplan_desktop.planning.records import ImplantPlacement, OsteotomyPlan, ScrewPath, StandingPrediction, WedgeDetail

#: Measures of the table for people, with their units.
_SHOWN = (("hka_deviation", "deg"), ("mpta", "deg"), ("mldfa", "deg"), ("jlca", "deg"), ("wbl", "%"), ("mad", "mm"))
_GAPS = ("pm", "mid", "am")
#: Measures of the leg standing that are told, before and after.
STANDING_MEASURES = ("hka_deviation", "hka", "jlca", "wbl", "mad")
_IN_ROWS = ("hka_deviation", "mpta", "wbl")


def plan_data(plan: OsteotomyPlan, wedge: WedgeDetail, texts: Texts) -> dict[str, object]:
    """Return the object of ``plan --json``."""
    gaps = wedge.scenario_gaps_mm or {}
    return {
        "step": plan.step,
        "side": plan.side.value,
        "pose": plan.pose,
        "pose_jlca_deg": plan.pose_jlca_deg,
        "post_jlca_deg": plan.post_jlca_deg,
        "before": dict(plan.before),
        "after": dict(plan.after),
        "scenarios": [
            {
                "name": row.name,
                "post_jlca_deg": row.post_jlca_deg,
                "angle_deg": row.angle_deg,
                "after": dict(row.after),
                "gap_to_measure_mm": dict(gaps.get(row.name, {})),
            }
            for row in plan.scenarios
        ],
        "bone_correction_deg": plan.bone_correction_deg,
        "standing": None if plan.standing is None else standing_prediction_data(plan.standing),
        "wedge": {
            "angle_deg": plan.angle_deg,
            "kerf_mm": plan.kerf_mm,
            "chord_mm": dict(wedge.chord_mm),
            "gap_to_measure_mm": dict(wedge.gap_to_measure_mm),
            "volume_mm3": wedge.volume_mm3,
        },
        "saw": [
            {
                "ray": row.ray,
                "entry_to_cortex_mm": row.entry_to_cortex_mm,
                "entry_to_hinge_mm": row.entry_to_hinge_mm,
                "entry_to_far_cortex_mm": row.entry_to_far_cortex_mm,
            }
            for row in wedge.saw
        ],
        "start": {"point_lps": _vector(plan.start_lps)},
        "hinge": {
            "point_lps": _vector(plan.hinge_lps),
            "direction": _vector(plan.hinge_direction),
            "zone": wedge.hinge_zone,
            "to_cortex_mm": wedge.hinge_to_cortex_mm,
            "to_plateau_mm": wedge.hinge_to_plateau_mm,
        },
        "findings": findings_data((*plan.findings, *wedge.findings), texts),
    }


def plan_lines(plan: OsteotomyPlan, wedge: WedgeDetail, texts: Texts) -> Iterator[str]:
    """Yield the plan for people: before and after, gaps with the kerf in them, saw depths, findings."""
    yield texts.text("ui.plan_head", step=plan.step, side=plan.side.value, angle_deg=plan.angle_deg, pose=plan.pose)
    if plan.post_jlca_deg is not None:
        yield "  " + texts.text("ui.plan_post_jlca", post_jlca_deg=plan.post_jlca_deg)
    for measure, unit in _SHOWN:
        before, after = plan.before.get(measure), plan.after.get(measure)
        if before is not None or after is not None:
            name = texts.text(f"measure.{measure}", "name")
            yield f"  {name:<26} {value_words(measure, before, unit, texts):>26} -> {value_words(measure, after, unit, texts)}"
    for row in plan.scenarios:
        words = {name: value_words(name, row.after.get(name), unit, texts) for name, unit in _SHOWN if name in _IN_ROWS}
        gap = (wedge.scenario_gaps_mm or {}).get(row.name, {}).get("mid", 0.0)
        yield "  " + texts.text("ui.plan_scenario", jlca_deg=row.post_jlca_deg, angle_deg=row.angle_deg, gap_mm=gap, **words)
    yield from standing_prediction_lines(plan, texts)
    yield "  " + texts.text("ui.plan_gap", **{name: wedge.gap_to_measure_mm[name] for name in _GAPS})
    blade = default_limits()["wedge.blade_before_hinge_mm"]
    for ray in wedge.saw:
        yield "  " + texts.text(
            "ui.plan_saw",
            ray=ray.ray,
            mark=min(ray.entry_to_hinge_mm - blade, ray.entry_to_far_cortex_mm),
            hinge=ray.entry_to_hinge_mm,
            far=ray.entry_to_far_cortex_mm,
        )
    yield from finding_lines((*plan.findings, *wedge.findings), texts)


def standing_prediction_data(standing: StandingPrediction) -> dict[str, object]:
    """Return the leg standing before and after as JSON values."""
    return {
        "jlca_deg": standing.jlca_deg,
        "jlca_from": standing.jlca_from,
        "post_jlca_deg": standing.post_jlca_deg,
        "before": {name: standing.before.get(name) for name in STANDING_MEASURES},
        "after": {name: standing.after.get(name) for name in STANDING_MEASURES},
    }


def standing_prediction_lines(plan: OsteotomyPlan, texts: Texts) -> Iterator[str]:
    """Yield what the cut does to the bone, and apart from it what is predicted of the leg standing (clinical.md A.3)."""
    if plan.bone_correction_deg is not None:
        yield "  " + texts.text("label.bone_correction", correction=bone_correction_words(plan.bone_correction_deg, texts))
    if plan.standing is None:
        yield "  " + texts.text("label.standing_not_predicted")
        return
    before, after = (
        ", ".join(value_words(name, values.get(name), unit, texts) for name, unit in _SHOWN if name in ("hka_deviation", "wbl"))
        for values in (plan.standing.before, plan.standing.after)
    )
    source = source_words(plan.standing.jlca_from, texts)
    jlca, post = (value_words("jlca", value, "deg", texts) for value in (plan.standing.jlca_deg, plan.standing.post_jlca_deg))
    yield "  " + texts.text("label.standing_prediction", before=before, after=after, jlca=jlca, post=post, source=source)


def bone_correction_words(change_deg: float, texts: Texts) -> str:
    """Return a change of MPTA with its word."""
    return texts.text(f"label.mpta_{'valgus' if change_deg >= 0 else 'varus'}", value=abs(change_deg))


def implant_data(placement: ImplantPlacement, catalogue: str, texts: Texts) -> dict[str, object]:
    """Return the object of ``implant --json``."""
    fit = placement.fit
    return {
        "step": placement.step,
        "side": placement.side.value,
        "catalogue": catalogue,
        "component": placement.component,
        "size": placement.size,
        "proposed_size": placement.proposed_size,
        "proposal_overhang_limit_mm": default_limits()["tray.proposal_overhang_mm"] if placement.fits else None,
        "overhang_mm": None if fit is None else fit.max_overhang_mm,
        "underhang_mm": None if fit is None else fit.max_underhang_mm,
        "coverage": None if fit is None else fit.coverage,
        "fits": [
            {
                "size": item.size,
                "overhang_mm": item.max_overhang_mm,
                "underhang_mm": item.max_underhang_mm,
                "coverage": item.coverage,
            }
            for item in placement.fits
        ],
        "frame": {"origin_lps": _vector(placement.frame.origin_lps), "axes": [_vector(axis) for axis in placement.frame.axes.T]},
        "cut": None
        if placement.cut is None
        else {"point_lps": _vector(placement.cut.point_lps), "normal": _vector(placement.cut.normal)},
        "screws": [_screw_data(screw) for screw in placement.screws],
        "findings": findings_data(placement.findings, texts),
    }


def implant_lines(placement: ImplantPlacement, texts: Texts) -> Iterator[str]:
    """Yield the placement for people."""
    yield texts.text("ui.implant_head", step=placement.step, side=placement.side.value, component=placement.component)
    if placement.fit is not None:
        yield "  " + texts.text(
            "ui.implant_size",
            size=placement.size,
            proposed=placement.proposed_size,
            overhang_mm=placement.fit.max_overhang_mm,
            underhang_mm=placement.fit.max_underhang_mm,
        )
    for screw in placement.screws:
        length = float(np.linalg.norm(screw.tip_lps - screw.entry_lps))
        yield "  " + texts.text("ui.implant_screw", name=screw.name, diameter_mm=screw.diameter_mm, length_mm=length)
    yield from finding_lines(placement.findings, texts)


def findings_data(findings: Sequence[Finding], texts: Texts) -> list[dict[str, object]]:
    """Return findings as objects of the contract."""
    return [{"code": item.code, "severity": item.severity, "text": texts.finding(item)} for item in findings]


def finding_lines(findings: Sequence[Finding], texts: Texts) -> Iterator[str]:
    """Yield findings, the gravest first."""
    rank: Mapping[str, int] = {"critical": 0, "fail": 1, "warn": 2, "note": 3}
    for item in sorted(findings, key=lambda finding: rank[finding.severity]):
        yield f"  {item.severity:<8} {texts.finding(item)}"


def _screw_data(screw: ScrewPath) -> dict[str, object]:
    return {
        "name": screw.name,
        "entry_lps": _vector(screw.entry_lps),
        "tip_lps": _vector(screw.tip_lps),
        "diameter_mm": screw.diameter_mm,
        "length_mm": float(np.linalg.norm(screw.tip_lps - screw.entry_lps)),
        "to_bone_surface_mm": screw.to_bone_surface_mm,
        "to_cut_mm": screw.to_cut_mm,
        "to_joint_mm": screw.to_joint_mm,
        "to_hinge_mm": screw.to_hinge_mm,
    }


def _vector(values: FloatArray) -> list[float]:
    return [float(value) for value in values]
