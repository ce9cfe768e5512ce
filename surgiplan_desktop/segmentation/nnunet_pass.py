"""Run a pack that was an nnU-Net over a scan: its cropping, normalisation, resampling, tiles and cascade, in bounded memory.

The steps and their order are those of nnunetv2's predictor: turn the axes, crop what is 0 all round, normalise, resample with
splines, tile with half overlap, blend logits, resample the logits linearly, take the highest. Its sums are held in half
precision, here they are float32: that is the whole difference.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from surgiplan_desktop.base.arrays import AnyArray
from surgiplan_desktop.base.progress import SILENT, PartOfProgress, Progress
from surgiplan_desktop.model.images import Volume
from surgiplan_desktop.segmentation.inference.engine import Float32Array
from surgiplan_desktop.segmentation.logits_back import classes_on_scan
from surgiplan_desktop.segmentation.network_grid import network_grid
from surgiplan_desktop.segmentation.network_input import normalised, tile_reader
from surgiplan_desktop.segmentation.pack_check import network_bytes
from surgiplan_desktop.segmentation.pack_resampling import Resampling
from surgiplan_desktop.segmentation.packs import ModelPack, Normalisation, PackNetwork
from surgiplan_desktop.segmentation.resize import resized, resized_labels
from surgiplan_desktop.segmentation.slab import BLOCK_BYTES
from surgiplan_desktop.segmentation.tile_grid import Index3, plan_tiles
from surgiplan_desktop.segmentation.tiles import Network, memory_limit, plan_memory, run_tiles


@dataclass(frozen=True, slots=True, eq=False)
class _Turned:
    """The part of a scan that is not 0, turned to a network's axes: a view, nothing is copied.

    ``axes`` and ``flipped`` lead from the scan's axes to the network's; ``box`` is the part, in the network's axes.
    """

    values: AnyArray
    spacing_mm: tuple[float, float, float]
    axes: Index3
    flipped: tuple[int, ...]
    box: tuple[slice, slice, slice]

    @property
    def shape(self) -> Index3:
        """Voxels along the network's axes."""
        k, j, i = self.values.shape
        return k, j, i

    def turned(self, array: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return the same part of an array on the scan's grid, as a view in the network's axes."""
        result: NDArray[np.uint8] = np.flip(array.transpose(self.axes), self.flipped)[self.box]
        return result


def uses_nnunet(pack: ModelPack) -> bool:
    """Tell whether a pack wants nnU-Net's way of resampling (:func:`classes_of_scan`)."""
    return pack.networks[-1].resampling is not None


def classes_of_scan(
    volume: Volume,
    pack: ModelPack,
    networks: Mapping[str, Sequence[Network]],
    *,
    limit_bytes: int | None = None,
    progress: Progress = SILENT,
) -> NDArray[np.uint8]:
    """Run the networks of a pack over a scan.

    Parameters
    ----------
    networks
        Members by the name of the network; their logits are averaged.
    limit_bytes
        Bytes above which is refused before anything runs; default a share of what is free.

    Returns
    -------
    NDArray[np.uint8]
        Class of each voxel on the scan's grid (k, j, i): 0 background, n the n-th label of the pack.

    Raises
    ------
    ComputationError
        ``tiles_memory``, ``grid_too_large``; what the networks raise.
    """
    limit = memory_limit() if limit_bytes is None else limit_bytes
    needed = [pack.networks[-1]]
    while needed[0].guide:
        needed.insert(0, next(network for network in pack.networks if network.name == needed[0].guide))
    classes: NDArray[np.uint8] | None = None
    for number, network in enumerate(needed):
        part = PartOfProgress(progress, number / len(needed), (number + 1) / len(needed))
        classes = _one(volume, pack, network, networks[network.name], classes, limit, part)
    if classes is None:
        raise AssertionError("a pack has at least one network")
    return classes


def codes_of(classes: NDArray[np.uint8], pack: ModelPack) -> NDArray[np.uint16]:
    """Return the label codes of the pack for classes."""
    table = np.array([0, *(label.code for label in pack.labels)], dtype=np.uint16)
    result: NDArray[np.uint16] = table[classes]
    return result


def _one(
    volume: Volume,
    pack: ModelPack,
    network: PackNetwork,
    members: Sequence[Network],
    guide: NDArray[np.uint8] | None,
    limit: int,
    progress: Progress,
) -> NDArray[np.uint8]:
    how = network.resampling
    if how is None:
        raise ValueError(f"{network.name} does not want nnU-Net's resampling")
    result = np.zeros(volume.shape, dtype=np.uint8)
    part = _turned(volume, network.axes)
    if part is None:
        return result
    z, y, x = network.spacing_mm
    spacing = (z or part.spacing_mm[0], y, x)
    size = [max(1, round(old / new * count)) for old, new, count in zip(part.spacing_mm, spacing, part.shape, strict=True)]
    target = (size[0], size[1], size[2])
    apart = _axis_apart(how, part.spacing_mm, spacing)
    grid = plan_tiles(target, network.tile, overlap=network.overlap, spread=network.tiles)
    # the image and what lies between the two steps of its resampling, names on the way, and the scan's classes twice
    held = 4 * (math.prod(target) + part.shape[0] * target[1] * target[2]) + 2 * math.prod(target) + 2 * math.prod(volume.shape)
    # logits at the seams of blocks and strips on their way back to the scan, and a block joined with them
    held += 8 * pack.classes * target[2] * (target[0] + target[1]) + 2 * BLOCK_BYTES
    if guide is not None:
        held += 8 * (math.prod(target) + math.prod(part.shape))
    blending = pack.blending.asked(uncertainty=False)
    loaded = sum(network_bytes(pack, network, pack.path(member)) for member in network.members)
    plan = plan_memory(
        grid,
        channels=pack.channels(network),
        classes=pack.classes,
        blending=blending,
        run_bytes=loaded + held,
        members=len(members),
        limit_bytes=limit,
    )
    image = _seen(part, network.normalisation, target, how, apart, PartOfProgress(progress, 0.0, 0.1))
    names = None if guide is None else resized_labels(part.turned(guide), target, apart)
    read = tile_reader(image, grid, network.normalisation.outside, guide=names, labels=len(pack.labels))
    blocks = run_tiles(members, read, grid, pack.classes, plan, blending, progress=PartOfProgress(progress, 0.1, 1.0))
    apart_back = _axis_apart(how, spacing, part.spacing_mm)
    orders = [how.logits_across if axis == apart_back else how.logits for axis in range(3)]
    part.turned(result)[...] = classes_on_scan(blocks, target, part.shape, orders)
    return result


def _turned(volume: Volume, axes: str) -> _Turned | None:
    """Turn a scan to a network's axes and crop what is 0 all round; None where it is 0 everywhere."""
    way = network_grid(volume, axes, [float(step) for step in volume.spacing_kji_mm])
    flipped = tuple(row for row in range(3) if way.steps[row] < 0)
    values = np.flip(volume.array.transpose(way.axes), flipped)
    spans = [np.zeros(size, dtype=np.bool_) for size in values.shape]
    for k in range(values.shape[0]):
        there = values[k] != 0
        rows = there.any(axis=1)
        spans[0][k] = rows.any()
        spans[1] |= rows
        spans[2] |= there.any(axis=0)
    if not spans[0].any():
        return None
    ends = [np.flatnonzero(span)[[0, -1]] for span in spans]
    k_box, j_box, i_box = (slice(int(first), int(last) + 1) for first, last in ends)
    z, y, x = (float(volume.spacing_kji_mm[axis]) for axis in way.axes)
    return _Turned(values[k_box, j_box, i_box], (z, y, x), way.axes, flipped, (k_box, j_box, i_box))


def _axis_apart(how: Resampling, old_mm: Sequence[float], new_mm: Sequence[float]) -> int | None:
    """Return the axis with thick voxels that is taken apart from the others, None where there is none."""
    if how.separate == "never":
        return None
    for spacing in (old_mm, new_mm):
        longest = [axis for axis in range(3) if spacing[axis] == max(spacing)]
        if how.separate == "always" or max(spacing) / min(spacing) > how.ratio:
            return longest[0] if len(longest) == 1 else None
    return None


def _seen(
    part: _Turned, how: Normalisation, target: Index3, resampling: Resampling, apart: int | None, progress: Progress
) -> Float32Array:
    """Return the image that a network sees."""
    orders = [resampling.image_across if axis == apart else resampling.image for axis in range(3)]
    return resized(_slices(part.values, how), part.shape, target, orders, clip_slices_of=apart, progress=progress)


def _slices(values: AnyArray, how: Normalisation) -> Callable[[int], Float32Array]:
    """Return what gives normalised slices; only ways that look at the whole image hold it."""
    if how.kind == "fixed":
        return lambda k: normalised(_numbers(values[k]), how)
    whole = normalised(_numbers(values), how)
    return lambda k: whole[k]


def _numbers(values: AnyArray) -> AnyArray:
    """Put 0 in the place of what is no number."""
    if not np.issubdtype(values.dtype, np.floating) or np.isfinite(values).all():
        return values
    return np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)
