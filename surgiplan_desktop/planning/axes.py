"""Bone frames and the two named frontal planes of a leg, in the planning and the ISB variant (clinical.md 0.2, 0.4)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from surgiplan_desktop.base.arrays import FloatArray
from surgiplan_desktop.base.spaces import Frame
from surgiplan_desktop.geometry.angles import cross, dot, normalised, orthogonal_part
from surgiplan_desktop.model.anatomy import LandmarkId, Side
from surgiplan_desktop.planning.records import FrameVariant, Landmarks, LegFrames

#: Square of the sine of the smallest angle (5 degrees) between an axis and the line that turns its frame.
_LEAST_SINE_2: Final = 0.087**2

Points = Callable[[LandmarkId], FloatArray | None]


@dataclass(frozen=True, slots=True, eq=False)
class Triad:
    """Axes of a bone, shape (3,) each, or (3, n) for n draws of a leg at once: X anterior, Y proximal, Z to the right."""

    origin_lps: FloatArray
    x: FloatArray
    y: FloatArray
    z: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class LegTriads:
    """The frames of :class:`LegFrames` for one leg or for many draws of it."""

    femur: Triad | None
    tibia: Triad | None
    limb: Triad | None


def axial_triad(origin: FloatArray, axis: FloatArray, medial_to_lateral: FloatArray, side_sign: int) -> Triad | None:
    """Axes with Y along ``axis`` (proximal) and Z along a medial-to-lateral line made orthogonal to it.

    Parameters
    ----------
    origin, axis, medial_to_lateral
        Shape (3,) or (3, n); directions of any length.
    side_sign
        +1 right, -1 left: lateral = sign * Z.

    Returns
    -------
    Triad or None
        None when an axis is shorter than 1 mm or the two directions are within 5 degrees of each other.
    """
    if not np.all(dot(axis, axis) >= 1.0):
        return None
    y = normalised(axis)
    across = side_sign * orthogonal_part(medial_to_lateral, y)
    if not np.all(dot(across, across) >= _LEAST_SINE_2 * dot(medial_to_lateral, medial_to_lateral)) or not np.any(across):
        return None
    z = normalised(across)
    return Triad(origin, cross(y, z), y, z)


def planning_triads(point: Points, side: Side) -> LegTriads:
    """Axes of the planning variant: mechanical axes of the bones, posterior condylar and posterior plateau line."""
    sign = side.sign
    hip, notch, knee, ankle = map(point, ("hip_centre", "femoral_knee_centre", "tibial_knee_centre", "ankle_centre"))
    across = _line(point, "medial_posterior_condyle", "lateral_posterior_condyle")
    rear = _line(point, "medial_posterior_plateau", "lateral_posterior_plateau")
    femur = tibia = None
    if hip is not None and notch is not None and across is not None:
        femur = axial_triad(hip, hip - notch, across, sign)
    if knee is not None and ankle is not None and rear is not None:
        tibia = axial_triad(knee, knee - ankle, rear, sign)
    return LegTriads(femur, tibia, _limb(hip, ankle, across, sign))


def isb_triads(point: Points, side: Side) -> LegTriads:
    """Axes after ISB: femur by head and epicondyles, tibia by malleoli and the middle of the plateau (Wu 2002)."""
    sign = side.sign
    hip, ankle = point("hip_centre"), point("ankle_centre")
    medial, lateral = point("medial_epicondyle"), point("lateral_epicondyle")
    inner, outer = point("medial_malleolus"), point("lateral_malleolus")
    rim_medial, rim_lateral = point("medial_plateau_edge"), point("lateral_plateau_edge")
    femur = tibia = None
    across = None if medial is None or lateral is None else lateral - medial
    if hip is not None and medial is not None and across is not None:
        femur = axial_triad(hip, hip - (medial + 0.5 * across), across, sign)
    if inner is not None and outer is not None and rim_medial is not None and rim_lateral is not None:
        origin = 0.5 * (inner + outer)
        z = sign * (outer - inner)
        up = 0.5 * (rim_medial + rim_lateral) - origin
        if np.all(dot(z, z) >= 1.0) and np.all(dot(cross(up, z), cross(up, z)) >= _LEAST_SINE_2 * dot(up, up) * dot(z, z)):
            x = normalised(cross(up, z))
            tibia = Triad(origin, x, cross(normalised(z), x), normalised(z))
    return LegTriads(femur, tibia, _limb(hip, ankle, across, sign))


#: How the frames of each variant are made.
TRIADS: Final[dict[FrameVariant, Callable[[Points, Side], LegTriads]]] = {"planning": planning_triads, "isb": isb_triads}


def leg_frames(landmarks: Landmarks, variant: FrameVariant = "planning") -> LegFrames:
    """Frames of femur, tibia and limb; each None where a landmark it needs is missing.

    Planning variant (the default):

    - femur: origin hip centre, Y = knee centre (notch) to hip centre, Z along the posterior condylar line;
    - tibia: origin tibial knee centre, Y = ankle centre to knee centre, Z along the posterior plateau line;
    - limb: origin hip centre, Y = ankle centre to hip centre, Z along the posterior condylar line of the femur.

    ISB variant (Wu et al. 2002, J Biomech 35:543):

    - femur: origin hip centre, Y = middle of the epicondyles to hip centre, Z along the line of the epicondyles;
    - tibia: origin middle of the malleoli, Z from malleolus to malleolus, X normal to the plane of the malleoli and the middle of
      the plateau's edges;
    - limb: origin hip centre, Y = ankle centre to hip centre, Z along the line of the epicondyles.
    """
    triads = TRIADS[variant](landmarks.point, landmarks.side)
    return LegFrames(landmarks.side, _frame(triads.femur), _frame(triads.tibia), _frame(triads.limb), variant)


def _frame(triad: Triad | None) -> Frame | None:
    return None if triad is None else Frame(triad.origin_lps, np.column_stack([triad.x, triad.y, triad.z]))


def _limb(hip: FloatArray | None, ankle: FloatArray | None, across: FloatArray | None, sign: int) -> Triad | None:
    if hip is None or ankle is None or across is None:
        return None
    return axial_triad(hip, hip - ankle, across, sign)


def _line(point: Points, start: LandmarkId, end: LandmarkId) -> FloatArray | None:
    first, last = point(start), point(end)
    return None if first is None or last is None else last - first
