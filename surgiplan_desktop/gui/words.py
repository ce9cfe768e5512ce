"""Numbers with their words: no alignment value stands without varus, valgus, medial, lateral (practice.md 10)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from surgiplan_desktop.gui.bridge import Bridge
from surgiplan_desktop.planning.measure_table import SIGN_WORDS
from surgiplan_desktop.planning.records import Measure, Measures

_UNITS: Final = {"deg": "°", "mm": " mm", "%": " %", "": ""}
#: Words of the table of measures that the window says shorter.
_SHORTER: Final = {
    "posterior_down": "posterior",
    "anterior_down": "anterior",
    "flexion": "flexed",
    "hyperextension": "extended_over",
}
#: Measures whose sign has a word: (word below zero, word above zero), value shown without sign.
_SIGNED: Final = {name: (_SHORTER.get(below, below), _SHORTER.get(above, above)) for name, (above, below) in SIGN_WORDS.items()}


def value_words(bridge: Bridge, measure: str, value: float | str | None, unit: str) -> str:
    """Return a value with unit and word, such as ``5.2° varus``; a dash when there is none."""
    if value is None:
        return "–"
    if isinstance(value, str):
        return value
    word = bridge.word
    digits = 0 if unit == "%" else 1
    shown = round(value, digits) + 0.0
    if measure in ("hka", "hka_surrogate"):
        lean = "varus" if shown < 180.0 else "valgus" if shown > 180.0 else "straight"
        return f"{shown:.{digits}f}° {word(lean)}"
    if measure == "wbl":
        return f"{shown:.0f} % {word('from_medial')}"
    if measure in _SIGNED:
        low, high = _SIGNED[measure]
        if shown == 0.0:
            return f"{shown:.{digits}f}{_UNITS[unit]}"
        return f"{abs(shown):.{digits}f}{_UNITS[unit]} {word(low if shown < 0 else high)}"
    if not unit and abs(value) < 10.0:
        return f"{value:.2f}"
    return f"{shown:.{digits}f}{_UNITS[unit]}"


def measure_words(bridge: Bridge, measure: Measure) -> str:
    """Return a measure's value in words; why there is none when it cannot be had."""
    if measure.status == "not_measurable":
        return bridge.word("not_measurable")
    words = value_words(bridge, measure.id, measure.value, measure.unit)
    if measure.plus_minus is None:
        return words
    return f"{words} {bridge.texts.text('label.plus_minus', value=measure.plus_minus)}"


def short_words(bridge: Bridge, words: str) -> str:
    """Cut the longest words to what a column holds; the whole stands in the tip."""
    for long in ("from_medial", "opens_medially", "opens_laterally", "posterior", "anterior", "medial", "lateral"):
        words = words.replace(bridge.word(long), bridge.word(f"{long}_short"))
    return words.strip()


def measure_tip(bridge: Bridge, measure: Measure) -> str:
    """Return definition, plane, normal range, source, and the reason when it cannot be had."""
    name, definition = bridge.texts.measure(measure.id)
    rows = [name, definition]
    if measure.plane != "none":
        rows.append(bridge.word(f"plane_{measure.plane}"))
    if measure.normal is not None:
        rows.append(bridge.word("normal_range", low=f"{measure.normal[0]:g}", high=f"{measure.normal[1]:g}"))
    if measure.value_limb_plane is not None:
        rows.append(bridge.word("in_limb_plane", value=f"{measure.value_limb_plane:.1f}"))
    if measure.value_3d is not None:
        rows.append(bridge.word("in_space", value=f"{measure.value_3d:.1f}"))
    if measure.source:
        rows.append(measure.source)
    if measure.reason is not None:
        rows.append(bridge.texts.finding(measure.reason))
    return "\n".join(rows)


def missing_reasons(bridge: Bridge, measures: Measures, names: Sequence[str]) -> list[str]:
    """Return why some of these measures cannot be had, each reason once."""
    items = [measures.items[name] for name in names if name in measures.items]
    found = [item.reason for item in items if item.status == "not_measurable" and item.reason is not None]
    return list(dict.fromkeys(bridge.texts.finding(reason) for reason in found))


def outside_normal(measure: Measure) -> bool:
    """Tell whether a value lies outside its normal range."""
    if measure.normal is None or not isinstance(measure.value, float):
        return False
    return not measure.normal[0] <= measure.value <= measure.normal[1]


def local_time(utc: str) -> str:
    """Return a moment given as ISO 8601 in the time of this place, to the minute; the words themselves when they are none."""
    try:
        return datetime.fromisoformat(utc).astimezone().strftime("%Y-%m-%d %H:%M")
    except ValueError:
        return utc


def landmark_words(landmark: str) -> str:
    """Return the name of a landmark as read, such as ``Medial plateau edge``."""
    words = landmark.replace("_", " ").replace("ptfj", "tibiofibular joint")
    return words[:1].upper() + words[1:]
