"""Settings: what was written comes back; what cannot be read is set aside and said."""

from __future__ import annotations

from pathlib import Path

import pytest

from surgiplan_desktop.app.settings import Settings, read_settings, write_settings
from surgiplan_desktop.base.errors import UsageError


def test_settings_come_back(tmp_path: Path) -> None:
    settings = Settings(language="de", threads=3, recent=('C:\\a "b"\n', "ünı/😀"))
    write_settings(tmp_path / "new", settings)
    assert read_settings(tmp_path / "new") == (settings, None)


def test_without_a_file_the_usual_ones_hold(tmp_path: Path) -> None:
    assert read_settings(tmp_path) == (Settings(), None)


@pytest.mark.parametrize(
    "content",
    ["schema = 99", "not toml", 'schema = 1\nthreads = "many"', "schema = 1\nthreads = true", "schema = 1\nthreads = -1"],
)
def test_what_cannot_be_used_is_set_aside(tmp_path: Path, content: str) -> None:
    (tmp_path / "settings.toml").write_text(content)
    settings, finding = read_settings(tmp_path)
    assert settings == Settings()
    assert finding is not None
    assert finding.code == "settings_unreadable"
    assert (tmp_path / "settings.unreadable.toml").read_text() == content
    assert read_settings(tmp_path) == (Settings(), None)


def test_a_folder_that_refuses_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError) as caught:
        write_settings(tmp_path / "file" / "deeper", Settings())
    assert caught.value.message_id == "output_not_writable"
