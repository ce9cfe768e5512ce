"""The result of the acceptance test on paper: verdict, machine, versions, and every comparison. Words come in ready to print."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from surgiplan_desktop.files.mesh_files import write_atomic
from surgiplan_desktop.files.report import register_fonts

_FONT, _BOLD = "DejaVuSans", "DejaVuSans-Bold"
_MARGIN: Final = 42.0
_RED, _GREEN, _LINE, _BAND = "#B32620", "#14754A", "#CCD1D6", "#F0F2F5"


@dataclass(frozen=True, slots=True)
class SheetTable:
    """A table with a heading; rows whose number is in ``failed`` are printed red and bold."""

    heading: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    widths: tuple[float, ...]
    failed: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class AcceptanceSheet:
    """Everything that stands on the sheet; ``signature`` are fields to be filled in by hand."""

    title: str
    verdict: str
    passed: bool
    summary: tuple[str, ...]
    facts: tuple[tuple[str, str], ...]
    tables: tuple[SheetTable, ...]
    signature: tuple[str, ...]
    notice: str


def write_acceptance_pdf(path: Path, sheet: AcceptanceSheet) -> None:
    """Set the sheets (A4, as many as needed) and write them atomically; UsageError ``output_not_writable``."""
    from reportlab.lib.colors import HexColor
    from reportlab.lib.pagesizes import A4
    from reportlab.lib.styles import ParagraphStyle
    from reportlab.platypus import KeepTogether, Paragraph, SimpleDocTemplate, Spacer

    register_fonts()
    data = io.BytesIO()
    document = SimpleDocTemplate(
        data, pagesize=A4, leftMargin=_MARGIN, rightMargin=_MARGIN, topMargin=_MARGIN, bottomMargin=_MARGIN + 14,
        title=sheet.title, author="SurgiPlan Desktop", subject=sheet.notice, invariant=1,
    )  # fmt: skip
    wide = A4[0] - 2 * _MARGIN
    text = ParagraphStyle("text", fontName=_FONT, fontSize=8.4, leading=12)
    small = ParagraphStyle("small", parent=text, fontSize=7.4, leading=10)
    heading = ParagraphStyle("heading", parent=text, fontName=_BOLD, fontSize=10, leading=14, spaceBefore=8, spaceAfter=3)
    colour = HexColor(_GREEN if sheet.passed else _RED)
    verdict = ParagraphStyle("verdict", parent=text, fontName=_BOLD, fontSize=20, leading=26, textColor=colour)
    story: list[Any] = [Paragraph(sheet.title, heading), Paragraph(sheet.verdict, verdict)]
    story += [Paragraph(line, text) for line in sheet.summary]
    story += [Spacer(1, 6), _facts(sheet.facts, wide, small), Spacer(1, 4)]
    for table in sheet.tables:
        story += [Paragraph(table.heading, heading), _table(table, wide)]
    lines = SheetTable("", (), tuple((name, "") for name in sheet.signature), (1.0, 3.0))
    story.append(KeepTogether([Spacer(1, 14), _table(lines, wide, padding=9.0)]))

    def foot(canvas: Any, _: Any) -> None:
        canvas.setFont(_BOLD, 7)
        canvas.setFillColor(HexColor(_RED))
        canvas.drawString(_MARGIN, _MARGIN, sheet.notice)
        canvas.drawRightString(A4[0] - _MARGIN, _MARGIN - 10, str(canvas.getPageNumber()))

    document.build(story, onFirstPage=foot, onLaterPages=foot)
    write_atomic(path, data.getvalue())


def _facts(facts: Sequence[tuple[str, str]], wide: float, style: Any) -> Any:
    """Set name and value pairs in two columns."""
    from reportlab.platypus import Paragraph, Table

    cells = [Paragraph(f'<font color="#6B737D">{name}</font>&nbsp; {value}', style) for name, value in facts]
    if len(cells) % 2:
        cells.append(Paragraph("", style))
    half = len(cells) // 2
    return Table([[cells[row], cells[half + row]] for row in range(half)], colWidths=[wide / 2] * 2,
                 style=[("TOPPADDING", (0, 0), (-1, -1), 0), ("BOTTOMPADDING", (0, 0), (-1, -1), 1)])  # fmt: skip


def _table(table: SheetTable, wide: float, *, padding: float = 1.6) -> Any:
    from reportlab.lib.colors import HexColor
    from reportlab.platypus import Table

    total = sum(table.widths)
    style: list[tuple[Any, ...]] = [
        ("FONT", (0, 0), (-1, -1), _FONT, 7.2),
        ("LINEBELOW", (0, 0), (-1, -1), 0.35, HexColor(_LINE)),
        ("TOPPADDING", (0, 0), (-1, -1), padding),
        ("BOTTOMPADDING", (0, 0), (-1, -1), padding),
        ("VALIGN", (0, 0), (-1, -1), "MIDDLE"),
        ("ALIGN", (2, 0), (-2, -1), "RIGHT"),
    ]
    first = 1 if table.head else 0
    if table.head:
        style += [("FONT", (0, 0), (-1, 0), _BOLD, 7.0), ("BACKGROUND", (0, 0), (-1, 0), HexColor(_BAND))]
    for row in table.failed:
        style += [("FONT", (0, row + first), (-1, row + first), _BOLD, 7.2),
                  ("TEXTCOLOR", (0, row + first), (-1, row + first), HexColor(_RED))]  # fmt: skip
    rows = [table.head, *table.rows] if table.head else list(table.rows)
    return Table(rows, colWidths=[wide * share / total for share in table.widths], repeatRows=first, style=style)
