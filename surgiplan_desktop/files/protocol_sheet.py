"""The scan protocol as one printed page (A4): table of blocks, drawing of the leg, rules, fields to fill in by hand.

Words come in ready to print. The page holds no time, so equal content gives equal bytes.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from surgiplan_desktop.files.mesh_files import write_atomic
from surgiplan_desktop.files.report import register_fonts

_FONT, _BOLD = "DejaVuSans", "DejaVuSans-Bold"
_WIDE, _HIGH = 595.28, 841.89
_MARGIN: Final = 40.0
_DRAWING: Final = 160.0
_INK, _GREY, _LINE, _BAND, _ACCENT = "#1F2429", "#6B737D", "#B9C0C7", "#E4EEF8", "#1B5E9B"
#: Type sizes of the rules that are tried, largest first, until the page holds all of them.
_SIZES: Final = (9.6, 9.2, 8.8, 8.4, 8.0, 7.6, 7.2)
#: Heights of the drawing, from the ankle (0) to the hip (1): the three blocks.
_BLOCKS: Final = ((0.83, 1.06), (0.31, 0.67), (-0.09, 0.075))


@dataclass(frozen=True, slots=True)
class ProtocolSection:
    """A heading with its rules."""

    heading: str
    items: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ProtocolSheet:
    """Everything that stands on the page; ``drawing`` names hip, knee and ankle, ``fields`` are filled in by hand."""

    title: str
    subtitle: str
    table_head: tuple[str, ...]
    table_rows: tuple[tuple[str, ...], ...]
    drawing: tuple[str, str, str]
    sections: tuple[ProtocolSection, ...]
    fields: tuple[str, ...]
    notice: str
    footer: str


def write_protocol_pdf(path: Path, sheet: ProtocolSheet) -> None:
    """Set the page and write it atomically; UsageError ``output_not_writable`` when the folder or disk refuses."""
    from reportlab.pdfgen.canvas import Canvas

    register_fonts()
    data = io.BytesIO()
    canvas = Canvas(data, pagesize=(_WIDE, _HIGH), invariant=1, pageCompression=1)
    canvas.setTitle(sheet.title)
    canvas.setSubject(sheet.notice)
    canvas.setAuthor("SurgiPlan Desktop")
    top = _header(canvas, sheet)
    top = _table(canvas, sheet, top - 12.0)
    bottom = _form(canvas, sheet)
    _leg(canvas, sheet.drawing, top - 16.0, bottom + 14.0)
    _rules(canvas, sheet.sections, top - 14.0, bottom + 10.0)
    canvas.showPage()
    canvas.save()
    write_atomic(path, data.getvalue())


def _paragraph(text: str, size: float, *, bold: bool = False, colour: str = _INK, indent: float = 0.0) -> Any:
    from html import escape

    from reportlab.lib.colors import HexColor
    from reportlab.lib.styles import ParagraphStyle
    from reportlab.platypus import Paragraph

    style = ParagraphStyle(
        "text", fontName=_BOLD if bold else _FONT, fontSize=size, leading=size * 1.32, textColor=HexColor(colour),
        leftIndent=indent, bulletIndent=0.0, bulletFontName=_FONT, bulletFontSize=size,
    )  # fmt: skip
    # a number and its unit stay on one line
    kept = escape(text).replace("≤ ", "≤\N{NO-BREAK SPACE}").replace(" mm", "\N{NO-BREAK SPACE}mm")
    return Paragraph(kept, style, bulletText="•" if indent else None)


def _put(canvas: Any, paragraph: Any, x: float, top: float, wide: float) -> float:
    """Set a paragraph with its top at a height; return where it ends."""
    _, high = paragraph.wrap(wide, _HIGH)
    paragraph.drawOn(canvas, x, top - high)
    return float(top - high)


def _header(canvas: Any, sheet: ProtocolSheet) -> float:
    from reportlab.lib.colors import HexColor

    wide = _WIDE - 2 * _MARGIN
    top = _put(canvas, _paragraph(sheet.title, 17.0, bold=True, colour=_ACCENT), _MARGIN, _HIGH - _MARGIN + 6.0, wide)
    top = _put(canvas, _paragraph(sheet.subtitle, 10.5, colour=_GREY), _MARGIN, top - 4.0, wide)
    canvas.setStrokeColor(HexColor(_ACCENT))
    canvas.setLineWidth(1.2)
    canvas.line(_MARGIN, top - 6.0, _WIDE - _MARGIN, top - 6.0)
    return top - 6.0


def _table(canvas: Any, sheet: ProtocolSheet, top: float) -> float:
    from reportlab.lib.colors import HexColor
    from reportlab.platypus import Table, TableStyle

    wide = _WIDE - 2 * _MARGIN
    cells = [[_paragraph(text, 7.8, bold=True, colour=_GREY) for text in sheet.table_head]]
    cells += [[_paragraph(text, 9.2, bold=column in (0, 3)) for column, text in enumerate(row)] for row in sheet.table_rows]
    table = Table(cells, colWidths=[wide * share for share in (0.175, 0.225, 0.22, 0.15, 0.23)])
    table.setStyle(
        TableStyle(
            [
                ("VALIGN", (0, 0), (-1, -1), "MIDDLE"),
                ("BACKGROUND", (0, 1), (-1, -1), HexColor(_BAND)),
                ("LINEBELOW", (0, 0), (-1, -1), 0.6, HexColor("#FFFFFF")),
                ("LEFTPADDING", (0, 0), (-1, -1), 5),
                ("RIGHTPADDING", (0, 0), (-1, -1), 4),
                ("TOPPADDING", (0, 0), (-1, -1), 4),
                ("BOTTOMPADDING", (0, 0), (-1, -1), 5),
            ]
        )
    )
    _, high = table.wrap(wide, _HIGH)
    table.drawOn(canvas, _MARGIN, top - high)
    return float(top - high)


def _rules(canvas: Any, sections: tuple[ProtocolSection, ...], top: float, bottom: float) -> None:
    """Set the rules right of the drawing, in the largest type that fits."""
    x = _MARGIN + _DRAWING + 18.0
    wide = _WIDE - _MARGIN - x
    for size in _SIZES:
        lines = []
        for section in sections:
            lines.append((_paragraph(section.heading, size * 1.12, bold=True, colour=_ACCENT), size * 0.9))
            lines += [(_paragraph(item, size, indent=size), size * 0.28) for item in section.items]
        needed = sum(paragraph.wrap(wide, _HIGH)[1] + space for paragraph, space in lines)
        if needed <= top - bottom or size == _SIZES[-1]:
            # what is left over goes between the sections, so that the page is filled evenly
            spare = min(max(top - bottom - needed, 0.0) / max(len(sections) - 1, 1), 14.0)
            for number, (paragraph, space) in enumerate(lines):
                heading = space > size * 0.5
                top = _put(canvas, paragraph, x, top - (space + spare if heading and number else 0.0), wide)
                top -= 0.0 if heading else space
            return


def _form(canvas: Any, sheet: ProtocolSheet) -> float:
    """Set the fields, notice and footer at the foot of the page; return the height above them."""
    from reportlab.lib.colors import HexColor

    wide = _WIDE - 2 * _MARGIN
    notice = _paragraph(sheet.notice, 7.2, bold=True, colour="#B32620")
    high = float(notice.wrap(wide, _HIGH)[1])
    notice.drawOn(canvas, _MARGIN, _MARGIN)
    canvas.setFont(_FONT, 6.6)
    canvas.setFillColor(HexColor(_GREY))
    canvas.drawString(_MARGIN, _MARGIN - 11.0, sheet.footer)
    base = _MARGIN + high + 18.0
    each = wide / len(sheet.fields)
    canvas.setStrokeColor(HexColor(_LINE))
    canvas.setLineWidth(0.7)
    for number, text in enumerate(sheet.fields):
        x = _MARGIN + number * each
        canvas.line(x, base, x + each - 10.0, base)
        canvas.setFont(_FONT, 7.4)
        canvas.setFillColor(HexColor(_GREY))
        canvas.drawString(x, base - 9.5 if "☐" not in text else base + 5.0, text)
    return base + 24.0


def _leg(canvas: Any, names: tuple[str, str, str], top: float, bottom: float) -> None:
    """Draw a right leg seen from in front, with the three blocks as bands."""
    from reportlab.lib.colors import HexColor

    ankle = bottom + 0.10 * (top - bottom)
    unit = (top - bottom) / 1.22
    middle = _MARGIN + 88.0

    def at(x: float, y: float) -> tuple[float, float]:
        return middle + x * unit, ankle + y * unit

    canvas.setFillColor(HexColor(_BAND))
    for low, high in _BLOCKS:
        canvas.rect(_MARGIN, at(0, low)[1], _DRAWING, (high - low) * unit, stroke=0, fill=1)
    canvas.setStrokeColor(HexColor("#5A6570"))
    canvas.setFillColor(HexColor("#FFFFFF"))
    canvas.setLineWidth(1.0)
    for outline in _BONES:
        path = canvas.beginPath()
        path.moveTo(*at(*outline[0]))
        for first, second, end in zip(outline[1::3], outline[2::3], outline[3::3], strict=True):
            path.curveTo(*at(*first), *at(*second), *at(*end))
        path.close()
        canvas.drawPath(path, stroke=1, fill=1)
    for x, y, radius in ((0.105, 0.985, 0.030), (0.004, 0.515, 0.028)):
        canvas.circle(*at(x, y), radius * unit, stroke=1, fill=1)
    for name, (low, high) in zip(names, _BLOCKS, strict=True):
        canvas.setFont(_BOLD, 8.0)
        canvas.setFillColor(HexColor(_ACCENT))
        canvas.drawString(_MARGIN + 4.0, at(0, high)[1] - 11.0, name)
        canvas.setStrokeColor(HexColor(_ACCENT))
        canvas.setLineWidth(0.8)
        for y in (low, high):
            canvas.line(_MARGIN, at(0, y)[1], _MARGIN + _DRAWING, at(0, y)[1])


#: Outlines of the bones as cubic curves: start, then (control, control, end) in turn; x to the patient's left, y up, leg 1.
_BONES: Final = (
    (  # half of the pelvis
        (0.075, 1.045), (0.050, 1.065), (0.060, 1.095), (0.110, 1.100), (0.160, 1.105), (0.175, 1.070), (0.178, 1.040),
        (0.180, 1.000), (0.185, 0.960), (0.170, 0.935), (0.155, 0.915), (0.135, 0.925), (0.142, 0.950),
        (0.150, 0.985), (0.120, 1.025), (0.105, 1.025), (0.090, 1.025), (0.085, 1.035), (0.075, 1.045),
    ),
    (  # femur
        (0.012, 0.985), (0.000, 0.960), (0.004, 0.925), (0.012, 0.900), (0.016, 0.800), (0.000, 0.680), (-0.014, 0.600),
        (-0.020, 0.570), (-0.048, 0.560), (-0.052, 0.535), (-0.056, 0.500), (-0.036, 0.482), (-0.018, 0.486),
        (-0.006, 0.490), (0.004, 0.498), (0.014, 0.488), (0.034, 0.474), (0.060, 0.490), (0.056, 0.535),
        (0.054, 0.562), (0.034, 0.570), (0.030, 0.600), (0.036, 0.680), (0.052, 0.800), (0.050, 0.890),
        (0.054, 0.920), (0.072, 0.935), (0.092, 0.960), (0.104, 0.990), (0.080, 1.000), (0.068, 0.985),
        (0.052, 0.968), (0.044, 0.975), (0.038, 0.990), (0.030, 1.002), (0.018, 1.000), (0.012, 0.985),
    ),
    (  # fibula
        (-0.046, 0.425), (-0.058, 0.428), (-0.060, 0.408), (-0.052, 0.395), (-0.044, 0.300), (-0.042, 0.120), (-0.046, 0.060),
        (-0.052, 0.020), (-0.050, -0.010), (-0.040, -0.012), (-0.030, -0.010), (-0.030, 0.030), (-0.032, 0.060),
        (-0.032, 0.150), (-0.036, 0.330), (-0.040, 0.395), (-0.036, 0.410), (-0.038, 0.422), (-0.046, 0.425),
    ),
    (  # tibia
        (-0.050, 0.470), (-0.056, 0.448), (-0.034, 0.425), (-0.022, 0.390), (-0.016, 0.300), (-0.018, 0.150), (-0.022, 0.050),
        (-0.024, 0.030), (-0.026, 0.015), (-0.026, 0.010), (-0.010, 0.004), (0.010, 0.004), (0.022, 0.008),
        (0.024, -0.004), (0.034, -0.004), (0.036, 0.010), (0.036, 0.040), (0.026, 0.060), (0.020, 0.100),
        (0.016, 0.200), (0.020, 0.320), (0.030, 0.390), (0.038, 0.425), (0.058, 0.448), (0.054, 0.470),
        (0.036, 0.478), (0.010, 0.472), (0.004, 0.484), (0.000, 0.476), (-0.004, 0.476), (-0.008, 0.484),
        (-0.014, 0.472), (-0.036, 0.478), (-0.050, 0.470),
    ),
    (  # talus and foot
        (-0.028, -0.002), (-0.010, -0.008), (0.010, -0.008), (0.022, -0.002), (0.030, -0.020), (0.034, -0.050), (0.040, -0.080),
        (0.030, -0.100), (-0.030, -0.100), (-0.040, -0.080), (-0.036, -0.050), (-0.034, -0.020), (-0.028, -0.002),
    ),
)  # fmt: skip
