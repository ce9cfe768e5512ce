"""Hounsfield values of bone by the depth below its surface: cortex, endosteal border, trabeculae that thin out, marrow.

Near the surface every voxel is divided into eight and the exact field is evaluated in each part, which gives the partial volume
of thin shells and curved edges; in the depth one value a voxel is enough.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Final

import numpy as np
from numpy.typing import NDArray

from surgiplan_desktop.base.arrays import AnyArray, FloatArray
from surgiplan_desktop.model.anatomy import label_code
from surgiplan_desktop.phantom.cortex import trabecular_share
from surgiplan_desktop.phantom.ct.grid import Lattice
from surgiplan_desktop.phantom.ct.texture import Texture, texture
from surgiplan_desktop.phantom.limb import Solid

Values = NDArray[np.float32]

CORTEX_HU: Final = 1550.0
#: Thin cortex is more porous: it loses this share as its thickness goes to 0, with this decay, mm.
_THIN_LOSS: Final = 0.38
_THIN_MM: Final = 1.6
#: Yellow marrow: 80 % fat, 15 % water, 5 % protein (Radiopaedia, bone marrow).
MARROW_HU: Final = -72.0
TRABECULAR_HU: Final = 190.0
#: What the bone under a joint has more than elsewhere, and how fast that fades with depth, mm.
_SUBCHONDRAL_HU: Final = 260.0
_SUBCHONDRAL_MM: Final = 6.0
_PLATE_MM: Final = 0.8
#: A bone surface is a joint surface where another bone lies nearer than this, mm.
_FACING_MM: Final = 6.5
#: How deep below the surface distances are needed; beyond it is all trabeculae or marrow, mm.
DEEP_MM: Final = 9.0


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """A bone in a slab: the part of the slab that holds it, its distances there (mm, negative inside)."""

    solid: Solid
    span: tuple[slice, slice, slice]
    distance: Values


@dataclass(frozen=True, slots=True, eq=False)
class BoneTextures:
    """What makes no two places alike: struts, patches of denser and looser spongy bone, thickness and pores of the cortex."""

    struts: Texture
    patches: Texture
    thickness: Texture

    @staticmethod
    def of(seed: int) -> BoneTextures:
        """Make the textures of a seed."""
        return BoneTextures(
            texture(seed, 21, (0.5, 0.5, 1.0), 0.9, 15.0),
            texture(seed, 22, (3.0, 3.0, 5.0), 1.2, 35.0),
            texture(seed, 23, (12.0, 12.0, 30.0), 1.2),
        )


def find_bones(lattice: Lattice, solids: tuple[Solid, ...]) -> list[Drawn]:
    """Evaluate the bones that reach into a lattice, in the order of ``solids``."""
    found = []
    for solid in solids:
        span = lattice.box(solid.lowest, solid.highest, DEEP_MM)
        if span is not None:
            found.append(Drawn(solid, span, lattice.distances(solid.field, span, DEEP_MM)))
    return found


def two_nearest(lattice: Lattice, bones: list[Drawn]) -> tuple[Values, Values]:
    """Distance to the nearest bone and to the one after it at each voxel, mm (1000 where far)."""
    nearest = np.full(lattice.shape, 1e3, dtype=np.float32)
    second = nearest.copy()
    for bone in bones:
        first, other = nearest[bone.span], second[bone.span]
        np.minimum(other, np.maximum(first, bone.distance), out=other)
        np.minimum(first, bone.distance, out=first)
    return nearest, second


def draw_bone(
    hounsfield: Values, codes: NDArray[np.uint16], lattice: Lattice, bone: Drawn, second: Values, grain: BoneTextures
) -> None:
    """Draw a bone into a slab and its code into the labels (a voxel is bone where its centre is).

    Parameters
    ----------
    second
        Distance to the second nearest bone (for points inside a bone the nearest other one), mm.
    """
    voxel = float(np.cbrt(np.prod(lattice.step)))
    where = np.nonzero(bone.distance < 0.9 * float(np.linalg.norm(lattice.step)) * 0.5 + 0.2)
    if len(where[0]) == 0:
        return
    distance = bone.distance[where].astype(np.float32)
    start = np.array([part.start for part in bone.span])
    index = np.stack(where, axis=1) + start
    points = lattice.affine(index.astype(np.float64))
    facing = np.clip((_FACING_MM - (second[bone.span][where] + np.minimum(distance, 0.0))) / 2.0, 0.0, 1.0)
    tissue = _Tissue.at(bone.solid, points, facing, grain)
    before = hounsfield[bone.span][where]
    shallow = distance > -(tissue.cortex + voxel + 0.5)
    value = before.copy()
    deep = ~shallow
    value[deep] = tissue.take(deep).hounsfield(-distance[deep])
    near = tissue.take(shallow)
    change = np.zeros(int(shallow.sum()), dtype=np.float32)
    for corner in product((-0.25, 0.25), repeat=3):
        offset = lattice.affine.linear @ np.array(corner)
        exact = bone.solid.field((points[shallow] + offset).astype(np.float32)).astype(np.float32)
        covered = np.clip(0.5 - exact / np.float32(0.5 * voxel), 0.0, 1.0)
        change += covered * (near.hounsfield(-exact) - before[shallow])
    value[shallow] += change / np.float32(8.0)
    hounsfield[bone.span][where] = value
    inside = distance < 0.0
    codes[bone.span][tuple(part[inside] for part in where)] = label_code(bone.solid.bone)


@dataclass(frozen=True, slots=True, eq=False)
class _Tissue:
    """What bone is made of at each of n points: thickness and value of its cortex, share and value of trabeculae."""

    cortex: Values
    cortex_hu: Values
    trabeculae: Values
    spongy_hu: Values
    joint: Values

    @staticmethod
    def at(solid: Solid, points: FloatArray, facing: Values, grain: BoneTextures) -> _Tissue:
        share = solid.share(points)
        patches, struts = grain.patches(points), grain.struts(points)
        uneven = np.clip(1.0 + 0.14 * grain.thickness(points), 0.65, 1.4)
        cortex = (solid.cortex_mm(points) * uneven).astype(np.float32)
        cortex += facing * (_PLATE_MM * uneven - cortex)
        porous = 1.0 - _THIN_LOSS * np.exp(-cortex / _THIN_MM)
        trabeculae = (trabecular_share(solid.bone.bone, share)).astype(np.float32)
        # struts are few and strong: the texture is skewed, and the fewer they are the more it shows
        rough = struts + 0.3 * (struts * struts - 1.0)
        spongy = TRABECULAR_HU * (1.0 + 0.22 * patches) + 62.0 * rough
        return _Tissue(
            cortex, (CORTEX_HU * porous + 25.0 * struts).astype(np.float32), trabeculae, spongy.astype(np.float32), facing
        )

    def take(self, which: NDArray[np.bool_]) -> _Tissue:
        """Return some of the points."""
        return _Tissue(
            self.cortex[which], self.cortex_hu[which], self.trabeculae[which], self.spongy_hu[which], self.joint[which]
        )

    def hounsfield(self, depth: AnyArray) -> Values:
        """Value at a depth below the surface, mm; outside the bone that of the cortex."""
        kind = np.float32
        # spongy bone is denser under the cortex, most of all under a joint
        border = kind(0.5) + kind(0.9) * self.trabeculae
        close = np.exp(np.minimum(self.cortex - depth, 0.0) / kind(_SUBCHONDRAL_MM))
        spongy = self.spongy_hu * (kind(0.8) + kind(0.5) * close) + kind(_SUBCHONDRAL_HU) * self.joint * close
        inner = kind(MARROW_HU) + self.trabeculae * (spongy - kind(MARROW_HU))
        into = np.clip((depth - self.cortex) / border + kind(0.5), 0.0, 1.0)
        result: Values = self.cortex_hu + into * (inner - self.cortex_hu)
        return result
