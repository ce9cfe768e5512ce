"""Measures as they are drawn: the lines an angle lies between, its arc, and where its words stand."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import atan2, cos, sin, tau
from typing import Final

import numpy as np

from surgiplan_desktop.base.arrays import FloatArray
from surgiplan_desktop.base.spaces import Frame
from surgiplan_desktop.model.anatomy import LandmarkId
from surgiplan_desktop.planning.records import Landmarks, LegFrames

#: Drawn when no measure is chosen: what the correction is decided by.
ALWAYS: Final = ("hka_deviation", "mldfa", "mpta", "jlca", "wbl")
_ARC_POINTS: Final = 13
_SHORTEST_SINE: Final = 0.02
#: Words at the knee stand so far from its middle (mm): beside the bone.
_BESIDE_MM: Final = 56.0


@dataclass(frozen=True, slots=True, eq=False)
class MeasureMark:
    """How a measure is drawn.

    Attributes
    ----------
    lines
        Polylines (n, 3), mm LPS: the arc and what an angle needs besides the axes that are drawn anyway.
    dashed
        For each line whether it only carries another one on.
    anchor_lps
        Where the words stand, mm.
    role
        Colour role.
    """

    measure: str
    lines: tuple[FloatArray, ...]
    dashed: tuple[bool, ...]
    anchor_lps: FloatArray
    role: str


@dataclass(frozen=True, slots=True, eq=False)
class _Flat:
    """The frontal plane of a frame: coordinates lateral and up, and back to LPS at the depth of a landmark."""

    landmarks: Landmarks
    frame: Frame

    def __call__(self, landmark: LandmarkId) -> FloatArray:
        local = self.frame.to_local(self._point(landmark))
        return np.array([self.landmarks.side.sign * local[2], local[1]])

    def _point(self, landmark: LandmarkId) -> FloatArray:
        point = self.landmarks.point(landmark)
        if point is None:
            raise KeyError(landmark)
        return point

    def lps(self, flat: FloatArray, like: LandmarkId) -> FloatArray:
        """Return points (..., 2) as LPS (..., 3), as deep as a landmark lies."""
        depth = float(self.frame.to_local(self._point(like))[0])
        local = np.stack([np.full(flat.shape[:-1], depth), flat[..., 1], self.landmarks.side.sign * flat[..., 0]], axis=-1)
        lps: FloatArray = self.frame.to_lps(local.reshape(-1, 3)).reshape(local.shape)
        return lps


def measure_marks(
    landmarks: Landmarks, frames: LegFrames, measures: Sequence[str] = ALWAYS, plane: Frame | None = None
) -> tuple[MeasureMark, ...]:
    """Return how measures are drawn; those that lack a landmark or a frame are left out, as are those without a drawing.

    Parameters
    ----------
    plane
        Everything is drawn on this plane, as on a film; None: each measure in the plane that it is defined in.
    """
    marks = []
    for measure in measures:
        maker = _MAKERS.get(measure)
        if maker is None:
            continue
        frame = plane or getattr(frames, _FRAME_OF.get(measure, "limb"))
        if frame is None:
            continue
        try:
            marks.append(maker(measure, _Flat(landmarks, frame)))
        except KeyError:
            continue
    return tuple(marks)


def _meeting(point: FloatArray, along: FloatArray, other: FloatArray, other_along: FloatArray) -> FloatArray:
    """Return where two lines of the plane meet; the first point where they are nearly parallel."""
    sine = float(along[0] * other_along[1] - along[1] * other_along[0])
    if abs(sine) < _SHORTEST_SINE * float(np.linalg.norm(along) * np.linalg.norm(other_along)):
        return point
    between = other - point
    meeting: FloatArray = point + along * float((between[0] * other_along[1] - between[1] * other_along[0]) / sine)
    return meeting


def _arc(corner: FloatArray, start: FloatArray, end: FloatArray, radius: float) -> FloatArray:
    """Return points (n, 2) of the arc the shorter way from one direction to another."""
    first = atan2(start[1], start[0])
    turn = (atan2(end[1], end[0]) - first + tau / 2.0) % tau - tau / 2.0
    angles = first + turn * np.linspace(0.0, 1.0, _ARC_POINTS)
    arc: FloatArray = corner + radius * np.c_[np.cos(angles), np.sin(angles)]
    return arc


def _beyond(corner: FloatArray, start: FloatArray, end: FloatArray, radius: float) -> FloatArray:
    """Return the place of the words: outside of the middle of the arc."""
    first = atan2(start[1], start[0])
    turn = (atan2(end[1], end[0]) - first + tau / 2.0) % tau - tau / 2.0
    middle = first + turn / 2.0
    place: FloatArray = corner + radius * np.array([cos(middle), sin(middle)])
    return place


def _angle(
    axis: tuple[str, str], line: tuple[str, str], radius: float, role: str, aside: float = _BESIDE_MM
) -> Callable[[str, _Flat], MeasureMark]:
    """Return the maker of an angle between an axis (from, towards) and a joint line (from, towards the side of the angle).

    The words stand ``aside`` mm beside the corner, where they do not cover the bone.
    """

    def make(measure: str, flat: _Flat) -> MeasureMark:
        along, across = flat(axis[1]) - flat(axis[0]), flat(line[1]) - flat(line[0])
        corner = _meeting(flat(axis[0]), along, flat(line[0]), across)
        arc = _arc(corner, across, along, radius)
        reach = corner + across / max(float(np.linalg.norm(across)), 1e-9) * radius
        lines = (flat.lps(arc, axis[0]), flat.lps(np.array([corner, reach]), axis[0]))
        outward = np.array([np.sign(across[0]) * aside, 0.0])
        anchor = corner + outward if aside else _beyond(corner, across, along, radius + 6.0)
        anchor = anchor + np.array([0.0, np.sign(along[1]) * 14.0])
        return MeasureMark(measure, lines, (False, True), flat.lps(anchor, axis[0]), role)

    return make


def _deviation(measure: str, flat: _Flat) -> MeasureMark:
    """The femoral axis carried on below the knee, and the arc to the tibial axis."""
    hip, notch, knee, ankle = (flat(name) for name in ("hip_centre", "femoral_knee_centre", "tibial_knee_centre", "ankle_centre"))
    down = (notch - hip) / max(float(np.linalg.norm(notch - hip)), 1e-9)
    shin = ankle - knee
    radius = 0.62 * float(np.linalg.norm(shin))
    arc = _arc(notch, down, knee + radius / max(float(np.linalg.norm(shin)), 1e-9) * shin - notch, radius)
    carried = np.array([notch, notch + 1.12 * radius * down])
    lines = (flat.lps(carried, "femoral_knee_centre"), flat.lps(arc, "femoral_knee_centre"))
    anchor = flat.lps(arc[-1] + np.array([6.0, 0.0]) * np.sign(arc[-1, 0] - arc[0, 0] + 1e-9), "femoral_knee_centre")
    return MeasureMark(measure, lines, (True, False), anchor, "accent")


def _joint_opening(measure: str, flat: _Flat) -> MeasureMark:
    """The words of the joint line convergence, on the side where the joint opens."""
    femur = flat("lateral_distal_condyle") - flat("medial_distal_condyle")
    tibia = flat("lateral_plateau_centre") - flat("medial_plateau_centre")
    opens = 1.0 if femur[0] * tibia[1] - femur[1] * tibia[0] < 0.0 else -1.0
    edge = flat("lateral_distal_condyle" if opens > 0.0 else "medial_distal_condyle")
    place = flat("femoral_knee_centre") + np.array([opens * _BESIDE_MM, -8.0])
    lead = flat.lps(np.array([edge, place]), "femoral_knee_centre")
    return MeasureMark(measure, (lead,), (True,), lead[1], "text/primary")


def _crossing(measure: str, flat: _Flat) -> MeasureMark:
    """Where the line hip to ankle crosses the plateau: a short mark across it."""
    hip, ankle, medial = flat("hip_centre"), flat("ankle_centre"), flat("medial_plateau_edge")
    line = flat("lateral_plateau_edge") - medial
    place = _meeting(medial, line, hip, ankle - hip)
    normal = np.array([-line[1], line[0]]) / max(float(np.linalg.norm(line)), 1e-9)
    tick = np.array([place - 7.0 * normal, place + 7.0 * normal])
    aside = (medial + flat("lateral_plateau_edge")) / 2.0 + np.array([_BESIDE_MM, -26.0])
    lines = (flat.lps(tick, "tibial_knee_centre"), flat.lps(np.array([place, aside]), "tibial_knee_centre"))
    return MeasureMark(measure, lines, (False, True), lines[1][1], "accent")


def _distance(measure: str, flat: _Flat) -> MeasureMark:
    """From the femoral knee centre square to the line hip to ankle."""
    hip, ankle, knee = flat("hip_centre"), flat("ankle_centre"), flat("femoral_knee_centre")
    along = (ankle - hip) / max(float(np.linalg.norm(ankle - hip)), 1e-9)
    foot = hip + along * float((knee - hip) @ along)
    line = flat.lps(np.array([knee, foot]), "femoral_knee_centre")
    return MeasureMark(measure, (line,), (False,), flat.lps(foot + np.array([-6.0, 6.0]), "femoral_knee_centre"), "accent")


def _lines_of(*pairs: tuple[str, str]) -> Callable[[str, _Flat], MeasureMark]:
    """Return the maker of measures that lie across the frontal plane: the lines that they stand between, in space."""

    def make(measure: str, flat: _Flat) -> MeasureMark:
        ends = [(flat.landmarks.point(start), flat.landmarks.point(end)) for start, end in pairs]
        if any(start is None or end is None for start, end in ends):
            raise KeyError(measure)
        lines = tuple(np.array([start, end]) for start, end in ends)
        return MeasureMark(measure, lines, tuple(False for _ in lines), lines[0].mean(axis=0), "accent")

    return make


_FEMUR_UP, _TIBIA_UP = ("femoral_knee_centre", "hip_centre"), ("ankle_centre", "tibial_knee_centre")
_CONDYLES = ("medial_distal_condyle", "lateral_distal_condyle")
_PLATEAU_MEDIAL = ("lateral_plateau_centre", "medial_plateau_centre")
_SHAFT_UP = ("femoral_shaft_distal", "femoral_shaft_proximal")
_MAKERS: Final[Mapping[str, Callable[[str, _Flat], MeasureMark]]] = {
    "hka_deviation": _deviation,
    "hka": _deviation,
    "mldfa": _angle(_FEMUR_UP, _CONDYLES, 46.0, "bone/femur"),
    "mpta": _angle(("tibial_knee_centre", "ankle_centre"), _PLATEAU_MEDIAL, 46.0, "bone/tibia"),
    "jlca": _joint_opening,
    "wbl": _crossing,
    "mad": _distance,
    "lpfa": _angle(("hip_centre", "femoral_knee_centre"), ("hip_centre", "greater_trochanter_tip"), 38.0, "bone/femur", 0.0),
    "ldta": _angle(_TIBIA_UP, ("medial_plafond", "lateral_plafond"), 34.0, "bone/tibia", 0.0),
    "aldfa": _angle(_SHAFT_UP, _CONDYLES, 60.0, "bone/femur"),
    "ama": _angle(_FEMUR_UP, _SHAFT_UP, 150.0, "bone/femur", 0.0),
    "neck_shaft_angle": _angle(
        ("femoral_neck_base", "femoral_shaft_distal"), ("femoral_neck_base", "hip_centre"), 30.0, "bone/femur"
    ),
    "femoral_torsion": _lines_of(("femoral_neck_base", "hip_centre"), ("medial_posterior_condyle", "lateral_posterior_condyle")),
    "tibial_torsion": _lines_of(
        ("medial_malleolus", "lateral_malleolus"), ("medial_posterior_plateau", "lateral_posterior_plateau")
    ),
    "femur_length": _lines_of(("femoral_knee_centre", "hip_centre")),
    "tibia_length": _lines_of(("ankle_centre", "tibial_knee_centre")),
    "leg_length": _lines_of(("ankle_centre", "hip_centre")),
}
_FRAME_OF: Final = {
    "mldfa": "femur", "lpfa": "femur", "aldfa": "femur", "ama": "femur", "neck_shaft_angle": "femur", "femoral_torsion": "femur",
    "mpta": "tibia", "ldta": "tibia", "tibial_torsion": "tibia", "femur_length": "femur", "tibia_length": "tibia",
}  # fmt: skip
