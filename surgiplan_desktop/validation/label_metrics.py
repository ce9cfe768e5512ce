"""Label maps against a reference, label by label: Dice, surface distances, volumes (clinical.md E.1)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from surgiplan_desktop.base.arrays import BoolArray, FloatArray
from surgiplan_desktop.base.progress import SILENT, Progress
from surgiplan_desktop.geometry.distance import distance_to_points
from surgiplan_desktop.geometry.surfels import INSIDE, neighbourhood_codes, surfel_areas
from surgiplan_desktop.model.images import LabelMap
from surgiplan_desktop.validation.common_grid import CommonGrid, Relation, common_grid
from surgiplan_desktop.validation.weighted import SurfaceMetrics, WeightedDistances, surface_metrics

Status = Literal["ok", "absent_correct", "only_prediction", "only_reference", "outside_common_field"]
_Box = tuple[slice, ...]
#: Number of codes that 16 bits hold.
_CODES: Final = 65536
_NOTHING: Final = SurfaceMetrics((math.nan, math.nan), math.nan, math.nan, math.nan, math.nan, math.nan)


@dataclass(frozen=True, slots=True)
class LabelMetrics:
    """One label of two label maps; pairs are (prediction, reference).

    Attributes
    ----------
    status
        ``absent_correct``: neither has the label (Dice 1, to be left out of means); ``only_prediction`` and ``only_reference``:
        Dice 0, infinite distances; ``outside_common_field``: nothing of it where both have voxels (NaN).
    volume_mm3
        Of the whole label in its own file.
    common_volume_mm3
        Within the common field of view, which Dice and the surfaces are of.
    at_edge
        Whether the edge of the common field cuts the label; without ``closed_edges`` that cut is no surface.
    """

    code: int
    status: Status
    dice: float
    surface: SurfaceMetrics
    volume_mm3: tuple[float, float]
    common_volume_mm3: tuple[float, float]
    at_edge: bool


@dataclass(frozen=True, slots=True)
class LabelComparison:
    """All labels, ascending by code, and how the two grids lie to each other."""

    labels: tuple[LabelMetrics, ...]
    relation: Relation


def compare_labels(
    prediction: LabelMap,
    reference: LabelMap,
    *,
    codes: Sequence[int] | None = None,
    closed_edges: bool = False,
    progress: Progress = SILENT,
) -> LabelComparison:
    """Compare two label maps within their common field of view, on the lattice of the reference.

    Parameters
    ----------
    codes
        Labels to compare; None takes every label that either file has.
    closed_edges
        Count the surface where the edge of the field cuts a body, too (as libraries do that pad with background).

    Raises
    ------
    InputDataError
        ``evaluate_apart`` when the two share no voxel.
    """
    whole = _counts(prediction), _counts(reference)
    voxels = tuple(abs(float(np.linalg.det(image.affine.linear))) for image in (prediction, reference))
    grid = common_grid(prediction, reference, progress=progress)
    boxes = tuple(ndimage.find_objects(array) for array in (grid.prediction, grid.reference))
    areas = surfel_areas(grid.linear)
    if codes is None:
        codes = [int(code) for code in np.flatnonzero(whole[0] + whole[1]) if code]
    found = []
    for number, code in enumerate(sorted(set(codes))):
        progress.step(number, len(codes), "evaluating")
        volume = whole[0][code] * voxels[0], whole[1][code] * voxels[1]
        present = [items[code - 1] for items in boxes if code <= len(items) and items[code - 1] is not None]
        if present:
            found.append(_compared(grid, code, _around(present, grid.reference.shape), volume, areas, closed_edges))
        else:
            found.append(_absent(code, volume))
    progress.step(1, 1, "evaluating")
    return LabelComparison(tuple(found), grid.relation)


def _counts(image: LabelMap) -> FloatArray:
    """Return the number of voxels of every code; slice by slice, since counting works on 64 bits."""
    counts = np.zeros(_CODES)
    for plane in image.array:
        counts += np.bincount(plane.reshape(-1), minlength=_CODES)
    return counts


def _around(boxes: Sequence[_Box], shape: Sequence[int]) -> _Box:
    """Return the box around boxes with one voxel of background about it, as far as the array goes."""
    return tuple(
        slice(max(min(box[axis].start for box in boxes) - 1, 0), min(max(box[axis].stop for box in boxes) + 1, shape[axis]))
        for axis in range(3)
    )


def _absent(code: int, volume: tuple[float, float]) -> LabelMetrics:
    nowhere = not any(volume)
    return LabelMetrics(
        code=code,
        status="absent_correct" if nowhere else "outside_common_field",
        dice=1.0 if nowhere else math.nan,
        surface=_NOTHING,
        volume_mm3=volume,
        common_volume_mm3=(0.0, 0.0),
        at_edge=False,
    )


def _compared(
    grid: CommonGrid, code: int, box: _Box, volume: tuple[float, float], areas: FloatArray, closed_edges: bool
) -> LabelMetrics:
    one, two = grid.prediction[box] == code, grid.reference[box] == code
    ours, theirs, both = (int(np.count_nonzero(mask)) for mask in (one, two, one & two))
    voxel = abs(float(np.linalg.det(grid.linear)))
    codes = [neighbourhood_codes(np.pad(mask, 1)) for mask in (one, two)]
    borders = [(found != 0) & (found != INSIDE) for found in codes]
    # what lies beyond the field is unknown: a neighbourhood that reaches there holds no surface, unless the body is to be closed
    seen = np.ones(one.shape, dtype=np.bool_) if grid.seen is None else grid.seen[box]
    known = neighbourhood_codes(np.pad(seen, 1)) == INSIDE
    at_edge = any(bool((border & ~known).any()) for border in borders)
    if not closed_edges:
        borders = [border & known for border in borders]
    status: Status = "ok" if ours and theirs else "only_prediction" if ours else "only_reference"
    return LabelMetrics(
        code=code,
        status=status,
        dice=2.0 * both / (ours + theirs),
        surface=surface_metrics(
            _distances(borders[0], borders[1], codes[0], areas, grid.linear),
            _distances(borders[1], borders[0], codes[1], areas, grid.linear),
        ),
        volume_mm3=volume,
        common_volume_mm3=(ours * voxel, theirs * voxel),
        at_edge=at_edge,
    )


def _distances(
    border: BoolArray, other: BoolArray, codes: NDArray[np.uint8], areas: FloatArray, linear: FloatArray
) -> WeightedDistances:
    """Distances from the surface elements of one mask to the nearest ones of the other."""
    places = np.argwhere(border)
    distance = np.zeros(len(places))
    apart = ~other[border]  # an element in the same place is at distance 0 without a search
    targets = np.argwhere(other)
    if len(targets):
        distance[apart] = distance_to_points(places[apart] @ linear.T, targets @ linear.T)
    else:
        distance[:] = np.inf
    return WeightedDistances(distance, areas[codes[border]])
