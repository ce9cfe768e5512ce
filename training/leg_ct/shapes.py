"""Shapes to learn from: procedural legs as volumes of the distance to the nearest bone and of that bone's code.

    python training/leg_ct/shapes.py FOLDER [--legs 96] [--first 0]

One file a leg (``leg_00012.npz``), a right leg each; those that exist are kept. Each holds, on a grid of 1.5 mm with axes
(k superior, j posterior, i left; LPS): ``depth`` int8, signed distance to the nearest bone surface in 0.1 mm (positive inside,
clipped at 12.7 mm); ``code`` uint8, the code of the nearest bone (1 femur, 2 tibia, 3 patella, 4 fibula, 5 talus, 6 hip bone, 7
any other bone), 0 further than the clip; ``origin`` LPS of the first voxel, mm.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import NamedTuple

import numpy as np
from foot import foot_field

from surgiplan_desktop.base.arrays import FloatArray
from surgiplan_desktop.model.anatomy import BoneName, Side, label_code
from surgiplan_desktop.phantom.draws import draw_leg
from surgiplan_desktop.phantom.fields import Field
from surgiplan_desktop.phantom.limb import Leg, build_leg

STEP_MM = 1.5
#: Depth is stored in tenths of a millimetre within the range of int8.
DEPTH_UNIT_MM = 0.1
REACH_MM = 12.7
OTHER_BONE = 7
#: Meshes are needed only for the boxes of the bones: coarse ones do.
_MESH_STEP_MM = 3.0
_POINTS_AT_ONCE = 2_000_000


CodedField = tuple[int, Field, FloatArray, FloatArray]


class Shape(NamedTuple):
    """A leg as volumes; see the head of the file."""

    depth: np.ndarray
    code: np.ndarray
    origin: np.ndarray


def drawn_fields(seed: int) -> tuple[Leg, list[CodedField]]:
    """Draw the right leg of a seed, with a foot below the talus: its bones as code, field and corners of the box."""
    leg = build_leg(draw_leg(seed, side=Side.RIGHT), step_mm=_MESH_STEP_MM)
    talus = next(solid for solid in leg.solids if solid.bone.bone is BoneName.TALUS)
    tibia = next(solid for solid in leg.solids if solid.bone.bone is BoneName.TIBIA)
    foot, foot_low, foot_high = foot_field(talus, tibia, np.random.default_rng(seed))
    fields = [(label_code(solid.bone), solid.field, solid.lowest, solid.highest) for solid in leg.solids]
    return leg, [*fields, (OTHER_BONE, foot, foot_low, foot_high)]


def shape_of(fields: list[CodedField]) -> Shape:
    """Sample fields on one grid."""
    margin = REACH_MM + STEP_MM
    lowest = np.min([low for _, _, low, _ in fields], axis=0) - margin
    highest = np.max([high for _, _, _, high in fields], axis=0) + margin
    size = np.ceil((highest - lowest) / STEP_MM).astype(int) + 1
    nearest = np.full(size[::-1], REACH_MM, dtype=np.float32)
    code = np.zeros(size[::-1], dtype=np.uint8)
    for number, field, low, high in fields:
        first = np.maximum(np.floor((low - margin - lowest) / STEP_MM).astype(int), 0)
        last = np.minimum(np.ceil((high + margin - lowest) / STEP_MM).astype(int) + 1, size)
        part = tuple(slice(int(a), int(b)) for a, b in zip(first[::-1], last[::-1], strict=True))
        axes = [lowest[axis] + STEP_MM * np.arange(first[axis], last[axis]) for axis in (2, 1, 0)]
        z, y, x = np.meshgrid(*axes, indexing="ij")
        points = np.stack([x.ravel(), y.ravel(), z.ravel()], axis=1).astype(np.float32)
        chunks = np.array_split(points, max(1, len(points) // _POINTS_AT_ONCE))
        value = np.concatenate([np.asarray(field(chunk)) for chunk in chunks]).reshape(z.shape)
        closer = value < nearest[part]
        nearest[part][closer] = value[closer]
        code[part][closer] = number
    depth = np.clip(np.rint(-nearest / DEPTH_UNIT_MM), -127, 127).astype(np.int8)
    return Shape(depth, code, lowest)


def main() -> None:
    """Write the shapes that are not there yet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--legs", type=int, default=96)
    parser.add_argument("--first", type=int, default=0)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    for seed in range(options.first, options.first + options.legs):
        path = options.folder / f"leg_{seed:05d}.npz"
        if path.exists():
            continue
        shape = shape_of(drawn_fields(seed)[1])
        partial = path.with_suffix(".part.npz")
        np.savez_compressed(partial, depth=shape.depth, code=shape.code, origin=shape.origin)
        partial.rename(path)
        print(path.name, shape.depth.shape, flush=True)


if __name__ == "__main__":
    main()
