"""A label's outline moved to the outer edge of the bone that it names.

A network knows which bone is which, but its outline is a voxel or two beside the bone. Along the normals of that outline the
Hounsfield profile shows where the bone ends: bright to dark, as seen from inside, for the first time, and nothing as bright
outside that is this bone's. Neighbouring profiles vote together, so that noise and struts of spongy bone do not win; where no
profile shows an edge, the neighbours' shift is taken. In a joint the profile also shows the dark valley before the next bone:
no edge lies beyond it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy import ndimage, sparse
from scipy.spatial import cKDTree

from surgiplan_desktop.base.arrays import BoolArray, FloatArray, IntArray
from surgiplan_desktop.geometry.adjacency import mean_of_neighbours
from surgiplan_desktop.geometry.edge import FloatImage
from surgiplan_desktop.geometry.isosurface import zero_surface

#: The outline is moved on a grid about so wide, mm: finer ones show no more of a shift that is smooth.
_GRID_MM: Final = 1.25
#: Smoothing of the label (its voxels are steps) and of the image (noise), mm.
_LABEL_SMOOTHING_MM: Final = 0.8
_IMAGE_SMOOTHING_MM: Final = 0.45
#: Spacing of the samples of a profile, and how far profiles reach beyond the search, mm.
_STEP_MM: Final = 0.35
_BEYOND_MM: Final = 2.45
#: Values outside this range are metal or air and say no more than its ends, HU.
_RANGE_HU: Final = (-50.0, 1300.0)
#: A fall of this many HU a mm counts in full; a fall or rise passed over counts in full at this many HU.
_FULL_SLOPE: Final = 550.0
_FULL_PASSED_HU: Final = 500.0
#: What noise and struts make of falls and rises, HU: passed over without cost.
_FREE_PASSED_HU: Final = 150.0
#: Values beside an edge are soft tissue below the first and bone above the second, HU.
_DARK_HU: Final = (150.0, 450.0)
#: Weights of a fall passed inside, of a rise left outside, of bright values outside, and of the distance from the label.
_WEIGHTS: Final = (0.7, 0.7, 0.35, 0.5)
#: Sharpness of the choice: costs differ by this to be told apart.
_TEMPERATURE: Final = 0.12
#: Rounds of the search: share of the doubt searched, passes in which neighbours vote, passes that smooth the shift.
_ROUNDS: Final = ((1.0, 8, 6), (0.5, 4, 3), (0.35, 2, 2))
#: Layers show the same when they differ by less than this share of what the values of one differ among themselves.
_SAME_IMAGE: Final = 0.6
#: How far beyond the search the depth is kept exact, mm.
_BAND_MM: Final = 1.6
#: Mouths of cavities up to twice so wide are closed, mm; labels without cavities worth the name are left as they are, mm3.
_MOUTH_MM: Final = 3.0
_LEAST_CAVITY_MM3: Final = 100.0
#: A valley is darker than the peak beyond it by this, HU.
_VALLEY_HU: Final = 60.0


@dataclass(frozen=True, slots=True, eq=False)
class Outline:
    """A settled outline on the grid of the image.

    Attributes
    ----------
    depth_mm
        Distance from the outline, positive inside, exact within some millimetres of it; shape (k, j, i).
    shut
        Voxels outside that are another bone's or lie beyond the valley before it; shape (k, j, i).
    """

    depth_mm: FloatImage
    shut: BoolArray


def signed_depth(mask: BoolArray, spacing_mm: FloatArray) -> FloatImage:
    """Return the distance from the faces of a mask's voxels, positive inside, mm; far inside everywhere when all is mask."""
    half = 0.5 * float(np.min(spacing_mm))
    if mask.all():
        return np.full(mask.shape, 1e3, dtype=np.float32)
    inside = ndimage.distance_transform_edt(mask, sampling=spacing_mm)
    if not mask.any():
        return np.full(mask.shape, -1e3, dtype=np.float32)
    outside = ndimage.distance_transform_edt(~mask, sampling=spacing_mm)
    result: FloatImage = np.where(mask, inside - half, half - outside).astype(np.float32)
    return result


def settled(hu: FloatImage, own: BoolArray, foreign: BoolArray, spacing_mm: FloatArray, doubt_mm: float) -> Outline:
    """Move the outline of a label to the edge of its bone.

    Parameters
    ----------
    hu
        Hounsfield values, shape (k, j, i).
    own, foreign
        Voxels labelled as this bone, and as another.
    spacing_mm
        Along k, j, i.
    doubt_mm
        How far the label may be wrong, mm.
    """
    stride = np.maximum(1, np.floor(_GRID_MM / spacing_mm)).astype(int)
    coarse = spacing_mm * stride
    steady = ndimage.gaussian_filter(np.clip(hu, *_RANGE_HU), _IMAGE_SMOOTHING_MM / spacing_mm)
    depth = _thinned(_smooth_depth(own, spacing_mm), stride)
    theirs = _thinned(_smooth_depth(foreign, spacing_mm), stride)
    label = depth
    valley = np.full(depth.shape, np.inf, dtype=np.float32)
    for share, votes, smoothings in _ROUNDS:
        index, faces = zero_surface(depth)
        if len(faces) < 4:
            break
        points = index * coarse
        profiles = _profiles(steady, depth, label, theirs, points, spacing_mm, coarse, share * doubt_mm)
        linked = mean_of_neighbours(faces, len(points))
        shift, before = _edge(profiles, linked, doubt_mm, votes, smoothings)
        depth, valley = _moved(depth, points, shift, before, coarse, share * doubt_mm)
    full = _thickened(depth, stride, hu.shape)
    gap = _thickened(np.minimum(valley, 4.0).astype(np.float32), stride, hu.shape)
    shut = (full < 0.0) & (foreign | (-full > gap))
    return Outline(full, shut)


def without_cavities(own: BoolArray, foreign: BoolArray, spacing_mm: FloatArray) -> BoolArray:
    """Fill what a label encloses in slices of at least two of the three directions, (k, j, i): marrow is no surface.

    A cavity with a mouth is enclosed in most slices of two directions; a true opening, such as that of the hip bone, only in one.
    What is left of a mouth is closed.
    """
    enclosed = np.zeros(own.shape, dtype=np.uint8)
    for axis in range(3):
        votes = np.moveaxis(enclosed, axis, 0)
        for number, layer in enumerate(np.moveaxis(own, axis, 0)):
            if layer.any():
                votes[number] += np.asarray(ndimage.binary_fill_holes(layer), dtype=np.uint8)
    filled: BoolArray = own | ((enclosed >= 2) & ~foreign)
    if np.count_nonzero(filled) - np.count_nonzero(own) < _LEAST_CAVITY_MM3 / float(np.prod(spacing_mm)):
        return filled
    pad = int(np.ceil(_MOUTH_MM / float(np.min(spacing_mm)))) + 1
    near = np.asarray(ndimage.distance_transform_edt(~np.pad(filled, pad), sampling=spacing_mm)) <= _MOUTH_MM
    inner = np.asarray(ndimage.distance_transform_edt(near, sampling=spacing_mm))[pad:-pad, pad:-pad, pad:-pad] > _MOUTH_MM
    result: BoolArray = filled | (inner & ~foreign)
    return result


def carried_to_edges(
    hu: FloatImage,
    own: BoolArray,
    foreign: BoolArray,
    edges: tuple[tuple[int, int], ...],
    spacing_mm: FloatArray,
    doubt_mm: float,
) -> BoolArray:
    """Carry a label on to edges of the scan that it ends just before, where the image goes on as it was.

    Parameters
    ----------
    edges
        Faces of the array that are edges of the scan: (axis, 0) or (axis, -1).

    Returns
    -------
    array
        The label, shape (k, j, i).
    """
    result = own.copy()
    for axis, end in edges:
        layers = max(1, int(np.ceil(0.5 * doubt_mm / spacing_mm[axis])))
        if own.shape[axis] <= 2 * layers:
            continue
        from_edge = [-1 - n if end else n for n in range(layers + 1)]
        image, label, others = (np.moveaxis(array, axis, 0) for array in (hu, result, foreign))
        last: BoolArray = label[from_edge[-1]].copy()
        if not last.any():
            continue
        seen = np.asarray(ndimage.binary_dilation(last, iterations=2))
        there = np.clip(image[from_edge[-1]][seen], *_RANGE_HU)
        contrast = float(np.abs(there - there.mean()).mean())
        for layer in from_edge[:-1]:
            here = np.clip(image[layer][seen], *_RANGE_HU)
            if float(np.abs(here - there).mean()) < _SAME_IMAGE * contrast:
                label[layer] |= last & ~others[layer]
    return result


def _smooth_depth(mask: BoolArray, spacing_mm: FloatArray) -> FloatImage:
    result: FloatImage = ndimage.gaussian_filter(signed_depth(mask, spacing_mm), _LABEL_SMOOTHING_MM / spacing_mm)
    return result


def _thinned(image: FloatImage, stride: IntArray) -> FloatImage:
    result: FloatImage = image[:: stride[0], :: stride[1], :: stride[2]]
    return result


def _thickened(image: FloatImage, stride: IntArray, shape: tuple[int, ...]) -> FloatImage:
    """Undo the thinning by linear interpolation."""
    result = image
    for axis, (step, size) in enumerate(zip(stride.tolist(), shape, strict=True)):
        if step == 1:
            continue
        place = np.minimum(np.arange(size) / step, result.shape[axis] - 1.0)
        low = np.minimum(place.astype(int), max(result.shape[axis] - 2, 0))
        high = np.minimum(low + 1, result.shape[axis] - 1)
        part = np.expand_dims((place - low).astype(np.float32), tuple(a for a in range(3) if a != axis))
        result = result.take(low, axis) * (1.0 - part) + result.take(high, axis) * part
    return result


@dataclass(frozen=True, slots=True, eq=False)
class _Profiles:
    """Samples along the normals, shape (n, m): offsets ``at`` (m,), values, depth in the label and in foreign labels."""

    at: FloatArray
    hu: FloatImage
    label: FloatImage
    theirs: FloatImage
    searched: BoolArray


def _profiles(
    steady: FloatImage,
    depth: FloatImage,
    label: FloatImage,
    theirs: FloatImage,
    points: FloatArray,
    spacing_mm: FloatArray,
    coarse_mm: FloatArray,
    search_mm: float,
) -> _Profiles:
    where = (points / coarse_mm).T
    slopes: list[FloatImage] = list(np.gradient(depth, *coarse_mm))
    normal: FloatArray = np.stack([_sampled(part, where) for part in slopes], axis=1).astype(np.float64)
    normal = -normal / np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-6)
    count = int(np.ceil((search_mm + _BEYOND_MM) / _STEP_MM))
    at: FloatArray = np.arange(-count, count + 1, dtype=np.float64) * _STEP_MM
    places = points[:, None, :] + at[None, :, None] * normal[:, None, :]
    flat = places.reshape(-1, 3).T
    fine, wide = flat / spacing_mm[:, None], flat / coarse_mm[:, None]
    shape = (len(points), len(at))
    values, mine, others = (_sampled(*pair).reshape(shape) for pair in ((steady, fine), (label, wide), (theirs, wide)))
    return _Profiles(at, values, mine, others, np.abs(at) <= search_mm + 1e-9)


def _sampled(image: FloatImage, where: FloatArray) -> FloatImage:
    """Linear interpolation at index coordinates (3, n)."""
    result: FloatImage = np.asarray(ndimage.map_coordinates(image, where, order=1, mode="nearest"), dtype=np.float32)
    return result


def _edge(
    profiles: _Profiles, linked: sparse.csr_array, doubt_mm: float, votes: int, smoothings: int
) -> tuple[FloatArray, FloatArray]:
    """Shift (n,) from the outline to the edge, and distance (n,) from there to a valley before another bone, mm."""
    cost = _costs(profiles, doubt_mm)
    for _ in range(votes):
        cost = linked @ cost
    at, chosen = profiles.at[profiles.searched], cost[:, profiles.searched]
    weight = np.exp(-(chosen - chosen.min(axis=1, keepdims=True)) / _TEMPERATURE)
    weight /= weight.sum(axis=1, keepdims=True)
    shift = weight @ at
    trust = 1.0 / (weight @ (at * at) - shift * shift + 0.05)
    shift, total = shift * trust, trust
    for _ in range(smoothings):
        shift, total = linked @ shift, linked @ total
    shift = shift / total
    before = _valleys(profiles, shift)
    return shift, before


def _costs(profiles: _Profiles, doubt_mm: float) -> FloatImage:
    """Cost (n, m) of an edge at each offset: low where the profile falls from bone to soft tissue for the first time."""
    hu = profiles.hu
    slope = np.zeros_like(hu)
    slope[:, 1:-1] = (hu[:, :-2] - hu[:, 2:]) / np.float32(2.0 * _STEP_MM)
    fall = np.clip(slope / _FULL_SLOPE, 0.0, 1.0)
    drop = np.diff(hu, axis=1, prepend=hu[:, :1])
    near = max(1, round(0.7 / _STEP_MM))
    passed = np.cumsum(np.maximum(-drop, 0.0), axis=1)
    passed = np.concatenate([np.zeros_like(passed[:, :near]), passed[:, :-near]], axis=1)
    mine = (profiles.theirs < profiles.label) | (profiles.theirs < -2.0)
    rise = np.maximum(drop, 0.0) * mine
    left = np.cumsum(rise[:, ::-1], axis=1)[:, ::-1]
    left = np.concatenate([left[:, near:], np.zeros_like(left[:, :near])], axis=1)
    outside = np.full_like(hu, np.inf)
    for step in range(1, 1 + round(1.4 / _STEP_MM)):
        outside[:, :-step] = np.minimum(outside[:, :-step], hu[:, step:])
    bright = np.clip((outside - _DARK_HU[0]) / (_DARK_HU[1] - _DARK_HU[0]), 0.0, 1.0)
    inside, beyond, lit, far = _WEIGHTS
    away = np.square(profiles.label / np.float32(doubt_mm)) + np.square(np.maximum(profiles.theirs, 0.0) / np.float32(doubt_mm))
    cost: FloatImage = (
        -fall
        + inside * np.clip((passed - _FREE_PASSED_HU) / _FULL_PASSED_HU, 0.0, 1.0)
        + beyond * np.clip((left - _FREE_PASSED_HU) / _FULL_PASSED_HU, 0.0, 1.0)
        + lit * bright
        + far * away
    ).astype(np.float32)
    return cost


def _valleys(profiles: _Profiles, shift: FloatArray) -> FloatArray:
    """Distance (n,) from the edge to the darkest place before another bone; infinite where none rises within 2.5 mm."""
    at = profiles.at[None, :]
    reach = (at >= shift[:, None]) & (at <= shift[:, None] + 2.5)
    values = np.where(reach, profiles.hu, np.inf)
    lowest = values.argmin(axis=1)
    rows = np.arange(len(shift))
    after = (at > profiles.at[lowest][:, None]) & (at <= shift[:, None] + 3.5)
    peak = np.where(after, profiles.hu, -np.inf).max(axis=1)
    other = (np.where(after, profiles.theirs, -np.inf).max(axis=1)) > -1.0
    valley = other & (peak > profiles.hu[rows, lowest] + _VALLEY_HU)
    return np.where(valley, profiles.at[lowest] - shift, np.inf)


def _moved(
    depth: FloatImage, points: FloatArray, shift: FloatArray, before: FloatArray, spacing_mm: FloatArray, search_mm: float
) -> tuple[FloatImage, FloatImage]:
    """Add the shift of the nearest points of the outline to the depth; tell how far outside of the edge the valley lies."""
    band = np.abs(depth) < search_mm + _BAND_MM
    places = np.argwhere(band) * spacing_mm
    nearest = np.asarray(cKDTree(points).query(places, k=3)[1])
    distance = np.linalg.norm(points[nearest] - places[:, None, :], axis=2)
    weight = 1.0 / (distance + 0.2)
    weight /= weight.sum(axis=1, keepdims=True)
    moved = depth.copy()
    moved[band] += (weight * shift[nearest]).sum(axis=1).astype(np.float32)
    far = np.abs(shift).max()
    moved[~band] += np.where(depth[~band] > 0, far, -far).astype(np.float32)
    valley = np.full(depth.shape, np.inf, dtype=np.float32)
    valley[band] = before[nearest[:, 0]].astype(np.float32)
    return _even(moved, spacing_mm), valley


def _even(depth: FloatImage, spacing_mm: FloatArray) -> FloatImage:
    """Make a depth a distance again: the shift has stretched it."""
    slope = np.sqrt(sum(np.square(part) for part in np.gradient(depth, *spacing_mm)))
    result: FloatImage = (depth / np.clip(slope, 0.7, 1.5)).astype(np.float32)
    return result
