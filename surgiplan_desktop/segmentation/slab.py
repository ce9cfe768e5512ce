"""Sums of blended tiles over one tile's depth: finished planes are given away and the sums roll on to the next level."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from surgiplan_desktop.segmentation.inference.engine import Float32Array
from surgiplan_desktop.segmentation.tile_grid import Index3, TileGrid

#: Finished planes are given away in pieces of about this size.
BLOCK_BYTES: Final = 32 << 20


@dataclass(frozen=True, slots=True)
class Block:
    """A finished piece of the volume from (k, j) on, over all i.

    ``mean`` (classes, k, j, i) are blended logits or probabilities, 0 where no tile was; ``of_all_passes`` the same with the
    passes that run for uncertainty alone; ``seen`` (k, j, i) tells where a tile was; ``expected_entropy`` (k, j, i) is the mean
    entropy of all passes in nats, None unless asked for.
    """

    k: int
    j: int
    mean: Float32Array
    of_all_passes: Float32Array
    seen: NDArray[np.bool_]
    expected_entropy: Float32Array | None


class Slab:
    """Sums of one strip over the tile's depth, from the plane ``low_k`` on (may lie before the volume).

    Answers have ``classes`` channels, or twice as many: then the second half is the mean of all passes.
    """

    def __init__(self, grid: TileGrid, classes: int, channels: int, low: int, high: int, *, uncertainty: bool) -> None:
        self._classes = classes
        self._grid = grid
        self._low, self._high = low, high
        size = (grid.tile[0], high - low, grid.shape[2])
        self._sums = np.zeros((channels, *size), dtype=np.float32)
        self._weights = np.zeros(size, dtype=np.float32)
        self._entropy = np.zeros(size, dtype=np.float32) if uncertainty else None
        self._low_k: int | None = None

    def add(self, start: Index3, answer: Float32Array, entropy: Float32Array | None, weights: Float32Array) -> None:
        """Add a tile of the current level."""
        if self._low_k is None:
            self._low_k = start[0]
        into, out = [slice(None)], [slice(None)]
        for axis, (low, high) in ((1, (self._low, self._high)), (2, (0, self._grid.shape[2]))):
            first, last = max(start[axis], low), min(start[axis] + self._grid.tile[axis], high)
            into.append(slice(first - low, last - low))
            out.append(slice(first - start[axis], last - start[axis]))
        place, part = tuple(into), tuple(out)
        weight = weights[part]
        for sums, values in zip(self._sums, answer, strict=True):
            sums[place] += weight * values[part]
        self._weights[place] += weight
        if self._entropy is not None and entropy is not None:
            self._entropy[place] += weight * entropy[part]

    def finished_before(self, k: int) -> Iterator[Block]:
        """Give the planes below ``k`` away and roll on to it."""
        if self._low_k is None or k <= self._low_k:
            return
        depth = self._grid.tile[0]
        number = min(k - self._low_k, depth)
        first, last = max(0, -self._low_k), min(number, self._grid.shape[0] - self._low_k)
        step = max(1, BLOCK_BYTES // (self._sums[:, 0].nbytes))
        for plane in range(first, last, step):
            yield self._block(plane, min(plane + step, last))
        for sums in (*self._sums, self._weights, *(() if self._entropy is None else (self._entropy,))):
            # plane by plane: a shift of the whole would copy it
            for plane in range(depth - number):
                sums[plane] = sums[plane + number]
            sums[depth - number :] = 0.0
        self._low_k = k

    def _block(self, first: int, last: int) -> Block:
        weights = self._weights[first:last]
        seen = weights > 0.0
        scale = np.zeros_like(weights)
        np.divide(1.0, weights, out=scale, where=seen)
        entropy = None if self._entropy is None else self._entropy[first:last] * scale
        mean = self._sums[:, first:last] * scale
        said, every = mean[: self._classes], mean[-self._classes :]
        return Block(int(self._low_k or 0) + first, self._low, said, every, seen, entropy)
