"""The osteotomy's solver against the golden values of clinical.md 0.5, and its promises."""

import time
from dataclasses import replace

import numpy as np
import pytest

from surgiplan_desktop.base.errors import InputDataError, UsageError
from surgiplan_desktop.base.spaces import rotation_about
from surgiplan_desktop.model.anatomy import Side
from surgiplan_desktop.model.case import Intake
from surgiplan_desktop.model.steps import OsteotomyStep, Target
from surgiplan_desktop.planning.axes import leg_frames
from surgiplan_desktop.planning.leg_motion import carry, opening
from surgiplan_desktop.planning.measures import measure_points
from surgiplan_desktop.planning.osteotomy import plan_osteotomy
from surgiplan_desktop.planning.osteotomy_site import parameters_from_points, points_from_parameters
from surgiplan_desktop.planning.records import OsteotomyPlan
from tests.planning.golden_leg import START, box_tibia, golden_landmarks, golden_site, place

MOTION = rotation_about(np.array([40.0, -30.0, 1200.0]), np.array([0.3, 1.0, -0.4]), 63.0)
SIDES = (Side.RIGHT, Side.LEFT)


def solve(
    kind: str, value: float, side: Side = Side.RIGHT, *, intake: Intake | None = None, moved: bool = False,
    turn_deg: float = 0.0, landmarks=None, **step: object,
) -> OsteotomyPlan:  # fmt: skip
    motion = MOTION if moved else None
    landmarks = golden_landmarks(side, motion) if landmarks is None else landmarks
    target = Target(kind, value)  # type: ignore[arg-type]
    wanted = OsteotomyStep("mowhto-1", side, target, **step)  # type: ignore[arg-type]
    site = golden_site(landmarks, motion, turn_deg)
    return plan_osteotomy(wanted, intake or Intake(), landmarks, leg_frames(landmarks), site)


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize(
    ("percent", "angle", "deviation"), [(50, 8.403, 0.0), (55, 9.534, 1.07), (62, 11.116, 2.56), (62.5, 11.229, 2.67)]
)
def test_golden_miniaci_table(side: Side, percent: float, angle: float, deviation: float) -> None:
    plan = solve("wbl", percent, side, post_jlca_deg=0.0, moved=side is Side.LEFT)
    assert plan.before["wbl"] == pytest.approx(12.84, abs=0.005)
    assert plan.before["mad"] == pytest.approx(27.44, abs=0.005)
    assert plan.angle_deg == pytest.approx(angle, abs=6e-4)
    assert plan.after["wbl"] == pytest.approx(percent, abs=1e-4)
    assert plan.after["hka_deviation"] == pytest.approx(deviation, abs=0.006)


def test_golden_change_of_leg_length() -> None:
    plan = solve("wbl", 62.5, post_jlca_deg=0.0)
    assert plan.after["leg_length"] - plan.before["leg_length"] == pytest.approx(7.75, abs=0.01)


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize(("turn", "coronal", "sagittal"), [(10, 9.85, 1.75), (20, 9.41, 3.45), (30, 8.68, 5.04)])
def test_golden_coupling_of_hinge_direction_and_slope(side: Side, turn: float, coronal: float, sagittal: float) -> None:
    """A posterolateral hinge raises the slope, on either side (clinical.md B.3)."""
    motion = opening(side, np.zeros(3), place(side, [np.sin(np.radians(turn)), 0.0, np.cos(np.radians(turn))]), 10.0)
    axis = motion.directions(place(side, [0.0, -1.0, 0.0]))
    lateral, anterior = place(side, [1.0, 0, 0]), place(side, [0, 0, 1.0])
    assert np.degrees(np.arctan2(axis @ lateral, -axis[2])) == pytest.approx(coronal, abs=0.006)
    # the ankle goes backwards under the plateau, which then falls off backwards against the shaft: the slope is raised
    assert np.degrees(np.arctan2(-axis @ anterior, -axis[2])) == pytest.approx(sagittal, abs=0.006)


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize(("turn", "change"), [(20.0, 3.45), (-20.0, -3.45)])
def test_an_oblique_hinge_changes_the_measured_slope(side: Side, turn: float, change: float) -> None:
    landmarks = golden_landmarks(side, ankle_centre=(0.0, -370.0, 0.0))
    level = np.array([0.0, 0.0, 1.0])
    landmarks = replace(landmarks, plateau_normals={"medial": level, "lateral": level, "both": level})
    plan = solve("angle", 10.0, side, landmarks=landmarks, turn_deg=turn)
    assert plan.before["slope_medial"] == pytest.approx(0.0, abs=1e-9)
    # the tibial axis runs to the knee centre beside the hinge, so the golden value is met to a few tenths
    assert plan.after["slope_medial"] == pytest.approx(change, abs=0.35)
    assert ("slope_changes", "warn") in {(item.code, item.severity) for item in plan.findings}


@pytest.mark.parametrize(("kind", "value"), [("wbl", 55.0), ("hka", 182.0), ("mpta", 90.0)])
@pytest.mark.parametrize("side", SIDES)
def test_target_is_met_with_landmarks_carried_by_their_pieces(side: Side, kind: str, value: float) -> None:
    landmarks = golden_landmarks(side, MOTION, hip_centre=(6, 418, 9), lateral_distal_condyle=(24, 1.4, 1))
    plan = solve(kind, value, side, landmarks=landmarks, moved=True, turn_deg=8.0)
    again = measure_points(carry(landmarks, plan.plane, plan.correction, rotation_about(np.zeros(3), np.array([1.0, 0, 0]), 0.0)))
    # the joint line was left as scanned (JLCA below 2 deg), so the correction alone must reach the target
    assert plan.post_jlca_deg == plan.pose_jlca_deg
    assert again.number(kind) == pytest.approx(value, abs=2e-5)
    assert plan.after[kind] == pytest.approx(value, abs=2e-5)


def test_an_angle_of_zero_changes_nothing() -> None:
    plan = solve("angle", 0.0, landmarks=golden_landmarks(), post_jlca_deg=None)
    assert np.array_equal(plan.correction.matrix, np.eye(4))
    assert dict(plan.after) == dict(plan.before)


def test_typed_angle_changes_mpta_by_itself() -> None:
    plan = solve("angle", 8.0)
    assert plan.angle_deg == 8.0
    assert plan.after["mpta"] - plan.before["mpta"] == pytest.approx(8.0, abs=0.6)


def test_sides_mirror() -> None:
    right, left = (solve("wbl", 60.0, side, turn_deg=5.0) for side in SIDES)
    assert right.angle_deg == pytest.approx(left.angle_deg, abs=1e-6)
    for measure, value in right.after.items():
        if value is not None:
            assert value == pytest.approx(left.after[measure], abs=1e-5), measure
    assert right.hinge_lps * [-1, 1, 1] == pytest.approx(left.hinge_lps)


def test_one_degree_of_joint_line_moves_the_weight_bearing_line_by_4_6_percent() -> None:
    one, two = (solve("angle", 8.0, post_jlca_deg=jlca) for jlca in (0.0, 1.0))
    assert one.after["jlca"] == pytest.approx(0.0, abs=1e-6)
    assert two.after["jlca"] == pytest.approx(1.0, abs=1e-6)
    assert one.after["wbl"] - two.after["wbl"] == pytest.approx(4.6, abs=0.1)


def test_poses_and_scenarios() -> None:
    intake = Intake(standing_jlca_deg=5.0)
    plan = solve("wbl", 55.0, intake=intake, pose="standing")
    assert plan.pose_jlca_deg == 5.0
    assert plan.before["jlca"] == pytest.approx(5.0, abs=1e-6)
    assert plan.post_jlca_deg == 2.0
    assert plan.after["jlca"] == pytest.approx(2.0, abs=1e-6)
    rows = {row.name: row for row in plan.scenarios}
    assert [row.post_jlca_deg for row in plan.scenarios] == [5.0, 2.0, 0.0]
    assert rows["unchanged"].angle_deg > rows["default"].angle_deg > rows["zero"].angle_deg
    assert rows["default"].angle_deg == pytest.approx(plan.angle_deg, abs=1e-9)
    for row in plan.scenarios:
        assert row.after["wbl"] == pytest.approx(55.0, abs=1e-3)
        assert row.after["jlca"] == pytest.approx(row.post_jlca_deg, abs=1e-6)
    codes = {finding.code: finding.severity for finding in plan.findings}
    assert codes["jlca_spread"] == "warn"
    assert codes["jlca_high"] == "warn"
    assert "standing_unknown" not in codes
    # what the plan of the unchanged joint line reaches when the joint line closes to 2 deg: practice.md 1 says about 69 %
    closed = solve("angle", rows["unchanged"].angle_deg, intake=intake, post_jlca_deg=2.0)
    assert closed.after["wbl"] == pytest.approx(69.0, abs=1.0)


def test_a_typed_standing_hka_gives_the_joint_line() -> None:
    plan = solve("wbl", 55.0, intake=Intake(standing_hka_deg=169.0), pose="standing")
    assert plan.pose_jlca_deg == pytest.approx(3.0, abs=1e-9)
    assert plan.before["hka"] == pytest.approx(169.0, abs=1e-5)


def test_without_standing_values() -> None:
    assert ("standing_unknown", "critical") in {(item.code, item.severity) for item in solve("wbl", 55.0).findings}
    with pytest.raises(InputDataError, match="standing_values_missing"):
        solve("wbl", 55.0, pose="standing")


def test_a_missing_bone_is_named() -> None:
    tibia_alone = golden_landmarks(without=tuple(name for name in ("hip_centre", "femoral_knee_centre")))
    with pytest.raises(InputDataError, match="target_not_measurable") as caught:
        solve("wbl", 55.0, landmarks=tibia_alone)
    assert caught.value.parameters["bone"] == "right femur"
    assert caught.value.exit_code == 3
    plan = solve("mpta", 90.0, landmarks=tibia_alone)
    assert plan.after["mpta"] == pytest.approx(90.0, abs=1e-5)
    assert plan.after["wbl"] is None
    assert plan.scenarios == ()
    assert solve("angle", 8.0, landmarks=tibia_alone).angle_deg == 8.0


def test_targets_out_of_reach_are_refused() -> None:
    with pytest.raises(UsageError, match="target_needs_closing"):
        solve("wbl", 5.0)
    with pytest.raises(UsageError, match="target_unreachable"):
        solve("mpta", 130.0)
    with pytest.raises(UsageError, match="angle_out_of_range"):
        solve("angle", 40.0)
    with pytest.raises(UsageError, match="angle_out_of_range"):
        solve("angle", -2.0)
    with pytest.raises(UsageError, match="hinge_not_lateral"):
        solve("wbl", 55.0, start_tibia=(0.0, -30.0, 40.0))
    with pytest.raises(UsageError, match="hinge_direction"):
        solve("wbl", 55.0, hinge_direction_tibia=(0.0, 0.0, 1.0))


def test_handles_and_parameters_are_two_ways_of_saying_the_same() -> None:
    landmarks = golden_landmarks(Side.LEFT, MOTION)
    site = golden_site(landmarks, MOTION)
    frame = site.frame
    start, hinge, direction = place(Side.LEFT, START, MOTION), frame.origin_lps + frame.x, -frame.x + 0.2 * frame.z
    values = parameters_from_points(frame, start, hinge, direction)
    step = OsteotomyStep("mowhto-1", Side.LEFT, Target("angle", 5.0), "mowhto", "ct", None, *values)
    back = points_from_parameters(step, site)
    assert back[0] == pytest.approx(start, abs=1e-5)
    assert back[1] == pytest.approx(hinge, abs=1e-5)
    assert abs(back[2] @ direction) == pytest.approx(np.linalg.norm(direction))
    assert values[2][0] > 0


def test_plan_is_quick_enough_to_follow_a_handle() -> None:
    landmarks = golden_landmarks()
    frames, site = leg_frames(landmarks), golden_site(landmarks)
    step = OsteotomyStep("mowhto-1", Side.RIGHT, Target("wbl", 55.0), pose="standing")
    intake = Intake(standing_jlca_deg=4.0)
    seconds = []
    for number in range(5):
        begin = time.process_time()
        plan_osteotomy(replace(step, post_jlca_deg=1.0 + 0.1 * number), intake, landmarks, frames, site)
        seconds.append(time.process_time() - begin)
    assert min(seconds) < 0.1  # 20 ms of processor time; other work on the machine does not count


def test_box_tibia_is_the_golden_block() -> None:
    from surgiplan_desktop.geometry.solid import volume

    assert volume(box_tibia(Side.LEFT, MOTION).parts[0].mesh) == pytest.approx(74 * 45 * 110)
