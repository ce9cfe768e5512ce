"""Open cases: a work folder with the assets and the journal while a case is open, a ``.surgiplan`` file when it is saved.

Opening is last snapshot + journal, so undo survives a restart and a crash loses at most the line being written.
"""

from __future__ import annotations

import errno
import json
import re
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from surgiplan_desktop.base.arrays import content_digest
from surgiplan_desktop.base.errors import ComputationError, InputDataError, Parameter, UsageError
from surgiplan_desktop.base.progress import SILENT, Progress
from surgiplan_desktop.files import json_patch
from surgiplan_desktop.files.asset_store import PREFIX, AssetStore
from surgiplan_desktop.files.case_archive import AUDIT, CASE, JOURNAL, VIEW, CaseArchive, write_archive
from surgiplan_desktop.files.case_history import EventKind, history_of, lines_saved, states_of, structured
from surgiplan_desktop.files.case_json import Json, case_from_json, case_to_json, dumps, view_from_json, view_to_json
from surgiplan_desktop.files.journal import JournalContent, JournalWriter, parse_journal, read_journal
from surgiplan_desktop.files.lock import FileLock
from surgiplan_desktop.files.migrations import migrated
from surgiplan_desktop.files.work_folders import (
    ASSETS,
    LOCK,
    Owner,
    Recoverable,
    Work,
    lock_of_path,
    locked_path,
    name_of_original,
    new_folder,
    not_written,
    stamp_of,
    tidied,
)
from surgiplan_desktop.model.case import CASE_SCHEMA, Case
from surgiplan_desktop.model.study import AssetId, Finding
from surgiplan_desktop.model.view import View

_ASSET_PATTERN: Final = re.compile(rb"sha256:[0-9a-f]{64}")


#: The folder does not allow it, so another one must be chosen; anything else (a full disk) is a failure.
_NOT_ALLOWED: Final = (errno.EACCES, errno.EPERM, errno.EROFS)


@dataclass(frozen=True, slots=True)
class Restored:
    """What came from a file or a work folder: ``first`` and the events since give the history; ``saved`` is what the file has."""

    folder: CaseFolder
    first: Case
    events: tuple[tuple[EventKind, str, Case], ...]
    view: View
    saved: Case | None
    findings: tuple[Finding, ...]


class CaseFolder:
    """The work folder of one open case; the session's only way to the disk."""

    def __init__(self, folder: Path, lock: FileLock, path_lock: FileLock | None, work: Work, journal: JournalContent) -> None:
        self.folder = folder
        self.store = AssetStore(folder / ASSETS, self._fetch)
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

    def told(self) -> tuple[bytes, int]:
        """Return the journal as it is now: its bytes and the number of its lines."""
        return self._journal.snapshot()

    def save(self, case: Case, told: tuple[bytes, int], view: View, path: Path, *, progress: Progress = SILENT) -> None:
        """Write the case file with the journal that leads to ``case``; see :meth:`Session.save`."""
        journal, lines = told
        new_lock = self._check_target(path)
        try:
            self._keep_original(path)
            parts = {
                CASE: dumps(case_to_json(case)).encode(),
                VIEW: dumps(view_to_json(view)).encode(),
                JOURNAL: journal,
                AUDIT: self._audit.snapshot()[0],
            }
            for damaged in sorted(self.folder.glob("journal.damaged-*.jsonl")):
                parts[damaged.name] = damaged.read_bytes()
            needed = sorted({match.decode() for match in _ASSET_PATTERN.findall(parts[CASE] + journal)})
            self._write(path, parts, needed, progress)
            stamp = stamp_of(path)
            self._work = replace(self._work, path=str(path), stamp=stamp, original_schema=None)
            self._work.write(self.folder)
            # Edits may have come while the file was written: the mark says how far the file reaches.
            self._journal.append({"kind": "saved", "lines": lines})
        except OSError as error:
            if new_lock is not None:
                new_lock.release()
            kind = UsageError if error.errno in _NOT_ALLOWED else ComputationError
            raise kind(
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
            lock = lock_of_path(self.folder.parent, path)
            if not lock.acquire():
                raise UsageError("case_already_open", file=path)
            return lock
        if path.exists() and self._work.stamp is not None and stamp_of(path) != self._work.stamp:
            raise UsageError("case_changed_elsewhere", file=path)
        return None

    def _keep_original(self, path: Path) -> None:
        if self._work.original_schema is not None and self._work.path == str(path):
            kept = name_of_original(path, self._work.original_schema)
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
            write_archive(path, parts, sources, progress=progress, written=archive.close)


def create(root: Path, case: Case, *, owner: Owner) -> CaseFolder:
    """Make the work folder of a new case; ComputationError ``work_not_written`` when the disk refuses."""
    folder, lock = new_folder(root)
    try:
        work = Work(owner)
        work.write(folder)
        journal = JournalWriter(folder / JOURNAL, parse_journal(b""))
        journal.append({"kind": "base", "schema": CASE_SCHEMA, "case": case_to_json(case)})
        return CaseFolder(folder, lock, None, work, read_journal(folder / JOURNAL))
    except OSError as error:
        lock.release()
        shutil.rmtree(folder, ignore_errors=True)
        raise not_written(folder, error) from error


def open_case_file(path: Path, root: Path, *, owner: Owner, progress: Progress = SILENT) -> Restored:
    """Unpack a case file into a work folder of its own; see :func:`surgiplan_desktop.app.documents.open_session`."""
    path = path.resolve()
    with CaseArchive(path) as archive:
        data, schema = migrated(archive.read_json(CASE), file=str(path))
        case = case_from_json(data, file=str(path))
        for asset in sorted(_assets_of(data)):
            if not archive.has_asset(asset):
                raise InputDataError("case_damaged", file=path, part=asset[:23])
        path_lock = locked_path(root, path)
        try:
            findings = tidied(root, path)
            folder, lock = new_folder(root)
            try:
                return _unpacked(archive, folder, lock, path_lock, case, schema, owner, findings, progress)
            except BaseException as error:
                lock.release()
                shutil.rmtree(folder, ignore_errors=True)
                if isinstance(error, OSError):
                    raise not_written(folder, error) from error
                raise
        except BaseException:
            path_lock.release()
            raise


def recover(item: Recoverable) -> Restored:
    """Open the unsaved work of a folder; UsageError ``case_already_open`` when another program was faster."""
    folder = item.folder
    lock = FileLock(folder / LOCK)
    work = Work.read(folder)
    if work is None or not lock.acquire():
        raise UsageError("case_already_open", file=item.path or folder)
    path_lock = None
    if item.path is not None:
        path_lock = lock_of_path(folder.parent, item.path)
        if not path_lock.acquire():
            lock.release()
            raise UsageError("case_already_open", file=item.path)
    try:
        content = read_journal(folder / JOURNAL)
        findings = _journal_findings(folder, content)
        states = states_of(content)
        first, events = structured(states, str(folder))
        saved = lines_saved(content)
        saved_case = case_from_json(states[saved - 1][2], file=str(folder)) if 0 < saved <= len(states) else None
        view = _read_view(folder)
        return Restored(CaseFolder(folder, lock, path_lock, work, content), first, events, view, saved_case, findings)
    except BaseException:
        lock.release()
        if path_lock is not None:
            path_lock.release()
        raise


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
    work = Work(owner, str(path), stamp_of(path), None if schema == CASE_SCHEMA else schema)
    work.write(folder)
    for name in archive.names:
        if name == AUDIT or re.fullmatch(r"journal\.damaged-\d+\.jsonl", name):
            (folder / name).write_bytes(archive.read(name))
    raw = archive.read(JOURNAL) if JOURNAL in archive.names else b""
    content = parse_journal(raw)
    history = None if schema != CASE_SCHEMA else history_of(content, case, str(path))
    if schema != CASE_SCHEMA:
        findings.append(Finding("case_migrated", "note", (("file", name_of_original(path, schema).name),)))
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
        _extract_checked(archive, asset, AssetStore(folder / ASSETS).target(asset))
        done += archive.asset_bytes(asset)
    progress.step(total, total, "opening")


def _extract_checked(archive: CaseArchive, asset: AssetId, target: Path) -> None:
    archive.extract_asset(asset, target)
    array = AssetStore(target.parent).load(asset)
    if PREFIX + content_digest(array) != asset:
        del array
        target.unlink()
        raise InputDataError("case_damaged", file=archive.path, part=asset[:23], detail="content differs from its name")


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
