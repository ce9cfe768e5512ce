"""The standing pose of a plan (clinical.md A.3): from typed values or a film, told apart from the correction of the bone."""

from __future__ import annotations

import pytest

from surgiplan_desktop.model.anatomy import Side
from surgiplan_desktop.model.case import Case, Intake
from surgiplan_desktop.model.edits import place_film_point, put_film, remove_film
from surgiplan_desktop.model.steps import OsteotomyStep, Target
from surgiplan_desktop.planning.axes import leg_frames
from surgiplan_desktop.planning.film_comparison import compare_film
from surgiplan_desktop.planning.film_graph import deformity_key, film_comparison_key, film_measures_key, standing_key
from surgiplan_desktop.planning.film_measures import measure_film
from surgiplan_desktop.planning.graph import plan_graph
from surgiplan_desktop.planning.measures import measure_points
from surgiplan_desktop.planning.osteotomy import plan_osteotomy
from surgiplan_desktop.planning.records import OsteotomyPlan
from surgiplan_desktop.planning.standing import StandingValues, standing_values
from tests.helpers.film_points import film_of, moved
from tests.planning.golden_leg import golden_landmarks, golden_site


def solve(standing: StandingValues, side: Side = Side.RIGHT, **step: object) -> OsteotomyPlan:
    landmarks = golden_landmarks(side)
    wanted = OsteotomyStep("mowhto-1", side, Target("wbl", 55.0), **step)  # type: ignore[arg-type]
    return plan_osteotomy(wanted, Intake(), landmarks, leg_frames(landmarks), golden_site(landmarks), standing)


@pytest.mark.parametrize("side", list(Side))
def test_a_plan_of_the_lying_leg_tells_the_leg_standing_apart(side: Side) -> None:
    plan = solve(StandingValues(side, jlca_deg=5.0, jlca_from="film-1"), side, post_jlca_deg=0.0)
    assert plan.bone_correction_deg == pytest.approx(plan.after["mpta"] - plan.before["mpta"], abs=1e-9)
    assert plan.before["hka_deviation"] == pytest.approx(-8.0, abs=1e-6)  # lying
    assert plan.standing is not None
    assert plan.standing.before["jlca"] == pytest.approx(5.0, abs=1e-6)
    assert plan.standing.before["hka_deviation"] == pytest.approx(-13.0, abs=0.05)  # the knee opens: 5 deg more varus
    assert plan.standing.jlca_from == "film-1"


def test_both_poses_predict_the_same_leg_standing_for_the_same_cut() -> None:
    standing = StandingValues(Side.RIGHT, jlca_deg=5.0, jlca_from="typed")
    stands = solve(standing, pose="standing")
    lies = plan_osteotomy(
        OsteotomyStep("mowhto-1", Side.RIGHT, Target("angle", stands.angle_deg)), Intake(), golden_landmarks(),
        leg_frames(golden_landmarks()), golden_site(golden_landmarks()), standing,
    )  # fmt: skip
    assert stands.standing is not None
    assert lies.standing is not None
    for name in ("hka_deviation", "wbl", "jlca", "mad"):
        assert stands.standing.before[name] == pytest.approx(stands.before[name], abs=1e-9), name
        assert stands.standing.after[name] == pytest.approx(stands.after[name], abs=1e-9), name
        assert lies.standing.after[name] == pytest.approx(stands.after[name], abs=1e-6), name
    assert lies.after["wbl"] != pytest.approx(stands.after["wbl"], abs=1.0)


def test_nothing_is_predicted_where_nothing_is_known() -> None:
    plan = solve(StandingValues())
    assert plan.standing is None
    assert ("standing_unknown", "critical") in {(item.code, item.severity) for item in plan.findings}


def test_a_film_drives_the_standing_pose_and_its_mismatch_reaches_the_plan() -> None:
    landmarks = golden_landmarks()
    film = moved(film_of(landmarks), Side.RIGHT, "tibia_medial", 0.0, 8.0)
    film = moved(film, Side.RIGHT, "tibia_lateral", 0.0, -8.0)
    measures = measure_points(landmarks)
    compared = compare_film(measure_film(film, Side.RIGHT), landmarks, leg_frames(landmarks), measures)
    plan = solve(standing_values(Side.RIGHT, Side.RIGHT, None, None, compared), pose="standing")
    assert plan.pose_jlca_deg == pytest.approx(compared.measures.number("jlca"), abs=1e-9)
    assert "film_ct_bone_mismatch" in {item.code for item in plan.findings}


def test_the_graph_has_what_films_give_with_and_without_bones() -> None:
    film = film_of(golden_landmarks())
    case = put_film(Case(), film, "ABC")
    graph = plan_graph(case, lambda _asset: None, {})
    keys = {film_measures_key("film-1", Side.RIGHT), film_comparison_key("film-1", Side.RIGHT)}
    assert keys <= graph.keys()
    assert film_measures_key("film-1", Side.LEFT) not in graph
    assert {standing_key(side) for side in Side} | {deformity_key(side) for side in Side} <= graph.keys()
    node = graph[film_measures_key("film-1", Side.RIGHT)]
    assert node.function(*node.params).number("hka") == pytest.approx(172.0)
    bare = plan_graph(remove_film(case, "film-1"), lambda _asset: None, {})
    assert not keys & bare.keys()


def test_points_are_placed_and_taken_away_by_pure_edits() -> None:
    case = put_film(Case(), film_of(golden_landmarks()), "ABC")
    other = place_film_point(case, "film-1", Side.LEFT, "head", (10.123, 20.0), 33.333)
    assert other.films[0].leg(Side.LEFT).head_radius_px == 33.33
    assert [leg.side for leg in other.films[0].legs] == [Side.RIGHT, Side.LEFT]
    assert place_film_point(other, "film-1", Side.LEFT, "head", None).films[0].legs == case.films[0].legs
    assert case.films[0].leg(Side.LEFT).points == ()
