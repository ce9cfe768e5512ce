"""Where a slice view looks: direction, centre and scale; px to LPS and back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from surgiplan_desktop.base.arrays import FloatArray
from surgiplan_desktop.scene.slices import SliceGrid

#: Bounds of what there is to show: lowest and highest corner, mm LPS.
Bounds = tuple[FloatArray, FloatArray]
_SMALLEST_PX: Final = 50


@dataclass(frozen=True, slots=True)
class Orientation:
    """A slice direction: its name, LPS axis it runs along, and what right and down on the screen mean in LPS."""

    name: str
    axis: int
    right: tuple[float, float, float]
    down: tuple[float, float, float]
    horizontal: str
    vertical: str


ORIENTATIONS: Final = {
    "axial": Orientation("axial", 2, (1, 0, 0), (0, 1, 0), "plane/coronal", "plane/sagittal"),
    "coronal": Orientation("coronal", 1, (1, 0, 0), (0, 0, -1), "plane/axial", "plane/sagittal"),
    "sagittal": Orientation("sagittal", 0, (0, 1, 0), (0, 0, -1), "plane/axial", "plane/coronal"),
}


class SliceFrame:
    """Centre and scale of a slice view. It shows everything at every size until something is brought into view."""

    def __init__(self, orientation: Orientation) -> None:
        self.axis = orientation.axis
        self.right: FloatArray = np.array(orientation.right, dtype=np.float64)
        self.down: FloatArray = np.array(orientation.down, dtype=np.float64)
        self.normal: FloatArray = np.eye(3)[orientation.axis]
        self.centre: FloatArray = np.zeros(3)
        self.mm_per_px = 1.0
        self.width, self.height = 1, 1
        self.fitted = False
        self._span_mm: float | None = None  # what a resize keeps in view; None: the scale stays
        self._everything = True

    def resize(self, width: int, height: int, bounds: Bounds | None) -> None:
        """Take the size of the view in px and keep in view what was."""
        self.width, self.height = width, height
        if self._everything:
            self.fit(bounds)
        elif self._span_mm is not None:
            self.mm_per_px = self._span_mm / max(min(width, height), _SMALLEST_PX)

    def fit(self, bounds: Bounds | None) -> None:
        """Show everything, now and at other sizes."""
        self._everything = True
        if bounds is None or self.width < 10:
            return
        low, high = bounds
        across, along = abs(float(self.right @ (high - low))), abs(float(self.down @ (high - low)))
        self.centre = (low + high) / 2.0
        self.mm_per_px = max(across / max(self.width - 16, 1), along / max(self.height - 16, 1), 0.02)
        self.fitted = True

    def focus_on(self, point_lps: FloatArray, span_mm: float) -> None:
        """Centre a point and show a span of mm around it."""
        self._everything, self._span_mm = False, span_mm
        self.centre = np.array(point_lps, dtype=np.float64)
        self.mm_per_px = span_mm / max(min(self.width, self.height), _SMALLEST_PX)
        self.fitted = True

    def zoom(self, factor: float, x: float, y: float) -> None:
        """Zoom in by a factor (> 1 nearer); the point under the px stays."""
        self._everything, self._span_mm = False, None
        before = self.to_lps(x, y, 0.0)
        self.mm_per_px = float(np.clip(self.mm_per_px / factor, 0.01, 10.0))
        self.centre = self.centre + before - self.to_lps(x, y, 0.0)

    def move(self, start: FloatArray, right_px: float, down_px: float) -> None:
        """Move the picture by px from where its centre was."""
        self._everything = False
        self.centre = start - self.shift(right_px, down_px)

    def shift(self, right_px: float, down_px: float) -> FloatArray:
        """Return the LPS vector of a way on the screen, mm."""
        way: FloatArray = (self.right * right_px + self.down * down_px) * self.mm_per_px
        return way

    def to_screen(self, points: FloatArray) -> FloatArray:
        """LPS points (n, 3) to px (n, 2)."""
        relative = np.atleast_2d(points) - self.centre
        middle = np.array([self.width / 2.0, self.height / 2.0])
        return np.c_[relative @ self.right, relative @ self.down] / self.mm_per_px + middle

    def to_lps(self, x: float, y: float, position: float) -> FloatArray:
        """Return the LPS point under a px of the slice at a position along its axis."""
        point = self.centre + self.shift(x - self.width / 2.0, y - self.height / 2.0)
        point[self.axis] = position
        return point

    def grid(self, ratio: float, position: float) -> SliceGrid:
        """Return the grid of screen pixels (``ratio`` of them a px) of the slice at a position."""
        first = self.to_lps(0.5 / ratio, 0.5 / ratio, position)
        step = self.mm_per_px / ratio
        return SliceGrid(first, self.right * step, self.down * step, round(self.width * ratio), round(self.height * ratio))
