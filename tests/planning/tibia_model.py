"""A tibia made of hulls and cylinders with its landmarks: shapes simple enough to know where everything is."""

from functools import cache

import numpy as np

from surgiplan_desktop.base.arrays import FloatArray
from surgiplan_desktop.base.spaces import Affine
from surgiplan_desktop.geometry.solid import hull, union
from surgiplan_desktop.model.anatomy import BoneId, BoneName, Side
from surgiplan_desktop.model.mesh import Bone, BonePart
from surgiplan_desktop.planning.records import Landmarks
from tests.planning.golden_leg import golden_landmarks, place

#: Landmarks that differ from the golden leg: a straight tibia, its tuberosity and its fibula.
CHANGED: dict[str, tuple[float, float, float]] = {
    "ankle_centre": (0.0, -370.0, 0.0),
    "medial_malleolus": (-25.0, -375.0, 0.0),
    "lateral_malleolus": (25.0, -380.0, -5.0),
    "medial_plateau_centre": (-20.0, 0.0, 0.0),
    "lateral_plateau_centre": (20.0, 0.0, 0.0),
    "tibial_tuberosity": (4.0, -48.0, 24.0),
    "fibular_head_tip": (38.0, -12.0, -15.0),
    "ptfj_proximal": (32.0, -14.0, -15.0),
    "ptfj_distal": (32.0, -30.0, -15.0),
    "ptfj_medial_margin": (18.0, -22.0, -18.0),
}


def oval(half_width: float, half_depth: float, up: float, lateral: float = 0.0, points: int = 96) -> FloatArray:
    """An oval section: (lateral, up, anterior)."""
    turn = 2 * np.pi * np.arange(points) / points
    return np.column_stack([lateral + half_width * np.cos(turn), np.full(points, up), half_depth * np.sin(turn)])


def tibia_landmarks(side: Side, motion: Affine | None = None, without: tuple[str, ...] = (), **changed: object) -> Landmarks:
    return golden_landmarks(side, motion, without, **{**CHANGED, **changed})  # type: ignore[arg-type]


@cache
def model_tibia(side: Side, motion: Affine | None = None) -> Bone:
    """Plateau 76 x 50 mm at height 0, narrowing to a shaft of 28 x 26 mm at -75, down to -365."""
    head = np.concatenate([oval(38, 25, 0), oval(38, 25, -14), oval(14, 13, -75)])
    shaft = np.concatenate([oval(14, 13, -70), oval(12, 12, -365)])
    mesh = union(hull(place(side, head, motion)), hull(place(side, shaft, motion)), name="model tibia")
    return Bone(BoneId(side, BoneName.TIBIA), (BonePart(0, mesh, (), np.zeros(len(mesh.vertices), dtype=bool)),))


@cache
def model_fibula(side: Side, motion: Affine | None = None) -> Bone:
    """A rod beside the tibia."""
    rod = np.concatenate([oval(6, 6, -12, 38), oval(5, 5, -380, 25)])
    mesh = hull(place(side, rod, motion))
    return Bone(BoneId(side, BoneName.FIBULA), (BonePart(0, mesh, (), np.zeros(len(mesh.vertices), dtype=bool)),))
