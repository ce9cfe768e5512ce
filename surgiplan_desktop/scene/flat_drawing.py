"""Flat drawings as data: boxes, strokes and words by colour role; the window paints them, files hold them as SVG or picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal
from xml.sax.saxutils import escape, quoteattr

import numpy as np
from numpy.typing import NDArray

from surgiplan_desktop.base.paths import resource_folder

Rgb = tuple[int, int, int]
#: Colours on paper by role; the window has its own.
PAPER: Final[dict[str, Rgb]] = {
    "paper": (255, 255, 255),
    "ink": (31, 36, 43),
    "quiet": (92, 100, 112),
    "line": (196, 202, 210),
    "band": (238, 241, 245),
    "strong": (170, 72, 18),
    "mild": (128, 150, 172),
    "lying": (222, 170, 128),
}


@dataclass(frozen=True, slots=True)
class Box:
    """A filled rectangle: left, top, width, height."""

    x: float
    y: float
    wide: float
    high: float
    role: str


@dataclass(frozen=True, slots=True)
class Stroke:
    """A line."""

    x0: float
    y0: float
    x1: float
    y1: float
    role: str
    width: float = 1.0


@dataclass(frozen=True, slots=True)
class Words:
    """A line of text: place of its baseline, size, where it is held."""

    x: float
    y: float
    text: str
    size: float
    role: str = "ink"
    bold: bool = False
    held: Literal["start", "middle", "end"] = "start"


@dataclass(frozen=True, slots=True)
class Drawing:
    """What is drawn, in this order, on a ground of this size (x right, y down)."""

    wide: float
    high: float
    items: tuple[Box | Stroke | Words, ...]


def stacked(drawings: Sequence[Drawing]) -> Drawing:
    """Put drawings under one another."""
    items: list[Box | Stroke | Words] = []
    high = 0.0
    for drawing in drawings:
        for item in drawing.items:
            if isinstance(item, Stroke):
                items.append(replace(item, y0=item.y0 + high, y1=item.y1 + high))
            else:
                items.append(replace(item, y=item.y + high))
        high += drawing.high
    return Drawing(max(drawing.wide for drawing in drawings), high, tuple(items))


def drawing_svg(drawing: Drawing) -> str:
    """Return the drawing as SVG text; equal drawings give equal texts."""
    size = f'width="{drawing.wide:g}" height="{drawing.high:g}" viewBox="0 0 {drawing.wide:g} {drawing.high:g}"'
    rows = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="DejaVu Sans, Arial, sans-serif">',
        f'<rect width="100%" height="100%" fill="{_hex("paper")}"/>',
    ]
    for item in drawing.items:
        colour = _hex(item.role)
        if isinstance(item, Box):
            place = f'x="{item.x:.2f}" y="{item.y:.2f}" width="{item.wide:.2f}" height="{item.high:.2f}"'
            rows.append(f'<rect {place} fill="{colour}"/>')
        elif isinstance(item, Stroke):
            ends = f'x1="{item.x0:.2f}" y1="{item.y0:.2f}" x2="{item.x1:.2f}" y2="{item.y1:.2f}"'
            rows.append(f'<line {ends} stroke="{colour}" stroke-width="{item.width:g}"/>')
        else:
            look = (
                f'font-size="{item.size:g}" font-weight="{"bold" if item.bold else "normal"}" text-anchor={quoteattr(item.held)}'
            )
            rows.append(f'<text x="{item.x:.2f}" y="{item.y:.2f}" fill="{colour}" {look}>{escape(item.text)}</text>')
    return "\n".join([*rows, "</svg>", ""])


def drawing_picture(drawing: Drawing, scale: float = 2.0) -> NDArray[np.uint8]:
    """Return the drawing as a picture (height, width, 3) uint8, ``scale`` pixels a unit; the fonts are the program's own."""
    from PIL import Image, ImageDraw, ImageFont

    picture = Image.new("RGB", (round(drawing.wide * scale), round(drawing.high * scale)), PAPER["paper"])
    pen = ImageDraw.Draw(picture)
    anchors = {"start": "ls", "middle": "ms", "end": "rs"}
    for item in drawing.items:
        colour = PAPER[item.role]
        if isinstance(item, Box):
            corner = (item.x + item.wide) * scale - 1, (item.y + item.high) * scale - 1
            if corner[0] >= item.x * scale and corner[1] >= item.y * scale:
                pen.rectangle([item.x * scale, item.y * scale, *corner], fill=colour)
        elif isinstance(item, Stroke):
            ends = [item.x0 * scale, item.y0 * scale, item.x1 * scale, item.y1 * scale]
            pen.line(ends, fill=colour, width=max(round(item.width * scale), 1))
        else:
            name = "DejaVuSans-Bold.ttf" if item.bold else "DejaVuSans.ttf"
            face = ImageFont.truetype(str(resource_folder() / "fonts" / name), round(item.size * scale))
            pen.text((item.x * scale, item.y * scale), item.text, fill=colour, font=face, anchor=anchors[item.held])
    return np.asarray(picture, dtype=np.uint8)


def _hex(role: str) -> str:
    return "#{:02x}{:02x}{:02x}".format(*PAPER[role])
