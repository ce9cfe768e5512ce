"""Wedge, saw table and pieces on a block of bone whose numbers are known."""

from dataclasses import replace

import numpy as np
import pytest

from surgiplan_desktop.base.errors import InputDataError
from surgiplan_desktop.base.spaces import Affine, rotation_about
from surgiplan_desktop.geometry.solid import is_solid, volume
from surgiplan_desktop.model.anatomy import Side
from surgiplan_desktop.model.case import Intake
from surgiplan_desktop.model.mesh import Bone, BonePart
from surgiplan_desktop.model.steps import Blade, OsteotomyStep, Target
from surgiplan_desktop.planning.axes import leg_frames
from surgiplan_desktop.planning.osteotomy import plan_osteotomy
from surgiplan_desktop.planning.osteotomy_site import parameters_from_points
from surgiplan_desktop.planning.pieces import cut_pieces
from surgiplan_desktop.planning.records import OsteotomyPlan, WedgeDetail
from surgiplan_desktop.planning.wedge import describe_wedge
from tests.planning.golden_leg import box_tibia, golden_landmarks, golden_site, place

MOTION = rotation_about(np.array([40.0, -30.0, 1200.0]), np.array([0.3, 1.0, -0.4]), 63.0)
#: A horizontal cut: 58 mm from the hinge line to the medial face, the block is 45 mm deep and 37 mm wide on either side.
FLAT_START, FLAT_HINGE = (-37.0, -35.0, 0.0), (21.0, -35.0, 0.0)


def flat_plan(
    side: Side, angle: float, motion: Affine | None = None, kerf: float = 1.2, **landmarks: tuple[float, float, float]
) -> tuple[OsteotomyStep, OsteotomyPlan]:
    points = golden_landmarks(side, motion, **landmarks)
    frames = leg_frames(points)
    assert frames.tibia is not None
    start, hinge = place(side, FLAT_START, motion), place(side, FLAT_HINGE, motion)
    anterior = place(side, np.array(FLAT_HINGE) + np.array([0, 0, 1]), motion) - hinge
    values = parameters_from_points(frames.tibia, start, hinge, anterior)
    step = OsteotomyStep("mowhto-1", side, Target("angle", angle), "mowhto", "ct", None, *values, blade=Blade(kerf_mm=kerf))
    return step, plan_osteotomy(step, Intake(), points, frames, golden_site(points, motion))


def flat_wedge(side: Side, angle: float, motion: Affine | None = None, **landmarks: tuple[float, float, float]) -> WedgeDetail:
    step, plan = flat_plan(side, angle, motion, **landmarks)
    points = golden_landmarks(side, motion, **landmarks)
    return describe_wedge(step, Intake(), points, leg_frames(points), plan, box_tibia(side, motion))


@pytest.mark.parametrize("side", list(Side))
def test_gaps_volume_and_depths_of_the_block(side: Side) -> None:
    wedge = flat_wedge(side, 10.0, MOTION)
    chord = 2 * 58 * np.sin(np.radians(5))
    for place_ in ("pm", "mid", "am"):
        assert wedge.chord_mm[place_] == pytest.approx(chord, abs=1e-3)
        assert wedge.gap_to_measure_mm[place_] == pytest.approx(chord + 1.2, abs=1e-3)
    assert wedge.volume_mm3 / 1000 == pytest.approx(13.21, abs=0.005)  # golden value of clinical.md 0.5
    assert wedge.cut_area_mm2 == pytest.approx(58 * 45, abs=0.1)
    assert len(wedge.saw) >= 5
    for row in wedge.saw:
        assert row.entry_to_cortex_mm == pytest.approx(15.0, abs=1e-3)
        assert row.entry_to_hinge_mm == pytest.approx(15.0 + 58.0, abs=1e-3)
        assert row.entry_to_far_cortex_mm == pytest.approx(15.0 + 74.0, abs=1e-3)
    assert wedge.hinge_to_cortex_mm == pytest.approx(16.0, abs=1e-3)
    local = [place(side, (0, 0, 0), MOTION) @ (place(side, (0, 0, 1), MOTION) - place(side, (0, 0, 0), MOTION))]
    anterior = place(side, (0, 0, 1), MOTION) - place(side, (0, 0, 0), MOTION)
    assert float(wedge.gap_points_lps["am"] @ anterior - local[0]) == pytest.approx(22.5, abs=1e-3)
    assert float(wedge.gap_points_lps["pm"] @ anterior - local[0]) == pytest.approx(-22.5, abs=1e-3)


@pytest.mark.parametrize(("angle", "chord"), [(5, 5.23), (8, 8.37), (10, 10.46), (12, 12.54), (15, 15.66)])
def test_golden_chords(angle: float, chord: float) -> None:
    # the golden table has L = 60 mm; the block's medial face lies 58 mm from the hinge line
    assert flat_wedge(Side.RIGHT, angle).chord_mm["mid"] * 60 / 58 == pytest.approx(chord, abs=0.006)


def test_findings_of_hinge_gap_and_tuberosity() -> None:
    codes = {item.code: item.severity for item in flat_wedge(Side.RIGHT, 15.0).findings}
    assert codes["gap_large"] == "warn"
    assert codes["hinge_to_cortex"] == "warn"
    assert codes["hinge_zone_unknown"] == "warn"
    assert "tuberosity_cut" not in codes
    cut = flat_wedge(Side.RIGHT, 15.0, tibial_tuberosity=(4.0, -38.0, 22.5))
    assert {item.code: item.severity for item in cut.findings}["tuberosity_cut"] == "fail"


@pytest.mark.parametrize(
    ("zone", "proximal", "distal", "margin"),
    [("WL", -25, -45, 15), ("WM", -25, -45, 30), ("AL", -50, -60, 15), ("BL", -10, -20, 15)],
)
@pytest.mark.parametrize("side", list(Side))
def test_hinge_zone(side: Side, zone: str, proximal: float, distal: float, margin: float) -> None:
    joint = {"ptfj_proximal": (30, proximal, -15), "ptfj_distal": (30, distal, -15), "ptfj_medial_margin": (margin, -30, -15)}
    straight = {"ankle_centre": (0.0, -370.0, 0.0)}
    assert flat_wedge(side, 5.0, MOTION, **joint, **straight).hinge_zone == zone


@pytest.mark.parametrize("side", list(Side))
def test_pieces_have_the_volumes_of_the_cut(side: Side) -> None:
    step, plan = flat_plan(side, 10.0, MOTION)
    bone = box_tibia(side, MOTION)
    pieces = cut_pieces(step, plan, bone)
    assert pieces.kerf_volume_mm3 == pytest.approx(1.2 * 58 * 45, rel=2e-3)
    assert volume(pieces.proximal) == pytest.approx(74 * 45 * 35 - 0.6 * 58 * 45, rel=1e-4)
    assert volume(pieces.distal) == pytest.approx(74 * 45 * 75 - 0.6 * 58 * 45, rel=1e-4)
    for mesh in (pieces.proximal, pieces.distal, pieces.distal_moved):
        assert is_solid(mesh)
    # x' = C + R (x - C), vertex by vertex
    turn = plan.correction.linear
    expected = plan.hinge_lps + (pieces.distal.vertices - plan.hinge_lps) @ turn.T
    assert np.abs(pieces.distal_moved.vertices - expected).max() < 1e-3
    assert np.array_equal(pieces.distal_moved.faces, pieces.distal.faces)


def test_opening_is_medial() -> None:
    step, plan = flat_plan(Side.LEFT, 10.0)
    pieces = cut_pieces(step, plan, box_tibia(Side.LEFT))
    medial_top = pieces.distal_moved.vertices[
        np.argmin(pieces.distal_moved.vertices[:, 0] - 0.01 * pieces.distal_moved.vertices[:, 2])
    ]
    # left leg: medial is towards -x; the cut lay at z = -35, the gap opens downwards
    assert medial_top[0] < -30
    assert medial_top[2] < -35 - 10


def test_angle_zero_leaves_the_distal_piece_where_it_was() -> None:
    step, plan = flat_plan(Side.RIGHT, 0.0, kerf=0.0)
    pieces = cut_pieces(step, plan, box_tibia(Side.RIGHT))
    assert pieces.distal_moved.vertices.tobytes() == pieces.distal.vertices.tobytes()
    assert pieces.kerf_volume_mm3 == pytest.approx(0.0, abs=1e-6)


def test_other_parts_go_with_their_fragment() -> None:
    step, plan = flat_plan(Side.RIGHT, 10.0)
    bone = box_tibia(Side.RIGHT)
    ankle = bone.parts[0].mesh.moved(Affine.from_parts(np.eye(3), np.array([5.0, 0.0, -250.0])))
    two = Bone(bone.id, (bone.parts[0], BonePart(1, ankle, (), np.zeros(len(ankle.vertices), dtype=bool))))
    one, both = cut_pieces(step, plan, bone), cut_pieces(step, plan, two)
    assert volume(both.distal) - volume(one.distal) == pytest.approx(74 * 45 * 110, rel=1e-5)
    assert volume(both.proximal) == pytest.approx(volume(one.proximal), rel=1e-9)


def test_a_plane_beside_the_bone_is_refused() -> None:
    step, plan = flat_plan(Side.RIGHT, 10.0)
    far = plan.frame.y * -500.0
    moved = replace(plan, plane=type(plan.plane)(plan.plane.point_lps + far, plan.plane.normal), start_lps=plan.start_lps + far)
    with pytest.raises(InputDataError, match="plane_outside_bone"):
        cut_pieces(step, moved, box_tibia(Side.RIGHT))
