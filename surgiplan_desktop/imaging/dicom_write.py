"""Write a volume as a DICOM CT series: the only writer of image DICOM.

CT Image Storage, Explicit VR Little Endian, one file a slice. Every UID comes from the content, so the same volume gives the
same bytes. Positions are written as they are: an oblique, feet-first or sheared (tilted) volume needs nothing special.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

import numpy as np
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian
from pydicom.valuerep import DSfloat

from surgiplan_desktop.base.arrays import FloatArray, content_digest, unit
from surgiplan_desktop.base.progress import SILENT, Progress
from surgiplan_desktop.model.images import Volume

#: What stands for the maker of the file (not of a scanner) in every dataset.
IMPLEMENTATION_UID: Final = "2.25.232466118193371893478273457291094836521"


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
    slice_thickness_mm
        What the thickness tag says; None = the spacing of the slices.
    seed
        Goes into every derived UID: two series of the same content with different seeds are different series.

    Raises
    ------
    ValueError
        Rows and columns are not orthogonal, or a value does not fit into 16 bits.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    study = study_uid or derived_uid("study", patient_id, study_date, seed)
    frame = frame_of_reference_uid or derived_uid("frame", study)
    digest = content_digest(volume.array, volume.affine.matrix)
    series = derived_uid("series", study, frame, series_number, description, digest, seed)
    header = _series_header(volume, rescale_intercept)
    header.StudyInstanceUID, header.FrameOfReferenceUID, header.SeriesInstanceUID = study, frame, series
    header.Modality, header.SeriesDescription, header.SeriesNumber = modality, description, series_number
    header.PatientID, header.PatientName = patient_id, patient_name
    header.BodyPartExamined, header.PatientPosition, header.ConvolutionKernel = body_part, patient_position, kernel
    header.StudyDate = header.SeriesDate = header.AcquisitionDate = header.ContentDate = study_date
    header.SliceThickness = _decimal(volume.spacing_kji_mm[0] if slice_thickness_mm is None else slice_thickness_mm)
    if laterality:
        header.Laterality = laterality
    normal = np.cross(unit(volume.affine.linear[:, 2]), unit(volume.affine.linear[:, 1]))
    paths = []
    for k in range(volume.shape[0]):
        progress.step(k, volume.shape[0], "writing_dicom")
        position = volume.affine(np.array([k, 0.0, 0.0]))
        header.SOPInstanceUID = derived_uid("instance", series, k)
        header.InstanceNumber = first_instance + k
        header.ImagePositionPatient = [_decimal(value) for value in position]
        header.SliceLocation = _decimal(float(position @ normal))
        header.PixelData = _stored_pixels(volume, k, rescale_intercept)
        path = folder / f"{file_prefix}{first_instance + k:05d}.dcm"
        _save(header, path)
        paths.append(path)
    progress.step(1, 1, "writing_dicom")
    return paths


def _series_header(volume: Volume, rescale_intercept: int) -> Dataset:
    """Return what all slices share, without the identifiers."""
    row_direction, column_direction = unit(volume.affine.linear[:, 2]), unit(volume.affine.linear[:, 1])
    if abs(float(row_direction @ column_direction)) > 1e-6:
        raise ValueError("rows and columns of a DICOM image are orthogonal; resample the volume first")
    header = Dataset()
    header.SpecificCharacterSet = "ISO_IR 192"
    header.ImageType = ["DERIVED", "PRIMARY", "AXIAL"]
    header.SOPClassUID = CTImageStorage
    header.Manufacturer = "SurgiPlan Desktop"
    header.ManufacturerModelName = "simulated"
    header.StudyTime = header.SeriesTime = header.AcquisitionTime = header.ContentTime = "120000"
    header.StudyID, header.AccessionNumber, header.ReferringPhysicianName = "1", "", ""
    header.PatientBirthDate, header.PatientSex = "", ""
    header.AcquisitionNumber = 1
    header.PositionReferenceIndicator = ""
    header.ImageOrientationPatient = [_decimal(value) for value in (*row_direction, *column_direction)]
    _, row_spacing, column_spacing = volume.spacing_kji_mm
    header.PixelSpacing = [_decimal(row_spacing), _decimal(column_spacing)]
    header.Rows, header.Columns = volume.shape[1:]
    header.SamplesPerPixel, header.PhotometricInterpretation = 1, "MONOCHROME2"
    header.BitsAllocated, header.BitsStored, header.HighBit, header.PixelRepresentation = 16, 16, 15, 1
    header.RescaleIntercept, header.RescaleSlope, header.RescaleType = str(rescale_intercept), "1", "HU"
    header.WindowCenter, header.WindowWidth = "400", "1800"
    header.KVP = "120"
    return header


def _stored_pixels(volume: Volume, k: int, rescale_intercept: int) -> bytes:
    values = np.rint(volume.array[k]).astype(np.int32) - rescale_intercept
    if values.min() < -32768 or values.max() > 32767:
        raise ValueError(f"slice {k} holds values that do not fit into 16 bits with intercept {rescale_intercept}")
    pixels: bytes = values.astype("<i2").tobytes()
    return pixels


def _decimal(value: float | np.floating | FloatArray) -> DSfloat:
    """Round to what a decimal string of 16 characters holds: better than 1e-9 mm for positions of a body."""
    text = f"{float(value) + 0.0:.16g}"
    digits = 16
    while len(text) > 16:
        digits -= 1
        text = f"{float(value) + 0.0:.{digits}g}"
    return DSfloat(text)


def _save(header: Dataset, path: Path) -> None:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = header.SOPClassUID
    meta.MediaStorageSOPInstanceUID = header.SOPInstanceUID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = UID(IMPLEMENTATION_UID)
    FileDataset(str(path), header, file_meta=meta, preamble=b"\0" * 128).save_as(path, enforce_file_format=True)
