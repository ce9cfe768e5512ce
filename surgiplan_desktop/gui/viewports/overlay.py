"""What every view paints over its picture: corners, orientation letters, scale bar, handles, marks, lines."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QLinearGradient, QPainter, QPen, QPolygonF

from surgiplan_desktop.base.arrays import FloatArray
from surgiplan_desktop.gui.theme import NORMAL, SMALL, Theme, font
from surgiplan_desktop.gui.tools.base import GRAB_PX, Handle
from surgiplan_desktop.scene.heat import STEPS, HeatScale, colour_of, ticks

MARGIN = 8.0
#: From this scale on points are drawn small: a whole leg is in view.
FAR_MM_PER_PX = 0.6
_LETTERS = (("R", "L"), ("A", "P"), ("I", "S"))  # towards -x, +x; -y, +y; -z, +z of LPS


def direction_letter(direction: FloatArray) -> str:
    """Return the letter of the patient direction that a vector mostly points to (R L A P S I)."""
    axis = int(np.argmax(np.abs(direction)))
    return _LETTERS[axis][int(direction[axis] > 0.0)]


def heat_number(value: float, scale: HeatScale) -> str:
    """Return a value of a heat map with its unit: mm to a hundredth, or a share in per cent."""
    return f"{value:.2f} mm" if scale.unit == "mm" else f"{100.0 * value:.0f} %"


def _tick(value: float, scale: HeatScale, *, last: bool = False) -> str:
    """Return a number of the legend; the last colour also stands for more."""
    return f"{'≥ ' if last else ''}{value:g} mm" if scale.unit == "mm" else heat_number(value, scale)


class Overlay:
    """Paints with a halo, so that words are readable on white bone and on black air."""

    def __init__(self, painter: QPainter, width: float, height: float, theme: Theme) -> None:
        self._painter = painter
        self._width, self._height = width, height
        self._theme = theme
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)

    def words(self, text: str, x: float, y: float, *, role: str = "view/text", size: int = SMALL, bold: bool = False) -> None:
        """Write words with their left end and baseline at x, y."""
        painter = self._painter
        painter.setFont(font(size, bold=bold))
        painter.setPen(self._theme.on_image("view/halo", 0.75))
        for dx, dy in ((-1, 0), (1, 0), (0, -1), (0, 1)):
            painter.drawText(QPointF(x + dx, y + dy), text)
        painter.setPen(self._theme.on_image(role))
        painter.drawText(QPointF(x, y), text)

    def measure(self, text: str, size: int = SMALL, *, bold: bool = False) -> float:
        """Return the width of words in px."""
        return QFontMetricsF(font(size, bold=bold)).horizontalAdvance(text)

    def inside(self, x: float, width: float) -> float:
        """Return where words of a width begin, so that they stay in the view."""
        return max(MARGIN, min(x, self._width - MARGIN - width))

    def corner(self, lines: Sequence[tuple[str, str]], *, right: bool, bottom: bool) -> None:
        """Write lines of (words, colour role) in a corner."""
        step = 16.0
        y = self._height - MARGIN - step * (len(lines) - 1) if bottom else MARGIN + 11.0
        for text, role in lines:
            x = self._width - MARGIN - self.measure(text) if right else MARGIN
            self.words(text, x, y, role=role)
            y += step

    def letters(self, right: FloatArray, down: FloatArray) -> None:
        """Write the orientation letters at the middle of the four edges."""
        size = NORMAL
        half_x, half_y = self._width / 2.0, self._height / 2.0
        for letter, x, y in (
            (direction_letter(-right), MARGIN, half_y + 5.0),
            (direction_letter(right), self._width - MARGIN - 9.0, half_y + 5.0),
            (direction_letter(-down), half_x - 4.0, MARGIN + 11.0),
            (direction_letter(down), half_x - 4.0, self._height - MARGIN),
        ):
            self.words(letter, x, y, size=size, bold=True)

    def scale_bar(self, mm_per_px: float) -> None:
        """Draw a bar of a round length at the bottom right, with its length in mm."""
        if mm_per_px <= 0.0:
            return
        wanted = 90.0 * mm_per_px
        power = 10.0 ** math.floor(math.log10(wanted))
        length = max(step * power for step in (1.0, 2.0, 5.0) if step * power <= wanted)
        pixels = length / mm_per_px
        right, y = self._width - MARGIN, self._height - MARGIN
        for colour, width in ((self._theme.on_image("view/halo", 0.75), 4.0), (self._theme.on_image("view/text"), 2.0)):
            self._painter.setPen(QPen(colour, width))
            self._painter.drawLine(QPointF(right - pixels, y), QPointF(right, y))
            for x in (right - pixels, right):
                self._painter.drawLine(QPointF(x, y - 4.0), QPointF(x, y))
        text = f"{length:g} mm"
        self.words(text, right - self.measure(text), y - 8.0)

    def legend(self, scale: HeatScale, words: Sequence[str], top: float, height: float) -> None:
        """Draw the legend of a heat map at the right edge: colours with numbers, the line from which on to look, words above.

        ``words`` are what the numbers are about and, last, what stands at the line.
        """
        painter, bar = self._painter, 12.0
        right = self._width - MARGIN
        *heads, at_line = words
        y = top
        for text in heads:
            self.words(text, right - self.measure(text), y + 11.0)
            y += 15.0
        y += 10.0
        height = max(height - (y - top), 40.0)
        left = right - bar
        gradient = QLinearGradient(0.0, y + height, 0.0, y)
        for step in range(0, STEPS, 7):
            gradient.setColorAt(step / (STEPS - 1), QColor(*colour_of(step)))
        painter.setPen(QPen(self._theme.on_image("view/halo", 0.8), 1.0))
        painter.setBrush(gradient)
        painter.drawRect(QRectF(left, y, bar, height))
        numbers = ticks(scale)
        look = y + height * (1.0 - (scale.look - scale.low) / (scale.high - scale.low))
        for number in numbers:
            place = y + height * (1.0 - (number - scale.low) / (scale.high - scale.low))
            if abs(place - look) < 12.0:
                continue
            text = _tick(number, scale, last=number == numbers[-1])
            self.words(text, left - 6.0 - self.measure(text), place + 4.0)
        text = f"{at_line} {_tick(scale.look, scale)}"
        painter.setPen(QPen(self._theme.on_image("view/halo", 0.9), 4.0))
        painter.drawLine(QPointF(left - 4.0, look), QPointF(right + 2.0, look))
        painter.setPen(QPen(self._theme.on_image("view/text"), 2.0))
        painter.drawLine(QPointF(left - 4.0, look), QPointF(right + 2.0, look))
        self.words(text, left - 8.0 - self.measure(text, bold=True), look + 4.0, bold=True)

    def frame(self, role: str, *, strong: bool) -> None:
        """Frame the view in the colour of its plane."""
        self._painter.setPen(QPen(self._theme.on_image(role, 1.0 if strong else 0.55), 2.0))
        self._painter.setBrush(Qt.BrushStyle.NoBrush)
        self._painter.drawRect(QRectF(0.0, 0.0, self._width, self._height).adjusted(1, 1, -1, -1))

    def line(self, points: FloatArray, colour: QColor, width: float = 1.5, *, dashed: bool = False) -> None:
        """Draw a polyline through points (n, 2) px, with a halo."""
        polygon = QPolygonF([QPointF(x, y) for x, y in points])
        self._painter.setBrush(Qt.BrushStyle.NoBrush)
        self._painter.setPen(QPen(self._theme.on_image("view/halo", 0.5), width + 1.6))
        self._painter.drawPolyline(polygon)
        self._painter.setPen(QPen(colour, width, Qt.PenStyle.DashLine if dashed else Qt.PenStyle.SolidLine))
        self._painter.drawPolyline(polygon)

    def cross(self, x: float, y: float, horizontal: str, vertical: str) -> None:
        """Draw the crosshair with a gap at its centre; each line in the colour of the plane it stands for."""
        gap = 14.0
        for role, start, end in (
            (horizontal, QPointF(0.0, y), QPointF(x - gap, y)),
            (horizontal, QPointF(x + gap, y), QPointF(self._width, y)),
            (vertical, QPointF(x, 0.0), QPointF(x, y - gap)),
            (vertical, QPointF(x, y + gap), QPointF(x, self._height)),
        ):
            self._painter.setPen(QPen(self._theme.on_image(role, 0.75), 1.0))
            self._painter.drawLine(start, end)

    def dot(self, x: float, y: float, role: str, radius: float = 3.0) -> None:
        """Draw a small point."""
        self._painter.setPen(QPen(self._theme.on_image("view/halo", 0.8), 1.0))
        self._painter.setBrush(self._theme.on_image(role))
        self._painter.drawEllipse(QPointF(x, y), radius, radius)

    def handle(self, handle: Handle, x: float, y: float, *, hot: bool, held: bool, far: bool = False) -> None:
        """Draw a handle, glowing under the pointer, with its name and live value; ``far``: small, so that it covers nothing."""
        small = far and handle.shape == "ball" and not (hot or held)
        painter, size = self._painter, 7.0 if hot or held else 3.0 if small else 5.5
        colour = self._theme.on_image(handle.role)
        if hot or held:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(self._theme.on_image(handle.role, 0.35))
            painter.drawEllipse(QPointF(x, y), 13.0, 13.0)
        painter.setPen(QPen(self._theme.on_image("view/halo", 0.9), 1.5))
        painter.setBrush(colour)
        if handle.shape == "diamond":
            corners = ((0, -1.3), (1.3, 0), (0, 1.3), (-1.3, 0))
            painter.drawPolygon(QPolygonF([QPointF(x + size * dx, y + size * dy) for dx, dy in corners]))
        elif handle.shape == "ring":
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(self._theme.on_image("view/halo", 0.9), 5.0))
            painter.drawEllipse(QPointF(x, y), size, size)
            painter.setPen(QPen(colour, 2.5))
            painter.drawEllipse(QPointF(x, y), size, size)
        else:
            painter.drawEllipse(QPointF(x, y), size, size)
        if hot or held:
            lines = [text for text in (handle.text, *handle.value.split("\n")) if text]
            widest = max((self.measure(text) for text in lines), default=0.0)
            left = self.inside(x + 16.0 if x + 16.0 + widest < self._width else x - 16.0 - widest, widest)
            if left - 12.0 < x < left + widest + 12.0:  # no room beside it
                y -= 16.0 * len(lines) + 8.0
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(self._theme.on_image("view/halo", 0.72))  # the words of other things stay behind
            painter.drawRoundedRect(QRectF(left - 5.0, y - 19.0, widest + 10.0, 16.0 * len(lines) + 6.0), 4.0, 4.0)
            for row, text in enumerate(lines):
                self.words(text, left, y - 4.0 + 16.0 * row, bold=row == 0)

    def empty(self, lines: Sequence[str]) -> None:
        """Say in the middle what to do when there is nothing to show."""
        self._painter.setFont(font(NORMAL))
        self._painter.setPen(self._theme.on_image("view/text", 0.8))
        area = QRectF(16.0, 0.0, self._width - 32.0, self._height)
        self._painter.drawText(area, Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap, "\n".join(lines))


def handle_under(handles: Sequence[Handle], to_screen: Callable[[FloatArray], FloatArray], at: QPointF) -> Handle | None:
    """Return the handle nearest to a place of the view within reach of the mouse, or None.

    Parameters
    ----------
    to_screen
        The view's own way from points (n, 3) in LPS mm to its pixels (n, 2).
    """
    if not handles:
        return None
    screen = to_screen(np.array([handle.point_lps for handle in handles]))
    distance = np.hypot(screen[:, 0] - at.x(), screen[:, 1] - at.y())
    best = int(np.argmin(distance))
    return handles[best] if distance[best] <= GRAB_PX else None
