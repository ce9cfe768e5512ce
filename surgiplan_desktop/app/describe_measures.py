"""Landmarks and measures of a leg as the JSON of the contract and as lines for people, never a number without its word."""

from __future__ import annotations

from collections.abc import Iterator

from surgiplan_desktop.app.texts import Texts
from surgiplan_desktop.planning.records import LandmarkEstimate, Landmarks, Measure, Measures

#: Measures with a sign that has a word: positive, negative (practice.md 10).
_SIGN_WORDS = {
    "hka_deviation": ("valgus", "varus"),
    "ahka": ("valgus", "varus"),
    "jlca": ("opens_laterally", "opens_medially"),
    "mad": ("medial", "lateral"),
    "femoral_torsion": ("anteversion", "retroversion"),
    "tibial_torsion": ("external", "internal"),
    "slope_medial": ("posterior_down", "anterior_down"),
    "slope_lateral": ("posterior_down", "anterior_down"),
    "tt_tg": ("lateral", "medial"),
    "knee_flexion": ("flexion", "hyperextension"),
    "knee_rotation": ("internal", "external"),
}


def value_words(measure_id: str, value: float | str | None, unit: str, texts: Texts) -> str:
    """A value with its unit and its word, such as ``5.2° varus (174.8°)`` or ``27.4 mm medial`` (practice.md 10)."""
    if value is None:
        return texts.text("label.not_measurable")
    if isinstance(value, str):
        return value
    if measure_id == "wbl":
        return texts.text("label.wbl_value", value=value)
    if measure_id == "hka":
        deviation = value_words("hka_deviation", value - 180.0, "deg", texts)
        return texts.text("label.hka_value", deviation=deviation, value=value)
    number = texts.text(
        {"deg": "label.degrees", "mm": "label.millimetres", "%": "label.percent", "": "label.plain"}[unit], value=value
    )
    words = _SIGN_WORDS.get(measure_id)
    if words is None:
        return number
    if round(abs(value), 1) == 0.0:
        # what rounds to 0.0 has no side
        zero = texts.text("label.degrees" if unit == "deg" else "label.millimetres", value=0.0)
        return f"{zero} {texts.text('label.straight')}" if words[1] == "varus" else zero
    absolute = texts.text("label.degrees" if unit == "deg" else "label.millimetres", value=abs(value))
    return f"{absolute} {texts.text('label.' + words[0 if value > 0 else 1])}"


def measure_words(measure: Measure, texts: Texts) -> str:
    """A measure's value with unit and word, or that it is not measurable."""
    return value_words(measure.id, measure.value, measure.unit, texts)


def leg_data(landmarks: Landmarks, measures: Measures, texts: Texts) -> dict[str, object]:
    """One entry of ``legs`` in the JSON of ``surgiplan measure``."""
    return {
        "side": landmarks.side.value,
        "landmarks": {item.id: _landmark_data(item, texts) for item in landmarks.items.values()},
        "measures": {item.id: _measure_data(item, texts) for item in measures.items.values()},
        # half widths of the error by motion between blocks, of the measures that bear it; a measure keeps the contract's shape
        "plus_minus": {item.id: item.plus_minus for item in measures.items.values() if item.plus_minus is not None},
        "findings": [
            {"code": finding.code, "severity": finding.severity, "text": texts.finding(finding)} for finding in measures.findings
        ],
    }


def _landmark_data(item: LandmarkEstimate, texts: Texts) -> dict[str, object]:
    return {
        "point_lps": None if item.point_lps is None else [round(float(value), 4) for value in item.point_lps],
        "status": item.status,
        "fit_rms_mm": item.fit_rms_mm,
        "sd_mm": item.sd_mm,
        "reason": None if item.reason is None else texts.finding(item.reason),
    }


def _measure_data(item: Measure, texts: Texts) -> dict[str, object]:
    return {
        "value": item.value,
        "value_limb_plane": item.value_limb_plane,
        "plane": item.plane,
        "unit": item.unit,
        "definition": texts.text(f"measure.{item.id}", "definition"),
        "version": item.version,
        "status": item.status,
        "reason": None if item.reason is None else texts.finding(item.reason),
        "sd": item.sd,
        "normal": None if item.normal is None else list(item.normal),
        "source": item.source,
    }


def leg_lines(landmarks: Landmarks, measures: Measures, texts: Texts) -> Iterator[str]:
    """Lines for people: the measures that are there, then what is missing with its reason, then the findings."""
    yield texts.text(f"label.leg_{landmarks.side.value}")
    missing: dict[str, list[str]] = {}
    for item in measures.items.values():
        name = texts.text(f"measure.{item.id}", "name")
        if item.value is None:
            reason = texts.finding(item.reason) if item.reason is not None else ""
            missing.setdefault(reason, []).append(name)
            continue
        words = measure_words(item, texts)
        if item.plus_minus is not None:
            words += " " + texts.text("label.plus_minus", value=item.plus_minus)
        line = f"  {name:<24} {words:<34}"
        if item.normal is not None:
            line += texts.text("label.normal_range", low=item.normal[0], high=item.normal[1])
        if item.status == "estimated":
            line += " " + texts.text("label.estimated")
        yield line.rstrip()
    for reason, names in missing.items():
        yield f"  {texts.text('label.not_measurable')}: {', '.join(names)}"
        yield f"    {reason}"
    edited = [item.id for item in landmarks.items.values() if item.status == "edited"]
    if edited:
        yield "  " + texts.text("label.edited_landmarks", landmarks=", ".join(edited))
    for finding in measures.findings:
        yield f"  {finding.severity}: {texts.finding(finding)}"
