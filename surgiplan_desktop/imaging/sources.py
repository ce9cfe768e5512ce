"""Where the bytes of a study come from: a folder tree, a zip, a single file, or the files that a DICOMDIR names.

An archive is never unpacked to the disk, and its members are read within bounds: what expands too far is left aside.
"""

from __future__ import annotations

import io
import lzma
import os
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final, Self, cast

from surgiplan_desktop.base.errors import InputDataError
from surgiplan_desktop.base.progress import SILENT, Progress
from surgiplan_desktop.imaging.dicom_header import Rejected
from surgiplan_desktop.imaging.dicomdir import is_dicomdir, leaves_folder, named_files, plain

#: A member of an archive larger than this when unpacked is no image of a scan.
MAX_MEMBER_BYTES: Final = 4 << 30
#: Members up to this size are held in memory while they are read; larger ones are unpacked as far as they are read.
_HELD_BYTES: Final = 64 << 20
#: CT images shrink by a factor of 2 to 10; what is larger than _HELD_BYTES and shrank more than this is a zip bomb.
_MOST_RATIO: Final = 200
_MOST_TOTAL_BYTES: Final = 2 << 30
_FOLDERS_AT_ONCE: Final = 16


class UnsafeMemberError(OSError):
    """A member of an archive that would expand without measure, or whose name leads out of the archive."""


class Sources:
    """The files below a path, by name; use as a context manager. Nothing is listed before it is asked for.

    Attributes
    ----------
    path
        What the user named.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        self._archive: zipfile.ZipFile | None = None
        self._folder = self.path
        self._names: tuple[str, ...] | None = None
        self._left_aside: tuple[Rejected, ...] = ()
        self._open_path()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._archive is not None:
            self._archive.close()

    @property
    def names(self) -> tuple[str, ...]:
        """File names relative to the folder or archive, sorted, with ``/``."""
        return self.list_files()

    @property
    def left_aside(self) -> tuple[Rejected, ...]:
        """What cannot be read by name already: files that a DICOMDIR names in vain, folders without permission, broken links."""
        self.list_files()
        return self._left_aside

    @property
    def is_archive(self) -> bool:
        """Whether the files are members of a zip."""
        return self._archive is not None

    def full_name(self, name: str) -> str:
        """Absolute name for messages; a member of an archive is named ``archive.zip/member``."""
        return str((self.path if self.is_archive else self._folder).absolute() / name)

    def open(self, name: str) -> BinaryIO:
        """Open a file for reading. Raises OSError where it cannot be read, or the archive is damaged there."""
        if self._archive is None:
            return (self._folder / name).open("rb")
        try:
            member = self._archive.getinfo(name)
            if leaves_folder(name):
                raise UnsafeMemberError("the name leads out of the archive")
            if member.file_size > MAX_MEMBER_BYTES or _expands(member.file_size, member.compress_size, _HELD_BYTES):
                raise UnsafeMemberError(f"{member.compress_size} bytes would expand to {member.file_size}")
            if member.file_size > _HELD_BYTES:
                return cast(BinaryIO, io.BufferedReader(cast(io.RawIOBase, self._archive.open(name))))
            return io.BytesIO(self._archive.read(name))
        except (
            zipfile.BadZipFile,
            zlib.error,
            lzma.LZMAError,
            RuntimeError,
            NotImplementedError,
            ValueError,
            EOFError,
            KeyError,
        ) as error:
            raise OSError(str(error)) from error

    def list_files(self, progress: Progress = SILENT) -> tuple[str, ...]:
        """Return :attr:`names`, listing them at the first call."""
        if self._names is None:
            self._names = self._list(progress)
        return self._names

    def _open_path(self) -> None:
        try:
            if not self.path.exists():
                raise InputDataError("not_found", file=self.path)
            if self.path.is_dir():
                return
            self._folder = self.path.parent
            if is_dicomdir(self.path.name) or not zipfile.is_zipfile(self.path):
                return
            self._archive = zipfile.ZipFile(self.path)
            total = sum(member.file_size for member in self._archive.infolist())
            size = self.path.stat().st_size
        except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError) as error:
            raise InputDataError("unreadable_file", file=self.path, detail=str(error)) from error
        if _expands(total, size, _MOST_TOTAL_BYTES):
            self._archive.close()
            raise InputDataError("archive_bomb", file=self.path, megabytes=round(total / 1e6))

    def _list(self, progress: Progress) -> tuple[str, ...]:
        if self._archive is not None:
            members = [member.filename for member in self._archive.infolist() if not member.is_dir()]
            return self._with_directories(sorted(dict.fromkeys(members)))
        if self.path.is_dir():
            return self._with_directories(self._files_below(self.path, progress))
        if not is_dicomdir(self.path.name):
            return (self.path.name,)
        below = self._files_below(self._folder, progress)
        named, missing = self._looked_up(self.path.name, below)
        self._left_aside += missing
        return tuple(sorted(named)) or tuple(below)

    def _with_directories(self, names: list[str]) -> tuple[str, ...]:
        """Say which files the DICOMDIRs among the names list in vain."""
        for name in names:
            if is_dicomdir(name):
                self._left_aside += self._looked_up(name, names)[1]
        return tuple(names)

    def _looked_up(self, directory: str, names: Iterable[str]) -> tuple[list[str], tuple[Rejected, ...]]:
        """Return the files that a DICOMDIR names, as they are called here, and those that are not there."""
        base = directory[: directory.rfind("/") + 1]
        there = {plain(name): name for name in names}
        try:
            with self.open(directory) as stream:
                wanted = named_files(stream)
        except OSError:
            return [], ()
        found = {name: there.get(plain(base + name)) for name in wanted}
        missing = tuple(Rejected(base + name, "missing") for name, place in found.items() if place is None)
        return [place for place in found.values() if place is not None], missing

    def _files_below(self, folder: Path, progress: Progress) -> list[str]:
        """Return the regular files of a tree; links to folders are not followed, so that no loop leads astray."""
        found: list[str] = []
        waiting = [""]
        done = 0
        while waiting:
            if done % _FOLDERS_AT_ONCE == 0:
                progress.step(0, 1, "listing")
            done += 1
            below = waiting.pop()
            try:
                with os.scandir(folder / below) as entries:
                    for entry in entries:
                        name = below + entry.name
                        if entry.is_dir(follow_symlinks=False):
                            waiting.append(f"{name}/")
                        elif _is_file(entry):
                            found.append(name)
                        elif entry.is_symlink() and not (folder / name).is_dir():
                            self._left_aside += (Rejected(name, "unreadable", "broken link"),)
            except OSError as error:
                if not below:
                    raise InputDataError("unreadable_file", file=folder, detail=str(error)) from error
                self._left_aside += (Rejected(below.rstrip("/"), "unreadable", str(error)),)
        return sorted(found)


def _is_file(entry: os.DirEntry[str]) -> bool:
    """Whether a name stands for a regular file, itself or by a link; a link to itself does not, a pipe neither."""
    try:
        return entry.is_file()
    except OSError:
        return False


def _expands(size: int, compressed: int, harmless: int) -> bool:
    return size > harmless and size > _MOST_RATIO * max(compressed, 1)


def is_archive_name(name: str) -> bool:
    """Whether a file is an archive by its name: it is not looked into, the user is told to unpack or to name it."""
    return name.lower().endswith((".zip", ".7z", ".rar", ".tar", ".tgz", ".tar.gz", ".tar.xz", ".iso"))
