"""Finders on bones of known shape: exact, moved, mirrored, noisy, cut, in blocks, upside down, of the wrong side."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from surgiplan_desktop.base.spaces import Affine, rotation_about
from surgiplan_desktop.model.anatomy import LANDMARKS, BoneId, BoneName, Side
from surgiplan_desktop.model.mesh import Bone, BonePart
from surgiplan_desktop.model.study import Finding
from surgiplan_desktop.planning.landmarks.femur import find_femur
from surgiplan_desktop.planning.landmarks.merge import merge_landmarks
from surgiplan_desktop.planning.landmarks.plateau import Plateau, find_plateau
from surgiplan_desktop.planning.landmarks.spines import find_spines
from surgiplan_desktop.planning.landmarks.surface import BoneSurface, bone_surface
from surgiplan_desktop.planning.landmarks.tibia import find_tibia
from surgiplan_desktop.planning.measures import measure_points
from surgiplan_desktop.planning.records import Landmarks, Measures
from tests.planning import bone_shapes
from tests.planning.bone_shapes import Shape

ANGLES = ("hka_deviation", "mldfa", "mpta", "jlca")
TORSIONS = ("femoral_torsion",)
#: These bones have equal condyles and level plateaus, as prostheses do, and are told to.
MADE = {"bone_condyles_alike", "bone_plateau_flat"}
KNEE, ANKLE = np.zeros(3), np.array([0.0, 0.0, -370.0])


@cache
def shape(bone: str, side: Side = Side.RIGHT, noise: float = 0.0, moved: bool = False) -> Shape:
    motion = bone_shapes.turned(24.0) if moved else None
    return getattr(bone_shapes, bone)(side, noise_mm=noise, motion=motion)  # type: ignore[no-any-return]


@cache
def leg(side: Side = Side.RIGHT, noise: float = 0.0, moved: bool = False) -> tuple[Landmarks, Measures]:
    found = (find_femur(side, shape("femur", side, noise, moved).bone), find_tibia(side, shape("tibia", side, noise, moved).bone))
    landmarks = merge_landmarks(side, (), *found)
    return landmarks, measure_points(landmarks)


def codes(findings: tuple[Finding, ...]) -> set[str]:
    return {finding.code for finding in findings}


def at(landmarks: Landmarks, name: str) -> np.ndarray:
    point = landmarks.point(name)
    assert point is not None, name
    return point


@pytest.mark.parametrize("side", list(Side))
def test_femur_of_known_shape(side: Side) -> None:
    landmarks, measures = leg(side)
    truth = shape("femur", side).truth
    assert at(landmarks, "hip_centre") == pytest.approx(truth["hip_centre"], abs=0.05)
    assert measures.number("femoral_head_radius") == pytest.approx(24.0, abs=0.05)
    assert measures.number("mldfa") == pytest.approx(87.0, abs=0.1)
    assert at(landmarks, "femoral_neck_base") == pytest.approx(truth["femoral_neck_base"], abs=1.5)
    for name in ("medial", "lateral"):
        centre = truth[f"{name}_condyle_centre"]
        assert np.linalg.norm(at(landmarks, f"{name}_distal_condyle") - centre) == pytest.approx(22.0, abs=0.1)
        assert np.linalg.norm(at(landmarks, f"{name}_posterior_condyle") - centre) == pytest.approx(22.0, abs=0.1)
    # the notch of this femur is a tunnel from front to back: its roof is 7 mm below the origin, in the middle
    assert at(landmarks, "femoral_knee_centre")[[0, 2]] == pytest.approx([0.0, -7.0], abs=0.25)


@pytest.mark.parametrize("side", list(Side))
def test_tibia_of_known_shape(side: Side) -> None:
    landmarks, measures = leg(side)
    tilt, slope = np.tan(np.radians(3.0)), np.tan(np.radians(7.0))
    medial, lateral = (at(landmarks, f"{name}_plateau_centre") for name in ("medial", "lateral"))
    sign = -side.sign  # lateral is -x on the right
    for point in (medial, lateral):
        assert point[2] == pytest.approx(sign * point[0] * tilt - point[1] * slope, abs=0.05)
    assert abs(medial[1] - lateral[1]) < 0.3
    assert at(landmarks, "ankle_centre") == pytest.approx(ANKLE, abs=0.5)
    # the middle between spines 9 mm high, dropped on a plane that leans by 3 degrees
    assert at(landmarks, "tibial_knee_centre")[0] * sign == pytest.approx(9.0 * tilt, abs=0.25)
    assert measures.number("mpta") == pytest.approx(87.0, abs=0.1)
    assert measures.number("slope_medial") == pytest.approx(7.0, abs=0.3)
    assert measures.number("slope_lateral") == pytest.approx(7.0, abs=0.3)
    assert at(landmarks, "medial_malleolus")[0] * sign < -12.0
    assert at(landmarks, "tibial_tuberosity")[1] < -20.0


def test_the_plateau_does_not_depend_on_where_the_ankle_is() -> None:
    """As an osteotomy below it moves the ankle, and with it the long axis."""
    surface = bone_surface(shape("tibia").bone)
    head = surface.crop(surface.heights(np.array([0.0, 0.0, 1.0])) > -60.0)
    up, lateral, anterior = np.array([0.0, 0.0, 1.0]), np.array([-1.0, 0.0, 0.0]), np.array([0.0, -1.0, 0.0])
    plain = find_plateau(head, up, lateral, anterior)
    assert plain is not None
    for axis in (anterior, lateral, up):
        for angle in (-10.0, 10.0):
            turn = rotation_about(np.zeros(3), axis, angle)
            found = find_plateau(head, turn.directions(up), turn.directions(lateral), turn.directions(anterior))
            assert found is not None
            for patch, same in ((found.medial, plain.medial), (found.lateral, plain.lateral)):
                assert patch is not None
                assert same is not None
                assert np.linalg.norm(patch.centre - same.centre) < 0.05
            assert found.to_lateral == pytest.approx(plain.to_lateral, abs=1e-3)


def test_a_spine_that_is_a_shoulder_of_the_other_is_found() -> None:
    steps = np.arange(-36.0, 37.0, 1.0)
    x, y = (item.ravel() for item in np.meshgrid(steps, steps[np.abs(steps) < 25.0]))
    medial = 10.0 * np.exp(-((x + 6.0) ** 2 + y**2) / 60.0)
    # falls steadily from the medial tip, then steeply at 9 mm: its edge is round, and the tip on it
    ridge = (7.2 - 0.06 * x) / (1.0 + np.exp(np.clip((np.abs(x) - 9.0) / 0.8, -50.0, 50.0))) * np.exp(-(y**2) / 60.0)
    vertices = np.column_stack([x, y, np.maximum(medial, ridge)])
    empty, ones = np.zeros((0, 3)), np.ones(len(x))
    up = np.tile([0.0, 0.0, 1.0], (len(x), 1))
    surface = BoneSurface(vertices, np.zeros((0, 3), dtype=np.int32), up, ones, ones > 0, empty, empty, np.zeros(0))
    plateau = Plateau(np.zeros(3), up[0], np.array([1.0, 0, 0]), np.array([0, 1.0, 0]), 0.0, np.zeros(3), 36.0, 24.0, None, None)
    first, second = find_spines(surface, plateau)
    assert first == pytest.approx([-6.0, 0.0, 10.0], abs=1.0)
    assert second is not None
    assert second[0] == pytest.approx(5.0, abs=1.5)
    assert second[1] == pytest.approx(0.0, abs=0.5)


def test_every_landmark_has_an_entry_with_point_or_reason() -> None:
    landmarks, _ = leg()
    assert list(landmarks.items) == list(LANDMARKS)
    for item in landmarks.items.values():
        assert (item.point_lps is None) == (item.status == "missing") == (item.reason is not None)


def test_a_rigid_motion_changes_nothing() -> None:
    (_, here), (landmarks, there) = leg(), leg(moved=True)
    for name in (*ANGLES, *TORSIONS, "wbl"):
        assert there.number(name) == pytest.approx(here.number(name), abs=0.02)
    assert at(landmarks, "hip_centre") == pytest.approx(shape("femur", moved=True).truth["hip_centre"], abs=0.05)


def test_the_mirror_image_is_the_other_leg() -> None:
    (right, here), (left, there) = leg(Side.RIGHT), leg(Side.LEFT)
    for name, item in here.items.items():
        other = there.items[name].value
        if isinstance(item.value, float):
            assert other == pytest.approx(item.value, abs=1e-5), name
        else:
            assert other == item.value
    for name, estimate in right.items.items():
        if estimate.point_lps is not None:
            assert at(left, name) == pytest.approx(estimate.point_lps * [-1.0, 1.0, 1.0], abs=1e-5), name


def test_noise_moves_no_angle_by_a_fifth_of_a_degree() -> None:
    (_, exact), (_, noisy) = leg(), leg(noise=0.3)
    for name in ANGLES:
        assert noisy.number(name) == pytest.approx(exact.number(name), abs=0.2), name
    for name in TORSIONS:
        assert noisy.number(name) == pytest.approx(exact.number(name), abs=0.5), name


def test_a_femur_without_its_head() -> None:
    femur = bone_shapes.femur(cuts=((-1e9, 110.0),))
    landmarks = merge_landmarks(Side.RIGHT, (), find_femur(Side.RIGHT, femur.bone), leg_tibia())
    hip = landmarks.items["hip_centre"]
    assert hip.reason == Finding("bone_end_cut", "warn", (("bone", "femur"), ("end", "proximal")))
    assert landmarks.items["medial_posterior_condyle"].status == "estimated"
    assert at(landmarks, "medial_posterior_condyle")[0] > 15.0
    measures = measure_points(landmarks)
    for name in ("hka", "hka_deviation", "mldfa", "wbl", "mad", "jlca", "cpak", "femoral_torsion", "leg_length"):
        assert measures.items[name].value is None
        assert measures.items[name].reason == hip.reason
    assert measures.number("mpta") == pytest.approx(87.0, abs=0.1)


def leg_tibia() -> Landmarks:
    return find_tibia(Side.RIGHT, shape("tibia").bone)


def test_a_tibia_without_its_ankle() -> None:
    tibia = bone_shapes.tibia(cuts=((-120.0, 1e9),))
    landmarks = find_tibia(Side.RIGHT, tibia.bone)
    assert landmarks.items["ankle_centre"].reason == Finding("bone_end_cut", "warn", (("bone", "tibia"), ("end", "distal")))
    assert at(landmarks, "medial_plateau_centre")[0] > 15.0
    measures = measure_points(merge_landmarks(Side.RIGHT, (), landmarks))
    assert measures.items["mpta"].value is None
    assert measures.items["slope_medial"].value is None


def test_a_tibia_without_its_plateau() -> None:
    landmarks = find_tibia(Side.RIGHT, bone_shapes.tibia(cuts=((-1e9, -120.0),)).bone)
    reason = landmarks.items["medial_plateau_centre"].reason
    assert reason == Finding("bone_end_cut", "warn", (("bone", "tibia"), ("end", "proximal")))
    assert at(landmarks, "ankle_centre") == pytest.approx(ANKLE, abs=0.6)


def test_a_leg_in_three_blocks_is_the_same_leg() -> None:
    femur = bone_shapes.femur(cuts=((-1e9, 110.0), (330.0, 1e9)))
    tibia = bone_shapes.tibia(cuts=((-1e9, -290.0), (-110.0, 1e9)))
    landmarks = merge_landmarks(Side.RIGHT, (), find_femur(Side.RIGHT, femur.bone), find_tibia(Side.RIGHT, tibia.bone))
    measures, whole = measure_points(landmarks), leg()[1]
    for name in (*ANGLES, "wbl"):
        assert measures.number(name) == pytest.approx(whole.number(name), abs=0.05), name
    assert codes(landmarks.findings) <= MADE


def test_upside_down_is_found_and_said() -> None:
    over = rotation_about(np.zeros(3), np.array([1.0, 0.1, 0.0]), 175.0)
    femur, tibia = bone_shapes.femur(motion=over), bone_shapes.tibia(motion=over)
    found = (find_femur(Side.RIGHT, femur.bone), find_tibia(Side.RIGHT, tibia.bone))
    # these bones are made of spheres and rods: the template may disagree, which is no more than a warning
    for part in found:
        assert {item.code for item in part.findings if item.severity == "critical"} - MADE == {"bone_upside_down"}
    measures = measure_points(merge_landmarks(Side.RIGHT, (), *found))
    assert measures.number("mldfa") == pytest.approx(leg()[1].number("mldfa"), abs=0.02)
    assert measures.number("mpta") == pytest.approx(leg()[1].number("mpta"), abs=0.02)
    assert "bone_upside_down" in codes(measures.findings)


def test_a_bone_of_the_other_side_is_found_and_said() -> None:
    for find, name in ((find_femur, "femur"), (find_tibia, "tibia")):
        landmarks = find(Side.LEFT, shape(name, Side.RIGHT).bone)  # type: ignore[operator]
        assert "handedness_contradicts_side" in codes(landmarks.findings), name


@pytest.mark.parametrize("side", list(Side))
def test_a_shaft_without_ends_says_nothing_of_its_side(side: Side) -> None:
    shaft = bone_shapes.tibia(cuts=((-280.0, -120.0),)).bone
    rod = shaft.parts[0].mesh.moved(Affine.from_parts(np.eye(3), np.array([-35.0, 0.0, 0.0])))
    beside = Bone(BoneId(side, BoneName.FIBULA), (BonePart(0, rod, (), np.zeros(len(rod.vertices), dtype=bool)),))
    assert "handedness_contradicts_side" not in codes(find_tibia(side, shaft, beside).findings)


def test_placed_landmarks_win_and_are_edited() -> None:
    landmarks, _ = leg()
    merged = merge_landmarks(
        Side.RIGHT, (("hip_centre", (-5.0, 0.0, 420.0)), ("patella_inferior_pole", (0.0, -40.0, 10.0))), landmarks
    )
    hip = merged.items["hip_centre"]
    assert hip.status == "edited"
    assert at(merged, "hip_centre") == pytest.approx([-5.0, 0.0, 420.0])
    assert merged.items["patella_inferior_pole"].status == "edited"
    # 5 mm laterally at 427 mm
    shift = measure_points(merged).number("mldfa") - leg()[1].number("mldfa")  # type: ignore[operator]
    assert abs(shift) == pytest.approx(np.degrees(5.0 / 427.0), abs=0.03)


def test_a_bone_that_is_not_there_is_named() -> None:
    landmarks = merge_landmarks(Side.RIGHT, (), leg_tibia())
    assert landmarks.items["hip_centre"].reason == Finding("bone_missing", "warn", (("bone", BoneName.FEMUR.value),))
    assert landmarks.items["fibular_head_tip"].reason == Finding("bone_missing", "warn", (("bone", BoneName.FIBULA.value),))
    assert landmarks.items["patella_superior_pole"].reason == Finding("bone_missing", "warn", (("bone", BoneName.PATELLA.value),))


def test_the_same_bone_gives_the_same_bytes() -> None:
    first, second = find_femur(Side.RIGHT, shape("femur").bone), find_femur(Side.RIGHT, shape("femur").bone)
    for name, item in first.items.items():
        if item.point_lps is not None:
            assert item.point_lps.tobytes() == at(second, name).tobytes()


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("femur", -1e9, -10.0),
        ("femur", 100.0, 200.0),
        ("femur", 430.0, 1e9),
        ("tibia", -8.0, 1e9),
        ("tibia", -200.0, -100.0),
        ("tibia", -1e9, -366.0),
    ],
)
def test_a_sliver_of_bone_gives_reasons_not_measures(name: str, low: float, high: float) -> None:
    find = find_femur if name == "femur" else find_tibia
    landmarks = find(Side.RIGHT, getattr(bone_shapes, name)(spacing=2.5, cuts=((low, high),)).bone)
    assert {item.code for item in landmarks.findings} <= MADE
    measures = measure_points(merge_landmarks(Side.RIGHT, (), landmarks))
    sizes = {"tibia_ml_width", "femur_ml_width"}
    assert {item.id for item in measures.items.values() if item.value is not None} <= sizes
