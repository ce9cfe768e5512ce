"""Angles of directions: in the frontal plane, in space, and between two bone frames (Grood and Suntay).

Vectors have their coordinates first: shape (3,) for one, (3, n) for n at once. Every function takes both, so that a formula is
written once and serves a single leg as well as thousands of draws.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from surgiplan_desktop.base.arrays import FloatArray


def dot(a: FloatArray, b: FloatArray) -> FloatArray:
    """Scalar product, written out because it is called thousands of times a solve; shape () or (n,)."""
    product: FloatArray = a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
    return product


def cross(a: FloatArray, b: FloatArray) -> FloatArray:
    """Vector product; ``np.cross`` is ten times slower for one pair."""
    return np.array([a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]])


def norm(vector: FloatArray) -> FloatArray:
    """Length; shape () or (n,)."""
    length: FloatArray = np.sqrt(dot(vector, vector))
    return length


def normalised(vector: FloatArray) -> FloatArray:
    """Return a vector scaled to length 1 (no check: for vectors known to be long)."""
    return vector / norm(vector)


def orthogonal_part(vector: FloatArray, axis: FloatArray) -> FloatArray:
    """Return the part of ``vector`` orthogonal to the unit vector ``axis``."""
    return vector - dot(vector, axis) * axis


def wrapped_deg(angle_deg: FloatArray) -> FloatArray:
    """Wrap angles to (-180, 180] degrees."""
    return 180.0 - (180.0 - angle_deg) % 360.0


def angle_between_deg(a: FloatArray, b: FloatArray) -> FloatArray:
    """Unsigned angle between two directions in space, 0..180 degrees (accurate near 0 and 180 too)."""
    angle: FloatArray = np.degrees(np.arctan2(norm(cross(a, b)), dot(a, b)))
    return angle


def frontal_angle_deg(vector: FloatArray, lateral: FloatArray, up: FloatArray) -> FloatArray:
    """Direction angle th(v) = atan2(v.Y, v.L) in the frontal plane spanned by ``lateral`` and ``up`` (clinical.md A.2)."""
    angle: FloatArray = np.degrees(np.arctan2(dot(vector, up), dot(vector, lateral)))
    return angle


def distal_angle_deg(vector: FloatArray, lateral: FloatArray, up: FloatArray) -> FloatArray:
    """Angle phi(u) = atan2(u.L, -u.Y) of a distally pointing direction, lateral positive (clinical.md A.2)."""
    angle: FloatArray = np.degrees(np.arctan2(dot(vector, lateral), -dot(vector, up)))
    return angle


def axial_angle_deg(vector: FloatArray, reference: FloatArray, axis: FloatArray) -> FloatArray:
    """Turn from ``reference`` to ``vector`` about the unit vector ``axis`` (right-handed), both seen along the axis."""
    across = orthogonal_part(reference, axis)
    angle: FloatArray = np.degrees(np.arctan2(dot(vector, cross(axis, across)), dot(vector, across)))
    return angle


@dataclass(frozen=True, slots=True, eq=False)
class KneePose:
    """Pose of the tibia against the femur in degrees: flexion +, varus (adduction) +, internal rotation of the tibia +."""

    flexion_deg: FloatArray
    varus_deg: FloatArray
    internal_rotation_deg: FloatArray


def knee_pose(
    femur: tuple[FloatArray, FloatArray, FloatArray], tibia: tuple[FloatArray, FloatArray, FloatArray], side_sign: int
) -> KneePose:
    """Joint angles after Grood and Suntay 1983 (clinical.md 0.3).

    Parameters
    ----------
    femur, tibia
        Unit vectors X anterior, Y proximal, Z to the patient's right of each bone.
    side_sign
        +1 right, -1 left.
    """
    femur_x, femur_y, femur_z = femur
    tibia_x, tibia_y, tibia_z = tibia
    floating = normalised(cross(tibia_y, femur_z))
    flexion = np.arctan2(-dot(floating, femur_y), dot(floating, femur_x))
    varus = side_sign * np.arcsin(np.clip(dot(femur_z, tibia_y), -1.0, 1.0))
    internal = side_sign * np.arctan2(dot(floating, tibia_z), dot(floating, tibia_x))
    return KneePose(np.degrees(flexion), np.degrees(varus), np.degrees(internal))
