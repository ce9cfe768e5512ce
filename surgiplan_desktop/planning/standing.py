"""What is known of the leg standing: typed from the request, or measured on the newest film; with its source, always.

A typed value is a decision and wins over a measured one; where the two differ it is told (practice.md 2, 10; clinical.md A.3).
"""

from __future__ import annotations

from dataclasses import dataclass

from surgiplan_desktop.model.anatomy import Side
from surgiplan_desktop.model.case import Intake
from surgiplan_desktop.model.study import Finding
from surgiplan_desktop.planning.film_comparison import FilmComparison
from surgiplan_desktop.planning.limits import default_limits
from surgiplan_desktop.planning.records import Measures

TYPED = "typed"


@dataclass(frozen=True, slots=True)
class StandingValues:
    """Standing HKA (varus < 180) and JLCA (+ opens laterally), degrees; None where not known.

    ``hka_from`` and ``jlca_from`` are ``typed``, the id of a film, or empty.
    """

    side: Side | None = None
    hka_deg: float | None = None
    hka_from: str = ""
    jlca_deg: float | None = None
    jlca_from: str = ""
    findings: tuple[Finding, ...] = ()

    @property
    def known(self) -> bool:
        """Whether anything is known of the leg standing."""
        return self.hka_deg is not None or self.jlca_deg is not None

    def pose_jlca(self, scanned: Measures) -> tuple[float, str] | None:
        """Return the standing JLCA and where it is from; ``implied`` = what the standing HKA leaves to it, on unchanged bones.

        dev = MPTA - mLDFA - JLCA in one plane, and bones do not bend, so JLCA standing = JLCA of the CT + dev of the CT - dev
        standing.
        """
        if self.jlca_deg is not None:
            return self.jlca_deg, self.jlca_from
        deviation, jlca = scanned.number("hka_deviation"), scanned.number("jlca")
        if self.hka_deg is None or deviation is None or jlca is None:
            return None
        return jlca + deviation - (self.hka_deg - 180.0), "implied"


def standing_doubt(standing_deg: float, ct_deg: float) -> str:
    """Return what is odd about a standing deviation beside that of the CT (valgus +): a finding's code, or empty."""
    if abs(standing_deg - ct_deg) > default_limits()["osteotomy.standing_far_deg"]:
        return "standing_far"
    if standing_deg * ct_deg < 0.0 and min(abs(standing_deg), abs(ct_deg)) > 1.0:
        return "standing_opposite"
    return ""


def typed_values(intake: Intake) -> StandingValues:
    """Return what the request says and nothing else."""
    hka, jlca = intake.standing_hka_deg, intake.standing_jlca_deg
    return StandingValues(intake.side, hka, "" if hka is None else TYPED, jlca, "" if jlca is None else TYPED)


def standing_values(
    side: Side, asked: Side | None, hka_deg: float | None, jlca_deg: float | None, *films: FilmComparison
) -> StandingValues:
    """Return what is known of a leg standing.

    Parameters
    ----------
    side
        The leg.
    asked
        Side of the request: what was typed is of that leg alone. None: the request names no side.
    hka_deg, jlca_deg
        As typed.
    films
        Films of the leg with the CT beside; of those that give HKA or JLCA the newest counts.

    Returns
    -------
    StandingValues
        With ``standing_typed_film_differ`` (warn) where both are known and differ, and the critical findings of the film.
    """
    if asked not in (None, side):
        hka_deg = jlca_deg = None
    told = [item for item in films if item.measures.number("hka") is not None or item.measures.number("jlca") is not None]
    film = max(enumerate(told), key=lambda item: (item[1].measures.taken, item[0]))[1] if told else None
    seen = (None, None) if film is None else (film.measures.number("hka"), film.measures.number("jlca"))
    name = "" if film is None else film.measures.film
    hka, hka_from = _first(hka_deg, seen[0], name)
    jlca, jlca_from = _first(jlca_deg, seen[1], name)
    findings: list[Finding] = []
    limit = default_limits()["film.typed_differs_deg"]
    for measure, typed, read in (("hka", hka_deg, seen[0]), ("jlca", jlca_deg, seen[1])):
        if typed is not None and read is not None and abs(typed - read) > limit:
            parameters = (("measure", measure), ("typed", typed), ("read", read), ("film", name))
            findings.append(Finding("standing_typed_film_differ", "warn", parameters))
    if film is not None:
        findings += [item for item in film.findings if item.severity == "critical"]
    return StandingValues(side, hka, hka_from, jlca, jlca_from, tuple(findings))


def _first(typed: float | None, read: float | None, film: str) -> tuple[float | None, str]:
    if typed is not None:
        return typed, TYPED
    return read, "" if read is None else film
