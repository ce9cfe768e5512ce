"""Fibula, patella, talus and the hip bone around the head of a right leg.

Each is a rough body carved by the offset of its neighbour, so that joint gaps are what they are meant to be and facing joint
surfaces are congruent.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from surgiplan_desktop.base.arrays import AnyArray, FloatArray
from surgiplan_desktop.phantom.fields import (
    Field,
    Loft,
    chosen,
    ellipsoid,
    in_frame,
    loft,
    over,
    round_cone,
    smooth_max,
    smooth_min,
    sphere,
)
from surgiplan_desktop.phantom.parameters import LegParameters
from surgiplan_desktop.phantom.tibia import Tibia
from surgiplan_desktop.phantom.variation import Variation

#: Gap of the proximal tibiofibular joint and of the syndesmosis, of the ankle mortise, the patella and the hip, mm.
PTFJ_GAP_MM = 2.2
ANKLE_GAP_MM = 2.6
PATELLA_GAP_MM = 4.0
#: Width over which the rim of the patella's articular face is rounded, mm.
PATELLA_EDGE_MM = 3.0
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
        body = smooth_min(rod, round_cone(points, *self.head), 16.0)
        foot, tip, wide, narrow = self.malleolus
        middle = 0.5 * (foot + tip)
        ankle = smooth_min(
            ellipsoid(points, middle, wide * np.array([0.9, 1.3, 1.9])), round_cone(points, foot, tip, 0.8 * wide, narrow), 8.0
        )
        body = smooth_min(body, ankle, 16.0)
        near = body < 12.0
        if near.any():
            gap = PTFJ_GAP_MM - self.tibia(chosen(points, near))
            body[near] = smooth_max(body[near], gap, 2.0)
        return body


def build_fibula(parameters: LegParameters, tibia: Tibia, vary: Variation) -> Fibula:
    """Make the fibula that goes with a tibia."""
    k = parameters.knee_width_mm / 77.0
    d = tibia.distal
    top = k * np.array([33.5, -18.0, -17.0])
    styloid = top + k * np.array([2.0, -4.5, 5.5])
    neck = k * np.array([37.0, -18.5, -42.0])
    foot = d.from_block(
        np.array([[28.5, -4.5, 24.0], [27.5, -4.5, 2.0], [29.5, -7.5, -17.5 + vary.shift("lateral malleolus", 1.0)]])
    )
    girth = vary.factor("fibula girth")
    rows = [(neck[2] + 14.0 * k, neck[0] - 1.0 * k, neck[1], 8.0 * girth, 8.5 * girth, 0.0, 0.0)]
    rows.append((neck[2], neck[0], neck[1], 6.0 * girth, 6.2 * girth, 0.03, 0.03))
    for share, width, depth, ridge in ((0.2, 5.6, 6.0, 0.10), (0.5, 5.9, 6.8, 0.13), (0.8, 5.9, 6.6, 0.10)):
        middle = neck + share * (foot[0] - neck)
        bow = 4.0 * share * (1.0 - share)
        rows.append((middle[2], middle[0] + 1.5 * bow, middle[1] - 7.0 * bow, width * girth, depth * girth, ridge, -ridge))
    rows.append((foot[0][2], foot[0][0], foot[0][1], 6.8 * girth, 8.5 * girth, 0.0, 0.03))
    rows.append((foot[1][2], foot[1][0], foot[1][1], 7.5 * girth, 10.5 * girth, 0.0, 0.0))
    head = (neck + k * np.array([-1.5, 0.5, 17.0]), styloid, 10.5 * k, 7.0 * k)
    return Fibula(tibia, loft(rows), head, (foot[1], foot[2], 8.5 * d.scale, 5.0 * d.scale))


@dataclass(frozen=True, slots=True, eq=False)
class Talus:
    """Talus in P: trochlea under the mortise, neck and head to the front and inward, posterior and lateral process."""

    tibia: Tibia
    fibula: Fibula

    def __call__(self, points: AnyArray) -> AnyArray:
        """Evaluate in P."""
        d = self.tibia.distal
        block = d.to_block(points)
        x, y, u = block[:, 0], block[:, 1], block[:, 2]
        # The trochlea rolls about an axis across the ankle and is wider in front.
        roll = over(y, u + 22.0 + ANKLE_GAP_MM / d.scale) - 22.0
        side = np.abs(x - 0.5 - u * 0.03) - (14.5 + 0.07 * y)
        trochlea = smooth_max(smooth_max(roll, side, 4.0), np.abs(y + 1.0) - 20.0, 8.0)
        base = ellipsoid(block, np.array([1.0, -4.0, -20.0]), np.array([17.0, 21.0, 11.0]))
        process = ellipsoid(block, np.array([11.5, -3.0, -18.5]), np.array([9.5, 11.0, 6.5]))
        neck = round_cone(block, np.array([-1.0, 10.0, -17.0]), np.array([-6.0, 26.0, -19.0]), 10.0, 9.0)
        top = ellipsoid(block, np.array([-7.0, 29.0, -19.5]), np.array([14.0, 10.0, 11.0]))
        tail = ellipsoid(block, np.array([-2.5, -18.5, -19.0]), np.array([10.0, 8.5, 6.0]))
        body = smooth_min(smooth_min(trochlea, base, 8.0), process, 10.0)
        body = smooth_min(smooth_min(body, smooth_min(neck, top, 10.0), 12.0), tail, 10.0)
        # Below, the facets for the calcaneus: a saddle over the sinus tarsi.
        under = -(u + 29.0) + 3.5 * np.exp(-(((y - 9.0) / 7.0) ** 2))
        body = smooth_max(body, under, 5.0) * d.scale
        near = body < 12.0
        if near.any():
            inside = chosen(points, near)
            mortise = np.maximum(ANKLE_GAP_MM - self.tibia(inside), ANKLE_GAP_MM - self.fibula(inside))
            body[near] = smooth_max(body[near], mortise, 1.5)
        result: AnyArray = body
        return result


@dataclass(frozen=True, slots=True, eq=False)
class Patella:
    """Patella in F: rounded triangle in front of the trochlea, carved by its offset so that the ridge fits the groove.

    ``axes`` are the patella's own axes (lateral, anterior, up) as columns: it tips as it glides around the trochlea.
    """

    femur: Field
    centre: FloatArray
    axes: FloatArray
    scale: float
    height: float

    def to_own(self, points: AnyArray) -> AnyArray:
        """F to the patella's own frame, in unit size."""
        own = in_frame(points, self.axes, self.centre)
        own /= self.scale
        return own

    def body(self, points: AnyArray) -> AnyArray:
        """The bone before its articular face is cut, at points of F."""
        q = self.to_own(points)
        shield = ellipsoid(q, np.array([0.5, 0.5, 3.5]), np.array([22.0, 12.5, 17.5]))
        apex = round_cone(q, np.array([0.0, 1.5, 0.0]), np.array([-0.5, 1.0, -17.0 * self.height]), 12.0, 5.5)
        body = smooth_min(shield, apex, 16.0)
        result: AnyArray = smooth_max(body, q[:, 2] - 19.5, 6.0) * self.scale
        return result

    def face(self, points: AnyArray) -> AnyArray:
        """The articular face: positive where the femur is nearer than the gap."""
        return PATELLA_GAP_MM - self.femur(points)

    def __call__(self, points: AnyArray) -> AnyArray:
        """Evaluate in F."""
        body = self.body(points)
        near = body < 12.0
        if near.any():
            body[near] = smooth_max(body[near], self.face(chosen(points, near)), PATELLA_EDGE_MM)
        return body


@dataclass(frozen=True, slots=True, eq=False)
class Hip:
    """Hip bone around the head in F: acetabulum with roof and notch, ilium cut by the field of view, pubis and ischium."""

    head: FloatArray
    head_radius: float
    femur: Field

    def __call__(self, points: AnyArray) -> AnyArray:
        """Evaluate in F."""
        q = points - self.head.astype(points.dtype)
        r = self.head_radius + HIP_GAP_MM
        shell = sphere(q, np.array([-5.0, -1.0, 3.0]), r + 8.0)
        roof = round_cone(q, np.array([-8.0, -4.0, r + 2.0]), np.array([-16.0, -14.0, r + 46.0]), 17.0, 11.0)
        # The wing above the joint: a plate that widens upwards, cut by the field of view.
        wing = ellipsoid(q, np.array([-18.0, -8.0, r + 40.0]), np.array([9.0, 34.0, 44.0]))
        wing = smooth_max(wing, q[:, 2] - (r + 54.0), 8.0)
        pubis = round_cone(q, np.array([-r - 2.0, 10.0, -2.0]), np.array([-r - 34.0, 30.0, -16.0]), 11.0, 7.5)
        ischium = round_cone(q, np.array([-r - 2.0, -14.0, -10.0]), np.array([-r - 8.0, -22.0, -52.0]), 14.0, 14.0)
        ramus = round_cone(q, np.array([-r - 10.0, -16.0, -58.0]), np.array([-r - 34.0, 18.0, -42.0]), 9.0, 6.5)
        body = smooth_min(smooth_min(shell, smooth_min(roof, wing, 12.0), 14.0), smooth_min(pubis, ischium, 12.0), 16.0)
        body = smooth_min(body, ramus, 12.0)
        # The cup opens lateral, downward and a little forward; its rim covers somewhat less than half of the head.
        opening = q @ np.array([0.72, 0.25, -0.65], dtype=points.dtype) - 2.0
        body = smooth_max(body, -sphere(q, np.zeros(3), r), 2.0)
        rim = smooth_max(-opening, sphere(q, np.zeros(3), r + 13.0), 4.0)
        body = smooth_max(body, -rim, 3.0)
        near = body < 12.0
        if near.any():
            body[near] = smooth_max(body[near], HIP_GAP_MM - self.femur(chosen(points, near)), 2.0)
        return body
