"""Results on disk: found again, never from other code, never trusted when damaged, and limited in size."""

from __future__ import annotations

import os
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest

from surgiplan_desktop.derive.cache import MISSING
from surgiplan_desktop.derive.disk_cache import DiskCache, program_tag
from surgiplan_desktop.derive.packing import pack, unpack
from surgiplan_desktop.model.mesh import Mesh

LIMIT = 10_000_000


def mesh() -> Mesh:
    return Mesh(np.eye(3), np.array([[0, 1, 2]]))


def test_values_come_back_read_only(tmp_path: Path) -> None:
    cache = DiskCache(tmp_path, "tag", LIMIT)
    cache.put("a", (mesh(), MappingProxyType({"x": 1}), np.zeros((0, 3))))
    value, mapping, _ = DiskCache(tmp_path, "tag", LIMIT).get("a")
    np.testing.assert_array_equal(value.vertices, np.eye(3))
    assert not value.vertices.flags.writeable
    assert mapping == {"x": 1}
    assert type(mapping) is MappingProxyType


def test_packing_keeps_strided_and_writeable_arrays() -> None:
    array = np.arange(12.0).reshape(3, 4)
    frozen = array[:, ::2]
    frozen.flags.writeable = False
    first, second = unpack(pack((array, frozen)))
    assert first.flags.writeable
    np.testing.assert_array_equal(second, array[:, ::2])
    assert not second.flags.writeable


def test_none_is_a_value_and_another_program_finds_nothing(tmp_path: Path) -> None:
    cache = DiskCache(tmp_path, "one", LIMIT)
    cache.put("a", None)
    assert cache.get("a") is None
    other = DiskCache(tmp_path, "two", LIMIT)
    assert "a" not in other
    assert other.get("a") is MISSING


@pytest.mark.parametrize(
    "damage", [lambda data: data[:-3], lambda data: data[:40] + b"x" + data[41:], lambda data: b"", lambda data: b"junk" * 40]
)
def test_damaged_files_are_computed_again(tmp_path: Path, damage: object) -> None:
    cache = DiskCache(tmp_path, "tag", LIMIT)
    cache.put("a", mesh())
    [path] = tmp_path.glob("tag/*.result")
    path.write_bytes(damage(path.read_bytes()))  # type: ignore[operator]
    assert cache.get("a") is MISSING
    assert "a" not in cache


def test_the_size_is_limited_and_the_oldest_go_first(tmp_path: Path) -> None:
    cache = DiskCache(tmp_path, "tag", 100_000)
    for number in range(40):
        cache.put(str(number), np.zeros(1250))
        os.utime(tmp_path / "tag" / f"{number}.result", (number, number))
    total = sum(path.stat().st_size for path in tmp_path.rglob("*.result"))
    assert total <= 110_000
    assert "39" in cache
    assert "0" not in cache
    assert not list(tmp_path.rglob("*.part"))


def test_too_large_values_and_those_that_cannot_travel_are_not_kept(tmp_path: Path) -> None:
    cache = DiskCache(tmp_path, "tag", 1000)
    cache.put("large", np.zeros(1000))
    cache.put("local", lambda: None)
    assert not list(tmp_path.rglob("*.result"))
    assert not list(tmp_path.rglob("*.part"))


def test_a_folder_that_cannot_be_had_costs_only_time(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    cache = DiskCache(tmp_path / "file", "tag", LIMIT)
    cache.put("a", 1)
    assert cache.get("a") is MISSING


@pytest.mark.skipif(os.name != "posix", reason="folder permissions of POSIX")
def test_others_may_not_write_to_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "results"
    folder.mkdir(mode=0o777)
    folder.chmod(0o777)
    DiskCache(folder, "tag", LIMIT)
    assert not folder.stat().st_mode & 0o022


def test_clear_removes_everything(tmp_path: Path) -> None:
    for tag in ("one", "two"):
        DiskCache(tmp_path, tag, LIMIT).put("a", 1)
    DiskCache(tmp_path, "one", LIMIT).clear()
    assert not list(tmp_path.rglob("*.result"))


def test_the_tag_names_this_program() -> None:
    assert program_tag() == program_tag()
    assert program_tag().count("-") == 1
