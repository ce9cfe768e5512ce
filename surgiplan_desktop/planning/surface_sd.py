"""The result that says how sure the surface of a bone is, over all blocks of the scan."""

from __future__ import annotations

import numpy as np

from surgiplan_desktop.base.arrays import frozen
from surgiplan_desktop.base.progress import SILENT, Progress
from surgiplan_desktop.geometry.spread import surface_spread
from surgiplan_desktop.model.anatomy import BoneId, label_code
from surgiplan_desktop.model.images import LabelMap, UncertaintyMap, Volume
from surgiplan_desktop.model.mesh import Bone
from surgiplan_desktop.planning.records import SurfaceSpread


def spread_of_bone(
    name: BoneId, bone: Bone, *grids: LabelMap | Volume | UncertaintyMap, progress: Progress = SILENT
) -> SurfaceSpread:
    """State the standard deviation of a bone's surface at each vertex.

    Parameters
    ----------
    name, bone
        The bone and its surface.
    *grids
        LabelMap and Volume of block 0, of block 1, and so on, as the bone was made from; an UncertaintyMap after the two of its
        block where a network gave one.
    progress
        Reports one step a part of the bone.
    """
    maps = [item for item in grids if isinstance(item, LabelMap)]
    volumes = [item for item in grids if isinstance(item, Volume)]
    doubts: list[UncertaintyMap | None] = [None] * len(volumes)
    block = -1
    for item in grids:
        if isinstance(item, Volume):
            block += 1
        elif isinstance(item, UncertaintyMap):
            doubts[block] = item
    parts = []
    for number, part in enumerate(bone.parts):
        progress.step(number, len(bone.parts), "surface_spread")
        at = part.block
        parts.append(frozen(np.asarray(surface_spread(part, maps[at], volumes[at], label_code(name), doubts[at]))))
    progress.step(len(bone.parts), len(bone.parts), "surface_spread")
    return SurfaceSpread(tuple(parts))
