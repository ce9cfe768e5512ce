"""Film measures against the golden leg of clinical.md 0.5, film beside CT, standing values, where the deformity is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from surgiplan_desktop.model.anatomy import Side
from surgiplan_desktop.model.study import Film, FilmCalibration
from surgiplan_desktop.planning.axes import leg_frames
from surgiplan_desktop.planning.deformity import deformities, deformity, measured_deformity
from surgiplan_desktop.planning.film_comparison import compare_film
from surgiplan_desktop.planning.film_measures import FILM_MEASURES, measure_film
from surgiplan_desktop.planning.measures import measure_points
from surgiplan_desktop.planning.records import Landmarks
from surgiplan_desktop.planning.standing import StandingValues, standing_values
from tests.helpers.film_points import film_of, moved, without
from tests.planning.golden_leg import golden_landmarks

SIDES = (Side.RIGHT, Side.LEFT)


def compared(film: Film, landmarks: Landmarks):
    measures = measure_points(landmarks)
    return compare_film(measure_film(film, landmarks.side), landmarks, leg_frames(landmarks), measures)


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("aspect", [1.0, 1.7])
def test_golden_leg_on_a_film(side: Side, mirrored: bool, aspect: float) -> None:
    found = measure_film(film_of(golden_landmarks(side), mirrored=mirrored, aspect=aspect), side)
    golden = {
        "hka_deviation": -8.0, "hka": 172.0, "mldfa": 90.0, "mpta": 82.0, "jlca": 0.0, "wbl": 12.84, "mad": 27.44,
        "tibia_length": 370.0, "leg_length": 788.08,
    }  # fmt: skip
    assert tuple(found.items) == FILM_MEASURES
    for name, value in golden.items():
        assert found.number(name) == pytest.approx(value, abs=0.005), name
    assert found.missing == ()
    assert found.findings == ()


def test_lengths_are_locked_until_calibrated_and_angles_are_free() -> None:
    found = measure_film(film_of(golden_landmarks(), calibrated=False), Side.RIGHT)
    assert found.number("hka") == pytest.approx(172.0)
    assert found.number("wbl") == pytest.approx(12.84, abs=0.005)
    for name in ("mad", "tibia_length", "leg_length"):
        assert found.number(name) is None
        assert found.items[name].reason.code == "film_lengths_locked"


@pytest.mark.parametrize("seed", range(5))
def test_the_identity_holds_on_every_film(seed: int) -> None:
    shift = np.random.default_rng(seed).normal(0.0, 4.0, (8, 2))
    film = film_of(golden_landmarks())
    for point, (dx, dy) in zip(film.leg(Side.RIGHT).points, shift, strict=True):
        film = moved(film, Side.RIGHT, point.name, dx, dy)
    number = measure_film(film, Side.RIGHT).number
    assert number("hka_deviation") == pytest.approx(number("mpta") - number("mldfa") - number("jlca"), abs=1e-9)
    assert abs(number("jlca")) > 0.05


def test_what_is_missing_is_named() -> None:
    found = measure_film(without(film_of(golden_landmarks()), Side.RIGHT, "head", "tibia_medial"), Side.RIGHT)
    assert found.missing == ("head", "tibia_medial")
    told = {
        name: None if item.reason is None else dict(item.reason.parameters).get("points") for name, item in found.items.items()
    }
    assert told["hka"] == "head"
    assert told["wbl"] == "head tibia_medial"
    assert told["mpta"] == "tibia_medial"
    assert found.number("tibia_length") == pytest.approx(370.0)
    empty = measure_film(replace(film_of(golden_landmarks()), legs=()), Side.LEFT)
    assert all(item.value is None for item in empty.items.values())


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda film: replace(film, mirrored=True), "film_points_swapped"),
        (lambda film: moved(film, Side.RIGHT, "femur_medial", -200.0), "film_points_swapped"),
        (lambda film: moved(film, Side.RIGHT, "ankle", 0.0, -1700.0), "film_points_order"),
        (lambda film: moved(film, Side.RIGHT, "head", 0.0, 1000.0), "film_points_order"),
    ],
)
def test_contradicting_points_give_no_number(change, code: str) -> None:
    found = measure_film(change(film_of(golden_landmarks())), Side.RIGHT)
    assert [(item.code, item.severity) for item in found.findings] == [(code, "critical")]
    assert all(item.value is None and item.reason.code == code for item in found.items.values())


def test_a_point_on_another_joint_is_told() -> None:
    found = measure_film(moved(film_of(golden_landmarks()), Side.RIGHT, "tuberosity", 0.0, 500.0), Side.RIGHT)
    assert [dict(item.parameters)["point"] for item in found.findings if item.code == "film_point_far"] == ["tuberosity"]


def test_reading_errors_are_those_of_repeated_reading() -> None:
    film = film_of(golden_landmarks())
    told = measure_film(film, Side.RIGHT).items
    random, values = np.random.default_rng(1), {name: [] for name in told}
    for _ in range(300):
        read = film
        for point in film.leg(Side.RIGHT).points:
            sd = 2.0 if point.name in ("head", "knee", "ankle") else 0.8  # 1 mm and 0.4 mm at 0.5 mm a pixel
            read = moved(read, Side.RIGHT, point.name, *random.normal(0.0, sd, 2))
        for name, item in measure_film(read, Side.RIGHT).items.items():
            values[name].append(item.value)
    for name, item in told.items():
        assert item.sd == pytest.approx(float(np.std(values[name])), rel=0.15), name


# Film and CT ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("side", SIDES)
def test_film_and_ct_of_the_same_leg_agree(side: Side) -> None:
    landmarks = golden_landmarks(side)
    found = compared(film_of(landmarks), landmarks)
    assert found.findings == ()
    assert found.turned_deg == pytest.approx(0.0, abs=1e-6)
    for row in found.rows:
        assert row.difference == pytest.approx(0.0, abs=0.005), row.id
    assert {row.id: row.ct_plane for row in found.rows}["mpta"] == "limb"


@pytest.mark.parametrize(("off_deg", "flagged"), [(1.9, False), (2.1, True), (-2.1, True)])
@pytest.mark.parametrize("line", ["femur", "tibia"])
def test_a_bone_that_differs_is_told(line: str, off_deg: float, flagged: bool) -> None:
    landmarks = golden_landmarks()
    wide = (48.0 if line == "femur" else 74.0) / 0.5
    film = moved(film_of(landmarks), Side.RIGHT, f"{line}_medial", 0.0, wide * np.tan(np.radians(off_deg)))
    found = compared(film, landmarks)
    told = [dict(item.parameters)["measure"] for item in found.findings if item.code == "film_ct_bone_mismatch"]
    assert told == (["mldfa" if line == "femur" else "mpta"] if flagged else [])
    assert all(item.severity == "critical" for item in found.findings)


def test_hka_and_jlca_need_not_agree() -> None:
    landmarks = golden_landmarks()
    # standing, the tibia leans 5 deg more: knee opens laterally, bones as they were
    stands = golden_landmarks(
        ankle_centre=(-370 * np.sin(np.radians(13)), -370 * np.cos(np.radians(13)), 0),
        medial_plateau_edge=(-37 * np.cos(np.radians(5)), 37 * np.sin(np.radians(5)), 0),
        lateral_plateau_edge=(37 * np.cos(np.radians(5)), -37 * np.sin(np.radians(5)), 0),
    )
    rows = {row.id: row for row in compared(film_of(stands), landmarks).rows}
    found = compared(film_of(stands), landmarks).findings
    assert rows["hka_deviation"].difference == pytest.approx(-5.0, abs=1e-6)
    assert rows["jlca"].difference == pytest.approx(5.0, abs=1e-6)
    assert rows["mpta"].difference == pytest.approx(0.0, abs=1e-6)
    assert not [item for item in found if item.code == "film_ct_bone_mismatch"]


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("turned", [-20.0, -8.0, 8.0, 20.0])
def test_the_tuberosity_tells_how_far_the_leg_was_turned(side: Side, turned: float) -> None:
    landmarks = golden_landmarks(side)
    found = compared(film_of(landmarks, turned_deg=turned), landmarks)
    assert found.turned_deg == pytest.approx(turned, abs=1e-6)
    assert ("film_leg_turned" in {item.code for item in found.findings}) is (abs(turned) > 15.0)


def test_a_wrong_scale_is_told() -> None:
    landmarks = golden_landmarks()
    film = replace(film_of(landmarks), calibration=FilmCalibration("ruler", (0.56, 0.56)))
    found = compared(film, landmarks)
    assert {dict(item.parameters)["measure"] for item in found.findings} == {"tibia_length", "leg_length"}


def test_a_film_without_bones_has_an_empty_column() -> None:
    found = compare_film(measure_film(film_of(golden_landmarks()), Side.RIGHT))
    assert {row.ct for row in found.rows} == {row.difference for row in found.rows} == {None}
    assert found.rows[0].film == pytest.approx(-8.0)


# Standing ------------------------------------------------------------------------------------------------------------------


def test_typed_wins_over_film_and_the_difference_is_told() -> None:
    landmarks = golden_landmarks()
    film = compared(film_of(landmarks), landmarks)
    alone = standing_values(Side.RIGHT, Side.RIGHT, None, None, film)
    assert (alone.hka_deg, alone.hka_from, alone.jlca_from) == (pytest.approx(172.0), "film-1", "film-1")
    typed = standing_values(Side.RIGHT, None, 168.0, None, film)
    assert (typed.hka_deg, typed.hka_from, typed.jlca_from) == (168.0, "typed", "film-1")
    assert [item.code for item in typed.findings] == ["standing_typed_film_differ"]
    assert not standing_values(Side.RIGHT, Side.LEFT, 168.0, 3.0).known  # typed of the other leg
    assert StandingValues().pose_jlca(measure_points(landmarks)) is None


def test_the_newest_film_counts_and_its_mismatch_is_passed_on() -> None:
    landmarks = golden_landmarks()
    old = replace(moved(film_of(landmarks), Side.RIGHT, "ankle", 30.0), id="film-2", taken="2020-01-01")
    new = moved(film_of(landmarks), Side.RIGHT, "tibia_medial", 0.0, 12.0)
    films = [compared(film, landmarks) for film in (new, old)]
    found = standing_values(Side.RIGHT, Side.RIGHT, None, None, *films)
    assert found.hka_from == "film-1"
    assert [item.code for item in found.findings] == ["film_ct_bone_mismatch"]


# Deformity -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mpta", "mldfa", "jlca", "kind"),
    [
        (87.0, 87.0, 0.0, "none"), (88.9, 88.9, 0.0, "none"), (81.0, 88.0, 1.0, "tibial"), (87.0, 82.0, 0.0, "femoral"),
        (86.5, 87.0, 4.0, "joint"), (83.0, 90.0, 1.0, "combined"), (85.0, 87.0, 0.0, "tibial"),
    ],
)  # fmt: skip
def test_where_the_deformity_is(mpta: float, mldfa: float, jlca: float, kind: str) -> None:
    found = deformity("ct", mpta, mldfa, jlca)
    assert found.kind == kind
    assert found.deviation_deg == pytest.approx(mpta - mldfa - jlca, abs=1e-12)


def test_shares_add_up_to_the_measured_deviation_lying_and_standing() -> None:
    landmarks = golden_landmarks(lateral_distal_condyle=(24, 1.4, 1))
    measures = measure_points(landmarks)
    found = measured_deformity(measures)
    assert found is not None
    assert found.deviation_deg == pytest.approx(measures.number("hka_deviation"), abs=1e-6)
    standing = StandingValues(Side.RIGHT, 166.0, "typed")
    lying, stands, film = deformities(measures, standing, compared(film_of(landmarks), landmarks))
    assert (lying.pose, stands.pose, film.pose) == ("ct", "standing", "film")
    assert stands.tibia_deg == lying.tibia_deg
    assert stands.deviation_deg == pytest.approx(166.0 - 180.0, abs=1e-6)
    knee_only = measure_points(golden_landmarks(without=("hip_centre",)))
    assert deformities(knee_only, StandingValues()) == ()
