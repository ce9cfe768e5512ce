"""The deformity in the report: the film's measures beside those of the CT, and where the bones are bent."""

from __future__ import annotations

from typing import Final

from surgiplan_desktop.app.describe_cora import bone_words, reference_words
from surgiplan_desktop.app.describe_film_measures import ct_words, difference_words, film_words, turned_words
from surgiplan_desktop.app.texts import Texts
from surgiplan_desktop.files.report import Cell, Section
from surgiplan_desktop.planning.cora import LegCora
from surgiplan_desktop.planning.film_comparison import BONE_MEASURES, FilmComparison
from surgiplan_desktop.planning.limits import default_limits

_ROWS: Final = ("hka_deviation", "mldfa", "mpta", "jlca", "wbl")


def film_section(comparison: FilmComparison, texts: Texts) -> Section:
    """Return a table of film, CT and difference; a bone angle that does not agree is marked."""
    limit = default_limits()["film.bone_mismatch_deg"]
    rows = []
    for row in comparison.rows:
        if row.id not in _ROWS:
            continue
        wrong = row.id in BONE_MEASURES and row.difference is not None and abs(row.difference) > limit
        difference = Cell(difference_words(row, texts), "fail" if wrong else "quiet", wrong)
        rows.append((Cell(texts.measure(row.id)[0]), Cell(film_words(row, texts)), Cell(ct_words(row, texts)), difference))
    measures = comparison.measures
    heading = texts.text("ui.report_film", film=measures.film, taken=measures.taken or texts.text("ui.film_no_date"))
    head = ("", *(texts.text(f"label.film_column_{name}") for name in ("film", "ct", "difference")))
    note = "" if comparison.turned_deg is None else turned_words(comparison.turned_deg, texts)
    return Section(heading, head, tuple(rows), (0.9, 1.3, 1.3, 0.9), note)


def cora_section(item: LegCora, texts: Texts) -> Section:
    """Return where femur and tibia are bent, against the reference that the note names."""
    rows = tuple((Cell(texts.text(f"label.{bone.bone.value}")), Cell(" ".join(bone_words(bone, texts)))) for bone in item.bones)
    return Section(texts.text("label.cora_heading"), (), rows, (0.2, 1.0), reference_words(item, texts))
