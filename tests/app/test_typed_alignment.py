"""Typed alignment: a number with its word is taken, a number alone is asked back, nothing is guessed."""

import pytest

from surgiplan_desktop.app.typed_alignment import parse_standing_hka, parse_standing_jlca
from surgiplan_desktop.base.errors import UsageError


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("5varus", 175.0), ("5.2 varus", 174.8), ("2,5 Valgus", 182.5), ("straight", 180.0), ("180", 180.0), ("0", 180.0),
        ("175 varus", 175.0), ("183valgus", 183.0), ("5.0° varus", 175.0), ("180 varus", 180.0), ("0 valgus", 180.0),
    ],
)  # fmt: skip
def test_a_number_with_its_word(text: str, value: float) -> None:
    assert parse_standing_hka(text) == pytest.approx(value)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("175", "hka_needs_word"), ("185", "hka_needs_word"), ("5", "hka_needs_word"), ("185 varus", "hka_word_contradicts"),
        ("175valgus", "hka_word_contradicts"), ("-5", "standing_hka_syntax"), ("90varus", "standing_hka_syntax"),
        ("varus", "standing_hka_syntax"), ("nan", "standing_hka_syntax"), ("", "standing_hka_syntax"),
        ("1e2", "standing_hka_syntax"),
    ],
)  # fmt: skip
def test_what_is_not_clear_is_asked_back(text: str, error: str) -> None:
    with pytest.raises(UsageError, match=error):
        parse_standing_hka(text)


def test_joint_line() -> None:
    assert [parse_standing_jlca(text) for text in ("3", "3 lateral", "2medial", "-2", "+1.5", "0")] == [3, 3, -2, -2, 1.5, 0]
    for text in ("-2 medial", "wide", "40"):
        with pytest.raises(UsageError):
            parse_standing_jlca(text)
