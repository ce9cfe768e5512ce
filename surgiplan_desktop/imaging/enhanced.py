"""Tell the frames of a multi-frame file apart: enhanced CT and MR, and legacy converted ones (DICOM PS3.3 C.7.6.16).

What a frame is stands in its own functional groups, else in those shared by all, else in the dataset itself. The order of the
frames in the file means nothing, as the order of files in a folder means nothing: both are put in order by their positions.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, BinaryIO, Final

from pydicom.dataset import Dataset

from surgiplan_desktop.imaging.dicom_header import Rejected, SliceHeader, read_header_with

#: A file that tells of more frames than this is no scan; it guards the memory against headers that lie.
MAX_FRAMES: Final = 20_000
#: Where in the functional groups each attribute stands; legacy converted files keep what has no place of its own unassigned.
_GROUP_OF: Final = {
    "ImagePositionPatient": ("PlanePositionSequence",),
    "ImageOrientationPatient": ("PlaneOrientationSequence",),
    "PixelSpacing": ("PixelMeasuresSequence",),
    "SliceThickness": ("PixelMeasuresSequence",),
    "RescaleSlope": ("PixelValueTransformationSequence",),
    "RescaleIntercept": ("PixelValueTransformationSequence",),
    "RescaleType": ("PixelValueTransformationSequence",),
    "ConvolutionKernel": ("CTReconstructionSequence",),
    "FrameType": ("CTImageFrameTypeSequence", "MRImageFrameTypeSequence"),
    "FrameLaterality": ("FrameAnatomySequence",),
    "FrameAcquisitionDateTime": ("FrameContentSequence",),
    "StackID": ("FrameContentSequence",),
    "TemporalPositionIndex": ("FrameContentSequence",),
    "NominalCardiacTriggerDelayTime": ("CardiacSynchronizationSequence",),
    "NominalPercentageOfCardiacPhase": ("CardiacSynchronizationSequence",),
    "EffectiveEchoTime": ("MREchoSequence",),
}  # fmt: skip
_UNASSIGNED: Final = ("UnassignedPerFrameConvertedAttributesSequence", "UnassignedSharedConvertedAttributesSequence")
#: Frames that differ in one of these show the same place at another time or in another way: never one volume.
_PARTS: Final = (
    "StackID", "TemporalPositionIndex", "NominalCardiacTriggerDelayTime", "NominalPercentageOfCardiacPhase",
    "EffectiveEchoTime",
)  # fmt: skip


def read_headers(name: str, stream: BinaryIO) -> list[SliceHeader] | Rejected | None:
    """Read the headers of one file, one for each frame; None for a DICOMDIR. Never raises for what the file holds."""
    return read_header_with(name, stream, frame_headers)


def frame_headers(dataset: Dataset, header: SliceHeader) -> list[SliceHeader]:
    """Return one header for each frame of a multi-frame file, or the file's own header where it says nothing of its frames.

    Parameters
    ----------
    dataset
        The dataset without its pixels, with the functional groups.
    header
        What the dataset says outside its functional groups.

    Returns
    -------
    list of SliceHeader
        In the order of the file, ``frames`` = 1, ``frame_index`` counting up. A frame whose groups lack a position or spacing
        has None there, as an image file has.
    """
    own = list(_sequence(dataset, "PerFrameFunctionalGroupsSequence"))
    shared = _item(dataset, "SharedFunctionalGroupsSequence")
    if (not own and shared is None) or not 1 <= header.frames <= MAX_FRAMES:
        return [header]
    groups = [*own[: header.frames], *([None] * (header.frames - len(own)))]
    frames = [_frame(header, index, tuple(item for item in (mine, shared) if item)) for index, mine in enumerate(groups)]
    # A frame without groups of its own counts to the first one's stack: it has no position, so that stack is refused, not cut.
    return [frame if mine else replace(frame, part=frames[0].part) for frame, mine in zip(frames, groups, strict=True)]


def _frame(header: SliceHeader, index: int, groups: tuple[Dataset, ...]) -> SliceHeader:
    position = _numbers(_value(groups, "ImagePositionPatient"), 3)
    orientation = _numbers(_value(groups, "ImageOrientationPatient"), 6)
    spacing = _numbers(_value(groups, "PixelSpacing"), 2)
    thickness = _numbers(_value(groups, "SliceThickness"), 1)
    kernel, kind = _texts(_value(groups, "ConvolutionKernel")), _texts(_value(groups, "FrameType"))
    moment = _text(_value(groups, "FrameAcquisitionDateTime"))
    return replace(
        header,
        frames=1,
        frame_index=index,
        file_frames=header.frames,
        position=_triple(position) or header.position,
        orientation=orientation or header.orientation,
        pixel_spacing=(spacing[0], spacing[1]) if spacing else header.pixel_spacing,
        thickness_mm=thickness[0] if thickness else header.thickness_mm,
        slope=_rescale(groups, "RescaleSlope", header.slope),
        intercept=_rescale(groups, "RescaleIntercept", header.intercept),
        rescale_type=_text(_value(groups, "RescaleType")).upper()
        or ("" if _text(_value(groups, "RescaleIntercept")) else header.rescale_type),
        kernel="/".join(kernel) or header.kernel,
        image_type=tuple(value.upper() for value in kind) or header.image_type,
        laterality=_text(_value(groups, "FrameLaterality")).upper().replace("U", "") or header.laterality,
        acquired=f"{moment[:8]}T{moment[8:14]}" if len(moment) >= 14 else header.acquired,
        part="/".join(f"{name}={text}" for name in _PARTS if (text := _text(_value(groups, name)))),
    )


def _value(groups: Sequence[Dataset], keyword: str) -> Any:
    """Return an attribute of the frame: from its own groups, else from the shared ones; None where neither has it."""
    for group in groups:
        for place in (*_GROUP_OF[keyword], *_UNASSIGNED):
            item = _item(group, place)
            if item is not None and keyword in item and item[keyword].value not in (None, ""):
                return item[keyword].value
    return None


def _sequence(dataset: Dataset, keyword: str) -> Iterator[Dataset]:
    if keyword in dataset:
        value = dataset[keyword].value
        if dataset[keyword].VR == "SQ":
            yield from value or ()


def _item(dataset: Dataset, keyword: str) -> Dataset | None:
    """Return the first item of a sequence, None where there is none."""
    return next(_sequence(dataset, keyword), None)


def _texts(value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    if isinstance(value, (str, bytes)) or not isinstance(value, Sequence):
        return (str(value).strip(" \0"),)
    return tuple(str(part).strip(" \0") for part in value)


def _text(value: Any) -> str:
    return next(iter(_texts(value)), "")


def _numbers(value: Any, count: int) -> tuple[float, ...] | None:
    try:
        numbers = tuple(float(text) for text in _texts(value))
    except (ValueError, OverflowError):
        return None
    return numbers if len(numbers) == count and all(map(math.isfinite, numbers)) else None


def _rescale(groups: tuple[Dataset, ...], keyword: str, default: float) -> float:
    """Return slope or intercept of a frame; ValueError for one that is there and no number, as in a file of one image."""
    value = _value(groups, keyword)
    if not any(_texts(value)):
        return default
    number = _numbers(value, 1)
    if number is None or (keyword == "RescaleSlope" and number[0] == 0.0):
        raise ValueError(f"{keyword} is no number to go by")
    return number[0]


def _triple(numbers: tuple[float, ...] | None) -> tuple[float, float, float] | None:
    return (numbers[0], numbers[1], numbers[2]) if numbers else None
