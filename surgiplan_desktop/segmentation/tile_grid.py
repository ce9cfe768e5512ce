"""Where the tiles of a volume lie, how they weigh, and how one is cut out. Indices are (k, j, i) of the network's own grid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from surgiplan_desktop.base.arrays import BoolArray
from surgiplan_desktop.segmentation.inference.engine import Float32Array

Index3 = tuple[int, int, int]
#: ``even``: tiles spread evenly over an axis, as nnU-Net lays them; ``steps``: at whole steps from its first voxel, the last one
#: moved in, as MONAI does.
Spread = Literal["even", "steps"]
_Kind = TypeVar("_Kind", bound=np.generic)

#: Standard deviation of the weights as a share of the tile's edge (nnU-Net, Isensee 2021).
_SIGMA_SHARE: Final = 0.125


@dataclass(frozen=True, slots=True)
class TileGrid:
    """Tiles of a volume: its shape, the tile's, and the first index of each tile in the order (k, j, i).

    A start is negative where the volume is smaller than the tile: what lies outside is filled.
    """

    shape: Index3
    tile: Index3
    starts: tuple[Index3, ...]


def plan_tiles(
    shape: Sequence[int], tile: Sequence[int], *, overlap: float = 0.5, spread: Spread = "even", mask: BoolArray | None = None
) -> TileGrid:
    """Lay tiles over a volume.

    Parameters
    ----------
    shape, tile
        Sizes (k, j, i) in voxels.
    overlap
        Least share of the tile's edge that neighbours have in common, 0 to below 1.
    spread
        How they lie along an axis.
    mask
        Voxels (of ``shape``) that matter; a tile without one is left out. A voxel that matters gets all of its tiles, so its
        result does not depend on the mask.
    """
    sizes, edges = _index3(shape), _index3(tile)
    axes = [_starts(size, edge, overlap, spread) for size, edge in zip(sizes, edges, strict=True)]
    starts = [(k, j, i) for k in axes[0] for j in axes[1] for i in axes[2]]
    if mask is not None:
        starts = [start for start in starts if mask[_inside(start, edges)].any()]
    return TileGrid(sizes, edges, tuple(starts))


def _index3(values: Sequence[int]) -> Index3:
    k, j, i = (int(value) for value in values)
    return k, j, i


def _starts(size: int, edge: int, overlap: float, spread: Spread) -> list[int]:
    """Starts along an axis; one centred tile where the volume is no larger."""
    if size <= edge:
        return [-((edge - size) // 2)]
    if spread == "steps":
        step = max(1, int(edge * (1.0 - overlap)))
        return [*range(0, size - edge, step), size - edge]
    number = int(np.ceil((size - edge) / (edge * (1.0 - overlap)))) + 1
    # tiles of few voxels (one slice of a 2D network) would fall on the same start twice
    return sorted({int(value) for value in np.round(np.linspace(0.0, size - edge, number))})


def _inside(start: Index3, tile: Index3) -> tuple[slice, slice, slice]:
    k, j, i = (slice(max(0, first), max(0, first + edge)) for first, edge in zip(start, tile, strict=True))
    return k, j, i


def tile_weights(tile: Sequence[int]) -> Float32Array:
    """Return the weight of each voxel of a tile: a Gaussian round its middle, 1 at most, nowhere 0."""
    parts = []
    for edge in tile:
        middle = np.zeros(edge)
        middle[edge // 2] = 1.0
        parts.append(gaussian_filter1d(middle, edge * _SIGMA_SHARE, mode="constant"))
    weights = parts[0][:, None, None] * parts[1][None, :, None] * parts[2][None, None, :]
    weights /= weights.max()
    result: Float32Array = np.maximum(weights, weights[weights > 0.0].min()).astype(np.float32)
    return result


def cut_tile(volume: NDArray[_Kind], start: Index3, tile: Index3, fill: float) -> NDArray[_Kind]:
    """Return the tile (c, k, j, i) of a volume (c, k, j, i) in its type; voxels outside the volume are ``fill``."""
    found = volume[(slice(None), *_inside(start, tile))]
    if found.shape[1:] == tile:
        return np.ascontiguousarray(found)
    result = np.full((volume.shape[0], *tile), fill, dtype=volume.dtype)
    place = tuple(slice(max(0, -first), max(0, -first) + size) for first, size in zip(start, found.shape[1:], strict=True))
    result[(slice(None), *place)] = found
    return result
