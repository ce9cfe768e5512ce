"""Rows of the step Measure: measures with their word, uncertainty and what they are compared with; landmarks with their state."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from PySide6.QtGui import QColor

from surgiplan_desktop.app.compare_legs import MeasuredLeg
from surgiplan_desktop.app.describe_measures import LEAST_SHOWN
from surgiplan_desktop.gui.bridge import Bridge
from surgiplan_desktop.gui.theme import Theme
from surgiplan_desktop.gui.words import landmark_words, measure_tip, measure_words, outside_normal, short_words, value_words
from surgiplan_desktop.model.anatomy import LANDMARKS, LandmarkId
from surgiplan_desktop.planning.records import LandmarkEstimate, Landmarks, Measure, Measures, MeasureSpread

#: Words, colour or None, tip.
Cell = tuple[str, QColor | None, str]
#: Values that differ by more than this are marked: half of what is written, in units of the measure.
_DIFFERS: Final = {"deg": 0.05, "mm": 0.05, "%": 0.5, "": 0.005}
_STATUS_ROLE: Final = {"missing": "fail", "edited": "warn", "estimated": "text/secondary", "auto": "text/secondary"}


def measure_row(
    bridge: Bridge, theme: Theme, item: Measure, spread: MeasureSpread | None, compared: MeasuredLeg | None
) -> tuple[Cell, Cell, Cell]:
    """Return name, value, and a mark or the compared value."""
    tip = "\n".join([measure_tip(bridge, item), *spread_lines(bridge, item, spread)])
    gone = item.status == "not_measurable"
    flagged = not gone and outside_normal(item)
    colour = theme.colour("text/disabled" if gone else "warn" if flagged else "text/primary")
    title = bridge.word("wbl_from_medial") if item.id == "wbl" else bridge.texts.measure(item.id)[0]
    name: Cell = (title, theme.colour("text/secondary"), tip)
    value = item.value
    if compared is not None and compared.plan is not None and compared.plan.pose != "ct":
        value = compared.plan.before.get(item.id, item.value)  # before and after in one pose
    shown = _words(bridge, item, value, spread if compared is None else None)
    if compared is None:
        word = _beyond(item) if flagged else "estimated_short" if item.status == "estimated" else ""
        return name, (shown, colour, tip), (bridge.word(word) if word else "", theme.colour("warn"), tip)
    other = compared.numbers.get(item.id)
    words = short_words(bridge, value_words(bridge, item.id, other, item.unit))
    differs = _differs(value, other, item.unit)
    if differs and isinstance(value, float) and isinstance(other, float):
        tip += "\n" + bridge.word("difference_of", value=f"{other - value:+.1f}")
    return name, (shown, colour, tip), (words, theme.colour("accent" if differs else "text/secondary"), tip)


def _words(bridge: Bridge, item: Measure, value: float | str | None, spread: MeasureSpread | None) -> str:
    if item.status == "not_measurable":
        return bridge.word("not_measurable")
    words = measure_words(bridge, item) if value is item.value else value_words(bridge, item.id, value, item.unit)
    words = short_words(bridge, words)
    if spread is None or item.plus_minus is not None:
        return words
    return f"{words} ±{max(spread.sd, LEAST_SHOWN[item.unit]):.{1 if item.unit else 2}f}"


def _beyond(item: Measure) -> str:
    """Return the word for the side of its usual range on which a value lies."""
    low = item.normal is not None and isinstance(item.value, float) and item.value < item.normal[0]
    return "below_range" if low else "above_range"


def _differs(one: float | str | None, other: float | str | None, unit: str) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return abs(one - other) > _DIFFERS[unit]
    return one != other


def spread_lines(bridge: Bridge, item: Measure, spread: MeasureSpread | None) -> list[str]:
    """Say how sure a measure is and which landmarks make it unsure."""
    if spread is None:
        return []
    low, high = spread.interval
    lines = [bridge.word("spread_interval", sd=f"{spread.sd:.2f}", low=f"{low:.1f}", high=f"{high:.1f}")]
    unit = {"deg": "°", "%": " %", "mm": " mm"}.get(item.unit, "")
    for part in spread.contributions[:2]:
        name, share = landmark_words(part.landmark), f"{100.0 * part.share:.0f}"
        lines += [bridge.word("spread_part", landmark=name, share=share, per_mm=f"{part.per_mm:.2f}", unit=unit)]
    return lines


def landmark_tip(bridge: Bridge, item: LandmarkEstimate) -> str:
    """Return definition, state, residual, coverage and uncertainty of a landmark."""
    rows = [LANDMARKS[item.id].definition]
    if item.reason is not None:
        rows.append(bridge.texts.finding(item.reason))
    rows += [f"{name}: {value}" for name, value in fit_facts(bridge, item)]
    return "\n".join(rows)


def fit_facts(bridge: Bridge, item: LandmarkEstimate) -> list[tuple[str, str]]:
    """Return what is known of how well a landmark was found, as (name, value with unit)."""
    word = bridge.word
    facts = []
    if item.fit_rms_mm is not None:
        facts.append((word("fit_error"), f"{item.fit_rms_mm:.2f} mm"))
    if item.coverage is not None:
        facts.append((word("fit_coverage"), f"{100.0 * item.coverage:.0f} %"))
    if item.n_points:
        facts.append((word("fit_points"), f"{item.n_points:,}"))
    if item.sd_mm is not None:
        facts.append((word("fit_sd"), f"± {item.sd_mm:.1f} mm"))
    if item.disagreement_mm is not None:
        facts.append((word("fit_other_way"), f"{item.disagreement_mm:.1f} mm"))
    return facts


def landmark_row(bridge: Bridge, theme: Theme, item: LandmarkEstimate) -> tuple[Cell, Cell]:
    """Return name and state of a landmark."""
    tip = landmark_tip(bridge, item)
    status = bridge.word(f"status_{item.status}")
    return (landmark_words(item.id), None, tip), (status, theme.colour(_STATUS_ROLE[item.status]), tip)


def landmark_order(landmarks: Landmarks, first: Mapping[LandmarkId, int]) -> list[LandmarkId]:
    """Return the landmarks that have something to say: key points first, missing ones of them on top."""
    vocabulary = list(LANDMARKS)

    def rank(name: LandmarkId) -> tuple[int, int]:
        status = landmarks.items[name].status
        if name in first:
            return (0 if status == "missing" else 1, first[name])
        return ({"edited": 2, "missing": 4}.get(status, 3), vocabulary.index(name))

    told = (name for name, item in landmarks.items.items() if item.point_lps is not None or item.reason is not None)
    return sorted((name for name in told if name in LANDMARKS), key=rank)


def measures_of(measures: Measures, names: tuple[str, ...]) -> list[Measure]:
    """Return these measures in this order, as far as there are such."""
    return [measures.items[name] for name in names if name in measures.items]
