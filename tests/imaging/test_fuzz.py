"""A small share of the damaged studies of benchmarks/fuzz_import.py, and that its judge sees a wrong volume."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.fuzz_import import damaged, fuzz, run_one
from benchmarks.fuzz_judge import contradiction, planes_of
from benchmarks.fuzz_mutations import Files, studies
from surgiplan_desktop.imaging.dicom_blocks import plan_blocks
from surgiplan_desktop.imaging.dicom_read import read_block
from surgiplan_desktop.imaging.dicom_scan import scan_folder
from surgiplan_desktop.imaging.sources import Sources


def test_damaged_studies_neither_crash_nor_hang_nor_lie(monkeypatch: pytest.MonkeyPatch) -> None:
    # a busy machine is no hang; the benchmark watches at 2 s
    monkeypatch.setattr("benchmarks.fuzz_import.LIMIT_S", 10.0)
    results = fuzz(0, 60, 20261121, None, None)
    assert [item for item in results if item.kind not in ("accepted", "refused")] == []
    # both ways are really taken
    assert sum(item.kind == "accepted" for item in results) > 8
    assert sum(item.kind == "refused" for item in results) > 8


def test_damage_is_the_same_for_the_same_number(tmp_path: Path) -> None:
    assert damaged(3, 1, tmp_path / "a", None) == damaged(3, 1, tmp_path / "b", None)
    assert damaged(3, 1, tmp_path / "a", None) != damaged(3, 2, tmp_path / "a", None)


@pytest.fixture(scope="module")
def valid(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Files]:
    return studies(tmp_path_factory.mktemp("studies"), None)


def test_a_valid_study_is_accepted(valid: dict[str, Files], tmp_path: Path) -> None:
    some = ("explicit_le", "explicit_be", "deflated", "rle", "oblique", "enhanced_rle", "zip_jpeg_ls")
    told = {name: run_one(valid[name], tmp_path / "x") for name in some}
    assert set(told.values()) == {("accepted", "")}


@pytest.mark.parametrize("study", ["explicit_le", "oblique", "enhanced_explicit_le"])
def test_the_judge_sees_what_is_wrong(valid: dict[str, Files], tmp_path: Path, study: str) -> None:
    for name, data in valid[study].items():
        (tmp_path / name).write_bytes(data)
    (series,) = scan_folder(tmp_path).series
    (plan,) = plan_blocks([series])
    with Sources(tmp_path) as sources:
        volume = read_block(sources, plan)
    planes, matrix, array = planes_of(valid[study]), volume.affine.matrix, volume.array
    uids = (series.uid,)
    assert contradiction(planes, matrix, array, uids) == ""
    shifted, stretched, mirrored, sheared = (np.array(matrix) for _ in range(4))
    shifted[1, 3] += 0.1
    stretched[:3, 0] *= 1.01
    mirrored[:3, 2] *= -1
    sheared[:3, 1] += 0.01 * matrix[:3, 2]
    for wrong in (shifted, stretched, mirrored, sheared):
        assert contradiction(planes, wrong, array, uids)
    assert contradiction(planes, matrix, array[:, :, :-1], uids)
    assert contradiction([], matrix, array, uids)
    if not study.startswith("enhanced"):
        assert "voxels differ" in contradiction(planes, matrix, array[::-1], uids)
