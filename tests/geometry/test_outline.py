"""A label that is wrong by a voxel or two of 1.5 mm: the surface ends at the bone's edge all the same."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from surgiplan_desktop.geometry.distance import signed_distance
from surgiplan_desktop.geometry.surface import surface_part
from surgiplan_desktop.model.images import LabelMap, Volume
from surgiplan_desktop.model.mesh import BonePart
from tests.geometry.voxel_shapes import CORTEX_HU, MARROW_HU, SOFT_HU, affine_of, ball, share, tube

ONE = (1.0, 1.0, 1.0)
BLUR_VOXELS = 0.5
SPONGY_HU = 250.0


def scan(hu: np.ndarray, noise_hu: float) -> Volume:
    noise = np.random.default_rng(3).normal(0.0, noise_hu, hu.shape)
    return Volume(np.rint(ndimage.gaussian_filter(hu, BLUR_VOXELS) + noise).astype(np.int16), affine_of(ONE))


def parts_of(codes: np.ndarray, image: Volume, *wanted: int) -> list[BonePart]:
    labels = LabelMap(codes.astype(np.uint16), affine_of(ONE))
    return [surface_part(0, labels, image, code, doubt_mm=3.0) for code in wanted]


def shell(centre: tuple[float, float, float], radius: float, plate_mm: float, size: tuple[float, float, float]) -> np.ndarray:
    """Hounsfield values above soft tissue of a ball of spongy bone under a plate of cortex."""
    whole, core = (share(ball(centre, r), size, ONE) for r in (radius, radius - plate_mm))
    return (CORTEX_HU - SOFT_HU) * (whole - core) + (SPONGY_HU - SOFT_HU) * core


@pytest.mark.parametrize(("off", "grown"), [((2.0, 0.0, 0.0), 0.0), ((0.0, 1.2, -1.2), 1.2), ((0.0, 0.0, 0.0), -1.8)])
@pytest.mark.parametrize("plate_mm", [1.0, 3.0])
def test_a_shifted_or_swollen_label_ends_at_the_edge(off: tuple[float, float, float], grown: float, plate_mm: float) -> None:
    centre, radius, size = np.array([24.3, 25.1, 25.4]), 16.0, (50.0, 50.0, 50.0)
    image = scan(SOFT_HU + shell(tuple(centre), radius, plate_mm, size), 60.0)
    wrong = share(ball(tuple(centre + off), radius + grown), size, ONE) > 0.5
    (part,) = parts_of(2 * wrong, image, 2)
    error = np.linalg.norm(part.mesh.vertices - centre, axis=1) - radius
    assert abs(error.mean()) < (0.25 if plate_mm < 2.0 else 0.08)
    assert error.std() < 0.12
    assert np.abs(error).max() < 0.7


def test_opposed_bones_a_millimetre_apart_keep_apart_though_one_label_reaches_into_the_other() -> None:
    size, radius, gap = (44.0, 44.0, 64.0), 14.0, 1.0
    centres = [(16.0, 22.0, 22.0), (16.0 + 2 * radius + gap, 22.0, 22.0)]
    image = scan(SOFT_HU + sum(shell(centre, radius, 1.2, size) for centre in centres), 40.0)
    own = share(ball((centres[0][0] + 1.5, 22.0, 22.0), radius), size, ONE) > 0.5
    other = (share(ball((centres[1][0] + 1.0, 22.0, 22.0), radius), size, ONE) > 0.5) & ~own
    upper, lower = parts_of(np.where(own, 2, np.where(other, 1, 0)), image, 2, 1)
    for part, centre in zip((upper, lower), centres, strict=True):
        error = np.linalg.norm(part.mesh.vertices - centre, axis=1) - radius
        facing = np.abs(part.mesh.vertices[:, 0] - (centres[0][0] + radius + 0.5 * gap)) < 2.5
        assert np.abs(error[facing]).max() < 0.6
        assert abs(error.mean()) < 0.25
    assert signed_distance(upper.mesh, lower.mesh.vertices).min() > 0.1, "the two surfaces do not cross"


def test_a_label_that_ends_short_of_the_scan_is_carried_to_its_edge() -> None:
    size, radius = (30.0, 40.0, 40.0), 10.0
    whole, canal = share(tube((20.0, 20.0), radius), size, ONE), share(tube((20.0, 20.0), radius - 4.0), size, ONE)
    image = scan(SOFT_HU + (CORTEX_HU - SOFT_HU) * whole - (CORTEX_HU - MARROW_HU) * canal, 20.0)
    label = whole > 0.5
    label[:1] = False
    label[-2:] = False
    (part,) = parts_of(2 * label, image, 2)
    assert sorted(float(cap.point_lps[2]) for cap in part.caps) == [-0.5, 29.5]
    assert np.abs(np.hypot(*(part.surface_points[:, :2] - 20.0).T) - radius).max() < 0.5


def test_a_tip_inside_the_scan_is_not_carried_to_its_edge() -> None:
    size, centre, radius = (27.0, 40.0, 40.0), (20.0, 20.0, 13.0), 11.0
    image = scan(SOFT_HU + shell(centre, radius, 3.0, size), 20.0)
    (part,) = parts_of(2 * (share(ball(centre, radius), size, ONE) > 0.5), image, 2)
    assert part.caps == ()
    assert np.abs(np.linalg.norm(part.mesh.vertices - centre, axis=1) - radius).max() < 0.5


def test_a_cavity_that_a_network_left_in_fatty_marrow_is_no_surface() -> None:
    size, centre, radius = (50.0, 50.0, 50.0), (25.0, 25.0, 25.0), 17.0
    hu = SOFT_HU + shell(centre, radius, 2.5, size)
    fat = share(ball((25.0, 25.0, 24.0), 8.0), size, ONE)
    image = scan(hu - (hu + 70.0) * fat, 20.0)
    mouth = share(tube((25.0, 25.0), 2.5, low=24.0), size, ONE) > 0.5
    label = (share(ball(centre, radius), size, ONE) > 0.5) & (fat < 0.5) & ~mouth
    (part,) = parts_of(2 * label, image, 2)
    error = np.linalg.norm(part.mesh.vertices - centre, axis=1) - radius
    assert np.abs(error).max() < 0.8
    assert abs(error.mean()) < 0.1
