"""The terminal: progress and notices on standard error, results on standard output."""

from __future__ import annotations

import io
import json
import sys
import time
from typing import TextIO

from surgiplan_desktop.app.texts import Texts
from surgiplan_desktop.base.progress import Pace


class Console:
    """Writes for people to standard error and for programs to standard output. It is itself a Progress."""

    def __init__(self, texts: Texts, *, quiet: bool = False, out: TextIO | None = None, err: TextIO | None = None) -> None:
        self.texts = texts
        self._quiet = quiet
        self._out = out or sys.stdout
        self._err = err or sys.stderr
        for stream in (self._out, self._err):
            _never_refusing(stream)
        self._last_time = 0.0
        self._last_line = ""
        self._pace = Pace()

    def step(self, done: float, total: float, text_id: str) -> None:
        """Show progress on standard error, at most five times a second on a terminal, once a text elsewhere."""
        if self._quiet:
            return
        text = self.texts.text(f"progress.{text_id}")
        percent = 100.0 * done / total if total > 0 else 100.0
        if self._err.isatty():
            now = time.monotonic()
            if now - self._last_time >= 0.2 or done >= total:
                self._last_time = now
                self._err.write(f"\r{text[:60]:<60} {percent:3.0f} % {self._left(percent):<16}")
                if done >= total:
                    self._err.write("\r" + " " * 86 + "\r")
                self._err.flush()
        elif text != self._last_line:
            self._last_line = text
            self._err.write(f"{text} ...\n")
            self._err.flush()

    def _left(self, percent: float) -> str:
        seconds = self._pace.seconds_left(percent / 100.0)
        if seconds is None or percent >= 100.0:
            return ""
        if seconds < 90.0:
            return self.texts.text("ui.seconds_left", seconds=max(1, round(seconds)))
        return self.texts.text("ui.minutes_left", minutes=round(seconds / 60.0))

    def say(self, line: str) -> None:
        """Write a line for a person to standard error."""
        if not self._quiet:
            self._err.write(line + "\n")

    def complain(self, line: str) -> None:
        """Write an error to standard error, quiet or not."""
        self._err.write(line + "\n")

    def print(self, line: str) -> None:
        """Write a line of the result to standard output."""
        self._out.write(line + "\n")

    def flush(self) -> None:
        """Send on what was printed, so that a reader who is gone shows here and not when the program has ended."""
        self._out.flush()

    def print_json(self, data: dict[str, object]) -> None:
        """Write the one JSON object to standard output. NaN and infinity are a programming error and refused."""
        # escapes where the stream is not UTF-8 (a pipe on Windows): the same JSON for every reader
        plain = (self._out.encoding or "utf-8").lower().replace("-", "") != "utf8"
        self._out.write(json.dumps(data, ensure_ascii=plain, allow_nan=False) + "\n")


def _never_refusing(stream: TextIO) -> None:
    """Let a stream write letters that its encoding lacks as escapes: a name in Turkish or Chinese must not end a command."""
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="backslashreplace")
