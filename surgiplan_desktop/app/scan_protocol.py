"""Use case: the scan protocol for the radiology department, one printed page in its language (practice.md 24)."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Final

from surgiplan_desktop.base.errors import UsageError
from surgiplan_desktop.base.paths import resource_folder
from surgiplan_desktop.files.protocol_sheet import ProtocolSection, ProtocolSheet, write_protocol_pdf
from surgiplan_desktop.planning.limits import default_limits

#: Languages of the protocol by their code.
LANGUAGES: Final = ("en", "de", "tr")
#: Numbers of the text and the limits they are, so that paper and gate never disagree.
_NUMBERS: Final = {
    "slices_knee_mm": "quality.slices_knee_mm",
    "slices_knee_guide_mm": "quality.slices_knee_guide_mm",
    "pixel_mm": "quality.pixel_mm",
    "field_mm": "quality.field_mm",
    "time_s": "quality.time_between_blocks_s",
    "scan_months": "quality.scan_months",
    "flexion_deg": "quality.flexion_deg",
    "patient_years": "quality.patient_years",
}


def write_scan_protocol(path: Path, language: str = "en") -> Path:
    """Write the protocol as a PDF of one page and return its absolute path.

    Raises
    ------
    UsageError
        ``protocol_language`` for a language it does not speak; ``output_not_writable``.
    """
    target = Path(path).expanduser().resolve()
    write_protocol_pdf(target, protocol_sheet(language))
    return target


def protocol_sheet(language: str) -> ProtocolSheet:
    """Return the words of the page, numbers filled in from the table of limits; UsageError ``protocol_language``."""
    if language not in LANGUAGES:
        raise UsageError("protocol_language", language=language, known=", ".join(LANGUAGES))
    with (resource_folder() / "protocol" / f"{language}.toml").open("rb") as stream:
        words = tomllib.load(stream)
    limits = default_limits()
    numbers = {name: _number(limits[limit], words["decimal"]) for name, limit in _NUMBERS.items()}
    hip, knee, ankle = words["drawing"]
    return ProtocolSheet(
        title=words["title"],
        subtitle=words["subtitle"],
        table_head=tuple(words["table"]["head"]),
        table_rows=tuple(tuple(cell.format(**numbers) for cell in row) for row in words["table"]["rows"]),
        drawing=(hip, knee, ankle),
        sections=tuple(
            ProtocolSection(section["heading"], tuple(item.format(**numbers) for item in section["items"]))
            for section in words["section"]
        ),
        fields=tuple(words["form"]["fields"]),
        notice=words["notice"],
        footer=f"SurgiPlan Desktop · {language}",
    )


def _number(value: float, decimal: str) -> str:
    """A number as the language writes it; a length of a whole millimetre keeps its first decimal below ten."""
    return (f"{value:.1f}" if value < 2.0 else f"{value:g}").replace(".", decimal)
