"""The sphere of the femoral head where the head is no ball."""

from __future__ import annotations

import numpy as np
import pytest

from surgiplan_desktop.geometry.solid import ball, capsule, union
from surgiplan_desktop.model.anatomy import BoneId, BoneName, Side
from surgiplan_desktop.model.mesh import Bone, BonePart, Mesh
from surgiplan_desktop.planning.landmarks.hip import find_head
from surgiplan_desktop.planning.landmarks.surface import bone_surface

CENTRE = np.array([100.0, -20.0, 400.0])


def femur_with(stretch: tuple[float, float, float]) -> Bone:
    """A shaft with a neck and a head of 24 mm, stretched along the axes."""
    head = ball(np.zeros(3), 24.0, segments=96)
    turned = np.linalg.qr(np.array([[1.0, 0.3, 0.2], [-0.2, 1.0, 0.4], [0.1, -0.5, 1.0]]))[0]
    shaped = Mesh(head.vertices @ turned * stretch @ turned.T + CENTRE, head.faces)
    base = CENTRE + np.array([-40.0, 0.0, -35.0])
    mesh = union(shaped, capsule(CENTRE, base, 14.0), capsule(base, base - np.array([0.0, 0.0, 330.0]), 15.0))
    return Bone(BoneId(Side.RIGHT, BoneName.FEMUR), (BonePart(0, mesh, (), np.zeros(len(mesh.vertices), dtype=bool)),))


@pytest.mark.parametrize(("stretch", "within_mm"), [((1.0, 1.0, 1.0), 0.1), ((1.08, 1.0, 0.94), 0.6), ((0.93, 1.05, 1.05), 0.6)])
def test_an_oval_head_has_the_centre_of_the_whole_of_it(stretch: tuple[float, float, float], within_mm: float) -> None:
    head = find_head(bone_surface(femur_with(stretch)), np.array([0.0, 0.0, 1.0]))
    assert head is not None
    assert np.linalg.norm(head.sphere.centre - CENTRE) < within_mm
    assert head.coverage > 0.5
