"""What each step of the work shows: a pure function from the case and its results to items, outlines and marks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from surgiplan_desktop.base.arrays import FloatArray
from surgiplan_desktop.base.spaces import Affine
from surgiplan_desktop.model.anatomy import BoneId, BoneName, LandmarkId, Side
from surgiplan_desktop.model.case import Case
from surgiplan_desktop.model.mesh import Bone, Mesh
from surgiplan_desktop.model.steps import GuideStep, ImplantStep, OsteotomyStep
from surgiplan_desktop.planning.graph import bone_key, guide_key, implant_key, landmarks_key, osteotomy_key, pieces_key, site_key
from surgiplan_desktop.planning.records import Guide, ImplantPlacement, Landmarks, OsteotomyPlan, OsteotomySite, Pieces
from surgiplan_desktop.scene.angles import MeasureMark
from surgiplan_desktop.scene.heat import Heat, HeatedPart, Results
from surgiplan_desktop.scene.items import Item, Patch, Surface, Tubes

#: Steps in which the planned correction is shown on the bones.
PLANNING_STEPS = ("plan",)
_FAINT = 0.35


@dataclass(frozen=True, slots=True, eq=False)
class Outline:
    """A body whose section slices show; ``name`` is the key of its words, ``side`` may be None.

    ``heated`` are the values of the heat map on its vertices; None draws it in the colour of its role.
    """

    mesh: Mesh
    role: str
    name: str
    side: Side | None = None
    thin: bool = False
    heated: HeatedPart | None = None
    dashed: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Mark:
    """A point with a name: a landmark."""

    id: LandmarkId
    point_lps: FloatArray
    status: str
    side: Side


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """A line drawn over slices and 3D: an axis or a joint line; ``role`` is its colour."""

    name: str
    points_lps: FloatArray
    role: str
    dashed: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """All that the views show besides grey values."""

    items: Mapping[str, Item] = field(default_factory=dict)
    outlines: tuple[Outline, ...] = ()
    marks: tuple[Mark, ...] = ()
    lines: tuple[Line, ...] = ()
    angles: tuple[MeasureMark, ...] = ()


_LINES = (
    ("femoral_axis", "hip_centre", "femoral_knee_centre", "bone/femur", False),
    ("tibial_axis", "tibial_knee_centre", "ankle_centre", "bone/tibia", False),
    ("femoral_joint_line", "medial_distal_condyle", "lateral_distal_condyle", "bone/femur", False),
    ("tibial_joint_line", "medial_plateau_edge", "lateral_plateau_edge", "bone/tibia", False),
    ("weight_bearing_line", "hip_centre", "ankle_centre", "accent", True),
)


def _same(old: object, new: object) -> bool:
    return old is new or (isinstance(new, str | float | bool) and old == new)


class PictureMaker:
    """Makes the picture of a step. Items whose inputs did not change are the same objects as before, so nothing is redrawn."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[tuple[Any, ...], Any]] = {}

    def _keep(self, key: str, inputs: tuple[Any, ...], make: Callable[[], Any]) -> Any:
        kept = self._kept.get(key)
        if kept is not None and len(kept[0]) == len(inputs) and all(map(_same, kept[0], inputs)):
            return kept[1]
        made = make()
        self._kept[key] = (inputs, made)
        return made

    def picture(
        self,
        case: Case,
        results: Results,
        step: str,
        opacity: Mapping[str, float],
        side: Side | None,
        heat: Heat | None = None,
    ) -> Picture:
        """Return what the step shows.

        Parameters
        ----------
        case, results
            The case and its results.
        step
            Id of the step of the work, such as ``"plan"``.
        opacity
            Opacity by item key, absent = 1, 0 = hidden.
        side
            The side worked on; its landmarks and axes are shown.
        heat
            The heat map that colours the bones, or None.
        """
        items: dict[str, Item] = {}
        outlines: list[Outline] = []
        replaced = self._add_correction(case, results, step, items, outlines)
        for bone in case.bones:
            if bone in replaced:
                continue
            if side is not None and bone.side is not side and step not in ("study", "bones", "review"):
                continue
            share = opacity.get(str(bone), 1.0)
            if replaced and bone.bone is BoneName.FIBULA:
                share *= _FAINT  # it bends and slides in ways that are not planned here
            if replaced and bone.bone is BoneName.TALUS:
                self._add_carried(bone, case, results, share, items)
                continue
            self._add_bone(bone, results, share, heat, items, outlines)
        if step in ("guide", "approve"):
            self._add_guide(case, results, items, outlines)
        if step in ("plan", "guide", "approve"):
            self._add_implants(case, results, step, items, outlines)
        marks, lines = self._landmarks(results, side) if step in ("measure", "plan") and side else ((), ())
        if step == "plan" and side is not None:
            lines = (*lines, *self._after_lines(results, case, side))
        shown = {key: item for key, item in items.items() if opacity.get(key, 1.0) > 0.0}
        return Picture(shown, tuple(outlines), marks, lines)

    def _surface(
        self,
        key: str,
        mesh: Mesh,
        role: str,
        *,
        sharp: bool = False,
        opacity: float = 1.0,
        ready: bool = True,
        motion: Affine | None = None,
        heated: HeatedPart | None = None,
    ) -> Surface:
        made: Surface = self._keep(
            key,
            (mesh, role, sharp, float(opacity), ready, motion, heated),
            lambda: Surface(mesh, role, opacity, sharp=sharp, updating=not ready, motion=motion, heated=heated),
        )
        return made

    def _add_bone(
        self,
        bone: BoneId,
        results: Results,
        opacity: float,
        heat: Heat | None,
        items: dict[str, Item],
        outlines: list[Outline],
    ) -> None:
        value, ready = results(bone_key(bone))
        if not isinstance(value, Bone) or opacity <= 0.0:
            return
        for number, part in enumerate(value.parts):
            key = f"{bone}" if len(value.parts) == 1 else f"{bone}/{part.block}"
            heated = None if heat is None else heat.part(bone, number)
            if heated is not None and len(heated.values) != len(part.mesh.vertices):
                heated = None  # of the surface before
            items[key] = self._surface(key, part.mesh, f"bone/{bone.bone}", opacity=opacity, ready=ready, heated=heated)
            outlines.append(Outline(part.mesh, f"bone/{bone.bone}", bone.bone, bone.side, heated=heated))

    def _add_carried(self, bone: BoneId, case: Case, results: Results, opacity: float, items: dict[str, Item]) -> None:
        """Show a bone below the cut where the correction carries it."""
        value, ready = results(bone_key(bone))
        step = next(item for item in case.steps if isinstance(item, OsteotomyStep) and item.side is bone.side)
        plan, _ = results(osteotomy_key(step.id))
        if not isinstance(value, Bone) or opacity <= 0.0:
            return
        for part in value.parts:
            key = f"{bone}/{part.block}/carried"
            items[key] = self._surface(key, part.mesh, f"bone/{bone.bone}", opacity=opacity, ready=ready, motion=plan.correction)

    def _add_correction(
        self, case: Case, results: Results, step: str, items: dict[str, Item], outlines: list[Outline]
    ) -> set[BoneId]:
        replaced: set[BoneId] = set()
        if step not in ("plan", "guide", "approve"):
            return replaced
        for osteotomy in case.steps:
            if not isinstance(osteotomy, OsteotomyStep):
                continue
            plan, _ = results(osteotomy_key(osteotomy.id))
            if not isinstance(plan, OsteotomyPlan):
                continue
            pieces, ready = results(pieces_key(osteotomy.id))
            if step in PLANNING_STEPS and isinstance(pieces, Pieces):
                tibia = BoneId(osteotomy.side, BoneName.TIBIA)
                replaced.add(tibia)
                items[f"{osteotomy.id}/proximal"] = self._surface(
                    f"{osteotomy.id}/proximal", pieces.proximal, "bone/tibia", sharp=True, ready=ready
                )
                items[f"{osteotomy.id}/moved"] = self._surface(
                    f"{osteotomy.id}/moved", pieces.distal, "piece/moved", sharp=True, ready=ready, motion=plan.correction
                )
                outlines.append(Outline(pieces.proximal, "bone/tibia", "tibia", osteotomy.side))
                outlines.append(Outline(pieces.distal, "bone/tibia", "tibia", osteotomy.side, thin=True))
                outlines.append(Outline(pieces.distal_moved, "piece/moved", "distal_piece", osteotomy.side))
            items[f"{osteotomy.id}/plane"] = self._keep(f"{osteotomy.id}/plane", (plan,), partial(_plane_patch, plan))
            items[f"{osteotomy.id}/hinge"] = self._keep(f"{osteotomy.id}/hinge", (plan,), partial(_hinge_tube, plan))
        return replaced

    def _add_implants(self, case: Case, results: Results, step: str, items: dict[str, Item], outlines: list[Outline]) -> None:
        for implant in case.steps:
            if not isinstance(implant, ImplantStep) or (step == "guide"):
                continue
            placement, ready = results(implant_key(implant.id))
            if not isinstance(placement, ImplantPlacement):
                continue
            items[implant.id] = self._surface(implant.id, placement.mesh, "implant", sharp=True, ready=ready)
            outlines.append(Outline(placement.mesh, "implant", "implant", implant.side))
            if placement.screws:
                items[f"{implant.id}/screws"] = self._keep(f"{implant.id}/screws", (placement,), partial(_screws, placement))

    def _add_guide(self, case: Case, results: Results, items: dict[str, Item], outlines: list[Outline]) -> None:
        for step in case.steps:
            if not isinstance(step, GuideStep):
                continue
            guide, ready = results(guide_key(step.id))
            if not isinstance(guide, Guide):
                continue
            items[step.id] = self._surface(step.id, guide.mesh, "guide", sharp=True, opacity=0.85, ready=ready)
            outlines.append(Outline(guide.mesh, "guide", "guide", step.side))
            if guide.sleeves:
                items[f"{step.id}/pins"] = self._keep(f"{step.id}/pins", (guide,), partial(_pins, guide))

    def _landmarks(self, results: Results, side: Side) -> tuple[tuple[Mark, ...], tuple[Line, ...]]:
        landmarks, _ = results(landmarks_key(side))
        if not isinstance(landmarks, Landmarks):
            return (), ()
        marks = tuple(
            Mark(item.id, item.point_lps, item.status, side)
            for item in landmarks.items.values()
            if item.point_lps is not None and item.status != "missing"
        )
        return marks, leg_lines(landmarks)

    @staticmethod
    def _after_lines(results: Results, case: Case, side: Side) -> list[Line]:
        """Return the planned weight-bearing line, and the proposed cut as a ghost where the user has moved it."""
        landmarks, _ = results(landmarks_key(side))
        site, _ = results(site_key(side))
        lines = []
        for step in case.steps:
            if not isinstance(step, OsteotomyStep) or step.side is not side:
                continue
            plan, _ = results(osteotomy_key(step.id))
            if not isinstance(plan, OsteotomyPlan):
                continue
            hip, ankle = (
                landmarks.point(name) if isinstance(landmarks, Landmarks) else None for name in ("hip_centre", "ankle_centre")
            )
            if hip is not None and ankle is not None:
                lines.append(Line("planned_line", np.array([hip, plan.correction(ankle)]), "piece/moved"))
            if isinstance(site, OsteotomySite) and (step.start_tibia is not None or step.hinge_tibia is not None):
                ends = np.array([site.start_tibia, site.hinge_tibia])
                lines.append(Line("proposed_cut", site.frame.to_lps(ends), "text/secondary", dashed=True))
        return lines


def leg_lines(landmarks: Landmarks) -> tuple[Line, ...]:
    """Return axes, joint lines and weight-bearing line of a leg, as far as their points are there."""
    lines = []
    for name, start, end, role, dashed in _LINES:
        first, last = landmarks.point(start), landmarks.point(end)
        if first is not None and last is not None:
            lines.append(Line(name, np.array([first, last]), role, dashed))
    return tuple(lines)


def plane_corners(plan: OsteotomyPlan) -> FloatArray:
    """Return the corners of the cut plane as drawn: from medial of the start to the hinge, 60 mm wide, shape (4, 3), mm LPS."""
    depth = plan.hinge_lps - plan.start_lps
    across = depth - plan.hinge_direction * float(depth @ plan.hinge_direction)
    length = float(np.linalg.norm(across))
    across = across / max(length, 1e-9)
    near = plan.hinge_lps - across * (length + 12.0)
    half = plan.hinge_direction * 32.0
    return np.array([near - half, near + half, plan.hinge_lps + half, plan.hinge_lps - half])


def hinge_line(plan: OsteotomyPlan) -> FloatArray:
    """Return the hinge as one segment, 64 mm long, shape (1, 2, 3), mm LPS."""
    half = plan.hinge_direction * 32.0
    return np.array([[plan.hinge_lps - half, plan.hinge_lps + half]])


def _plane_patch(plan: OsteotomyPlan) -> Patch:
    return Patch(plane_corners(plan), "cut", 0.3)


def _hinge_tube(plan: OsteotomyPlan) -> Tubes:
    return Tubes(hinge_line(plan), 1.1, "danger")


def _screws(placement: ImplantPlacement) -> Tubes:
    segments = np.array([[screw.entry_lps, screw.tip_lps] for screw in placement.screws])
    return Tubes(segments, placement.screws[0].diameter_mm / 2.0, "pin")


def _pins(guide: Guide) -> Tubes:
    segments = [
        [sleeve.top_lps - 25.0 * sleeve.direction, sleeve.top_lps + sleeve.direction * max(sleeve.to_far_cortex_mm, 20.0)]
        for sleeve in guide.sleeves
    ]
    return Tubes(np.array(segments), guide.sleeves[0].bore_mm / 2.0, "pin")
