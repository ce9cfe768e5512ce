"""The side of a leg from the handedness of its bones, and from where it lies beside the other leg.

Handedness needs three directions of the leg itself: proximal, anterior (patella, foot, tuberosity) and lateral (fibula, away from
the femoral head). On a right leg anterior x proximal points to lateral (clinical.md 0.1). A wrong patient position turns the leg
and leaves handedness as it is; a flipped index mirrors it (practice.md 13).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from surgiplan_desktop.base.arrays import FloatArray
from surgiplan_desktop.model.anatomy import BoneName, Side
from surgiplan_desktop.model.study import Finding
from surgiplan_desktop.segmentation.naming import NamedLeg
from surgiplan_desktop.segmentation.pieces import Chain

#: The angle between anterior and lateral must be at least this far from 0 and 180 degrees to say a side (sine).
_CLEAR: Final = 0.35
#: A direction shorter than this says nothing, mm.
_LEAST_MM: Final = 4.0


@dataclass(frozen=True, slots=True)
class SideVerdict:
    """The side of a leg, what says so, and what the user must know."""

    side: Side
    findings: tuple[Finding, ...]


def sides_of_legs(
    legs: Sequence[NamedLeg], others: Sequence[Chain], proximal_sign: int, expected: Side | None = None
) -> tuple[SideVerdict, ...]:
    """Say the side of each leg.

    Parameters
    ----------
    legs
        One or two legs, sorted by LPS x (the patient's right first).
    others
        Bones without a name (the foot).
    proximal_sign
        +1 when the proximal end lies superior, -1 when the scan is upside down.
    expected
        The side that request or tags say, for a single leg whose bones say none.

    Returns
    -------
    tuple of SideVerdict
        Two legs take their sides from where they lie; a leg whose bones say otherwise gets ``side_handedness``. A single leg
        takes its side from its bones; ``side_uncertain`` when they do not say it: then it is the expected one, or only a guess by
        position.
    """
    spoken = [handedness(leg, others, proximal_sign) for leg in legs]
    if len(legs) == 1:
        side = spoken[0]
        if side is None:
            guess = expected or (Side.RIGHT if legs[0].centre_x < 0 else Side.LEFT)
            return (SideVerdict(guess, (Finding("side_uncertain", "fail", (("side", str(guess)),)),)),)
        return (SideVerdict(side, ()),)
    verdicts = []
    for side, bones_say in zip((Side.RIGHT, Side.LEFT), spoken, strict=True):
        contradiction = bones_say is not None and bones_say is not side
        found = Finding("side_handedness", "critical", (("side", str(side)), ("bones_say", str(side.other))))
        verdicts.append(SideVerdict(side, (found,) if contradiction else ()))
    return tuple(verdicts)


def handedness(leg: NamedLeg, others: Sequence[Chain], proximal_sign: int) -> Side | None:
    """Return the side that the shape and order of the bones say, or None when they do not say one clearly."""
    votes = _plateau_vote(leg)
    for anterior, weight in _anterior_directions(leg, others):
        for lateral, worth in _lateral_directions(leg):
            votes += weight * worth * _turn(anterior, lateral)
    votes *= proximal_sign
    if abs(votes) < 0.5:
        return None
    return Side.RIGHT if votes > 0 else Side.LEFT


def _turn(anterior: FloatArray, lateral: FloatArray) -> float:
    """+1 when anterior and lateral (x, y) are those of a right leg seen with proximal up, -1 of a left leg, 0 when unclear."""
    cross = anterior[1] * lateral[0] - anterior[0] * lateral[1]
    sine = float(cross) / (float(np.linalg.norm(anterior)) * float(np.linalg.norm(lateral)))
    return float(np.sign(sine)) if abs(sine) >= _CLEAR else 0.0


def _plateau_vote(leg: NamedLeg) -> float:
    """Vote of the tibial plateau, which is wider than deep: the fibular head lies lateral and posterior of its middle."""
    tibia, fibula = leg.bones.get(BoneName.TIBIA), leg.bones.get(BoneName.FIBULA)
    if tibia is None or fibula is None or tibia.high_cut or fibula.high_cut:
        return 0.0
    across, ratio = tibia.wide_axis(tibia.high - 24.0, tibia.high - 9.0)
    if ratio < 1.2:
        return 0.0
    head = fibula.centre(fibula.high - 15.0, fibula.high) - tibia.centre(tibia.high - 24.0, tibia.high - 9.0)
    along = np.array([-across[1], across[0]])
    if min(abs(float(head @ across)), abs(float(head @ along))) < _LEAST_MM:
        return 0.0
    return 2.0 * _turn(-float(head @ along) * along, float(head @ across) * across)


def _lateral_directions(leg: NamedLeg) -> list[tuple[FloatArray, float]]:
    found: list[tuple[FloatArray, float]] = []
    tibia, fibula = leg.bones.get(BoneName.TIBIA), leg.bones.get(BoneName.FIBULA)
    femur = leg.bones.get(BoneName.FEMUR)
    if tibia is not None and fibula is not None:
        low, high = max(tibia.low, fibula.low), min(tibia.high, fibula.high)
        height = high - low
        for start, end in ((low, low + 0.25 * height), (high - 0.25 * height, high)):
            found.append((fibula.centre(start, end) - tibia.centre(start, end), 1.0))
    if femur is not None and not femur.high_cut and femur.length > 150.0:
        shaft = femur.centre(femur.high - 150.0, femur.high - 110.0)
        found.append((shaft - femur.centre(femur.high - 15.0, femur.high), 1.0))
    return [(direction, weight) for direction, weight in found if np.linalg.norm(direction) >= _LEAST_MM]


def _anterior_directions(leg: NamedLeg, others: Sequence[Chain]) -> list[tuple[FloatArray, float]]:
    found: list[tuple[FloatArray, float]] = []
    tibia, femur = leg.bones.get(BoneName.TIBIA), leg.bones.get(BoneName.FEMUR)
    patella = leg.bones.get(BoneName.PATELLA)
    if femur is not None and patella is not None:
        x, y, z = patella.centroid
        found.append((np.array([x, y]) - femur.centre(z - 10.0, z + 10.0), 3.0))
    if tibia is not None and not tibia.low_cut:
        ankle = tibia.centre(tibia.low + 5.0, tibia.low + 30.0)
        foot = [chain for chain in others if chain.high < tibia.low + 10.0 and chain.volume_mm3 < 30000.0]
        foot = [chain for chain in foot if np.linalg.norm(chain.centroid[:2] - ankle) < 130.0]
        if len(foot) >= 4:
            weight = np.array([chain.volume_mm3 for chain in foot])
            middle = (np.array([chain.centroid[:2] for chain in foot]) * weight[:, None]).sum(axis=0) / weight.sum()
            found.append((middle - ankle, 1.0))
    if femur is not None and not femur.low_cut:
        # the condyles reach behind the shaft
        shaft = femur.centre(femur.low + 70.0, femur.low + 110.0)
        found.append((shaft - femur.centre(femur.low + 5.0, femur.low + 25.0), 1.0))
    return [(direction, weight) for direction, weight in found if np.linalg.norm(direction) >= _LEAST_MM]
