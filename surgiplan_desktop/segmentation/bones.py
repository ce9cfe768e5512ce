"""The path without AI: bones of the leg from Hounsfield values, named, with their side.

It stays for sites and scans where a model does not apply, so it names nothing of which it is unsure and says so in findings.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from scipy import ndimage

from surgiplan_desktop.base.arrays import BoolArray, IntArray, frozen
from surgiplan_desktop.base.errors import InputDataError
from surgiplan_desktop.base.progress import SILENT, PartOfProgress, Progress
from surgiplan_desktop.base.spaces import Affine
from surgiplan_desktop.geometry.edge import FloatImage, half_way_values
from surgiplan_desktop.geometry.slices import bridged, displaced_slices
from surgiplan_desktop.model.anatomy import BoneId, BoneName, Side, label_code
from surgiplan_desktop.model.images import LabelMap, Volume
from surgiplan_desktop.model.study import Finding
from surgiplan_desktop.segmentation.fused import Fusion, cut_between, stacked_fusions, stacked_markers, twin_shafts
from surgiplan_desktop.segmentation.label_ops import (
    CROSS,
    LOW_HU,
    bone_voxels,
    closed_pores,
    filled,
    grown,
    largest,
    smoothed,
    solid_inside,
)
from surgiplan_desktop.segmentation.naming import NamedLeg, name_legs, with_fibular_head
from surgiplan_desktop.segmentation.pieces import Chain, link_blocks, measure_pieces
from surgiplan_desktop.segmentation.separate import separate
from surgiplan_desktop.segmentation.sides import sides_of_legs
from surgiplan_desktop.segmentation.vessels import vessels_of
from surgiplan_desktop.segmentation.wrapping import without_wrapping

METHOD: Final = "threshold"
VERSION: Final = "6"
#: Largest regions of one block are taken apart one by one with this margin, voxels.
_MARGIN: Final = 3
#: A region of bone smaller than this is looked at by nobody, mm3.
_LEAST_REGION_MM3: Final = 600.0
#: Vessels with contrast medium are told from this volume on, ml.
_VESSELS_ML: Final = 1.0
#: What got no name is told from this volume on, mm3, where it lies so far above the end of the legs' shanks (mm: bones of the
#: foot have none) and is no board, whose sections are wider than deep by more than this.
_UNNAMED_MM3: Final = 15000.0
_ABOVE_FOOT_MM: Final = 30.0
_BOARD: Final = 4.0


@dataclass(frozen=True, slots=True)
class FoundBone:
    """A bone that was found: its label code, volume (mm3), whether an edge of the scan cuts it, and what must be known."""

    id: BoneId
    label: int
    volume_mm3: float
    touches_edge: bool
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class BoneLabelling:
    """A label map a block, the bones in them, and findings that belong to no single bone."""

    labels: tuple[LabelMap, ...]
    bones: tuple[FoundBone, ...]
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True, eq=False)
class _Block:
    volume: Volume
    pieces: IntArray
    hu: FloatImage
    vessels_mm3: float


def find_bones(volumes: Sequence[Volume], *, expected: Side | None = None, progress: Progress = SILENT) -> BoneLabelling:
    """Find and name the bones of one or two legs.

    Parameters
    ----------
    volumes
        The blocks of one study in one frame of reference; any order.
    expected
        The side that request or tags say: taken for a single leg whose bones say none, never against them.
    progress
        Reports steps; may raise Cancelled.

    Returns
    -------
    BoneLabelling
        Label maps on the grids of the volumes, in their order; bones without a name stay 0.

    Raises
    ------
    InputDataError
        ``no_bone_found`` when there is no bone at all, ``no_bone_named`` when none of what there is can be named.
    """
    if not volumes:
        raise ValueError("find_bones needs at least one volume")
    findings: list[Finding] = []
    blocks = []
    for number, volume in enumerate(volumes):
        part = PartOfProgress(progress, 0.8 * number / len(volumes), 0.8 * (number + 1) / len(volumes))
        wrong = displaced_slices(volume) if volume.shape[0] > 2 else ()
        findings += [displaced(number, k, volume) for k in wrong]
        bare, wrapped = without_wrapping(number, bridged(volume, wrong))
        findings += wrapped
        blocks.append(_take_apart(bare, part))
    if not any(block.pieces.any() for block in blocks):
        raise InputDataError("no_bone_found", threshold_hu=LOW_HU)
    vessels_ml = sum(block.vessels_mm3 for block in blocks) / 1000.0
    if vessels_ml >= _VESSELS_ML:
        findings.append(Finding("vessels_left_out", "note", (("ml", round(vessels_ml, 1)),)))
    progress.step(0.8, 1.0, "naming_bones")
    blocks, legs, chains, up, notes = _named(blocks)
    if not legs:
        raise InputDataError("no_bone_named", pieces=len(chains))
    if up < 0:
        notes.append(Finding("scan_upside_down", "critical"))
    named = {id(chain) for leg in legs for chain in leg.bones.values()}
    unnamed = [chain for chain in chains if id(chain) not in named]
    notes += _unnamed(legs, unnamed)
    verdicts = sides_of_legs(legs, unnamed, up, expected)
    owners: list[dict[int, int]] = [{} for _ in blocks]
    found: list[tuple[BoneId, Chain]] = []
    for leg, verdict in zip(legs, verdicts, strict=True):
        notes += verdict.findings
        for name, height in leg.too_short.items():
            seen = (("bone", f"{verdict.side} {name}"), ("height_mm", round(height, 1)))
            notes.append(Finding("bone_too_short", "note", seen))
        for name, chain in leg.bones.items():
            bone = BoneId(verdict.side, name)
            found.append((bone, chain))
            for piece in chain.pieces:
                owners[piece.block][piece.number] = label_code(bone)
    maps = []
    for number, (block, owner) in enumerate(zip(blocks, owners, strict=True)):
        progress.step(0.85 + 0.15 * number / len(blocks), 1.0, "labelling_bones")
        maps.append(_label_map(block, owner))
    found.sort(key=lambda item: label_code(item[0]))
    bones = tuple(found_bone(bone, chain, maps) for bone, chain in found)
    progress.step(1.0, 1.0, "labelling_bones")
    return BoneLabelling(tuple(maps), bones, tuple(findings + notes))


def parted_chains(volumes: Sequence[Volume], *, progress: Progress = SILENT) -> tuple[list[IntArray], tuple[Chain, ...]]:
    """Take the bones of all blocks apart by Hounsfield values and anatomy, without labelling them.

    Returns
    -------
    tuple
        Pieces (k, j, i) of each block, 0 where there is none, and the chains that they make through the blocks.

    Raises
    ------
    InputDataError
        ``no_bone_found``.
    """
    blocks = []
    for number, volume in enumerate(volumes):
        blocks.append(_take_apart(volume, PartOfProgress(progress, number / len(volumes), (number + 1) / len(volumes))))
    if not any(block.pieces.any() for block in blocks):
        raise InputDataError("no_bone_found", threshold_hu=LOW_HU)
    blocks, _, chains, _, _ = _named(blocks)
    return [block.pieces for block in blocks], chains


def displaced(block: int, k: int, volume: Volume) -> Finding:
    """Return what is told of a slice that does not fit between its neighbours."""
    height = float(volume.affine(np.array([k, 0.0, 0.0]))[2])
    return Finding("slice_displaced", "warn", (("block", block), ("slice", k), ("z_mm", round(height, 1))))


def _take_apart(volume: Volume, progress: Progress) -> _Block:
    """Threshold, fill and separate one block."""
    spacing = volume.spacing_kji_mm
    progress.step(0, 4, "thresholding")
    hu = smoothed(volume.array, spacing)
    progress.step(1, 4, "thresholding")
    mask = bone_voxels(hu, spacing)
    progress.step(2, 4, "filling_marrow")
    axis = _long_axis(volume.affine)
    order = [axis, *(other for other in range(3) if other != axis)]
    solid = filled(mask.transpose(order), spacing[order]).transpose(np.argsort(order))
    progress.step(3, 4, "separating_bones")
    pieces = np.zeros(solid.shape, dtype=np.int32)
    regions, count = ndimage.label(solid, structure=np.ones((3, 3, 3)))
    sizes = np.bincount(regions.ravel(), minlength=count + 1) * float(np.prod(spacing))
    offset = 0
    for region, box in enumerate(ndimage.find_objects(regions), start=1):
        if sizes[region] < _LEAST_REGION_MM3:
            continue
        parted = separate(regions[box] == region, spacing)
        here = pieces[box]
        here[parted > 0] = parted[parted > 0] + offset
        offset += int(parted.max())
        progress.step(3, 4, "separating_bones")
    vessels = vessels_of(pieces, hu, spacing)
    pieces[vessels] = 0
    return _Block(volume, pieces, hu, float(np.count_nonzero(vessels) * np.prod(spacing)))


def _long_axis(affine: Affine) -> int:
    return int(np.abs(affine.linear[2]).argmax())


def _named(blocks: list[_Block]) -> tuple[list[_Block], tuple[NamedLeg, ...], tuple[Chain, ...], int, list[Finding]]:
    """Name the pieces; part those that anatomy says are two bones, and name again."""
    notes: list[Finding] = []
    up = 1
    chains = _chains(blocks, up)
    blocks, parted = _part_twins(blocks, chains)
    if parted:
        notes += [_fused(BoneName.TIBIA, BoneName.FIBULA)] * parted
        chains = _chains(blocks, up)
    legs = _legs(chains)
    if any(upside_down(leg) for leg in legs):
        up = -1
        chains = _chains(blocks, up)
        legs = _legs(chains)
    for _ in range(2):
        fusions = [fusion for leg in legs for fusion in stacked_fusions(leg)]
        if not fusions:
            break
        blocks = _part_stacked(blocks, fusions, up)
        notes += [_fused(fusion.upper, fusion.lower) for fusion in fusions]
        chains = _chains(blocks, up)
        legs = _legs(chains)
    left = [fusion for leg in legs for fusion in stacked_fusions(leg)]
    if left:
        notes += [Finding("joint_not_separable", "fail", (("bones", f"{item.upper}, {item.lower}"),)) for item in left]
        spoilt = {id(item.piece) for item in left}
        legs = tuple(_without(leg, spoilt) for leg in legs)
    return blocks, tuple(leg for leg in legs if leg.bones), chains, up, notes


def _legs(chains: Sequence[Chain]) -> tuple[NamedLeg, ...]:
    """Name the bones of every leg, fibulae with their heads."""
    legs = name_legs(chains)
    named = {id(chain) for leg in legs for chain in leg.bones.values()}
    unnamed = [chain for chain in chains if id(chain) not in named]
    return tuple(with_fibular_head(leg, unnamed)[0] for leg in legs)


def _without(leg: NamedLeg, spoilt: set[int]) -> NamedLeg:
    bones = {name: chain for name, chain in leg.bones.items() if not spoilt & {id(piece) for piece in chain.pieces}}
    return replace(leg, bones=bones)


def _unnamed(legs: Sequence[NamedLeg], chains: Sequence[Chain]) -> list[Finding]:
    """Tell of large pieces of bone that nobody named: the other leg, or half of a bone that was parted."""
    ends = [tibia.low for leg in legs if (tibia := leg.bones.get(BoneName.TIBIA)) is not None and not tibia.low_cut]
    lowest = max(ends) + _ABOVE_FOOT_MM if ends else -np.inf
    notes = []
    for chain in chains:
        x, y, z = chain.centroid.tolist()
        if chain.volume_mm3 >= _UNNAMED_MM3 and z > lowest and chain.wide_axis(chain.low, chain.high)[1] < _BOARD:
            told = (("ml", round(chain.volume_mm3 / 1000.0, 1)), ("x_mm", round(x)), ("y_mm", round(y)), ("z_mm", round(z)))
            notes.append(Finding("bone_unnamed", "warn", told))
    return notes


def _fused(one: BoneName, two: BoneName) -> Finding:
    return Finding("joint_fused", "warn", (("bones", f"{one}, {two}"),))


def _chains(blocks: Sequence[_Block], up: int) -> tuple[Chain, ...]:
    turned = Affine(np.diag([1.0, 1.0, float(up), 1.0]))
    pieces = [
        piece
        for number, block in enumerate(blocks)
        for piece in measure_pieces(number, block.pieces, turned @ block.volume.affine)
    ]
    return link_blocks(pieces)


def upside_down(leg: NamedLeg) -> bool:
    """Tell whether a leg stands on its head: a whole tibia is wider at the plateau than at the ankle."""
    tibia = leg.bones.get(BoneName.TIBIA)
    if tibia is None or tibia.low_cut or tibia.high_cut:
        return False
    fifth = 0.2 * tibia.length
    top = tibia.area_mm2[tibia.between(tibia.high - fifth, tibia.high)].max()
    bottom = tibia.area_mm2[tibia.between(tibia.low, tibia.low + fifth)].max()
    return bool(bottom > 1.2 * top)


def _part_twins(blocks: list[_Block], chains: Sequence[Chain]) -> tuple[list[_Block], int]:
    """Part pieces in which two shafts run side by side."""
    parted = 0
    for chain in chains[:8]:
        for piece in chain.pieces:
            block = blocks[piece.block]
            if piece.volume_mm3 < 20000.0 or len(piece.z_mm) < 20:
                continue
            box = _box(block.pieces, piece.number)
            mask = block.pieces[box] == piece.number
            spacing = block.volume.spacing_kji_mm
            markers = twin_shafts(mask, spacing, _long_axis(block.volume.affine))
            if markers is not None:
                blocks = _replace(blocks, piece.block, box, mask, cut_between(mask, markers, block.hu[box], spacing))
                parted += 1
    return blocks, parted


def _part_stacked(blocks: list[_Block], fusions: Sequence[Fusion], up: int) -> list[_Block]:
    for fusion in fusions:
        block = blocks[fusion.piece.block]
        box = _box(block.pieces, fusion.piece.number)
        mask = block.pieces[box] == fusion.piece.number
        start = np.array([item.start for item in box], dtype=np.float64)
        affine = block.volume.affine @ Affine.from_parts(np.eye(3), start)
        markers = stacked_markers(mask, affine, fusion, up)
        if (markers == 1).any() and (markers == 2).any():
            halves = cut_between(mask, markers, block.hu[box], block.volume.spacing_kji_mm)
            blocks = _replace(blocks, fusion.piece.block, box, mask, halves)
    return blocks


def _box(pieces: IntArray, number: int) -> tuple[slice, slice, slice]:
    k, j, i = ndimage.find_objects((pieces == number).astype(np.uint8))[0]
    return k, j, i


def _replace(
    blocks: list[_Block], number: int, box: tuple[slice, slice, slice], mask: BoolArray, halves: IntArray
) -> list[_Block]:
    pieces = blocks[number].pieces.copy()
    here = pieces[box]
    here[mask & (halves == 2)] = int(pieces.max()) + 1
    here[mask & (halves == 0)] = 0
    result = list(blocks)
    result[number] = replace(blocks[number], pieces=pieces)
    return result


def _label_map(block: _Block, owner: dict[int, int]) -> LabelMap:
    """Turn pieces into labels whose boundary is the half-way edge, closed and in one piece each."""
    spacing = block.volume.spacing_kji_mm
    table = np.zeros(int(block.pieces.max()) + 1, dtype=np.int32)
    # bones without a name keep a code of their own while labels grow, so that nothing grows into them
    table[1:] = 10000 + np.arange(1, len(table))
    for number, code in owner.items():
        table[number] = code
    codes = grown(table[block.pieces], block.hu > LOW_HU, 2)
    labels = np.zeros(codes.shape, dtype=np.uint16)
    for code, box in _boxes(codes, sorted(set(owner.values()))):
        foreign = (codes[box] > 0) & (codes[box] != code)
        own = solid_inside(codes[box] == code, foreign, spacing)
        level = half_way_values(block.hu[box], own, spacing)
        core = ndimage.binary_erosion(own, CROSS, iterations=2, border_value=1)
        bone = largest(closed_pores(core | (own & (block.hu[box] > level)), foreign))
        labels[box][bone] = code
    return LabelMap(frozen(labels), block.volume.affine)


def _boxes(codes: IntArray, wanted: Sequence[int]) -> list[tuple[int, tuple[slice, slice, slice]]]:
    small = np.where(codes < 10000, codes, 0)
    found = ndimage.find_objects(small)
    result = []
    for code in wanted:
        if code <= len(found) and found[code - 1] is not None:
            k, j, i = (
                slice(max(0, item.start - _MARGIN), min(size, item.stop + _MARGIN))
                for item, size in zip(found[code - 1], codes.shape, strict=True)
            )
            result.append((code, (k, j, i)))
    return result


def found_bone(bone: BoneId, chain: Chain, maps: Sequence[LabelMap]) -> FoundBone:
    """Return what is told of a bone that was found: volume over all blocks, and whether an edge of the scan cuts it."""
    code = label_code(bone)
    volume = sum(float(np.count_nonzero(item.array == code) * abs(np.linalg.det(item.affine.linear))) for item in maps)
    findings: tuple[Finding, ...] = ()
    if chain.cut:
        findings = (Finding("bone_cut_by_field_of_view", "note", (("bone", f"{bone.side} {bone.bone}"),)),)
    return FoundBone(bone, code, round(volume, 1), chain.cut, findings)
