"""Names of bones by anatomy and geometry; never by file names, never by where the table of a hospital puts the patient.

The tibia and the fibula are the only two long bones that run side by side, one thick, one thin. From them the rest follows: the
femur stands on the tibia, the patella lies before the knee, the talus under the tibia, the hip bone round the femoral head.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import permutations
from typing import Final

import numpy as np

from surgiplan_desktop.base.arrays import FloatArray
from surgiplan_desktop.model.anatomy import BoneName
from surgiplan_desktop.segmentation.pieces import Chain, chain_of, misfit

#: Least height over which tibia and fibula must run side by side, mm.
_PAIR_MM: Final = 40.0
#: Sections wider than deep by more than this are those of a board, not of a shaft.
_FLAT: Final = 2.8
#: A bone of which less is seen is left out: nothing can be measured on it (mm).
LEAST_SEEN_MM: Final = 40.0
#: Two stretches of one shaft may be this far apart where a thin bone was lost between, mm.
_LOST_MM: Final = 40.0
#: ... or overlap by this where they were parted aslant, mm.
_OVERLAP_MM: Final = 10.0
#: A shaft is thinner than this, mm2, and its sections on both sides of what was lost differ by less than this factor.
_SHAFT_MM2: Final = 900.0
_LIKE_SECTION: Final = 2.0
#: No hip bone is longer, mm.
_LONGEST_HIP_MM: Final = 320.0
#: Lower end of a femur above the upper end of its tibia, mm: spines and condyles overlap, more so where the joint is narrow.
_KNEE_MM: Final = (-45.0, 40.0)
#: The other leg lies this far aside, mm; its bones share so much of their heights and are at least so large, as shares.
_LEGS_MM: Final = (60.0, 400.0)
_SAME_HEIGHTS: Final = 0.5
_LIKE_VOLUME: Final = 0.4
#: Tibia and fibula of one leg lie no farther apart, mm.
_SHANK_MM: Final = 65.0
#: The tip of a fibula lies 10 to 30 mm below the spines of its tibia: one that ends lower than this may lack its head.
_HEAD_BELOW_MM: Final = 25.0
_LEAST_HEAD_MM3: Final = 1000.0


@dataclass(frozen=True, slots=True, eq=False)
class NamedLeg:
    """The bones of one leg, side still open; ``too_short`` are bones seen over so little height that they were left out."""

    bones: Mapping[BoneName, Chain]
    too_short: Mapping[BoneName, float]

    @property
    def centre_x(self) -> float:
        """Where the leg lies across the body, LPS x in mm."""
        anchor = self.bones.get(BoneName.TIBIA) or self.bones.get(BoneName.FEMUR) or next(iter(self.bones.values()))
        return float(anchor.centroid[0])


def name_legs(chains: Sequence[Chain]) -> tuple[NamedLeg, ...]:
    """Name the bones of every leg in the scan; nothing is named that does not fit."""
    pairs = _shank_pairs(chains)
    if not pairs:
        return _legs_without_pair(chains)
    taken = {number for pair in pairs for number in pair}
    legs = []
    for tibia, fibula in pairs:
        bones = {BoneName.TIBIA: chains[tibia], BoneName.FIBULA: chains[fibula]}
        legs.append(_complete(bones, chains, taken))
    if len(legs) == 1:
        other = _other_leg(legs[0], chains)
        legs += [] if other is None else [other]
    return tuple(sorted(legs, key=lambda leg: leg.centre_x))


def _other_leg(leg: NamedLeg, chains: Sequence[Chain]) -> NamedLeg | None:
    """The leg beside one that has its shank, of which too little of the fibula is seen to find it in the same way."""
    tibia, fibula = leg.bones[BoneName.TIBIA], leg.bones[BoneName.FIBULA]
    named = {id(chain) for chain in leg.bones.values()}
    free = [chain for chain in chains if id(chain) not in named]
    second = _best(free, lambda chain: _beside_like(chain, tibia))
    if second is None:
        return None
    bones = {BoneName.TIBIA: second}
    near = [chain for chain in free if chain is not second and _apart(chain, second) <= _SHANK_MM]
    thin = _best(near, lambda chain: _beside_like(chain, fibula))
    if thin is not None:
        bones[BoneName.FIBULA] = thin
    taken = {number for number, chain in enumerate(chains) if id(chain) in named or chain in (second, thin)}
    found = _complete(bones, chains, taken)
    return found if BoneName.FEMUR in found.bones or BoneName.FEMUR not in leg.bones else None


def _beside_like(chain: Chain, bone: Chain) -> float:
    """How well a chain lies beside a bone as the same bone of the other leg does: over the same heights, about as large."""
    shared = min(chain.high, bone.high) - max(chain.low, bone.low)
    covered = shared / (max(chain.high, bone.high) - min(chain.low, bone.low))
    alike = min(chain.volume_mm3, bone.volume_mm3) / max(chain.volume_mm3, bone.volume_mm3)
    fits = covered >= _SAME_HEIGHTS and alike >= _LIKE_VOLUME and _LEGS_MM[0] <= _apart(chain, bone) <= _LEGS_MM[1]
    return covered * alike if fits else 0.0


def _apart(one: Chain, two: Chain) -> float:
    """Distance across the body between two chains, mm."""
    return float(np.linalg.norm((one.centroid - two.centroid)[:2]))


def _shank_pairs(chains: Sequence[Chain]) -> list[tuple[int, int]]:
    found = []
    for one, two in permutations(range(len(chains)), 2):
        overlap = _side_by_side(chains[one], chains[two])
        if overlap >= _PAIR_MM:
            found.append((overlap, chains[one].volume_mm3, one, two))
    found.sort(key=lambda item: (-item[0], -item[1], item[2], item[3]))
    pairs: list[tuple[int, int]] = []
    for overlap, volume, one, two in found:
        used = {number for pair in pairs for number in pair}
        if one in used or two in used:
            continue
        if pairs:
            first = chains[pairs[0][0]]
            apart = abs(float(chains[one].centroid[0] - first.centroid[0]))
            if overlap < 0.5 * found[0][0] or volume < 0.3 * first.volume_mm3 or apart < 60.0:
                continue
        pairs.append((one, two))
        if len(pairs) == 2:
            break
    return pairs


def _side_by_side(tibia: Chain, fibula: Chain) -> float:
    """Height over which two chains run like tibia and fibula, mm; 0 when they do not."""
    low, high = max(tibia.low, fibula.low), min(tibia.high, fibula.high)
    if high - low < _PAIR_MM or tibia.volume_mm3 < 1.5 * fibula.volume_mm3:
        return 0.0
    thick = float(np.median(tibia.area_mm2[tibia.between(low, high)]))
    thin = float(np.median(fibula.area_mm2[fibula.between(low, high)]))
    slender = fibula.length >= 3.0 * np.sqrt(thin)
    if max(tibia.wide_axis(low, high)[1], fibula.wide_axis(low, high)[1]) > _FLAT:
        return 0.0
    if not (25.0 <= thin <= 450.0 and 150.0 <= thick <= 2500.0 and thick >= 1.3 * thin and slender):
        return 0.0
    apart = float(np.linalg.norm(tibia.centre(low, high) - fibula.centre(low, high)))
    return high - low if 12.0 <= apart <= 65.0 else 0.0


def _complete(bones: dict[BoneName, Chain], chains: Sequence[Chain], taken: set[int]) -> NamedLeg:
    """Add femur, patella, talus and hip bone to a leg that has its tibia."""
    free = [chain for number, chain in enumerate(chains) if number not in taken]
    tibia = bones[BoneName.TIBIA]
    short: dict[BoneName, float] = {}
    femur = _best(free, lambda chain: _like_femur(chain, tibia))
    if femur is not None and femur.length < LEAST_SEEN_MM and femur.high_cut:
        short[BoneName.FEMUR] = femur.length
    elif femur is not None:
        bones[BoneName.FEMUR] = femur
        free = [chain for chain in free if chain is not femur]
        for name, likeness in ((BoneName.PATELLA, _like_patella), (BoneName.HIP, _like_hip)):
            other = _best(free, partial(likeness, femur, tibia))
            if other is not None:
                bones[name] = other
                free = [chain for chain in free if chain is not other]
    talus = _best(free, lambda chain: _like_talus(chain, tibia))
    if talus is not None:
        bones[BoneName.TALUS] = talus
    return NamedLeg(bones, short)


def _best(chains: Sequence[Chain], likeness: Callable[[Chain], float]) -> Chain | None:
    scored = [(likeness(chain), -number, chain) for number, chain in enumerate(chains)]
    best = max(scored, key=lambda item: item[:2], default=None)
    return best[2] if best is not None and best[0] > 0 else None


def _like_femur(chain: Chain, tibia: Chain) -> float:
    """Stands on the plateau: lower end close above the tibia's upper end, right over it; the largest such bone."""
    if tibia.high_cut or not _KNEE_MM[0] <= chain.low - tibia.high <= _KNEE_MM[1] or chain.high < tibia.high:
        return 0.0
    apart = np.linalg.norm(chain.centre(chain.low, chain.low + 25.0) - tibia.centre(tibia.high - 25.0, tibia.high))
    return chain.volume_mm3 if apart <= 45.0 and chain.volume_mm3 >= 3000.0 else 0.0


def _like_patella(femur: Chain, tibia: Chain, chain: Chain) -> float:
    """A small bone at the level of the condyles, beside their axis."""
    x, y, z = chain.centroid
    if not (2500.0 <= chain.volume_mm3 <= 45000.0 and chain.length <= 75.0 and tibia.high - 25.0 <= z <= tibia.high + 120.0):
        return 0.0
    apart = np.linalg.norm(np.array([x, y]) - femur.centre(z - 10.0, z + 10.0))
    return chain.volume_mm3 if 20.0 <= apart <= 80.0 else 0.0


def _like_hip(femur: Chain, _: Chain, chain: Chain) -> float:
    """Surrounds or covers the upper end of a femur that the scan does not cut."""
    if (
        femur.high_cut
        or chain.length > _LONGEST_HIP_MM
        or chain.low_cut
        or chain.volume_mm3 < 12000.0
        or chain.low > femur.high + 5.0
        or chain.high < femur.high - 15.0
    ):
        return 0.0
    top = femur.centre(femur.high - 25.0, femur.high)
    near = chain.between(femur.high - 45.0, femur.high + 25.0)
    if not near.any():
        return 0.0
    apart = float(np.linalg.norm(chain.centre_xy[near] - top, axis=1).min())
    return chain.volume_mm3 if apart <= 75.0 else 0.0


def _like_talus(chain: Chain, tibia: Chain) -> float:
    """Under the plafond: the bone of the ankle that reaches highest between the malleoli."""
    if tibia.low_cut or chain.volume_mm3 < 8000.0 or chain.low > tibia.low + 5.0:
        return 0.0
    if not -12.0 <= chain.high - tibia.low <= 45.0 or chain.length > 110.0:
        return 0.0
    apart = np.linalg.norm(chain.centre(chain.high - 15.0, chain.high) - tibia.centre(tibia.low + 10.0, tibia.low + 35.0))
    return 100.0 + chain.high - tibia.low if apart <= 25.0 else 0.0


def _legs_without_pair(chains: Sequence[Chain]) -> tuple[NamedLeg, ...]:
    """Name what can be named without a fibula: two long bones one above the other, or a single one with a clear end."""
    tubes = [chain for chain in chains if chain.length >= 80.0 and chain.volume_mm3 >= 20000.0]
    tubes = [chain for chain in tubes if chain.length >= 2.5 * float(np.sqrt(np.median(chain.area_mm2)))]
    for lower in tubes:
        for upper in tubes:
            if upper is not lower and _like_femur(upper, lower) > 0:
                names = {BoneName.TIBIA: lower}
                number = next(n for n, chain in enumerate(chains) if chain is lower)
                return (_complete(names, chains, {number}),)
    if len(tubes) != 1:
        return ()
    only = tubes[0]
    wide_up, wide_down = _end_area(only, up=True), _end_area(only, up=False)
    if wide_up > 1.25 * wide_down and not only.high_cut:
        number = next(n for n, chain in enumerate(chains) if chain is only)
        return (_complete({BoneName.TIBIA: only}, chains, {number}),)
    if wide_down > 1.25 * wide_up and not only.low_cut:
        free = [chain for chain in chains if chain is not only]
        patella = _best(free, lambda chain: _like_patella(only, _below(only), chain))
        hip = _best(free, lambda chain: _like_hip(only, only, chain))
        named = {BoneName.FEMUR: only, BoneName.PATELLA: patella, BoneName.HIP: hip}
        return (NamedLeg({name: bone for name, bone in named.items() if bone is not None}, {}),)
    return ()


def _below(femur: Chain) -> Chain:
    """A stand-in for a tibia that is not in the scan: a point under the femur."""
    return Chain(femur.pieces, femur.z_mm[:1], femur.area_mm2[:1], femur.centre_xy[:1], femur.moments_mm2[:1])


def _end_area(chain: Chain, *, up: bool) -> float:
    fifth = 0.2 * chain.length
    inside = chain.between(chain.high - fifth, chain.high) if up else chain.between(chain.low, chain.low + fifth)
    areas: FloatArray = chain.area_mm2[inside]
    return float(areas.max())


def with_fibular_head(leg: NamedLeg, unnamed: Sequence[Chain]) -> tuple[NamedLeg, Chain | None]:
    """Give a fibula that ends too far below the plateau its head: what nobody named and goes on from it.

    A fibula is thin at its neck and its head all but touches the tibia: so it is parted from its bone more easily than others.
    Returns the leg, and the chain that was taken or None.
    """
    tibia, fibula = leg.bones.get(BoneName.TIBIA), leg.bones.get(BoneName.FIBULA)
    if tibia is None or fibula is None or tibia.high_cut or fibula.high > tibia.high - _HEAD_BELOW_MM:
        return leg, None
    fitting = [
        chain
        for chain in unnamed
        if _LEAST_HEAD_MM3 <= chain.volume_mm3 < fibula.volume_mm3
        and fibula.centroid[2] < chain.low
        and chain.high <= tibia.high
        and goes_on(fibula, chain)
    ]
    if not fitting:
        return leg, None
    head = max(fitting, key=lambda chain: chain.volume_mm3)
    whole = chain_of((*fibula.pieces, *head.pieces))
    return NamedLeg({**leg.bones, BoneName.FIBULA: whole}, leg.too_short), head


def goes_on(one: Chain, two: Chain) -> bool:
    """Tell whether two chains are stretches of one shaft: one above the other, on one line, thin and alike where they end."""
    upper, lower = (one, two) if one.low > two.low else (two, one)
    gap = upper.low - lower.high
    if not -_OVERLAP_MM <= gap <= _LOST_MM:
        return False
    ends = sorted((float(np.median(upper.area_mm2[1:4])), float(np.median(lower.area_mm2[-4:-1]))))
    if ends[1] > min(_SHAFT_MM2, _LIKE_SECTION * ends[0]):
        return False
    above = min(upper.pieces, key=lambda piece: float(piece.z_mm[0]))
    below = max(lower.pieces, key=lambda piece: float(piece.z_mm[-1]))
    return misfit(above, below) < 1.0
