"""The whole way on a real CT: both legs of the Visible Human woman, against the labelled surfaces of the same woman."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import trimesh

from surgiplan_desktop.base.spaces import Affine
from surgiplan_desktop.geometry.solid import is_solid
from surgiplan_desktop.geometry.surface import bone_from_blocks
from surgiplan_desktop.imaging.best_series import best_series
from surgiplan_desktop.imaging.dicom_blocks import plan_blocks
from surgiplan_desktop.imaging.dicom_read import read_block
from surgiplan_desktop.imaging.dicom_scan import scan_folder
from surgiplan_desktop.imaging.sources import Sources
from surgiplan_desktop.model.anatomy import BoneId, BoneName, Side
from surgiplan_desktop.model.images import Volume
from surgiplan_desktop.model.mesh import Mesh
from surgiplan_desktop.segmentation.bones import BoneLabelling, find_bones
from surgiplan_desktop.validation.surface_distance import bone_distance

pytestmark = pytest.mark.real
Found = tuple[Volume, BoneLabelling]


@pytest.fixture(scope="module")
def legs(data_folder: Callable[[str], Path]) -> Found:
    scan = scan_folder(data_folder("visible-human-legs"))
    plans = plan_blocks(best_series([series for series in scan.series if series.verdict == "ok"]))
    assert len(plans) == 1
    with Sources(scan.path) as sources:
        volume = read_block(sources, plans[0])
    assert volume.shape[0] == 500
    return volume, find_bones([volume])


def test_tibia_and_fibula_of_both_legs_are_named_rightly_and_apart(legs: Found) -> None:
    volume, found = legs
    assert {str(bone.id) for bone in found.bones} == {
        f"{side}_{name}" for side in Side for name in (BoneName.TIBIA, BoneName.FIBULA, BoneName.TALUS)
    }
    codes = [finding.code for finding in found.findings]
    assert codes == ["slice_displaced", "bone_too_short", "bone_too_short"]  # slice 315 is shifted in the archive itself
    centres = {str(bone.id): volume.affine(np.argwhere(found.labels[0].array == bone.label).mean(axis=0)) for bone in found.bones}
    assert centres["right_tibia"][0] < centres["left_tibia"][0] - 80.0
    for side in Side:
        lateral = -side.sign * (centres[f"{side}_fibula"] - centres[f"{side}_tibia"])[0]
        assert lateral > 5.0


@pytest.mark.parametrize("side", list(Side))
@pytest.mark.parametrize(("name", "median_mm", "p95_mm"), [(BoneName.TIBIA, 1.1, 2.6), (BoneName.FIBULA, 1.4, 4.0)])
def test_surfaces_lie_on_the_labelled_ones(
    legs: Found,
    data_folder: Callable[[str], Path],
    data_file: Callable[[str], Path],
    side: Side,
    name: BoneName,
    median_mm: float,
    p95_mm: float,
) -> None:
    volume, found = legs
    file = next(data_folder("visible-human-bones").rglob(f"VHF_{side.capitalize()}_Bone_{name.capitalize()}_smooth.stl"))
    shape = trimesh.load(file)
    placement = json.loads(data_file("visible-human-placement.json").read_text())["placement"][file.name]
    reference = Mesh(Affine(np.array(placement["matrix"]))(np.asarray(shape.vertices)), np.asarray(shape.faces))
    bone = bone_from_blocks(BoneId(side, name), found.labels[0], volume)
    mesh = bone.parts[0].mesh
    assert is_solid(mesh)
    assert len(mesh.faces) <= 150_000
    ends = np.array([volume.affine(np.zeros(3)), volume.affine(np.array(volume.shape) - 1.0)])
    distance = bone_distance(bone, reference, low_lps=ends.min(axis=0), high_lps=ends.max(axis=0))
    for way in (distance.there, distance.back):
        assert way.median_mm <= median_mm, distance
        assert way.p95_mm <= p95_mm, distance
    assert abs(bone.parts[0].volume_change) < 0.005
