"""How much each measure changes when a landmark moves: unit per mm, for all measures at once.

Every landmark is moved a little both ways along each axis; these moved legs are measured together in one pass (central
differences), so that no formula has a derivative written beside it that could be wrong.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import numpy as np

from surgiplan_desktop.base.arrays import FloatArray, unit
from surgiplan_desktop.model.anatomy import LandmarkId
from surgiplan_desktop.planning.axes import TRIADS
from surgiplan_desktop.planning.measure_table import MEASURES
from surgiplan_desktop.planning.measures import measure_draws
from surgiplan_desktop.planning.records import FrameVariant, LandmarkEstimate, Landmarks

#: Points are moved by this much either way, mm; normals are tilted by this many degrees.
_STEP_MM: Final = 0.05
_STEP_DEG: Final = 0.05
#: Sizes that the finders of the bones give.
SIZES: Final = ("femoral_head_radius_mm", "femur_ml_width_mm", "tibia_ml_width_mm")
#: Patches whose normals the slopes are made from, and the landmark that stands for each.
PATCHES: Final = {"medial": "medial_plateau_centre", "lateral": "lateral_plateau_centre", "both": "tibial_knee_centre"}


def points_in_use(landmarks: Landmarks) -> tuple[LandmarkId, ...]:
    """Landmarks and constructed points that are there and that some measure needs, in a fixed order."""
    wanted = dict.fromkeys(name for spec in MEASURES.values() for name in spec.needs)
    return tuple(name for name in wanted if landmarks.point(name) is not None)


def patches_in_use(landmarks: Landmarks) -> tuple[str, ...]:
    """Plateau patches that have a normal, in a fixed order."""
    normals = landmarks.plateau_normals or {}
    return tuple(name for name in PATCHES if name in normals)


def moved_legs(
    landmarks: Landmarks,
    offsets: Mapping[LandmarkId, FloatArray],
    tilts: Mapping[str, FloatArray],
    sizes: Mapping[str, FloatArray],
) -> Landmarks:
    """The leg n times, its points moved.

    Parameters
    ----------
    offsets
        Shape (3, n), mm LPS, by landmark or constructed point; others stay.
    tilts
        Shape (2, n), degrees, by patch: tilt of its normal about two directions across it.
    sizes
        Shape (n,), mm, to add, by name of the size's field.
    """

    def many(items: Mapping[LandmarkId, LandmarkEstimate]) -> dict[LandmarkId, LandmarkEstimate]:
        return {
            name: replace(item, point_lps=item.point_lps[:, None] + offsets.get(name, 0.0))
            for name, item in items.items()
            if item.point_lps is not None
        }

    normals = {}
    for name, normal in (landmarks.plateau_normals or {}).items():
        u, v = _across(normal)
        tilt = np.tan(np.radians(tilts.get(name, np.zeros((2, 1)))))
        normals[name] = normal[:, None] + u[:, None] * tilt[0] + v[:, None] * tilt[1]
    known: dict[str, Any] = {}  # numbers of shape (n,) where a single leg has one number
    for name in SIZES:
        value = getattr(landmarks, name)
        if value is not None:
            known[name] = np.asarray([value]) + sizes.get(name, 0.0)
    return Landmarks(
        landmarks.side, many(landmarks.items), plateau_normals=normals or None, constructed=many(landmarks.constructed), **known
    )


def _across(normal: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Two unit vectors across a normal: forward or backward as far as they can, and sideways."""
    first = np.array([0.0, 1.0, 0.0]) - normal[1] * normal
    if float(first @ first) < 0.01:
        first = np.array([1.0, 0.0, 0.0]) - normal[0] * normal
    first = unit(first)
    return first, np.cross(normal, first)


def gradients(
    landmarks: Landmarks, variant: FrameVariant = "planning"
) -> tuple[Mapping[str, Mapping[LandmarkId, FloatArray]], Mapping[str, Mapping[str, FloatArray]]]:
    """Derivatives of every numeric measure.

    Returns
    -------
    tuple
        By measure and landmark: change per mm along LPS x, y, z, shape (3,); by measure and patch: change per degree of tilt,
        shape (2,). Landmarks and patches that do not matter are absent.
    """
    names, patches = points_in_use(landmarks), patches_in_use(landmarks)
    columns = 6 * len(names) + 4 * len(patches)
    offsets, tilts = {}, {}
    for number, name in enumerate(names):
        offsets[name] = np.zeros((3, columns))
        for axis in range(3):
            offsets[name][axis, 6 * number + 2 * axis : 6 * number + 2 * axis + 2] = (_STEP_MM, -_STEP_MM)
    for number, patch in enumerate(patches):
        tilts[patch] = np.zeros((2, columns))
        for axis in range(2):
            first = 6 * len(names) + 4 * number + 2 * axis
            tilts[patch][axis, first : first + 2] = (_STEP_DEG, -_STEP_DEG)
    legs = moved_legs(landmarks, offsets, tilts, {})
    values = measure_draws(legs, TRIADS[variant](legs.point, legs.side))
    by_point: dict[str, dict[LandmarkId, FloatArray]] = {}
    by_patch: dict[str, dict[str, FloatArray]] = {}
    for measure, value in values.items():
        value = np.broadcast_to(value, (columns,))
        # an angle near 180 degrees may turn over between the two sides of a step
        change = value[0::2] - value[1::2]
        change = change - 360.0 * np.round(change / 360.0) if MEASURES[measure].unit == "deg" else change
        slopes = change[: 3 * len(names)].reshape(-1, 3) / (2.0 * _STEP_MM)
        by_point[measure] = {name: row for name, row in zip(names, slopes, strict=True) if np.abs(row).max() > 1e-9}
        turns = change[3 * len(names) :].reshape(-1, 2) / (2.0 * _STEP_DEG)
        by_patch[measure] = {patch: row for patch, row in zip(patches, turns, strict=True) if np.abs(row).max() > 1e-9}
    return by_point, by_patch


def sensitivity(landmarks: Landmarks, variant: FrameVariant = "planning") -> Mapping[str, Mapping[LandmarkId, float]]:
    """Change of every measure per mm that a landmark moves in the direction that matters most, in the measure's unit.

    Landmarks are listed from the largest change down; those that do not matter are absent.
    """
    by_point, _ = gradients(landmarks, variant)
    found = {}
    for measure, rows in by_point.items():
        sizes = {name: float(np.linalg.norm(row)) for name, row in rows.items()}
        found[measure] = dict(sorted(sizes.items(), key=lambda item: -item[1]))
    return found
