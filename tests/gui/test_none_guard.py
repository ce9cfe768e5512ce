"""Calls of Qt methods that return nothing do not end the process, whatever they do to the count of None."""

from __future__ import annotations

import subprocess
import sys

_CALLS = """
import surgiplan_desktop.gui
from PySide6.QtCore import QObject
made = QObject()
for _ in range(100_000):
    made.setObjectName("x")
print("alive")
"""


def test_a_hundred_thousand_calls_leave_none_alive() -> None:
    done = subprocess.run([sys.executable, "-c", _CALLS], capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout) == (0, "alive\n"), done.stderr[-500:]
