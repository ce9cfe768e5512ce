"""The names of a coarse network held against anatomy before a fine one is guided by them.

A fine network draws what it is told a bone is, so a wrong name costs more than a name. Bones are taken apart by Hounsfield values
and shape, as without a model, but on the fine network's grid; each piece gets one name by both witnesses, and the guide is
painted anew with it. Where shape names nothing, what the coarse network said stays.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from surgiplan_desktop.base.arrays import IntArray
from surgiplan_desktop.base.errors import InputDataError
from surgiplan_desktop.base.progress import SILENT, PartOfProgress, Progress
from surgiplan_desktop.model.anatomy import BoneName
from surgiplan_desktop.model.images import Volume
from surgiplan_desktop.segmentation.bones import parted_chains
from surgiplan_desktop.segmentation.leg_networks import AIR_HU, Guide, PackBones
from surgiplan_desktop.segmentation.model_names import names_by_both
from surgiplan_desktop.segmentation.named_pieces import TOUCH_MM2, Votes, contacts_of, first_choice, together
from surgiplan_desktop.segmentation.network_grid import NetworkGrid, carried_over, network_grid, seen_by_network
from surgiplan_desktop.segmentation.pieces import Chain

#: Share of a piece's voxels that the coarse network must call by one name, and how near a bone of that name must be.
_SURE_SHARE: Final = 0.6
#: Where it saw less of a piece than this share as bone at all, it is no witness.
_SEEN_SHARE: Final = 0.1
_TOUCH_VOXELS: Final = 3
#: Bones that share this much of a face are grown together, mm2: a knee that is seen leaves 120 and less, else 380 and more.
_GROWN_TOGETHER_MM2: Final = 250.0
#: How far from named bone a voxel that only the coarse network calls bone may lie to be part of it.
_HOLLOW_MM: Final = 15.0


@dataclass(frozen=True, slots=True, eq=False)
class _Seen:
    grid: NetworkGrid
    volume: Volume


def mended_guides(
    volumes: Sequence[Volume],
    guides: Sequence[Guide],
    bones: PackBones,
    axes: str,
    spacing_mm: Sequence[float],
    *,
    progress: Progress = SILENT,
) -> list[Guide]:
    """Return the guides of all blocks with one name a bone.

    Parameters
    ----------
    volumes, guides
        The blocks of one study and what the coarse network said of each.
    bones
        Which channels are bones.
    axes, spacing_mm
        Grid on which bones are taken apart: that of the fine network.
    """
    seen = []
    for number, volume in enumerate(volumes):
        part = PartOfProgress(progress, 0.3 * number / len(volumes), 0.3 * (number + 1) / len(volumes))
        grid = network_grid(volume, axes, spacing_mm)
        seen.append(_Seen(grid, Volume(seen_by_network(volume, grid, outside=AIR_HU, progress=part), grid.affine)))
    try:
        pieces, chains = parted_chains([item.volume for item in seen], progress=PartOfProgress(progress, 0.3, 0.9))
    except InputDataError:
        return list(guides)
    said = [carried_over(guide.classes, guide.grid, item.grid) for guide, item in zip(guides, seen, strict=True)]
    votes = [_votes(chain, pieces, said, bones) for chain in chains]
    names = names_by_both(chains, votes, _touching(chains, pieces, votes, seen))
    if not names.legs:
        return list(guides)
    channel_of = {name: channel for channel, name in sorted(bones.names.items(), reverse=True)}
    other = bones.others[0] if bones.others else 0
    tables = [np.zeros(int(codes.max()) + 1, dtype=np.uint8) for codes in pieces]
    for leg in names.legs:
        for name, chain in leg.bones.items():
            for piece in chain.pieces:
                tables[piece.block][piece.number] = channel_of.get(name, 0)
    for chain in names.others:
        _name_rest(chain, pieces, tables, _votes(chain, pieces, said, bones), channel_of, other)
    # what is left is a sliver of a bone at the edge of the scan: too short to be kept, and no part of its neighbour
    short = [channel_of[name] for leg in names.legs for name in leg.too_short if name in channel_of]
    for table in tables if short and other else ():
        table[1:][table[1:] == 0] = short[0]
    result = []
    for number, (guide, item, codes, table) in enumerate(zip(guides, seen, pieces, tables, strict=True)):
        named = table[codes]
        _part_as_said(named, codes, table, said[number], item.grid, bones)
        names_here = _hollows_named(carried_over(named, item.grid, guide.grid), guide, bones)
        result.append(Guide(names_here, guide.grid, mended=True))
    progress.step(1.0, 1.0, "naming_bones")
    return result


def _part_as_said(
    named: NDArray[np.uint8],
    codes: IntArray,
    table: NDArray[np.uint8],
    said: NDArray[np.uint8],
    grid: NetworkGrid,
    bones: PackBones,
) -> None:
    """Let the coarse network draw the border of two bones that Hounsfield values do not part; ``named`` is changed in place.

    Where a joint is too narrow for the voxels, shape guesses where it is; the network knows it better, if it calls the most of
    both bones what they are.
    """
    for (one, two), area in sorted(contacts_of(codes, grid.spacing_mm).items()):
        first, second = int(table[one]), int(table[two])
        if area < _GROWN_TOGETHER_MM2 or first == second or not {first, second} <= {*bones.names}:
            continue
        masks = codes == one, codes == two
        votes = [said[mask & (said > 0)] for mask in masks]
        if all(len(some) and (some == name).mean() >= _SURE_SHARE for some, name in zip(votes, (first, second), strict=True)):
            for piece, beyond, name in ((masks[0], masks[1], second), (masks[1], masks[0], first)):
                # only what goes on from the other bone: far from the joint a wrong name is a wrong name
                parts, count = ndimage.label(beyond | (piece & (said == name)))
                joined = np.zeros(count + 1, dtype=np.bool_)
                joined[np.unique(parts[beyond])] = True
                named[piece & joined[parts]] = name


def _hollows_named(named: NDArray[np.uint8], guide: Guide, bones: PackBones) -> NDArray[np.uint8]:
    """Name the marrow and spongy bone that Hounsfield values left open, where the coarse network saw bone: as what is nearest."""
    hollow = (named == 0) & np.isin(guide.classes, bones.channels)
    if not hollow.any() or not named.any():
        return named
    away, nearest = ndimage.distance_transform_edt(named == 0, sampling=guide.grid.spacing_mm, return_indices=True)
    hollow &= away <= _HOLLOW_MM
    result = named.copy()
    result[hollow] = named[tuple(row[hollow] for row in nearest)]
    return result


def _name_rest(
    chain: Chain,
    pieces: Sequence[IntArray],
    tables: Sequence[NDArray[np.uint8]],
    votes: Votes,
    channel_of: Mapping[BoneName, int],
    other: int,
) -> None:
    """Name a piece that shape gave to no bone: by the coarse network where it touches a bone of that name, as a wing of the
    hip bone or the head of a fibula does that were parted from their bone; where the network saw next to nothing of it, as the
    bone that it shares most with; else a bone that is none of the leg's.
    """
    name, share = first_choice(votes)
    channel = other if name is None or share < _SURE_SHARE else channel_of.get(name, other)
    for piece in chain.pieces:
        codes, table = pieces[piece.block], tables[piece.block]
        if channel != other and _touches(codes, piece.number, table == channel):
            table[piece.number] = channel
        else:
            table[piece.number] = (_most_shared(codes, piece.number, table) if votes == {None: 1.0} else 0) or other


def _most_shared(codes: IntArray, number: int, table: NDArray[np.uint8]) -> int:
    """Channel of the bone whose voxels lie most around a piece; 0 where there is none."""
    box = ndimage.find_objects((codes == number).astype(np.uint8))[0]
    wider = tuple(slice(max(0, part.start - 1), min(size, part.stop + 1)) for part, size in zip(box, codes.shape, strict=True))
    here = codes[wider]
    around = ndimage.binary_dilation(here == number) & (here != number)
    count = np.bincount(table[here[around]], minlength=256)
    count[0] = 0
    return int(count.argmax())


def _touches(codes: IntArray, number: int, named: NDArray[np.bool_]) -> bool:
    """Tell whether a piece lies within a few voxels of pieces that have a name."""
    box = ndimage.find_objects((codes == number).astype(np.uint8))[0]
    wider = tuple(
        slice(max(0, part.start - _TOUCH_VOXELS), min(size, part.stop + _TOUCH_VOXELS))
        for part, size in zip(box, codes.shape, strict=True)
    )
    here = codes[wider]
    around = ndimage.binary_dilation(here == number, iterations=_TOUCH_VOXELS)
    return bool((around & named[here]).any())


def _touching(
    chains: Sequence[Chain], pieces: Sequence[IntArray], votes: Sequence[Votes], seen: Sequence[_Seen]
) -> list[tuple[int, int]]:
    """Pairs of chains that touch and that the coarse network calls by one name: a bone whose thin shell made it look like two."""
    at = {(piece.block, piece.number): place for place, chain in enumerate(chains) for piece in chain.pieces}
    said = [name if share > 0.5 else None for name, share in map(first_choice, votes)]
    pairs = set()
    for block, (codes, item) in enumerate(zip(pieces, seen, strict=True)):
        for (first, second), area in contacts_of(codes, item.grid.spacing_mm).items():
            one, two = at.get((block, first)), at.get((block, second))
            if one is not None and two is not None and one != two and area >= TOUCH_MM2 and said[one] and said[one] is said[two]:
                pairs.add((min(one, two), max(one, two)))
    return sorted(pairs)


def _votes(chain: Chain, pieces: Sequence[IntArray], said: Sequence[NDArray[np.uint8]], bones: PackBones) -> Votes:
    """Share of the names that the coarse network gave to a chain's voxels; where it saw no bone it has no vote."""
    shares: list[tuple[Votes, float]] = []
    for piece in chain.pieces:
        classes = said[piece.block][pieces[piece.block] == piece.number]
        count = np.bincount(classes.astype(np.int64), minlength=256)
        votes: dict[BoneName | None, float] = {}
        for channel in bones.channels:
            if count[channel]:
                name = bones.names.get(channel)
                votes[name] = votes.get(name, 0.0) + float(count[channel])
        total = sum(votes.values())
        seen = total > 0 and total >= _SEEN_SHARE * len(classes)
        shares.append(({name: value / total for name, value in votes.items()} if seen else {None: 1.0}, piece.volume_mm3))
    return together(shares)
