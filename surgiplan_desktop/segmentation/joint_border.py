"""Where one bone ends and its neighbour begins, on the voxels of the scan: along the dark line of the joint.

A network on voxels of 1.5 mm names a facet of the tibiofibular joint as this bone or that: its border wanders by a voxel or two.
What is surely one bone and surely the other floods the doubtful band between, the gap last (marker-controlled watershed; Beucher
and Meyer 1993). The gap is a sheet darker than the plates to both sides of it, though narrower than a voxel; marrow may be darker
still, but is no sheet. Where no gap is to be seen, both floods meet half way, where the network drew the border.
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
#: Against noise, mm.
_NOISE_MM: Final = 0.7
#: A gap is narrower than this, mm; by how much it must be darker than its banks to be seen, and beyond what it is dark, HU.
_GAP_MM: Final = 4.0
_LEAST_DARK_HU: Final = 60.0
_DARK_HU: Final = 1200.0


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
    # a sheet that is darker than what lies to both sides of it: the gap, not the marrow, which may be darker still
    size = tuple(max(3, 2 * round(0.5 * _GAP_MM / step) + 1) for step in spacing_mm.tolist())
    darker = ndimage.grey_closing(dense, size=size) - dense
    side = flooded(np.clip(darker, _LEAST_DARK_HU, _DARK_HU) - _DARK_HU, both, sure)
    doubtful = (side > 0) & (from_mine <= _DOUBT_MM) & (from_theirs <= _DOUBT_MM)
    return np.where(doubtful, side == 1, mine), np.where(doubtful, side == 2, theirs)
