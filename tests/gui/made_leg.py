"""Two measured legs without a scan and without finders: bones are boxes, points are those of the golden leg."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from surgiplan_desktop.app.documents import new_session
from surgiplan_desktop.app.session import Session
from surgiplan_desktop.app.startup import Services
from surgiplan_desktop.base.spaces import Frame
from surgiplan_desktop.derive.node import Key, Node
from surgiplan_desktop.geometry.solid import box
from surgiplan_desktop.model.anatomy import BoneId, BoneName, Side
from surgiplan_desktop.model.case import Case, ImportedBone, Intake
from surgiplan_desktop.model.edits import set_imported_bones, set_intake
from surgiplan_desktop.model.mesh import Bone, BonePart
from surgiplan_desktop.planning.graph import plan_graph
from surgiplan_desktop.planning.records import FitSphere, Landmarks
from tests.planning.golden_leg import golden_landmarks

BONES = tuple(BoneId(side, bone) for side in Side for bone in (BoneName.FEMUR, BoneName.TIBIA))
#: The left leg has its plateau tilted by this much less (mm at the medial centre).
LEFT = {"medial_plateau_centre": (-22.0, -1.5, 0.0)}


def made_bone(bone: BoneId) -> Bone:
    """A box of 80 x 60 x 200 mm about the knee, below it for the tibia."""
    middle = np.array([-150.0 * bone.side.sign, 0.0, 100.0 if bone.bone is BoneName.FEMUR else -100.0])
    mesh = box(Frame(middle, np.eye(3)), (80, 60, 200))
    return Bone(bone, (BonePart(0, mesh, (), np.zeros(len(mesh.vertices), dtype=bool)),))


def made_landmarks(side: Side) -> Landmarks:
    """The golden leg's points, 150 mm to the side, with a sphere at the hip."""
    changed = LEFT if side is Side.LEFT else {}
    found = golden_landmarks(side, None, (), **changed)
    shift = np.array([-150.0 * side.sign, 0.0, 0.0])
    items = {
        name: item if item.point_lps is None else replace(item, point_lps=item.point_lps + shift, fit_rms_mm=0.2, coverage=0.6)
        for name, item in found.items.items()
    }
    hip = items["hip_centre"].point_lps
    assert hip is not None
    return replace(found, items=items, fits={"hip_centre": FitSphere(hip, 24.0, 0.2, 900, 0.6)})


def made_graph(case: Case, load: Any, catalogues: Mapping[str, Any]) -> dict[Key, Node]:
    """The program's graph with bones and found landmarks that are there at once, and without what takes long."""
    graph = plan_graph(case, load, catalogues)
    for side in case.sides:
        made = Node("made_landmarks", 1, made_landmarks, (side,))
        nothing = Node("nothing", 1, Landmarks, (side, ()))
        for key in [key for key in graph if key[:2] == ("found", side)]:
            graph[key] = made if key[2] == BoneName.FEMUR else nothing
        for bone in BONES:
            if bone.side is side:
                graph[("bone", side, bone.bone)] = Node("made_bone", 1, made_bone, (bone,))
    return {key: node for key, node in graph.items() if node.cost == "cheap"}


def made_session(services: Services) -> Session:
    """A session with two measured legs; the right one is to be operated on."""
    session = new_session(services, graph=made_graph)
    bones = tuple(ImportedBone(bone, "sha256:" + "0" * 64, "sha256:" + "1" * 64, f"{bone}.stl", "mm", "lps") for bone in BONES)
    session.apply("bones", lambda case: set_imported_bones(case, bones, "MADEAB"))
    session.apply("request", lambda case: set_intake(case, Intake(side=Side.RIGHT, procedure="mowhto")))
    return session
