"""Truth: every landmark of the vocabulary on the undisturbed surface, and the measures that follow (clinical.md A.1, A.2).

Points are found on the implicit functions by their definition, not taken from the construction; all in the leg frame of a right
leg (lateral, anterior, up), mm.
"""

from __future__ import annotations

import numpy as np

from surgiplan_desktop.base.arrays import FloatArray, unit
from surgiplan_desktop.phantom.fields import Field
from surgiplan_desktop.phantom.kneecap import articular_inferior, poles
from surgiplan_desktop.phantom.probe import bitangent, extreme_point, heights_along, saddle_below, shaft_points
from surgiplan_desktop.phantom.ptfj import joint_margins
from surgiplan_desktop.phantom.skeleton import Skeleton, joint_line, malleoli
from surgiplan_desktop.phantom.tibia import Tibia, ankle_centre, fit_plane, plafond_patch, shaft_centroids, spine_tips

_LATERAL = np.array([1.0, 0.0, 0.0])
_ANTERIOR = np.array([0.0, 1.0, 0.0])
_UP = np.array([0.0, 0.0, 1.0])
#: The plafond's patch ends where the bone leaves the joint's surface by more than this (rounding of its rim), mm.
_PLAFOND_LEFT_MM = 0.05
#: The width of the tibia is taken in this much of its proximal end, mm.
_TIBIA_WIDTH_BAND_MM = 15.0

Points = dict[str, FloatArray]


def femoral_points(skeleton: Skeleton) -> Points:
    """Truth of the femoral landmarks."""
    femur, k = skeleton.femur, skeleton.femur.distal.scale
    block = femur.from_block
    notch = saddle_below(femur, block(k * np.array([femur.distal.groove_at, 4.0, -8.0])), _UP, _LATERAL)
    low = bitangent(femur, block(k * np.array([-22.6, 0.5, -15.0])), block(k * np.array([23.6, 2.5, -15.0])), -_UP, _LATERAL)
    back = bitangent(
        femur, block(k * np.array([-25.0, -25.0, 0.0])), block(k * np.array([24.6, -25.0, 0.0])), -_ANTERIOR, _LATERAL
    )
    medial, lateral = femur.distal.medial, femur.distal.lateral
    roll = np.array([lateral.across - medial.across, lateral.posterior[0] - medial.posterior[0], 0.0])
    roll[2] = lateral.posterior[1] - medial.posterior[1]
    axis = unit(femur.block_axes @ roll)
    points = {
        "hip_centre": femur.head,
        "femoral_knee_centre": notch,
        "medial_distal_condyle": low[0],
        "lateral_distal_condyle": low[1],
        "medial_posterior_condyle": back[0],
        "lateral_posterior_condyle": back[1],
        "medial_epicondyle": extreme_point(femur, block(k * np.array([-40.0, -6.0, 7.0])), -axis, 4.0),
        "lateral_epicondyle": extreme_point(femur, block(k * np.array([39.0, -3.0, 6.0])), axis, 4.0),
        "adductor_tubercle": extreme_point(
            femur, block(k * np.array([-33.0, -14.0, 29.0])), femur.block_axes @ unit([-0.75, -0.45, 0.45]), 3.0
        ),
        "greater_trochanter_tip": extreme_point(femur, femur.trochanter[2] + 6.0 * _UP, _UP, 3.0),
        "trochlear_groove": skeleton.groove,
    }
    bottom = min(low[0] @ _UP, low[1] @ _UP)
    top = max(float(femur.head[2] + femur.head_radius), float(points["greater_trochanter_tip"][2]))
    distal, proximal = shaft_points(femur, bottom * _UP, top * _UP, _UP, np.array([12.0, 0.0, 200.0]))
    points["femoral_shaft_distal"], points["femoral_shaft_proximal"] = distal, proximal
    points["femoral_neck_base"] = _nearest(femur.head, unit(femur.neck_base - femur.head), distal, unit(proximal - distal))
    points["lesser_trochanter_tip"] = _apex(femur, distal, unit(proximal - distal), femur.lesser[1])
    return points


def _nearest(point: FloatArray, direction: FloatArray, other: FloatArray, other_direction: FloatArray) -> FloatArray:
    """Point of the first line that lies nearest to the second."""
    across = np.cross(direction, other_direction)
    t = np.dot(np.cross(other - point, other_direction), across) / (across @ across)
    result: FloatArray = point + t * direction
    return result


def _apex(field: Field, base: FloatArray, axis: FloatArray, near: FloatArray) -> FloatArray:
    """Point of largest distance from an axis near ``near``."""
    best = near
    for _ in range(8):
        offset = best - base
        best = extreme_point(field, best, unit(offset - (offset @ axis) * axis), 1.5)
    result: FloatArray = best
    return result


def tibial_points(skeleton: Skeleton) -> Points:
    """Truth of the tibial and fibular landmarks, found in P and carried to the leg frame."""
    tibia, fibula, place = skeleton.tibia, skeleton.fibula, skeleton.lower.to_leg
    plateau = tibia.plateau
    medial, lateral = plateau.patch(plateau.medial).mean(axis=0), plateau.patch(plateau.lateral).mean(axis=0)
    spines = spine_tips(tibia)
    back = skeleton.back
    malleolus, fibular_tip = malleoli(tibia, fibula)
    ankle = ankle_centre(tibia)
    across = back[1] - back[0]
    across = unit(across - (across @ _UP) * _UP)
    k = plateau.scale
    edges = [extreme_point(tibia, k * np.array([s * 33.0, 0.0, -6.0]), s * across, 5.0) for s in (-1.0, 1.0)]
    line = unit(joint_line(tibia))
    local: Points = {
        "tibial_knee_centre": tibia.knee,
        "medial_plateau_centre": medial,
        "lateral_plateau_centre": lateral,
        "medial_plateau_edge": medial + ((edges[0] - medial) @ line) * line,
        "lateral_plateau_edge": medial + ((edges[1] - medial) @ line) * line,
        "medial_spine": spines[0],
        "lateral_spine": spines[1],
        "medial_posterior_plateau": back[0],
        "lateral_posterior_plateau": back[1],
        "ankle_centre": ankle,
        "medial_malleolus": malleolus,
        "lateral_malleolus": fibular_tip,
        "fibular_head_tip": extreme_point(fibula, fibula.head[1] + np.array([0.0, 0.0, 6.0]), _UP, 3.0),
        "tibial_anterosuperior_edge": skeleton.front[0],
        "tibial_tuberosity": skeleton.front[1],
    }
    local["tibial_shaft_distal"], local["tibial_shaft_proximal"] = shaft_centroids(tibia)
    local["medial_plafond"], local["lateral_plafond"] = _plafond_ends(tibia, ankle, across)
    local["ptfj_proximal"], local["ptfj_distal"], local["ptfj_medial_margin"] = joint_margins(fibula, across)
    return {name: place(point) for name, point in local.items()}


def _plafond_ends(tibia: Tibia, ankle: FloatArray, across: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Medial and lateral end of the plafond's patch in the frontal section through the ankle centre, on the patch's plane.

    The patch ends where the bone leaves the surface of the joint.
    """
    distal = tibia.distal
    centre, normal = fit_plane(plafond_patch(distal))
    ends = []
    for sign in (-1.0, 1.0):
        line = ankle + sign * np.arange(6.0, 26.0, 0.02)[:, None] * across
        block = distal.to_block(line)
        block[:, 2] = distal.plafond(block[:, 0], block[:, 1])
        left = np.abs(tibia(distal.from_block(block))) > _PLAFOND_LEFT_MM
        end = line[max(int(np.argmax(left)) - 1, 0)]
        ends.append(end - ((end - centre) @ normal) / normal[2] * _UP)
    return ends[0], ends[1]


def patellar_points(skeleton: Skeleton) -> Points:
    """Truth of the patella's poles and of the lower border of its articular face."""
    top, low = poles(skeleton.patella)
    return {
        "patella_superior_pole": top,
        "patella_inferior_pole": low,
        "patella_articular_inferior": articular_inferior(skeleton.patella),
    }


def bone_widths(skeleton: Skeleton) -> tuple[float, float]:
    """Width of the distal 40 mm of the femur and of the proximal 15 mm of the tibia (clinical.md A.1, sizes), mm."""
    femur, tibia, k = skeleton.femur, skeleton.tibia, skeleton.femur.distal.scale
    starts = (femur.from_block(k * np.array([-40.0, -6.0, 7.0])), femur.from_block(k * np.array([39.0, -5.0, 6.0])))
    medial, lateral = (extreme_point(femur, start, side * _LATERAL, 5.0) for start, side in zip(starts, (-1.0, 1.0), strict=True))
    back = skeleton.back
    across = unit((back[1] - back[0]) * np.array([1.0, 1.0, 0.0]))
    lowest = max(float(tip[2]) for tip in spine_tips(tibia)) - _TIBIA_WIDTH_BAND_MM
    reach = sum(_reach_above(tibia, sign * across, tibia.plateau.scale, lowest) for sign in (-1.0, 1.0))
    return float((lateral - medial) @ _LATERAL), reach


def _reach_above(tibia: Tibia, outward: FloatArray, k: float, lowest: float) -> float:
    """How far the plateau reaches along ``outward`` above a height: its widest point or, below that height, the widest at it."""
    widest = extreme_point(tibia, 33.0 * k * outward + np.array([0.0, 0.0, -6.0 * k]), outward, 5.0)
    if widest[2] >= lowest:
        return float(widest @ outward)
    forward = np.cross(_UP, outward)
    offsets = float(widest @ forward) + np.arange(-8.0, 8.01, 0.25)
    grid = 33.0 * k * outward + lowest * _UP + offsets[:, None] * forward
    return 33.0 * k + float(np.nanmax(heights_along(tibia, grid, outward, 15.0)))
