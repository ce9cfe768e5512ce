"""Voxel operations of the path without AI: threshold with hysteresis, islands, holes, growing of labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import SimpleITK
from numpy.typing import NDArray
from scipy import ndimage

from surgiplan_desktop.base.arrays import BoolArray, FloatArray, IntArray

FloatImage = NDArray[np.float32]

#: What counts as bone when it hangs together with surely bone, HU: above muscle (60) and cartilage (100), below spongy bone.
LOW_HU: Final = 150.0
#: What is surely bone, HU.
HIGH_HU: Final = 300.0
#: Smoothing before the threshold, mm: less than a cortex is thick.
SMOOTHING_MM: Final = 0.6
#: A gap between two bones is darker than both banks by at least this, HU ...
VALLEY_HU: Final = 110.0
#: ... narrower than this, mm ...
VALLEY_WIDTH_MM: Final = 5.0
#: ... and itself darker than this, HU (denser is sclerotic bone, not a gap).
VALLEY_CEILING_HU: Final = 500.0
#: An island smaller than this is no bone of the leg, mm3.
ISLAND_MM3: Final = 150.0
#: Marrow is wider than this, mm; what is thinner and dark is a joint gap between two bones.
MARROW_MM: Final = 4.0
#: A canal that narrows below that over no more than this along a shaft, and is no broader there, is marrow all the same, mm.
BRIDGE_MM: Final = 12.0
_LIKE_LAYER: Final = 1.5
#: Layers in which a hole in the shell loses the marrow are at most so thick together, mm.
LOST_MM: Final = 6.0
#: The joint gap under the roof of a socket spreads at least this far both ways in a slice, mm; canals of shafts do not.
SPREAD_MM: Final = 22.0
#: Such a hollow, where soft tissue reaches it, is marrow only where it is wider than this, mm.
OPEN_MARROW_MM: Final = 9.0
#: Soft tissue reaches a hollow by a way at least this wide, mm; what is narrower is a hole in a thin cortex.
WAY_MM: Final = 2.5
#: How far around a hollow the way out of it is looked for, mm.
_WAY_OUT_MM: Final = 6.0

#: Openings of a bone's shell up to twice this are closed, mm.
CLOSING_MM: Final = 4.0
#: Thickness of the skin under which a closed bone is solid, mm.
SKIN_MM: Final = 2.0

CROSS: Final = ndimage.generate_binary_structure(3, 1)


def smoothed(hu: NDArray[np.int16] | NDArray[np.float32], spacing_mm: FloatArray) -> FloatImage:
    """Return the Hounsfield values lightly smoothed (Gaussian, sigma 0.6 mm), float32."""
    sigma = np.minimum(SMOOTHING_MM / spacing_mm, 0.8)
    result: FloatImage = ndimage.gaussian_filter(hu.astype(np.float32), sigma)
    return result


def bone_voxels(hu: FloatImage, spacing_mm: FloatArray) -> BoolArray:
    """Threshold with hysteresis, without the dark sheets that part two bones at a joint.

    Parameters
    ----------
    hu
        Smoothed Hounsfield values, shape (k, j, i).
    spacing_mm
        Along k, j, i.

    Returns
    -------
    BoolArray
        Voxels above ``LOW_HU`` that hang together with voxels above ``HIGH_HU``, islands removed. Marrow is still hollow.
    """
    size = tuple(max(3, 2 * round(VALLEY_WIDTH_MM / 2 / step) + 1) for step in spacing_mm.tolist())
    valley = ndimage.grey_closing(hu, size=size) - hu > VALLEY_HU
    mask: BoolArray = (hu > LOW_HU) & ~(valley & (hu < VALLEY_CEILING_HU))
    labels, count = ndimage.label(mask)
    voxels = np.bincount(labels.ravel(), minlength=count + 1)
    sure = np.bincount(labels.ravel(), weights=(hu > HIGH_HU).ravel(), minlength=count + 1)
    keep = (voxels * np.prod(spacing_mm) >= ISLAND_MM3) & (sure >= 8)
    keep[0] = False
    result: BoolArray = keep[labels]
    return result


def filled(mask: BoolArray, spacing_mm: FloatArray) -> BoolArray:
    """Return the mask with its marrow filled: bones are solid.

    Slice by slice across the limb a shaft is a closed ring, also where the scan's edge cuts it; only what is wide enough to be
    marrow is filled, so that a joint gap between two touching bones stays open. A socket is a closed ring round its joint gap
    too: a hollow as broad as that, which soft tissue reaches from above or below, must be wider still. Where a hole in a thin
    cortex opens the ring of a layer, what lies right between marrow above and below is marrow.
    """
    inside = np.zeros_like(mask)
    for k, layer in enumerate(mask):
        if layer.any():
            inside[k] = ndimage.binary_fill_holes(layer) & ~layer
    near = np.zeros_like(mask)
    regions, _ = ndimage.label(inside)
    for region, box in enumerate(ndimage.find_objects(regions), start=1):
        hollow = regions[box] == region
        if np.count_nonzero(hollow) * float(np.prod(spacing_mm)) >= MARROW_MM**3:
            goes_on = (box[0].start == 0, box[0].stop == len(mask))
            if not _spreads(hollow, spacing_mm):
                wide = _wide_part(hollow, spacing_mm, goes_on, MARROW_MM)
                near[box] |= _bridged(hollow, wide, float(spacing_mm[0]))
                continue
            near[box] |= _wide_part(_closed_part(mask, box, hollow, spacing_mm), spacing_mm, goes_on, MARROW_MM)
            near[box] |= _wide_part(hollow, spacing_mm, goes_on, OPEN_MARROW_MM)
    near |= _between(near, mask, float(spacing_mm[0]))
    result: BoolArray = ndimage.binary_fill_holes(mask | near)
    return result


def _between(marrow: BoolArray, mask: BoolArray, step_mm: float) -> BoolArray:
    """Return what lies between marrow above and below with no bone between, over at most ``LOST_MM``: a joint has two plates."""
    reach = [np.zeros(marrow.shape, dtype=np.uint8) for _ in range(2)]
    most = int(LOST_MM / step_mm)
    dark = ~(marrow | mask)
    for layers, before, steps in ((range(1, len(mask)), -1, reach[0]), (range(len(mask) - 2, -1, -1), 1, reach[1])):
        for k in layers:
            last = steps[k + before]
            steps[k] = np.where(dark[k] & (marrow[k + before] | (last > 0)) & (last < most), last + 1, 0)
    result: BoolArray = (reach[0] > 0) & (reach[1] > 0) & (reach[0].astype(np.int16) + reach[1] - 1 <= most)
    return result


def _spreads(hollow: BoolArray, spacing_mm: FloatArray) -> bool:
    """Tell whether a hollow spreads over ``SPREAD_MM`` both ways in one slice."""
    for layer in hollow:
        where = np.nonzero(layer)
        if len(where[0]) and all(np.ptp(part) * step >= SPREAD_MM for part, step in zip(where, spacing_mm[1:], strict=True)):
            return True
    return False


def _bridged(hollow: BoolArray, wide: BoolArray, step_mm: float) -> BoolArray:
    """Fill the layers of a tube that are a little too narrow between layers that are not: a thin shaft is not parted there."""
    areas = np.count_nonzero(hollow, axis=(1, 2))
    full = np.flatnonzero((areas > 0) & (2 * np.count_nonzero(wide, axis=(1, 2)) >= areas))
    result = wide.copy()
    for k in np.setdiff1d(np.flatnonzero(areas), full):
        below, above = full[full < k], full[full > k]
        if not (len(below) and len(above)) or (above[0] - below[-1]) * step_mm > BRIDGE_MM:
            continue
        if areas[k] <= _LIKE_LAYER * max(areas[below[-1]], areas[above[0]]):
            result[k] |= hollow[k]
    return result


def _closed_part(mask: BoolArray, box: tuple[slice, ...], hollow: BoolArray, spacing_mm: FloatArray) -> BoolArray:
    """Return the part of a hollow that no ball of ``WAY_MM`` gets into from outside; the edge of the scan is a wall.

    ``box`` places ``hollow`` in ``mask``.
    """
    around, own = [], []
    for part, size, step in zip(box, mask.shape, spacing_mm.tolist(), strict=True):
        reach = int(np.ceil(_WAY_OUT_MM / step))
        around.append(slice(max(0, part.start - reach), min(size, part.stop + reach)))
        own.append(slice(part.start - around[-1].start, part.stop - around[-1].start))
    air = ndimage.distance_transform_edt(~mask[tuple(around)], sampling=spacing_mm) > WAY_MM / 2
    room, count = ndimage.label(air)
    is_open = np.zeros(count + 1, dtype=np.bool_)
    for axis, (part, size) in enumerate(zip(around, mask.shape, strict=True)):
        if part.start > 0:
            is_open[room.take(0, axis)] = True
        if part.stop < size:
            is_open[room.take(-1, axis)] = True
    is_open[0] = False
    away = ndimage.distance_transform_edt(~is_open[room], sampling=spacing_mm)[tuple(own)]
    result: BoolArray = hollow & (away > WAY_MM / 2 + float(spacing_mm.max()))
    return result


def _wide_part(hollow: BoolArray, spacing_mm: FloatArray, goes_on: tuple[bool, bool], width_mm: float) -> BoolArray:
    """Return where a hollow is at least ``width_mm`` wide (opening with a ball).

    ``goes_on`` tells at which ends along the limb the block cuts the hollow: such an end is no wall.
    """
    padded = np.pad(hollow, 1)
    for end, inner, goes in ((0, 1, goes_on[0]), (-1, -2, goes_on[1])):
        if goes:
            padded[end] = padded[inner]
    core = ndimage.distance_transform_edt(padded, sampling=spacing_mm)[1:-1, 1:-1, 1:-1] > width_mm / 2
    if not core.any():
        return core
    reach = width_mm / 2 + float(spacing_mm.max())
    result: BoolArray = hollow & (ndimage.distance_transform_edt(~core, sampling=spacing_mm) <= reach)
    return result


def largest(mask: BoolArray) -> BoolArray:
    """Return the largest connected piece of a mask (26 neighbours)."""
    labels, count = ndimage.label(mask, structure=np.ones((3, 3, 3)))
    if count <= 1:
        return mask
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    result: BoolArray = labels == int(sizes.argmax())
    return result


def grown(labels: IntArray, room: BoolArray, steps: int) -> IntArray:
    """Let labels grow into free voxels of ``room``, one voxel a step; where two meet the earlier one stays."""
    result = labels.copy()
    for _ in range(steps):
        free = room & (result == 0)
        if not free.any():
            break
        spread = ndimage.grey_dilation(result, footprint=CROSS)
        result[free] = spread[free]
    return result


def widened(mask: BoolArray, reach: Sequence[int]) -> BoolArray:
    """Grow a mask by a box of so many voxels each way along every axis, or shrink it where they are below 0.

    The edge of the array is no edge of the mask.
    """
    result = mask.view(np.uint8)
    for axis, voxels in enumerate(reach):
        if voxels:
            act = ndimage.maximum_filter1d if voxels > 0 else ndimage.minimum_filter1d
            result = act(result, 2 * abs(voxels) + 1, axis=axis, mode="nearest")
    return result.astype(np.bool_)


def flooded(relief: FloatImage, mask: BoolArray, markers: IntArray) -> IntArray:
    """Let markers flood a mask, low places first (marker-controlled watershed; Beucher and Meyer 1993).

    Parameters
    ----------
    relief
        At most 0 on the mask, shape (k, j, i).
    mask
        What is flooded.
    markers
        1 and 2 where the floods begin, else 0.

    Returns
    -------
    IntArray
        1 or 2 on the mask, 0 elsewhere and where no flood came.
    """
    image = SimpleITK.MorphologicalWatershedFromMarkers(
        SimpleITK.GetImageFromArray(np.where(mask, relief, 1.0).astype(np.float32)),
        SimpleITK.GetImageFromArray(np.where(mask, markers, 3).astype(np.uint8)),
        markWatershedLine=False,
        fullyConnected=False,
    )
    result: IntArray = SimpleITK.GetArrayFromImage(image).astype(np.int32)
    result[~mask | (result > 2)] = 0
    return result


def solid_inside(bone: BoolArray, foreign: BoolArray, spacing_mm: FloatArray, closing_mm: float = CLOSING_MM) -> BoolArray:
    """Return one bone without hollows and tunnels, now that its neighbours are known.

    What lies deeper than ``SKIN_MM`` under the closed hull of the bone belongs to it; the skin itself is left as it is, so that
    grooves and notches of the surface stay.
    """
    margin = [int(np.ceil(closing_mm / step)) + 1 for step in spacing_mm]
    padded = np.pad(bone, [(size, size) for size in margin])
    # an end that the edge of the scan cuts must not be taken for an outside
    for axis in range(3):
        for end, inner in ((slice(0, margin[axis]), margin[axis]), (slice(-margin[axis], None), -margin[axis] - 1)):
            layer = [slice(None)] * 3
            layer[axis] = end
            padded[tuple(layer)] = padded.take([inner], axis)
    near = ndimage.distance_transform_edt(~padded, sampling=spacing_mm) <= closing_mm
    closed = ndimage.distance_transform_edt(np.pad(near, 1, mode="edge"), sampling=spacing_mm)[1:-1, 1:-1, 1:-1] > closing_mm
    hull = ndimage.binary_fill_holes(closed | padded)
    deep = ndimage.distance_transform_edt(np.pad(hull, 1, mode="edge"), sampling=spacing_mm)[1:-1, 1:-1, 1:-1] > SKIN_MM
    inner_box = tuple(slice(size, -size) for size in margin)
    result: BoolArray = bone | (deep[inner_box] & ~foreign)
    return ndimage.binary_fill_holes(result)


def closed_pores(bone: BoolArray, foreign: BoolArray) -> BoolArray:
    """Close pores of one voxel and hollows of one bone; ``foreign`` voxels stay free."""
    closed = ndimage.binary_closing(np.pad(bone, 2, mode="edge"), ndimage.generate_binary_structure(3, 2))[2:-2, 2:-2, 2:-2]
    return ndimage.binary_fill_holes(bone | (closed & ~foreign))
