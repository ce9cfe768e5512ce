"""Surfaces against shapes with a formula: place, volume, caps, one piece, same bytes."""

from __future__ import annotations

import numpy as np
import pytest

from surgiplan_desktop.base.errors import InputDataError
from surgiplan_desktop.geometry.solid import is_solid, volume
from surgiplan_desktop.geometry.surface import bone_from_blocks
from surgiplan_desktop.model.anatomy import BoneId, BoneName, Side
from surgiplan_desktop.model.images import LabelMap, Volume
from surgiplan_desktop.model.mesh import Bone
from tests.geometry.voxel_shapes import CORTEX_HU, MARROW_HU, SOFT_HU, affine_of, ball, labelled, scanned, share, tube

TIBIA = BoneId(Side.RIGHT, BoneName.TIBIA)
SPACINGS = [(1.0, 1.0, 1.0), (1.0, 0.7, 0.7)]
CENTRE, RADIUS = (24.8, 25.1, 25.3), 18.3


def bone_of(hu: np.ndarray, mask: np.ndarray, spacing: tuple[float, float, float]) -> Bone:
    return bone_from_blocks(TIBIA, labelled(mask, 2, spacing), scanned(hu, spacing))


def euler(bone: Bone) -> int:
    mesh = bone.parts[0].mesh
    return len(mesh.vertices) - len(mesh.faces) // 2


@pytest.mark.parametrize("spacing", SPACINGS)
@pytest.mark.parametrize("cortex_mm", [40.0, 3.0])
def test_ball_is_met_within_a_twentieth_of_a_voxel(spacing: tuple[float, float, float], cortex_mm: float) -> None:
    whole = share(ball(CENTRE, RADIUS), (50.0, 50.0, 50.0), spacing)
    hu = SOFT_HU + (CORTEX_HU - SOFT_HU) * whole
    if cortex_mm < RADIUS:
        hu = hu - (CORTEX_HU - MARROW_HU) * share(ball(CENTRE, RADIUS - cortex_mm), (50.0, 50.0, 50.0), spacing)
    bone = bone_of(hu, whole > 0.4, spacing)
    mesh = bone.parts[0].mesh
    error = np.linalg.norm(mesh.vertices - CENTRE, axis=1) - RADIUS
    assert abs(error.mean()) < 0.05
    assert np.median(np.abs(error)) < 0.05
    assert abs(volume(mesh) / (4 / 3 * np.pi * RADIUS**3) - 1) < 0.006
    assert is_solid(mesh)
    assert euler(bone) == 2
    assert bone.parts[0].caps == ()
    assert abs(bone.parts[0].volume_change) < 0.002
    deviation = bone.parts[0].deviation
    assert deviation is not None
    assert 0 < deviation.mean_mm < deviation.p95_mm < deviation.max_mm < 1.5


def test_open_ends_are_flat_caps_at_the_outer_face_of_the_last_slices() -> None:
    spacing, radius = (1.0, 0.8, 0.8), 15.2
    shaft = share(tube((25.0, 25.0), radius), (40.0, 50.0, 50.0), spacing)
    marrow = share(tube((25.0, 25.0), radius - 4.0), (40.0, 50.0, 50.0), spacing)
    bone = bone_of(SOFT_HU + (CORTEX_HU - SOFT_HU) * shaft - (CORTEX_HU - MARROW_HU) * marrow, shaft > 0.4, spacing)
    part = bone.parts[0]
    assert bone.cut_ends == 2
    assert sorted(float(cap.normal[2]) for cap in part.caps) == [-1.0, 1.0]
    assert sorted(float(cap.point_lps[2]) for cap in part.caps) == [-0.5, 39.5]
    caps = part.mesh.vertices[part.cap_vertices]
    assert set(np.round(caps[:, 2], 3)) == {-0.5, 39.5}
    assert (np.hypot(*(caps[:, :2] - 25.0).T) < radius + 0.2).all()
    error = np.hypot(*(part.surface_points[:, :2] - 25.0).T) - radius
    assert abs(error.mean()) < 0.05
    assert np.abs(error).max() < 0.3
    assert abs(volume(part.mesh) / (np.pi * radius**2 * 40.0) - 1) < 0.005
    assert is_solid(part.mesh)


def test_marrow_and_channels_are_no_surface() -> None:
    spacing = (1.0, 1.0, 1.0)
    whole = share(ball(CENTRE, RADIUS), (50.0, 50.0, 50.0), spacing)
    hu = SOFT_HU + (CORTEX_HU - SOFT_HU) * whole
    hollow = share(ball((24.8, 25.1, 30.0), 6.0), (50.0, 50.0, 50.0), spacing)
    channel = share(tube((24.8, 25.1), 0.8, low=20.0), (50.0, 50.0, 50.0), spacing)
    bone = bone_of(hu - 1150.0 * np.maximum(hollow, channel * whole), whole > 0.4, spacing)
    assert euler(bone) == 2
    assert abs(volume(bone.parts[0].mesh) / (4 / 3 * np.pi * RADIUS**3) - 1) < 0.01


def test_a_neighbour_does_not_leak_in() -> None:
    spacing = (1.0, 1.0, 1.0)
    one, two = (share(ball((25.0, 25.0, z), 14.0), (62.0, 50.0, 50.0), spacing) for z in (17.0, 45.6))
    hu = SOFT_HU + (CORTEX_HU - SOFT_HU) * np.minimum(one + two, 1.0)
    labels = LabelMap(np.where(one > 0.5, 2, np.where(two > 0.5, 1, 0)).astype(np.uint16), affine_of(spacing))
    mesh = bone_from_blocks(TIBIA, labels, scanned(hu, spacing)).parts[0].mesh
    error = np.linalg.norm(mesh.vertices - (25.0, 25.0, 17.0), axis=1) - 14.0
    assert np.abs(error).max() < 0.6
    assert np.median(np.abs(error)) < 0.05


def test_parts_of_two_blocks_and_a_block_without_the_bone() -> None:
    spacing = (1.0, 1.0, 1.0)
    shaft = share(tube((15.0, 15.0), 8.0), (20.0, 30.0, 30.0), spacing)
    volume_of = scanned(SOFT_HU + (CORTEX_HU - SOFT_HU) * shaft, spacing)
    labels = labelled(shaft > 0.4, 2, spacing)
    nothing = labelled(shaft > 2.0, 2, spacing)
    bone = bone_from_blocks(TIBIA, labels, volume_of, nothing, volume_of, labels, volume_of)
    assert [part.block for part in bone.parts] == [0, 2]
    assert bone.cut_ends == 4


def test_turned_and_mirrored_grids_give_outward_surfaces() -> None:
    spacing = (1.0, 1.0, 1.0)
    whole = share(ball((14.0, 15.0, 16.0), 9.0), (30.0, 30.0, 30.0), spacing)
    image = scanned(SOFT_HU + (CORTEX_HU - SOFT_HU) * whole, spacing)
    for matrix in (np.diag([-1.0, 1.0, 1.0, 1.0]), np.array([[0.6, 0, 0.8, 5], [0, 1, 0, 6], [-0.8, 0, 0.6, 7], [0, 0, 0, 1.0]])):
        affine = affine_of(spacing)
        placed = type(affine)(matrix @ affine.matrix)
        labels = LabelMap((whole > 0.4).astype(np.uint16) * np.uint16(2), placed)
        mesh = bone_from_blocks(TIBIA, labels, Volume(image.array, placed)).parts[0].mesh
        assert volume(mesh) == pytest.approx(4 / 3 * np.pi * 9.0**3, rel=0.03)  # a small ball loses some volume to blur


def test_same_input_gives_the_same_bytes() -> None:
    spacing = (1.0, 1.0, 1.0)
    whole = share(ball((14.0, 15.0, 16.0), 9.0), (30.0, 30.0, 30.0), spacing)
    hu = SOFT_HU + (CORTEX_HU - SOFT_HU) * whole
    one, two = (bone_of(hu, whole > 0.4, spacing).parts[0].mesh for _ in range(2))
    assert one.vertices.tobytes() == two.vertices.tobytes()
    assert one.faces.tobytes() == two.faces.tobytes()


def test_a_displaced_slice_leaves_no_dent() -> None:
    spacing = (1.0, 1.0, 1.0)
    shaft = share(tube((20.0, 20.0), 9.0, 4.0, 36.0), (40.0, 40.0, 40.0), spacing)
    hu = SOFT_HU + (CORTEX_HU - SOFT_HU) * shaft
    image = scanned(hu, spacing)
    wrong = image.array.copy()
    wrong[20] = np.roll(wrong[20], 15, axis=0)
    part = bone_from_blocks(TIBIA, labelled(shaft > 0.4, 2, spacing), Volume(wrong, image.affine)).parts[0]
    near = np.abs(part.mesh.vertices[:, 2] - 20.0) < 2.0
    assert np.abs(np.hypot(*(part.mesh.vertices[near, :2] - 20.0).T) - 9.0).max() < 0.3


def test_a_bone_that_is_not_there_is_named() -> None:
    spacing = (1.0, 1.0, 1.0)
    empty = np.zeros((10, 10, 10))
    with pytest.raises(InputDataError) as caught:
        bone_of(empty, empty > 1, spacing)
    assert caught.value.message_id == "bone_not_in_labels"
    assert caught.value.parameters["bone"] == "right_tibia"
    with pytest.raises(ValueError, match="LabelMap and a Volume"):
        bone_from_blocks(TIBIA, scanned(empty, spacing))
