"""Torsion of femur and tibia by several published definitions side by side (clinical.md A.2).

The same femur reads up to 11 degrees apart by definition (Kaiser 2016), so every value has the name of its definition. The papers
measured on slices of the scanner's table; here the slices lie across the axis that the definition turns about, so that the value
does not depend on how the leg lay. Formulas serve one leg or n draws of it at once, see ``measure_formulas``.
"""

from __future__ import annotations

from surgiplan_desktop.base.arrays import FloatArray
from surgiplan_desktop.geometry.angles import axial_angle_deg, normalised
from surgiplan_desktop.planning.measure_leg import Leg


def _turned(leg: Leg, vector: FloatArray, reference: FloatArray, axis: FloatArray) -> FloatArray:
    """Turn of ``vector`` against ``reference`` about ``axis``: anteversion of a femur, external torsion of a tibia positive."""
    return -leg.sign * axial_angle_deg(vector, reference, axis)


def _condylar_line(leg: Leg) -> FloatArray:
    return leg.line("lateral_posterior_condyle", "medial_posterior_condyle")


def _plateau_line(leg: Leg) -> FloatArray:
    return leg.line("medial_posterior_plateau", "lateral_posterior_plateau")


def femoral_torsion(leg: Leg) -> FloatArray:
    """Neck axis (centroid of the neck's isthmus to head centre) against posterior condyles about the mechanical axis.

    The neck line of Reikeras 1983, in space instead of on two slices.
    """
    return _turned(leg, leg.line("femoral_neck_base", "hip_centre"), _condylar_line(leg), leg.femur.y)


def femoral_torsion_murphy(leg: Leg) -> FloatArray:
    """Murphy 1987: head centre to the centre of the shaft directly above the lesser trochanter, posterior condyles."""
    return _turned(leg, leg.line("murphy_base", "hip_centre"), _condylar_line(leg), leg.femur.y)


def femoral_torsion_waidelich(leg: Leg) -> FloatArray:
    """Waidelich 1992: head centre to the centre of the greater trochanter's section, posterior condyles."""
    return _turned(leg, leg.line("greater_trochanter_centre", "hip_centre"), _condylar_line(leg), leg.femur.y)


def femoral_torsion_bergmann(leg: Leg) -> FloatArray:
    """Bergmann 2016: neck axis, posterior condyles, about the line from the notch to where neck axis and shaft axis meet."""
    axis = normalised(leg.line("femoral_knee_centre", "femoral_neck_base"))
    return _turned(leg, leg.line("femoral_neck_base", "hip_centre"), _condylar_line(leg), axis)


def femoral_torsion_epicondylar(leg: Leg) -> FloatArray:
    """Yoshioka 1987: neck axis against the line of the epicondyles about the mechanical axis."""
    reference = leg.line("lateral_epicondyle", "medial_epicondyle")
    return _turned(leg, leg.line("femoral_neck_base", "hip_centre"), reference, leg.femur.y)


def tibial_torsion(leg: Leg) -> FloatArray:
    """Line through the tips of both malleoli against the posterior plateau line about the mechanical axis."""
    return _turned(leg, leg.line("medial_malleolus", "lateral_malleolus"), _plateau_line(leg), leg.tibia.y)


def tibial_torsion_jend(leg: Leg) -> FloatArray:
    """Jend 1981: posterior plateau line, and the line from the centre of the plafond to the middle of the fibular notch."""
    return _turned(leg, leg.line("ankle_centre", "fibular_notch"), _plateau_line(leg), leg.tibia.y)


def tibial_torsion_waidelich(leg: Leg) -> FloatArray:
    """Waidelich 1992: long axis of the ellipse of the tibial head, and the line through the centres of both malleoli."""
    reference = leg.line("tibial_head_medial", "tibial_head_lateral")
    return _turned(leg, leg.line("medial_malleolus_centre", "lateral_malleolus_centre"), reference, leg.tibia.y)


def patellar_tilt(leg: Leg) -> FloatArray:
    """Width axis of the patella against the posterior condylar line about the femur's mechanical axis; lateral edge back +."""
    line = leg.line("medial_posterior_condyle", "lateral_posterior_condyle")
    return _turned(leg, leg.line("patella_medial", "patella_lateral"), line, leg.femur.y)


def tibial_torsion_transcondylar(leg: Leg) -> FloatArray:
    """Line through the centres of both plateau patches against the line through the tips of the malleoli (Gavira 2024)."""
    reference = leg.line("medial_plateau_centre", "lateral_plateau_centre")
    return _turned(leg, leg.line("medial_malleolus", "lateral_malleolus"), reference, leg.tibia.y)
