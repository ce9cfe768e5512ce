"""The scan protocol: one page in each language, numbers from the table of limits, letters in the embedded font."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from reportlab.pdfbase.pdfmetrics import getFont

from surgiplan_desktop.app.scan_protocol import LANGUAGES, protocol_sheet, write_scan_protocol
from surgiplan_desktop.base.errors import UsageError
from surgiplan_desktop.base.paths import resource_folder
from surgiplan_desktop.files.report import register_fonts

DOCS = Path(__file__).resolve().parents[2] / "docs" / "protocol"


def words(language: str) -> str:
    sheet = protocol_sheet(language)
    rows = [cell for row in sheet.table_rows for cell in row]
    return "\n".join(
        [sheet.title, sheet.subtitle, *rows, *(item for part in sheet.sections for item in part.items), *sheet.fields]
    )


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_of_the_manual_is_what_the_command_makes(language: str, tmp_path: Path) -> None:
    made = write_scan_protocol(tmp_path / "page.pdf", language).read_bytes()
    assert len(re.findall(rb"/Type\s*/Page\b", made)) == 1
    # docs/protocol: surgiplan protocol -o docs/protocol/de.pdf --language de --force
    assert made == (DOCS / f"{language}.pdf").read_bytes()


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_letter_is_in_the_embedded_font(language: str) -> None:
    register_fonts()
    known = getFont("DejaVuSans").face.charToGlyph
    assert {letter for letter in words(language) if letter != "\n" and ord(letter) not in known} == set()


def test_numbers_are_those_of_the_gate_and_written_as_the_language_does() -> None:
    english, german = words("en"), words("de")
    assert "≤ 1.0 mm" in english
    assert "1.0 to 1.5 mm" in english
    assert "≤ 1,0 mm" in german
    assert "1,0 bis 1,5 mm" in german
    for text in (english, german, words("tr")):
        assert "200 mm" in text
        assert "120" in text
        assert "{" not in text
    assert all(letter in words("tr") for letter in "şğıİçöü")


def test_the_languages_say_the_same_things() -> None:
    shapes = set()
    for language in LANGUAGES:
        with (resource_folder() / "protocol" / f"{language}.toml").open("rb") as stream:
            page = tomllib.load(stream)
        fields = sorted(re.findall(r"\{(\w+)\}", str(page)))
        shapes.add((str(fields), str([len(part["items"]) for part in page["section"]]), len(page["table"]["rows"])))
    assert len(shapes) == 1


def test_an_unknown_language_is_told_with_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="protocol_language"):
        write_scan_protocol(tmp_path / "page.pdf", "xx")
    assert not (tmp_path / "page.pdf").exists()
