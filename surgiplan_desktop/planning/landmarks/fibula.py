"""The fibula: its ends, and the proximal tibiofibular joint that it makes with the tibia (clinical.md A.1)."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from surgiplan_desktop.base.arrays import FloatArray
from surgiplan_desktop.model.anatomy import BoneName
from surgiplan_desktop.model.study import Finding
from surgiplan_desktop.planning.landmarks.extremes import extreme
from surgiplan_desktop.planning.landmarks.found import Found, add, end_cut, miss
from surgiplan_desktop.planning.landmarks.surface import BoneSurface, end_is_cut

_JOINT_GAP_MM = 4.0
_JOINT_REACH_MM = 50.0
_PTFJ = ("ptfj_proximal", "ptfj_distal", "ptfj_medial_margin")


def find_fibula(found: Found, fibula: BoneSurface, tibia: BoneSurface, up: FloatArray, medial: FloatArray) -> None:
    """Write down head tip, lateral malleolus and the margins of the proximal tibiofibular joint.

    ``up`` and ``medial`` are orthogonal unit vectors of the tibia.
    """
    for landmark, outward, end in (("fibular_head_tip", up, "proximal"), ("lateral_malleolus", -up, "distal")):
        if end_is_cut(fibula, outward):
            miss(found, end_cut(BoneName.FIBULA, end), landmark)
            continue
        levels = fibula.heights(outward)
        tip = extreme(fibula, fibula.real & (levels > levels.max() - 12.0), outward, radius_mm=5.0)
        if tip is not None:
            add(found, landmark, tip[0], rms=tip[1])
    if end_is_cut(fibula, up):
        miss(found, end_cut(BoneName.FIBULA, "proximal"), *_PTFJ)
        return
    tibia_heights = tibia.heights(up)
    beside = np.flatnonzero(tibia.real & (tibia_heights > tibia_heights.max() - _JOINT_REACH_MM - 10.0))
    distance, _ = cKDTree(fibula.vertices[fibula.real]).query(tibia.vertices[beside], distance_upper_bound=_JOINT_GAP_MM)
    joint = tibia.vertices[beside[np.isfinite(np.asarray(distance))]]
    if len(joint) < 5:
        miss(found, Finding("ptfj_not_in_contact", "note", (("gap_mm", _JOINT_GAP_MM),)), *_PTFJ)
        return
    for landmark, direction in (("ptfj_proximal", up), ("ptfj_distal", -up), ("ptfj_medial_margin", medial)):
        add(found, landmark, joint[int(np.argmax(joint @ direction))], n_points=len(joint))
