"""Alignment as a person types it: a number with its word; what can be read in two ways is asked back, never guessed.

practice.md 10: no alignment number stands without varus or valgus. Some count the medial angle of the leg (varus < 180), some the
lateral one, so 175 alone may mean either.
"""

from __future__ import annotations

import re
from typing import Final

from surgiplan_desktop.base.errors import UsageError

#: HKA within this range of a straight leg, JLCA within that (degrees).
_MOST_DEVIATION: Final = 30.0
_JLCA: Final = (-15.0, 25.0)
_HKA_TEXT: Final = re.compile(r"(\d+(?:[.,]\d+)?)(?:deg|°)?(varus|valgus)?")
_JLCA_TEXT: Final = re.compile(r"([+-]?\d+(?:[.,]\d+)?)(?:deg|°)?(lateral|medial)?(?:ly)?")


def parse_standing_hka(text: str) -> float:
    """Return the medial angle (varus < 180) of ``5.2 varus``, ``3valgus``, ``175 varus``, ``straight`` or ``180``.

    Raises
    ------
    UsageError
        ``hka_needs_word`` for a number alone: it is asked back; ``hka_word_contradicts`` where number and word do not go
        together; ``standing_hka_syntax``.
    """
    plain = text.strip().lower().replace(" ", "")
    if plain in ("straight", "0", "180"):
        return 180.0
    match = _HKA_TEXT.fullmatch(plain)
    if match is None:
        raise UsageError("standing_hka_syntax", value=text)
    number, word = float(match[1].replace(",", ".")), match[2]
    deviation = number if number <= _MOST_DEVIATION else abs(number - 180.0)
    if deviation > _MOST_DEVIATION:
        raise UsageError("standing_hka_syntax", value=text)
    if word is None:
        raise UsageError("hka_needs_word", value=f"{number:g}", deviation=f"{deviation:g}", reading=_usual_reading(number))
    if number > _MOST_DEVIATION and number != 180.0 and (number < 180.0) != (word == "varus"):
        raise UsageError("hka_word_contradicts", value=f"{number:g}", word=word, deviation=f"{deviation:g}")
    return 180.0 + (deviation if word == "valgus" else -deviation)


def usual_reading(text: str) -> float | None:
    """Return what a number alone would mean as a medial angle (175 = 5 varus), to ask it back; None where it says no side."""
    match = _HKA_TEXT.fullmatch(text.strip().lower().replace(" ", ""))
    if match is None or match[2] is not None:
        return None
    number = float(match[1].replace(",", "."))
    return number if number > _MOST_DEVIATION and abs(number - 180.0) <= _MOST_DEVIATION else None


def parse_standing_jlca(text: str) -> float:
    """Return the JLCA (+ opens laterally) of ``3``, ``3 lateral``, ``2 medial`` or ``-2``.

    UsageError ``standing_jlca_syntax`` or ``option_range``.
    """
    match = _JLCA_TEXT.fullmatch(text.strip().lower().replace(" ", ""))
    if match is None or (match[2] and match[1][0] in "+-"):
        raise UsageError("standing_jlca_syntax", value=text)
    value = float(match[1].replace(",", ".")) * (-1.0 if match[2] == "medial" else 1.0)
    if not _JLCA[0] <= value <= _JLCA[1]:
        raise UsageError("option_range", option="--standing-jlca", value=value, low=_JLCA[0], high=_JLCA[1])
    return value + 0.0


def _usual_reading(number: float) -> str:
    return "varus" if _MOST_DEVIATION < number < 180.0 else "valgus" if number > 180.0 else ""
