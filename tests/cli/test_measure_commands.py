"""``surgiplan measure`` and ``surgiplan landmark`` as a person and a program meet them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from surgiplan_desktop.cli.main import run
from surgiplan_desktop.files.mesh_files import write_stl
from surgiplan_desktop.model.anatomy import LANDMARKS, Side
from surgiplan_desktop.planning.measure_table import MEASURES
from tests.planning import bone_shapes


@pytest.fixture(scope="module")
def meshes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("meshes")
    for name in ("femur", "tibia"):
        shape = getattr(bone_shapes, name)(Side.RIGHT, spacing=3.0)
        write_stl(folder / f"{name}.stl", shape.bone.parts[0].mesh, "test bone, mm, LPS")
    return folder


@pytest.fixture
def case(meshes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    path = tmp_path / "leg.surgiplan"
    bones = ["--femur", str(meshes / "femur.stl"), "--tibia", str(meshes / "tibia.stl")]
    assert run(["import-meshes", "--side", "right", *bones, "-o", str(path), "--quiet"]) == 0
    capsys.readouterr()
    return path


def answer(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict]:  # type: ignore[type-arg]
    code = run([*arguments, "--json", "--quiet"])
    return code, json.loads(capsys.readouterr().out)


def test_measure_json_has_the_shape_of_the_contract(case: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, data = answer(capsys, "measure", str(case))
    assert code == 0
    (leg,) = data["legs"]
    assert leg["side"] == "right"
    assert list(leg["landmarks"]) == list(LANDMARKS)
    assert list(leg["measures"]) == list(MEASURES)
    assert {"point_lps", "status", "fit_rms_mm", "sd_mm"} <= set(leg["landmarks"]["hip_centre"])
    fields = {"value", "value_limb_plane", "plane", "unit", "definition", "version", "status", "reason", "sd", "normal", "source"}
    for item in leg["measures"].values():
        assert set(item) == fields
        assert (item["value"] is None) == (item["status"] == "not_measurable") == (item["reason"] is not None)
    assert leg["measures"]["mldfa"]["value"] == pytest.approx(87.0, abs=0.3)
    assert leg["measures"]["tibial_torsion"]["reason"] == "The case has no fibula."


def test_measure_json_says_how_sure_and_in_which_frames(case: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, data = answer(capsys, "measure", str(case))
    (leg,) = data["legs"]
    assert leg["frames"]["variant"] == "planning"
    assert len(leg["frames"]["femur"]["y"]) == 3
    mldfa, detail = leg["measures"]["mldfa"], leg["details"]["mldfa"]
    assert 0.0 < mldfa["sd"] < 3.0
    low, high = detail["interval"]
    assert low < mldfa["value"] < high
    first, second = detail["contributions"][:2]
    assert first["share"] >= second["share"] > 0.0
    assert first["per_mm"] > 0.0
    assert detail["value_3d"] == pytest.approx(mldfa["value"], abs=1.0)
    assert leg["measures"]["cpak"]["sd"] is None
    assert leg["measures"]["tibial_torsion"]["sd"] is None  # not measurable without a fibula
    assert len(leg["side_by_side"]["femoral_torsion"]) >= 4
    for bone in ("femur", "tibia"):
        bent = leg["cora"]["normal"][bone]
        assert bent["plane"] == "limb"
        assert set(bent["joint_angles"]) == ({"mpta", "ldta"} if bone == "tibia" else {"mldfa", "lpfa"})
        assert "varus" in bent["words"] or "valgus" in bent["words"] or "straight" in bent["words"]
    values = {leg["measures"][name]["value"] for name in leg["side_by_side"]["femoral_torsion"]}
    assert None not in values
    assert answer(capsys, "measure", str(case))[1] == data  # the same every time, draws included


def test_isb_frames_are_asked_for_and_named(case: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, data = answer(capsys, "measure", str(case), "--frames", "isb")
    assert code == 0
    (leg,) = data["legs"]
    assert leg["frames"]["variant"] == "isb"
    assert leg["frames"]["tibia"] is None  # its malleoli need a fibula
    assert leg["measures"]["mpta"]["reason"].startswith("The axes it is measured against")
    assert leg["measures"]["mldfa"]["value"] == pytest.approx(87.0, abs=2.0)
    assert run(["measure", str(case), "--quiet", "--frames", "isb"]) == 0
    assert "ISB variant" in capsys.readouterr().out


def test_lines_give_no_number_without_its_word(case: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["measure", str(case), "--quiet"]) == 0
    lines = capsys.readouterr().out.splitlines()
    (hka,) = [line for line in lines if line.strip().startswith("HKA ") and "deviation" not in line]
    assert any(f"{word} (" in hka for word in ("varus", "valgus", "straight"))
    assert any("from the medial edge" in line for line in lines)
    assert "planning variant" in lines[1]
    assert "±" in hka
    assert "%]" in hka  # the landmarks that contribute most


def test_landmark_takes_negative_coordinates_and_wins(case: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, data = answer(capsys, "landmark", str(case), "right", "hip_centre", "-5.25", "-0.5", "420")
    assert code == 0
    assert data["legs"][0]["landmarks"]["hip_centre"]["status"] == "edited"
    _, again = answer(capsys, "measure", str(case))
    hip = again["legs"][0]["landmarks"]["hip_centre"]
    assert hip["status"] == "edited"
    assert hip["point_lps"] == [-5.25, -0.5, 420.0]


@pytest.mark.parametrize(
    ("arguments", "error", "in_hint"),
    [
        (["right", "hip", "-1", "2", "3"], "unknown_landmark", "hip_centre"),
        (["left", "hip_centre", "-1", "2", "3"], "no_such_leg", "right"),
        (["right", "hip_centre", "-1", "two", "3"], "bad_coordinate", "LPS"),
        (["right", "hip_centre", "-1", "nan", "3"], "bad_coordinate", "LPS"),
    ],
)
def test_wrong_usage_is_told_and_changes_nothing(
    case: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], error: str, in_hint: str
) -> None:
    before = case.read_bytes()
    code, data = answer(capsys, "landmark", str(case), *arguments)
    assert code == 2
    assert data["error"]["id"] == error
    assert in_hint in data["error"]["hint"]
    assert case.read_bytes() == before
