"""The guide on a simple leg: it fits, comes off, carries the correction, and says what it is for."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from surgiplan_desktop.base.errors import InputDataError
from surgiplan_desktop.base.spaces import Affine
from surgiplan_desktop.geometry.distance import signed_distance
from surgiplan_desktop.geometry.solid import components, intersection_volume, is_solid, volume
from surgiplan_desktop.model.anatomy import Side
from surgiplan_desktop.model.steps import Blade
from surgiplan_desktop.planning.guide_checks import blade_check
from surgiplan_desktop.planning.guide_construction import axes_table, construction_bodies
from surgiplan_desktop.planning.guide_label import check_code, label_lines
from surgiplan_desktop.planning.guide_slot import slot_width
from surgiplan_desktop.planning.guides import build_guide
from surgiplan_desktop.planning.records import Guide, Landmarks, SawRay
from tests.helpers.guide_leg import guide_leg

CODE = "K7QX2M"


def _build(side: Side = Side.RIGHT, approved: bool = False, **changes: object) -> Guide:
    leg = replace(guide_leg(side), **changes)
    return build_guide(
        leg.step, leg.osteotomy, CODE, approved, False, leg.landmarks, leg.frames, leg.plan, leg.wedge, leg.tibia
    )  # fmt: skip


@cache
def _guide(side: Side = Side.RIGHT) -> Guide:
    return _build(side)


def _status(guide: Guide) -> dict[str, str]:
    return {check.id: check.status for check in guide.checks}


@pytest.mark.parametrize("side", list(Side))
def test_guide_is_one_closed_body_that_shares_nothing_with_the_bone(side: Side) -> None:
    guide, leg = _guide(side), guide_leg(side)
    assert is_solid(guide.mesh)
    assert len(components(guide.mesh)) == 1
    assert intersection_volume(guide.mesh, leg.tibia.parts[0].mesh) == 0.0
    clearance = signed_distance(leg.tibia.parts[0].mesh, guide.mesh.vertices[::50]).min()
    assert 0.15 <= clearance <= 0.25
    assert volume(guide.mesh) == pytest.approx(guide.volume_mm3, abs=0.01)


def test_no_check_fails_but_possibly_the_seat_of_a_bone_without_ridges() -> None:
    failed = {name for name, status in _status(_guide()).items() if status == "fail"}
    assert failed <= {"seat_unstable"}


@pytest.mark.parametrize("shift_mm", [0.3, 2.0, 7.0, 30.0])
def test_guide_comes_off_along_the_insertion_direction(shift_mm: float) -> None:
    guide, bone = _guide(), guide_leg().tibia.parts[0].mesh
    off = guide.mesh.moved(Affine.from_parts(np.eye(3), -shift_mm * guide.insertion_direction))
    assert intersection_volume(off, bone) == 0.0


@pytest.mark.parametrize("side", list(Side))
def test_insertion_direction_lies_between_medial_and_45_deg_anterior(side: Side) -> None:
    frame = guide_leg(side).plan.frame
    away = -frame.direction_to_local(_guide(side).insertion_direction)
    medial = -side.sign * away[2]
    assert -1e-6 <= np.degrees(np.arctan2(away[0], medial)) <= 45.0 + 1e-6
    assert abs(away[1]) < 1e-9


@pytest.mark.parametrize("side", list(Side))
def test_pins_are_parallel_after_the_opening_and_differ_by_it_before(side: Side) -> None:
    leg, guide = guide_leg(side), _guide(side)
    proximal, distal = (sleeve.direction for sleeve in guide.sleeves)
    moved = leg.plan.correction.directions(distal)
    assert np.degrees(np.arccos(min(1.0, float(proximal @ moved)))) < 0.01
    assert np.degrees(np.arccos(float(proximal @ distal))) == pytest.approx(leg.plan.angle_deg, abs=0.05)
    heights = [float(leg.plan.plane.signed_distance(sleeve.top_lps + 15.0 * sleeve.direction)) for sleeve in guide.sleeves]
    assert heights[0] > 3
    assert heights[1] < -3


def test_bores_and_slot_are_open() -> None:
    guide, leg = _guide(), guide_leg()
    for sleeve in guide.sleeves:
        along = sleeve.top_lps + np.linspace(-2.0, 15.0, 12)[:, None] * sleeve.direction
        assert signed_distance(guide.mesh, along).min() > sleeve.bore_mm / 2 - 0.05
    assert guide.slot_width_mm == slot_width(leg.osteotomy.blade) == pytest.approx(1.3)
    medial = -leg.side.sign * leg.plan.frame.z
    in_plane = medial - (medial @ leg.plan.plane.normal) * leg.plan.plane.normal
    inside = leg.plan.start_lps + np.linspace(2.0, 14.0, 9)[:, None] * in_plane / np.linalg.norm(in_plane)
    assert signed_distance(guide.mesh, inside).min() > guide.slot_width_mm / 2 - 0.02


def test_left_guide_is_the_mirror_image_of_the_right_one_but_for_its_letters() -> None:
    right, left = _guide(Side.RIGHT), _guide(Side.LEFT)
    assert left.volume_mm3 == pytest.approx(right.volume_mm3, rel=3e-3)
    assert left.contact_mm2 == pytest.approx(right.contact_mm2, rel=3e-3)
    assert left.free_play.mm == pytest.approx(right.free_play.mm, rel=2e-2)
    assert (right.label[0], left.label[0]) == ("R", "L")


def test_guide_is_byte_equal_twice() -> None:
    one, two = _guide(), _build()
    assert one.mesh.vertices.tobytes() == two.mesh.vertices.tobytes()
    assert one.mesh.faces.tobytes() == two.mesh.faces.tobytes()
    assert one.label == two.label


def test_label_says_test_until_a_surgeon_approved() -> None:
    assert _guide().label[-2:] == ("TEST", "NOT FOR THEATRE")
    assert CODE in " ".join(_guide().label)
    assert not any("TEST" in line for line in label_lines(Side.RIGHT, CODE, 1, "A3F9", approved=True))


def test_check_code_changes_with_plan_and_bone_but_not_with_the_label() -> None:
    leg = guide_leg()
    code = check_code(leg.step, leg.osteotomy, leg.plan, leg.tibia)
    assert code == _guide().check_code
    assert len(code) == 4
    other = replace(leg.osteotomy, blade=Blade(body_mm=1.0))
    assert check_code(leg.step, other, leg.plan, leg.tibia) != code
    assert check_code(leg.step, leg.osteotomy, guide_leg(Side.RIGHT, 8.0).plan, leg.tibia) != code


def test_blade_that_does_not_reach_the_hinge_fails() -> None:
    leg = guide_leg()
    long_way = replace(leg.wedge, saw=(SawRay("middle", 15.0, 15.0 + 80.0, 15.0 + 88.0),))
    assert blade_check(Blade(), 15.0, long_way).status == "fail"
    assert blade_check(Blade(), 15.0, leg.wedge).status == "pass"


def test_a_guide_without_the_tuberosity_is_refused() -> None:
    leg = guide_leg()
    items = {name: item for name, item in leg.landmarks.items.items() if name != "tibial_tuberosity"}
    with pytest.raises(InputDataError) as caught:
        _build(landmarks=Landmarks(leg.side, items))
    assert caught.value.message_id == "guide_needs_landmark"


def test_construction_bodies_are_solids_in_the_same_frame() -> None:
    leg, guide = guide_leg(), _guide()
    bodies = construction_bodies(leg.step, leg.osteotomy, leg.landmarks, leg.plan, leg.tibia, guide)
    assert {"slot-tool", "cut-plane", "pin-proximal", "pin-distal"} == set(bodies)
    assert all(is_solid(body) for body in bodies.values())
    for name in ("slot-tool", "pin-proximal", "pin-distal"):
        assert intersection_volume(bodies[name], guide.mesh) == pytest.approx(0.0, abs=0.1)
    assert len(axes_table(guide).splitlines()) == 3
