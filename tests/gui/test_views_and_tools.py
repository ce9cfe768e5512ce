"""Geometry of the slice views and of the osteotomy's handles."""

from __future__ import annotations

import numpy as np
import pytest

from surgiplan_desktop.base.spaces import Frame, Plane, rotation_about
from surgiplan_desktop.gui.tools.plane_tool import PlaneTool, hinge_turn, opening_angle
from surgiplan_desktop.gui.viewports.slice_frame import ORIENTATIONS, SliceFrame
from surgiplan_desktop.model.anatomy import Side
from surgiplan_desktop.model.steps import OsteotomyStep, Target
from surgiplan_desktop.planning.records import OsteotomyPlan

BOUNDS = (np.array([-100.0, -80.0, -900.0]), np.array([100.0, 60.0, 0.0]))


@pytest.mark.parametrize("name", sorted(ORIENTATIONS))
def test_px_and_patient_are_the_same_place(name: str) -> None:
    frame = SliceFrame(ORIENTATIONS[name])
    frame.resize(400, 300, BOUNDS)
    point = np.array([12.0, -7.0, -333.0])
    x, y = frame.to_screen(point)[0]
    assert np.allclose(frame.to_lps(x, y, point[frame.axis]), point)
    for corner in BOUNDS:  # everything is in view
        x, y = frame.to_screen(corner)[0]
        assert -1.0 <= x <= 401.0
        assert -1.0 <= y <= 301.0


def test_the_patients_right_is_on_the_left_of_the_screen_and_head_up() -> None:
    frame = SliceFrame(ORIENTATIONS["coronal"])
    frame.resize(400, 300, BOUNDS)
    right_foot, left_head = frame.to_screen(np.array([[-90.0, 0.0, -880.0], [90.0, 0.0, -20.0]]))
    assert right_foot[0] < left_head[0]
    assert right_foot[1] > left_head[1]


def test_zoom_keeps_the_point_under_the_pointer_and_a_resize_keeps_what_was_in_view() -> None:
    frame = SliceFrame(ORIENTATIONS["axial"])
    frame.resize(400, 300, BOUNDS)
    before = frame.to_lps(50.0, 60.0, 0.0)
    frame.zoom(2.0, 50.0, 60.0)
    assert np.allclose(frame.to_lps(50.0, 60.0, 0.0), before)
    scale = frame.mm_per_px
    frame.resize(800, 700, BOUNDS)
    assert frame.mm_per_px == scale
    frame.focus_on(np.zeros(3), 140.0)
    assert frame.mm_per_px == pytest.approx(140.0 / 700)
    frame.resize(350, 700, BOUNDS)
    assert frame.mm_per_px == pytest.approx(140.0 / 350)


def _plan(side: Side, angle_deg: float) -> OsteotomyPlan:
    lateral = -side.sign * 1.0  # LPS x of lateral: right is -x
    frame = Frame(np.zeros(3), np.array([[0.0, 0.0, -1.0], [-1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]))
    hinge, start = np.array([28.0 * lateral, 0.0, -18.0]), np.array([-30.0 * lateral, 0.0, -40.0])
    axis = np.array([0.0, -1.0, 0.0])  # posterior to anterior
    across = np.cross(axis, start - hinge)
    plane = Plane(start, across if across[2] > 0 else -across)
    opens = -1.0 if plane.signed_distance(rotation_about(hinge, axis, 1.0)(start)) > 0 else 1.0
    correction = rotation_about(hinge, axis, opens * angle_deg)
    return OsteotomyPlan(
        "mowhto-1", side, frame, plane, start, hinge, axis, angle_deg, correction, 1.2, "ct", None, None, {}, {}, ()
    )


@pytest.mark.parametrize("side", list(Side))
@pytest.mark.parametrize("angle", [3.0, 9.5])
def test_the_angle_handle_gives_the_angle_at_which_it_is_held(side: Side, angle: float) -> None:
    plan = _plan(side, 6.0)
    held = _plan(side, angle).correction(plan.start_lps)
    assert opening_angle(plan, held) == pytest.approx(angle, abs=1e-9)
    step = PlaneTool.moved(OsteotomyStep("mowhto-1", side, Target("wbl", 55.0)), plan, "angle", held)
    assert step.target == Target("angle", angle)


def test_handles_are_kept_in_the_bones_frame() -> None:
    plan = _plan(Side.RIGHT, 6.0)
    step = OsteotomyStep("mowhto-1", Side.RIGHT, Target("wbl", 55.0))
    moved = PlaneTool.moved(step, plan, "start", plan.start_lps + np.array([0.0, 0.0, -5.0]))
    assert np.allclose(plan.frame.to_lps(np.array(moved.start_tibia)), plan.start_lps + np.array([0.0, 0.0, -5.0]), atol=0.01)
    turned = PlaneTool.moved(step, plan, "direction", plan.hinge_lps + 34.0 * np.array([0.0, -1.0, 0.0]))
    assert turned.hinge_direction_tibia is not None
    assert hinge_turn(np.array(turned.hinge_direction_tibia)) == pytest.approx(0.0, abs=1e-6)
