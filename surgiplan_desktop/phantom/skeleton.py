"""Bones put together: what the parameters ask is met by turning and shifting parts until it is, then the knee is bent."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from surgiplan_desktop.base.arrays import FloatArray, unit
from surgiplan_desktop.phantom.femur import Femur, build_femur
from surgiplan_desktop.phantom.frontal import mpta_of
from surgiplan_desktop.phantom.groove import trochlear_groove
from surgiplan_desktop.phantom.kneecap import place_patella
from surgiplan_desktop.phantom.parameters import LegParameters, impossible
from surgiplan_desktop.phantom.pose import Placed, bent, place_straight, straight_axes
from surgiplan_desktop.phantom.probe import bitangent, extreme_point
from surgiplan_desktop.phantom.small_bones import Fibula, Hip, Patella, Talus, build_fibula
from surgiplan_desktop.phantom.tibia import Tibia, ankle_centre, build_tibia, fit_plane, medial_malleolus
from surgiplan_desktop.phantom.tibial_front import anterosuperior_edge, tuberosity_of
from surgiplan_desktop.phantom.variation import Variation

_ROUNDS = 10
#: Degrees for angles, millimetres for TT-TG.
_TOLERANCE = 1e-4
#: How far the tuberosity may lie from the middle, to medial and to lateral (unit size), mm.
_TUBEROSITY_MM = (-6.0, 20.0)
_MEAN_TUBEROSITY_MM = 8.0


@dataclass(frozen=True, slots=True, eq=False)
class Skeleton:
    """All bones of a right leg in the leg frame, how the lower leg is placed, and landmarks that placing it needed.

    Attributes
    ----------
    back, front
        Medial and lateral posterior plateau point; antero-superior edge and tuberosity of the tibia; all in P.
    groove
        Deepest point of the trochlea, in F.
    """

    parameters: LegParameters
    femur: Femur
    tibia: Tibia
    fibula: Fibula
    back: tuple[FloatArray, FloatArray]
    front: tuple[FloatArray, FloatArray]
    groove: FloatArray
    lower: Placed
    patella: Patella
    hip: Hip

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

    The plateau's tilt, the distal block's turn, both slopes and the place of the tuberosity are corrected until MPTA, tibial
    torsion, slopes and TT-TG of the straight leg are met; mLDFA is exact by the femur's construction, JLCA follows from the sum
    of clinical.md A.2.

    Raises
    ------
    UsageError
        ``phantom_combination`` when parameters that are possible alone are not so together.
    """
    vary = Variation(parameters.seed, parameters.variation)
    femur = build_femur(parameters, vary)
    groove = trochlear_groove(femur)
    scale = parameters.knee_width_mm / 77.0
    p = parameters
    wanted = np.array([p.mpta_deg, p.tibial_torsion_deg, p.slope_medial_deg, p.slope_lateral_deg, p.tt_tg_mm or 0.0])
    # Inclination of the plateau line, turn of the distal block, both slopes and the place of the tuberosity as built.
    sign = np.array([-1.0, -1.0, 1.0, 1.0, 1.0 / scale])
    built = np.array(
        [
            90.0 - p.mpta_deg,
            -p.tibial_torsion_deg,
            p.slope_medial_deg,
            p.slope_lateral_deg,
            _MEAN_TUBEROSITY_MM + vary.shift("tuberosity aside", 1.0),
        ]
    )
    found: tuple[FloatArray, FloatArray] | None = None
    for _ in range(_ROUNDS):
        tangents = np.tan(np.radians(built[[0, 2, 3]]))
        tibia = build_tibia(p, vary, tangents[0], np.radians(built[1]), (tangents[1], tangents[2]), float(built[4]))
        fibula = build_fibula(p, tibia, vary)
        back = found = posterior_plateau_points(tibia, found)
        axes = straight_axes(p.hka_deviation_deg, back[1] - back[0])
        sideways = _sideways(femur, tibia, axes)
        # Where nobody asks for TT-TG it is not needed yet.
        front = tuberosity_of(tibia, back) if p.tt_tg_mm is not None else None
        reached = np.array(
            [
                mpta_of(axes @ (ankle_centre(tibia) - tibia.knee), axes @ joint_line(tibia)),
                tibial_torsion(tibia, fibula, back),
                *plateau_slopes(tibia, back),
                wanted[4] if front is None else sideways + (axes @ front)[0] - groove[0],
            ]
        )
        error = reached - wanted
        if np.abs(error).max() < _TOLERANCE:
            break
        built = built - error * sign
        if not _TUBEROSITY_MM[0] < built[4] < _TUBEROSITY_MM[1]:
            raise impossible("tt_tg_mm", p.tt_tg_mm or 0.0)
    straight = place_straight(p, femur, tibia, back[1] - back[0])
    lower = bent(p, femur, straight, tibia)
    edge, front = anterosuperior_edge(tibia, back), tuberosity_of(tibia, back)
    patella = place_patella(
        p, femur, vary, (straight.to_leg(edge), straight.to_leg(front)), (lower.to_leg(edge), lower.to_leg(front))
    )
    return Skeleton(
        p, femur, tibia, fibula, back, (edge, front), groove, lower, patella, Hip(femur.head, float(femur.head_radius), femur)
    )


def _sideways(femur: Femur, tibia: Tibia, axes: FloatArray) -> float:
    """Where the origin of P comes to lie sideways in the straight leg: the plateau's middle below that of the condyles, mm."""
    plateau = tibia.plateau
    middle = 0.5 * (plateau.centre(plateau.medial) + plateau.centre(plateau.lateral))
    condyles = femur.from_block(femur.distal.scale * np.array([0.4, 0.5, -22.0]))
    return float(condyles[0] - (axes @ middle)[0])


def joint_line(tibia: Tibia) -> FloatArray:
    """Vector from the centroid of the medial plateau patch to that of the lateral one, in P."""
    plateau = tibia.plateau
    result: FloatArray = plateau.patch(plateau.lateral).mean(axis=0) - plateau.patch(plateau.medial).mean(axis=0)
    return result


def posterior_plateau_points(tibia: Tibia, near: tuple[FloatArray, FloatArray] | None = None) -> tuple[FloatArray, FloatArray]:
    """Most posterior points of the medial and lateral plateau rim, in P; ``near`` are those of a tibia much like it."""
    k = tibia.plateau.scale
    medial, lateral = (k * np.array([-20.0, -18.0, -6.0]), k * np.array([20.0, -17.0, -6.0])) if near is None else near
    outward, across = np.array([0.0, -1.0, 0.0]), np.array([1.0, 0.0, 0.0])
    return bitangent(tibia, medial, lateral, outward, across, near=near is not None)


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
    medial = medial_malleolus(tibia)
    lateral = extreme_point(fibula, fibula.malleolus[1], down, 3.0)
    return medial, lateral


def tibial_torsion(tibia: Tibia, fibula: Fibula, back: tuple[FloatArray, FloatArray]) -> float:
    """Angle from the posterior plateau line to the bimalleolar line across the tibial axis, external positive, degrees."""
    first, second = back
    medial, lateral = malleoli(tibia, fibula)
    p, q = (second - first)[:2], (lateral - medial)[:2]
    return float(np.degrees(np.arctan2(p[1] * q[0] - p[0] * q[1], p @ q)))
