"""The tibia of a right leg: two plateau facets with their own slope, spines, tuberosity, triangular shaft, plafond, malleolus.

Tibial frame P: origin on the plateau between the facets, third axis up: the ankle centre lies exactly ``length`` below the
knee centre (midpoint of the spines dropped on the plateau plane).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

import numpy as np

from surgiplan_desktop.base.arrays import AnyArray, FloatArray, unit
from surgiplan_desktop.phantom.fields import Loft, chosen, ellipsoid, in_frame, loft, over, round_cone, smooth_max, smooth_min
from surgiplan_desktop.phantom.parameters import LegParameters
from surgiplan_desktop.phantom.probe import extreme_point, section_centroid, shaft_points
from surgiplan_desktop.phantom.variation import Variation

#: Where the shaft's last section lies, seen from the middle of the plafond, mm.
_SHAFT_FOOT = np.array([0.0, 0.0, 8.0])
#: Middle of Gerdy's tubercle in front of the lateral condyle (unit size), mm.
_GERDY = np.array([22.0, 13.5, -17.0])
#: How far medially of the middle of the plafond the inner face of the malleolus stands (unit size), mm.
_MALLEOLUS_AT = 15.5
#: Tibiae (each a thing of its own) whose points are remembered: several measures ask for the same ones.
_REMEMBERED: Final = 4
#: Tangent of the plafond's frontal inclination: LDTA 89 (clinical.md A.2).
LDTA_TILT = float(np.tan(np.radians(1.0)))


@dataclass(frozen=True, slots=True, eq=False)
class Facet:
    """A plateau facet: centre (lateral, anterior), semi-axes, slope (tangent), depth of the dish; mm."""

    lateral: float
    anterior: float
    half_width: float
    half_depth: float
    slope: float
    dish: float
    roll: float = 0.0

    def inside(self, x: AnyArray, y: AnyArray) -> AnyArray:
        """Squared normalised radius: below 1 inside the articular ellipse."""
        result: AnyArray = ((x - self.lateral) / self.half_width) ** 2 + ((y - self.anterior) / self.half_depth) ** 2
        return result


@dataclass(frozen=True, slots=True, eq=False)
class Plateau:
    """The upper surface of the tibia as a height over (lateral, anterior)."""

    scale: float
    tilt: float
    medial: Facet
    lateral: Facet
    spine_heights: tuple[float, float]

    def height(self, x: AnyArray, y: AnyArray) -> AnyArray:
        """Height of the surface in P, mm."""
        x, y = x / self.scale, y / self.scale
        share = np.clip((x + 7.0) / 14.0, 0.0, 1.0)
        share = share * share * (3.0 - 2.0 * share)
        height = x * self.tilt
        height = height + (1.0 - share) * self._facet(self.medial, x, y) + share * self._facet(self.lateral, x, y)
        medial, lateral = self.spine_heights
        # The eminence and on it two ridges, the medial one longer and running out to the front.
        height = height + 4.0 * np.exp(-((x / 7.5) ** 2) - ((y + 0.5) / 13.0) ** 2)
        forward = np.where(y > 0.5, 11.0, 8.0).astype(x.dtype)
        height = height + (medial - 2.3) * np.exp(-(((x + 5.3) / 3.5) ** 2) - ((y - 0.5) / forward) ** 2)
        height = height + (lateral - 2.3) * np.exp(-(((x - 5.1) / 3.6) ** 2) - ((y + 2.0) / 7.0) ** 2)
        # Front and back of the eminence: the intercondylar areas, the rear one falling off to the attachment of the ligament.
        middle = np.exp(-((x / 7.5) ** 2))
        height = height - middle * (2.5 / (1.0 + np.exp(-(y - 15.0) / 2.5)) + 6.5 / (1.0 + np.exp((y + 16.0) / 2.5)))
        result: AnyArray = height * self.scale
        return result

    @staticmethod
    def _facet(facet: Facet, x: AnyArray, y: AnyArray) -> AnyArray:
        """A dish (medial) or a dome (lateral, negative dish) in the ellipse; beyond it the rim rolls off."""
        squared = facet.inside(x, y)
        radius = np.minimum(squared, 1.0)
        beyond = np.sqrt(np.maximum(squared, 1.0)) - 1.0
        roll = facet.roll * beyond * beyond * np.minimum(beyond, 1.0)
        return (y - facet.anterior) * facet.slope - facet.dish * (1.0 - radius) ** 2 - roll

    def centre(self, facet: Facet) -> FloatArray:
        """Centre of a facet on the surface, shape (3,)."""
        x, y = np.array([facet.lateral * self.scale]), np.array([facet.anterior * self.scale])
        return np.array([x[0], y[0], self.height(x, y)[0]])

    def patch(self, facet: Facet, share: float = 0.85, step_mm: float = 0.25) -> FloatArray:
        """Points of the facet inside ``share`` of its ellipse, even in the plane, shape (n, 3)."""
        half = max(facet.half_width, facet.half_depth) * self.scale
        steps = np.arange(-half, half + step_mm, step_mm)
        x, y = (item.ravel() for item in np.meshgrid(steps, steps))
        x, y = x + facet.lateral * self.scale, y + facet.anterior * self.scale
        keep = facet.inside(x / self.scale, y / self.scale) <= share * share
        x, y = x[keep], y[keep]
        return np.column_stack([x, y, self.height(x, y)])


@dataclass(frozen=True, slots=True, eq=False)
class DistalTibia:
    """Plafond and medial malleolus in their own frame: origin on the plafond, turned about the vertical by ``turn``."""

    scale: float
    turn: float
    place: FloatArray
    tilt: float
    malleolus_length: float

    def to_block(self, points: AnyArray) -> AnyArray:
        """P to the distal frame, in unit size."""
        result = in_frame(points, self._axes(), self.place)
        result /= self.scale
        return result

    def from_block(self, points: FloatArray) -> FloatArray:
        """Distal frame to P."""
        result: FloatArray = points * self.scale @ self._axes().T + self.place
        return result

    def _axes(self) -> FloatArray:
        c, s = np.cos(self.turn), np.sin(self.turn)
        return np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])

    def plafond(self, x: AnyArray, y: AnyArray) -> AnyArray:
        """Height of the plafond in the distal frame: an arch about the medio-lateral axis."""
        return x * self.tilt - y * y / 44.0

    def section(self, block: AnyArray) -> AnyArray:
        """The distal metaphysis without its end: rounded block, wider in front, with a groove for the fibula."""
        x, y, u = block[:, 0], block[:, 1], np.clip(block[:, 2], -5.0, 60.0)
        grow = np.exp(-np.maximum(u, 0.0) / 22.0)
        rx, ry = 8.5 + 14.5 * grow, 8.5 + 9.5 * grow
        taper = 1.0 + 0.10 * grow * y / ry
        aside, ahead = np.abs(x + 1.5) / (rx * taper), np.abs(y) / ry
        q = np.cbrt(aside * aside * aside + ahead * ahead * ahead + 1e-9)
        body = (q - 1.0) * np.minimum(rx, ry) * 0.94
        groove = 13.0 - over(x - 33.5, y + 4.0)
        return smooth_max(body, groove, 6.0)

    def malleolus(self, block: AnyArray) -> AnyArray:
        """The medial malleolus: the shaft's medial face running on below the joint."""
        tip = np.array([-20.5, 1.5, -(self.malleolus_length - 4.5)])
        middle = np.array([-17.8, 2.8, 6.0])
        upper = round_cone(block, np.array([-9.0, 1.5, 38.0]), middle, 7.0, 9.0)
        lower = smooth_min(
            ellipsoid(block, np.array([-20.0, 2.5, -1.0]), np.array([6.5, 11.5, 9.5])),
            round_cone(block, middle, tip, 7.0, 5.0),
            6.0,
        )
        return smooth_min(upper, lower, 8.0)


@dataclass(frozen=True, slots=True, eq=False)
class Tibia:
    """The whole tibia in P."""

    plateau: Plateau
    lobes: tuple[Loft, Loft]
    shaft: Loft
    distal: DistalTibia
    tuberosity: tuple[FloatArray, FloatArray]
    knee: FloatArray
    length: float

    def __call__(self, points: AnyArray) -> AnyArray:
        """Evaluate in P."""
        up = points[:, 2]
        result = np.empty(len(points), dtype=points.dtype)
        low, high = up < -self.length + 80.0, up > -105.0 * self.plateau.scale
        for part, zone in ((self._lower, low), (self._upper, high), (self.shaft, ~low & ~high)):
            if zone.all():
                return part(points)
            if zone.any():
                result[zone] = part(chosen(points, zone))
        return result

    def _upper(self, points: AnyArray) -> AnyArray:
        k = self.plateau.scale
        condyles = smooth_min(self.lobes[0](points), self.lobes[1](points), 6.0 * k)
        body = smooth_min(self.shaft(points), condyles, 10.0 * k)
        low, high = self.tuberosity
        knob = smooth_min(
            ellipsoid(points, high, k * np.array([10.0, 11.0, 14.0])), round_cone(points, low, high, 5.0 * k, 8.0 * k), 10.0
        )
        body = smooth_min(body, knob, 14.0)
        body = smooth_min(body, ellipsoid(points, k * _GERDY, k * np.array([8.0, 7.0, 9.0])), 10.0)
        top = (points[:, 2] - self.plateau.height(points[:, 0], points[:, 1])) * self._flatness()
        return smooth_max(body, top, 7.0)

    def _flatness(self) -> float:
        slope = max(abs(self.plateau.medial.slope), abs(self.plateau.lateral.slope))
        return float(1.0 / np.sqrt(1.0 + slope**2 + self.plateau.tilt**2))

    def _lower(self, points: AnyArray) -> AnyArray:
        block = self.distal.to_block(points)
        k = points.dtype.type(self.distal.scale)
        x, y, u = block[:, 0], block[:, 1], block[:, 2]
        rod = smooth_max(self.shaft(points), (6.0 - u) * k, 6.0)
        far = smooth_max(self.distal.section(block), u - 55.0, 10.0)
        # Below the joint the block ends, sooner on the medial side, where the malleolus goes on.
        far = smooth_max(far, np.maximum(-x - 13.0, 0.0) - u - 8.0, 6.0)
        body = smooth_min(smooth_min(rod / k, far, 8.0), self.distal.malleolus(block), 10.0)
        # The joint: everything below the plafond and lateral of the malleolus' inner face.
        joint = smooth_max(u - self.distal.plafond(x, y), -_MALLEOLUS_AT - x, 3.0)
        result: AnyArray = smooth_max(body, -joint, 4.0) * k
        return result


def build_tibia(
    parameters: LegParameters, vary: Variation, tilt: float, turn: float, slopes: tuple[float, float], tuberosity_at: float
) -> Tibia:
    """Make a tibia whose ankle centre lies exactly below its knee centre.

    Parameters
    ----------
    tilt
        Tangent of the plateau line's inclination in P, lateral side up.
    slopes
        Tangents of the facets' inclination in P (medial, lateral), posterior side down.
    turn
        Rotation of the distal block about the vertical, radians, lateral towards posterior positive (external torsion).
    tuberosity_at
        Where the tuberosity lies across (unit size), lateral positive, mm.
    """
    k = parameters.knee_width_mm / 77.0
    size = parameters.tibia_length_mm / 370.0
    v = vary.factor
    medial = Facet(-22.9, -1.6, 12.2, 19.0 * v("medial facet"), slopes[0], 1.0, 3.0)
    lateral = Facet(22.3, -2.9, 11.8, 17.0 * v("lateral facet"), slopes[1], -0.3, 5.0)
    spines = (8.6 + vary.shift("medial spine", 0.8), 7.6 + vary.shift("lateral spine", 0.8))
    plateau = Plateau(float(k), float(tilt), medial, lateral, spines)
    shaft = _shaft(vary, k, size, np.array([0.0, 0.0, -parameters.tibia_length_mm]) + _SHAFT_FOOT)
    high = np.array([tuberosity_at, 17.5 + vary.shift("tuberosity", 1.0), -34.0])
    tuberosity = (k * np.array([0.5 * tuberosity_at + 1.0, 9.5, -72.0]), k * high)
    length = parameters.tibia_length_mm
    distal = DistalTibia(
        float(0.5 * (k + size)), float(turn), np.array([0.0, 0.0, -length]), LDTA_TILT, 11.0 + vary.shift("malleolus", 1.0)
    )
    tibia = Tibia(plateau, _lobes(k, vary), shaft, distal, tuberosity, np.zeros(3), length)
    tibia = replace(tibia, knee=knee_centre(tibia))
    for _ in range(6):
        error = tibia.knee + np.array([0.0, 0.0, -length]) - ankle_centre(tibia)
        place = tibia.distal.place + error
        tibia = replace(tibia, distal=replace(tibia.distal, place=place), shaft=_shaft(vary, k, size, place + _SHAFT_FOOT))
        if np.abs(error).max() < 1e-4:
            break
    return tibia


def _lobes(k: float, vary: Variation) -> tuple[Loft, Loft]:
    """The medial and lateral condyle of the tibia: upright rods that taper into the metaphysis."""
    # height, distance from the middle, anterior, half width, half depth: the rear stands far over the shaft
    profile = (
        (12.0, 20.2, -1.0, 16.8, 22.5), (0.0, 20.2, -1.2, 18.0, 24.0), (-7.0, 20.2, -1.4, 18.2, 24.2),
        (-14.0, 19.3, -0.8, 17.6, 22.4), (-24.0, 16.6, 0.6, 15.6, 18.6), (-38.0, 12.0, 0.8, 12.6, 15.2),
        (-60.0, 5.5, 0.5, 7.0, 10.5), (-90.0, 0.0, 0.0, 2.0, 3.0),
    )  # fmt: skip
    medial, lateral = vary.factor("medial lobe"), vary.factor("lateral lobe")
    first = [(u * k, -x * k, y * k, rx * k, ry * k * medial, 0.0, 0.0) for u, x, y, rx, ry in profile]
    second = [(u * k, x * k, (y - 1.2) * k, rx * k * 0.98, ry * k * 0.93 * lateral, 0.0, 0.0) for u, x, y, rx, ry in profile]
    return loft(first), loft(second)


def _shaft(vary: Variation, k: float, size: float, foot: FloatArray) -> Loft:
    """Loft from the plateau's flare to the distal metaphysis; its third harmonic makes the shaft triangular."""
    girth = 0.5 * (k + size) * vary.factor("tibia girth")
    # share of the way down, offset lateral, anterior; half width, half depth; how triangular (crest in front, slightly lateral)
    profile = (
        (0.000, 0.0, 4.5, 27.0, 17.5, 0.0), (0.045, 0.5, 4.0, 27.0, 17.0, 0.0),
        (0.080, 1.0, 3.0, 25.0, 17.0, 0.02), (0.120, 1.5, 2.0, 22.0, 17.3, 0.04),
        (0.170, 1.0, 0.5, 18.6, 17.0, 0.07), (0.230, 1.0, -0.5, 16.0, 16.6, 0.10),
        (0.320, 1.0, -1.0, 13.8, 15.8, 0.13), (0.450, 1.0, -1.0, 12.4, 14.6, 0.14),
        (0.600, 0.5, -1.0, 11.4, 12.9, 0.12), (0.720, 0.0, -1.0, 11.2, 11.8, 0.08),
        (0.820, 0.0, -0.5, 12.2, 12.0, 0.04), (0.900, 0.0, 0.0, 15.0, 14.0, 0.01),
        (0.950, 0.0, 0.0, 18.5, 15.5, 0.0), (1.000, 0.0, 0.0, 20.0, 16.0, 0.0),
    )  # fmt: skip
    start = np.array([0.0, -1.0, 14.0])
    rows: list[tuple[float, float, float, float, float, float, float]] = []
    for share, aside, forward, width, depth, triangle in profile:
        line = start + share * (foot - start)
        grown = k if share < 0.1 else girth
        bow = 5.0 * size * vary.factor("tibia bow", 3.0) * 4.0 * share * (1.0 - share)
        rows.append(
            (
                line[2],
                line[0] + aside * k + 0.6 * bow,
                line[1] + forward * k,
                width * grown,
                depth * grown,
                -0.5 * triangle,
                -0.87 * triangle,
            )
        )
    return loft(rows)


def knee_centre(tibia: Tibia) -> FloatArray:
    """Midpoint of the spines dropped on the plateau plane (clinical.md A.1), in P."""
    medial, lateral = spine_tips(tibia)
    point, normal = plateau_plane(tibia.plateau)
    middle = 0.5 * (medial + lateral)
    return middle - ((middle - point) @ normal) * normal


def plafond_patch(distal: DistalTibia, step_mm: float = 0.25) -> FloatArray:
    """Points of the plafond's articular patch, even in the plane, in P, shape (n, 3)."""
    steps = np.arange(-12.0, 12.0 + step_mm, step_mm)
    x, y = (item.ravel() for item in np.meshgrid(steps, steps))
    return distal.from_block(np.column_stack([x, y, distal.plafond(x, y)]))


@lru_cache(maxsize=_REMEMBERED)
def ankle_centre(tibia: Tibia) -> FloatArray:
    """Centroid of the section 5 mm above the plafond, projected on the plafond's plane (clinical.md A.1), in P."""
    point, normal = fit_plane(plafond_patch(tibia.distal))
    centroid = section_centroid(tibia, point + 5.0 * normal, normal, 34.0, step_mm=0.4)
    return centroid - ((centroid - point) @ normal) * normal


@lru_cache(maxsize=_REMEMBERED)
def spine_tips(tibia: Tibia) -> tuple[FloatArray, FloatArray]:
    """Highest points of the medial and lateral spine over the plateau plane, in P."""
    normal = plateau_plane(tibia.plateau)[1]
    k = tibia.plateau.scale
    medial = extreme_point(tibia, k * np.array([-5.3, 0.5, 5.0]), normal, 3.0)
    lateral = extreme_point(tibia, k * np.array([5.1, -2.0, 5.0]), normal, 3.0)
    return medial, lateral


@lru_cache(maxsize=_REMEMBERED)
def medial_malleolus(tibia: Tibia) -> FloatArray:
    """Most distal point of the medial malleolus along the tibial axis, in P."""
    return extreme_point(tibia, tibia.distal.from_block(np.array([-20.5, 1.5, -8.0])), np.array([0.0, 0.0, -1.0]), 3.0)


@lru_cache(maxsize=_REMEMBERED)
def shaft_centroids(tibia: Tibia) -> tuple[FloatArray, FloatArray]:
    """Centroids of the sections at 25 % and 75 % of the tibia's length, in P."""
    top = max(spine_tips(tibia), key=lambda point: float(point[2]))
    distal, proximal = shaft_points(tibia, medial_malleolus(tibia), top, np.array([0.0, 0.0, 1.0]), tibia.knee)
    return distal, proximal


@lru_cache(maxsize=_REMEMBERED)
def plateau_plane(plateau: Plateau) -> tuple[FloatArray, FloatArray]:
    """Point and upward unit normal of the least-squares plane through both facets."""
    points = np.concatenate([plateau.patch(plateau.medial), plateau.patch(plateau.lateral)])
    return fit_plane(points)


def fit_plane(points: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Centroid and unit normal (upward) of the least-squares plane."""
    centre = points.mean(axis=0)
    normal = np.linalg.eigh((points - centre).T @ (points - centre))[1][:, 0]
    return centre, unit(normal if normal[2] > 0 else -normal)
