"""What is as bright as bone but lies round the skin, a plaster cast or a splint, is taken for air before bones are sought.

A cast is a closed ring round the limb: filled as a bone's marrow is, it would make one bone of the whole leg.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from scipy import ndimage

from surgiplan_desktop.base.arrays import BoolArray, frozen
from surgiplan_desktop.model.images import Volume
from surgiplan_desktop.model.study import Finding
from surgiplan_desktop.segmentation.label_ops import FloatImage

#: It is looked for on voxels of about this edge, mm.
_STEP_MM: Final = 2.5
#: Bright as bone, not as metal; air; HU.
_BRIGHT_HU: Final = (180.0, 2000.0)
_AIR_HU: Final = -500.0
#: Only what lies so near the air outside is looked at, mm; of a wrapping at least this share lies no deeper than a cast is thick.
_REACH_MM: Final = 14.0
_THICK_MM: Final = 7.5
_SHARE: Final = 0.75
#: Less than this is none, mm3: fingers and toes lie near the air as well.
_LEAST_MM3: Final = 40000.0
#: It goes round the limb: in every direction it is larger than this, mm; a flat table is no wrapping, and harms nobody.
_AROUND_MM: Final = 45.0
_INSTEAD_HU: Final = -1000


def without_wrapping(number: int, volume: Volume) -> tuple[Volume, tuple[Finding, ...]]:
    """Return a block with what is wrapped round the limb taken for air, and what must be told of it; itself where there is none.

    ``number`` is that of the block.
    """
    spacing = volume.spacing_kji_mm
    parts = np.maximum(np.floor(_STEP_MM / spacing), 1).astype(np.int64)
    coarse, step = _means(volume, parts), spacing * parts
    found = _wrapping(coarse, step)
    if not found.any():
        return volume, ()
    near = ndimage.binary_dilation(found, iterations=1)
    for axis, (size, part) in enumerate(zip(volume.shape, parts.tolist(), strict=True)):
        near = np.repeat(near, part, axis=axis)
        short = size - near.shape[axis]
        near = np.pad(near, [(0, max(short, 0)) if other == axis else (0, 0) for other in range(3)], mode="edge")
    near &= volume.array > _BRIGHT_HU[0] / 2
    told = (("block", number), ("ml", round(float(np.count_nonzero(near) * np.prod(spacing)) / 1000.0)))
    array = volume.array.copy()
    array[near] = _INSTEAD_HU
    return Volume(frozen(array), volume.affine), (Finding("wrapping_left_out", "note", told),)


def _means(volume: Volume, parts: np.ndarray) -> FloatImage:
    k, j, i = (max(size // part, 1) for size, part in zip(volume.shape, parts.tolist(), strict=True))
    a, b, c = (min(part, size) for size, part in zip(volume.shape, parts.tolist(), strict=True))
    cut = volume.array[: k * a, : j * b, : i * c]
    result: FloatImage = cut.reshape(k, a, j, b, i, c).mean(axis=(1, 3, 5), dtype=np.float32)
    return result


def _wrapping(hu: FloatImage, step_mm: np.ndarray) -> BoolArray:
    """Bright things that lie on the air outside, as a whole."""
    nothing: BoolArray = np.zeros(hu.shape, dtype=np.bool_)
    air, count = ndimage.label(hu < _AIR_HU)
    if not count:
        return nothing
    sizes = np.bincount(air.ravel(), minlength=count + 1)
    sizes[0] = 0
    # gas in a joint or bowel is no outside
    outside = (sizes >= 0.2 * sizes.max())[air]
    away = ndimage.distance_transform_edt(~outside, sampling=step_mm)
    pieces, count = ndimage.label((hu > _BRIGHT_HU[0]) & (hu < _BRIGHT_HU[1]) & (away <= _REACH_MM), np.ones((3, 3, 3)))
    if not count:
        return nothing
    voxels = np.bincount(pieces.ravel(), minlength=count + 1)
    shallow = np.bincount(pieces.ravel(), weights=(away <= _THICK_MM).ravel(), minlength=count + 1)
    is_one = (voxels * float(np.prod(step_mm)) >= _LEAST_MM3) & (shallow >= _SHARE * voxels)
    is_one[0] = False
    for number in np.flatnonzero(is_one).tolist():
        box = ndimage.find_objects((pieces == number).astype(np.uint8))[0]
        is_one[number] = all((part.stop - part.start) * step > _AROUND_MM for part, step in zip(box, step_mm, strict=True))
    result: BoolArray = is_one[pieces]
    return result
