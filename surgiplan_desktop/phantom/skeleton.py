"""Bones put together: the tibia under the femur with exact limb-plane angles, joint gap and torsion.

Leg frame = femur frame F of a right leg: origin at the notch, columns lateral, anterior, up. Hip and ankle centre lie in the
plane anterior = 0 together with the posterior condylar line's direction, so this is the limb plane of clinical.md 0.4.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from surgiplan_desktop.base.arrays import AnyArray, FloatArray, unit
from surgiplan_desktop.phantom.femur import Femur, build_femur
from surgiplan_desktop.phantom.fields import Field
from surgiplan_desktop.phantom.frontal import ankle_direction, mpta_of
from surgiplan_desktop.phantom.parameters import LegParameters
from surgiplan_desktop.phantom.probe import bitangent, extreme_point
from surgiplan_desktop.phantom.small_bones import Fibula, Hip, Patella, Talus, build_fibula
from surgiplan_desktop.phantom.tibia import Tibia, ankle_centre, build_tibia, fit_plane
from surgiplan_desktop.phantom.variation import Variation

_ROUNDS = 6
_ANGLE_TOLERANCE_DEG = 1e-4


@dataclass(frozen=True, slots=True, eq=False)
class Placed:
    """A field of another frame, seen in the leg frame: ``axes`` are that frame's axes as columns, ``origin`` its origin."""

    field: Field
    axes: FloatArray
    origin: FloatArray

    def __call__(self, points: AnyArray) -> AnyArray:
        """Evaluate in the leg frame."""
        return self.field((points - self.origin.astype(points.dtype)) @ self.axes.astype(points.dtype))

    def to_leg(self, points: FloatArray) -> FloatArray:
        """Points of shape (3,) or (n, 3) of the bone's frame in the leg frame."""
        return points @ self.axes.T + self.origin

    def directions(self, vectors: FloatArray) -> FloatArray:
        """Directions of the bone's frame in the leg frame."""
        return vectors @ self.axes.T


@dataclass(frozen=True, slots=True, eq=False)
class Skeleton:
    """All bones of a right leg in the leg frame, and how the lower leg is placed."""

    parameters: LegParameters
    femur: Femur
    tibia: Tibia
    fibula: Fibula
    lower: Placed
    patella: Patella
    hip: Hip

    @property
    def tibia_field(self) -> Placed:
        """The tibia in the leg frame."""
        return self.lower

    @property
    def fibula_field(self) -> Placed:
        """The fibula in the leg frame."""
        return Placed(self.fibula, self.lower.axes, self.lower.origin)

    @property
    def talus_field(self) -> Placed:
        """The talus in the leg frame."""
        return Placed(Talus(self.tibia, self.fibula), self.lower.axes, self.lower.origin)


def build_skeleton(parameters: LegParameters) -> Skeleton:
    """Build all bones and place them.

    The plateau's tilt, the distal block's turn and the placing of the tibia are corrected until MPTA, tibial torsion and the
    joint gap are met; mLDFA is exact by the femur's construction, JLCA follows from the sum of clinical.md A.2.
    """
    vary = Variation(parameters.seed, parameters.variation)
    femur = build_femur(parameters, vary)
    wanted = np.array(
        [parameters.mpta_deg, parameters.tibial_torsion_deg, parameters.slope_medial_deg, parameters.slope_lateral_deg]
    )
    # Inclination of the plateau line, turn of the distal block and both slopes as built, degrees.
    built = wanted * np.array([-1.0, -1.0, 1.0, 1.0]) + np.array([90.0, 0.0, 0.0, 0.0])
    for _ in range(_ROUNDS):
        tangents = np.tan(np.radians(built[[0, 2, 3]]))
        tibia = build_tibia(parameters, vary, tangents[0], np.radians(built[1]), (tangents[1], tangents[2]))
        fibula = build_fibula(parameters, tibia, vary)
        lower = _place(parameters, femur, tibia)
        line, axis = lower.directions(joint_line(tibia)), lower.directions(ankle_centre(tibia) - tibia.knee)
        back = posterior_plateau_points(tibia)
        reached = np.array([mpta_of(axis, line), tibial_torsion(tibia, fibula, back), *plateau_slopes(tibia, back)])
        error = reached - wanted
        if np.abs(error).max() < _ANGLE_TOLERANCE_DEG:
            break
        built += error * np.array([1.0, 1.0, -1.0, -1.0])
    scale = parameters.knee_width_mm / 77.0
    groove = femur.from_block(scale * np.array([femur.distal.groove_at + 0.5, 0.0, 0.0]))
    centre = groove + scale * np.array([0.0, 41.0, 14.0])
    patella = Patella(femur, centre, scale, vary.factor("patella apex", 2.0))
    return Skeleton(parameters, femur, tibia, fibula, lower, patella, Hip(femur.head, femur.head_radius, femur))


def joint_line(tibia: Tibia) -> FloatArray:
    """Vector from the centroid of the medial plateau patch to that of the lateral one, in P."""
    plateau = tibia.plateau
    result: FloatArray = plateau.patch(plateau.lateral).mean(axis=0) - plateau.patch(plateau.medial).mean(axis=0)
    return result


def posterior_plateau_points(tibia: Tibia) -> tuple[FloatArray, FloatArray]:
    """Most posterior points of the medial and lateral plateau rim, in P."""
    k = tibia.plateau.scale
    back = np.array([0.0, -1.0, 0.0])
    return bitangent(tibia, k * np.array([-20.0, -18.0, -6.0]), k * np.array([20.0, -17.0, -6.0]), back, np.array([1.0, 0, 0]))


def plateau_slopes(tibia: Tibia, back: tuple[FloatArray, FloatArray]) -> tuple[float, float]:
    """Posterior slope of the medial and lateral patch in the tibial frame, ``atan2(-N.X, N.Y)``, degrees."""
    first, second = back
    across = unit((second - first) * np.array([1.0, 1.0, 0.0]))
    forward = np.array([-across[1], across[0], 0.0])
    plateau = tibia.plateau
    normals = [fit_plane(plateau.patch(facet))[1] for facet in (plateau.medial, plateau.lateral)]
    medial, lateral = (float(np.degrees(np.arctan2(-(normal @ forward), normal[2]))) for normal in normals)
    return medial, lateral


def malleoli(tibia: Tibia, fibula: Fibula) -> tuple[FloatArray, FloatArray]:
    """Most distal points of the medial malleolus and of the fibula along the tibial axis, in P."""
    down = np.array([0.0, 0.0, -1.0])
    medial = extreme_point(tibia, tibia.distal.from_block(np.array([-21.0, 2.0, -8.0])), down, 3.0)
    lateral = extreme_point(fibula, fibula.malleolus[1], down, 3.0)
    return medial, lateral


def tibial_torsion(tibia: Tibia, fibula: Fibula, back: tuple[FloatArray, FloatArray]) -> float:
    """Angle from the posterior plateau line to the bimalleolar line across the tibial axis, external positive, degrees."""
    first, second = back
    medial, lateral = malleoli(tibia, fibula)
    p, q = (second - first)[:2], (lateral - medial)[:2]
    return float(np.degrees(np.arctan2(p[1] * q[0] - p[0] * q[1], p @ q)))


def _place(parameters: LegParameters, femur: Femur, tibia: Tibia) -> Placed:
    """Put the tibia below the femur: ankle in the limb plane, knee centres in line, the tight compartment at the wanted gap."""
    plateau = tibia.plateau
    facets = np.concatenate([plateau.patch(facet, 1.0, 0.8) for facet in (plateau.medial, plateau.lateral)])
    middle = 0.5 * (plateau.centre(plateau.medial) + plateau.centre(plateau.lateral))
    condyles = femur.from_block(femur.distal.scale * np.array([0.25, 0.5, -22.0]))
    deviation = np.radians(parameters.hka_deviation_deg)
    knee = np.zeros(3)
    axes, origin = np.eye(3), np.zeros(3)
    height = -30.0
    for _ in range(20):
        axes = ankle_direction(deviation, float(np.arcsin(-knee[1] / tibia.length)))
        # In the frontal and sagittal direction the middle of the plateau lies below the middle of the condyles.
        offset = axes @ middle
        origin = np.array([condyles[0] - offset[0], condyles[1] - offset[1], height])
        knee = axes @ tibia.knee + origin
        gap = float(femur(facets @ axes.T + origin).min())
        height += min(gap - parameters.joint_gap_mm, 10.0)
        if abs(gap - parameters.joint_gap_mm) < 1e-6:
            break
    origin = np.array([origin[0], origin[1], height])
    return Placed(tibia, axes, origin)
