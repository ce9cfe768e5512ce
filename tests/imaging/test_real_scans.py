"""Real scans beside the project: the verdict a radiographer would give, the voxels an independent reader gives."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import SimpleITK

from surgiplan_desktop.imaging.dicom_blocks import plan_blocks
from surgiplan_desktop.imaging.dicom_read import read_block
from surgiplan_desktop.imaging.dicom_scan import scan_folder
from surgiplan_desktop.imaging.sources import Sources
from surgiplan_desktop.imaging.volume_files import read_volume_file

pytestmark = pytest.mark.real
Data = Callable[[str], Path]


@pytest.fixture
def corpus(data_folder: Data) -> Path:
    return data_folder("dicom-corpus") / "dicom-corpus"


def by_simpleitk(paths: list[Path]) -> SimpleITK.Image:
    reader = SimpleITK.ImageSeriesReader()
    reader.SetFileNames([str(path) for path in paths])
    return reader.Execute()


def assert_like_simpleitk(folder: Path) -> None:
    (series,) = scan_folder(folder).series
    (plan,) = plan_blocks([series])
    with Sources(folder) as sources:
        volume = read_block(sources, plan)
    image = by_simpleitk([folder / header.name for header in plan.slices])
    expected = SimpleITK.GetArrayViewFromImage(image)
    first = plan.slices[0]
    if first.padding is not None:  # SimpleITK leaves padding as it is
        is_padding = (expected - first.intercept >= first.padding[0]) & (expected - first.intercept <= first.padding[1])
        expected = np.where(is_padding, -1024, expected)
    np.testing.assert_array_equal(volume.array, expected)
    last = [count - 1 for count in image.GetSize()]
    np.testing.assert_allclose(
        volume.affine(np.array(last[::-1], dtype=float)), image.TransformIndexToPhysicalPoint(last), atol=1e-4
    )


def test_the_legs_are_one_volume_of_500_slices(data_folder: Data) -> None:
    folder = data_folder("visible-human-legs") / "visible-human-legs"
    result = scan_folder(folder)
    (series,) = result.series
    assert (series.verdict, series.slices, series.findings, result.rejected) == ("ok", 500, (), ())
    (plan,) = plan_blocks([series])
    assert plan.shape == (500, 288, 282)
    np.testing.assert_allclose(plan.affine.spacing, 1.0)
    with Sources(folder) as sources:
        volume = read_block(sources, plan)
    assert (int(volume.array.min()), int(volume.array.max())) == (-1024, 1838)
    assert volume.array.dtype == np.int16


def test_a_tilted_uneven_head_is_not_ok(corpus: Path) -> None:
    (series,) = scan_folder(corpus / "ct-gantry-tilt-uneven").series
    found = {finding.code: dict(finding.parameters) for finding in series.findings}
    assert series.verdict == "repairable"
    assert found["tilt"]["degrees"] == pytest.approx(18.5, abs=0.05)
    assert found["uneven"]["largest_mm"] > 6 * found["uneven"]["smallest_mm"]


def test_spacing_of_three_slices_is_that_of_their_positions(corpus: Path) -> None:
    (series,) = scan_folder(corpus / "ct-3slice").series
    assert series.verdict == "ok"
    assert series.spacing_mm[2] == pytest.approx(1.0, abs=1e-6)
    assert series.first.thickness_mm == 1.25
    assert_like_simpleitk(corpus / "ct-3slice")


def test_jpeg_2000_is_read(corpus: Path) -> None:
    result = scan_folder(corpus / "ct-jpeg2000-lossless")
    (series,) = result.series
    assert (series.verdict, series.slices) == ("ok", 20)
    assert series.spacing_mm[2] == pytest.approx(2.0)
    assert [item.reason for item in result.rejected] == ["not_dicom"]
    assert_like_simpleitk(corpus / "ct-jpeg2000-lossless")


def test_enhanced_objects_are_told_and_refused(corpus: Path) -> None:
    series = scan_folder(corpus / "enhanced").series
    assert series
    for item in series:
        assert item.verdict == "refused"
        assert "multiframe" in {finding.code for finding in item.findings}
        # the enhanced "CT" is a perfusion map without Hounsfield units
        assert "not_ct" in {finding.code for finding in item.findings}


@pytest.mark.parametrize("folder", ["compressed", "seg"])
def test_nothing_else_in_the_corpus_passes_for_a_ct(corpus: Path, folder: str) -> None:
    series = scan_folder(corpus / folder).series
    assert series
    assert all(item.verdict == "refused" for item in series)


def test_a_nifti_torso_is_read(corpus: Path) -> None:
    volume = read_volume_file(corpus / "torso-ct" / "ct.nii.gz")
    assert volume.array.dtype == np.int16
    np.testing.assert_allclose(volume.spacing_kji_mm, 3.0)
