"""Multi-frame files: frames in any order, groups shared or not, stacks and times apart, the same voxels as from single slices."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import highdicom
import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset

from surgiplan_desktop.base.spaces import Affine
from surgiplan_desktop.imaging.dicom_scan import scan_folder
from surgiplan_desktop.imaging.dicom_write import derived_uid, save, write_ct_series
from surgiplan_desktop.imaging.encoding import SYNTAXES
from surgiplan_desktop.imaging.enhanced import read_headers
from surgiplan_desktop.imaging.enhanced_write import write_enhanced_ct
from surgiplan_desktop.model.images import Volume
from tests.imaging.spots import AIR_HU, ORIGIN, imported, largest, miss_mm, spotted

LOSSLESS = [name for name in SYNTAXES if name not in ("jpeg_ls_near", "j2k_lossy")]


def change(path: Path, edit: Callable[[Dataset], object]) -> None:
    dataset = pydicom.dcmread(path)
    edit(dataset)
    save(dataset, path)


def assert_same(read: Volume, written: Volume) -> None:
    np.testing.assert_array_equal(read.array, written.array)
    np.testing.assert_allclose(read.affine.matrix, written.affine.matrix, atol=1e-6)


@pytest.mark.parametrize("syntax", LOSSLESS)
def test_every_encoding(tmp_path: Path, syntax: str) -> None:
    written = spotted()
    write_enhanced_ct([written], tmp_path / "enhanced.dcm", transfer_syntax=syntax, order_seed=1)
    series = largest(tmp_path)
    assert (series.verdict, series.slices) == ("ok", written.shape[0])
    (read,) = imported(tmp_path)
    assert_same(read, written)
    assert miss_mm(read) < 0.1


@pytest.mark.parametrize("share", [True, False])
def test_groups_shared_or_of_each_frame(tmp_path: Path, share: bool) -> None:
    written = spotted()
    write_enhanced_ct([written], tmp_path / "enhanced.dcm", share=share, kernel="B70")
    assert largest(tmp_path).first.kernel == "B70"
    (read,) = imported(tmp_path)
    assert_same(read, written)


def test_each_frame_has_its_own_rescale(tmp_path: Path) -> None:
    coarse = Volume(spotted().array // 4 * 4, spotted().affine)
    write_enhanced_ct([coarse], tmp_path / "enhanced.dcm", rescale_slopes=(1, 2, 4), rescale_intercept=-1024, order_seed=7)
    (read,) = imported(tmp_path)
    assert_same(read, coarse)


def test_three_stacks_of_one_file_are_three_blocks(tmp_path: Path) -> None:
    stacks = [spotted(ORIGIN + np.array([0.0, 0.0, height])) for height in (400.0, 150.0, 0.0)]
    write_enhanced_ct(stacks, tmp_path / "enhanced.dcm", order_seed=2)
    blocks = imported(tmp_path)
    assert len(blocks) == 3
    for read, written in zip(blocks, stacks, strict=True):
        assert_same(read, written)


def test_two_times_of_one_place_are_never_mixed(tmp_path: Path) -> None:
    early, late = spotted(), Volume(np.full(spotted().shape, int(AIR_HU), dtype=np.int16), spotted().affine)
    path = write_enhanced_ct([early, late], tmp_path / "enhanced.dcm", order_seed=3)

    def time_instead_of_stack(dataset: Dataset) -> None:
        for groups in dataset.PerFrameFunctionalGroupsSequence:
            content = groups.FrameContentSequence[0]
            content.TemporalPositionIndex = int(content.StackID)
            content.StackID = "1"

    change(path, time_instead_of_stack)
    found = [series for series in scan_folder(tmp_path).series if series.slices == early.shape[0]]
    assert len(found) == 2
    assert all(not {"duplicate_position", "uneven"} & {item.code for item in series.findings} for series in found)


def test_frames_without_position_are_refused(tmp_path: Path) -> None:
    path = write_enhanced_ct([spotted()], tmp_path / "enhanced.dcm")

    def lose(dataset: Dataset) -> None:
        for groups in dataset.PerFrameFunctionalGroupsSequence[4:6]:
            del groups.PlanePositionSequence

    change(path, lose)
    assert largest(tmp_path).verdict == "refused"


def test_fewer_groups_than_frames_are_refused(tmp_path: Path) -> None:
    path = write_enhanced_ct([spotted()], tmp_path / "enhanced.dcm")

    def lose(dataset: Dataset) -> None:
        del dataset.PerFrameFunctionalGroupsSequence[-1]

    change(path, lose)
    with path.open("rb") as stream:
        headers = read_headers(path.name, stream)
    assert isinstance(headers, list)
    assert [header.position is None for header in headers] == [False] * 29 + [True]
    assert largest(tmp_path).verdict == "refused"


def test_enhanced_mr_is_no_ct(tmp_path: Path) -> None:
    path = write_enhanced_ct([spotted()], tmp_path / "enhanced.dcm")
    change(path, lambda dataset: setattr(dataset, "Modality", "MR"))
    series = largest(tmp_path)
    assert series.verdict == "refused"
    assert "not_ct" in {finding.code for finding in series.findings}
    assert series.spacing_mm == pytest.approx((1.4, 1.5, 2.0))


def test_a_map_of_something_else_is_no_ct(tmp_path: Path) -> None:
    path = write_enhanced_ct([spotted()], tmp_path / "enhanced.dcm")

    def of_blood_flow(dataset: Dataset) -> None:
        for groups in dataset.PerFrameFunctionalGroupsSequence:
            groups.PixelValueTransformationSequence[0].RescaleType = "US"

    change(path, of_blood_flow)
    assert largest(tmp_path).verdict == "refused"


@pytest.mark.filterwarnings("ignore:The string")  # the name of the phantom is one word
def test_legacy_converted_files_read_as_the_slices_they_were(tmp_path: Path) -> None:
    written = spotted()
    paths = write_ct_series(written, tmp_path / "slices", kernel="B70")
    slices = [pydicom.dcmread(path) for path in paths]
    for dataset in slices:
        dataset.BodyPartExamined = "LEG"
        dataset.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    converted = highdicom.legacy.LegacyConvertedEnhancedCTImage(
        slices,
        series_instance_uid=derived_uid("legacy"),
        series_number=7,
        sop_instance_uid=derived_uid("legacy", 1),
        instance_number=1,
    )
    (tmp_path / "legacy").mkdir()
    converted.save_as(tmp_path / "legacy" / "legacy.dcm")
    series = largest(tmp_path / "legacy")
    assert (series.verdict, series.slices) == ("ok", written.shape[0])
    (read,) = imported(tmp_path / "legacy")
    assert_same(read, written)


def test_frames_join_the_order_of_their_positions(tmp_path: Path) -> None:
    affine = Affine.from_parts(spotted().affine.linear * [-1, 1, 1], ORIGIN)  # slices run downwards
    written = Volume(spotted().array, affine)
    write_enhanced_ct([written], tmp_path / "enhanced.dcm")
    (read,) = imported(tmp_path)
    np.testing.assert_array_equal(read.array, written.array[::-1])
    np.testing.assert_allclose(read.affine(np.array([29.0, 0, 0])), ORIGIN, atol=1e-6)
