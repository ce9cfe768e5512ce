"""Names of bones by two witnesses: what a network called them, and what their shape and place say.

The network looks at Hounsfield values and neighbourhood; :mod:`surgiplan_desktop.segmentation.naming` at the long bones of the
shank side by side and what stands on them. Where both say the same nothing is to be told. Where they differ, the long bones of a
leg that has its shank go by anatomy, everything else by the network, and it is told. Nothing is kept that cannot be where it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from surgiplan_desktop.base.arrays import FloatArray
from surgiplan_desktop.model.anatomy import BoneName
from surgiplan_desktop.model.study import Finding
from surgiplan_desktop.segmentation.named_pieces import Votes, first_choice
from surgiplan_desktop.segmentation.naming import LEAST_SEEN_MM, NamedLeg, goes_on, name_legs, with_fibular_head
from surgiplan_desktop.segmentation.pieces import Chain, chain_of

_LONG: Final = (BoneName.FEMUR, BoneName.TIBIA, BoneName.FIBULA)
#: A hip bone lies above a tibia by at least this: no femur of a leg that stands is shorter, mm.
_LEAST_FEMUR_MM: Final = 90.0
#: Two bones of one name are those of two legs when they lie this far apart across the body, mm ...
_LEGS_APART_MM: Final = 50.0
#: ... and the smaller has at least this share of the larger one's volume.
_LIKE_VOLUME: Final = 0.2
#: Least volume of a whole bone, mm3: half of what small adults have (clinical.md has none; [P]). A bone that is cut may be less.
_LEAST_MM3: Final = {
    BoneName.FEMUR: 60000.0, BoneName.TIBIA: 40000.0, BoneName.FIBULA: 8000.0,
    BoneName.PATELLA: 3000.0, BoneName.TALUS: 8000.0, BoneName.HIP: 60000.0,
}  # fmt: skip
#: Of a bone that the edge of the scan cuts, less than this says nothing, mm3.
_LEAST_CUT_MM3: Final = 2000.0
#: From this share on a network is sure of a name.
_CONFIDENT: Final = 0.9
#: What is left out is told from this volume on, mm3.
_TOLD_MM3: Final = 1500.0


@dataclass(frozen=True, slots=True, eq=False)
class NamesOfScan:
    """Legs by both witnesses, sorted by LPS x, chains that are in none of them, and what must be told."""

    legs: tuple[NamedLeg, ...]
    others: tuple[Chain, ...]
    findings: tuple[Finding, ...]


def names_by_both(chains: Sequence[Chain], votes: Sequence[Votes], touching: Sequence[tuple[int, int]] = ()) -> NamesOfScan:
    """Name chains.

    Parameters
    ----------
    chains
        Bones, or stretches of them, of the whole scan.
    votes
        Share of the names that the network gave to each.
    touching
        Pairs of chains that touch and got one name of the network; they are one bone unless their shape says otherwise.
    """
    names, notes = _agreed(chains, votes, touching)
    chains, names = _whole(chains, names, touching)
    groups = _legs_of(chains, names)
    legs, used = [], set()
    for members in groups:
        leg, taken = _one_leg(chains, names, members)
        used |= taken
        if leg.bones or leg.too_short:
            legs.append(leg)
    for place, leg in enumerate(legs):
        unnamed = {number: chains[number] for number, name in enumerate(names) if name is None and number not in used}
        legs[place], head = with_fibular_head(leg, list(unnamed.values()))
        used |= {number for number, chain in unnamed.items() if chain is head}
    left = [number for number in range(len(chains)) if number not in used]
    notes += _left_out([(names[number], chains[number]) for number in left if names[number] is not None])
    kept = tuple(sorted((leg for leg in legs if leg.bones), key=lambda leg: leg.centre_x))
    short = [leg for leg in legs if not leg.bones]
    if kept and short:
        kept = (replace(kept[0], too_short={**short[0].too_short, **kept[0].too_short}), *kept[1:])
    return NamesOfScan(kept, tuple(chains[number] for number in left), tuple(notes))


def _whole(
    chains: Sequence[Chain], names: Sequence[BoneName | None], touching: Sequence[tuple[int, int]]
) -> tuple[list[Chain], list[BoneName | None]]:
    """Put chains that touch and have one name in the end together to one."""
    group = list(range(len(chains)))
    for one, two in touching:
        # small bones have no waist: what touches a talus beyond one is another bone of the foot
        if names[one] is names[two] and names[one] in (*_LONG, BoneName.HIP):
            old, new = group[two], group[one]
            group = [new if item == old else item for item in group]
    whole, kept = [], []
    for number in dict.fromkeys(group):
        members = [chains[place] for place, item in enumerate(group) if item == number]
        whole.append(members[0] if len(members) == 1 else chain_of([piece for chain in members for piece in chain.pieces]))
        kept.append(names[group.index(number)])
    return whole, kept


def _agreed(
    chains: Sequence[Chain], votes: Sequence[Votes], touching: Sequence[tuple[int, int]]
) -> tuple[list[BoneName | None], list[Finding]]:
    """Weigh both witnesses for each chain."""
    said = [first_choice(item) for item in votes]
    names = [name for name, _ in said]
    number_of = {id(chain): number for number, chain in enumerate(chains)}
    notes = []
    for leg in name_legs(chains):
        seen = {number_of[id(chain)]: name for name, chain in leg.bones.items()}
        sure = _shank_is_sure(seen, names)
        for number, shape_says in sorted(seen.items()):
            net_says, share = said[number]
            if net_says == shape_says:
                continue
            takes_shape = _takes_shape(number, seen, said, chains, touching, sure=sure)
            # bones of the foot look like a talus from afar, and what lies before a knee like a patella: no witness
            if not takes_shape and net_says is None:
                continue
            if takes_shape:
                names[number] = shape_says
            told = (
                ("bone", str(names[number])),
                ("model_says", "other bone" if net_says is None else str(net_says)),
                ("share_percent", round(100.0 * share)),
                ("shape_says", str(shape_says)),
            )
            notes.append(Finding("names_disagree", "warn" if shape_says in _LONG else "note", told))
    return names, notes


def _takes_shape(
    number: int,
    seen: dict[int, BoneName],
    said: Sequence[tuple[BoneName | None, float]],
    chains: Sequence[Chain],
    touching: Sequence[tuple[int, int]],
    *,
    sure: bool,
) -> bool:
    """Tell whether a chain that both witnesses name differently is what its shape says."""
    net_says, share = said[number]
    shape_says = seen[number]
    if sure and shape_says in _LONG:
        return True
    others = {other: name for other, name in seen.items() if other != number}
    pairs = {*touching, *((two, one) for one, two in touching)}
    if any((number, other) in pairs and name is net_says and said[other][0] is net_says for other, name in others.items()):
        # a part of the bone that it touches, beyond a waist
        return False
    first = [chains[other] for other, name in others.items() if name is net_says and said[other][0] is net_says]
    if net_says in _LONG and first:
        # a second bone of one name, of which the shape has found the first, unless it is a stretch of that one's shaft
        return not any(goes_on(chain, chains[number]) for chain in first)
    if not sure:
        return False
    if net_says is None:
        # what lies before a knee may be anything; what carries a whole shank or thigh is a talus or a hip bone, the more so where
        # the network sees none elsewhere
        alone = all(name is not shape_says for name, _ in said)
        return (share < _CONFIDENT or alone) and shape_says is not BoneName.PATELLA
    return not _can_be(net_says, chains[number], {name: chains[other] for other, name in others.items()})


def _shank_is_sure(seen: dict[int, BoneName], names: Sequence[BoneName | None]) -> bool:
    """Tell whether the shape has found a leg that is one.

    Its shank has two bones, and the network confirms a long bone of the leg or takes both at least for bones of a leg: a forearm
    beside the hip is none. Or two long bones stand on each other which the network takes for femur and tibia, whichever is which.
    """
    shank = [number for number, name in seen.items() if name in (BoneName.TIBIA, BoneName.FIBULA)]
    if len(shank) < 2:
        stacked = [names[number] for number, name in seen.items() if name in (BoneName.FEMUR, BoneName.TIBIA)]
        return len(stacked) == 2 and {*stacked} <= {BoneName.FEMUR, BoneName.TIBIA}
    confirmed = any(names[number] == name for number, name in seen.items() if name in _LONG)
    return confirmed or all(names[number] is not None for number in shank)


def _legs_of(chains: Sequence[Chain], names: Sequence[BoneName | None]) -> list[list[int]]:
    """Share the named chains between one or two legs."""
    named = [number for number, name in enumerate(names) if name is not None]
    anchors = _two_anchors(chains, names)
    if anchors is None:
        return [named] if named else []
    groups: list[list[int]] = [[], []]
    for number in named:
        apart = [_apart(chains[number], chains[anchor]) for anchor in anchors]
        groups[int(np.argmin(apart))].append(number)
    return groups


def _two_anchors(chains: Sequence[Chain], names: Sequence[BoneName | None]) -> tuple[int, int] | None:
    """The two bones of one name that show that there are two legs; None where there is one."""
    best: tuple[float, int, int] | None = None
    for name in (BoneName.TIBIA, BoneName.FEMUR, BoneName.FIBULA, BoneName.HIP, BoneName.TALUS, BoneName.PATELLA):
        same = [number for number, other in enumerate(names) if other is name]
        for place, one in enumerate(same):
            for two in same[place + 1 :]:
                small, large = sorted((chains[one].volume_mm3, chains[two].volume_mm3))
                beside = min(chains[one].high, chains[two].high) - max(chains[one].low, chains[two].low)
                if small < max(_LIKE_VOLUME * large, _LEAST_CUT_MM3) or beside < 10.0:
                    continue
                if _apart(chains[one], chains[two]) >= _LEGS_APART_MM and (best is None or small > best[0]):
                    best = (small, one, two)
    return None if best is None else best[1:]


def _apart(one: Chain, two: Chain) -> float:
    """Distance across the body between two chains where they are beside each other, else between their nearest ends, mm."""
    low, high = max(one.low, two.low), min(one.high, two.high)
    if high > low:
        return float(np.linalg.norm(one.centre(low, high) - two.centre(low, high)))
    upper, lower = (one, two) if one.low > two.high else (two, one)
    return float(np.linalg.norm(upper.centre(upper.low, upper.low) - lower.centre(lower.high, lower.high)))


def _one_leg(chains: Sequence[Chain], names: Sequence[BoneName | None], members: Sequence[int]) -> tuple[NamedLeg, set[int]]:
    """Give every name of a leg to one bone; a shaft with a lost stretch is one bone of several chains."""
    bones: dict[BoneName, Chain] = {}
    short: dict[BoneName, float] = {}
    taken: set[int] = set()
    order = (BoneName.TIBIA, BoneName.FEMUR, BoneName.FIBULA, BoneName.HIP, BoneName.PATELLA, BoneName.TALUS)
    for name in order:
        same = sorted((number for number in members if names[number] is name), key=lambda item: -chains[item].volume_mm3)
        fitting = [number for number in same if _can_be(name, chains[number], bones)]
        if not fitting:
            continue
        first = chains[fitting[0]]
        used = {fitting[0]}
        for number in fitting[1:]:
            if name in _LONG and goes_on(first, chains[number]):
                first = chain_of((*first.pieces, *chains[number].pieces))
                used.add(number)
        taken |= used
        if name in (BoneName.FEMUR, BoneName.TIBIA) and first.length < LEAST_SEEN_MM and first.cut:
            short[name] = first.length
            continue
        bones[name] = first
    return NamedLeg(bones, short), taken


def _can_be(name: BoneName, chain: Chain, bones: dict[BoneName, Chain]) -> bool:
    """Tell whether a chain can be the bone of that name in a leg with the bones that are known so far."""
    if chain.volume_mm3 < (_LEAST_CUT_MM3 if chain.cut else _LEAST_MM3[name]):
        return False
    tibia, femur = bones.get(BoneName.TIBIA), bones.get(BoneName.FEMUR)
    if name is BoneName.FEMUR:
        return tibia is None or (chain.low > tibia.high - 60.0 and chain.centroid[2] > tibia.centroid[2])
    if name is BoneName.FIBULA:
        return tibia is None or _beside_tibia(chain, tibia)
    if name is BoneName.PATELLA:
        return chain.length <= 85.0 and chain.volume_mm3 <= 60000.0 and _before_knee(chain, femur, tibia)
    if name is BoneName.TALUS:
        return chain.length <= 110.0 and (tibia is None or _under_tibia(chain, tibia))
    if name is BoneName.HIP and tibia is not None and chain.low < tibia.high + _LEAST_FEMUR_MM:
        return False
    if name is BoneName.HIP and femur is not None:
        near = chain.low < femur.high + 15.0 and chain.high > femur.high - 70.0
        return near and _nearest(chain, femur.centre(femur.high - 30.0, femur.high)) <= 130.0
    return True


def _nearest(chain: Chain, point: FloatArray) -> float:
    return float(np.linalg.norm(chain.centre_xy - point, axis=1).min())


def _beside_tibia(fibula: Chain, tibia: Chain) -> bool:
    low, high = max(fibula.low, tibia.low), min(fibula.high, tibia.high)
    if high - low < 10.0:
        # a fibula that the tibia does not reach: the malleolus in a block of the foot
        return tibia.low - 40.0 < fibula.high and fibula.low < tibia.high + 40.0
    apart = float(np.linalg.norm(fibula.centre(low, high) - tibia.centre(low, high)))
    return 8.0 <= apart <= 80.0 and fibula.volume_mm3 < 1.2 * tibia.volume_mm3


def _before_knee(patella: Chain, femur: Chain | None, tibia: Chain | None) -> bool:
    x, y, z = patella.centroid
    if femur is not None:
        apart = float(np.linalg.norm(np.array([x, y]) - femur.centre(z - 10.0, z + 10.0)))
        return 12.0 <= apart <= 95.0 and (femur.low_cut or femur.low - 45.0 <= z <= femur.low + 130.0)
    if tibia is not None and not tibia.high_cut:
        apart = float(np.linalg.norm(np.array([x, y]) - tibia.centre(tibia.high - 20.0, tibia.high)))
        return apart <= 95.0 and tibia.high - 45.0 <= z <= tibia.high + 130.0
    return True


def _under_tibia(talus: Chain, tibia: Chain) -> bool:
    if tibia.low_cut:
        return talus.high < tibia.low + 30.0
    apart = float(np.linalg.norm(talus.centroid[:2] - tibia.centre(tibia.low + 10.0, tibia.low + 35.0)))
    return abs(talus.high - tibia.low) <= 65.0 and apart <= 75.0


def _left_out(pieces: Sequence[tuple[BoneName | None, Chain]]) -> list[Finding]:
    """Tell what was called a bone and left out because it cannot be one there."""
    notes = []
    for name, chain in pieces:
        if chain.volume_mm3 >= _TOLD_MM3:
            told = (
                ("bone", str(name)),
                ("ml", round(chain.volume_mm3 / 1000.0, 1)),
                ("z_mm", round(float(chain.centroid[2]), 0)),
            )
            notes.append(Finding("piece_left_out", "note", told))
    return notes
