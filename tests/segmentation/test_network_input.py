"""What a network sees: normalised as its pack says, guided by names."""

from __future__ import annotations

import numpy as np

from surgiplan_desktop.segmentation.network_input import normalised, tile_reader
from surgiplan_desktop.segmentation.packs import Normalisation
from surgiplan_desktop.segmentation.tile_grid import plan_tiles


def test_values_are_normalised_as_the_pack_says() -> None:
    image = np.array([[[-1024, 600, 3000]]], dtype=np.int16)
    fixed = normalised(image, Normalisation("fixed", (-400.0, 1600.0), 600.0, 1000.0, -1.0))
    assert fixed.dtype == np.float32
    assert fixed.ravel().tolist() == [-1.0, 0.0, 1.0]
    own = normalised(image, Normalisation("image", None, 0.0, 1.0, 0.0))
    assert abs(float(own.mean())) < 1e-6
    assert abs(float(own.std()) - 1.0) < 1e-6
    flat = normalised(np.full((2, 2, 2), 7, dtype=np.int16), Normalisation("image", None, 0.0, 1.0, 0.0))
    assert not flat.any()
    assert image[0, 0, 0] == -1024


def test_names_become_channels_and_nothing_outside() -> None:
    random = np.random.default_rng(0)
    image = random.normal(size=(4, 9, 6)).astype(np.float32)
    guide = random.integers(0, 4, size=image.shape).astype(np.uint8)
    grid = plan_tiles(image.shape, (6, 6, 6))
    start = grid.starts[0]
    assert start == (-1, 0, 0)
    tile = tile_reader(image, grid, -1.0, guide=guide, labels=3)(start)
    assert (tile.shape, tile.dtype) == ((4, 6, 6, 6), np.float32)
    assert np.array_equal(tile[0, 1:5], image[:, :6])
    assert (tile[0, [0, 5]] == -1.0).all()
    assert not tile[1:, [0, 5]].any()
    for name in (1, 2, 3):
        assert np.array_equal(tile[name, 1:5], guide[:, :6] == name)
    assert tile_reader(image, grid, -1.0)(start).shape == (1, 6, 6, 6)
