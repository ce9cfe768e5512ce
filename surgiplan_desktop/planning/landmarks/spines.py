"""The intercondylar spines of the tibia (clinical.md A.1)."""

from __future__ import annotations

from itertools import product

import numpy as np
from scipy.spatial import cKDTree

from surgiplan_desktop.base.arrays import AnyArray, FloatArray
from surgiplan_desktop.planning.landmarks.extremes import refined_extreme
from surgiplan_desktop.planning.landmarks.plateau import Plateau
from surgiplan_desktop.planning.landmarks.surface import BoneSurface

_SPINE_HEIGHT_MM = (2.0, 16.0)
_SPINES_APART_MM = (4.0, 22.0)
#: No other point of a tip's surroundings within this is higher.
_SPINE_REACH_MM = 3.5
#: Tilts of the plateau towards a spine's own side, tried in turn.
_SPINE_TILTS_DEG = (0.0, 5.0, 10.0)
_MOST_TIPS = 8


def find_spines(surface: BoneSurface, plateau: Plateau) -> tuple[FloatArray | None, FloatArray | None]:
    """Tips of the medial and lateral intercondylar tubercles: the two peaks of the ridge in the central 40 % of the width.

    A spine may be a shoulder of the other, which is no peak; it becomes one when the plateau is tilted a little towards its side.
    """
    height = (surface.vertices - plateau.point) @ plateau.normal
    u = (surface.vertices - plateau.centre) @ plateau.to_lateral
    v = (surface.vertices - plateau.centre) @ plateau.to_anterior
    region = surface.real & (np.abs(u) < 0.42 * plateau.half_width) & (np.abs(v) < 0.6 * plateau.half_depth) & (height > -2.0)
    index = np.flatnonzero(region)
    if len(index) < 30:
        return None, None
    around = np.flatnonzero(surface.real & (np.abs(u) < 0.6 * plateau.half_width) & (height > -6.0))
    for tilt_deg in _SPINE_TILTS_DEG:
        lean = np.tan(np.radians(tilt_deg))
        medial_tips, lateral_tips = (
            _tips(surface.vertices, height + outward * lean * u, height, index, around) for outward in (-1.0, 1.0)
        )
        pairs = [
            (medial, lateral)
            for medial, lateral in product(medial_tips, lateral_tips)
            if _SPINES_APART_MM[0] <= u[lateral] - u[medial] <= _SPINES_APART_MM[1]
        ]
        if not pairs:
            continue
        pair = max(pairs, key=lambda item: float(height[item[0]] + height[item[1]]))
        if max(height[pair[0]], height[pair[1]]) > _SPINE_HEIGHT_MM[1]:
            return None, None
        leaning = lean * plateau.to_lateral
        return _refined_tip(surface, pair[0], plateau.normal - leaning), _refined_tip(surface, pair[1], plateau.normal + leaning)
    return None, None


def _tips(vertices: FloatArray, level: FloatArray, height: FloatArray, index: AnyArray, around: AnyArray) -> list[int]:
    """Up to eight of the vertices ``index`` that no other of ``around`` within a few millimetres overtops, highest first.

    The two spines lie one behind the other on some bones, so a profile from the front would hide one.
    """
    tree = cKDTree(vertices[around])
    tips: list[int] = []
    for candidate in index[np.argsort(-level[index], kind="stable")]:
        if height[candidate] < _SPINE_HEIGHT_MM[0]:
            continue
        near = around[tree.query_ball_point(vertices[candidate], _SPINE_REACH_MM)]
        if level[candidate] >= level[near].max():
            tips.append(int(candidate))
            if len(tips) == _MOST_TIPS:
                break
    return tips


def _refined_tip(surface: BoneSurface, vertex: int, outward: FloatArray) -> FloatArray:
    region = np.linalg.norm(surface.vertices - surface.vertices[vertex], axis=1) < 8.0
    return refined_extreme(surface, region, surface.vertices[vertex], outward / np.linalg.norm(outward), radius_mm=2.5)[0]
