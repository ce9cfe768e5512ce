"""The second opinion: the template follows the bone anywhere, disagreement is said and widens the spread, gaps are filled."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from surgiplan_desktop.base.spaces import rotation_about
from surgiplan_desktop.model.anatomy import LANDMARKS, BoneId, BoneName, Side
from surgiplan_desktop.model.mesh import Bone, BonePart
from surgiplan_desktop.model.study import Finding
from surgiplan_desktop.phantom.limb import Leg, build_leg
from surgiplan_desktop.phantom.parameters import LegParameters
from surgiplan_desktop.planning.landmarks.found import Found, add, miss, not_found
from surgiplan_desktop.planning.landmarks.judge import judge, usual_errors
from surgiplan_desktop.planning.landmarks.registration import transfer_landmarks
from surgiplan_desktop.planning.landmarks.surface import BoneSurface, bone_surface

NAMES = [name for name, item in LANDMARKS.items() if item.bone is BoneName.TIBIA]


@cache
def leg() -> Leg:
    return build_leg(LegParameters(side=Side.LEFT, mpta_deg=84.0, seed=21), step_mm=2.5)


@cache
def tibia(turned: bool = False) -> BoneSurface:
    mesh = leg().meshes[BoneId(Side.LEFT, BoneName.TIBIA)]
    if turned:
        mesh = mesh.moved(turn())
    bone = BoneId(Side.LEFT, BoneName.TIBIA)
    return bone_surface(Bone(bone, (BonePart(0, mesh, (), np.zeros(len(mesh.vertices), dtype=bool)),)))


def turn():  # type: ignore[no-untyped-def]
    return rotation_about(np.array([10.0, 20.0, -400.0]), np.array([0.6, 0.5, 0.3]), 140.0)


def test_every_landmark_has_its_usual_error() -> None:
    assert set(usual_errors()) == set(LANDMARKS)
    assert all(min(item.sd_mm) > 0.0 and item.apart_mm > max(item.sd_mm) for item in usual_errors().values())


def test_the_template_follows_the_bone_wherever_it_lies() -> None:
    upright = transfer_landmarks(Side.LEFT, BoneName.TIBIA, tibia(), NAMES)
    lying = transfer_landmarks(Side.LEFT, BoneName.TIBIA, tibia(turned=True), NAMES)
    for name in ("medial_malleolus", "medial_posterior_plateau", "tibial_tuberosity", "lateral_plateau_centre"):
        truth = leg().truth_landmarks[name]
        assert np.linalg.norm(upright[name].point - truth) < 3.0, name
        assert np.linalg.norm(lying[name].point - turn()(truth)) < 3.0, name
        assert upright[name].coverage > 0.9, name


def test_what_was_not_found_comes_from_the_template_and_says_so() -> None:
    found: Found = {}
    findings: list[Finding] = []
    miss(found, not_found("tibial_tuberosity"), "tibial_tuberosity")
    judge(found, findings, Side.LEFT, BoneName.TIBIA, tibia(), None)
    item = found["tibial_tuberosity"]
    assert item.status == "estimated"
    assert item.reason is None
    assert np.linalg.norm(item.point_lps - leg().truth_landmarks["tibial_tuberosity"]) < 4.0  # type: ignore[operator]
    assert Finding("landmark_from_template", "warn", (("landmark", "tibial_tuberosity"),)) in findings


def test_disagreement_is_said_and_widens_the_spread_in_its_direction() -> None:
    truth = leg().truth_landmarks["medial_malleolus"]
    judged = []
    for shift in (0.0, 15.0):
        found: Found = {}
        findings: list[Finding] = []
        add(found, "medial_malleolus", truth + np.array([0.0, shift, 0.0]))
        judge(found, findings, Side.LEFT, BoneName.TIBIA, tibia(), np.array([[1.0, 0, 0], [0, -1.0, 0], [0, 0, 1.0]]))
        judged.append(
            (found["medial_malleolus"], {item.code for item in findings if ("landmark", "medial_malleolus") in item.parameters})
        )
    (near, quiet), (far, told) = judged
    assert "landmark_disagrees" not in quiet
    assert "landmark_disagrees" in told
    assert far.disagreement_mm == pytest.approx(15.0, abs=3.0)
    assert near.sd_mm is not None
    assert far.sd_mm is not None
    assert far.sd_mm > near.sd_mm + 2.0
    assert far.covariance_mm2 is not None
    assert far.covariance_mm2[1, 1] > 4.0 * far.covariance_mm2[0, 0]
    assert far.sd_mm == pytest.approx(np.sqrt(np.trace(far.covariance_mm2)))
