"""Pieces of bone out of what a network said: names held against the shape of the bones, so that one bone is one piece.

A network draws bone well and at times names it wrongly: a stretch of shaft near the edge of the scan, a lump on a condyle. The
landscape of depth (:mod:`surgiplan_desktop.segmentation.separate`) knows no names and parts bones at their waists. Both together:
where landscape and names agree there is a joint; where names alone change, it is a joint only if anatomy lets the two bones meet
that way round and the place looks like one (a waist, or plates of dense bone across), else one bone has been given two names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from scipy import ndimage

from surgiplan_desktop.base.arrays import BoolArray, FloatArray, IntArray
from surgiplan_desktop.model.anatomy import BoneName
from surgiplan_desktop.segmentation.class_maps import ByteImage
from surgiplan_desktop.segmentation.joint_look import looks_like_joint
from surgiplan_desktop.segmentation.label_ops import filled
from surgiplan_desktop.segmentation.leg_networks import BlockAnswer, PackBones
from surgiplan_desktop.segmentation.network_grid import Float32Image, NetworkGrid
from surgiplan_desktop.segmentation.separate import separate

#: Bone is what is likelier bone than not, 0..255.
HALF: Final = 128
#: A stretch under another name smaller than this is noise: it takes the name around it, mm3.
_SPECK_MM3: Final = 300.0
#: What the landscape parts from a bone of its own name, smaller than this, is a lump on it, mm3.
_LUMP_MM3: Final = 5000.0
#: A region of bone smaller than this is looked at by nobody, mm3.
_LEAST_REGION_MM3: Final = 600.0
#: Faces shared by less than this are a touch, mm2.
TOUCH_MM2: Final = 12.0
#: Bones that meet, the upper one first; None is a bone that is none of the leg's, or the stump of one that the scan cuts off.
_STACKED: Final = {
    (BoneName.HIP, BoneName.FEMUR),
    (BoneName.FEMUR, BoneName.TIBIA),
    (BoneName.TIBIA, BoneName.TALUS),
    (BoneName.TIBIA, None),
    (BoneName.FIBULA, None),
    (BoneName.TALUS, None),
    (None, BoneName.HIP),
    (None, BoneName.FEMUR),
    (None, BoneName.TIBIA),
    (None, BoneName.TALUS),
}
#: Bones that meet side by side.
_BESIDE: Final = {
    frozenset((BoneName.FEMUR, BoneName.PATELLA)),
    frozenset((BoneName.TIBIA, BoneName.FIBULA)),
    frozenset((BoneName.FIBULA, BoneName.TALUS)),
    frozenset((BoneName.HIP, None)),
    frozenset((BoneName.TALUS, None)),
}
#: Bones with a shaft, thinner than both ends.
_SHAFTS: Final = (BoneName.FEMUR, BoneName.TIBIA, BoneName.FIBULA)
Votes = Mapping[BoneName | None, float]


@dataclass(frozen=True, slots=True, eq=False)
class NamedPieces:
    """Pieces of one block on the network's grid, int32 (k, j, i), 1.. each one bone; and the share of each name in it.

    ``touching`` are pairs of pieces of one name that the landscape of depth parts: one bone with a waist, or two bones of which
    one was called by the other's name; that is seen where all bones are known. ``renamed_mm3`` is how much bone the network
    gave another name than the piece that it is part of.
    """

    pieces: IntArray
    votes: tuple[Votes, ...]
    touching: tuple[tuple[int, int], ...] = ()
    renamed_mm3: float = 0.0


@dataclass(slots=True, eq=False)
class _Atoms:
    """Connected voxels of one landscape piece and one name: codes, and by code landscape piece, name, voxels, mean height."""

    codes: IntArray
    part: list[int] = field(default_factory=lambda: [0])
    name: list[BoneName | None] = field(default_factory=lambda: [None])
    voxels: list[int] = field(default_factory=lambda: [0])
    height: list[float] = field(default_factory=lambda: [0.0])


def named_pieces(said: BlockAnswer, bones: PackBones, up: int = 1) -> NamedPieces:
    """Part a block into bones.

    Parameters
    ----------
    said
        What the networks said of the block.
    bones
        Which of their channels are bones.
    up
        +1 where the body's proximal end lies superior in the scan, -1 where the scan is upside down.
    """
    spacing = said.grid.spacing_mm
    solid = _solid(said.answer.chance >= HALF, said.grid)
    landscape = _landscape(solid, spacing)
    atoms = _atoms(landscape, said.answer.best, bones)
    atoms.height += _heights(atoms.codes, said, up)
    owner = list(range(len(atoms.part)))
    voxel = float(np.prod(spacing))
    contacts = contacts_of(atoms.codes, spacing)
    _absorb_specks(atoms, owner, contacts, _SPECK_MM3 / voxel)
    for pair, area in sorted(_between_owners(contacts, owner).items(), key=lambda item: (-item[1], item[0])):
        one, two = (_root(owner, code) for code in pair)
        if area < TOUCH_MM2 or one == two:
            continue
        if atoms.name[one] == atoms.name[two]:
            small = min(atoms.voxels[one], atoms.voxels[two]) * voxel < _LUMP_MM3
            if small or atoms.part[one] == atoms.part[two] or _is_one_shaft(atoms, owner, one, two, said.hu, spacing):
                _join(owner, atoms, one, two)
        elif atoms.part[one] == atoms.part[two] and not _is_joint(atoms, owner, one, two, said.hu, spacing):
            _join(owner, atoms, one, two)
    return _gathered(atoms, owner, contacts, voxel)


def _solid(mask: BoolArray, grid: NetworkGrid) -> BoolArray:
    """Return the mask with its marrow filled: a network may take fat in a bone for fat."""
    axis = int(np.abs(grid.affine.linear[2]).argmax())
    order = [axis, *(other for other in range(3) if other != axis)]
    return filled(mask.transpose(order), grid.spacing_mm[order]).transpose(np.argsort(order))


def _landscape(solid: BoolArray, spacing_mm: FloatArray) -> IntArray:
    """Part the mask by the landscape of depth, region by region; small regions are left out."""
    pieces = np.zeros(solid.shape, dtype=np.int32)
    regions, count = ndimage.label(solid, structure=np.ones((3, 3, 3)))
    sizes = np.bincount(regions.ravel(), minlength=count + 1) * float(np.prod(spacing_mm))
    offset = 0
    for region, box in enumerate(ndimage.find_objects(regions), start=1):
        if sizes[region] < _LEAST_REGION_MM3:
            continue
        parted = separate(ndimage.binary_fill_holes(regions[box] == region), spacing_mm)
        here = pieces[box]
        here[parted > 0] = parted[parted > 0] + offset
        offset += int(parted.max())
    return pieces


def _atoms(landscape: IntArray, best: ByteImage, bones: PackBones) -> _Atoms:
    """Number the connected stretches of one name within each piece of the landscape."""
    atoms = _Atoms(np.zeros(landscape.shape, dtype=np.int32))
    names: dict[BoneName | None, list[int]] = {}
    for channel in bones.channels:
        names.setdefault(bones.names.get(channel), []).append(channel)
    for part, box in enumerate(ndimage.find_objects(landscape), start=1):
        inside = landscape[box] == part
        said = best[box]
        for name, channels in names.items():
            found, count = ndimage.label(inside & np.isin(said, channels))
            if not count:
                continue
            offset = len(atoms.part) - 1
            atoms.codes[box][found > 0] = found[found > 0] + offset
            atoms.part += [part] * count
            atoms.name += [name] * count
            atoms.voxels += np.bincount(found.ravel(), minlength=count + 1)[1:].tolist()
    return atoms


def _heights(codes: IntArray, said: BlockAnswer, up: int) -> list[float]:
    """Mean height of every atom, mm, proximal up."""
    index = np.argwhere(codes > 0)
    code = codes[tuple(index.T)]
    z = up * said.grid.affine(index.astype(np.float64))[:, 2]
    count = np.bincount(code)[1:]
    result: list[float] = (np.bincount(code, weights=z)[1:] / np.maximum(count, 1)).tolist()
    return result


def contacts_of(codes: IntArray, spacing_mm: FloatArray) -> dict[tuple[int, int], float]:
    """Return the area of the faces that two codes share, mm2, by pair of codes."""
    result: dict[tuple[int, int], float] = {}
    for axis in range(3):
        face = float(np.prod(spacing_mm) / spacing_mm[axis])
        one = np.moveaxis(codes, axis, 0)[:-1]
        two = np.moveaxis(codes, axis, 0)[1:]
        across = (one != two) & (one > 0) & (two > 0)
        pairs = np.sort(np.stack([one[across], two[across]], axis=1), axis=1)
        found, faces = np.unique(pairs, axis=0, return_counts=True)
        for (a, b), number in zip(found.tolist(), faces.tolist(), strict=True):
            result[a, b] = result.get((a, b), 0.0) + face * number
    return result


def _between_owners(contacts: Mapping[tuple[int, int], float], owner: list[int]) -> dict[tuple[int, int], float]:
    result: dict[tuple[int, int], float] = {}
    for (a, b), area in contacts.items():
        one, two = sorted((_root(owner, a), _root(owner, b)))
        if one != two:
            result[one, two] = result.get((one, two), 0.0) + area
    return result


def _absorb_specks(atoms: _Atoms, owner: list[int], contacts: Mapping[tuple[int, int], float], least: float) -> None:
    """Give every speck to the neighbour it shares most with, the smallest first."""
    while True:
        between = _between_owners(contacts, owner)
        specks = sorted(
            (atoms.voxels[code], code)
            for code in range(1, len(owner))
            if owner[code] == code and atoms.voxels[code] < least and any(code in pair for pair in between)
        )
        if not specks:
            return
        done: set[int] = set()
        for _, code in specks:
            near = [(area, -pair[0] - pair[1] + code) for pair, area in between.items() if code in pair]
            target = -max(near)[1]
            if code in done or target in done:
                continue
            keep, gone = (target, code) if atoms.voxels[target] >= atoms.voxels[code] else (code, target)
            owner[gone] = keep
            atoms.voxels[keep] += atoms.voxels[gone]
            done |= {code, target}


def _root(owner: list[int], item: int) -> int:
    while owner[item] != item:
        owner[item] = owner[owner[item]]
        item = owner[item]
    return item


def _join(owner: list[int], atoms: _Atoms, one: int, two: int) -> None:
    one, two = _root(owner, one), _root(owner, two)
    if one != two:
        keep, gone = (one, two) if (atoms.voxels[one], -one) >= (atoms.voxels[two], -two) else (two, one)
        owner[gone] = keep
        atoms.voxels[keep] += atoms.voxels[gone]


def _is_joint(atoms: _Atoms, owner: list[int], one: int, two: int, hu: Float32Image, spacing_mm: FloatArray) -> bool:
    """Tell whether two bones meet where the names change, or one bone was called two names."""
    upper, lower = (one, two) if atoms.height[one] >= atoms.height[two] else (two, one)
    names = atoms.name[upper], atoms.name[lower]
    # names that never meet: a lump under a wrong name, or a bone of its own that the edge of the scan leaves little of
    small = min(atoms.voxels[one], atoms.voxels[two]) * float(np.prod(spacing_mm)) < _LUMP_MM3
    if small and names not in _STACKED and frozenset(names) not in _BESIDE:
        return False
    return looks_like_joint(*_both(atoms, owner, one, two), hu, spacing_mm)


def _is_one_shaft(atoms: _Atoms, owner: list[int], one: int, two: int, hu: Float32Image, spacing_mm: FloatArray) -> bool:
    """Tell whether the landscape parted a long bone at the thin place of its shaft: one name, and nothing of a joint there."""
    return atoms.name[one] in _SHAFTS and not looks_like_joint(*_both(atoms, owner, one, two), hu, spacing_mm)


def _both(atoms: _Atoms, owner: list[int], one: int, two: int) -> tuple[BoolArray, BoolArray]:
    """Masks of two pieces as they are by now."""
    first = np.array([_root(owner, code) == _root(owner, one) for code in range(len(owner))])
    second = np.array([_root(owner, code) == _root(owner, two) for code in range(len(owner))])
    return first[atoms.codes], second[atoms.codes]


def _gathered(atoms: _Atoms, owner: list[int], contacts: Mapping[tuple[int, int], float], voxel_mm3: float) -> NamedPieces:
    roots = sorted({_root(owner, code) for code in range(1, len(owner))}, key=lambda code: (-atoms.voxels[code], code))
    number = {code: place for place, code in enumerate(roots, start=1)}
    table = np.zeros(len(owner), dtype=np.int32)
    own = np.bincount(atoms.codes.ravel(), minlength=len(owner))
    sums: list[dict[BoneName | None, float]] = [{} for _ in roots]
    for code in range(1, len(owner)):
        piece = number[_root(owner, code)]
        table[code] = piece
        votes = sums[piece - 1]
        votes[atoms.name[code]] = votes.get(atoms.name[code], 0.0) + float(own[code])
    renamed = sum(sum(votes.values()) - max(votes.values()) for votes in sums)
    shares = tuple({name: value / sum(votes.values()) for name, value in votes.items()} for votes in sums)
    said = [first_choice(item)[0] for item in shares]
    touching = tuple(
        (number[one], number[two])
        for (one, two), area in sorted(_between_owners(contacts, owner).items())
        if area >= TOUCH_MM2 and said[number[one] - 1] == said[number[two] - 1]
    )
    return NamedPieces(table[atoms.codes], shares, touching, renamed * voxel_mm3)


def first_choice(votes: Votes) -> tuple[BoneName | None, float]:
    """Return the name with the largest share, and the share."""
    name = max(votes, key=lambda item: (votes[item], item is not None, str(item)))
    return name, votes[name]


def together(votes: Sequence[tuple[Votes, float]]) -> Votes:
    """Return the votes of several pieces together, weighed by their volumes."""
    total = sum(volume for _, volume in votes)
    result: dict[BoneName | None, float] = {}
    for shares, volume in votes:
        for name, share in shares.items():
            result[name] = result.get(name, 0.0) + share * volume / total
    return result
