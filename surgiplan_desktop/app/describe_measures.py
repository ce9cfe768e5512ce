"""Landmarks and measures of a leg as the JSON of the contract and as lines for people, never a number without its word."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from surgiplan_desktop.app.texts import Texts
from surgiplan_desktop.base.spaces import Frame
from surgiplan_desktop.planning.measure_table import MEASURES, SIDE_BY_SIDE, SIGN_WORDS, STAND_IN, reading_order
from surgiplan_desktop.planning.records import (
    LandmarkEstimate,
    Landmarks,
    LegFrames,
    Measure,
    Measures,
    MeasureSpread,
    MeasureSpreads,
)

#: A spread is never printed as none: this many of its unit at least.
LEAST_SHOWN: Final = {"deg": 0.1, "mm": 0.1, "%": 0.1, "": 0.01}


def value_words(measure_id: str, value: float | str | None, unit: str, texts: Texts) -> str:
    """A value with its unit and its word, such as ``5.2° varus (174.8°)`` or ``27.4 mm medial`` (practice.md 10)."""
    if value is None:
        return texts.text("label.not_measurable")
    if isinstance(value, str):
        return value
    if measure_id == "wbl":
        return texts.text("label.wbl_value", value=value)
    if measure_id in ("hka", "hka_surrogate"):
        deviation = value_words("hka_deviation", value - 180.0, "deg", texts)
        return texts.text("label.hka_value", deviation=deviation, value=value)
    number = texts.text(
        {"deg": "label.degrees", "mm": "label.millimetres", "%": "label.percent", "": "label.plain"}[unit], value=value
    )
    words = SIGN_WORDS.get(measure_id)
    if words is None:
        return number
    if round(abs(value), 1) == 0.0:
        # what rounds to 0.0 has no side
        zero = texts.text("label.degrees" if unit == "deg" else "label.millimetres", value=0.0)
        return f"{zero} {texts.text('label.straight')}" if measure_id in ("hka_deviation", "ahka") else zero
    absolute = texts.text("label.degrees" if unit == "deg" else "label.millimetres", value=abs(value))
    return f"{absolute} {texts.text('label.' + words[0 if value > 0 else 1])}"


def measure_words(measure: Measure, texts: Texts) -> str:
    """A measure's value with unit and word, or that it is not measurable."""
    return value_words(measure.id, measure.value, measure.unit, texts)


def spread_words(measure: Measure, spread: MeasureSpread | None, texts: Texts) -> str:
    """A measure's value with unit, word and standard deviation, such as ``5.2° varus (174.8°) ± 0.4°``.

    What no landmark's error holds (blocks put together unseen, the interval of an estimated axis) follows in words of its own.
    """
    words = measure_words(measure, texts)
    if isinstance(measure.value, float):
        words += plus_minus_words(measure.id, spread, texts)
    if measure.plus_minus is not None:
        kind = "interval" if measure.status == "estimated" and measure.id in STAND_IN.values() else "blocks"
        words += " " + texts.text(f"label.spread_{kind}", value=measure.plus_minus)
    return words


def plus_minus_words(measure_id: str, spread: MeasureSpread | None, texts: Texts) -> str:
    """The standard deviation as it follows a value, such as `` ± 0.4°``; nothing where it is not known."""
    if spread is None:
        return ""
    unit = MEASURES[measure_id].unit
    label = {"deg": "label.degrees", "mm": "label.millimetres", "%": "label.percent", "": "label.plain"}[unit]
    return f" ± {texts.text(label, value=max(spread.sd, LEAST_SHOWN[unit]))}"


def contribution_words(spread: MeasureSpread, texts: Texts, *, most: int = 2) -> str:
    """The landmarks that contribute most to a measure's spread, such as ``hip_centre 61 %, ankle_centre 27 %``."""
    return ", ".join(
        texts.text("label.contribution", landmark=item.landmark, percent=100.0 * item.share)
        for item in spread.contributions[:most]
    )


def frames_words(frames: LegFrames, texts: Texts) -> str:
    """Which variant of the frames the measures are in."""
    return texts.text(f"label.frames_{frames.variant}")


def leg_data(
    landmarks: Landmarks, measures: Measures, texts: Texts, frames: LegFrames, spreads: MeasureSpreads | None = None
) -> dict[str, object]:
    """One entry of ``legs`` in the JSON of ``surgiplan measure``."""
    known = {} if spreads is None else spreads.items
    return {
        "side": landmarks.side.value,
        "frames": {
            "variant": frames.variant,
            "definition": frames_words(frames, texts),
            **{name: _frame_data(getattr(frames, name)) for name in ("femur", "tibia", "limb")},
        },
        "landmarks": {item.id: _landmark_data(item, texts) for item in landmarks.items.values()},
        "measures": {item.id: _measure_data(item, known.get(item.id), texts) for item in measures.items.values()},
        # what goes beyond the contract's fields; a measure keeps their shape
        "details": {
            item.id: _detail_data(item, known.get(item.id)) for item in measures.items.values() if isinstance(item.value, float)
        },
        "side_by_side": {name: list(measures_of) for name, measures_of in SIDE_BY_SIDE.items()},
        "constructed": {item.id: _landmark_data(item, texts) for item in landmarks.constructed.values()},
        # half widths of the error by motion between blocks or of an estimated axis, of the measures that bear it
        "plus_minus": {item.id: item.plus_minus for item in measures.items.values() if item.plus_minus is not None},
        "findings": [
            {"code": finding.code, "severity": finding.severity, "text": texts.finding(finding)} for finding in measures.findings
        ],
    }


def _frame_data(frame: Frame | None) -> dict[str, list[float]] | None:
    if frame is None:
        return None
    rows = {"origin_lps": frame.origin_lps, "x": frame.x, "y": frame.y, "z": frame.z}
    return {name: [round(float(value), 6) for value in row] for name, row in rows.items()}


def _landmark_data(item: LandmarkEstimate, texts: Texts) -> dict[str, object]:
    other, apart = item.other_lps, item.disagreement_mm
    return {
        "point_lps": None if item.point_lps is None else [round(float(value), 4) for value in item.point_lps],
        "status": item.status,
        "fit_rms_mm": item.fit_rms_mm,
        "sd_mm": item.sd_mm,
        "n_points": item.n_points,
        "coverage": item.coverage,
        "other_lps": None if other is None else [round(float(value), 4) for value in other],
        "disagreement_mm": apart,
        "reason": None if item.reason is None else texts.finding(item.reason),
    }


def _measure_data(item: Measure, spread: MeasureSpread | None, texts: Texts) -> dict[str, object]:
    return {
        "value": item.value,
        "value_limb_plane": item.value_limb_plane,
        "plane": item.plane,
        "unit": item.unit,
        "definition": texts.text(f"measure.{item.id}", "definition"),
        "version": item.version,
        "status": item.status,
        "reason": None if item.reason is None else texts.finding(item.reason),
        "sd": item.sd if spread is None or item.value is None else round(spread.sd, 6),
        "normal": None if item.normal is None else list(item.normal),
        "source": item.source,
    }


def _detail_data(item: Measure, spread: MeasureSpread | None) -> dict[str, object]:
    contributions = () if spread is None else spread.contributions
    return {
        "value_3d": item.value_3d,
        "plus_minus": item.plus_minus,
        "interval": None if spread is None else [round(value, 6) for value in spread.interval],
        "contributions": [
            {"landmark": part.landmark, "share": round(part.share, 6), "per_mm": round(part.per_mm, 6)} for part in contributions
        ],
    }


def leg_lines(
    landmarks: Landmarks, measures: Measures, texts: Texts, frames: LegFrames, spreads: MeasureSpreads | None = None
) -> Iterator[str]:
    """Lines for people: the measures that are there, then what is missing with its reason, then the findings."""
    yield texts.text(f"label.leg_{landmarks.side.value}")
    yield "  " + frames_words(frames, texts)
    known = {} if spreads is None else spreads.items
    missing: dict[str, list[str]] = {}
    for measure in reading_order():
        item = measures.items[measure]
        name = texts.text(f"measure.{item.id}", "name")
        if item.id in STAND_IN.values() and measures.items[item.id.removesuffix("_surrogate")].value is not None:
            continue
        if item.value is None:
            reason = texts.finding(item.reason) if item.reason is not None else ""
            missing.setdefault(reason, []).append(name)
            continue
        spread = known.get(item.id)
        line = f"  {name:<30} {spread_words(item, spread, texts):<42}"
        normal = "" if item.normal is None else texts.text("label.normal_range", low=item.normal[0], high=item.normal[1])
        line += f"{_film_like(item, texts):<18}{normal:<24}"
        if item.status == "estimated":
            line += texts.text("label.estimated") + " "
        if spread is not None and spread.contributions:
            line += f"[{contribution_words(spread, texts)}]"
        yield line.rstrip()
    for reason, names in missing.items():
        yield f"  {texts.text('label.not_measurable')}: {', '.join(names)}"
        yield f"    {reason}"
    if known:
        yield "  " + texts.text("label.spread_note")
    edited = [item.id for item in landmarks.items.values() if item.status == "edited"]
    if edited:
        yield "  " + texts.text("label.edited_landmarks", landmarks=", ".join(edited))
    for finding in measures.findings:
        yield f"  {finding.severity}: {texts.finding(finding)}"


def _film_like(item: Measure, texts: Texts) -> str:
    """The value in the limb plane or in space, where it differs from the value shown by what can be read."""
    parts = []
    if item.value_limb_plane is not None and isinstance(item.value, float) and _differs(item.value_limb_plane, item.value):
        parts.append(texts.text("label.in_limb_plane", value=item.value_limb_plane))
    if item.value_3d is not None and isinstance(item.value, float) and _differs(item.value_3d, item.value):
        parts.append(texts.text("label.in_space", value=item.value_3d))
    return ", ".join(parts)


def _differs(first: float, second: float) -> bool:
    return round(first, 1) != round(second, 1)
