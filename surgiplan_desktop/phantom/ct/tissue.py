"""Hounsfield values of everything but bone: air, skin, fat, muscle with its septa, tendons, vessels, joint spaces, couch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from surgiplan_desktop.base.arrays import FloatArray
from surgiplan_desktop.phantom.ct.grid import Lattice
from surgiplan_desktop.phantom.ct.limb import MAT_MM, SHELL_MM, Limb
from surgiplan_desktop.phantom.limb import Leg

Values = NDArray[np.float32]

AIR_HU: Final = -1000.0
SKIN_HU: Final = 20.0
FAT_HU: Final = -105.0
MUSCLE_HU: Final = 55.0
SEPTUM_HU: Final = -75.0
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
_COARSE_MM: Final = 3.0


@dataclass(frozen=True, slots=True, eq=False)
class Cord:
    """A tendon or vessel: a flat tube along a polyline (LPS, mm) with half width and half thickness, and what it is made of.

    ``sheath_mm`` of fat surround it; ``across`` is the direction of its width.
    """

    path: FloatArray
    half_width: float
    half_depth: float
    across: FloatArray
    hu: float
    sheath_mm: float = 0.0


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
    return (
        Cord(quadriceps, 17.0, 4.0, lateral, TENDON_HU),
        Cord(patellar, 13.0, 2.8, lateral, TENDON_HU),
        Cord(achilles, 7.5, 3.0, lateral, TENDON_HU, 5.0),
        Cord(vessel, 3.2, 3.2, lateral, BLOOD_HU, 5.0),
        Cord(vessel + 8.5 * lateral - 4.0 * front, 3.8, 3.4, lateral, BLOOD_HU, 4.0),
    )


def soft_tissue(lattice: Lattice, limb: Limb, cords: tuple[Cord, ...], nearest: Values, second: Values, table: bool) -> Values:
    """Draw everything but bone.

    Parameters
    ----------
    nearest, second
        Distance to the nearest bone and to the one after it at each voxel, mm; large where far.
    table
        Whether there is a couch; the flesh is flat where it lies on it.
    """
    coarse = _Coarse.over(lattice)
    x, y, z = lattice.coordinates((coarse.index[0], coarse.index[1], coarse.index[2]))
    flesh = limb.flesh(x, y, z)
    shape = np.broadcast_shapes(x.shape, y.shape, z.shape)
    above = np.broadcast_to(limb.couch(x) - y if table else np.full((1, 1, 1), 1e3), shape)
    depth, cover, septum, layer, shin, grain, couch = (
        coarse.refined(np.broadcast_to(field, shape))
        for field in (flesh.depth, flesh.fat, flesh.septum, flesh.layer, flesh.shin, flesh.grain, above)
    )
    # Over the shin the skin follows the bone; elsewhere bones push the skin out.
    depth -= shin * np.maximum(depth - (_COVER_MM + 1.5 - nearest), 0.0)
    np.maximum(depth, _COVER_MM - nearest, out=depth)
    np.minimum(depth, couch, out=depth)
    within = depth - np.float32(SKIN_MM) - cover
    tissue = _muscle(septum, layer, grain, within)
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


def _muscle(septum: Values, layer: Values, grain: Values, within: Values) -> Values:
    """Fat outside the fascia, muscle inside with septa that widen towards the skin and streaks of fat."""
    kind = np.float32
    near = np.minimum(np.abs(septum), np.abs(layer))
    fatty = np.exp(-((near / kind(1.1)) ** 2), dtype=np.float32) * kind(0.75)
    # streaks of fat between the bundles: the tail of the texture
    fatty += np.clip((grain - kind(1.15)) * kind(0.35), 0.0, 0.5)
    np.minimum(fatty, kind(1.0), out=fatty)
    muscle = kind(MUSCLE_HU) + kind(5.0) * grain
    muscle += fatty * (kind(SEPTUM_HU) - muscle)
    inside = np.clip(within + kind(0.5), 0.0, 1.0)
    # the deep fascia: a thin line denser than fat
    fascia = np.exp(-((within / kind(0.6)) ** 2), dtype=np.float32) * kind(0.6)
    fat = kind(FAT_HU) + kind(6.0) * grain
    result: Values = fat + inside * (muscle - fat)
    result += fascia * (kind(45.0) - result)
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
    margin = max(cord.half_width, cord.half_depth) + cord.sheath_mm + 2.0
    for start, end in zip(cord.path[:-1], cord.path[1:], strict=True):
        span = lattice.box(np.minimum(start, end), np.maximum(start, end), margin)
        if span is None:
            continue
        x, y, z = lattice.coordinates(tuple(np.arange(part.start, part.stop, dtype=np.float64) for part in span))  # type: ignore[arg-type]
        axis = end - start
        length = float(np.linalg.norm(axis))
        axis = axis / length
        wide = cord.across - (cord.across @ axis) * axis
        wide /= np.linalg.norm(wide)
        deep = np.cross(axis, wide)
        offset = (x - start[0], y - start[1], z - start[2])
        along, a, b = (sum(part * float(unit[n]) for n, part in enumerate(offset)) for unit in (axis, wide, deep))
        past = np.maximum(np.maximum(-along, along - length), 0.0)
        q = np.sqrt((a / cord.half_width) ** 2 + (b / cord.half_depth) ** 2 + (past / cord.half_depth) ** 2)
        outside = ((q - 1.0) * cord.half_depth).astype(np.float32)
        part = tissue[span]
        if cord.sheath_mm > 0.0:
            # a sheath of fat only between muscles; over bone and in joints there is none
            wrapped = np.clip(cord.sheath_mm - outside, 0.0, 1.0) * inside[span] * np.clip(outside + 0.5, 0.0, 1.0)
            part += wrapped * (FAT_HU - part)
        part += np.clip(0.5 - outside, 0.0, 1.0) * (cord.hu - part)


def _voxel(lattice: Lattice) -> float:
    return float(np.cbrt(np.prod(lattice.step)))


@dataclass(frozen=True, slots=True, eq=False)
class _Coarse:
    """Every n-th voxel along each index of a lattice, and the linear way back to all of them."""

    index: tuple[FloatArray, FloatArray, FloatArray]
    weights: tuple[Values, Values, Values]

    @staticmethod
    def over(lattice: Lattice) -> _Coarse:
        index, weights = [], []
        for size, step in zip(lattice.shape, lattice.step, strict=True):
            every = max(1, int(_COARSE_MM / step + 1e-6))
            nodes = np.arange(0, size - 1 + every, every, dtype=np.float64)
            place = np.arange(size) / every
            low = np.minimum(place.astype(int), max(len(nodes) - 2, 0))
            matrix = np.zeros((size, len(nodes)), dtype=np.float32)
            part = place - low
            matrix[np.arange(size), low] += (1.0 - part).astype(np.float32)
            matrix[np.arange(size), np.minimum(low + 1, len(nodes) - 1)] += part.astype(np.float32)
            index.append(nodes)
            weights.append(matrix)
        return _Coarse((index[0], index[1], index[2]), (weights[0], weights[1], weights[2]))

    def refined(self, field: FloatArray) -> Values:
        """Interpolate a field of the coarse nodes at all voxels."""
        k, j, i = self.weights
        values = field.astype(np.float32) @ i.T
        values = np.matmul(j, values)
        result: Values = (k @ values.reshape(len(values), -1)).reshape(len(k), len(j), len(i))
        return result
