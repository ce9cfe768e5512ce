"""Paints angles with their arcs and words over a view; words that would cover one another stand below one another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from surgiplan_desktop.base.arrays import FloatArray
from surgiplan_desktop.gui.bridge import Bridge
from surgiplan_desktop.gui.theme import NORMAL
from surgiplan_desktop.gui.viewports.overlay import Overlay
from surgiplan_desktop.gui.viewports.stage import Stage
from surgiplan_desktop.gui.words import short_words, value_words
from surgiplan_desktop.planning.graph import measures_key
from surgiplan_desktop.planning.records import Measures
from surgiplan_desktop.scene.angles import MeasureMark

_LINE_PX: Final = 17.0


def measure_value(bridge: Bridge, measure: str) -> str:
    """Return name and value of a measure of the side worked on, as written beside its drawing."""
    measures = None if bridge.side is None else bridge.value(measures_key(bridge.side))
    item = measures.items.get(measure) if isinstance(measures, Measures) else None
    return "" if item is None else named_value(bridge, measure, item.value, item.unit)


def named_value(bridge: Bridge, measure: str, value: float | str | None, unit: str) -> str:
    """Return a value with its name, such as ``MPTA 83.6°``; empty where there is none."""
    if value is None:
        return ""
    name = "" if measure in ("hka_deviation", "hka") else bridge.texts.measure(measure)[0] + " "
    return name + short_words(bridge, value_words(bridge, measure, value, unit))


def draw_marks(
    overlay: Overlay,
    stage: Stage,
    marks: Sequence[MeasureMark],
    to_screen: Callable[[FloatArray], FloatArray],
    words: Callable[[str], str],
    *,
    width: float = 1.75,
) -> None:
    """Draw marks and write their values.

    Parameters
    ----------
    to_screen
        LPS points (n, 3) to px (n, 2).
    words
        What is written at the mark of a measure.
    """
    for mark in marks:
        colour = stage.theme.on_image(mark.role)
        for line, dashed in zip(mark.lines, mark.dashed, strict=True):
            overlay.line(to_screen(line), colour, 1.25 if dashed else width, dashed=dashed)
    taken: list[tuple[float, float, float]] = []
    for mark in marks:
        text = words(mark.measure)
        if not text:
            continue
        x, y = (float(value) for value in to_screen(mark.anchor_lps[None])[0])
        long = overlay.measure(text, NORMAL, bold=True)
        middle = float(np.concatenate([to_screen(line) for line in mark.lines])[:, 0].mean()) if mark.lines else x
        x = overlay.inside(x - long - 3.0 if x < middle - 2.0 else x + 3.0 if x > middle + 2.0 else x - long / 2.0, long)
        while any(abs(y - other) < _LINE_PX and x < end and start < x + long for start, end, other in taken):
            y += _LINE_PX
        taken.append((x, x + long, y))
        overlay.words(text, x, y, size=NORMAL, bold=True)
