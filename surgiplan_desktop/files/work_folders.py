"""Work folders of open cases, their locks, and what was left in them by a program that ended suddenly."""

from __future__ import annotations

import hashlib
import json
import shutil
import uuid
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from surgiplan_desktop.base.errors import ComputationError, UsageError
from surgiplan_desktop.files.case_archive import JOURNAL
from surgiplan_desktop.files.case_history import EVENTS, lines_saved, states_of
from surgiplan_desktop.files.case_json import dumps
from surgiplan_desktop.files.journal import read_journal
from surgiplan_desktop.files.lock import FileLock
from surgiplan_desktop.model.study import Finding

#: Who made the work folder: unsaved work of a command goes with it (the command is run again), that of the window is kept.
Owner = Literal["window", "command"]

WORK: Final = "work.json"
LOCK: Final = "lock"
ASSETS: Final = "assets"


@dataclass(frozen=True, slots=True)
class Recoverable:
    """Unsaved work that no program has open.

    Its folder, the file it belongs to (or None), label and UTC time of the last edit, the number of unsaved edits, and the code
    of the case (empty before there is a study).
    """

    folder: Path
    path: Path | None
    last_label: str
    last_time: str
    edits: int
    code: str


@dataclass(frozen=True, slots=True)
class Work:
    """What work.json says. ``stamp`` is (size, modification time in ns) of the case file as it was read or written."""

    owner: Owner
    path: str | None = None
    stamp: tuple[int, int] | None = None
    original_schema: int | None = None

    @staticmethod
    def read(folder: Path) -> Work | None:
        """Return what the folder's work.json says, or None when it cannot be read."""
        try:
            data = json.loads((folder / WORK).read_bytes())
            stamp = data["stamp"]
            return Work(data["owner"], data["path"], None if stamp is None else (int(stamp[0]), int(stamp[1])), data["schema"])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def write(self, folder: Path) -> None:
        """Write work.json."""
        content = {"owner": self.owner, "path": self.path, "stamp": self.stamp, "schema": self.original_schema}
        _write_atomically(folder / WORK, dumps(content).encode())


def recoverable(root: Path) -> tuple[Recoverable, ...]:
    """List unsaved work that no program has open, newest first; folders with nothing unsaved are removed."""
    found = []
    for folder in free_folders(root):
        item = unsaved(folder)
        if item is None:
            shutil.rmtree(folder, ignore_errors=True)
        else:
            found.append(item)
    return tuple(sorted(found, key=lambda item: item.last_time, reverse=True))


def new_folder(root: Path) -> tuple[Path, FileLock]:
    """Make an empty work folder and lock it; ComputationError ``work_not_written`` when the disk refuses."""
    folder = root / uuid.uuid4().hex
    try:
        root.mkdir(parents=True, exist_ok=True, mode=0o700)
        (folder / ASSETS).mkdir(parents=True, mode=0o700)
        lock = FileLock(folder / LOCK)
        lock.acquire()
    except OSError as error:
        raise not_written(folder, error) from error
    return folder, lock


def lock_of_path(root: Path, path: Path) -> FileLock:
    """Return the lock (not yet taken) that says which program has this case file open."""
    locks = root / "locks"
    locks.mkdir(parents=True, exist_ok=True, mode=0o700)
    return FileLock(locks / hashlib.sha256(str(path).encode()).hexdigest()[:24])


def locked_path(root: Path, path: Path) -> FileLock:
    """Take the lock of a case file; UsageError ``case_already_open`` when another program has it."""
    try:
        lock = lock_of_path(root, path)
        taken = lock.acquire()
    except OSError as error:
        raise not_written(root, error) from error
    if not taken:
        raise UsageError("case_already_open", file=path)
    return lock


def free_folders(root: Path) -> list[Path]:
    """Work folders that no program has open."""
    free = []
    for folder in sorted(root.glob("*")) if root.is_dir() else []:
        if (folder / ASSETS).is_dir():
            lock = FileLock(folder / LOCK)
            with suppress(OSError):
                if lock.acquire():
                    lock.release()
                    free.append(folder)
    return free


def unsaved(folder: Path) -> Recoverable | None:
    """Describe the unsaved work in a folder that nobody has open, or return None when there is none worth keeping."""
    work = Work.read(folder)
    if work is None or work.owner == "command":
        return None
    content = read_journal(folder / JOURNAL)
    events = [line for line in content.lines[lines_saved(content) :] if line.get("kind") in EVENTS]
    if not events:
        return None
    last = events[-1]
    states = states_of(content)
    code = str(states[-1][2].get("code", "")) if states else ""
    path = None if work.path is None else Path(work.path)
    return Recoverable(folder, path, str(last.get("label", "")), str(last.get("time", "")), len(events), code)


def tidied(root: Path, path: Path) -> list[Finding]:
    """Say whether there is unsaved work on this file; remove free folders that have none."""
    return [Finding("unsaved_kept", "warn")] if any(item.path == path for item in recoverable(root)) else []


def stamp_of(path: Path) -> tuple[int, int]:
    """Size and modification time (ns): enough to see that somebody else wrote the file."""
    status = path.stat()
    return status.st_size, status.st_mtime_ns


def name_of_original(path: Path, schema: int) -> Path:
    """Name under which the file of an older schema is kept when the migrated case is saved."""
    return path.with_name(f"{path.stem}.schema{schema}{path.suffix}")


def _write_atomically(path: Path, content: bytes) -> None:
    temporary = path.with_suffix(".part")
    temporary.write_bytes(content)
    temporary.replace(path)


def not_written(folder: Path, error: OSError) -> ComputationError:
    """Put words to a disk that refuses."""
    return ComputationError("work_not_written", file=folder, reason=error.strerror or type(error).__name__, detail=repr(error))
