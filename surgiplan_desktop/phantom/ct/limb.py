"""The flesh around the bones: outline of the limb, fat, fasciae and the couch, as functions of the height along the leg.

A limb is a stack of rounded sections around a line that follows the bones. Radii, fat and the muscle septa change with the
height; sizes are round figures of adult legs (girths: thigh 520, knee 370, calf 360, ankle 220 mm), not those of any person.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.interpolate import PchipInterpolator

from surgiplan_desktop.base.arrays import FloatArray
from surgiplan_desktop.model.anatomy import Side
from surgiplan_desktop.phantom.ct.texture import Texture, texture
from surgiplan_desktop.phantom.limb import Leg

#: Radius of the couch's curve and how far its mat gives way under the flesh, mm.
COUCH_RADIUS_MM: Final = 420.0
MAT_MM: Final = 8.0
SHELL_MM: Final = 2.0
_PRESSED_MM: Final = 12.0

#: Share of the way from ankle to hip centre; radii lateral, medial, anterior, posterior, and fat under the skin, mm.
_SECTIONS: Final = (
    (-0.06, 36.0, 36.0, 75.0, 62.0, 7.0),
    (-0.01, 37.0, 36.0, 44.0, 52.0, 4.5),
    (0.05, 34.0, 34.0, 36.0, 46.0, 4.5),
    (0.12, 35.0, 35.0, 36.0, 46.0, 5.0),
    (0.22, 47.0, 47.0, 45.0, 58.0, 6.5),
    (0.32, 56.0, 57.0, 51.0, 68.0, 8.0),
    (0.40, 56.0, 58.0, 52.0, 66.0, 9.0),
    (0.46, 57.0, 59.0, 52.0, 62.0, 10.0),
    (0.50, 60.0, 62.0, 54.0, 62.0, 10.5),
    (0.56, 64.0, 66.0, 60.0, 66.0, 10.5),
    (0.65, 72.0, 74.0, 70.0, 72.0, 11.0),
    (0.78, 78.0, 84.0, 82.0, 82.0, 13.0),
    (0.88, 82.0, 96.0, 88.0, 90.0, 15.0),
    (0.95, 86.0, 125.0, 92.0, 96.0, 17.0),
    (1.02, 90.0, 170.0, 96.0, 100.0, 19.0),
    (1.15, 95.0, 190.0, 100.0, 100.0, 20.0),
)
_TABLE_STEP_MM: Final = 1.0
#: Muscle groups around the leg: a septum between neighbours. Even, so that the distance has no jump.
_GROUPS: Final = 6


@dataclass(frozen=True, slots=True, eq=False)
class Flesh:
    """Fields of the soft tissue at points; depth and distances in mm.

    Attributes
    ----------
    depth
        Below the outline of the limb, positive inside, before the bones push it out and the couch flattens it.
    fat
        Thickness of the fat under the skin.
    septum
        Signed distance to the nearest septum that runs from the bone to the skin.
    layer
        Signed distance to the septum between the deep and the superficial layer of muscles.
    shin
        0..1: where nothing but skin and fat covers the tibia.
    spare
        0..1: where there is fat between the muscles: before the knee, in the hollow behind it, before the Achilles tendon.
    grain, gaps
        Textures of unit deviation: of muscle and fat; of the width of the gaps between muscles.
    """

    depth: FloatArray
    fat: FloatArray
    septum: FloatArray
    layer: FloatArray
    shin: FloatArray
    spare: FloatArray
    grain: FloatArray
    gaps: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Limb:
    """Tables by height.

    Columns of ``table``: centre lateral, centre y, four radii, fat, tibia lateral, tibia y, shin, knee, heel.
    """

    sign: float
    mirrored: bool
    lowest: float
    table: FloatArray
    couch_y: float
    textures: tuple[Texture, Texture, Texture, Texture]

    def flesh(self, x: FloatArray, y: FloatArray, z: FloatArray) -> Flesh:
        """Evaluate at LPS coordinates that broadcast against each other."""
        place = np.clip((z - self.lowest) / _TABLE_STEP_MM, 0.0, len(self.table) - 1.001)
        row = place.astype(np.int32)
        part = (place - row)[..., None]
        values = self.table[row] * (1.0 - part) + self.table[row + 1] * part
        across, behind, lateral, medial, front, back, fat, tibia_across, tibia_behind, shin, knee, heel = np.moveaxis(
            values, -1, 0
        )
        outward = np.abs(x) if self.mirrored else self.sign * x
        u, v = outward - across, behind - y
        q = np.hypot(u / np.where(u > 0.0, lateral, medial), v / np.where(v > 0.0, front, back))
        radius = np.hypot(u, v)
        reach = radius / np.maximum(q, 0.02)
        points = np.stack([part.ravel() for part in np.broadcast_arrays(x, y, z)], axis=1)
        lumps, warp, grain, gaps = (item(points).reshape(q.shape).astype(np.float64) for item in self.textures)
        angle = np.arctan2(v, u)
        depth = (1.0 - q) * reach + 1.6 * lumps
        # The septa are not evenly spread: the angle is warped, twists along the leg and wavers.
        warped = angle + 0.35 * np.sin(angle + 0.9) + 0.0022 * (z - self.lowest) + 0.16 * warp
        septum = radius * np.sin(0.5 * _GROUPS * warped) * (2.0 / _GROUPS)
        layer = (q - 0.58 - 0.12 * np.sin(2.0 * warped) - 0.07 * warp) * reach
        cover = fat * (1.0 + 0.38 * np.cos(angle + 2.4) + 0.15 * lumps + 0.08 * warp)
        # 90 degrees is anterior, 180 medial: the flat medial face of the tibia lies under the skin.
        facing = np.degrees(np.arctan2(tibia_behind - y, outward - tibia_across)) % 360.0
        sector = np.clip((facing - 82.0) / 40.0, 0.0, 1.0) * np.clip((222.0 - facing) / 55.0, 0.0, 1.0)
        front = np.clip((v + 4.0 + 4.0 * warp) / 4.0, 0.0, 1.0)
        hollow = np.clip(2.5 * (1.2 - np.hypot((u + 2.0) / 14.0, (v + 26.0) / 13.0) + 0.25 * warp), 0.0, 1.0)
        before_heel = np.clip(1.8 - np.hypot(u / 16.0, (v + 26.0) / 11.0) + 0.2 * warp, 0.0, 1.0)
        spare = np.maximum(knee * np.maximum(front, hollow), heel * before_heel)
        return Flesh(depth, cover, septum, layer, shin * sector, spare, grain, gaps)

    def couch(self, x: FloatArray) -> FloatArray:
        """Height y of the top of the mat, LPS: lowest in the patient's midplane."""
        result: FloatArray = self.couch_y - x * x / (2.0 * COUCH_RADIUS_MM)
        return result


def limb_of(leg: Leg, seed: int, second_leg: bool) -> Limb:
    """Wrap a leg in flesh."""
    points = leg.truth_landmarks
    sign = -1.0 if leg.side is Side.RIGHT else 1.0
    hip, ankle = points["hip_centre"], points["ankle_centre"]
    lowest, highest = float(ankle[2]) - 80.0, float(hip[2]) + 140.0
    z = np.arange(lowest, highest + _TABLE_STEP_MM, _TABLE_STEP_MM)
    share = (z - ankle[2]) / (hip[2] - ankle[2])
    girth = leg.parameters.knee_width_mm / 77.0
    sections = np.array(_SECTIONS)
    size = PchipInterpolator(sections[:, 0], sections[:, 1:], axis=0)(np.clip(share, sections[0, 0], sections[-1, 0]))
    size[:, :4] *= girth
    shaft_low, shaft_high = points["tibial_shaft_distal"], points["tibial_shaft_proximal"]
    knee = 0.5 * (points["tibial_knee_centre"] + points["femoral_knee_centre"])
    beside = 0.5 * (hip + points["greater_trochanter_tip"])
    # Lateral and posterior of the line through the bones lies the middle of the flesh: calf and hamstrings.
    behind = np.array([sign, 1.0, 0.0])
    path = np.array([
        ankle + behind * [0.0, 2.0, 0.0],
        shaft_low + behind * [4.0, 10.0, 0.0],
        shaft_high + behind * [6.0, 20.0, 0.0],
        knee + behind * [0.0, 8.0, 0.0],
        points["femoral_shaft_distal"] + behind * [-4.0, 6.0, 0.0],
        points["femoral_shaft_proximal"] + behind * [-12.0, 8.0, 0.0],
        beside + behind * [-6.0, 8.0, 0.0],
    ])  # fmt: skip
    path = path[np.argsort(path[:, 2])]
    line = PchipInterpolator(path[:, 2], path[:, :2], axis=0)(np.clip(z, path[0, 2], path[-1, 2]))
    bone = np.array([ankle, shaft_low, shaft_high, points["tibial_knee_centre"]])
    tibia = np.column_stack([np.interp(z, bone[:, 2], bone[:, axis]) for axis in range(2)])
    shin = np.clip((share - 0.03) / 0.05, 0.0, 1.0) * np.clip((0.44 - share) / 0.06, 0.0, 1.0)
    around_knee = np.clip((share - 0.405) / 0.03, 0.0, 1.0) * np.clip((0.545 - share) / 0.03, 0.0, 1.0)
    above_heel = np.clip((0.16 - share) / 0.05, 0.0, 1.0)
    columns = (sign * line[:, 0], line[:, 1], size, sign * tibia[:, 0], tibia[:, 1], shin, around_knee, above_heel)
    table = np.column_stack(columns)
    bottom = line[:, 1] + size[:, 3] + line[:, 0] ** 2 / (2.0 * COUCH_RADIUS_MM)
    couch_y = float(bottom[(share > 0.0) & (share < 1.0)].max()) - _PRESSED_MM
    return Limb(
        sign,
        second_leg,
        lowest,
        table,
        couch_y,
        (
            texture(seed, 11, (14.0, 14.0, 30.0), 1.3),
            texture(seed, 12, (9.0, 9.0, 28.0), 1.3, 25.0),
            texture(seed, 13, (2.0, 2.0, 9.0), 0.8, 40.0),
            texture(seed, 14, (7.0, 7.0, 25.0), 1.1, 60.0),
        ),
    )
