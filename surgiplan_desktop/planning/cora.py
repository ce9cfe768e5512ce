"""Centre of rotation of angulation (CORA) of tibia and femur in the frontal plane.

After Paley, Principles of Deformity Correction: at each end of a bone the line along which its mechanical axis would run if the
joint there had its reference angle; where the two lines cross lies the angulation. docs/planning-maths.md has the definition.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import isfinite
from types import MappingProxyType
from typing import Final, Literal

import numpy as np

from surgiplan_desktop.base.arrays import FloatArray
from surgiplan_desktop.base.spaces import Frame
from surgiplan_desktop.geometry.angles import wrapped_deg
from surgiplan_desktop.model.anatomy import BoneName, LandmarkId, Side
from surgiplan_desktop.model.study import Finding
from surgiplan_desktop.planning.limits import default_limits
from surgiplan_desktop.planning.records import Landmarks, LegFrames, Measures

Place = Literal["bone", "joint", "far_joint", "beyond", "none", "not_measurable"]
Reference = Literal["normal", "other_leg"]
Flat = tuple[float, float]


@dataclass(frozen=True, slots=True)
class EndLine:
    """How the mechanical axis leaves an end of a bone: by the angle of ``measure`` to the line of two landmarks.

    ``turn`` +1: the direction into the bone is the landmarks' direction plus the angle, -1: less the angle.
    """

    measure: str
    centre: LandmarkId
    start: LandmarkId
    end: LandmarkId
    turn: int


#: The knee's end of each bone, then its far end.
ENDS: Final[Mapping[BoneName, tuple[EndLine, EndLine]]] = MappingProxyType(
    {
        BoneName.FEMUR: (
            EndLine("mldfa", "femoral_knee_centre", "medial_distal_condyle", "lateral_distal_condyle", 1),
            EndLine("lpfa", "hip_centre", "hip_centre", "greater_trochanter_tip", -1),
        ),
        BoneName.TIBIA: (
            EndLine("mpta", "tibial_knee_centre", "lateral_plateau_centre", "medial_plateau_centre", 1),
            EndLine("ldta", "ankle_centre", "medial_plafond", "lateral_plafond", 1),
        ),
    }
)


@dataclass(frozen=True, slots=True)
class CoraEnd:
    """An end of a bone in the frontal plane, coordinates (lateral, up) in mm of the plane that the record names.

    Attributes
    ----------
    centre, tangent
        Centre of the joint, and the two landmarks of the joint line.
    measure, measured_deg, reference_deg
        The joint's angle, as it is and as the reference has it.
    """

    centre: Flat
    tangent: tuple[Flat, Flat]
    measure: str
    measured_deg: float
    reference_deg: float


@dataclass(frozen=True, slots=True)
class BoneCora:
    """The centre of rotation of angulation of one bone.

    Attributes
    ----------
    place
        ``bone``: between the joints; ``joint``, ``far_joint``: at the knee, at hip or ankle; ``beyond``: outside of the bone's
        ends, so that it is not one simple angulation; ``none``: the lines are parallel within the limit; ``not_measurable``.
    reason
        Why it cannot be had, for ``not_measurable`` alone; all that follows is None then.
    plane
        ``limb``, or ``bone`` where the limb is not whole in view.
    angle_deg
        Direction of the lower line less that of the upper one, valgus positive, varus negative.
    distance_mm, to_far_mm
        Of the crossing from the joint line of the knee and from that of hip (head to trochanter) or ankle, positive into the
        bone; None where there is no crossing to tell of, as the other fields of the crossing.
    per_degree_mm
        How far the crossing moves along the bone, at most, when one reference angle is another by one degree.
    point_lps, crossing
        The crossing in space, at the depth of the bone's mechanical axis, and in the plane.
    usual
        Both angles lie within their normal ranges.
    estimated
        A landmark is estimated.
    plus_minus_deg
        Error of an angle by motion between blocks that share no bone.
    """

    bone: BoneName
    place: Place
    reason: Finding | None = None
    plane: Literal["limb", "bone"] | None = None
    ends: tuple[CoraEnd, CoraEnd] | None = None
    angle_deg: float | None = None
    distance_mm: float | None = None
    to_far_mm: float | None = None
    per_degree_mm: float | None = None
    point_lps: tuple[float, float, float] | None = None
    crossing: Flat | None = None
    usual: bool = False
    estimated: bool = False
    plus_minus_deg: float | None = None


@dataclass(frozen=True, slots=True)
class LegCora:
    """Both bones of a leg against one reference: the normal mean, or the angles of the other leg."""

    side: Side
    reference: Reference
    femur: BoneCora
    tibia: BoneCora

    @property
    def bones(self) -> tuple[BoneCora, BoneCora]:
        """From above."""
        return self.femur, self.tibia

    @property
    def known(self) -> bool:
        """Whether anything was measurable."""
        return any(item.place != "not_measurable" for item in self.bones)


def leg_cora(landmarks: Landmarks, frames: LegFrames, measures: Measures, other: Measures | None = None) -> tuple[LegCora, ...]:
    """Return the CORA of both bones against the normal mean and, where the other leg is measured, against that.

    Parameters
    ----------
    landmarks, frames, measures
        Of the leg, planning variant.
    other
        Measures of the other leg.
    """
    found = [_against("normal", landmarks, frames, measures, None)]
    if other is not None:
        item = _against("other_leg", landmarks, frames, measures, other)
        found += [item] if item.known else []
    return tuple(found)


def _against(
    reference: Reference, landmarks: Landmarks, frames: LegFrames, measures: Measures, other: Measures | None
) -> LegCora:
    femur, tibia = (bone_cora(bone, landmarks, frames, measures, other) for bone in (BoneName.FEMUR, BoneName.TIBIA))
    return LegCora(landmarks.side, reference, femur, tibia)


def bone_cora(
    bone: BoneName, landmarks: Landmarks, frames: LegFrames, measures: Measures, other: Measures | None = None
) -> BoneCora:
    """Return the CORA of femur or tibia against the normal mean, or against the angles of the other leg where given."""
    lines = ENDS[bone]
    items = [measures.items[line.measure] for line in lines]
    in_limb = frames.limb is not None and all(item.value_limb_plane is not None for item in items)
    frame = frames.limb if in_limb else frames.femur if bone is BoneName.FEMUR else frames.tibia
    reason = next((item.reason for item in items if item.value is None), None)
    reason = reason or landmarks.missing_reason(*(name for line in lines for name in (line.centre, line.start, line.end)))
    if reason is not None or frame is None:
        return BoneCora(bone, "not_measurable", reason or Finding("axes_not_defined", "warn", (("axes", bone.value),)))
    wanted: list[float] = []
    for line in lines:
        value = _reference(line.measure, in_limb, other)
        if isinstance(value, Finding):
            return BoneCora(bone, "not_measurable", value)
        wanted.append(value)
    ends = (
        _end(lines[0], landmarks, frame, items[0].value_limb_plane if in_limb else items[0].value, wanted[0]),
        _end(lines[1], landmarks, frame, items[1].value_limb_plane if in_limb else items[1].value, wanted[1]),
    )
    normals = [item.normal for item in items]
    errors = [item.plus_minus for item in items if item.plus_minus is not None]
    bent = BoneCora(
        bone,
        "none",
        plane="limb" if in_limb else "bone",
        ends=ends,
        usual=all(
            normal is not None and normal[0] <= end.measured_deg <= normal[1] for normal, end in zip(normals, ends, strict=True)
        ),
        estimated=any(item.status == "estimated" for item in items),
        plus_minus_deg=max(errors) if errors else None,
    )
    return _crossed(bent, lines, ends, frame, landmarks)


def _reference(measure: str, in_limb: bool, other: Measures | None) -> float | Finding:
    """The reference of an angle: normal mean by the table of limits, or the other leg's angle in the same kind of plane."""
    if other is None:
        limits = default_limits()
        group = "cora" if measure in ("ldta", "lpfa") else "osteotomy"
        return limits[f"{group}.normal_{measure}_deg"]
    item = other.items[measure]
    value = item.value_limb_plane if in_limb else item.value
    if isinstance(value, float):
        return value
    return item.reason or Finding("axes_not_defined", "warn", (("axes", "limb"),))


def _end(line: EndLine, landmarks: Landmarks, frame: Frame, measured: float | str | None, reference: float) -> CoraEnd:
    flat = [_flat(landmarks, frame, name) for name in (line.centre, line.start, line.end)]
    return CoraEnd(flat[0], (flat[1], flat[2]), line.measure, float(measured or 0.0), reference)


def _flat(landmarks: Landmarks, frame: Frame, name: LandmarkId) -> Flat:
    point = landmarks.point(name)
    assert point is not None  # noqa: S101 - asked before by missing_reason
    return landmarks.side.sign * float(point @ frame.z), float(point @ frame.y)


def _crossed(
    bent: BoneCora, lines: tuple[EndLine, EndLine], ends: tuple[CoraEnd, CoraEnd], frame: Frame, landmarks: Landmarks
) -> BoneCora:
    """The record with the angle, and with place and distances where the lines cross."""
    limits = default_limits()
    ways = [_inward(line, end, 0.0) for line, end in zip(lines, ends, strict=True)]
    upper, lower = (1, 0) if bent.bone is BoneName.FEMUR else (0, 1)
    angle = float(wrapped_deg(np.array(180.0 + ways[lower] - ways[upper]))) + 0.0
    crossing = _crossing(ends, ways)
    if crossing is None or abs(angle) < limits["cora.least_deg"]:
        return replace(bent, angle_deg=angle)
    distance, to_far = (_inside(end, way, crossing) for end, way in zip(ends, ways, strict=True))
    near = limits["cora.joint_mm"]
    place: Place = "bone"
    if abs(distance) <= near or abs(to_far) <= near:
        place = "joint" if abs(distance) <= abs(to_far) else "far_joint"
    elif distance < 0.0 or to_far < 0.0:
        place = "beyond"
    return replace(
        bent,
        place=place,
        angle_deg=angle,
        distance_mm=distance,
        to_far_mm=to_far,
        per_degree_mm=_per_degree(lines, ends, distance),
        point_lps=_in_space(lines, ends, crossing, frame, landmarks),
        crossing=(float(crossing[0]), float(crossing[1])),
    )


def _inward(line: EndLine, end: CoraEnd, more_deg: float) -> float:
    """Direction of the reference line from the end's centre into the bone, degrees in the plane."""
    (x0, y0), (x1, y1) = end.tangent
    along = float(np.degrees(np.arctan2(y1 - y0, x1 - x0)))
    return along + line.turn * (end.reference_deg + more_deg)


def _crossing(ends: tuple[CoraEnd, CoraEnd], ways_deg: list[float]) -> FloatArray | None:
    """Where the lines through both centres cross, shape (2,); None for parallel ones."""
    first, second = (np.array([np.cos(np.radians(way)), np.sin(np.radians(way))]) for way in ways_deg)
    turn = float(first[0] * second[1] - first[1] * second[0])
    if abs(turn) < 1e-9:
        return None
    start, gap = np.array(ends[0].centre), np.subtract(ends[1].centre, ends[0].centre)
    crossing: FloatArray = start + first * float(gap[0] * second[1] - gap[1] * second[0]) / turn
    return crossing


def _inside(end: CoraEnd, way_deg: float, point: FloatArray) -> float:
    """Distance of a point from the joint line of an end, positive on the bone's side, mm."""
    start, stop = (np.array(item) for item in end.tangent)
    along = (stop - start) / np.linalg.norm(stop - start)
    across = np.array([-along[1], along[0]])
    inward = float(np.cos(np.radians(way_deg)) * across[0] + np.sin(np.radians(way_deg)) * across[1])
    return float((point - start) @ across) * (1.0 if inward > 0.0 else -1.0)


def _per_degree(lines: tuple[EndLine, EndLine], ends: tuple[CoraEnd, CoraEnd], distance: float) -> float | None:
    moved: list[float] = []
    for more in ((1.0, 0.0), (-1.0, 0.0), (0.0, 1.0), (0.0, -1.0)):
        ways = [_inward(line, end, part) for line, end, part in zip(lines, ends, more, strict=True)]
        crossing = _crossing(ends, ways)
        if crossing is not None:
            moved.append(abs(_inside(ends[0], ways[0], crossing) - distance))
    return max(moved) if moved and isfinite(max(moved)) else None


def _in_space(
    lines: tuple[EndLine, EndLine], ends: tuple[CoraEnd, CoraEnd], crossing: FloatArray, frame: Frame, landmarks: Landmarks
) -> tuple[float, float, float]:
    knee, far = (np.array(end.centre) for end in ends)
    share = float((crossing - knee) @ (far - knee) / ((far - knee) @ (far - knee)))
    depths = [float(point @ frame.x) for line in lines if (point := landmarks.point(line.centre)) is not None]
    depth = depths[0] + share * (depths[1] - depths[0])
    point = landmarks.side.sign * crossing[0] * frame.z + crossing[1] * frame.y + depth * frame.x
    return float(point[0]), float(point[1]), float(point[2])
