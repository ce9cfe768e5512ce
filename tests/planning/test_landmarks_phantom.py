"""The finders against the phantom's own truth: bones of another make, with every landmark known from its definition."""

from __future__ import annotations

import numpy as np
import pytest

from surgiplan_desktop.model.anatomy import LANDMARKS, BoneId, BoneName, Side
from surgiplan_desktop.model.mesh import Bone, BonePart
from surgiplan_desktop.phantom.limb import Leg, build_leg
from surgiplan_desktop.phantom.parameters import LegParameters
from surgiplan_desktop.planning.landmarks.femur import find_femur
from surgiplan_desktop.planning.landmarks.merge import merge_landmarks
from surgiplan_desktop.planning.landmarks.patella import find_patella
from surgiplan_desktop.planning.landmarks.tibia import find_tibia
from surgiplan_desktop.planning.measures import measure_points

#: How far a measure may be from the truth: degrees, mm, percent.
WITHIN = {
    "hka_deviation": 0.2,
    "mldfa": 0.2,
    "mpta": 0.25,
    "jlca": 0.25,
    "wbl": 0.5,
    "mad": 0.5,
    "femoral_torsion": 0.5,
    "tibial_torsion": 0.5,
    "slope_medial": 0.5,
    "slope_lateral": 0.5,
    "neck_shaft_angle": 0.5,
    "femoral_head_radius": 0.1,
}
#: How far a landmark may be from the truth, mm.
FAR = 2.0
NEAR = ("hip_centre", "femoral_knee_centre", "tibial_knee_centre", "medial_malleolus", "lateral_malleolus", "medial_spine")


def bone(leg: Leg, name: BoneName) -> Bone:
    mesh = leg.meshes[BoneId(leg.side, name)]
    return Bone(BoneId(leg.side, name), (BonePart(0, mesh, (), np.zeros(len(mesh.vertices), dtype=bool)),))


@pytest.mark.parametrize(
    "parameters",
    [
        LegParameters(side=Side.RIGHT, mldfa_deg=88.0, mpta_deg=82.0, jlca_deg=2.0, seed=3),
        LegParameters(
            side=Side.LEFT, mldfa_deg=85.0, mpta_deg=90.0, jlca_deg=0.5, slope_medial_deg=4.0, slope_lateral_deg=9.0, seed=5
        ),
    ],
    ids=["varus-right", "valgus-left"],
)
def test_phantom_leg(parameters: LegParameters) -> None:
    leg = build_leg(parameters, step_mm=2.0)
    tibia = find_tibia(leg.side, bone(leg, BoneName.TIBIA), bone(leg, BoneName.FIBULA))
    femur = find_femur(leg.side, bone(leg, BoneName.FEMUR))
    patella = find_patella(leg.side, bone(leg, BoneName.PATELLA), femur, tibia)
    landmarks = merge_landmarks(leg.side, (), femur, tibia, patella)
    assert landmarks.findings == ()
    for name, definition in LANDMARKS.items():
        assert definition.definition, name
        point = landmarks.point(name)
        assert point is not None, name
        assert np.linalg.norm(point - leg.truth_landmarks[name]) < FAR, name
    measures = measure_points(landmarks)
    for name, within in WITHIN.items():
        assert measures.number(name) == pytest.approx(leg.truth_measures[name], abs=within), name
    assert measures.items["cpak"].value == leg.truth_measures["cpak"]
    for name in NEAR:
        point = landmarks.point(name)
        assert point is not None
        assert np.linalg.norm(point - leg.truth_landmarks[name]) < (0.3 if name == "hip_centre" else 1.0), name
