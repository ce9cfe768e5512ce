"""Where one bone ends and its neighbour begins, on the voxels of the scan: along the dark line of the joint.

A network on voxels of 1.5 mm names a facet of the tibiofibular joint as this bone or that: its border wanders by a voxel or two.
What is surely one bone and surely the other floods the doubtful band between, dense voxels first (marker-controlled watershed;
Beucher and Meyer 1993), and both meet in the gap, which is darker than the plates beside it though narrower than a voxel.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from surgiplan_desktop.base.arrays import BoolArray, FloatArray
from surgiplan_desktop.segmentation.label_ops import flooded, widened

#: Bones nearer to each other than this have a border, mm.
_NEAR_MM: Final = 4.0
#: What lies deeper than this on its own side of the named border is sure; what lies within the other is in doubt, mm.
_SURE_MM: Final = 3.5
_DOUBT_MM: Final = 6.0
#: Against noise, mm; denser than this is dense, HU.
_NOISE_MM: Final = 0.7
_DENSE_HU: Final = 1200.0


def along_dark_line(
    bone: BoolArray, other: BoolArray, hu: NDArray[np.floating | np.integer], spacing_mm: FloatArray
) -> tuple[BoolArray, BoolArray]:
    """Move the border between a bone and its neighbours to the dark line between them; both together stay what they are.

    Parameters
    ----------
    bone, other
        Voxels of the bone and of all others, shape (k, j, i), without a common voxel.
    hu
        Hounsfield values, same shape.
    spacing_mm
        Along k, j, i.
    """
    bone, other = bone.copy(), other.copy()
    margin = np.ceil((_SURE_MM + _DOUBT_MM) / spacing_mm).astype(np.int64).tolist()
    near = [max(1, round(_NEAR_MM / step)) for step in spacing_mm.tolist()]
    contacts, _ = ndimage.label(bone & widened(other, near), structure=np.ones((3, 3, 3)))
    for contact in ndimage.find_objects(contacts):
        box = tuple(
            slice(max(0, part.start - more), min(size, part.stop + more))
            for part, more, size in zip(contact, margin, bone.shape, strict=True)
        )
        bone[box], other[box] = _flooded(bone[box], other[box], hu[box], spacing_mm)
    return bone, other


def _flooded(
    mine: BoolArray, theirs: BoolArray, hu: NDArray[np.floating | np.integer], spacing_mm: FloatArray
) -> tuple[BoolArray, BoolArray]:
    from_mine = ndimage.distance_transform_edt(~mine, sampling=spacing_mm)
    from_theirs = ndimage.distance_transform_edt(~theirs, sampling=spacing_mm)
    both = mine | theirs
    dense = ndimage.gaussian_filter(hu.astype(np.float32), np.minimum(_NOISE_MM / spacing_mm, 1.0))
    sure = np.where(mine & (from_theirs > _SURE_MM), 1, np.where(theirs & (from_mine > _SURE_MM), 2, 0))
    side = flooded(-np.clip(dense, 0.0, _DENSE_HU), both, sure)
    doubtful = (side > 0) & (from_mine <= _DOUBT_MM) & (from_theirs <= _DOUBT_MM)
    return np.where(doubtful, side == 1, mine), np.where(doubtful, side == 2, theirs)
