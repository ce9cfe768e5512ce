"""Films as a user types them: a case of its own, or beside what a case already holds; side and date by hand."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from surgiplan_desktop.app import documents, startup
from surgiplan_desktop.app.import_film import KnownSize, calibrate
from surgiplan_desktop.base.spaces import Affine
from surgiplan_desktop.cli.main import run
from surgiplan_desktop.imaging.dicom_write import write_ct_series
from surgiplan_desktop.model.case import Case
from surgiplan_desktop.model.images import Volume
from surgiplan_desktop.model.study import Film
from tests.helpers.films import dicom_film, leg


def answer(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, dict, str]:
    """Run with --json: exit code, the one JSON object, what stands on standard error."""
    code = run([str(argument) for argument in (*arguments, "--json")])
    out, err = capsys.readouterr()
    assert "SECRET" not in out + err
    assert "Traceback" not in out + err
    return code, json.loads(out), err


def opened(path: Path) -> tuple[Case, np.ndarray]:
    services = startup.start()
    session = documents.open_session(services, path)
    case = session.case
    pixels = np.array(session.store.load(case.films[-1].pixels)) if case.films else np.empty(0)
    session.close()
    services.close()
    return case, pixels


def test_a_film_makes_a_case_of_its_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = dicom_film(tmp_path / "f.dcm", ImagerPixelSpacing=[0.2, 0.2], StudyDate="20260314")
    code, data, _ = answer(capsys, "import", path, "-o", tmp_path / "c.surgiplan", "--side", "left")
    assert code == 0
    assert (data["film"]["side"], data["film"]["taken"], data["film"]["lengths"]) == ("left", "2026-03-14", "locked")
    assert data["attached"] is False
    case, pixels = opened(tmp_path / "c.surgiplan")
    np.testing.assert_array_equal(pixels, leg())
    assert (case.code, case.study, case.films[0].side) == (data["code"], None, "left")


def test_a_film_joins_a_case_and_touches_nothing_else(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    values = np.random.default_rng(0).integers(-1000, 1500, (10, 5, 6)).astype(np.int16)
    write_ct_series(Volume(values, Affine.from_parts(np.diag([1.0, 1, 1])[:, ::-1], np.zeros(3))), tmp_path / "ct")
    target = tmp_path / "c.surgiplan"
    assert answer(capsys, "import", tmp_path / "ct", "-o", target, "--side", "right")[0] == 0
    before, _ = opened(target)
    path = dicom_film(tmp_path / "f.dcm", ImagerPixelSpacing=[0.2, 0.2], ImageLaterality="L")
    ball = ["--ball", 25.4, 20, 30, 60, 30]
    code, data, _ = answer(capsys, "import", path, "-o", target, "--side", "right", "--attach", *ball)
    assert code == 0
    assert data["attached"] is True
    assert {item["code"] for item in data["findings"]} >= {"side_conflict", "film_date_unknown"}
    after, _ = opened(target)
    assert (after.code, after.study, after.intake) == (before.code, before.study, before.intake)
    assert after.films[0].calibration.spacing_mm == pytest.approx((25.4 / 40, 25.4 / 40))
    # the same film again replaces itself
    code, data, _ = answer(capsys, "import", path, "-o", target, "--side", "right", "--invert", "--film-date", "2026-01-02")
    again, pixels = opened(target)
    assert [item.id for item in again.films] == ["film-1"]
    assert (again.films[0].taken, again.films[0].inverted) == ("2026-01-02", True)
    np.testing.assert_array_equal(pixels, leg().max() - leg())


def test_a_scan_joins_the_film_that_came_first() -> None:
    from surgiplan_desktop.model.edits import put_film, set_study
    from surgiplan_desktop.model.study import Study

    film = Film("film-1", "sha256:0", (2, 2), "DX", None, "")
    first = set_study(put_film(Case(), film, "FILM22"), Study(()), "SCAN22")
    assert (first.code, first.films) == ("SCAN22", (film,))
    # a scan that replaces another may be of another patient
    assert set_study(first, Study(()), "OTHER2").films == ()


def test_calibrating_later_is_one_undo_step(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = dicom_film(tmp_path / "f.dcm")
    answer(capsys, "import", path, "-o", tmp_path / "c.surgiplan", "--side", "left")
    services = startup.start()
    session = documents.open_session(services, tmp_path / "c.surgiplan")
    film = calibrate(session, "film-1", KnownSize("ruler", 20.0, ((10.0, 10.0), (50.0, 10.0))))
    assert film.calibration.spacing_mm == (0.5, 0.5)
    session.undo()
    assert session.case.films[0].calibration.spacing_mm is None
    session.close(discard=True)
    services.close()


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ([], "film_side_missing"),
        (["--side", "left", "--film-date", "14.3.2026"], "film_date"),
        (["--side", "left", "--film-date", "2999-01-01"], "film_date"),
        (["--side", "left", "--ball", "25", "10", "10"], "film_numbers"),
        (["--side", "left", "--ruler", "25", "10", "10", "20", "20", "30", "30"], "film_points_count"),
        (["--side", "left", "--ball", "25", "10", "10", "900", "20"], "film_points_outside"),
        (["--side", "left", "--ball", "25", "10", "10", "10", "10"], "film_points_count"),
        (["--side", "left", "--accept-repair"], "film_option"),
    ],
)
def test_wrong_usage_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], error: str) -> None:
    path = dicom_film(tmp_path / "f.dcm")
    code, data, _ = answer(capsys, "import", path, "-o", tmp_path / "c.surgiplan", *options)
    assert (code, data["error"]["id"]) == (2, error)
    assert data["error"]["hint"]
    assert not (tmp_path / "c.surgiplan").exists()


def test_a_folder_with_one_film_is_that_film(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "cd" / "DICOM").mkdir(parents=True)
    (tmp_path / "cd" / "README.TXT").write_text("viewer")
    dicom_film(tmp_path / "cd" / "DICOM" / "IM0001")
    code, data, _ = answer(capsys, "import", tmp_path / "cd", "-o", tmp_path / "c.surgiplan", "--side", "left")
    assert (code, data["film"]["id"]) == (0, "film-1")
    dicom_film(tmp_path / "cd" / "DICOM" / "IM0002")
    code, data, _ = answer(capsys, "import", tmp_path / "cd", "-o", tmp_path / "d.surgiplan", "--side", "left")
    assert (code, data["error"]["id"]) == (3, "refused_film")
    assert "--side" in data["error"]["hint"]


def test_scan_tells_a_film(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from PIL import Image

    Image.fromarray((leg() // 16).astype(np.uint8)).save(tmp_path / "p.png")
    for path in (dicom_film(tmp_path / "f.dcm"), tmp_path / "p.png"):
        code, data, _ = answer(capsys, "scan", path)
        (series,) = data["series"]
        assert (code, series["verdict"]) == (0, "refused")
        assert "film" in {item["code"] for item in series["findings"]}
        assert series["size"] == [80, 120, 1]
