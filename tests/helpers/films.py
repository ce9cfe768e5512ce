"""Films for tests: bright bars on black as DICOM of any photometry and encoding, and as pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

DX = "1.2.840.10008.5.1.4.1.1.1.1"


def leg(rows: int = 120, columns: int = 80, top: int = 4000) -> np.ndarray:
    """A bright shaft on a dark ground, brighter at the upper end, dark at the sides."""
    film = np.full((rows, columns), 40, dtype=np.uint16)
    film[10:-10, columns // 2 - 6 : columns // 2 + 9] = 1800
    film[10:20, columns // 2 - 6 : columns // 2 + 9] = top
    return film


def dicom_film(path: Path, pixels: np.ndarray | None = None, *, bits: int = 12, **tags: object) -> Path:
    """Write a film as DICOM, explicit little endian; ``tags`` are set as they are (None removes one)."""
    stored = leg() if pixels is None else pixels
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = DX
    meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=[path.name])
    dataset = Dataset()
    dataset.file_meta = meta
    dataset.SOPClassUID = DX
    dataset.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    dataset.StudyInstanceUID = "1.2.3"
    dataset.SeriesInstanceUID = "1.2.3.4"
    dataset.Modality = "DX"
    dataset.PatientName, dataset.PatientID = "SECRET^NAME", "SECRET1"
    dataset.Rows, dataset.Columns = stored.shape[:2]
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, bits, bits - 1
    dataset.PixelRepresentation = 0
    dataset.PixelData = stored.astype("<u2").tobytes()
    for keyword, value in tags.items():
        if value is None:
            delattr(dataset, keyword)
        else:
            setattr(dataset, keyword, value)
    dataset.save_as(path, enforce_file_format=True)
    return path


def compressed(path: Path, syntax: str) -> Path:
    """Compress a film in place."""
    dataset = pydicom.dcmread(path)
    dataset.compress(syntax)
    dataset.save_as(path)
    return path
