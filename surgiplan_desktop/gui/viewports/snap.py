"""Brings a dragged point to the surface of its bone, in slices and along a line of sight."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import numpy as np

from surgiplan_desktop.base.arrays import FloatArray
from surgiplan_desktop.gui.viewports.stage import Stage
from surgiplan_desktop.model.anatomy import BoneId
from surgiplan_desktop.model.mesh import Bone
from surgiplan_desktop.planning.graph import bone_key
from surgiplan_desktop.scene.picking import Ray
from surgiplan_desktop.scene.snapping import on_section, on_surface

#: A point in a slice comes to the contour from within this distance of it: px of the screen, and mm at least and at most.
_REACH_PX: Final = 18.0
_REACH_MM: Final = (2.0, 12.0)


def snap_in_slice(contours: Iterable[FloatArray], point_lps: FloatArray, mm_per_px: float) -> FloatArray:
    """Return the nearest point of the contours of a bone in the slice of a point; the point itself when it is far from them."""
    found = on_section(contours, point_lps, float(np.clip(_REACH_PX * mm_per_px, *_REACH_MM)))
    return point_lps if found is None else found


def snap_along(stage: Stage, bone: BoneId, ray: Ray, depth_like: FloatArray | None = None) -> FloatArray | None:
    """Return where a line of sight meets a bone (see :func:`scene.snapping.on_surface`); None when the bone is not there."""
    value = stage.bridge.value(bone_key(bone))
    return on_surface([part.mesh for part in value.parts], ray, depth_like) if isinstance(value, Bone) else None
