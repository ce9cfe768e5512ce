"""The fibula: its ends, and the proximal tibiofibular joint that it makes with the tibia (clinical.md A.1)."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from surgiplan_desktop.base.arrays import FloatArray
from surgiplan_desktop.geometry.distance import closest_points
from surgiplan_desktop.model.anatomy import BoneName
from surgiplan_desktop.model.mesh import Mesh
from surgiplan_desktop.model.study import Finding
from surgiplan_desktop.planning.landmarks.ankle import MALLEOLUS_FIT_MM
from surgiplan_desktop.planning.landmarks.extremes import extreme
from surgiplan_desktop.planning.landmarks.found import Found, add, end_cut, miss
from surgiplan_desktop.planning.landmarks.surface import BoneSurface, end_is_cut

_HEAD_FIT_MM = 5.0
_JOINT_GAP_MM = 4.0
_JOINT_REACH_MM = 50.0
_MARGIN_MM = 0.5
#: Distances are averaged over this, as the two surfaces run on nearly side by side and noise would move the margin far.
_AVERAGED_MM = 2.5
_PTFJ = ("ptfj_proximal", "ptfj_distal", "ptfj_medial_margin")


def find_fibula(found: Found, fibula: BoneSurface, tibia: BoneSurface, up: FloatArray, medial: FloatArray) -> None:
    """Write down head tip, lateral malleolus and the margins of the proximal tibiofibular joint.

    ``up`` and ``medial`` are orthogonal unit vectors of the tibia.
    """
    for landmark, outward, end, radius_mm in (
        ("fibular_head_tip", up, "proximal", _HEAD_FIT_MM),
        ("lateral_malleolus", -up, "distal", MALLEOLUS_FIT_MM),
    ):
        if end_is_cut(fibula, outward):
            miss(found, end_cut(BoneName.FIBULA, end), landmark)
            continue
        levels = fibula.heights(outward)
        tip = extreme(fibula, fibula.real & (levels > levels.max() - 12.0), outward, radius_mm=radius_mm)
        if tip is not None:
            add(found, landmark, tip[0], rms=tip[1])
    if end_is_cut(fibula, up):
        miss(found, end_cut(BoneName.FIBULA, "proximal"), *_PTFJ)
        return
    margin = _joint_margin(fibula, tibia, up)
    if len(margin) < 5:
        miss(found, Finding("ptfj_not_in_contact", "note", (("gap_mm", _JOINT_GAP_MM),)), *_PTFJ)
        return
    for landmark, direction in (("ptfj_proximal", up), ("ptfj_distal", -up), ("ptfj_medial_margin", medial)):
        add(found, landmark, _farthest(margin, direction), n_points=len(margin))


def _joint_margin(fibula: BoneSurface, tibia: BoneSurface, up: FloatArray) -> FloatArray:
    """Points (n, 3) on the tibia's edges where it comes within 4 mm of the fibula: between vertices within and beyond."""
    heights = tibia.heights(up)
    beside = tibia.real & (heights > heights.max() - _JOINT_REACH_MM - 10.0)
    rough, _ = cKDTree(fibula.vertices[fibula.real]).query(tibia.vertices, distance_upper_bound=_JOINT_GAP_MM + 6.0)
    near = np.flatnonzero(beside & np.isfinite(np.asarray(rough)))
    if len(near) < 5:
        return np.zeros((0, 3))
    distance = np.full(len(tibia.vertices), np.inf)
    _, exact, _ = closest_points(Mesh(fibula.vertices, fibula.faces), tibia.vertices[near])
    tree = cKDTree(tibia.vertices[near])
    first, second = tree.query_pairs(_AVERAGED_MM, output_type="ndarray").T
    weight = 1.0 - np.linalg.norm(tibia.vertices[near[first]] - tibia.vertices[near[second]], axis=1) / _AVERAGED_MM
    total, weights = exact.copy(), np.ones(len(near))
    for own, other in ((first, second), (second, first)):
        total += np.bincount(own, weight * exact[other], len(near))
        weights += np.bincount(own, weight, len(near))
    distance[near] = total / weights
    edges = np.concatenate([tibia.faces[:, :2], tibia.faces[:, 1:], tibia.faces[:, ::2]])
    edges = np.unique(np.sort(edges, axis=1), axis=0)
    edges = edges[np.isfinite(distance[edges]).all(axis=1)]
    ends = distance[edges] - _JOINT_GAP_MM
    ends, edges = ends[ends[:, 0] * ends[:, 1] < 0.0], edges[ends[:, 0] * ends[:, 1] < 0.0]
    share = ends[:, 0] / (ends[:, 0] - ends[:, 1])
    first, second = tibia.vertices[edges[:, 0]], tibia.vertices[edges[:, 1]]
    points: FloatArray = first + share[:, None] * (second - first)
    return points


def _farthest(margin: FloatArray, direction: FloatArray) -> FloatArray:
    """Farthest point of the margin: mean of what lies within half a millimetre of it, carried out to it."""
    level = margin @ direction
    top = float(level.max())
    weight = np.maximum(level - top + _MARGIN_MM, 0.0)
    mean = weight @ margin / weight.sum()
    point: FloatArray = mean + (top - float(mean @ direction)) * direction
    return point
