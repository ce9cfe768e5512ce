"""Definitions beyond the contract's list, ISB frames, values in space, and what a knee alone allows to estimate."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from surgiplan_desktop.base.arrays import FloatArray
from surgiplan_desktop.model.anatomy import Side
from surgiplan_desktop.planning.axes import leg_frames
from surgiplan_desktop.planning.limits import default_limits
from surgiplan_desktop.planning.measure_table import MEASURES, SIDE_BY_SIDE, SIGN_WORDS, reading_order
from surgiplan_desktop.planning.measures import measure_number, measure_points
from surgiplan_desktop.planning.records import LandmarkEstimate, Landmarks
from tests.planning.golden_leg import golden_landmarks, place
from tests.planning.test_measures import motion

SIDES = (Side.RIGHT, Side.LEFT)
TURN = np.radians


def with_points(landmarks: Landmarks, seed: int | None, **points: tuple[float, float, float]) -> Landmarks:
    """The leg with constructed points given as (lateral, up, anterior)."""
    turn = None if seed is None else motion(seed)
    made = {name: LandmarkEstimate(name, place(landmarks.side, point, turn), "auto") for name, point in points.items()}
    return replace(landmarks, constructed=made)


def around(angle_deg: float, radius: float, height: float) -> tuple[float, float, float]:
    """A point at an angle from lateral to anterior about the vertical axis."""
    return (radius * np.cos(TURN(angle_deg)), height, radius * np.sin(TURN(angle_deg)))


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("seed", [None, 4])
def test_each_definition_of_femoral_torsion_has_its_own_line(side: Side, seed: int | None) -> None:
    # the neck points back and outward from the head: anteversion is the angle by which the head lies before the condylar line
    turn = None if seed is None else motion(seed)
    leg = golden_landmarks(
        side, turn, femoral_neck_base=around(-15.0, 45.0, 380.0),
        medial_epicondyle=around(180.0 + 6.0, 40.0, 10.0), lateral_epicondyle=around(6.0, 40.0, 10.0),
    )  # fmt: skip
    leg = with_points(leg, seed, murphy_base=around(-25.0, 40.0, 350.0), greater_trochanter_centre=around(-30.0, 50.0, 400.0))
    measures = measure_points(leg)
    assert measures.number("femoral_torsion") == pytest.approx(15.0)
    assert measures.number("femoral_torsion_murphy") == pytest.approx(25.0)
    assert measures.number("femoral_torsion_waidelich") == pytest.approx(30.0)
    # the epicondyles are turned outward by 6 degrees against the condylar line (lateral one anterior)
    assert measures.number("femoral_torsion_epicondylar") == pytest.approx(15.0 + 6.0)
    axis = np.array(around(-15.0, 45.0, 380.0))
    axis /= np.linalg.norm(axis)
    neck, line = np.array([0.0, 420.0, 0.0]) - np.array(around(-15.0, 45.0, 380.0)), np.array([-1.0, 0.0, 0.0])
    assert measures.number("femoral_torsion_bergmann") == pytest.approx(about(axis, neck, line), abs=1e-6)


def about(axis: FloatArray, vector: FloatArray, reference: FloatArray) -> float:
    """Unsigned angle of two directions seen along an axis."""
    flat = [item - (item @ axis) * axis for item in (vector, reference)]
    cosine = flat[0] @ flat[1] / (np.linalg.norm(flat[0]) * np.linalg.norm(flat[1]))
    return float(np.degrees(np.arccos(cosine)))


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("seed", [None, 4])
def test_each_definition_of_tibial_torsion_has_its_own_lines(side: Side, seed: int | None) -> None:
    turn = None if seed is None else motion(seed)
    leg = golden_landmarks(
        side, turn, ankle_centre=(0.0, -370.0, 0.0),
        medial_malleolus=around(180.0 - 30.0, 25.0, -380.0), lateral_malleolus=around(-30.0, 25.0, -380.0),
        medial_plateau_centre=around(180.0 + 3.0, 22.0, 0.0), lateral_plateau_centre=around(3.0, 22.0, 0.0),
    )  # fmt: skip
    leg = with_points(
        leg, seed, fibular_notch=around(-35.0, 18.0, -362.0),
        tibial_head_medial=around(180.0 + 5.0, 36.0, -10.0), tibial_head_lateral=around(5.0, 36.0, -10.0),
        medial_malleolus_centre=around(180.0 - 28.0, 22.0, -375.0), lateral_malleolus_centre=around(-28.0, 24.0, -375.0),
    )  # fmt: skip
    measures = measure_points(leg)
    assert measures.number("tibial_torsion") == pytest.approx(30.0)
    assert measures.number("tibial_torsion_jend") == pytest.approx(35.0)
    assert measures.number("tibial_torsion_waidelich") == pytest.approx(33.0)
    assert measures.number("tibial_torsion_transcondylar") == pytest.approx(33.0)


@pytest.mark.parametrize("side", SIDES)
def test_slopes_to_the_shaft_and_their_mean(side: Side) -> None:
    leg = golden_landmarks(side, ankle_centre=(0.0, -370.0, 0.0))
    frame = leg_frames(leg).tibia
    assert frame is not None

    def normal(slope_deg: float) -> FloatArray:
        down = TURN(slope_deg)
        return frame.direction_to_lps(np.array([-np.sin(down), np.cos(down), 0.0]))

    leg = replace(leg, plateau_normals={"medial": normal(8.0), "lateral": normal(5.0), "both": normal(6.5)})
    # the shaft leans back at its lower end by 2 degrees: against it the plateau falls back by 2 degrees less
    lean = np.tan(TURN(2.0))
    leg = with_points(
        leg, None, tibial_proximal_shaft_high=(0.0, -60.0, 0.0), tibial_proximal_shaft_low=(0.0, -160.0, -100.0 * lean)
    )
    measures = measure_points(leg)
    assert measures.number("slope_mean") == pytest.approx(6.5)
    assert measures.number("slope_medial_anatomical") == pytest.approx(8.0 + 2.0)
    assert measures.number("slope_lateral_anatomical") == pytest.approx(5.0 + 2.0)
    assert measures.number("slope_mean_anatomical") == pytest.approx(6.5 + 2.0)


@pytest.mark.parametrize("side", SIDES)
def test_patella_and_offset(side: Side) -> None:
    leg = golden_landmarks(
        side, motion(2), patella_superior_pole=(0.0, 60.0, 40.0), patella_articular_inferior=(0.0, 30.0, 40.0),
        patella_inferior_pole=(0.0, 20.0, 40.0), tibial_anterosuperior_edge=(0.0, -3.0, 40.0),
        tibial_tuberosity=(4.0, -24.0, 43.0), trochlear_groove=(-6.0, 10.0, 30.0), femoral_shaft_proximal=(42.0, 300.0, 0.0),
        femoral_shaft_distal=(42.0, 100.0, 0.0),
    )  # fmt: skip
    leg = replace(leg, plateau_normals={"both": np.asarray(motion(2).directions(np.array([0.0, 0.0, 1.0])))})
    tilt = np.array([np.cos(TURN(8.0)), 0.0, -np.sin(TURN(8.0))])
    ahead = np.array([np.sin(TURN(8.0)), 0.0, np.cos(TURN(8.0))])
    middle = np.array([0.0, 40.0, 45.0])
    edges = {"medial": -20.0 * tilt, "lateral": 22.0 * tilt, "anterior": 12.0 * ahead, "posterior": -10.0 * ahead + 3.0 * tilt}
    leg = with_points(leg, 2, **{f"patella_{name}": tuple(middle + edge) for name, edge in edges.items()})
    measures = measure_points(leg)
    # the lateral edge lies further back: lateral tilt
    assert measures.number("patellar_tilt") == pytest.approx(8.0)
    assert measures.number("patella_thickness") == pytest.approx(22.0)
    assert measures.number("caton_deschamps") == pytest.approx(33.0 / 30.0)
    assert measures.number("blackburne_peel") == pytest.approx(1.0)
    assert measures.number("insall_salvati") == pytest.approx(np.linalg.norm([4.0, 44.0, 3.0]) / 40.0)
    assert measures.number("tt_tg") == pytest.approx(10.0)
    assert measures.number("femoral_offset") == pytest.approx(42.0)


@pytest.mark.parametrize("side", SIDES)
def test_value_in_space_differs_from_the_projected_one_by_what_lies_across_the_plane(side: Side) -> None:
    flexed = (0.0, -370.0 * np.cos(TURN(15.0)), -370.0 * np.sin(TURN(15.0)))
    hka = measure_points(golden_landmarks(side, ankle_centre=flexed)).items["hka"]
    assert hka.value == pytest.approx(180.0, abs=0.01)
    assert hka.value_3d is not None
    assert abs(hka.value_3d - 180.0) == pytest.approx(15.0, abs=0.01)
    rolled = measure_points(golden_landmarks(side, lateral_distal_condyle=(24.0, 2.0, 10.0))).items["mldfa"]
    line = np.array([48.0, 2.0, 10.0])
    assert rolled.value_3d == pytest.approx(np.degrees(np.arccos(line[1] / np.linalg.norm(line))))
    assert rolled.value != pytest.approx(rolled.value_3d, abs=0.01)


@pytest.mark.parametrize("side", SIDES)
def test_isb_frames_follow_epicondyles_and_malleoli(side: Side) -> None:
    leg = golden_landmarks(
        side, motion(7), ankle_centre=(0.0, -370.0, 0.0), medial_malleolus=(-25.0, -370.0, 0.0),
        lateral_malleolus=(25.0, -370.0, 0.0), medial_epicondyle=(-40.0, 20.0, -2.0), lateral_epicondyle=(40.0, 20.0, 2.0),
    )  # fmt: skip
    frames = leg_frames(leg, "isb")
    assert frames.variant == "isb"
    assert frames.femur is not None
    assert frames.tibia is not None
    for name, frame in (("femur", frames.femur), ("tibia", frames.tibia)):
        assert np.linalg.det(frame.axes) == pytest.approx(1.0), name
    turn = np.degrees(np.arctan2(4.0, 80.0))
    in_planning, in_isb = measure_points(leg), measure_points(leg, "isb")
    assert in_planning.number("knee_rotation") == pytest.approx(0.0, abs=1e-9)
    # the lateral epicondyle lies anterior: the front of the ISB femur looks inward, and the tibia outward against it
    assert in_planning.number("knee_rotation_isb") == pytest.approx(-turn, abs=1e-6)
    assert in_isb.number("knee_rotation") == pytest.approx(in_planning.number("knee_rotation_isb"))
    assert in_isb.number("femur_length") == pytest.approx(in_planning.number("femur_length"))
    gone = golden_landmarks(side, without=("lateral_malleolus",))
    assert leg_frames(gone, "isb").tibia is None


@pytest.mark.parametrize("side", SIDES)
def test_a_knee_alone_gives_estimates_with_their_interval_and_nothing_else(side: Side) -> None:
    limits = default_limits()
    ama = np.tan(TURN(limits["surrogate.ama_deg"]))
    knee = golden_landmarks(side, motion(5), without=("hip_centre", "ankle_centre", "medial_malleolus", "lateral_malleolus"))
    assert measure_points(knee).items["mldfa_surrogate"].value is None
    shafts = {
        # the femur's shaft leans out by the usual angle; the tibia's stands 8 degrees in varus as in the golden leg
        "femoral_distal_shaft_low": (70.0 * ama, 70.0, 0.0),
        "femoral_distal_shaft_high": (190.0 * ama, 190.0, 0.0),
        "tibial_proximal_shaft_high": (-60.0 * np.sin(TURN(8.0)), -60.0 * np.cos(TURN(8.0)), 0.0),
        "tibial_proximal_shaft_low": (-190.0 * np.sin(TURN(8.0)), -190.0 * np.cos(TURN(8.0)), 0.0),
    }
    measures = measure_points(with_points(knee, 5, **shafts))
    for name, value in (("mldfa", 90.0), ("mpta", 82.0), ("hka", 172.0)):
        stand_in = measures.items[f"{name}_surrogate"]
        assert measures.items[name].value is None
        assert measures.items[name].status == "not_measurable"
        assert stand_in.value == pytest.approx(value)
        assert stand_in.status == "estimated"
        assert stand_in.plus_minus is not None
        assert stand_in.plus_minus >= 2.0
    assert measures.items["hka_surrogate"].plus_minus == pytest.approx(2.8)
    for name in ("hka_deviation", "mad", "wbl", "leg_length"):
        assert measures.items[name].value is None


def test_one_measure_alone_is_the_same_as_among_all() -> None:
    leg = golden_landmarks(Side.LEFT, motion(9))
    measures = measure_points(leg)
    for name in ("wbl", "hka", "mpta", "mldfa", "jlca"):
        assert measure_number(leg, name) == pytest.approx(measures.number(name), abs=1e-12)
    assert measure_number(golden_landmarks(without=("hip_centre",)), "wbl") is None


def test_definitions_stand_side_by_side() -> None:
    assert len(SIDE_BY_SIDE["femoral_torsion"]) >= 5
    assert len(SIDE_BY_SIDE["tibial_torsion"]) >= 4
    assert sorted(reading_order()) == sorted(MEASURES)
    assert set(SIGN_WORDS) <= set(MEASURES)
