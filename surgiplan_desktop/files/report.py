"""The plan on one sheet of paper (A4 PDF). Every word and number comes in ready to print; this module only sets it.

The sheet never clips: type shrinks in steps until all fits, and what still does not is counted in a last line of its table.
The PDF holds no time, so equal content gives equal bytes.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from surgiplan_desktop.base.paths import resource_folder
from surgiplan_desktop.files.mesh_files import write_atomic

Rgb = tuple[float, float, float]
_FONT, _BOLD = "DejaVuSans", "DejaVuSans-Bold"
_PAGE: Final = (595.28, 841.89)
_MARGIN: Final = 26.0
_GUTTER: Final = 12.0
#: Where the tables end.
_BOTTOM: Final = _MARGIN + 24.0
#: Heights of the pictures that are tried, and the type size that the tables shall keep.
_PICTURE_HEIGHTS: Final = (232.0, 212.0, 192.0, 172.0, 152.0, 132.0, 112.0)
_GOOD_SIZE: Final = 6.2
_FIGURES_HEIGHT: Final = 46.0
#: Type sizes that are tried for the tables, largest first.
_SIZES: Final = (7.4, 7.0, 6.6, 6.2, 5.8, 5.4, 5.0)
_INK: Final = (0.12, 0.14, 0.17)
_GREY: Final = (0.42, 0.45, 0.49)
_LINE: Final = (0.80, 0.82, 0.85)
_BAND: Final = (0.945, 0.955, 0.965)
_RED: Final = (0.70, 0.15, 0.12)
_GREEN: Final = (0.08, 0.46, 0.29)
_AMBER: Final = (0.60, 0.36, 0.0)
#: Colour of a side's tag (the word stands beside it always).
SIDE_COLOURS: Final[dict[str, Rgb]] = {"right": (0.42, 0.25, 0.75), "left": (0.04, 0.45, 0.41)}
_TONES: Final[dict[str, Rgb]] = {"": _INK, "ok": _GREEN, "warn": _AMBER, "fail": _RED, "quiet": _GREY}


@dataclass(frozen=True, slots=True, eq=False)
class ReportPicture:
    """A picture (height, width, 3) uint8 with its caption; ``wide`` is its share of the row's width."""

    caption: str
    pixels: NDArray[np.uint8]
    wide: float = 1.0


@dataclass(frozen=True, slots=True)
class Cell:
    """A text of a table with a tone ("", "ok", "warn", "fail", "quiet") and whether it is bold."""

    text: str
    tone: str = ""
    bold: bool = False


@dataclass(frozen=True, slots=True)
class Section:
    """A table: heading, column heads (may be empty), rows, relative widths of the columns, a note below.

    ``more`` is the template of the line that counts rows for which there is no room, e.g. ``"and {count} more"``.
    """

    heading: str
    head: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    widths: tuple[float, ...]
    note: str = ""
    more: str = "+ {count}"


@dataclass(frozen=True, slots=True)
class Figure:
    """A number printed large with its name."""

    name: str
    value: str


@dataclass(frozen=True, slots=True, eq=False)
class ReportContent:
    """Everything that stands on the sheet."""

    title: str
    side: str
    side_word: str
    side_letter: str
    identity: tuple[tuple[str, str], ...]
    state: str
    approved: bool
    notice: str
    footer: str
    pictures: tuple[ReportPicture, ...]
    no_pictures: str
    figures_heading: str
    figures: tuple[Figure, ...]
    figures_note: str
    left: tuple[Section, ...]
    right: tuple[Section, ...]


def write_report_pdf(path: Path, content: ReportContent) -> None:
    """Set the sheet and write it atomically; UsageError ``output_not_writable`` when the folder or disk refuses."""
    from reportlab.pdfgen.canvas import Canvas

    register_fonts()
    data = io.BytesIO()
    canvas = Canvas(data, pagesize=_PAGE, invariant=1, pageCompression=1)
    canvas.setTitle(f"{content.title} {content.side_word}")
    canvas.setSubject(content.notice)
    canvas.setAuthor("SurgiPlan Desktop")
    top = _header(canvas, content)
    if not content.approved:
        _watermark(canvas, content.state)
    top = _pictures(canvas, content, top, _picture_height(content, top - _BOTTOM))
    top = _figures(canvas, content, top)
    _columns(canvas, content, top, _BOTTOM)
    _footer(canvas, content)
    canvas.showPage()
    canvas.save()
    write_atomic(path, data.getvalue())


@cache
def register_fonts() -> None:
    """Register the embedded free font (DejaVu Sans: it has the Turkish letters)."""
    from reportlab.pdfbase.pdfmetrics import registerFont
    from reportlab.pdfbase.ttfonts import TTFont

    for name in (_FONT, _BOLD):
        registerFont(TTFont(name, str(resource_folder() / "fonts" / f"{name}.ttf")))


def _width(text: str, font: str, size: float) -> float:
    from reportlab.pdfbase.pdfmetrics import stringWidth

    return float(stringWidth(text, font, size))


def _text(canvas: Any, x: float, y: float, text: str, size: float, *, font: str = _FONT, colour: Rgb = _INK) -> None:
    canvas.setFillColorRGB(*colour)
    canvas.setFont(font, size)
    canvas.drawString(x, y, text)


def _header(canvas: Any, content: ReportContent) -> float:
    """Set side, case, identity and state; return where the next thing begins."""
    top = _PAGE[1] - _MARGIN
    colour = SIDE_COLOURS[content.side]
    box = 62.0
    canvas.setFillColorRGB(*colour)
    canvas.roundRect(_MARGIN, top - box, box, box, 5, stroke=0, fill=1)
    letter = 52.0
    _text(canvas, _MARGIN + (box - _width(content.side_letter, _BOLD, letter)) / 2, top - box + 12.5, content.side_letter, letter,
          font=_BOLD, colour=(1.0, 1.0, 1.0))  # fmt: skip
    left = _MARGIN + box + 10
    _text(canvas, left, top - 22, content.side_word, 26, font=_BOLD, colour=colour)
    _text(canvas, left + _width(content.side_word, _BOLD, 26) + 10, top - 22, content.title, 12.5, font=_BOLD)
    _state_box(canvas, content, top)
    x, y = left, top - 38
    right_edge = _PAGE[0] - _MARGIN
    for name, value in content.identity:
        wide = max(_width(name, _FONT, 6.2), _width(value, _BOLD, 8.6)) + 14
        if x + wide > right_edge + 14:
            x, y = left, y - 22
        _text(canvas, x, y, name, 6.2, colour=_GREY)
        _text(canvas, x, y - 10.5, value, 8.6, font=_BOLD)
        x += wide
    return min(top - box, y - 12) - 6


def _state_box(canvas: Any, content: ReportContent, top: float) -> None:
    colour = _GREEN if content.approved else _RED
    wide = _width(content.state, _BOLD, 11) + 16
    right = _PAGE[0] - _MARGIN
    canvas.setStrokeColorRGB(*colour)
    canvas.setLineWidth(1.4)
    canvas.roundRect(right - wide, top - 21, wide, 21, 4, stroke=1, fill=0)
    _text(canvas, right - wide + 8, top - 14.5, content.state, 11, font=_BOLD, colour=colour)


def _watermark(canvas: Any, state: str) -> None:
    canvas.saveState()
    canvas.setFillColorRGB(0.70, 0.15, 0.12)
    canvas.setFillAlpha(0.05)
    canvas.translate(_PAGE[0] / 2, _PAGE[1] * 0.33)
    canvas.rotate(38)
    canvas.setFont(_BOLD, 64)
    canvas.drawCentredString(0, 0, state)
    canvas.restoreState()


def _picture_height(content: ReportContent, room: float) -> float:
    """Return the largest height of the pictures at which the tables keep a good type size."""
    wide = (_PAGE[0] - 2 * _MARGIN - _GUTTER) / 2
    needed = max(_needed(sections, wide, _GOOD_SIZE) for sections in (content.left, content.right))
    other = 26.0 + (_FIGURES_HEIGHT + 10.0 if content.figures else 0.0)
    return next((height for height in _PICTURE_HEIGHTS if height + other + needed <= room), _PICTURE_HEIGHTS[-1])


def _pictures(canvas: Any, content: ReportContent, top: float, height: float) -> float:
    from PIL import Image
    from reportlab.lib.utils import ImageReader

    room = _PAGE[0] - 2 * _MARGIN
    if not content.pictures:
        canvas.setFillColorRGB(*_BAND)
        canvas.roundRect(_MARGIN, top - 26, room, 26, 3, stroke=0, fill=1)
        for number, line in enumerate(_wrapped(content.no_pictures, _FONT, 8, room - 16)[:2]):
            _text(canvas, _MARGIN + 8, top - 11 - 10 * number, line, 8, colour=_GREY)
        return top - 36
    total = sum(picture.wide for picture in content.pictures)
    gaps = _GUTTER * (len(content.pictures) - 1)
    x = _MARGIN
    for picture in content.pictures:
        wide = (room - gaps) * picture.wide / total
        rows, columns, _ = picture.pixels.shape
        scale = min((wide - 2) / columns, (height - 2) / rows)
        canvas.setStrokeColorRGB(*_LINE)
        canvas.setLineWidth(0.6)
        image = ImageReader(Image.fromarray(picture.pixels))
        canvas.drawImage(image, x + (wide - columns * scale) / 2, top - height + (height - rows * scale) / 2,
                         columns * scale, rows * scale)  # fmt: skip
        canvas.roundRect(x, top - height, wide, height, 3, stroke=1, fill=0)
        for number, line in enumerate(_wrapped(picture.caption, _FONT, 6.4, wide)[:2]):
            _text(canvas, x + 2, top - height - 9 - 8 * number, line, 6.4, colour=_GREY)
        x += wide + _GUTTER
    lines = max(len(_wrapped(item.caption, _FONT, 6.4, (room - gaps) * item.wide / total)[:2]) for item in content.pictures)
    return top - height - 8 * lines - 10


def _figures(canvas: Any, content: ReportContent, top: float) -> float:
    """Set the gaps to measure: the only numbers printed large."""
    if not content.figures:
        return top
    room = _PAGE[0] - 2 * _MARGIN
    canvas.setFillColorRGB(*_BAND)
    canvas.roundRect(_MARGIN, top - _FIGURES_HEIGHT, room, _FIGURES_HEIGHT, 4, stroke=0, fill=1)
    label = 132.0
    lines = _wrapped(content.figures_heading, _BOLD, 9, label - 14)
    for number, line in enumerate(lines[:2]):
        _text(canvas, _MARGIN + 8, top - 14 - 11 * number, line, 9, font=_BOLD)
    for number, line in enumerate(_wrapped(content.figures_note, _FONT, 6.0, label - 10)[:2]):
        _text(canvas, _MARGIN + 8, top - 15 - 11 * min(len(lines), 2) - 7.5 * number, line, 6.0, colour=_GREY)
    each = (room - label) / len(content.figures)
    for number, figure in enumerate(content.figures):
        x = _MARGIN + label + number * each
        _text(canvas, x, top - 13, figure.name, 7.4, colour=_GREY)
        _text(canvas, x, top - 38, figure.value, 22, font=_BOLD)
    return top - _FIGURES_HEIGHT - 10


def _columns(canvas: Any, content: ReportContent, top: float, bottom: float) -> None:
    wide = (_PAGE[0] - 2 * _MARGIN - _GUTTER) / 2
    for number, sections in enumerate((content.left, content.right)):
        x = _MARGIN + number * (wide + _GUTTER)
        size = next((size for size in _SIZES if _needed(sections, wide, size) <= top - bottom), _SIZES[-1])
        y = top
        for section in sections:
            y = _section(canvas, section, x, y, wide, size, bottom)


def _leading(size: float) -> float:
    return size * 1.30


def _needed(sections: Sequence[Section], wide: float, size: float) -> float:
    return sum(_section_height(section, wide, size) for section in sections)


def _section_height(section: Section, wide: float, size: float) -> float:
    height = size * 1.25 + 7 + (_leading(size) + 1 if section.head else 0.0)
    height += sum(_row_height(section, row, wide, size) for row in section.rows)
    height += len(_wrapped(section.note, _FONT, size * 0.86, wide)) * _leading(size * 0.86) if section.note else 0.0
    return height + 7


def _row_height(section: Section, row: tuple[Cell, ...], wide: float, size: float) -> float:
    return max(len(lines) for lines in _row_lines(section, row, wide, size)) * _leading(size) + 2.2


def _row_lines(section: Section, row: tuple[Cell, ...], wide: float, size: float) -> list[list[str]]:
    total = sum(section.widths)
    return [
        _wrapped(cell.text, _BOLD if cell.bold else _FONT, size, wide * share / total - 4) or [""]
        for cell, share in zip(row, section.widths, strict=True)
    ]


def _section(canvas: Any, section: Section, x: float, y: float, wide: float, size: float, bottom: float) -> float:
    """Set a table and return where the next begins; rows that find no room are counted in a last line."""
    y -= size * 1.25 + 1
    heading = min(size * 1.18, size * 1.18 * wide / max(_width(section.heading, _BOLD, size * 1.18), 1.0))
    _text(canvas, x, y + 1, section.heading, heading, font=_BOLD)
    y -= 3
    canvas.setStrokeColorRGB(*_INK)
    canvas.setLineWidth(0.7)
    canvas.line(x, y, x + wide, y)
    y -= 1.5
    total = sum(section.widths)
    starts = [x + wide * sum(section.widths[:number]) / total for number in range(len(section.widths))]
    if section.head:
        for start, text in zip(starts, section.head, strict=True):
            _text(canvas, start + 1, y - size * 0.95, text, size * 0.88, colour=_GREY)
        y -= _leading(size) + 1
    for number, row in enumerate(section.rows):
        lines = _row_lines(section, row, wide, size)
        height = max(map(len, lines)) * _leading(size) + 2.2
        last = number == len(section.rows) - 1
        if y - height - (0 if last else _leading(size)) < bottom:
            _text(canvas, x + 1, y - size, section.more.format(count=len(section.rows) - number), size, font=_BOLD, colour=_AMBER)
            return y - _leading(size) - 6
        for start, cell, texts in zip(starts, row, lines, strict=True):
            for line, text in enumerate(texts):
                _text(canvas, start + 1, y - size - line * _leading(size), text, size,
                      font=_BOLD if cell.bold else _FONT, colour=_TONES[cell.tone])  # fmt: skip
        y -= height
        canvas.setStrokeColorRGB(*_LINE)
        canvas.setLineWidth(0.35)
        canvas.line(x, y, x + wide, y)
    if section.note:
        for text in _wrapped(section.note, _FONT, size * 0.86, wide):
            y -= _leading(size * 0.86)
            _text(canvas, x + 1, y + 1, text, size * 0.86, colour=_GREY)
    return y - 6


def _footer(canvas: Any, content: ReportContent) -> None:
    canvas.setStrokeColorRGB(*_RED)
    canvas.setLineWidth(0.8)
    canvas.line(_MARGIN, _MARGIN + 15, _PAGE[0] - _MARGIN, _MARGIN + 15)
    room = _PAGE[0] - 2 * _MARGIN
    size = next((s for s in (7.6, 7.0, 6.4, 5.8, 5.2) if _width(content.notice, _BOLD, s) <= room), 4.8)
    _text(canvas, _MARGIN, _MARGIN + 5.5, content.notice, size, font=_BOLD, colour=_RED)
    _text(canvas, _MARGIN, _MARGIN - 4.5, content.footer, 5.8, colour=_GREY)


def _wrapped(text: str, font: str, size: float, wide: float) -> list[str]:
    """Break a text into lines of a width; a word that is longer than a line is broken too."""
    lines: list[str] = []
    current = ""
    for word in text.split():
        longer = f"{current} {word}".strip()
        if _width(longer, font, size) <= wide:
            current = longer
            continue
        if current:
            lines.append(current)
        while _width(word, font, size) > wide and len(word) > 1:
            cut = next((n for n in range(len(word) - 1, 0, -1) if _width(word[:n], font, size) <= wide), 1)
            lines.append(word[:cut])
            word = word[cut:]
        current = word
    return [*lines, current] if current else lines
