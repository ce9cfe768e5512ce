"""Fibula, patella, talus and the hip bone around the head of a right leg.

Each is a rough body carved by the offset of its neighbour, so that joint gaps are what they are meant to be and facing joint
surfaces are congruent.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from surgiplan_desktop.base.arrays import AnyArray, FloatArray
from surgiplan_desktop.phantom.fields import Field, Loft, ellipsoid, loft, round_cone, smooth_max, smooth_min, sphere
from surgiplan_desktop.phantom.parameters import LegParameters
from surgiplan_desktop.phantom.tibia import Tibia
from surgiplan_desktop.phantom.variation import Variation

#: Gap of the proximal tibiofibular joint and of the syndesmosis, of the ankle mortise, the patella and the hip, mm.
PTFJ_GAP_MM = 2.2
ANKLE_GAP_MM = 2.6
PATELLA_GAP_MM = 4.0
HIP_GAP_MM = 3.5


@dataclass(frozen=True, slots=True, eq=False)
class Fibula:
    """Fibula in P: head below the lateral plateau behind, slender shaft, lateral malleolus below the plafond."""

    tibia: Tibia
    shaft: Loft
    head: tuple[FloatArray, FloatArray, float, float]
    malleolus: tuple[FloatArray, FloatArray, float, float]

    def __call__(self, points: AnyArray) -> AnyArray:
        """Evaluate in P."""
        rod = self.shaft(points)
        rod = smooth_max(rod, points[:, 2] - self.shaft.highest, 5.0)
        rod = smooth_max(rod, self.shaft.lowest - points[:, 2], 5.0)
        body = smooth_min(rod, round_cone(points, *self.head), 8.0)
        body = smooth_min(body, round_cone(points, *self.malleolus), 8.0)
        near = body < 12.0
        if near.any():
            gap = PTFJ_GAP_MM - self.tibia(points[near])
            body[near] = smooth_max(body[near], gap, 2.0)
        return body


def build_fibula(parameters: LegParameters, tibia: Tibia, vary: Variation) -> Fibula:
    """Make the fibula that goes with a tibia."""
    k = parameters.knee_width_mm / 77.0
    d = tibia.distal
    top = k * np.array([33.0, -19.0, -18.0])
    styloid = top + k * np.array([1.5, -3.0, 4.5])
    neck = k * np.array([37.0, -19.0, -38.0])
    foot = d.from_block(
        np.array([[28.0, -4.5, 22.0], [27.5, -5.5, 2.0], [29.0, -8.0, -16.5 + vary.shift("lateral malleolus", 1.0)]])
    )
    girth = vary.factor("fibula girth")
    rows = [(neck[2] + 14.0 * k, neck[0] - 2.0 * k, neck[1], 7.0 * girth, 7.5 * girth, 0.0, 0.0)]
    rows.append((neck[2], neck[0], neck[1], 6.2 * girth, 6.4 * girth, 0.03, 0.03))
    for share, width, depth, ridge in ((0.2, 5.8, 6.2, 0.06), (0.5, 6.2, 7.0, 0.09), (0.8, 6.0, 6.8, 0.07)):
        middle = neck + share * (foot[0] - neck)
        bow = 4.0 * share * (1.0 - share)
        rows.append((middle[2], middle[0] + 1.5 * bow, middle[1] - 7.0 * bow, width * girth, depth * girth, ridge, -ridge))
    rows.append((foot[0][2], foot[0][0], foot[0][1], 6.8 * girth, 8.5 * girth, 0.0, 0.03))
    rows.append((foot[1][2], foot[1][0], foot[1][1], 8.0 * girth, 10.5 * girth, 0.0, 0.0))
    head = (neck + k * np.array([-1.0, 0.5, 9.0]), styloid, 8.0 * k, 9.5 * k)
    return Fibula(tibia, loft(rows), head, (foot[1], foot[2], 9.0 * d.scale, 6.5 * d.scale))


@dataclass(frozen=True, slots=True, eq=False)
class Talus:
    """Talus in P: body under the mortise, neck and head to the front."""

    tibia: Tibia
    fibula: Fibula

    def __call__(self, points: AnyArray) -> AnyArray:
        """Evaluate in P."""
        d = self.tibia.distal
        block = d.to_block(points)
        k = points.dtype.type(d.scale)
        body = ellipsoid(block, np.array([0.5, 1.0, -14.0]), np.array([25.0, 27.0, 19.0]))
        body = smooth_max(body, np.abs(block[:, 0] - 1.0) - 19.0, 4.0)
        neck = round_cone(block, np.array([-1.0, 16.0, -17.0]), np.array([-6.0, 31.0, -19.0]), 11.0, 12.0)
        tail = ellipsoid(block, np.array([0.0, -20.0, -18.0]), np.array([9.0, 9.0, 6.0]))
        under = -(block[:, 2] + 28.0) - 0.004 * (block[:, 1] + 4.0) ** 2
        body = smooth_min(smooth_min(body, neck, 8.0), tail, 6.0)
        body = smooth_max(body, under, 4.0) * k
        near = body < 12.0
        if near.any():
            inside = points[near]
            mortise = np.maximum(ANKLE_GAP_MM - self.tibia(inside), ANKLE_GAP_MM - self.fibula(inside))
            body[near] = smooth_max(body[near], mortise, 1.5)
        result: AnyArray = body
        return result


@dataclass(frozen=True, slots=True, eq=False)
class Patella:
    """Patella in F: rounded triangle in front of the trochlea, carved by its offset so that the ridge fits the groove."""

    femur: Field
    centre: FloatArray
    scale: float
    height: float

    def __call__(self, points: AnyArray) -> AnyArray:
        """Evaluate in F."""
        q = (points - self.centre.astype(points.dtype)) / points.dtype.type(self.scale)
        body = ellipsoid(q, np.array([0.0, 0.0, 3.0]), np.array([22.0, 12.0, 18.0]))
        apex = round_cone(q, np.array([0.0, 2.5, -2.0]), np.array([-0.5, 3.5, -17.5 * self.height]), 10.0, 5.0)
        body = smooth_min(body, apex, 8.0) * points.dtype.type(self.scale)
        near = body < 12.0
        if near.any():
            body[near] = smooth_max(body[near], PATELLA_GAP_MM - self.femur(points[near]), 3.0)
        result: AnyArray = body
        return result


@dataclass(frozen=True, slots=True, eq=False)
class Hip:
    """Hip bone around the head in F: acetabulum with roof, ilium stump, pubic and ischial stumps."""

    head: FloatArray
    head_radius: float
    femur: Field

    def __call__(self, points: AnyArray) -> AnyArray:
        """Evaluate in F."""
        q = points - self.head.astype(points.dtype)
        r = self.head_radius + HIP_GAP_MM
        shell = sphere(q, np.array([-6.0, 0.0, 5.0]), r + 6.0)
        ilium = round_cone(q, np.array([-10.0, -8.0, r + 2.0]), np.array([-18.0, -16.0, r + 42.0]), 17.0, 14.0)
        pubis = round_cone(q, np.array([-r, 10.0, -4.0]), np.array([-r - 32.0, 26.0, -14.0]), 11.0, 8.0)
        ischium = round_cone(q, np.array([-r - 2.0, -14.0, -10.0]), np.array([-r - 6.0, -24.0, -58.0]), 14.0, 13.0)
        body = smooth_min(smooth_min(shell, ilium, 14.0), smooth_min(pubis, ischium, 8.0), 12.0)
        # The cup opens lateral, downward and a little forward; its rim covers somewhat less than half of the head.
        opening = q @ np.array([0.72, 0.25, -0.65], dtype=points.dtype) - points.dtype.type(2.0)
        body = smooth_max(body, -sphere(q, np.zeros(3), r), 2.0)
        rim = smooth_max(-opening, sphere(q, np.zeros(3), r + 11.0), 4.0)
        body = smooth_max(body, -rim, 3.0)
        near = body < 12.0
        if near.any():
            body[near] = smooth_max(body[near], HIP_GAP_MM - self.femur(points[near]), 2.0)
        return body
