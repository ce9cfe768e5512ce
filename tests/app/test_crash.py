"""The program is killed in the middle of edits: everything up to the last finished edit is there again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from surgiplan_desktop.app import documents, startup
from surgiplan_desktop.model.case import Case
from tests.app.core_graph import small_graph

_EDIT_FOR_EVER = """
import sys
from pathlib import Path
from surgiplan_desktop.app import documents, startup
from surgiplan_desktop.model import edits
from tests.app.core_graph import small_graph

services = startup.start(user_folder=Path(sys.argv[1]), catalogues={})
session = documents.new_session(services, graph=small_graph)
number = 0
while True:
    number += 1
    session.apply(f"Edit {number}", lambda case: edits.set_notes(case, f"note {number}"))
    if number % 5 == 0:
        session.undo()
        session.redo()
    print(number, flush=True)
"""


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL is of POSIX")
@pytest.mark.parametrize("delay_s", [0.0, 0.037, 0.111])
def test_kill_during_edits_and_recover(tmp_path: Path, delay_s: float) -> None:
    root = Path(__file__).resolve().parents[2]
    with subprocess.Popen(
        [sys.executable, "-c", _EDIT_FOR_EVER, str(tmp_path)], stdout=subprocess.PIPE, text=True, cwd=root
    ) as process:
        assert process.stdout is not None
        told = 0
        while told < 10:
            told = int(process.stdout.readline())
        time.sleep(delay_s)
        process.send_signal(signal.SIGKILL)
        process.wait(30)
        told = max([told, *(int(line) for line in process.stdout.read().splitlines() if line.strip().isdecimal())])
    services = startup.start(user_folder=tmp_path, catalogues={})
    [item] = documents.recoverable(services)
    session = documents.recover_session(services, item, graph=small_graph)
    number = int(session.case.notes.removeprefix("note "))
    # What was told as done is there; at most one more edit had reached the disk.
    assert told <= number <= told + 1
    assert session.modified
    for back in range(number - 1, 0, -1):
        session.undo()
        assert session.case.notes == f"note {back}"
    session.undo()
    assert session.case == Case()
    session.close(discard=True)
    assert documents.recoverable(services) == ()
    services.close()
