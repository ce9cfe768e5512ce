"""From pieces on the network's grid to the labels of the scan: between voxels by the chance of bone, then on the bone's edge.

The network's surface is good to a part of its own voxel. Within little more than a millimetre of it the half-way value of the
Hounsfield profile says where the bone ends (:mod:`surgiplan_desktop.geometry.edge`); farther away nothing is believed but the
network, so that neither a vessel nor a metal streak becomes bone, nor a weak spot of the cortex a hole.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from scipy import ndimage

from surgiplan_desktop.base.arrays import BoolArray, FloatArray, IntArray, frozen
from surgiplan_desktop.base.progress import SILENT, Progress
from surgiplan_desktop.geometry.edge import half_way_values
from surgiplan_desktop.model.anatomy import BoneName, bone_of_label
from surgiplan_desktop.model.images import LabelMap, Volume
from surgiplan_desktop.segmentation.joint_border import along_dark_line
from surgiplan_desktop.segmentation.label_ops import (
    CLOSING_MM,
    LOW_HU,
    closed_pores,
    grown,
    largest,
    smoothed,
    solid_inside,
    widened,
)
from surgiplan_desktop.segmentation.leg_networks import BlockAnswer
from surgiplan_desktop.segmentation.network_grid import Box, Float32Image, box_on_block, field_on_block
from surgiplan_desktop.segmentation.tile_grid import Index3

#: The edge by Hounsfield values is looked for this far outside and inside the network's surface, mm.
_OUTWARD_MM: Final = 1.2
_INWARD_MM: Final = 1.6
#: A chance below this is no bone, 0..255.
_LEAST_CHANCE: Final = 13
_MARGIN: Final = 3
#: How wide a mouth (half of it, mm) is closed before what one bone encloses is filled: the widest of 4, 8, 12 that adds at
#: most 0.2 % to the true bones of procedural legs.
_CLOSING_MM: Final = {BoneName.FEMUR: 8.0, BoneName.TIBIA: 12.0, BoneName.PATELLA: 12.0, BoneName.FIBULA: 12.0}
#: A lost stretch of shaft is taken up where this share of its section is dense.
_DENSE_SHARE: Final = 0.25


def label_map(
    volume: Volume,
    said: BlockAnswer,
    pieces: IntArray,
    owners: Mapping[int, int],
    *,
    by_hounsfield: bool = True,
    progress: Progress = SILENT,
) -> tuple[LabelMap, dict[int, float]]:
    """Label one block, and tell by code how much of a bone was not drawn but lies inside it, mm3.

    Parameters
    ----------
    volume
        The block.
    said
        What the network said of it.
    pieces
        Pieces on the network's grid.
    owners
        Label code by number of a piece; several pieces may be one bone. Pieces without a code only hold the others off.
    by_hounsfield
        Move the boundary to the half-way edge; not where values are no Hounsfield values.
    """
    labels = np.zeros(volume.shape, dtype=np.uint16)
    boxes = ndimage.find_objects(pieces)
    codes = sorted(set(owners.values()))
    inside: dict[int, float] = {}
    for number, code in enumerate(codes):
        progress.step(number, len(codes), "labelling_bones")
        mine = [piece for piece, other in owners.items() if other == code and boxes[piece - 1] is not None]
        if not mine:
            continue
        low = [min(boxes[piece - 1][axis].start for piece in mine) - _MARGIN for axis in range(3)]
        high = [max(boxes[piece - 1][axis].stop for piece in mine) + _MARGIN for axis in range(3)]
        first, last = _clipped(low, pieces.shape), _clipped(high, pieces.shape)
        bone_id = bone_of_label(code)
        closing = _CLOSING_MM.get(bone_id.bone, CLOSING_MM) if bone_id is not None else CLOSING_MM
        own, foreign, box, inside[code] = _interpolated(said, pieces, mine, first, last, closing)
        if not own.any():
            continue
        if by_hounsfield:
            own, foreign = along_dark_line(own, foreign, volume.array[box], volume.spacing_kji_mm)
            bone = _on_edge(volume, own, foreign, box)
        else:
            bone = largest(ndimage.binary_fill_holes(own))
        labels[box][bone & (labels[box] == 0)] = code
    return LabelMap(frozen(labels), volume.affine), inside


def _clipped(place: Sequence[int], shape: tuple[int, ...]) -> Index3:
    k, j, i = (min(max(0, value), size) for value, size in zip(place, shape, strict=True))
    return k, j, i


def _interpolated(
    said: BlockAnswer, pieces: IntArray, mine: Sequence[int], first: Index3, last: Index3, closing_mm: float
) -> tuple[BoolArray, BoolArray, Box, float]:
    """Voxels of the scan that are likelier this bone than not, those that are another, their box, and what was filled (mm3)."""
    part = tuple(slice(low, high) for low, high in zip(first, last, strict=True))
    chance = said.answer.chance[part]
    here = grown(pieces[part], chance >= _LEAST_CHANCE, 2)
    is_mine = np.isin(here, mine)
    share = chance.astype(np.float32) / np.float32(255.0)
    # what lies inside a bone belongs to it, though the network took its fat for fat
    drawn = np.isin(pieces[part], mine)
    whole = solid_inside(drawn, (pieces[part] > 0) & ~drawn, said.grid.spacing_mm, closing_mm)
    filled_mm3 = float(np.count_nonzero(whole & ~drawn)) * float(np.prod(said.grid.spacing_mm))
    is_mine |= whole
    share[whole] = np.maximum(share[whole], np.float32(0.6))
    box = box_on_block(first, last, said.grid)
    own = field_on_block(np.where(is_mine, share, np.float32(0.0)), first, said.grid, box)
    other = field_on_block(np.where(~is_mine & (here > 0), share, np.float32(0.0)), first, said.grid, box)
    bone = (own >= 0.5) | ((own > other) & (own + other >= 0.5))
    foreign = (other >= 0.5) | ((other > own) & (own + other >= 0.5))
    return bone, foreign, box, filled_mm3


def _on_edge(volume: Volume, own: BoolArray, foreign: BoolArray, box: Box) -> BoolArray:
    spacing = volume.spacing_kji_mm
    own = ndimage.binary_fill_holes(own)
    hu: Float32Image = smoothed(volume.array[box], spacing)
    core = _moved(own, spacing, -_INWARD_MM)
    room = _moved(own, spacing, _OUTWARD_MM) & ~foreign
    level = half_way_values(hu, room, spacing)
    bone: BoolArray = core | (room & (hu > level))
    return largest(ndimage.binary_fill_holes(closed_pores(largest(bone), foreign)))


def _moved(mask: BoolArray, spacing_mm: FloatArray, by_mm: float) -> BoolArray:
    """Grow or shrink a mask by about so much, axis by axis; the edge of the box is no edge of the bone."""
    # a box of this half width has its corners at about the distance wanted
    reach = [max(1 if abs(by_mm) >= step else 0, round(0.8 * abs(by_mm) / step)) for step in spacing_mm.tolist()]
    return widened(mask, reach if by_mm > 0 else [-voxels for voxels in reach])


def bridge_gap(said: BlockAnswer, pieces: IntArray, upper: int, lower: int) -> bool:
    """Fill a lost stretch of a shaft between two pieces, as far as dense bone is there in every layer.

    What is filled becomes part of the upper piece, with a chance just above half. Returns whether the pieces hang together now.
    """
    axis = int(np.abs(said.grid.affine.linear[2]).argmax())
    layers = np.moveaxis(pieces, axis, 0)
    hu = np.moveaxis(said.hu, axis, 0)
    chance = np.moveaxis(said.answer.chance, axis, 0)
    ends = [np.flatnonzero((layers == piece).any(axis=(1, 2))) for piece in (upper, lower)]
    if not all(len(item) for item in ends):
        return False
    # which of the two comes first along the array
    first, second = (lower, upper) if ends[1].max() <= ends[0].min() else (upper, lower)
    start, stop = int(ends[0 if first == upper else 1].max()), int(ends[0 if second == upper else 1].min())
    if stop - start <= 1:
        return stop >= start
    one, two = (
        np.argwhere(layers[place] == piece) for place, piece in ((start - 1, first), (min(stop + 1, len(layers) - 1), second))
    )
    if not len(one) or not len(two):
        return False
    area = 0.5 * (len(one) + len(two))
    j, i = np.indices(layers.shape[1:])
    for layer in range(start, stop + 1):
        share = (layer - start + 1) / (stop - start + 2)
        middle = (1.0 - share) * one.mean(axis=0) + share * two.mean(axis=0)
        tube = (j - middle[0]) ** 2 + (i - middle[1]) ** 2 <= 1.6 * area / np.pi
        dense = ndimage.binary_fill_holes(tube & (hu[layer] > LOW_HU) & (layers[layer] == 0))
        if start < layer < stop and np.count_nonzero(dense) < _DENSE_SHARE * area:
            return False
        layers[layer][dense] = upper
        chance[layer][dense] = np.maximum(chance[layer][dense], 153)
    return True
