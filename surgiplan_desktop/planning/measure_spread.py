"""How sure each measure is: errors of landmarks and surface carried to every measure by random draws (Monte Carlo).

All draws are measured together in one pass. The random numbers are the same in every run and for every leg, and come in pairs of
opposite sign, so the same landmarks give the same figures to the last digit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Final, Literal

import numpy as np
from scipy.spatial import cKDTree

from surgiplan_desktop.base.arrays import FloatArray
from surgiplan_desktop.base.progress import SILENT, Progress
from surgiplan_desktop.model.anatomy import LANDMARKS, BoneName, LandmarkId
from surgiplan_desktop.model.mesh import Bone
from surgiplan_desktop.planning.axes import TRIADS
from surgiplan_desktop.planning.constructions import CONSTRUCTED
from surgiplan_desktop.planning.landmarks.judge import usual_errors
from surgiplan_desktop.planning.limits import default_limits
from surgiplan_desktop.planning.measures import measure_draws
from surgiplan_desktop.planning.records import (
    Contribution,
    LandmarkEstimate,
    Landmarks,
    LegFrames,
    MeasureSpread,
    MeasureSpreads,
)
from surgiplan_desktop.planning.sensitivity import PATCHES, SIZES, gradients, moved_legs, patches_in_use, points_in_use

_SEED: Final = 20062
#: All points that can be drawn, in the order in which they take their random numbers.
_VOCABULARY: Final = (*LANDMARKS, *CONSTRUCTED)
#: Contributions below this share are not listed.
_LEAST_SHARE: Final = 0.01
#: A landmark further from the surface than this is the centre of something, not a point on bone, mm.
_ON_SURFACE_MM: Final = 3.0

AxisName = Literal["x", "y", "z"]
#: The direction in which a point is sure, being the end of a tangent or an extreme: axis of the frame of its bone.
_TIGHT: Final[Mapping[LandmarkId, AxisName]] = MappingProxyType(
    {
        "femoral_knee_centre": "y",
        "greater_trochanter_tip": "y",
        "medial_distal_condyle": "y",
        "lateral_distal_condyle": "y",
        "medial_posterior_condyle": "x",
        "lateral_posterior_condyle": "x",
        "medial_epicondyle": "z",
        "lateral_epicondyle": "z",
        "adductor_tubercle": "z",
        "trochlear_groove": "x",
        "tibial_knee_centre": "y",
        "medial_plateau_centre": "y",
        "lateral_plateau_centre": "y",
        "medial_plateau_edge": "z",
        "lateral_plateau_edge": "z",
        "medial_posterior_plateau": "x",
        "lateral_posterior_plateau": "x",
        "medial_spine": "y",
        "lateral_spine": "y",
        "tibial_tuberosity": "x",
        "ankle_centre": "y",
        "medial_plafond": "y",
        "lateral_plafond": "y",
        "medial_malleolus": "y",
        "lateral_malleolus": "y",
        "fibular_head_tip": "y",
        "patella_superior_pole": "y",
        "patella_inferior_pole": "y",
    }
)


def leg_spread(
    bones: tuple[BoneName, ...], landmarks: Landmarks, frames: LegFrames, *results: object, progress: Progress = SILENT
) -> MeasureSpreads:
    """Spread of the measures of a leg; ``results`` holds, for each of ``bones``, the Bone and how sure its surface is.

    How sure a surface is comes as a record with ``sd_mm``, one number a vertex of the bone's parts in order, NaN without a
    statement.
    """
    progress.step(0, 2, "measure_spread")
    sds: dict[LandmarkId, float] = {}
    for number, bone in enumerate(bones):
        shape, surface = results[2 * number], results[2 * number + 1]
        if isinstance(shape, Bone):
            sds.update(surface_sds(landmarks, bone, shape, np.asarray(getattr(surface, "sd_mm", ()), dtype=np.float64)))
    progress.step(1, 2, "measure_spread")
    items = spread_of(landmarks, frames, sds)
    return MeasureSpreads(landmarks.side, MappingProxyType(items), int(default_limits()["spread.draws"]))


def surface_sds(landmarks: Landmarks, name: BoneName, bone: Bone, sd_mm: FloatArray) -> dict[LandmarkId, float]:
    """Standard deviation of the surface under each landmark of a bone that lies on it, mm."""
    vertices = np.concatenate([part.mesh.vertices for part in bone.parts])
    if sd_mm.shape != (len(vertices),):
        return {}
    known = np.isfinite(sd_mm)
    points = {
        landmark: item.point_lps
        for landmark, item in landmarks.items.items()
        if item.point_lps is not None and LANDMARKS[landmark].bone is name
    }
    if not known.any() or not points:
        return {}
    distance, nearest = (np.asarray(item) for item in cKDTree(vertices[known]).query(np.array(list(points.values()))))
    sure = sd_mm[known][nearest]
    return {landmark: float(sure[row]) for row, landmark in enumerate(points) if distance[row] < _ON_SURFACE_MM}


def spread_of(landmarks: Landmarks, frames: LegFrames, sds: Mapping[LandmarkId, float]) -> dict[str, MeasureSpread]:
    """Spread of every numeric measure.

    Parameters
    ----------
    landmarks
        With the covariance that their finders give; where there is none, the sd is shaped by what kind of point it is.
    frames
        Of the leg; they say where "across the tangent" is, and in which variant the measures are.
    sds
        Standard deviation of the surface under a landmark, mm, by landmark: added across the tangent.
    """
    names, patches, count = points_in_use(landmarks), patches_in_use(landmarks), int(default_limits()["spread.draws"])
    limits = default_limits()
    covariances = {name: _covariance(landmarks, name, frames, sds.get(name, 0.0)) for name in names}
    normal, tilt, size = _random(count)
    shared = _shared_heights(landmarks, frames, covariances, sds)
    for name, item in shared.items():
        covariances[name] = covariances[name] - item.variance_mm2 * np.outer(item.direction, item.direction)
    offsets = {name: _root(covariances[name]) @ normal[name] for name in names}
    for name, item in shared.items():
        offsets[name] = offsets[name] + item.share * np.outer(item.direction, item.direction @ offsets[item.carrier])
    tilts = {patch: limits["spread.plateau_tilt_deg"] * tilt[patch] for patch in patches}
    sizes = {name: limits["spread.width_mm" if "width" in name else "spread.head_radius_mm"] * size[name] for name in SIZES}
    legs = moved_legs(landmarks, offsets, tilts, sizes)
    draws = measure_draws(legs, TRIADS[frames.variant](legs.point, legs.side))
    by_point, by_patch = gradients(landmarks, frames.variant)
    found = {}
    for measure, values in draws.items():
        values = np.broadcast_to(values, (count,))
        low, high = (float(value) for value in np.percentile(values, [2.5, 97.5]))
        variances = {name: float(row @ covariances[name] @ row) for name, row in by_point.get(measure, {}).items()}
        for patch, row in by_patch.get(measure, {}).items():
            extra = float(row @ row) * limits["spread.plateau_tilt_deg"] ** 2
            variances[PATCHES[patch]] = variances.get(PATCHES[patch], 0.0) + extra
        found[measure] = MeasureSpread(float(values.std()), (low, high), _contributions(variances, by_point.get(measure, {})))
    return found


@dataclass(frozen=True, slots=True, eq=False)
class _SharedHeight:
    """What of a point's height errs together with that of another: direction, variance, and share of the other's offset."""

    carrier: LandmarkId
    direction: FloatArray
    variance_mm2: float
    share: float


def _shared_heights(
    landmarks: Landmarks, frames: LegFrames, covariances: Mapping[LandmarkId, FloatArray], sds: Mapping[LandmarkId, float]
) -> dict[LandmarkId, _SharedHeight]:
    """Points found on a line or plane through another point: their heights err together, and a slope between them does not."""
    found: dict[LandmarkId, _SharedHeight] = {}
    for name, usual in usual_errors().items():
        carrier = usual.height_with
        if carrier is None or name not in covariances or carrier not in covariances:
            continue
        up = _tight_direction(name, frames)
        if up is None or "edited" in (landmarks.items[name].status, landmarks.items[carrier].status):
            continue
        own, other = (float(up @ covariances[item] @ up) for item in (name, carrier))
        # what the surface under a point errs by is its own
        common = min(own - usual.own_height_mm**2 - sds.get(name, 0.0) ** 2, other)
        if common > 0.0:
            found[name] = _SharedHeight(carrier, up, common, float(np.sqrt(common / other)))
    return found


def _contributions(variances: Mapping[LandmarkId, float], rows: Mapping[LandmarkId, FloatArray]) -> tuple[Contribution, ...]:
    whole = sum(variances.values())
    if whole <= 0.0:
        return ()
    ranked = sorted(variances.items(), key=lambda item: -item[1])
    return tuple(
        Contribution(name, variance / whole, float(np.linalg.norm(rows[name])) if name in rows else 0.0)
        for name, variance in ranked
        if variance / whole >= _LEAST_SHARE
    )


def _covariance(landmarks: Landmarks, name: LandmarkId, frames: LegFrames, surface_mm: float) -> FloatArray:
    """Covariance of a point in LPS, mm2, shape (3, 3)."""
    item, tight = landmarks.estimate(name), _tight_direction(name, frames)
    covariance = None if item is None else item.covariance_mm2
    if covariance is None:
        covariance = _shaped(_stated_sd(item), tight)
    if tight is not None and surface_mm > 0.0:
        covariance = covariance + surface_mm**2 * np.outer(tight, tight)
    return np.asarray(covariance, dtype=np.float64)


def _stated_sd(item: LandmarkEstimate | None) -> float:
    """Distance from the truth to be expected (root mean square), mm."""
    limits = default_limits()
    if item is not None and item.status == "edited":
        return limits["landmarks.hand_sd_mm"]
    return limits["spread.no_sd_mm"] if item is None or item.sd_mm is None else item.sd_mm


def _shaped(sd_mm: float, tight: FloatArray | None) -> FloatArray:
    """Covariance with this root mean square distance: even, or loose across a tight direction."""
    if tight is None:
        even: FloatArray = sd_mm**2 / 3.0 * np.eye(3)
        return even
    share = default_limits()["spread.tight_share"] ** 2
    loose = sd_mm**2 / (2.0 + share)
    shaped: FloatArray = loose * (np.eye(3) - (1.0 - share) * np.outer(tight, tight))
    return shaped


def _tight_direction(name: LandmarkId, frames: LegFrames) -> FloatArray | None:
    axis = _TIGHT.get(name)
    if axis is None:
        return None
    frame = frames.femur if LANDMARKS[name].bone in (BoneName.FEMUR, BoneName.PATELLA) else frames.tibia
    if frame is None:
        return None
    direction: FloatArray = getattr(frame, axis)
    return direction


def _root(covariance: FloatArray) -> FloatArray:
    """Matrix R with R R^T = covariance; works for flat ones too."""
    values, vectors = np.linalg.eigh(covariance)
    root: FloatArray = vectors * np.sqrt(np.maximum(values, 0.0)) @ vectors.T
    return root


@cache
def _random(count: int) -> tuple[dict[str, FloatArray], dict[str, FloatArray], dict[str, FloatArray]]:
    """Standard normal numbers in pairs of opposite sign: (3, count) a point, (2, count) a patch, (count,) a size."""
    random = np.random.default_rng(_SEED)

    def pairs(*shape: int) -> FloatArray:
        half = random.standard_normal((*shape, (count + 1) // 2))
        whole = np.concatenate([half, -half], axis=-1)[..., :count]
        whole.flags.writeable = False
        return whole

    return (
        {name: pairs(3) for name in _VOCABULARY},
        {patch: pairs(2) for patch in PATCHES},
        {name: pairs() for name in SIZES},
    )
