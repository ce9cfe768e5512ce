"""The report: its words are there, nothing overflows, it is byte-equal twice, and it goes without pictures too."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from surgiplan_desktop.app import make_report
from surgiplan_desktop.app.make_report import write_report
from surgiplan_desktop.base.errors import UsageError
from surgiplan_desktop.files.report import Cell, Section, _section_height, _wrapped, register_fonts
from surgiplan_desktop.model.anatomy import Side
from surgiplan_desktop.scene.snapshot import Pictures, probe_pictures, take_pictures
from tests.helpers.guide_session import guide_session


def _words(path: Path) -> str:
    if shutil.which("pdftotext") is None:
        pytest.skip("needs pdftotext (poppler-utils)")
    return subprocess.run(["pdftotext", "-layout", str(path), "-"], capture_output=True, text=True, check=True).stdout


@pytest.fixture
def no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(make_report, "take_pictures", lambda _shots: Pictures((), "no EGL here"))


@pytest.mark.usefixtures("no_pictures")
def test_the_sheet_has_every_word_beside_its_sign(tmp_path: Path) -> None:
    with guide_session(tmp_path / "user") as session:
        path = write_report(session, tmp_path / "plan.pdf")
    text = re.sub(r"\s+", " ", _words(path))
    for expected in (
        "RIGHT", "K7QX2M", "NOT APPROVED", "RESEARCH USE ONLY", "5.2° varus (174.8°)", "27.0 mm medial", "GAP TO MEASURE",
        "8.9 mm", "9.4 mm", "7.1 mm", "Saw depths", "Hinge", "Checks of the guide", "Findings", "CRITICAL",
        "pictures not available: no EGL here", "A3F9",
    ):  # fmt: skip
        assert expected in text, expected


@pytest.mark.usefixtures("no_pictures")
def test_report_is_one_page_and_byte_equal_twice(tmp_path: Path) -> None:
    pages = []
    for name in ("one", "two"):
        with guide_session(tmp_path / name, Side.LEFT) as session:
            pages.append(write_report(session, tmp_path / f"{name}.pdf").read_bytes())
    assert pages[0] == pages[1]
    assert len(re.findall(rb"/Type\s*/Page\b", pages[0])) == 1


@pytest.mark.usefixtures("no_pictures")
def test_existing_report_is_refused_and_a_missing_folder_named(tmp_path: Path) -> None:
    (tmp_path / "plan.pdf").write_bytes(b"mine")
    with guide_session(tmp_path / "user") as session:
        with pytest.raises(UsageError, match="output_exists"):
            write_report(session, tmp_path / "plan.pdf")
        with pytest.raises(UsageError, match="output_folder_missing"):
            write_report(session, tmp_path / "nowhere" / "plan.pdf")
    assert (tmp_path / "plan.pdf").read_bytes() == b"mine"


def test_pictures_are_taken_off_screen_or_the_reason_is_told(tmp_path: Path) -> None:
    reason = probe_pictures()
    if reason:
        pytest.skip(f"no off-screen graphics: {reason}")
    with guide_session(tmp_path / "user") as session:
        path = write_report(session, tmp_path / "plan.pdf")
    assert path.stat().st_size > 60_000
    assert "pictures not available" not in _words(path)


def test_a_driver_that_dies_costs_the_pictures_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VTK_DEFAULT_OPENGL_WINDOW", "vtkXOpenGLRenderWindow")
    monkeypatch.delenv("DISPLAY", raising=False)
    assert probe_pictures() != ""
    assert take_pictures([]).shots == ()


def test_long_texts_are_wrapped_and_counted_in_height() -> None:
    register_fonts()
    lines = _wrapped("Unterschenkelverlängerungsosteotomie " * 6, "DejaVuSans", 7.0, 90.0)
    assert len(lines) > 6
    short = Section("a", (), ((Cell("x"),),), (1.0,))
    long = Section("a", (), ((Cell("word " * 80),),), (1.0,))
    assert _section_height(long, 200.0, 7.0) > 4 * _section_height(short, 200.0, 7.0) / 2


def test_the_font_has_turkish_and_german_letters() -> None:
    from reportlab.pdfbase.ttfonts import TTFont

    from surgiplan_desktop.base.paths import resource_folder

    face = TTFont("probe", str(resource_folder() / "fonts" / "DejaVuSans.ttf")).face
    assert all(ord(letter) in face.charToGlyph for letter in "ğĞşŞıİçÇöÖüÜäßéø°±×–·")
    assert (resource_folder() / "fonts" / "LICENSE_DEJAVU").is_file()
