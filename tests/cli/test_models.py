"""``surgiplan models``: what is here, what it is, what really runs it, and why a folder is no pack."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from surgiplan_desktop.base.paths import user_data_folder
from surgiplan_desktop.cli.main import run
from tests.helpers.tiny_pack import write_pack


def asked(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict]:
    code = run(["models", *arguments, "--json", "--quiet"])
    return code, json.loads(capsys.readouterr().out)


@pytest.fixture
def installed() -> Path:
    return write_pack(user_data_folder() / "models" / "tiny")


def test_models_are_listed_and_broken_ones_told(installed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_pack(installed.parent / "odd", one='licence = "Apache-2.0" => ')
    code, data = asked(capsys)
    assert code == 0
    tiny = next(model for model in data["models"] if model["name"] == "tiny")
    assert tiny["licence"] == "Apache-2.0"
    assert tiny["intended_use"] == "tests of this program"
    assert tiny["labels"] == [{"name": "femur", "code": 1}, {"name": "tibia", "code": 2}]
    assert tiny["hash"].startswith("sha256:")
    assert [(problem["id"], "licence" in problem["text"]) for problem in data["problems"]] == [("pack_field_missing", True)]
    assert data["files"] == []
    assert run(["models"]) == 0
    told = capsys.readouterr()
    assert "tiny 1.0.0" in told.out
    assert "'odd'" in told.err


def test_info_says_what_really_runs_it_and_doctor_remembers(installed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, data = asked(capsys, "info", "tiny", "--device", "cpu")
    assert code == 0
    assert [trial["network"] for trial in data["providers"]] == ["coarse", "fine"]
    running = data["providers"][0]["running"]
    assert running["provider"] in ("CPU", "CPUExecutionProvider")
    assert {item["engine"] for item in data["providers"][0]["measured"]} == {"openvino", "onnxruntime"}
    assert data["providers"][0]["measured"][0]["engine"] == running["engine"]
    assert run(["models", "info", "tiny", "--quiet"]) == 0
    words = capsys.readouterr().out
    for expected in ("Apache-2.0", "femur (1), tibia (2)", data["hash"], running["provider"], "knows no anatomy", str(installed)):
        assert expected in words


def test_a_device_that_is_not_here_is_told(
    installed: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("surgiplan_desktop.segmentation.inference.onnx_engine.nvidia_cards", lambda: ())
    code, data = asked(capsys, "info", "tiny", "--device", "cuda")
    assert code == 0
    for trial in data["providers"]:
        assert trial["running"]["device"] == "cpu"
        assert [finding["code"] for finding in trial["findings"]] == ["device_absent"]
        assert "cuda" in trial["findings"][0]["text"]


def test_check_judges_a_folder(installed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, data = asked(capsys, "check", str(installed), "--device", "cpu")
    assert (code, data["valid"], data["problems"]) == (0, True, [])
    assert all(trial["agreement"] >= 0.999 for trial in data["providers"])
    (installed / "fine.onnx").write_bytes(b"no network")
    (installed / "card.md").unlink()
    code, data = asked(capsys, "check", str(installed))
    assert (code, data["valid"]) == (3, False)
    assert {(problem["id"], Path(problem["file"]).name) for problem in data["problems"]} == {
        ("pack_hash", "fine.onnx"),
        ("pack_file_missing", "card.md"),
    }
    assert run(["models", "check", str(installed), "--quiet"]) == 3
    assert "cannot be used" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["info"], "models_target"),
        (["list", "tiny"], "models_target"),
        (["info", "nobody"], "model_unknown"),
        (["check", "/no/such/folder"], "models_no_folder"),
        (["find"], "usage"),
    ],
)
def test_wrong_usage(arguments: list[str], error: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, data = asked(capsys, *arguments)
    assert (code, data["error"]["id"]) == (2, error)
