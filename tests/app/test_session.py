"""The session: edits with undo, interactions, results through jobs, signals, and calls from other threads."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from surgiplan_desktop.app import documents, startup
from surgiplan_desktop.app.session import Change, Session
from surgiplan_desktop.base.errors import ComputationError, InputDataError, PlanCheckError, UsageError
from surgiplan_desktop.derive.node import Failed, Ready, Running, Stale, Waiting
from surgiplan_desktop.files import journal
from surgiplan_desktop.model import edits
from surgiplan_desktop.model.case import Case
from tests.app.core_graph import DOUBLE, LENGTH, PROCESS, SUM, small_graph


@pytest.fixture
def services(tmp_path: Path) -> Iterator[startup.Services]:
    services = startup.start(user_folder=tmp_path / "user", catalogues={})
    yield services
    services.close()


@pytest.fixture
def session(services: startup.Services) -> Iterator[Session]:
    session = documents.new_session(services, graph=small_graph)
    yield session
    session.close(discard=True)


def notes(text: str) -> Callable[[Case], Case]:
    return lambda case: edits.set_notes(case, text)


def until(session: Session, condition: Callable[[], bool]) -> None:
    assert session.services.inbox is not None
    assert session.services.inbox.run_until(condition, 30)


def test_an_edit_is_one_undo_step(session: Session) -> None:
    first = session.case
    after = session.apply("Write", notes("abc"))
    assert session.case is after
    assert (session.can_undo, session.undo_label, session.modified) == (True, "Write", True)
    session.undo()
    assert session.case is first
    assert (session.can_redo, session.redo_label, session.modified) == (True, "Write", False)
    session.redo()
    assert session.case is after
    session.redo()
    assert session.case is after


def test_an_edit_that_changes_nothing_is_none(session: Session) -> None:
    session.apply("Nothing", lambda case: edits.set_notes(case, ""))
    assert not session.can_undo


def test_an_edit_that_raises_leaves_everything(session: Session) -> None:
    session.apply("Write", notes("abc"))
    before = session.case
    changes: list[Change] = []
    session.changed.connect(changes.append)
    with pytest.raises(KeyError):
        session.apply("Wrong", lambda case: edits.put_step(case, case.step("none")))
    assert session.case is before
    assert session.undo_label == "Write"
    assert not changes


def test_a_graph_that_cannot_be_built_refuses_the_edit(services: startup.Services) -> None:
    def graph(case: Case, load: Any, catalogues: Any) -> Any:
        return {} if not case.notes else catalogues[case.notes]

    session = documents.new_session(services, graph=graph)
    with pytest.raises(InputDataError) as caught:
        session.apply("Use", notes("acme"))
    assert caught.value.message_id == "catalogue_missing"
    assert session.case == Case()
    session.close(discard=True)


def test_signals_come_in_order(session: Session) -> None:
    log: list[Any] = []
    session.changed.connect(lambda change: log.append((change.before.notes, change.after.notes, change.label)))
    session.results_changed.connect(log.append)
    session.state(LENGTH)
    session.apply("Write", notes("abc"))
    assert log == [("", "abc", "Write"), frozenset({LENGTH, DOUBLE, PROCESS, SUM})]
    session.view_changed.connect(log.append)
    session.set_view(window_hu=500.0, level_hu=400.0)
    assert log[-1] == frozenset({"window_hu"})
    assert session.view.window_hu == 500.0
    assert session.undo_label == "Write"


def test_results_follow_on_both_lanes(session: Session) -> None:
    session.apply("Write", notes("abc"))
    assert isinstance(session.state(DOUBLE), Stale)
    assert isinstance(session.state(SUM), Waiting)
    session.want([SUM, PROCESS], "panel")
    assert isinstance(session.state(DOUBLE), Running)
    until(session, lambda: isinstance(session.state(SUM), Ready) and isinstance(session.state(PROCESS), Ready))
    assert session.state(SUM).value == 9  # type: ignore[union-attr]
    length, process = session.state(PROCESS).value  # type: ignore[union-attr]
    assert length == 3
    assert process != os.getpid()


def test_require_computes_here_and_raises_the_first_error(session: Session) -> None:
    session.apply("Write", notes("abc"))
    assert session.require(SUM, LENGTH) == [9, 3]
    assert isinstance(session.state(PROCESS), Stale)
    assert session.require(PROCESS)[0] == (3, os.getpid())
    assert isinstance(session.state(PROCESS), Ready)
    session.apply("Write", notes("x" * 13))
    with pytest.raises(PlanCheckError):
        session.require(SUM, PROCESS)
    assert isinstance(session.state(PROCESS), Failed)
    assert isinstance(session.state(SUM), Ready)


def test_undo_shows_the_earlier_results_at_once(session: Session) -> None:
    session.apply("Write", notes("abc"))
    session.require(SUM)
    session.apply("Write", notes("abcd"))
    assert isinstance(session.state(SUM), Waiting)
    session.undo()
    assert session.state(SUM).value == 9  # type: ignore[union-attr]


def test_an_interaction_is_one_step_and_heavy_work_waits(session: Session) -> None:
    session.want([DOUBLE])
    until(session, lambda: isinstance(session.state(DOUBLE), Ready))
    changes: list[str] = []
    session.changed.connect(lambda change: changes.append(change.after.notes))
    with session.interaction("Drag") as drag:
        for text in ("a", "ab", "ab", "abc"):
            drag.apply(notes(text))
            assert session.state(LENGTH).value == len(text)  # type: ignore[union-attr]
            assert isinstance(session.state(DOUBLE), Stale)
            assert session.state(DOUBLE).last == 0  # type: ignore[union-attr]
        assert not session.can_undo
        session.undo()
        with pytest.raises(RuntimeError):
            session.apply("Other", notes("x"))
    assert changes == ["a", "ab", "abc"]
    assert isinstance(session.state(DOUBLE), Running)
    until(session, lambda: isinstance(session.state(DOUBLE), Ready))
    assert session.undo_label == "Drag"
    session.undo()
    assert session.case == Case()
    with pytest.raises(RuntimeError):
        drag.apply(notes("later"))


def test_an_interaction_that_raises_goes_back(session: Session) -> None:
    session.apply("Write", notes("abc"))
    before = session.case

    def drag_badly() -> None:
        with session.interaction("Drag") as drag:
            drag.apply(notes("abcd"))
            drag.apply(lambda case: edits.put_step(case, case.step("none")))

    with pytest.raises(KeyError):
        drag_badly()
    assert session.case is before
    assert session.undo_label == "Write"
    assert session.require(LENGTH) == [3]


def test_a_full_disk_refuses_the_edit_and_loses_nothing(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    session.apply("Write", notes("abc"))

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(journal.os, "fsync", full)
        with pytest.raises(ComputationError) as caught:
            session.apply("Write", notes("abcd"))
        assert caught.value.message_id == "work_not_written"
        with pytest.raises(ComputationError), session.interaction("Drag") as drag:
            drag.apply(notes("abcde"))
        with pytest.raises(ComputationError):
            session.undo()
    assert (session.case.notes, session.undo_label, session.can_redo) == ("abc", "Write", False)
    session.apply("Write", notes("more"))
    session.undo()
    assert session.case.notes == "abc"


def test_a_job_may_edit_and_compute(session: Session) -> None:
    threads: list[int] = []
    session.changed.connect(lambda change: threads.append(threading.get_ident()))

    def work(*, progress: Any) -> int:
        session.apply("From a job", notes("abcd"))
        return int(session.require(DOUBLE, progress=progress)[0])

    job = session.services.jobs.submit("x", work)
    until(session, job.ended.is_set)
    assert job.value == 8
    assert threads == [threading.get_ident()]
    assert session.undo_label == "From a job"

    def failing(*, progress: Any) -> None:
        session.apply("Wrong", lambda case: edits.put_step(case, case.step("none")))

    job = session.services.jobs.submit("x", failing)
    until(session, job.ended.is_set)
    assert isinstance(job.error, KeyError)


def test_a_job_that_waits_for_a_closed_session_ends(services: startup.Services) -> None:
    session = documents.new_session(services, graph=small_graph)
    job = services.jobs.submit("x", lambda *, progress: session.apply("Late", notes("x")))
    session.close(discard=True)
    assert job.wait(5)
    assert job.state == "cancelled"


def test_results_survive_in_the_cache_of_the_user(tmp_path: Path) -> None:
    answers = []
    for _ in range(2):
        services = startup.start(user_folder=tmp_path, catalogues={})
        session = documents.new_session(services, graph=small_graph)
        session.apply("Write", notes("abc"))
        if not answers:
            answers.append(session.require(PROCESS)[0])
        else:
            # The process is that of the first round's value: it was read, not computed.
            session.want([PROCESS])
            until(session, lambda session=session: isinstance(session.state(PROCESS), Ready))
            answers.append(session.state(PROCESS).value)
        session.close(discard=True)
        services.close()
    assert answers[0] == answers[1] == (3, os.getpid())


def test_saving_without_a_name_is_refused(session: Session) -> None:
    with pytest.raises(UsageError) as caught:
        session.save()
    assert caught.value.message_id == "case_not_named"


def test_the_audit_log_is_chained(session: Session, tmp_path: Path) -> None:
    session.audit("export", file="a.stl", bytes=7)
    session.audit("export", file="b.stl", bytes=8)
    session.save(tmp_path / "a.surgiplan")
    import zipfile

    with zipfile.ZipFile(tmp_path / "a.surgiplan") as archive:
        content = journal.parse_journal(archive.read("audit.jsonl"))
    assert [line["data"]["file"] for line in content.lines] == ["a.stl", "b.stl"]
    assert content.damaged_from is None
