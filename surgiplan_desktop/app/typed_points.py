"""Use case: can a typed point be where it says? A slip of sign, unit or space is far off and refused before it counts."""

from __future__ import annotations

from typing import Final

import numpy as np

from surgiplan_desktop.app.session import Session
from surgiplan_desktop.base.arrays import FloatArray
from surgiplan_desktop.base.errors import UsageError
from surgiplan_desktop.base.progress import SILENT, Progress
from surgiplan_desktop.geometry.distance import closest_points
from surgiplan_desktop.model.anatomy import LANDMARKS, BoneId, BoneName, LandmarkId, Side
from surgiplan_desktop.model.mesh import Bone
from surgiplan_desktop.model.steps import Vector
from surgiplan_desktop.planning.graph import bone_key

#: A landmark of a whole bone lies within this of the bone's bounding box (mm) [P]; centres of joints lie inside it.
WHOLE_BONE_REACH_MM: Final = 60.0
#: When the bone is cut or not in the case its missing end may be this far from the bones at hand (mm): a leg's longest bone [P].
CUT_BONE_REACH_MM: Final = 650.0
#: Start and hinge of a cut lie within this of the tibia's surface (mm) [P].
CUT_POINT_REACH_MM: Final = 40.0


def check_landmark_point(
    session: Session, side: Side, landmark: LandmarkId, point: Vector, *, progress: Progress = SILENT
) -> None:
    """Refuse a landmark that cannot belong to the bones of its leg.

    Raises
    ------
    UsageError
        ``landmark_far`` naming the landmark, the bone looked at and how far away the point is.
    """
    own = BoneId(side, LANDMARKS[landmark].bone)
    present = own in session.case.bones
    names = [own] if present else [bone for bone in session.case.bones if bone.side is side]
    bones: list[Bone] = session.require(*map(bone_key, names), progress=progress)
    whole = present and not any(bone.cut_ends for bone in bones)
    limit = WHOLE_BONE_REACH_MM if whole else CUT_BONE_REACH_MM
    distance = min(_distance_to_box(bone.surface_points, np.array(point)) for bone in bones)
    if not distance <= limit:
        raise UsageError(
            "landmark_far", landmark=landmark, bone=str(own.bone if present else "leg"), distance_mm=distance, limit_mm=limit
        )


def check_cut_point(session: Session, side: Side, point: Vector, option: str, *, progress: Progress = SILENT) -> None:
    """Refuse a start or hinge point that is not at the tibia.

    Raises
    ------
    UsageError
        ``cut_point_far`` naming the option and how far from the tibia the point is.
    """
    (tibia,) = session.require(bone_key(BoneId(side, BoneName.TIBIA)), progress=progress)
    where = np.array([point], dtype=np.float64)
    distance = min(_distance_to_box(part.mesh.vertices, where[0]) for part in tibia.parts)
    if distance <= CUT_POINT_REACH_MM:
        distance = min(float(closest_points(part.mesh, where)[1][0]) for part in tibia.parts)
    if not distance <= CUT_POINT_REACH_MM:
        raise UsageError("cut_point_far", option=option, distance_mm=distance, limit_mm=CUT_POINT_REACH_MM)


def _distance_to_box(points: FloatArray, point: FloatArray) -> float:
    """Return the distance of a point from the bounding box of points of shape (n, 3), mm; 0 inside."""
    outside = np.maximum(np.maximum(points.min(axis=0) - point, point - points.max(axis=0)), 0.0)
    # hypot: coordinates of 1e300 must come out as far, not as an overflow
    return float(np.hypot(np.hypot(outside[0], outside[1]), outside[2]))
