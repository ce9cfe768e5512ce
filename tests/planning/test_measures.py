"""The table of measures: golden values of clinical.md 0.5, the identity of A.2, signs on both sides, honesty about what lacks."""

from __future__ import annotations

import json
import time

import numpy as np
import pytest

from surgiplan_desktop.app.texts import load_texts
from surgiplan_desktop.base.spaces import Affine, rotation_about
from surgiplan_desktop.model.anatomy import LANDMARKS, Side
from surgiplan_desktop.planning.axes import leg_frames
from surgiplan_desktop.planning.constructions import CONSTRUCTED
from surgiplan_desktop.planning.limits import default_limits
from surgiplan_desktop.planning.measure_formulas import cpak_edge_distance, cpak_type
from surgiplan_desktop.planning.measure_table import CONTRACT_MEASURES, MEASURES, normal_ranges
from surgiplan_desktop.planning.measures import measure_leg, measure_points
from surgiplan_desktop.planning.records import Landmarks
from tests.planning.golden_leg import POINTS, golden_landmarks

SIDES = (Side.RIGHT, Side.LEFT)
CONTRACT = """
    hka_deviation hka mldfa mpta jlca ahka jlo cpak mad wbl lpfa ldta aldfa ama femoral_torsion tibial_torsion slope_medial
    slope_lateral tt_tg caton_deschamps insall_salvati knee_flexion knee_rotation femur_length tibia_length leg_length
    femoral_head_radius neck_shaft_angle femur_ml_width tibia_ml_width
""".split()  # noqa: SIM905 - the list as the contract prints it


def motion(seed: int = 0) -> Affine:
    random = np.random.default_rng(seed)
    return rotation_about(random.normal(size=3) * 100.0, random.normal(size=3), float(random.uniform(0.0, 180.0)))


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("seed", [None, 1, 2])
def test_golden_leg(side: Side, seed: int | None) -> None:
    measures = measure_points(golden_landmarks(side, None if seed is None else motion(seed)))
    assert measures.number("wbl") == pytest.approx(12.84, abs=0.005)
    assert measures.number("mad") == pytest.approx(27.44, abs=0.005)
    assert measures.number("hka_deviation") == pytest.approx(-8.0, abs=1e-9)
    assert measures.number("hka") == pytest.approx(172.0, abs=1e-9)
    assert measures.number("mldfa") == pytest.approx(90.0, abs=1e-9)
    assert measures.number("mpta") == pytest.approx(82.0, abs=1e-9)
    assert measures.number("jlca") == pytest.approx(0.0, abs=1e-9)
    assert measures.items["cpak"].value == "I"
    assert measures.number("leg_length") == pytest.approx(
        np.hypot(370 * np.sin(np.radians(8)), 420 + 370 * np.cos(np.radians(8)))
    )


@pytest.mark.parametrize("side", SIDES)
def test_identity_in_the_limb_plane_for_any_leg(side: Side) -> None:
    random = np.random.default_rng(11)
    names = [name for name in golden_landmarks().items if golden_landmarks().point(name) is not None]
    for _ in range(20):
        changed = {name: tuple(np.array(POINTS[name]) + random.normal(0.0, 4.0, 3)) for name in names}
        measures = measure_points(golden_landmarks(side, motion(3), **changed)).items
        mpta, mldfa = measures["mpta"].value_limb_plane, measures["mldfa"].value_limb_plane
        assert mpta is not None
        assert mldfa is not None
        assert measures["hka_deviation"].value == pytest.approx(mpta - mldfa - measures["jlca"].value, abs=1e-9)


@pytest.mark.parametrize("side", SIDES)
def test_signs_of_torsions_slope_and_line(side: Side) -> None:
    turn = np.radians(20.0)
    measures = measure_points(
        golden_landmarks(
            side,
            femoral_neck_base=(45.0 * np.cos(turn), 380.0, -45.0 * np.sin(turn)),
            lateral_malleolus=(25.0 * np.cos(turn), -366.0, -25.0 * np.sin(turn)),
            medial_malleolus=(-25.0 * np.cos(turn), -366.0, 25.0 * np.sin(turn)),
            ankle_centre=(0.0, -370.0, 0.0),
            lateral_distal_condyle=(24.0, 24.0 * np.tan(np.radians(3.0)), 0.0),
            greater_trochanter_tip=(60.0, 420.0, -10.0),
        )
    )
    assert measures.number("femoral_torsion") == pytest.approx(20.0)
    assert measures.number("tibial_torsion") == pytest.approx(20.0)
    assert measures.number("lpfa") == pytest.approx(90.0)
    # the lateral condyle stands higher: mLDFA falls, the joint opens laterally
    line = np.degrees(np.arctan2(24.0 * np.tan(np.radians(3.0)), 48.0))
    assert measures.number("mldfa") == pytest.approx(90.0 - line)
    assert measures.number("jlca") == pytest.approx(line)


@pytest.mark.parametrize("side", SIDES)
def test_slope_from_the_patch_normal(side: Side) -> None:
    base = golden_landmarks(side, ankle_centre=(0.0, -370.0, 0.0))
    frames = leg_frames(base)
    assert frames.tibia is not None
    down = np.radians(8.0)
    normal = frames.tibia.direction_to_lps(np.array([-np.sin(down), np.cos(down), 0.0]))
    landmarks = Landmarks(base.side, base.items, plateau_normals={"medial": normal, "lateral": frames.tibia.y, "both": normal})
    measures = measure_leg(landmarks, frames)
    assert measures.number("slope_medial") == pytest.approx(8.0)
    assert measures.number("slope_lateral") == pytest.approx(0.0, abs=1e-9)


def test_knee_pose_of_a_flexed_leg_is_a_finding() -> None:
    down = np.radians(20.0)
    back = {
        name: (x, y * np.cos(down), y * np.sin(down) - 0.0)
        for name, (x, y) in {"ankle_centre": (0.0, -370.0), "medial_malleolus": (-25.0, -370.0)}.items()
    }
    measures = measure_points(golden_landmarks(Side.LEFT, **back))
    assert measures.number("knee_flexion") == pytest.approx(20.0, abs=0.01)
    assert "scan_knee_flexed" in [finding.code for finding in measures.findings]


@pytest.mark.parametrize(
    ("gone", "lost"),
    [
        ("hip_centre", {"hka", "hka_deviation", "mldfa", "mad", "wbl", "jlca", "cpak", "femur_length", "leg_length"}),
        ("ankle_centre", {"hka", "hka_deviation", "mpta", "mad", "wbl", "tibia_length", "leg_length", "tibial_torsion"}),
        ("lateral_plateau_edge", {"wbl"}),
    ],
)
def test_what_lacks_is_named_and_never_a_number(gone: str, lost: set[str]) -> None:
    whole, measures = measure_points(golden_landmarks()), measure_points(golden_landmarks(without=(gone,)))
    for name, item in measures.items.items():
        if name in lost:
            assert whole.items[name].value is not None
            assert item.value is None
            assert item.value_limb_plane is None
            assert item.status == "not_measurable"
            assert item.reason is not None
            assert dict(item.reason.parameters)["landmark"] == gone
    if gone == "hip_centre":
        # the tibia alone is enough for its own plane, the limb plane is not there
        assert measures.items["mpta"].value == pytest.approx(82.0)
        assert measures.items["mpta"].value_limb_plane is None


def test_landmarks_on_one_spot_give_no_number() -> None:
    spot = (0.0, 0.0, 0.0)
    edges = measure_points(golden_landmarks(medial_plateau_edge=spot, lateral_plateau_edge=spot))
    assert edges.items["wbl"].reason is not None
    assert edges.items["wbl"].reason.code == "landmarks_coincide"
    everything = measure_points(golden_landmarks(**dict.fromkeys(POINTS, spot)))
    numbers = [item.value for item in everything.items.values() if item.value is not None]
    assert all(isinstance(value, float) and np.isfinite(value) for value in numbers)
    assert everything.items["hka"].value is None


def test_every_measure_of_the_contract_has_plane_text_and_range() -> None:
    texts = load_texts("en")
    assert list(CONTRACT_MEASURES) == CONTRACT
    assert list(MEASURES)[: len(CONTRACT)] == CONTRACT
    assert set(normal_ranges()) == set(MEASURES)
    measures = measure_points(golden_landmarks())
    assert list(measures.items) == list(MEASURES)
    for name, spec in MEASURES.items():
        for field in ("name", "definition"):
            assert len(texts.text(f"measure.{name}", field)) > 2
        assert set(spec.needs) <= {*LANDMARKS, *CONSTRUCTED}
        item = measures.items[name]
        assert (item.value is None) == (item.status == "not_measurable") == (item.reason is not None)
        if item.reason is not None:
            assert "{" not in texts.finding(item.reason)
        json.dumps(item.value)


def test_cpak_borders_are_neutral() -> None:
    limits = default_limits()
    assert [cpak_type(a, 170.0, limits) for a in (-2.01, -2.0, 2.0, 2.01)] == ["I", "II", "II", "III"]
    assert [cpak_type(0.0, j, limits) for j in (176.99, 177.0, 183.0, 183.01)] == ["II", "V", "V", "VIII"]
    assert cpak_edge_distance(-2.5, 180.0, limits) == pytest.approx(0.5)


def test_fast_enough_for_a_root_search() -> None:
    landmarks = golden_landmarks()
    measure_points(landmarks)
    times = []
    for _ in range(40):
        start = time.perf_counter()
        measure_points(landmarks)
        times.append(time.perf_counter() - start)
    assert min(times) < 3e-3
