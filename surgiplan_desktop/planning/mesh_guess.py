"""Unit and space of bone meshes whose files do not say them: what is assumed, what speaks against it, what would fit better.

Millimetres and LPS are assumed, as the command line says. The assumption stands while the bones have a plausible size and lie as
the legs of a patient lie; otherwise the unit and space that fit are named as a guess, which is never taken without consent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from surgiplan_desktop.base.arrays import FloatArray
from surgiplan_desktop.base.spaces import LPS_FROM_RAS, Affine
from surgiplan_desktop.base.units import MM_PER_UNIT
from surgiplan_desktop.model.anatomy import BoneName, Side
from surgiplan_desktop.model.images import Volume
from surgiplan_desktop.model.mesh import Mesh
from surgiplan_desktop.model.study import Finding
from surgiplan_desktop.planning.imported_bone import PLAUSIBLE_LENGTH_MM, length_mm
from surgiplan_desktop.planning.mesh_overlap import edge_share
from surgiplan_desktop.planning.mesh_pose import Pose, pose_of

By = Literal["said", "declared", "assumed", "guessed"]

#: Map to LPS from each space a mesh may be in; ``y-up`` is the standard of GLB: +y up, +z forward, +x to the left.
TO_LPS: Final[dict[str, FloatArray]] = {
    "lps": np.eye(4),
    "ras": LPS_FROM_RAS,
    "y-up": np.array([[1.0, 0, 0, 0], [0, 0, -1.0, 0], [0, 1.0, 0, 0], [0, 0, 0, 1.0]]),
}
#: Second largest extent of a bone with a joint end, mm: tells units apart that all give a possible length [P].
_USUAL_WIDTH_MM: Final[dict[BoneName, tuple[float, float]]] = {
    BoneName.FEMUR: (45.0, 140.0),
    BoneName.TIBIA: (40.0, 125.0),
    BoneName.FIBULA: (10.0, 75.0),
    BoneName.PATELLA: (28.0, 60.0),
    BoneName.TALUS: (30.0, 75.0),
    BoneName.HIP: (80.0, 330.0),
    BoneName.SACRUM: (70.0, 160.0),
}
#: A leg of a patient on the back or belly turns its front by less than a quarter turn either way (deg).
_FACING_DEG: Final = 80.0
_AVERTED_DEG: Final = 100.0
_LYING_DEG: Final = 60.0
#: The middle line lies on a side when its direction leans there by at least this (cosine).
_TOWARDS: Final = 0.5
#: Offsets between bones that say where one lies to another (mm); the fibular head lies this much lateral of the tibia at least.
_CLEAR_MM: Final = 5.0
FIBULA_CLEAR_MM: Final = 5.0
#: No leg turns in so far that its fibula lies this much in front of its tibia (mm).
_FIBULA_AHEAD_MM: Final = 15.0
#: Share of the tibia's length, from proximal, over which the position of the fibula is looked at.
_PROXIMAL_SHARE: Final = 0.25
#: Share of the surface on bone edges of the scan: from here on the mesh lies on it, below the other it does not [P].
ON_SCAN: Final = 0.4
OFF_SCAN: Final = 0.15


@dataclass(frozen=True, slots=True)
class Guess:
    """Unit and space to take, how they were come by, what speaks for them and what against.

    ``against`` tells what contradicts them; ``assumed_against`` what contradicts mm and LPS where a guess takes their place.
    """

    unit: str
    space: str
    unit_by: By
    space_by: By
    reasons: tuple[Finding, ...] = ()
    against: tuple[Finding, ...] = ()
    assumed_against: tuple[Finding, ...] = ()

    @property
    def is_guess(self) -> bool:
        """Whether it needs the user's consent."""
        return "guessed" in (self.unit_by, self.space_by)

    @property
    def to_lps(self) -> Affine:
        """Map from the numbers of the file to LPS mm."""
        return Affine(TO_LPS[self.space] @ np.diag([MM_PER_UNIT[self.unit]] * 3 + [1.0]))


def guess_unit_and_space(
    bodies: Mapping[BoneName, Mesh],
    side: Side,
    *,
    unit: str | None = None,
    space: str | None = None,
    declared_unit: str | None = None,
    declared_space: str | None = None,
    y_up: bool = False,
    volumes: Sequence[Volume] = (),
) -> Guess:
    """Settle unit and space of meshes that belong together.

    Parameters
    ----------
    bodies
        Closed meshes in the numbers of their files, faces outward.
    side
        Side they are said to be of.
    unit, space
        What the user said; None = nothing.
    declared_unit, declared_space
        What the files say.
    y_up
        Whether the format's standard has +y up (a GLB that does not name its axes).
    volumes
        Blocks of the scan at hand, to compare with.
    """
    default_unit, default_space = unit or declared_unit or "mm", space or declared_space or ("y-up" if y_up else "lps")
    unit_by: By = "said" if unit else "declared" if declared_unit else "assumed"
    space_by: By = "said" if space else "declared" if declared_space else "assumed"
    units = [default_unit] if unit_by != "assumed" else list(MM_PER_UNIT)
    spaces = [default_space] if space_by == "said" else ["lps", "ras", *(["y-up"] if y_up else [])]
    first = _judged(bodies, side, default_unit, default_space, volumes)
    if not first.against:
        return Guess(default_unit, default_space, unit_by, space_by, first.reasons)
    others = [_judged(bodies, side, u, s, volumes) for u in units for s in spaces if (u, s) != (default_unit, default_space)]
    fitting = [item for item in others if not item.against]
    if not fitting:
        return Guess(default_unit, default_space, unit_by, space_by, first.reasons, first.against)
    best = max(fitting, key=lambda item: (item.score, item.space == default_space, -units.index(item.unit)))
    return Guess(
        unit=best.unit,
        space=best.space,
        unit_by=unit_by if best.unit == default_unit else "guessed",
        space_by=space_by if best.space == default_space else "guessed",
        reasons=best.reasons,
        assumed_against=first.against,
    )


@dataclass(frozen=True, slots=True)
class _Judged:
    unit: str
    space: str
    reasons: tuple[Finding, ...]
    against: tuple[Finding, ...]
    score: float


def _judged(bodies: Mapping[BoneName, Mesh], side: Side, unit: str, space: str, volumes: Sequence[Volume]) -> _Judged:
    """Say what speaks for and against one unit and space."""
    to_lps = Affine(TO_LPS[space] @ np.diag([MM_PER_UNIT[unit]] * 3 + [1.0]))
    placed = {bone: Mesh(to_lps(mesh.vertices), mesh.faces) for bone, mesh in bodies.items()}
    reasons: list[Finding] = []
    against: list[Finding] = []
    score = 0.0
    for bone, mesh in placed.items():
        extents = sorted(np.ptp(mesh.vertices, axis=0))
        length, (low, high) = length_mm(mesh.vertices), PLAUSIBLE_LENGTH_MM[bone]
        told = (("bone", str(bone)), ("length_mm", round(length, 2)), ("low", low), ("high", high), ("unit", unit))
        plausible = low <= length <= high
        (reasons if plausible else against).append(Finding("mesh_length", "note" if plausible else "fail", told))
        narrow, wide = _USUAL_WIDTH_MM[bone]
        score += 1.0 if narrow <= extents[1] <= wide else 0.0
        if plausible:
            _pose_reasons(bone, pose_of(bone, mesh), side, space, reasons, against)
    if not any(item.code == "mesh_length" for item in against):
        _neighbour_reasons(placed, side, space, reasons, against)
        score += _overlap(placed, volumes, reasons, against)
    score += 0.1 * len(reasons)
    return _Judged(unit, space, tuple(reasons), tuple(against), score)


def _pose_reasons(bone: BoneName, pose: Pose, side: Side, space: str, reasons: list[Finding], against: list[Finding]) -> None:
    told = (("bone", str(bone)), ("space", space.upper()))
    if pose.lying is not None and bone in (BoneName.FEMUR, BoneName.TIBIA, BoneName.FIBULA) and pose.lying > _LYING_DEG:
        against.append(Finding("mesh_lying", "critical", (*told, ("degrees", round(pose.lying)))))
        return
    if pose.upside_down:
        against.append(Finding("mesh_upside_down", "critical", told))
        return
    towards = 0.0 if pose.middle is None else side.sign * pose.middle[0]
    if pose.back is not None:
        off = float(np.degrees(np.arccos(np.clip(pose.back[1], -1.0, 1.0))))
        # a faint sign of the back counts only where the middle says the same
        if off > _AVERTED_DEG and (pose.back_is_clear or towards < -_TOWARDS):
            against.append(Finding("mesh_facing_back", "critical", (*told, ("degrees", round(off)))))
        elif off < _FACING_DEG:
            reasons.append(Finding("mesh_facing", "note", (*told, ("degrees", round(off)))))
    if towards < -_TOWARDS:
        against.append(Finding("mesh_middle_outside", "critical", (*told, ("side", str(side)))))
    elif towards > _TOWARDS:
        reasons.append(Finding("mesh_middle", "note", (*told, ("side", str(side)))))


def _neighbour_reasons(
    placed: Mapping[BoneName, Mesh], side: Side, space: str, reasons: list[Finding], against: list[Finding]
) -> None:
    """Compare where bones lie to each other: the thigh bone above the shin bone, the kneecap in front of the knee."""
    middles = {bone: (mesh.vertices.min(axis=0) + mesh.vertices.max(axis=0)) / 2.0 for bone, mesh in placed.items()}
    fibula = fibula_offset(placed, side)
    if fibula is not None and (fibula[0] < -FIBULA_CLEAR_MM or fibula[1] < -_FIBULA_AHEAD_MM):
        against.append(Finding("mesh_fibula", "critical", (("space", space.upper()), ("side", str(side)))))
    femur, tibia, patella = (middles.get(bone) for bone in (BoneName.FEMUR, BoneName.TIBIA, BoneName.PATELLA))
    if femur is not None and tibia is not None and femur[2] < tibia[2]:
        against.append(Finding("mesh_order", "critical", (("space", space.upper()),)))
    knee = placed.get(BoneName.FEMUR) or placed.get(BoneName.TIBIA)
    if patella is None or knee is None:
        return
    near = knee.vertices[np.abs(knee.vertices[:, 2] - patella[2]) < 30.0]
    if not len(near):
        return
    ahead = float(near[:, 1].mean() - patella[1])
    told = (("space", space.upper()),)
    if ahead < -_CLEAR_MM:
        against.append(Finding("mesh_patella_behind", "critical", told))
    elif ahead > _CLEAR_MM:
        reasons.append(Finding("mesh_patella_ahead", "note", told))


def fibula_offset(meshes: Mapping[BoneName, Mesh], side: Side) -> tuple[float, float] | None:
    """Return how far the upper fibula lies lateral of and behind the tibia, mm (LPS); None where one of them is not there."""
    if BoneName.TIBIA not in meshes or BoneName.FIBULA not in meshes:
        return None
    tibia, fibula = meshes[BoneName.TIBIA].vertices, meshes[BoneName.FIBULA].vertices
    low = float(tibia[:, 2].max()) - _PROXIMAL_SHARE * float(np.ptp(tibia[:, 2]))
    near_tibia, near_fibula = tibia[tibia[:, 2] > low], fibula[fibula[:, 2] > low]
    if not len(near_fibula):
        return None
    offset = near_fibula.mean(axis=0) - near_tibia.mean(axis=0)
    return -side.sign * float(offset[0]), float(offset[1])


def _overlap(placed: Mapping[BoneName, Mesh], volumes: Sequence[Volume], reasons: list[Finding], against: list[Finding]) -> float:
    if not volumes:
        return 0.0
    share = float(np.mean([edge_share(mesh, volumes) for mesh in placed.values()]))
    told = (("percent", round(100.0 * share)),)
    if share >= ON_SCAN:
        reasons.append(Finding("mesh_on_scan", "note", told))
    elif share < OFF_SCAN:
        against.append(Finding("mesh_off_scan", "critical", told))
    return 20.0 * share
