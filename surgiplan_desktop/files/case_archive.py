"""The ``.surgiplan`` file: a zip with manifest.json, case.json, view.json, assets/, journal.jsonl and audit.jsonl."""

from __future__ import annotations

import json
import os
import shutil
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO, Final, Self

from surgiplan_desktop import __version__
from surgiplan_desktop.base.errors import ComputationError, InputDataError
from surgiplan_desktop.base.progress import SILENT, Progress
from surgiplan_desktop.files.asset_store import asset_file_name
from surgiplan_desktop.files.case_json import Json, dumps
from surgiplan_desktop.model.case import CASE_SCHEMA
from surgiplan_desktop.model.study import AssetId

FORMAT: Final = "surgiplan-case"
MANIFEST: Final = "manifest.json"
CASE: Final = "case.json"
VIEW: Final = "view.json"
JOURNAL: Final = "journal.jsonl"
AUDIT: Final = "audit.jsonl"

_CHUNK: Final = 4 << 20
_PROBE: Final = 1 << 20
#: Voxels of a CT deflate to a half at a tenth of the disk's speed, label maps to a hundredth: only these are compressed.
_WORTH: Final = 0.2
#: Zip entries bear no time, so that the same case gives the same file.
_NO_TIME: Final = (1980, 1, 1, 0, 0, 0)


class CaseArchive:
    """A case file opened for reading; every failure names the file and what is wrong."""

    def __init__(self, path: Path) -> None:
        self.path = path
        if not path.exists():
            raise InputDataError("case_not_found", file=path)
        if not path.is_file():
            raise InputDataError("case_not_a_file", file=path)
        try:
            self._zip = zipfile.ZipFile(path)
        except zipfile.BadZipFile as error:
            cut = _begins_as_zip(path)
            if cut:
                raise InputDataError("case_damaged", file=path, part="its end is missing", detail=repr(error)) from error
            raise InputDataError("case_not_a_file", file=path, detail=repr(error)) from error
        except OSError as error:
            raise InputDataError("case_damaged", file=path, part=error.strerror or "unreadable", detail=repr(error)) from error
        self.names = frozenset(self._zip.namelist())
        try:
            self._check_manifest()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._zip.close()

    def read(self, name: str) -> bytes:
        """Return a small part whole; InputDataError ``case_damaged`` when it is missing or damaged."""
        try:
            return self._zip.read(name)
        except (KeyError, zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError) as error:
            raise InputDataError("case_damaged", file=self.path, part=name, detail=repr(error)) from error

    def read_json(self, name: str) -> Json:
        """Return a part that is a JSON object."""
        try:
            data = json.loads(self.read(name))
        except ValueError as error:
            raise InputDataError("case_damaged", file=self.path, part=name, detail=repr(error)) from error
        if not isinstance(data, dict):
            raise InputDataError("case_damaged", file=self.path, part=name, detail="not an object")
        return data

    def has_asset(self, asset: AssetId) -> bool:
        """Tell whether the file has this asset."""
        return _asset_entry(asset) in self.names

    def extract_asset(self, asset: AssetId, target: Path) -> None:
        """Write an asset to ``target`` atomically; InputDataError ``case_damaged`` when it is missing or damaged."""
        temporary = target.with_suffix(".fetch")
        name = _asset_entry(asset)
        try:
            with self._zip.open(name) as source, temporary.open("wb") as stream:
                shutil.copyfileobj(source, stream, _CHUNK)
            temporary.replace(target)
        except (KeyError, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
            temporary.unlink(missing_ok=True)
            raise InputDataError("case_damaged", file=self.path, part=name, detail=repr(error)) from error
        except OSError as error:
            temporary.unlink(missing_ok=True)
            raise ComputationError(
                "work_not_written", file=target, reason=error.strerror or type(error).__name__, detail=repr(error)
            ) from error

    def asset_bytes(self, asset: AssetId) -> int:
        """Return the unpacked size of an asset."""
        return self._zip.getinfo(_asset_entry(asset)).file_size

    def open_asset(self, asset: AssetId) -> Any:
        """Return a stream of an asset."""
        return self._zip.open(_asset_entry(asset))

    def _check_manifest(self) -> None:
        if MANIFEST not in self.names:
            raise InputDataError("case_not_a_file", file=self.path, detail="no manifest")
        manifest = self.read_json(MANIFEST)
        if manifest.get("format") != FORMAT:
            raise InputDataError("case_not_a_file", file=self.path, detail=f"format is {manifest.get('format')!r}")
        schema = manifest.get("schema")
        if isinstance(schema, int) and schema > CASE_SCHEMA:
            raise InputDataError("case_too_new", file=self.path, found=schema, known=CASE_SCHEMA)


def write_archive(
    target: Path,
    parts: Mapping[str, bytes],
    assets: Mapping[AssetId, Path | CaseArchive],
    *,
    progress: Progress = SILENT,
    written: Callable[[], object] = lambda: None,
) -> None:
    """Write a case file atomically: to a temporary file beside it, to the disk, then in its place.

    ``assets`` gives for each asset its file, or the archive that has it. ``written`` is called before the target is replaced: the
    time to close an archive that is the target itself, since Windows replaces no open file. Raises OSError when the disk
    refuses; the target is then as it was.
    """
    temporary = target.with_name(f".{target.name}.{os.getpid()}.part")
    manifest = dumps({"format": FORMAT, "schema": CASE_SCHEMA, "program": __version__}).encode()
    sizes = {asset: _size(asset, source) for asset, source in assets.items()}
    total, done = max(1, sum(sizes.values())), 0
    try:
        with temporary.open("w+b") as stream:
            with zipfile.ZipFile(stream, "w", compresslevel=1) as archive:
                for name, content in {MANIFEST: manifest, **parts}.items():
                    info = zipfile.ZipInfo(name, _NO_TIME)
                    info.compress_type = zipfile.ZIP_DEFLATED
                    archive.writestr(info, content)
                for asset, source in sorted(assets.items(), key=lambda item: item[0]):
                    with _opened(asset, source) as content_stream:
                        for size in _add_asset(archive, asset, content_stream):
                            done += size
                            progress.step(done, total, "saving")
            stream.flush()
            os.fsync(stream.fileno())
        written()
        temporary.replace(target)
        _sync_folder(target.parent)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _add_asset(archive: zipfile.ZipFile, asset: AssetId, source: BinaryIO) -> Any:
    first = source.read(_CHUNK)
    middle = first[len(first) // 2 :][:_PROBE]
    worth = len(zlib.compress(middle, 1)) < _WORTH * len(middle)
    # An entry opened by name takes the archive's compression, and bears no time either.
    archive.compression = zipfile.ZIP_DEFLATED if worth else zipfile.ZIP_STORED
    with archive.open(_asset_entry(asset), "w", force_zip64=True) as target:
        chunk = first
        while chunk:
            target.write(chunk)
            yield len(chunk)
            chunk = source.read(_CHUNK)


def _opened(asset: AssetId, source: Path | CaseArchive) -> Any:
    return source.open_asset(asset) if isinstance(source, CaseArchive) else source.open("rb")


def _size(asset: AssetId, source: Path | CaseArchive) -> int:
    return source.asset_bytes(asset) if isinstance(source, CaseArchive) else source.stat().st_size


def _asset_entry(asset: AssetId) -> str:
    return f"assets/{asset_file_name(asset)}"


def _begins_as_zip(path: Path) -> bool:
    try:
        with path.open("rb") as stream:
            return stream.read(4) == b"PK\x03\x04"
    except OSError:
        return False


def _sync_folder(folder: Path) -> None:
    """Bring a rename to the disk (POSIX; Windows does it with the file)."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
