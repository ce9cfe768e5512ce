"""Heavy results on the user's own disk, by fingerprint, so that the next command need not compute them again.

Each program version and source has a folder of its own, so that a change of code never meets an old result. Files are pickles:
they are read only from a folder that belongs to the user and that nobody else may write to.
"""

from __future__ import annotations

import hashlib
import logging
import os
import stat
import sys
import threading
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import Any, Final

from surgiplan_desktop import __version__
from surgiplan_desktop.base.paths import resource_folder
from surgiplan_desktop.derive.cache import MISSING
from surgiplan_desktop.derive.packing import pack, unpack

_LOG = logging.getLogger(__name__)
_MAGIC: Final = b"surgiplan-result-1\n"
_DIGEST_BYTES: Final = 32
#: Libraries whose numbers go into results.
_LIBRARIES: Final = ("numpy", "scipy", "vtk", "SimpleITK", "manifold3d", "fast-simplification", "trimesh")
#: After cleaning up, this share of the limit is left in use, so that not every write cleans up.
_KEEP_SHARE: Final = 0.8


def program_tag() -> str:
    """Name of this program for the cache: its version, and a digest of its source, its limits and the libraries it counts on."""
    digest = hashlib.sha256()
    package = Path(__file__).resolve().parent.parent
    for path in sorted(package.rglob("*.py")):
        digest.update(path.relative_to(package).as_posix().encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    with suppress(FileNotFoundError):
        digest.update((resource_folder() / "limits.toml").read_bytes())
    for library in _LIBRARIES:
        with suppress(metadata.PackageNotFoundError):
            digest.update(f"{library}={metadata.version(library)}".encode())
    digest.update(sys.version.encode())
    return f"{__version__}-{digest.hexdigest()[:16]}"


class DiskCache:
    """Results by fingerprint in ``folder/tag``; usable from any thread and by several programs at once.

    Whatever goes wrong here costs only time: a file that cannot be read is computed again, one that cannot be written is not
    kept.
    """

    def __init__(self, folder: Path, tag: str, limit_bytes: int) -> None:
        self._root = folder
        self._folder = folder / tag
        self._limit = limit_bytes
        self._lock = threading.Lock()
        self._written = limit_bytes  # so that the first write looks at what is there
        self._usable = limit_bytes > 0 and self._prepared()

    def __contains__(self, fingerprint: str) -> bool:
        return self._usable and self._path(fingerprint).is_file()

    def get(self, fingerprint: str) -> Any:
        """Return the value, or ``MISSING`` when it is not there or cannot be read (then the file goes)."""
        if not self._usable:
            return MISSING
        path = self._path(fingerprint)
        try:
            data = path.read_bytes()
        except OSError:
            return MISSING
        try:
            content = memoryview(data)[len(_MAGIC) + _DIGEST_BYTES :]
            if data[: len(_MAGIC)] != _MAGIC or hashlib.sha256(content).digest() != data[len(_MAGIC) :][:_DIGEST_BYTES]:
                raise ValueError("damaged")
            value = unpack(bytes(content))
            with suppress(OSError):
                os.utime(path)
        except Exception:  # noqa: BLE001 - whatever a damaged pickle raises, the answer is to compute anew
            _LOG.warning("a kept result was damaged and is computed again")
            with suppress(OSError):
                path.unlink()
            return MISSING
        return value

    def put(self, fingerprint: str, value: Any) -> None:
        """Keep a value."""
        if not self._usable or fingerprint in self:
            return
        path = self._path(fingerprint)
        temporary = path.with_name(f"{path.name}.{os.getpid()}-{threading.get_ident()}.part")
        try:
            content = pack(value)
            if len(content) > self._limit * _KEEP_SHARE:
                return
            with temporary.open("wb") as stream:
                stream.write(_MAGIC)
                stream.write(hashlib.sha256(content).digest())
                stream.write(content)
            temporary.replace(path)
        except Exception:  # noqa: BLE001 - a value that cannot be kept is only computed again
            _LOG.warning("a result could not be kept", exc_info=True)
            with suppress(OSError):
                temporary.unlink()
            return
        with self._lock:
            self._written += len(content)
            if self._written > self._limit * (1 - _KEEP_SHARE):
                self._written = 0
                self._clean_up()

    def clear(self) -> None:
        """Remove all results, of other versions too."""
        for path in self._files():
            with suppress(OSError):
                path.unlink()

    def _path(self, fingerprint: str) -> Path:
        return self._folder / f"{fingerprint}.result"

    def _files(self) -> list[Path]:
        return [path for pattern in ("*/*.result", "*/*.part") for path in self._root.glob(pattern)]

    def _clean_up(self) -> None:
        """Remove the results used longest ago until the limit holds, other versions' included."""
        found = []
        for path in self._files():
            with suppress(OSError):
                status = path.stat()
                found.append((status.st_mtime, status.st_size, path))
        total = sum(size for _, size, _ in found)
        if total <= self._limit:
            return
        for _, size, path in sorted(found):
            with suppress(OSError):
                path.unlink()
                total -= size
            if total <= self._limit * _KEEP_SHARE:
                return

    def _prepared(self) -> bool:
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            for folder in (self._root, self._folder):
                _check_own(folder)
        except OSError as error:
            _LOG.warning("results are not kept on disk: %s", error)
            return False
        return True


def _check_own(folder: Path) -> None:
    """Refuse a folder that another user owns or may write to (POSIX; on Windows the profile's own protection holds)."""
    if os.name != "posix":
        return
    status = folder.stat()
    if status.st_uid != os.getuid():
        raise PermissionError(f"{folder} belongs to another user")
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        folder.chmod(0o700)
