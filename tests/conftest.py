"""Fixtures shared by all tests: the data folder beside the project, and a user folder of the test's own."""

from __future__ import annotations

import os
import shutil
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

_ROOT = Path(__file__).resolve().parent.parent
_CACHE = Path(os.environ.get("SURGIPLAN_TEST_CACHE", _ROOT / "data"))


def _archives() -> Path:
    return Path(os.environ.get("SURGIPLAN_TEST_DATA", _ROOT.parent / "shared" / "data"))


def _unpack(source: Path, target: Path) -> None:
    """Unpack beside the target and put it in place at once: tests run in several processes."""
    target.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    with tarfile.open(source) as archive:
        archive.extractall(work, filter="data")
    (work / ".complete").touch()
    try:
        work.rename(target)
    except OSError:  # another process was first
        shutil.rmtree(work)
        if not (target / ".complete").is_file():
            raise


@pytest.fixture(scope="session")
def data_folder() -> Callable[[str], Path]:
    """Give the folder of an unpacked archive of the data beside the project, e.g. ``data_folder("dicom-corpus")``."""

    def unpacked(name: str) -> Path:
        source = _archives() / f"{name}.tar.xz"
        if not source.is_file():
            message = f"needs {source.name} in ../shared/data (or the folder named by SURGIPLAN_TEST_DATA)"
            if os.environ.get("CI") == "true":
                pytest.fail(message)
            pytest.skip(message)
        target = _CACHE / name
        if not (target / ".complete").is_file():
            _unpack(source, target)
        return target

    return unpacked


@pytest.fixture(scope="session")
def data_file() -> Callable[[str], Path]:
    """Give a plain file of the data beside the project."""

    def found(name: str) -> Path:
        path = _archives() / name
        if not path.is_file():
            message = f"needs {name} in ../shared/data (or the folder named by SURGIPLAN_TEST_DATA)"
            if os.environ.get("CI") == "true":
                pytest.fail(message)
            pytest.skip(message)
        return path

    return found


@pytest.fixture(autouse=True)
def user_folder(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep settings, cache and work folders of every test to itself."""
    folder = tmp_path_factory.mktemp("user")
    monkeypatch.setenv("SURGIPLAN_USER_FOLDER", str(folder))
    return folder
