"""A femur scanned as hip and knee blocks, as the usual torsion CT gives it: every measure that the whole femur has."""

from __future__ import annotations

import numpy as np
import pytest

from surgiplan_desktop.base.spaces import Plane
from surgiplan_desktop.geometry.solid import split
from surgiplan_desktop.model.anatomy import BoneId, BoneName
from surgiplan_desktop.model.mesh import Bone, BonePart, Mesh
from surgiplan_desktop.phantom.limb import Leg
from surgiplan_desktop.planning.imported_bone import find_caps
from surgiplan_desktop.planning.landmarks.femur import find_femur
from surgiplan_desktop.planning.landmarks.merge import merge_landmarks
from surgiplan_desktop.planning.measures import measure_points
from tests.phantom.legs import built

#: The scan protocol: the hip down to below the lesser trochanter, the knee 150 mm above the joint (practice.md 24).
BELOW_LESSER_MM, ABOVE_JOINT_MM = 20.0, 150.0
# LPFA hangs on a tip 45 mm from the head: a blunt trochanter of another shape moves it by a degree.
WITHIN_DEG = {"mldfa": 0.1, "lpfa": 1.5, "aldfa": 0.4, "ama": 0.4, "femoral_torsion": 0.5, "neck_shaft_angle": 0.5}


def blocks_of(leg: Leg) -> Bone:
    femur = leg.meshes[BoneId(leg.side, BoneName.FEMUR)]
    low = float(leg.truth_landmarks["lesser_trochanter_tip"][2]) - BELOW_LESSER_MM
    high = float(leg.truth_landmarks["femoral_knee_centre"][2]) + ABOVE_JOINT_MM
    up = (0.0, 0.0, 1.0)
    hip, _ = split(femur, Plane((0.0, 0.0, low), up))
    _, knee = split(femur, Plane((0.0, 0.0, high), up))
    return Bone(BoneId(leg.side, BoneName.FEMUR), (part(0, hip), part(1, knee)))


def part(number: int, mesh: Mesh) -> BonePart:
    caps, cap_vertices = find_caps(mesh)
    return BonePart(number, mesh, caps, cap_vertices)


@pytest.mark.parametrize("name", ["varus", "valgus", "odd"])
def test_the_blocks_have_every_measure_of_the_femur(name: str) -> None:
    leg = built(name)
    found = find_femur(leg.side, blocks_of(leg))
    measures = measure_points(merge_landmarks(leg.side, (), found))
    for measure, limit in WITHIN_DEG.items():
        assert measures.number(measure) == pytest.approx(leg.truth_measures[measure], abs=limit), measure
    off = np.linalg.norm(found.items["hip_centre"].point_lps - leg.truth_landmarks["hip_centre"])
    assert off < 0.3
