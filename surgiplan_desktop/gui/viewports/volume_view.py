"""The 3D view: turn, pan, zoom, standard views, orientation cube, handles."""

from __future__ import annotations

from typing import Final

import numpy as np
from PySide6.QtCore import QPointF, Qt, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent, QPainter, QWheelEvent
from PySide6.QtWidgets import QWidget

from surgiplan_desktop.base.arrays import FloatArray
from surgiplan_desktop.base.spaces import Plane
from surgiplan_desktop.gui.tools.base import Handle
from surgiplan_desktop.gui.viewports.measure_marks import draw_marks, measure_value
from surgiplan_desktop.gui.viewports.orientation_cube import paint_cube
from surgiplan_desktop.gui.viewports.overlay import FAR_MM_PER_PX, Overlay, handle_under
from surgiplan_desktop.gui.viewports.snap import snap_along
from surgiplan_desktop.gui.viewports.stage import Stage
from surgiplan_desktop.gui.viewports.volume_heat import VolumeHeat
from surgiplan_desktop.gui.viewports.vtk_widget import VtkWidget
from surgiplan_desktop.model.anatomy import BoneId
from surgiplan_desktop.scene.picking import Ray, pick, project, ray_at, view_matrix
from surgiplan_desktop.scene.sync import SceneSync

#: Where the eye is for each standard view: azimuth from anterior towards the patient's left, elevation (deg).
STANDARD_VIEWS: Final = {"A": (0, 0), "P": (180, 0), "L": (90, 0), "R": (-90, 0), "S": (0, 89), "I": (0, -89)}


class VolumeView(VtkWidget):
    """Bones, planes, implants and guides in 3D. Nothing is drawn anew unless something changed."""

    maximise = Signal()

    def __init__(self, stage: Stage, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._stage = stage
        self._sync = SceneSync(self.renderer, stage.theme.tint)
        self._azimuth, self._elevation = -20.0, 5.0
        self._focus = np.zeros(3)
        self._half_height = 200.0
        self._press: tuple[str, QPointF, object] | None = None
        self._hot: Handle | None = None
        self._moved = False
        self._space = False
        self._auto = True  # fits what appears, until the user takes the camera
        self.heat = VolumeHeat(stage, self.ray, self.update)
        self.setObjectName("view_3d")
        self.setAccessibleName(stage.bridge.word("view_3d"))
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self.setMouseTracking(True)
        self.setMinimumSize(120, 120)
        self.renderer.GetActiveCamera().SetParallelProjection(True)
        self.apply_theme(stage.theme)
        stage.picture_changed.connect(self._on_picture)
        stage.handles_changed.connect(self.update)
        stage.theme_changed.connect(self._on_theme)
        stage.focus_wanted.connect(self.focus_on)
        stage.turn_wanted.connect(self.look)

    # Camera ----------------------------------------------------------------------------------------------------------------

    def stand(self, letter: str) -> None:
        """Look from a standard direction: A P L R S I."""
        self._azimuth, self._elevation = map(float, STANDARD_VIEWS[letter])
        self._aim()

    def look(self, azimuth_deg: float, elevation_deg: float) -> None:
        """Look from a direction: azimuth from anterior towards the patient's left, elevation."""
        self._azimuth, self._elevation = azimuth_deg, elevation_deg
        self._aim()

    def fit(self) -> None:
        """Show everything, also what appears later."""
        self._auto = True
        extent = self._extent()
        if extent is None:
            return
        low, high = extent
        self._focus = (low + high) / 2.0
        radius = float(np.linalg.norm(high - low)) / 2.0
        aspect = max(self.width(), 1) / max(self.height(), 1)
        across = float(max(high[0] - low[0], high[1] - low[1])) / 2.0
        self._half_height = max(float(high[2] - low[2]) / 2.0, across / aspect, radius * 0.2) * 1.08
        self._aim()

    def focus_on(self, point_lps: FloatArray, span_mm: float) -> None:
        """Centre a point and show a span of mm around it."""
        self._auto = False
        self._focus = np.array(point_lps, dtype=np.float64)
        self._half_height = span_mm / 2.0
        self._aim()

    def zoom(self, factor: float) -> None:
        """Zoom in by a factor (> 1 nearer)."""
        self._half_height = float(np.clip(self._half_height / factor, 2.0, 3000.0))
        self._aim()

    def _extent(self) -> tuple[FloatArray, FloatArray] | None:
        meshes = [item.mesh.vertices for item in self._sync.items.values() if hasattr(item, "mesh")]
        if not meshes:
            return None
        return np.min([v.min(axis=0) for v in meshes], axis=0), np.max([v.max(axis=0) for v in meshes], axis=0)

    def _axes(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Right and up on the screen, and the direction of sight, in LPS."""
        azimuth, elevation = np.radians(self._azimuth), np.radians(self._elevation)
        eye = np.array([np.sin(azimuth) * np.cos(elevation), -np.cos(azimuth) * np.cos(elevation), np.sin(elevation)])
        right = np.array([np.cos(azimuth), np.sin(azimuth), 0.0])
        return right, np.cross(eye, right), -eye

    def _aim(self) -> None:
        _, up, sight = self._axes()
        camera = self.renderer.GetActiveCamera()
        camera.SetFocalPoint(*self._focus)
        camera.SetPosition(*(self._focus - 2000.0 * sight))
        camera.SetViewUp(*up)
        camera.SetParallelScale(self._half_height)
        camera.SetClippingRange(10.0, 4000.0)
        self.request_render()

    def _matrix(self) -> FloatArray:
        return view_matrix(self.renderer.GetActiveCamera(), max(self.width(), 1) / max(self.height(), 1))

    def to_screen(self, points: FloatArray) -> FloatArray:
        """LPS points (n, 3) to px (n, 2)."""
        return project(self._matrix(), points, self.width(), self.height())[:, :2]

    def handles_shown(self) -> tuple[Handle, ...]:
        """Return the handles as drawn."""
        return self._stage.tool.handles()

    def ray(self, x: float, y: float) -> Ray:
        """Return the line of sight under a px."""
        return ray_at(self._matrix(), x, y, self.width(), self.height())

    # Painting --------------------------------------------------------------------------------------------------------------

    def paint_over(self, painter: QPainter) -> None:
        stage = self._stage
        overlay = Overlay(painter, self.width(), self.height(), stage.theme)
        right, up, _ = self._axes()
        if not self._sync.items:
            overlay.empty([stage.bridge.word(self._empty_words())])
            return
        for line in stage.picture.lines:
            overlay.line(self.to_screen(line.points_lps), stage.theme.on_image(line.role), 1.5, dashed=line.dashed)
        draw_marks(overlay, stage, stage.picture.angles, self.to_screen, lambda measure: measure_value(stage.bridge, measure))
        held = self._press[2] if self._press is not None else None
        mm_per_px = 2.0 * self._half_height / max(self.height(), 1)
        handles = self.handles_shown()
        if handles:
            screen = self.to_screen(np.array([handle.point_lps for handle in handles]))
            for handle, (x, y) in zip(handles, screen, strict=True):
                hot = self._hot is not None and self._hot.id == handle.id
                is_held = isinstance(held, Handle) and held.id == handle.id
                overlay.handle(handle, x, y, hot=hot, held=is_held, far=mm_per_px > FAR_MM_PER_PX and not handle.everywhere)
        overlay.corner([(stage.bridge.word("view_3d"), "accent")], right=False, bottom=False)
        overlay.corner(stage.identity(), right=True, bottom=False)
        overlay.letters(right, -up)
        overlay.scale_bar(mm_per_px)
        paint_cube(painter, stage.theme, self.height(), self._axes())
        self.heat.draw(overlay, self.height())

    def _empty_words(self) -> str:
        case = self._stage.bridge.case
        if case.study is None and not case.imported_bones:
            return "empty_3d_no_study"
        return "empty_3d_no_bones" if not case.bones else "empty_3d_working"

    # Pointer and keys ------------------------------------------------------------------------------------------------------

    def mousePressEvent(self, event: QMouseEvent) -> None:
        at = event.position()
        self._moved = False
        self._auto = False
        if event.button() == Qt.MouseButton.MiddleButton or (event.button() == Qt.MouseButton.LeftButton and self._space):
            self._press = ("pan", at, self._focus.copy())
        elif event.button() == Qt.MouseButton.RightButton:
            self._press = ("zoom", at, self._half_height)
        elif event.button() == Qt.MouseButton.LeftButton:
            handle = self._handle_under(at)
            if handle is not None:
                self._press = ("handle", at, handle)
                self._stage.tool.press(handle.id)
            else:
                self._press = ("turn", at, (self._azimuth, self._elevation))

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        at = event.position()
        self.heat.pointer_at(at if self._press is None else None)
        if self._press is None:
            hot = self._handle_under(at)
            if (hot and hot.id) != (self._hot and self._hot.id):
                self._hot = hot
                self.update()
            self.setCursor(self._cursor())
            return
        kind, start, what = self._press
        delta = at - start
        self._moved = self._moved or delta.manhattanLength() > 3.0
        mm = 2.0 * self._half_height / max(self.height(), 1)
        right, up, sight = self._axes()
        if kind == "turn" and self._moved:
            azimuth, elevation = what
            self.look(azimuth - 0.4 * delta.x(), float(np.clip(elevation + 0.4 * delta.y(), -89.0, 89.0)))
        elif kind == "pan":
            self._focus = what - (right * delta.x() - up * delta.y()) * mm
            self._aim()
        elif kind == "zoom":
            self._half_height = float(np.clip(what * 1.01 ** delta.y(), 2.0, 3000.0))
            self._aim()
        elif isinstance(what, Handle) and self._moved:
            free = bool(event.modifiers() & Qt.KeyboardModifier.AltModifier)
            self._stage.tool.drag(what.id, self._dragged_to(what, delta, sight, None if free else what.on_bone))

    def _dragged_to(self, handle: Handle, delta: QPointF, sight: FloatArray, bone: BoneId | None) -> FloatArray:
        x, y = self.to_screen(handle.point_lps[None])[0]
        ray = self.ray(x + delta.x(), y + delta.y())
        held = None if bone is None else snap_along(self._stage, bone, ray)
        if held is not None:
            return held
        point = ray.meets(Plane(handle.point_lps, sight))
        return handle.point_lps if point is None else point

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        press, self._press = self._press, None
        if press is None:
            return
        if isinstance(press[2], Handle):
            self._stage.tool.release(press[2].id)
        elif press[0] == "turn" and not self._moved:
            at = event.position()
            hit = pick(self._stage.picture.items, self.ray(at.x(), at.y()))
            bone = self._stage.tool.places_on
            place = None if bone is None else snap_along(self._stage, bone, self.ray(at.x(), at.y()))
            place = hit[1] if place is None and hit is not None else place
            if place is not None and not self._stage.tool.click(place):
                self._stage.look_at(place)
        self.update()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self.maximise.emit()

    def wheelEvent(self, event: QWheelEvent) -> None:
        self._auto = False
        turn = event.angleDelta().y() or event.pixelDelta().y() * 3
        self.zoom(1.15 ** (turn / 120.0))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        letter = event.text().upper()
        if event.key() == Qt.Key.Key_Space:
            self._space = True
        elif letter in STANDARD_VIEWS and letter:
            self.stand(letter)
        elif event.key() in (Qt.Key.Key_Plus, Qt.Key.Key_Equal):
            self.zoom(1.25)
        elif event.key() == Qt.Key.Key_Minus:
            self.zoom(0.8)
        elif event.key() == Qt.Key.Key_F:
            self.fit()
        else:
            super().keyPressEvent(event)

    def keyReleaseEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Space and not event.isAutoRepeat():
            self._space = False
        super().keyReleaseEvent(event)

    def leaveEvent(self, event: object) -> None:
        self._hot = None
        self.heat.pointer_at(None)
        self.update()

    def _handle_under(self, at: QPointF) -> Handle | None:
        return handle_under(self.handles_shown(), self.to_screen, at)

    def _cursor(self) -> Qt.CursorShape:
        if self._stage.tool.mode:
            return Qt.CursorShape.CrossCursor
        return Qt.CursorShape.PointingHandCursor if self._hot is not None else Qt.CursorShape.ArrowCursor

    # Following -------------------------------------------------------------------------------------------------------------

    def _on_picture(self) -> None:
        before = len(self._sync.items)
        changed = self._sync.show(self._stage.picture.items)
        if self._auto and len(self._sync.items) != before:
            self.fit()
        if changed:
            self.request_render()
        self.update()

    def _on_theme(self) -> None:
        self._sync.recolour(self._stage.theme.tint)
        self.apply_theme(self._stage.theme)
