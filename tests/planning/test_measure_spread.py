"""Errors carried to the measures: against the closed form, against many draws done one by one, the same every time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from surgiplan_desktop.model.anatomy import BoneId, BoneName, Side
from surgiplan_desktop.model.mesh import Bone, BonePart, Mesh
from surgiplan_desktop.planning.axes import leg_frames
from surgiplan_desktop.planning.limits import default_limits
from surgiplan_desktop.planning.measure_spread import leg_spread, spread_of, surface_sds
from surgiplan_desktop.planning.measures import measure_points
from surgiplan_desktop.planning.records import Landmarks
from surgiplan_desktop.planning.sensitivity import sensitivity
from tests.planning.golden_leg import golden_landmarks, place
from tests.planning.test_measures import motion


def sure(landmarks: Landmarks, **sds: tuple[float, float, float]) -> Landmarks:
    """The landmarks with errors along lateral, up, anterior as given (mm) and none elsewhere."""
    items = {}
    for name, item in landmarks.items.items():
        if item.point_lps is None:
            items[name] = item
            continue
        spread = np.diag(np.array(sds.get(name, (0.0, 0.0, 0.0))) ** 2)
        axes = np.array([place(landmarks.side, axis) for axis in np.eye(3)]).T
        items[name] = replace(item, covariance_mm2=axes @ spread @ axes.T)
    return replace(landmarks, items=items)


@pytest.mark.parametrize("side", [Side.RIGHT, Side.LEFT])
def test_closed_form_of_one_point(side: Side) -> None:
    # the ankle moves sideways by 1 mm (sd): the tibia of 370 mm turns by atan(1 / 370)
    leg = sure(golden_landmarks(side, ankle_centre=(0.0, -370.0, 0.0)), ankle_centre=(1.0, 0.0, 0.0))
    found = spread_of(leg, leg_frames(leg), {})
    expected = np.degrees(1.0 / 370.0)
    for name in ("hka", "hka_deviation", "mpta"):
        assert found[name].sd == pytest.approx(expected, rel=0.05)
        assert [part.landmark for part in found[name].contributions] == ["ankle_centre"]
        assert found[name].contributions[0].share == pytest.approx(1.0)
        low, high = found[name].interval
        assert (high - low) / 2 == pytest.approx(1.96 * expected, rel=0.1)
    assert found["mldfa"].sd == pytest.approx(0.0, abs=1e-9)
    # the line hip to ankle crosses the plateau 420 of 790 mm down: 0.53 mm of 74 mm
    assert found["wbl"].sd == pytest.approx(100.0 * 420.0 / 790.0 / 74.0, rel=0.05)


def test_the_two_that_contribute_most_come_first() -> None:
    leg = sure(
        golden_landmarks(),
        medial_distal_condyle=(0.0, 0.2, 0.0),
        lateral_distal_condyle=(0.0, 0.1, 0.0),
        hip_centre=(1.2, 0.0, 0.0),
    )
    parts = spread_of(leg, leg_frames(leg), {})["mldfa"].contributions
    variances = [np.degrees(0.2 / 48.0) ** 2, np.degrees(0.1 / 48.0) ** 2, np.degrees(1.2 / 420.0) ** 2]
    assert [part.landmark for part in parts] == ["medial_distal_condyle", "hip_centre", "lateral_distal_condyle"]
    shares = [variances[0], variances[2], variances[1]] / np.sum(variances)
    assert [part.share for part in parts] == pytest.approx(list(shares), rel=1e-3)
    assert parts[0].per_mm == pytest.approx(np.degrees(1.0 / 48.0), rel=1e-3)


def test_as_draws_measured_one_by_one() -> None:
    leg = golden_landmarks(Side.LEFT, motion(3))
    random = np.random.default_rng(1)
    values: dict[str, list[float]] = {"hka": [], "mldfa": [], "wbl": [], "tibial_torsion": []}
    for _ in range(300):
        items = {
            name: item if item.point_lps is None else replace(item, point_lps=item.point_lps + random.normal(0.0, 0.8, 3))
            for name, item in leg.items.items()
        }
        measures = measure_points(replace(leg, items=items))
        for name, row in values.items():
            number = measures.number(name)
            assert number is not None
            row.append(number)
    even = 0.64 * np.eye(3)
    shaped = replace(leg, items={name: replace(item, covariance_mm2=even) for name, item in leg.items.items()})
    found = spread_of(shaped, leg_frames(shaped), {})
    for name, row in values.items():
        assert found[name].sd == pytest.approx(np.std(row), rel=0.15), name


def test_same_every_time_and_no_spread_for_what_is_no_number() -> None:
    leg = golden_landmarks(Side.RIGHT, motion(1))
    first, second = (leg_spread((), leg, leg_frames(leg)) for _ in range(2))
    assert first == second
    assert "cpak" not in first.items
    assert "lpfa" not in first.items  # its landmark is missing
    assert first.draws == int(default_limits()["spread.draws"])


def test_a_point_on_a_tangent_is_sure_across_it() -> None:
    """Without a covariance, an error of 1 mm of a condyle's contact point moves the joint line far less than 1 mm."""
    leg = golden_landmarks()
    mldfa = spread_of(leg, leg_frames(leg), {})["mldfa"].sd
    assert mldfa < 0.3 * np.degrees(np.sqrt(2.0) / 48.0)
    # what is known of the surface under both contact points comes on top, across the tangent
    surface = {"medial_distal_condyle": 0.5, "lateral_distal_condyle": 0.5}
    with_surface = spread_of(leg, leg_frames(leg), surface)["mldfa"].sd
    assert np.hypot(mldfa, np.degrees(0.5 * np.sqrt(2.0) / 48.0)) == pytest.approx(with_surface, rel=0.05)


def test_a_landmark_placed_by_hand_has_the_reader_s_error() -> None:
    leg = sure(golden_landmarks())
    items = {**leg.items, "hip_centre": replace(leg.items["hip_centre"], status="edited", covariance_mm2=None)}
    found = spread_of(replace(leg, items=items), leg_frames(leg), {})["hka"]
    by_hand = default_limits()["landmarks.hand_sd_mm"] / np.sqrt(3.0)
    assert found.sd == pytest.approx(np.degrees(by_hand / 420.0), rel=0.05)


def test_surface_under_landmarks_is_looked_up_on_the_bone() -> None:
    leg = golden_landmarks()
    names = ("medial_distal_condyle", "lateral_distal_condyle", "hip_centre")
    points = [leg.items[name].point_lps for name in names]
    vertices = np.array([*points[:2], np.array([0.0, 0.0, 500.0])])
    mesh = Mesh(vertices, np.array([[0, 1, 2]], dtype=np.int32))
    bone = Bone(BoneId(Side.RIGHT, BoneName.FEMUR), (BonePart(0, mesh, (), np.zeros(3, dtype=bool)),))
    sds = surface_sds(leg, BoneName.FEMUR, bone, np.array([0.2, 0.3, np.nan]))
    assert sds["medial_distal_condyle"] == pytest.approx(0.2)
    assert sds["lateral_distal_condyle"] == pytest.approx(0.3)
    assert "hip_centre" not in sds  # it lies in no surface
    assert surface_sds(leg, BoneName.FEMUR, bone, np.zeros(0)) == {}


def test_sensitivity_is_the_change_per_mm_in_the_worst_direction() -> None:
    leg = golden_landmarks(Side.LEFT, motion(5), ankle_centre=(0.0, -370.0, 0.0))
    found = sensitivity(leg)
    assert found["hka"]["ankle_centre"] == pytest.approx(np.degrees(1.0 / 370.0), rel=1e-3)
    assert found["mldfa"]["medial_distal_condyle"] == pytest.approx(np.degrees(1.0 / 48.0), rel=1e-3)
    assert found["femur_length"] == pytest.approx({"hip_centre": 1.0, "femoral_knee_centre": 1.0}, rel=1e-6)
    assert list(found["mldfa"]) == sorted(found["mldfa"], key=lambda name: -found["mldfa"][name])
    assert "ankle_centre" not in found["mldfa"]
    # 2 mm at a plateau's edge are 2.7 % of the WBL (clinical.md A.1): of the line of 74 mm
    assert 2.0 * found["wbl"]["medial_plateau_edge"] == pytest.approx(2.0 * 100.0 / 74.0 * 0.5, rel=0.05)


def test_heights_that_err_together_tilt_no_line() -> None:
    """The plafond's ends lie on a line through the ankle's centre: LDTA bears what their heights err by besides."""
    high = (0.0, 0.3, 0.0)
    ends = {"medial_plafond": (-17.0, -370.0, 0.0), "lateral_plafond": (15.0, -370.0, 0.0)}
    leg = sure(
        golden_landmarks(ankle_centre=(0.0, -370.0, 0.0), **ends), ankle_centre=high, medial_plafond=high, lateral_plafond=high
    )
    apart = 32.0
    together = spread_of(leg, leg_frames(leg), {})["ldta"].sd
    assert together == pytest.approx(np.degrees(np.hypot(0.05, 0.10) / apart), rel=0.1)
    surface = spread_of(leg, leg_frames(leg), {"medial_plafond": 0.2})["ldta"].sd
    assert surface == pytest.approx(np.degrees(np.sqrt(0.05**2 + 0.10**2 + 0.2**2) / apart), rel=0.1)
    moved = replace(leg.items["ankle_centre"], status="edited")
    apart_from_it = replace(leg, items={**leg.items, "ankle_centre": moved})
    alone = spread_of(apart_from_it, leg_frames(apart_from_it), {})["ldta"].sd
    assert alone == pytest.approx(np.degrees(0.3 * np.sqrt(2.0) / apart), rel=0.1)
