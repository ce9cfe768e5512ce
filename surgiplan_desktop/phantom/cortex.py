"""Thickness of the cortex and density of what it holds, along each bone and around its shaft.

Means of adults, mm, against the share of the bone's length from its distal end. Sources of the pattern: femoral diaphysis thicker
behind than in front, medial and lateral alike (J Bone Miner Metab 2019, doi:10.1007/s00774-019-01079-9); tibial diaphysis thicker
in front than behind (J Exp Orthop 2020, doi:10.1186/s40634-020-00297-9) and thickest towards its middle (J Anat 2010,
doi:10.1111/j.1469-7580.2009.01201.x). The ends of the bones have next to no shell of their own (Contribution of the cortex
to epiphyseal strength: the upper tibia studied in cadavers, Acta Orthop Scand). The millimetres themselves are general knowledge.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from surgiplan_desktop.base.arrays import AnyArray
from surgiplan_desktop.model.anatomy import BoneName


class Profile(NamedTuple):
    """Values at shares of the length from distal (0) to proximal (1); linear in between."""

    shares: tuple[float, ...]
    values: tuple[float, ...]

    def at(self, share: AnyArray) -> AnyArray:
        """Values at shares of any shape, in the type of ``share``."""
        result: AnyArray = np.interp(share, self.shares, self.values).astype(share.dtype)
        return result


#: Mean thickness of the cortex around the section, mm.
CORTEX_MM: Final[dict[BoneName, Profile]] = {
    BoneName.FEMUR: Profile((0.0, 0.08, 0.15, 0.25, 0.5, 0.75, 0.85, 0.92, 1.0), (0.6, 0.7, 1.4, 3.6, 6.4, 5.8, 3.6, 1.8, 1.2)),
    BoneName.TIBIA: Profile((0.0, 0.06, 0.14, 0.25, 0.5, 0.75, 0.85, 0.92, 1.0), (0.8, 0.9, 1.7, 3.8, 5.2, 4.0, 2.0, 0.8, 0.6)),
    BoneName.FIBULA: Profile((0.0, 0.08, 0.2, 0.5, 0.85, 0.94, 1.0), (0.8, 0.9, 2.2, 2.8, 2.0, 0.9, 0.6)),
    BoneName.PATELLA: Profile((0.0, 1.0), (1.0, 1.0)),
    BoneName.TALUS: Profile((0.0, 1.0), (0.8, 0.8)),
    BoneName.HIP: Profile((0.0, 1.0), (1.5, 1.5)),
}
#: By what share of its mean the cortex is thicker in front (negative: behind), in the middle of the shaft.
_THICKER_IN_FRONT: Final[dict[BoneName, float]] = {BoneName.FEMUR: -0.15, BoneName.TIBIA: 0.2}
#: The difference between front and back fades out towards both ends.
_SHAFT: Final = Profile((0.15, 0.3, 0.7, 0.85), (0.0, 1.0, 1.0, 0.0))
#: Share of trabeculae inside the cortex (the rest is marrow); above 1 the trabeculae are denser than those of a metaphysis.
TRABECULAE: Final[dict[BoneName, Profile]] = {
    BoneName.FEMUR: Profile((0.0, 0.10, 0.24, 0.76, 0.90, 1.0), (1.0, 0.9, 0.0, 0.0, 0.9, 1.2)),
    BoneName.TIBIA: Profile((0.0, 0.08, 0.20, 0.74, 0.92, 1.0), (1.1, 0.9, 0.0, 0.0, 0.8, 1.1)),
    BoneName.FIBULA: Profile((0.0, 0.10, 0.25, 0.85, 1.0), (1.0, 0.8, 0.0, 0.0, 0.7)),
    BoneName.PATELLA: Profile((0.0, 1.0), (1.2, 1.2)),
    BoneName.TALUS: Profile((0.0, 1.0), (1.3, 1.3)),
    BoneName.HIP: Profile((0.0, 1.0), (0.9, 0.9)),
}


def cortex_mm(bone: BoneName, share: AnyArray, forward: AnyArray | float = 0.0) -> AnyArray:
    """Thickness of the cortex.

    Parameters
    ----------
    bone
        The bone.
    share
        Share of its length from the distal end, any shape.
    forward
        Cosine of the direction from the long axis with the bone's front: 1 in front, -1 behind.

    Returns
    -------
    array
        Millimetres, shape of ``share``.
    """
    mean = CORTEX_MM[bone].at(share)
    front = _THICKER_IN_FRONT.get(bone)
    if front is None:
        return mean
    result: AnyArray = mean * (1.0 + front * _SHAFT.at(share) * np.asarray(forward)).astype(share.dtype)
    return result


def trabecular_share(bone: BoneName, share: AnyArray) -> AnyArray:
    """Share of trabeculae inside the cortex at shares of the length, shape of ``share``."""
    return TRABECULAE[bone].at(share)
