"""The words and numbers of the report, ready to be set: every alignment number with its word (practice.md 4, 10, 23)."""

from __future__ import annotations

from collections.abc import Mapping

from surgiplan_desktop import __version__
from surgiplan_desktop.app.describe_film_measures import source_words
from surgiplan_desktop.app.describe_measures import frames_words, plus_minus_words, value_words
from surgiplan_desktop.app.describe_plan import bone_correction_words
from surgiplan_desktop.app.describe_quality import quality_reasons, quality_title
from surgiplan_desktop.app.describe_scan import case_repairs
from surgiplan_desktop.app.describe_side import side_findings
from surgiplan_desktop.app.measure_side import SideMeasured
from surgiplan_desktop.app.report_film import cora_section, film_section
from surgiplan_desktop.app.texts import Texts
from surgiplan_desktop.files.report import Cell, Figure, ReportContent, ReportPicture, Section
from surgiplan_desktop.files.sidecar import RESEARCH_USE_ONLY
from surgiplan_desktop.model.case import Case
from surgiplan_desktop.model.steps import OsteotomyStep
from surgiplan_desktop.model.study import Finding
from surgiplan_desktop.planning.film_comparison import FilmComparison
from surgiplan_desktop.planning.limits import default_limits
from surgiplan_desktop.planning.measure_table import SIDE_BY_SIDE
from surgiplan_desktop.planning.records import Check, Guide, ImplantPlacement, OsteotomyPlan, WedgeDetail
from surgiplan_desktop.planning.scan_quality import ScanQuality

#: Rows of the table before and after, in this order always.
_MEASURES = (
    ("hka", "deg"),
    ("mpta", "deg"),
    ("mldfa", "deg"),
    ("jlca", "deg"),
    ("wbl", "%"),
    ("mad", "mm"),
    ("slope_medial", "deg"),
    ("slope_lateral", "deg"),
    ("leg_length", "mm"),
)
_SCENARIO_MEASURES = (("hka", "deg"), ("wbl", "%"), ("mpta", "deg"))
_GAPS = ("pm", "mid", "am")
#: Checks of the scan that say that blocks were put together without common bone.
_ASSUMING = frozenset({"scan_immobility_assumed", "scan_overlap_unclear"})
_TONE = {"pass": "ok", "warn": "warn", "fail": "fail", "note": "quiet", "critical": "fail"}


def report_content(
    case: Case,
    step: OsteotomyStep,
    plan: OsteotomyPlan,
    wedge: WedgeDetail,
    guide: Guide | None,
    implants: tuple[ImplantPlacement, ...],
    fingerprint: str,
    pictures: tuple[ReportPicture, ...],
    no_pictures: str,
    texts: Texts,
    quality: ScanQuality | None = None,
    films: tuple[FilmComparison, ...] = (),
    measured: SideMeasured | None = None,
) -> ReportContent:
    """Put the report together.

    ``quality`` is that of the scan for this leg, None for bones without a scan; ``films`` are films of this leg beside the CT;
    ``measured`` are the measures of the leg as scanned with how sure they are.
    """
    approved = any(item.role == "surgeon" for item in case.approvals)
    left = [_before_after(plan, quality, measured, texts), *([_scenarios(plan, wedge, texts)] if plan.scenarios else [])]
    left.append(_standing(plan, texts))
    screws = [_screws(item, texts) for item in implants if item.screws]
    definitions = [] if measured is None else [definitions_section(measured, texts)]
    # beside a table of screws the left column is full
    left += [] if screws else definitions
    left += [_saw(wedge, texts), _hinge(wedge, texts)]
    left += screws
    right = [] if guide is None else [_guide_facts(guide, step, texts), _checks(guide.checks, texts)]
    right += [film_section(item, texts) for item in films]
    right += [] if measured is None else [cora_section(item, texts) for item in measured.cora if item.known]
    right += definitions if screws else []
    found = [
        *side_findings(case, step.side),
        *plan.findings,
        *wedge.findings,
        *(item for placed in implants for item in placed.findings),
    ]
    right.append(_findings(found if guide is None else [*found, *guide.findings], texts))
    if quality is not None:
        left.append(_scan_quality(quality, case, texts))
    return ReportContent(
        title=texts.text("ui.report_title"),
        side=plan.side.value,
        side_word=texts.text(f"ui.report_side_{plan.side.value}"),
        side_letter={"right": "R", "left": "L"}[plan.side.value],
        identity=_identity(case, step, plan, guide, fingerprint, texts),
        state=texts.text("ui.report_approved" if approved else "ui.report_not_approved"),
        approved=approved,
        notice=RESEARCH_USE_ONLY,
        footer=texts.text("ui.report_footer", version=__version__, fingerprint=fingerprint, limits=default_limits().version),
        pictures=pictures,
        no_pictures=texts.text("ui.report_no_pictures", reason=no_pictures) if not pictures else "",
        figures_heading=texts.text("ui.report_gaps"),
        figures=tuple(
            Figure(texts.text(f"ui.report_gap_{key}"), texts.text("label.millimetres", value=wedge.gap_to_measure_mm[key]))
            for key in _GAPS
            if key in wedge.gap_to_measure_mm
        ),
        figures_note=texts.text("ui.report_gaps_note", kerf=plan.kerf_mm),
        left=tuple(left),
        right=tuple(right),
    )


def _identity(
    case: Case, step: OsteotomyStep, plan: OsteotomyPlan, guide: Guide | None, fingerprint: str, texts: Texts
) -> tuple[tuple[str, str], ...]:
    target = {"wbl": f"WBL {step.target.value:g} %", "hka": f"HKA {step.target.value:g}°", "mpta": f"MPTA {step.target.value:g}°"}
    rows = [
        ("report_case", case.code),
        ("report_procedure", f"{step.type.upper()} · {step.id}"),
        ("report_target", target.get(step.target.kind, texts.text("label.degrees", value=step.target.value))),
        ("report_angle", texts.text("label.degrees", value=plan.angle_deg)),
        ("report_pose", texts.text(f"ui.report_pose_{plan.pose}")),
        ("report_blade", f"{step.blade.name} · {step.blade.kerf_mm:g} mm"),
    ]
    if case.patient is not None:
        known = case.patient
        rows.insert(1, ("report_patient", " · ".join(item for item in (known.name, known.patient_id, known.birth_date) if item)))
    if guide is not None:
        rows.append(("report_check_code", guide.check_code))
    if case.intake.operation_date:
        rows.append(("report_operation", case.intake.operation_date))
    rows.append(("report_plan", fingerprint[:8]))
    return tuple((texts.text(f"ui.{name}"), value) for name, value in rows)


def _before_after(plan: OsteotomyPlan, quality: ScanQuality | None, measured: SideMeasured | None, texts: Texts) -> Section:
    # a standing pose moves the leg: its numbers are not those whose spread is known
    spreads = measured.spreads.items if measured is not None and plan.pose == "ct" else {}
    rows = []
    for measure, unit in _MEASURES:
        before, after = plan.before.get(measure), plan.after.get(measure)
        if before is None and after is None and measure not in ("hka", "mpta", "wbl"):
            continue
        step = 0.0 if before is None or after is None else after - before
        changed = abs(step) >= 0.05
        change = texts.text(f"ui.report_change_{'deg' if unit == 'deg' else 'other'}", value=step, unit=unit) if changed else "–"
        rows.append(
            (
                Cell(texts.measure(measure)[0]),
                Cell(
                    value_words(measure, before, unit, texts)
                    + ("" if before is None else plus_minus_words(measure, spreads.get(measure), texts)),
                    "" if before is not None else "quiet",
                ),
                Cell(value_words(measure, after, unit, texts), "" if after is not None else "quiet", bold=changed),
                Cell(change, "quiet"),
            )
        )
    head = tuple(texts.text(f"ui.report_{name}") for name in ("measure", "before", "after", "change"))
    note = texts.text("ui.report_ct_note")
    if quality is not None and any(check.id in _ASSUMING for check in quality.checks):
        note += " " + texts.text("ui.report_immobility_note", degrees=default_limits()["overlap.immobility_deg"])
    if measured is not None:
        note += " " + frames_words(measured.frames, texts) + "." + (" " + texts.text("label.spread_short") if spreads else "")
    return Section(texts.text("ui.report_before_after"), head, tuple(rows), (1.25, 1.35, 1.35, 0.6), note)


def definitions_section(measured: SideMeasured, texts: Texts) -> Section:
    """Torsion, slope and height of the patella by every definition, in one row each."""
    rows = []
    for group, names in SIDE_BY_SIDE.items():
        items = [measured.measures.items[name] for name in names]
        shown = [(item, value_words(item.id, item.value, item.unit, texts)) for item in items if item.value is not None]
        if shown:
            words = " · ".join(f"{texts.text(f'label.by_{item.id}')} {value}" for item, value in shown)
            rows.append((Cell(texts.text(f"label.group_{group}")), Cell(words)))
    return Section(texts.text("ui.report_definitions"), (), tuple(rows), (0.8, 3.0))


def _standing(plan: OsteotomyPlan, texts: Texts) -> Section:
    """The leg standing, told apart from the correction of the bone (clinical.md A.3)."""
    bone = "–" if plan.bone_correction_deg is None else bone_correction_words(plan.bone_correction_deg, texts)
    rows = [(Cell(texts.text("ui.report_bone_correction")), Cell(bone, bold=True), Cell(""))]
    if plan.standing is None:
        rows.append(
            (Cell(texts.text("ui.report_standing_head")), Cell(texts.text("ui.report_standing_unknown"), "warn"), Cell(""))
        )
    else:
        for measure, unit in (("hka", "deg"), ("wbl", "%")):
            before, after = (
                value_words(measure, values.get(measure), unit, texts) for values in (plan.standing.before, plan.standing.after)
            )
            rows.append((Cell(texts.measure(measure)[0]), Cell(before), Cell(after, bold=True)))
        jlca, post = (value_words("jlca", value, "deg", texts) for value in (plan.standing.jlca_deg, plan.standing.post_jlca_deg))
        rows.append(
            (Cell(f"{texts.measure('jlca')[0]} ({source_words(plan.standing.jlca_from, texts)})"), Cell(jlca), Cell(post))
        )
    head = ("", texts.text("ui.report_standing_before"), texts.text("ui.report_standing_after"))
    return Section(texts.text("ui.report_standing_head"), head, tuple(rows), (1.25, 1.35, 1.35))


def _scenarios(plan: OsteotomyPlan, wedge: WedgeDetail, texts: Texts) -> Section:
    gaps: Mapping[str, Mapping[str, float]] = wedge.scenario_gaps_mm or {}
    rows = []
    for row in plan.scenarios:
        gap = (gaps.get(row.name) or row.gap_to_measure_mm or {}).get("mid")
        values = [value_words(name, row.after.get(name), unit, texts) for name, unit in _SCENARIO_MEASURES]
        chosen = row.name == "default"
        cells = [
            texts.text(f"ui.report_jlca_{row.name}", value=row.post_jlca_deg),
            texts.text("label.degrees", value=row.angle_deg),
            "–" if gap is None else texts.text("label.millimetres", value=gap),
            *values,
        ]
        rows.append(tuple(Cell(text, bold=chosen) for text in cells))
    head = tuple(texts.text(f"ui.report_{name}") for name in ("if_jlca", "angle", "gap_mid_head", "hka", "wbl", "mpta"))
    note = texts.text("ui.report_scenarios_note")
    return Section(texts.text("ui.report_scenarios"), head, tuple(rows), (1.15, 0.6, 0.75, 1.1, 1.15, 0.65), note)


def _saw(wedge: WedgeDetail, texts: Texts) -> Section:
    before = default_limits()["wedge.blade_before_hinge_mm"]
    rows = []
    for ray in wedge.saw:
        mark = min(ray.entry_to_hinge_mm - before, ray.entry_to_far_cortex_mm)
        numbers = (ray.entry_to_cortex_mm, mark, ray.entry_to_hinge_mm, ray.entry_to_far_cortex_mm)
        cells = [Cell(f"{number:.0f}", bold=place == 1) for place, number in enumerate(numbers)]
        rows.append((Cell(texts.text(f"ui.report_ray_{ray.ray}") if texts.has(f"ui.report_ray_{ray.ray}") else ray.ray), *cells))
    head = tuple(texts.text(f"ui.report_{name}") for name in ("ray", "to_cortex", "blade_mark", "to_hinge", "to_far_cortex"))
    note = texts.text("ui.report_saw_note", before=before)
    return Section(texts.text("ui.report_saw"), head, tuple(rows), (1.3, 0.9, 0.9, 0.9, 0.9), note)


def _hinge(wedge: WedgeDetail, texts: Texts) -> Section:
    def millimetres(value: float | None) -> str:
        return texts.text("label.not_measurable") if value is None else texts.text("label.millimetres", value=value)

    zone = wedge.hinge_zone or "–"
    words = texts.text(f"ui.report_zone_{zone}") if texts.has(f"ui.report_zone_{zone}") else zone
    row = (Cell(words), Cell(millimetres(wedge.hinge_to_cortex_mm)), Cell(millimetres(wedge.hinge_to_plateau_mm)))
    head = tuple(texts.text(f"ui.report_{name}") for name in ("zone", "hinge_to_cortex", "hinge_to_plateau"))
    return Section(texts.text("ui.report_hinge"), head, (row,), (1.6, 1.0, 1.0))


def _screws(placement: ImplantPlacement, texts: Texts) -> Section:
    rows = []
    for screw in placement.screws:
        length = float(((screw.tip_lps - screw.entry_lps) ** 2).sum() ** 0.5)
        near = [value for value in (screw.to_cut_mm, screw.to_joint_mm, screw.to_hinge_mm) if value is not None]
        rows.append(
            (
                Cell(screw.name),
                Cell(f"{screw.diameter_mm:g} × {length:.0f}"),
                *(
                    Cell("–" if value is None else f"{value:.0f}", "warn" if value is not None and value < 5 else "")
                    for value in (screw.to_cut_mm, screw.to_joint_mm, screw.to_hinge_mm)
                ),
                Cell("–" if not near else f"{min(near):.0f}", "quiet"),
            )
        )
    head = tuple(texts.text(f"ui.report_{name}") for name in ("screw", "size", "cut", "joint", "to_hinge", "least"))
    heading = texts.text("ui.report_screws", component=placement.component, size=placement.size)
    return Section(heading, head, tuple(rows), (1.2, 1.0, 0.7, 0.7, 0.7, 0.7))


def _guide_facts(guide: Guide, step: OsteotomyStep, texts: Texts) -> Section:
    label = " · ".join(guide.label)
    slot = texts.text("ui.report_slot_words", width=guide.slot_width_mm, depth=guide.slot_depth_mm, blade=step.blade.name)
    rows = [
        ("report_label", label),
        ("report_slot", slot),
    ]
    for sleeve in guide.sleeves:
        words = texts.text("ui.report_pin_words", bore=sleeve.bore_mm, reach=sleeve.to_far_cortex_mm)
        rows.append((f"report_pin_{sleeve.fragment}", words))
    cells = tuple((Cell(texts.text(f"ui.{name}"), "quiet"), Cell(value)) for name, value in rows)
    return Section(texts.text("ui.report_guide", step=guide.step), (), cells, (0.55, 2.0))


def _checks(checks: tuple[Check, ...], texts: Texts) -> Section:
    order = {"fail": 0, "warn": 1, "pass": 2}
    rows = [
        (Cell(texts.text(f"ui.report_status_{item.status}"), _TONE[item.status], bold=True), Cell(texts.check(item)))
        for item in sorted(checks, key=lambda item: order[item.status])
    ]
    return Section(
        texts.text("ui.report_checks"), (), tuple(rows), (0.3, 2.3), more=texts.text("ui.report_more_checks", count="{count}")
    )


def _findings(findings: list[Finding], texts: Texts) -> Section:
    order = {"critical": 0, "fail": 1, "warn": 2, "note": 3}
    rows = [
        (Cell(texts.text(f"ui.report_severity_{item.severity}"), _TONE[item.severity], bold=True), Cell(texts.finding(item)))
        for item in sorted(findings, key=lambda item: order[item.severity])
    ]
    if not rows:
        rows = [(Cell(""), Cell(texts.text("ui.report_no_findings"), "quiet"))]
    more = texts.text("ui.report_more_findings", count="{count}")
    return Section(texts.text("ui.report_findings"), (), tuple(rows), (0.42, 2.2), more=more)


def _scan_quality(quality: ScanQuality, case: Case, texts: Texts) -> Section:
    """The light of the scan with the reasons why it is not green, and what was repaired at its import."""
    rows = [
        (Cell(texts.text(f"ui.report_status_{status}"), _TONE[status], bold=True), Cell(words))
        for status, words in quality_reasons(quality, texts)
    ]
    if not rows:
        rows = [(Cell(texts.text("ui.report_status_pass"), "ok", bold=True), Cell(texts.text("ui.quality_all_checks")))]
    repaired = case_repairs(case, texts)
    rows += [(Cell(texts.text("ui.report_status_warn"), _TONE["warn"], bold=True), Cell(words)) for words in repaired]
    more = texts.text("ui.report_more_checks", count="{count}")
    return Section(quality_title(quality, texts), (), tuple(rows), (0.3, 2.3), more=more)
