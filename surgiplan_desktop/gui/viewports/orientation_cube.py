"""The orientation cube of the 3D view: which side of the patient looks at the viewer."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QPointF
from PySide6.QtGui import QPainter, QPen, QPolygonF

from surgiplan_desktop.base.arrays import FloatArray
from surgiplan_desktop.gui.theme import SMALL, Theme, font
from surgiplan_desktop.gui.viewports.overlay import direction_letter


def paint_cube(painter: QPainter, theme: Theme, height: float, axes: tuple[FloatArray, FloatArray, FloatArray]) -> None:
    """Draw the cube at the bottom left: the faces that look at the viewer, with their letters.

    Parameters
    ----------
    axes
        Right and up on the screen, and the direction of sight, in LPS.
    """
    right, up, sight = axes
    centre, half = QPointF(38.0, height - 38.0), 15.0
    for axis in range(3):
        for sign in (-1.0, 1.0):
            normal = np.eye(3)[axis] * sign
            towards = -float(normal @ sight)
            if towards <= 0.05:
                continue
            one, two = np.eye(3)[(axis + 1) % 3], np.eye(3)[(axis + 2) % 3]
            corners = [normal + a * one + b * two for a, b in ((1, 1), (1, -1), (-1, -1), (-1, 1))]
            face = QPolygonF([QPointF(centre.x() + half * float(c @ right), centre.y() - half * float(c @ up)) for c in corners])
            painter.setPen(QPen(theme.on_image("view/halo", 0.6), 1.0))
            painter.setBrush(theme.colour("surface/3").lighter(100 + round(60 * towards)))
            painter.drawPolygon(face)
            if towards > 0.35:
                painter.setFont(font(SMALL, bold=True))
                painter.setPen(theme.colour("text/primary"))
                x, y = centre.x() + half * float(normal @ right), centre.y() - half * float(normal @ up)
                painter.drawText(QPointF(x - 4.0, y + 4.5), direction_letter(normal))
