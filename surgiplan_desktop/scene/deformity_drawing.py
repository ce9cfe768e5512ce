"""Where is the deformity, as a drawing: bars to varus and valgus for tibia, femur and joint, and the leg axis, their sum."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from surgiplan_desktop.scene.flat_drawing import Box, Drawing, Stroke, Words

_ROW: Final = 38.0
_NAME: Final = 92.0
_TOP: Final = 78.0
_SIDE: Final = 10.0
_NOTE: Final = 9.5


@dataclass(frozen=True, slots=True)
class DeformityBar:
    """A bar: degrees (varus negative), its words, whether it is lying or standing, whether the part takes part."""

    value_deg: float
    words: str
    pose: Literal["lying", "standing"]
    strong: bool


@dataclass(frozen=True, slots=True)
class DeformityRow:
    """A part of the leg with one bar, or two where lying and standing differ."""

    name: str
    detail: str
    bars: tuple[DeformityBar, ...]
    total: bool = False


@dataclass(frozen=True, slots=True)
class DeformityWords:
    """Words of the drawing."""

    title: str
    sentence: str
    varus: str
    valgus: str
    legend: tuple[tuple[Literal["lying", "standing"], str], ...]
    note: str


def draw_deformity(rows: Sequence[DeformityRow], words: DeformityWords, counts_from_deg: float, wide: float = 460.0) -> Drawing:
    """Draw the bars.

    Parameters
    ----------
    rows
        From above; the last is the sum.
    counts_from_deg
        Half width of the band inside which a part does not count.
    wide
        Width; the height follows from the rows.
    """
    most = max([6.0, *(abs(bar.value_deg) for row in rows for bar in row.bars)])
    half = 0.5 * (wide - _NAME - _SIDE)
    middle = _NAME + half
    per_degree = (half - 4.0) / most
    bottom = _TOP + _ROW * len(rows)
    band = counts_from_deg * per_degree
    items: list[Box | Stroke | Words] = [
        Words(_SIDE, 20.0, words.title, 11.0, "quiet", True),
        Words(_SIDE, 40.0, words.sentence, 14.0, "ink", True),
        Box(middle - band, _TOP - 8.0, 2.0 * band, bottom - _ROW - _TOP + 8.0, "band"),
        Words(middle - 8.0, _TOP - 14.0, f"← {words.varus}", 11.0, "quiet", held="end"),
        Words(middle + 8.0, _TOP - 14.0, f"{words.valgus} →", 11.0, "quiet"),
    ]
    for number, row in enumerate(rows):
        top = _TOP + _ROW * number
        if row.total:
            items.append(Stroke(_SIDE, top - 2.0, wide - _SIDE, top - 2.0, "line"))
        items.append(Words(_SIDE, top + 15.0, row.name, 12.0, "ink", row.total))
        items.append(Words(_SIDE, top + 29.0, row.detail, 9.5, "quiet"))
        items += _bars(row, top, middle, per_degree)
    items.append(Stroke(middle, _TOP - 8.0, middle, bottom - 4.0, "quiet"))
    x = _SIDE
    for pose, text in words.legend:
        items += [
            Box(x, bottom + 8.0, 12.0, 9.0, "lying" if pose == "lying" and len(words.legend) > 1 else "strong"),
            Words(x + 17.0, bottom + 16.5, text, 10.0, "quiet"),
        ]
        x += 27.0 + 6.2 * len(text)
    lines = textwrap.wrap(words.note, max(int((wide - 2.0 * _SIDE) / (0.54 * _NOTE)), 20))
    items += [Words(_SIDE, bottom + 34.0 + 13.0 * number, line, _NOTE, "quiet") for number, line in enumerate(lines)]
    return Drawing(wide, bottom + 42.0 + 13.0 * len(lines), tuple(items))


def _bars(row: DeformityRow, top: float, middle: float, per_degree: float) -> list[Box | Stroke | Words]:
    high = 16.0 if len(row.bars) == 1 else 13.0
    first = top + 17.0 - 0.5 * high * len(row.bars) - (1.0 if len(row.bars) > 1 else 0.0)
    items: list[Box | Stroke | Words] = []
    for number, bar in enumerate(row.bars):
        long = abs(bar.value_deg) * per_degree
        y = first + number * (high + 2.0)
        role = ("lying" if bar.pose == "lying" and len(row.bars) > 1 else "strong") if bar.strong else "mild"
        items.append(Box(middle - long if bar.value_deg < 0 else middle, y, long, high, role))
        # on the other side of the axis, so that the longest bar may fill its half
        beside, held = (middle + 6.0, "start") if bar.value_deg < 0 else (middle - 6.0, "end")
        bold = row.total and number == len(row.bars) - 1
        items.append(Words(beside, y + high - 3.5, bar.words, 10.5, "ink", bold, "end" if held == "end" else "start"))
    return items
