"""Landmarks: drag one, or choose one and click where it is. What the user places overrides what was found."""

from __future__ import annotations

from surgiplan_desktop.base.arrays import FloatArray
from surgiplan_desktop.gui.bridge import Bridge, Drag
from surgiplan_desktop.gui.tools.base import Handle, Tool
from surgiplan_desktop.gui.words import landmark_words
from surgiplan_desktop.model.anatomy import LandmarkId
from surgiplan_desktop.model.edits import place_landmark
from surgiplan_desktop.planning.graph import landmarks_key
from surgiplan_desktop.planning.records import Landmarks


class LandmarkTool(Tool):
    """The handles are the landmarks of the side worked on."""

    def __init__(self, bridge: Bridge) -> None:
        self._bridge = bridge
        self._drag: Drag | None = None
        self.chosen: LandmarkId | None = None
        self.placing = False

    @property
    def mode(self) -> str:
        """What a click does now."""
        return "mode_place" if self.placing else ""

    def handles(self) -> tuple[Handle, ...]:
        side = self._bridge.side
        landmarks = self._bridge.value(landmarks_key(side)) if side is not None else None
        if not isinstance(landmarks, Landmarks):
            return ()
        made = []
        for item in landmarks.items.values():
            if item.point_lps is not None:
                role = {"edited": "warn", "estimated": "text/secondary"}.get(item.status, "accent")
                shape = "ring" if item.id == self.chosen else "ball"
                status = self._bridge.word(f"status_{item.status}")
                made.append(Handle(item.id, item.point_lps, role, landmark_words(item.id), status, shape))
        return tuple(made)

    def press(self, handle: str) -> None:
        self.chosen = handle
        self._drag = self._bridge.interaction("edit_move_landmark")

    def drag(self, handle: str, point_lps: FloatArray) -> None:
        side = self._bridge.side
        if self._drag is not None and side is not None:
            x, y, z = (float(value) for value in point_lps)
            self._drag.apply(lambda case: place_landmark(case, side, handle, (x, y, z)))

    def release(self, handle: str) -> None:
        drag, self._drag = self._drag, None
        if drag is not None:
            drag.close()

    def click(self, point_lps: FloatArray) -> bool:
        side, landmark = self._bridge.side, self.chosen
        if not self.placing or landmark is None or side is None:
            return False
        self.placing = False
        x, y, z = (float(value) for value in point_lps)
        self._bridge.apply("edit_place_landmark", lambda case: place_landmark(case, side, landmark, (x, y, z)))
        return True

    def cancel(self) -> None:
        self.placing = False
