"""Grood and Suntay's knee angles and the small helpers (clinical.md 0.3, A.2)."""

from __future__ import annotations

import numpy as np
import pytest

from surgiplan_desktop.base.spaces import rotation_about
from surgiplan_desktop.geometry.angles import (
    KneePose,
    angle_between_deg,
    axial_angle_deg,
    distal_angle_deg,
    frontal_angle_deg,
    knee_pose,
)

X, Y, Z = np.eye(3)
ORIGIN = np.zeros(3)


def turn(axis: np.ndarray, angle: float) -> np.ndarray:
    return np.array(rotation_about(ORIGIN, axis, angle).linear)


def pose_of(femur: np.ndarray, tibia: np.ndarray, sign: int) -> KneePose:
    """Pose of two bones whose axes are the columns of matrices."""
    return knee_pose(tuple(femur.T), tuple(tibia.T), sign)


@pytest.mark.parametrize("sign", [1, -1])
def test_each_joint_angle_alone(sign: int) -> None:
    assert pose_of(np.eye(3), turn(Z, -30.0), sign).flexion_deg == pytest.approx(30.0)
    assert pose_of(np.eye(3), turn(X, sign * 5.0), sign).varus_deg == pytest.approx(5.0)
    assert pose_of(np.eye(3), turn(Y, sign * 7.0), sign).internal_rotation_deg == pytest.approx(7.0)


def test_composition_of_clinical_md() -> None:
    pose = pose_of(np.eye(3), turn(Z, -40.0) @ turn(X, 6.0) @ turn(Y, -9.0), 1)
    assert (pose.flexion_deg, pose.varus_deg, pose.internal_rotation_deg) == pytest.approx((40.0, 6.0, -9.0))


def test_pose_does_not_depend_on_the_world() -> None:
    world = turn(np.array([0.3, -0.4, 0.8]), 57.0)
    tibia = turn(Z, -12.0) @ turn(X, 3.0)
    here, there = pose_of(np.eye(3), tibia, -1), pose_of(world, world @ tibia, -1)
    assert there.flexion_deg == pytest.approx(here.flexion_deg)
    assert there.varus_deg == pytest.approx(here.varus_deg)


def test_plane_angles() -> None:
    assert frontal_angle_deg(np.array([1.0, 1.0, 5.0]), X, Y) == pytest.approx(45.0)
    assert distal_angle_deg(-Y + 0.1 * X, X, Y) == pytest.approx(np.degrees(np.arctan(0.1)))
    assert angle_between_deg(X, -X) == pytest.approx(180.0)
    assert angle_between_deg(X, X + 1e-9 * Y) == pytest.approx(np.degrees(1e-9), rel=1e-6)


def test_many_vectors_at_once_are_each_as_alone() -> None:
    random = np.random.default_rng(5)
    a, b = random.normal(size=(2, 3, 7))
    for function in (
        angle_between_deg,
        lambda p, q: frontal_angle_deg(p, q, Y[:, None] if p.ndim == 2 else Y),
        lambda p, q: axial_angle_deg(p, q, Y[:, None] if p.ndim == 2 else Y),
    ):
        alone = [float(function(a[:, n], b[:, n])) for n in range(7)]
        assert np.asarray(function(a, b)) == pytest.approx(alone)


def test_turn_about_an_axis_is_right_handed() -> None:
    assert axial_angle_deg(turn(Y, 25.0) @ X + 4.0 * Y, X, Y) == pytest.approx(25.0)
