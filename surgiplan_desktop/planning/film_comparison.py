"""A standing film beside the CT of the same leg: difference per measure, and what must agree because bone does not bend.

MPTA and mLDFA belong to one bone each, so lying and standing must give the same; HKA and JLCA need not (clinical.md A.3). The
CT is seen as the film sees it: its limb-plane values, where the limb is whole.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import atan2, degrees
from typing import Final, Literal

from surgiplan_desktop.model.study import Finding
from surgiplan_desktop.planning.film_measures import FILM_MEASURES, FilmMeasures
from surgiplan_desktop.planning.limits import default_limits
from surgiplan_desktop.planning.records import Landmarks, LegFrames, Measure, MeasurePlane, Measures

#: Measures of one bone: they must agree.
BONE_MEASURES: Final = ("mldfa", "mpta")
#: Lengths that film and CT take between the same points (the notch of the femur is none of the film).
_LENGTHS: Final = ("tibia_length", "leg_length")


@dataclass(frozen=True, slots=True)
class FilmRow:
    """A measure of the film beside that of the CT; ``difference`` is film minus CT, None where either is missing."""

    id: str
    unit: Literal["deg", "mm", "%"]
    film: float | None
    film_sd: float | None
    ct: float | None
    ct_plane: MeasurePlane | None
    difference: float | None
    reason: Finding | None = None


@dataclass(frozen=True, slots=True)
class FilmComparison:
    """Film and CT of one leg.

    ``turned_deg`` is how far the leg on the film was turned against the limb plane of the CT, outward positive, by the place of
    the tuberosity; None where it or the CT's landmarks are missing.
    """

    measures: FilmMeasures
    rows: tuple[FilmRow, ...]
    turned_deg: float | None
    findings: tuple[Finding, ...] = ()


def compare_film(
    film: FilmMeasures, landmarks: Landmarks | None = None, frames: LegFrames | None = None, measures: Measures | None = None
) -> FilmComparison:
    """Put the film beside the CT; without bones the column of the CT stays empty.

    Findings: those of the film; ``film_ct_bone_mismatch`` (critical) per bone angle that differs by more than 2 deg;
    ``film_ct_length_mismatch`` (warn) where a calibrated length does; ``film_leg_turned`` (warn).
    """
    rows = tuple(_row(name, film, measures) for name in FILM_MEASURES)
    turned = None if landmarks is None or frames is None else leg_turned_deg(film, landmarks, frames)
    found = [*film.findings, *_bone_mismatch(rows), *_length_mismatch(rows)]
    limit = default_limits()["film.turned_deg"]
    if turned is not None and abs(turned) > limit:
        found.append(Finding("film_leg_turned", "warn", (("turned_deg", abs(turned)), ("way", "out" if turned > 0 else "in"))))
    return FilmComparison(film, rows, turned, tuple(found))


def leg_turned_deg(film: FilmMeasures, landmarks: Landmarks, frames: LegFrames) -> float | None:
    """Return by how much the leg on the film is turned outward (+) against the limb plane of the CT, degrees.

    The tuberosity lies some 40 mm in front of the plateau, so its place between the ends of the plateau line moves by about 0.9 %
    of the width per degree. Solved in closed form for a leg that turns as one about the limb axis.
    """
    names = ("medial_plateau_edge", "lateral_plateau_edge", "tibial_tuberosity")
    points = [landmarks.point(name) for name in names]
    if film.tuberosity_share is None or frames.limb is None or any(point is None for point in points):
        return None
    limb, sign = frames.limb, landmarks.side.sign
    medial, lateral, tuberosity = (
        (sign * float((point - limb.origin_lps) @ limb.z), float((point - limb.origin_lps) @ limb.x))
        for point in points
        if point is not None
    )
    width = (lateral[0] - medial[0], lateral[1] - medial[1])
    offset = (tuberosity[0] - medial[0], tuberosity[1] - medial[1])
    share = film.tuberosity_share
    return degrees(atan2(share * width[0] - offset[0], offset[1] - share * width[1]))


def _row(name: str, film: FilmMeasures, measures: Measures | None) -> FilmRow:
    item = film.items[name]
    ct, plane = (None, None) if measures is None else _ct_value(measures.items[name])
    difference = None if item.value is None or ct is None else item.value - ct
    return FilmRow(name, item.unit, item.value, item.sd, ct, plane, difference, item.reason)


def _ct_value(measure: Measure) -> tuple[float | None, MeasurePlane | None]:
    if measure.value_limb_plane is not None:
        return measure.value_limb_plane, "limb"
    if isinstance(measure.value, float):
        return measure.value, measure.plane
    return None, None


def _bone_mismatch(rows: tuple[FilmRow, ...]) -> list[Finding]:
    limit = default_limits()["film.bone_mismatch_deg"]
    return [
        Finding(
            "film_ct_bone_mismatch",
            "critical",
            (("measure", row.id), ("film", row.film), ("ct", row.ct), ("difference", abs(row.difference)), ("limit", limit)),
        )
        for row in rows
        if row.id in BONE_MEASURES
        and row.film is not None
        and row.ct is not None
        and row.difference is not None
        and abs(row.difference) > limit
    ]


def _length_mismatch(rows: tuple[FilmRow, ...]) -> list[Finding]:
    limit = default_limits()["film.length_mismatch_percent"]
    found = []
    for row in rows:
        if row.id in _LENGTHS and row.ct and row.film is not None:
            percent = 100.0 * (row.film / row.ct - 1.0)
            if abs(percent) > limit:
                parameters = (("measure", row.id), ("film", row.film), ("ct", row.ct), ("percent", abs(percent)))
                found.append(Finding("film_ct_length_mismatch", "warn", parameters))
    return found
