"""The formula of each measure (clinical.md A.2), on points and frames; no status, no text, no rounding here."""

from __future__ import annotations

from dataclasses import dataclass
from math import atan2, degrees, sqrt
from typing import Final

from surgiplan_desktop.base.arrays import FloatArray
from surgiplan_desktop.base.spaces import Frame
from surgiplan_desktop.base.units import wrap_deg
from surgiplan_desktop.geometry.angles import (
    KneePose,
    angle_between_deg,
    cross,
    distal_angle_deg,
    dot,
    frontal_angle_deg,
    knee_pose,
    orthogonal_part,
)
from surgiplan_desktop.planning.limits import Limits, default_limits
from surgiplan_desktop.planning.records import Landmarks, LegFrames

_ROMAN: Final = (("I", "II", "III"), ("IV", "V", "VI"), ("VII", "VIII", "IX"))


@dataclass(frozen=True, slots=True, eq=False)
class Leg:
    """Landmarks and frames of one leg, as the formulas read them. Callers make sure that what a formula needs is there."""

    landmarks: Landmarks
    frames: LegFrames

    def __getitem__(self, landmark: str) -> FloatArray:
        point = self.landmarks.point(landmark)
        if point is None:
            raise KeyError(landmark)
        return point

    @property
    def sign(self) -> int:
        """+1 right, -1 left."""
        return self.landmarks.side.sign

    @property
    def femur(self) -> Frame:
        """Frame of the femur."""
        return _there(self.frames.femur, "femur")

    @property
    def tibia(self) -> Frame:
        """Frame of the tibia."""
        return _there(self.frames.tibia, "tibia")

    @property
    def limb(self) -> Frame:
        """Frame of the limb."""
        return _there(self.frames.limb, "limb")

    def line(self, start: str, end: str) -> FloatArray:
        """Vector from one landmark to another."""
        return self[end] - self[start]

    def theta(self, frame: Frame, vector: FloatArray) -> float:
        """Angle th(v) in the frontal plane of ``frame``, degrees."""
        return frontal_angle_deg(vector, self.sign * frame.z, frame.y)


def _there(frame: Frame | None, name: str) -> Frame:
    if frame is None:
        raise KeyError(name)
    return frame


def _femoral_line(leg: Leg) -> FloatArray:
    return leg.line("medial_distal_condyle", "lateral_distal_condyle")


def _tibial_line(leg: Leg) -> FloatArray:
    return leg.line("medial_plateau_centre", "lateral_plateau_centre")


def hka_deviation(leg: Leg) -> float:
    """Valgus +, varus -, limb plane."""
    lateral, up = leg.sign * leg.limb.z, leg.limb.y
    tibial = distal_angle_deg(leg.line("tibial_knee_centre", "ankle_centre"), lateral, up)
    femoral = distal_angle_deg(leg.line("hip_centre", "femoral_knee_centre"), lateral, up)
    return wrap_deg(tibial - femoral)


def hka(leg: Leg) -> float:
    """Medial angle, 180 = straight."""
    return 180.0 + hka_deviation(leg)


def mldfa(leg: Leg, frame: Frame) -> float:
    """Lateral angle of femoral mechanical axis and distal joint line."""
    axis = leg.line("femoral_knee_centre", "hip_centre")
    return wrap_deg(leg.theta(frame, axis) - leg.theta(frame, _femoral_line(leg)))


def mpta(leg: Leg, frame: Frame) -> float:
    """Medial angle of tibial mechanical axis and plateau line."""
    axis = leg.line("tibial_knee_centre", "ankle_centre")
    return wrap_deg(leg.theta(frame, axis) - leg.theta(frame, -_tibial_line(leg)))


def jlca(leg: Leg) -> float:
    """Angle between the joint lines, opening laterally +, limb plane."""
    return wrap_deg(leg.theta(leg.limb, _femoral_line(leg)) - leg.theta(leg.limb, _tibial_line(leg)))


def ahka(leg: Leg) -> float:
    """MPTA - mLDFA of the bone planes."""
    return mpta(leg, leg.tibia) - mldfa(leg, leg.femur)


def jlo(leg: Leg) -> float:
    """MPTA + mLDFA (CPAK joint line obliquity) of the bone planes."""
    return mpta(leg, leg.tibia) + mldfa(leg, leg.femur)


def jlo_limb(leg: Leg) -> float:
    """MPTA + mLDFA, both in the limb plane."""
    return mpta(leg, leg.limb) + mldfa(leg, leg.limb)


def ahka_limb(leg: Leg) -> float:
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
    return cpak_type(ahka(leg), jlo(leg), default_limits())


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


def _flat(leg: Leg, point: FloatArray) -> tuple[float, float]:
    frame = leg.limb
    offset = point - frame.origin_lps
    return leg.sign * dot(offset, frame.z), dot(offset, frame.y)


def mad(leg: Leg) -> float:
    """Distance in mm of the knee centre (notch) from the line hip to ankle, + when the line passes medially; limb plane."""
    hip, ankle, knee = (_flat(leg, leg[name]) for name in ("hip_centre", "ankle_centre", "femoral_knee_centre"))
    along = (ankle[0] - hip[0], ankle[1] - hip[1])
    to_knee = (knee[0] - hip[0], knee[1] - hip[1])
    return (along[0] * to_knee[1] - along[1] * to_knee[0]) / sqrt(along[0] ** 2 + along[1] ** 2)


def wbl(leg: Leg) -> float:
    """Where the line hip to ankle crosses the plateau line: 0 % medial edge, 100 % lateral edge; limb plane."""
    hip, ankle, medial, lateral = (
        _flat(leg, leg[name]) for name in ("hip_centre", "ankle_centre", "medial_plateau_edge", "lateral_plateau_edge")
    )
    along = (ankle[0] - hip[0], ankle[1] - hip[1])
    line = (lateral[0] - medial[0], lateral[1] - medial[1])
    between = (medial[0] - hip[0], medial[1] - hip[1])
    share = (along[1] * between[0] - along[0] * between[1]) / (along[0] * line[1] - along[1] * line[0])
    return 100.0 * share


def lpfa(leg: Leg, frame: Frame) -> float:
    """Lateral angle of femoral mechanical axis and the line head centre to greater trochanter."""
    axis = leg.line("hip_centre", "femoral_knee_centre")
    return wrap_deg(leg.theta(frame, leg.line("hip_centre", "greater_trochanter_tip")) - leg.theta(frame, axis))


def ldta(leg: Leg, frame: Frame) -> float:
    """Lateral angle of tibial mechanical axis and plafond line."""
    axis = leg.line("ankle_centre", "tibial_knee_centre")
    return wrap_deg(leg.theta(frame, axis) - leg.theta(frame, leg.line("medial_plafond", "lateral_plafond")))


def aldfa(leg: Leg, frame: Frame) -> float:
    """Lateral angle of the femoral shaft axis and the distal joint line."""
    axis = leg.line("femoral_shaft_distal", "femoral_shaft_proximal")
    return wrap_deg(leg.theta(frame, axis) - leg.theta(frame, _femoral_line(leg)))


def ama(leg: Leg, frame: Frame) -> float:
    """Angle of femoral mechanical axis and shaft axis in the frontal plane, + when the shaft leans out at the top."""
    mechanical = leg.theta(frame, leg.line("femoral_knee_centre", "hip_centre"))
    return wrap_deg(mechanical - leg.theta(frame, leg.line("femoral_shaft_distal", "femoral_shaft_proximal")))


def femoral_torsion(leg: Leg) -> float:
    """Neck against posterior condylar line about the mechanical axis, anteversion +."""
    up = leg.femur.y
    medial = orthogonal_part(leg.line("lateral_posterior_condyle", "medial_posterior_condyle"), up)
    medial = medial / sqrt(dot(medial, medial))
    anterior = cross(up, -leg.sign * medial)
    neck = leg.line("femoral_neck_base", "hip_centre")
    return degrees(atan2(dot(neck, anterior), dot(neck, medial)))


def tibial_torsion(leg: Leg) -> float:
    """Bimalleolar line against posterior plateau line about the mechanical axis, external +."""
    up = leg.tibia.y
    line = orthogonal_part(leg.line("medial_posterior_plateau", "lateral_posterior_plateau"), up)
    line = line / sqrt(dot(line, line))
    anterior = cross(up, leg.sign * line)
    ankle = leg.line("medial_malleolus", "lateral_malleolus")
    return degrees(atan2(-dot(ankle, anterior), dot(ankle, line)))


def slope(leg: Leg, patch: str) -> float:
    """Posterior slope of a plateau patch against the mechanical axis, posterior-down +."""
    normals = leg.landmarks.plateau_normals
    if normals is None or patch not in normals:
        raise KeyError(patch)
    return degrees(atan2(-dot(normals[patch], leg.tibia.x), dot(normals[patch], leg.tibia.y)))


def tt_tg(leg: Leg) -> float:
    """Tuberosity to trochlear groove along the posterior condylar line in the axial projection, lateral + (mm)."""
    return leg.sign * dot(leg.line("trochlear_groove", "tibial_tuberosity"), leg.femur.z)


def insall_salvati(leg: Leg) -> float:
    """Inferior pole to tuberosity over the length of the patella."""
    return length(leg, "patella_inferior_pole", "tibial_tuberosity") / length(
        leg, "patella_inferior_pole", "patella_superior_pole"
    )


def pose(leg: Leg) -> KneePose:
    """Pose of the knee after Grood and Suntay in the planning frames."""
    return knee_pose(leg.femur.axes, leg.tibia.axes, leg.sign)


def length(leg: Leg, start: str, end: str) -> float:
    """Distance of two landmarks, mm."""
    vector = leg.line(start, end)
    return sqrt(dot(vector, vector))


def neck_shaft_angle(leg: Leg) -> float:
    """Angle in space between neck axis and shaft axis."""
    neck = leg.line("femoral_neck_base", "hip_centre")
    return angle_between_deg(neck, leg.line("femoral_shaft_proximal", "femoral_shaft_distal"))
