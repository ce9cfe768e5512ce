"""The path with a model from the scan to the bones, with real engines on a pack that reads the bone off the Hounsfield value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from surgiplan_desktop.base.errors import ComputationError, InputDataError
from surgiplan_desktop.base.progress import Cancelled
from surgiplan_desktop.base.spaces import Affine
from surgiplan_desktop.model.anatomy import BoneId, BoneName, Side, label_code
from surgiplan_desktop.model.images import Volume
from surgiplan_desktop.segmentation.inference.choose import Settings, engines, open_network
from surgiplan_desktop.segmentation.leg_model import ModelLabelling, find_bones_with_model, model_needs
from surgiplan_desktop.segmentation.network_grid import network_grid
from surgiplan_desktop.segmentation.packs import ModelPack, read_pack
from surgiplan_desktop.segmentation.tile_grid import plan_tiles
from tests.helpers.painted_pack import painted, write_painted_pack
from tests.segmentation.said import CHANNEL, classes_of
from tests.segmentation.toy_leg import slab, toy_leg

NAMES = (BoneName.FEMUR, BoneName.TIBIA, BoneName.PATELLA, BoneName.FIBULA, BoneName.TALUS)


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> ModelPack:
    return read_pack(write_painted_pack(tmp_path_factory.mktemp("packs") / "painted"))


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return Settings(engines(), "full", 1, tmp_path_factory.mktemp("speeds") / "speeds.json")


@cache
def scan() -> Volume:
    leg = toy_leg()
    return painted(classes_of(leg.bones), leg.volume)


def right(result: ModelLabelling, least: float = 0.97) -> None:
    for name, truth in toy_leg().bones.items():
        mine = result.labels[0].array == label_code(BoneId(Side.RIGHT, name))
        assert 2.0 * (mine & truth).sum() / (mine.sum() + truth.sum()) > least, name


def test_the_whole_road(pack: ModelPack, settings: Settings) -> None:
    result = find_bones_with_model([scan()], pack, device="cpu", settings=settings)
    assert [str(bone.id) for bone in result.bones] == [f"right_{name}" for name in NAMES]
    right(result)
    assert {item.device for item in result.running} == {"cpu"}
    assert len(result.running) == 2
    (sure,) = result.uncertainty
    assert sure.chance.shape == sure.entropy.shape == sure.disagreement.shape
    centre = scan().affine(np.array([100.0, 30.0, 27.0]))
    k, j, i = np.rint(sure.affine.inverse()(centre)).astype(int)
    assert sure.chance[k, j, i] == 255 * int(classes_of(toy_leg().bones)[100, 30, 27] > 0)
    assert result.needs.peak_bytes > 1 << 20
    without = find_bones_with_model([scan()], pack, device="cpu", settings=settings, uncertainty=False)
    assert without.uncertainty == ()
    assert np.array_equal(without.labels[0].array, result.labels[0].array)


class Counted:
    """A network that counts its runs."""

    def __init__(self, network: object) -> None:
        self.network, self.runs = network, 0

    def run(self, tile: np.ndarray) -> np.ndarray:
        self.runs += 1
        return self.network.run(tile)

    def cancel(self) -> None:
        self.network.cancel()


def opened(pack: ModelPack, settings: Settings) -> dict[str, Sequence[Counted]]:
    return {
        item.name: [Counted(open_network(pack.path(item.members[0]), pack.tile_shape(item), wish="cpu", settings=settings))]
        for item in pack.networks
    }


class AnotherInTheMirror(Counted):
    """A network whose every second run, that of the mirrored pass, names all bones otherwise."""

    def run(self, tile: np.ndarray) -> np.ndarray:
        answer = super().run(tile)
        return answer if self.runs % 2 else np.roll(answer, 2, axis=1)


def test_who_asks_how_sure_a_bone_is_gets_the_same_bone(pack: ModelPack, settings: Settings) -> None:
    networks = opened(pack, settings)
    plain = find_bones_with_model([scan()], pack, networks=networks, uncertainty=False)
    doubted = {**networks, "fine": [AnotherInTheMirror(networks["fine"][0].network)]}
    asked = find_bones_with_model([scan()], pack, networks=doubted, uncertainty=True)
    assert np.array_equal(asked.labels[0].array, plain.labels[0].array)
    assert [bone.id for bone in asked.bones] == [bone.id for bone in plain.bones]
    assert asked.uncertainty[0].disagreement.max() == 85  # ln 2 of ln 8: two passes that are sure of two things


def test_the_fine_network_looks_only_where_the_coarse_one_found_a_leg(pack: ModelPack, settings: Settings) -> None:
    """The leg in the corner of a wide field, a hand on the other side: neither emptiness nor hand is looked at closely."""
    leg = scan()
    wide = np.full((leg.shape[0], 2 * leg.shape[1], 3 * leg.shape[2]), -1000, dtype=np.int16)
    wide[:, : leg.shape[1], : leg.shape[2]] = leg.array
    wide[60:75, 100:112, 130:150] = 1250  # another bone
    wide[150:153, 20:23, 140:143] = 350  # a speck of femur
    volume = Volume(wide, leg.affine)
    networks = opened(pack, settings)
    result = find_bones_with_model([volume], pack, networks=networks, uncertainty=False)
    assert [str(bone.id) for bone in result.bones] == [f"right_{name}" for name in NAMES]
    assert not result.labels[0].array[:, :, leg.shape[2] + 8 :].any()
    grid = network_grid(volume, "SPL", (2.0, 2.0, 2.0))
    everywhere = len(plan_tiles(grid.shape, pack.networks[1].tile, overlap=0.5).starts)
    assert 0 < networks["fine"][0].runs < 0.45 * everywhere
    assert networks["coarse"][0].runs > 0


@pytest.mark.parametrize(("order", "signs"), [((0, 1, 2), (-1, 1, 1)), ((1, 0, 2), (1, -1, 1)), ((2, 1, 0), (-1, 1, -1))])
def test_directions_of_the_axes_do_not_matter(
    pack: ModelPack, settings: Settings, order: tuple[int, int, int], signs: tuple[int, int, int]
) -> None:
    """The same patient in axial, coronal and sagittal slices, counted from either end: the same labels in the same place."""
    plain = scan()
    flips = tuple(slice(None, None, sign) for sign in signs)
    matrix, start = np.zeros((3, 3)), np.zeros(3)
    for axis, (source, sign) in enumerate(zip(order, signs, strict=True)):
        matrix[source, axis] = sign
        start[source] = 0.0 if sign > 0 else plain.shape[source] - 1.0
    turned = Volume(plain.array.transpose(order)[flips], plain.affine @ Affine.from_parts(matrix, start))
    networks = opened(pack, settings)
    expected = find_bones_with_model([plain], pack, networks=networks, uncertainty=False).labels[0].array
    result = find_bones_with_model([turned], pack, networks=networks, uncertainty=False)
    assert result.labels[0].affine == turned.affine
    assert np.array_equal(result.labels[0].array, expected.transpose(order)[flips])


def test_memory_is_stated_and_refused_before_anything_runs(pack: ModelPack, settings: Settings) -> None:
    needs = model_needs([scan()], pack)
    assert needs.tiles > 10
    networks = opened(pack, settings)
    with pytest.raises(ComputationError, match="tiles_memory"):
        find_bones_with_model([scan()], pack, networks=networks, limit_bytes=1 << 20)
    assert networks["coarse"][0].runs == networks["fine"][0].runs == 0


def test_it_is_cancelled_between_tiles(pack: ModelPack, settings: Settings) -> None:
    class Stop:
        def step(self, done: float, total: float, text_id: str) -> None:
            if text_id == "inference" and done / total > 0.3:
                raise Cancelled

    networks = opened(pack, settings)
    with pytest.raises(Cancelled):
        find_bones_with_model([scan()], pack, networks=networks, progress=Stop())
    assert networks["fine"][0].runs < model_needs([scan()], pack).tiles


def test_a_leg_on_its_head_is_turned_and_told(pack: ModelPack, settings: Settings) -> None:
    plain = scan()
    turned = Volume(plain.array, Affine(np.diag([1.0, -1.0, -1.0, 1.0]) @ plain.affine.matrix))
    result = find_bones_with_model([turned], pack, networks=opened(pack, settings), uncertainty=False)
    assert "scan_upside_down" in {item.code for item in result.findings}
    right(result, 0.9)


def test_few_slices_and_less_than_a_tile(pack: ModelPack, settings: Settings) -> None:
    knee = slab(scan(), 130, 260)
    networks = opened(pack, settings)
    result = find_bones_with_model([knee], pack, networks=networks, uncertainty=False)
    assert {bone.id.bone for bone in result.bones} >= {BoneName.FEMUR, BoneName.TIBIA, BoneName.FIBULA, BoneName.PATELLA}
    few = slab(scan(), 160, 200)
    result = find_bones_with_model([few], pack, networks=networks, uncertainty=False)
    assert all(bone.touches_edge for bone in result.bones if bone.id.bone is not BoneName.PATELLA)


def _said(volume: Volume, pack: ModelPack, settings: Settings) -> set[str]:
    found = find_bones_with_model([volume], pack, networks=opened(pack, settings), uncertainty=False)
    return {item.code for item in found.findings}


def test_bad_scans_are_refused_or_told(pack: ModelPack, settings: Settings) -> None:
    leg = scan()
    metres = Volume(leg.array, Affine(np.diag([1e-3, 1e-3, 1e-3, 1.0]) @ leg.affine.matrix))
    hundredfold = Volume(leg.array, Affine(np.diag([1e2, 1e2, 1e2, 1.0]) @ leg.affine.matrix))
    constant = Volume(np.full(leg.shape, 40, dtype=np.int16), leg.affine)
    for volume, code in ((metres, "scan_extent"), (hundredfold, "scan_extent"), (constant, "scan_constant")):
        with pytest.raises(InputDataError, match=code):
            _said(volume, pack, settings)
    flesh = painted(np.zeros(leg.shape, dtype=np.uint8), leg)
    with pytest.raises(InputDataError, match="no_bone_by_model"):
        _said(flesh, pack, settings)
    holes = leg.array.astype(np.float32)
    holes[50:60] = np.nan
    assert "voxels_no_number" in _said(Volume(holes, leg.affine), pack, settings)
    grey = np.clip((leg.array.astype(np.float32) + 1000.0) / 9.0, 0.0, 255.0).astype(np.int16)  # 8 bit, as a picture has it
    with pytest.raises(InputDataError, match="no_bone"):
        _said(Volume(grey, leg.affine), pack, settings)
    shifted = Volume(leg.array + np.int16(1000), leg.affine)  # the rescale intercept lost
    assert "not_hounsfield" in _said(shifted, pack, settings)


def test_a_pack_that_names_no_bone_or_is_damaged_is_refused(pack: ModelPack, settings: Settings, tmp_path: Path) -> None:
    organs = replace(pack, labels=tuple(replace(label, name="liver", code=300 + n) for n, label in enumerate(pack.labels)))
    with pytest.raises(InputDataError, match="pack_without_bones"):
        find_bones_with_model([scan()], organs, settings=settings)
    damaged = read_pack(write_painted_pack(tmp_path / "painted"))
    path = damaged.path(damaged.networks[1].members[0])
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(InputDataError, match="pack_hash"):
        find_bones_with_model([scan()], damaged, settings=settings)


def test_names_that_change_within_a_bone_are_mended_on_the_whole_road(pack: ModelPack, settings: Settings) -> None:
    leg = toy_leg()
    classes = classes_of(leg.bones)
    low = np.arange(classes.shape[0])[:, None, None] < 40
    classes[(classes == CHANNEL[BoneName.TIBIA]) & low] = CHANNEL[BoneName.FEMUR]
    result = find_bones_with_model([painted(classes, leg.volume)], pack, networks=opened(pack, settings), uncertainty=False)
    assert "names_mended" in {item.code for item in result.findings}
    right(result, 0.9)
