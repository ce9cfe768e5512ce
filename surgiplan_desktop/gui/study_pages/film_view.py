"""A film: window and level, zoom, pan, what it is in the corners; two points for ball or ruler, eight points a leg."""

from __future__ import annotations

from typing import Final

import numpy as np
from PySide6.QtCore import QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QImage, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen, QWheelEvent
from PySide6.QtWidgets import QWidget

from surgiplan_desktop.gui.study_pages.film_marks import LOUPE_PX, LOUPE_TIMES, draw_loupe, draw_marks, point_near
from surgiplan_desktop.gui.study_pages.film_points import FilmPoints
from surgiplan_desktop.gui.tools.base import GRAB_PX
from surgiplan_desktop.gui.viewports.overlay import Overlay
from surgiplan_desktop.gui.viewports.stage import Stage
from surgiplan_desktop.scene.film_grey import FilmLevels, film_grey

Words = list[tuple[str, str]]
#: Furthest in: pixels of the screen for one of the film.
_NEAREST: Final = 16.0
_ARROWS: Final = {Qt.Key.Key_Left: (-1, 0), Qt.Key.Key_Right: (1, 0), Qt.Key.Key_Up: (0, -1), Qt.Key.Key_Down: (0, 1)}


class FilmView(QWidget):
    """Shows one picture. With ``marking`` "ball" or "ruler", a drag places two points, whose ends can be moved.

    Otherwise the points of the leg are placed and dragged (``legs``).
    """

    #: The two points were placed or moved.
    marked = Signal()

    def __init__(self, stage: Stage) -> None:
        super().__init__()
        self.setObjectName("film_view")
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self.setMouseTracking(True)
        self.setMinimumSize(200, 200)
        self._stage = stage
        self._film: FilmLevels | None = None
        self._empty = ""
        self._corners: tuple[Words, Words, Words] = ([], [], [])
        self._window = self._level = 1.0
        self._centre = QPointF()
        self._scale = 1.0  # columns of the film in one pixel of the screen
        self._fitted = True
        self._marking = ""
        self.points: list[QPointF] = []
        self._press: tuple[str, QPointF, object] | None = None
        self._space = False
        self._hot = ""
        self._pointer: QPointF | None = None
        self.legs = FilmPoints(stage.bridge)
        self.legs.changed.connect(self._follow_points)
        stage.theme_changed.connect(self.update)

    def show_film(self, film: FilmLevels | None, *, corners: tuple[Words, Words, Words] = ([], [], []), empty: str = "") -> None:
        """Show a film with words top left, top right and bottom left; or a sentence."""
        if film is not self._film:
            self._film = film
            self.points = []
            if film is not None:
                self._window, self._level = film.window, film.level
                self.fit()
        self._corners, self._empty = corners, empty
        self.update()

    def mark(self, kind: str) -> None:
        """Place two points from now on ("ball", "ruler"), or no more ("")."""
        self._marking = kind
        self.points = []
        if kind:
            self.legs.stop()
        self.setCursor(self._cursor())
        self.update()

    def fit(self) -> None:
        """Show the whole film."""
        if self._film is None:
            return
        rows, columns = self._film.shape
        high = rows * self._film.aspect
        self._scale = max(columns / max(self.width(), 1), high / max(self.height(), 1))
        self._centre = QPointF((columns - 1) / 2.0, (rows - 1) / 2.0)
        self._fitted = True
        self.update()

    def to_film(self, at: QPointF) -> QPointF:
        """Return column and row of the film under a px of the screen."""
        aspect = 1.0 if self._film is None else self._film.aspect
        x = self._centre.x() + (at.x() - self.width() / 2.0) * self._scale
        return QPointF(x, self._centre.y() + (at.y() - self.height() / 2.0) * self._scale / aspect)

    def to_screen(self, point: QPointF) -> QPointF:
        """Return the px of the screen of a column and row."""
        aspect = 1.0 if self._film is None else self._film.aspect
        x = (point.x() - self._centre.x()) / self._scale + self.width() / 2.0
        return QPointF(x, (point.y() - self._centre.y()) * aspect / self._scale + self.height() / 2.0)

    def zoom(self, factor: float, at: QPointF) -> None:
        """Zoom in by a factor; the point under ``at`` stays."""
        before = self.to_film(at)
        rows, columns = (1, 1) if self._film is None else self._film.shape
        furthest = 4.0 * max(rows, columns) / max(min(self.width(), self.height()), 1)
        self._scale = float(np.clip(self._scale / factor, 1.0 / _NEAREST, furthest))
        self._centre += before - self.to_film(at)
        self._fitted = False
        self.update()

    def set_window_level(self, window: float, level: float) -> None:
        """Set window and level in the film's own values."""
        self._window, self._level = max(window, 1.0), level
        self.update()

    # Painting --------------------------------------------------------------------------------------------------------------

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        overlay = Overlay(painter, self.width(), self.height(), self._stage.theme)
        if self._film is None:
            painter.fillRect(self.rect(), self._stage.theme.colour("view/low"))
            overlay.empty([self._empty])
            painter.end()
            return
        self._draw_grey(painter, QRectF(self.rect()), self.to_film(QPointF(0.0, 0.0)), self._scale)
        self._draw_points(painter)
        word, theme = self._stage.bridge.word, self._stage.theme
        draw_marks(painter, overlay, theme, self.legs, self.to_screen, word, self._hot)
        top_left, top_right, bottom_left = self._corners
        words = self._stage.bridge.word("window_level", window=round(self._window), level=round(self._level))
        overlay.corner(top_left, right=False, bottom=False)
        overlay.corner(top_right, right=True, bottom=False)
        overlay.corner([*bottom_left, (words, "view/text")], right=False, bottom=True)
        self._draw_loupe(painter)
        painter.end()

    def _draw_grey(self, painter: QPainter, area: QRectF, corner: QPointF, scale: float) -> None:
        """Paint the film into an area; ``corner`` is the place of the film at its upper left, ``scale`` columns in a px."""
        if self._film is None:
            return
        ratio = self.devicePixelRatioF()
        wide, high = round(area.width() * ratio), round(area.height() * ratio)
        fine, half = scale / ratio, 0.5 * scale / ratio
        left, top = corner.x() + half, corner.y() + half / self._film.aspect
        grey = film_grey(self._film, left, top, fine, (wide, high), self._window, self._level)
        image = QImage(grey.tobytes(), wide, high, wide, QImage.Format.Format_Grayscale8)
        image.setDevicePixelRatio(ratio)
        painter.drawImage(area.topLeft(), image)

    def _draw_loupe(self, painter: QPainter) -> None:
        """What lies under the point that is held, or that comes next, enlarged in the corner that is farthest from it."""
        places = self.legs.handles()
        placing = self.legs.placing is not None and self._pointer is not None and not self._marking
        if self.legs.held in places:
            at = places[self.legs.held]
        elif placing and self._pointer is not None:
            at = self.to_film(self._pointer)
        else:
            return
        on_screen = self.to_screen(at)
        left = self.width() - LOUPE_PX - 10.0 if on_screen.x() < self.width() / 2.0 else 10.0
        top = 48.0 if on_screen.y() > self.height() / 2.0 else self.height() - LOUPE_PX - 48.0
        area = QRectF(left, top, LOUPE_PX, LOUPE_PX)
        scale = max(min(self._scale / LOUPE_TIMES, 1.0), 1.0 / _NEAREST)
        aspect = 1.0 if self._film is None else self._film.aspect

        def grey(size: int) -> None:
            self._draw_grey(painter, area, at - QPointF(0.5 * size * scale, 0.5 * size * scale / aspect), scale)

        draw_loupe(painter, self._stage.theme, area, grey, "accent")

    def _draw_points(self, painter: QPainter) -> None:
        if len(self.points) != 2:
            return
        one, other = (self.to_screen(point) for point in self.points)
        for colour, wide in (("view/halo", 4.0), ("accent", 2.0)):
            painter.setPen(QPen(self._stage.theme.on_image(colour), wide))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawLine(one, other)
            if self._marking == "ball":
                radius = float(np.hypot(other.x() - one.x(), other.y() - one.y())) / 2.0
                painter.drawEllipse((one + other) / 2.0, radius, radius)
            for end in (one, other):
                painter.drawEllipse(end, 5.0, 5.0)

    # Pointer and keys ------------------------------------------------------------------------------------------------------

    def mousePressEvent(self, event: QMouseEvent) -> None:
        at = event.position()
        if self._film is None:
            return
        if event.button() == Qt.MouseButton.RightButton:
            self._press = ("window", at, (self._window, self._level))
        elif event.button() == Qt.MouseButton.MiddleButton or (event.button() == Qt.MouseButton.LeftButton and self._space):
            self._press = ("pan", at, QPointF(self._centre))
        elif event.button() == Qt.MouseButton.LeftButton and self._marking:
            near = self._end_near(at)
            if near is None:
                self.points = [self.to_film(at), self.to_film(at)]
                near = 1
            self._press = ("end", at, near)
        elif event.button() == Qt.MouseButton.LeftButton:
            taken = self.legs.press(self.to_film(at), point_near(self.legs, self.to_screen, at))
            self._press = ("point", at, None) if taken else ("pan", at, QPointF(self._centre))
        self.setCursor(self._cursor())

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self._pointer = event.position()
        if self._press is None or self._film is None:
            self._hover()
            return
        kind, start, what = self._press
        delta = event.position() - start
        if kind == "window":
            step = self._film.window / 400.0
            self.set_window_level(what[0] + step * delta.x(), what[1] - step * delta.y())
        elif kind == "point":
            self.legs.move(self.to_film(event.position()))
        elif kind == "pan":
            self._centre = what - QPointF(delta.x() * self._scale, delta.y() * self._scale / self._film.aspect)
            self._fitted = False
        elif isinstance(what, int):
            self.points[what] = self._inside(self.to_film(event.position()))
        self.update()

    def mouseReleaseEvent(self, _event: QMouseEvent) -> None:
        press, self._press = self._press, None
        self.setCursor(self._cursor())
        if press is not None and press[0] == "point":
            self.legs.release()
            self._hover()
        if press is not None and press[0] == "end":
            if self.points[0] == self.points[1]:
                self.points = []
            self.marked.emit()
            self.update()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton and not self._marking:
            self.fit()

    def wheelEvent(self, event: QWheelEvent) -> None:
        turn = event.angleDelta().y() or event.pixelDelta().y() * 3
        self.zoom(1.15 ** (turn / 120.0), event.position())

    def keyPressEvent(self, event: QKeyEvent) -> None:
        middle = QPointF(self.width() / 2.0, self.height() / 2.0)
        if event.key() == Qt.Key.Key_Space:
            self._space = True
        elif event.key() in (Qt.Key.Key_Plus, Qt.Key.Key_Equal):
            self.zoom(1.25, middle)
        elif event.key() == Qt.Key.Key_Minus:
            self.zoom(0.8, middle)
        elif event.key() == Qt.Key.Key_F:
            self.fit()
        elif event.key() in _ARROWS and self.legs.chosen:
            self.legs.nudge(*_ARROWS[Qt.Key(event.key())], far=bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier))
        elif event.key() in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace) and self.legs.chosen:
            self.legs.remove()
        elif event.key() == Qt.Key.Key_Escape and self.legs.placing:
            self.legs.stop()
        else:
            super().keyPressEvent(event)
        self.setCursor(self._cursor())

    def keyReleaseEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Space and not event.isAutoRepeat():
            self._space = False
            self.setCursor(self._cursor())
        super().keyReleaseEvent(event)

    def focusNextPrevChild(self, forward: bool) -> bool:
        if not self.legs.handles():
            return super().focusNextPrevChild(forward)
        self.legs.cycle(1 if forward else -1)
        return True

    def leaveEvent(self, event: object) -> None:
        super().leaveEvent(event)
        self._pointer = None
        self._hot = ""
        self.update()

    def _hover(self) -> None:
        """The point under the pointer glows; with one to place, the loupe goes along."""
        idle = self._pointer is not None and not self._marking and self.legs.placing is None
        near = point_near(self.legs, self.to_screen, self._pointer) if idle else ""
        if near != self._hot:
            self._hot = near
            self.setCursor(self._cursor())
            self.update()
        elif self.legs.placing is not None:
            self.update()

    def _follow_points(self) -> None:
        self.setCursor(self._cursor())
        self.update()

    def resizeEvent(self, event: object) -> None:
        super().resizeEvent(event)
        if self._fitted:
            self.fit()

    def _inside(self, point: QPointF) -> QPointF:
        rows, columns = (1, 1) if self._film is None else self._film.shape
        return QPointF(min(max(point.x(), 0.0), columns - 1.0), min(max(point.y(), 0.0), rows - 1.0))

    def _end_near(self, at: QPointF) -> int | None:
        for number, point in enumerate(self.points):
            apart = self.to_screen(point) - at
            if np.hypot(apart.x(), apart.y()) <= GRAB_PX:
                return number
        return None

    def _cursor(self) -> Qt.CursorShape:
        if self._press is not None and self._press[0] == "pan":
            return Qt.CursorShape.ClosedHandCursor
        if self._space:
            return Qt.CursorShape.OpenHandCursor
        if self._marking or self.legs.placing is not None:
            return Qt.CursorShape.CrossCursor
        return Qt.CursorShape.SizeAllCursor if self._hot else Qt.CursorShape.ArrowCursor
