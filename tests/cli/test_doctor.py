"""The doctor tries things and says what it found; a missing screen or GPU is no failure."""

from __future__ import annotations

import json

import pytest

from surgiplan_desktop.cli.main import run


def test_the_doctor_measures_every_part(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    assert run(["doctor", "--json", "--quiet"]) == 0
    checks = {check["id"]: check for check in json.loads(capsys.readouterr().out)["checks"]}
    assert set(checks) == {
        "system",
        "cores",
        "disk",
        "pictures",
        "screen",
        "cuda",
        "cpu_inference",
        "openvino",
        "models",
        "worker",
    }
    assert checks["disk"]["value"] > 0.0
    assert checks["cpu_inference"]["status"] == "ok"
    assert checks["worker"]["status"] == "ok"
    assert all(check["detail"] for check in checks.values() if check["status"] != "ok")
