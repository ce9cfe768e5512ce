"""Joint faces sawn, bitten or gone in part are named at their landmark; sound bones, worn, small and rough ones too, are not."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import pytest

from surgiplan_desktop.base.arrays import unit
from surgiplan_desktop.base.spaces import Plane
from surgiplan_desktop.geometry.fit import FittedLine, Sphere
from surgiplan_desktop.geometry.solid import ball, difference, hull, split
from surgiplan_desktop.model.anatomy import BoneId, BoneName, Side
from surgiplan_desktop.model.mesh import Bone, BonePart, Mesh
from surgiplan_desktop.phantom.draws import draw_leg
from surgiplan_desktop.phantom.limb import Leg, build_leg
from surgiplan_desktop.phantom.parameters import LegParameters
from surgiplan_desktop.planning.imported_bone import find_caps
from surgiplan_desktop.planning.landmarks.ankle import find_medial_malleolus
from surgiplan_desktop.planning.landmarks.condyles import find_condyles, posterior_direction, width_mm
from surgiplan_desktop.planning.landmarks.damage import (
    condyle_damage,
    malleoli_damage,
    neck_damage,
    plateau_damage,
    trochanter_damage,
)
from surgiplan_desktop.planning.landmarks.found import Found, add
from surgiplan_desktop.planning.landmarks.hip import find_neck_base
from surgiplan_desktop.planning.landmarks.merge import merge_landmarks
from surgiplan_desktop.planning.landmarks.plateau import find_plateau, find_posterior
from surgiplan_desktop.planning.landmarks.surface import BoneSurface, bone_surface
from surgiplan_desktop.planning.landmarks.tibia import find_tibia
from surgiplan_desktop.planning.landmarks.trochanters import find_greater
from surgiplan_desktop.planning.measures import measure_points
from surgiplan_desktop.planning.records import Landmarks

FEMUR, TIBIA, FIBULA = BoneName.FEMUR, BoneName.TIBIA, BoneName.FIBULA
LATERAL, FRONT, UP = np.array([-1.0, 0.0, 0.0]), np.array([0.0, -1.0, 0.0]), np.array([0.0, 0.0, 1.0])
KINDS = ("drawn", "worn", "child", "rough")
#: A child: three quarters of the size, and a tenth wider for its length.
CHILD = np.array([0.75, 0.75, 0.68])
Told = set[tuple[str, str]]


@cache
def leg(kind: str = "drawn") -> Leg:
    """A right leg of each kind: as people have them, arthritic, and with the surface that a rough scan gives."""
    if kind == "worn":
        worn = LegParameters(
            side=Side.RIGHT, variation=1.0, seed=104, osteophyte_mm=4.0, flattened_condyle_mm=2.0, roughness_mm=0.4
        )
        return build_leg(worn, step_mm=2.5)
    return build_leg(draw_leg(103, side=Side.RIGHT), step_mm=1.8 if kind == "rough" else 2.5)


@cache
def end(name: BoneName, which: str, kind: str = "drawn") -> Mesh:
    """The last 80 mm of a bone, with 0.3 mm of noise where it is rough."""
    mesh = leg(kind).meshes[BoneId(Side.RIGHT, name)]
    heights = mesh.vertices[:, 2]
    level = heights.max() - 80.0 if which == "upper" else heights.min() + 80.0
    above, below = split(mesh, Plane((0.0, 0.0, float(level)), (0.0, 0.0, 1.0)))
    part = above if which == "upper" else below
    if kind == "rough":
        inside = np.abs(part.vertices[:, 2] - level) > 2.0
        noise = np.random.default_rng(5).normal(0.0, 0.3, part.vertices.shape)
        part = Mesh(part.vertices + noise * inside[:, None], part.faces)
    return Mesh(part.vertices * CHILD, part.faces) if kind == "child" else part


def mark(name: str, kind: str = "drawn") -> np.ndarray:
    return leg(kind).truth_landmarks[name] * (CHILD if kind == "child" else np.ones(3))


def prepared(name: BoneName, mesh: Mesh) -> BoneSurface:
    return bone_surface(whole(name, mesh))


def whole(name: BoneName, mesh: Mesh) -> Bone:
    caps, on_cap = find_caps(mesh)
    return Bone(BoneId(Side.RIGHT, name), (BonePart(0, mesh, caps, on_cap),))


def outward(side: str) -> np.ndarray:
    return LATERAL if side == "lateral" else -LATERAL


def block(centre: np.ndarray, size: tuple[float, float, float]) -> Mesh:
    """A box of so much to the side, to the front and up around a point."""
    signs = np.array(np.meshgrid((-0.5, 0.5), (-0.5, 0.5), (-0.5, 0.5))).reshape(3, -1).T
    return hull(centre + (signs * size) @ np.array([LATERAL, FRONT, UP]))


def told(findings: object) -> Told:
    return {(item.code, dict(item.parameters)["landmark"]) for item in findings}  # type: ignore[attr-defined]


def on_plateau(mesh: Mesh, tuberosity: np.ndarray | None = None) -> Told:
    surface = prepared(TIBIA, mesh)
    top = find_plateau(surface, UP, LATERAL, FRONT)
    assert top is not None
    rear = find_posterior(surface, top, UP, top.to_lateral, top.to_anterior)
    assert rear is not None
    found: Found = {}
    add(found, "medial_posterior_plateau", rear[0])
    add(found, "lateral_posterior_plateau", rear[1])
    if tuberosity is not None:
        add(found, "tibial_tuberosity", tuberosity)
    return told(plateau_damage(surface, top, found))


def on_condyles(mesh: Mesh) -> Told:
    surface = prepared(FEMUR, mesh)
    rear = posterior_direction(surface, UP)
    assert rear is not None
    found = find_condyles(surface, UP, rear, Side.RIGHT.sign, None)
    assert found is not None
    return told(condyle_damage(surface, found, width_mm(surface, found.up, found.lateral)))


def on_neck(mesh: Mesh, kind: str = "drawn") -> Told:
    head, low, high = (mark(name, kind) for name in ("hip_centre", "femoral_shaft_distal", "femoral_shaft_proximal"))
    surface = prepared(FEMUR, mesh)
    near = np.linalg.norm(surface.vertices - head, axis=1)
    radius = float(np.quantile(near[near < 40.0], 0.2))
    neck = find_neck_base(surface, Sphere(head, radius, 0.0, 1), FittedLine(low, unit(high - low), 0.0, 2))
    assert neck is not None
    return told(neck_damage(surface, head, neck[1]))


def on_malleoli(tibia: Mesh, fibula: Mesh, width: float = 76.0) -> Told:
    surfaces = [prepared(TIBIA, tibia), prepared(FIBULA, fibula)]
    found: Found = {}
    for name, surface in zip(("medial_malleolus", "lateral_malleolus"), surfaces, strict=True):
        tip = find_medial_malleolus(surface, UP)
        assert tip is not None
        add(found, name, tip)
    return told(malleoli_damage(found, *surfaces, width))


@pytest.mark.parametrize("kind", KINDS)
def test_sound_ends_are_not_doubted(kind: str) -> None:
    width = float(np.linalg.norm(mark("medial_plateau_edge", kind) - mark("lateral_plateau_edge", kind)))
    assert on_plateau(end(TIBIA, "upper", kind), mark("tibial_tuberosity", kind)) == set()
    assert on_condyles(end(FEMUR, "lower", kind)) == set()
    assert on_malleoli(end(TIBIA, "lower", kind), end(FIBULA, "lower", kind), width) == set()
    assert on_neck(end(FEMUR, "upper", kind), kind) == set()


@pytest.mark.parametrize("side", ["medial", "lateral"])
@pytest.mark.parametrize(("deep_mm", "kind"), [(2.0, "drawn"), (4.0, "rough"), (8.0, "drawn")])
def test_a_compartment_sawn_off_is_a_plane(side: str, deep_mm: float, kind: str) -> None:
    knee, face = mark("tibial_knee_centre", kind), mark(f"{side}_plateau_centre", kind)
    middle = knee + 46.0 * outward(side)
    middle[2] = face[2] - deep_mm + 20.0
    found = on_plateau(difference(end(TIBIA, "upper", kind), block(middle, (80.0, 120.0, 40.0))))
    # deep enough, what is left of the other side stands out so that the sides may change their names
    assert ("doubt_facet_flat", f"{side}_plateau_centre") in found or (
        deep_mm > 4.0 and "doubt_facet_flat" in {code for code, _ in found}
    )


@pytest.mark.parametrize("side", ["medial", "lateral"])
@pytest.mark.parametrize("radius_mm", [9.0, 14.0])
def test_a_bite_out_of_the_rear_rim_leaves_an_edge(side: str, radius_mm: float) -> None:
    rim = f"{side}_posterior_plateau"
    assert ("doubt_contact_edge", rim) in on_plateau(difference(end(TIBIA, "upper"), ball(mark(rim), radius_mm)))


@pytest.mark.parametrize("side", ["medial", "lateral"])
@pytest.mark.parametrize("ahead", [-1.0, 1.0])
def test_a_rim_cut_straight_is_a_plane(side: str, ahead: float) -> None:
    rim, face = mark(f"{side}_posterior_plateau"), mark(f"{side}_plateau_centre")
    place = rim if ahead < 0.0 else face + 23.0 * FRONT
    size = (34.0, 14.0, 40.0) if ahead < 0.0 else (34.0, 22.0, 40.0)
    codes = {code for code, name in on_plateau(difference(end(TIBIA, "upper"), block(place, size))) if name.startswith(side)}
    assert codes & {"doubt_rim_flat", "doubt_facet_depth"}


@pytest.mark.parametrize("part", ["inner", "outer"])
@pytest.mark.parametrize("side", ["medial", "lateral"])
def test_a_facet_that_lacks_its_inner_or_outer_part_is_named(side: str, part: str) -> None:
    knee, face, edge = (mark(name) for name in ("tibial_knee_centre", f"{side}_plateau_centre", f"{side}_plateau_edge"))
    place = knee + 13.0 * outward(side) if part == "inner" else edge
    place = np.array([place[0], place[1], face[2] + 2.0])
    found = on_plateau(difference(end(TIBIA, "upper"), block(place, (18.0 if part == "inner" else 24.0, 80.0, 16.0))))
    assert {name for _, name in found} & {f"{side}_plateau_centre", f"{side}_posterior_plateau"}


@pytest.mark.parametrize("side", ["medial", "lateral"])
@pytest.mark.parametrize(
    ("contact", "code", "tool"),
    [
        ("distal", "doubt_contact_flat", lambda point: block(point - 17.0 * UP, (36.0, 90.0, 40.0))),
        ("distal", "doubt_contact_edge", lambda point: ball(point, 10.0)),
        ("posterior", "doubt_contact_edge", lambda point: ball(point, 12.0)),
    ],
)
def test_a_condyle_sawn_or_bitten_is_named(side: str, contact: str, code: str, tool: Callable[[np.ndarray], Mesh]) -> None:
    name = f"{side}_{contact}_condyle"
    assert (code, name) in on_condyles(difference(end(FEMUR, "lower"), tool(mark(name))))


@pytest.mark.parametrize("towards", [FRONT, -UP], ids=["front", "below"])
def test_a_neck_that_is_hollow_on_one_side_is_named(towards: np.ndarray) -> None:
    base, head = mark("femoral_neck_base"), mark("hip_centre")
    bitten = difference(end(FEMUR, "upper"), ball(0.5 * (base + head) + 15.0 * towards, 12.0))
    assert on_neck(bitten) == {("doubt_neck_hollow", "femoral_neck_base")}


@pytest.mark.parametrize("name", ["medial_malleolus", "lateral_malleolus"])
def test_a_malleolus_that_lost_a_part_of_its_tip_is_named(name: str) -> None:
    bitten = {bone: end(bone, "lower") for bone in (TIBIA, FIBULA)}
    bone = TIBIA if name == "medial_malleolus" else FIBULA
    bitten[bone] = difference(bitten[bone], ball(mark(name) + 4.0 * FRONT, 8.0))
    assert ("doubt_contact_edge", name) in on_malleoli(bitten[TIBIA], bitten[FIBULA])


def of_tibia(mesh: Mesh) -> Landmarks:
    fibula = whole(FIBULA, leg().meshes[BoneId(Side.RIGHT, FIBULA)])
    return merge_landmarks(Side.RIGHT, (), find_tibia(Side.RIGHT, whole(TIBIA, mesh), fibula))


def test_measures_on_a_doubted_place_count_as_estimated() -> None:
    """The torsion of a tibia bitten at its rear rim says so itself; what the bite does not touch does not."""
    whole_tibia = leg().meshes[BoneId(Side.RIGHT, TIBIA)]
    sound = of_tibia(whole_tibia)
    bitten = of_tibia(difference(whole_tibia, ball(mark("medial_posterior_plateau"), 11.0)))
    assert measure_points(sound).items["tibial_torsion"].status == "ok"
    measures = measure_points(bitten)
    assert measures.items["tibial_torsion"].status == "estimated"
    assert measures.items["tibia_length"].status == "ok"
    name = "medial_posterior_plateau"
    assert (bitten.items[name].sd_mm or 0.0) > 2.0 * (sound.items[name].sd_mm or 0.0)
    assert ("doubt_contact_edge", name) in {(item.code, dict(item.parameters).get("landmark", "")) for item in bitten.findings}


def test_a_tuberosity_cut_off_is_a_flat() -> None:
    place = mark("tibial_tuberosity")
    found = on_plateau(difference(end(TIBIA, "upper"), block(place + 14.0 * FRONT, (50.0, 40.0, 60.0))), place - 6.0 * FRONT)
    assert found == {("doubt_contact_flat", "tibial_tuberosity")}


def test_a_bite_out_of_the_greater_trochanter_leaves_an_edge() -> None:
    head = mark("hip_centre")
    for mesh, expected in (
        (end(FEMUR, "upper"), set()),
        (difference(end(FEMUR, "upper"), ball(mark("greater_trochanter_tip") + 4.0 * FRONT, 12.0)), {"doubt_contact_edge"}),
    ):
        surface = prepared(FEMUR, mesh)
        base = mark("femoral_neck_base")
        tip = find_greater(surface, Sphere(head, 23.0, 0.0, 1), base, UP, LATERAL)
        assert tip is not None
        found: Found = {}
        add(found, "greater_trochanter_tip", tip[0])
        assert {item.code for item in trochanter_damage(surface, found, 23.0)} == expected
