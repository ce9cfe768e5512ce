"""Write a volume as a DICOM CT series: the only writer of image DICOM.

CT Image Storage, one file a slice, in any transfer syntax of :mod:`encoding`. Every UID comes from the content, so the same
volume gives the same bytes. Positions are written as they are: an oblique, feet-first or sheared (tilted) volume needs nothing
special.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import UID, CTImageStorage
from pydicom.valuerep import DSfloat

from surgiplan_desktop.base.arrays import FloatArray, content_digest, unit
from surgiplan_desktop.base.progress import SILENT, Progress
from surgiplan_desktop.imaging.encoding import put_pixels
from surgiplan_desktop.model.images import Volume

#: What stands for the maker of the file (not of a scanner) in every dataset.
IMPLEMENTATION_UID: Final = "2.25.232466118193371893478273457291094836521"

#: Slices whose normal keeps this share along the body are axial, tilted or not; others are reformatted.
_AXIAL: Final = 0.7


def derived_uid(*parts: object) -> str:
    """Return a UID that is always the same for the same parts (``2.25.`` + 128 bits of SHA-256; DICOM PS3.5 B.2)."""
    digest = hashlib.sha256("\x1f".join(map(str, parts)).encode()).digest()
    return f"2.25.{int.from_bytes(digest[:16], 'big')}"


def write_ct_series(
    volume: Volume,
    folder: Path,
    *,
    description: str = "CT",
    study_uid: str = "",
    frame_of_reference_uid: str = "",
    series_number: int = 1,
    first_instance: int = 1,
    patient_id: str = "PHANTOM",
    patient_name: str = "PHANTOM",
    laterality: str = "",
    body_part: str = "LEG",
    patient_position: str = "HFS",
    gantry_tilt_deg: float | None = None,
    transfer_syntax: str = "explicit_le",
    slice_thickness_mm: float | None = None,
    kernel: str = "B60",
    study_date: str = "20200101",
    modality: str = "CT",
    rescale_intercept: int = -1024,
    seed: int = 0,
    file_prefix: str = "IM",
    progress: Progress = SILENT,
) -> list[Path]:
    """Write the slices of ``volume`` into ``folder`` (made if absent) and return the files in index order.

    Parameters
    ----------
    volume
        Hounsfield values; float values are rounded. Rows, columns and slice steps come from its affine (LPS, mm); the in-plane
        axes must be orthogonal, the slice step may be oblique to them (a tilted gantry).
    study_uid, frame_of_reference_uid
        Empty: derived from patient, date and seed, so blocks written with the same values belong together.
    patient_position, gantry_tilt_deg
        What the tags say (None: no tag); where the patient lies and how the slices tilt comes from the volume's affine.
    transfer_syntax
        A name of :data:`encoding.SYNTAXES`.
    slice_thickness_mm
        What the thickness tag says; None = the spacing of the slices.
    seed
        Goes into every derived UID: two series of the same content with different seeds are different series.

    Raises
    ------
    ValueError
        Rows and columns are not orthogonal, or a value does not fit into 16 bits.
    KeyError
        The transfer syntax has another name.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    study = study_uid or derived_uid("study", patient_id, study_date, seed)
    frame = frame_of_reference_uid or derived_uid("frame", study)
    digest = content_digest(volume.array, volume.affine.matrix)
    series = derived_uid("series", study, frame, series_number, description, digest, seed)
    header = series_header(volume, rescale_intercept)
    header.StudyInstanceUID, header.FrameOfReferenceUID, header.SeriesInstanceUID = study, frame, series
    header.Modality, header.SeriesDescription, header.SeriesNumber = modality, description, series_number
    header.PatientID, header.PatientName = patient_id, patient_name
    header.BodyPartExamined, header.PatientPosition, header.ConvolutionKernel = body_part, patient_position, kernel
    header.StudyDate = header.SeriesDate = header.AcquisitionDate = header.ContentDate = study_date
    header.SliceThickness = decimal(volume.spacing_kji_mm[0] if slice_thickness_mm is None else slice_thickness_mm)
    if laterality:
        header.Laterality = laterality
    if gantry_tilt_deg is not None:
        header.GantryDetectorTilt = decimal(gantry_tilt_deg)
    normal = np.cross(unit(volume.affine.linear[:, 2]), unit(volume.affine.linear[:, 1]))
    paths = []
    for k in range(volume.shape[0]):
        progress.step(k, volume.shape[0], "writing_dicom")
        position = volume.affine(np.array([k, 0.0, 0.0]))
        header.SOPInstanceUID = derived_uid("instance", series, k)
        header.InstanceNumber = first_instance + k
        header.ImagePositionPatient = [decimal(value) for value in position]
        header.SliceLocation = decimal(float(position @ normal))
        header.file_meta = FileMetaDataset()
        put_pixels(header, [stored_pixels(volume, k, rescale_intercept)], transfer_syntax)
        path = folder / f"{file_prefix}{first_instance + k:05d}.dcm"
        save(header, path)
        paths.append(path)
    progress.step(1, 1, "writing_dicom")
    return paths


def series_header(volume: Volume, rescale_intercept: int) -> Dataset:
    """Return what all slices share, without the identifiers."""
    row_direction, column_direction = unit(volume.affine.linear[:, 2]), unit(volume.affine.linear[:, 1])
    if abs(float(row_direction @ column_direction)) > 1e-6:
        raise ValueError("rows and columns of a DICOM image are orthogonal; resample the volume first")
    header = Dataset()
    header.SpecificCharacterSet = "ISO_IR 192"
    axial = abs(float(np.cross(row_direction, column_direction)[2])) > _AXIAL
    header.ImageType = ["DERIVED", "PRIMARY", "AXIAL"] if axial else ["DERIVED", "SECONDARY", "REFORMATTED"]
    header.SOPClassUID = CTImageStorage
    header.Manufacturer = "SurgiPlan Desktop"
    header.ManufacturerModelName = "simulated"
    header.StudyTime = header.SeriesTime = header.AcquisitionTime = header.ContentTime = "120000"
    header.StudyID, header.AccessionNumber, header.ReferringPhysicianName = "1", "", ""
    header.PatientBirthDate, header.PatientSex = "", ""
    header.AcquisitionNumber = 1
    header.PositionReferenceIndicator = ""
    header.ImageOrientationPatient = [decimal(value) for value in (*row_direction, *column_direction)]
    _, row_spacing, column_spacing = volume.spacing_kji_mm
    header.PixelSpacing = [decimal(row_spacing), decimal(column_spacing)]
    header.RescaleIntercept, header.RescaleSlope, header.RescaleType = str(rescale_intercept), "1", "HU"
    header.WindowCenter, header.WindowWidth = "400", "1800"
    header.KVP = "120"
    return header


def stored_pixels(volume: Volume, k: int, rescale_intercept: int) -> NDArray[np.int16]:
    """Return the stored values of slice ``k``; ValueError where they do not fit into 16 bits."""
    values = np.rint(volume.array[k]).astype(np.int32) - rescale_intercept
    if values.min() < -32768 or values.max() > 32767:
        raise ValueError(f"slice {k} holds values that do not fit into 16 bits with intercept {rescale_intercept}")
    stored: NDArray[np.int16] = values.astype(np.int16)
    return stored


def decimal(value: float | np.floating | FloatArray) -> DSfloat:
    """Round to what a decimal string of 16 characters holds: better than 1e-9 mm for positions of a body."""
    text = f"{float(value) + 0.0:.16g}"
    digits = 16
    while len(text) > 16:
        digits -= 1
        text = f"{float(value) + 0.0:.{digits}g}"
    return DSfloat(text)


def save(dataset: Dataset, path: Path) -> None:
    """Write a dataset whose ``file_meta`` names the transfer syntax."""
    meta = dataset.file_meta
    meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    meta.ImplementationClassUID = UID(IMPLEMENTATION_UID)
    uid = UID(meta.TransferSyntaxUID)
    content = FileDataset(
        str(path),
        dataset,
        file_meta=meta,
        preamble=b"\0" * 128,
        is_implicit_VR=uid.is_implicit_VR,
        is_little_endian=uid.is_little_endian,
    )
    content.save_as(path, enforce_file_format=True)
