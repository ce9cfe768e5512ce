"""Template bones: whole, small, and each landmark where it belongs; the left leg is the right one in the mirror."""

from __future__ import annotations

import numpy as np
import pytest

from surgiplan_desktop.base.paths import resource_folder
from surgiplan_desktop.geometry.distance import closest_points
from surgiplan_desktop.geometry.solid import is_solid
from surgiplan_desktop.model.anatomy import LANDMARKS, BoneName, Side
from surgiplan_desktop.planning.templates import load_template

#: Centres, and points on lines and planes of a joint, lie off the bone.
_OFF = ("centre", "shaft", "neck_base", "plateau_edge", "plafond")


@pytest.mark.parametrize("side", list(Side))
def test_templates_are_solids_with_their_landmarks(side: Side) -> None:
    template = load_template(side)
    assert {BoneName.FEMUR, BoneName.TIBIA, BoneName.FIBULA, BoneName.PATELLA, BoneName.TALUS} <= set(template.meshes)
    assert set(template.landmarks) == set(LANDMARKS)
    for bone, mesh in template.meshes.items():
        assert is_solid(mesh), bone
        assert 3000 < len(mesh.faces) <= 5200, bone
    for name, point in template.landmarks.items():
        if not any(part in name for part in _OFF):
            _, distance, _ = closest_points(template.meshes[LANDMARKS[name].bone], point[None])
            assert distance[0] < 0.6, name


def test_the_left_template_is_the_right_one_in_the_mirror() -> None:
    right, left = load_template(Side.RIGHT), load_template(Side.LEFT)
    mirror = np.array([-1.0, 1.0, 1.0])
    for bone, mesh in right.meshes.items():
        np.testing.assert_array_equal(left.meshes[bone].vertices, mesh.vertices * mirror)
    for name, point in right.landmarks.items():
        np.testing.assert_array_equal(left.landmarks[name], point * mirror)


def test_the_file_is_small() -> None:
    assert (resource_folder() / "templates" / "right_leg.npz").stat().st_size < 800_000
