"""Landmarks of a leg from the finders of its bones and from the user's hand."""

from __future__ import annotations

from types import MappingProxyType

import numpy as np

from surgiplan_desktop.base.arrays import frozen
from surgiplan_desktop.model.anatomy import LANDMARKS, LandmarkId, Side
from surgiplan_desktop.model.steps import Vector
from surgiplan_desktop.planning.landmarks.found import Found, bone_missing, miss
from surgiplan_desktop.planning.records import LandmarkEstimate, Landmarks


def merge_landmarks(side: Side, placed: tuple[tuple[LandmarkId, Vector], ...], *found: Landmarks) -> Landmarks:
    """Put the landmarks of one leg together; what the user placed wins and is "edited".

    Parameters
    ----------
    placed
        Landmark id and LPS point (mm) of each landmark set by hand.
    *found
        What the finders of the leg's bones gave.

    Returns
    -------
    Landmarks
        Every id of the vocabulary; ids of a bone that the case does not have are missing with that reason.
    """
    items: Found = {}
    for part in found:
        items.update(part.items)
    for landmark, point in placed:
        items[landmark] = LandmarkEstimate(landmark, frozen(np.array(point, dtype=np.float64)), "edited")
    for landmark, definition in LANDMARKS.items():
        miss(items, bone_missing(definition.bone), landmark)

    # a point set by hand has no fit any more
    fits = {name: fit for part in found for name, fit in part.fits.items() if items[name].status != "edited"}

    def first(name: str) -> object:
        return next((value for part in found if (value := getattr(part, name)) is not None), None)

    return Landmarks(
        side,
        MappingProxyType({landmark: items[landmark] for landmark in LANDMARKS}),
        femoral_head_radius_mm=first("femoral_head_radius_mm"),  # type: ignore[arg-type]
        femur_ml_width_mm=first("femur_ml_width_mm"),  # type: ignore[arg-type]
        tibia_ml_width_mm=first("tibia_ml_width_mm"),  # type: ignore[arg-type]
        plateau_normals=first("plateau_normals"),  # type: ignore[arg-type]
        findings=tuple(finding for part in found for finding in part.findings),
        fits=MappingProxyType(fits),
        constructed=MappingProxyType({name: item for part in found for name, item in part.constructed.items()}),
    )
