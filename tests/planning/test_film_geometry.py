"""Films: lengths locked until calibrated, angles by the shape of the pixels, balls and rulers."""

from __future__ import annotations

import numpy as np
import pytest

from surgiplan_desktop.base.errors import InputDataError, PlanCheckError, UsageError
from surgiplan_desktop.model.anatomy import Side
from surgiplan_desktop.model.study import Film, FilmCalibration
from surgiplan_desktop.planning.film_geometry import (
    ball_calibration,
    calibration_findings,
    film_angle_deg,
    film_length_mm,
    ruler_calibration,
)

SHAPE = (3000, 1200)


def film(aspect: float = 1.0, calibration: FilmCalibration | None = None) -> Film:
    return Film("film-1", "", SHAPE, "DX", Side.LEFT, "", calibration or FilmCalibration(), aspect=aspect)


def rim(centre: tuple[float, float], radius: float, degrees: list[float], aspect: float = 1.0) -> list[tuple[float, float]]:
    turn = np.radians(degrees)
    return [(centre[0] + radius * np.cos(a), centre[1] + radius * np.sin(a) / aspect) for a in turn]


@pytest.mark.parametrize("aspect", [1.0, 0.5, 1.7])
@pytest.mark.parametrize("degrees", [[20, 200], [0, 90, 200], [5, 40, 80, 120, 160]])
def test_a_ball_gives_the_scale_wherever_its_rim_is_marked(aspect: float, degrees: list[float]) -> None:
    found = ball_calibration(25.4, rim((400.0, 500.0), 70.0, degrees, aspect), SHAPE, aspect)
    assert found.spacing_mm == pytest.approx((25.4 / 140 * aspect, 25.4 / 140))
    calibrated = film(aspect, found)
    assert film_length_mm(calibrated, (10, 10), (10, 110)) == pytest.approx(100 * aspect * 25.4 / 140)
    assert film_length_mm(calibrated, (10, 10), (110, 10)) == pytest.approx(100 * 25.4 / 140)


def test_a_ruler_gives_the_scale() -> None:
    found = ruler_calibration(300.0, [(100.0, 200.0), (100.0, 1700.0)], SHAPE)
    assert (found.kind, found.spacing_mm) == ("ruler", pytest.approx((0.2, 0.2)))


def test_lengths_are_locked_until_calibrated_angles_are_free() -> None:
    with pytest.raises(PlanCheckError, match="film_not_calibrated"):
        film_length_mm(film(), (0, 0), (10, 0))
    assert film_angle_deg(film(), (0, 0), (0, 10), (10, 10)) == pytest.approx(90.0)
    assert film_angle_deg(film(), (0, 0), (50, 50), (100, 100)) == pytest.approx(180.0)


def test_squeezed_pixels_do_not_change_an_angle() -> None:
    true = film_angle_deg(film(), (0, 0), (100, 300), (300, 500))
    squeezed = film_angle_deg(film(2.0), (0, 0), (100, 150), (300, 250))
    assert squeezed == pytest.approx(true)


@pytest.mark.parametrize(
    ("known", "points", "error"),
    [
        (0.0, [(0, 0), (10, 0)], UsageError),
        (25.0, [(0, 0)], UsageError),
        (25.0, [(0, 0), (1300, 0)], UsageError),
        (25.0, [(5, 5), (5, 5)], UsageError),
        (25.0, [(5, 5), (6, 5)], InputDataError),
        (25.0, [(0, 0), (50, 50), (100, 100)], InputDataError),
        (25.0, [(0, 0), (100, 0), (100, 100), (50, 20)], InputDataError),
    ],
)
def test_a_ball_that_is_none_is_refused(known: float, points: list[tuple[float, float]], error: type[Exception]) -> None:
    with pytest.raises(error):
        ball_calibration(known, points, SHAPE)


def test_an_impossible_magnification_and_few_pixels_are_said() -> None:
    good = ball_calibration(25.0, [(0, 0), (143, 0)], SHAPE)
    assert calibration_findings(good, (0.2, 0.2)) == ()
    small = ball_calibration(25.0, [(0, 0), (110, 0)], SHAPE)
    assert [item.code for item in calibration_findings(small, (0.2, 0.2))] == ["film_magnification_odd"]
    coarse = ball_calibration(25.0, [(0, 0), (20, 0)], SHAPE)
    assert [item.code for item in calibration_findings(coarse, None)] == ["film_scale_coarse"]
