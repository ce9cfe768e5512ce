"""Measures over blocks: which joint is missing, which measures cross a gap, and what that costs."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

import pytest

from surgiplan_desktop.app.describe_measures import leg_data, leg_lines
from surgiplan_desktop.app.texts import load_texts
from surgiplan_desktop.model.study import Finding
from surgiplan_desktop.planning.axes import leg_frames
from surgiplan_desktop.planning.block_measures import measure_over_blocks
from surgiplan_desktop.planning.measures import measure_leg
from surgiplan_desktop.planning.records import Landmarks, Measures
from tests.planning.golden_leg import golden_landmarks

HIP, KNEE, ANKLE = (350.0, 470.0), (-150.0, 150.0), (-420.0, -300.0)


def measured(*heights: tuple[float, float], landmarks: Landmarks | None = None) -> Measures:
    points = landmarks or golden_landmarks()
    return measure_over_blocks(heights, points, leg_frames(points))


def test_one_volume_or_overlapping_blocks_cost_nothing() -> None:
    plain = measure_leg(golden_landmarks(), leg_frames(golden_landmarks()))
    for heights in ([(-420.0, 470.0)], [(130.0, 470.0), (-150.0, 150.0), (-420.0, -130.0)]):
        assert measured(*heights).items == plain.items


def test_what_crosses_a_gap_bears_its_error_and_what_lies_in_a_block_does_not() -> None:
    items = measured(HIP, KNEE, ANKLE).items
    for name in ("hka", "hka_deviation", "mldfa", "mpta", "ahka", "jlo", "tibial_torsion", "knee_flexion", "knee_rotation"):
        assert items[name].plus_minus == 1.0, name
    assert items["femur_length"].plus_minus == 3.0
    assert items["jlca"].plus_minus is None
    assert all(item.plus_minus is None for item in items.values() if item.value is None or isinstance(item.value, str))


def test_a_degree_at_the_knee_as_millimetres_and_share_of_the_plateau() -> None:
    # clinical.md 0.5: 1 degree is about 4.6 % of the golden leg's plateau of 74 mm
    items = measured(HIP, KNEE, ANKLE).items
    assert items["wbl"].plus_minus == pytest.approx(4.6, abs=0.2)
    assert items["mad"].plus_minus == pytest.approx(0.046 * 74.0, abs=0.2)


def test_only_the_gap_that_is_crossed_counts() -> None:
    items = measured((-150.0, 470.0), ANKLE).items
    assert items["mldfa"].plus_minus is None
    assert items["mpta"].plus_minus == 1.0


@pytest.mark.parametrize(
    ("bone", "end", "joint"),
    [("tibia", "distal", "ankle"), ("femur", "proximal", "hip"), ("femur", "distal", "knee"), ("tibia", "proximal", "knee")],
)
def test_a_missing_block_is_named_by_its_joint(bone: str, end: str, joint: str) -> None:
    lost = {"ankle": "ankle_centre", "hip": "hip_centre", "knee": "tibial_knee_centre"}[joint]
    points = golden_landmarks()
    reason = Finding("bone_end_cut", "warn", (("bone", bone), ("end", end)))
    items = dict(points.items)
    items[lost] = replace(items[lost], point_lps=None, status="missing", reason=reason)
    hka = measured(HIP, KNEE, landmarks=replace(points, items=MappingProxyType(items))).items["hka"]
    assert (hka.value, hka.status, hka.plus_minus) == (None, "not_measurable", None)
    assert hka.reason is not None
    assert hka.reason.code == "block_missing"
    assert load_texts("en", strict=True).finding(hka.reason).startswith(f"No block of the scan shows the {joint}")


def test_other_reasons_stay_as_they_are() -> None:
    plain = measure_leg(golden_landmarks(), leg_frames(golden_landmarks())).items
    items = measured(HIP, KNEE, ANKLE).items
    assert {name: item.reason for name, item in items.items()} == {name: item.reason for name, item in plain.items()}


def test_the_error_stands_beside_the_measures_in_words_and_data() -> None:
    texts = load_texts("en", strict=True)
    points = golden_landmarks()
    data = leg_data(points, measured(HIP, KNEE, ANKLE), texts, leg_frames(points))
    errors = data["plus_minus"]
    assert isinstance(errors, dict)
    assert errors["hka"] == 1.0
    assert "jlca" not in errors
    lines = list(leg_lines(points, measured(HIP, KNEE, ANKLE), texts, leg_frames(points)))
    (hka,) = [line for line in lines if line.split()[:1] == ["HKA"] and "deviation" not in line]
    assert "± 1.0" in hka
    assert leg_data(points, measured((-420.0, 470.0)), texts, leg_frames(points))["plus_minus"] == {}
