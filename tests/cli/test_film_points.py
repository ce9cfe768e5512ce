"""``film``: points, measures beside the CT, typed standing values, where the deformity is; and ``plan`` in the standing pose."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from surgiplan_desktop.cli.main import run
from surgiplan_desktop.model.anatomy import Side
from tests.helpers.film_points import film_of
from tests.helpers.films import dicom_film
from tests.planning.golden_leg import golden_landmarks


def answer(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, dict]:
    code = run([str(argument) for argument in (*arguments, "--json", "--quiet")])
    return code, json.loads(capsys.readouterr().out)


@pytest.fixture
def case(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """A case with a film of 1000 x 2000 pixels and no scan."""
    import numpy as np

    film = dicom_film(tmp_path / "f.dcm", np.tile(np.arange(1000, dtype=np.uint16), (2000, 1)), StudyDate="20260301")
    target = tmp_path / "c.surgiplan"
    assert answer(capsys, "import", film, "-o", target, "--side", "right", "--ruler", 100, 100, 100, 300, 100)[0] == 0
    return target


def golden_arguments() -> list[object]:
    found: list[object] = []
    for point in film_of(golden_landmarks()).leg(Side.RIGHT).points:
        found += ["--head", point.x, point.y, 48] if point.name == "head" else ["--point", point.name, point.x, point.y]
    return found


def test_points_give_measures_and_where_the_deformity_is(case: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture = tmp_path / "d.svg"
    code, data = answer(capsys, "film", case, *golden_arguments(), "--picture", picture)
    assert code == 0
    (leg,) = data["films"][0]["legs"]
    assert leg["missing"] == []
    measured = {name: item["film"] for name, item in leg["measures"].items()}
    assert measured["hka"] == pytest.approx(172.0, abs=0.01)
    assert measured["wbl"] == pytest.approx(12.84, abs=0.05)
    assert measured["mad"] == pytest.approx(27.44, abs=0.05)
    assert leg["measures"]["hka"]["words"].startswith("8.0° varus")
    assert leg["measures"]["mpta"]["ct"] is None
    assert data["standing"]["right"]["hka_from"] == "film-1"
    assert [item["kind"] for item in data["deformity"]["right"]] == ["combined"]
    assert data["files"] == [str(case), str(picture)]
    assert "Combined: tibia and femur" in picture.read_text(encoding="utf-8")
    code, data = answer(capsys, "film", case, "--picture", picture)
    assert (code, data["error"]["id"]) == (2, "output_exists")
    assert answer(capsys, "film", case, "--picture", tmp_path / "d.png")[0] == 0
    with Image.open(tmp_path / "d.png") as image:
        assert image.size[0] > 1000
    code, data = answer(capsys, "film", case, "--mirrored", "yes")
    assert [item["code"] for item in data["films"][0]["legs"][0]["findings"]] == ["film_points_swapped"]


def test_lines_for_people_bear_words(case: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["film", str(case), *map(str, golden_arguments()), "--standing-hka", "6varus", "--quiet"]) == 0
    shown = capsys.readouterr().out
    assert "8.0° varus" in shown
    assert "HKA 6.0° varus (174.0°) (typed)" in shown
    assert "label." not in shown
    assert "finding." not in shown


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("--standing-hka", "175"), "hka_needs_word"),
        (("--standing-hka", "185varus"), "hka_word_contradicts"),
        (("--point", "nose", "1", "2"), "film_point_unknown"),
        (("--point", "knee", "1", "9999"), "film_points_outside"),
        (("--point", "knee", "1", "two"), "bad_coordinate"),
        (("--point", "knee", "nan", "2"), "film_points_outside"),
        (("--head", "10", "10", "0"), "film_head_radius"),
        (("--film", "film-9"), "film_unknown"),
        (("--picture", "d.jpg"), "picture_format"),
    ],
)
def test_wrong_input_leaves_the_case_alone(
    case: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], error: str
) -> None:
    before = case.read_bytes()
    code, data = answer(capsys, "film", case, *arguments)
    assert (code, data["error"]["id"]) == (2, error)
    assert case.read_bytes() == before


def test_the_same_film_again_keeps_its_points(case: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert answer(capsys, "film", case, *golden_arguments())[0] == 0
    code, data = answer(capsys, "import", tmp_path / "f.dcm", "-o", case, "--side", "right", "--attach")
    assert (code, data["film"]["lengths"]) == (0, "locked")
    code, data = answer(capsys, "film", case)
    assert (code, data["films"][0]["legs"][0]["missing"]) == (0, [])
    assert data["films"][0]["legs"][0]["measures"]["mad"]["film"] is None
