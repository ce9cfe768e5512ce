"""What a scene asks for: tilt, planes, region, second leg, metal, motion, thick slices; where things land and what they are."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from numpy.typing import NDArray

from surgiplan_desktop.base.errors import UsageError
from surgiplan_desktop.base.spaces import Affine
from surgiplan_desktop.model.anatomy import BoneId, BoneName, label_code
from surgiplan_desktop.phantom.ct import CtScene, SimulatedCt, simulate
from surgiplan_desktop.phantom.ct.metal import pieces_of
from surgiplan_desktop.phantom.limb import Leg, Solid
from tests.phantom.legs import built

_KNEE = CtScene(region="knee", region_mm=80.0)


def _solid(leg: Leg, name: BoneName) -> Solid:
    return next(solid for solid in leg.solids if solid.bone.bone is name)


def _voxels(scan: SimulatedCt, bone: BoneId, block: int = 0) -> NDArray[np.float64]:
    """LPS centres of the voxels of a bone."""
    labels = scan.labels[block]
    return labels.affine(np.argwhere(labels.array == label_code(bone)).astype(float))


def test_things_lie_where_they_are_in_a_tilted_scan(varus: Leg) -> None:
    tilt = 18.5
    scene = CtScene(region="knee", region_mm=70.0, metal=("screw",), noise_hu=0.0)
    scan = simulate(varus, (2.0, 1.5, 1.5), tilt_deg=tilt, scene=scene)
    affine = scan.volumes[0].affine
    angle = np.radians(tilt)
    assert affine.linear == pytest.approx(
        np.array([[0.0, 0.0, 1.5], [0.0, 1.5 * np.cos(angle), 0.0], [2.0, -1.5 * np.sin(angle), 0.0]])
    )
    field = _solid(varus, BoneName.TIBIA).field
    inside = _voxels(scan, BoneId(varus.side, BoneName.TIBIA))
    assert len(inside) > 10_000
    assert field(inside).max() < 1e-3
    # a small object: the middle of the screw's voxels is the middle of the screw
    screw = pieces_of(varus, ("screw",))[0].rod
    found = affine(np.argwhere(scan.volumes[0].array >= 3000).astype(float))
    near = found[np.abs((found - screw.path[0]) @ (screw.path[1] - screw.path[0]) / 60.0 - 30.0) < 20.0]
    assert near.mean(axis=0) == pytest.approx(screw.path.mean(axis=0), abs=0.5)


@pytest.mark.parametrize("orientation", ["coronal", "sagittal"])
def test_bones_lie_where_they_are_in_other_planes(varus: Leg, orientation: str) -> None:
    scan = simulate(varus, 2.0, scene=CtScene(region="ankle", region_mm=50.0, orientation=orientation))
    axis = {"coronal": 1, "sagittal": 0}[orientation]
    assert np.flatnonzero(scan.volumes[0].affine.linear[:, 0]).tolist() == [axis]
    solid = _solid(varus, BoneName.TALUS)
    inside = _voxels(scan, solid.bone)
    assert np.abs(solid.field(inside)[solid.field(inside) > 0.0]).sum() < 1e-2
    whole = len(inside) * 8.0
    axial = len(_voxels(simulate(varus, 2.0, scene=CtScene(region="ankle", region_mm=50.0)), solid.bone)) * 8.0
    assert whole == pytest.approx(axial, rel=0.03)


@pytest.fixture(scope="module")
def tissues() -> dict[str, float]:
    """Mean values in a knee, by tissue, HU."""
    leg = built("varus")
    scan = simulate(leg, (2.0, 1.2, 1.2), scene=CtScene(region="knee", region_mm=190.0))
    volume = scan.volumes[0]
    index = np.random.default_rng(0).integers(0, volume.shape, (250_000, 3))
    hu, codes = volume.array[tuple(index.T)].astype(float), scan.labels[0].array[tuple(index.T)]
    z = volume.affine(index.astype(float))[:, 2] - leg.truth_landmarks["tibial_knee_centre"][2]
    keep = (hu > -900.0) & (np.abs(z) < 100.0)
    air, hu, codes, z, points = hu[hu < -960.0], hu[keep], codes[keep], z[keep], volume.affine(index[keep].astype(float))
    femur, tibia = (_solid(leg, name) for name in (BoneName.FEMUR, BoneName.TIBIA))
    to_femur, to_tibia = femur.field(points), tibia.field(points)
    free = (codes == 0) & (np.minimum(to_femur, to_tibia) > 4.0)
    is_tibia = codes == label_code(tibia.bone)
    gap = (to_femur < 2.4) & (to_tibia < 2.4) & (np.minimum(to_femur, to_tibia) > 0.8)
    return {
        "cortex": float(hu[is_tibia & (z < -80.0) & (to_tibia < -1.3) & (to_tibia > -1.9)].mean()),
        "metaphysis": float(hu[is_tibia & (np.abs(z + 22.0) < 8.0) & (to_tibia < -6.0)].mean()),
        "under the joint": float(hu[is_tibia & (z > -5.0) & (to_tibia < -2.0) & (to_tibia > -4.0)].mean()),
        "marrow": float(hu[is_tibia & (z < -85.0) & (to_tibia < -8.0)].mean()),
        "muscle": float(np.median(hu[free & (z < -60.0) & (hu > 0.0) & (hu < 110.0)])),
        "fat": float(np.median(hu[free & (hu > -190.0) & (hu < -30.0)])),
        "cartilage": float(hu[gap].mean()),
        "air": float(np.median(air)),
    }


@pytest.mark.parametrize(
    ("tissue", "lowest", "highest"),
    [
        ("cortex", 1100.0, 1900.0),
        ("metaphysis", 40.0, 300.0),
        ("under the joint", 200.0, 700.0),
        ("marrow", -120.0, 20.0),
        ("muscle", 40.0, 65.0),
        ("fat", -120.0, -80.0),
        ("cartilage", 40.0, 140.0),
        ("air", -1010.0, -990.0),
    ],
)
def test_tissues_have_the_values_of_the_literature(tissues: dict[str, float], tissue: str, lowest: float, highest: float) -> None:
    """Bounds: docs/phantom.md names the sources."""
    assert lowest <= tissues[tissue] <= highest


def test_a_region_is_the_scan_asked_for(varus: Leg) -> None:
    scan = simulate(varus, (2.0, 2.0, 2.0), scene=_KNEE)
    volume = scan.volumes[0]
    z = volume.affine(np.array([[0.0, 0, 0], [volume.shape[0] - 1.0, 0, 0]]))[:, 2]
    middle = varus.truth_landmarks["tibial_knee_centre"][2]
    assert z == pytest.approx([middle - 40.0, middle + 40.0], abs=2.0)
    assert volume.array[:, :2].max() < -900  # air in front
    names = {BoneName.FEMUR, BoneName.TIBIA, BoneName.FIBULA, BoneName.PATELLA}
    assert set(np.unique(scan.labels[0].array)) == {0, *(label_code(BoneId(varus.side, name)) for name in names)}


def test_the_couch_is_there_and_can_be_left_out(varus: Leg) -> None:
    """Beside the leg, where there is air above and below, only the couch is denser."""
    for table in (True, False):
        volume = simulate(varus, 3.0, scene=CtScene(region="knee", region_mm=40.0, table=table, noise_hu=0.0)).volumes[0]
        assert (volume.array[:, :, :4].max() > -800) is np.bool_(table)


def test_the_second_leg_is_the_mirror_image_with_the_codes_of_its_side(varus: Leg) -> None:
    scan = simulate(varus, (3.0, 2.0, 2.0), scene=CtScene(region="knee", region_mm=60.0, second_leg=True))
    for name in (BoneName.FEMUR, BoneName.TIBIA, BoneName.FIBULA):
        own, other = _voxels(scan, BoneId(varus.side, name)), _voxels(scan, BoneId(varus.side.other, name))
        assert other.mean(axis=0) * [-1.0, 1.0, 1.0] == pytest.approx(own.mean(axis=0), abs=0.5)
        assert _solid(varus, name).field(other * [-1.0, 1.0, 1.0]).max() < 1e-3


def test_labels_hold_the_volume_of_the_bones(varus: Leg) -> None:
    scan = simulate(varus, 1.0, scene=CtScene(region="ankle", region_mm=70.0, table=False))
    talus = BoneId(varus.side, BoneName.TALUS)
    mesh = varus.meshes[talus]
    a, b, c = (mesh.vertices[mesh.faces[:, n]] for n in range(3))
    volume = float(np.einsum("ij,ij->i", a, np.cross(b, c)).sum() / 6.0)
    assert len(_voxels(scan, talus)) == pytest.approx(volume, rel=0.01)


def test_thick_slices_blur_along_the_leg_only(varus: Leg) -> None:
    scans = {
        thickness: simulate(varus, (2.0, 2.0, 2.0), scene=CtScene(region="knee", region_mm=50.0, noise_hu=0.0,
                            thickness_mm=thickness)).volumes[0].array.astype(float)
        for thickness in (2.0, 8.0)
    }  # fmt: skip
    along = {thickness: np.abs(np.diff(array, axis=0)).mean() for thickness, array in scans.items()}
    across = {thickness: np.abs(np.diff(array, axis=2)).mean() for thickness, array in scans.items()}
    assert along[8.0] < 0.65 * along[2.0]
    assert across[8.0] > 0.75 * across[2.0]


def test_a_leg_that_moves_takes_its_labels_along(varus: Leg) -> None:
    still, moved = (
        simulate(varus, (3.0, 1.5, 1.5), scene=CtScene(region="knee", region_mm=60.0, motion_mm=motion, noise_hu=0.0))
        for motion in (0.0, 4.0)
    )
    code = label_code(BoneId(varus.side, BoneName.TIBIA))
    shifts = []
    for one, other in zip(still.labels[0].array[1:9], moved.labels[0].array[1:9], strict=True):
        centres = [np.argwhere(item == code).mean(axis=0) * 1.5 for item in (one, other)]
        shifts.append(np.linalg.norm(centres[1] - centres[0]))
    assert 0.8 < max(shifts) < 4.6
    # Dense bone of the moved image lies in the moved labels; the ends of the bones have a thin shell, which voxels of 3 mm blur.
    dense = moved.volumes[0].array > 450
    assert np.count_nonzero(dense) > 500
    shares = [np.count_nonzero(dense & (scan.labels[0].array > 0)) / np.count_nonzero(dense) for scan in (still, moved)]
    assert shares[1] > 0.92
    assert 1.0 - shares[1] < 0.7 * (1.0 - shares[0])


def test_a_leg_that_moves_between_blocks_is_labelled_where_it_then_lies(varus: Leg) -> None:
    scan = simulate(varus, (5.0, 4.0, 4.0), blocks=3, scene=CtScene(block_shift_mm=8.0, block_turn_deg=3.0))
    assert scan.moves[0] == Affine.identity()
    tibia = _solid(varus, BoneName.TIBIA)
    for block in (1, 2):
        move = scan.moves[block]
        inside = _voxels(scan, tibia.bone, block)
        assert tibia.field(move.inverse()(inside)).max() < 1e-3
        assert tibia.field(inside).max() > 2.0
        assert np.linalg.norm(move.linear - np.eye(3)) > 0.05


def test_metal_shows_and_throws_streaks(varus: Leg) -> None:
    scenes = [CtScene(region="knee", region_mm=40.0, metal=metal, noise_hu=0.0) for metal in ((), ("plate",))]
    plain, plated = (simulate(varus, (3.0, 2.0, 2.0), scene=scene) for scene in scenes)
    assert plain.volumes[0].array.max() < 2500
    assert np.count_nonzero(plated.volumes[0].array == 3071) > 50
    assert np.array_equal(plain.labels[0].array, plated.labels[0].array)
    difference = np.abs(plated.volumes[0].array.astype(int) - plain.volumes[0].array)
    far = plated.volumes[0].array < 1000
    assert np.percentile(difference[far], 99.5) > 40


def test_every_scene_gives_the_same_bytes_again(varus: Leg) -> None:
    scene = CtScene(region="knee", region_mm=40.0, metal=("screw",), motion_mm=2.0, kernel="sharp", thickness_mm=4.0)
    one, two, other = (simulate(varus, (3.0, 2.0, 2.0), seed=seed, scene=scene).volumes[0].array for seed in (4, 4, 5))
    assert one.tobytes() == two.tobytes()
    assert one.tobytes() != other.tobytes()


def test_memory_is_that_of_the_result_and_a_slab(varus: Leg) -> None:
    tracemalloc.start()
    try:
        scan = simulate(varus, 2.0, scene=CtScene(region="knee", region_mm=120.0))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    k, j, i = scan.volumes[0].shape
    # 2 + 2 bytes a voxel of the result, and some tens of float arrays of the 24 fine slices drawn at once
    assert peak < 4 * k * j * i + 40 * 4 * 24 * j * i + 60e6


@pytest.mark.parametrize(
    "wish",
    [
        {"kernel": "blurry"},
        {"metal": ("gold",)},
        {"metal": ("other_hip_stem",)},
        {"region": "nose"},
        {"orientation": "upside"},
        {"thickness_mm": 0.0},
        {"noise_hu": -1.0},
        {"motion_mm": float("nan")},
        {"block_turn_deg": 90.0},
        {"region_mm": 1.0},
    ],
)
def test_impossible_scenes_are_refused(wish: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        CtScene(**wish)  # type: ignore[arg-type]


def test_a_region_in_blocks_and_a_steep_tilt_are_refused(varus: Leg) -> None:
    with pytest.raises(UsageError):
        simulate(varus, 2.0, blocks=3, scene=_KNEE)
    with pytest.raises(UsageError):
        simulate(varus, 2.0, tilt_deg=50.0)
