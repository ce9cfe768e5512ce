"""Lengths and angles on a film: angles by the shape of the pixels, lengths only once the film is calibrated.

A point on a film is (column, row), counted in pixels from the centre of the first pixel; y grows downwards.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from surgiplan_desktop.base.arrays import FloatArray
from surgiplan_desktop.base.errors import InputDataError, PlanCheckError, UsageError
from surgiplan_desktop.model.study import Film, FilmCalibration, Finding
from surgiplan_desktop.planning.limits import default_limits

Point = tuple[float, float]


def plane_points(points_px: Sequence[Point] | FloatArray, aspect: float) -> FloatArray:
    """Return points (n, 2) as x right, y down in distances between columns: pixels that are not square are set right."""
    points = np.asarray(points_px, dtype=np.float64).reshape(-1, 2)
    set_right: FloatArray = points * np.array([1.0, aspect])
    return set_right


def film_angle_deg(film: Film, from_px: Point, vertex_px: Point, to_px: Point) -> float:
    """Return the angle at ``vertex_px`` between the directions to two points, 0..180 deg; needs no calibration."""
    start, vertex, end = plane_points([from_px, vertex_px, to_px], film.aspect)
    one, other = start - vertex, end - vertex
    cross = float(one[0] * other[1] - one[1] * other[0])
    return float(np.degrees(np.arctan2(abs(cross), float(one @ other))))


def film_length_mm(film: Film, from_px: Point, to_px: Point) -> float:
    """Return a length in the plane of the bone, mm; PlanCheckError ``film_not_calibrated`` while lengths are locked."""
    spacing = film.calibration.spacing_mm
    if spacing is None:
        raise PlanCheckError("film_not_calibrated", film=film.id)
    one, other = plane_points([from_px, to_px], film.aspect)
    return float(np.linalg.norm(other - one)) * spacing[1]


def ball_calibration(known_mm: float, points_px: Sequence[Point], shape: tuple[int, int], aspect: float = 1.0) -> FilmCalibration:
    """Calibrate by a ball of known diameter.

    Parameters
    ----------
    known_mm
        Diameter of the ball.
    points_px
        Two opposite points of its rim, or three and more anywhere on the rim.
    shape, aspect
        Rows and columns of the film; distance between rows / between columns.

    Raises
    ------
    UsageError
        ``film_points_outside``, ``film_points_count``, ``film_known_size``.
    InputDataError
        ``film_ball_not_round`` when the points do not lie on a circle, ``film_scale`` when no leg is that small or large.
    """
    points = _checked(known_mm, points_px, shape, aspect, least=2)
    diameter = float(np.linalg.norm(points[1] - points[0])) if len(points) == 2 else _circle_diameter(points)
    return _calibration("ball", known_mm, diameter, points_px, aspect)


def ruler_calibration(
    known_mm: float, points_px: Sequence[Point], shape: tuple[int, int], aspect: float = 1.0
) -> FilmCalibration:
    """Calibrate by two points on a ruler that are ``known_mm`` apart; errors as :func:`ball_calibration`."""
    points = _checked(known_mm, points_px, shape, aspect, least=2, most=2)
    return _calibration("ruler", known_mm, float(np.linalg.norm(points[1] - points[0])), points_px, aspect)


def calibration_findings(calibration: FilmCalibration, detector_spacing_mm: tuple[float, float] | None) -> tuple[Finding, ...]:
    """Say what is doubtful about a calibration: an impossible magnification, or a scale read off too few pixels."""
    limits = default_limits()
    findings = []
    if calibration.spacing_mm is not None and detector_spacing_mm is not None and calibration.points_px:
        magnification = detector_spacing_mm[1] / calibration.spacing_mm[1]
        if not limits["film.magnification_low"] <= magnification <= limits["film.magnification_high"]:
            findings.append(Finding("film_magnification_odd", "warn", (("magnification", round(magnification, 3)),)))
    error = reading_error_percent(calibration)
    if error is not None and error > limits["film.reading_error_percent"]:
        findings.append(Finding("film_scale_coarse", "warn", (("percent", round(error, 1)),)))
    return tuple(findings)


def reading_error_percent(calibration: FilmCalibration) -> float | None:
    """Return by how much every length is wrong when the two ends were each read one pixel off; None where nothing was read."""
    if calibration.measured_px is None:
        return None
    return 100.0 * float(np.sqrt(2.0)) / calibration.measured_px


def _checked(
    known_mm: float, points_px: Sequence[Point], shape: tuple[int, int], aspect: float, *, least: int, most: int | None = None
) -> FloatArray:
    if not np.isfinite(known_mm) or known_mm <= 0:
        raise UsageError("film_known_size", known_mm=known_mm)
    if len(points_px) < least or (most is not None and len(points_px) > most):
        raise UsageError("film_points_count", count=len(points_px))
    rows, columns = shape
    for x, y in points_px:
        if not (-0.5 <= x <= columns - 0.5 and -0.5 <= y <= rows - 0.5):
            raise UsageError("film_points_outside", x=x, y=y, columns=columns, rows=rows)
    return plane_points(points_px, aspect)


def _circle_diameter(points: FloatArray) -> float:
    """Return the diameter of the least-squares circle through points (n, 2), n >= 3 (Kasa's linear fit)."""
    origin = points.mean(axis=0)
    centred = points - origin
    design = np.column_stack([2.0 * centred, np.ones(len(points))])
    solution, _, rank, _ = np.linalg.lstsq(design, (centred**2).sum(axis=1), rcond=1e-9)
    squared = float(solution[2] + solution[:2] @ solution[:2])
    if rank < 3 or squared <= 0:
        raise InputDataError("film_ball_not_round", percent=100.0)
    radius = float(np.sqrt(squared))
    off = float(np.abs(np.linalg.norm(centred - solution[:2], axis=1) - radius).max()) / radius
    if off > default_limits()["film.ball_roundness"]:
        raise InputDataError("film_ball_not_round", percent=round(100.0 * off, 1))
    return 2.0 * radius


def _calibration(kind: str, known_mm: float, measured: float, points_px: Sequence[Point], aspect: float) -> FilmCalibration:
    limits = default_limits()
    if measured == 0:
        raise UsageError("film_points_count", count=1)
    scale = known_mm / measured
    if not limits["film.pixel_low_mm"] <= scale <= limits["film.pixel_high_mm"]:
        raise InputDataError("film_scale", known_mm=known_mm, measured_px=round(measured, 2), scale=float(f"{scale:.4g}"))
    return FilmCalibration(
        kind="ball" if kind == "ball" else "ruler",
        spacing_mm=(scale * aspect, scale),
        known_mm=known_mm,
        measured_px=measured,
        points_px=tuple((float(x), float(y)) for x, y in points_px),
    )
