"""nnU-Net's way over a scan: its resize, axes and cropping, logits back on the scan, a cascade, memory told before."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from surgiplan_desktop.base.errors import ComputationError, InputDataError
from surgiplan_desktop.base.spaces import Affine
from surgiplan_desktop.model.images import Volume
from surgiplan_desktop.segmentation import nnunet_pass
from surgiplan_desktop.segmentation.logits_back import classes_on_scan
from surgiplan_desktop.segmentation.nnunet_pass import classes_of_scan, codes_of, uses_nnunet
from surgiplan_desktop.segmentation.packs import ModelPack, PackLabel, read_pack
from surgiplan_desktop.segmentation.resize import nearest_places, resized, resized_labels
from surgiplan_desktop.segmentation.slab import Block
from surgiplan_desktop.segmentation.tiles import plan_memory
from tests.helpers.tiny_pack import write_pack

RESAMPLING = """
[network.resampling]
kind = "nnunet"
image = 3
image_across = 0
logits = 1
logits_across = 0
separate = "auto"
ratio = 3
"""


def zoomed(values: np.ndarray, target: tuple[int, ...], order: int) -> np.ndarray:
    """What skimage's resize does with mode edge and no anti-aliasing, the range kept."""
    factors = [new / old for new, old in zip(target, values.shape, strict=True)]
    result = ndimage.zoom(values.astype(float), factors, order=order, mode="nearest", grid_mode=True)
    return np.clip(result, values.min(), values.max())


@pytest.mark.parametrize("order", [1, 3])
@pytest.mark.parametrize("target", [(9, 31, 20), (23, 12, 7), (14, 18, 11)])
def test_resize_is_the_spline_of_the_whole_volume(order: int, target: tuple[int, int, int]) -> None:
    values = np.random.default_rng(0).normal(size=(14, 18, 11)).astype(np.float32)
    ours = resized(lambda k: values[k], (14, 18, 11), target, (order,) * 3)
    assert np.abs(ours - zoomed(values, target, order)).max() < 1e-5


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_thick_slices_are_resized_one_by_one_and_taken_whole(axis: int) -> None:
    values = np.random.default_rng(1).normal(size=(6, 7, 8)).astype(np.float32)
    target = (13, 12, 11)
    orders = [0 if number == axis else 3 for number in range(3)]
    ours = resized(lambda k: values[k], (6, 7, 8), target, orders, clip_slices_of=axis)
    flat = tuple(size for number, size in enumerate(target) if number != axis)
    slices = np.stack([zoomed(item, flat, 3) for item in np.moveaxis(values, axis, 0)])
    truth = np.moveaxis(slices[nearest_places(values.shape[axis], target[axis])], 0, axis)
    assert np.abs(ours - truth).max() < 1e-5


def test_labels_go_where_their_share_is_largest_and_ties_to_the_nearest() -> None:
    labels = np.zeros((4, 4, 4), dtype=np.uint8)
    labels[:2], labels[2:, 2:] = 1, 2
    grown = resized_labels(labels, (8, 8, 8), None)
    assert np.array_equal(grown, labels.repeat(2, 0).repeat(2, 1).repeat(2, 2))
    same = resized_labels(labels, (4, 4, 4), None)
    assert np.array_equal(same, labels)
    assert same is not labels
    # three labels of a third each: none has half, one is taken all the same
    assert resized_labels(np.array([[[1, 2, 3]]], dtype=np.uint8), (1, 1, 1), None)[0, 0, 0] == 2
    thick = np.array([[[3, 3]], [[0, 0]], [[5, 5]]], dtype=np.uint8)
    assert resized_labels(thick, (6, 1, 1), 0)[:, 0, 0].tolist() == [3, 3, 0, 0, 5, 5]


@pytest.mark.parametrize("strip", [3, 5, 13])
@pytest.mark.parametrize("target", [(20, 25, 17), (6, 7, 9), (11, 13, 8)])
def test_logits_come_back_as_if_the_whole_were_held(strip: int, target: tuple[int, int, int]) -> None:
    source, classes = (11, 13, 8), 5
    logits = np.random.default_rng(2).normal(size=(classes, *source)).astype(np.float32)
    blocks = [
        Block(k, j, *2 * (logits[:, k : k + 4, j : min(j + strip, 13)],), np.ones((1, 1, 1), dtype=bool), None)
        for j in range(0, 13, strip)
        for k in range(0, 11, 4)
    ]
    truth = np.stack([zoomed(item, target, 1) for item in logits]).argmax(axis=0)
    found = classes_on_scan(iter(blocks), source, target, (1, 1, 1))
    assert np.mean(found == truth) > 0.999


class Threshold:
    """A network that gives class 1 above a value and, where there are guide channels, class 2 where the guide said 1."""

    def __init__(self, classes: int = 3, above: float = 0.0) -> None:
        self.classes, self.above = classes, above

    def run(self, tile: np.ndarray) -> np.ndarray:
        answer = np.zeros((1, self.classes, *tile.shape[2:]), dtype=np.float32)
        answer[:, 1] = 4.0 * (tile[:, 0] - self.above)
        if tile.shape[1] > 1:
            answer[:, 2] = 200.0 * tile[:, 1] - 100.0
        return answer

    def cancel(self) -> None:
        return


def pack_of(folder: Path, **changes: str) -> ModelPack:
    """A pack whose networks are fed in nnU-Net's way, axes turned."""
    lines = {
        "a": "overlap = 0.5\n[network.normalisation] => overlap = 0.5\n" + RESAMPLING + "[network.normalisation]",
        "b": 'guide = "coarse"\n => guide = "coarse"\n' + RESAMPLING,
        "c": 'what = "probabilities" => what = "logits"',
        "d": "mirrors = [[], [2]] => mirrors = [[]]",
    }
    return read_pack(write_pack(folder, **lines, **changes))


def ball(spacing: tuple[float, float, float]) -> tuple[Volume, np.ndarray]:
    """A bright ball in a scan whose first axis runs to the right and whose last runs down; the truth."""
    shape = tuple(round(44.0 / step) for step in spacing)
    places = np.stack(np.meshgrid(*(np.arange(n) * s for n, s in zip(shape, spacing, strict=True)), indexing="ij"))
    inside = np.linalg.norm(places - np.array([20.0, 25.0, 18.0])[:, None, None, None], axis=0) < 12.0
    values = np.where(inside, 1000, 200).astype(np.int16)
    values[:, :2] = 0
    linear = np.zeros((3, 3))
    linear[0, 0], linear[1, 1], linear[2, 2] = -spacing[0], spacing[1], -spacing[2]
    return Volume(values, Affine.from_parts(linear, np.zeros(3))), inside


def test_a_cascade_finds_a_ball_in_a_scan_that_lies_otherwise(tmp_path: Path) -> None:
    pack = pack_of(tmp_path / "p", e='axes = "SPL"\ntile = [8, 8, 8] => axes = "PSL"\ntile = [8, 8, 8]')
    assert uses_nnunet(pack)
    volume, truth = ball((1.1, 0.9, 2.0))
    alone = replace(pack, networks=pack.networks[:1])
    classes = classes_of_scan(volume, alone, {"coarse": [Threshold()]})
    assert classes.shape == volume.shape
    assert 2.0 * (truth & (classes == 1)).sum() / (truth.sum() + (classes == 1).sum()) > 0.9
    both = classes_of_scan(volume, pack, {"coarse": [Threshold()], "fine": [Threshold()]})
    # the second network calls 2 what the first called 1
    assert 2.0 * (truth & (both == 2)).sum() / (truth.sum() + (both == 2).sum()) > 0.9
    assert set(np.unique(codes_of(both, pack))) <= {0, 1, 2}


def test_an_empty_scan_has_no_class(tmp_path: Path) -> None:
    volume = Volume(np.zeros((9, 9, 9), dtype=np.int16), Affine.from_parts(np.eye(3), np.zeros(3)))
    assert not classes_of_scan(volume, pack_of(tmp_path / "p"), {"coarse": [Threshold()], "fine": [Threshold()]}).any()


def test_too_little_memory_is_told_before_anything_runs(tmp_path: Path) -> None:
    volume, _ = ball((1.0, 1.0, 1.0))
    with pytest.raises(ComputationError) as caught:
        classes_of_scan(volume, pack_of(tmp_path / "p"), {"coarse": [], "fine": []}, limit_bytes=1 << 20)
    assert caught.value.message_id == "tiles_memory"


class Bands:
    """A network of 117 classes: each a band of values, so that neighbours compete everywhere."""

    def run(self, tile: np.ndarray) -> np.ndarray:
        middles = np.linspace(-1.0, 1.0, 117, dtype=np.float32)[:, None, None, None]
        return -np.abs(tile[0, :1] - middles)[None]

    def cancel(self) -> None:
        return


def test_117_classes_are_the_same_in_strips_as_in_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pack = pack_of(tmp_path / "p")
    labels = tuple(PackLabel(f"organ {number}", 200 + number) for number in range(116))
    pack = replace(pack, labels=labels, networks=pack.networks[:1])
    volume, _ = ball((2.0, 1.0, 2.0))
    hills = ndimage.gaussian_filter(np.random.default_rng(3).normal(size=volume.shape), 4.0)
    volume = Volume((600.0 + 9000.0 * hills).astype(np.int16), volume.affine)
    whole = classes_of_scan(volume, pack, {"coarse": [Bands()]})
    assert len(np.unique(whole)) > 80
    monkeypatch.setattr(nnunet_pass, "plan_memory", lambda *args, **named: replace(plan_memory(*args, **named), strip=4))
    assert np.array_equal(classes_of_scan(volume, pack, {"coarse": [Bands()]}), whole)
    assert codes_of(whole, pack).max() > 280


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ("image = 3 => image = 2", "network[0].resampling.image"),
        ("image_across = 0 => image_across = 1", "network[0].resampling.image_across"),
        ('separate = "auto" => separate = "perhaps"', "network[0].resampling.separate"),
        ("spacing_mm = [4.0, 4.0, 4.0] => spacing_mm = [0.0, 4.0, 4.0]", "network[0].spacing_mm"),
    ],
)
def test_an_impossible_way_is_refused_by_its_field(tmp_path: Path, change: str, field: str) -> None:
    with pytest.raises(InputDataError) as caught:
        pack_of(tmp_path / "p", z=change)
    assert caught.value.parameters["field"] == field
