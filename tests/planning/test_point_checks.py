"""Which points were looked at, and that a point that moved is to be looked at again."""

from __future__ import annotations

from surgiplan_desktop.model.anatomy import LANDMARKS, Side
from surgiplan_desktop.model.case import Case, PointCheck
from surgiplan_desktop.model.edits import place_landmark, put_point_check, release_landmarks
from surgiplan_desktop.planning.measures import MEASURES
from surgiplan_desktop.planning.point_checks import STAGES, stage_points, stage_states, unchecked
from tests.planning.golden_leg import golden_landmarks


def test_stages_name_landmarks_and_measures_that_there_are() -> None:
    assert len(STAGES) == 5
    for stage in STAGES:
        assert set(stage.points) <= set(LANDMARKS)
        assert stage.fit in LANDMARKS
        assert set(stage.measures) <= set(MEASURES)


def test_a_stage_is_open_then_confirmed_then_moved() -> None:
    landmarks, head = golden_landmarks(Side.RIGHT), STAGES[0]
    case = Case()
    assert stage_states(case, Side.RIGHT, landmarks)["head"] == "open"
    case = put_point_check(case, PointCheck(Side.RIGHT, "head", stage_points(head, landmarks), 4.0, "2024-01-01T00:00:00Z"))
    assert stage_states(case, Side.RIGHT, landmarks)["head"] == "confirmed"
    assert stage_states(case, Side.LEFT, golden_landmarks(Side.LEFT))["head"] == "open"
    assert [stage.id for stage in unchecked(case, Side.RIGHT, landmarks)] == [stage.id for stage in STAGES[1:]]
    moved = golden_landmarks(Side.RIGHT, None, (), hip_centre=(0.2, 420.0, 0.0))
    assert stage_states(case, Side.RIGHT, moved)["head"] == "moved"
    gone = golden_landmarks(Side.RIGHT, None, ("hip_centre",))
    assert stage_states(case, Side.RIGHT, gone)["head"] == "missing"
    again = put_point_check(case, PointCheck(Side.RIGHT, "head", stage_points(head, moved), 2.0, "2024-01-01T00:00:09Z"))
    assert len(again.point_checks) == 1
    assert stage_states(again, Side.RIGHT, moved)["head"] == "confirmed"


def test_a_point_that_was_missing_when_looked_at_opens_its_stage() -> None:
    plateau = next(stage for stage in STAGES if stage.id == "plateau")
    without = golden_landmarks(Side.LEFT, None, ("lateral_plateau_edge",))
    case = put_point_check(Case(), PointCheck(Side.LEFT, "plateau", stage_points(plateau, without), 1.0, "2024-01-01T00:00:00Z"))
    assert stage_states(case, Side.LEFT, without)["plateau"] == "confirmed"
    assert stage_states(case, Side.LEFT, golden_landmarks(Side.LEFT))["plateau"] == "moved"


def test_all_landmarks_of_one_leg_go_back_to_the_finders() -> None:
    case = place_landmark(Case(), Side.RIGHT, "hip_centre", (1.0, 2.0, 3.0))
    case = place_landmark(case, Side.LEFT, "hip_centre", (4.0, 5.0, 6.0))
    assert set(release_landmarks(case, Side.RIGHT).landmarks) == {(Side.LEFT, "hip_centre")}
