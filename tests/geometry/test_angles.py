"""Grood and Suntay's knee angles and the small helpers (clinical.md 0.3, A.2)."""

from __future__ import annotations

import numpy as np
import pytest

from surgiplan_desktop.base.spaces import rotation_about
from surgiplan_desktop.geometry.angles import angle_between_deg, distal_angle_deg, frontal_angle_deg, knee_pose

X, Y, Z = np.eye(3)
ORIGIN = np.zeros(3)


def turn(axis: np.ndarray, angle: float) -> np.ndarray:
    return np.array(rotation_about(ORIGIN, axis, angle).linear)


@pytest.mark.parametrize("sign", [1, -1])
def test_each_joint_angle_alone(sign: int) -> None:
    assert knee_pose(np.eye(3), turn(Z, -30.0), sign).flexion_deg == pytest.approx(30.0)
    assert knee_pose(np.eye(3), turn(X, sign * 5.0), sign).varus_deg == pytest.approx(5.0)
    assert knee_pose(np.eye(3), turn(Y, sign * 7.0), sign).internal_rotation_deg == pytest.approx(7.0)


def test_composition_of_clinical_md() -> None:
    pose = knee_pose(np.eye(3), turn(Z, -40.0) @ turn(X, 6.0) @ turn(Y, -9.0), 1)
    assert (pose.flexion_deg, pose.varus_deg, pose.internal_rotation_deg) == pytest.approx((40.0, 6.0, -9.0))


def test_pose_does_not_depend_on_the_world() -> None:
    world = turn(np.array([0.3, -0.4, 0.8]), 57.0)
    tibia = turn(Z, -12.0) @ turn(X, 3.0)
    here, there = knee_pose(np.eye(3), tibia, -1), knee_pose(world, world @ tibia, -1)
    assert there.flexion_deg == pytest.approx(here.flexion_deg)
    assert there.varus_deg == pytest.approx(here.varus_deg)


def test_plane_angles() -> None:
    assert frontal_angle_deg(np.array([1.0, 1.0, 5.0]), X, Y) == pytest.approx(45.0)
    assert distal_angle_deg(-Y + 0.1 * X, X, Y) == pytest.approx(np.degrees(np.arctan(0.1)))
    assert angle_between_deg(X, -X) == pytest.approx(180.0)
    assert angle_between_deg(X, X + 1e-9 * Y) == pytest.approx(np.degrees(1e-9), rel=1e-6)
