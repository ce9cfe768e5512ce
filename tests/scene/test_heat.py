"""The heat map as data: colours, scales, no statement, and what stays the same object."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from vtkmodules.util.numpy_support import vtk_to_numpy
from vtkmodules.vtkRenderingCore import vtkRenderer

from surgiplan_desktop.base.arrays import BoolArray, FloatArray
from surgiplan_desktop.base.spaces import Affine, Plane
from surgiplan_desktop.derive.node import Key
from surgiplan_desktop.model.anatomy import BoneId, BoneName, Side
from surgiplan_desktop.model.case import Case, SegmentationRun
from surgiplan_desktop.model.images import UncertaintyMap, Volume
from surgiplan_desktop.model.mesh import Bone, BonePart, Mesh
from surgiplan_desktop.model.study import Study, VolumeBlock
from surgiplan_desktop.planning.graph import bone_key, surface_sd_key, uncertainty_key
from surgiplan_desktop.scene.contours import section
from surgiplan_desktop.scene.heat import (
    HEAT_COLOURS,
    NO_STATEMENT,
    STEPS,
    HeatMaker,
    HeatScale,
    heat_layer,
    heated_parts,
    mean_shade,
)
from surgiplan_desktop.scene.items import Surface
from surgiplan_desktop.scene.slices import SliceGrid, VolumeSampler
from surgiplan_desktop.scene.sync import SceneSync

TIBIA = BoneId(Side.RIGHT, BoneName.TIBIA)
MM = HeatScale(0.0, 2.0, 0.5, "mm")


def tetrahedron(shift: float = 0.0) -> Mesh:
    vertices = np.array([[0.0, 0.0, 0.0], [10.0, 0.0, 0.0], [0.0, 10.0, 0.0], [0.0, 0.0, 10.0]]) + shift
    return Mesh(vertices, np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]], dtype=np.int32))


def bone(parts: int = 1, caps: BoolArray | None = None) -> Bone:
    none = np.zeros(4, dtype=np.bool_) if caps is None else caps
    return Bone(TIBIA, tuple(BonePart(number, tetrahedron(30.0 * number), (), none) for number in range(parts)))


def luminance(colours: FloatArray) -> FloatArray:
    """CIE lightness of sRGB colours 0..255 (IEC 61966-2-1)."""
    coded = colours / 255.0
    linear = np.where(coded <= 0.04045, coded / 12.92, ((coded + 0.055) / 1.055) ** 2.4)
    y = linear @ np.array([0.2126, 0.7152, 0.0722])
    lightness: FloatArray = np.where(y > 0.008856, 116.0 * np.cbrt(y) - 16.0, 903.3 * y)
    return lightness


#: What a person without one kind of cone sees of linear red, green, blue (Machado et al. 2009, IEEE TVCG 15:1291, severity 1).
NO_RED = np.array([[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]])
NO_GREEN = np.array([[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]])


@pytest.mark.parametrize("seen", [np.eye(3), NO_RED, NO_GREEN], ids=["all cones", "no red", "no green"])
def test_colours_get_lighter_evenly_for_every_kind_of_vision(seen: FloatArray) -> None:
    colours = HEAT_COLOURS[:STEPS].astype(np.float64) / 255.0
    linear = np.where(colours <= 0.04045, colours / 12.92, ((colours + 0.055) / 1.055) ** 2.4) @ seen.T
    coded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * np.clip(linear, 0, None) ** (1 / 2.4) - 0.055)
    steps = np.diff(luminance(255.0 * np.clip(coded, 0.0, 1.0))[::7])
    assert steps.min() > 0.0
    assert steps.max() < 2.0 * steps.mean()


def test_values_find_their_step_and_nan_is_no_statement() -> None:
    shades = MM.shades(np.array([0.0, 1.0, 1.999, 2.0, 70.0, -1.0, np.nan]))
    assert shades.tolist() == [0, STEPS // 2, STEPS - 1, STEPS - 1, STEPS - 1, 0, NO_STATEMENT]


def test_caps_make_no_statement_and_values_of_another_surface_are_not_drawn() -> None:
    caps = np.array([False, False, False, True])
    first, second = heated_parts(bone(2, caps), np.arange(8.0) / 10.0, MM)
    assert np.isnan(first.values[3])
    assert first.shades[3] == NO_STATEMENT
    assert second.values[:3].tolist() == [0.4, 0.5, 0.6]
    assert heated_parts(bone(2), np.zeros(7), MM) == ()


def test_a_contour_takes_the_least_sure_corner() -> None:
    shades = MM.shades(np.array([0.1, 0.2, 1.5, np.nan]))
    mesh = tetrahedron()
    segments, faces = section(mesh, Plane(np.array([0.0, 0.0, 1.0]), np.array([0.0, 0.0, 1.0])))
    assert len(segments) == len(faces) == 3
    assert (mean_shade(shades, mesh.faces[faces]) == NO_STATEMENT).all()  # each of these triangles has the corner without
    assert mean_shade(shades, mesh.faces[:1]).tolist() == [MM.shades(np.array([1.5]))[0]]


def test_the_layer_lets_the_image_through_where_there_is_nothing_to_see() -> None:
    scale = HeatScale(0.0, 1.0, 0.5, "", 0.08)
    layer = heat_layer(np.array([[0, 10, 60, 128, 255]], dtype=np.uint8), scale)[0]
    assert layer[:2, 3].tolist() == [0, 0]
    assert 0 < layer[2, 3] < layer[3, 3] == layer[4, 3] < 255


def test_voxels_are_sampled_with_nothing_outside() -> None:
    array = np.full((3, 3, 3), 200, dtype=np.uint8)
    sampler = VolumeSampler((Volume(array, Affine(np.eye(4)[[2, 1, 0, 3]])),), outside=0)
    values = sampler.sample(SliceGrid(np.array([-2.0, 1.0, 1.0]), np.array([1.0, 0, 0]), np.array([0, 1.0, 0]), 6, 1))
    assert values.tolist() == [[0, 0, 200, 200, 200, 0]]


def a_case() -> tuple[Case, dict[Key, object]]:
    block = VolumeBlock.__new__(VolumeBlock)
    study = Study.__new__(Study)
    object.__setattr__(study, "blocks", (block,))
    run = SegmentationRun("leg-ct-1", "model", "1", "cpu", ("sha256:0",), (TIBIA,))
    case = Case(study=study, segmentations=(run,), active_segmentation=run.id)
    map_ = UncertaintyMap(*(np.full((2, 2, 2), value, dtype=np.uint8) for value in (50, 100, 150)), affine=Affine(np.eye(4)))
    results: dict[Key, object] = {
        bone_key(TIBIA): bone(),
        surface_sd_key(TIBIA): SimpleNamespace(sd_mm=np.array([0.1, 0.2, 0.3, np.nan])),
        uncertainty_key(0): map_,
    }
    return case, results


def test_the_map_of_a_case_holds_bones_and_voxels_and_keeps_what_did_not_change() -> None:
    case, results = a_case()
    maker = HeatMaker()

    def read(key: Key) -> tuple[object, bool]:
        return results.get(key), True

    heat = maker.heat(case, read, "uncertainty")
    assert heat is not None
    assert heat.surfaces[TIBIA][0].values[1] == 0.2
    assert heat.voxels[0].array[0, 0, 0] == 50
    again = maker.heat(case, read, "uncertainty")
    assert again is not None
    assert again.part(TIBIA, 0) is heat.part(TIBIA, 0)
    assert again.voxels[0] is heat.voxels[0]
    other = maker.heat(case, read, "disagreement")
    assert other is not None
    assert other.voxels[0].array[0, 0, 0] == 100
    assert heat.part(TIBIA, 1) is None


def test_without_any_statement_there_is_no_map_and_without_a_model_no_voxels() -> None:
    case, results = a_case()
    del results[uncertainty_key(0)]
    heat = HeatMaker().heat(case, lambda key: (results.get(key), True), "uncertainty")
    assert heat is not None
    assert heat.voxels == ()
    assert HeatMaker().heat(case, lambda _key: (None, False), "uncertainty") is None


def test_a_bone_in_3d_takes_the_colours_and_gives_them_back() -> None:
    mesh = tetrahedron()
    heated = heated_parts(Bone(TIBIA, (BonePart(0, mesh, (), np.zeros(4, dtype=np.bool_)),)), np.array([0, 1, 2, np.nan]), MM)[0]
    sync = SceneSync(vtkRenderer(), lambda _role: (1.0, 1.0, 1.0))
    sync.show({"tibia": Surface(mesh, "bone/tibia", heated=heated)})
    actor = next(iter(sync._renderer.GetActors()))
    scalars = actor.GetMapper().GetInput().GetPointData().GetScalars()
    assert vtk_to_numpy(scalars).tolist() == HEAT_COLOURS[[0, STEPS // 2, STEPS - 1, NO_STATEMENT]].tolist()
    assert actor.GetMapper().GetScalarVisibility()
    sync.show({"tibia": Surface(mesh, "bone/tibia")})
    assert not actor.GetMapper().GetScalarVisibility()
