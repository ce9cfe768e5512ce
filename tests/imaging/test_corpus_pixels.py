"""Real enhanced and compressed files, pixel by pixel as GDCM reads them, and the same in every encoding of one image."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK

from surgiplan_desktop.imaging.dicom_header import SliceHeader
from surgiplan_desktop.imaging.dicom_read import read_slice
from surgiplan_desktop.imaging.enhanced import read_headers
from surgiplan_desktop.imaging.sources import Sources

pytestmark = pytest.mark.real
Data = Callable[[str], Path]


def frames_of(path: Path) -> list[SliceHeader]:
    with path.open("rb") as stream:
        headers = read_headers(path.name, stream)
    assert isinstance(headers, list)
    first = headers[0]
    return headers if first.frames == 1 else [replace(first, frame_index=index) for index in range(first.file_frames)]


def read_frames(path: Path) -> np.ndarray:
    with Sources(path.parent) as sources:
        return np.stack([read_slice(sources, header) for header in frames_of(path)])


def by_gdcm(path: Path) -> np.ndarray:
    reader = SimpleITK.ImageFileReader()
    reader.SetImageIO("GDCMImageIO")
    reader.SetFileName(str(path))
    return SimpleITK.GetArrayFromImage(reader.Execute())


@pytest.mark.parametrize(
    ("folder", "file", "largest_difference"),
    [
        ("enhanced", "eCT_Supplemental.dcm", 0.0),
        ("enhanced", "emri_small.dcm", 0.0),
        ("enhanced", "emri_small_RLE.dcm", 0.0),
        ("enhanced", "emri_small_big_endian.dcm", 0.0),
        ("enhanced", "emri_small_jpeg_2k_lossless.dcm", 0.0),
        ("enhanced", "emri_small_jpeg_ls_lossless.dcm", 0.0),
        ("compressed", "JLSL_16_15_1_1F.dcm", 0.0),
        ("compressed", "JPEG-LL.dcm", 0.0),
        ("compressed", "MR2_J2KR.dcm", 0.5),  # its slope of 3.77 is rounded to whole units
        ("seg", "ct_image.dcm", 0.0),
    ],
)
def test_like_gdcm(data_folder: Data, folder: str, file: str, largest_difference: float) -> None:
    path = data_folder("dicom-corpus") / "dicom-corpus" / folder / file
    read, other = read_frames(path), by_gdcm(path)
    assert np.abs(read - other.reshape(read.shape).astype(np.float64)).max() <= largest_difference


def test_one_image_in_five_encodings(data_folder: Data) -> None:
    folder = data_folder("dicom-corpus") / "dicom-corpus" / "enhanced"
    first, *others = [read_frames(path) for path in sorted(folder.glob("emri_small*.dcm"))]
    assert len(others) == 4
    assert first.std() > 10
    for other in others:
        np.testing.assert_array_equal(other, first)


def test_frames_of_the_enhanced_ct_lie_in_order_of_their_positions(data_folder: Data) -> None:
    frames = frames_of(data_folder("dicom-corpus") / "dicom-corpus" / "enhanced" / "eCT_Supplemental.dcm")
    assert [frame.position for frame in frames] == [(99.5, -301.5, -159.0), (99.5, -301.5, -149.0)]
    assert {(frame.pixel_spacing, frame.rescale_type, frame.part) for frame in frames} == {
        ((0.388672, 0.388672), "US", "StackID=1")
    }
