"""The femur of a right leg: distal block of condyles, bowed shaft, neck with version, spherical head, trochanters.

Block frame D: origin between the condyles; lateral, anterior, up. Femur frame F: origin at the notch point, up along the
mechanical axis, lateral along the posterior condylar line. The head sits exactly where the parameters want it; the distal
block is turned until its distal bitangent has the wanted mLDFA and its posterior bitangent lies in the frontal plane of F.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from surgiplan_desktop.base.arrays import AnyArray, FloatArray, unit
from surgiplan_desktop.phantom.fields import Loft, ellipsoid, loft, round_cone, smooth_max, smooth_min, sphere
from surgiplan_desktop.phantom.parameters import LegParameters
from surgiplan_desktop.phantom.probe import bitangent, saddle_below
from surgiplan_desktop.phantom.variation import Variation

_UP = np.array([0.0, 0.0, 1.0])
_LATERAL = np.array([1.0, 0.0, 0.0])
_ANTERIOR = np.array([0.0, 1.0, 0.0])


@dataclass(frozen=True, slots=True)
class Condyle:
    """A condyle as two blended rolls: centres (anterior, up), radii, place and half width across, crown radius; mm."""

    across: float
    half_width: float
    crown: float
    posterior: tuple[float, float, float]
    distal: tuple[float, float, float]

    def __call__(self, points: AnyArray) -> AnyArray:
        """Evaluate in the block frame."""
        x = points[:, 0] - self.across
        a, u = points[:, 1], points[:, 2]
        bulge = x * x / (2.0 * self.crown)
        rolls = smooth_min(
            np.hypot(a - self.posterior[0], u - self.posterior[1]) - self.posterior[2],
            np.hypot(a - self.distal[0], u - self.distal[1]) - self.distal[2],
            6.0,
        )
        steep = np.sqrt(1.0 + (x / self.crown) ** 2)
        return smooth_max((rolls + bulge) / steep, np.abs(x) - self.half_width, 8.0)


@dataclass(frozen=True, slots=True, eq=False)
class DistalFemur:
    """Condyles, trochlea, notch and epicondyles in the block frame."""

    scale: float
    medial: Condyle
    lateral: Condyle
    groove_at: float

    def __call__(self, points: AnyArray) -> AnyArray:
        """Evaluate in the block frame (mm); sizes scale with the width of the knee."""
        return self.carved(self.body(points), points)

    def carved(self, body: AnyArray, points: AnyArray) -> AnyArray:
        """Cut the notch out of a body given at points of the block frame."""
        scale = points.dtype.type(self.scale)
        return smooth_max(body, -self.notch(points / scale) * scale, 3.5)

    def body(self, points: AnyArray) -> AnyArray:
        """The block before the notch is cut."""
        points = points / points.dtype.type(self.scale)
        condyles = np.minimum(self.medial(points), self.lateral(points))
        body = smooth_min(condyles, self._trochlea(points), 6.0)
        result: AnyArray = smooth_min(body, self._bumps(points), 12.0) * points.dtype.type(self.scale)
        return result

    def _trochlea(self, points: AnyArray) -> AnyArray:
        x = points[:, 0] - self.groove_at
        rise = np.where(x > 0.0, 7.5, 5.5) * (1.0 - np.exp(-((x / 13.0) ** 2)))
        roll = np.hypot(points[:, 1] - 3.0, points[:, 2] - 13.0) - (25.5 + rise)
        steep = np.sqrt(1.0 + (rise * 2.0 * x / 169.0 * 0.45) ** 2)
        return smooth_max(roll / steep, np.abs(x - 1.0) - 24.0, 8.0)

    @staticmethod
    def _bumps(points: AnyArray) -> AnyArray:
        medial = ellipsoid(points, np.array([-33.0, -6.0, 7.0]), np.array([9.5, 13.0, 11.0]))
        lateral = ellipsoid(points, np.array([32.0, -3.0, 6.0]), np.array([8.5, 12.0, 10.0]))
        tubercle = ellipsoid(points, np.array([-28.5, -12.0, 27.0]), np.array([7.0, 5.5, 8.0]))
        return np.minimum(np.minimum(medial, lateral), tubercle)

    def notch(self, points: AnyArray) -> AnyArray:
        """The intercondylar notch, negative inside; its roof rises backwards (Blumensaat's line)."""
        x = points[:, 0] - self.groove_at
        roof = 0.77 * (points[:, 1] - 0.0) + 0.64 * (points[:, 2] + 11.0)
        return smooth_max(np.abs(x) - 10.8, roof, 10.0)


@dataclass(frozen=True, slots=True, eq=False)
class Femur:
    """The whole femur in F.

    Attributes
    ----------
    block_axes, block_origin
        The distal block's axes as columns and its origin, in F.
    head, neck_base, head_radius
        Centre of the head, where the neck axis meets the shaft, mm in F.
    """

    distal: DistalFemur
    shaft: Loft
    block_axes: FloatArray
    block_origin: FloatArray
    head: FloatArray
    neck_base: FloatArray
    head_radius: float
    trochanter: tuple[FloatArray, FloatArray, FloatArray]
    lesser: tuple[FloatArray, FloatArray]

    def to_block(self, points: AnyArray) -> AnyArray:
        """F to block frame."""
        result: AnyArray = (points - self.block_origin.astype(points.dtype)) @ self.block_axes.astype(points.dtype)
        return result

    def from_block(self, points: FloatArray) -> FloatArray:
        """Block frame to F."""
        return points @ self.block_axes.T + self.block_origin

    def __call__(self, points: AnyArray) -> AnyArray:
        """Evaluate in F."""
        result = np.empty(len(points), dtype=points.dtype)
        up = points[:, 2]
        low, high = up < 90.0, up > self.neck_base[2] - 90.0
        for part, zone in ((self._lower, low), (self._upper, high), (self._rod, ~low & ~high)):
            if zone.all():
                return part(points)
            if zone.any():
                result[zone] = part(points[zone])
        return result

    def _rod(self, points: AnyArray) -> AnyArray:
        rod = self.shaft(points)
        top = points[:, 2] - points.dtype.type(self.shaft.highest)
        bottom = points.dtype.type(self.shaft.lowest) - points[:, 2]
        return smooth_max(smooth_max(rod, top, 8.0), bottom, 8.0)

    def _lower(self, points: AnyArray) -> AnyArray:
        block = self.to_block(points)
        return self.distal.carved(smooth_min(self.distal.body(block), self._rod(points), 14.0), block)

    def _upper(self, points: AnyArray) -> AnyArray:
        head = sphere(points, self.head, self.head_radius)
        neck = round_cone(points, self.head, self.neck_base, 0.60 * self.head_radius, 0.76 * self.head_radius)
        low, middle, tip = self.trochanter
        greater = smooth_min(round_cone(points, low, middle, 15.0, 13.0), round_cone(points, middle, tip, 12.0, 8.5), 8.0)
        lesser = round_cone(points, self.lesser[0], self.lesser[1], 12.0, 9.0)
        body = smooth_min(self._rod(points), greater, 12.0)
        body = smooth_min(body, lesser, 14.0)
        return smooth_min(smooth_min(body, neck, 10.0), head, 4.0)


def build_distal(parameters: LegParameters, vary: Variation) -> DistalFemur:
    """Make the distal block; the femur's width goes with the tibia's."""
    v = vary.factor
    medial = Condyle(-23.5, 14.0 * v("medial width"), 26.0, (-11.0, -0.5, 20.0 * v("medial posterior")), (1.0, 7.0, 29.0))
    lateral = Condyle(24.0, 14.0 * v("lateral width"), 28.0, (-10.0, -0.5, 20.0 * v("lateral posterior")), (2.0, 7.0, 29.0))
    return DistalFemur(parameters.knee_width_mm / 77.0, medial, lateral, 1.0 + vary.shift("groove", 0.8))


def build_femur(parameters: LegParameters, vary: Variation) -> Femur:
    """Make the femur with exact mLDFA, length, torsion of the neck axis and head radius."""
    distal = build_distal(parameters, vary)
    axes, origin = _seat_block(distal, parameters.mldfa_deg)
    head = np.array([0.0, 0.0, parameters.femur_length_mm])
    size = parameters.femur_length_mm / 435.0
    neck_base = head - np.array([-40.0, 10.0, 32.0]) * size
    start = origin + axes @ (distal.scale * np.array([0.5, 6.0, 40.0]))
    rod = _shaft(start, neck_base, distal.scale, size, vary)
    torsion, angle = np.radians(parameters.femoral_torsion_deg), np.radians(180.0 - parameters.neck_shaft_deg)
    level = np.array([-np.cos(torsion), np.sin(torsion), 0.0])
    shaft_up = unit(np.array([0.1, 0.0, 1.0]))
    for _ in range(12):
        # The neck makes its angle with the shaft, and its projection across the mechanical axis has the wanted torsion.
        tilt = _tilt_for(level, shaft_up, angle)
        neck = np.sin(tilt) * level + np.cos(tilt) * _UP
        neck_base = head - 46.0 * size * vary.factor("neck length") * neck
        rod = _shaft(start, neck_base, distal.scale, size, vary)
        length = head[2] + parameters.head_radius_mm + 22.0
        shaft_up = unit(rod.centre(0.75 * length - 22.0) - rod.centre(0.25 * length - 22.0))
    low = neck_base + size * np.array([3.0, -3.0, -16.0])
    middle = neck_base + size * np.array([10.0, -5.0, 6.0])
    tip = neck_base + size * np.array([8.0, -11.0, 23.0 + vary.shift("trochanter", 3.0)])
    lesser_top = neck_base + size * np.array([-6.0, -7.0, -34.0])
    lesser_tip = neck_base + size * np.array([-11.5, -12.5, -36.0])
    return Femur(
        distal, rod, axes, origin, head, neck_base, parameters.head_radius_mm, (low, middle, tip), (lesser_top, lesser_tip)
    )


def _tilt_for(level: FloatArray, shaft_up: FloatArray, angle: float) -> float:
    """Angle of the neck from the vertical so that it makes ``angle`` with the shaft's direction."""
    tilts = np.linspace(0.3, 1.5, 20001)
    necks = np.sin(tilts)[:, None] * level + np.cos(tilts)[:, None] * _UP
    return float(tilts[np.argmin(np.abs(np.arccos(np.clip(necks @ shaft_up, -1, 1)) - angle))])


def _shaft(start: FloatArray, top: FloatArray, scale: float, size: float, vary: Variation) -> Loft:
    """Loft from the distal metaphysis to the trochanters, bowed forward."""
    rows: list[tuple[float, float, float, float, float, float, float]] = []
    girth = 0.5 * (scale + size) * vary.factor("femur girth")
    low, high = start[2], top[2] + 4.0
    # share of the way, half width, half depth, third harmonic (posterior ridge)
    profile = (
        (0.0, 29.0, 17.5, 0.05), (0.05, 23.0, 16.5, 0.05), (0.10, 19.0, 15.5, 0.04), (0.18, 16.0, 14.6, 0.03),
        (0.30, 14.2, 14.2, 0.045), (0.45, 13.4, 13.8, 0.06), (0.60, 13.2, 13.8, 0.07), (0.75, 13.8, 14.0, 0.06),
        (0.86, 15.5, 15.0, 0.04), (0.94, 18.5, 16.5, 0.02), (1.0, 19.0, 15.5, 0.0),
    )  # fmt: skip
    bow = 9.0 * size * vary.factor("bow", 2.0)
    for share, width, depth, ridge in profile:
        height = low + share * (high - low)
        centre = start + share * (top - start)
        forward = bow * 4.0 * share * (1.0 - share)
        rows.append((height, centre[0], centre[1] + forward, width * girth, depth * girth, 0.0, ridge))
    base = rows[0]
    # Below the start the metaphysis widens into the condyles.
    rows.append((low - 18.0 * scale, base[1], base[2] - 2.0, 34.0 * scale, 20.5 * scale, 0.0, 0.03))
    rows.append((low - 32.0 * scale, base[1], base[2] - 3.0, 36.0 * scale, 20.0 * scale, 0.0, 0.0))
    return loft(rows)


def _seat_block(distal: DistalFemur, mldfa_deg: float) -> tuple[FloatArray, FloatArray]:
    """Axes (columns, in F) and origin of the block so that mLDFA and the posterior condylar line are as wanted."""
    k = distal.scale
    tilt, twist = np.radians(90.0 - mldfa_deg), 0.0
    axes = np.eye(3)
    for _ in range(12):
        # F's directions as rows in the block: turn about the anterior axis by the tilt, then about the vertical by the twist.
        turn = np.array([[np.cos(tilt), 0, -np.sin(tilt)], [0, 1, 0], [np.sin(tilt), 0, np.cos(tilt)]])
        spin = np.array([[np.cos(twist), -np.sin(twist), 0], [np.sin(twist), np.cos(twist), 0], [0, 0, 1]])
        axes = turn @ spin
        lateral, anterior, up = axes[0], axes[1], axes[2]
        medial_low, lateral_low = bitangent(
            distal, k * np.array([-23.5, 1.0, -15.0]), k * np.array([24.0, 2.0, -15.0]), -up, lateral
        )
        medial_back, lateral_back = bitangent(
            distal, k * np.array([-23.5, -25.0, 0.0]), k * np.array([24.0, -25.0, 0.0]), -anterior, lateral
        )
        line, back = axes @ (lateral_low - medial_low), axes @ (lateral_back - medial_back)
        tilt_error = np.arctan2(line[2], line[0]) - np.radians(90.0 - mldfa_deg)
        twist_error = np.arctan2(back[1], back[0])
        tilt, twist = tilt - tilt_error, twist - twist_error
        if max(abs(tilt_error), abs(twist_error)) < 1e-8:
            break
    notch = saddle_below(distal, k * np.array([distal.groove_at, 4.0, -8.0]), axes[2], axes[0])
    return axes, -axes @ notch
