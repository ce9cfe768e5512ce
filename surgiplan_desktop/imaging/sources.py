"""Where the bytes of a study come from: a folder tree, a zip, a single file, or the folder of a DICOMDIR."""

from __future__ import annotations

import io
import os
import zipfile
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final, Self

from surgiplan_desktop.base.errors import InputDataError

#: A member of an archive larger than this when unpacked is no CT slice; it guards the memory against zip bombs.
MAX_MEMBER_BYTES: Final = 1 << 30


class Sources:
    """The files below a path, by name; use as a context manager.

    Attributes
    ----------
    path
        What the user named.
    names
        File names relative to the folder or archive, sorted, with ``/``.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        self._archive: zipfile.ZipFile | None = None
        self._folder = self.path
        self.names: tuple[str, ...] = self._list()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._archive is not None:
            self._archive.close()

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
            if self._archive.getinfo(name).file_size > MAX_MEMBER_BYTES:
                raise OSError("the archive's member is larger than any slice")
            return io.BytesIO(self._archive.read(name))
        except (zipfile.BadZipFile, RuntimeError, NotImplementedError, ValueError) as error:
            raise OSError(str(error)) from error

    def _list(self) -> tuple[str, ...]:
        if not self.path.exists():
            raise InputDataError("not_found", file=self.path)
        if self.path.is_dir():
            return _files_below(self.path)
        if self.path.name.upper() == "DICOMDIR":
            self._folder = self.path.parent
            return _files_below(self._folder)
        if zipfile.is_zipfile(self.path):
            try:
                self._archive = zipfile.ZipFile(self.path)
            except (OSError, zipfile.BadZipFile) as error:
                raise InputDataError("unreadable_file", file=self.path, detail=str(error)) from error
            return tuple(sorted(item.filename for item in self._archive.infolist() if not item.is_dir()))
        self._folder = self.path.parent
        return (self.path.name,)


def _files_below(folder: Path) -> tuple[str, ...]:
    names: list[str] = []
    for place, folders, files in os.walk(folder):
        folders.sort()
        below = Path(place).relative_to(folder)
        names.extend((below / name).as_posix() for name in files)
    return tuple(sorted(names))
