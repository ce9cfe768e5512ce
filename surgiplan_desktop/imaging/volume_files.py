"""Read volumes that are no DICOM: NIfTI, NRRD, MetaImage. RAS stays inside SimpleITK; what comes out is LPS.

These formats say nothing of units or patients, so the values are checked to be Hounsfield units before they are taken.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, cast

import numpy as np
import SimpleITK
from numpy.typing import NDArray

from surgiplan_desktop.base.arrays import AnyArray, frozen
from surgiplan_desktop.base.errors import InputDataError
from surgiplan_desktop.base.progress import SILENT, Progress
from surgiplan_desktop.base.spaces import Affine
from surgiplan_desktop.geometry.convert import affine_of_sitk, image_to_sitk
from surgiplan_desktop.model.images import LabelMap, Volume

VolumeKind = Literal["nifti", "nrrd", "mha"]
_KINDS: Final[dict[str, VolumeKind]] = {
    ".nii": "nifti", ".nii.gz": "nifti", ".hdr": "nifti", ".nrrd": "nrrd", ".nhdr": "nrrd", ".mha": "mha", ".mhd": "mha",
}  # fmt: skip
#: A CT of a limb has air around it and bone in it: values on both sides of these (HU).
_AIR_HU: Final = -200
_BONE_HU: Final = 200
_INT16: Final = np.iinfo(np.int16)


def volume_kind(path: Path) -> VolumeKind | None:
    """Return the format that a file name stands for, or None."""
    name = path.name.lower()
    return next((kind for ending, kind in _KINDS.items() if name.endswith(ending)), None)


@dataclass(frozen=True, slots=True)
class VolumeInfo:
    """What the header of a volume file says: voxels and spacing in mm along i, j, k, and the kind of file."""

    kind: VolumeKind
    size: tuple[int, ...]
    spacing_mm: tuple[float, ...]


def volume_info(path: Path) -> VolumeInfo:
    """Read the header of a volume file; InputDataError ``unreadable_volume`` or ``volume_not_3d``."""
    kind = volume_kind(path)
    reader = SimpleITK.ImageFileReader()
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
    except RuntimeError as error:
        raise InputDataError("unreadable_volume", file=path, detail=str(error)) from error
    if kind is None or reader.GetDimension() < 3 or any(count != 1 for count in reader.GetSize()[3:]):
        raise InputDataError("volume_not_3d", file=path)
    return VolumeInfo(kind, tuple(reader.GetSize()[:3]), tuple(reader.GetSpacing()[:3]))


def read_volume_file(path: Path, *, progress: Progress = SILENT) -> Volume:
    """Read one file as a volume of Hounsfield units, (k, j, i) right-handed in LPS mm.

    Returns
    -------
    Volume
        int16; whole-numbered float files are rounded, others too (0.5 HU), float32 only beyond 16 bits.

    Raises
    ------
    InputDataError
        ``unreadable_volume``, ``volume_not_3d``, ``volume_geometry`` (axes not at right angles, spacing not positive) or
        ``not_hounsfield``; each names the file.
    """
    progress.step(0, 1, "reading")
    reader = SimpleITK.ImageFileReader()
    reader.SetFileName(str(path))
    try:
        image = reader.Execute()
    except RuntimeError as error:
        raise InputDataError("unreadable_volume", file=path, detail=str(error)) from error
    if image.GetDimension() == 4 and image.GetSize()[3] == 1:
        image = image[:, :, :, 0]
    if image.GetDimension() != 3 or image.GetNumberOfComponentsPerPixel() != 1:
        raise InputDataError("volume_not_3d", file=path)
    array = _hounsfield(SimpleITK.GetArrayFromImage(image), path)
    affine = affine_of_sitk(image)
    directions = affine.linear / affine.spacing
    if not (affine.spacing > 0).all() or not np.allclose(directions.T @ directions, np.eye(3), atol=1e-4):
        raise InputDataError("volume_geometry", file=path)
    progress.step(1, 1, "reading")
    return _right_handed(array, affine)


def write_volume_file(path: Path, volume: Volume | LabelMap) -> None:
    """Write a volume or label map as NIfTI, NRRD or MetaImage, by the ending of the name (not atomic: the caller's folder is)."""
    writer = SimpleITK.ImageFileWriter()
    writer.SetFileName(str(path))
    writer.UseCompressionOn()
    writer.Execute(image_to_sitk(volume))


def _hounsfield(values: AnyArray, path: Path) -> NDArray[np.int16] | NDArray[np.float32]:
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise InputDataError("not_hounsfield", file=path, low="nan", high="nan")
    low, high = float(values.min()), float(values.max())
    if low > _AIR_HU or high < _BONE_HU:
        raise InputDataError("not_hounsfield", file=path, low=f"{low:g}", high=f"{high:g}")
    if low < _INT16.min or high > _INT16.max:
        return cast(NDArray[np.float32], values.astype(np.float32))
    if values.dtype == np.int16:
        return cast(NDArray[np.int16], values)
    if values.dtype.kind != "f":
        return cast(NDArray[np.int16], values.astype(np.int16))
    whole = np.empty(values.shape, dtype=np.int16)
    for k in range(len(values)):  # slice by slice: no second float copy of the volume
        whole[k] = np.rint(values[k])
    return whole


def _right_handed(array: NDArray[np.int16] | NDArray[np.float32], affine: Affine) -> Volume:
    """Turn a left-handed grid by reversing the slices in place, so that (i, j, k) is right-handed as in DICOM."""
    if np.linalg.det(affine.linear[:, ::-1]) > 0:
        return Volume(frozen(array), affine)
    last = len(array) - 1
    for k in range(len(array) // 2):
        array[k], array[last - k] = array[last - k].copy(), array[k].copy()
    linear = affine.linear.copy()
    linear[:, 0] = -linear[:, 0]
    return Volume(frozen(array), Affine.from_parts(linear, affine(np.array([last, 0.0, 0.0]))))
