"""A journal: lines of JSON, each fsynced, each bearing the SHA-256 of the line before, so that no line can be changed or lost
in the middle without being found. The history of a case and its audit log are journals.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from surgiplan_desktop.base.errors import ComputationError
from surgiplan_desktop.files.case_json import dumps

FIRST: Final = "0" * 64


@dataclass(frozen=True, slots=True)
class JournalContent:
    """What was read: the good lines, and what is wrong behind them.

    Attributes
    ----------
    lines
        Lines in order, up to the first bad one.
    torn
        The last line was being written when the program ended, and was dropped.
    damaged_from
        Sequence number of the first line that breaks the chain, or None.
    good_bytes
        Length of the good part of the file.
    last_digest
        SHA-256 of the last good line.
    """

    lines: tuple[Mapping[str, Any], ...]
    torn: bool
    damaged_from: int | None
    good_bytes: int
    last_digest: str


def read_journal(path: Path) -> JournalContent:
    """Read a journal as far as its chain holds; a missing file is an empty journal."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        data = b""
    return parse_journal(data)


def parse_journal(data: bytes) -> JournalContent:
    """Check and parse the bytes of a journal."""
    lines: list[Mapping[str, Any]] = []
    starts: list[int] = []
    before = digest = FIRST
    position = 0
    while position < len(data):
        end = data.find(b"\n", position)
        if end < 0:
            return JournalContent(tuple(lines), torn=True, damaged_from=None, good_bytes=position, last_digest=digest)
        raw = data[position : end + 1]
        line = _parsed(raw)
        if line is None or line.get("seq") != len(lines):
            # A power cut may leave a last line of the right length filled with nonsense.
            torn = end + 1 == len(data) and line is None
            damaged = None if torn else len(lines)
            return JournalContent(tuple(lines), torn=torn, damaged_from=damaged, good_bytes=position, last_digest=digest)
        if line.get("previous") != digest:
            # What does not fit is the line before: its content is not what this one vouches for.
            good = lines[:-1]
            return JournalContent(
                tuple(good), torn=False, damaged_from=len(good), good_bytes=starts[-1] if starts else 0, last_digest=before
            )
        starts.append(position)
        before = digest
        lines.append(line)
        digest = hashlib.sha256(raw).hexdigest()
        position = end + 1
    return JournalContent(tuple(lines), torn=False, damaged_from=None, good_bytes=position, last_digest=digest)


class JournalWriter:
    """Appends lines to a journal whose good part has been read.

    What stands behind the good part is cut off when the first line is appended; keep a copy of it before, if it matters.
    """

    def __init__(self, path: Path, content: JournalContent) -> None:
        self._path = path
        self._next = len(content.lines)
        self._digest = content.last_digest
        self._length = content.good_bytes
        self._lock = threading.Lock()

    @property
    def count(self) -> int:
        """Number of lines."""
        return self._next

    def snapshot(self) -> tuple[bytes, int]:
        """Return the bytes of the whole journal as it is now, and the number of its lines."""
        with self._lock:
            return (self._path.read_bytes()[: self._length] if self._length else b""), self._next

    def append(self, fields: Mapping[str, Any]) -> None:
        """Append one line and bring it to the disk; ComputationError ``work_not_written`` leaves the journal as it was."""
        with self._lock:
            self._append(fields)

    def _append(self, fields: Mapping[str, Any]) -> None:
        time = datetime.now(UTC).isoformat(timespec="milliseconds")
        line = {"seq": self._next, "time": time, "previous": self._digest, **fields}
        raw = (dumps(line) + "\n").encode()
        try:
            with self._path.open("r+b" if self._path.exists() else "w+b") as stream:
                stream.truncate(self._length)
                stream.seek(self._length)
                stream.write(raw)
                stream.flush()
                os.fsync(stream.fileno())
        except OSError as error:
            raise ComputationError(
                "work_not_written", file=self._path, reason=error.strerror or type(error).__name__, detail=repr(error)
            ) from error
        self._next += 1
        self._digest = hashlib.sha256(raw).hexdigest()
        self._length += len(raw)


def _parsed(raw: bytes) -> Mapping[str, Any] | None:
    try:
        line = json.loads(raw)
    except ValueError:
        return None
    return line if isinstance(line, dict) else None
