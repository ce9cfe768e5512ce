"""The one versioned table of limits: every threshold a user may configure, with its source."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from surgiplan_desktop.base.paths import resource_folder


@dataclass(frozen=True, slots=True)
class Limit:
    """A threshold or default: value, unit and source."""

    value: float
    unit: str
    source: str


@dataclass(frozen=True, slots=True)
class Limits:
    """The table: version and limits by dotted id, such as ``"hinge.to_cortex_mm"``."""

    version: int
    items: dict[str, Limit]

    def __getitem__(self, limit: str) -> float:
        return self.items[limit].value


def read_limits(path: Path) -> Limits:
    """Read a table of limits (TOML: ``version``, then ``[group.name]`` with value, unit, source)."""
    with path.open("rb") as stream:
        table = tomllib.load(stream)
    items = {
        f"{group}.{name}": Limit(float(entry["value"]), str(entry["unit"]), str(entry["source"]))
        for group, entries in table.items()
        if isinstance(entries, dict)
        for name, entry in entries.items()
    }
    return Limits(int(table["version"]), items)


@cache
def default_limits() -> Limits:
    """Return the table shipped with the program."""
    return read_limits(resource_folder() / "limits.toml")
