"""A scan that is not like the training is told apart by what it shows, not by how sure a network was."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from scipy import ndimage

from surgiplan_desktop.segmentation.likeness import OTHER_BONE, Likeness, scan_likeness

STEP = 1.5
SHAPE = (80, 70, 70)
FEMUR, TIBIA = 1, 2


@cache
def knee() -> tuple[np.ndarray, np.ndarray]:
    """A limb of muscle in fat with two bones end to end, 6 mm apart; Hounsfield values and classes."""
    k, j, i = np.indices(SHAPE)
    axis = np.hypot(j - 35, i - 35) * STEP
    hu = np.where(axis < 38.0, 55.0, np.where(axis < 46.0, -100.0, -1000.0))
    inside = axis < 15.0
    best = np.where(inside & (k < 38), TIBIA, np.where(inside & (k >= 42), FEMUR, 0)).astype(np.uint8)
    depth = ndimage.distance_transform_edt(np.pad(best > 0, ((1, 1), (0, 0), (0, 0)), mode="edge"))[1:-1] * STEP
    hu = np.where(best > 0, np.where(depth < 3.0, 1100.0, 220.0), hu)
    noise = np.random.default_rng(1).normal(0.0, 25.0, SHAPE)
    return (ndimage.gaussian_filter(hu, 0.4) + noise).astype(np.float32), best


def codes(result: Likeness) -> set[str]:
    assert (result.score < 0.5) == bool(result.findings)
    return {finding.code.removeprefix("scan_unlike_") for finding in result.findings}


def test_a_plain_scan_is_like_the_training() -> None:
    result = scan_likeness(*knee(), step_mm=STEP)
    assert result.score > 0.65
    assert codes(result) == set()


@pytest.mark.parametrize("scale", ["mr", "eight_bit", "shifted"])
def test_values_that_are_no_hounsfield_values(scale: str) -> None:
    hu, best = knee()
    values = {
        "mr": np.interp(hu, [-1000.0, -100.0, 55.0, 250.0, 900.0], [5.0, 700.0, 260.0, 500.0, 20.0]),
        "eight_bit": np.clip(hu / 8.0 + 100.0, 0.0, 255.0),
        "shifted": hu + 1024.0,
    }[scale]
    result = scan_likeness(values.astype(np.float32), best, step_mm=STEP)
    assert codes(result) == {"hounsfield"}
    assert result.findings[0].severity == "critical"


def rod(radius_mm: float, away_mm: float, low: int = 0, high: int = SHAPE[0]) -> np.ndarray:
    k, j, i = np.indices(SHAPE)
    return (np.hypot(j - 35, i - 35 - away_mm / STEP) * STEP < radius_mm) & (k >= low) & (k < high)


@pytest.mark.parametrize(
    ("oddity", "where", "value"),
    [
        ("contrast", rod(4.0, 26.0), 320.0),
        ("gas", rod(8.0, 26.0, 10, 40), -850.0),
        ("metal", rod(5.0, 5.0, 0, 60), 2900.0),
        ("body_part", rod(15.0, 28.0), 700.0),
    ],
)
def test_what_the_training_does_not_have(oddity: str, where: np.ndarray, value: float) -> None:
    hu, best = knee()
    where = where & (best == 0) if oddity == "body_part" else where
    result = scan_likeness(np.where(where, value, hu).astype(np.float32), best, step_mm=STEP)
    assert oddity in codes(result)


def test_a_vessel_is_told_though_the_network_calls_it_a_bone() -> None:
    hu, best = knee()
    vessel = rod(4.0, 26.0)
    called = np.where(vessel, OTHER_BONE, best).astype(np.uint8)
    called[5:10][vessel[5:10]] = FEMUR
    assert "contrast" in codes(scan_likeness(np.where(vessel, 320.0, hu).astype(np.float32), called, step_mm=STEP))


@pytest.mark.parametrize("called", [0, OTHER_BONE])
def test_a_finger_beside_the_leg_is_no_vessel(called: int) -> None:
    hu, best = knee()
    finger, marrow = rod(5.5, 27.0, 5, 60), rod(3.5, 27.0, 7, 58)
    seen = ndimage.gaussian_filter(np.where(marrow, 200.0, np.where(finger, 800.0, hu)), 0.5).astype(np.float32)
    assert "contrast" not in codes(scan_likeness(seen, np.where(finger, called, best).astype(np.uint8), step_mm=STEP))


def test_an_open_growth_plate_is_seen_and_a_joint_is_not_taken_for_one() -> None:
    hu, best = knee()
    child = hu.copy()
    for height in (28, 29):
        child[height][best[height] > 0] = 90.0
    assert codes(scan_likeness(child, best, step_mm=STEP)) == {"growth_plate"}
    as_drawn = np.where((np.indices(SHAPE)[0] == 28) | (np.indices(SHAPE)[0] == 29), 0, best).astype(np.uint8)
    assert codes(scan_likeness(child, as_drawn, step_mm=STEP)) == {"growth_plate"}, "nor when the network left it out"


def test_a_network_that_is_unsure_inside_bones_and_no_bone_at_all() -> None:
    hu, best = knee()
    chance = np.where(best > 0, 250, 3).astype(np.uint8)
    sure, foreign, unsure = (np.where(best > 0, level, 2).astype(np.uint8) for level in (15, 90, 130))
    assert codes(scan_likeness(hu, best, chance, sure, STEP)) == set()
    assert codes(scan_likeness(hu, best, chance, foreign, STEP)) == set(), "a scanner of another make alone"
    assert codes(scan_likeness(hu, best, chance, unsure, STEP)) == {"unsure"}
    nothing = scan_likeness(hu, np.zeros_like(best), step_mm=STEP)
    assert codes(nothing) == {"body_part"}
    assert nothing.score < 0.1
