"""Measures of a leg on a standing film from its eight points (practice.md 2): the CT's formulas, on a leg that lies in a plane.

Angles need the points alone; lengths stay locked until the film is calibrated. The side of a number comes from the points
themselves (medial and lateral end of a joint line); where that contradicts the film as it hangs, nothing is told.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from math import isfinite, sqrt
from types import MappingProxyType
from typing import Final, Literal

import numpy as np

from surgiplan_desktop.base.arrays import FloatArray
from surgiplan_desktop.base.spaces import Frame
from surgiplan_desktop.model.anatomy import LandmarkId, Side
from surgiplan_desktop.model.study import FILM_POINTS, Film, FilmPointName, Finding
from surgiplan_desktop.planning import measure_formulas as formula
from surgiplan_desktop.planning.film_geometry import plane_points
from surgiplan_desktop.planning.limits import default_limits
from surgiplan_desktop.planning.measure_leg import Leg
from surgiplan_desktop.planning.records import LandmarkEstimate, Landmarks, LegFrames

Points = Mapping[str, FloatArray]
#: Which landmarks of the formulas a point of the film stands for. A film shows one knee centre, and the ends of the tibial joint
#: line are the edges of the plateau.
_LANDMARKS: Final[Mapping[FilmPointName, tuple[LandmarkId, ...]]] = MappingProxyType(
    {
        "head": ("hip_centre",),
        "knee": ("femoral_knee_centre", "tibial_knee_centre"),
        "ankle": ("ankle_centre",),
        "femur_medial": ("medial_distal_condyle",),
        "femur_lateral": ("lateral_distal_condyle",),
        "tibia_medial": ("medial_plateau_centre", "medial_plateau_edge"),
        "tibia_lateral": ("lateral_plateau_centre", "lateral_plateau_edge"),
        "tuberosity": ("tibial_tuberosity",),
    }
)
_AXES: Final = ("head", "knee", "ankle")
_FEMORAL: Final = ("femur_medial", "femur_lateral")
_TIBIAL: Final = ("tibia_medial", "tibia_lateral")
#: The plane of the film as a frontal plane: X to the front, Y up, Z to the patient's right.
_PLANE: Final = Frame(np.zeros(3), np.column_stack([[0.0, -1.0, 0.0], [0.0, 0.0, 1.0], [-1.0, 0.0, 0.0]]))


@dataclass(frozen=True, slots=True)
class FilmMeasure:
    """One number of a film; ``value`` is None exactly when ``reason`` says why. ``sd`` is by the reading of the points alone."""

    id: str
    value: float | None
    unit: Literal["deg", "mm", "%"]
    sd: float | None = None
    reason: Finding | None = None


@dataclass(frozen=True, slots=True)
class FilmMeasures:
    """What the points of one leg on a film give.

    Attributes
    ----------
    items
        Every id of :data:`FILM_MEASURES`, in their order.
    placed, missing
        Points that are and are not there.
    tuberosity_share
        Where the tuberosity lies between the medial (0) and the lateral (1) end of the tibial joint line, square to the line from
        head to ankle; it tells how far the leg was turned.
    """

    film: str
    side: Side
    taken: str
    items: Mapping[str, FilmMeasure]
    placed: tuple[FilmPointName, ...]
    missing: tuple[FilmPointName, ...]
    tuberosity_share: float | None = None
    findings: tuple[Finding, ...] = ()

    def number(self, measure: str) -> float | None:
        """Return a value, None when it cannot be had."""
        return self.items[measure].value


@dataclass(frozen=True, slots=True)
class _Spec:
    unit: Literal["deg", "mm", "%"]
    needs: tuple[FilmPointName, ...]
    function: Callable[[Leg], FloatArray]


_SPECS: Final[Mapping[str, _Spec]] = MappingProxyType(
    {
        "hka_deviation": _Spec("deg", _AXES, formula.hka_deviation),
        "hka": _Spec("deg", _AXES, formula.hka),
        "mldfa": _Spec("deg", ("head", "knee", *_FEMORAL), lambda leg: formula.mldfa(leg, leg.femur)),
        "mpta": _Spec("deg", ("knee", "ankle", *_TIBIAL), lambda leg: formula.mpta(leg, leg.tibia)),
        "jlca": _Spec("deg", (*_FEMORAL, *_TIBIAL), formula.jlca),
        "wbl": _Spec("%", ("head", "ankle", *_TIBIAL), formula.wbl),
        "mad": _Spec("mm", _AXES, formula.mad),
        "tibia_length": _Spec("mm", ("knee", "ankle"), lambda leg: formula.length(leg, "tibial_knee_centre", "ankle_centre")),
        "leg_length": _Spec("mm", ("head", "ankle"), lambda leg: formula.length(leg, "hip_centre", "ankle_centre")),
    }
)  # fmt: skip
#: Measures of a film, in the order of every table; ids and signs of the command line's contract.
FILM_MEASURES: Final = tuple(_SPECS)


def measure_film(film: Film, side: Side) -> FilmMeasures:
    """Measure one leg of a film.

    Parameters
    ----------
    film
        With its points, its shape of the pixels, its calibration and whether it is mirrored.
    side
        Which leg.

    Returns
    -------
    FilmMeasures
        All values None with a critical finding where the points contradict the film as it hangs: ``film_points_order`` (head,
        knee and ankle do not follow each other downwards) or ``film_points_swapped`` (lateral lies where medial belongs).
    """
    leg = film.leg(side)
    placed = tuple(name for name in FILM_POINTS if leg.point(name) is not None)
    flat = plane_points([leg.point(name) or (0.0, 0.0) for name in placed], film.aspect)
    across = -side.sign * (-1.0 if film.mirrored else 1.0)  # +1: lateral is to the right of the picture
    points: dict[str, FloatArray] = {
        name: side.sign * across * x * _PLANE.z - y * _PLANE.y for name, (x, y) in zip(placed, flat, strict=True)
    }
    wrong = _contradictions(points, side)
    spacing = None if film.calibration.spacing_mm is None else film.calibration.spacing_mm[1]
    per_mm = 1.0 / (spacing or _assumed_spacing(points))
    told = {
        name: spec
        for name, spec in _SPECS.items()
        if not wrong and not (spec.unit == "mm" and spacing is None) and all(point in points for point in spec.needs)
    }
    values, sds = _values(told, points, side, per_mm)
    items = {}
    for name, spec in _SPECS.items():
        if name in told and isfinite(values[name]):
            factor = 1.0 if spec.unit != "mm" or spacing is None else spacing
            sd = sds[name] * factor
            items[name] = FilmMeasure(name, values[name] * factor, spec.unit, sd if isfinite(sd) else None)
        else:
            items[name] = FilmMeasure(name, None, spec.unit, None, wrong[0] if wrong else _reason(name, spec, points, told))
    return FilmMeasures(
        film=film.id,
        side=side,
        taken=film.taken,
        items=MappingProxyType(items),
        placed=placed,
        missing=tuple(name for name in FILM_POINTS if name not in placed),
        tuberosity_share=None if wrong else _tuberosity_share(points),
        findings=(*wrong, *(() if wrong else _doubts(points))),
    )


def _leg(points: Points, side: Side) -> Leg:
    items = {
        landmark: LandmarkEstimate(landmark, point, "edited")
        for name, point in points.items()
        for landmark in _LANDMARKS[name]  # type: ignore[index] # keys of the points are names of points
    }
    return Leg(Landmarks(side, MappingProxyType(items)), LegFrames(side, _PLANE, _PLANE, _PLANE))


def _values(specs: Mapping[str, _Spec], points: Points, side: Side, per_mm: float) -> tuple[dict[str, float], dict[str, float]]:
    """Values of these measures and their standard deviations by the reading of each coordinate of each point.

    ``per_mm`` is columns in a millimetre. All readings are measured at once: draw 0 is as placed, two more for each point.
    """
    draws = {name: np.repeat(point[:, None], 1 + 2 * len(points), axis=1) for name, point in points.items()}
    touched = {}
    for number, name in enumerate(points):
        step = default_limits()["film.centre_reading_mm" if name in _AXES else "film.line_reading_mm"] * per_mm
        touched[name] = (1 + 2 * number, 2 + 2 * number)
        for draw, axis in zip(touched[name], (_PLANE.y, _PLANE.z), strict=True):
            draws[name][:, draw] += step * axis
    leg = _leg(draws, side)
    values, sds = {}, {}
    with np.errstate(divide="ignore", invalid="ignore"):
        for name, spec in specs.items():
            drawn = np.asarray(spec.function(leg), dtype=np.float64)
            off = [drawn[draw] - drawn[0] for point in spec.needs for draw in touched[point]]
            values[name], sds[name] = float(drawn[0]), sqrt(sum(float(part) ** 2 for part in off))
    return values, sds


def _reason(name: str, spec: _Spec, points: Points, told: Mapping[str, _Spec]) -> Finding:
    missing = [point for point in spec.needs if point not in points]
    if missing:
        return Finding("film_points_missing", "note", (("points", " ".join(missing)),))
    return Finding("film_points_coincide", "warn") if name in told else Finding("film_lengths_locked", "note")


def _assumed_spacing(points: Points) -> float:
    """Millimetres between columns where nothing tells them: the leg is as long as most are; for reading errors only."""
    usual = default_limits()["film.usual_leg_mm"]
    for upper, lower, share in (("head", "ankle", 1.0), ("head", "knee", 0.53), ("knee", "ankle", 0.47)):
        if upper in points and lower in points:
            return usual * share / max(float(np.linalg.norm(points[upper] - points[lower])), 1e-6)
    return default_limits()["film.usual_pixel_mm"]


def _contradictions(points: Points, side: Side) -> tuple[Finding, ...]:
    heights = [float(points[name] @ _PLANE.y) for name in _AXES if name in points]
    if any(upper <= lower for upper, lower in pairwise(heights)):
        return (Finding("film_points_order", "critical"),)
    lateral = side.sign * _PLANE.z
    for medial, outer in (_FEMORAL, _TIBIAL):
        if medial in points and outer in points and float((points[outer] - points[medial]) @ lateral) <= 0.0:
            return (Finding("film_points_swapped", "critical", (("side", str(side)),)),)
    return ()


def _doubts(points: Points) -> tuple[Finding, ...]:
    """Points of the knee that lie far from the knee centre were put on another joint."""
    if not {"head", "knee"} <= points.keys() and not {"knee", "ankle"} <= points.keys():
        return ()
    far = max(float(np.linalg.norm(points[name] - points["knee"])) for name in ("head", "ankle") if name in points)
    reach = default_limits()["film.knee_share"] * far
    names = (*_FEMORAL, *_TIBIAL, "tuberosity")
    off = [name for name in names if name in points and float(np.linalg.norm(points[name] - points["knee"])) > reach]
    return tuple(Finding("film_point_far", "warn", (("point", name),)) for name in off)


def _tuberosity_share(points: Points) -> float | None:
    """Share of the way from the medial to the lateral end of the plateau, square to the line from head to ankle."""
    if not {"tuberosity", "head", "ankle", *_TIBIAL} <= points.keys():
        return None
    along = points["head"] - points["ankle"]
    across = np.cross(along, _PLANE.x)
    wide = float((points["tibia_lateral"] - points["tibia_medial"]) @ across)
    return None if wide == 0.0 else float((points["tuberosity"] - points["tibia_medial"]) @ across) / wide
