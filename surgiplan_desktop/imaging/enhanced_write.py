"""Write volumes as one enhanced multi-frame CT (DICOM PS3.3 A.38): what the reading of such files is tried with."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence as Items
from pydicom.uid import EnhancedCTImageStorage

from surgiplan_desktop.base.arrays import content_digest, unit
from surgiplan_desktop.imaging.dicom_write import decimal, derived_uid, save, series_header, stored_pixels
from surgiplan_desktop.imaging.encoding import put_pixels
from surgiplan_desktop.model.images import Volume

#: What an enhanced file says of each frame in its functional groups, not of the file.
_OF_THE_FRAMES: Final = (
    "ImageOrientationPatient", "PixelSpacing", "RescaleIntercept", "RescaleSlope", "RescaleType", "WindowCenter", "WindowWidth",
)  # fmt: skip


def write_enhanced_ct(
    stacks: Sequence[Volume],
    path: Path,
    *,
    transfer_syntax: str = "explicit_le",
    description: str = "enhanced CT",
    patient_position: str = "HFS",
    kernel: str = "B60",
    rescale_intercept: int = -1024,
    rescale_slopes: Sequence[int] = (1,),
    share: bool = True,
    order_seed: int | None = None,
) -> Path:
    """Write one file with all slices of all ``stacks`` as frames.

    Parameters
    ----------
    stacks
        Volumes of Hounsfield units with the same rows and columns; each becomes a stack with its own StackID.
    rescale_slopes
        Frame n is stored divided by the slope n modulo their number, so each frame has a rescale of its own (values must be
        divisible, or they are rounded).
    share
        Whether orientation and spacing stand in the shared functional groups (else with each frame).
    order_seed
        Shuffles the frames of the file; None leaves them in order.

    Raises
    ------
    ValueError
        The stacks differ in rows and columns, or in what is shared.
    """
    if len({stack.shape[1:] for stack in stacks}) != 1:
        raise ValueError("frames of one file have the same rows and columns")
    frames = [(number, stack, k) for number, stack in enumerate(stacks) for k in range(stack.shape[0])]
    if order_seed is not None:
        np.random.default_rng(order_seed).shuffle(frames)
    dataset = series_header(stacks[0], rescale_intercept)
    shared = _shared_groups(dataset, stacks[0], kernel)
    if share and any(not np.allclose(stack.affine.linear, stacks[0].affine.linear) for stack in stacks):
        raise ValueError("stacks that differ in orientation or spacing share neither")
    for keyword in _OF_THE_FRAMES:
        delattr(dataset, keyword)
    digest = content_digest(*(array for stack in stacks for array in (stack.array, stack.affine.matrix)))
    study = derived_uid("enhanced study", digest)
    dataset.file_meta = FileMetaDataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID = EnhancedCTImageStorage, derived_uid("enhanced", digest, order_seed, share)
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = study, derived_uid("enhanced series", digest)
    dataset.FrameOfReferenceUID = derived_uid("enhanced frame", study)
    dataset.Modality, dataset.SeriesDescription, dataset.SeriesNumber, dataset.InstanceNumber = "CT", description, 1, 1
    dataset.PatientID = dataset.PatientName = "PHANTOM"
    dataset.PatientPosition = patient_position
    dataset.StudyDate = dataset.SeriesDate = dataset.ContentDate = "20200101"
    dataset.NumberOfFrames = len(frames)
    pixels, groups = [], []
    for index, (number, stack, k) in enumerate(frames):
        slope = rescale_slopes[index % len(rescale_slopes)]
        stored = stored_pixels(stack, k, rescale_intercept).astype(np.int32)
        pixels.append(np.rint(stored / slope).astype(np.int16))
        groups.append(_frame_groups(stack, k, number, slope, rescale_intercept, shared if not share else None))
    dataset.SharedFunctionalGroupsSequence = Items([shared if share else Dataset()])
    dataset.PerFrameFunctionalGroupsSequence = Items(groups)
    put_pixels(dataset, pixels, transfer_syntax)
    save(dataset, path)
    return path


def _shared_groups(header: Dataset, volume: Volume, kernel: str) -> Dataset:
    item = Dataset()
    item.PlaneOrientationSequence = _one(ImageOrientationPatient=header.ImageOrientationPatient)
    item.PixelMeasuresSequence = _one(PixelSpacing=header.PixelSpacing, SliceThickness=decimal(volume.spacing_kji_mm[0]))
    item.CTReconstructionSequence = _one(ConvolutionKernel=kernel)
    item.CTImageFrameTypeSequence = _one(FrameType=["ORIGINAL", "PRIMARY", "VOLUME", "NONE"])
    return item


def _frame_groups(volume: Volume, k: int, stack: int, slope: int, intercept: int, unshared: Dataset | None) -> Dataset:
    item = Dataset()
    if unshared is not None:
        item.update(unshared)
        row, column = unit(volume.affine.linear[:, 2]), unit(volume.affine.linear[:, 1])
        item.PlaneOrientationSequence = _one(ImageOrientationPatient=[decimal(value) for value in (*row, *column)])
        spacing = [decimal(value) for value in volume.spacing_kji_mm[1:]]
        item.PixelMeasuresSequence = _one(PixelSpacing=spacing, SliceThickness=decimal(volume.spacing_kji_mm[0]))
    position = volume.affine(np.array([k, 0.0, 0.0]))
    item.PlanePositionSequence = _one(ImagePositionPatient=[decimal(value) for value in position])
    item.FrameContentSequence = _one(StackID=str(stack + 1), InStackPositionNumber=k + 1, DimensionIndexValues=[stack + 1, k + 1])
    item.PixelValueTransformationSequence = _one(RescaleIntercept=str(intercept), RescaleSlope=str(slope), RescaleType="HU")
    return item


def _one(**elements: Any) -> Items:
    item = Dataset()
    for keyword, value in elements.items():
        setattr(item, keyword, value)
    return Items([item])
