"""Meshes of the leg: closed, in one piece, outward, apart from each other; the left leg is the right one in the mirror."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from surgiplan_desktop.model.anatomy import BoneId, BoneName, Side
from surgiplan_desktop.model.mesh import Mesh
from surgiplan_desktop.phantom.limb import Leg, build_leg
from surgiplan_desktop.phantom.parameters import LegParameters
from tests.phantom.legs import BONES, STEP_MM


def _volume(mesh: Mesh) -> float:
    a, b, c = (mesh.vertices[mesh.faces[:, n]] for n in range(3))
    return float(np.einsum("ij,ij->i", a, np.cross(b, c)).sum() / 6.0)


def test_every_bone_is_closed_oriented_and_in_one_piece(leg: Leg) -> None:
    assert {bone.bone for bone in leg.meshes} == set(BONES)
    for bone, mesh in leg.meshes.items():
        directed = np.concatenate([mesh.faces[:, [0, 1]], mesh.faces[:, [1, 2]], mesh.faces[:, [2, 0]]])
        keys = np.sort(directed[:, 0].astype(np.int64) * len(mesh.vertices) + directed[:, 1])
        assert (np.diff(keys) > 0).all(), bone
        back = np.sort(directed[:, 1].astype(np.int64) * len(mesh.vertices) + directed[:, 0])
        np.testing.assert_array_equal(keys, back, err_msg=str(bone))
        count = len(mesh.vertices)
        graph = coo_matrix((np.ones(len(directed), np.int8), (directed[:, 0], directed[:, 1])), shape=(count, count))
        assert connected_components(graph, directed=False)[0] == 1, bone
        # One closed surface without handles: Euler characteristic 2.
        assert count - len(directed) // 2 + len(mesh.faces) == 2, bone
        assert _volume(mesh) > 3000.0, bone


def _facet_gap(leg: Leg) -> float:
    """Smallest distance of femur and tibia beside the spines, which stand in the notch."""
    vertices = leg.meshes[BoneId(leg.side, BoneName.TIBIA)].vertices
    t = leg.truth_landmarks
    across = t["lateral_plateau_centre"] - t["medial_plateau_centre"]
    across /= np.linalg.norm(across)
    beside = np.abs((vertices - t["tibial_knee_centre"]) @ across) > 12.0
    field = next(solid.field for solid in leg.solids if solid.bone.bone is BoneName.FEMUR)
    return float(field(vertices[beside]).min())


def test_bones_keep_their_joint_gaps(leg: Leg) -> None:
    fields = {solid.bone.bone: solid.field for solid in leg.solids}

    def gap(one: BoneName, other: BoneName) -> float:
        return float(fields[other](leg.meshes[BoneId(leg.side, one)].vertices).min())

    assert _facet_gap(leg) == pytest.approx(leg.parameters.tight_gap_mm, abs=0.3)
    assert gap(BoneName.FIBULA, BoneName.TIBIA) == pytest.approx(2.2, abs=0.2)
    assert gap(BoneName.TALUS, BoneName.TIBIA) == pytest.approx(2.6, abs=0.2)
    assert gap(BoneName.PATELLA, BoneName.FEMUR) == pytest.approx(4.0, abs=0.2)
    assert gap(BoneName.HIP, BoneName.FEMUR) > 3.0
    for one in BONES:
        for other in BONES:
            if one is not other:
                assert gap(one, other) > 1.5, (one, other)


def test_mesh_vertices_lie_on_the_surface(leg: Leg) -> None:
    for solid in leg.solids:
        values = solid.field(leg.meshes[solid.bone].vertices)
        assert np.percentile(np.abs(values), 99) < 0.02, solid.bone
        assert np.abs(values).max() < 0.4, solid.bone


def test_the_left_leg_is_the_right_one_in_the_mirror(varus: Leg) -> None:
    left = build_leg(replace(varus.parameters, side=Side.LEFT), step_mm=STEP_MM)
    mirror = np.array([-1.0, 1.0, 1.0])
    for bone, mesh in varus.meshes.items():
        other = left.meshes[BoneId(Side.LEFT, bone.bone)]
        np.testing.assert_array_equal(other.vertices, mesh.vertices * mirror)
        assert _volume(other) == pytest.approx(_volume(mesh))
    for name, point in varus.truth_landmarks.items():
        np.testing.assert_array_equal(left.truth_landmarks[name], point * mirror)
    assert left.truth_measures == varus.truth_measures
    point = varus.truth_landmarks["medial_malleolus"] + 3.0
    fields = [next(solid.field for solid in leg.solids if solid.bone.bone is BoneName.TIBIA) for leg in (varus, left)]
    assert fields[0](point[None]) == fields[1](point[None] * mirror)


def test_the_same_parameters_give_the_same_bytes(varus: Leg) -> None:
    again = build_leg(varus.parameters, step_mm=STEP_MM)
    for bone, mesh in varus.meshes.items():
        assert mesh.vertices.tobytes() == again.meshes[bone].vertices.tobytes()
        assert mesh.faces.tobytes() == again.meshes[bone].faces.tobytes()
    points = [{name: point.tobytes() for name, point in leg.truth_landmarks.items()} for leg in (varus, again)]
    assert points[0] == points[1]


@pytest.mark.parametrize(("seed", "mpta", "mldfa", "jlca"), [(1, 95.0, 80.0, -2.0), (2, 80.0, 95.0, 6.0)])
def test_the_ends_of_the_ranges_can_be_built(seed: int, mpta: float, mldfa: float, jlca: float) -> None:
    leg = build_leg(
        LegParameters(seed=seed, variation=1.0, mpta_deg=mpta, mldfa_deg=mldfa, jlca_deg=jlca, side=Side.LEFT), step_mm=3.0
    )
    assert leg.truth_measures["hka_deviation"] == pytest.approx(mpta - mldfa - jlca, abs=0.001)
    assert leg.truth_limb_plane["mpta"] == pytest.approx(mpta, abs=0.001)
