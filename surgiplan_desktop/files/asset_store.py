"""Big arrays by content hash: written once as ``.npy``, read as read-only memory maps."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np

from surgiplan_desktop.base.arrays import AnyArray, content_digest, frozen
from surgiplan_desktop.base.errors import ComputationError, InputDataError
from surgiplan_desktop.model.study import AssetId

PREFIX: Final = "sha256:"
#: Smaller arrays are read whole: a file kept mapped cannot be removed on Windows.
_MAP_FROM_BYTES: Final = 1_000_000


def asset_file_name(asset: AssetId) -> str:
    """Return the file name of an asset; ValueError for what is no asset id (it could name a file elsewhere)."""
    digest = asset.removeprefix(PREFIX)
    if not asset.startswith(PREFIX) or len(digest) != 64 or not set(digest) <= set("0123456789abcdef"):
        raise ValueError(f"not an asset id: {asset!r}")
    return f"{digest}.npy"


class AssetStore:
    """Assets in a folder; usable from any thread.

    Parameters
    ----------
    folder
        Where the ``.npy`` files lie; it must exist.
    fetch
        Called with (asset, target path) for an asset that is not in the folder; writes the file and returns True, or returns
        False when it has none.
    """

    def __init__(self, folder: Path, fetch: Callable[[AssetId, Path], bool] | None = None) -> None:
        self._folder = folder
        self._fetch = fetch
        self._lock = threading.RLock()
        self._open: dict[AssetId, AnyArray] = {}

    def put(self, array: AnyArray) -> AssetId:
        """Store an array (once) and return its name; it is on the disk when this returns."""
        asset = PREFIX + content_digest(array)
        path = self._folder / asset_file_name(asset)
        with self._lock:
            if not path.exists():
                temporary = path.with_suffix(f".{threading.get_ident()}.part")
                try:
                    with temporary.open("wb") as stream:
                        np.save(stream, np.ascontiguousarray(array), allow_pickle=False)
                        stream.flush()
                        os.fsync(stream.fileno())
                    temporary.replace(path)
                except OSError as error:
                    temporary.unlink(missing_ok=True)
                    raise ComputationError(
                        "work_not_written",
                        file=path,
                        reason=error.strerror or str(error) or type(error).__name__,
                        detail=repr(error),
                    ) from error
        return asset

    def load(self, asset: AssetId) -> AnyArray:
        """Return the read-only array of an asset; large ones are memory maps.

        Raises
        ------
        InputDataError
            ``asset_missing`` or ``asset_damaged``, naming the asset.
        """
        with self._lock:
            array = self._open.get(asset)
            if array is None:
                array = self._open[asset] = self._read(asset)
            return array

    def path(self, asset: AssetId) -> Path:
        """Return the file of an asset, fetched first if need be; InputDataError ``asset_missing``."""
        try:
            path = self._folder / asset_file_name(asset)
        except ValueError as error:
            raise InputDataError("asset_missing", asset=asset[:23], detail=repr(error)) from error
        with self._lock:
            if not path.exists() and (self._fetch is None or not self._fetch(asset, path)):
                raise InputDataError("asset_missing", asset=asset[:23])
        return path

    def target(self, asset: AssetId) -> Path:
        """Return where the file of an asset lies or would lie."""
        return self._folder / asset_file_name(asset)

    def has_file(self, asset: AssetId) -> bool:
        """Tell whether the asset's file is in the folder."""
        return (self._folder / asset_file_name(asset)).exists()

    def close(self) -> None:
        """Let go of the arrays, so that their files can be removed once nobody else holds them."""
        with self._lock:
            self._open.clear()

    def _read(self, asset: AssetId) -> AnyArray:
        path = self.path(asset)
        try:
            if path.stat().st_size >= _MAP_FROM_BYTES:
                mapped: AnyArray = np.load(path, mmap_mode="r", allow_pickle=False)
                return mapped
            return frozen(np.load(path, allow_pickle=False))
        except (OSError, ValueError, EOFError) as error:
            raise InputDataError("asset_damaged", asset=asset[:23], detail=repr(error)) from error
