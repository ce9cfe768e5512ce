"""Turn a volume to other scan planes or another patient position: the same patient, other rows, columns and slices.

Axes that are only exchanged or reversed keep every voxel; the oblique planes are sampled anew (cubic, ten bytes more a voxel).
"""

from __future__ import annotations

from typing import Any, Final, TypeVar

import numpy as np

from surgiplan_desktop.base.arrays import FloatArray, frozen
from surgiplan_desktop.base.errors import UsageError
from surgiplan_desktop.base.spaces import Affine, rotation_about
from surgiplan_desktop.geometry.convert import array_of_sitk, image_to_sitk
from surgiplan_desktop.model.images import LabelMap, Volume

Image = TypeVar("Image", Volume, LabelMap)

_L, _P, _S = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)
_R, _A, _I = (-1.0, 0.0, 0.0), (0.0, -1.0, 0.0), (0.0, 0.0, -1.0)
#: Directions of rows and columns (LPS) of an axial image whose columns run along gravity, seen from the front of the gantry:
#: what is down is posterior for a supine patient, the right side for right decubitus. DICOM PS3.3 C.7.3.1.1.2.
PATIENT_POSITIONS: Final = {
    "HFS": (_L, _P), "HFP": (_R, _A), "HFDR": (_P, _R), "HFDL": (_A, _L),
    "FFS": (_R, _P), "FFP": (_L, _A), "FFDR": (_A, _R), "FFDL": (_P, _L),
}  # fmt: skip
#: Directions of slices (index k), columns (j) and rows (i) of the scan planes that follow the body's own axes.
_PLANES: Final = {
    "axial_flipped": (_I, _P, _R),
    "coronal": (_P, _I, _L),
    "sagittal": (_R, _I, _P),
}
ORIENTATIONS: Final = ("axial", *_PLANES, "oblique")
#: The oblique planes are turned by this about an axis that is none of the body's (degrees).
_OBLIQUE_DEG: Final = 7.0
_OBLIQUE_AXIS: Final = (1.0, 2.0, 3.0)


def reoriented(image: Image, orientation: str, patient_position: str = "HFS", *, fill: int = -1024) -> Image:
    """Return the image on the grid of other scan planes; every point keeps its place in the patient.

    Parameters
    ----------
    image
        An axial image whose axes lie nearest to the body's own.
    orientation
        One of :data:`ORIENTATIONS`; ``axial`` takes its rows and columns from the patient position.
    patient_position
        One of :data:`PATIENT_POSITIONS`; decides the axial grid alone.
    fill
        Value beyond the image (oblique planes only).

    Raises
    ------
    UsageError
        ``phantom_tilted_planes``: a sheared (tilted) image has no other planes than axial ones.
    """
    steps = image.affine.linear / image.affine.spacing
    if orientation != "axial" and not np.allclose(steps.T @ steps, np.eye(3), atol=1e-6):
        raise UsageError("phantom_tilted_planes", orientation=orientation)
    if orientation == "oblique":
        return _resampled(image, fill)
    if orientation == "axial":
        row, column = PATIENT_POSITIONS[patient_position]
        return _turned(image, np.array([_S, column, row]))
    return _turned(image, np.array(_PLANES[orientation]))


def _turned(image: Image, directions: FloatArray) -> Image:
    """Exchange and reverse axes so that k, j, i point along ``directions`` (rows of a 3 x 3 array) as nearly as can be."""
    along = directions @ (image.affine.linear / image.affine.spacing)
    axes = [int(axis) for axis in np.argmax(np.abs(along), axis=1)]
    array = np.transpose(image.array, axes)
    linear = image.affine.linear[:, axes].copy()
    origin = image.affine.translation.copy()
    for new, axis in enumerate(axes):
        if along[new, axis] < 0:
            array = np.flip(array, new)
            origin = origin + linear[:, new] * (array.shape[new] - 1)
            linear[:, new] = -linear[:, new]
    return type(image)(frozen(np.ascontiguousarray(array)), Affine.from_parts(linear, origin))


def _resampled(image: Image, fill: int) -> Image:
    import SimpleITK

    spacing = image.affine.spacing
    turn = rotation_about(np.zeros(3), np.array(_OBLIQUE_AXIS), _OBLIQUE_DEG).linear @ (image.affine.linear / spacing)
    corners = image.affine(np.array(list(np.ndindex(2, 2, 2))) * (np.array(image.shape) - 1.0)) @ turn
    shape = np.ceil(np.ptp(corners, axis=0) / spacing).astype(int) + 1
    origin = turn @ corners.min(axis=0)
    resampler: Any = SimpleITK.ResampleImageFilter()
    resampler.SetSize([int(count) for count in shape[::-1]])
    resampler.SetOutputSpacing(spacing[::-1].tolist())
    resampler.SetOutputDirection(turn[:, ::-1].reshape(-1).tolist())
    resampler.SetOutputOrigin(origin.tolist())
    is_label = isinstance(image, LabelMap)
    resampler.SetInterpolator(SimpleITK.sitkNearestNeighbor if is_label else SimpleITK.sitkBSpline3)
    resampler.SetDefaultPixelValue(0 if is_label else fill)
    array = array_of_sitk(resampler.Execute(image_to_sitk(image))).astype(image.array.dtype, copy=False)
    # Cubic interpolation overshoots at edges; below the fill there is nothing on the scale.
    return type(image)(
        frozen(array if is_label else np.maximum(array, array.dtype.type(fill))), Affine.from_parts(turn * spacing, origin)
    )


def straightened(labels: LabelMap) -> LabelMap:
    """Return a label map of tilted slices on the straight grid around it, nearest label: files of volumes know no tilt.

    Only slices tilted about their rows (the gantry's tilt) can be straightened; others come back as they are.
    """
    affine = labels.affine
    steps = affine.linear / affine.spacing
    if np.allclose(steps.T @ steps, np.eye(3), atol=1e-6):
        return labels
    linear = np.array([_S, _P, _L]).T * affine.spacing
    corners = affine(np.array(list(np.ndindex(2, 2, 2))) * (np.array(labels.shape) - 1.0))
    origin = corners.min(axis=0)
    shape = np.ceil(np.ptp(corners, axis=0)[[2, 1, 0]] / affine.spacing).astype(int) + 1
    straight = Affine.from_parts(linear, origin)
    array = np.zeros(shape, dtype=np.uint16)
    back = affine.inverse() @ straight
    j, i = np.meshgrid(np.arange(shape[1]), np.arange(shape[2]), indexing="ij")
    for k in range(len(array)):
        index = np.rint(back(np.column_stack([np.full(j.size, k), j.ravel(), i.ravel()]).astype(np.float64))).astype(int)
        inside = ((index >= 0) & (index < labels.shape)).all(axis=1)
        array[k].reshape(-1)[inside] = labels.array[tuple(index[inside].T)]
    return LabelMap(frozen(array), straight)
