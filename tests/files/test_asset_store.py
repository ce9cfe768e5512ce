"""Assets: named by content, read-only, never outside their folder."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from surgiplan_desktop.base.errors import ComputationError, InputDataError
from surgiplan_desktop.files.asset_store import AssetStore


@pytest.mark.parametrize("shape", [(3, 4, 5), (120, 100, 100), (0, 3)])
def test_arrays_come_back_read_only(tmp_path: Path, shape: tuple[int, ...]) -> None:
    array = np.arange(np.prod(shape), dtype=np.int16).reshape(shape)
    asset = AssetStore(tmp_path).put(array)
    back = AssetStore(tmp_path).load(asset)
    np.testing.assert_array_equal(back, array)
    assert back.dtype == array.dtype
    assert not back.flags.writeable
    assert isinstance(back, np.memmap) == (array.nbytes >= 1_000_000)


def test_equal_content_is_stored_once(tmp_path: Path) -> None:
    store = AssetStore(tmp_path)
    assert store.put(np.arange(5)) == store.put(np.arange(5))
    assert store.put(np.arange(5)) != store.put(np.arange(5.0))
    assert len(list(tmp_path.iterdir())) == 2
    assert store.put(np.arange(10)[::2]) == store.put(np.array([0, 2, 4, 6, 8]))


@pytest.mark.parametrize("asset", ["sha256:" + "0" * 64, "sha256:../../etc/passwd", "x", ""])
def test_unknown_names_are_missing(tmp_path: Path, asset: str) -> None:
    with pytest.raises(InputDataError) as caught:
        AssetStore(tmp_path).load(asset)
    assert caught.value.message_id == "asset_missing"


def test_a_damaged_file_is_said(tmp_path: Path) -> None:
    asset = AssetStore(tmp_path).put(np.arange(100))
    [path] = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(InputDataError) as caught:
        AssetStore(tmp_path).load(asset)
    assert caught.value.message_id == "asset_damaged"


def test_a_full_disk_leaves_nothing_half_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ComputationError):
        AssetStore(tmp_path).put(np.arange(5))
    assert not list(tmp_path.iterdir())
