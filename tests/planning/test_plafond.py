"""The plafond's line is that of its arch's crown, and a calmed surface has its own area."""

from __future__ import annotations

import numpy as np
import pytest

from surgiplan_desktop.base.arrays import FloatArray
from surgiplan_desktop.geometry.solid import ball
from surgiplan_desktop.model.anatomy import BoneId, BoneName, Side
from surgiplan_desktop.model.mesh import Bone, BonePart, Mesh
from surgiplan_desktop.planning.landmarks.ankle import Plafond, plafond_ends
from surgiplan_desktop.planning.landmarks.surface import BoneSurface, bone_surface

LATERAL, ANTERIOR, UP = np.eye(3)
RADIUS_MM = 22.0


def block_end(slope_deg: float, turn_deg: float, *, arched: bool = True) -> BoneSurface:
    """Lower face of a block with round rims, seen from below: an arch about a line that is turned against the frontal plane."""
    steps = np.arange(-20.0, 20.01, 1.0)
    x, y = np.meshgrid(steps, steps, indexing="ij")
    turn = np.radians(turn_deg)
    u, v = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
    z = np.tan(np.radians(slope_deg)) * u - (v * v / (2.0 * RADIUS_MM) if arched else 0.0)
    # down into the malleolus on the one side, up round the edge on the other
    z = z - np.maximum(-u - 12.0, 0.0) ** 2 / 3.0 + np.maximum(u - 14.0, 0.0) ** 2 / 5.0
    vertices = np.column_stack([x.ravel(), y.ravel(), z.ravel()])
    n = len(steps)
    first = (np.arange(n - 1)[:, None] * n + np.arange(n - 1)).ravel()
    faces = np.concatenate(
        [np.column_stack([first, first + 1, first + n]), np.column_stack([first + 1, first + n + 1, first + n])]
    ).astype(np.int32)
    gu, gv = np.gradient(z, 1.0)
    normals = np.column_stack([gu.ravel(), gv.ravel(), -np.ones(n * n)])
    normals /= np.linalg.norm(normals, axis=1)[:, None]
    nothing = np.zeros((0, 3))
    real = np.ones(n * n, dtype=np.bool_)
    return BoneSurface(vertices, faces, normals, np.ones(n * n), real, nothing, nothing, np.zeros(0))


def line_deg(surface: BoneSurface, centre: FloatArray) -> float:
    ends = plafond_ends(surface, Plafond(centre, UP, 0.0, 0, centre, surface.vertices), UP, LATERAL, ANTERIOR)
    assert ends is not None
    assert ends.medial is not None
    assert ends.lateral is not None
    run = ends.lateral - ends.medial
    return float(np.degrees(np.arctan2(run @ UP, run @ LATERAL)))


@pytest.mark.parametrize("turn_deg", [0.0, 25.0, -25.0])
def test_the_line_is_the_crowns_wherever_the_ankle_centre_lies(turn_deg: float) -> None:
    surface = block_end(2.0, turn_deg)
    wanted = np.degrees(np.arctan(np.tan(np.radians(2.0)) * np.cos(np.radians(turn_deg))))
    for forward in (-2.0, 0.0, 2.0):
        # 2 mm off the crown the arch itself falls by 5 degrees
        assert line_deg(surface, np.array([0.0, forward, 0.0])) == pytest.approx(wanted, abs=0.15)


def test_a_plafond_without_an_arch_has_its_planes_slope() -> None:
    assert line_deg(block_end(3.0, 0.0, arched=False), np.zeros(3)) == pytest.approx(3.0, abs=0.1)


def test_noise_adds_no_area() -> None:
    exact = ball(np.zeros(3), 15.0, segments=96)
    noise = np.random.default_rng(5).normal(0.0, 0.3, exact.vertices.shape)
    mesh = Mesh(exact.vertices + noise, exact.faces)
    bone = Bone(BoneId(Side.LEFT, BoneName.PATELLA), (BonePart(0, mesh, (), np.zeros(len(mesh.vertices), dtype=np.bool_)),))
    raw, calm = (float(bone_surface(bone, calm=calm).areas.sum()) for calm in (False, True))
    true = 4.0 * np.pi * 15.0**2
    assert raw > 1.1 * true
    assert calm == pytest.approx(true, rel=0.05)
