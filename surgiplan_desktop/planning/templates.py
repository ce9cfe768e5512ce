"""Template bones: coarse surfaces of a mean leg with every landmark, for finders that have nothing better to start from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from surgiplan_desktop.base.arrays import FloatArray, frozen
from surgiplan_desktop.base.paths import resource_folder
from surgiplan_desktop.model.anatomy import LANDMARKS, BoneName, LandmarkId, Side
from surgiplan_desktop.model.mesh import Mesh


@dataclass(frozen=True, slots=True, eq=False)
class TemplateLeg:
    """Closed coarse surfaces by bone and points (3,) by landmark, LPS mm, hip centre near the origin of a supine patient."""

    side: Side
    meshes: Mapping[BoneName, Mesh]
    landmarks: Mapping[LandmarkId, FloatArray]


def load_template(side: Side) -> TemplateLeg:
    """Read the template of a side; the left one is the right one in the mirror.

    The file is made by ``training/make_templates.py``.
    """
    mirror = np.array([-1.0 if side is Side.LEFT else 1.0, 1.0, 1.0])
    meshes: dict[BoneName, Mesh] = {}
    landmarks: dict[LandmarkId, FloatArray] = {}
    with np.load(resource_folder() / "templates" / "right_leg.npz", allow_pickle=False) as archive:
        for bone in BoneName:
            if f"{bone}_faces" in archive.files:
                faces = archive[f"{bone}_faces"]
                faces = np.ascontiguousarray(faces[:, [0, 2, 1]]) if side is Side.LEFT else faces
                meshes[bone] = Mesh(archive[f"{bone}_vertices"].astype(np.float64) * mirror, faces)
        for name in LANDMARKS:
            landmarks[name] = frozen(archive[f"landmark_{name}"].astype(np.float64) * mirror)
    return TemplateLeg(side, MappingProxyType(meshes), MappingProxyType(landmarks))
