"""Angles of directions: in the frontal plane, in space, and between two bone frames (Grood and Suntay)."""

from __future__ import annotations

from dataclasses import dataclass
from math import asin, atan2, degrees, sqrt

import numpy as np

from surgiplan_desktop.base.arrays import FloatArray


def dot(a: FloatArray, b: FloatArray) -> float:
    """Scalar product of two vectors of shape (3,), written out because it is called thousands of times a solve."""
    return float(a[0] * b[0] + a[1] * b[1] + a[2] * b[2])


def cross(a: FloatArray, b: FloatArray) -> FloatArray:
    """Vector product of two vectors of shape (3,); ``np.cross`` is ten times slower for one pair."""
    return np.array([a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]])


def normalised(vector: FloatArray) -> FloatArray:
    """Return a vector of shape (3,) scaled to length 1 (no check: for vectors known to be long)."""
    return vector / sqrt(dot(vector, vector))


def orthogonal_part(vector: FloatArray, axis: FloatArray) -> FloatArray:
    """Return the part of ``vector`` orthogonal to the unit vector ``axis``."""
    return vector - dot(vector, axis) * axis


def angle_between_deg(a: FloatArray, b: FloatArray) -> float:
    """Unsigned angle between two directions in space, 0..180 degrees (accurate near 0 and 180 too)."""
    normal = cross(a, b)
    return degrees(atan2(sqrt(dot(normal, normal)), dot(a, b)))


def frontal_angle_deg(vector: FloatArray, lateral: FloatArray, up: FloatArray) -> float:
    """Direction angle th(v) = atan2(v.Y, v.L) in the frontal plane spanned by ``lateral`` and ``up`` (clinical.md A.2)."""
    return degrees(atan2(dot(vector, up), dot(vector, lateral)))


def distal_angle_deg(vector: FloatArray, lateral: FloatArray, up: FloatArray) -> float:
    """Angle phi(u) = atan2(u.L, -u.Y) of a distally pointing direction, lateral positive (clinical.md A.2)."""
    return degrees(atan2(dot(vector, lateral), -dot(vector, up)))


@dataclass(frozen=True, slots=True)
class KneePose:
    """Pose of the tibia against the femur in degrees: flexion +, varus (adduction) +, internal rotation of the tibia +."""

    flexion_deg: float
    varus_deg: float
    internal_rotation_deg: float


def knee_pose(femur_axes: FloatArray, tibia_axes: FloatArray, side_sign: int) -> KneePose:
    """Joint angles after Grood and Suntay 1983 (clinical.md 0.3).

    Parameters
    ----------
    femur_axes, tibia_axes
        Shape (3, 3); columns X anterior, Y proximal, Z to the patient's right.
    side_sign
        +1 right, -1 left.
    """
    femur_x, femur_y, femur_z = femur_axes.T
    _, tibia_y, tibia_z = tibia_axes.T
    tibia_x = tibia_axes[:, 0]
    floating = normalised(cross(tibia_y, femur_z))
    flexion = atan2(-dot(floating, femur_y), dot(floating, femur_x))
    varus = side_sign * asin(min(1.0, max(-1.0, dot(femur_z, tibia_y))))
    internal = side_sign * atan2(dot(floating, tibia_z), dot(floating, tibia_x))
    return KneePose(degrees(flexion), degrees(varus), degrees(internal))
