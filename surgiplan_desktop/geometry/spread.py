"""How sure the place of a bone's surface is: a standard deviation in millimetres at each vertex.

Several things make an edge unsure, and each is measured at the vertex: noise against the steepness of the edge, the distance of
the surface from the half-way value of its own profile, how far the edge lies from the label that it was looked for by, a cortex
that is hardly seen, bright values outside, metal, and how unsure a network was across the edge. Their squares are added with
weights that were fitted on simulated scans, where the true surface is known (docs/accuracy.md).
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from surgiplan_desktop.base.arrays import BoolArray, FloatArray
from surgiplan_desktop.geometry.adjacency import mean_of_neighbours
from surgiplan_desktop.geometry.distance import vertex_normals
from surgiplan_desktop.geometry.outline import signed_depth
from surgiplan_desktop.model.images import LabelMap, UncertaintyMap, Volume
from surgiplan_desktop.model.mesh import BonePart

FloatImage = NDArray[np.float32]

#: What is measured, in the order of the columns; all about 1 at worst, those in mm cut where they say no more.
FEATURES: Final = (
    "always",
    "voxel",
    "noise",
    "off_edge",
    "off_label",
    "thin_cortex",
    "bright_outside",
    "metal",
    "flat",
    "unsure",
    "disagreement",
)
#: Weights of the squares, mm2: fitted by training/leg_ct/calibrate_surface.py; the same order.
WEIGHTS: Final = (0.0026, 0.0106, 0.3712, 0.0265, 0.0056, 0.0, 2.0884, 0.0958, 0.4636, 0.2, 0.2)
#: No edge is placed better than this, mm, nor is anything said beyond the last.
_RANGE_MM: Final = (0.03, 4.0)
_STEP_MM: Final = 0.3
_REACH_MM: Final = 2.4
_SMOOTHING_MM: Final = 0.4
_MARGIN_MM: Final = 5.0
_SOFT_HU: Final = 40.0
_METAL_HU: Final = 2200.0
_FLAT_HU_PER_MM: Final = 100.0
_FULL_CORTEX_HU: Final = 1000.0
_BRIGHT_HU: Final = (150.0, 450.0)
#: An edge nearer to the label than this is where the label says, mm.
_AT_LABEL_MM: Final = 0.7
_PASSES: Final = 3


def surface_spread(
    part: BonePart, labels: LabelMap, image: Volume, code: int, uncertainty: UncertaintyMap | None = None
) -> FloatArray:
    """Return the standard deviation of the surface along its normal at each vertex, mm, shape (n,); NaN on caps.

    Parameters
    ----------
    part
        The surface of one block.
    labels, image
        Label map and volume of that block.
    code
        Label code of the bone.
    uncertainty
        What the network said about its labels; None where there was none.
    """
    variance = np.square(spread_features(part, labels, image, code, uncertainty)) @ np.asarray(WEIGHTS)
    linked = mean_of_neighbours(part.mesh.faces, len(part.mesh.vertices))
    for _ in range(_PASSES):
        variance = linked @ variance
    spread: FloatArray = np.clip(np.sqrt(variance), *_RANGE_MM)
    spread[part.cap_vertices] = np.nan
    return spread


def spread_features(
    part: BonePart, labels: LabelMap, image: Volume, code: int, uncertainty: UncertaintyMap | None = None
) -> FloatArray:
    """Return what makes the surface unsure at each vertex, shape (n, len(FEATURES)); arguments as ``surface_spread``."""
    mesh, affine = part.mesh, image.affine
    box, own = _cropped(labels, image, code, part)
    start = np.array([item.start for item in box], dtype=np.float64)
    steady = ndimage.gaussian_filter(image.array[box].astype(np.float32), _SMOOTHING_MM / affine.spacing)
    outward = vertex_normals(mesh)
    at = np.arange(-round(_REACH_MM / _STEP_MM), round(_REACH_MM / _STEP_MM) + 1) * _STEP_MM
    places = affine.inverse()((mesh.vertices[:, None, :] + at[None, :, None] * outward[:, None, :]).reshape(-1, 3)) - start
    profile = _sampled(steady, places).reshape(len(outward), len(at)).astype(np.float64)
    middle = len(at) // 2
    near = max(1, round(0.45 / _STEP_MM))
    slope = np.maximum((profile[:, middle - near] - profile[:, middle + near]) / (2 * near * _STEP_MM), 0.0)
    peak = profile[:, : middle + near].max(axis=1)
    outside = profile[:, middle + near :].min(axis=1)
    level = 0.5 * (np.clip(peak, 150.0, 1800.0) + np.clip(outside, -100.0, 300.0))
    depth = _sampled(signed_depth(own, affine.spacing), affine.inverse()(mesh.vertices) - start)
    away = np.abs(depth)
    columns = {
        "always": np.ones(len(outward)),
        "voxel": np.full(len(outward), float(affine.spacing.max())),
        "noise": np.minimum(_noise(image, box, own) / np.maximum(slope, 1.0), 1.0),
        "off_edge": np.minimum(np.abs(profile[:, middle] - level) / np.maximum(slope, _FLAT_HU_PER_MM), 1.5),
        "off_label": np.clip(away - _AT_LABEL_MM, 0.0, 3.0),
        "thin_cortex": 1.0 - np.clip((peak - _SOFT_HU) / _FULL_CORTEX_HU, 0.0, 1.0),
        "bright_outside": np.clip((outside - _BRIGHT_HU[0]) / (_BRIGHT_HU[1] - _BRIGHT_HU[0]), 0.0, 1.0),
        "metal": (profile > _METAL_HU).any(axis=1),
        "flat": slope < _FLAT_HU_PER_MM,
        **_unsure(mesh.vertices, outward, uncertainty),
    }
    result: FloatArray = np.stack([np.asarray(columns[name], dtype=np.float64) for name in FEATURES], axis=1)
    return result


def _cropped(labels: LabelMap, image: Volume, code: int, part: BonePart) -> tuple[tuple[slice, slice, slice], BoolArray]:
    index = image.affine.inverse()(part.mesh.vertices)
    margin = np.ceil(_MARGIN_MM / image.affine.spacing)
    low = np.maximum(np.floor(index.min(axis=0) - margin), 0).astype(int)
    high = np.minimum(np.ceil(index.max(axis=0) + margin) + 1, image.shape).astype(int)
    k, j, i = (slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
    return (k, j, i), labels.array[k, j, i] == code


def _sampled(image: FloatImage, places: FloatArray) -> FloatImage:
    result: FloatImage = np.asarray(ndimage.map_coordinates(image, places.T, order=1, mode="nearest"), dtype=np.float32)
    return result


def _noise(image: Volume, box: tuple[slice, slice, slice], own: BoolArray) -> float:
    """Standard deviation of the noise in the flesh round a bone, HU (second differences along rows, robust)."""
    values = image.array[box].astype(np.float32)
    bent = values[..., :-2] - 2.0 * values[..., 1:-1] + values[..., 2:]
    flesh = (np.abs(values[..., 1:-1] - 30.0) < 180.0) & ~own[..., 1:-1]
    return float(1.4826 * np.median(np.abs(bent[flesh])) / np.sqrt(6.0)) if flesh.sum() > 100 else 20.0


def _unsure(points: FloatArray, outward: FloatArray, uncertainty: UncertaintyMap | None) -> dict[str, FloatArray]:
    """Mean entropy and disagreement, 0..1, across the edge within 3 mm."""
    if uncertainty is None:
        return {"unsure": np.zeros(len(points)), "disagreement": np.zeros(len(points))}
    at = np.array([-3.0, -1.5, 0.0, 1.5, 3.0])
    places = uncertainty.affine.inverse()((points[:, None, :] + at[None, :, None] * outward[:, None, :]).reshape(-1, 3))
    result = {}
    for name, image in (("unsure", uncertainty.entropy), ("disagreement", uncertainty.disagreement)):
        seen = _sampled(image.astype(np.float32), places).reshape(len(points), len(at))
        result[name] = seen.mean(axis=1).astype(np.float64) / 255.0
    return result
