"""Hounsfield values of everything but bone: air, skin, fat, muscle with its septa, tendons, vessels, joint spaces, couch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from surgiplan_desktop.base.arrays import FloatArray
from surgiplan_desktop.phantom.ct.coarse import coarse_nodes, refined
from surgiplan_desktop.phantom.ct.grid import Lattice
from surgiplan_desktop.phantom.ct.limb import MAT_MM, SHELL_MM, Flesh, Limb
from surgiplan_desktop.phantom.ct.rods import Rod
from surgiplan_desktop.phantom.fields import smooth_min
from surgiplan_desktop.phantom.limb import Leg, Solid

Values = NDArray[np.float32]

AIR_HU: Final = -1000.0
SKIN_HU: Final = 20.0
FAT_HU: Final = -105.0
MUSCLE_HU: Final = 55.0
SEPTUM_HU: Final = -75.0
FASCIA_HU: Final = 45.0
TENDON_HU: Final = 95.0
BLOOD_HU: Final = 42.0
CARTILAGE_HU: Final = 85.0
FLUID_HU: Final = 15.0
CAPSULE_HU: Final = 60.0
MAT_HU: Final = -930.0
SHELL_HU: Final = -250.0
FOAM_HU: Final = -955.0

SKIN_MM: Final = 1.7
#: Bone lies at least this far below the skin, mm.
_COVER_MM: Final = 5.0
#: Facing bone surfaces nearer to each other than this bound a joint space, mm.
JOINT_MM: Final = 9.0
_CARTILAGE_MM: Final = 2.0
#: The smooth fields of the flesh are evaluated this far apart and interpolated, mm.
_COARSE_MM: Final = 4.0


@dataclass(frozen=True, slots=True, eq=False)
class Cord:
    """A tendon or vessel: its shape, its value, and how far the fat around it reaches, mm."""

    rod: Rod
    hu: float
    sheath_mm: float = 0.0

    def mirrored(self) -> Cord:
        """Return the cord of the other leg."""
        return Cord(self.rod.mirrored(), self.hu, self.sheath_mm)


def cords_of(leg: Leg) -> tuple[Cord, ...]:
    """Return extensor tendon, patellar tendon, Achilles tendon and the great vessels of a leg, from its landmarks."""
    p = leg.truth_landmarks
    lateral = np.array([-1.0 if leg.side.sign > 0 else 1.0, 0.0, 0.0])
    front, up = np.array([0.0, -1.0, 0.0]), np.array([0.0, 0.0, 1.0])
    upper, lower, tuberosity = p["patella_superior_pole"], p["patella_inferior_pole"], p["tibial_tuberosity"]
    knee, ankle, hip = p["femoral_knee_centre"], p["ankle_centre"], p["hip_centre"]
    calf = p["tibial_shaft_proximal"]
    quadriceps = np.array([upper + 2.0 * front - 3.0 * up, upper + 6.0 * front + 45.0 * up])
    patellar = np.array([lower + 2.0 * front + 4.0 * up, tuberosity + 2.5 * front])
    heel = ankle - 50.0 * front
    achilles = np.array([heel - 45.0 * up, heel + 3.0 * front + 40.0 * up, heel + 10.0 * front + 110.0 * up])
    behind = knee - 34.0 * front
    vessel = np.array([
        hip + 34.0 * front - 18.0 * lateral,
        p["femoral_shaft_proximal"] + 18.0 * front - 34.0 * lateral,
        p["femoral_shaft_distal"] - 24.0 * front - 22.0 * lateral,
        behind + 2.0 * lateral,
        behind - 60.0 * up + 2.0 * lateral,
        calf - 26.0 * front + 8.0 * lateral,
        ankle - 20.0 * front - 16.0 * lateral + 15.0 * up,
    ])  # fmt: skip
    # artery and vein run side by side in the fat of their sheath
    beside = 4.25 * lateral - 2.0 * front
    return (
        Cord(Rod(quadriceps, 17.0, 4.0, lateral), TENDON_HU),
        Cord(Rod(patellar, 13.0, 2.8, lateral), TENDON_HU),
        Cord(Rod(achilles, 7.5, 3.0, lateral), TENDON_HU, 5.0),
        Cord(Rod(vessel + beside, 9.5, 6.5, lateral), FAT_HU, 2.0),
        Cord(Rod(vessel, 3.2, 3.2, lateral), BLOOD_HU),
        Cord(Rod(vessel + 2.0 * beside, 3.8, 3.4, lateral), BLOOD_HU),
    )


def soft_tissue(
    lattice: Lattice,
    limb: Limb,
    cords: tuple[Cord, ...],
    tibiae: tuple[Solid, ...],
    nearest: Values,
    second: Values,
    table: bool,
) -> Values:
    """Draw everything but bone.

    Parameters
    ----------
    tibiae
        The skin follows them on their medial side.
    nearest, second
        Distance to the nearest bone and to the one after it at each voxel, mm; large where far.
    table
        Whether there is a couch; the flesh is flat where it lies on it.
    """
    every = [max(1, int(_COARSE_MM / step + 1e-6)) for step in lattice.step]
    k, j, i = (coarse_nodes(size, n) for size, n in zip(lattice.shape, every, strict=True))
    x, y, z = lattice.coordinates((k, j, i))
    flesh = limb.flesh(x, y, z)
    shape = np.broadcast_shapes(x.shape, y.shape, z.shape)
    above = np.broadcast_to(limb.couch(x) - y if table else np.full((1, 1, 1), 1e3), shape)
    follows = _over_the_shin(flesh, tibiae, np.stack([part.ravel() for part in np.broadcast_arrays(x, y, z)], axis=1))
    depth, cover, septum, layer, spare, grain, gaps, couch = (
        refined(np.broadcast_to(field, shape), lattice.shape, tuple(every))
        for field in (
            follows, flesh.fat, flesh.septum, flesh.layer, flesh.spare, flesh.grain, flesh.gaps, above,
        )
    )  # fmt: skip
    # Bones push the skin out where the outline comes too near to them; the couch flattens it.
    np.maximum(depth, _COVER_MM - nearest, out=depth)
    depth = smooth_min(depth, couch, 14.0) if table else depth
    within = depth - np.float32(SKIN_MM) - cover
    tissue = _muscle(np.minimum(np.abs(septum), np.abs(layer)), spare, grain, gaps, within)
    _draw_joints(tissue, nearest, second)
    for cord in cords:
        _draw_cord(tissue, lattice, cord, within > 0.0)
    inside = np.clip(depth / np.float32(_voxel(lattice)) + 0.5, 0.0, 1.0)
    skin = np.clip((SKIN_MM - depth) / np.float32(_voxel(lattice)) + 0.5, 0.0, 1.0)
    tissue += skin * (SKIN_HU - tissue)
    result = np.full(lattice.shape, AIR_HU, dtype=np.float32)
    if table:
        below = -couch
        result[(below > 0.0) & (below <= MAT_MM)] = MAT_HU
        result[(below > MAT_MM) & (below <= MAT_MM + SHELL_MM)] = SHELL_HU
        result[below > MAT_MM + SHELL_MM] = FOAM_HU
    result += inside * (tissue - result)
    return result


def _over_the_shin(flesh: Flesh, tibiae: tuple[Solid, ...], points: FloatArray) -> FloatArray:
    """Depth below an outline that follows the medial face of the tibia."""
    if not flesh.shin.any():
        return flesh.depth
    bone = np.min([solid.field(points) for solid in tibiae], axis=0).reshape(flesh.depth.shape)
    result: FloatArray = flesh.depth - flesh.shin * np.maximum(flesh.depth - (_COVER_MM + 1.5 - bone), 0.0)
    return result


def _muscle(near: Values, spare: Values, grain: Values, gaps: Values, within: Values) -> Values:
    """Fat under the skin and between the muscles; muscle with septa of changing width and streaks of fat.

    ``near`` is the distance to the nearest septum, ``within`` the depth below the deep fascia, mm.
    """
    kind = np.float32
    width = kind(0.9) + kind(0.45) * np.clip(gaps, -1.0, 2.0)
    fatty = np.exp(-((near / width) ** 2), dtype=np.float32) * np.clip(kind(0.5) + kind(0.4) * gaps, 0.0, 0.9)
    # streaks of fat between the bundles: the tail of the texture
    fatty += np.clip((grain - kind(1.2)) * kind(0.4), 0.0, 0.5)
    muscle = kind(MUSCLE_HU) + kind(4.0) * grain
    muscle += np.minimum(fatty, kind(0.9)) * (kind(SEPTUM_HU) - muscle)
    fat = kind(FAT_HU) + kind(9.0) * np.maximum(grain, kind(-0.5))
    lean = np.clip(within + kind(0.5), 0.0, 1.0) * (kind(1.0) - spare)
    result: Values = fat + lean * (muscle - fat)
    # the deep fascia: a thin line denser than fat
    fascia = np.exp(-((within / kind(0.6)) ** 2), dtype=np.float32) * np.clip(kind(0.6) - kind(0.2) * gaps, 0.0, 1.0)
    result += fascia * (kind(FASCIA_HU) - result)
    return result


def _draw_joints(tissue: Values, nearest: Values, second: Values) -> None:
    """Cartilage on facing bone ends, fluid between, capsule around."""
    where = np.nonzero((nearest < 4.0) & (second < 26.0))
    first, other, value = nearest[where], second[where], tissue[where]
    value += np.clip(4.0 - first, 0.0, 1.0) * np.clip((26.0 - other) / 6.0, 0.0, 1.0) * (CAPSULE_HU - value)
    space = np.clip(JOINT_MM - first - other, 0.0, 1.0)
    content = CARTILAGE_HU + np.clip((first - _CARTILAGE_MM) / 0.8 + 0.5, 0.0, 1.0) * (FLUID_HU - CARTILAGE_HU)
    value += space * (content - value)
    tissue[where] = value


def _draw_cord(tissue: Values, lattice: Lattice, cord: Cord, inside: NDArray[np.bool_]) -> None:
    for span, outside in cord.rod.distances(lattice, cord.sheath_mm + 2.0):
        part = tissue[span]
        if cord.sheath_mm > 0.0:
            # a sheath of fat only below the fascia, fading outwards
            wrapped = np.clip(1.0 - outside / cord.sheath_mm, 0.0, 0.8) * inside[span] * np.clip(outside + 0.5, 0.0, 1.0)
            part += wrapped * (FAT_HU - part)
            part += np.clip(0.5 - outside, 0.0, 1.0) * inside[span] * (cord.hu - part)
            continue
        part += np.clip(0.5 - outside, 0.0, 1.0) * (cord.hu - part)


def _voxel(lattice: Lattice) -> float:
    return float(np.cbrt(np.prod(lattice.step)))
