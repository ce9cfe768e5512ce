"""The osteotomy on a real tibia: the Visible Human woman's right leg (surfaces beside the project)."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from surgiplan_desktop.base.paths import catalogue_roots
from surgiplan_desktop.files.catalogues import load_catalogues
from surgiplan_desktop.files.mesh_files import read_mesh
from surgiplan_desktop.geometry.solid import is_solid, union, volume
from surgiplan_desktop.model.anatomy import BoneId, BoneName, Side
from surgiplan_desktop.model.case import Intake
from surgiplan_desktop.model.mesh import Bone
from surgiplan_desktop.model.steps import ImplantStep, OsteotomyStep, Target
from surgiplan_desktop.planning.axes import leg_frames
from surgiplan_desktop.planning.implants import place_implant
from surgiplan_desktop.planning.imported_bone import bone_from_mesh
from surgiplan_desktop.planning.landmarks.merge import merge_landmarks
from surgiplan_desktop.planning.landmarks.tibia import find_tibia
from surgiplan_desktop.planning.measures import measure_points
from surgiplan_desktop.planning.osteotomy import plan_osteotomy
from surgiplan_desktop.planning.osteotomy_site import propose_site
from surgiplan_desktop.planning.pieces import cut_pieces
from surgiplan_desktop.planning.wedge import describe_wedge

SIDE = Side.RIGHT


def real_bone(folder: Path, name: BoneName) -> Bone:
    """The frame of the files is x right, y anterior, z superior: half a turn about z gives LPS."""
    path = next(folder.rglob(f"VHF_Right_Bone_{name.value.capitalize()}_smooth.stl"))
    mesh = read_mesh(path)
    return bone_from_mesh(BoneId(SIDE, name), mesh.vertices * np.array([-1.0, -1.0, 1.0]), mesh.faces)


@pytest.mark.real
def test_opening_wedge_and_tray_on_a_real_tibia(data_folder: Callable[[str], Path]) -> None:
    folder = data_folder("visible-human-bones")
    tibia, fibula = real_bone(folder, BoneName.TIBIA), real_bone(folder, BoneName.FIBULA)
    landmarks = merge_landmarks(SIDE, (), find_tibia(SIDE, tibia, fibula))
    frames = leg_frames(landmarks)
    site = propose_site(landmarks, frames, tibia, fibula)
    step = OsteotomyStep("mowhto-1", SIDE, Target("mpta", 90.0))
    plan = plan_osteotomy(step, Intake(), landmarks, frames, site)
    assert plan.after["mpta"] == pytest.approx(90.0, abs=1e-4)
    assert plan.after["hka"] is None
    wedge = describe_wedge(step, Intake(), landmarks, frames, plan, tibia, fibula)
    assert wedge.hinge_zone in ("WL", "AL")
    assert not [item.code for item in (*plan.findings, *wedge.findings) if item.severity == "fail"]
    pieces = cut_pieces(step, plan, tibia)
    assert is_solid(pieces.proximal)
    assert is_solid(pieces.distal_moved)
    whole = sum(volume(part.mesh) for part in tibia.parts)
    assert volume(pieces.proximal) + volume(pieces.distal) + pieces.kerf_volume_mm3 == pytest.approx(whole, rel=1e-5)
    # found anew on the opened bone, the landmarks tell the same angle, and the plateau is where it was
    opened = union(pieces.proximal, pieces.distal_moved)
    moved_fibula = fibula.parts[0].mesh.moved(plan.correction)
    found = find_tibia(
        SIDE,
        bone_from_mesh(tibia.id, opened.vertices, opened.faces),
        bone_from_mesh(fibula.id, moved_fibula.vertices, moved_fibula.faces),
    )
    anew = measure_points(merge_landmarks(SIDE, (), found)).number("mpta")
    assert anew == pytest.approx(90.0, abs=0.5)
    for name in ("medial_plateau_centre", "lateral_plateau_centre", "tibial_knee_centre"):
        before, after = landmarks.point(name), found.point(name)
        assert before is not None
        assert after is not None
        assert np.linalg.norm(after - before) < 0.3, name
    component = load_catalogues(catalogue_roots())["generic"].component("tibial-tray")
    tray = place_implant(ImplantStep("implant-1", SIDE, "generic", component.id), component, landmarks, frames, tibia)
    assert tray.fit is not None
    assert abs(tray.fit.max_overhang_mm) <= 3.0
    assert tray.fit.max_underhang_mm <= 3.0
