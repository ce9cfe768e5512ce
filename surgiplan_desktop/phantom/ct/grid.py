"""The lattice of voxels of a simulated scan: any spacing, any orientation, and the shear of a tilted gantry."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from surgiplan_desktop.base.arrays import AnyArray, FloatArray
from surgiplan_desktop.base.spaces import Affine
from surgiplan_desktop.phantom.fields import Field
from surgiplan_desktop.phantom.meshing import sample

#: Directions of the index axes k, j, i (columns, LPS) by name of the orientation; each right-handed as (i, j, k).
ORIENTATIONS: Final[dict[str, FloatArray]] = {
    "axial": np.array([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0]]),
    "coronal": np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, -1.0, 0.0]]),
    "sagittal": np.array([[-1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]]),
}
_Span = tuple[slice, slice, slice]


@dataclass(frozen=True, slots=True, eq=False)
class Lattice:
    """Voxel centres: index (k, j, i) to LPS, mm, and how many there are along each index."""

    affine: Affine
    shape: tuple[int, int, int]

    @property
    def step(self) -> FloatArray:
        """Distance of voxel centres along k, j, i, mm."""
        return self.affine.spacing

    def slab(self, start: int, stop: int) -> Lattice:
        """Return slices ``start`` to ``stop`` as a lattice of their own."""
        moved = self.affine @ Affine.from_parts(np.eye(3), np.array([float(start), 0.0, 0.0]))
        return Lattice(moved, (stop - start, self.shape[1], self.shape[2]))

    def coordinates(self, index: tuple[FloatArray, FloatArray, FloatArray]) -> tuple[FloatArray, FloatArray, FloatArray]:
        """LPS coordinates x, y, z at the product of three index ranges, each an array that broadcasts to (k, j, i)."""
        k, j, i = (part.reshape(shape) for part, shape in zip(index, ((-1, 1, 1), (1, -1, 1), (1, 1, -1)), strict=True))
        result = []
        for row in range(3):
            value: FloatArray = np.full((1, 1, 1), self.affine.translation[row])
            for factor, part in zip(self.affine.linear[row], (k, j, i), strict=True):
                # an axis along which a coordinate does not change stays of length one: three times less to compute
                value = value + factor * part if factor != 0.0 else value
            result.append(value)
        return result[0], result[1], result[2]

    def box(self, lowest: FloatArray, highest: FloatArray, margin_mm: float) -> _Span | None:
        """Return the index ranges that hold an LPS box and a margin around it, or None where the lattice does not reach it."""
        ends = np.stack([lowest - margin_mm, highest + margin_mm])
        corners = np.array([[ends[a, 0], ends[b, 1], ends[c, 2]] for a in (0, 1) for b in (0, 1) for c in (0, 1)])
        index = self.affine.inverse()(corners)
        first = np.maximum(np.floor(index.min(axis=0)), 0).astype(int)
        last = np.minimum(np.ceil(index.max(axis=0)) + 1, self.shape).astype(int)
        if (last <= first).any():
            return None
        k, j, i = (slice(int(a), int(b)) for a, b in zip(first, last, strict=True))
        return k, j, i

    def distances(self, field: Field, span: _Span, margin_mm: float) -> AnyArray:
        """Evaluate a field of LPS points at the voxel centres of ``span``; float32, exact only within ``margin_mm`` of zero."""
        step = self.step
        start = np.array([part.start for part in span]) * step
        end = np.array([part.stop - 1 for part in span]) * step
        # Bricks are judged by half their diagonal, which a sheared or oblique lattice stretches by at most a quarter.
        return sample(_OfIndex(field, self.affine, step), start, end, step, margin_mm + 1.5 * float(step.max())).values


@dataclass(frozen=True, slots=True, eq=False)
class _OfIndex:
    """A field of LPS points as a field of index coordinates in mm (index times step)."""

    field: Field
    affine: Affine
    step: FloatArray

    def __call__(self, points: AnyArray) -> AnyArray:
        """Evaluate at index coordinates (k, j, i) in mm."""
        linear = (self.affine.linear / self.step).astype(points.dtype)
        return self.field(points @ linear.T + self.affine.translation.astype(points.dtype))


def lattice_over(
    lowest: FloatArray, highest: FloatArray, step: tuple[float, float, float], directions: FloatArray, tilt_deg: float
) -> Lattice:
    """Return the lattice that covers an LPS box.

    Parameters
    ----------
    step
        Distance of voxel centres along k, j, i, mm; along k it is the step of the table.
    directions
        Unit directions of k, j, i as columns, LPS.
    tilt_deg
        Turn of the slice planes about the rows against the step of the table, as ``Gantry/Detector Tilt`` counts it: with a
        positive angle the columns run posterior and inferior. The lattice is then sheared, as a tilted gantry makes it.
    """
    tilt = np.radians(tilt_deg)
    along, down = directions[:, 0], directions[:, 1]
    linear = np.column_stack([along, np.cos(tilt) * down - np.sin(tilt) * along, directions[:, 2]]) * np.asarray(step)
    ends = np.stack([lowest, highest])
    corners = np.array([[ends[a, 0], ends[b, 1], ends[c, 2]] for a in (0, 1) for b in (0, 1) for c in (0, 1)])
    index = corners @ np.linalg.inv(linear).T
    first = index.min(axis=0)
    counts = np.ceil(index.max(axis=0) - first - 1e-6).astype(int) + 1
    origin = linear @ first
    return Lattice(Affine.from_parts(linear, origin), (int(counts[0]), int(counts[1]), int(counts[2])))
