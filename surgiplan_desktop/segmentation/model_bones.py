"""Bones of the legs out of what networks said of the blocks of a scan: pieces, names by two witnesses, sides, labels, sanity."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from scipy import ndimage

from surgiplan_desktop.base.arrays import BoolArray, IntArray
from surgiplan_desktop.base.progress import SILENT, PartOfProgress, Progress
from surgiplan_desktop.base.spaces import Affine
from surgiplan_desktop.model.anatomy import BoneId, BoneName, Side, label_code
from surgiplan_desktop.model.images import LabelMap, Volume
from surgiplan_desktop.model.study import Finding
from surgiplan_desktop.segmentation.bones import FoundBone, found_bone, upside_down
from surgiplan_desktop.segmentation.fused import Fusion, cut_between, stacked_fusions, stacked_markers, twin_shafts
from surgiplan_desktop.segmentation.leg_networks import BlockAnswer, PackBones
from surgiplan_desktop.segmentation.model_labels import bridge_gap, label_map
from surgiplan_desktop.segmentation.model_names import NamesOfScan, names_by_both
from surgiplan_desktop.segmentation.named_pieces import Votes, first_choice, named_pieces, together
from surgiplan_desktop.segmentation.pieces import Chain, Piece, link_blocks, measure_pieces
from surgiplan_desktop.segmentation.sanity import missing_findings, piece_findings, size_findings
from surgiplan_desktop.segmentation.sides import sides_of_legs

#: Times that bones grown together are parted and named again.
_ROUNDS: Final = 3
#: Two shafts in one piece are looked for in pieces larger than this, mm3.
_TWINS_FROM_MM3: Final = 20000.0
#: A hip bone reaches beyond the middle between the legs by less than this share of its volume.
_LEAST_SHARE: Final = 0.1
#: What was not drawn inside a bone is told from this volume on, ml.
_FILLED_ML: Final = 3.0
#: Bone under another name than its piece is told from this volume on, ml.
_RENAMED_ML: Final = 3.0


@dataclass(frozen=True, slots=True, eq=False)
class BonesOfScan:
    """Label maps, bones and findings; ``upside_down`` where the shape of a bone says that the scan stands on its head."""

    labels: tuple[LabelMap, ...]
    bones: tuple[FoundBone, ...]
    findings: tuple[Finding, ...]
    upside_down: bool = False


@dataclass(slots=True, eq=False)
class _Pieces:
    """Pieces of one block and their votes by number from 1; both change while bones are parted."""

    said: BlockAnswer
    codes: IntArray
    votes: list[Votes]
    touching: list[tuple[int, int]]


def bones_of_answers(
    volumes: Sequence[Volume],
    answers: Sequence[BlockAnswer],
    bones: PackBones,
    *,
    expected: Side | None = None,
    proximal: int = 1,
    by_hounsfield: bool = True,
    progress: Progress = SILENT,
) -> BonesOfScan:
    """Name and label the bones of every block.

    Parameters
    ----------
    volumes, answers
        The blocks of one study and what the networks said of each.
    bones
        Which channels of the answers are bones.
    expected
        The side that request or tags say, for a single leg whose bones say none.
    proximal
        -1 where ``volumes`` were turned because the scan stands on its head, else +1.
    by_hounsfield
        Whether the values are Hounsfield values, so that they may place the boundary.
    """
    blocks = []
    renamed = 0.0
    for number, said in enumerate(answers):
        progress.step(0.3 * number / len(answers), 1.0, "naming_bones")
        found = named_pieces(said, bones)
        renamed += found.renamed_mm3 / 1000.0
        blocks.append(_Pieces(said, found.pieces, list(found.votes), list(found.touching)))
    names, notes = _named(blocks)
    if renamed >= _RENAMED_ML:
        notes.append(Finding("names_mended", "note", (("ml", round(renamed, 1)),)))
    turned = any(upside_down(leg) for leg in names.legs)
    verdicts = sides_of_legs(names.legs, names.others, proximal, expected) if names.legs else ()
    owners: list[dict[int, int]] = [{} for _ in blocks]
    found_chains: list[tuple[BoneId, Chain]] = []
    of_bone: dict[BoneId, list[Finding]] = {}
    for leg, verdict in zip(names.legs, verdicts, strict=True):
        notes += verdict.findings
        notes += missing_findings(str(verdict.side), leg)
        for name, height in leg.too_short.items():
            told = (("bone", f"{verdict.side} {name}"), ("height_mm", round(height, 1)))
            notes.append(Finding("bone_too_short", "note", told))
        for name, chain in leg.bones.items():
            bone = BoneId(verdict.side, name)
            found_chains.append((bone, chain))
            of_bone[bone] = size_findings(bone, chain)
            of_bone[bone] += _bridge(blocks, bone, chain)
            for piece in chain.pieces:
                owners[piece.block][piece.number] = label_code(bone)
    maps = []
    filled: dict[int, float] = {}
    for number, (volume, block, owner) in enumerate(zip(volumes, blocks, owners, strict=True)):
        part = PartOfProgress(progress, 0.35 + 0.6 * number / len(blocks), 0.35 + 0.6 * (number + 1) / len(blocks))
        labels, inside = label_map(volume, block.said, block.codes, owner, by_hounsfield=by_hounsfield, progress=part)
        maps.append(labels)
        for code, volume_mm3 in inside.items():
            filled[code] = filled.get(code, 0.0) + volume_mm3 / 1000.0
    boxes = [ndimage.find_objects(item.array) for item in maps]
    found_chains.sort(key=lambda item: label_code(item[0]))
    result = []
    for bone, chain in found_chains:
        item = found_bone(bone, chain, maps)
        inside_ml = filled.get(item.label, 0.0)
        if inside_ml >= _FILLED_ML:
            told = (("bone", f"{bone.side} {bone.bone}"), ("ml", round(inside_ml, 1)))
            of_bone[bone].append(Finding("bone_filled", "warn", told))
        every = (*item.findings, *of_bone[bone], *piece_findings(bone, maps, boxes))
        result.append(FoundBone(item.id, item.label, item.volume_mm3, item.touches_edge, every))
    progress.step(1.0, 1.0, "labelling_bones")
    return BonesOfScan(tuple(maps), tuple(result), tuple(notes), turned)


def _named(blocks: list[_Pieces]) -> tuple[NamesOfScan, list[Finding]]:
    """Name the pieces; part those that anatomy says are two bones, and name again."""
    notes = [_fused(BoneName.TIBIA, BoneName.FIBULA) for _ in range(_part_twins(blocks))]
    names = _names(blocks)
    if _part_hips(blocks, names):
        names = _names(blocks)
    for _ in range(_ROUNDS):
        fusions = [fusion for leg in names.legs for fusion in stacked_fusions(leg)]
        parted = [fusion for fusion in fusions if _part_stacked(blocks, fusion)]
        if not parted:
            break
        notes += [_fused(fusion.upper, fusion.lower) for fusion in parted]
        names = _names(blocks)
    left = [fusion for leg in names.legs for fusion in stacked_fusions(leg)]
    notes += [Finding("joint_not_separable", "fail", (("bones", f"{item.upper}, {item.lower}"),)) for item in left]
    return names, [*notes, *names.findings]


def _names(blocks: Sequence[_Pieces]) -> NamesOfScan:
    pieces = [
        piece for number, block in enumerate(blocks) for piece in measure_pieces(number, block.codes, block.said.grid.affine)
    ]
    chains = link_blocks(pieces)
    votes = [
        together([(blocks[piece.block].votes[piece.number - 1], piece.volume_mm3) for piece in chain.pieces]) for chain in chains
    ]
    chain_at = {(piece.block, piece.number): place for place, chain in enumerate(chains) for piece in chain.pieces}
    touching = [
        (chain_at[number, one], chain_at[number, two])
        for number, block in enumerate(blocks)
        for one, two in block.touching
        if (number, one) in chain_at and (number, two) in chain_at
    ]
    return names_by_both(chains, votes, touching)


def _fused(one: BoneName, two: BoneName) -> Finding:
    return Finding("joint_fused", "warn", (("bones", f"{one}, {two}"),))


def _part_twins(blocks: Sequence[_Pieces]) -> int:
    """Part a tibia from the fibula that the network left in one piece with it."""
    parted = 0
    for block in blocks:
        spacing = block.said.grid.spacing_mm
        for number, box in enumerate(ndimage.find_objects(block.codes), start=1):
            name, _ = first_choice(block.votes[number - 1])
            mask = block.codes[box] == number
            if name not in (BoneName.TIBIA, BoneName.FIBULA) or np.count_nonzero(mask) * np.prod(spacing) < _TWINS_FROM_MM3:
                continue
            markers = twin_shafts(mask, spacing, int(np.abs(block.said.grid.affine.linear[2]).argmax()))
            if markers is not None:
                halves = cut_between(mask, markers, block.said.hu[box], spacing)
                _replace(block, number, box, mask, halves, (BoneName.TIBIA, BoneName.FIBULA))
                parted += 1
    return parted


def _part_hips(blocks: Sequence[_Pieces], names: NamesOfScan) -> bool:
    """Part a pelvis between two legs: both hip bones meet in front, and the network has one name for them."""
    if len(names.legs) < 2:
        return False
    middle = 0.5 * sum(leg.centre_x for leg in names.legs)
    parted = False
    for block in blocks:
        for number, box in enumerate(ndimage.find_objects(block.codes), start=1):
            if first_choice(block.votes[number - 1])[0] is not BoneName.HIP:
                continue
            mask = block.codes[box] == number
            index = np.argwhere(mask)
            start = np.array([item.start for item in box])
            beyond = block.said.grid.affine((index + start).astype(np.float64))[:, 0] > middle
            if _LEAST_SHARE <= beyond.mean() <= 1.0 - _LEAST_SHARE:
                halves = np.where(mask, 1, 0).astype(np.int32)
                halves[tuple(index[beyond].T)] = 2
                _replace(block, number, box, mask, halves, (BoneName.HIP, BoneName.HIP))
                parted = True
    return parted


def _part_stacked(blocks: Sequence[_Pieces], fusion: Fusion) -> bool:
    block, number = blocks[fusion.piece.block], fusion.piece.number
    box = ndimage.find_objects(block.codes)[number - 1]
    mask = block.codes[box] == number
    start = np.array([item.start for item in box], dtype=np.float64)
    affine = block.said.grid.affine @ Affine.from_parts(np.eye(3), start)
    markers = stacked_markers(mask, affine, fusion, 1)
    if not ((markers == 1).any() and (markers == 2).any()):
        return False
    halves = cut_between(mask, markers, block.said.hu[box], block.said.grid.spacing_mm)
    _replace(block, number, box, mask, halves, (fusion.upper, fusion.lower))
    return True


def _replace(
    block: _Pieces, number: int, box: tuple[slice, ...], mask: BoolArray, halves: IntArray, names: tuple[BoneName, BoneName]
) -> None:
    """Give the second half of a piece a number of its own; what they are called is what the parting says."""
    here = block.codes[box]
    here[mask & (halves == 2)] = len(block.votes) + 1
    here[mask & (halves == 0)] = 0
    block.touching = [pair for pair in block.touching if number not in pair]
    block.votes[number - 1] = {names[0]: 1.0}
    block.votes.append({names[1]: 1.0})


def _bridge(blocks: Sequence[_Pieces], bone: BoneId, chain: Chain) -> list[Finding]:
    """Fill what was lost between two stretches of one shaft in one block, and tell it."""
    ordered: list[Piece] = sorted(chain.pieces, key=lambda piece: -float(piece.z_mm[-1]))
    notes = []
    for upper, lower in pairwise(ordered):
        if upper.block == lower.block and not _meet(blocks[upper.block].codes, upper.number, lower.number):
            block = blocks[upper.block]
            whole = bridge_gap(block.said, block.codes, upper.number, lower.number)
            told = (("bone", f"{bone.side} {bone.bone}"), ("z_mm", round(float(upper.z_mm[0]))))
            notes.append(Finding("shaft_bridged" if whole else "shaft_interrupted", "warn", told))
    return notes


def _meet(codes: IntArray, one: int, two: int) -> bool:
    """Tell whether two pieces touch."""
    boxes = ndimage.find_objects(codes)
    low = [max(0, min(boxes[number - 1][axis].start for number in (one, two)) - 1) for axis in range(3)]
    high = [max(boxes[number - 1][axis].stop for number in (one, two)) + 1 for axis in range(3)]
    here = codes[tuple(slice(first, last) for first, last in zip(low, high, strict=True))]
    return bool((ndimage.binary_dilation(here == one, np.ones((3, 3, 3), dtype=np.bool_)) & (here == two)).any())
