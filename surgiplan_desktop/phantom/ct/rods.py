"""Flat rods: tubes of elliptic section along a polyline, the shape of tendons, vessels, plates and screws."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from surgiplan_desktop.base.arrays import FloatArray
from surgiplan_desktop.phantom.ct.grid import Lattice

Span = tuple[slice, slice, slice]


@dataclass(frozen=True, slots=True, eq=False)
class Rod:
    """Attributes: the path (n, 3) in LPS, half width along ``across`` and half thickness, mm; ends are round."""

    path: FloatArray
    half_width: float
    half_depth: float
    across: FloatArray

    def mirrored(self) -> Rod:
        """Return the rod seen in the patient's midplane x = 0."""
        flip = np.array([-1.0, 1.0, 1.0])
        return Rod(self.path * flip, self.half_width, self.half_depth, self.across * flip)

    def distances(self, lattice: Lattice, margin_mm: float) -> Iterator[tuple[Span, NDArray[np.float32]]]:
        """Give, for each piece of the path near a lattice, its part of it and the signed distance there (mm, to first order)."""
        reach = max(self.half_width, self.half_depth) + margin_mm
        for start, end in zip(self.path[:-1], self.path[1:], strict=True):
            span = lattice.box(np.minimum(start, end), np.maximum(start, end), reach)
            if span is None:
                continue
            k, j, i = (np.arange(part.start, part.stop, dtype=np.float64) for part in span)
            offset = [part - at for part, at in zip(lattice.coordinates((k, j, i)), start, strict=True)]
            length = float(np.linalg.norm(end - start))
            axis = (end - start) / length
            wide = self.across - (self.across @ axis) * axis
            wide /= np.linalg.norm(wide)
            directions = (axis, wide, np.cross(axis, wide))
            along, a, b = (sum(part * float(unit[n]) for n, part in enumerate(offset)) for unit in directions)
            past = np.maximum(np.maximum(-along, along - length), 0.0)
            q = np.sqrt((a / self.half_width) ** 2 + (b / self.half_depth) ** 2 + (past / self.half_depth) ** 2)
            yield span, ((q - 1.0) * self.half_depth).astype(np.float32)
