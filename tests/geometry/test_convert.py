"""Round trips to VTK and SimpleITK keep every place."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh

from surgiplan_desktop.base.errors import ComputationError
from surgiplan_desktop.base.spaces import Affine, rotation_about
from surgiplan_desktop.geometry.convert import affine_of_sitk, array_of_sitk, image_to_sitk, mesh_to_polydata, polydata_to_mesh
from surgiplan_desktop.model.images import Volume
from surgiplan_desktop.model.mesh import Mesh


def test_mesh_round_trip_is_exact() -> None:
    ball = trimesh.creation.icosphere(subdivisions=2, radius=30.0)
    mesh = Mesh(ball.vertices + 812.3456789, ball.faces)
    back = polydata_to_mesh(mesh_to_polydata(mesh))
    assert np.array_equal(back.vertices, mesh.vertices)
    assert np.array_equal(back.faces, mesh.faces)


def test_image_round_trip_keeps_the_place_of_a_voxel() -> None:
    turn = rotation_about(np.zeros(3), np.array([1.0, 1.0, 0.2]), 25.0)
    steps = np.array([[0.0, 0.0, 0.7], [0.0, 0.8, 0.0], [1.5, 0.0, 0.0]])  # columns k, j, i
    affine = Affine.from_parts(turn.linear @ steps, np.array([10.0, -20.0, 30.0]))
    volume = Volume(np.arange(24, dtype=np.int16).reshape(2, 3, 4), affine)
    image = image_to_sitk(volume)
    assert np.allclose(image.TransformIndexToPhysicalPoint((3, 2, 1)), affine(np.array([1.0, 2.0, 3.0])))
    assert np.allclose(affine_of_sitk(image).matrix, affine.matrix)
    assert np.array_equal(array_of_sitk(image), volume.array)


def test_sheared_image_is_refused() -> None:
    affine = Affine(np.array([[0.0, 0.0, 1.0, 0.0], [0.3, 1.0, 0.0, 0.0], [1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0]]))
    with pytest.raises(ComputationError, match="image_sheared"):
        image_to_sitk(Volume(np.zeros((2, 2, 2), dtype=np.int16), affine))
