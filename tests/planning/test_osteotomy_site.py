"""Where the cut is proposed on a tibia of known shape."""

import numpy as np
import pytest

from surgiplan_desktop.base.errors import InputDataError
from surgiplan_desktop.base.spaces import rotation_about
from surgiplan_desktop.geometry.distance import signed_distance
from surgiplan_desktop.model.anatomy import Side
from surgiplan_desktop.model.case import Intake
from surgiplan_desktop.model.steps import OsteotomyStep, Target
from surgiplan_desktop.planning.axes import leg_frames
from surgiplan_desktop.planning.osteotomy import plan_osteotomy
from surgiplan_desktop.planning.osteotomy_site import propose_site
from surgiplan_desktop.planning.pieces import cut_pieces
from surgiplan_desktop.planning.wedge import describe_wedge
from tests.planning.golden_leg import box_tibia
from tests.planning.tibia_model import model_fibula, model_tibia, tibia_landmarks

MOTION = rotation_about(np.array([40.0, -30.0, 1200.0]), np.array([0.3, 1.0, -0.4]), 63.0)


def test_start_and_hinge_keep_the_rules() -> None:
    side = Side.RIGHT
    landmarks = tibia_landmarks(side)
    site = propose_site(landmarks, leg_frames(landmarks), model_tibia(side), model_fibula(side))
    start, hinge = np.array(site.start_tibia), np.array(site.hinge_tibia)
    assert start[1] == pytest.approx(-35.0, abs=1e-3)
    assert hinge[1] == pytest.approx(-15.0, abs=0.02)  # the tip lies at -12, but 15 mm below the plateau are kept
    assert site.hinge_direction_tibia == (1.0, 0.0, 0.0)
    assert site.findings == ()
    mesh = model_tibia(side).parts[0].mesh
    assert abs(signed_distance(mesh, site.frame.to_lps(start)[None])[0]) < 1e-3
    out = hinge + 8.0 * (hinge - start) / np.linalg.norm(hinge - start)
    assert abs(signed_distance(mesh, site.frame.to_lps(out)[None])[0]) < 1e-3
    # a right leg: lateral is +Z of the frame
    assert start[2] < -20
    assert hinge[2] > 20


def test_sites_mirror_and_move_with_the_leg() -> None:
    found = []
    for side, motion in ((Side.RIGHT, None), (Side.LEFT, None), (Side.RIGHT, MOTION)):
        landmarks = tibia_landmarks(side, motion)
        site = propose_site(landmarks, leg_frames(landmarks), model_tibia(side, motion), model_fibula(side, motion))
        sign = np.array([1, 1, side.sign])
        found.append((np.array(site.start_tibia) * sign, np.array(site.hinge_tibia) * sign))
    for start, hinge in found[1:]:
        assert start == pytest.approx(found[0][0], abs=2e-3)
        assert hinge == pytest.approx(found[0][1], abs=2e-3)


def test_without_a_fibula_the_height_is_a_stated_default() -> None:
    landmarks = tibia_landmarks(Side.RIGHT, without=("fibular_head_tip", "ptfj_proximal", "ptfj_distal", "ptfj_medial_margin"))
    site = propose_site(landmarks, leg_frames(landmarks), model_tibia(Side.RIGHT))
    assert site.hinge_tibia[1] == pytest.approx(-20.0, abs=0.02)
    assert [item.code for item in site.findings] == ["hinge_height_default"]


def test_the_start_goes_up_to_spare_the_tuberosity() -> None:
    landmarks = tibia_landmarks(Side.RIGHT, tibial_tuberosity=(2.0, -29.0, 24.0))
    site = propose_site(landmarks, leg_frames(landmarks), model_tibia(Side.RIGHT), model_fibula(Side.RIGHT))
    assert -34.5 < site.start_tibia[1] <= -30.0


def test_the_hinge_stays_within_the_tibiofibular_joint() -> None:
    landmarks = tibia_landmarks(Side.RIGHT, ptfj_proximal=(32.0, -22.0, -15.0))
    site = propose_site(landmarks, leg_frames(landmarks), model_tibia(Side.RIGHT), model_fibula(Side.RIGHT))
    assert site.hinge_tibia[1] == pytest.approx(-22.0, abs=0.02)


def test_a_missing_landmark_or_bone_is_named() -> None:
    landmarks = tibia_landmarks(Side.RIGHT, without=("ankle_centre",))
    with pytest.raises(InputDataError, match=r"site_landmark_missing.*ankle_centre"):
        propose_site(landmarks, leg_frames(landmarks), model_tibia(Side.RIGHT))
    moved = box_tibia(Side.RIGHT, rotation_about(np.zeros(3), np.array([1.0, 0, 0]), 180.0))
    landmarks = tibia_landmarks(Side.RIGHT)
    with pytest.raises(InputDataError, match="site_outside_bone"):
        propose_site(landmarks, leg_frames(landmarks), moved)


@pytest.mark.parametrize("side", list(Side))
def test_the_whole_way_on_the_model(side: Side) -> None:
    """Site, plan, wedge and pieces fit together: the real volume between the cut faces is the wedge's and the kerf's."""
    landmarks = tibia_landmarks(side, MOTION)
    frames = leg_frames(landmarks)
    tibia, fibula = model_tibia(side, MOTION), model_fibula(side, MOTION)
    site = propose_site(landmarks, frames, tibia, fibula)
    step = OsteotomyStep("mowhto-1", side, Target("mpta", 95.0))
    plan = plan_osteotomy(step, Intake(), landmarks, frames, site)
    wedge = describe_wedge(step, Intake(), landmarks, frames, plan, tibia, fibula)
    pieces = cut_pieces(step, plan, tibia)
    assert plan.after["mpta"] == pytest.approx(95.0, abs=1e-4)
    assert 5.0 < plan.angle_deg < 5.5  # the hinge lies beside the knee centre, so the axis turns by a little less
    assert wedge.hinge_zone == "WL"
    assert wedge.hinge_to_cortex_mm == pytest.approx(8.0, abs=1e-3)
    assert wedge.hinge_to_plateau_mm == pytest.approx(15.0, abs=0.02)
    # the bone narrows downwards, so the slab's volume is the section's area times the kerf to first order only
    assert pieces.kerf_volume_mm3 == pytest.approx(1.2 * wedge.cut_area_mm2, rel=1e-3)
    codes = {item.code for item in (*plan.findings, *wedge.findings)}
    assert not codes & {"hinge_to_cortex", "hinge_to_plateau", "hinge_zone", "tuberosity_cut", "gap_large", "fragment_low"}
    middle = wedge.gap_points_lps["mid"]
    assert np.linalg.norm(middle - plan.start_lps) < 1e-3
