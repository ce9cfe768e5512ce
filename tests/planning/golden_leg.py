"""The golden leg of clinical.md 0.5 as landmarks: known in closed form, on either side, anywhere in space."""

from collections.abc import Mapping

import numpy as np

from surgiplan_desktop.base.arrays import FloatArray
from surgiplan_desktop.base.spaces import Affine, Frame
from surgiplan_desktop.model.anatomy import LANDMARKS, Side
from surgiplan_desktop.model.mesh import Bone, BonePart, Mesh
from surgiplan_desktop.model.study import Finding
from surgiplan_desktop.planning.axes import leg_frames
from surgiplan_desktop.planning.osteotomy_site import parameters_from_points
from surgiplan_desktop.planning.records import LandmarkEstimate, Landmarks, OsteotomySite

VARUS = np.radians(8.0)
ANKLE = (-370 * np.sin(VARUS), -370 * np.cos(VARUS))
#: (lateral, up, anterior), mm
POINTS: Mapping[str, tuple[float, float, float]] = {
    "hip_centre": (0, 420, 0),
    "femoral_knee_centre": (0, 0, 0),
    "medial_distal_condyle": (-24, 0, 0),
    "lateral_distal_condyle": (24, 0, 0),
    "medial_posterior_condyle": (-24, 10, -30),
    "lateral_posterior_condyle": (24, 10, -30),
    "tibial_knee_centre": (0, 0, 0),
    "medial_plateau_centre": (-22, 0, 0),
    "lateral_plateau_centre": (22, 0, 0),
    "medial_plateau_edge": (-37, 0, 0),
    "lateral_plateau_edge": (37, 0, 0),
    "medial_posterior_plateau": (-22, 0, -22),
    "lateral_posterior_plateau": (22, 0, -22),
    "tibial_tuberosity": (4, -45, 25),
    "ankle_centre": (*ANKLE, 0),
    "medial_malleolus": (ANKLE[0] - 25, ANKLE[1], 0),
    "lateral_malleolus": (ANKLE[0] + 25, ANKLE[1], 0),
}
HINGE = (30.0, -20.0, 0.0)
START = (-33.0, -35.0, 0.0)


def place(side: Side, points: object, motion: Affine | None = None) -> FloatArray:
    """(lateral, up, anterior) to LPS; the right is at -x, anterior at -y."""
    lateral, up, anterior = np.moveaxis(np.asarray(points, dtype=np.float64), -1, 0)
    lps = np.stack([-side.sign * lateral, -anterior, up], axis=-1)
    return lps if motion is None else motion(lps)


def golden_landmarks(
    side: Side = Side.RIGHT, motion: Affine | None = None, without: tuple[str, ...] = (), **changed: tuple[float, float, float]
) -> Landmarks:
    points = {**POINTS, **changed}
    items = {}
    for name in LANDMARKS:
        if name in points and name not in without:
            items[name] = LandmarkEstimate(name, place(side, points[name], motion), "auto")
        else:
            items[name] = LandmarkEstimate(
                name, None, "missing", reason=Finding("landmark_missing", "warn", (("landmark", name),))
            )
    return Landmarks(side, items)


def golden_site(landmarks: Landmarks, motion: Affine | None = None, turn_deg: float = 0.0) -> OsteotomySite:
    """Start and hinge of the golden leg; the hinge line in the world's sagittal direction, turned ``turn_deg`` (see B.3)."""
    side, psi = landmarks.side, np.radians(turn_deg)
    frame = leg_frames(landmarks).tibia
    assert isinstance(frame, Frame)
    start, hinge = place(side, START, motion), place(side, HINGE, motion)
    # positive: the anterior end lies more lateral (posterolateral hinge)
    tip = place(side, np.array(HINGE) + np.array([np.sin(psi), 0.0, np.cos(psi)]), motion)
    return OsteotomySite(side, frame, *parameters_from_points(frame, start, hinge, tip - hinge))


def box_tibia(side: Side, motion: Affine | None = None) -> Bone:
    """A block of bone around the golden proximal tibia: 74 wide, 45 deep, from 0 to -110."""
    from surgiplan_desktop.geometry.solid import box
    from surgiplan_desktop.model.anatomy import BoneId, BoneName

    body = box(Frame(np.zeros(3), np.eye(3)), (74, 45, 110))
    moved = Affine.from_parts(np.eye(3), np.array([0.0, 0.0, -55.0]))
    mesh: Mesh = body.moved(moved if motion is None else motion @ moved)
    return Bone(BoneId(side, BoneName.TIBIA), (BonePart(0, mesh, (), np.zeros(len(mesh.vertices), dtype=bool)),))
