"""The heat map on a slice: the layer of voxels over the grey values, contours in its colours, and the value under the pointer."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QLineF, QPointF, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QPen

from surgiplan_desktop.base.arrays import FloatArray, IntArray
from surgiplan_desktop.gui.tools.base import GRAB_PX
from surgiplan_desktop.gui.viewports.heat_words import heat_words
from surgiplan_desktop.gui.viewports.stage import Stage
from surgiplan_desktop.scene.heat import Shades, colour_of, heat_layer, mean_shade
from surgiplan_desktop.scene.slices import SliceGrid
from surgiplan_desktop.scene.wanted import Outline

_CONTOUR_PX = 3.0


class SliceHeat:
    """What one slice view shows of the heat map; the layer is kept until slice or map change."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._values: np.ndarray | None = None
        self._image = QImage()
        self._key: tuple[object, ...] = ()

    @property
    def on_contours(self) -> bool:
        """Whether contours carry the colours: where nothing is known of the voxels."""
        return self._stage.heat_sampler is None

    def draw_layer(self, painter: QPainter, grid: SliceGrid, place: tuple[object, ...], ratio: float) -> None:
        """Lay the voxels' values over the slice that ``grid`` samples; ``place`` says which slice it is."""
        sampler, heat = self._stage.heat_sampler, self._stage.heat
        if sampler is None or heat is None:
            self._values, self._key = None, ()
            return
        key = (id(sampler), *place)
        if key != self._key:
            self._values = sampler.sample(grid).astype(np.uint8)
            layer = heat_layer(self._values, heat.voxel_scale)
            form = QImage.Format.Format_RGBA8888
            self._image = QImage(layer.tobytes(), grid.width, grid.height, 4 * grid.width, form).copy()
            self._image.setDevicePixelRatio(ratio)
            self._key = key
        painter.drawImage(QPointF(0.0, 0.0), self._image)

    def draw_contour(self, painter: QPainter, lines: list[QLineF], outline: Outline, faces: IntArray) -> None:
        """Draw a contour in the colours of the heat map, all segments of one colour at once."""
        if outline.heated is None:
            return
        shades: Shades = mean_shade(outline.heated.shades, outline.mesh.faces[faces])
        for shade in np.unique(shades).tolist():
            pen = QPen(QColor(*colour_of(shade)), _CONTOUR_PX)
            pen.setCapStyle(Qt.PenCapStyle.RoundCap)
            painter.setPen(pen)
            painter.drawLines([lines[number] for number in np.flatnonzero(shades == shade).tolist()])

    def words_of_voxel(self, row: int, column: int) -> str:
        """Say what the layer says of a pixel of the slice, as far as there is anything to see."""
        heat = self._stage.heat
        if heat is None or self._values is None:
            return ""
        share, scale = float(self._values[row, column]) / 255.0, heat.voxel_scale
        return "" if share < scale.seen_from else f"  {heat_words(self._stage.bridge, heat, share, scale)}"

    def words_of_contour(self, outline: Outline, middles_px: FloatArray, faces: IntArray, at: QPointF) -> str:
        """Say what the heat map says of the contour within a few px of the pointer; ``middles_px`` are those of its segments."""
        heat = self._stage.heat
        if heat is None or outline.heated is None or not len(middles_px):
            return ""
        apart = middles_px - np.array([at.x(), at.y()])
        nearest = int(np.argmin(np.einsum("ij,ij->i", apart, apart)))
        if float(np.hypot(*apart[nearest])) > GRAB_PX:
            return ""
        value = float(outline.heated.values[outline.mesh.faces[faces[nearest]]].mean())
        return f"  {heat_words(self._stage.bridge, heat, value, heat.surface_scale)}"
