"""The formula of each measure (clinical.md A.2), on points and frames; no status, no text, no rounding here.

Every formula serves one leg (points of shape (3,), a number) and n draws of it at once (points (3, n), numbers (n,)). Torsions:
planning/torsions.py. What a knee alone allows: planning/surrogates.py.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from surgiplan_desktop.base.arrays import FloatArray
from surgiplan_desktop.geometry.angles import (
    KneePose,
    angle_between_deg,
    dot,
    knee_pose,
    norm,
    normalised,
    orthogonal_part,
    wrapped_deg,
)
from surgiplan_desktop.planning.limits import Limits, default_limits
from surgiplan_desktop.planning.measure_leg import Axes, Leg

_ROMAN: Final = (("I", "II", "III"), ("IV", "V", "VI"), ("VII", "VIII", "IX"))

Lines = tuple[FloatArray, FloatArray]


def frontal(leg: Leg, frame: Axes, lines: Lines) -> FloatArray:
    """Angle from the second to the first of two directions in the frontal plane of ``frame``, (-180, 180]."""
    return wrapped_deg(leg.theta(frame, lines[0]) - leg.theta(frame, lines[1]))


def in_space(leg: Leg, frame: Axes, lines: Lines) -> FloatArray:
    """Angle of the same two directions in space, with the sign that it has in the frontal plane."""
    angle: FloatArray = np.copysign(angle_between_deg(*lines), frontal(leg, frame, lines))
    return angle


def hka_lines(leg: Leg) -> Lines:
    """Mechanical axes of tibia and femur, both pointing distally."""
    return leg.line("tibial_knee_centre", "ankle_centre"), leg.line("hip_centre", "femoral_knee_centre")


def mldfa_lines(leg: Leg) -> Lines:
    """Femoral mechanical axis pointing up, distal joint line pointing laterally."""
    return leg.line("femoral_knee_centre", "hip_centre"), leg.line("medial_distal_condyle", "lateral_distal_condyle")


def mpta_lines(leg: Leg) -> Lines:
    """Tibial mechanical axis pointing down, plateau line pointing medially."""
    return leg.line("tibial_knee_centre", "ankle_centre"), leg.line("lateral_plateau_centre", "medial_plateau_centre")


def jlca_lines(leg: Leg) -> Lines:
    """Joint lines of femur and tibia, both pointing laterally."""
    femoral = leg.line("medial_distal_condyle", "lateral_distal_condyle")
    return femoral, leg.line("medial_plateau_centre", "lateral_plateau_centre")


def lpfa_lines(leg: Leg) -> Lines:
    """Head centre to greater trochanter, femoral mechanical axis pointing down."""
    return leg.line("hip_centre", "greater_trochanter_tip"), leg.line("hip_centre", "femoral_knee_centre")


def ldta_lines(leg: Leg) -> Lines:
    """Tibial mechanical axis pointing up, plafond line pointing laterally."""
    return leg.line("ankle_centre", "tibial_knee_centre"), leg.line("medial_plafond", "lateral_plafond")


def aldfa_lines(leg: Leg) -> Lines:
    """Femoral shaft axis pointing up, distal joint line pointing laterally."""
    shaft = leg.line("femoral_shaft_distal", "femoral_shaft_proximal")
    return shaft, leg.line("medial_distal_condyle", "lateral_distal_condyle")


def ama_lines(leg: Leg) -> Lines:
    """Femoral mechanical axis and shaft axis, both pointing up; + when the shaft leans out at the top."""
    return leg.line("femoral_knee_centre", "hip_centre"), leg.line("femoral_shaft_distal", "femoral_shaft_proximal")


def hka_deviation(leg: Leg) -> FloatArray:
    """Valgus +, varus -, limb plane: phi of the tibial less phi of the femoral mechanical axis."""
    return frontal(leg, leg.limb, hka_lines(leg))


def hka(leg: Leg) -> FloatArray:
    """Medial angle, 180 = straight."""
    return 180.0 + hka_deviation(leg)


def hka_in_space(leg: Leg) -> FloatArray:
    """Medial angle of the mechanical axes in space: a flexed knee counts."""
    return 180.0 + in_space(leg, leg.limb, hka_lines(leg))


def mldfa(leg: Leg, frame: Axes) -> FloatArray:
    """Lateral angle of femoral mechanical axis and distal joint line."""
    return frontal(leg, frame, mldfa_lines(leg))


def mpta(leg: Leg, frame: Axes) -> FloatArray:
    """Medial angle of tibial mechanical axis and plateau line."""
    return frontal(leg, frame, mpta_lines(leg))


def jlca(leg: Leg) -> FloatArray:
    """Angle between the joint lines, opening laterally +, limb plane."""
    return frontal(leg, leg.limb, jlca_lines(leg))


def ahka(leg: Leg) -> FloatArray:
    """MPTA - mLDFA of the bone planes."""
    return mpta(leg, leg.tibia) - mldfa(leg, leg.femur)


def jlo(leg: Leg) -> FloatArray:
    """MPTA + mLDFA (CPAK joint line obliquity) of the bone planes."""
    return mpta(leg, leg.tibia) + mldfa(leg, leg.femur)


def jlo_limb(leg: Leg) -> FloatArray:
    """MPTA + mLDFA, both in the limb plane."""
    return mpta(leg, leg.limb) + mldfa(leg, leg.limb)


def ahka_limb(leg: Leg) -> FloatArray:
    """MPTA - mLDFA, both in the limb plane."""
    return mpta(leg, leg.limb) - mldfa(leg, leg.limb)


def cpak_type(ahka_deg: float, jlo_deg: float, limits: Limits) -> str:
    """CPAK type I..IX of an arithmetic HKA and a joint line obliquity; the edges belong to neutral (MacDessi 2021)."""
    neutral = limits["cpak.ahka_neutral_deg"]
    column = 0 if ahka_deg < -neutral else 1 if ahka_deg <= neutral else 2
    row = 0 if jlo_deg < limits["cpak.jlo_distal_deg"] else 1 if jlo_deg <= limits["cpak.jlo_proximal_deg"] else 2
    return _ROMAN[row][column]


def cpak(leg: Leg) -> str:
    """CPAK type of the bone-plane values."""
    return cpak_type(float(ahka(leg)), float(jlo(leg)), default_limits())


def cpak_edge_distance(ahka_deg: float, jlo_deg: float, limits: Limits) -> float:
    """Distance in degrees to the nearest border between two CPAK types."""
    neutral = limits["cpak.ahka_neutral_deg"]
    edges = (
        ahka_deg - neutral,
        ahka_deg + neutral,
        jlo_deg - limits["cpak.jlo_distal_deg"],
        jlo_deg - limits["cpak.jlo_proximal_deg"],
    )
    return min(map(abs, edges))


def _flat(leg: Leg, start: str, end: str) -> tuple[FloatArray, FloatArray]:
    """Lateral and proximal part of the way between two landmarks, limb plane."""
    frame, offset = leg.limb, leg.line(start, end)
    return leg.sign * dot(offset, frame.z), dot(offset, frame.y)


def _turn(a: tuple[FloatArray, FloatArray], b: tuple[FloatArray, FloatArray]) -> FloatArray:
    return a[0] * b[1] - a[1] * b[0]


def mad(leg: Leg) -> FloatArray:
    """Distance in mm of the knee centre (notch) from the line hip to ankle, + when the line passes medially; limb plane."""
    along = _flat(leg, "hip_centre", "ankle_centre")
    distance: FloatArray = _turn(along, _flat(leg, "hip_centre", "femoral_knee_centre")) / np.hypot(*along)
    return distance


def wbl(leg: Leg) -> FloatArray:
    """Where the line hip to ankle crosses the plateau line: 0 % medial edge, 100 % lateral edge; limb plane."""
    along = _flat(leg, "hip_centre", "ankle_centre")
    line = _flat(leg, "medial_plateau_edge", "lateral_plateau_edge")
    return -100.0 * _turn(along, _flat(leg, "hip_centre", "medial_plateau_edge")) / _turn(along, line)


def slope(leg: Leg, patch: str, frame: Axes) -> FloatArray:
    """Posterior slope of a plateau patch against the Y axis of ``frame``, posterior-down +."""
    normals = leg.landmarks.plateau_normals
    if normals is None or patch not in normals:
        raise KeyError(patch)
    angle: FloatArray = np.degrees(np.arctan2(-dot(normals[patch], frame.x), dot(normals[patch], frame.y)))
    return angle


def mean_slope(leg: Leg, frame: Axes) -> FloatArray:
    """Mean of the slopes of both compartments."""
    return 0.5 * (slope(leg, "medial", frame) + slope(leg, "lateral", frame))


def tt_tg(leg: Leg) -> FloatArray:
    """Tuberosity to trochlear groove along the posterior condylar line in the axial projection, lateral + (mm)."""
    return leg.sign * dot(leg.line("trochlear_groove", "tibial_tuberosity"), leg.femur.z)


def _face_length(leg: Leg) -> FloatArray:
    """Length of the patella's articular face, its upper end taken at the superior pole."""
    return length(leg, "patella_articular_inferior", "patella_superior_pole")


def caton_deschamps(leg: Leg) -> FloatArray:
    """Lower edge of the articular face to the antero-superior tibial edge, over the length of the face."""
    return length(leg, "patella_articular_inferior", "tibial_anterosuperior_edge") / _face_length(leg)


def insall_salvati(leg: Leg) -> FloatArray:
    """Inferior pole to tuberosity over the length of the patella."""
    tendon = length(leg, "patella_inferior_pole", "tibial_tuberosity")
    return tendon / length(leg, "patella_inferior_pole", "patella_superior_pole")


def blackburne_peel(leg: Leg) -> FloatArray:
    """Height of the lower edge of the articular face over the plateau's plane, over the length of the face."""
    normals = leg.landmarks.plateau_normals
    if normals is None or "both" not in normals:
        raise KeyError("both")
    return dot(leg.line("tibial_knee_centre", "patella_articular_inferior"), normals["both"]) / _face_length(leg)


def patella_thickness(leg: Leg) -> FloatArray:
    """Extent of the patella's middle section across its width axis, mm."""
    across = normalised(leg.line("patella_medial", "patella_lateral"))
    return norm(orthogonal_part(leg.line("patella_posterior", "patella_anterior"), across))


def pose(leg: Leg) -> KneePose:
    """Pose of the knee after Grood and Suntay in the frames of the leg."""
    return _pose(leg.femur, leg.tibia, leg.sign)


def pose_isb(leg: Leg) -> KneePose:
    """Pose of the knee after Grood and Suntay in the ISB frames."""
    femur, tibia = leg.isb.femur, leg.isb.tibia
    if femur is None or tibia is None:
        raise KeyError("isb")
    return _pose(femur, tibia, leg.sign)


def _pose(femur: Axes, tibia: Axes, sign: int) -> KneePose:
    return knee_pose((femur.x, femur.y, femur.z), (tibia.x, tibia.y, tibia.z), sign)


def length(leg: Leg, start: str, end: str) -> FloatArray:
    """Distance of two landmarks, mm."""
    return norm(leg.line(start, end))


def neck_shaft_angle(leg: Leg) -> FloatArray:
    """Angle in space between neck axis and shaft axis."""
    neck = leg.line("femoral_neck_base", "hip_centre")
    return angle_between_deg(neck, leg.line("femoral_shaft_proximal", "femoral_shaft_distal"))


def femoral_offset(leg: Leg) -> FloatArray:
    """Distance of the head centre from the shaft axis, mm."""
    shaft = normalised(leg.line("femoral_shaft_distal", "femoral_shaft_proximal"))
    return norm(orthogonal_part(leg.line("femoral_shaft_distal", "hip_centre"), shaft))
