"""What a network sees: Hounsfield values normalised as its pack says, and the names that an earlier network gave as channels."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from surgiplan_desktop.base.arrays import AnyArray
from surgiplan_desktop.segmentation.inference.engine import Float32Array
from surgiplan_desktop.segmentation.packs import Normalisation
from surgiplan_desktop.segmentation.tile_grid import Index3, TileGrid, cut_tile


def normalised(values: AnyArray, how: Normalisation) -> Float32Array:
    """Return an image (k, j, i) of Hounsfield values as a network sees it, float32.

    An image without spread becomes 0 where the pack normalises by the image.
    """
    result: Float32Array = values.astype(np.float32)
    if how.clip is not None:
        np.clip(result, *how.clip, out=result)
    if how.kind == "fixed":
        result -= np.float32(how.subtract)
        result /= np.float32(how.divide)
        return result
    if how.kind == "range":
        low, high = float(result.min()), float(result.max())
        result -= np.float32(low)
        return result / np.float32(high - low) if high > low else result
    part = ndimage.binary_fill_holes(values != 0) if how.kind == "nonzero" else np.ones(result.shape, dtype=np.bool_)
    if not part.any():
        return result
    mean, spread = result.mean(dtype=np.float64, where=part), result.std(dtype=np.float64, where=part)
    np.subtract(result, np.float32(mean), out=result, where=part)
    if spread > 0.0:
        np.divide(result, np.float32(spread), out=result, where=part)
    return result


def tile_reader(
    image: Float32Array, grid: TileGrid, outside: float, *, guide: NDArray[np.uint8] | None = None, labels: int = 0
) -> Callable[[Index3], Float32Array]:
    """Return what gives the input (c, k, j, i) of the tile at a start.

    Parameters
    ----------
    image
        Normalised image (k, j, i).
    outside
        Value of voxels outside the image.
    guide
        Classes (k, j, i) by an earlier network, on this image's grid; channel ``n`` is 1 where they are ``n``, for n from 1
        to ``labels``, and 0 elsewhere and outside.
    """

    def read(start: Index3) -> Float32Array:
        cut = cut_tile(image[None], start, grid.tile, outside)
        if guide is None:
            return cut
        names = cut_tile(guide[None], start, grid.tile, 0.0)
        channels = np.arange(1, labels + 1, dtype=np.uint8)[:, None, None, None]
        return np.concatenate([cut, (names == channels).astype(np.float32)])

    return read
