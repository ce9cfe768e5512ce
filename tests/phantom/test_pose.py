"""A bent, worn, rough leg with osteophytes: its pose is as asked, its bones stay apart, its truth stays on the bone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from surgiplan_desktop.base.errors import UsageError
from surgiplan_desktop.model.anatomy import LANDMARKS, BoneName, Side
from surgiplan_desktop.phantom.draws import draw_anywhere, draw_leg
from surgiplan_desktop.phantom.limb import Leg, build_leg
from surgiplan_desktop.phantom.parameters import RANGES, LegParameters

WORN = LegParameters(
    side=Side.LEFT, mldfa_deg=88.0, mpta_deg=84.0, jlca_deg=2.0, knee_flexion_deg=18.0, knee_rotation_deg=6.0, tt_tg_mm=13.0,
    patella_height=1.05, joint_narrowing_mm=2.0, osteophyte_mm=4.0, flattened_condyle_mm=1.5, roughness_mm=0.6, seed=4,
)  # fmt: skip
_OFF = ("centre", "shaft", "neck_base", "plateau_edge", "plafond")
_built: dict[str, Leg] = {}


@pytest.fixture
def worn() -> Leg:
    """Build the worn leg once."""
    if "worn" not in _built:
        _built["worn"] = build_leg(WORN, step_mm=2.0)
    return _built["worn"]


@pytest.fixture
def straight() -> Leg:
    """Build the same leg unbent and undisturbed once."""
    if "straight" not in _built:
        still = replace(WORN, knee_flexion_deg=0.0, knee_rotation_deg=0.0, osteophyte_mm=0.0, roughness_mm=0.0)
        _built["straight"] = build_leg(still, step_mm=3.0)
    return _built["straight"]


def test_the_knee_is_bent_as_asked_and_its_bones_are_what_they_were(worn: Leg, straight: Leg) -> None:
    bent, before = worn.truth_measures, straight.truth_measures
    assert bent["knee_flexion"] == pytest.approx(18.0, abs=0.001)
    assert bent["knee_rotation"] == pytest.approx(6.0, abs=0.001)
    assert before["knee_flexion"] == pytest.approx(0.0, abs=0.001)
    assert before["knee_rotation"] == pytest.approx(0.0, abs=0.001)
    for name in ("mldfa", "mpta", "femoral_torsion", "tibial_torsion", "slope_medial", "femur_length", "tibia_ml_width"):
        assert bent[name] == pytest.approx(before[name], abs=1e-6), name


def test_the_straight_leg_has_what_was_asked(straight: Leg) -> None:
    measures = straight.truth_measures
    assert measures["mldfa"] == pytest.approx(88.0, abs=0.001)
    assert measures["mpta"] == pytest.approx(84.0, abs=0.001)
    assert measures["tt_tg"] == pytest.approx(13.0, abs=0.01)
    assert measures["caton_deschamps"] == pytest.approx(1.05, abs=0.001)


def test_the_tendon_keeps_its_length(worn: Leg, straight: Leg) -> None:
    lengths = [
        np.linalg.norm(leg.truth_landmarks["patella_inferior_pole"] - leg.truth_landmarks["tibial_tuberosity"])
        for leg in (worn, straight)
    ]
    assert lengths[0] == pytest.approx(lengths[1], abs=0.01)


def test_landmarks_lie_on_the_rough_bone_and_bones_stay_apart(worn: Leg) -> None:
    fields = {solid.bone.bone: solid.field for solid in worn.solids}
    for name, point in worn.truth_landmarks.items():
        if not any(part in name for part in _OFF):
            assert abs(float(fields[LANDMARKS[name].bone](point[None])[0])) < 0.1, name
    for bone, mesh in worn.meshes.items():
        for other, field in fields.items():
            assert other is bone.bone or field(mesh.vertices).min() > 0.0, (bone, other)


def test_osteophytes_of_a_bent_and_turned_knee_do_not_meet() -> None:
    """A draw whose spurs once reached a millimetre into the bone across the joint."""
    leg = build_leg(draw_anywhere(132), step_mm=3.0)
    femur, tibia = (next(s for s in leg.solids if s.bone.bone is name) for name in (BoneName.FEMUR, BoneName.TIBIA))
    for one, other in ((femur, tibia), (tibia, femur)):
        assert other.field(leg.meshes[one.bone].vertices).min() > 0.0, one.bone


def test_the_rough_bone_differs_from_the_smooth_one(worn: Leg, straight: Leg) -> None:
    smooth = build_leg(replace(WORN, osteophyte_mm=0.0, roughness_mm=0.0), step_mm=3.0)
    names = {solid.bone: solid.field for solid in smooth.solids}
    moved = {bone.bone: np.abs(names[bone](mesh.vertices)).max() for bone, mesh in worn.meshes.items() if bone in names}
    assert moved["femur"] > 2.0
    assert moved["tibia"] > 2.0


def test_a_tuberosity_beside_the_bone_is_refused() -> None:
    with pytest.raises(UsageError) as caught:
        build_leg(LegParameters(mldfa_deg=95.0, mpta_deg=80.0, jlca_deg=6.0, tt_tg_mm=22.0), step_mm=3.0)
    assert caught.value.message_id == "phantom_combination"
    assert caught.value.parameters["parameter"] == "tt_tg_mm"


def test_drawn_legs_are_inside_the_ranges_and_the_same_again() -> None:
    for seed in range(40):
        for draw in (draw_leg, draw_anywhere):
            leg = draw(seed)
            assert leg == draw(seed)
            for name, limits in RANGES.items():
                value = getattr(leg, name)
                assert value is None or limits.lowest <= value <= limits.highest
    assert draw_leg(3, side=Side.LEFT).side is Side.LEFT


@pytest.mark.parametrize(
    ("name", "value"), [("knee_flexion_deg", 200.0), ("joint_narrowing_mm", 3.4), ("tt_tg_mm", -3.0), ("roughness_mm", 9.0)]
)
def test_impossible_parameters_are_named(name: str, value: float) -> None:
    with pytest.raises(UsageError) as caught:
        LegParameters(**{name: value})  # type: ignore[arg-type]
    assert caught.value.parameters["parameter"] == name
    assert caught.value.parameters["highest"] < value or caught.value.parameters["lowest"] > value
