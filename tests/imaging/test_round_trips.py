"""Landmarks come back within 0.1 mm through every encoding, plane, position, tilt and fault, or the right refusal does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest

from surgiplan_desktop.base.errors import UsageError
from surgiplan_desktop.base.spaces import Affine
from surgiplan_desktop.imaging.dicom_defects import DEFECTS, plant_defect
from surgiplan_desktop.imaging.dicom_write import derived_uid, write_ct_series
from surgiplan_desktop.imaging.encoding import SYNTAXES
from surgiplan_desktop.imaging.reorient import ORIENTATIONS, PATIENT_POSITIONS, reoriented, straightened
from surgiplan_desktop.model.images import LabelMap, Volume
from tests.imaging.spots import ORIGIN, imported, largest, miss_mm, spots, spotted

NEAR_MM = 0.1
LOSSY = {"jpeg_ls_near", "j2k_lossy"}


def test_the_landmarks_are_found_where_they_are_drawn() -> None:
    assert miss_mm(spotted()) < 0.02


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_every_encoding(tmp_path: Path, syntax: str) -> None:
    written = spotted()
    write_ct_series(written, tmp_path, transfer_syntax=syntax)
    series = largest(tmp_path)
    assert series.verdict == "ok"
    assert series.first.transfer_syntax == SYNTAXES[syntax]
    assert ("lossy" in {finding.code for finding in series.findings}) == (syntax in LOSSY)
    (read,) = imported(tmp_path)
    assert miss_mm(read) < NEAR_MM
    if syntax not in LOSSY:
        np.testing.assert_array_equal(read.array, written.array)


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_every_orientation(tmp_path: Path, orientation: str) -> None:
    write_ct_series(reoriented(spotted(), orientation), tmp_path)
    assert largest(tmp_path).verdict == "ok"
    (read,) = imported(tmp_path)
    assert miss_mm(read) < NEAR_MM
    assert np.linalg.det(read.affine.linear[:, ::-1]) > 0


@pytest.mark.parametrize("position", PATIENT_POSITIONS)
def test_every_patient_position(tmp_path: Path, position: str) -> None:
    write_ct_series(reoriented(spotted(), "axial", position), tmp_path, patient_position=position)
    assert largest(tmp_path).first.patient_position == position
    (read,) = imported(tmp_path)
    assert miss_mm(read) < NEAR_MM


def test_positions_lie_as_the_standard_says() -> None:
    """Head first is the right-handed turn about the axis of the body, feet first the other one; gravity runs down the columns."""
    for name, (row, column) in PATIENT_POSITIONS.items():
        assert np.cross(row, column)[2] == (1.0 if name.startswith("HF") else -1.0)
        down = {"S": (0, 1, 0), "P": (0, -1, 0), "DR": (-1, 0, 0), "DL": (1, 0, 0)}[name[2:]]
        assert tuple(column) == down


@pytest.mark.parametrize("tilt", [18.5, -12.0])
def test_a_tilted_gantry_is_straightened_with_consent_only(tmp_path: Path, tilt: float) -> None:
    write_ct_series(spotted(tilt_deg=tilt), tmp_path, gantry_tilt_deg=tilt)
    series = largest(tmp_path)
    assert series.verdict == "repairable"
    assert dict(series.findings[0].parameters)["degrees"] == pytest.approx(abs(tilt), abs=0.01)
    (read,) = imported(tmp_path, consent=True)
    assert miss_mm(read) < NEAR_MM


def test_a_tilt_that_only_the_tag_tells_is_none(tmp_path: Path) -> None:
    write_ct_series(spotted(), tmp_path, gantry_tilt_deg=20.0)
    assert largest(tmp_path).verdict == "ok"


def test_tilted_slices_have_no_other_planes() -> None:
    with pytest.raises(UsageError, match="phantom_tilted_planes"):
        reoriented(spotted(tilt_deg=10.0), "coronal")


@pytest.mark.parametrize("syntax", ["explicit_le", "jpeg_ls"])
@pytest.mark.parametrize("name", DEFECTS)
def test_every_fault_is_told_and_mended_or_refused(tmp_path: Path, name: str, syntax: str) -> None:
    planted = plant_defect(write_ct_series(spotted(), tmp_path, transfer_syntax=syntax), name)
    series = largest(tmp_path)
    assert series.verdict == planted.verdict
    codes = {finding.code for finding in series.findings}
    assert set(planted.findings) <= codes
    assert {"tilt", "gap", "uneven", "missing_slices"} & (codes - set(planted.findings)) <= (
        {"missing_slices"} if name == "truncated" else set()  # the hole that the cut file leaves
    )
    if planted.verdict == "refused":
        assert not [item for item in (series,) if item.verdict == "ok"]
    else:
        (read,) = imported(tmp_path, consent=planted.verdict == "repairable")
        assert miss_mm(read) < NEAR_MM


def test_a_swapped_pair_is_really_swapped(tmp_path: Path) -> None:
    paths = write_ct_series(spotted(), tmp_path)
    plant_defect(paths, "swapped")
    by_name = [pydicom.dcmread(path, stop_before_pixels=True) for path in paths]
    heights = [float(dataset.ImagePositionPatient[2]) for dataset in by_name]
    assert heights != sorted(heights)
    assert [dataset.InstanceNumber for dataset in by_name] == list(range(1, len(paths) + 1))


@pytest.mark.parametrize(("spacing", "missing", "verdict"), [(2.0, 2, "repairable"), (3.0, 1, "repairable"), (4.5, 1, "refused")])
def test_a_hole_is_planted_as_wide_as_may_be_mended(tmp_path: Path, spacing: float, missing: int, verdict: str) -> None:
    given = spotted()
    stretched = Affine.from_parts(given.affine.linear * [spacing / 2.0, 1.0, 1.0], given.affine.translation)
    paths = write_ct_series(Volume(given.array, stretched), tmp_path)
    planted = plant_defect(paths, "missing")
    assert sum(not path.exists() for path in paths) == missing
    assert planted.verdict == verdict == largest(tmp_path).verdict


def test_too_few_slices_for_a_fault(tmp_path: Path) -> None:
    small = Volume(spotted().array[:5], spotted().affine)
    with pytest.raises(ValueError, match="8 slices"):
        plant_defect(write_ct_series(small, tmp_path), "missing")


def test_three_blocks_stay_three(tmp_path: Path) -> None:
    origins = [ORIGIN + np.array([0.0, 0.0, height]) for height in (0.0, 150.0, 400.0)]
    for number, origin in enumerate(origins):
        write_ct_series(
            spotted(origin),
            tmp_path / str(number),
            series_number=number,
            frame_of_reference_uid=derived_uid("frame"),
            transfer_syntax="rle",
        )
    blocks = imported(tmp_path)
    assert [float(block.affine.translation[2]) for block in blocks] == [float(origin[2]) for origin in reversed(origins)]
    for origin, block in zip(reversed(origins), blocks, strict=True):
        assert miss_mm(block, origin) < NEAR_MM


def test_labels_of_tilted_slices_are_laid_on_a_straight_grid() -> None:
    tilted = spotted(tilt_deg=18.5)
    labels = LabelMap((tilted.array > 0).astype(np.uint16), tilted.affine)
    straight = straightened(labels)
    steps = straight.affine.linear / straight.affine.spacing
    np.testing.assert_allclose(steps.T @ steps, np.eye(3), atol=1e-12)
    points = straight.affine(np.argwhere(straight.array == 1).astype(float))
    nearest = np.linalg.norm(points[:, None] - spots()[None], axis=2)
    assert nearest.min(axis=1).max() < 6.0
    centres = [points[nearest.argmin(axis=1) == number].mean(axis=0) for number in range(3)]
    np.testing.assert_allclose(centres, spots(), atol=0.75)  # half a voxel: the nearest label, not a mixture
