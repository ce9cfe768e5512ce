"""Truth: every landmark of the vocabulary on the undisturbed surface, and the measures that follow (clinical.md A.1, A.2).

Points are found on the implicit functions by their definition, not taken from the construction; all in the leg frame of a right
leg (lateral, anterior, up), mm.
"""

from __future__ import annotations

import numpy as np

from surgiplan_desktop.base.arrays import FloatArray, unit
from surgiplan_desktop.model.mesh import Mesh
from surgiplan_desktop.phantom.fields import Field
from surgiplan_desktop.phantom.probe import bitangent, extreme_point, heights_along, normals_at, saddle_below, section_centroid
from surgiplan_desktop.phantom.skeleton import Skeleton, joint_line, malleoli, posterior_plateau_points
from surgiplan_desktop.phantom.small_bones import PATELLA_GAP_MM
from surgiplan_desktop.phantom.tibia import ankle_centre, fit_plane, plafond_patch, spine_tips

_LATERAL = np.array([1.0, 0.0, 0.0])
_ANTERIOR = np.array([0.0, 1.0, 0.0])
_UP = np.array([0.0, 0.0, 1.0])
#: The plafond's patch ends where its surface leans by more than this (clinical.md A.1: normals within 30-35 deg).
_PLAFOND_EDGE_DEG = 30.0
#: The proximal tibiofibular joint is the band where the surfaces are nearer than this (clinical.md A.1).
_PTFJ_BAND_MM = 4.0
#: The patella's articular face is where its distance from the femur is the joint gap, within this, mm.
_FACE_TOLERANCE_MM = 0.2

Points = dict[str, FloatArray]


def shaft_points(field: Field, lowest: FloatArray, highest: FloatArray, axis: FloatArray, line: FloatArray) -> list[FloatArray]:
    """Centroids of the sections at 25 % and 75 % of a bone's length along ``axis``; ``line`` is a point of the axis."""
    low, high = float(lowest @ axis), float(highest @ axis)
    centroids = []
    for share in (0.25, 0.75):
        point = line + (low + share * (high - low) - line @ axis) * axis
        across = np.array([point + dx * _LATERAL + dy * _ANTERIOR for dx in range(-50, 51, 4) for dy in range(-40, 41, 4)])
        across = across - ((across - point) @ axis)[:, None] * axis
        seed = across[int(np.argmin(field(across)))]
        centroids.append(section_centroid(field, seed, axis, 35.0))
    return centroids


def femoral_points(skeleton: Skeleton, mesh: Mesh) -> Points:
    """Truth of the femoral landmarks; ``mesh`` (in the leg frame) only says where to start."""
    femur, k = skeleton.femur, skeleton.femur.distal.scale
    block = femur.from_block
    notch = saddle_below(femur, block(k * np.array([femur.distal.groove_at, 4.0, -8.0])), _UP, _LATERAL)
    low = bitangent(femur, block(k * np.array([-23.5, 1.0, -15.0])), block(k * np.array([24.0, 2.0, -15.0])), -_UP, _LATERAL)
    back = bitangent(
        femur, block(k * np.array([-23.5, -25.0, 0.0])), block(k * np.array([24.0, -25.0, 0.0])), -_ANTERIOR, _LATERAL
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
        "trochlear_groove": _groove(skeleton),
    }
    bottom = min(low[0] @ _UP, low[1] @ _UP)
    top = max(float(femur.head[2] + femur.head_radius), float(points["greater_trochanter_tip"][2]))
    distal, proximal = shaft_points(femur, bottom * _UP, top * _UP, _UP, np.array([12.0, 0.0, 200.0]))
    points["femoral_shaft_distal"], points["femoral_shaft_proximal"] = distal, proximal
    points["femoral_neck_base"] = _nearest(femur.head, unit(femur.neck_base - femur.head), distal, unit(proximal - distal))
    points["lesser_trochanter_tip"] = _apex(femur, mesh, distal, unit(proximal - distal), femur.lesser[1])
    return points


def _nearest(point: FloatArray, direction: FloatArray, other: FloatArray, other_direction: FloatArray) -> FloatArray:
    """Point of the first line that lies nearest to the second."""
    across = np.cross(direction, other_direction)
    t = np.dot(np.cross(other - point, other_direction), across) / (across @ across)
    result: FloatArray = point + t * direction
    return result


def _apex(field: Field, mesh: Mesh, base: FloatArray, axis: FloatArray, near: FloatArray) -> FloatArray:
    """Point of largest distance from an axis near ``near``."""
    vertices = mesh.vertices[np.linalg.norm(mesh.vertices - near, axis=1) < 14.0]
    offset = vertices - base
    radial = offset - (offset @ axis)[:, None] * axis
    best = vertices[int(np.argmax(np.linalg.norm(radial, axis=1)))]
    for _ in range(6):
        offset = best - base
        best = extreme_point(field, best, unit(offset - (offset @ axis) * axis), 1.5)
    result: FloatArray = best
    return result


def _groove(skeleton: Skeleton) -> FloatArray:
    """Deepest point of the trochlear groove below the line over its two ridges, over axial sections."""
    femur, k = skeleton.femur, skeleton.femur.distal.scale
    centre = femur.from_block(k * np.array([femur.distal.groove_at, 20.0, 0.0]))
    across, levels = np.arange(-26.0, 26.01, 0.5) * k, np.arange(0.0, 36.01, 1.0) * k

    def depths(levels: FloatArray, across: FloatArray) -> tuple[FloatArray, FloatArray]:
        grid = np.array([[centre[0] + x, centre[1], centre[2] + u] for u in levels for x in across])
        front = heights_along(femur, grid, _ANTERIOR, 40.0).reshape(len(levels), len(across))
        medial, lateral = across < -6.0 * k, across > 6.0 * k
        depth = np.full(front.shape, -np.inf)
        for row, profile in enumerate(front):
            i, j = int(np.nanargmax(np.where(medial, profile, -np.inf))), int(np.nanargmax(np.where(lateral, profile, -np.inf)))
            bridge = profile[i] + (profile[j] - profile[i]) * (across - across[i]) / (across[j] - across[i])
            depth[row, i:j] = (bridge - profile)[i:j]
        return depth, front

    depth, _ = depths(levels, across)
    row, column = np.unravel_index(int(np.nanargmax(depth)), depth.shape)
    fine_levels = np.clip(levels[row] + np.arange(-1.0, 1.01, 0.25), levels[0], levels[-1])
    fine_across = np.unique(np.concatenate([across, across[column] + np.arange(-1.0, 1.01, 0.1)]))
    depth, front = depths(fine_levels, fine_across)
    row, column = np.unravel_index(int(np.nanargmax(depth)), depth.shape)
    return np.asarray(centre + np.array([fine_across[column], front[row, column], fine_levels[row]]), dtype=np.float64)


def tibial_points(skeleton: Skeleton, tibia_mesh: Mesh, fibula_mesh: Mesh) -> Points:
    """Truth of the tibial and fibular landmarks, found in P and carried to the leg frame; meshes are in P."""
    tibia, fibula, place = skeleton.tibia, skeleton.fibula, skeleton.lower.to_leg
    plateau = tibia.plateau
    medial, lateral = plateau.patch(plateau.medial).mean(axis=0), plateau.patch(plateau.lateral).mean(axis=0)
    spines = spine_tips(tibia)
    back = posterior_plateau_points(tibia)
    malleolus, fibular_tip = malleoli(tibia, fibula)
    ankle = ankle_centre(tibia)
    across = back[1] - back[0]
    across = unit(across - (across @ _UP) * _UP)
    forward = np.cross(_UP, across)
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
        "tibial_anterosuperior_edge": extreme_in_plane(tibia, tibia.knee + 22.0 * k * forward, forward, across),
    }
    bottom, top = malleolus, max(spines, key=lambda point: float(point[2]))
    distal, proximal = shaft_points(tibia, bottom, top, _UP, tibia.knee)
    local["tibial_shaft_distal"], local["tibial_shaft_proximal"] = distal, proximal
    local["tibial_tuberosity"] = _tuberosity(skeleton, forward, across, distal, unit(proximal - distal))
    local["medial_plafond"], local["lateral_plafond"] = _plafond_ends(skeleton)
    near = fibula(tibia_mesh.vertices) < _PTFJ_BAND_MM
    near &= tibia_mesh.vertices[:, 2] > -50.0
    band = tibia_mesh.vertices[near]
    local["ptfj_proximal"] = band[int(np.argmax(band[:, 2]))]
    local["ptfj_distal"] = band[int(np.argmin(band[:, 2]))]
    local["ptfj_medial_margin"] = band[int(np.argmin(band @ across))]
    del fibula_mesh
    return {name: place(point) for name, point in local.items()}


def extreme_in_plane(field: Field, start: FloatArray, forward: FloatArray, normal: FloatArray) -> FloatArray:
    """Antero-superior edge: furthest point along forward and up within the section across ``normal``."""
    direction, along = unit(forward + _UP), unit(forward - _UP)
    del normal
    centre, window = start, 12.0
    for _ in range(6):
        steps = np.linspace(-window, window, 41)
        heights = heights_along(field, centre + steps[:, None] * along, direction, 30.0)
        centre = centre + steps[int(np.nanargmax(heights))] * along
        window *= 0.15
    height = float(heights_along(field, centre[None], direction, 30.0)[0])
    return np.asarray(centre + height * direction, dtype=np.float64)


def _tuberosity(skeleton: Skeleton, forward: FloatArray, across: FloatArray, base: FloatArray, axis: FloatArray) -> FloatArray:
    """Of the most anterior points of the sections 20 to 45 mm below the plateau, the one furthest from the shaft axis."""
    tibia = skeleton.tibia
    k = tibia.plateau.scale
    best = tibia.knee
    levels, columns = np.arange(-45.0, -19.9, 0.5), np.arange(-14.0, 18.01, 0.5) * k
    for _ in range(2):
        grid = np.array([tibia.knee + u * _UP + x * across for u in levels for x in columns])
        reach = heights_along(tibia, grid, forward, 45.0)
        surface = (grid + reach[:, None] * forward).reshape(len(levels), len(columns), 3)
        most = surface[np.arange(len(levels)), np.nanargmax(reach.reshape(len(levels), -1), axis=1)]
        offset = most - base
        radius = np.linalg.norm(offset - (offset @ axis)[:, None] * axis, axis=1)
        best = most[int(np.argmax(radius))]
        at = best - tibia.knee
        levels = np.clip(at @ _UP + np.arange(-0.5, 0.51, 0.1), -45.0, -20.0)
        columns = at @ across + np.arange(-0.6, 0.61, 0.05)
    return best


def _plafond_ends(skeleton: Skeleton) -> tuple[FloatArray, FloatArray]:
    """Medial and lateral end of the plafond's patch in its frontal section: where the surface leans by 30 deg."""
    tibia = skeleton.tibia
    _, normal = fit_plane(plafond_patch(tibia.distal))
    ends = []
    for sign in (-1.0, 1.0):
        x = sign * np.arange(6.0, 22.0, 0.05)
        grid = tibia.distal.from_block(np.column_stack([x, np.zeros_like(x), tibia.distal.plafond(x, np.zeros_like(x))]))
        # From inside the joint upward; a ray that starts in the malleolus or meets nothing is past the end.
        reach = heights_along(tibia, grid, -_UP, 3.0)
        met = np.isfinite(reach) & (reach < 2.9)
        surface = grid - np.where(met, reach, 0.0)[:, None] * _UP
        lean = np.degrees(np.arccos(np.clip(-(normals_at(tibia, surface) @ normal), -1.0, 1.0)))
        flat = met & (lean < _PLAFOND_EDGE_DEG)
        last = int(np.argmin(flat)) - 1 if not flat.all() else len(x) - 1
        ends.append(surface[max(last, 0)])
    return ends[0], ends[1]


def patellar_points(skeleton: Skeleton, mesh: Mesh) -> Points:
    """Truth of the patella's poles and of the lower border of its articular face; ``mesh`` in the leg frame."""
    patella = skeleton.patella
    top = extreme_point(patella, patella.centre + patella.scale * np.array([0.0, 0.0, 20.0]), _UP, 3.0)
    low = extreme_point(patella, patella.centre + patella.scale * np.array([-0.5, 3.5, -20.0]), -_UP, 2.0)
    face = mesh.vertices[np.abs(skeleton.femur(mesh.vertices) - PATELLA_GAP_MM) < _FACE_TOLERANCE_MM]
    return {
        "patella_superior_pole": top,
        "patella_inferior_pole": low,
        "patella_articular_inferior": face[int(np.argmin(face[:, 2]))],
    }
