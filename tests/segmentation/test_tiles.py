"""Tiles: blended as a plain mean over all tiles says, whatever the slab; bounded in memory; cancelled inside a run."""

from __future__ import annotations

import threading
import time
import tracemalloc
from collections.abc import Callable
from typing import Literal

import numpy as np
import pytest
from scipy.special import entr, softmax

from surgiplan_desktop.base.errors import ComputationError
from surgiplan_desktop.base.progress import Cancelled
from surgiplan_desktop.segmentation.blending import Blending, TileResult, label_volume
from surgiplan_desktop.segmentation.tile_grid import TileGrid, cut_tile, plan_tiles, tile_weights
from surgiplan_desktop.segmentation.tiles import MemoryPlan, memory_limit, plan_memory, run_tiles

SHAPE, TILE, CLASSES = (23, 19, 17), (8, 8, 6), 5


class Toy:
    """A network as a function of the tile that also knows where in the tile a voxel lies, so that tiles disagree."""

    def __init__(self, classes: int = CLASSES, seed: int = 0, act: Callable[[], None] = lambda: None) -> None:
        self.classes, self.act, self.runs = classes, act, 0
        self.mix = np.random.default_rng(seed).normal(size=(classes, 2)).astype(np.float32)
        self.stopped = threading.Event()

    def run(self, tile: np.ndarray) -> np.ndarray:
        self.runs += 1
        self.act()
        place = np.linspace(-1.0, 1.0, tile.shape[-1], dtype=np.float32)
        both = np.stack([tile[0, 0], tile[0, 0] * place])
        return np.einsum("cn,nkji->ckji", self.mix, both)[None]

    def cancel(self) -> None:
        self.stopped.set()


def image(shape: tuple[int, ...] = SHAPE) -> np.ndarray:
    return np.random.default_rng(1).normal(size=(1, *shape)).astype(np.float32)


def result(
    grid: TileGrid, blending: Blending, networks: list[Toy], *, strip: int | None = None, fill: float = 0.0
) -> tuple[TileResult, np.ndarray]:
    """Labels, and the mean over the whole volume put together from the blocks."""
    source = image(grid.shape)
    classes = networks[0].classes
    plan = MemoryPlan(strip or grid.shape[1], len(grid.starts), 0)
    blocks = list(run_tiles(networks, lambda start: cut_tile(source, start, grid.tile, fill), grid, classes, plan, blending))
    whole = np.zeros((classes, *grid.shape), dtype=np.float32)
    for block in blocks:
        _, depth, height, _ = block.mean.shape
        whole[:, block.k : block.k + depth, block.j : block.j + height] = block.mean
    return label_volume(iter(blocks), grid, classes, blending), whole


def plain_mean(grid: TileGrid, networks: list[Toy], of: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """The definition: for each voxel the weighted mean over all tiles and passes, in double precision."""
    source = image(grid.shape)
    weights = tile_weights(grid.tile).astype(float)
    total, weight = 0.0, np.zeros(grid.shape)
    for start in grid.starts:
        box = tuple(slice(first, first + edge) for first, edge in zip(start, grid.tile, strict=True))
        answer = np.mean([of(net.run(source[(slice(None), *box)][None])[0].astype(float)) for net in networks], axis=0)
        if np.isscalar(total):
            total = np.zeros((*answer.shape[:-3], *grid.shape))
        total[(..., *box)] += weights * answer
        weight[box] += weights
    return total / weight


def test_logits_are_the_weighted_mean_over_all_tiles() -> None:
    grid = plan_tiles(SHAPE, TILE, overlap=0.5)
    labels, whole = result(grid, Blending(), [Toy()])
    truth = plain_mean(grid, [Toy()], lambda logits: logits)
    assert np.abs(whole - truth).max() < 1e-5
    assert (labels.classes == truth.argmax(axis=0)).mean() > 0.999
    assert labels.entropy is None


@pytest.mark.parametrize("strip", [3, 5, 18])
def test_strips_change_nothing(strip: int) -> None:
    grid = plan_tiles(SHAPE, TILE, overlap=0.6)
    blending = Blending("probabilities", 1.3, uncertainty=True)
    one, whole = result(grid, blending, [Toy(), Toy(seed=5)])
    other, parts = result(grid, blending, [Toy(), Toy(seed=5)], strip=strip)
    assert np.array_equal(whole, parts)
    assert np.array_equal(one.classes, other.classes)
    assert np.array_equal(one.mutual_information, other.mutual_information)


def test_tiles_at_whole_steps_lie_where_monai_lays_them() -> None:
    # monai.data.utils.dense_patch_slices((108, 64, 20), (64, 64, 8), (32, 32, 4)): the last tile ends with the volume
    grid = plan_tiles((108, 64, 20), (64, 64, 8), overlap=0.5, spread="steps")
    assert grid.starts == tuple((k, 0, i) for k in (0, 32, 44) for i in (0, 4, 8, 12))
    assert {start[0] for start in plan_tiles((96, 9, 9), (64, 9, 9), spread="steps").starts} == {0, 32}
    assert plan_tiles((5, 9, 9), (1, 9, 9), spread="steps").starts == tuple((k, 0, 0) for k in range(5))
    assert plan_tiles((20, 9, 9), (64, 9, 9), spread="steps").starts == ((-22, 0, 0),)


def test_entropy_and_mutual_information_by_their_definition() -> None:
    members = [Toy(), Toy(seed=2), Toy(seed=3)]
    grid = plan_tiles(SHAPE, TILE)
    found, whole = result(grid, Blending("probabilities", 2.0, uncertainty=True), members)
    mean = plain_mean(grid, members, lambda logits: softmax(logits / 2.0, axis=0))
    expected = plain_mean(grid, members, lambda logits: entr(softmax(logits / 2.0, axis=0)).sum(axis=0))
    assert np.abs(whole - mean).max() < 1e-5
    total = entr(mean).sum(axis=0)
    assert found.entropy is not None
    assert found.mutual_information is not None
    assert np.abs(found.entropy / 255.0 - total / np.log(CLASSES)).max() < 0.5 / 255.0 + 1e-4
    assert np.abs(found.mutual_information / 255.0 - (total - expected) / np.log(CLASSES)).max() < 0.5 / 255.0 + 1e-4
    assert (total - expected).min() > -1e-9
    assert found.mutual_information.max() > 20


def test_a_mirrored_pass_comes_back_as_it_was() -> None:
    class Lop(Toy):
        def run(self, tile: np.ndarray) -> np.ndarray:
            return np.concatenate([tile, np.roll(tile, 1, axis=4)], axis=1)

    grid = plan_tiles((8, 8, 6), TILE)
    _, whole = result(grid, Blending(mirrors=((), (2,))), [Lop(classes=2)])
    source = image((8, 8, 6))
    assert np.allclose(whole[0], source[0], atol=1e-6)
    assert np.allclose(whole[1], (np.roll(source[0], 1, axis=2) + np.roll(source[0], -1, axis=2)) / 2, atol=1e-6)


class Lopsided(Toy):
    """A network that answers otherwise when its tile is mirrored, so that passes differ."""

    def run(self, tile: np.ndarray) -> np.ndarray:
        return super().run(tile * np.linspace(0.5, 2.0, tile.shape[-1], dtype=np.float32))


@pytest.mark.parametrize("what", ["logits", "probabilities"])
def test_passes_for_uncertainty_alone_have_no_say_in_the_labels(what: Literal["logits", "probabilities"]) -> None:
    grid, members = plan_tiles(SHAPE, TILE, overlap=0.5), [Lopsided(), Lopsided(seed=4)]
    blending = Blending(what, 1.3, further_mirrors=((2,), (0,)))
    plain, mean = result(grid, blending.asked(uncertainty=False), members)
    found, again = result(grid, blending.asked(uncertainty=True), members)
    assert np.array_equal(plain.classes, found.classes)
    assert np.array_equal(mean, again)
    every, whole = result(grid, Blending(what, 1.3, uncertainty=True, mirrors=((), (2,), (0,))), members)
    assert np.abs(whole - mean).max() > 0.01
    assert (every.classes != plain.classes).any()
    for one, other in ((found.entropy, every.entropy), (found.mutual_information, every.mutual_information)):
        assert one is not None
        assert other is not None
        assert np.abs(one.astype(int) - other).max() <= 1


def test_a_volume_smaller_than_the_tile_is_filled() -> None:
    grid = plan_tiles((3, 19, 2), TILE)
    assert {start[0] for start in grid.starts} == {-2}
    assert {start[2] for start in grid.starts} == {-2}
    seen = []

    class Watch(Toy):
        def run(self, tile: np.ndarray) -> np.ndarray:
            seen.append(tile)
            return super().run(tile)

    labels, whole = result(grid, Blending(), [Watch()], fill=-7.0)
    assert labels.classes.shape == whole.shape[1:] == (3, 19, 2)
    assert all(tile.shape == (1, 1, *TILE) and (tile == -7.0).sum() == 8 * 8 * 6 - 3 * 8 * 2 for tile in seen)


def test_the_mask_skips_tiles_and_leaves_its_voxels_as_they_were() -> None:
    mask = np.zeros(SHAPE, dtype=bool)
    mask[2:7, 3:9, 4:12] = True
    grid, masked = plan_tiles(SHAPE, TILE), plan_tiles(SHAPE, TILE, mask=mask)
    assert 0 < len(masked.starts) < len(grid.starts) / 2
    _, whole = result(grid, Blending(), [Toy()])
    some, part = result(masked, Blending(), [Toy()])
    assert np.array_equal(whole[:, mask], part[:, mask])
    assert not some.classes[15:].any()
    nothing, _ = result(plan_tiles(SHAPE, TILE, mask=np.zeros(SHAPE, dtype=bool)), Blending(), [Toy()])
    assert not nothing.classes.any()


def test_memory_is_planned_and_kept() -> None:
    classes, shape, tile = 117, (24, 64, 96), (16, 16, 16)
    grid = plan_tiles(shape, tile)
    wide = plan_memory(grid, channels=1, classes=classes, blending=Blending(), run_bytes=0, limit_bytes=1 << 40)
    assert (wide.strip, wide.tile_runs) == (64, len(grid.starts))
    limit = 140 << 20
    tight = plan_memory(grid, channels=1, classes=classes, blending=Blending(), run_bytes=0, limit_bytes=limit)
    assert tight.strip < 64
    assert len(grid.starts) < tight.tile_runs <= 3 * len(grid.starts)
    assert tight.peak_bytes <= limit
    source = image(shape)
    # every tile gives the same answer: the time goes to the blending that is measured here
    answer = np.random.default_rng(0).normal(size=(1, classes, *tile)).astype(np.float32)

    class Same(Toy):
        def run(self, tile: np.ndarray) -> np.ndarray:
            return answer

    networks = [Same(classes)]
    tracemalloc.start()
    blocks = run_tiles(networks, lambda start: cut_tile(source, start, tile, 0.0), grid, classes, tight, Blending())
    label_volume(blocks, grid, classes, Blending())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < tight.peak_bytes
    with pytest.raises(ComputationError) as caught:
        plan_memory(grid, channels=1, classes=classes, blending=Blending(), run_bytes=100 << 30, limit_bytes=4 << 30)
    assert caught.value.message_id == "tiles_memory"
    assert caught.value.parameters["need_mib"] > 100 * 1024
    assert memory_limit() > 0


def test_a_cancel_ends_the_run_in_progress() -> None:
    network = Toy()

    def until_stopped() -> None:
        if network.runs == 3:
            assert network.stopped.wait(20.0)
            raise Cancelled

    network.act = until_stopped
    steps = []

    class Stop:
        def step(self, done: float, total: float, text_id: str) -> None:
            steps.append((done, total))
            # two tiles are through, the third is inside the network
            if network.runs == 3 and len(steps) > 10:
                raise Cancelled

    grid = plan_tiles(SHAPE, TILE)
    plan = MemoryPlan(SHAPE[1], len(grid.starts), 0)
    source = image()
    start = time.perf_counter()
    with pytest.raises(Cancelled):
        for _ in run_tiles(
            [network], lambda at: cut_tile(source, at, TILE, 0.0), grid, CLASSES, plan, Blending(), progress=Stop()
        ):
            pass
    assert network.stopped.is_set()
    assert network.runs == 3
    assert time.perf_counter() - start < 5.0
    assert steps[-1][0] == 2


@pytest.mark.parametrize(("answer", "error"), [(np.nan, "tiles_not_finite"), (None, "tiles_shape")])
def test_wrong_answers_of_a_network_are_told(answer: float | None, error: str) -> None:
    class Bad(Toy):
        def run(self, tile: np.ndarray) -> np.ndarray:
            return super().run(tile)[:, :, :-1] if answer is None else super().run(tile) * answer

    with pytest.raises(ComputationError) as caught:
        result(plan_tiles(SHAPE, TILE), Blending(), [Bad()])
    assert caught.value.message_id == error
