"""Two label maps on one grid: compared by their place in the patient, never by index alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from surgiplan_desktop.base.arrays import AnyArray, BoolArray, FloatArray, IntArray
from surgiplan_desktop.base.errors import InputDataError
from surgiplan_desktop.base.progress import SILENT, Progress
from surgiplan_desktop.base.spaces import Affine
from surgiplan_desktop.model.images import LabelMap

Relation = Literal["same", "turned", "cropped", "resampled"]
#: Grids whose voxels lie within this share of a voxel of each other are one lattice: headers are written in single precision.
_SAME_VOXELS: Final = 0.05


@dataclass(frozen=True, slots=True, eq=False)
class CommonGrid:
    """The common field of view of two label maps on the lattice of the reference.

    Attributes
    ----------
    prediction, reference
        Labels, shape (k, j, i) each.
    linear
        Steps of the index (k, j, i), mm, shape (3, 3).
    seen
        Shape (k, j, i), True where both have voxels; None where they have them everywhere.
    relation
        ``same`` grid; ``turned``: other order or sense of axes, voxel for voxel; ``cropped``: same lattice, other extent;
        ``resampled``: the prediction was sampled at the nearest of its voxels.
    """

    prediction: NDArray[np.uint16]
    reference: NDArray[np.uint16]
    linear: FloatArray
    seen: BoolArray | None
    relation: Relation


def common_grid(prediction: LabelMap, reference: LabelMap, *, progress: Progress = SILENT) -> CommonGrid:
    """Bring a prediction to the lattice of the reference and both to their common field of view.

    Raises
    ------
    InputDataError
        ``evaluate_apart`` when the two share no voxel.
    """
    to_prediction = prediction.affine.inverse() @ reference.affine
    lattice = _lattice(to_prediction, reference.shape)
    if lattice is None:
        return _resampled(prediction, reference, to_prediction, progress)
    axes, senses, shift = lattice
    turned = np.transpose(prediction.array, axes)
    # index of the prediction = sense * index of the reference + shift; a reversed axis counts from its other end
    start = np.where(senses > 0, shift, np.array(turned.shape) - 1 - shift)
    turned = np.flip(turned, tuple(int(axis) for axis in np.flatnonzero(senses < 0)))
    low = np.maximum(0, -start)
    high = np.minimum(reference.shape, np.array(turned.shape) - start)
    if (high <= low).any():
        raise InputDataError("evaluate_apart")
    whole = reference.shape == turned.shape and not start.any()
    changed = axes != (0, 1, 2) or bool((senses < 0).any())
    relation: Relation = ("turned" if changed else "same") if whole else "cropped"
    ours = tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
    theirs = tuple(slice(int(a), int(b)) for a, b in zip(low + start, high + start, strict=True))
    return CommonGrid(turned[theirs], reference.array[ours], reference.affine.linear, None, relation)


def _lattice(to_prediction: Affine, shape: tuple[int, int, int]) -> tuple[tuple[int, ...], IntArray, IntArray] | None:
    """Return axes, senses and shift that map indices of the reference to those of the prediction; None for another lattice."""
    whole = np.rint(to_prediction.matrix)
    turn = np.abs(whole[:3, :3])
    if not ((turn.sum(axis=0) == 1).all() and (turn.sum(axis=1) == 1).all()):
        return None
    corners = np.array(list(np.ndindex(2, 2, 2))) * (np.array(shape) - 1.0)
    if float(np.abs(to_prediction(corners) - Affine(whole)(corners)).max()) > _SAME_VOXELS:
        return None
    axes = tuple(int(axis) for axis in turn.argmax(axis=0))
    picked = list(axes)
    senses = whole[picked, range(3)].astype(np.int32)
    return axes, senses, whole[picked, 3].astype(np.int32)


def _resampled(prediction: LabelMap, reference: LabelMap, to_prediction: Affine, progress: Progress) -> CommonGrid:
    """Sample the prediction at the nearest of its voxels for every voxel of the reference that it reaches."""
    linear, shift = to_prediction.linear, to_prediction.translation
    count, rows, columns = reference.shape
    j, i = np.arange(rows)[:, None], np.arange(columns)[None, :]
    found = np.zeros(reference.shape, dtype=np.uint16)
    seen = np.zeros(reference.shape, dtype=np.bool_)
    for k in range(count):
        progress.step(k, count, "evaluating")
        index = [
            np.rint(linear[axis, 1] * j + linear[axis, 2] * i + (linear[axis, 0] * k + shift[axis])).astype(np.int64)
            for axis in range(3)
        ]
        inside = np.logical_and.reduce([(at >= 0) & (at < length) for at, length in zip(index, prediction.shape, strict=True)])
        seen[k] = inside
        found[k][inside] = prediction.array[tuple(at[inside] for at in index)]
    box = _box(seen)
    if box is None:
        raise InputDataError("evaluate_apart")
    seen = seen[box]
    if seen.all():
        return CommonGrid(found[box], reference.array[box], reference.affine.linear, None, "resampled")
    within = np.where(seen, reference.array[box], np.uint16(0))
    return CommonGrid(found[box], within, reference.affine.linear, seen, "resampled")


def _box(mask: AnyArray) -> tuple[slice, slice, slice] | None:
    """Return the smallest box that holds all that is True in a mask."""
    ranges = [np.flatnonzero(mask.any(axis=tuple(other for other in range(3) if other != axis))) for axis in range(3)]
    if not all(len(found) for found in ranges):
        return None
    k, j, i = (slice(int(found[0]), int(found[-1]) + 1) for found in ranges)
    return k, j, i
