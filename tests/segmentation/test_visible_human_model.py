"""The path with the program's own model on a real CT unseen in training: names right from end to end, each leg its own."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import trimesh

from surgiplan_desktop.base.paths import catalogue_roots
from surgiplan_desktop.base.spaces import Affine
from surgiplan_desktop.imaging.best_series import best_series
from surgiplan_desktop.imaging.dicom_blocks import plan_blocks
from surgiplan_desktop.imaging.dicom_read import read_block
from surgiplan_desktop.imaging.dicom_scan import scan_folder
from surgiplan_desktop.imaging.sources import Sources
from surgiplan_desktop.model.anatomy import BoneId, BoneName, Side, label_code
from surgiplan_desktop.model.images import Volume
from surgiplan_desktop.segmentation.leg_model import ModelLabelling, find_bones_with_model
from surgiplan_desktop.segmentation.packs import find_packs

pytestmark = pytest.mark.real
#: The surfaces come from cryosections and lie within 2.3 mm of the bone's edge: looked at is what lies deeper, mm.
DEEP_MM = 3.0


@pytest.fixture(scope="module")
def legs(data_folder: Callable[[str], Path]) -> tuple[Volume, ModelLabelling]:
    pack = next((pack for pack in find_packs(catalogue_roots())[0] if pack.name == "leg-ct"), None)
    if pack is None:
        pytest.skip("the pack leg-ct is not installed")
    scan = scan_folder(data_folder("visible-human-legs"))
    plan = plan_blocks(best_series([series for series in scan.series if series.verdict == "ok"]))[0]
    with Sources(scan.path) as sources:
        volume = read_block(sources, plan)
    # not asked how sure it is, which changes no label (test_tiles.py, test_leg_model.py) and would take twice the time
    return volume, find_bones_with_model([volume], pack, device="cpu", uncertainty=False)


#: Known to fail with leg-ct 1.1.0 (docs/accuracy.md): of what lies 3 mm deep, more than 0.5 % of the left tibia is called
#: fibula. Strict: a pack or a rule that mends it must take the mark away.
FALLS_SHORT = pytest.mark.xfail(reason="leg-ct falls short beside the tibiofibular joint", strict=True)


@pytest.mark.parametrize(
    ("name", "side"),
    [
        (BoneName.TIBIA, Side.RIGHT),
        pytest.param(BoneName.TIBIA, Side.LEFT, marks=FALLS_SHORT),
        (BoneName.FIBULA, Side.RIGHT),
        (BoneName.FIBULA, Side.LEFT),
    ],
)
def test_the_name_is_right_from_end_to_end(
    legs: tuple[Volume, ModelLabelling],
    data_folder: Callable[[str], Path],
    data_file: Callable[[str], Path],
    side: Side,
    name: BoneName,
) -> None:
    volume, found = legs
    file = next(data_folder("visible-human-bones").rglob(f"VHF_{side.capitalize()}_Bone_{name.capitalize()}_smooth.stl"))
    shape = trimesh.load(file)
    placement = json.loads(data_file("visible-human-placement.json").read_text())["placement"][file.name]
    inward = np.asarray(shape.vertices) - DEEP_MM * np.asarray(shape.vertex_normals)
    points = Affine(np.array(placement["matrix"]))(inward)
    index = np.rint(volume.affine.inverse()(points)).astype(int)
    inside = ((index >= 0) & (index < volume.shape)).all(axis=1)
    labels = found.labels[0].array[tuple(index[inside].T)]
    code = label_code(BoneId(side, name))
    assert ((labels != code) & (labels > 0)).mean() <= 0.005
    assert (labels == code).mean() >= 0.9
    # along the length too: no tenth of the bone under another name
    tenths = np.array_split(np.argsort(points[inside][:, 2]), 10)
    for part in tenths:
        assert ((labels[part] != code) & (labels[part] > 0)).mean() <= 0.02


def test_no_voxel_of_one_leg_is_the_other_s_and_nothing_is_made_up(legs: tuple[Volume, ModelLabelling]) -> None:
    volume, found = legs
    labels = found.labels[0].array
    assert {bone.id.bone for bone in found.bones} >= {BoneName.TIBIA, BoneName.FIBULA}
    assert BoneName.PATELLA not in {bone.id.bone for bone in found.bones}
    assert not {"names_disagree", "scan_upside_down"} & {item.code for item in found.findings}
    x = volume.affine(np.array([[0.0, 0.0, i] for i in range(volume.shape[2])]))[:, 0]
    right = [x[np.flatnonzero((labels == code).any(axis=(0, 1)))].max() for code in (2, 4)]
    left = [x[np.flatnonzero((labels == code).any(axis=(0, 1)))].min() for code in (102, 104)]
    assert max(right) < min(left)
