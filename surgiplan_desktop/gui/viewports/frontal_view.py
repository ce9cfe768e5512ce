"""The film-like frontal view: one leg projected on the limb plane, with axes, joint lines, angles and points to grab."""

from __future__ import annotations

from typing import Literal

import numpy as np
from PySide6.QtCore import QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QImage, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QWheelEvent
from PySide6.QtWidgets import QWidget

from surgiplan_desktop.app.compare_legs import MeasuredLeg, measured_leg
from surgiplan_desktop.base.arrays import FloatArray
from surgiplan_desktop.gui.tools.base import Handle
from surgiplan_desktop.gui.viewports.frontal_pictures import FrontalPictures
from surgiplan_desktop.gui.viewports.measure_marks import draw_marks, named_value
from surgiplan_desktop.gui.viewports.nudge import Nudger
from surgiplan_desktop.gui.viewports.overlay import FAR_MM_PER_PX, MARGIN, Overlay, handle_under
from surgiplan_desktop.gui.viewports.snap import snap_along
from surgiplan_desktop.gui.viewports.stage import Stage
from surgiplan_desktop.model.anatomy import BoneId
from surgiplan_desktop.planning.measures import MEASURES
from surgiplan_desktop.scene.angles import ALWAYS, measure_marks
from surgiplan_desktop.scene.frontal import FrontalPicture
from surgiplan_desktop.scene.picking import Ray
from surgiplan_desktop.scene.wanted import leg_lines

#: Distance from which lines of sight start (mm): in front of every leg.
_BEFORE_MM = 1000.0
#: Room above and below the whole leg for the words in the corners (px).
_WORDS_PX = 34


class FrontalView(QWidget):
    """One leg. ``which`` is ``"now"`` for the leg worked on, ``"compared"`` for what stands beside it."""

    maximise = Signal()

    def __init__(self, stage: Stage, which: Literal["now", "compared"], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._stage = stage
        self._which = which
        self._pictures = FrontalPictures(stage, which, self.update)
        self._leg: MeasuredLeg | None = None
        self._picture: FrontalPicture | None = None
        self._image = QImage()
        self._image_of: FrontalPicture | None = None
        self._centre: FloatArray | None = None  # place on the film in the middle of the view; None: the whole leg
        self._mm_per_px = 1.0
        self._press: tuple[str, QPointF, object] | None = None
        self._hot: Handle | None = None
        self._dragging = False
        self._nudger = Nudger(stage)
        self.setObjectName("view_film" if which == "now" else "view_compared")
        self.setAccessibleName(stage.bridge.word("view_film"))
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self.setMouseTracking(True)
        self.setMinimumSize(120, 120)
        for signal in (stage.picture_changed, stage.looking_changed):
            signal.connect(self._read)
        stage.theme_changed.connect(self.update)
        if which == "now":
            stage.handles_changed.connect(self.update)

    # Reading ---------------------------------------------------------------------------------------------------------------

    @property
    def leg(self) -> MeasuredLeg | None:
        """The leg that is shown."""
        return self._leg

    def _read(self) -> None:
        """Take the leg as it stands now."""
        side = self._stage.bridge.side
        kind = "now" if self._which == "now" else self._stage.looking.compare
        if not self.isVisible() or side is None or not kind:
            return
        self._leg = measured_leg(self._stage.bridge.session, side, kind)  # type: ignore[arg-type]
        self.update()

    # Geometry --------------------------------------------------------------------------------------------------------------

    def to_screen(self, points: FloatArray) -> FloatArray:
        """LPS points (n, 3) to px (n, 2)."""
        if self._picture is None:
            return np.full((len(np.atleast_2d(points)), 2), -1000.0)
        return self._on_screen(self._picture.plane.flat(points))

    def _on_screen(self, flat: FloatArray) -> FloatArray:
        """Places on the film (n, 2) to px."""
        relative = (np.atleast_2d(flat) - self._middle()) / self._mm_per_px
        return np.c_[self.width() / 2.0 + relative[:, 0], self.height() / 2.0 - relative[:, 1]]

    def _middle(self) -> FloatArray:
        if self._centre is not None or self._picture is None:
            return np.zeros(2) if self._centre is None else self._centre
        rows, columns = self._picture.grey.shape
        size, (left, top) = self._picture.mm_per_px, self._picture.corner
        return np.array([left + columns * size / 2.0, top - rows * size / 2.0])

    def fit(self) -> None:
        """Show the whole leg."""
        self._centre = None
        self.update()

    def _fit_scale(self) -> None:
        if self._centre is None and self._picture is not None:
            rows, columns = self._picture.grey.shape
            across, along = max(self.width(), 1), max(self.height() - 2 * _WORDS_PX, 1)  # the corners keep their words
            self._mm_per_px = self._picture.mm_per_px * max(columns / across, rows / along, 0.02)

    def zoom(self, factor: float, at: QPointF | None = None) -> None:
        """Zoom in by a factor (> 1 nearer); the place under ``at`` stays."""
        at = at or QPointF(self.width() / 2.0, self.height() / 2.0)
        offset = np.array([at.x() - self.width() / 2.0, self.height() / 2.0 - at.y()])
        before = self._middle()
        scale = float(np.clip(self._mm_per_px / factor, 0.05, 8.0))
        self._centre = before + offset * (self._mm_per_px - scale)
        self._mm_per_px = scale
        self.update()

    # Painting --------------------------------------------------------------------------------------------------------------

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        stage, word = self._stage, self._stage.bridge.word
        overlay = Overlay(painter, self.width(), self.height(), stage.theme)
        painter.fillRect(self.rect(), Qt.GlobalColor.black)
        leg = self._leg
        picture = None if leg is None else self._pictures.of(leg)
        self._picture = picture or (self._picture if leg is not None else None)
        if leg is None or self._picture is None:
            overlay.empty([word("film_not_yet" if leg is None else "film_working")])
            overlay.frame("accent", strong=False)
            painter.end()
            return
        self._fit_scale()
        self._draw_picture(painter, self._picture)
        self._draw_leg(overlay, leg, self._picture)
        self._draw_corners(overlay, leg, self._picture)
        if self._which == "now":
            self._draw_handles(overlay)
        overlay.frame("accent", strong=self.hasFocus())
        painter.end()

    def _draw_picture(self, painter: QPainter, picture: FrontalPicture) -> None:
        if self._image_of is not picture:
            rows, columns = picture.grey.shape
            form = QImage.Format.Format_Grayscale8
            self._image = QImage(np.ascontiguousarray(picture.grey).tobytes(), columns, rows, columns, form).copy()
            self._image_of = picture
        rows, columns = picture.grey.shape
        corner = np.array(picture.corner)
        ends = np.array([corner, corner + picture.mm_per_px * np.array([columns, -rows])])
        (left, top), (right, bottom) = self._on_screen(ends)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.drawImage(QRectF(left, top, right - left, bottom - top), self._image)

    def _draw_leg(self, overlay: Overlay, leg: MeasuredLeg, picture: FrontalPicture) -> None:
        if leg.landmarks is None or leg.frames is None:
            return
        for line in leg_lines(leg.landmarks):
            overlay.line(self.to_screen(line.points_lps), self._stage.theme.on_image(line.role), dashed=line.dashed)
        chosen = self._stage.looking.measure
        marks = measure_marks(leg.landmarks, leg.frames, (chosen,) if chosen else ALWAYS, picture.plane.frame)
        draw_marks(overlay, self._stage, marks, self.to_screen, lambda measure: self._words(leg, measure))

    def _words(self, leg: MeasuredLeg, measure: str) -> str:
        """Return a value as it is in the plane of the picture, where the leg has it there."""
        item = None if leg.measures is None else leg.measures.items.get(measure)
        value = leg.numbers.get(measure)
        if item is not None and item.value_limb_plane is not None:
            value = item.value_limb_plane
        return named_value(self._stage.bridge, measure, value, MEASURES[measure].unit)

    def _draw_corners(self, overlay: Overlay, leg: MeasuredLeg, picture: FrontalPicture) -> None:
        word = self._stage.bridge.word
        title = word("view_film" if leg.kind == "now" else f"compare_{leg.kind}")
        overlay.corner([(title, "accent"), (word(f"film_plane_{picture.plane.name}"), "view/text")], right=False, bottom=False)
        overlay.corner([(word(f"side_{leg.side}"), f"side/{leg.side}")], right=True, bottom=False)
        overlay.corner([(word("film_of_scan" if picture.of_scan else "film_of_bones"), "view/text")], right=False, bottom=True)
        size, middle = 13, self.height() / 4.0
        right = leg.side.sign > 0  # lateral of the right leg is on the left of the screen
        overlay.words(word("lateral_letter" if right else "medial_letter"), MARGIN, middle, size=size, bold=True)
        letter = word("medial_letter" if right else "lateral_letter")
        overlay.words(letter, self.width() - MARGIN - overlay.measure(letter, size, bold=True), middle, size=size, bold=True)
        overlay.scale_bar(self._mm_per_px)

    def handles_shown(self) -> tuple[Handle, ...]:
        """Return the handles as drawn."""
        return self._stage.tool.handles() if self._which == "now" and self._picture is not None else ()

    def _draw_handles(self, overlay: Overlay) -> None:
        held = self._press[2] if self._press is not None else None
        for handle in self.handles_shown():
            x, y = self.to_screen(handle.point_lps)[0]
            hot = self._hot is not None and self._hot.id == handle.id
            is_held = isinstance(held, Handle) and held.id == handle.id
            overlay.handle(handle, x, y, hot=hot, held=is_held, far=self._mm_per_px > FAR_MM_PER_PX)

    # Pointer ---------------------------------------------------------------------------------------------------------------

    def mousePressEvent(self, event: QMouseEvent) -> None:
        at = event.position()
        self._nudger.let_go()
        handle = self._handle_under(at) if event.button() == Qt.MouseButton.LeftButton else None
        if handle is not None:
            self._press = ("handle", at, handle)
            self._stage.tool.press(handle.id)
        elif event.button() == Qt.MouseButton.RightButton:
            self._press = ("zoom", at, self._mm_per_px)
        else:
            self._press = ("pan", at, self._middle().copy())

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        at = event.position()
        if self._press is None:
            self._hot = self._handle_under(at)
            self.setCursor(Qt.CursorShape.PointingHandCursor if self._hot is not None else Qt.CursorShape.ArrowCursor)
            self.update()
            return
        kind, start, what = self._press
        delta = at - start
        self._dragging = self._dragging or delta.manhattanLength() > 3.0
        if not self._dragging:
            return
        if isinstance(what, Handle):
            free = bool(event.modifiers() & Qt.KeyboardModifier.AltModifier)
            self._stage.tool.drag(what.id, self._dragged_to(what, delta, None if free else what.on_bone))
        elif kind == "zoom":
            self._centre = self._middle()
            self._mm_per_px = float(np.clip(float(what) * 1.01 ** -delta.y(), 0.05, 8.0))  # type: ignore[arg-type]
            self.update()
        elif isinstance(what, np.ndarray):
            self._centre = what + np.array([-delta.x(), delta.y()]) * self._mm_per_px
            self.update()

    def _dragged_to(self, handle: Handle, delta: QPointF, bone: BoneId | None) -> FloatArray:
        """Return where a handle comes to lie: on its bone as deep as it was, or as far before the plane as it was."""
        if self._picture is None:
            return handle.point_lps
        plane = self._picture.plane
        flat = plane.flat(handle.point_lps)[0] + np.array([delta.x(), -delta.y()]) * self._mm_per_px
        point = plane.lps(flat, float(plane.depth(handle.point_lps)[0]))
        if bone is None:
            return point
        ray = Ray(plane.lps(flat, _BEFORE_MM), -plane.frame.x)
        held = snap_along(self._stage, bone, ray, handle.point_lps)
        return point if held is None else held

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        press, self._press = self._press, None
        self._dragging = False
        if press is not None and isinstance(press[2], Handle):
            self._stage.tool.release(press[2].id)
        self.update()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self.maximise.emit()

    def wheelEvent(self, event: QWheelEvent) -> None:
        turn = event.angleDelta().y() or event.pixelDelta().y() * 3
        self.zoom(1.15 ** (turn / 120.0), event.position())

    def focusNextPrevChild(self, forwards: bool) -> bool:
        return not self.handles_shown() and super().focusNextPrevChild(forwards)  # Tab goes to the next handle

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key = event.key()
        if self._picture is not None:
            frame = self._picture.plane.frame
            if self._nudger.take(event, self.handles_shown(), -frame.z, -frame.y):
                self._hot = self._nudger.held(self.handles_shown())
                self.update()
                return
        if key == Qt.Key.Key_F:
            self.fit()
        elif key in (Qt.Key.Key_Plus, Qt.Key.Key_Equal, Qt.Key.Key_Minus):
            self.zoom(0.8 if key == Qt.Key.Key_Minus else 1.25)
        else:
            super().keyPressEvent(event)

    def leaveEvent(self, event: object) -> None:
        self._hot = None
        self.update()

    def showEvent(self, event: object) -> None:
        super().showEvent(event)  # type: ignore[arg-type]
        self._read()

    def _handle_under(self, at: QPointF) -> Handle | None:
        return handle_under(self.handles_shown(), self.to_screen, at)
