"""A simple tibia of stacked rounded triangles with hand-made landmarks and plan: what the guide's tests need, in milliseconds."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from surgiplan_desktop.base.spaces import Affine, Frame, Plane, rotation_about
from surgiplan_desktop.model.anatomy import BoneId, BoneName, Side
from surgiplan_desktop.model.mesh import Bone, BonePart, Mesh
from surgiplan_desktop.model.steps import Blade, GuideStep, OsteotomyStep, Target
from surgiplan_desktop.planning.records import (
    LandmarkEstimate,
    Landmarks,
    LegFrames,
    OsteotomyPlan,
    SawRay,
    Scenario,
    WedgeDetail,
)

#: height below the plateau, half widths medio-lateral and antero-posterior, shift of the centre anterior (mm)
_SECTIONS = np.array(
    [
        [0.0, 34.0, 22.0, 0.0],
        [-4.0, 37.0, 24.5, 0.0],
        [-10.0, 36.0, 24.5, 0.5],
        [-20.0, 31.0, 22.5, 1.5],
        [-35.0, 24.0, 20.0, 2.5],
        [-55.0, 18.0, 17.5, 2.0],
        [-80.0, 14.5, 15.5, 1.0],
        [-160.0, 12.5, 14.0, 0.0],
    ]
)


@dataclass(frozen=True)
class GuideLeg:
    """Everything that ``build_guide`` takes."""

    side: Side
    tibia: Bone
    landmarks: Landmarks
    frames: LegFrames
    osteotomy: OsteotomyStep
    plan: OsteotomyPlan
    wedge: WedgeDetail
    step: GuideStep


def _loft(side: Side, rings: int = 81, corners: int = 72) -> Mesh:
    """Return the bone in tibial-frame coordinates (X anterior, Y proximal, Z right)."""
    heights = np.linspace(0.0, -160.0, rings)
    turn = 2 * np.pi * np.arange(corners) / corners
    # a rounded triangle: medial face, posterior face, lateral face; flat medially, crest anterior
    shape = 1.0 + 0.10 * np.cos(3 * (turn - np.pi / 2))
    points = []
    for height in heights:
        ml, ap, shift = (np.interp(-height, -_SECTIONS[:, 0], _SECTIONS[:, column]) for column in (1, 2, 3))
        anterior = shift + ap * shape * np.sin(turn)
        lateral = ml * shape * np.cos(turn)
        bump = 7.0 * np.exp(-(((height + 34.0) / 11.0) ** 2)) * np.exp(-(((turn - np.pi / 2) / 0.30) ** 2))
        anterior = anterior + bump
        points.append(np.column_stack([anterior, np.full(corners, height), side.sign * lateral]))
    vertices = np.concatenate([*points, [[0.0, 0.0, 0.0]], [[0.0, -160.0, 0.0]]])
    faces = []
    for ring in range(rings - 1):
        for corner in range(corners):
            a, b = ring * corners + corner, ring * corners + (corner + 1) % corners
            faces += [(a, b, b + corners), (a, b + corners, a + corners)]
    top, bottom, last = rings * corners, rings * corners + 1, (rings - 1) * corners
    for corner in range(corners):
        faces.append((top, (corner + 1) % corners, corner))
        faces.append((bottom, last + corner, last + (corner + 1) % corners))
    triangles = np.array(faces, dtype=np.int32)
    inside = np.einsum("ij,ij->", vertices[triangles[:, 0]], np.cross(vertices[triangles[:, 1]], vertices[triangles[:, 2]]))
    return Mesh(vertices, triangles if inside > 0 else triangles[:, ::-1])


@cache
def guide_leg(side: Side = Side.RIGHT, angle_deg: float = 9.0) -> GuideLeg:
    """Return a leg whose cut starts 35 mm below the joint and whose hinge lies 8 mm inside the lateral cortex."""
    # LPS axes of the frame: anterior, superior, to the patient's right; tilted a little so that no test lives on the axes
    straight = np.column_stack([[0.0, -1.0, 0.0], [0.0, 0.0, 1.0], [-1.0, 0.0, 0.0]])
    tilt = rotation_about(np.zeros(3), np.array([0.3, 1.0, 0.2]), 4.0 * side.sign).linear
    frame = Frame(np.array([-side.sign * 90.0, -10.0, 40.0]), tilt @ straight)
    local = _loft(side)
    mesh = Mesh(frame.to_lps(local.vertices), local.faces)
    cap = local.vertices[:, 1] < -159.9
    end = Plane(frame.to_lps(np.array([0.0, -160.0, 0.0])), -frame.y)
    tibia = Bone(BoneId(side, BoneName.TIBIA), (BonePart(0, mesh, (end,), cap),))
    s = side.sign
    places = {
        "tibial_knee_centre": (0.0, 0.0, 0.0),
        "medial_plateau_centre": (0.0, 0.0, -18.0 * s),
        "lateral_plateau_centre": (0.0, 0.0, 18.0 * s),
        "medial_plateau_edge": (0.0, 0.0, -34.0 * s),
        "lateral_plateau_edge": (0.0, 0.0, 34.0 * s),
        "medial_posterior_plateau": (-20.0, 0.0, -14.0 * s),
        "tibial_tuberosity": (31.0, -34.0, 0.0),
        "fibular_head_tip": (-12.0, -10.0, 38.0 * s),
    }
    items = {name: LandmarkEstimate(name, frame.to_lps(np.array(place)), "auto") for name, place in places.items()}
    start = frame.to_lps(np.array([2.0, -35.0, -24.0 * s]))
    hinge = frame.to_lps(np.array([2.0, -18.0, 24.0 * s]))
    # anterior end of the hinge proximal by the slope of the plateau: none here
    forward = frame.x
    along = hinge - start
    normal = np.cross(along, forward)
    normal = normal / np.linalg.norm(normal)
    normal = normal if normal @ frame.y > 0 else -normal
    plane = Plane(start, normal)
    opened = rotation_about(hinge, forward, angle_deg)
    if plane.signed_distance(opened(start)) > 0:  # opening carries the medial end of the distal piece away
        opened = rotation_about(hinge, forward, -angle_deg)
    osteotomy = OsteotomyStep("mowhto-1", side, Target("angle", angle_deg), blade=Blade())
    before = {"hka_deviation": -5.2, "hka": 174.8, "mpta": 84.0, "wbl": 22.0, "mad": 27.0, "jlca": 1.0, "mldfa": 88.0}
    after = {"hka_deviation": 1.3, "hka": 181.3, "mpta": 91.0, "wbl": 55.0, "mad": -3.0, "jlca": 1.0, "mldfa": 88.0}
    gaps = {"pm": 8.9, "mid": 9.4, "am": 7.1}
    plan = OsteotomyPlan(
        "mowhto-1",
        side,
        frame,
        plane,
        start,
        hinge,
        forward,
        angle_deg,
        opened,
        1.2,
        "ct",
        1.0,
        1.0,
        before,
        after,
        tuple(
            Scenario(name, jlca, angle_deg - jlca, after, gaps)
            for name, jlca in (("unchanged", 1.0), ("default", 1.0), ("zero", 0.0))
        ),
    )
    rays = tuple(SawRay(f"r{number}", 0.0, 45.0 + number, 58.0 + number) for number in range(1, 6))
    wedge = WedgeDetail(
        {key: value - 1.2 for key, value in gaps.items()},
        gaps,
        dict.fromkeys(gaps, start),
        6200.0,
        rays,
        "WL",
        8.0,
        17.5,
        np.stack([start, hinge]),
    )
    guide = GuideStep("guide-1", side, "mowhto-1")
    return GuideLeg(side, tibia, Landmarks(side, items), LegFrames(side, None, frame, None), osteotomy, plan, wedge, guide)


def check_motion(leg: GuideLeg) -> Affine:
    """Return the opening of the distal piece."""
    return leg.plan.correction
