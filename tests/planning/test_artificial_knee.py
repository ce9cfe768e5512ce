"""Knee prostheses on meshes are named, on either side, with noise and without; bones, worn ones too, are not."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from surgiplan_desktop.base.spaces import Plane
from surgiplan_desktop.geometry.even_mesh import evened
from surgiplan_desktop.geometry.solid import split
from surgiplan_desktop.model.anatomy import BoneId, BoneName, Side
from surgiplan_desktop.model.mesh import Bone, BonePart, Mesh
from surgiplan_desktop.phantom.limb import Leg, build_leg
from surgiplan_desktop.phantom.parameters import LegParameters
from surgiplan_desktop.planning.imported_bone import find_caps
from surgiplan_desktop.planning.landmarks.artificial import condyles_gap_mm, femur_artificial, flat_top, tibia_artificial
from surgiplan_desktop.planning.landmarks.condyles import Condyles, find_condyles, posterior_direction
from surgiplan_desktop.planning.landmarks.femur import find_femur
from surgiplan_desktop.planning.landmarks.surface import BoneSurface, bone_surface
from surgiplan_desktop.planning.landmarks.tibia import find_tibia
from tests.helpers.prostheses import with_femoral_component, with_tray

FEMUR, TIBIA = BoneName.FEMUR, BoneName.TIBIA
UP = np.array([0.0, 0.0, 1.0])
ANTERIOR = np.array([0.0, -1.0, 0.0])


@cache
def leg(worn: bool = False) -> Leg:
    wear = {"osteophyte_mm": 4.0, "flattened_condyle_mm": 2.0, "roughness_mm": 0.4} if worn else {}
    return build_leg(LegParameters(side=Side.RIGHT, variation=1.0, seed=104, **wear), step_mm=2.5)


def lateral(side: Side) -> np.ndarray:
    return np.array([-float(side.sign), 0.0, 0.0])


def mesh_of(name: BoneName, side: Side = Side.RIGHT, *, worn: bool = False) -> Mesh:
    """The phantom's bone; the left one is its mirror image."""
    mesh = leg(worn).meshes[BoneId(Side.RIGHT, name)]
    return mesh if side is Side.RIGHT else Mesh(mesh.vertices * [-1.0, 1.0, 1.0], mesh.faces[:, ::-1].copy())


def noisy(mesh: Mesh, noise_mm: float = 0.3) -> Mesh:
    """The mesh with edges of a millimetre, as a segmentation has it, and noise on every coordinate."""
    fine, _ = evened(mesh, np.zeros(len(mesh.vertices), dtype=bool))
    return Mesh(fine.vertices + np.random.default_rng(3).normal(0.0, noise_mm, fine.vertices.shape), fine.faces)


def bone(name: BoneName, mesh: Mesh, side: Side = Side.RIGHT) -> Bone:
    caps, on_cap = find_caps(mesh)
    return Bone(BoneId(side, name), (BonePart(0, mesh, caps, on_cap),))


def codes(findings: object) -> set[str]:
    return {item.code for item in findings}  # type: ignore[attr-defined]


def of_femur(mesh: Mesh, side: Side = Side.RIGHT) -> tuple[BoneSurface, Condyles]:
    surface = bone_surface(bone(FEMUR, mesh, side))
    rear = posterior_direction(surface, UP)
    assert rear is not None
    found = find_condyles(surface, UP, rear, side.sign, None)
    assert found is not None
    return surface, found


@pytest.mark.parametrize("side", list(Side))
def test_a_femoral_component_is_named(side: Side) -> None:
    mesh = with_femoral_component(mesh_of(FEMUR, side), lateral(side), ANTERIOR)
    found = find_femur(side, bone(FEMUR, mesh, side))
    named = [item for item in found.findings if item.code == "bone_condyles_alike"]
    assert [item.severity for item in named] == ["critical"]
    assert codes(femur_artificial(*of_femur(noisy(mesh), side))) == {"bone_condyles_alike"}


def test_condyles_straight_from_side_to_side_are_named_too() -> None:
    mesh = with_femoral_component(mesh_of(FEMUR), lateral(Side.RIGHT), ANTERIOR, coronal_mm=400.0)
    assert codes(femur_artificial(*of_femur(mesh))) == {"bone_condyles_alike"}


def test_a_tray_is_named() -> None:
    mesh = noisy(with_tray(mesh_of(TIBIA), lateral(Side.RIGHT)))
    found = find_tibia(Side.RIGHT, bone(TIBIA, mesh))
    assert [item.severity for item in found.findings if item.code == "bone_plateau_flat"] == ["critical"]


def test_a_tray_as_flat_as_the_edge_of_a_scan_is_told_and_measures_nothing() -> None:
    found = find_tibia(Side.RIGHT, bone(TIBIA, with_tray(mesh_of(TIBIA), lateral(Side.RIGHT))))
    assert codes(found.findings) & {"bone_end_flat", "bone_plateau_flat"}
    assert found.point("tibial_knee_centre") is None or "bone_plateau_flat" in codes(found.findings)


def test_a_shaft_cut_by_the_scan_is_no_tray() -> None:
    mesh = mesh_of(TIBIA)
    _, shaft = split(mesh, Plane((0.0, 0.0, float(mesh.vertices[:, 2].max()) - 90.0), (0.0, 0.0, 1.0)))
    surface = bone_surface(bone(TIBIA, shaft))
    assert tibia_artificial(surface, UP, cut_top=True, plateau_mm2=1600.0) == []


@pytest.mark.parametrize("worn", [False, True])
def test_bones_are_bones(worn: bool) -> None:
    femur, tibia = mesh_of(FEMUR, worn=worn), mesh_of(TIBIA, worn=worn)
    gap = condyles_gap_mm(*of_femur(noisy(femur)))
    assert gap is not None
    assert gap > 0.5
    surface = bone_surface(bone(TIBIA, noisy(tibia)))
    assert flat_top(surface, UP).share < 0.55
    assert tibia_artificial(surface, UP, cut_top=False, plateau_mm2=1600.0) == []


@pytest.mark.real
def test_no_alarm_on_knees_of_a_shape_model(data_folder: Callable[[str], Path]) -> None:
    data = np.load(next(data_folder("bones").rglob("synthetic-knees-100.npz")))
    for number in range(2, 100, 20):
        found = {}
        for name in ("femur", "tibia"):
            points = data[f"{name}_vertices_5um"][number] * 0.005
            found[name] = Mesh(points * [-1.0, -1.0, 1.0], data[f"{name}_faces"].astype(np.int32))
        assert femur_artificial(*of_femur(found["femur"])) == []
        surface = bone_surface(bone(TIBIA, found["tibia"]))
        assert tibia_artificial(surface, UP, cut_top=False, plateau_mm2=1600.0) == []
