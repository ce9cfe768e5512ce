"""Measures of the truth from its points, by the formulae of clinical.md A.2 (right leg: sign +1, lateral = Z)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from surgiplan_desktop.base.arrays import FloatArray, unit
from surgiplan_desktop.phantom.frontal import phi, theta, wrapped
from surgiplan_desktop.phantom.truth import Points


@dataclass(frozen=True, slots=True, eq=False)
class Axes:
    """Anterior, up and lateral unit vectors of a frame."""

    anterior: FloatArray
    up: FloatArray
    lateral: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Sizes:
    """What the points do not say: head radius (mm), widths (mm) and the normals of both plateau patches (unit, up)."""

    head_radius_mm: float
    femur_ml_width_mm: float
    tibia_ml_width_mm: float
    medial_normal: FloatArray
    lateral_normal: FloatArray


def frame_of(up: FloatArray, across: FloatArray) -> Axes:
    """Planning frame: ``up`` exact, ``across`` (to lateral) made orthogonal (clinical.md 0.2)."""
    up = unit(up)
    anterior = unit(np.cross(up, across))
    return Axes(anterior, up, np.cross(anterior, up))


def frames_of(points: Points) -> tuple[Axes, Axes, Axes]:
    """Femur, tibia and limb frame."""
    condylar = points["lateral_posterior_condyle"] - points["medial_posterior_condyle"]
    plateau = points["lateral_posterior_plateau"] - points["medial_posterior_plateau"]
    femur = frame_of(points["hip_centre"] - points["femoral_knee_centre"], condylar)
    tibia = frame_of(points["tibial_knee_centre"] - points["ankle_centre"], plateau)
    limb = frame_of(points["hip_centre"] - points["ankle_centre"], condylar)
    return femur, tibia, limb


def _femoral(p: Points, axes: Axes) -> dict[str, float]:
    to_hip = p["hip_centre"] - p["femoral_knee_centre"]
    line = p["lateral_distal_condyle"] - p["medial_distal_condyle"]
    shaft = p["femoral_shaft_proximal"] - p["femoral_shaft_distal"]
    tip = p["greater_trochanter_tip"] - p["hip_centre"]

    def angle(v: FloatArray) -> float:
        return theta(v, axes.lateral, axes.up)

    return {
        "mldfa": wrapped(angle(to_hip) - angle(line)),
        "aldfa": wrapped(angle(shaft) - angle(line)),
        "ama": abs(wrapped(angle(shaft) - angle(to_hip))),
        "lpfa": abs(wrapped(angle(tip) - angle(-to_hip))),
    }


def _tibial(p: Points, axes: Axes) -> dict[str, float]:
    down = p["ankle_centre"] - p["tibial_knee_centre"]
    line = p["lateral_plateau_centre"] - p["medial_plateau_centre"]
    plafond = p["lateral_plafond"] - p["medial_plafond"]

    def angle(v: FloatArray) -> float:
        return theta(v, axes.lateral, axes.up)

    return {
        "mpta": wrapped(angle(down) - angle(-line)),
        "ldta": abs(wrapped(angle(plafond) - angle(-down))),
    }


def _limb(p: Points, axes: Axes) -> dict[str, float]:
    hip, knee, ankle = p["hip_centre"], p["femoral_knee_centre"], p["ankle_centre"]
    femoral = p["lateral_distal_condyle"] - p["medial_distal_condyle"]
    tibial = p["lateral_plateau_centre"] - p["medial_plateau_centre"]
    deviation = wrapped(phi(ankle - p["tibial_knee_centre"], axes.lateral, axes.up) - phi(knee - hip, axes.lateral, axes.up))

    def flat(v: FloatArray) -> FloatArray:
        return np.array([v @ axes.lateral, v @ axes.up])

    a_h, k_h = flat(ankle - hip), flat(knee - hip)
    mad = float(a_h[0] * k_h[1] - a_h[1] * k_h[0]) / float(np.linalg.norm(a_h))
    medial, lateral = flat(p["medial_plateau_edge"] - hip), flat(p["lateral_plateau_edge"] - hip)
    across = lateral - medial
    # Where the line hip to ankle meets the plateau line: t * a_h = medial + s * across.
    share = np.linalg.solve(np.column_stack([a_h, -across]), medial)[1]

    def angle(v: FloatArray) -> float:
        return theta(v, axes.lateral, axes.up)

    return {
        "hka_deviation": deviation,
        "hka": 180.0 + deviation,
        "jlca": wrapped(angle(femoral) - angle(tibial)),
        "mad": mad,
        "wbl": 100.0 * float(share),
    }


def _torsions(p: Points, femur: Axes, tibia: Axes) -> dict[str, float]:
    def turn(vector: FloatArray, base: FloatArray, up: FloatArray) -> float:
        base = unit(base - (base @ up) * up)
        return float(np.degrees(np.arctan2(vector @ np.cross(up, base), vector @ base)))

    neck = p["hip_centre"] - p["femoral_neck_base"]
    condylar = p["medial_posterior_condyle"] - p["lateral_posterior_condyle"]
    forward = np.cross(femur.up, -condylar)
    femoral = float(np.degrees(np.arctan2(neck @ unit(forward), neck @ unit(condylar - (condylar @ femur.up) * femur.up))))
    plateau = p["lateral_posterior_plateau"] - p["medial_posterior_plateau"]
    return {
        "femoral_torsion": femoral,
        "tibial_torsion": turn(-(p["lateral_malleolus"] - p["medial_malleolus"]), -plateau, tibia.up) * -1.0,
    }


def _knee(p: Points, femur: Axes, tibia: Axes) -> dict[str, float]:
    """Grood and Suntay (clinical.md 0.3) and the patellofemoral distances."""
    e1, e3 = femur.lateral, tibia.up
    e2 = unit(np.cross(e3, e1))
    flexion = np.degrees(np.arctan2(-(e2 @ femur.up), e2 @ femur.anterior))
    rotation = np.degrees(np.arctan2(e2 @ tibia.lateral, e2 @ tibia.anterior))
    face = np.linalg.norm(p["patella_articular_inferior"] - p["patella_superior_pole"])
    length = np.linalg.norm(p["patella_superior_pole"] - p["patella_inferior_pole"])
    return {
        "knee_flexion": float(flexion),
        "knee_rotation": float(rotation),
        "tt_tg": float((p["tibial_tuberosity"] - p["trochlear_groove"]) @ femur.lateral),
        "caton_deschamps": float(np.linalg.norm(p["patella_articular_inferior"] - p["tibial_anterosuperior_edge"]) / face),
        "insall_salvati": float(np.linalg.norm(p["patella_inferior_pole"] - p["tibial_tuberosity"]) / length),
    }


def measures_of(points: Points, sizes: Sizes) -> tuple[dict[str, float | str], dict[str, float]]:
    """Return all measures by id (bone-plane values where the contract says so) and the limb-plane values beside them."""
    femur, tibia, limb = frames_of(points)
    p = points
    bone = {**_femoral(p, femur), **_tibial(p, tibia)}
    beside = {**_femoral(p, limb), **_tibial(p, limb)}
    shaft = unit(p["femoral_shaft_proximal"] - p["femoral_shaft_distal"])
    neck = unit(p["hip_centre"] - p["femoral_neck_base"])
    values: dict[str, float | str] = {
        **_limb(p, limb),
        **bone,
        "ahka": beside["mpta"] - beside["mldfa"],
        "jlo": beside["mpta"] + beside["mldfa"],
        "cpak": cpak(bone["mpta"] - bone["mldfa"], bone["mpta"] + bone["mldfa"]),
        **_torsions(p, femur, tibia),
        "slope_medial": _slope(sizes.medial_normal, tibia),
        "slope_lateral": _slope(sizes.lateral_normal, tibia),
        **_knee(p, femur, tibia),
        "femur_length": float(np.linalg.norm(p["hip_centre"] - p["femoral_knee_centre"])),
        "tibia_length": float(np.linalg.norm(p["tibial_knee_centre"] - p["ankle_centre"])),
        "leg_length": float(np.linalg.norm(p["hip_centre"] - p["ankle_centre"])),
        "femoral_head_radius": sizes.head_radius_mm,
        "neck_shaft_angle": 180.0 - float(np.degrees(np.arccos(np.clip(neck @ shaft, -1.0, 1.0)))),
        "femur_ml_width": sizes.femur_ml_width_mm,
        "tibia_ml_width": sizes.tibia_ml_width_mm,
    }
    return values, beside


def _slope(normal: FloatArray, tibia: Axes) -> float:
    """``PTS = atan2(-N.X, N.Y)``, posterior-down positive, degrees."""
    return float(np.degrees(np.arctan2(-(normal @ tibia.anterior), normal @ tibia.up)))


def cpak(ahka: float, jlo: float) -> str:
    """CPAK type I..IX; the edges -2, 2, 177 and 183 belong to neutral (clinical.md A.2)."""
    column = 0 if ahka < -2.0 else 1 if ahka <= 2.0 else 2
    row = 0 if jlo < 177.0 else 1 if jlo <= 183.0 else 2
    return ("I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX")[3 * row + column]
