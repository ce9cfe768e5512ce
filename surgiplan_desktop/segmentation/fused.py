"""Bones that the landscape of depth left in one piece: seen by what anatomy does not allow, cut where they touch least."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy import ndimage

from surgiplan_desktop.base.arrays import BoolArray, FloatArray, IntArray
from surgiplan_desktop.base.spaces import Affine
from surgiplan_desktop.geometry.edge import FloatImage
from surgiplan_desktop.model.anatomy import BoneName
from surgiplan_desktop.segmentation.label_ops import flooded
from surgiplan_desktop.segmentation.naming import NamedLeg
from surgiplan_desktop.segmentation.pieces import Chain, Piece

#: The plateau lies at most this far above the tip of the fibula, mm (8-25 in adults); more of it is femur.
_PLATEAU_ABOVE_FIBULA_MM: Final = 45.0
#: The medial malleolus ends above the tip of the lateral one; a tibia that reaches this far below it holds the talus, mm.
_TIBIA_BELOW_FIBULA_MM: Final = 18.0
#: The lateral malleolus ends at most this far below the tibia, mm (10 in adults); more of it is talus or heel bone.
_FIBULA_BELOW_TIBIA_MM: Final = 45.0
#: A section component smaller than this is no shaft, mm2.
_LEAST_SHAFT_MM2: Final = 40.0
#: Over this height a piece must show two shafts side by side to hold two bones, mm.
_TWO_SHAFTS_MM: Final = 40.0


@dataclass(frozen=True, slots=True, eq=False)
class Fusion:
    """A piece that holds two bones: which, and heights that surely belong to the one above and the one below."""

    piece: Piece
    upper: BoneName
    lower: BoneName
    above_mm: float
    below_mm: float


def stacked_fusions(leg: NamedLeg) -> tuple[Fusion, ...]:
    """Return pieces of a named leg that reach over a joint they should end at."""
    tibia, fibula = leg.bones.get(BoneName.TIBIA), leg.bones.get(BoneName.FIBULA)
    if tibia is None or fibula is None:
        return ()
    found = []
    if not fibula.high_cut and tibia.high - fibula.high > _PLATEAU_ABOVE_FIBULA_MM:
        piece = _piece_at(tibia, fibula.high)
        found.append(Fusion(piece, BoneName.FEMUR, BoneName.TIBIA, fibula.high + 38.0, fibula.high - 5.0))
    if not fibula.low_cut and fibula.low - tibia.low > _TIBIA_BELOW_FIBULA_MM:
        piece = _piece_at(tibia, fibula.low)
        found.append(Fusion(piece, BoneName.TIBIA, BoneName.TALUS, fibula.low + 40.0, fibula.low - 4.0))
    if not tibia.low_cut and tibia.low - fibula.low > _FIBULA_BELOW_TIBIA_MM:
        piece = _piece_at(fibula, tibia.low)
        found.append(Fusion(piece, BoneName.FIBULA, BoneName.TALUS, tibia.low + 10.0, tibia.low - 30.0))
    return tuple(found)


def _piece_at(chain: Chain, height: float) -> Piece:
    return min(chain.pieces, key=lambda piece: float(np.abs(piece.z_mm - height).min()))


def twin_shafts(mask: BoolArray, spacing_mm: FloatArray, long_axis: int) -> IntArray | None:
    """Look for two shafts side by side in one piece (a tibia grown together with its fibula).

    Parameters
    ----------
    mask
        Voxels of the piece, shape (k, j, i).
    spacing_mm
        Along k, j, i.
    long_axis
        The array axis along the limb.

    Returns
    -------
    IntArray or None
        Markers 1 (thicker) and 2 (thinner), same shape; None when the piece is one bone.
    """
    layers = np.moveaxis(mask, long_axis, 0)
    face = float(np.prod(spacing_mm) / spacing_mm[long_axis])
    markers = np.zeros(layers.shape, dtype=np.int32)
    height = 0.0
    sizes: list[tuple[float, float]] = []
    for k, layer in enumerate(layers):
        labels, count = ndimage.label(layer)
        if count < 2:
            continue
        area = np.bincount(labels.ravel(), minlength=count + 1)[1:] * face
        order = np.argsort(-area, kind="stable")
        if area[order[1]] < _LEAST_SHAFT_MM2:
            continue
        markers[k][labels == order[0] + 1] = 1
        markers[k][labels == order[1] + 1] = 2
        sizes.append((float(area[order[0]]), float(area[order[1]])))
        height += float(spacing_mm[long_axis])
    if height < _TWO_SHAFTS_MM:
        return None
    thick, thin = np.median(np.array(sizes), axis=0)
    if thin > 450.0 or thick < 1.3 * thin:
        return None
    return np.moveaxis(_steady(markers), 0, long_axis).copy()


def _steady(markers: IntArray) -> IntArray:
    """Keep of each marker only the layers' largest run that hangs together, so that condyles are not taken for shafts."""
    result = np.zeros_like(markers)
    for code in (1, 2):
        labels, count = ndimage.label(markers == code, structure=np.ones((3, 3, 3)))
        if count:
            sizes = np.bincount(labels.ravel())
            sizes[0] = 0
            result[labels == int(sizes.argmax())] = code
    return result


def stacked_markers(mask: BoolArray, affine: Affine, fusion: Fusion, up: int) -> IntArray:
    """Return markers 1 (upper bone) and 2 (lower bone) of a piece that reaches over a joint."""
    index = np.argwhere(mask).astype(np.float64)
    height = up * affine(index)[:, 2]
    markers = np.zeros(mask.shape, dtype=np.int32)
    place = tuple(index.astype(np.int64).T)
    markers[place] = np.where(height >= fusion.above_mm, 1, np.where(height <= fusion.below_mm, 2, 0))
    return markers


def cut_between(mask: BoolArray, markers: IntArray, hu: FloatImage, spacing_mm: FloatArray) -> IntArray:
    """Part a piece between markers where it is shallow and dark.

    Both markers flood the piece, deep and dense voxels first: they meet at
    the waist or at the dark line of the joint.

    Returns
    -------
    IntArray
        1 or 2 on the piece, 0 elsewhere.
    """
    depth = ndimage.distance_transform_edt(mask, sampling=spacing_mm)
    dense = np.clip(ndimage.gaussian_filter(hu.astype(np.float32), np.minimum(0.7 / spacing_mm, 1.0)), 0.0, 600.0) / 100.0
    return flooded(-(depth + 0.5 * dense), mask, markers)
