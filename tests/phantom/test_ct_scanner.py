"""The scanner apart from the leg: point spread, slice profile, noise, projection, beam hardening and metal, on known objects."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from surgiplan_desktop.phantom.ct.metal import TITANIUM_HU
from surgiplan_desktop.phantom.ct.projection import Projector, hardening
from surgiplan_desktop.phantom.ct.scanner import BodyNoise, NoiseMaker, blurred, ray_matrix, slice_profile
from surgiplan_desktop.phantom.ct.scene import KERNELS

Image = NDArray[np.float32]
_PIXEL = (1.0, 1.0)
_SHAPE = (160, 180)


def _disc(radius_mm: float, at: tuple[float, float] = (0.0, 0.0), shape: tuple[int, int] = _SHAPE) -> Image:
    """Coverage of each pixel (1 mm) by a disc whose centre is ``at`` (row, column) from the middle."""
    y, x = (np.arange(size) - 0.5 * (size - 1) for size in shape)
    distance = np.hypot(y[:, None] - at[0], x[None, :] - at[1])
    return np.clip(radius_mm - distance + 0.5, 0.0, 1.0).astype(np.float32)


@pytest.mark.parametrize("name", ["soft", "medium"])
def test_an_edge_is_as_wide_as_the_kernel_says(name: str) -> None:
    pixel, variances = 0.5, []
    x = (np.arange(80) - 40.0) * pixel
    for phase in np.linspace(-0.25, 0.25, 11)[:-1]:
        # the edge is averaged over each pixel, as the ideal slices are
        edge = np.tile(np.clip((x - phase) / pixel + 0.5, 0.0, 1.0), (5, 1)).astype(np.float32)
        line = np.diff(blurred(edge, KERNELS[name], (pixel, pixel))[2].astype(float))
        middle = x[:-1] + 0.5 * pixel
        variances.append((line * (middle - phase) ** 2).sum() / line.sum())
    # differences of neighbours average once more over a pixel
    assert np.sqrt(np.mean(variances) - pixel**2 / 12.0) == pytest.approx(KERNELS[name].blur_mm, rel=0.02)


def test_sharp_kernels_overshoot_and_soft_ones_do_not() -> None:
    step = np.zeros((5, 60), dtype=np.float32)
    step[:, 30:] = 1000.0
    peaks = {name: float(blurred(step, kernel, (0.5, 0.5)).max()) for name, kernel in KERNELS.items()}
    assert peaks["soft"] < 1000.5
    assert peaks["medium"] < 1000.5
    assert 1010.0 < peaks["sharp"] < peaks["bone"] < 1300.0


@pytest.mark.parametrize(("thickness", "step"), [(1.0, 0.25), (3.0, 0.5), (5.0, 1.0)])
def test_the_slice_profile_is_as_wide_as_the_slice(thickness: float, step: float) -> None:
    weights = slice_profile(thickness, step)
    assert weights.sum() == pytest.approx(1.0)
    assert weights == pytest.approx(weights[::-1])
    half = 0.5 * weights.max()
    place = (np.arange(len(weights)) - len(weights) // 2) * step
    right = place >= 0.0
    width = 2.0 * float(np.interp(-half, -weights[right], place[right]))
    assert width == pytest.approx(thickness, rel=0.06)


def test_a_slice_thicker_than_its_step_shares_noise_with_its_neighbours() -> None:
    alone = NoiseMaker.of(KERNELS["medium"], _SHAPE, _PIXEL, slice_profile(1.0, 1.0), 10.0, 1)
    shared = NoiseMaker.of(KERNELS["medium"], _SHAPE, _PIXEL, slice_profile(4.0, 1.0), 10.0, 1)
    for maker, low, high in ((alone, -0.05, 0.35), (shared, 0.6, 0.95)):
        whites: dict[int, Image] = {}
        first, second = maker(0, whites), maker(1, whites)
        assert low < np.corrcoef(first.ravel(), second.ravel())[0, 1] < high
        assert len(whites) <= 8


def test_noise_has_the_deviation_and_the_grain_of_its_kernel() -> None:
    grain = {}
    for name, kernel in KERNELS.items():
        maker = NoiseMaker.of(kernel, _SHAPE, _PIXEL, slice_profile(1.0, 1.0), kernel.noise_hu, 7)
        whites: dict[int, Image] = {}
        slices = np.stack([maker(k, whites) for k in range(4)])
        assert slices.std() == pytest.approx(kernel.noise_hu, rel=0.05)
        assert abs(slices.mean()) < 0.05 * kernel.noise_hu
        grain[name] = float(np.corrcoef(slices[:, :, 1:].ravel(), slices[:, :, :-1].ravel())[0, 1])
    assert grain["soft"] > grain["medium"] > grain["sharp"] > grain["bone"]
    assert grain["soft"] > 0.15


def test_noise_grows_with_the_body_and_within_it() -> None:
    around = BodyNoise.of(_SHAPE, _PIXEL)
    factors = {size: around.factor(1000.0 * _disc(0.5 * size) - 1000.0) for size in (100.0, 140.0, 155.0)}
    centre = {size: float(factor[80, 90]) for size, factor in factors.items()}
    assert centre[140.0] == pytest.approx(1.0, abs=0.08)
    assert centre[100.0] < 0.9 < centre[140.0] < centre[155.0]
    assert factors[155.0][80, 90] > 1.1 * factors[155.0][8, 90]


def test_rays_give_line_integrals_and_their_way_back_the_image() -> None:
    disc = 0.02 * _disc(50.0)
    projector = Projector.of(_SHAPE, _PIXEL)
    reduced = projector.reduced(disc)
    lines = projector.project(reduced)
    assert lines.max(axis=1) == pytest.approx(np.full(len(lines), 0.02 * 100.0), rel=0.03)
    image = projector.reconstruct(lines)
    # what the rays carry is kept as a whole, and inside the disc value by value
    assert image.sum() == pytest.approx(reduced.sum(), rel=0.03)
    inside = projector.enlarged(image)[60:100, 70:110]
    assert inside.mean() == pytest.approx(0.02, rel=0.01)
    assert inside.std() < 0.0005
    matrix = ray_matrix((20, 20), (2.0, 2.0), 3)
    assert matrix.sum(axis=0) == pytest.approx(np.full(400, 3 * 4.0 / 2.0), rel=1e-5)


def test_water_stays_water_and_bones_darken_what_lies_between() -> None:
    projector = Projector.of(_SHAPE, _PIXEL)
    random = np.random.default_rng(0)
    water = 1000.0 * _disc(70.0) - 1000.0
    assert np.abs(hardening(projector, water, None, random)).max() < 1.0
    bones = water + 1500.0 * (_disc(14.0, (0.0, -35.0)) + _disc(14.0, (0.0, 35.0)))
    change = hardening(projector, bones, None, random)
    between, beside = change[75:85, 85:95].mean(), change[25:35, 85:95].mean()
    assert between < -8.0
    assert beside > between + 8.0


def test_metal_throws_streaks_and_leaves_the_whole_unchanged() -> None:
    projector = Projector.of(_SHAPE, _PIXEL)
    water = 1000.0 * _disc(70.0) - 1000.0
    rods = _disc(4.0, (0.0, -30.0)) + _disc(4.0, (0.0, 30.0))
    change = hardening(projector, water, rods, np.random.default_rng(0))
    soft = (_disc(65.0) > 0.5) & (_disc(8.0, (0.0, -30.0)) + _disc(8.0, (0.0, 30.0)) == 0.0)
    assert change[soft].std() > 15.0
    assert change[78:82, 80:100].mean() < -60.0
    clean = hardening(projector, water, 0.0 * rods, np.random.default_rng(0))
    assert np.abs(clean).max() < 1.0
    # what is lost lies in the metal itself, which stays far above what a 12-bit scan shows
    assert TITANIUM_HU + change[80, 60] > 3071.0
    assert abs(change[soft].mean()) < 12.0
