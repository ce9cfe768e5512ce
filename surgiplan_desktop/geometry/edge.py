"""The edge of a bone inside a voxel, from Hounsfield values.

The edge of a bone lies where the Hounsfield value is half way between the soft tissue outside and the cortex inside: the blur of
the scanner moves every fixed threshold (250 HU lies half a millimetre outside a thick cortex), the half-way value stays. The
cortex differs from place to place, so the half-way value is a local one. A cortex thinner than the blur is seen darker than it
is, and half of what is seen lies outside of it; how much darker than the bone's thick cortex it is tells by how much (the idea
of Treece et al. 2010, Med Image Anal 14:276: the density of cortex is known, its thickness is not).
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.special import ndtr, ndtri

from surgiplan_desktop.base.arrays import BoolArray, FloatArray

FloatImage = NDArray[np.float32]

#: Soft tissue beside bone, HU: between fat (-100) and muscle (60), nearer to the latter, which is what mostly lies there.
SOFT_TISSUE_HU: Final = 40.0
#: How deep the densest bone behind an edge is looked for, mm: thicker than the cortex at any edge, thinner than an epiphysis.
REACH_MM: Final = 2.5
#: Smoothing before the densest bone is looked for, mm: the greatest of many noisy values would lie too high.
_NOISE_MM: Final = 0.35
#: What is seen of a bone's thickest cortex: this quantile of the densest bone behind its edges, at least so many HU.
_THICK_QUANTILE: Final = 0.9
_LEAST_CORTEX_HU: Final = 900.0
#: Thin cortex is more porous than thick: it is taken for this share as dense.
_THIN_SHARE: Final = 0.8
#: How much of the way from half of what is seen to the face of the plate is gone: a thick cortex may be less dense, not thin.
_TRUST: Final = 0.5
#: Spongy bone behind the cortex begins this deep, mm, and is averaged so far around (standard deviation, mm).
_SPONGY_MM: Final = 3.0
_SPONGY_AROUND_MM: Final = 2.5
#: The half-way value is never taken below this, HU: fluid and cartilage are no edge.
LEAST_EDGE_HU: Final = 150.0
#: ... nor above this, HU: metal is no cortex.
GREATEST_EDGE_HU: Final = 900.0


def half_way_values(hu: FloatImage, inside: BoolArray, spacing_mm: FloatArray) -> FloatImage:
    """Return for every voxel the Hounsfield value of the bone's edge near it.

    Parameters
    ----------
    hu
        Hounsfield values, shape (k, j, i).
    inside
        Voxels of the bone; what lies outside (another bone) says nothing about this one's cortex.
    spacing_mm
        Along k, j, i.
    """
    steady = ndimage.gaussian_filter(hu, np.minimum(_NOISE_MM / spacing_mm, 0.6))
    banks = np.where(inside, steady, np.float32(SOFT_TISSUE_HU))
    size = [2 * max(1, round(REACH_MM / step)) + 1 for step in spacing_mm]
    peak = ndimage.maximum_filter(banks, size=size)
    peak = ndimage.gaussian_filter(peak, 1.0 / spacing_mm)
    level = SOFT_TISSUE_HU + _edge_of_plate(peak - np.float32(SOFT_TISSUE_HU), _spongy(steady, inside, spacing_mm), inside)
    result: FloatImage = np.clip(level, LEAST_EDGE_HU, GREATEST_EDGE_HU).astype(np.float32)
    return result


def _spongy(hu: FloatImage, inside: BoolArray, spacing_mm: FloatArray) -> FloatImage:
    """Mean of the bone behind its cortex near every voxel, HU above soft tissue; 0 where there is only marrow or none."""
    thick = [max(1, round(_SPONGY_MM / step)) for step in spacing_mm]
    deep = ndimage.minimum_filter(inside, size=[2 * item + 1 for item in thick], mode="nearest").astype(np.float32)
    sigma = _SPONGY_AROUND_MM / spacing_mm
    weight = ndimage.gaussian_filter(deep, sigma, truncate=3.0)
    mean = ndimage.gaussian_filter(deep * (hu - np.float32(SOFT_TISSUE_HU)), sigma, truncate=3.0) / np.maximum(weight, 1e-3)
    result: FloatImage = np.maximum(mean, 0.0)
    return result


def _edge_of_plate(peak: FloatImage, spongy: FloatImage, inside: BoolArray) -> FloatImage:
    """Value at the outer face of a plate of cortex before spongy bone, from the greatest value that the blur leaves of it.

    With a blur of Gaussian shape a plate ``u`` standard deviations thick, ``a`` dense before ``b``, is seen at its middle as
    ``b q + (a - b) (2 q - 1)`` with ``q = Phi(u / 2)``, and at its outer face as ``b / 2 + (a - b) (Phi(u) - 1 / 2)``; so the
    width of the blur need not be known. All in HU above soft tissue.
    """
    cut = ndimage.binary_erosion(inside, border_value=1)
    rim = peak[inside & ~cut]
    thick = float(np.quantile(rim, _THICK_QUANTILE)) if len(rim) else 0.0
    dense = np.maximum(peak, np.float32(_THIN_SHARE * max(thick, _LEAST_CORTEX_HU)))
    behind = np.minimum(spongy, 0.8 * peak)
    seen = np.clip((peak + dense - behind) / (2.0 * dense - behind), 0.5, 1.0)
    steps = np.linspace(0.5, 1.0 - 1e-6, 501)
    face = np.interp(seen, steps, ndtr(2.0 * ndtri(steps)) - 0.5)
    outer = 0.5 * behind + (dense - behind) * face
    result: FloatImage = (0.5 * peak + _TRUST * (outer - 0.5 * peak)).astype(np.float32)
    return result


def edge_field(hu: FloatImage, own: BoolArray, foreign: BoolArray, spacing_mm: FloatArray) -> FloatImage:
    """Return a field that is positive inside the bone, negative outside, and passes zero at its edge.

    Within about a voxel of the label's boundary the field is the Hounsfield value less the half-way value; deeper inside it is
    positive (bones are solid: marrow is no surface), farther outside and in other bones negative. Closed hollows are filled, what
    does not hang together with the largest piece goes.

    Parameters
    ----------
    hu
        Hounsfield values, shape (k, j, i).
    own, foreign
        Voxels labelled as this bone, and as another.
    spacing_mm
        Along k, j, i.
    """
    step = float(spacing_mm.max())
    level = half_way_values(hu, own, spacing_mm)
    field = (hu - level) / level  # relative, so that dense and spongy edges weigh alike when they are smoothed
    depth = ndimage.distance_transform_edt(own, sampling=spacing_mm)
    beyond = ndimage.distance_transform_edt(~own, sampling=spacing_mm)
    deep = depth - 1.6 * step
    field = np.where(deep > 0, np.maximum(field, 0.2 + 0.3 * deep / step), field)
    far = beyond - 1.1 * step
    field = np.where(far > 0, np.minimum(field, -0.2 - 0.3 * far / step), field)
    field = np.where(foreign, np.minimum(field, -0.3), field)
    field = _without_pores(np.clip(field, -1.0, 1.0).astype(np.float32), own & ~foreign)
    return _one_solid_piece(field)


def _without_pores(field: FloatImage, room: BoolArray) -> FloatImage:
    """Close pores narrower than two voxels inside the label: they would be tunnels through the surface."""
    result = field.copy()
    for block in (ndimage.generate_binary_structure(3, 2), np.ones((3, 3, 3), dtype=np.bool_)):
        closed = ndimage.binary_closing(np.pad(result > 0, 2), block)[2:-2, 2:-2, 2:-2]
        result[closed & (result <= 0) & room] = 0.05
    return result


def _one_solid_piece(field: FloatImage) -> FloatImage:
    """Fill closed hollows and drop all but the largest piece; no voxel is exactly zero."""
    result = field.copy()
    outside, count = ndimage.label(result <= 0)
    if count > 1:
        border = np.concatenate([outside.take(end, axis).ravel() for axis in range(3) for end in (0, -1)])
        open_air = np.zeros(count + 1, dtype=np.bool_)
        open_air[border] = True
        hollow = (outside > 0) & ~open_air[outside]
        result[hollow] = 0.3
    inside, count = ndimage.label(result > 0)
    if count > 1:
        sizes = np.bincount(inside.ravel())
        sizes[0] = 0
        result[(inside > 0) & (inside != int(sizes.argmax()))] = -0.3
    result[np.abs(result) < 1e-4] = -1e-4
    return result
