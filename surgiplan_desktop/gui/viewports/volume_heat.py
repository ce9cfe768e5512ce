"""The heat map in 3D: a pointer that rests on a bone is told the value there, and the legend."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from PySide6.QtCore import QObject, QPointF, QTimer

from surgiplan_desktop.gui.viewports.heat_words import draw_legend, heat_words
from surgiplan_desktop.gui.viewports.overlay import Overlay
from surgiplan_desktop.gui.viewports.stage import Stage
from surgiplan_desktop.scene.items import Surface
from surgiplan_desktop.scene.picking import Ray, pick

#: A pointer that has not moved for this long is told what the heat map says there (ms).
_REST_MS: Final = 80


class VolumeHeat(QObject):
    """See the module's text. ``ray(x, y)`` is the line of sight under a px, ``changed()`` asks for painting.

    ``value`` is what the map says where the pointer rests: None where there is no bone, NaN without a statement.
    """

    def __init__(self, stage: Stage, ray: Callable[[float, float], Ray], changed: Callable[[], object]) -> None:
        super().__init__()
        self._stage = stage
        self._ray = ray
        self._changed = changed
        self._at: QPointF | None = None
        self.value: float | None = None
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_REST_MS)
        self._timer.timeout.connect(self.feel)

    def pointer_at(self, at: QPointF | None) -> None:
        """Note that the pointer moved, or left (None)."""
        if self.value is not None:
            self.value = None
            self._changed()
        self._at = at
        if at is not None and self._stage.heat is not None:
            self._timer.start()
        else:
            self._timer.stop()

    def feel(self) -> None:
        """Read the heat map where the pointer rests on a bone."""
        self.value = None
        if self._at is not None and self._stage.heat is not None:
            hit = pick(self._stage.picture.items, self._ray(self._at.x(), self._at.y()))
            item = None if hit is None else self._stage.picture.items[hit[0]]
            if hit is not None and isinstance(item, Surface) and item.heated is not None and item.motion is None:
                apart = item.mesh.vertices - hit[1]
                self.value = float(item.heated.values[int(np.argmin(np.einsum("ij,ij->i", apart, apart)))])
        self._changed()

    def draw(self, overlay: Overlay, view_height: float) -> None:
        """Draw the legend, and the value beside the pointer."""
        heat = self._stage.heat
        if heat is None or not heat.surfaces:
            return
        draw_legend(overlay, self._stage.bridge, heat, heat.surface_scale, view_height)
        if self.value is not None and self._at is not None:
            words = heat_words(self._stage.bridge, heat, self.value, heat.surface_scale)
            overlay.words(words, self._at.x() + 14.0, self._at.y() - 6.0, bold=True)
