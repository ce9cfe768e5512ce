"""Read volumes that are no DICOM: NIfTI, NRRD, MetaImage. RAS stays inside the readers; what comes out is LPS.

These formats say little of place and unit and nothing of what the values are: what they leave unsaid is a finding or a refusal,
and the values are checked to be Hounsfield units before they are taken.
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
from surgiplan_desktop.geometry.convert import image_to_sitk
from surgiplan_desktop.imaging.nifti import NiftiHeader, read_nifti_header, read_nifti_values
from surgiplan_desktop.imaging.resample import straighten
from surgiplan_desktop.imaging.text_headers import metaimage_findings, nrrd_findings
from surgiplan_desktop.model.images import LabelMap, Volume
from surgiplan_desktop.model.study import Finding, Repair

VolumeKind = Literal["nifti", "nrrd", "mha"]
_KINDS: Final[dict[str, VolumeKind]] = {
    ".nii": "nifti", ".nii.gz": "nifti", ".hdr": "nifti", ".nrrd": "nrrd", ".nhdr": "nrrd", ".mha": "mha", ".mhd": "mha",
}  # fmt: skip
#: A CT of a limb has air around it and bone in it: values on both sides of these (HU).
_AIR_HU: Final = -200
_BONE_HU: Final = 200
_INT16: Final = np.iinfo(np.int16)
#: Spacings that a CT may have, and the most it may reach along an axis (mm): beyond is another unit.
_SPACING_MM: Final = (0.02, 20.0)
_EXTENT_MM: Final = 3000.0
#: A label map has few values, and much of it is background.
_LABEL_VALUES: Final = 256
_BACKGROUND_SHARE: Final = 0.3
_ORTHOGONAL: Final = 1e-4
#: What a scan says of a file that was refused, by the finding codes of the import (docs/cli.md).
_CODE_OF_ERROR: Final = {
    "volume_no_orientation": "no_position", "volume_forms_mirrored": "no_position", "volume_not_3d": "multiframe",
    "volume_no_spacing": "bad_spacing", "volume_unit": "bad_spacing", "volume_geometry": "bad_spacing",
    "volume_spacing_implausible": "bad_spacing", "truncated_file": "truncated", "volume_data_missing": "truncated",
}  # fmt: skip


def volume_kind(path: Path) -> VolumeKind | None:
    """Return the format that a file name stands for, or None."""
    name = path.name.lower()
    return next((kind for ending, kind in _KINDS.items() if name.endswith(ending)), None)


@dataclass(frozen=True, slots=True)
class VolumeInfo:
    """What the header of a volume file says: voxels and spacing in mm along i, j, k, kind, verdict and findings."""

    kind: VolumeKind
    size: tuple[int, ...]
    spacing_mm: tuple[float, ...]
    verdict: Literal["ok", "repairable", "refused"] = "ok"
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class ReadVolume:
    """A volume with what has to be said about it and what was mended."""

    volume: Volume
    findings: tuple[Finding, ...] = ()
    repairs: tuple[Repair, ...] = ()


@dataclass(frozen=True, slots=True)
class _Header:
    """Size along i, j, k, index (k, j, i) -> LPS mm, the rescale, and what was odd. ``nifti`` for that format only."""

    kind: VolumeKind
    size: tuple[int, int, int]
    affine: Affine
    findings: tuple[Finding, ...]
    slope: float = 1.0
    intercept: float = 0.0
    nifti: NiftiHeader | None = None

    @property
    def tilt_deg(self) -> float:
        """By how much the axes are off right angles, deg; 0 where they are not."""
        directions = self.affine.linear / self.affine.spacing
        off = float(np.abs(directions.T @ directions - np.eye(3)).max())
        return 0.0 if off < _ORTHOGONAL else float(np.degrees(np.arcsin(min(off, 1.0))))


def volume_info(path: Path) -> VolumeInfo:
    """Say what a volume file is from its header alone; InputDataError ``unreadable_volume`` for what is none."""
    try:
        header = _header(path)
    except InputDataError as error:
        code = _CODE_OF_ERROR.get(error.message_id)
        if code is None:
            raise
        finding = Finding(code, "fail", (("files", 1), ("frames", 1)), (str(path),))
        return VolumeInfo(volume_kind(path) or "nifti", (0, 0, 0), (0.0, 0.0, 0.0), "refused", (finding,))
    spacing = tuple(float(value) for value in header.affine.spacing[::-1])
    if not header.tilt_deg:
        return VolumeInfo(header.kind, header.size, spacing, "ok", header.findings)
    tilt = Finding("tilt", "fail", (("degrees", round(header.tilt_deg, 1)),), (str(path),))
    return VolumeInfo(header.kind, header.size, spacing, "repairable", (tilt, *header.findings))


def read_volume_file(path: Path, *, progress: Progress = SILENT) -> Volume:
    """Read one file as a volume; as :func:`read_volume`, without findings and repair."""
    return read_volume(path, progress=progress).volume


def read_volume(path: Path, *, accept_repair: bool = False, progress: Progress = SILENT) -> ReadVolume:
    """Read one file as a volume of Hounsfield units, (k, j, i) right-handed in LPS mm.

    Parameters
    ----------
    accept_repair
        Consent to laying sheared slices on an orthogonal grid, as for a tilted gantry.

    Returns
    -------
    ReadVolume
        int16; whole-numbered float files are rounded, others too (0.5 HU), float32 only beyond 16 bits.

    Raises
    ------
    InputDataError
        ``unreadable_volume``, ``volume_not_3d``, ``volume_no_orientation``, ``volume_forms_mirrored``, ``volume_unit``,
        ``volume_no_spacing``, ``volume_spacing_implausible``, ``volume_data_missing``, ``truncated_file``, ``refused_tilt``
        without consent, ``volume_geometry`` (rows and columns not at right angles), ``volume_is_labels`` or ``not_hounsfield``;
        each names the file.
    """
    progress.step(0, 1, "reading")
    header = _header(path)
    if header.tilt_deg and not accept_repair:
        raise InputDataError("refused_tilt", file=path, degrees=round(header.tilt_deg, 1))
    values = _values(path, header)
    array = _hounsfield(values, header, path)
    volume = _right_handed(array, header.affine)
    progress.step(1, 1, "reading")
    if not header.tilt_deg:
        return ReadVolume(volume, header.findings)
    try:
        straight, repair = straighten(volume, progress=progress)
    except ValueError as error:
        raise InputDataError("volume_geometry", file=path, detail=str(error)) from error
    return ReadVolume(straight, header.findings, (repair,))


def read_stored(path: Path) -> tuple[AnyArray, Affine, tuple[Finding, ...]]:
    """Read the values of a file as they stand, shape (k, j, i), whatever they mean; with their place (LPS mm) and what was odd.

    The grid may be left-handed or sheared. Errors of the file as :func:`read_volume`, none about what the values are.
    """
    header = _header(path)
    values = _values(path, header)
    if header.slope != 1.0 or header.intercept != 0.0:
        values = values * header.slope + header.intercept
    return values, header.affine, header.findings


def _header(path: Path) -> _Header:
    kind = volume_kind(path)
    if kind == "nifti":
        nifti = read_nifti_header(path)
        header = _Header(kind, nifti.size, nifti.affine, nifti.findings, nifti.slope, nifti.intercept, nifti)
    elif kind is None:
        raise InputDataError("unreadable_volume", file=path)
    else:
        header = _library_header(path, kind, nrrd_findings(path) if kind == "nrrd" else metaimage_findings(path))
    spacing = header.affine.spacing
    extent = spacing * np.array(header.size[::-1])
    if not ((spacing >= _SPACING_MM[0]).all() and (spacing <= _SPACING_MM[1]).all() and (extent <= _EXTENT_MM).all()):
        told = " x ".join(f"{value:.4g}" for value in spacing[::-1])
        raise InputDataError("volume_spacing_implausible", file=path, spacing=told)
    return header


def _library_header(path: Path, kind: VolumeKind, findings: tuple[Finding, ...]) -> _Header:
    reader = SimpleITK.ImageFileReader()
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
    except RuntimeError as error:
        raise InputDataError("unreadable_volume", file=path, detail=str(error)) from error
    size, count = reader.GetSize(), reader.GetDimension()
    if count < 3 or any(length != 1 for length in size[3:]) or reader.GetNumberOfComponents() != 1:
        raise InputDataError("volume_not_3d", file=path)
    direction = np.array(reader.GetDirection(), dtype=np.float64).reshape(count, count)[:3, :3]
    steps = direction * np.array(reader.GetSpacing()[:3], dtype=np.float64)
    if not (np.isfinite(steps).all() and (np.linalg.norm(steps, axis=0) > 0).all() and abs(np.linalg.det(direction)) > 1e-3):
        raise InputDataError("volume_geometry", file=path)
    affine = Affine.from_parts(steps[:, ::-1], np.array(reader.GetOrigin()[:3], dtype=np.float64))
    return _Header(kind, (int(size[0]), int(size[1]), int(size[2])), affine, findings)


def _values(path: Path, header: _Header) -> AnyArray:
    if header.nifti is not None:
        return read_nifti_values(path, header.nifti)
    try:
        image = SimpleITK.ReadImage(str(path))
    except RuntimeError as error:
        kind = "truncated_file" if "read" in str(error).lower() and path.stat().st_size else "unreadable_volume"
        raise InputDataError(kind, file=path, detail=str(error)) from error
    array: AnyArray = SimpleITK.GetArrayFromImage(image)
    return array.reshape(header.size[::-1])


def write_volume_file(path: Path, volume: Volume | LabelMap) -> None:
    """Write a volume or label map as NIfTI, NRRD or MetaImage, by the ending of the name (not atomic: the caller's folder is)."""
    writer = SimpleITK.ImageFileWriter()
    writer.SetFileName(str(path))
    writer.UseCompressionOn()
    writer.Execute(image_to_sitk(volume))


def _hounsfield(values: AnyArray, header: _Header, path: Path) -> NDArray[np.int16] | NDArray[np.float32]:
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise InputDataError("not_hounsfield", file=path, low="nan", high="nan")
    slope, intercept = header.slope, header.intercept
    low, high = sorted(float(value) * slope + intercept for value in (values.min(), values.max()))
    if (header.nifti is not None and header.nifti.is_labels) or _looks_like_labels(values, low):
        raise InputDataError("volume_is_labels", file=path, highest=f"{high:g}")
    if low > _AIR_HU or high < _BONE_HU:
        raise InputDataError("not_hounsfield", file=path, low=f"{low:g}", high=f"{high:g}")
    scaled = slope != 1.0 or intercept != 0.0
    if low < _INT16.min or high > _INT16.max:
        return cast(NDArray[np.float32], (values * slope + intercept if scaled else values).astype(np.float32))
    if not scaled and values.dtype == np.int16:
        return cast(NDArray[np.int16], values)
    whole = np.empty(values.shape, dtype=np.int16)
    for k in range(len(values)):  # slice by slice: no second float copy of the volume
        whole[k] = np.rint(values[k] * slope + intercept) if scaled or values.dtype.kind == "f" else values[k]
    return whole


def _looks_like_labels(values: AnyArray, low: float) -> bool:
    """Tell whether a volume is a label map: nothing below zero, whole numbers, few of them, much of it background."""
    if low < 0:
        return False
    sample = values.reshape(-1)[:: max(values.size // 1_000_000, 1)]
    if float((sample == 0).mean()) < _BACKGROUND_SHARE:
        return False
    present = np.unique(sample)
    return len(present) <= _LABEL_VALUES and bool((present == np.rint(present)).all())


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
