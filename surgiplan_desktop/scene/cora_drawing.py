"""Where the bones of a leg are bent, as a drawing: the leg from the front with its reference lines, and the words beside it."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from surgiplan_desktop.scene.flat_drawing import Box, Drawing, Stroke, Words

_LEG_HIGH: Final = 190.0
_LEG_WIDE: Final = 92.0
_SIDE: Final = 10.0
_TOP: Final = 34.0
_TEXT: Final = 10.5
_DOT: Final = 3.5
#: Sideways the leg is drawn this much larger, or a bend of five degrees would not be seen; the note says so.
_STRETCH: Final = 3.0

Flat = tuple[float, float]


@dataclass(frozen=True, slots=True)
class BentBone:
    """A bone in the picture's plane, mm to the right and up.

    Attributes
    ----------
    axis
        Centres of its joints.
    tangents
        The joint lines.
    lines
        The reference lines from the joints on; none where nothing is bent.
    crossing
        The CORA, where there is one in the picture.
    """

    axis: tuple[Flat, Flat]
    tangents: tuple[tuple[Flat, Flat], tuple[Flat, Flat]]
    lines: tuple[tuple[Flat, Flat], ...] = ()
    crossing: Flat | None = None


@dataclass(frozen=True, slots=True)
class CoraWords:
    """A paragraph: its bold first line, a quiet one, then its sentences."""

    head: str
    quiet: str
    lines: tuple[str, ...]


def draw_cora(bones: Sequence[BentBone], title: str, paragraphs: Sequence[CoraWords], note: str, wide: float) -> Drawing:
    """Draw the leg on the left and the words on the right; the words alone, without the note, where no bone is known."""
    left = _SIDE + (_LEG_WIDE if bones else 0.0)
    items: list[Box | Stroke | Words] = [Words(_SIDE, 20.0, title, 11.0, "quiet", True)]
    y = _TOP
    letters = max(int((wide - left - _SIDE) / (0.56 * _TEXT)), 16)
    small = [(line, 9.5, "quiet") for line in textwrap.wrap(note, letters)] if bones else []
    for paragraph in paragraphs:
        y += 14.0
        items.append(Words(left, y, paragraph.head, 11.0, "ink", True))
        lines = [(part, 9.5, "quiet") for part in textwrap.wrap(paragraph.quiet, letters)]
        lines += [(part, _TEXT, "ink") for text in paragraph.lines for part in textwrap.wrap(text, letters)]
        for line, size, role in lines:
            y += 14.0
            items.append(Words(left, y, line, size, role))
        y += 6.0
    for line, size, role in small:
        y += 13.0
        items.append(Words(left, y, line, size, role))
    high = max(y, _TOP + _LEG_HIGH if bones else 0.0) + 10.0
    return Drawing(wide, high, (*items, *_leg(bones)))


def _leg(bones: Sequence[BentBone]) -> list[Box | Stroke | Words]:
    points = [point for bone in bones for pair in (bone.axis, *bone.tangents, *bone.lines) for point in pair]
    if not points:
        return []
    left, right = min(x for x, _ in points), max(x for x, _ in points)
    low, top = min(y for _, y in points), max(y for _, y in points)
    scale = min((_LEG_HIGH - 8.0) / max(top - low, 1.0), (_LEG_WIDE - 16.0) / max(_STRETCH * (right - left), 1.0))
    middle = _SIDE + 0.5 * (_LEG_WIDE - 12.0)

    def at(point: Flat) -> Flat:
        return middle + _STRETCH * (point[0] - 0.5 * (left + right)) * scale, _TOP + 4.0 + (top - point[1]) * scale

    def stroke(pair: tuple[Flat, Flat], role: str, width: float) -> Stroke:
        return Stroke(*at(pair[0]), *at(pair[1]), role, width)

    items: list[Box | Stroke | Words] = []
    for bone in bones:
        items.append(stroke(bone.axis, "mild", 5.0))
        items += [stroke(pair, "ink", 1.6) for pair in bone.tangents]
        items += [stroke(pair, "strong", 1.2) for pair in bone.lines]
    for bone in bones:
        if bone.crossing is not None:
            x, y = at(bone.crossing)
            items.append(Box(x - _DOT, y - _DOT, 2.0 * _DOT, 2.0 * _DOT, "strong"))
    return items
