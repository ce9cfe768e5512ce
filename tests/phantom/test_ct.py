"""The simulated CT: densities where they belong, labels that match the surfaces, blocks, and the same bytes every time."""

from __future__ import annotations

import numpy as np
import pytest

from surgiplan_desktop.base.errors import UsageError
from surgiplan_desktop.model.anatomy import BoneId, BoneName, label_code
from surgiplan_desktop.phantom.ct import SimulatedCt, simulate
from surgiplan_desktop.phantom.limb import Leg

_SPACING = (3.0, 1.5, 1.5)
_scans: dict[str, SimulatedCt] = {}


@pytest.fixture
def scan(varus: Leg) -> SimulatedCt:
    """Simulate the varus leg once for all tests."""
    if "varus" not in _scans:
        _scans["varus"] = simulate(varus, _SPACING, seed=1)
    return _scans["varus"]


def test_densities_are_those_of_tissue(varus: Leg, scan: SimulatedCt) -> None:
    volume, codes = scan.volumes[0], scan.labels[0].array
    assert volume.array.dtype == np.int16
    assert volume.array.min() >= -1024
    femur = volume.array[codes == label_code(BoneId(varus.side, BoneName.FEMUR))]
    assert 1300 < np.percentile(femur, 97) < 1650
    assert -120 < np.percentile(femur, 3) < 150
    z = volume.affine(np.column_stack([np.arange(volume.shape[0]), *np.zeros((2, volume.shape[0]))]))[:, 2]
    shaft = int(np.argmin(np.abs(z - varus.truth_landmarks["femoral_shaft_proximal"][2])))
    inside = codes[shaft] > 0
    assert np.median(volume.array[shaft][inside]) > 1000
    soft = volume.array[(codes == 0) & (volume.array > 0) & (volume.array < 100)]
    assert 35 < np.median(soft) < 65
    fat = volume.array[(codes == 0) & (volume.array > -200) & (volume.array < -40)]
    assert -130 < np.median(fat) < -80


def test_labels_agree_with_the_fields(varus: Leg, scan: SimulatedCt) -> None:
    labels = scan.labels[0]
    assert set(np.unique(labels.array)) == {0, *(label_code(solid.bone) for solid in varus.solids)}
    random = np.random.default_rng(0)
    for solid in varus.solids:
        index = np.argwhere(labels.array == label_code(solid.bone))
        index = index[random.integers(0, len(index), 300)]
        assert (solid.field(labels.affine(index.astype(float))) < 1e-3).all()
        voxels = np.count_nonzero(labels.array == label_code(solid.bone)) * np.prod(_SPACING)
        mesh = varus.meshes[solid.bone]
        a, b, c = (mesh.vertices[mesh.faces[:, n]] for n in range(3))
        volume = np.einsum("ij,ij->i", a, np.cross(b, c)).sum() / 6.0
        if solid.bone.bone is not BoneName.HIP:  # the field of view cuts the ilium
            assert voxels == pytest.approx(volume, rel=0.02)


def test_the_half_value_of_the_edge_lies_on_the_surface(varus: Leg, scan: SimulatedCt) -> None:
    """Along normals of the thick femoral shaft the middle between muscle and cortex is crossed at the surface."""
    from scipy import ndimage

    volume = scan.volumes[0]
    solid = next(solid for solid in varus.solids if solid.bone.bone is BoneName.FEMUR)
    centre = varus.truth_landmarks["femoral_shaft_proximal"]
    vertices = varus.meshes[solid.bone].vertices
    ring = vertices[np.abs(vertices[:, 2] - centre[2]) < 15.0]
    outward = ring - centre
    outward[:, 2] = 0.0
    outward /= np.linalg.norm(outward, axis=1, keepdims=True)
    steps = np.arange(-2.5, 2.51, 0.1)
    points = ring[:, None, :] + steps[:, None] * outward[:, None, :]
    index = volume.affine.inverse()(points.reshape(-1, 3))
    profile = ndimage.map_coordinates(volume.array.astype(float), index.T, order=1).reshape(len(ring), -1).mean(axis=0)
    crossing = np.interp(-750.0, -profile, steps)
    assert abs(crossing) < 0.25


def test_the_same_seed_gives_the_same_bytes(varus: Leg) -> None:
    scan, again = (simulate(varus, (5.0, 3.0, 3.0), seed=1) for _ in range(2))
    assert again.volumes[0].array.tobytes() == scan.volumes[0].array.tobytes()
    assert again.labels[0].array.tobytes() == scan.labels[0].array.tobytes()


def test_three_blocks_are_slabs_of_one_space_proximal_first(varus: Leg) -> None:
    blocks = simulate(varus, (5.0, 3.0, 3.0), blocks=3)
    spans = [
        (volume.affine.translation[2], volume.affine(np.array([volume.shape[0] - 1.0, 0, 0]))[2]) for volume in blocks.volumes
    ]
    assert spans == sorted(spans, reverse=True)
    assert spans[0][0] > spans[1][1]
    assert spans[1][0] > spans[2][1]
    points = varus.truth_landmarks
    inside = (("hip_centre", 0), ("lesser_trochanter_tip", 0), ("tibial_knee_centre", 1), ("ankle_centre", 2))
    for name, block in inside:
        assert spans[block][0] < points[name][2] < spans[block][1]
    for volume, labels in zip(blocks.volumes, blocks.labels, strict=True):
        assert volume.affine == labels.affine
        assert volume.shape == labels.shape


@pytest.mark.parametrize(("spacing", "blocks"), [(0.01, 1), (50.0, 1), (-1.0, 1), (4.0, 2)])
def test_impossible_scans_are_refused(varus: Leg, spacing: float, blocks: int) -> None:
    with pytest.raises(UsageError):
        simulate(varus, spacing, blocks=blocks)
