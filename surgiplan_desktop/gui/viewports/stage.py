"""What all views of the window share: volumes, picture, crosshair, window and level, the tool in hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from PySide6.QtCore import QObject, QTimer, Signal
from PySide6.QtGui import QPixmap

from surgiplan_desktop.app.compare_runs import RunComparison
from surgiplan_desktop.base.arrays import FloatArray
from surgiplan_desktop.derive.node import Key, Ready
from surgiplan_desktop.gui.bridge import Bridge
from surgiplan_desktop.gui.steps import side_conflict
from surgiplan_desktop.gui.theme import Theme
from surgiplan_desktop.gui.tools.base import Tool
from surgiplan_desktop.model.anatomy import BoneId, bone_of_label
from surgiplan_desktop.model.images import LabelMap, Volume
from surgiplan_desktop.model.mesh import Mesh
from surgiplan_desktop.planning.graph import labels_key, volume_key
from surgiplan_desktop.scene.heat import Heat, HeatMaker
from surgiplan_desktop.scene.measuring import Looking, MeasuringLayer
from surgiplan_desktop.scene.slices import VolumeSampler, bounds_lps
from surgiplan_desktop.scene.wanted import Picture, PictureMaker

#: Window and level presets: window, level in HU (keys 1 2 3 0).
PRESETS = {"bone": (1800.0, 400.0), "soft": (400.0, 50.0), "metal": (4000.0, 1200.0), "full": (4096.0, 1024.0)}

_BOXES_KEPT = 40


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
    looking_changed
        The step Measure looks at another point or measure, or compares with something else.
    """

    volumes_changed = Signal()
    picture_changed = Signal()
    view_changed = Signal()
    handles_changed = Signal()
    theme_changed = Signal()
    focus_wanted = Signal(object, float)
    turn_wanted = Signal(float, float)
    looking_changed = Signal()

    def __init__(self, bridge: Bridge, theme: Theme) -> None:
        super().__init__()
        self.bridge = bridge
        self.theme = theme
        self.picture = Picture()
        self.sampler: VolumeSampler | None = None
        self.volumes: tuple[Volume, ...] = ()
        self.labels: tuple[LabelMap, ...] = ()
        self.crosshair_shown = True
        self.heat: Heat | None = None
        self.heat_sampler: VolumeSampler | None = None
        self.comparison: RunComparison | None = None
        self._maker = PictureMaker()
        self._heat_maker = HeatMaker()
        self._measuring = MeasuringLayer()
        self.looking = Looking()
        self.grab: Callable[[], QPixmap] = QPixmap  # a picture of all views; the views put theirs here
        self.tool = Tool()
        self._boxes: dict[int, tuple[Mesh, tuple[FloatArray, FloatArray]]] = {}
        self._last_heat = "uncertainty"
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
        boxes = [self._box(outline.mesh) for outline in self.picture.outlines]
        if not boxes:
            return None
        return np.min([low for low, _ in boxes], axis=0), np.max([high for _, high in boxes], axis=0)

    def _box(self, mesh: Mesh) -> tuple[FloatArray, FloatArray]:
        """Return the lowest and highest corner of a mesh; asked for at every step of a drag."""
        kept = self._boxes.get(id(mesh))
        if kept is None or kept[0] is not mesh:
            if len(self._boxes) > _BOXES_KEPT:
                self._boxes.clear()
            kept = (mesh, (mesh.vertices.min(axis=0), mesh.vertices.max(axis=0)))
            self._boxes[id(mesh)] = kept
        return kept[1]

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

    def toggle_heat(self) -> None:
        """Show or hide the heat map; it comes back as it was shown last."""
        view = self.bridge.session.view
        if not view.heat:
            self.show_heat(self._last_heat)
            return
        self._last_heat = view.heat
        self.bridge.session.set_view(heat="")

    def show_heat(self, name: str) -> None:
        """Show a heat map (:data:`surgiplan_desktop.scene.heat.HeatName`), or none for an empty name."""
        self.bridge.session.set_view(heat=name)

    def show_comparison(self, comparison: RunComparison | None) -> None:
        """Take the comparison of two results whose difference the heat map can show, or forget it."""
        self.comparison = comparison
        self.refresh()

    def take_tool(self, tool: Tool) -> None:
        """Make a tool the active one; the one before leaves its mode."""
        self.tool.cancel()
        self.tool = tool
        self.handles_changed.emit()

    def look_for(self, **changes: str) -> None:
        """Look at another point or measure, or compare with something else (fields of :class:`Looking`)."""
        looking = replace(self.looking, **changes)
        if looking != self.looking:
            self.looking = looking
            self.refresh()
            self.looking_changed.emit()

    def set_theme(self, theme: Theme) -> None:
        """Use other colours."""
        self.theme = theme
        self.theme_changed.emit()

    # Following the session -------------------------------------------------------------------------------------------------

    def refresh(self) -> None:
        """Read volumes and picture anew; what did not change stays the same object."""
        self._read_volumes()
        view = self.bridge.session.view
        self._read_heat()
        case, side = self.bridge.case, self.bridge.side
        measuring = view.step == "measure"
        opacity = MeasuringLayer.opacity(case, self.looking, view.opacity) if measuring else view.opacity
        self.picture = self._maker.picture(case, self._result, view.step, opacity, side, self.heat)
        if measuring:
            self.picture = self._measuring.add(self.picture, self._result, side, self.looking)
        if self.comparison is not None and view.heat == "difference" and self.heat is not None:
            self.picture = replace(self.picture, outlines=(*self.picture.outlines, *self.comparison.outlines))
        if not self.volumes and self.bounds is not None:  # bones from meshes: no scan puts the crosshair where they are
            low, high = self.bounds
            if not ((self.crosshair >= low).all() and (self.crosshair <= high).all()):
                self.look_at((low + high) / 2.0)
        self.picture_changed.emit()
        self.handles_changed.emit()

    def _read_heat(self) -> None:
        """Make the heat map that the view asks for, and what samples it on slices."""
        name = self.bridge.session.view.heat
        run = self.bridge.case.active_segmentation
        if self.comparison is not None and run != self.comparison.run:
            self.comparison = None
        before = () if self.heat is None else self.heat.voxels
        if name == "difference":
            self.heat = None if self.comparison is None else self.comparison.heat
        elif name in ("uncertainty", "disagreement"):
            self.heat = self._heat_maker.heat(self.bridge.case, self._result, name)
        else:
            self.heat = None
        voxels = () if self.heat is None else self.heat.voxels
        if len(voxels) != len(before) or not all(map(_is, voxels, before)):
            self.heat_sampler = VolumeSampler(voxels, outside=0) if voxels else None

    def _renew(self) -> None:
        self._maker = PictureMaker()
        self._heat_maker = HeatMaker()
        self.comparison = None
        self.looking = Looking()
        self.refresh()
        self.view_changed.emit()
        self.looking_changed.emit()

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
        if names & {"step", "opacity", "heat"}:
            self.refresh()
        self.view_changed.emit()


def _is(one: object, other: object) -> bool:
    return one is other
