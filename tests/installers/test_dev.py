"""The set-up script: answers wrong calls, knows its jobs, and its lock covers every dependency of the project."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "installers" / "dev.py"


@pytest.fixture
def dev() -> ModuleType:
    specification = importlib.util.spec_from_file_location("dev", SCRIPT)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def test_a_wrong_job_is_answered_with_the_jobs() -> None:
    answer = subprocess.run([sys.executable, str(SCRIPT), "bake"], capture_output=True, text=True, check=False)
    assert answer.returncode == 2
    for job in ("demo", "test", "gui", "lint"):
        assert f"dev.py {job}" in answer.stderr


def test_the_script_needs_the_standard_library_alone(dev: ModuleType) -> None:
    imports = re.findall(r"^\s*(?:import|from) (\w+)", SCRIPT.read_text(), re.MULTILINE)
    assert set(imports) <= set(sys.stdlib_module_names)
    assert set(dev.JOBS) == {"demo", "test", "gui", "lint"}


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock"])
def test_the_lock_pins_every_dependency_with_hashes(lock: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    text = (ROOT / "installers" / lock).read_text()
    pinned = {name.lower().replace("_", "-") for name in re.findall(r"^([A-Za-z0-9_.-]+)==", text, re.MULTILINE)}
    wanted = {re.split(r"[><=;\s\[]", item)[0].lower().replace("_", "-") for item in project["dependencies"]}
    assert wanted <= pinned
    assert "http" not in text
    for block in re.split(r"\n(?=\S)", text):
        if "==" in block and not block.startswith("#"):
            assert "--hash=sha256:" in block


def test_a_machine_without_dpkg_needs_no_packages(dev: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dev.shutil, "which", lambda _: None)
    assert dev.missing_system_packages() == []


def test_without_rights_the_one_command_is_printed(
    dev: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(dev, "missing_system_packages", lambda: ["xvfb"])
    monkeypatch.setattr(dev.os, "geteuid", lambda: 1000)
    monkeypatch.setattr(dev.shutil, "which", lambda _: None)
    dev.install_system_packages()
    assert "sudo apt-get update && sudo apt-get install -y --no-install-recommends xvfb" in capsys.readouterr().err
