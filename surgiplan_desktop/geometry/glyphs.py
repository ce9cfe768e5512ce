"""Raised letters: a stroke font of our own, extruded on a plane. Legible from 3.5 mm up; 0 is slashed, 1 has a foot.

Strokes are polylines on a cell 4 wide and 6 high; the stroke's thickness is given in mm and not scaled with the letter, because
the printer's finest wall is not either (clinical.md D: stroke >= 0.8 mm).
"""

from __future__ import annotations

from itertools import pairwise
from typing import Final

import numpy as np

from surgiplan_desktop.base.arrays import FloatArray
from surgiplan_desktop.base.spaces import Frame
from surgiplan_desktop.geometry.solid import extrude, union
from surgiplan_desktop.model.mesh import Mesh

_STROKES: Final[dict[str, str]] = {
    "A": "00 04 26 44 40;03 43",
    "B": "00 06 36 45 44 33 42 41 30 00;03 33",
    "C": "45 36 16 05 01 10 30 41",
    "D": "00 06 26 44 42 20 00",
    "E": "46 06 00 40;03 33",
    "F": "46 06 00;03 33",
    "G": "45 36 16 05 01 10 30 41 43 23",
    "H": "00 06;40 46;03 43",
    "I": "10 30;20 26;16 36",
    "J": "46 41 30 10 01",
    "K": "00 06;46 03 40",
    "L": "06 00 40",
    "M": "00 06 23 46 40",
    "N": "00 06 40 46",
    "O": "10 01 05 16 36 45 41 30 10",
    "P": "00 06 36 45 44 33 03",
    "Q": "10 01 05 16 36 45 41 30 10;22 40",
    "R": "00 06 36 45 44 33 03;23 40",
    "S": "45 36 16 05 04 13 33 42 41 30 10 01",
    "T": "06 46;26 20",
    "U": "06 01 10 30 41 46",
    "V": "06 20 46",
    "W": "06 10 23 30 46",
    "X": "00 46;06 40",
    "Y": "06 23 46;23 20",
    "Z": "06 46 00 40",
    "0": "10 01 05 16 36 45 41 30 10;11 35",
    "1": "15 26 20;10 30",
    "2": "05 16 36 45 44 00 40",
    "3": "06 46 23 33 42 41 30 10 01",
    "4": "30 36 02 42",
    "5": "46 06 03 33 42 41 30 10 01",
    "6": "45 36 16 05 01 10 30 41 42 33 03",
    "7": "06 46 10",
    "8": "13 04 05 16 36 45 44 33 13 02 01 10 30 41 42 33",
    "9": "01 10 30 41 45 36 16 05 04 13 43",
    "-": "03 43",
    ">": "03 43;25 43 21",
    " ": "",
}
_CELL: Final = (4.0, 6.0)
#: Corners of the half circle that ends a stroke.
_ROUND: Final = 5


def text_width(text: str, height_mm: float, stroke_mm: float) -> float:
    """Return the width of a line of text, mm, from outer edge to outer edge."""
    return len(text) * advance(height_mm, stroke_mm) - _gap(stroke_mm) if text else 0.0


def advance(height_mm: float, stroke_mm: float) -> float:
    """Return the distance from one letter to the next, mm."""
    return (height_mm - stroke_mm) * _CELL[0] / _CELL[1] * 0.85 + stroke_mm + _gap(stroke_mm)


def _gap(stroke_mm: float) -> float:
    return 0.8 * stroke_mm


def strokes(text: str, height_mm: float, stroke_mm: float) -> list[FloatArray]:
    """Return the polylines of a line of text, each (n, 2) mm; the origin is the lower left corner of its outer edge.

    Raises
    ------
    ValueError
        For a letter that the font does not have.
    """
    unknown = sorted(set(text) - set(_STROKES))
    if unknown:
        raise ValueError(f"the font has no {unknown}")
    scale = np.array([(height_mm - stroke_mm) / _CELL[1] * 0.85, (height_mm - stroke_mm) / _CELL[1]])
    lines = []
    for number, letter in enumerate(text):
        for path in _STROKES[letter].split(";") if _STROKES[letter] else ():
            points = np.array([[float(point[0]), float(point[1])] for point in path.split()])
            lines.append(points * scale + stroke_mm / 2 + np.array([number * advance(height_mm, stroke_mm), 0.0]))
    return lines


def known(text: str) -> str:
    """Return the text with letters that the font lacks left out, in capitals."""
    return "".join(letter for letter in text.upper() if letter in _STROKES)


def raised_text(text: str, frame: Frame, height_mm: float, stroke_mm: float, low_mm: float, high_mm: float) -> Mesh:
    """Return a line of raised text as one solid (of one component a letter part).

    Parameters
    ----------
    text
        Letters of the font.
    frame
        X is the reading direction, Y the letters' up, Z points to the reader: seen from there it is never mirrored, since a
        frame is right-handed. The origin is the lower left corner.
    height_mm, stroke_mm
        Height of capitals and thickness of strokes.
    low_mm, high_mm
        Extent along Z; below 0 it stands in the body.
    """
    bars = [
        extrude(_bar(start, end, stroke_mm / 2), frame, low_mm, high_mm)
        for line in strokes(text, height_mm, stroke_mm)
        for start, end in pairwise(line)
    ]
    return union(*bars, name="label")


def _bar(start: FloatArray, end: FloatArray, radius: float) -> FloatArray:
    """Return the outline of all points within a radius of a segment."""
    along = (end - start) / np.linalg.norm(end - start)
    across = np.array([-along[1], along[0]])
    turn = np.linspace(-np.pi / 2, np.pi / 2, _ROUND)[:, None]
    tip = radius * (np.cos(turn) * along + np.sin(turn) * across)
    return np.concatenate([end + tip, start - tip])
