"""Metal in a leg: screw, plate, hip stem, as simple parametric shapes placed by the landmarks.

The amount of metal is told in parts of titanium. Cobalt-chromium is taken as titanium of a greater density: between 40 and
110 keV the ratio of their linear attenuation changes only from 3.2 to 2.6.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from surgiplan_desktop.base.arrays import FloatArray
from surgiplan_desktop.model.anatomy import BoneName
from surgiplan_desktop.phantom.ct.grid import Lattice
from surgiplan_desktop.phantom.ct.rods import Rod
from surgiplan_desktop.phantom.limb import Leg, Solid

#: Titanium at the effective energy of the scan, HU (from the attenuation in ``projection``).
TITANIUM_HU: Final = 11700.0
COBALT: Final = 2.9


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """A rod of metal and how much of it there is in a voxel that it fills, in parts of titanium."""

    rod: Rod
    amount: float


def pieces_of(leg: Leg, names: tuple[str, ...]) -> tuple[Piece, ...]:
    """Return the metal of the given names in a leg."""
    makers = {"screw": _screw, "plate": _plate, "hip_stem": _stem}
    pieces: list[Piece] = []
    for name in names:
        if name == "other_hip_stem":
            pieces += [Piece(piece.rod.mirrored(), piece.amount) for piece in _stem(leg)]
        else:
            pieces += makers[name](leg)
    return tuple(pieces)


def draw_metal(lattice: Lattice, pieces: tuple[Piece, ...]) -> NDArray[np.float32]:
    """Amount of metal in each voxel, in parts of titanium."""
    amount = np.zeros(lattice.shape, dtype=np.float32)
    voxel = np.float32(np.cbrt(np.prod(lattice.step)))
    for piece in pieces:
        for span, distance in piece.rod.distances(lattice, 2.0):
            part = amount[span]
            np.maximum(part, np.float32(piece.amount) * np.clip(np.float32(0.5) - distance / voxel, 0.0, 1.0), out=part)
    return amount


def _lateral(leg: Leg) -> FloatArray:
    return np.array([-float(leg.side.sign), 0.0, 0.0])


def _screw(leg: Leg) -> list[Piece]:
    """A cancellous screw across the tibial head, 20 mm below the joint."""
    lateral, centre = _lateral(leg), leg.truth_landmarks["tibial_knee_centre"] - np.array([0.0, 0.0, 20.0])
    tibia = _bone(leg, BoneName.TIBIA)
    entry = _surface(tibia, centre, lateral)
    tip = entry - 60.0 * lateral
    up = np.array([0.0, 0.0, 1.0])
    shaft, head = Rod(np.stack([entry, tip]), 3.25, 3.25, up), Rod(np.stack([entry, entry + 3.0 * lateral]), 4.2, 4.2, up)
    return [Piece(shaft, 1.0), Piece(head, 1.0)]


def _plate(leg: Leg) -> list[Piece]:
    """A medial locking plate on the proximal tibia with six screws."""
    lateral, knee = _lateral(leg), leg.truth_landmarks["tibial_knee_centre"]
    shaft, tibia = leg.truth_landmarks["tibial_shaft_proximal"], _bone(leg, BoneName.TIBIA)
    inward = lateral + np.array([0.0, 0.45, 0.0])
    inward /= np.linalg.norm(inward)
    path, screws = [], []
    for depth in (14.0, 24.0, 38.0, 55.0, 72.0, 90.0, 105.0):
        share = depth / float(knee[2] - shaft[2])
        centre = knee + share * (shaft - knee)
        skin = _surface(tibia, centre, -inward) - 3.0 * inward
        path.append(skin)
        if depth != 38.0:
            length = 50.0 if depth < 30.0 else 30.0
            screws.append(Rod(np.stack([skin, skin + length * inward]), 2.4, 2.4, np.array([0.0, 0.0, 1.0])))
    across = np.cross(inward, np.array([0.0, 0.0, 1.0]))
    return [Piece(Rod(np.array(path), 7.0, 2.0, across), 1.0), *(Piece(rod, 1.0) for rod in screws)]


def _stem(leg: Leg) -> list[Piece]:
    """A cobalt-chromium head and neck on a tapering stem in the femur."""
    points = leg.truth_landmarks
    head, shaft = points["hip_centre"], points["femoral_shaft_proximal"]
    along = (shaft - points["lesser_trochanter_tip"]) * np.array([0.0, 0.0, 1.0])
    top = points["femoral_neck_base"]
    tip = shaft + 0.2 * along
    side = _lateral(leg)
    radius = float(leg.truth_measures["femoral_head_radius"]) if "femoral_head_radius" in leg.truth_measures else 23.0
    ball = Rod(np.stack([head, head + 0.1 * side]), 0.62 * radius, 0.62 * radius, np.array([0.0, 1.0, 0.0]))
    neck = Rod(np.stack([head, top]), 6.5, 6.5, np.array([0.0, 1.0, 0.0]))
    middle = 0.5 * (top + tip)
    return [
        Piece(ball, COBALT),
        Piece(neck, COBALT),
        Piece(Rod(np.stack([top, middle]), 8.0, 6.5, side), COBALT),
        Piece(Rod(np.stack([middle, tip]), 5.0, 4.5, side), COBALT),
    ]


def _bone(leg: Leg, name: BoneName) -> Solid:
    return next(solid for solid in leg.solids if solid.bone.bone is name)


def _surface(solid: Solid, inside: FloatArray, outward: FloatArray) -> FloatArray:
    """Where the ray from a point of the bone leaves it."""
    steps = np.arange(0.0, 90.0, 0.25)
    outside = solid.field(inside + steps[:, None] * outward) > 0.0
    point: FloatArray = inside + float(steps[int(outside.argmax())]) * outward
    return point
