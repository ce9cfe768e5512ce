"""The femur of a right leg: distal block of condyles, bowed shaft, neck with version, spherical head, trochanters.

Block frame D: origin between the condyles; lateral, anterior, up. Femur frame F: origin at the notch point, up along the
mechanical axis, lateral along the posterior condylar line. The head sits exactly where the parameters want it; the distal
block is turned until its distal bitangent has the wanted mLDFA and its posterior bitangent lies in the frontal plane of F.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from surgiplan_desktop.base.arrays import AnyArray, FloatArray, unit
from surgiplan_desktop.phantom.fields import (
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
from surgiplan_desktop.phantom.probe import bitangent, saddle_below
from surgiplan_desktop.phantom.variation import Variation

_UP = np.array([0.0, 0.0, 1.0])
_LATERAL = np.array([1.0, 0.0, 0.0])
_ANTERIOR = np.array([0.0, 1.0, 0.0])
#: Axis (anterior, up) and radius of the roll on which the groove of the trochlea lies, in the block frame.
TROCHLEA = (3.0, 13.0, 25.5)
#: Inside the bone near the distal and the posterior contact points, medial and lateral (unit size, block frame).
_CONTACT_STARTS = ((-22.6, 0.5, -15.0), (23.6, 2.5, -15.0), (-25.0, -25.0, 0.0), (24.6, -25.0, 0.0))
#: Middle of the dent behind and below the medial epicondyle (the sulcus of the surgical epicondylar axis).
_SULCUS = np.array([-50.0, -11.0, -2.0])
_SULCUS_RADIUS_MM = 12.0
#: A worn condyle is rounded off with this radius, so that its lowest point stays one point.
_WORN_RADIUS_MM = 60.0
#: Above this height (unit size) there is only the shaft.
_DISTAL_ZONE_MM = 105.0


@dataclass(frozen=True, slots=True)
class Condyle:
    """A condyle as two blended rolls: centres (anterior, up) and radii, place, half width and crown across; mm.

    ``splay`` is how much the condyle runs off its place for each mm to the front (condyles diverge backwards); ``flattening`` is
    how much of its distal end is worn off.
    """

    across: float
    splay: float
    half_width: float
    crown: float
    posterior: tuple[float, float, float]
    distal: tuple[float, float, float]
    flattening: float = 0.0

    def __call__(self, points: AnyArray) -> AnyArray:
        """Evaluate in the block frame."""
        a, u = points[:, 1], points[:, 2]
        x = points[:, 0] - self.across - self.splay * a
        bulge = x * x / (2.0 * self.crown)
        back, low = self.posterior, self.distal
        rolls = smooth_min(over(a - back[0], u - back[1]) - back[2], over(a - low[0], u - low[1]) - low[2], 6.0)
        steep = np.sqrt(1.0 + (x / self.crown) ** 2)
        # Upwards the sides run together under the flare of the shaft.
        rise = u - 6.0
        side = np.abs(x) - self.half_width + 0.16 * (rise + np.sqrt(rise * rise + 64.0)) - 0.3
        solid = smooth_max((rolls + bulge) / steep, 0.95 * side, 10.0)
        solid = smooth_max(solid, u - 19.0, 16.0)
        if self.flattening:
            worn = np.sqrt(x * x + (a - low[0]) ** 2 + (u - low[1] + low[2] - self.flattening - _WORN_RADIUS_MM) ** 2)
            solid = smooth_max(solid, worn - _WORN_RADIUS_MM, 4.0)
        return solid


@dataclass(frozen=True, slots=True, eq=False)
class DistalFemur:
    """Condyles, trochlea, notch, epicondyles and the flare towards the shaft in the block frame."""

    scale: float
    medial: Condyle
    lateral: Condyle
    groove_at: float
    flare: Loft | None = None

    def __call__(self, points: AnyArray) -> AnyArray:
        """Evaluate in the block frame (mm); sizes scale with the width of the knee."""
        return self.carved(self.body(points), points)

    def carved(self, body: AnyArray, points: AnyArray) -> AnyArray:
        """Cut the notch and the medial sulcus out of a body given at points of the block frame."""
        points = points / self.scale
        body = smooth_max(body, -self.notch(points) * self.scale, 5.0)
        dent = sphere(points, _SULCUS, _SULCUS_RADIUS_MM)
        return smooth_max(body, -dent * self.scale, 6.0)

    def body(self, points: AnyArray) -> AnyArray:
        """The block before the notch is cut."""
        points = points / self.scale
        condyles = np.minimum(self.medial(points), self.lateral(points))
        body = smooth_min(condyles, self._trochlea(points), 10.0)
        if self.flare is not None:
            flare = smooth_max(self.flare(points), points[:, 2] - self.flare.highest, 12.0)
            flare = smooth_max(flare, self.flare.lowest - points[:, 2], 12.0)
            body = smooth_min(body, flare, 10.0)
        result: AnyArray = smooth_min(body, self._bumps(points), 14.0) * self.scale
        return result

    def _trochlea(self, points: AnyArray) -> AnyArray:
        x = points[:, 0] - self.groove_at
        rise = np.where(x > 0.0, 7.5, 5.5).astype(x.dtype) * (1.0 - np.exp(-((x / 13.0) ** 2)))
        roll = over(points[:, 1] - TROCHLEA[0], points[:, 2] - TROCHLEA[1]) - (TROCHLEA[2] + rise)
        steep = np.sqrt(1.0 + (rise * 2.0 * x / 169.0 * 0.45) ** 2)
        rise = points[:, 2] - 8.0
        solid = smooth_max(roll / steep, np.abs(x - 1.0) - 26.0 + 0.3 * (rise + np.sqrt(rise * rise + 36.0)), 12.0)
        # The upper border runs out on the front of the shaft.
        return smooth_max(solid, 0.8 * (points[:, 2] - 27.0) + 0.6 * (points[:, 1] - 28.0), 14.0)

    @staticmethod
    def _bumps(points: AnyArray) -> AnyArray:
        medial = ellipsoid(points, np.array([-30.5, -6.0, 7.5]), np.array([10.5, 13.0, 12.0]))
        lateral = ellipsoid(points, np.array([30.0, -5.0, 6.0]), np.array([9.5, 12.5, 11.0]))
        tubercle = ellipsoid(points, np.array([-28.0, -9.0, 22.5]), np.array([6.5, 6.5, 7.5]))
        return np.minimum(np.minimum(medial, lateral), tubercle)

    def notch(self, points: AnyArray) -> AnyArray:
        """The intercondylar notch, negative inside: an arch whose roof rises backwards (Blumensaat's line)."""
        x = points[:, 0] - self.groove_at
        roof = 0.77 * points[:, 1] + 0.64 * (points[:, 2] + 11.0)
        aside, above = np.abs(x) / 12.8, np.maximum(roof + 15.0, 0.0) / 15.0
        arch = aside * aside * aside + above * above * above
        result: AnyArray = (np.cbrt(arch + 1e-6) - 1.0) * 12.8
        return result


@dataclass(frozen=True, slots=True, eq=False)
class Femur:
    """The whole femur in F.

    Attributes
    ----------
    block_axes, block_origin
        The distal block's axes as columns and its origin, in F.
    head, neck_base, head_radius
        Centre of the head, where the neck axis meets the shaft, mm in F.
    trochanter
        Foot, shoulder and tip of the greater trochanter; ``lesser`` root and tip of the lesser one.
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
    size: float

    def to_block(self, points: AnyArray) -> AnyArray:
        """F to block frame."""
        return in_frame(points, self.block_axes, self.block_origin)

    def from_block(self, points: FloatArray) -> FloatArray:
        """Block frame to F."""
        return points @ self.block_axes.T + self.block_origin

    def __call__(self, points: AnyArray) -> AnyArray:
        """Evaluate in F."""
        result = np.empty(len(points), dtype=points.dtype)
        up = points[:, 2]
        low, high = up < _DISTAL_ZONE_MM * self.distal.scale, up > self.neck_base[2] - 95.0 * self.size
        for part, zone in ((self._lower, low), (self._upper, high), (self._rod, ~low & ~high)):
            if zone.all():
                return part(points)
            if zone.any():
                result[zone] = part(chosen(points, zone))
        return result

    def _rod(self, points: AnyArray) -> AnyArray:
        rod = self.shaft(points)
        top = points[:, 2] - self.shaft.highest
        bottom = self.shaft.lowest - points[:, 2]
        return smooth_max(smooth_max(rod, top, 8.0), bottom, 8.0)

    def _lower(self, points: AnyArray) -> AnyArray:
        block = self.to_block(points)
        return self.distal.carved(smooth_min(self.distal.body(block), self._rod(points), 12.0), block)

    def _upper(self, points: AnyArray) -> AnyArray:
        k = self.size
        head = sphere(points, self.head, self.head_radius)
        neck = round_cone(points, self.head, self.neck_base, 0.60 * self.head_radius, 0.72 * self.head_radius)
        foot, shoulder, tip = self.trochanter
        greater = smooth_min(
            ellipsoid(points, shoulder, k * np.array([13.5, 18.0, 23.0])),
            round_cone(points, shoulder, tip, 12.0 * k, 8.5 * k),
            10.0,
        )
        greater = smooth_min(greater, round_cone(points, foot, shoulder, 15.0 * k, 13.0 * k), 14.0)
        root, apex = self.lesser
        lesser = round_cone(points, root, apex, 13.0 * k, 7.0 * k)
        crest = round_cone(points, tip - np.array([0.0, 0.0, 10.0 * k]), root, 6.0 * k, 6.0 * k)
        body = smooth_min(smooth_min(self._rod(points), greater, 16.0), crest, 12.0)
        body = smooth_min(body, lesser, 16.0)
        return smooth_min(smooth_min(body, neck, 16.0), head, 4.0)


def build_distal(parameters: LegParameters, vary: Variation) -> DistalFemur:
    """Make the distal block without its flare; the femur's width goes with the tibia's."""
    v = vary.factor
    worn = parameters.flattened_condyle_mm / (parameters.knee_width_mm / 77.0)
    medial = Condyle(
        -22.6, 0.09, 14.0 * v("medial width"), 24.0, (-11.0, -0.5, 20.5 * v("medial posterior")), (0.5, 7.0, 29.0), max(worn, 0.0)
    )
    lateral = Condyle(
        23.6,
        -0.04,
        14.2 * v("lateral width"),
        26.0,
        (-10.0, 0.5, 19.5 * v("lateral posterior")),
        (3.0, 10.0, 32.0),
        max(-worn, 0.0),
    )
    return DistalFemur(float(parameters.knee_width_mm / 77.0), medial, lateral, 1.0 + vary.shift("groove", 0.8))


def build_femur(parameters: LegParameters, vary: Variation) -> Femur:
    """Make the femur with exact mLDFA, length, torsion of the neck axis and head radius."""
    distal = build_distal(parameters, vary)
    axes, origin, contacts = _seat_block(distal, parameters.mldfa_deg)
    head = np.array([0.0, 0.0, parameters.femur_length_mm])
    size = parameters.femur_length_mm / 435.0
    neck_base = head - np.array([-40.0, 10.0, 32.0]) * size
    start = distal.scale * np.array([0.5, 9.0, 34.0])
    distal = replace(distal, flare=_flare(axes.T @ unit(neck_base - origin - axes @ start), vary))
    # Once more with the flare: it reaches the notch by some hundredths of a millimetre.
    axes, origin, _ = _seat_block(distal, parameters.mldfa_deg, axes, contacts)
    start = origin + axes @ start
    rod = _shaft(start, neck_base, distal.scale, size, vary)
    torsion, angle = np.radians(parameters.femoral_torsion_deg), np.radians(180.0 - parameters.neck_shaft_deg)
    level = np.array([-np.cos(torsion), np.sin(torsion), 0.0])
    shaft_up = unit(np.array([0.1, 0.0, 1.0]))
    for _ in range(12):
        # The neck makes its angle with the shaft, and its projection across the mechanical axis has the wanted torsion.
        tilt = _tilt_for(level, shaft_up, angle)
        neck = np.sin(tilt) * level + np.cos(tilt) * _UP
        before, neck_base = neck_base, head - (23.0 * size + parameters.head_radius_mm) * vary.factor("neck length") * neck
        if np.array_equal(before, neck_base):
            break
        rod = _shaft(start, neck_base, distal.scale, size, vary)
        length = head[2] + parameters.head_radius_mm + 22.0
        shaft_up = unit(rod.centre(0.75 * length - 22.0) - rod.centre(0.25 * length - 22.0))
    # The trochanters turn with the neck.
    turn = torsion - np.radians(14.0)
    spin = np.array([[np.cos(turn), np.sin(turn), 0.0], [-np.sin(turn), np.cos(turn), 0.0], [0.0, 0.0, 1.0]])

    def beside(offset: tuple[float, float, float]) -> FloatArray:
        result: FloatArray = neck_base + size * (spin @ np.array(offset))
        return result

    foot, shoulder = beside((4.0, -1.0, -24.0)), beside((9.0, -4.0, 0.0))
    tip = beside((9.5, -11.0, 20.0 + vary.shift("trochanter", 3.0)))
    lesser = (beside((-3.0, -4.0, -37.0)), beside((-11.0, -13.0, -37.0)))
    return Femur(
        distal, rod, axes, origin, head, neck_base, parameters.head_radius_mm, (foot, shoulder, tip), lesser, float(size)
    )


def _flare(toward: FloatArray, vary: Variation) -> Loft:
    """The widening of the shaft into the condyles, in the block frame (unit size): flat in front, leaning as the shaft does."""
    # height, half width, half depth, anterior, third harmonic (sine; negative: wide behind)
    profile = (
        (-4.0, 34.0, 18.5, 1.5, -0.04), (2.0, 36.0, 20.5, 1.5, -0.06), (9.0, 36.5, 21.5, 2.5, -0.07),
        (18.0, 34.8, 20.0, 5.0, -0.07), (28.0, 30.8, 17.8, 7.6, -0.05), (40.0, 25.4, 16.2, 9.6, -0.03),
        (54.0, 20.6, 15.2, 10.8, 0.0), (70.0, 17.2, 14.0, 11.4, 0.02), (86.0, 14.4, 12.2, 11.6, 0.02),
    )  # fmt: skip
    girth = vary.factor("femur girth", 0.6)
    rows: list[tuple[float, float, float, float, float, float, float]] = []
    for u, width, depth, forward, ridge in profile:
        above = max(u - 34.0, 0.0)
        aside = 0.5 + above * toward[0] / toward[2]
        ahead = forward + above * toward[1] / toward[2]
        rows.append((u, aside, ahead, width * girth, depth, 0.0, ridge))
    return loft(rows)


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
    # share of the way, half width, half depth, third harmonic (linea aspera)
    profile = (
        (0.0, 17.5, 13.5, 0.02), (0.08, 17.3, 14.6, 0.03), (0.16, 15.8, 14.5, 0.04), (0.28, 14.2, 14.0, 0.06),
        (0.45, 13.3, 13.6, 0.09), (0.60, 13.2, 13.6, 0.09), (0.75, 13.8, 13.8, 0.07), (0.86, 15.4, 14.8, 0.04),
        (0.94, 18.0, 16.5, 0.02), (1.0, 18.5, 15.5, 0.0),
    )  # fmt: skip
    bow = 10.0 * size * vary.factor("bow", 2.0)
    for share, width, depth, ridge in profile:
        height = low + share * (high - low)
        centre = start + share * (top - start)
        forward = bow * 4.0 * share * (1.0 - share)
        rows.append((height, centre[0], centre[1] + forward, width * girth, depth * girth, 0.0, ridge))
    return loft(rows)


def _seat_block(
    distal: DistalFemur, mldfa_deg: float, near: FloatArray | None = None, contacts: tuple[FloatArray, ...] = ()
) -> tuple[FloatArray, FloatArray, tuple[FloatArray, ...]]:
    """Axes (columns, in F) and origin of the block so that mLDFA and the posterior condylar line are as wanted.

    Returned with them are the distal and posterior contact points, medial and lateral, in the block frame. ``near`` and
    ``contacts`` are axes and contact points of a block much like it.
    """
    k = distal.scale
    tilt, twist = np.radians(90.0 - mldfa_deg), 0.0
    if near is not None:
        tilt, twist = float(np.arctan2(-near[0, 2], near[2, 2])), float(np.arctan2(near[1, 0], near[1, 1]))
    axes = np.eye(3)
    for _ in range(12):
        # F's directions as rows in the block: turn about the anterior axis by the tilt, then about the vertical by the twist.
        turn = np.array([[np.cos(tilt), 0, -np.sin(tilt)], [0, 1, 0], [np.sin(tilt), 0, np.cos(tilt)]])
        spin = np.array([[np.cos(twist), -np.sin(twist), 0], [np.sin(twist), np.cos(twist), 0], [0, 0, 1]])
        axes = turn @ spin
        lateral, anterior, up = axes[0], axes[1], axes[2]
        starts = contacts or tuple(k * np.array(start) for start in _CONTACT_STARTS)
        medial_low, lateral_low = bitangent(distal, starts[0], starts[1], -up, lateral, near=bool(contacts))
        medial_back, lateral_back = bitangent(distal, starts[2], starts[3], -anterior, lateral, near=bool(contacts))
        contacts = (medial_low, lateral_low, medial_back, lateral_back)
        line, back = axes @ (lateral_low - medial_low), axes @ (lateral_back - medial_back)
        tilt_error = np.arctan2(line[2], line[0]) - np.radians(90.0 - mldfa_deg)
        twist_error = np.arctan2(back[1], back[0])
        tilt, twist = tilt - tilt_error, twist - twist_error
        if max(abs(tilt_error), abs(twist_error)) < 1e-8:
            break
    notch = saddle_below(distal, k * np.array([distal.groove_at, 4.0, -8.0]), axes[2], axes[0])
    return axes, -axes @ notch, contacts
