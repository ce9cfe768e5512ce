"""A label map as a network gives it: right in the whole, its outlines a millimetre or two beside the bones, in coarse steps."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from surgiplan_desktop.base.arrays import frozen
from surgiplan_desktop.model.images import LabelMap

#: Hills of the displacement are about so wide, mm.
_WIDE_MM: Final = 12.0


def shaken(labels: LabelMap, size_mm: float, *, seed: int, step_mm: float = 1.5) -> LabelMap:
    """Move the outlines of a label map smoothly, draw them on a coarse grid, and take that back to the grid of the map.

    Parameters
    ----------
    labels
        The map, (k, j, i).
    size_mm
        Root mean square length of the displacement, mm; across an outline it is about 0.6 of that.
    seed
        Same seed, same displacement.
    step_mm
        Voxel edge of the coarse grid.

    Returns
    -------
    LabelMap
        On the same grid, with the same codes: at each voxel the code with the largest interpolated share.
    """
    random = np.random.default_rng([seed, 71])
    shape, spacing = np.array(labels.shape), labels.affine.spacing
    counts = np.maximum(2, np.ceil(shape * spacing / step_mm)).astype(int)
    places = []
    for axis in range(3):
        hills = ndimage.gaussian_filter(random.standard_normal(counts).astype(np.float32), 0.5 * _WIDE_MM / step_mm)
        middles = (np.arange(counts[axis]) + 0.5) * step_mm / spacing[axis] - 0.5
        middles = middles.reshape([-1 if other == axis else 1 for other in range(3)])
        places.append(middles + hills / hills.std() * (size_mm / np.sqrt(3.0) / spacing[axis]))
    coarse = ndimage.map_coordinates(labels.array, np.stack(places), order=0, mode="nearest")
    best = np.zeros(labels.shape, dtype=np.uint16)
    most = np.zeros(labels.shape, dtype=np.float32)
    for code in np.unique(coarse):
        share = _on_grid((coarse == code).astype(np.float32), labels.shape, spacing / step_mm)
        larger = share > most
        best[larger], most[larger] = code, share[larger]
    return LabelMap(frozen(best), labels.affine)


def _on_grid(values: NDArray[np.float32], shape: tuple[int, int, int], scale: NDArray[np.float64]) -> NDArray[np.float32]:
    """Interpolate linearly, axis by axis; the first voxels of both grids begin at the same face."""
    result = values
    for axis in range(3):
        place = np.clip((np.arange(shape[axis]) + 0.5) * scale[axis] - 0.5, 0.0, result.shape[axis] - 1.0)
        low = np.minimum(place.astype(int), max(result.shape[axis] - 2, 0))
        high = np.minimum(low + 1, result.shape[axis] - 1)
        part = (place - low).astype(np.float32).reshape([-1 if other == axis else 1 for other in range(3)])
        result = result.take(low, axis) * (1.0 - part) + result.take(high, axis) * part
    return result
