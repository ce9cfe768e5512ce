"""Runs the program as a user does, one process a command, and measures wall time and peak memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Answer:
    """JSON, wall time and peak memory (MiB; 0 where the system does not tell) of one command."""

    data: dict[str, Any]
    seconds: float
    peak_mib: float


def surgiplan(arguments: Sequence[str | Path], user_folder: Path) -> Answer:
    """Run ``surgiplan ... --json --quiet`` with settings, cache and work folders under ``user_folder``."""
    command = [sys.executable, "-m", "surgiplan_desktop", *map(str, arguments), "--json", "--quiet"]
    environment = {**os.environ, "SURGIPLAN_USER_FOLDER": str(user_folder)}
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    assert process.stdout is not None
    output = process.stdout.read()
    peak_mib = 0.0
    if hasattr(os, "wait4"):
        _, status, usage = os.wait4(process.pid, 0)
        code = os.waitstatus_to_exitcode(status)
        peak_mib = usage.ru_maxrss / 1024.0
    else:
        code = process.wait()
    seconds = time.perf_counter() - start
    if code not in (0, 4):
        raise SystemExit(f"{' '.join(command)} ended with {code}:\n{output}")
    return Answer(json.loads(output), seconds, peak_mib)
