"""Draws the points of a leg on a film: head circle, axes, joint lines, the line from hip to ankle, a loupe at what is held."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QPainter, QPen

from surgiplan_desktop.gui.study_pages.film_points import RIM, FilmPoints
from surgiplan_desktop.gui.theme import Theme
from surgiplan_desktop.gui.tools.base import GRAB_PX
from surgiplan_desktop.gui.viewports.overlay import Overlay

ToScreen = Callable[[QPointF], QPointF]
#: Lines between points: colour role, width, dashed.
_LINES: Final = (
    ("head", "knee", "accent", 1.6, False),
    ("knee", "ankle", "accent", 1.6, False),
    ("femur_medial", "femur_lateral", "bone/femur", 1.6, False),
    ("tibia_medial", "tibia_lateral", "bone/tibia", 1.6, False),
    ("head", "ankle", "cut", 1.4, True),
)
_ROLES: Final = {"femur_medial": "bone/femur", "femur_lateral": "bone/femur", "tibia_medial": "bone/tibia",
                 "tibia_lateral": "bone/tibia", "tuberosity": "bone/patella"}  # fmt: skip
LOUPE_PX: Final = 168
LOUPE_TIMES: Final = 4.0


def draw_marks(
    painter: QPainter,
    overlay: Overlay,
    theme: Theme,
    points: FilmPoints,
    to_screen: ToScreen,
    words: Callable[[str], str],
    hot: str,
) -> None:
    """Draw what is placed; the point that is hot or held with its name and what it tells."""
    places = {name: to_screen(at) for name, at in points.handles().items()}
    for start, end, role, width, dashed in _LINES:
        if start in places and end in places:
            ends = np.array([[places[start].x(), places[start].y()], [places[end].x(), places[end].y()]])
            overlay.line(ends, theme.on_image(role), width, dashed=dashed)
    _draw_head(painter, theme, places)
    loud = points.held or hot
    for name, at in places.items():
        _draw_point(painter, theme, at, _ROLES.get(name, "accent"), strong=name in (loud, points.chosen), small=name == RIM)
    if loud in places:
        at = places[loud]
        overlay.words(words(f"film_point_{loud}"), at.x() + 14.0, at.y() - 8.0, bold=True)
        told = points.value_words(loud)
        if told:
            overlay.words(told, at.x() + 14.0, at.y() + 9.0)


def point_near(points: FilmPoints, to_screen: ToScreen, at: QPointF) -> str:
    """Return the point within reach of the pointer, empty for none; centres before the rim."""
    best, found = GRAB_PX + 1e-6, ""
    for name, place in points.handles().items():
        apart = to_screen(place) - at
        distance = float(np.hypot(apart.x(), apart.y())) + (0.5 if name == RIM else 0.0)
        if distance <= best:
            best, found = distance, name
    return found


def draw_loupe(painter: QPainter, theme: Theme, area: QRectF, grey: Callable[[int], object], role: str) -> None:
    """Frame the enlarged part of the film with a cross at what is held; ``grey`` paints it."""
    painter.save()
    painter.setClipRect(area)
    grey(round(area.width()))
    middle = area.center()
    for colour, width in (("view/halo", 3.0), (role, 1.2)):
        painter.setPen(QPen(theme.on_image(colour, 0.9), width))
        for dx, dy in ((1.0, 0.0), (-1.0, 0.0), (0.0, 1.0), (0.0, -1.0)):
            painter.drawLine(middle + QPointF(6.0 * dx, 6.0 * dy), middle + QPointF(40.0 * dx, 40.0 * dy))
    painter.restore()
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setPen(QPen(theme.on_image("view/text", 0.8), 1.5))
    painter.drawRect(area)


def _draw_head(painter: QPainter, theme: Theme, places: dict[str, QPointF]) -> None:
    if RIM not in places:
        return
    radius = abs(places[RIM].x() - places["head"].x())
    painter.setBrush(Qt.BrushStyle.NoBrush)
    for colour, width in (("view/halo", 3.4), ("accent", 1.6)):
        painter.setPen(QPen(theme.on_image(colour, 0.6 if colour == "view/halo" else 1.0), width))
        painter.drawEllipse(places["head"], radius, radius)


def _draw_point(painter: QPainter, theme: Theme, at: QPointF, role: str, *, strong: bool, small: bool) -> None:
    size = (4.0 if small else 5.0) + (1.5 if strong else 0.0)
    if strong:
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme.on_image(role, 0.3))
        painter.drawEllipse(at, 12.0, 12.0)
    # a ring, so that what lies under the point stays in sight
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setPen(QPen(theme.on_image("view/halo", 0.85), 4.0))
    painter.drawEllipse(at, size, size)
    painter.setPen(QPen(theme.on_image(role), 2.0))
    painter.drawEllipse(at, size, size)
