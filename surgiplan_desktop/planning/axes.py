"""Bone frames and the two named frontal planes of a leg (clinical.md 0.2, 0.4)."""

from __future__ import annotations

from math import sqrt

import numpy as np

from surgiplan_desktop.base.arrays import FloatArray
from surgiplan_desktop.base.spaces import Frame
from surgiplan_desktop.geometry.angles import cross, dot, normalised, orthogonal_part
from surgiplan_desktop.planning.records import Landmarks, LegFrames


def axial_frame(origin: FloatArray, axis: FloatArray, medial_to_lateral: FloatArray, side_sign: int) -> Frame | None:
    """Frame with Y along ``axis`` (proximal) and Z along a medial-to-lateral line made orthogonal to it.

    Parameters
    ----------
    axis, medial_to_lateral
        Directions, any length.
    side_sign
        +1 right, -1 left: lateral = sign * Z.

    Returns
    -------
    Frame or None
        None when the axis is shorter than 1 mm or the two directions are within 5 degrees of each other.
    """
    if dot(axis, axis) < 1.0:
        return None
    y = normalised(axis)
    across = side_sign * orthogonal_part(medial_to_lateral, y)
    if dot(across, across) < (0.087 * sqrt(dot(medial_to_lateral, medial_to_lateral))) ** 2:
        return None
    z = normalised(across)
    return Frame(origin, np.column_stack([cross(y, z), y, z]))


def leg_frames(landmarks: Landmarks) -> LegFrames:
    """Frames of femur, tibia and limb; each None where a landmark it needs is missing.

    - femur: origin hip centre, Y = knee centre (notch) to hip centre, Z along the posterior condylar line;
    - tibia: origin tibial knee centre, Y = ankle centre to knee centre, Z along the posterior plateau line;
    - limb: origin hip centre, Y = ankle centre to hip centre, Z along the posterior condylar line of the femur.
    """
    point = landmarks.point
    sign = landmarks.side.sign
    hip, notch, knee, ankle = (
        point(name) for name in ("hip_centre", "femoral_knee_centre", "tibial_knee_centre", "ankle_centre")
    )
    medial, lateral = point("medial_posterior_condyle"), point("lateral_posterior_condyle")
    rear_medial, rear_lateral = point("medial_posterior_plateau"), point("lateral_posterior_plateau")
    femur = tibia = limb = None
    if hip is not None and medial is not None and lateral is not None:
        if notch is not None:
            femur = axial_frame(hip, hip - notch, lateral - medial, sign)
        if ankle is not None:
            limb = axial_frame(hip, hip - ankle, lateral - medial, sign)
    if knee is not None and ankle is not None and rear_medial is not None and rear_lateral is not None:
        tibia = axial_frame(knee, knee - ankle, rear_lateral - rear_medial, sign)
    return LegFrames(landmarks.side, femur, tibia, limb)
