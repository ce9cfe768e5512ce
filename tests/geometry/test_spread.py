"""The stated standard deviation of a surface against what is really wrong with it."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from scipy import ndimage

from surgiplan_desktop.geometry.spread import surface_spread
from surgiplan_desktop.geometry.surface import surface_part
from surgiplan_desktop.model.anatomy import BoneId, BoneName, Side
from surgiplan_desktop.model.images import LabelMap, UncertaintyMap, Volume
from surgiplan_desktop.model.mesh import Bone, BonePart
from surgiplan_desktop.planning.surface_sd import spread_of_bone
from tests.geometry.voxel_shapes import CORTEX_HU, SOFT_HU, affine_of, ball, share, tube

ONE = (1.0, 1.0, 1.0)
SIZE = (44.0, 44.0, 44.0)
CENTRE, RADIUS = np.array([22.2, 21.9, 22.1]), 14.0
Found = tuple[BonePart, LabelMap, Volume]


def found(hu: np.ndarray, label: np.ndarray, noise_hu: float, doubt_mm: float = 3.0) -> Found:
    noise = np.random.default_rng(2).normal(0.0, noise_hu, hu.shape)
    image = Volume(np.rint(ndimage.gaussian_filter(hu, 0.5) + noise).astype(np.int16), affine_of(ONE))
    labels = LabelMap((2 * label).astype(np.uint16), affine_of(ONE))
    return surface_part(0, labels, image, 2, doubt_mm), labels, image


@cache
def plain(noise_hu: float = 20.0) -> Found:
    whole = share(ball(tuple(CENTRE), RADIUS), SIZE, ONE)
    return found(SOFT_HU + (CORTEX_HU - SOFT_HU) * whole, whole > 0.5, noise_hu)


def spread_of(item: Found, uncertainty: UncertaintyMap | None = None) -> np.ndarray:
    part, labels, image = item
    return surface_spread(part, labels, image, 2, uncertainty)


def test_a_clear_edge_is_sure_and_noise_makes_it_less_so() -> None:
    sure, noisy = spread_of(plain()), spread_of(plain(110.0))
    assert sure.shape == (len(plain()[0].mesh.vertices),)
    error = np.linalg.norm(plain()[0].mesh.vertices - CENTRE, axis=1) - RADIUS
    assert np.sqrt(np.mean(error**2)) < sure.mean() < 0.15
    assert np.median(noisy) > 1.1 * np.median(sure)


def test_a_bright_neighbour_and_metal_are_unsure_where_they_are() -> None:
    whole = share(ball(tuple(CENTRE), RADIUS), SIZE, ONE)
    hu = SOFT_HU + (CORTEX_HU - SOFT_HU) * whole
    k, j, i = np.indices(whole.shape)
    hu = np.where((whole < 0.02) & (i > 34.5), 420.0, hu)
    hu = np.where((i < 9.5) & (np.hypot(k - 22, j - 22) < 3.0), 3000.0, hu)
    item = found(hu, whole > 0.5, 20.0)
    spread, x = spread_of(item), item[0].mesh.vertices[:, 0]
    plainly = np.nanmedian(spread[np.abs(x - CENTRE[0]) < 6.0])
    assert np.median(spread[x > CENTRE[0] + RADIUS - 1.0]) > 1.5 * plainly
    assert np.median(spread[x < CENTRE[0] - RADIUS + 0.6]) > 2.0 * plainly


def test_a_network_that_is_unsure_there_counts() -> None:
    entropy = np.zeros((22, 22, 22), dtype=np.uint8)
    entropy[11:] = 200  # the upper half, on the network's own grid of 2 mm
    nothing = np.zeros_like(entropy)
    doubts = UncertaintyMap(entropy, nothing, nothing, affine_of((2.0, 2.0, 2.0)))
    spread, z = spread_of(plain(), doubts), plain()[0].mesh.vertices[:, 2]
    assert np.median(spread[z > 27.0]) > 2.0 * np.median(spread[z < 17.0])
    assert np.median(spread[z < 17.0]) == pytest.approx(float(np.median(spread_of(plain())[z < 17.0])), rel=0.02)


def test_the_result_speaks_of_every_part_and_not_of_caps() -> None:
    shaft = share(tube((20.0, 20.0), 9.0), (20.0, 40.0, 40.0), ONE)
    part, labels, image = found(SOFT_HU + (CORTEX_HU - SOFT_HU) * shaft, shaft > 0.5, 20.0, 0.0)
    tibia = BoneId(Side.RIGHT, BoneName.TIBIA)
    other = BonePart(1, part.mesh, part.caps, part.cap_vertices)
    result = spread_of_bone(tibia, Bone(tibia, (part, other)), labels, image, labels, image)
    assert [len(values) for values in result.parts] == [len(part.mesh.vertices)] * 2
    assert result.sd_mm.shape == (2 * len(part.mesh.vertices),)
    assert np.array_equal(np.isnan(result.parts[1]), part.cap_vertices)
    assert part.cap_vertices.any()
    assert (result.parts[0][~part.cap_vertices] > 0).all()
