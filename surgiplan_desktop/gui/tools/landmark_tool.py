"""Landmarks: drag one, or choose one and click where it is. What the user places overrides what was found."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from surgiplan_desktop.base.arrays import FloatArray
from surgiplan_desktop.gui.bridge import Bridge, Drag
from surgiplan_desktop.gui.tools.base import Handle, Tool
from surgiplan_desktop.gui.words import landmark_words, short_words, value_words
from surgiplan_desktop.model.anatomy import LANDMARKS, BoneId, LandmarkId, Side
from surgiplan_desktop.model.edits import place_landmark
from surgiplan_desktop.planning.graph import landmarks_key, measures_key
from surgiplan_desktop.planning.records import LandmarkEstimate, Landmarks, Measures
from surgiplan_desktop.scene.snapping import INSIDE

#: The measure that is told beside a landmark while it is dragged; the others stand in the panel.
_TOLD = {
    "mldfa": ("medial_distal_condyle", "lateral_distal_condyle"),
    "mpta": ("medial_plateau_centre", "lateral_plateau_centre"),
    "wbl": ("medial_plateau_edge", "lateral_plateau_edge"),
    "hka_deviation": (
        "hip_centre", "femoral_knee_centre", "tibial_knee_centre", "ankle_centre", "medial_posterior_condyle",
        "lateral_posterior_condyle",
    ),
    "femoral_torsion": ("femoral_neck_base",),
    "tibial_torsion": ("medial_malleolus", "lateral_malleolus", "medial_posterior_plateau", "lateral_posterior_plateau"),
    "lpfa": ("greater_trochanter_tip",),
    "ldta": ("medial_plafond", "lateral_plafond"),
}  # fmt: skip


def told_measure(landmark: LandmarkId) -> str:
    """Return the measure that is told while a landmark is dragged, empty for none."""
    return next((measure for measure, points in _TOLD.items() if landmark in points), "")


class LandmarkTool(Tool):
    """The handles are landmarks of the side worked on.

    Attributes
    ----------
    chosen
        The landmark that is placed by a click and given back by a button.
    shown, only_shown
        Landmarks that can be grabbed, None: all; and whether those that were moved by hand are left out as well.
    """

    def __init__(self, bridge: Bridge) -> None:
        self._bridge = bridge
        self._drag: Drag | None = None
        self._before: tuple[LandmarkId, FloatArray] | None = None
        self.chosen: LandmarkId | None = None
        self.shown: Collection[LandmarkId] | None = None
        self.only_shown = False
        self.placing = False

    @property
    def mode(self) -> str:
        """What a click does now."""
        return "mode_place" if self.placing else ""

    @property
    def places_on(self) -> BoneId | None:
        side = self._bridge.side
        return _surface_of(self.chosen, side) if self.placing and self.chosen is not None and side is not None else None

    def handles(self) -> tuple[Handle, ...]:
        side = self._bridge.side
        landmarks = self._bridge.value(landmarks_key(side)) if side is not None else None
        if not isinstance(landmarks, Landmarks) or side is None:
            return ()
        made = []
        for item in landmarks.items.values():
            if item.point_lps is None:
                continue
            moved = item.status == "edited" and not self.only_shown
            if self.shown is not None and item.id not in self.shown and item.id != self.chosen and not moved:
                continue
            role = {"edited": "warn", "estimated": "text/secondary"}.get(item.status, "accent")
            shape = "ring" if item.id == self.chosen else "ball"
            bone = _surface_of(item.id, side)
            made.append(Handle(item.id, item.point_lps, role, landmark_words(item.id), self._value(item), shape, on_bone=bone))
        return tuple(made)

    def _value(self, item: LandmarkEstimate) -> str:
        """Say where a landmark comes from; while it is dragged how far it went, and what it makes of its measure."""
        word = self._bridge.word
        if self._before is None or self._before[0] != item.id or item.point_lps is None:
            return word(f"status_{item.status}")
        rows = [word("moved_by", mm=f"{float(np.linalg.norm(item.point_lps - self._before[1])):.1f}")]
        measures = None if self._bridge.side is None else self._bridge.value(measures_key(self._bridge.side))
        told = told_measure(item.id)
        if told and isinstance(measures, Measures) and measures.items[told].value is not None:
            measure = measures.items[told]
            words = short_words(self._bridge, value_words(self._bridge, told, measure.value, measure.unit))
            rows.append(f"{self._bridge.texts.measure(told)[0]} {words}")
        return "\n".join(rows)

    def press(self, handle: str) -> None:
        self.chosen = handle
        side = self._bridge.side
        landmarks = self._bridge.value(landmarks_key(side)) if side is not None else None
        point = landmarks.point(handle) if isinstance(landmarks, Landmarks) else None
        self._before = None if point is None else (handle, point)
        self._drag = self._bridge.interaction("edit_move_landmark")

    def drag(self, handle: str, point_lps: FloatArray) -> None:
        side = self._bridge.side
        if self._drag is not None and side is not None:
            x, y, z = (float(value) for value in point_lps)
            self._drag.apply(lambda case: place_landmark(case, side, handle, (x, y, z)))

    def release(self, handle: str) -> None:
        drag, self._drag = self._drag, None
        self._before = None
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


def _surface_of(landmark: LandmarkId, side: Side) -> BoneId | None:
    """Return the bone on whose surface a landmark lies; None for centres and points of a fitted line or plane."""
    return None if landmark in INSIDE else BoneId(side, LANDMARKS[landmark].bone)
