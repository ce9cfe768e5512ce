"""Finders on real bones: plausible landmarks and angles. Nothing was tuned on them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import fast_simplification
import numpy as np
import pytest

from surgiplan_desktop.base.spaces import Affine
from surgiplan_desktop.files.mesh_files import read_mesh
from surgiplan_desktop.model.anatomy import BoneId, BoneName, Side
from surgiplan_desktop.model.mesh import Bone, BonePart, Mesh
from surgiplan_desktop.planning.landmarks.femur import find_femur
from surgiplan_desktop.planning.landmarks.merge import merge_landmarks
from surgiplan_desktop.planning.landmarks.patella import find_patella
from surgiplan_desktop.planning.landmarks.tibia import find_tibia
from surgiplan_desktop.planning.measures import measure_points

pytestmark = pytest.mark.real
Folder = Callable[[str], Path]


def bone(path: Path, side: Side, name: BoneName, motion: Affine | None = None) -> Bone:
    mesh: Mesh = read_mesh(path)
    mesh = mesh if motion is None else mesh.moved(motion)
    return Bone(BoneId(side, name), (BonePart(0, mesh, (), np.zeros(len(mesh.vertices), dtype=bool)),))


def visible_human(folder: Path, placement: dict[str, dict[str, list[list[float]]]], side: Side, name: BoneName) -> Bone:
    file = f"VHF_{side.value.capitalize()}_Bone_{name.value.capitalize()}_smooth.stl"
    (path,) = folder.rglob(file)
    matrix = np.array(placement[file]["matrix"])
    rotation, _, other = np.linalg.svd(matrix[:3, :3])
    matrix[:3, :3] = rotation @ other  # stored with six digits
    return bone(path, side, name, Affine(matrix))


@pytest.mark.parametrize("side", list(Side))
def test_visible_human_tibia(side: Side, data_folder: Folder, data_file: Folder) -> None:
    placement = json.loads(data_file("visible-human-placement.json").read_text())["placement"]
    folder = data_folder("visible-human-bones")
    tibia, fibula = (visible_human(folder, placement, side, name) for name in (BoneName.TIBIA, BoneName.FIBULA))
    found = find_tibia(side, tibia, fibula)
    # the template is another person: points on which the two ways differ are named, nothing worse
    assert {finding.code for finding in found.findings} <= {"landmark_disagrees", "landmark_bare", "template_does_not_fit"}
    assert all(item.point_lps is not None and item.sd_mm is not None for item in found.items.values())
    measures = measure_points(merge_landmarks(side, (), found))
    assert 82.0 < (measures.number("mpta") or 0.0) < 92.0
    assert 300.0 < (measures.number("tibia_length") or 0.0) < 350.0
    assert 15.0 < (measures.number("tibial_torsion") or 0.0) < 50.0
    for name in ("hka", "mldfa", "wbl"):
        item = measures.items[name]
        assert item.value is None
        assert item.reason is not None
        assert dict(item.reason.parameters)["bone"] == "femur"
    bare = measure_points(merge_landmarks(side, (), find_tibia(side, tibia)))
    assert bare.number("mpta") == pytest.approx(measures.number("mpta"), abs=0.05)


@pytest.mark.parametrize("name", ["femur_reference", "femur_target"])
def test_whole_femora(name: str, data_folder: Folder) -> None:
    """Coarse femora (3240 triangles) that lie head down; the points beside them are somebody else's, by other definitions."""
    (path,) = data_folder("bones").rglob(f"{name}.stl")
    given = [np.array(item["coordinates"]) for item in json.loads(path.with_suffix(".json").read_text())]
    found = find_femur(Side.RIGHT, bone(path, Side.RIGHT, BoneName.FEMUR))
    assert [finding.code for finding in found.findings if finding.severity == "critical"] == ["bone_upside_down"]
    measures = measure_points(merge_landmarks(Side.RIGHT, (), found))
    assert 83.0 < (measures.number("mldfa") or 0.0) < 92.0
    assert 118.0 < (measures.number("neck_shaft_angle") or 0.0) < 138.0
    assert 3.0 < (measures.number("ama") or 0.0) < 8.0
    for landmark, index, within in (
        ("lesser_trochanter_tip", 1, 8.0),
        ("greater_trochanter_tip", 2, 10.0),
        ("femoral_knee_centre", 5, 8.0),
    ):
        point = found.point(landmark)
        assert point is not None
        assert np.linalg.norm(point - given[index]) < within
    centre = found.point("hip_centre")
    assert centre is not None
    assert np.linalg.norm(centre - given[0]) == pytest.approx(found.femoral_head_radius_mm, abs=3.0)


@pytest.mark.parametrize("side", list(Side))
def test_a_coarser_mesh_of_the_same_tibia_measures_alike(side: Side, data_folder: Folder, data_file: Folder) -> None:
    placement = json.loads(data_file("visible-human-placement.json").read_text())["placement"]
    tibia = visible_human(data_folder("visible-human-bones"), placement, side, BoneName.TIBIA)
    mesh = tibia.parts[0].mesh
    vertices, faces = fast_simplification.simplify(mesh.vertices.astype(np.float32), mesh.faces.copy(), target_reduction=0.5)
    coarse = Mesh(np.asarray(vertices, dtype=np.float64), np.asarray(faces, dtype=np.int32))
    other = Bone(tibia.id, (BonePart(0, coarse, (), np.zeros(len(coarse.vertices), dtype=bool)),))
    first, second = (measure_points(merge_landmarks(side, (), find_tibia(side, bone))) for bone in (tibia, other))
    assert second.number("mpta") == pytest.approx(first.number("mpta"), abs=0.2)
    assert second.number("tibia_length") == pytest.approx(first.number("tibia_length"), abs=0.5)


def test_visible_human_patellae(data_folder: Folder) -> None:
    """Both sides alike: the lower border of the face about a quarter of the way up from the inferior pole."""
    folder = data_folder("visible-human-bones")
    lengths = []
    for side in Side:
        (path,) = folder.rglob(f"VHF_{side.value.capitalize()}_Bone_Patella_smooth.stl")
        found = find_patella(side, bone(path, side, BoneName.PATELLA))
        top, low, edge = (found.point(f"patella_{name}") for name in ("superior_pole", "inferior_pole", "articular_inferior"))
        assert top is not None
        assert low is not None
        assert edge is not None
        up = (top - low) / np.linalg.norm(top - low)
        assert 0.15 < float((edge - low) @ up) / float(np.linalg.norm(top - low)) < 0.35
        lengths.append([np.linalg.norm(top - low), np.linalg.norm(top - edge), np.linalg.norm(edge - low)])
    assert lengths[0] == pytest.approx(lengths[1], abs=2.0)
