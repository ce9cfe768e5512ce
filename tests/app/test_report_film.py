"""The film in the report and the drawing of the deformity: words beside every number, a bone that differs in red."""

from __future__ import annotations

import numpy as np
import pytest

from surgiplan_desktop.app.draw_deformity import deformity_drawing, deformity_picture
from surgiplan_desktop.app.report_film import film_section
from surgiplan_desktop.app.texts import load_texts
from surgiplan_desktop.model.anatomy import Side
from surgiplan_desktop.planning.axes import leg_frames
from surgiplan_desktop.planning.deformity import deformity
from surgiplan_desktop.planning.film_comparison import compare_film
from surgiplan_desktop.planning.film_measures import measure_film
from surgiplan_desktop.planning.measures import measure_points
from surgiplan_desktop.scene.flat_drawing import Box, Words, drawing_svg
from tests.helpers.film_points import film_of, moved
from tests.planning.golden_leg import golden_landmarks

TEXTS = load_texts("en", strict=True)


def test_the_section_marks_the_bone_that_differs() -> None:
    landmarks = golden_landmarks()
    film = moved(film_of(landmarks), Side.RIGHT, "tibia_medial", 0.0, 10.0)
    compared = compare_film(measure_film(film, Side.RIGHT), landmarks, leg_frames(landmarks), measure_points(landmarks))
    section = film_section(compared, TEXTS)
    cells = {row[0].text: row for row in section.rows}
    assert cells["HKA deviation"][1].text == "8.0° varus"
    assert cells["MPTA"][3].tone == "fail"
    assert cells["mLDFA"][3].tone == "quiet"
    assert "film-1" in section.heading


@pytest.mark.parametrize("wide", [292.0, 460.0])
def test_bars_are_as_long_as_their_numbers(wide: float) -> None:
    found = (deformity("ct", 81.0, 88.5, 1.5), deformity("standing", 81.0, 88.5, 5.2))
    drawing = deformity_drawing(Side.RIGHT, found, TEXTS, wide)
    assert drawing is not None
    bars = [item for item in drawing.items if isinstance(item, Box) and item.high in (13.0, 16.0)]
    degrees = [6.0, 1.5, 1.5, 5.2, 9.0, 12.7]  # tibia, femur, joint lying and standing, leg lying and standing
    assert [bar.wide / bars[0].wide * 6.0 for bar in bars] == pytest.approx(degrees)
    assert len({round(bar.x + bar.wide, 6) for bar in bars}) == 1  # all to varus
    words = [item.text for item in drawing.items if isinstance(item, Words)]
    assert "Combined: tibia and joint line" in words
    assert "12.7° varus" in words
    assert all(0.0 <= item.x <= wide and 0.0 <= item.x + item.wide <= wide for item in bars)
    assert drawing_svg(drawing) == drawing_svg(drawing)
    assert "12.7° varus" in drawing_svg(drawing)


def test_a_film_alone_and_nothing_at_all() -> None:
    picture = deformity_picture(Side.LEFT, (deformity("film", 90.0, 81.5, -1.0, "film-1"),), TEXTS)
    assert picture is not None
    assert picture.dtype == np.uint8
    assert picture.std() > 10.0
    assert deformity_picture(Side.LEFT, (), TEXTS) is None
