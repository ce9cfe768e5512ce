"""Implant catalogues on disk: ``implants/<name>/catalogue.toml`` below each of the roots, first root wins."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from surgiplan_desktop.base.errors import InputDataError
from surgiplan_desktop.planning.catalogue import Catalogue, PlateFamily, PlateScrew, TrayFamily, TraySize

#: Schema of catalogue.toml that this program reads.
CATALOGUE_SCHEMA = 1


def load_catalogues(roots: Sequence[Path]) -> dict[str, Catalogue]:
    """Read every catalogue under the roots.

    Raises
    ------
    InputDataError
        ``catalogue_broken`` or ``catalogue_schema``, naming the file. Callers that must not stop read one by one.
    """
    found: dict[str, Catalogue] = {}
    for path in catalogue_files(roots):
        catalogue = read_catalogue(path)
        found.setdefault(catalogue.name, catalogue)
    return found


def catalogue_files(roots: Sequence[Path]) -> list[Path]:
    """Return the catalogue files below the roots, in the order in which they count."""
    return [path for root in roots for path in sorted((root / "implants").glob("*/catalogue.toml"))]


def read_catalogue(path: Path) -> Catalogue:
    """Read one catalogue; InputDataError names the file and what is wrong with it."""
    try:
        with path.open("rb") as stream:
            table = tomllib.load(stream)
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise InputDataError("catalogue_broken", file=path, problem=str(error)) from error
    if table.get("schema") != CATALOGUE_SCHEMA:
        raise InputDataError("catalogue_schema", file=path, schema=str(table.get("schema")), known=CATALOGUE_SCHEMA)
    try:
        trays = tuple(_tray(entry) for entry in table.get("tray", ()))
        plates = tuple(_plate(entry) for entry in table.get("plate", ()))
        texts = [str(table[name]) for name in ("name", "version", "licence", "source")]
    except (KeyError, TypeError, ValueError) as error:
        raise InputDataError("catalogue_broken", file=path, problem=f"{type(error).__name__}: {error}") from error
    return Catalogue(texts[0], texts[1], texts[2], texts[3], (*trays, *plates))


def _tray(entry: Mapping[str, Any]) -> TrayFamily:
    ratio = float(entry["ml_over_ap"])
    sizes = tuple(TraySize(f"{float(ml):g}", float(ml), round(float(ml) / ratio, 2)) for ml in sorted(entry["ml_mm"]))
    numbers = {name: float(value) for name, value in entry.items() if name not in ("id", "ml_mm", "ml_over_ap")}
    return TrayFamily(id=str(entry["id"]), sizes=sizes, **numbers)


def _plate(entry: Mapping[str, Any]) -> PlateFamily:
    screws = tuple(
        PlateScrew(str(item["name"]), **{name: float(value) for name, value in item.items() if name != "name"})
        for item in entry["screws"]
    )
    lengths = tuple(sorted(float(length) for length in entry["stock_lengths_mm"]))
    plain = ("id", "screws", "stock_lengths_mm")
    numbers = {name: float(value) for name, value in entry.items() if name not in plain}
    return PlateFamily(id=str(entry["id"]), screws=screws, stock_lengths_mm=lengths, **numbers)
