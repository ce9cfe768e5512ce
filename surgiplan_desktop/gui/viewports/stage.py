"""What all views of the window share: volumes, picture, crosshair, window and level, the tool in hand."""

from __future__ import annotations

from typing import Any

import numpy as np
from PySide6.QtCore import QObject, QTimer, Signal

from surgiplan_desktop.base.arrays import FloatArray
from surgiplan_desktop.derive.node import Key, Ready
from surgiplan_desktop.gui.bridge import Bridge
from surgiplan_desktop.gui.steps import side_conflict
from surgiplan_desktop.gui.theme import Theme
from surgiplan_desktop.gui.tools.base import Tool
from surgiplan_desktop.model.anatomy import BoneId, bone_of_label
from surgiplan_desktop.model.images import LabelMap, Volume
from surgiplan_desktop.planning.graph import labels_key, volume_key
from surgiplan_desktop.scene.slices import VolumeSampler, bounds_lps
from surgiplan_desktop.scene.wanted import Picture, PictureMaker

#: Window and level presets: window, level in HU (keys 1 2 3 0).
PRESETS = {"bone": (1800.0, 400.0), "soft": (400.0, 50.0), "metal": (4000.0, 1200.0), "full": (4096.0, 1024.0)}


class Stage(QObject):
    """Gathers what the views show.

    Signals
    -------
    volumes_changed, picture_changed, view_changed
        Grey values; items, outlines, marks; crosshair or window and level.
    handles_changed
        The tool or its handles.
    focus_wanted(point mm LPS, span mm), turn_wanted(azimuth, elevation deg)
        Bring something into view; turn the 3D view.
    """

    volumes_changed = Signal()
    picture_changed = Signal()
    view_changed = Signal()
    handles_changed = Signal()
    theme_changed = Signal()
    focus_wanted = Signal(object, float)
    turn_wanted = Signal(float, float)

    def __init__(self, bridge: Bridge, theme: Theme) -> None:
        super().__init__()
        self.bridge = bridge
        self.theme = theme
        self.picture = Picture()
        self.sampler: VolumeSampler | None = None
        self.volumes: tuple[Volume, ...] = ()
        self.labels: tuple[LabelMap, ...] = ()
        self.crosshair_shown = True
        self._maker = PictureMaker()
        self.tool = Tool()
        self._late = QTimer(self)
        self._late.setSingleShot(True)
        self._late.setInterval(0)
        self._late.timeout.connect(self.refresh)
        bridge.session_replaced.connect(self._renew)
        bridge.case_changed.connect(self._late.start)
        bridge.results_changed.connect(self._late.start)
        bridge.view_changed.connect(self._on_view)

    # Reading ---------------------------------------------------------------------------------------------------------------

    @property
    def crosshair(self) -> FloatArray:
        """The crosshair, mm LPS."""
        return np.array(self.bridge.session.view.crosshair_lps)

    @property
    def window_level(self) -> tuple[float, float]:
        """Window and level, HU."""
        view = self.bridge.session.view
        return view.window_hu, view.level_hu

    @property
    def bounds(self) -> tuple[FloatArray, FloatArray] | None:
        """Lowest and highest corner of what there is to show (mm LPS), or None."""
        if self.volumes:
            return bounds_lps(self.volumes)
        points = [outline.mesh.vertices for outline in self.picture.outlines]
        if not points:
            return None
        return np.min([p.min(axis=0) for p in points], axis=0), np.max([p.max(axis=0) for p in points], axis=0)

    def imaged(self, axis: int, position: float) -> bool:
        """Tell whether a plane across an axis (0 x, 1 y, 2 z) at a position (mm LPS) meets any block of the scan."""
        spans = (bounds_lps((volume,)) for volume in self.volumes)
        return any(low[axis] <= position <= high[axis] for low, high in spans)

    def identity(self) -> list[tuple[str, str]]:
        """Code and side of the request for the corner of a view, as (words, colour role); it says when the sides disagree."""
        case, word = self.bridge.case, self.bridge.word
        tag = [(case.code, "view/text")] if case.code else []
        side = case.intake.side
        if side is not None:
            tag.append((word(f"side_{side}"), f"side/{side}"))
        if side_conflict(self.bridge) is not None:
            tag.append((word("sides_disagree"), "fail"))
        return tag

    def bone_at(self, point_lps: FloatArray) -> BoneId | None:
        """Return the bone of the label map at a point, or None."""
        for labels in self.labels:
            index = np.rint(labels.affine.inverse()(point_lps)).astype(int)
            if (index >= 0).all() and (index < labels.shape).all():
                return bone_of_label(int(labels.array[tuple(index)]))
        return None

    def _result(self, key: Key) -> tuple[Any, bool]:
        return self.bridge.value(key), self.bridge.ready(key)

    # Acts ------------------------------------------------------------------------------------------------------------------

    def look_at(self, point_lps: FloatArray) -> None:
        """Put the crosshair at a point."""
        x, y, z = (float(value) for value in point_lps)
        self.bridge.session.set_view(crosshair_lps=(x, y, z))

    def set_window_level(self, window_hu: float, level_hu: float) -> None:
        """Set window and level, HU."""
        self.bridge.session.set_view(window_hu=max(1.0, window_hu), level_hu=level_hu)

    def toggle_crosshair(self) -> None:
        """Show or hide the crosshair lines."""
        self.crosshair_shown = not self.crosshair_shown
        self.view_changed.emit()

    def toggle_contours(self) -> None:
        """Show or hide the contours of the bones on the slices."""
        self.bridge.session.set_view(contours=not self.bridge.session.view.contours)

    def take_tool(self, tool: Tool) -> None:
        """Make a tool the active one; the one before leaves its mode."""
        self.tool.cancel()
        self.tool = tool
        self.handles_changed.emit()

    def set_theme(self, theme: Theme) -> None:
        """Use other colours."""
        self.theme = theme
        self.theme_changed.emit()

    # Following the session -------------------------------------------------------------------------------------------------

    def refresh(self) -> None:
        """Read volumes and picture anew; what did not change stays the same object."""
        self._read_volumes()
        view = self.bridge.session.view
        self.picture = self._maker.picture(self.bridge.case, self._result, view.step, view.opacity, self.bridge.side)
        if not self.volumes and self.bounds is not None:  # bones from meshes: no scan puts the crosshair where they are
            low, high = self.bounds
            if not ((self.crosshair >= low).all() and (self.crosshair <= high).all()):
                self.look_at((low + high) / 2.0)
        self.picture_changed.emit()
        self.handles_changed.emit()

    def _renew(self) -> None:
        self._maker = PictureMaker()
        self.refresh()
        self.view_changed.emit()

    def _read_volumes(self) -> None:
        case = self.bridge.case
        blocks = () if case.study is None else case.study.blocks
        states = [self.bridge.state(volume_key(number)) for number in range(len(blocks))]
        volumes = tuple(state.value for state in states if isinstance(state, Ready))
        labels = [self.bridge.value(labels_key(number)) for number in range(len(blocks))] if case.segmentation else []
        self.labels = tuple(item for item in labels if isinstance(item, LabelMap))
        if len(volumes) == len(self.volumes) and all(map(_is, volumes, self.volumes)):
            return
        self.volumes = volumes
        self.sampler = VolumeSampler(volumes) if volumes else None
        if volumes:
            low, high = bounds_lps(volumes)
            if not ((self.crosshair >= low).all() and (self.crosshair <= high).all() and self.crosshair.any()):
                self.look_at((low + high) / 2.0)
        self.volumes_changed.emit()

    def _on_view(self, names: frozenset[str]) -> None:
        if names & {"step", "opacity"}:
            self.refresh()
        self.view_changed.emit()


def _is(one: object, other: object) -> bool:
    return one is other
