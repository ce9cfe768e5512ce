"""The plate on the opened tibia, and screws as capsules against known distances."""

from functools import cache

import numpy as np
import pytest

from surgiplan_desktop.base.errors import UsageError
from surgiplan_desktop.base.paths import catalogue_roots
from surgiplan_desktop.base.spaces import Frame, Plane, rotation_about
from surgiplan_desktop.files.catalogues import load_catalogues
from surgiplan_desktop.geometry.distance import signed_distance
from surgiplan_desktop.geometry.solid import box, intersection_volume, is_solid, volume
from surgiplan_desktop.model.anatomy import Side
from surgiplan_desktop.model.case import Intake
from surgiplan_desktop.model.steps import ImplantStep, OsteotomyStep, Target
from surgiplan_desktop.planning.axes import leg_frames
from surgiplan_desktop.planning.catalogue import PlateFamily
from surgiplan_desktop.planning.implants import place_implant
from surgiplan_desktop.planning.osteotomy import plan_osteotomy
from surgiplan_desktop.planning.osteotomy_site import propose_site
from surgiplan_desktop.planning.pieces import cut_pieces
from surgiplan_desktop.planning.records import ImplantPlacement, Pieces
from surgiplan_desktop.planning.screws import Surroundings, place_screw, screw_findings
from tests.planning.tibia_model import model_fibula, model_tibia, tibia_landmarks

MOTION = rotation_about(np.array([40.0, -30.0, 1200.0]), np.array([0.3, 1.0, -0.4]), 63.0)


def plate() -> PlateFamily:
    component = load_catalogues(catalogue_roots())["generic"].component("medial-tibial-plate")
    assert isinstance(component, PlateFamily)
    return component


@cache
def placed(side: Side, offset: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> tuple[ImplantPlacement, Pieces]:
    landmarks = tibia_landmarks(side, MOTION)
    frames = leg_frames(landmarks)
    tibia = model_tibia(side, MOTION)
    site = propose_site(landmarks, frames, tibia, model_fibula(side, MOTION))
    osteotomy = OsteotomyStep("mowhto-1", side, Target("angle", 9.0))
    plan = plan_osteotomy(osteotomy, Intake(), landmarks, frames, site)
    pieces = cut_pieces(osteotomy, plan, tibia)
    step = ImplantStep("implant-1", side, "generic", "medial-tibial-plate", osteotomy="mowhto-1", offset_mm=offset)
    return place_implant(step, plate(), landmarks, frames, tibia, plan, pieces), pieces


@pytest.mark.parametrize("side", list(Side))
def test_plate_stands_off_the_bone_by_its_gap_and_bridges_the_cut(side: Side) -> None:
    placement, pieces = placed(side)
    assert is_solid(placement.mesh)
    for piece in (pieces.proximal, pieces.distal_moved):
        assert intersection_volume(placement.mesh, piece) == 0.0
    least = min(float(signed_distance(piece, placement.mesh.vertices).min()) for piece in (pieces.proximal, pieces.distal_moved))
    assert 0.7 <= least <= 2.0
    gap = next(item for item in placement.findings if item.code == "plate_gap")
    assert dict(gap.parameters)["least_mm"] == pytest.approx(1.0, abs=1e-6)
    assert 2.0 < dict(gap.parameters)["most_mm"] < 20.0
    # screws of the head hold the proximal piece, the others the distal one
    for screw in placement.screws:
        piece = pieces.proximal if screw.name.isalpha() else pieces.distal_moved
        assert signed_distance(piece, screw.tip_lps[None])[0] < 0.0
        length = float(np.linalg.norm(screw.tip_lps - screw.entry_lps))
        assert any(abs(length - stock) < 1e-6 for stock in plate().stock_lengths_mm)
    assert {screw.name for screw in placement.screws} >= {"A", "B", "C", "1", "2"}


def test_plates_mirror() -> None:
    right, left = placed(Side.RIGHT)[0], placed(Side.LEFT)[0]
    assert volume(right.mesh) == pytest.approx(volume(left.mesh), rel=1e-3)
    for one, two in zip(right.screws, left.screws, strict=True):
        assert one.name == two.name
        assert one.to_cut_mm == pytest.approx(two.to_cut_mm, abs=0.3)


def test_offset_moves_along_the_plates_own_axes() -> None:
    plain, moved = placed(Side.RIGHT)[0], placed(Side.RIGHT, (0.0, -3.0, 0.0))[0]
    assert moved.frame.origin_lps - plain.frame.origin_lps == pytest.approx(-3.0 * plain.frame.y, abs=1e-9)


def test_screw_distances_in_a_block() -> None:
    bone = box(Frame(np.zeros(3), np.eye(3)), (60.0, 40.0, 50.0))
    around = Surroundings(
        bone,
        Plane(np.array([0.0, 0.0, -25.0]), np.array([0.0, 0.0, 1.0])),
        hinge_lps=np.array([28.0, 0.0, -25.0]),
        hinge_direction=np.array([0.0, 1.0, 0.0]),
        joint_lps=np.array([[x, y, 25.0] for x in np.arange(-30, 31, 1.0) for y in np.arange(-20, 21, 1.0)]),
    )
    head = np.array([-33.0, 2.0, -5.0])
    screw = place_screw("A", head, np.array([1.0, 0.0, 0.0]), 5.0, (20.0, 40.0, 50.0, 60.0, 64.0, 80.0), around)
    assert screw is not None
    # 64 mm would leave too little bone before the far face (x = 30); 60 ends at 27, which is 3 - 2.5 mm from it
    assert np.linalg.norm(screw.tip_lps - screw.entry_lps) == pytest.approx(50.0)
    assert screw.to_bone_surface_mm == pytest.approx(min(5.0, 13.0, 18.0) - 2.5, abs=1e-6)  # 5 mm under the entry face
    assert screw.to_cut_mm == pytest.approx(20.0 - 2.5, abs=1e-6)
    assert screw.to_joint_mm == pytest.approx(30.0 - 2.5, abs=0.02)
    assert screw.to_hinge_mm == pytest.approx(np.hypot(11.0, 20.0) - 2.5, abs=0.02)
    assert screw_findings([screw]) == []
    near = place_screw("B", np.array([-33.0, 0.0, 22.0]), np.array([1.0, 0.0, 0.0]), 5.0, (40.0,), around)
    assert near is not None
    assert {item.code for item in screw_findings([near])} == {"screw_near_joint", "screw_leaves_bone"}
    assert place_screw("C", np.array([-33.0, 0.0, 60.0]), np.array([1.0, 0.0, 0.0]), 5.0, (40.0,), around) is None


def test_a_plate_needs_its_osteotomy_and_a_tray_takes_none() -> None:
    landmarks = tibia_landmarks(Side.RIGHT)
    step = ImplantStep("implant-1", Side.RIGHT, "generic", "medial-tibial-plate")
    with pytest.raises(UsageError, match="plate_needs_osteotomy"):
        place_implant(step, plate(), landmarks, leg_frames(landmarks), model_tibia(Side.RIGHT))
