"""Disturbances of a bone's surface that leave the truth where it is: osteophytes on the rims, smooth random displacement.

Truth is that of the undisturbed bone (clinical.md A.1: plateau edges without osteophytes). So that it stays true of the disturbed
one, the displacement fades out around every landmark, and osteophytes stand where none is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from surgiplan_desktop.base.arrays import AnyArray, FloatArray
from surgiplan_desktop.model.anatomy import LANDMARKS, BoneName
from surgiplan_desktop.phantom.fields import Field, chosen, ellipsoid, smooth_min, sphere
from surgiplan_desktop.phantom.parameters import SMALLEST_GAP_MM
from surgiplan_desktop.phantom.pose import Placed
from surgiplan_desktop.phantom.probe import heights_along
from surgiplan_desktop.phantom.skeleton import Skeleton
from surgiplan_desktop.phantom.small_bones import Talus
from surgiplan_desktop.phantom.variation import Variation

#: The displacement is a sum of this many waves, of lengths between these, mm.
_WAVES: Final = 14
_LENGTHS_MM: Final = (14.0, 45.0)
#: Further from the surface than this a field keeps its value, mm.
_REACH_MM: Final = 9.0
_BLEND_MM: Final = 3.0
#: A landmark of the surface lies nearer to it than this; osteophytes fade out between these distances from it, mm.
_ON_BONE_MM: Final = 0.1
_BARE_MM: Final = (1.5, 6.5)
#: The joint lies within this height above and below the origin of both frames, mm.
_KNEE_MM: Final = 60.0
#: Landmarks that need more room than 9 mm without displacement: sections and patches are averages over them, mm.
_STILL_MM: Final = {
    "femoral_shaft_proximal": 26.0, "femoral_shaft_distal": 26.0, "tibial_shaft_proximal": 26.0, "tibial_shaft_distal": 24.0,
    "ankle_centre": 30.0, "medial_plateau_centre": 24.0, "lateral_plateau_centre": 24.0, "trochlear_groove": 22.0,
    "tibial_tuberosity": 12.0, "tibial_knee_centre": 14.0, "femoral_knee_centre": 12.0,
}  # fmt: skip
#: Bones beside a landmark's own that must keep still there too.
_BONES_OF: Final = {
    "hip_centre": (BoneName.FEMUR, BoneName.HIP),
    "ptfj_proximal": (BoneName.TIBIA, BoneName.FIBULA),
    "ptfj_distal": (BoneName.TIBIA, BoneName.FIBULA),
    "ptfj_medial_margin": (BoneName.TIBIA, BoneName.FIBULA),
    "ankle_centre": (BoneName.TIBIA, BoneName.FIBULA),
}
#: Spurs: name, side (medial -1), place to the front and up (unit size; femur in its block, tibia in P), mm.
_SPURS: Final[dict[BoneName, tuple[tuple[str, float, float, float], ...]]] = {
    BoneName.FEMUR: (("front medial", -1.0, 14.0, -7.0), ("back medial", -1.0, -10.0, -11.0), ("lateral", 1.0, 8.0, -10.0)),
    BoneName.TIBIA: (("medial", -1.0, 3.0, -5.0), ("front medial", -1.0, 12.0, -5.0), ("lateral", 1.0, 8.0, -5.0)),
}


@dataclass(frozen=True, slots=True, eq=False)
class Still:
    """Balls inside which nothing is displaced: centres (n, 3), radii without and with full displacement (n,), mm."""

    centres: FloatArray
    inner: FloatArray
    outer: FloatArray

    def freedom(self, points: AnyArray) -> AnyArray:
        """0 where the surface keeps still, 1 where it is free, shape (n,)."""
        free = np.ones(len(points), dtype=points.dtype)
        lowest, highest = points.min(axis=0), points.max(axis=0)
        for centre, inner, outer in zip(self.centres, self.inner.tolist(), self.outer.tolist(), strict=True):
            if (centre < lowest - outer).any() or (centre > highest + outer).any():
                continue
            share = sphere(points, centre, inner)
            share /= outer - inner
            np.minimum(np.maximum(share, 0.0, out=share), 1.0, out=share)
            np.minimum(free, share * share * (3.0 - 2.0 * share), out=free)
        return free


@dataclass(frozen=True, slots=True, eq=False)
class Disturbed:
    """A bone with osteophytes (centre, radii) and a random displacement of ``amount_mm``; still where landmarks are.

    ``bare`` are the balls round landmarks of the surface into which no osteophyte reaches; ``facing`` is the bone
    across the joint, without its own disturbance.
    """

    field: Field
    osteophytes: tuple[tuple[FloatArray, FloatArray], ...]
    amount_mm: float
    waves: FloatArray
    phases: FloatArray
    still: Still
    bare: Still
    facing: Field | None = None

    def __call__(self, points: AnyArray) -> AnyArray:
        """Evaluate in the frame of the field."""
        value = self.field(points)
        near = np.abs(value) < _REACH_MM
        if not near.any():
            return value
        value = value.copy()
        smooth, at = value[near], chosen(points, near)
        part = smooth
        if self.amount_mm > 0.0:
            wave = np.sin(self.waves.astype(at.dtype) @ at.T + self.phases.astype(at.dtype)[:, None]).sum(axis=0)
            wave = np.clip(wave * float(np.sqrt(2.0 / len(self.phases)) / 2.0), -1.0, 1.0)
            fade = 1.0 - np.square(part / _REACH_MM)
            part = part - self.amount_mm * wave * self.still.freedom(at) * fade
        spurred = part
        for centre, radii in self.osteophytes:
            spurred = smooth_min(spurred, ellipsoid(at, centre, radii), _BLEND_MM)
        if self.osteophytes:
            part = part + (spurred - part) * self.bare.freedom(at)
        value[near] = self._apart(smooth, part, at)
        return value

    def _apart(self, smooth: AnyArray, part: AnyArray, points: AnyArray) -> AnyArray:
        """Nothing that is added to a bone comes nearer to the one across the joint than to its own, less half a small gap."""
        added = (part < smooth) & (np.abs(points[:, 2]) < _KNEE_MM)
        if self.facing is None or not added.any():
            return part
        own = smooth[added]
        middle = 0.5 * (own - self.facing(chosen(points, added)) + SMALLEST_GAP_MM)
        part[added] = np.maximum(part[added], np.minimum(own, middle))
        return part


def waves_of(seed: int, name: str) -> tuple[FloatArray, FloatArray]:
    """Wave vectors (n, 3) and phases (n,) of a bone's displacement, by the seed and the bone's name."""
    random = np.random.default_rng([seed, *name.encode()])
    directions = random.normal(size=(_WAVES, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    shortest, longest = _LENGTHS_MM
    lengths = shortest * (longest / shortest) ** random.uniform(0.0, 1.0, size=_WAVES)
    return directions * (2.0 * np.pi / lengths)[:, None], random.uniform(0.0, 2.0 * np.pi, size=_WAVES)


def disturbed_bones(skeleton: Skeleton, points: dict[str, FloatArray]) -> dict[BoneName, Field]:
    """Fields of all bones in their own frames (femur, patella, hip: leg frame; others: P), disturbed as the parameters ask.

    ``points`` is the truth in the leg frame. Patella and talus are nearly all joint and stay smooth.
    """
    p = skeleton.parameters
    tibia, fibula = skeleton.tibia, skeleton.fibula
    fields: dict[BoneName, Field] = {
        BoneName.FEMUR: skeleton.femur,
        BoneName.TIBIA: tibia,
        BoneName.FIBULA: fibula,
        BoneName.PATELLA: skeleton.patella,
        BoneName.TALUS: Talus(tibia, fibula),
        BoneName.HIP: skeleton.hip,
    }
    if p.roughness_mm == 0.0 and p.osteophyte_mm == 0.0:
        return fields
    inverse = skeleton.lower
    local = {name: (point - inverse.origin) @ inverse.axes for name, point in points.items()}
    head = float(skeleton.femur.head_radius)
    frames = {BoneName.FEMUR: points, BoneName.TIBIA: local, BoneName.FIBULA: local, BoneName.HIP: points}
    axes, origin = inverse.axes, inverse.origin
    facing = {
        BoneName.FEMUR: Placed(tibia, axes, origin),
        BoneName.TIBIA: Placed(skeleton.femur, np.ascontiguousarray(axes.T), -origin @ axes),
    }
    for bone, own in frames.items():
        inner = {
            name: _STILL_MM.get(name, 9.0) for name, point in own.items() if bone in _BONES_OF.get(name, (LANDMARKS[name].bone,))
        }
        inner = {name: head + 5.0 if name == "hip_centre" else radius for name, radius in inner.items()}
        centres, radii = np.array([own[name] for name in inner]), np.array(list(inner.values()))
        still = Still(centres, radii, radii + 12.0)
        spurs = _osteophytes(fields[bone], bone, skeleton, p.osteophyte_mm) if p.osteophyte_mm > 0.0 else ()
        surface = centres[np.abs(fields[bone](centres)) < _ON_BONE_MM]
        bare = Still(surface, np.full(len(surface), _BARE_MM[0]), np.full(len(surface), _BARE_MM[1]))
        fields[bone] = Disturbed(fields[bone], spurs, p.roughness_mm, *waves_of(p.seed, bone), still, bare, facing.get(bone))
    return fields


def _osteophytes(field: Field, bone: BoneName, skeleton: Skeleton, height_mm: float) -> tuple[tuple[FloatArray, FloatArray], ...]:
    """Spurs on the rims of the knee that stand off sideways: centre on the surface and radii, mm."""
    k = skeleton.femur.distal.scale
    vary = Variation(skeleton.parameters.seed, 1.0)
    spurs = []
    for name, side, forward, up in _SPURS.get(bone, ()):
        start = np.array([side * 36.0, forward + vary.shift(f"{bone} {name}", 2.5), up])
        outward = np.array([side, 0.0, 0.0])
        if bone is BoneName.FEMUR:
            start, outward = skeleton.femur.from_block(k * start), skeleton.femur.block_axes @ outward
        else:
            start = k * start
        reach = float(heights_along(field, start[None], outward, 20.0)[0])
        tall = height_mm * min(1.0, 0.75 * vary.factor(f"{bone} {name} size", 6.0))
        spurs.append((start + reach * outward, np.array([tall, 6.5 * k, 3.8 * k])))
    return tuple(spurs)
