"""What networks said of a block, as far as bones go: the likeliest bone of a voxel, how likely it is bone at all, and how sure.

Bone against the rest is kept apart from which bone it is: the first is what a network draws well, also where it names badly, and
a chance that is interpolated finds the surface between two voxels.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from surgiplan_desktop.segmentation.blending import Blending, as_byte, entropy_of_mean, softmax_in_place
from surgiplan_desktop.segmentation.slab import Block
from surgiplan_desktop.segmentation.tile_grid import TileGrid

ByteImage = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class BoneAnswer:
    """Answer of a network over a block, on its own grid, all uint8 (k, j, i).

    Attributes
    ----------
    best
        The likeliest of the channels that are bones; it says something only where ``chance`` is not nearly 0.
    chance
        Chance of all bones together, 0..255 for 0..1.
    entropy, disagreement
        Entropy of the mean of all passes and mutual information, 0..255 for 0..ln(classes); None where they were not asked for.
    """

    best: ByteImage
    chance: ByteImage
    entropy: ByteImage | None = None
    disagreement: ByteImage | None = None


def bone_answer(blocks: Iterator[Block], grid: TileGrid, classes: int, bones: Sequence[int], blending: Blending) -> BoneAnswer:
    """Put blended blocks together.

    Parameters
    ----------
    classes
        Channels of the network.
    bones
        Those of them that are bones, in rising order.
    """
    best = np.zeros(grid.shape, dtype=np.uint8)
    chance = np.zeros(grid.shape, dtype=np.uint8)
    entropy = np.zeros(grid.shape, dtype=np.uint8) if blending.uncertainty else None
    disagreement = np.zeros(grid.shape, dtype=np.uint8) if blending.uncertainty else None
    channels = np.array(bones, dtype=np.uint8)
    for block in blocks:
        _, depth, height, _ = block.mean.shape
        place = (slice(block.k, block.k + depth), slice(block.j, block.j + height))
        shares = block.mean
        if blending.what == "logits":
            shares = shares / np.float32(blending.temperature)
            softmax_in_place(shares)
        bone = shares[channels]
        best[place] = np.where(block.seen, channels[bone.argmax(axis=0)], 0)
        chance[place] = np.where(block.seen, np.rint(np.clip(bone.sum(axis=0), 0.0, 1.0) * 255.0), 0).astype(np.uint8)
        if entropy is not None and disagreement is not None and block.expected_entropy is not None:
            total = entropy_of_mean(block.of_all_passes, blending)
            entropy[place] = as_byte(np.where(block.seen, total, 0.0), classes)
            disagreement[place] = as_byte(np.where(block.seen, np.maximum(total - block.expected_entropy, 0.0), 0.0), classes)
    return BoneAnswer(best, chance, entropy, disagreement)
