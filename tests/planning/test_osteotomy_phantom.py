"""The osteotomy on a phantom leg: landmarks found anew on the opened bone tell what was planned."""

import pytest

from surgiplan_desktop.geometry.solid import union
from surgiplan_desktop.model.anatomy import BoneId, BoneName, Side
from surgiplan_desktop.model.case import Intake
from surgiplan_desktop.model.mesh import Bone
from surgiplan_desktop.model.steps import OsteotomyStep, Target
from surgiplan_desktop.phantom.limb import build_leg
from surgiplan_desktop.phantom.parameters import LegParameters
from surgiplan_desktop.planning.axes import leg_frames
from surgiplan_desktop.planning.imported_bone import bone_from_mesh
from surgiplan_desktop.planning.landmarks.femur import find_femur
from surgiplan_desktop.planning.landmarks.merge import merge_landmarks
from surgiplan_desktop.planning.landmarks.tibia import find_tibia
from surgiplan_desktop.planning.measures import measure_points
from surgiplan_desktop.planning.osteotomy import plan_osteotomy
from surgiplan_desktop.planning.osteotomy_site import propose_site
from surgiplan_desktop.planning.pieces import cut_pieces


def test_landmarks_found_anew_on_the_opened_bone_tell_what_was_planned() -> None:
    side = Side.LEFT
    leg = build_leg(LegParameters(side=side, mldfa_deg=88.0, mpta_deg=82.0, jlca_deg=1.0), step_mm=2.0)

    def bone(name: BoneName) -> Bone:
        mesh = leg.meshes[BoneId(side, name)]
        return bone_from_mesh(BoneId(side, name), mesh.vertices, mesh.faces)

    femur, tibia, fibula = (bone(name) for name in (BoneName.FEMUR, BoneName.TIBIA, BoneName.FIBULA))
    found_femur = find_femur(side, femur)
    landmarks = merge_landmarks(side, (), found_femur, find_tibia(side, tibia, fibula))
    frames = leg_frames(landmarks)
    site = propose_site(landmarks, frames, tibia, fibula)
    step = OsteotomyStep("mowhto-1", side, Target("wbl", 55.0))
    plan = plan_osteotomy(step, Intake(), landmarks, frames, site)
    assert plan.after["wbl"] == pytest.approx(55.0, abs=1e-3)
    pieces = cut_pieces(step, plan, tibia)
    opened = union(pieces.proximal, pieces.distal_moved)
    moved = fibula.parts[0].mesh.moved(plan.correction)
    found = find_tibia(
        side, bone_from_mesh(tibia.id, opened.vertices, opened.faces), bone_from_mesh(fibula.id, moved.vertices, moved.faces)
    )
    anew = measure_points(merge_landmarks(side, (), found_femur, found))
    for measure in ("hka", "mpta", "jlca"):
        assert anew.number(measure) == pytest.approx(plan.after[measure], abs=0.5), measure
