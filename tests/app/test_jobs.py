"""Jobs: values, errors, progress, cancel and newest wins on both lanes; a warm worker; a clean end."""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from surgiplan_desktop.app.jobs import Inbox, Job, JobRunner, Lane
from surgiplan_desktop.base.errors import ComputationError, PlanCheckError
from surgiplan_desktop.model.mesh import Mesh
from tests.app import core_graph

LANES: tuple[Lane, ...] = ("thread", "process")


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


@pytest.fixture
def runner(inbox: Inbox) -> Iterator[JobRunner]:
    runner = JobRunner(inbox.post)
    yield runner
    runner.close()


def finish(inbox: Inbox, *jobs: Job) -> None:
    assert inbox.run_until(lambda: all(job.ended.is_set() for job in jobs), 30)
    inbox.run_pending()


@pytest.mark.parametrize("lane", LANES)
def test_values_come_back_on_the_owners_thread(runner: JobRunner, inbox: Inbox, lane: Lane) -> None:
    seen: list[tuple[Any, int]] = []
    job = runner.submit(
        "x", core_graph.double, 21, lane=lane, on_done=lambda job: seen.append((job.value, threading.get_ident()))
    )
    assert job.state in ("queued", "running", "done")
    finish(inbox, job)
    assert seen == [(42, threading.get_ident())]
    assert (job.state, job.fraction, runner.active) == ("done", 1.0, ())


def test_arrays_travel_and_stay_read_only(runner: JobRunner, inbox: Inbox) -> None:
    mesh = Mesh(np.eye(3), np.array([[0, 1, 2]]))
    job = runner.submit("x", core_graph.add, mesh, lane="process")
    finish(inbox, job)
    [back] = job.value
    np.testing.assert_array_equal(back.vertices, mesh.vertices)
    assert not back.vertices.flags.writeable


def test_the_worker_stays_warm(runner: JobRunner, inbox: Inbox) -> None:
    jobs = [runner.submit("x", core_graph.with_process, number, lane="process") for number in range(3)]
    finish(inbox, *jobs)
    processes = {job.value[1] for job in jobs}
    assert len(processes) == 1
    assert os.getpid() not in processes
    start = time.perf_counter()
    last = runner.submit("x", core_graph.with_process, 3, lane="process")
    finish(inbox, last)
    assert time.perf_counter() - start < 0.5


@pytest.mark.parametrize("lane", LANES)
def test_errors_come_back_with_their_parameters(runner: JobRunner, inbox: Inbox, lane: Lane) -> None:
    job = runner.submit("x", core_graph.with_process, 13, lane=lane)
    other = runner.submit("x", core_graph.fail, "why", lane=lane)
    finish(inbox, job, other)
    assert job.state == other.state == "failed"
    assert isinstance(job.error, PlanCheckError)
    assert (job.error.message_id, job.error.file, job.error.detail) == ("output_exists", "x", "thirteen")
    assert isinstance(other.error, ValueError)


@pytest.mark.parametrize("lane", LANES)
def test_cancel_while_it_reports(runner: JobRunner, inbox: Inbox, lane: Lane) -> None:
    job = runner.submit("x", core_graph.report_long, lane=lane)
    assert inbox.run_until(lambda: job.fraction > 0, 30)
    assert job.text_id == "computing"
    start = time.perf_counter()
    job.cancel()
    finish(inbox, job)
    assert job.state == "cancelled"
    assert time.perf_counter() - start < 2


def test_cancel_ends_the_process_of_a_job_that_never_reports(runner: JobRunner, inbox: Inbox) -> None:
    job = runner.submit("x", core_graph.sleep_long, lane="process")
    assert inbox.run_until(lambda: job.text_id == "computing", 30)
    [process] = multiprocessing.active_children()
    job.cancel()
    finish(inbox, job)
    assert job.state == "cancelled"
    assert process not in multiprocessing.active_children()
    after = runner.submit("x", core_graph.double, 1, lane="process")
    finish(inbox, after)
    assert after.value == 2


@pytest.mark.parametrize("lane", LANES)
def test_a_queued_job_that_is_cancelled_never_starts(inbox: Inbox, lane: Lane) -> None:
    runner = JobRunner(inbox.post, threads=1)
    first = runner.submit("x", core_graph.report_long, lane=lane)
    second = runner.submit("x", core_graph.double, 1, lane=lane)
    second.cancel()
    first.cancel()
    finish(inbox, first, second)
    runner.close()
    assert (first.state, second.state, second.value) == ("cancelled", "cancelled", None)


def test_newest_wins(runner: JobRunner, inbox: Inbox) -> None:
    old = runner.submit("x", core_graph.report_long, newest="same")
    new = runner.submit("x", core_graph.double, 1, newest="same")
    other = runner.submit("x", core_graph.double, 2, newest="other")
    finish(inbox, old, new, other)
    assert (old.state, new.value, other.value) == ("cancelled", 2, 4)


def test_a_worker_that_dies_is_an_error_and_the_next_job_gets_a_new_one(runner: JobRunner, inbox: Inbox) -> None:
    job = runner.submit("x", core_graph.die, lane="process")
    odd = runner.submit("x", core_graph.cannot_travel, lane="process")
    after = runner.submit("x", core_graph.double, 1, lane="process")
    finish(inbox, job, odd, after)
    assert isinstance(job.error, ComputationError)
    assert job.error.message_id == "worker_died"
    assert odd.state == "failed"
    assert after.value == 2


def test_changes_are_announced(runner: JobRunner, inbox: Inbox) -> None:
    states: list[str] = []
    runner.changed.connect(lambda job: states.append(job.state))
    job = runner.submit("x", core_graph.double, 1)
    finish(inbox, job)
    inbox.run_until(lambda: "done" in states, 5)
    assert states[-1] == "done"


def test_close_frees_workers_and_threads(inbox: Inbox) -> None:
    runner = JobRunner(inbox.post)
    jobs = [runner.submit("x", core_graph.report_long, lane=lane) for lane in LANES]
    assert inbox.run_until(lambda: all(job.fraction > 0 for job in jobs), 30)
    before = {thread.name for thread in threading.enumerate()}
    assert {"thread-lane-0", "process-lane-0"} <= before
    runner.close()
    assert not multiprocessing.active_children()
    assert not {thread.name for thread in threading.enumerate()} & {"thread-lane-0", "process-lane-0"}
    with pytest.raises(RuntimeError):
        runner.submit("x", core_graph.double, 1)


def test_warm_imports_modules(runner: JobRunner, inbox: Inbox) -> None:
    runner.warm("surgiplan_desktop.model.case")
    assert inbox.run_until(lambda: not runner.active, 30)
