"""The letters on the guide are read from outside, not mirrored: rendered by rays and compared with the font."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from surgiplan_desktop.base.spaces import Frame
from surgiplan_desktop.geometry.distance import ray_hits
from surgiplan_desktop.geometry.glyphs import raised_text, strokes, text_width
from surgiplan_desktop.geometry.solid import is_solid
from surgiplan_desktop.model.anatomy import Side
from surgiplan_desktop.model.mesh import Mesh
from surgiplan_desktop.planning.guide_label import label_lines, strut_pad, tower_pad
from surgiplan_desktop.planning.guide_patch import draw_outline, sample_relief
from surgiplan_desktop.planning.guide_pins import find_pins, sleeve_radius
from surgiplan_desktop.planning.guide_site import find_site
from surgiplan_desktop.planning.guide_slot import find_slot
from tests.helpers.guide_leg import guide_leg

_STEP = 0.25


def _seen_from_outside(mesh: Mesh, frame: Frame, wide: float, tall: float) -> np.ndarray:
    """Look at a face along -Z of its frame with Y up: True where the letters stand above it. X must run to the reader's right."""
    x, y = np.meshgrid(np.arange(0, wide, _STEP), np.arange(0, tall, _STEP))
    origins = frame.to_lps(np.column_stack([x.ravel(), y.ravel(), np.full(x.size, 5.0)]))
    first = ray_hits(mesh, origins, np.broadcast_to(-frame.z, origins.shape).copy()).first(len(origins))
    return (first < 5.0 - 0.3).reshape(x.shape)


def _drawn(text: str, height: float, stroke: float, wide: float) -> np.ndarray:
    """Draw the text from the font's lines, X to the right."""
    x, y = np.meshgrid(np.arange(0, wide, _STEP), np.arange(0, height, _STEP))
    points = np.stack([x, y], axis=-1)
    near = np.full(x.shape, np.inf)
    for line in strokes(text, height, stroke):
        for start, end in itertools.pairwise(line):
            along = end - start
            share = np.clip(((points - start) @ along) / (along @ along), 0.0, 1.0)
            near = np.minimum(near, np.linalg.norm(points - start - share[..., None] * along, axis=-1))
    return near < stroke / 2


@pytest.mark.parametrize("side", list(Side))
def test_letters_on_both_faces_of_the_guide_read_as_the_font_draws_them(side: Side) -> None:
    leg = guide_leg(side)
    site = find_site(leg.landmarks, leg.plan, leg.tibia)
    slot = find_slot(site, leg.step, leg.osteotomy.blade)
    relief = sample_relief(site, 20.0)
    pins = find_pins(site, relief, slot, leg.step, leg.plan)
    feet = tuple((*map(float, site.local(pin.entry_lps)[:2]), sleeve_radius(leg.step) + 3.0) for pin in pins)
    outline = draw_outline(site, relief, leg.step, feet)
    for pad in (strut_pad(site, relief, outline, leg.step), tower_pad(site, slot, leg.step)):
        assert np.linalg.det(pad.frame.axes) == pytest.approx(1.0)
        outwards = site.withdrawal if pad.frame.z @ site.withdrawal > 0.5 else leg.plan.plane.normal
        assert pad.frame.z @ outwards > 0.5
        text = "R72LF"
        body = raised_text(text, pad.frame, 5.0, 0.8, -0.8, 0.6)
        wide = text_width(text, 5.0, 0.8)
        seen, drawn = _seen_from_outside(body, pad.frame, wide, 5.0), _drawn(text, 5.0, 0.8, wide)
        assert (seen == drawn).mean() > 0.97
        assert (seen == drawn[:, ::-1]).mean() < 0.9  # a mirrored label would be found out


def test_raised_letters_are_solid_and_say_side_code_and_warning() -> None:
    lines = label_lines(Side.LEFT, "K7QX2M", 3, "A3F9", approved=False)
    assert lines[0] == "L"
    assert "R03" in " ".join(lines)
    assert "A3F9" in " ".join(lines)
    assert is_solid(raised_text("".join(lines), Frame(np.zeros(3), np.eye(3)), 4.0, 0.8, -0.5, 0.6))


def test_bones_without_a_scan_are_told_on_the_guide() -> None:
    assert "MESH ONLY" in label_lines(Side.LEFT, "K7QX2M", 1, "A3F9", approved=True, mesh_only=True)
    assert "MESH ONLY" not in label_lines(Side.LEFT, "K7QX2M", 1, "A3F9", approved=False)


def test_zero_and_one_differ_from_o_and_i() -> None:
    for one, two in (("0", "O"), ("1", "I")):
        assert (_drawn(one, 6.0, 0.8, 6.0) != _drawn(two, 6.0, 0.8, 6.0)).mean() > 0.03


def test_a_letter_that_is_not_in_the_font_is_refused() -> None:
    with pytest.raises(ValueError, match="font"):
        strokes("Ä", 4.0, 0.8)
