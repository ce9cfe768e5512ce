"""Contours of bodies on a slice: exact sections of the full meshes, kept while slice and bodies are the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from PySide6.QtCore import QLineF, Qt
from PySide6.QtGui import QPainter, QPen

from surgiplan_desktop.base.arrays import FloatArray, IntArray
from surgiplan_desktop.base.spaces import Plane
from surgiplan_desktop.gui.viewports.slice_heat import SliceHeat
from surgiplan_desktop.gui.viewports.stage import Stage
from surgiplan_desktop.model.anatomy import BoneId
from surgiplan_desktop.scene.contours import section
from surgiplan_desktop.scene.wanted import Outline

_KEPT: Final = 60


class SliceContours:
    """The contours of one slice view; ``normal`` is the direction across its slices."""

    def __init__(self, stage: Stage, normal: FloatArray) -> None:
        self._stage = stage
        self._normal = normal
        self._sections: dict[tuple[int, float], tuple[object, FloatArray, IntArray]] = {}

    def forget(self) -> None:
        """Drop what is kept."""
        self._sections.clear()

    def section(self, outline: Outline, position: float) -> tuple[FloatArray, IntArray]:
        """Return the segments of a body on the slice at a position, and the triangles that they lie in."""
        key = (id(outline.mesh), position)
        kept = self._sections.get(key)
        if kept is None or kept[0] is not outline.mesh:
            if len(self._sections) > _KEPT:
                self._sections.clear()
            kept = (outline.mesh, *section(outline.mesh, Plane(self._normal * position, self._normal)))
            self._sections[key] = kept
        return kept[1], kept[2]

    def of_bone(self, bone: BoneId, position: float) -> Iterator[FloatArray]:
        """Return the segments of every part of a bone on the slice at a position."""
        for outline in self._stage.picture.outlines:
            if (outline.name, outline.side) == (bone.bone, bone.side):
                yield self.section(outline, position)[0]

    def draw(
        self,
        painter: QPainter,
        position: float,
        to_screen: Callable[[FloatArray], FloatArray],
        heat: SliceHeat,
        hovered: BoneId | None,
    ) -> None:
        """Draw all contours, that of the bone under the pointer stronger."""
        for outline in self._stage.picture.outlines:
            segments, faces = self.section(outline, position)
            if not len(segments):
                continue
            ends = to_screen(segments.reshape(-1, 3)).reshape(-1, 4)
            lines = [QLineF(*row) for row in ends.tolist()]
            if outline.heated is not None and heat.on_contours:
                heat.draw_contour(painter, lines, outline, faces)
                continue
            strong = hovered is not None and (outline.name, outline.side) == (hovered.bone, hovered.side)
            pen = QPen(self._stage.theme.on_image(outline.role), 2.5 if strong else 1.0 if outline.thin else 1.5)
            pen.setCapStyle(Qt.PenCapStyle.RoundCap)
            painter.setPen(pen)
            painter.drawLines(lines[::2] if outline.dashed else lines)
