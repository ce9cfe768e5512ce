"""Locks held by a program as long as it lives: the system frees them when the program ends in whatever way."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import BinaryIO


class FileLock:
    """A lock on a file of its own. Not re-entrant: a second one on the same file fails, in the same program too."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stream: BinaryIO | None = None

    def acquire(self) -> bool:
        """Take the lock; False when somebody has it. OSError when the file cannot be made."""
        if self._stream is not None:
            return False
        stream = self._path.open("a+b")
        try:
            _lock(stream)
        except OSError:
            stream.close()
            return False
        self._stream = stream
        return True

    def release(self) -> None:
        """Give the lock back, if it is held."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None


if sys.platform == "win32":
    import msvcrt

    def _lock(stream: BinaryIO) -> None:
        stream.seek(0)
        msvcrt.locking(stream.fileno(), msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _lock(stream: BinaryIO) -> None:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
