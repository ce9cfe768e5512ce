"""Sections of the bones from which definitions of torsion and the axes of a knee alone are taken."""

from __future__ import annotations

from functools import cache

import fast_simplification
import numpy as np
import pytest

from surgiplan_desktop.base.arrays import FloatArray
from surgiplan_desktop.base.spaces import Plane
from surgiplan_desktop.geometry.solid import split
from surgiplan_desktop.model.anatomy import BoneId, BoneName, Side
from surgiplan_desktop.model.mesh import Bone
from surgiplan_desktop.phantom.limb import Leg, build_leg
from surgiplan_desktop.phantom.parameters import LegParameters
from surgiplan_desktop.planning.constructions import CONSTRUCTED, find_constructions
from surgiplan_desktop.planning.imported_bone import bone_from_mesh
from surgiplan_desktop.planning.landmarks.merge import merge_landmarks
from surgiplan_desktop.planning.measures import measure_points
from surgiplan_desktop.planning.records import LandmarkEstimate, Landmarks, Measures

NAMES = (BoneName.FEMUR, BoneName.TIBIA, BoneName.FIBULA, BoneName.PATELLA)
UP = np.array([0.0, 0.0, 1.0])


@cache
def leg() -> Leg:
    return build_leg(LegParameters(side=Side.LEFT, femoral_torsion_deg=16.0, tibial_torsion_deg=27.0, seed=4), step_mm=2.5)


def bone(name: BoneName, low: float = -1e9, high: float = 1e9) -> Bone:
    """The bone between two levels of the patient's z."""
    mesh = leg().meshes[BoneId(leg().side, name)]
    if high < 1e8:
        mesh = split(mesh, Plane(high * UP, UP))[1]
    if low > -1e8:
        mesh = split(mesh, Plane(low * UP, UP))[0]
    return bone_from_mesh(BoneId(leg().side, name), mesh.vertices, mesh.faces)


def truth(without: tuple[str, ...] = ()) -> Landmarks:
    items = {name: LandmarkEstimate(name, point, "auto") for name, point in leg().truth_landmarks.items() if name not in without}
    return Landmarks(leg().side, items)


@cache
def whole() -> Landmarks:
    return find_constructions(leg().side, NAMES, *(bone(name) for name in NAMES), truth())


def measured(*parts: Landmarks) -> Measures:
    return measure_points(merge_landmarks(leg().side, (), *parts))


def at(made: Landmarks, name: str) -> FloatArray:
    point = made.constructed[name].point_lps
    assert point is not None, made.constructed[name].reason
    return point


def test_every_point_is_found_inside_or_on_its_bone() -> None:
    assert set(whole().constructed) == set(CONSTRUCTED)
    fields = {solid.bone.bone: solid.field for solid in leg().solids}
    for name, definition in CONSTRUCTED.items():
        if "shaft" in name or name.startswith("tibial_head") or name.endswith(("_medial", "_lateral")):
            continue  # ends of a fitted line, of an ellipse
        depth = float(fields[definition.bone](at(whole(), name)[None])[0])
        assert depth < 0.6, (name, depth)


def test_definitions_of_torsion_lie_where_the_literature_has_them() -> None:
    measures = measured(truth(), whole())
    femoral = {
        name: measures.number(f"femoral_torsion{name}") for name in ("", "_murphy", "_waidelich", "_bergmann", "_epicondylar")
    }
    assert femoral[""] == pytest.approx(16.0, abs=0.05)
    for name, value in femoral.items():
        assert value is not None, name
        assert abs(value - 16.0) < 11.0, name  # the same femur reads up to 11 degrees apart (Kaiser 2016)
    assert len({round(value, 2) for value in femoral.values() if value is not None}) == len(femoral)
    # the patella of a straight phantom lies level with the condyles
    tilt, thickness = measures.number("patellar_tilt"), measures.number("patella_thickness")
    assert tilt is not None
    assert abs(tilt) < 8.0
    assert thickness is not None
    assert 15.0 < thickness < 27.0
    for name in ("_jend", "_waidelich", "_transcondylar"):
        value = measures.number(f"tibial_torsion{name}")
        assert value is not None, name
        assert abs(value - 27.0) < 11.0, name


def test_murphy_s_base_is_the_centre_of_the_shaft_over_the_lesser_trochanter() -> None:
    """Against the field of the bone itself: the centroid of what is bone in that plane."""
    points = leg().truth_landmarks
    up = points["hip_centre"] - points["femoral_knee_centre"]
    up = up / np.linalg.norm(up)
    base = at(whole(), "murphy_base")
    height = float((base - points["lesser_trochanter_tip"]) @ up)
    assert height == pytest.approx(15.0, abs=1e-6)
    u = np.cross(up, np.array([1.0, 0.0, 0.0]))
    u /= np.linalg.norm(u)
    v = np.cross(up, u)
    steps = np.arange(-45.0, 45.0, 0.5)
    grid = base + steps[:, None, None] * u + steps[None, :, None] * v
    femur = next(solid for solid in leg().solids if solid.bone.bone is BoneName.FEMUR)
    inside = femur.field(grid.reshape(-1, 3)) < 0.0
    assert np.linalg.norm(grid.reshape(-1, 3)[inside].mean(axis=0) - base) < 0.4


def test_a_coarse_mesh_gives_the_same_sections() -> None:
    """Triangles longer than any band around a level: cut off, they would leave half an outline."""
    femur = leg().meshes[BoneId(leg().side, BoneName.FEMUR)]
    vertices, faces = fast_simplification.simplify(femur.vertices.astype(np.float32), femur.faces.copy(), target_count=1500)
    corners = np.asarray(vertices, dtype=np.float64)
    coarse = bone_from_mesh(BoneId(leg().side, BoneName.FEMUR), corners, np.asarray(faces, dtype=np.int32))
    made = find_constructions(leg().side, NAMES[:1], coarse, truth())
    for name in ("murphy_base", "greater_trochanter_centre"):
        assert np.linalg.norm(at(made, name) - at(whole(), name)) < 0.8, name


def test_a_knee_block_gives_nearly_the_axes_of_the_whole_leg_and_less_is_refused() -> None:
    joint = float(leg().truth_landmarks["tibial_knee_centre"][2])
    far = ("hip_centre", "ankle_centre", "femoral_neck_base", "lesser_trochanter_tip", "greater_trochanter_tip")
    knee = (
        bone(BoneName.FEMUR, high=joint + 175.0),
        bone(BoneName.TIBIA, low=joint - 165.0),
        bone(BoneName.FIBULA, low=joint - 165.0),
    )
    made = find_constructions(leg().side, NAMES[:3], *knee, truth(far))
    for ends in (
        ("femoral_distal_shaft_low", "femoral_distal_shaft_high"),
        ("tibial_proximal_shaft_low", "tibial_proximal_shaft_high"),
    ):
        directions = [at(part, ends[1]) - at(part, ends[0]) for part in (whole(), made)]
        cosine = directions[0] @ directions[1] / np.prod([np.linalg.norm(item) for item in directions])
        assert np.degrees(np.arccos(cosine)) < 1.5, ends
    measures = measured(truth(far), made)
    assert measures.items["hka"].value is None
    assert measures.items["hka_surrogate"].value == pytest.approx(float(leg().truth_measures["hka"]), abs=2.8)
    short = (bone(BoneName.FEMUR, high=joint + 110.0), bone(BoneName.TIBIA, low=joint - 100.0))
    few = find_constructions(leg().side, NAMES[:2], *short, truth(far))
    for name in ("femoral_distal_shaft_low", "tibial_proximal_shaft_high"):
        reason = few.constructed[name].reason
        assert reason is not None
        assert reason.code == "shaft_too_short"
        assert dict(reason.parameters)["shaft_mm"] < 80.0  # type: ignore[operator]
    for name in ("hka_surrogate", "mldfa_surrogate", "mpta_surrogate", "slope_medial_anatomical"):
        assert measured(truth(far), few).items[name].value is None


def test_without_the_fibula_what_needs_it_says_so() -> None:
    made = find_constructions(leg().side, NAMES[1:2], bone(BoneName.TIBIA), truth())
    for name in ("fibular_notch", "lateral_malleolus_centre"):
        reason = made.constructed[name].reason
        assert reason is not None
        assert (reason.code, dict(reason.parameters)["bone"]) == ("bone_missing", "fibula")
    at(made, "medial_malleolus_centre")
    assert not any(definition.bone is BoneName.FEMUR and name in made.constructed for name, definition in CONSTRUCTED.items())
    assert measured(truth(), made).items["tibial_torsion_jend"].value is None
