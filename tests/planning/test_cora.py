"""Centre of rotation of angulation on constructed legs whose bend is known; mirrored, moved, incomplete; and its words."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from surgiplan_desktop.base.arrays import FloatArray
from surgiplan_desktop.base.spaces import Affine, rotation_about
from surgiplan_desktop.model.anatomy import BoneName, Side
from surgiplan_desktop.planning.axes import leg_frames
from surgiplan_desktop.planning.cora import BoneCora, bone_cora, leg_cora
from surgiplan_desktop.planning.measures import measure_points
from surgiplan_desktop.planning.records import Landmarks
from tests.planning.golden_leg import golden_landmarks
from tests.planning.golden_leg import place as at

SIDES = (Side.RIGHT, Side.LEFT)
LONG = 370.0
Points = dict[str, tuple[float, float, float]]


def way(degrees: float) -> FloatArray:
    return np.array([np.cos(np.radians(degrees)), np.sin(np.radians(degrees))])


def bent_tibia(bend_deg: float, level_mm: float, mpta: float = 87.0, ldta: float = 89.0) -> Points:
    """A tibia bent by ``bend_deg`` (valgus +) ``level_mm`` below a level plateau; both joints at their reference before it."""
    down = -(180.0 - mpta)
    elbow = level_mm / np.cos(np.radians(mpta - 90.0)) * way(down)
    ankle = elbow + (LONG - level_mm) * way(down + bend_deg)
    across = way(down + bend_deg + 180.0 - ldta)
    points = {"tibial_knee_centre": (0.0, 0.0), "ankle_centre": ankle, "medial_plafond": ankle - 14.0 * across}
    points |= {"lateral_plafond": ankle + 14.0 * across, "medial_malleolus": ankle - 25.0 * across}
    points |= {"lateral_malleolus": ankle + 25.0 * across}
    return {name: (float(point[0]), float(point[1]), 0.0) for name, point in points.items()}


def bent_femur(bend_deg: float, level_mm: float, mldfa: float = 87.0, lpfa: float = 90.0) -> Points:
    """A femur bent by ``bend_deg`` (valgus +) ``level_mm`` above a level knee joint line."""
    elbow = level_mm / np.cos(np.radians(mldfa - 90.0)) * way(mldfa)
    up = mldfa - bend_deg
    hip = elbow + (420.0 - level_mm) * way(up)
    tip = hip + 45.0 * way(up - 180.0 + lpfa)
    points = {"hip_centre": hip, "greater_trochanter_tip": tip, "femoral_knee_centre": np.zeros(2)}
    return {name: (float(point[0]), float(point[1]), 0.0) for name, point in points.items()}


def cora_of(landmarks: Landmarks, bone: BoneName, other: Landmarks | None = None) -> BoneCora:
    against = None if other is None else measure_points(other)
    return bone_cora(bone, landmarks, leg_frames(landmarks), measure_points(landmarks), against)


def motion(seed: int) -> Affine:
    random = np.random.default_rng(seed)
    return rotation_about(random.normal(size=3) * 100.0, random.normal(size=3), float(random.uniform(0.0, 180.0)))


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize(("bend", "level"), [(-8.0, 120.0), (-15.0, 250.0), (6.0, 60.0), (-4.0, 35.0)])
def test_a_bent_tibia_gives_its_bend(side: Side, bend: float, level: float) -> None:
    for place in (None, motion(1), motion(2)):
        found = cora_of(golden_landmarks(side, place, **bent_tibia(bend, level)), BoneName.TIBIA)
        assert found.angle_deg == pytest.approx(bend, abs=1e-9)
        assert found.distance_mm == pytest.approx(level, abs=1e-6)
        assert (found.place, found.plane, found.reason) == ("bone", "limb", None)
        assert not found.estimated


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize(("bend", "level"), [(-8.0, 120.0), (5.0, 300.0)])
def test_a_bent_femur_gives_its_bend(side: Side, bend: float, level: float) -> None:
    for place in (None, motion(3)):
        found = cora_of(golden_landmarks(side, place, **bent_femur(bend, level)), BoneName.FEMUR)
        assert found.angle_deg == pytest.approx(bend, abs=1e-9)
        assert found.distance_mm == pytest.approx(level, abs=1e-6)
        assert found.place == "bone"


def test_the_crossing_lies_in_space_where_the_bone_bends() -> None:
    place = motion(4)
    points = bent_tibia(-10.0, 150.0)
    landmarks = golden_landmarks(Side.LEFT, place, **points)
    found = cora_of(landmarks, BoneName.TIBIA)
    assert found.point_lps is not None
    elbow = 150.0 / np.cos(np.radians(3.0)) * way(-93.0)
    assert np.allclose(found.point_lps, at(Side.LEFT, (elbow[0], elbow[1], 0.0), place), atol=1e-6)


def test_where_it_lies_is_told() -> None:
    assert cora_of(golden_landmarks(**bent_tibia(-8.0, 3.0)), BoneName.TIBIA).place == "joint"
    assert cora_of(golden_landmarks(**bent_tibia(-8.0, LONG - 4.0)), BoneName.TIBIA).place == "far_joint"
    # both joints tilted to the same side, the bone straight between them: the lines cross far off the bone
    beyond = cora_of(golden_landmarks(**bent_tibia(0.0, 100.0, mpta=80.0, ldta=86.0)), BoneName.TIBIA)
    assert beyond.place == "beyond"
    assert beyond.distance_mm is not None
    assert beyond.distance_mm < -100.0 or beyond.distance_mm > LONG
    straight = cora_of(golden_landmarks(**bent_tibia(-1.5, 100.0)), BoneName.TIBIA)
    assert (straight.place, straight.distance_mm, straight.point_lps) == ("none", None, None)
    assert straight.angle_deg == pytest.approx(-1.5)
    parallel = cora_of(golden_landmarks(**bent_tibia(0.0, 100.0, mpta=87.0, ldta=89.0)), BoneName.TIBIA)
    assert parallel.place == "none"


def test_the_angle_is_what_both_joints_are_off() -> None:
    random = np.random.default_rng(5)
    for _ in range(10):
        mpta, ldta = random.uniform(80.0, 92.0), random.uniform(84.0, 94.0)
        landmarks = golden_landmarks(**bent_tibia(float(random.uniform(-9.0, 9.0)), 140.0, mpta, ldta))
        found = cora_of(landmarks, BoneName.TIBIA)
        items = measure_points(landmarks).items
        near, far = items["mpta"].value_limb_plane, items["ldta"].value_limb_plane
        assert near is not None
        assert far is not None
        assert found.angle_deg == pytest.approx((near - 87.0) - (far - 89.0), abs=1e-9)


def test_the_other_leg_may_be_the_reference_and_is_named() -> None:
    own = golden_landmarks(Side.RIGHT, **bent_tibia(-8.0, 120.0, mpta=84.0, ldta=91.0))
    other = golden_landmarks(Side.LEFT, motion(6), **bent_tibia(0.0, 120.0, mpta=84.0, ldta=91.0))
    found = cora_of(own, BoneName.TIBIA, other)
    assert (found.angle_deg, found.distance_mm) == (pytest.approx(-8.0), pytest.approx(120.0))
    assert found.ends is not None
    assert [end.reference_deg for end in found.ends] == pytest.approx([84.0, 91.0])
    against = leg_cora(own, leg_frames(own), measure_points(own), measure_points(other))
    assert [item.reference for item in against] == ["normal", "other_leg"]
    assert against[0].tibia.distance_mm != pytest.approx(120.0, abs=1.0)
    knee = golden_landmarks(Side.LEFT, without=("ankle_centre", "hip_centre"))
    assert len(leg_cora(own, leg_frames(own), measure_points(own), measure_points(knee))) == 1


def test_no_number_without_its_landmarks() -> None:
    points = bent_tibia(-8.0, 120.0)
    for name in ("ankle_centre", "medial_plafond", "tibial_knee_centre", "lateral_plateau_centre"):
        found = cora_of(golden_landmarks(without=(name,), **points), BoneName.TIBIA)
        assert found.place == "not_measurable"
        assert found.reason is not None
        assert (found.angle_deg, found.distance_mm, found.ends) == (None, None, None)
    # no trochanter in the golden leg: no line at the hip
    assert cora_of(golden_landmarks(), BoneName.FEMUR).place == "not_measurable"
    # without the hip the tibia is measured in its own plane, which is told
    alone = cora_of(golden_landmarks(without=("hip_centre",), **points), BoneName.TIBIA)
    assert (alone.plane, alone.place) == ("bone", "bone")
    assert alone.distance_mm == pytest.approx(120.0)


def test_what_a_degree_of_the_reference_does_and_what_is_usual() -> None:
    small, large = (cora_of(golden_landmarks(**bent_tibia(bend, 120.0)), BoneName.TIBIA) for bend in (-2.5, -15.0))
    assert small.per_degree_mm is not None
    assert large.per_degree_mm is not None
    assert small.per_degree_mm > 4.0 * large.per_degree_mm > 20.0
    assert small.usual
    assert not large.usual


def test_an_estimated_landmark_marks_it() -> None:
    landmarks = golden_landmarks(**bent_tibia(-8.0, 120.0))
    items = dict(landmarks.items)
    items["medial_plafond"] = replace(items["medial_plafond"], status="estimated")
    assert cora_of(replace(landmarks, items=items), BoneName.TIBIA).estimated
