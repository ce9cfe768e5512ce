"""Strict reading of a table of model.toml: every field is asked for once, with what it may be; what is left over is refused."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from surgiplan_desktop.base.errors import InputDataError

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._ -]{0,79}")
_FILE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")


class Table:
    """A table of a manifest.

    Parameters
    ----------
    entries
        Its fields.
    pack, path
        Name of the pack's folder and path of the manifest, for errors.
    place
        Dotted place in the manifest, for errors.
    """

    def __init__(self, entries: Mapping[str, Any], pack: str, path: Path, place: str = "") -> None:
        self._left = dict(entries)
        self.pack = pack
        self.path = path
        self._place = place

    def wrong(self, field: str, found: object, expected: str) -> InputDataError:
        """Return the error of a field that has an impossible value."""
        shown = str(found)[:80]
        return InputDataError(
            "pack_field_wrong", file=self.path, pack=self.pack, field=self._at(field), found=shown, expected=expected
        )

    def has(self, field: str) -> bool:
        """Tell whether a field is there."""
        return field in self._left

    def finish(self) -> None:
        """Refuse what nobody asked for: a misspelt field would silently be its default."""
        for field in self._left:
            raise InputDataError("pack_field_unknown", file=self.path, pack=self.pack, field=self._at(field))

    def text(self, field: str, default: str | None = None) -> str:
        """Return a text that is not empty, or the default."""
        if default is not None and field not in self._left:
            return default
        value = self._take(field)
        if not isinstance(value, str):
            raise self.wrong(field, value, "a text")
        if not value.strip():
            raise InputDataError("pack_field_missing", file=self.path, pack=self.pack, field=self._at(field))
        return value.strip()

    def name(self, field: str) -> str:
        """Return a short name of letters, digits, dot, dash, underscore and blank."""
        value = self.text(field)
        if not _NAME.fullmatch(value):
            raise self.wrong(field, value, "a short name of letters and digits")
        return value

    def file_name(self, field: str) -> str:
        """Return the plain name of a file in the pack's own folder."""
        value = self.text(field)
        if not _FILE.fullmatch(value):
            raise self.wrong(field, value, "the plain name of a file in the pack's folder")
        return value

    def choice(self, field: str, among: Sequence[str]) -> str:
        """Return one of some words."""
        value = self.text(field)
        if value not in among:
            raise self.wrong(field, value, " / ".join(among))
        return value

    def number(self, field: str, low: float, high: float) -> float:
        """Return a number within bounds."""
        return self._number(field, self._take(field), low, high)

    def whole(self, field: str, low: int, high: int) -> int:
        """Return a whole number within bounds."""
        value = self._take(field)
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise self.wrong(field, value, f"a whole number from {low} to {high}")
        return value

    def numbers(self, field: str, count: int, low: float, high: float) -> tuple[float, ...]:
        """Return a list of so many numbers within bounds."""
        value = self._take(field)
        if not isinstance(value, list) or len(value) != count:
            raise self.wrong(field, value, f"a list of {count} numbers")
        return tuple(self._number(field, item, low, high) for item in value)

    def axes_lists(self, field: str) -> tuple[tuple[int, ...], ...]:
        """Return lists of axes (0 = k, 1 = j, 2 = i), at least one list."""
        value = self._take(field)
        lists = value if isinstance(value, list) else ()
        fine = all(isinstance(axes, list) and len(set(axes)) == len(axes) and set(axes) <= {0, 1, 2} for axes in lists)
        if not lists or not fine:
            raise self.wrong(field, value, "lists of the axes 0, 1, 2, such as [[], [2]]")
        return tuple(tuple(axes) for axes in lists)

    def table(self, field: str) -> Table:
        """Return a table within this one."""
        value = self._take(field)
        if not isinstance(value, dict):
            raise self.wrong(field, value, "a table")
        return Table(value, self.pack, self.path, self._at(field))

    def tables(self, field: str) -> list[Table]:
        """Return the tables of a list that has at least one."""
        value = self._take(field)
        if not isinstance(value, list) or not value or not all(isinstance(item, dict) for item in value):
            raise self.wrong(field, value, f"one [[{self._at(field)}]] or more")
        return [Table(item, self.pack, self.path, f"{self._at(field)}[{number}]") for number, item in enumerate(value)]

    def _at(self, field: str) -> str:
        return f"{self._place}.{field}" if self._place else field

    def _take(self, field: str) -> Any:
        if field not in self._left:
            raise InputDataError("pack_field_missing", file=self.path, pack=self.pack, field=self._at(field))
        return self._left.pop(field)

    def _number(self, field: str, value: object, low: float, high: float) -> float:
        if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value) or not low <= value <= high:
            raise self.wrong(field, value, f"a number from {low:g} to {high:g}")
        return float(value)
