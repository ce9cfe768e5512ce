"""What commands on cases share: save back only when all went well, refuse outputs that exist."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from surgiplan_desktop.app.texts import load_texts
from surgiplan_desktop.base.errors import PlanCheckError, UsageError
from surgiplan_desktop.cli.console import Console
from surgiplan_desktop.cli.session import check_case_output, check_output, new_for_command, open_for_command
from surgiplan_desktop.model import edits


@pytest.fixture
def console() -> Console:
    return Console(load_texts("en"), out=io.StringIO(), err=io.StringIO())


@pytest.fixture
def case(console: Console, tmp_path: Path) -> Path:
    with new_for_command(console, tmp_path / "a", force=False) as session:
        session.apply("Write", lambda case: edits.set_notes(case, "first"))
    return tmp_path / "a.surgiplan"


def notes(console: Console, path: Path) -> str:
    with open_for_command(console, path) as session:
        return session.case.notes


def test_a_command_saves_back_when_it_ends_well(console: Console, case: Path) -> None:
    with open_for_command(console, case) as session:
        session.apply("Write", lambda case: edits.set_notes(case, "second"))
    assert notes(console, case) == "second"


def test_a_command_that_fails_changes_nothing(console: Console, case: Path, tmp_path: Path) -> None:
    before = case.read_bytes()

    def command() -> None:
        with open_for_command(console, case) as session:
            session.apply("Write", lambda case: edits.set_notes(case, "second"))
            raise PlanCheckError("x")

    with pytest.raises(PlanCheckError):
        command()
    assert case.read_bytes() == before
    with pytest.raises(PlanCheckError), new_for_command(console, tmp_path / "new", force=False):
        raise PlanCheckError("x")
    assert [path.name for path in tmp_path.iterdir()] == ["a.surgiplan"]


def test_a_command_that_only_reads_does_not_write(console: Console, case: Path) -> None:
    before = case.stat().st_mtime_ns
    assert notes(console, case) == "first"
    assert case.stat().st_mtime_ns == before


def test_nothing_stays_in_the_work_folder(console: Console, case: Path, user_folder: Path) -> None:
    notes(console, case)
    assert [path.name for path in (user_folder / "work").iterdir()] == ["locks"]


def test_outputs_that_exist_are_refused_without_force(case: Path, tmp_path: Path) -> None:
    for check in (check_output, check_case_output):
        with pytest.raises(UsageError) as caught:
            check(case, False)
        assert (caught.value.message_id, caught.value.file) == ("output_exists", str(case))
        assert check(case, True) == case
    full, empty = tmp_path, tmp_path / "empty"
    empty.mkdir()
    assert check_output(empty, False) == empty
    with pytest.raises(UsageError):
        check_output(full, False)
    with pytest.raises(UsageError) as caught:
        check_output(tmp_path / "none" / "x", False)
    assert caught.value.message_id == "output_folder_missing"


@pytest.mark.skipif(sys.platform != "linux", reason="needs a folder that refuses even root")
def test_a_folder_that_refuses_is_said_before_the_work() -> None:
    for name in ("/proc/self/a.surgiplan", "/proc/self"):
        with pytest.raises(UsageError) as caught:
            check_output(Path(name), True)
        assert caught.value.message_id == "output_not_writable"


def test_a_new_case_may_replace_with_force(console: Console, case: Path) -> None:
    with pytest.raises(UsageError), new_for_command(console, case, force=False):
        pass
    with new_for_command(console, case, force=True) as session:
        session.apply("Write", lambda case: edits.set_notes(case, "replaced"))
    assert notes(console, case) == "replaced"
