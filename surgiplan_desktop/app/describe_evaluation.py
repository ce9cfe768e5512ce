"""An evaluation as the JSON of the contract and as lines for people."""

from __future__ import annotations

import math
from collections.abc import Sequence

from surgiplan_desktop.app.evaluate import Agreement, Evaluation
from surgiplan_desktop.app.texts import Texts
from surgiplan_desktop.validation.weighted import METRICS_VERSION

#: Figures of the JSON, by the names of ``SurfaceMetrics``.
_SURFACE = {
    "hd95_mm": "hd95_mm", "assd_mm": "assd_mm", "nsd_1mm": "nsd_1mm", "nsd_0_5mm": "nsd_half_mm", "hd_mm": "hd_mm",
}  # fmt: skip
_MM3_PER_ML = 1000.0


def evaluation_data(evaluation: Evaluation, texts: Texts) -> dict[str, object]:
    """Return the object of ``evaluate --json``; null for what is infinite or cannot be had (``status`` says which)."""
    return {
        "kind": evaluation.kind,
        "metrics_version": METRICS_VERSION,
        "labels": {row.id: _row_data(row) for row in evaluation.rows},
        "median": {
            "dice": _finite(evaluation.median_of("dice")),
            **{key: _finite(evaluation.median_of(name)) for key, name in _SURFACE.items()},
        },
        "findings": [
            {"code": item.code, "severity": item.severity, "text": texts.finding(item), "files": list(item.files)}
            for item in evaluation.findings
        ],
    }


def _row_data(row: Agreement) -> dict[str, object]:
    return {
        "name": row.name,
        "status": row.status,
        "dice": _finite(row.dice),
        **{key: _finite(getattr(row.surface, name)) for key, name in _SURFACE.items()},
        "asd_mm": _pair(row.surface.asd_mm),
        "volume_mm3": _pair(row.volume_mm3),
        "common_volume_mm3": _pair(row.common_volume_mm3),
        "at_edge": row.at_edge,
    }


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _pair(values: Sequence[float]) -> list[float | None]:
    return [_finite(value) for value in values]


def evaluation_lines(evaluation: Evaluation, texts: Texts) -> tuple[str, ...]:
    """Return a table with one line a label, the medians, and what has to be said."""
    head = tuple(texts.text(f"ui.evaluate_{name}") for name in ("label", "dice", "hd95", "assd", "nsd", "volumes"))
    rows = [head, *(_cells(row) for row in evaluation.rows)]
    if len(evaluation.rows) > 1:
        figures = [evaluation.median_of(name) for name in ("dice", "hd95_mm", "assd_mm", "nsd_1mm")]
        rows.append((texts.text("ui.evaluate_median"), *map(_told, figures, (3, 2, 2, 3)), ""))
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    lines = [
        "  ".join(
            [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        ).rstrip()
        for row in rows
    ]
    lines += [
        f"{item.code}: {texts.finding(item)}" + "".join(f" ({name})" for name in item.files) for item in evaluation.findings
    ]
    return tuple(lines)


def _cells(row: Agreement) -> tuple[str, ...]:
    surface = row.surface
    volumes = " / ".join(_told(volume / _MM3_PER_ML, 2) for volume in row.volume_mm3)
    return (
        row.name, _told(row.dice, 3), _told(surface.hd95_mm, 2), _told(surface.assd_mm, 2), _told(surface.nsd_1mm, 3), volumes,
    )  # fmt: skip


def _told(value: float, digits: int) -> str:
    return "-" if math.isnan(value) else f"{value:.{digits}f}"
