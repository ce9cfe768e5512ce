"""What the views say about the heat map: its legend, and the value under the pointer in words."""

from __future__ import annotations

import math

from surgiplan_desktop.gui.bridge import Bridge
from surgiplan_desktop.gui.viewports.overlay import Overlay, heat_number
from surgiplan_desktop.scene.heat import Heat, HeatScale

#: The legend hangs below the corner with code and side and ends above the letter in the middle of the edge, px.
_TOP_PX = 54.0
_LEAST_PX, _MOST_PX = 90.0, 230.0


def draw_legend(overlay: Overlay, bridge: Bridge, heat: Heat, scale: HeatScale, view_height: float) -> None:
    """Draw the legend of a scale of the heat map where the view has room for it."""
    room = min(view_height / 2.0 - _TOP_PX - 14.0, _MOST_PX)
    if room < _LEAST_PX:
        return
    what = bridge.word(f"heat_{heat.name}")
    kind = bridge.word("heat_surface" if scale.unit == "mm" else "heat_voxels")
    overlay.legend(scale, (what, kind, bridge.word("heat_look")), _TOP_PX, room)


def heat_words(bridge: Bridge, heat: Heat, value: float, scale: HeatScale) -> str:
    """Return a value of the heat map in words, such as ``± 0.4 mm``; that there is no statement where it is NaN."""
    if math.isnan(value):
        return bridge.word("heat_no_statement")
    number = heat_number(value, scale)
    if scale.unit == "mm" and heat.name != "difference":
        return bridge.word("heat_plus_minus", value=number)
    return bridge.word("heat_value", what=bridge.word(f"heat_{heat.name}"), value=number)
