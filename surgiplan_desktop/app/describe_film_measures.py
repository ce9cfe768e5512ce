"""Film beside CT, the leg standing, and where the deformity is: JSON values and lines, every alignment number with its word."""

from __future__ import annotations

from collections.abc import Iterator

from surgiplan_desktop.app.describe_measures import value_words
from surgiplan_desktop.app.texts import Texts
from surgiplan_desktop.model.anatomy import Side
from surgiplan_desktop.model.study import Film, Finding
from surgiplan_desktop.planning.deformity import Deformity
from surgiplan_desktop.planning.film_comparison import FilmComparison, FilmRow
from surgiplan_desktop.planning.limits import default_limits
from surgiplan_desktop.planning.standing import StandingValues

#: Rows for people: HKA is told by its deviation.
SHOWN_ROWS = ("hka_deviation", "mldfa", "mpta", "jlca", "wbl", "mad", "tibia_length", "leg_length")
#: Differences with a word for more and less.
_MORE = {"hka_deviation": ("more_valgus", "more_varus"), "jlca": ("more_lateral_opening", "less_lateral_opening")}
_UNITS = {"deg": "degrees", "mm": "millimetres", "%": "percent"}


def comparison_data(comparison: FilmComparison, film: Film, texts: Texts) -> dict[str, object]:
    """Return one leg of a film as JSON values."""
    measures = comparison.measures
    leg = film.leg(measures.side)
    return {
        "side": measures.side.value,
        "points": {item.name: [item.x, item.y] for item in leg.points},
        "head_radius_px": leg.head_radius_px,
        "missing": list(measures.missing),
        "measures": {row.id: _row_data(row, texts) for row in comparison.rows},
        "turned_deg": comparison.turned_deg,
        "findings": findings_data(comparison.findings, texts),
    }


def comparison_lines(comparison: FilmComparison, texts: Texts) -> Iterator[str]:
    """Yield film, CT and difference a row, then what is missing, then the findings."""
    measures = comparison.measures
    yield texts.text("label.film_leg", film=measures.film, side=measures.side.value)
    heads = [texts.text(f"label.film_column_{name}") for name in ("film", "ct", "difference")]
    yield f"  {'':<26} {heads[0]:>26} {heads[1]:>26} {heads[2]:>20}"
    reasons: dict[str, list[str]] = {}
    for row in comparison.rows:
        if row.id not in SHOWN_ROWS:
            continue
        name = texts.measure(row.id)[0]
        if row.film is None:
            reason = "" if row.reason is None else texts.finding(row.reason)
            reasons.setdefault(reason, []).append(name)
            continue
        yield f"  {name:<26} {film_words(row, texts):>26} {ct_words(row, texts):>26} {difference_words(row, texts):>20}"
    for reason, names in reasons.items():
        yield f"  {', '.join(names)}: {reason}"
    if comparison.turned_deg is not None:
        yield "  " + turned_words(comparison.turned_deg, texts)
    yield from (f"  {item.severity}: {texts.finding(item)}" for item in comparison.findings)


def film_words(row: FilmRow, texts: Texts) -> str:
    """Return the film's value with its word, or a dash."""
    return "–" if row.film is None else value_words(row.id, row.film, row.unit, texts)


def ct_words(row: FilmRow, texts: Texts) -> str:
    """Return the CT's value with its word, or a dash."""
    return "–" if row.ct is None else value_words(row.id, row.ct, row.unit, texts)


def difference_words(row: FilmRow, texts: Texts) -> str:
    """Return film minus CT with its word (``2.1° more varus``), or a dash."""
    if row.difference is None:
        return "–"
    number = texts.text(f"label.{_UNITS[row.unit]}", value=abs(row.difference))
    if number == texts.text(f"label.{_UNITS[row.unit]}", value=0.0):
        return number
    words = _MORE.get(row.id, ("more", "less"))
    return f"{number} {texts.text('label.' + words[0 if row.difference > 0 else 1])}"


def turned_words(turned_deg: float, texts: Texts) -> str:
    """Say how far the leg on the film is turned against the CT."""
    return texts.text("label.film_turned_out" if turned_deg > 0 else "label.film_turned_in", value=abs(turned_deg))


def standing_data(values: StandingValues, texts: Texts) -> dict[str, object]:
    """Return what is known of a leg standing as JSON values."""
    hka = None if values.hka_deg is None else value_words("hka", values.hka_deg, "deg", texts)
    jlca = None if values.jlca_deg is None else value_words("jlca", values.jlca_deg, "deg", texts)
    return {
        "hka_deg": values.hka_deg,
        "hka_words": hka,
        "hka_from": values.hka_from or None,
        "jlca_deg": values.jlca_deg,
        "jlca_words": jlca,
        "jlca_from": values.jlca_from or None,
        "findings": findings_data(values.findings, texts),
    }


def standing_lines(side: Side, values: StandingValues, texts: Texts) -> Iterator[str]:
    """Yield what is known of a leg standing, each with its source."""
    if not values.known:
        yield texts.text("label.standing_nothing", side=side.value)
        return
    for measure, value, source in (("hka", values.hka_deg, values.hka_from), ("jlca", values.jlca_deg, values.jlca_from)):
        if value is not None:
            words = value_words(measure, value, "deg", texts)
            name = texts.measure(measure)[0]
            yield texts.text("label.standing_value", side=side.value, name=name, words=words, source=source_words(source, texts))


def source_words(source: str, texts: Texts) -> str:
    """Say where a standing value is from: typed, implied by the HKA, or measured on a film."""
    if source in ("typed", "implied"):
        return texts.text(f"label.standing_{source}")
    return texts.text("label.standing_film", film=source)


def deformity_data(item: Deformity) -> dict[str, object]:
    """Return where the deformity is as JSON values; shares in degrees, varus negative, their sum is the deviation."""
    limits = default_limits()
    return {
        "pose": item.pose,
        "film": item.film or None,
        "kind": item.kind,
        "hka_deviation": item.deviation_deg,
        "tibia": item.tibia_deg,
        "femur": item.femur_deg,
        "joint": item.joint_deg,
        "mpta": item.mpta_deg,
        "mldfa": item.mldfa_deg,
        "jlca": item.jlca_deg,
        "normal": {"mpta": limits["osteotomy.normal_mpta_deg"], "mldfa": limits["osteotomy.normal_mldfa_deg"]},
        "takes_part_from_deg": limits["osteotomy.deformity_share_deg"],
    }


def deformity_title(item: Deformity, texts: Texts) -> str:
    """Return the one sentence: tibial, femoral, in the joint, combined (of what), or none."""
    if item.kind == "combined":
        parts = texts.text("label.and_between").join(texts.text(f"label.deformity_in_{part}") for part in item.parts)
        return texts.text("label.deformity_combined", parts=parts)
    return texts.text(f"label.deformity_{item.kind}")


def deformity_pose(item: Deformity, texts: Texts) -> str:
    """Say what the shares were measured on."""
    return texts.text(f"label.deformity_pose_{item.pose}", film=item.film)


def deformity_lines(items: tuple[Deformity, ...], texts: Texts) -> Iterator[str]:
    """Yield a line a pose: the sentence and the three shares with their words."""
    for item in items:
        shares = {
            name: value_words("hka_deviation", value, "deg", texts)
            for name, value in (
                ("tibia", item.tibia_deg),
                ("femur", item.femur_deg),
                ("joint", item.joint_deg),
                ("sum", item.deviation_deg),
            )
        }
        yield f"  {deformity_pose(item, texts)}: {deformity_title(item, texts)}"
        yield "    " + texts.text("label.deformity_shares", **shares)


def findings_data(findings: tuple[Finding, ...], texts: Texts) -> list[dict[str, object]]:
    """Return findings as objects of the contract."""
    return [{"code": item.code, "severity": item.severity, "text": texts.finding(item)} for item in findings]


def _row_data(row: FilmRow, texts: Texts) -> dict[str, object]:
    return {
        "film": row.film,
        "film_reading_sd": row.film_sd,
        "ct": row.ct,
        "ct_plane": row.ct_plane,
        "difference": row.difference,
        "unit": row.unit,
        "words": film_words(row, texts),
        "reason": None if row.reason is None else texts.finding(row.reason),
    }
