"""The journal: what was appended is there, a torn line is dropped, a changed line is found."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from surgiplan_desktop.base.errors import ComputationError
from surgiplan_desktop.files.journal import JournalWriter, parse_journal, read_journal


def written(path: Path, count: int = 4) -> Path:
    writer = JournalWriter(path, read_journal(path))
    for number in range(count):
        writer.append({"label": f"edit {number}"})
    return path


def test_lines_are_numbered_dated_and_chained(tmp_path: Path) -> None:
    content = read_journal(written(tmp_path / "j"))
    assert [line["label"] for line in content.lines] == [f"edit {number}" for number in range(4)]
    assert [line["seq"] for line in content.lines] == [0, 1, 2, 3]
    assert all(line["time"].endswith("+00:00") for line in content.lines)
    assert (content.torn, content.damaged_from) == (False, None)


def test_writing_goes_on_after_reopening(tmp_path: Path) -> None:
    path = written(written(tmp_path / "j"))
    assert len(read_journal(path).lines) == 8


@pytest.mark.parametrize("cut", [1, 5, 60])
def test_a_torn_last_line_is_dropped_and_said(tmp_path: Path, cut: int) -> None:
    path = written(tmp_path / "j")
    path.write_bytes(path.read_bytes()[:-cut])
    content = read_journal(path)
    assert len(content.lines) == 3
    assert (content.torn, content.damaged_from) == (True, None)
    JournalWriter(path, content).append({"label": "after"})
    assert [line["label"] for line in read_journal(path).lines] == ["edit 0", "edit 1", "edit 2", "after"]


def test_a_last_line_of_zeros_is_torn(tmp_path: Path) -> None:
    path = written(tmp_path / "j")
    path.write_bytes(path.read_bytes() + b"\0" * 100 + b"\n")
    content = read_journal(path)
    assert (len(content.lines), content.torn, content.damaged_from) == (4, True, None)


@pytest.mark.parametrize(
    "tamper",
    [
        lambda lines: [lines[0], lines[1].replace(b"edit 1", b"edit 7"), *lines[2:]],
        lambda lines: [lines[0], *lines[2:]],
        lambda lines: [lines[0], lines[2], lines[1], lines[3]],
        lambda lines: [lines[0], b"nonsense\n", *lines[2:]],
    ],
)
def test_a_changed_missing_or_moved_line_is_found(tmp_path: Path, tamper: object) -> None:
    path = written(tmp_path / "j")
    path.write_bytes(b"".join(tamper(path.read_bytes().splitlines(keepends=True))))  # type: ignore[operator]
    content = read_journal(path)
    assert content.damaged_from in (1, 2)
    assert [line["label"] for line in content.lines] == [f"edit {number}" for number in range(content.damaged_from or 0)]


def test_a_missing_file_is_an_empty_journal(tmp_path: Path) -> None:
    assert read_journal(tmp_path / "none") == parse_journal(b"")


def test_a_disk_that_refuses_is_said_and_the_journal_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path / "j")
    writer = JournalWriter(path, read_journal(path))

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(ComputationError) as caught:
            writer.append({"label": "lost"})
    assert caught.value.message_id == "work_not_written"
    writer.append({"label": "kept"})
    assert [line["label"] for line in read_journal(path).lines][-2:] == ["edit 3", "kept"]
