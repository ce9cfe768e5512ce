"""Axial, coronal and sagittal slices in radiological convention: the patient's right is on the left of the screen."""

from __future__ import annotations

from typing import Final

import numpy as np
from PySide6.QtCore import QPointF, Qt, Signal
from PySide6.QtGui import QImage, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QWheelEvent
from PySide6.QtWidgets import QWidget

from surgiplan_desktop.base.arrays import FloatArray
from surgiplan_desktop.gui.tools.base import Handle
from surgiplan_desktop.gui.viewports.heat_words import draw_legend
from surgiplan_desktop.gui.viewports.nudge import Nudger
from surgiplan_desktop.gui.viewports.overlay import Overlay, handle_under
from surgiplan_desktop.gui.viewports.slice_contours import SliceContours
from surgiplan_desktop.gui.viewports.slice_frame import ORIENTATIONS, SliceFrame
from surgiplan_desktop.gui.viewports.slice_heat import SliceHeat
from surgiplan_desktop.gui.viewports.snap import snap_in_slice
from surgiplan_desktop.gui.viewports.stage import Stage
from surgiplan_desktop.model.anatomy import BoneId
from surgiplan_desktop.scene.slices import OUTSIDE, to_grey

#: Marks and handles are drawn on slices that are nearer than this (mm).
NEAR_MM: Final = 3.0


class SliceView(QWidget):
    """One slice. Scroll, zoom, pan, window and level as in PACS viewers; a click moves the linked crosshair."""

    maximise = Signal()

    def __init__(self, stage: Stage, orientation: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._stage = stage
        self.orientation = ORIENTATIONS[orientation]
        self._frame = SliceFrame(self.orientation)
        self._values: np.ndarray | None = None
        self._value_key: tuple[object, ...] = ()
        self._image = QImage()
        self._image_key: tuple[object, ...] = ()
        self._contours = SliceContours(stage, self._frame.normal)
        self._heat = SliceHeat(stage)
        self._press: tuple[str, QPointF, object] | None = None
        self._pointer: QPointF | None = None
        self._hot: Handle | None = None
        self._nudger = Nudger(stage)
        self._space = self._dragging = False
        self.setObjectName(f"view_{orientation}")
        self.setAccessibleName(stage.bridge.word(f"view_{orientation}"))
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self.setMouseTracking(True)
        self.setMinimumSize(80, 80)
        stage.volumes_changed.connect(self._on_volumes)
        for signal in (stage.picture_changed, stage.view_changed, stage.handles_changed, stage.theme_changed):
            signal.connect(self.update)
        stage.focus_wanted.connect(self.focus_on)

    # Geometry --------------------------------------------------------------------------------------------------------------

    @property
    def position(self) -> float:
        """Position of the slice along its axis, mm LPS."""
        return float(self._stage.crosshair[self.orientation.axis])

    def to_screen(self, points: FloatArray) -> FloatArray:
        """LPS points (n, 3) to px (n, 2)."""
        return self._frame.to_screen(points)

    def to_lps(self, at: QPointF) -> FloatArray:
        """Return the LPS point of the slice under a px."""
        return self._frame.to_lps(at.x(), at.y(), self.position)

    def fit(self) -> None:
        """Show the whole scan."""
        self._frame.fit(self._stage.bounds)
        self.update()

    def focus_on(self, point_lps: FloatArray, span_mm: float) -> None:
        """Centre a point and show a span of mm around it."""
        self._frame.focus_on(point_lps, span_mm)
        self.update()

    def zoom(self, factor: float, at: QPointF | None = None) -> None:
        """Zoom in by a factor (> 1 nearer); the point under ``at`` stays."""
        at = at or QPointF(self.width() / 2.0, self.height() / 2.0)
        self._frame.zoom(factor, at.x(), at.y())
        self.update()

    def scroll(self, slices: int) -> None:
        """Go on by so many slices (of the volume's spacing) towards superior, posterior or left."""
        step = 1.0
        for volume in self._stage.volumes[:1]:
            columns = np.abs(volume.affine.linear[self.orientation.axis])
            step = float(columns.max())
        point = self._stage.crosshair
        point[self.orientation.axis] += slices * step
        bounds = self._stage.bounds
        if bounds is not None:
            point = np.clip(point, bounds[0], bounds[1])
        self._stage.look_at(point)

    # Painting --------------------------------------------------------------------------------------------------------------

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        overlay = Overlay(painter, self.width(), self.height(), self._stage.theme)
        painter.fillRect(self.rect(), Qt.GlobalColor.black)
        if self._stage.bounds is None:
            painter.fillRect(self.rect(), self._stage.theme.colour("view/low"))
            name = "empty_slices" if self.orientation.name == "axial" else f"view_{self.orientation.name}"
            overlay.empty([self._stage.bridge.word(name)])
            overlay.frame(f"plane/{self.orientation.name}", strong=False)
            painter.end()
            return
        if not self._frame.fitted:
            self._frame.fit(self._stage.bounds)
        self._draw_grey(painter)
        self._draw_heat(painter)
        if self._stage.bridge.session.view.contours:
            hovering = self._pointer is not None and self._press is None
            hovered = self._stage.bone_at(self.to_lps(self._pointer)) if hovering else None
            self._contours.draw(painter, self.position, self.to_screen, self._heat, hovered)
        self._draw_lines(overlay)
        if self._stage.crosshair_shown:
            x, y = self.to_screen(self._stage.crosshair)[0]
            overlay.cross(x, y, self.orientation.horizontal, self.orientation.vertical)
        self._draw_handles(overlay)
        self._draw_corners(overlay)
        overlay.frame(f"plane/{self.orientation.name}", strong=self.hasFocus())
        painter.end()

    def _draw_grey(self, painter: QPainter) -> None:
        sampler = self._stage.sampler
        if sampler is None:
            return
        ratio = self.devicePixelRatioF()
        grid = self._frame.grid(ratio, self.position)
        key = (id(sampler), grid.width, grid.height, self._frame.mm_per_px, self.position, *self._frame.centre)
        if key != self._value_key:
            self._values = sampler.sample(grid)
            self._value_key = key
        window, level = self._stage.window_level
        image_key = (*key, window, level)
        if image_key != self._image_key and self._values is not None:
            grey = to_grey(self._values, window, level)
            self._image = QImage(grey.tobytes(), grid.width, grid.height, grid.width, QImage.Format.Format_Grayscale8).copy()
            self._image.setDevicePixelRatio(ratio)
            self._image_key = image_key
        painter.drawImage(QPointF(0.0, 0.0), self._image)

    def _draw_heat(self, painter: QPainter) -> None:
        ratio = self.devicePixelRatioF()
        grid = self._frame.grid(ratio, self.position)
        place = (grid.width, grid.height, self._frame.mm_per_px, self.position, *self._frame.centre)
        self._heat.draw_layer(painter, grid, place, ratio)

    def _draw_lines(self, overlay: Overlay) -> None:
        if self.orientation.name != "coronal":
            return
        for line in self._stage.picture.lines:
            colour = self._stage.theme.on_image(line.role)
            overlay.line(self.to_screen(line.points_lps), colour, dashed=line.dashed)

    def handles_shown(self) -> tuple[Handle, ...]:
        """Return the handles that this slice shows."""
        shown = []
        for handle in self._stage.tool.handles():
            apart = abs(float(handle.point_lps[self.orientation.axis]) - self.position)
            if apart <= NEAR_MM or (handle.everywhere and self.orientation.name == "coronal"):
                shown.append(handle)
        return tuple(shown)

    def _draw_handles(self, overlay: Overlay) -> None:
        held = self._press[2] if self._press is not None and self._press[0] == "handle" else None
        for handle in self.handles_shown():
            x, y = self.to_screen(handle.point_lps)[0]
            is_held = isinstance(held, Handle) and held.id == handle.id
            overlay.handle(handle, x, y, hot=self._hot is not None and self._hot.id == handle.id, held=is_held)

    def _draw_corners(self, overlay: Overlay) -> None:
        word = self._stage.bridge.word
        direction = ("direction_left", "direction_posterior", "direction_superior")[self.orientation.axis]
        opposite = ("direction_right", "direction_anterior", "direction_inferior")[self.orientation.axis]
        way = word(direction if self.position >= 0 else opposite)
        top = [
            (word(f"view_{self.orientation.name}"), f"plane/{self.orientation.name}"),
            (f"{abs(self.position):.1f} mm {way}", "view/text"),
        ]
        overlay.corner(top, right=False, bottom=False)
        overlay.corner(self._stage.identity(), right=True, bottom=False)
        bottom = []
        if self._pointer is not None and self._press is None:
            bottom.append((self._probe(self._pointer), "view/text"))
        if self._stage.sampler is not None:
            window, level = self._stage.window_level
            bottom.append((word("window_level", window=round(window), level=round(level)), "view/text"))
            if not self._stage.imaged(self.orientation.axis, self.position):
                overlay.empty([word("no_image_here")])
        else:
            bottom.append((word("no_images"), "view/text"))
        overlay.corner(bottom, right=False, bottom=True)
        overlay.letters(self._frame.right, self._frame.down)
        overlay.scale_bar(self._frame.mm_per_px)
        heat = self._stage.heat
        if heat is not None and (heat.surfaces or heat.voxels):
            scale = heat.surface_scale if self._stage.heat_sampler is None else heat.voxel_scale
            draw_legend(overlay, self._stage.bridge, heat, scale, self.height())

    def _probe(self, at: QPointF) -> str:
        ratio = self.devicePixelRatioF()
        row, column = int(at.y() * ratio), int(at.x() * ratio)
        if self._values is None or not (0 <= row < self._values.shape[0] and 0 <= column < self._values.shape[1]):
            return ""
        value = self._values[row, column]
        bone = self._stage.bone_at(self.to_lps(at))
        name = "" if bone is None else self._stage.bridge.word(f"side_{bone.side}") + " " + self._stage.bridge.word(bone.bone)
        return ("" if value == OUTSIDE else f"{value:.0f} HU  ") + name + self._heat_probe(at, row, column)

    def _heat_probe(self, at: QPointF, row: int, column: int) -> str:
        """Say what the heat map says under the pointer."""
        if self._stage.heat is None or not self._heat.on_contours:
            return self._heat.words_of_voxel(row, column)
        for outline in self._stage.picture.outlines:
            segments, faces = self._contours.section(outline, self.position)
            middles = self.to_screen(segments.mean(axis=1)) if outline.heated is not None and len(segments) else segments
            words = self._heat.words_of_contour(outline, middles, faces, at)
            if words:
                return words
        return ""

    # Pointer and keys ------------------------------------------------------------------------------------------------------

    def mousePressEvent(self, event: QMouseEvent) -> None:
        at = event.position()
        self._nudger.let_go()
        if event.button() == Qt.MouseButton.RightButton:
            self._press = ("window", at, self._stage.window_level)
        elif event.button() == Qt.MouseButton.MiddleButton or (event.button() == Qt.MouseButton.LeftButton and self._space):
            self._press = ("pan", at, self._frame.centre.copy())
            self.setCursor(Qt.CursorShape.ClosedHandCursor)
        elif event.button() == Qt.MouseButton.LeftButton and self._stage.bounds is not None:
            handle = self._handle_under(at)
            if handle is not None:
                self._press = ("handle", at, handle)
                self._stage.tool.press(handle.id)
            elif not self._stage.tool.click(self._snapped(self.to_lps(at), self._stage.tool.places_on)):
                self._press = ("cross", at, None)
                self._stage.look_at(self.to_lps(at))

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        at = event.position()
        self._pointer = at
        if self._press is None:
            self._hot = self._handle_under(at)
            self.setCursor(self._cursor())
            self.update()
            return
        kind, start, what = self._press
        delta = at - start
        if kind == "window":
            window, level = what
            self._stage.set_window_level(window + 4.0 * delta.x(), level - 4.0 * delta.y())
        elif kind == "pan":
            self._frame.move(what, delta.x(), delta.y())
            self.update()
        elif kind == "cross":
            self._stage.look_at(self.to_lps(at))
        elif isinstance(what, Handle) and (self._dragging or delta.manhattanLength() > 3.0):
            self._dragging = True
            free = bool(event.modifiers() & Qt.KeyboardModifier.AltModifier)
            point = what.point_lps + self._frame.shift(delta.x(), delta.y())
            self._stage.tool.drag(what.id, self._snapped(point, None if free else what.on_bone))

    def _snapped(self, point_lps: FloatArray, bone: BoneId | None) -> FloatArray:
        """Return a point on the contour of a bone in this slice; without a bone the point itself."""
        if bone is None:
            return point_lps
        point = point_lps.copy()
        point[self.orientation.axis] = self.position
        return snap_in_slice(self._contours.of_bone(bone, self.position), point, self._frame.mm_per_px)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        press, self._press = self._press, None
        self._dragging = False
        if press is not None and isinstance(press[2], Handle):
            self._stage.tool.release(press[2].id)
        self.setCursor(self._cursor())
        self.update()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self.maximise.emit()

    def wheelEvent(self, event: QWheelEvent) -> None:
        turn = event.angleDelta().y() or event.pixelDelta().y() * 3
        if event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            self.zoom(1.15 ** (turn / 120.0), event.position())
        elif turn:
            self.scroll(round(turn / 120.0) or (1 if turn > 0 else -1))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        steps = {Qt.Key.Key_Up: 1, Qt.Key.Key_Down: -1, Qt.Key.Key_PageUp: 10, Qt.Key.Key_PageDown: -10}
        ends = {Qt.Key.Key_Home: 100_000, Qt.Key.Key_End: -100_000}
        if self._nudger.take(event, self.handles_shown(), self._frame.right, self._frame.down):
            self._hot = self._nudger.held(self.handles_shown())
            self.update()
            return
        shift = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
        pans = {
            Qt.Key.Key_Left: (-1, 0), Qt.Key.Key_Right: (1, 0), Qt.Key.Key_Up: (0, -1), Qt.Key.Key_Down: (0, 1),
        }  # fmt: skip
        key = event.key()
        if key == Qt.Key.Key_Space:
            self._space = True
            self.setCursor(Qt.CursorShape.OpenHandCursor)
        elif shift and key in pans:
            x, y = pans[key]
            self._frame.move(self._frame.centre, -20.0 * x, -20.0 * y)
            self.update()
        elif key in {**steps, **ends}:
            self.scroll({**steps, **ends}[key])
        elif key in (Qt.Key.Key_Plus, Qt.Key.Key_Equal):
            self.zoom(1.25)
        elif key == Qt.Key.Key_Minus:
            self.zoom(0.8)
        elif key == Qt.Key.Key_F:
            self.fit()
        else:
            super().keyPressEvent(event)

    def focusNextPrevChild(self, forwards: bool) -> bool:
        return not self.handles_shown() and super().focusNextPrevChild(forwards)  # Tab goes to the next handle

    def keyReleaseEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Space and not event.isAutoRepeat():
            self._space = False
            self.setCursor(self._cursor())
        super().keyReleaseEvent(event)

    def leaveEvent(self, event: object) -> None:
        self._pointer = None
        self._hot = None
        self.update()

    def resizeEvent(self, event: object) -> None:
        super().resizeEvent(event)
        self._frame.resize(self.width(), self.height(), self._stage.bounds)
        self.update()

    def _handle_under(self, at: QPointF) -> Handle | None:
        return handle_under(self.handles_shown(), self.to_screen, at)

    def _cursor(self) -> Qt.CursorShape:
        if self._space:
            return Qt.CursorShape.OpenHandCursor
        if self._stage.tool.mode:
            return Qt.CursorShape.CrossCursor
        return Qt.CursorShape.PointingHandCursor if self._hot is not None else Qt.CursorShape.ArrowCursor

    def _on_volumes(self) -> None:
        self._frame.fitted = False
        self._contours.forget()
        self.update()
