"""Moves a handle by keys: Tab goes to the next one in view, arrows move it 0.1 mm, with Shift 1 mm; a click lets go."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeyEvent

from surgiplan_desktop.base.arrays import FloatArray
from surgiplan_desktop.gui.tools.base import Handle
from surgiplan_desktop.gui.viewports.stage import Stage

_STEP_MM: Final = 0.1
_ARROWS: Final = {
    Qt.Key.Key_Left: (-1.0, 0.0),
    Qt.Key.Key_Right: (1.0, 0.0),
    Qt.Key.Key_Up: (0.0, -1.0),
    Qt.Key.Key_Down: (0.0, 1.0),
}


class Nudger:
    """Which handle of a view the keys hold; none until Tab is pressed."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._held = ""

    def let_go(self) -> None:
        """Hold none, so that the arrows scroll again."""
        self._held = ""

    def held(self, handles: Sequence[Handle]) -> Handle | None:
        """Return the handle that the keys hold, if it is among those in view."""
        return next((handle for handle in handles if handle.id == self._held), None)

    def take(self, event: QKeyEvent, handles: Sequence[Handle], right: FloatArray, down: FloatArray) -> bool:
        """Take a key. Return whether it was one for a handle.

        Parameters
        ----------
        right, down
            What these directions of the screen are in LPS (unit).
        """
        key = event.key()
        if key in (Qt.Key.Key_Tab, Qt.Key.Key_Backtab) and handles:
            names = [handle.id for handle in handles]
            step = -1 if key == Qt.Key.Key_Backtab else 1
            place = names.index(self._held) + step if self._held in names else 0
            self._held = names[place % len(names)]
            return True
        handle = self.held(handles)
        if handle is None:
            return False
        if key not in _ARROWS:
            return False
        across, along = _ARROWS[key]
        length = _STEP_MM * (10.0 if event.modifiers() & Qt.KeyboardModifier.ShiftModifier else 1.0)
        tool = self._stage.tool
        tool.press(handle.id)
        tool.drag(handle.id, handle.point_lps + length * (across * right + along * down))
        tool.release(handle.id)
        return True
