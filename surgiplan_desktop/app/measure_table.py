"""The measures of a leg as a table for others: lines of text, and CSV for a spreadsheet or statistics."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from surgiplan_desktop.app.compare_legs import MeasuredLeg
from surgiplan_desktop.app.describe_measures import value_words
from surgiplan_desktop.app.session import Session
from surgiplan_desktop.app.texts import Texts
from surgiplan_desktop.base.errors import ComputationError
from surgiplan_desktop.files.sidecar import FileIdentity
from surgiplan_desktop.model.anatomy import Side
from surgiplan_desktop.planning.graph import measures_key
from surgiplan_desktop.planning.records import MeasureSpread

#: Columns of the CSV, in this order; the first line of the file.
COLUMNS: Final = (
    "case", "side", "measure", "name", "value", "unit", "words", "sd", "interval_low", "interval_high", "plane",
    "value_limb_plane", "value_3d", "status", "reason", "normal_low", "normal_high", "compared_with", "compared_value",
    "difference", "version", "definition", "source",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class MeasureRow:
    """One measure, ready to be written; numbers stay numbers."""

    cells: Mapping[str, str | float | int | None]

    def written(self, name: str) -> str:
        """Return a cell as it is written: numbers to four places with a point, nothing for None."""
        value = self.cells.get(name)
        return "" if value is None else f"{value:.4f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)


def measure_rows(
    case: str, leg: MeasuredLeg, texts: Texts, spreads: Mapping[str, MeasureSpread], compared: MeasuredLeg | None
) -> list[MeasureRow]:
    """Return every measure of a leg, with its uncertainty where it is known and what it is compared with."""
    rows = []
    for name, item in ({} if leg.measures is None else leg.measures.items).items():
        spread = spreads.get(name)
        other = None if compared is None else compared.numbers.get(name)
        both = isinstance(item.value, float) and isinstance(other, float)
        title, definition = texts.measure(name)
        cells: dict[str, str | float | int | None] = {
            "case": case,
            "side": leg.side.value,
            "measure": name,
            "name": title,
            "value": item.value,
            "unit": item.unit,
            "words": value_words(name, item.value, item.unit, texts),
            "sd": None if spread is None else spread.sd,
            "interval_low": None if spread is None else spread.interval[0],
            "interval_high": None if spread is None else spread.interval[1],
            "plane": item.plane,
            "value_limb_plane": item.value_limb_plane,
            "value_3d": item.value_3d,
            "status": item.status,
            "reason": None if item.reason is None else texts.finding(item.reason),
            "normal_low": None if item.normal is None else item.normal[0],
            "normal_high": None if item.normal is None else item.normal[1],
            "compared_with": None if compared is None else compared.kind,
            "compared_value": other,
            "difference": float(other) - float(item.value) if both else None,  # type: ignore[arg-type]
            "version": item.version,
            "definition": definition,
            "source": item.source,
        }
        rows.append(MeasureRow(cells))
    return rows


def as_csv(rows: Sequence[MeasureRow]) -> str:
    """Return the rows as CSV (comma, point, quotes where needed, one line a measure)."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows([row.written(name) for name in COLUMNS] for row in rows)
    return out.getvalue()


def as_text(rows: Sequence[MeasureRow], texts: Texts) -> str:
    """Return the rows as lines for a letter: name, value with its word, uncertainty, and what it is compared with."""
    if not rows:
        return ""
    side = texts.text(f"label.leg_{rows[0].cells['side']}")
    lines = [f"{rows[0].written('case')} {side}"]
    for row in rows:
        if row.cells["value"] is None:
            continue
        unit = str(row.cells["unit"])
        sd = row.cells["sd"]
        words = row.written("words") + ("" if not isinstance(sd, float) else f" ± {sd:.{0 if unit == '%' else 1}f}")
        line = f"{row.written('name'):<24} {words:<32}"
        if row.cells["compared_value"] is not None:
            other = value_words(row.written("measure"), row.cells["compared_value"], unit, texts)
            line += " " + texts.text(f"ui.compare_{row.written('compared_with')}") + f": {other}"
        lines.append(line.rstrip())
    return "\n".join(lines) + "\n"


def write_measures_csv(session: Session, side: Side, folder: Path, rows: Sequence[MeasureRow]) -> Path:
    """Write the CSV into a folder under the program's name for such a file, and return its path.

    Raises
    ------
    ComputationError
        ``measures_not_written`` when the folder refuses.
    """
    approved = any(item.role == "surgeon" for item in session.case.approvals)
    fingerprint = session.fingerprint(measures_key(side))
    identity = FileIdentity(session.case.code, side.value, "measures", "leg", fingerprint, "approved" if approved else "draft")
    path = folder / f"{identity.stem}.csv"
    part = path.with_suffix(".part")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        part.write_text(as_csv(rows), encoding="utf-8", newline="")
        os.replace(part, path)
    except OSError as error:
        raise ComputationError("measures_not_written", file=folder, detail=str(error)) from error
    return path
