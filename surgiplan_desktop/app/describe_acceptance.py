"""The acceptance test in words: lines for a terminal, the JSON of ``accept --json``, and the sheet for the archive."""

from __future__ import annotations

from html import escape

from surgiplan_desktop.app.acceptance import Acceptance
from surgiplan_desktop.app.acceptance_road import AcceptanceRow, LegResult
from surgiplan_desktop.app.texts import Texts
from surgiplan_desktop.files.acceptance_sheet import AcceptanceSheet, SheetTable
from surgiplan_desktop.files.sidecar import RESEARCH_USE_ONLY

_UNIT_SIGNS = {"deg": "°", "mm3": " mm³"}


def acceptance_data(result: Acceptance) -> dict[str, object]:
    """Return the test as JSON values."""
    return {
        "verdict": "pass" if result.passed else "fail",
        "failed": list(result.failed),
        "legs": [
            {
                "name": leg.name,
                "side": str(leg.parameters.side),
                "blocks": leg.blocks,
                "parameters": leg.parameters.as_dict(),
                "seconds": dict(leg.seconds),
                "error": None if leg.broken is None else leg.broken.message_id,
                "rows": [_row_data(row) for row in leg.rows],
            }
            for leg in result.legs
        ],
        "versions": dict(result.versions),
        "hardware": dict(result.hardware),
        "started": result.started_utc,
        "seconds": result.seconds,
    }


def acceptance_lines(result: Acceptance, texts: Texts) -> tuple[str, ...]:
    """Return the table for a terminal: what failed first, then one line a comparison."""
    lines = ["RESEARCH USE ONLY", ""]
    for leg in result.legs:
        lines.append(f"{_leg_heading(leg, texts)}  ({sum(leg.seconds.values()):.0f} s)")
        lines += [f"  {_mark(row)}  {row.id:<32}" + "".join(f"{cell:>14}" for cell in _cells(row)) for row in leg.rows]
        lines += [f"  {texts.error(leg.broken)[0]}"] if leg.broken is not None else []
        lines.append("")
    lines += [failure_words(leg, row, texts) for leg in result.legs for row in leg.rows if row.status == "fail"]
    lines.append(_verdict(result, texts))
    return tuple(lines)


def failure_words(leg: LegResult, row: AcceptanceRow, texts: Texts) -> str:
    """Say what failed, by how much, and which measures hang on it."""
    expected, found, error, limit = _cells(row)
    words = texts.text(
        "ui.accept_failure", leg=leg.name, stage=row.stage, what=row.id, expected=expected, found=found, error=error, limit=limit
    )
    return f"{words} {texts.text('ui.accept_needs', measures=', '.join(row.needs))}" if row.needs else words


def acceptance_sheet(result: Acceptance, texts: Texts) -> AcceptanceSheet:
    """Return the sheet with every word in place."""
    head = tuple(
        texts.text(f"ui.accept_column_{name}") for name in ("stage", "what", "true", "found", "error", "limit", "result")
    )
    tables = []
    for leg in result.legs:
        rows = tuple((row.stage, row.id, *_cells(row), texts.text(f"ui.accept_{row.status}")) for row in leg.rows)
        failed = frozenset(number for number, row in enumerate(leg.rows) if row.status == "fail")
        tables.append(SheetTable(_leg_heading(leg, texts), head, rows, (1.5, 3.4, 1.2, 1.2, 1.2, 1.1, 0.9), failed))
    times = tuple((leg.name, *(f"{leg.seconds.get(stage, 0.0):.1f}" for stage in _stages(result))) for leg in result.legs)
    tables.append(
        SheetTable(texts.text("ui.accept_times"), ("", *_stages(result)), times, (1.6, *(1.0 for _ in _stages(result))))
    )
    trials = tuple(
        (texts.text(f"ui.doctor_{trial.id}"), f"{trial.value:g} {trial.unit}" if isinstance(trial.value, float) else trial.value)
        for trial in result.trials
    )
    summary = [failure_words(leg, row, texts) for leg in result.legs for row in leg.rows if row.status == "fail"]
    return AcceptanceSheet(
        title=texts.text("ui.accept_title"),
        verdict=_verdict(result, texts),
        passed=result.passed,
        summary=tuple(escape(line) for line in summary) or (texts.text("ui.accept_all_held"),),
        facts=tuple(
            (escape(name), escape(value))
            for name, value in (
                (texts.text("ui.accept_started"), result.started_utc),
                (texts.text("ui.accept_seconds"), f"{result.seconds:.0f} s"),
                *result.hardware,
                *result.versions,
                *trials,
            )
        ),
        tables=tuple(tables),
        signature=tuple(texts.text(f"ui.accept_{name}") for name in ("site", "performed_by", "date", "signature")),
        notice=RESEARCH_USE_ONLY,
    )


def _stages(result: Acceptance) -> tuple[str, ...]:
    return tuple(dict.fromkeys(stage for leg in result.legs for stage in leg.seconds))


def _verdict(result: Acceptance, texts: Texts) -> str:
    rows = sum(len(leg.rows) for leg in result.legs)
    name = "ui.accept_verdict_pass" if result.passed else "ui.accept_verdict_fail"
    return texts.text(name, legs=len(result.legs), rows=rows, failed=len(result.failed))


def _leg_heading(leg: LegResult, texts: Texts) -> str:
    name = "ui.accept_leg_blocks" if leg.blocks > 1 else "ui.accept_leg_whole"
    chosen = leg.parameters
    return texts.text(
        name,
        leg=leg.name,
        blocks=leg.blocks,
        hka=180.0 + chosen.hka_deviation_deg,
        mldfa=chosen.mldfa_deg,
        mpta=chosen.mpta_deg,
        jlca=chosen.jlca_deg,
    )


def _mark(row: AcceptanceRow) -> str:
    return "ok  " if row.status == "pass" else "FAIL"


def _cells(row: AcceptanceRow) -> tuple[str, str, str, str]:
    """True value, found value, error and limit as texts."""
    unit = _UNIT_SIGNS.get(row.unit, f" {row.unit}" if row.unit else "")
    error = "" if row.error is None else f"{row.error:+.3f}{unit}"
    limit = "" if row.limit is None else f"{row.limit:g}{unit}"
    return _value(row.expected), _value(row.found), error, limit


def _value(value: float | str | None) -> str:
    if value is None:
        return "-"
    return value if isinstance(value, str) else f"{value:.3f}"


def _row_data(row: AcceptanceRow) -> dict[str, object]:
    return {
        "stage": row.stage,
        "id": row.id,
        "true": row.expected,
        "found": row.found,
        "error": row.error,
        "limit": row.limit,
        "unit": row.unit,
        "status": row.status,
        "needs": list(row.needs),
    }
