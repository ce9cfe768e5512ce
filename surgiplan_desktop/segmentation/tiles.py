"""Tiled inference in bounded memory: tiles are blended in a slab that rolls along k; never are all classes of a volume held.

All tiles of one level (the same first k) are added to the slab; what no later level touches is finished and given away. Where
even one slab over the whole (j, i) plane would be too large (117 classes), the volume is swept in strips along j; tiles that
straddle two strips run twice. Every voxel gets its tiles in the same order either way: the result does not depend on the strips.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np

from surgiplan_desktop.base.errors import ComputationError
from surgiplan_desktop.base.memory import available_bytes
from surgiplan_desktop.base.progress import SILENT, Progress
from surgiplan_desktop.segmentation.blending import Blending, softmax_in_place
from surgiplan_desktop.segmentation.inference.engine import Float32Array
from surgiplan_desktop.segmentation.slab import BLOCK_BYTES, Block, Slab
from surgiplan_desktop.segmentation.tile_grid import Index3, TileGrid, tile_weights

#: Share of the free memory that inference may take when no limit is given, and the limit where the system does not tell.
FREE_SHARE: Final = 0.8
UNKNOWN_LIMIT: Final = 4 << 30
#: With outputs up to this size the next tile runs while the last one is blended.
_AHEAD_BYTES: Final = 64 << 20
#: How often a run in progress is asked whether it shall go on.
_POLL_S: Final = 0.05
_MIB: Final = 1 << 20


class Network(Protocol):
    """What runs a tile: a session or :class:`surgiplan_desktop.segmentation.inference.choose.Runner`."""

    def run(self, tile: Float32Array) -> Float32Array:
        """Give logits (1, classes, k, j, i) for an input (1, c, k, j, i)."""

    def cancel(self) -> None:
        """End the run in progress, from another thread."""


@dataclass(frozen=True, slots=True)
class MemoryPlan:
    """Height of the strips along j in voxels, tiles to run (some twice with several strips), and the peak that is expected."""

    strip: int
    tile_runs: int
    peak_bytes: int


def memory_limit() -> int:
    """Bytes that inference may take when nobody says: a share of what is free now."""
    free = available_bytes()
    return UNKNOWN_LIMIT if free is None else int(FREE_SHARE * free)


def plan_memory(
    grid: TileGrid,
    *,
    channels: int,
    classes: int,
    blending: Blending,
    run_bytes: int,
    members: int = 1,
    limit_bytes: int | None = None,
) -> MemoryPlan:
    """Find the highest strips whose peak stays within the limit, before anything is computed.

    Parameters
    ----------
    channels, classes
        Channels in and out of the network.
    run_bytes
        What all loaded networks take for one tile
        (:func:`surgiplan_desktop.segmentation.inference.footprint.run_bytes`).
    members
        Networks whose answers are averaged.
    limit_bytes
        Bytes above which is refused; default :func:`memory_limit`.

    Raises
    ------
    ComputationError
        ``tiles_memory`` with what would be needed at least and the limit, in MiB.
    """
    limit = memory_limit() if limit_bytes is None else limit_bytes
    fixed = run_bytes + _fixed_bytes(grid, channels, classes, blending, members)
    _, height, width = grid.shape
    row = 4 * (classes * _kinds(blending) + 2) * min(grid.tile[0], grid.shape[0]) * width
    # lower strips would run every tile more than three times
    lowest = min(height, max(1, grid.tile[1] // 2))
    strip = min(height, max(0, (limit - fixed) // row))
    if strip < lowest:
        need = math.ceil((fixed + lowest * row) / _MIB)
        raise ComputationError("tiles_memory", need_mib=need, limit_mib=limit // _MIB, classes=classes)
    # strips of about equal height
    strip = math.ceil(height / math.ceil(height / strip))
    runs = sum(len(_in_strip(grid, low, high)) for low, high in _strips(grid, strip))
    return MemoryPlan(strip, runs, fixed + strip * row)


def _fixed_bytes(grid: TileGrid, channels: int, classes: int, blending: Blending, members: int) -> int:
    voxels = math.prod(grid.tile)
    output = 4 * classes * voxels
    waiting = 2 if output <= _AHEAD_BYTES else 1
    # a lone answer is blended as it is; several are summed, and a softmax is made, in arrays of their own
    alone = blending.what == "logits" and not blending.uncertainty and members * len(blending.mirrors) == 1
    passes = 0 if alone else 1 + _kinds(blending)
    result = math.prod(grid.shape) * (3 if blending.uncertainty else 1)
    return 8 * channels * voxels + output * (waiting + passes) + 16 * voxels + result + 3 * BLOCK_BYTES


def _kinds(blending: Blending) -> int:
    """Means that are kept: that of the passes that say what is there, and that of all passes where there are more."""
    return 2 if blending.uncertainty and blending.further_mirrors else 1


def _strips(grid: TileGrid, strip: int) -> list[tuple[int, int]]:
    height = grid.shape[1]
    return [(low, min(low + strip, height)) for low in range(0, height, strip)]


def _in_strip(grid: TileGrid, low: int, high: int) -> list[Index3]:
    return [start for start in grid.starts if start[1] < high and start[1] + grid.tile[1] > low]


def run_tiles(
    networks: Sequence[Network],
    read: Callable[[Index3], Float32Array],
    grid: TileGrid,
    classes: int,
    plan: MemoryPlan,
    blending: Blending,
    *,
    progress: Progress = SILENT,
    text_id: str = "inference",
) -> Iterator[Block]:
    """Run every network on every tile and give finished blocks, strip by strip, each strip from low to high k.

    Parameters
    ----------
    networks
        Members; their answers are averaged.
    read
        Gives the input (c, k, j, i) of the tile at a start; called on the thread of inference.
    progress
        Stepped per tile and, while one runs, every 0.05 s: a cancel ends the run in progress.

    Raises
    ------
    ComputationError
        ``tiles_shape`` where a network's answer has not the tile's shape and ``classes`` channels, ``tiles_not_finite`` where it
        holds NaN or infinity; what the networks raise.
    """
    weights = tile_weights(grid.tile)
    passes = _Passes(tuple(networks), read, (classes, *grid.tile), blending)
    done = 0
    with ThreadPoolExecutor(1, thread_name_prefix="inference") as pool:
        for low, high in _strips(grid, plan.strip):
            slab = Slab(grid, classes, classes * _kinds(blending), low, high, uncertainty=blending.uncertainty)
            for start, (answer, entropy) in _answers(pool, passes, _in_strip(grid, low, high), done, plan, progress, text_id):
                yield from slab.finished_before(start[0])
                slab.add(start, answer, entropy, weights)
                done += 1
            yield from slab.finished_before(grid.shape[0])


@dataclass(frozen=True, slots=True)
class _Passes:
    """All passes of one tile, averaged."""

    networks: tuple[Network, ...]
    read: Callable[[Index3], Float32Array]
    expected: tuple[int, ...]
    blending: Blending

    def run(self, start: Index3) -> tuple[Float32Array, Float32Array | None]:
        """Return the mean answer (classes, k, j, i), with further passes that of all passes below it, and the mean entropy."""
        tile = self.read(start)[None]
        said, spread = self._mean(tile, self.blending.mirrors)
        if _kinds(self.blending) == 1:
            return said, spread
        further = self.blending.further_mirrors
        more, wider = self._mean(tile, further)
        share = np.float32(len(further) / (len(self.blending.mirrors) + len(further)))
        every = said + share * (more - said)
        if spread is not None and wider is not None:
            spread += share * (wider - spread)
        return np.concatenate([said, every]), spread

    def _mean(self, tile: Float32Array, mirrors: Sequence[tuple[int, ...]]) -> tuple[Float32Array, Float32Array | None]:
        """Return the mean answer of all members over some mirrors, and the mean of their entropies."""
        passes = [(network, axes) for network in self.networks for axes in mirrors]
        mean: Float32Array | None = None
        entropy: Float32Array | None = None
        for network, axes in passes:
            answer, spread = self._one(network, tile, tuple(axis + 2 for axis in axes))
            if mean is None:
                mean, entropy = answer, spread
            else:
                mean += answer
                if entropy is not None and spread is not None:
                    entropy += spread
        if mean is None:
            raise ComputationError("tiles_shape", got="-", expected=_words(self.expected))
        if len(passes) > 1:
            mean /= np.float32(len(passes))
            if entropy is not None:
                entropy /= np.float32(len(passes))
        return mean, entropy

    def _one(self, network: Network, tile: Float32Array, axes: tuple[int, ...]) -> tuple[Float32Array, Float32Array | None]:
        flipped = np.ascontiguousarray(np.flip(tile, axes)) if axes else tile
        answer = network.run(flipped)
        if answer.shape != (1, *self.expected):
            raise ComputationError("tiles_shape", got=_words(answer.shape), expected=_words((1, *self.expected)))
        logits = (np.flip(answer, axes) if axes else answer)[0]
        if not np.isfinite(logits.sum(dtype=np.float64)):
            raise ComputationError("tiles_not_finite")
        blending = self.blending
        if blending.what == "logits":
            entropy = softmax_in_place(logits / np.float32(blending.temperature)) if blending.uncertainty else None
            # the answer is the caller's own, unless several are to be summed in it
            alone = len(self.networks) == 1 and not axes and len(blending.mirrors) == 1
            return logits if alone else np.array(logits), entropy
        shares = logits / np.float32(blending.temperature)
        entropy = softmax_in_place(shares)
        return shares, entropy if blending.uncertainty else None


def _words(shape: Sequence[int]) -> str:
    return " x ".join(map(str, shape))


_Answer = tuple[Float32Array, Float32Array | None]


def _answers(
    pool: ThreadPoolExecutor,
    passes: _Passes,
    starts: Sequence[Index3],
    done: int,
    plan: MemoryPlan,
    progress: Progress,
    text_id: str,
) -> Iterator[tuple[Index3, _Answer]]:
    """Give the answers tile by tile in order; the next tile runs already where memory allows."""
    ahead = 1 if 4 * math.prod(passes.expected) <= _AHEAD_BYTES else 0
    waiting: list[Future[_Answer]] = []
    try:
        for number, start in enumerate(starts):
            while len(waiting) <= ahead and number + len(waiting) < len(starts):
                waiting.append(pool.submit(passes.run, starts[number + len(waiting)]))
            while not waiting[0].done():
                progress.step(done + number, plan.tile_runs, text_id)
                wait(waiting[:1], timeout=_POLL_S)
            yield start, waiting.pop(0).result()
            progress.step(done + number + 1, plan.tile_runs, text_id)
    finally:
        for future in waiting:
            future.cancel()
        while not all(future.done() for future in waiting):
            # again until it holds: a run may begin between a look and the call
            for network in passes.networks:
                network.cancel()
            wait(waiting, timeout=_POLL_S)
