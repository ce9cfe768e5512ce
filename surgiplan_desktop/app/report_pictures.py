"""Which pictures a report shows and from where: guide on bone, leg before and after, implant on the opened bone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from surgiplan_desktop.base.arrays import FloatArray, unit
from surgiplan_desktop.base.spaces import Frame
from surgiplan_desktop.model.mesh import Bone, Mesh
from surgiplan_desktop.planning.records import Guide, ImplantPlacement, Landmarks, LegFrames, OsteotomyPlan, Pieces
from surgiplan_desktop.scene.items import Item, Surface, Tubes
from surgiplan_desktop.scene.snapshot import Camera, Shot

#: Pixels a millimetre on paper would need at 300 dots an inch are not needed here: software rendering takes its time.
_HIGH = 1000


@dataclass(frozen=True, slots=True, eq=False)
class LegParts:
    """What the pictures draw."""

    landmarks: Landmarks
    frames: LegFrames
    plan: OsteotomyPlan
    pieces: Pieces
    tibia: Bone
    femur: Bone | None
    fibula: Bone | None
    guide: Guide | None
    implants: tuple[ImplantPlacement, ...]


def report_shots(leg: LegParts) -> list[tuple[str, float, Shot]]:
    """Return name, share of the row's width and shot of each picture."""
    shots: list[tuple[str, float, Shot]] = []
    if leg.guide is not None:
        shots.append(("guide", 1.45, _guide_shot(leg, leg.guide)))
    axis = "" if leg.landmarks.point("hip_centre") is None else "_axis"
    shots += [(f"before{axis}", 0.8, _frontal_shot(leg, opened=False)), (f"after{axis}", 0.8, _frontal_shot(leg, opened=True))]
    placed = [item for item in leg.implants if item.screws]
    if placed:
        shots.append(("implant", 0.95, _implant_shot(leg, placed[0])))
    return shots


def _surfaces(bone: Bone | None, role: str) -> list[Item]:
    return [] if bone is None else [Surface(part.mesh, role) for part in bone.parts]


def _guide_shot(leg: LegParts, guide: Guide) -> Shot:
    """The guide on the bone as the surgeon sees it, with pins and the way it is put on."""
    frame = leg.plan.frame
    away = -guide.insertion_direction
    middle = guide.mesh.vertices.mean(axis=0)
    rods = [
        [item.top_lps - 28.0 * item.direction, item.top_lps + item.to_far_cortex_mm * item.direction] for item in guide.sleeves
    ]
    tip = middle + 42.0 * away - 18.0 * frame.x
    items: list[Item] = [
        *_surfaces(leg.tibia, "bone/tibia"),
        *_surfaces(leg.fibula, "bone/fibula"),
        Surface(guide.mesh, "guide", sharp=True),
        Tubes(np.array(rods), 1.25, "pin"),
        Tubes(np.array([[tip, tip + 28.0 * guide.insertion_direction]]), 0.8, "insertion"),
    ]
    view = unit(away + 0.55 * frame.x + 0.28 * frame.y)
    return Shot(tuple(items), Camera(middle + 8.0 * frame.y, view, frame.y, 132.0), 1150, _HIGH)


def _frontal_shot(leg: LegParts, *, opened: bool) -> Shot:
    """The leg from the front in the limb plane (bone plane without a hip), with the line from hip to ankle."""
    frame = leg.frames.limb or leg.plan.frame
    if opened:
        tibia: list[Item] = [Surface(leg.pieces.proximal, "bone/tibia"), Surface(leg.pieces.distal_moved, "moved", sharp=True)]
        fibula: list[Item] = [] if leg.fibula is None else [
            Surface(part.mesh.moved(leg.plan.correction), "bone/fibula", 0.35) for part in leg.fibula.parts
        ]  # fmt: skip
    else:
        tibia, fibula = _surfaces(leg.tibia, "bone/tibia"), _surfaces(leg.fibula, "bone/fibula")
    items: list[Item] = [*_surfaces(leg.femur, "bone/femur"), *tibia, *fibula]
    ankle, hip = leg.landmarks.point("ankle_centre"), leg.landmarks.point("hip_centre")
    if ankle is not None and opened:
        ankle = leg.plan.correction(ankle)
    front = 130.0 * frame.x
    if ankle is not None and hip is not None:
        items.append(Tubes(np.array([[hip + front, ankle + front]]), 1.6, "axis"))
    hinge = 40.0 * leg.plan.hinge_direction
    items.append(Tubes(np.array([[leg.plan.hinge_lps, leg.plan.hinge_lps + hinge]]), 1.6, "hinge"))
    points = np.concatenate([item.mesh.vertices for item in items if isinstance(item, Surface)])
    return Shot(tuple(items), _frontal_camera(points, frame, 0.46), 460, _HIGH)


def _frontal_camera(points: FloatArray, frame: Frame, aspect: float) -> Camera:
    local = frame.to_local(points)
    low, high = local.min(axis=0), local.max(axis=0)
    height = max(float(high[1] - low[1]), float(high[2] - low[2]) / aspect) * 1.05
    return Camera(frame.to_lps(0.5 * (low + high)), frame.x, frame.y, height)


def _implant_shot(leg: LegParts, placement: ImplantPlacement) -> Shot:
    """The plate on the opened tibia with its screws, from the front and the medial side."""
    frame = leg.plan.frame
    medial = -leg.plan.side.sign * frame.z
    rods = np.array([[item.entry_lps, item.tip_lps] for item in placement.screws])
    pieces: tuple[Mesh, ...] = (leg.pieces.proximal, leg.pieces.distal_moved)
    items: list[Item] = [
        Surface(pieces[0], "bone/tibia", 0.55),
        Surface(pieces[1], "moved", 0.55, sharp=True),
        Surface(placement.mesh, "implant", sharp=True),
        Tubes(rods, 1.6, "pin"),
    ]
    middle = placement.mesh.vertices.mean(axis=0)
    span = float(np.ptp(placement.mesh.vertices @ frame.y)) + 70.0
    return Shot(tuple(items), Camera(middle - 12.0 * medial, unit(frame.x + 0.9 * medial), frame.y, span), 700, _HIGH)
