"""Moving a leg's bones as an osteotomy and a change of the joint line do, with every landmark carried by its piece."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

import numpy as np

from surgiplan_desktop.base.arrays import FloatArray
from surgiplan_desktop.base.spaces import Affine, Plane, rotation_about
from surgiplan_desktop.model.anatomy import LANDMARKS, BoneName, LandmarkId, Side
from surgiplan_desktop.planning.constructions import CONSTRUCTED
from surgiplan_desktop.planning.records import LandmarkEstimate, Landmarks

#: Landmarks and constructed points below the knee: they go with the tibia.
BELOW_KNEE: tuple[LandmarkId, ...] = (
    *(name for name, item in LANDMARKS.items() if item.bone in (BoneName.TIBIA, BoneName.FIBULA)),
    *(name for name, point in CONSTRUCTED.items() if point.bone in (BoneName.TIBIA, BoneName.FIBULA)),
)


def opening(side: Side, hinge_lps: FloatArray, hinge_direction: FloatArray, angle_deg: float) -> Affine:
    """Return the motion of the distal piece, ``x' = C + R(h, a)(x - C)`` (clinical.md B.1).

    ``hinge_direction`` runs from posterior to anterior; a positive angle opens medially on either side.
    """
    if angle_deg == 0.0:
        return Affine.identity()
    return rotation_about(hinge_lps, hinge_direction, -side.sign * angle_deg)


def joint_turn(side: Side, landmarks: Landmarks, anterior: FloatArray, change_deg: float, *, medial_contact: bool) -> Affine:
    """Return the motion of the tibia that changes JLCA by ``change_deg`` (+ opens laterally; clinical.md A.3).

    The tibia turns about the antero-posterior axis (of the frontal plane in use) through the compartment that is in contact.
    """
    contact = landmarks.point("medial_plateau_centre" if medial_contact else "lateral_plateau_centre")
    if change_deg == 0.0 or contact is None:
        return Affine.identity()
    return rotation_about(contact, anterior, side.sign * change_deg)


def carry(landmarks: Landmarks, plane: Plane | None, distal: Affine, knee: Affine) -> Landmarks:
    """Return the landmarks after the motion: ``knee(distal(x))`` distal of the plane, ``knee(x)`` for the rest of the tibia.

    Femoral and patellar landmarks stay. ``plane`` None means that no cut is made.
    """
    below = knee @ distal

    def moved(items: Mapping[LandmarkId, LandmarkEstimate]) -> Mapping[LandmarkId, LandmarkEstimate]:
        carried = dict(items)
        for name in BELOW_KNEE:
            item = items.get(name)
            if item is None or item.point_lps is None:
                continue
            is_distal = plane is not None and float(plane.signed_distance(item.point_lps)) < 0.0
            carried[name] = replace(item, point_lps=(below if is_distal else knee)(item.point_lps))
        return MappingProxyType(carried)

    normals = _turned(landmarks.plateau_normals, knee)
    return replace(landmarks, items=moved(landmarks.items), constructed=moved(landmarks.constructed), plateau_normals=normals)


def _turned(normals: Mapping[str, FloatArray] | None, knee: Affine) -> Mapping[str, FloatArray] | None:
    if normals is None:
        return None
    return MappingProxyType({name: np.asarray(knee.directions(normal)) for name, normal in normals.items()})
