"""The scan's light on the command line from import on, the operation date it is judged by, and the protocol's page."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from surgiplan_desktop.base.spaces import Affine
from surgiplan_desktop.cli.main import run
from surgiplan_desktop.imaging.dicom_write import write_ct_series
from surgiplan_desktop.model.images import Volume


def answer(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, Any]]:
    code = run([*arguments, "--json", "--quiet"])
    return code, json.loads(capsys.readouterr().out)


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    values = np.random.default_rng(3).integers(-1000, 1200, (30, 40, 44)).astype(np.int16)
    volume = Volume(values, Affine.from_parts(np.array([[0, 0, 0.8], [0, 0.8, 0], [2.0, 0, 0]]), np.zeros(3)))
    write_ct_series(volume, tmp_path / "scan", study_date="20240110")
    return tmp_path / "scan"


def test_import_tells_the_light_with_its_reasons(scan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, data = answer(capsys, "import", str(scan), "-o", str(tmp_path / "a.surgiplan"), "--operation-date", "2024-02-01")
    assert code == 0
    quality = data["scan_quality"]
    checks = {check["id"]: check for check in quality["checks"]}
    assert (quality["light"], quality["guide"], quality["joints"]["known_by"]) == ("red", False, "unknown")
    assert (checks["scan_slices_unknown"]["status"], checks["scan_slices_unknown"]["value"]) == ("fail", 2.0)
    assert checks["scan_age"]["status"] == "pass"
    assert run(["import", str(scan), "-o", str(tmp_path / "b.surgiplan"), "--quiet"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "Scan: red, plan yes, guide no" in lines
    assert any(line.strip().startswith("fail  Slices 2 mm") for line in lines)


def test_the_operation_date_decides_over_the_age_of_the_scan(
    scan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, data = answer(capsys, "import", str(scan), "-o", str(tmp_path / "a.surgiplan"), "--operation-date", "2025-06-01")
    (age,) = [check for check in data["scan_quality"]["checks"] if check["id"] == "scan_age"]
    assert (age["status"], age["limit"]) == ("fail", 12.0)
    code, data = answer(capsys, "import", str(scan), "-o", str(tmp_path / "b.surgiplan"), "--operation-date", "1.6.2025")
    assert (code, data["error"]["id"]) == (2, "usage")
    assert "1.6.2025" in data["error"]["text"]


def test_the_protocol_is_written_once_and_never_over_another_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "protokol.pdf"
    code, data = answer(capsys, "protocol", "-o", str(page), "--language", "tr")
    assert (code, data["files"]) == (0, [str(page)])
    assert page.read_bytes().startswith(b"%PDF")
    code, data = answer(capsys, "protocol", "-o", str(page))
    assert (code, data["error"]["id"]) == (2, "output_exists")
    code, data = answer(capsys, "protocol", "-o", str(tmp_path / "x.pdf"), "--language", "fr")
    assert code == 2
