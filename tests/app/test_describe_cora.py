"""Words, JSON and drawing of where the bones are bent: every angle with its word, every distance with its line."""

from __future__ import annotations

import json

from surgiplan_desktop.app.describe_cora import cora_data, cora_drawing, cora_lines
from surgiplan_desktop.app.draw_deformity import deformity_drawing
from surgiplan_desktop.app.report_film import cora_section
from surgiplan_desktop.app.texts import load_texts
from surgiplan_desktop.model.anatomy import Side
from surgiplan_desktop.planning.axes import leg_frames
from surgiplan_desktop.planning.cora import LegCora, leg_cora
from surgiplan_desktop.planning.deformity import deformity
from surgiplan_desktop.planning.measures import measure_points
from surgiplan_desktop.scene.flat_drawing import Box, Stroke, Words, drawing_svg
from tests.planning.golden_leg import golden_landmarks
from tests.planning.test_cora import bent_femur, bent_tibia

TEXTS = load_texts("en", strict=True)


def legs(side: Side = Side.RIGHT) -> tuple[LegCora, ...]:
    other = Side.LEFT if side is Side.RIGHT else Side.RIGHT
    own = golden_landmarks(side, **{**bent_femur(4.0, 80.0), **bent_tibia(-8.0, 120.0)})
    straight = golden_landmarks(other, **{**bent_femur(0.0, 80.0), **bent_tibia(0.0, 120.0)})
    return leg_cora(own, leg_frames(own), measure_points(own), measure_points(straight))


def test_words_name_reference_side_of_the_bend_and_line() -> None:
    heading, *lines = cora_lines(legs(), TEXTS)
    assert "CORA" in heading
    assert lines[0].strip() == "Against the normal mean (mLDFA 87.0°, LPFA 90.0°, MPTA 87.0°, LDTA 89.0°)"
    assert "Femur: 4.0° valgus in the bone, 80 mm above the knee joint line." in lines[1]
    assert "Tibia: 8.0° varus in the bone, 120 mm below the knee joint line." in lines[2]
    assert lines[3].strip().startswith("Against the other leg (Left leg)")
    data = cora_data(legs(), TEXTS)
    assert set(json.loads(json.dumps(data))) == {"normal", "other_leg"}


def test_what_is_missing_gives_its_reason_and_no_number() -> None:
    bare = golden_landmarks(Side.LEFT, without=("ankle_centre",), **bent_tibia(-8.0, 120.0))
    found = leg_cora(bare, leg_frames(bare), measure_points(bare))
    lines = list(cora_lines(found, TEXTS))
    assert all("not measurable" in line and "mm" not in line for line in lines[2:])
    data = cora_data(found, TEXTS)["normal"]
    assert isinstance(data, dict)
    assert (data["tibia"]["angle_deg"], data["tibia"]["to_knee_joint_line_mm"], data["tibia"]["place"]) == (
        None,
        None,
        "not_measurable",
    )
    assert cora_drawing(found, TEXTS) is None


def test_the_drawing_shows_both_crossings_mirrored_for_the_other_side() -> None:
    dots = {}
    for side in Side:
        drawing = cora_drawing(legs(side), TEXTS)
        assert drawing is not None
        found = [item for item in drawing.items if isinstance(item, Box)]
        assert len(found) == 2
        strokes = [item for item in drawing.items if isinstance(item, Stroke)]
        assert all(0.0 <= item.x0 <= 110.0 and 0.0 <= item.y0 <= drawing.high for item in strokes)
        dots[side] = found
    middle = {dots[Side.RIGHT][i].x + dots[Side.LEFT][i].x for i in range(2)}
    assert max(middle) - min(middle) < 1e-6
    assert dots[Side.RIGHT][0].y < dots[Side.RIGHT][1].y  # the femur's above the tibia's


def test_it_stands_under_the_bars_and_in_the_report() -> None:
    bars = (deformity("ct", 81.0, 88.5, 1.5),)
    alone, both = deformity_drawing(Side.RIGHT, bars, TEXTS), deformity_drawing(Side.RIGHT, bars, TEXTS, cora=legs())
    assert alone is not None
    assert both is not None
    assert both.items[: len(alone.items)] == alone.items
    assert all(item.y > alone.high for item in both.items[len(alone.items) :] if isinstance(item, Words))
    assert "120 mm" in drawing_svg(both)
    section = cora_section(legs()[0], TEXTS)
    assert "120 mm below the knee joint line" in section.rows[1][1].text
    assert "normal mean" in section.note
