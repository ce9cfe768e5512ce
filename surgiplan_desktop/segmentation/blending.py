"""How passes of networks are put together: mean of logits or probabilities, class of each voxel, entropy, mutual information."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import entr

from surgiplan_desktop.base.errors import ComputationError
from surgiplan_desktop.segmentation.inference.engine import Float32Array
from surgiplan_desktop.segmentation.slab import Block
from surgiplan_desktop.segmentation.tile_grid import TileGrid


@dataclass(frozen=True, slots=True)
class Blending:
    """How passes are put together.

    Parameters
    ----------
    what
        ``logits`` averages what the networks give, as nnU-Net and MONAI do; ``probabilities`` averages the softmax, the mean of
        clinical.md E.2.
    temperature
        Logits are divided by it before a softmax (calibration).
    uncertainty
        Also average the entropy of every pass, for entropy and mutual information.
    mirrors
        Axes (0 = k, 1 = j, 2 = i) along which a pass is flipped and its answer flipped back; one pass a member and entry.
    further_mirrors
        Passes that run besides where uncertainty is asked for, so that passes can differ. They tell how sure the network is and
        have no say in what it says: the labels are the same whether uncertainty is asked for or not.
    """

    what: Literal["logits", "probabilities"] = "logits"
    temperature: float = 1.0
    uncertainty: bool = False
    mirrors: tuple[tuple[int, ...], ...] = ((),)
    further_mirrors: tuple[tuple[int, ...], ...] = ()

    def asked(self, *, uncertainty: bool) -> Blending:
        """Return how passes are put together with or without uncertainty."""
        return replace(self, uncertainty=uncertainty, further_mirrors=self.further_mirrors if uncertainty else ())


@dataclass(frozen=True, slots=True)
class TileResult:
    """Class of each voxel (k, j, i), 0 where no tile was, and the uncertainty if asked for.

    ``entropy`` of the mean of all passes and ``mutual_information`` (clinical.md E.2) are 0..255 for 0..ln(classes).
    """

    classes: NDArray[np.uint8]
    entropy: NDArray[np.uint8] | None
    mutual_information: NDArray[np.uint8] | None


def label_volume(blocks: Iterator[Block], grid: TileGrid, classes: int, blending: Blending) -> TileResult:
    """Put blocks together to the class of each voxel, with entropy and mutual information where they were asked for."""
    if classes > 256:
        raise ComputationError("tiles_classes", classes=classes, limit=256)
    labels = np.zeros(grid.shape, dtype=np.uint8)
    entropy = np.zeros(grid.shape, dtype=np.uint8) if blending.uncertainty else None
    mutual = np.zeros(grid.shape, dtype=np.uint8) if blending.uncertainty else None
    for block in blocks:
        _, depth, height, _ = block.mean.shape
        place = (slice(block.k, block.k + depth), slice(block.j, block.j + height))
        labels[place] = np.where(block.seen, block.mean.argmax(axis=0), 0)
        if entropy is not None and mutual is not None and block.expected_entropy is not None:
            total = np.where(block.seen, entropy_of_mean(block.of_all_passes, blending), 0.0)
            entropy[place] = as_byte(total, classes)
            mutual[place] = as_byte(np.maximum(total - block.expected_entropy, 0.0), classes)
    return TileResult(labels, entropy, mutual)


def entropy_of_mean(mean: Float32Array, blending: Blending) -> Float32Array:
    """Entropy in nats (k, j, i) of blended logits or probabilities (classes, k, j, i)."""
    if blending.what == "logits":
        return softmax_in_place(mean / np.float32(blending.temperature))
    result = np.zeros(mean.shape[1:], dtype=np.float32)
    for share in mean:
        result += entr(share)
    return result


def as_byte(nats: NDArray[np.floating], classes: int) -> NDArray[np.uint8]:
    """Return nats as 0..255 for 0..ln(classes)."""
    result: NDArray[np.uint8] = np.rint(np.clip(nats / math.log(max(classes, 2)), 0.0, 1.0) * 255.0).astype(np.uint8)
    return result


def softmax_in_place(logits: Float32Array) -> Float32Array:
    """Turn logits (classes, ...) into probabilities in place, class by class, and return their entropy in nats."""
    highest = logits.max(axis=0)
    total = np.zeros_like(highest)
    moment = np.zeros_like(highest)
    for values in logits:
        values -= highest
        grown = np.exp(values)
        total += grown
        moment += grown * values
        values[...] = grown
    logits /= total
    result: Float32Array = np.log(total) - moment / total
    return result
