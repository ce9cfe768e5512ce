"""Where the lower leg lies: straight under the femur with exact limb-plane angles, then bent at the knee.

Leg frame = femur frame F of a right leg: origin at the notch, columns lateral, anterior, up. In the straight leg hip, both knee
centres and the ankle lie in the plane anterior = 0, together with the direction of the posterior condylar line: this is the limb
plane of clinical.md 0.4, and flexion and rotation (0.3) are zero.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from surgiplan_desktop.base.arrays import AnyArray, FloatArray
from surgiplan_desktop.phantom.femur import Femur
from surgiplan_desktop.phantom.fields import Field, in_frame
from surgiplan_desktop.phantom.parameters import LegParameters
from surgiplan_desktop.phantom.tibia import Tibia

_LATERAL, _ANTERIOR, _UP = np.eye(3)
_GAP_TOLERANCE_MM = 1e-6
_FACET_STEP_MM = 0.8
#: The femur meets the facets and the rim around them.
_FACET_SHARE = 1.15


@dataclass(frozen=True, slots=True, eq=False)
class Placed:
    """A field of another frame, seen in the leg frame: ``axes`` are that frame's axes as columns, ``origin`` its origin."""

    field: Field
    axes: FloatArray
    origin: FloatArray

    def __call__(self, points: AnyArray) -> AnyArray:
        """Evaluate in the leg frame."""
        return self.field(in_frame(points, self.axes, self.origin))

    def to_leg(self, points: FloatArray) -> FloatArray:
        """Points of shape (3,) or (n, 3) of the bone's frame in the leg frame."""
        return points @ self.axes.T + self.origin

    def directions(self, vectors: FloatArray) -> FloatArray:
        """Directions of the bone's frame in the leg frame."""
        return vectors @ self.axes.T


def straight_axes(deviation_deg: float, posterior_line: FloatArray) -> FloatArray:
    """Axes of P (columns) in the leg frame: axis deviated in the frontal plane, posterior plateau line (in P) in that plane."""
    d = np.radians(deviation_deg)
    lateral, up = np.array([np.cos(d), 0.0, np.sin(d)]), np.array([-np.sin(d), 0.0, np.cos(d)])
    turn = np.arctan2(posterior_line[1], posterior_line[0])
    c, s = np.cos(turn), np.sin(turn)
    return np.column_stack([c * lateral - s * _ANTERIOR, s * lateral + c * _ANTERIOR, up])


def place_straight(parameters: LegParameters, femur: Femur, tibia: Tibia, posterior_line: FloatArray) -> Placed:
    """Put the tibia below the femur, the tight compartment at the wanted gap.

    Sideways the middle of the plateau lies below the middle of the condyles; the tibial knee centre lies in the limb plane.
    """
    axes = straight_axes(parameters.hka_deviation_deg, posterior_line)
    plateau = tibia.plateau
    middle = axes @ (0.5 * (plateau.centre(plateau.medial) + plateau.centre(plateau.lateral)))
    condyles = femur.from_block(femur.distal.scale * np.array([0.4, 0.5, -22.0]))
    origin = np.array([condyles[0] - middle[0], -(axes @ tibia.knee)[1], -30.0])
    return _to_gap(parameters, femur, tibia, Placed(tibia, axes, origin), _UP)


def bent(parameters: LegParameters, femur: Femur, straight: Placed, tibia: Tibia) -> Placed:
    """Flex about the axis through the condyles' posterior rolls and turn about the tibia's own axis (clinical.md 0.3)."""
    if parameters.knee_flexion_deg == 0.0 and parameters.knee_rotation_deg == 0.0:
        return straight
    flexion, rotation = np.radians(parameters.knee_flexion_deg), np.radians(parameters.knee_rotation_deg)
    c, s = np.cos(flexion), np.sin(flexion)
    # Anterior, up, lateral = X, Y, Z of clinical.md 0.2: flexion carries the ankle backward, inward rotation the front medially.
    flex = np.array([[1.0, 0.0, 0.0], [0.0, c, s], [0.0, -s, c]])
    up = straight.axes[:, 2]
    skew = np.array([[0.0, -up[2], up[1]], [up[2], 0.0, -up[0]], [-up[1], up[0], 0.0]])
    turn = np.eye(3) + np.sin(rotation) * skew + (1.0 - np.cos(rotation)) * skew @ skew
    medial, lateral = femur.distal.medial, femur.distal.lateral
    roll = 0.5 * (np.array(medial.posterior[:2]) + np.array(lateral.posterior[:2]))
    pivot = femur.from_block(femur.distal.scale * np.array([0.0, roll[0], roll[1]]))
    knee = straight.to_leg(tibia.knee)
    axes = flex @ turn @ straight.axes
    # The turn is about the tibia's axis, the flexion about the pivot.
    origin = flex @ (knee + turn @ (straight.origin - knee) - pivot) + pivot
    return _to_gap(parameters, femur, tibia, Placed(tibia, axes, origin), axes[:, 2])


def _to_gap(parameters: LegParameters, femur: Femur, tibia: Tibia, lower: Placed, up: FloatArray) -> Placed:
    """Move the tibia along ``up`` until the facets come as near to the femur as wanted."""
    plateau = tibia.plateau
    facets = np.concatenate([plateau.patch(facet, _FACET_SHARE, _FACET_STEP_MM) for facet in (plateau.medial, plateau.lateral)])
    origin = lower.origin
    turned = facets @ lower.axes.T
    for _ in range(30):
        gap = float(femur(turned + origin).min())
        origin = origin + min(gap - parameters.tight_gap_mm, 10.0) * up
        if abs(gap - parameters.tight_gap_mm) < _GAP_TOLERANCE_MM:
            break
    return Placed(tibia, lower.axes, origin)
