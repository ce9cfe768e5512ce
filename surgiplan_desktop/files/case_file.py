"""Open cases: a work folder with the assets and the journal while a case is open, a ``.surgiplan`` file when it is saved.

Opening is last snapshot + journal, so undo survives a restart and a crash loses at most the line being written.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal

from surgiplan_desktop.base.arrays import content_digest
from surgiplan_desktop.base.errors import ComputationError, InputDataError, Parameter, UsageError
from surgiplan_desktop.base.progress import SILENT, Progress
from surgiplan_desktop.files import json_patch
from surgiplan_desktop.files.asset_store import PREFIX, AssetStore
from surgiplan_desktop.files.case_archive import AUDIT, CASE, JOURNAL, VIEW, CaseArchive, write_archive
from surgiplan_desktop.files.case_json import Json, case_from_json, case_to_json, dumps, view_from_json, view_to_json
from surgiplan_desktop.files.journal import JournalContent, JournalWriter, parse_journal, read_journal
from surgiplan_desktop.files.lock import FileLock
from surgiplan_desktop.files.migrations import migrated
from surgiplan_desktop.model.case import CASE_SCHEMA, AssetId, Case, Finding
from surgiplan_desktop.model.view import View

#: Who made the work folder: unsaved work of a command goes with it (the command is run again), that of the window is kept.
Owner = Literal["window", "command"]
EventKind = Literal["edit", "undo", "redo"]
_History = tuple[Case, tuple[tuple[EventKind, str, Case], ...]]

_WORK: Final = "work.json"
_LOCK: Final = "lock"
_ASSETS: Final = "assets"
_ASSET_PATTERN: Final = re.compile(rb"sha256:[0-9a-f]{64}")
#: Only so many of the last events are read back as undo steps.
_EVENTS_READ: Final = 400
_EVENTS: Final = ("edit", "undo", "redo")
_MARKS: Final = ("opened", "saved")


@dataclass(frozen=True, slots=True)
class Recoverable:
    """Unsaved work that no program has open: its folder, the file it belongs to (or None), the last edit and its UTC time."""

    folder: Path
    path: Path | None
    last_label: str
    last_time: str
    edits: int


@dataclass(frozen=True, slots=True)
class Restored:
    """What came from a file or a work folder: ``first`` and the events since give the history; ``saved`` is what the file has."""

    folder: CaseFolder
    first: Case
    events: tuple[tuple[EventKind, str, Case], ...]
    view: View
    saved: Case | None
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class _Work:
    """What work.json says. ``stamp`` is (size, modification time in ns) of the case file as it was read or written."""

    owner: Owner
    path: str | None = None
    stamp: tuple[int, int] | None = None
    original_schema: int | None = None

    @staticmethod
    def read(folder: Path) -> _Work | None:
        try:
            data = json.loads((folder / _WORK).read_bytes())
            stamp = data["stamp"]
            return _Work(data["owner"], data["path"], None if stamp is None else (int(stamp[0]), int(stamp[1])), data["schema"])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def write(self, folder: Path) -> None:
        content = {"owner": self.owner, "path": self.path, "stamp": self.stamp, "schema": self.original_schema}
        _write_atomically(folder / _WORK, dumps(content).encode())


class CaseFolder:
    """The work folder of one open case; the session's only way to the disk."""

    def __init__(self, folder: Path, lock: FileLock, path_lock: FileLock | None, work: _Work, journal: JournalContent) -> None:
        self.folder = folder
        self.store = AssetStore(folder / _ASSETS, self._fetch)
        self._lock = lock
        self._path_lock = path_lock
        self._work = work
        self._journal = JournalWriter(folder / JOURNAL, journal)
        self._audit = JournalWriter(folder / AUDIT, read_journal(folder / AUDIT))
        self._json: tuple[Case, Json] | None = None
        self._closed = False

    @property
    def path(self) -> Path | None:
        """The case file, or None."""
        return None if self._work.path is None else Path(self._work.path)

    def record(self, kind: EventKind, label: str, before: Case, after: Case) -> None:
        """Append an edit, undo or redo to the journal; it is on the disk when this returns, or nothing has happened."""
        old, new = self._json_of(before), case_to_json(after)
        patch = json_patch.diff(old, new)
        assets = sorted({match.decode() for match in _ASSET_PATTERN.findall(dumps(patch).encode())})
        self._journal.append({"kind": kind, "label": label, "patch": patch, "assets": assets})
        self._json = (after, new)

    def audit(self, action: str, data: Mapping[str, Parameter]) -> None:
        """Append a line to the audit log."""
        self._audit.append({"action": action, "data": dict(data)})

    def save(self, case: Case, view: View, path: Path, *, progress: Progress = SILENT) -> None:
        """Write the case file; see :meth:`Session.save`."""
        new_lock = self._check_target(path)
        try:
            self._keep_original(path)
            journal = (self.folder / JOURNAL).read_bytes()
            parts = {
                CASE: dumps(case_to_json(case)).encode(),
                VIEW: dumps(view_to_json(view)).encode(),
                JOURNAL: journal,
                AUDIT: (self.folder / AUDIT).read_bytes() if (self.folder / AUDIT).exists() else b"",
            }
            for damaged in sorted(self.folder.glob("journal.damaged-*.jsonl")):
                parts[damaged.name] = damaged.read_bytes()
            needed = sorted({match.decode() for match in _ASSET_PATTERN.findall(parts[CASE] + journal)})
            self._write(path, parts, needed, progress)
            stamp = _stamp(path)
            self._work = replace(self._work, path=str(path), stamp=stamp, original_schema=None)
            self._work.write(self.folder)
            self._journal.append({"kind": "saved"})
        except OSError as error:
            if new_lock is not None:
                new_lock.release()
            raise ComputationError(
                "case_not_written", file=path, reason=error.strerror or type(error).__name__, detail=repr(error)
            ) from error
        except BaseException:
            if new_lock is not None:
                new_lock.release()
            raise
        if new_lock is not None:
            if self._path_lock is not None:
                self._path_lock.release()
            self._path_lock = new_lock

    def close(self, *, keep: bool) -> None:
        """Let go of the folder; without ``keep`` it is removed."""
        if self._closed:
            return
        self._closed = True
        self.store.close()
        if not keep:
            # First the journal: a folder half removed has nothing to recover.
            with suppress(OSError):
                (self.folder / JOURNAL).unlink()
        self._lock.release()
        if self._path_lock is not None:
            self._path_lock.release()
        if not keep:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _json_of(self, case: Case) -> Json:
        if self._json is None or self._json[0] is not case:
            self._json = (case, case_to_json(case))
        return self._json[1]

    def _fetch(self, asset: AssetId, target: Path) -> bool:
        """Take an asset from the case file when it is first needed, and check that it is what its name says."""
        if self.path is None:
            return False
        with CaseArchive(self.path) as archive:
            if not archive.has_asset(asset):
                return False
            _extract_checked(archive, asset, target)
        return True

    def _check_target(self, path: Path) -> FileLock | None:
        if self.path != path:
            if not path.parent.is_dir():
                raise UsageError("output_folder_missing", file=path.parent)
            lock = _path_lock(self.folder.parent, path)
            if not lock.acquire():
                raise UsageError("case_already_open", file=path)
            return lock
        if path.exists() and self._work.stamp is not None and _stamp(path) != self._work.stamp:
            raise UsageError("case_changed_elsewhere", file=path)
        return None

    def _keep_original(self, path: Path) -> None:
        if self._work.original_schema is not None and self._work.path == str(path):
            kept = _name_of_original(path, self._work.original_schema)
            if not kept.exists():
                shutil.copy2(path, kept)

    def _write(self, path: Path, parts: Mapping[str, bytes], needed: list[AssetId], progress: Progress) -> None:
        absent = [asset for asset in needed if not self.store.has_file(asset)]
        if not absent:
            write_archive(path, parts, {asset: self.store.path(asset) for asset in needed}, progress=progress)
            return
        if self.path is None:
            raise InputDataError("asset_missing", asset=absent[0][:23])
        with CaseArchive(self.path) as archive:
            sources: dict[AssetId, Path | CaseArchive] = {}
            for asset in needed:
                if asset not in absent:
                    sources[asset] = self.store.path(asset)
                elif archive.has_asset(asset):
                    sources[asset] = archive
                else:
                    raise InputDataError("asset_missing", file=self.path, asset=asset[:23])
            write_archive(path, parts, sources, progress=progress)


def create(root: Path, case: Case, *, owner: Owner) -> CaseFolder:
    """Make the work folder of a new case; ComputationError ``work_not_written`` when the disk refuses."""
    folder, lock = _new_folder(root)
    try:
        work = _Work(owner)
        work.write(folder)
        journal = JournalWriter(folder / JOURNAL, parse_journal(b""))
        journal.append({"kind": "base", "schema": CASE_SCHEMA, "case": case_to_json(case)})
        return CaseFolder(folder, lock, None, work, read_journal(folder / JOURNAL))
    except OSError as error:
        lock.release()
        shutil.rmtree(folder, ignore_errors=True)
        raise _not_written(folder, error) from error


def open_case_file(path: Path, root: Path, *, owner: Owner, progress: Progress = SILENT) -> Restored:
    """Unpack a case file into a work folder of its own; see :func:`surgiplan_desktop.app.documents.open_session`."""
    path = path.resolve()
    with CaseArchive(path) as archive:
        data, schema = migrated(archive.read_json(CASE), file=str(path))
        case = case_from_json(data, file=str(path))
        for asset in sorted(_assets_of(data)):
            if not archive.has_asset(asset):
                raise InputDataError("case_damaged", file=path, part=asset[:23])
        path_lock = _locked_path(root, path)
        try:
            findings = _tidied(root, path)
            folder, lock = _new_folder(root)
            try:
                return _unpacked(archive, folder, lock, path_lock, case, schema, owner, findings, progress)
            except BaseException as error:
                lock.release()
                shutil.rmtree(folder, ignore_errors=True)
                if isinstance(error, OSError):
                    raise _not_written(folder, error) from error
                raise
        except BaseException:
            path_lock.release()
            raise


def recoverable(root: Path) -> tuple[Recoverable, ...]:
    """List unsaved work that no program has open, newest first; folders with nothing unsaved are removed."""
    found = []
    for folder in _free_folders(root):
        item = _unsaved(folder)
        if item is None:
            shutil.rmtree(folder, ignore_errors=True)
        else:
            found.append(item)
    return tuple(sorted(found, key=lambda item: item.last_time, reverse=True))


def recover(item: Recoverable) -> Restored:
    """Open the unsaved work of a folder; UsageError ``case_already_open`` when another program was faster."""
    folder = item.folder
    lock = FileLock(folder / _LOCK)
    work = _Work.read(folder)
    if work is None or not lock.acquire():
        raise UsageError("case_already_open", file=item.path or folder)
    path_lock = None
    if item.path is not None:
        path_lock = _path_lock(folder.parent, item.path)
        if not path_lock.acquire():
            lock.release()
            raise UsageError("case_already_open", file=item.path)
    try:
        content = read_journal(folder / JOURNAL)
        findings = _journal_findings(folder, content)
        states = _states(content)
        first, events = _structured(states, str(folder))
        saved = next((state for kind, _, state in reversed(states) if kind in _MARKS), None)
        saved_case = None if saved is None else case_from_json(saved, file=str(folder))
        view = _read_view(folder)
        return Restored(CaseFolder(folder, lock, path_lock, work, content), first, events, view, saved_case, findings)
    except BaseException:
        lock.release()
        if path_lock is not None:
            path_lock.release()
        raise


# -------------------------------------------------------------------- opening


def _unpacked(
    archive: CaseArchive,
    folder: Path,
    lock: FileLock,
    path_lock: FileLock,
    case: Case,
    schema: int,
    owner: Owner,
    findings: list[Finding],
    progress: Progress,
) -> Restored:
    path = archive.path
    work = _Work(owner, str(path), _stamp(path), None if schema == CASE_SCHEMA else schema)
    work.write(folder)
    for name in archive.names:
        if name == AUDIT or re.fullmatch(r"journal\.damaged-\d+\.jsonl", name):
            (folder / name).write_bytes(archive.read(name))
    raw = archive.read(JOURNAL) if JOURNAL in archive.names else b""
    content = parse_journal(raw)
    history = None if schema != CASE_SCHEMA else _history_of(content, case, str(path))
    if schema != CASE_SCHEMA:
        findings.append(Finding("case_migrated", "note", (("file", _name_of_original(path, schema).name),)))
    elif history is None:
        findings.append(Finding("history_damaged", "warn", (("entry", len(content.lines)),)))
        _set_aside(folder, raw)
    if history is None:
        history = case, ()
        base = {"kind": "base", "schema": CASE_SCHEMA, "case": case_to_json(case)}
        JournalWriter(folder / JOURNAL, parse_journal(b"")).append(base)
        content = read_journal(folder / JOURNAL)
    else:
        (folder / JOURNAL).write_bytes(raw)
    first, events = history
    view_json = archive.read_json(VIEW) if VIEW in archive.names else {}
    (folder / VIEW).write_bytes(dumps(view_json).encode())
    if owner == "window":
        # The window keeps a case open for hours: it must not depend on a file that may be moved or unplugged.
        _extract_all(archive, folder, raw + archive.read(CASE), progress)
    result = CaseFolder(folder, lock, path_lock, work, content)
    result._journal.append({"kind": "opened"})  # noqa: SLF001 - the marks are of this module
    saved = events[-1][2] if events else first
    return Restored(result, first, events, view_from_json(view_json), saved, tuple(findings))


def _extract_all(archive: CaseArchive, folder: Path, text: bytes, progress: Progress) -> None:
    assets = sorted({match.decode() for match in _ASSET_PATTERN.findall(text)})
    present = [asset for asset in assets if archive.has_asset(asset)]
    total, done = max(1, sum(map(archive.asset_bytes, present))), 0
    for asset in present:
        progress.step(done, total, "opening")
        _extract_checked(archive, asset, AssetStore(folder / _ASSETS).target(asset))
        done += archive.asset_bytes(asset)
    progress.step(total, total, "opening")


def _extract_checked(archive: CaseArchive, asset: AssetId, target: Path) -> None:
    archive.extract_asset(asset, target)
    array = AssetStore(target.parent).load(asset)
    if PREFIX + content_digest(array) != asset:
        del array
        target.unlink()
        raise InputDataError("case_damaged", file=archive.path, part=asset[:23], detail="content differs from its name")


def _history_of(content: JournalContent, case: Case, file: str) -> _History | None:
    """Return the history that a file's journal tells, or None when it does not lead to the case in the file."""
    states = _states(content)
    if content.torn or content.damaged_from is not None or not states:
        return None
    try:
        first, events = _structured(states, file)
    except InputDataError:
        return None
    last = events[-1][2] if events else first
    return (first, events) if last == case else None


def _states(content: JournalContent) -> list[tuple[str, str, Json]]:
    """Replay a journal: kind, label and the JSON of the case after each line; the first is the base. Empty when it has none."""
    states: list[tuple[str, str, Json]] = []
    for line in content.lines:
        kind, label = str(line.get("kind")), str(line.get("label", ""))
        try:
            if kind == "base":
                states = [("base", "", line["case"])]
            elif not states:
                return []
            elif kind in _EVENTS:
                states.append((kind, label, json_patch.apply(states[-1][2], line["patch"])))
            else:
                states.append((kind, label, states[-1][2]))
        except (KeyError, ValueError, TypeError, IndexError):
            # The chain holds but the content does not fit: written by a program with a mistake. What is before it stands.
            return []
    return states


def _structured(states: list[tuple[str, str, Json]], file: str) -> _History:
    events = [state for state in states[1:] if state[0] in _EVENTS]
    cut = max(0, len(events) - _EVENTS_READ)
    first = case_from_json(events[cut - 1][2] if cut else states[0][2], file=file)
    known: dict[str, Case] = {dumps(case_to_json(first)): first}
    result: list[tuple[EventKind, str, Case]] = []
    for kind, label, data in events[cut:]:
        text = dumps(data)
        # Undo brings back the very Case, so that what compares with "is" sees nothing new.
        case = known.get(text)
        if case is None:
            case = known[text] = case_from_json(data, file=file)
        result.append((kind, label, case))  # type: ignore[arg-type]
    return first, tuple(result)


def _journal_findings(folder: Path, content: JournalContent) -> tuple[Finding, ...]:
    if content.damaged_from is not None:
        _set_aside(folder, (folder / JOURNAL).read_bytes())
        return (Finding("journal_damaged", "warn", (("entry", content.damaged_from),)),)
    return (Finding("journal_torn", "warn"),) if content.torn else ()


def _set_aside(folder: Path, journal: bytes) -> None:
    number = len(list(folder.glob("journal.damaged-*.jsonl"))) + 1
    (folder / f"journal.damaged-{number}.jsonl").write_bytes(journal)


def _read_view(folder: Path) -> View:
    try:
        return view_from_json(json.loads((folder / VIEW).read_bytes()))
    except (OSError, ValueError):
        return View()


def _assets_of(data: Json) -> set[AssetId]:
    return {match.decode() for match in _ASSET_PATTERN.findall(dumps(data).encode())}


# -------------------------------------------------------------------- folders and locks


def _new_folder(root: Path) -> tuple[Path, FileLock]:
    folder = root / uuid.uuid4().hex
    try:
        root.mkdir(parents=True, exist_ok=True, mode=0o700)
        (folder / _ASSETS).mkdir(parents=True, mode=0o700)
        lock = FileLock(folder / _LOCK)
        lock.acquire()
    except OSError as error:
        raise _not_written(folder, error) from error
    return folder, lock


def _path_lock(root: Path, path: Path) -> FileLock:
    locks = root / "locks"
    locks.mkdir(parents=True, exist_ok=True, mode=0o700)
    return FileLock(locks / hashlib.sha256(str(path).encode()).hexdigest()[:24])


def _locked_path(root: Path, path: Path) -> FileLock:
    try:
        lock = _path_lock(root, path)
        taken = lock.acquire()
    except OSError as error:
        raise _not_written(root, error) from error
    if not taken:
        raise UsageError("case_already_open", file=path)
    return lock


def _free_folders(root: Path) -> list[Path]:
    """Work folders that no program has open."""
    free = []
    for folder in sorted(root.glob("*")) if root.is_dir() else []:
        if (folder / _ASSETS).is_dir():
            lock = FileLock(folder / _LOCK)
            with suppress(OSError):
                if lock.acquire():
                    lock.release()
                    free.append(folder)
    return free


def _unsaved(folder: Path) -> Recoverable | None:
    work = _Work.read(folder)
    if work is None or work.owner == "command":
        return None
    lines = read_journal(folder / JOURNAL).lines
    edits = 0
    for line in lines:
        kind = line.get("kind")
        edits = 0 if kind in _MARKS else edits + (kind in _EVENTS)
    if edits == 0:
        return None
    last = lines[-1]
    path = None if work.path is None else Path(work.path)
    return Recoverable(folder, path, str(last.get("label", "")), str(last.get("time", "")), edits)


def _tidied(root: Path, path: Path) -> list[Finding]:
    """Say whether there is unsaved work on this file; remove free folders that have none."""
    return [Finding("unsaved_kept", "warn")] if any(item.path == path for item in recoverable(root)) else []


def _stamp(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_size, status.st_mtime_ns


def _name_of_original(path: Path, schema: int) -> Path:
    return path.with_name(f"{path.stem}.schema{schema}{path.suffix}")


def _write_atomically(path: Path, content: bytes) -> None:
    temporary = path.with_suffix(".part")
    temporary.write_bytes(content)
    temporary.replace(path)


def _not_written(folder: Path, error: OSError) -> ComputationError:
    return ComputationError("work_not_written", file=folder, reason=error.strerror or type(error).__name__, detail=repr(error))
