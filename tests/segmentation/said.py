"""What a network might have said of a scan whose bones are known, with errors put in."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy import ndimage

from surgiplan_desktop.model.anatomy import BoneName
from surgiplan_desktop.model.images import Volume
from surgiplan_desktop.segmentation.class_maps import BoneAnswer
from surgiplan_desktop.segmentation.leg_networks import AIR_HU, BlockAnswer, PackBones
from surgiplan_desktop.segmentation.network_grid import network_grid, seen_by_network

#: Channels in the order of the pack leg-ct.
CHANNEL = {
    BoneName.FEMUR: 1, BoneName.TIBIA: 2, BoneName.PATELLA: 3, BoneName.FIBULA: 4, BoneName.TALUS: 5, BoneName.HIP: 6,
}  # fmt: skip
OTHER = 7
BONES = PackBones({channel: name for name, channel in CHANNEL.items()}, (OTHER,))


def classes_of(bones: Mapping[BoneName, np.ndarray]) -> np.ndarray:
    """Channel of every voxel."""
    result = np.zeros(next(iter(bones.values())).shape, dtype=np.uint8)
    for name, mask in bones.items():
        result[mask] = CHANNEL[name]
    return result


def said(volume: Volume, classes: np.ndarray, step_mm: float = 2.0, *, uncertainty: bool = False) -> BlockAnswer:
    """The answer of a network that draws these classes (on the volume's grid) with a soft edge."""
    grid = network_grid(volume, "SPL", (step_mm,) * 3)
    hu = seen_by_network(volume, grid, outside=AIR_HU)
    best = np.zeros(grid.shape, dtype=np.uint8)
    most = np.full(grid.shape, -1.0, dtype=np.float32)
    total = np.zeros(grid.shape, dtype=np.float32)
    for channel in np.unique(classes[classes > 0]).tolist():
        share = seen_by_network(Volume((classes == channel).astype(np.float32), volume.affine), grid, outside=0.0)
        total += share
        soft = ndimage.gaussian_filter(share, 0.6)
        best[soft > most] = channel
        most = np.maximum(most, soft)
    chance = np.rint(np.clip(total, 0.0, 1.0) * 255.0).astype(np.uint8)
    zeros = np.zeros(grid.shape, dtype=np.uint8) if uncertainty else None
    return BlockAnswer(grid, hu, BoneAnswer(best, chance, zeros, zeros))
