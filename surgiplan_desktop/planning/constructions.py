"""Points that published definitions of measures need beside the landmarks: centroids of named sections, shaft axes in view.

They are made from the bones and what the finders found, never from what the user moved: so that a dragged landmark does not wait
for sections to be cut. No scanner's table is known here (a mesh has none): sections lie across the mechanical axis of the bone.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np
from scipy.spatial import ConvexHull

from surgiplan_desktop.base.arrays import FloatArray, frozen, unit
from surgiplan_desktop.base.progress import SILENT, Progress
from surgiplan_desktop.geometry.section import Outline, outline_of, plane_basis
from surgiplan_desktop.model.anatomy import BoneName, LandmarkId, Side
from surgiplan_desktop.model.mesh import Bone
from surgiplan_desktop.model.study import Finding
from surgiplan_desktop.planning.landmarks.surface import BoneSurface, bone_surface, long_axis, shaft_levels, shaft_line
from surgiplan_desktop.planning.limits import default_limits
from surgiplan_desktop.planning.records import LandmarkEstimate, Landmarks


@dataclass(frozen=True, slots=True)
class ConstructedPoint:
    """What a constructed point is and which bone it lies in."""

    id: str
    bone: BoneName
    definition: str


_F, _T, _B, _P = BoneName.FEMUR, BoneName.TIBIA, BoneName.FIBULA, BoneName.PATELLA
#: Every constructed point by id.
CONSTRUCTED: Final[dict[LandmarkId, ConstructedPoint]] = {
    item.id: item
    for item in (
        ConstructedPoint("murphy_base", _F, "centroid of the section directly above the lesser trochanter"),
        ConstructedPoint("greater_trochanter_centre", _F, "centroid of the greater trochanter in a section below its tip"),
        ConstructedPoint("femoral_distal_shaft_low", _F, "lower end of the axis of the distal shaft in view"),
        ConstructedPoint("femoral_distal_shaft_high", _F, "upper end of the axis of the distal shaft in view"),
        ConstructedPoint("tibial_proximal_shaft_low", _T, "lower end of the axis of the proximal shaft in view"),
        ConstructedPoint("tibial_proximal_shaft_high", _T, "upper end of the axis of the proximal shaft in view"),
        ConstructedPoint("tibial_head_medial", _T, "medial end of the long axis of the tibial head's section"),
        ConstructedPoint("tibial_head_lateral", _T, "lateral end of the long axis of the tibial head's section"),
        ConstructedPoint("fibular_notch", _T, "middle of the tibia's edge that faces the fibula above the plafond"),
        ConstructedPoint("medial_malleolus_centre", _T, "centroid of the medial malleolus below the plafond"),
        ConstructedPoint("lateral_malleolus_centre", _B, "centroid of the lateral malleolus below the plafond"),
        ConstructedPoint("patella_medial", _P, "medial end of the long axis of the patella's middle section"),
        ConstructedPoint("patella_lateral", _P, "lateral end of the long axis of the patella's middle section"),
        ConstructedPoint("patella_anterior", _P, "most anterior point of that section across its long axis"),
        ConstructedPoint("patella_posterior", _P, "most posterior point of that section across its long axis"),
    )
}
#: A centroid of a section is sure to this (mm): it hangs on the height of its level, not on single vertices.
_CENTROID_SD_MM: Final = 0.5
#: The least area of a section that is bone, not a sliver of its tip, mm2.
_LEAST_MM2: Final = 30.0
#: Where the greater trochanter begins on the way from the head's centre (0) along the neck axis to the shaft axis (1).
_TROCHANTER_FROM: Final = 0.7
#: The edge facing the fibula: points of the outline so near to the nearest one, mm.
_FACING_MM: Final = 4.0

Constructed = dict[LandmarkId, LandmarkEstimate]


def find_constructions(
    side: Side, bones: tuple[BoneName, ...], *results: Bone | Landmarks, progress: Progress = SILENT
) -> Landmarks:
    """Cut the sections of a leg.

    Parameters
    ----------
    side
        Of the leg.
    bones
        Names of the bones that come first in ``results``: femur, tibia, fibula, patella, as far as there are any.
    results
        Those bones, then what their finders found.

    Returns
    -------
    Landmarks
        Without landmarks of the vocabulary; every id of :data:`CONSTRUCTED` whose bone is there, missing ones with their reason.
    """
    given = {name: item for name, item in zip(bones, results, strict=False) if isinstance(item, Bone)}
    found: dict[LandmarkId, LandmarkEstimate] = {}
    for item in results[len(bones) :]:
        if isinstance(item, Landmarks):
            found.update(item.items)
    known = {name: item.point_lps for name, item in found.items() if item.point_lps is not None}
    reasons = {name: item.reason for name, item in found.items() if item.point_lps is None and item.reason is not None}
    made: Constructed = {}
    progress.step(0, 2, "constructions")
    if BoneName.FEMUR in given:
        _femur(_Sections(bone_surface(given[BoneName.FEMUR], calm=False), known, reasons, made, BoneName.FEMUR))
    progress.step(1, 2, "constructions")
    if BoneName.TIBIA in given:
        sections = _Sections(bone_surface(given[BoneName.TIBIA], calm=False), known, reasons, made, BoneName.TIBIA)
        _tibia(sections, given.get(BoneName.FIBULA))
    if BoneName.PATELLA in given:
        _patella(_Sections(bone_surface(given[BoneName.PATELLA], calm=False), known, reasons, made, BoneName.PATELLA))
    for point, definition in CONSTRUCTED.items():
        if definition.bone in given or (definition.bone is BoneName.FIBULA and BoneName.TIBIA in given):
            made.setdefault(point, _missing(point, _no_section(point)))
    return Landmarks(side, MappingProxyType({}), constructed=MappingProxyType(made))


@dataclass(frozen=True, slots=True, eq=False)
class _Sections:
    """What the points of one bone are made from: its surface, found landmarks and the reasons of missing ones."""

    surface: BoneSurface
    known: dict[LandmarkId, FloatArray]
    reasons: dict[LandmarkId, Finding]
    made: Constructed
    bone: BoneName

    def axis(self, low: LandmarkId, high: LandmarkId) -> FloatArray:
        """Mechanical axis pointing proximally; the long axis where an end is out of view."""
        if low in self.known and high in self.known:
            return unit(self.known[high] - self.known[low])
        return long_axis(self.surface)

    def have(self, point: LandmarkId, *landmarks: LandmarkId) -> bool:
        """Whether these landmarks were found; if not, the point is missing for the reason of the first that was not."""
        for landmark in landmarks:
            if landmark not in self.known:
                reason = self.reasons.get(landmark)
                self.made[point] = _missing(point, reason or Finding("landmark_missing", "warn", (("landmark", landmark),)))
                return False
        return True

    def outlines(self, axis: FloatArray, height: float, surface: BoneSurface | None = None) -> tuple[Outline, ...]:
        """Outlines of bone at a height along ``axis``, largest first."""
        surface = self.surface if surface is None else surface
        return tuple(item for item in surface.section(axis * height, axis) if item.area_mm2 > _LEAST_MM2)

    def add(self, point: LandmarkId, place: FloatArray, sd_mm: float = _CENTROID_SD_MM) -> None:
        """Write a point down."""
        self.made[point] = LandmarkEstimate(point, frozen(np.array(place, dtype=np.float64)), "auto", sd_mm=sd_mm)


def _missing(point: LandmarkId, reason: Finding) -> LandmarkEstimate:
    return LandmarkEstimate(point, None, "missing", reason=reason)


def _no_section(point: LandmarkId) -> Finding:
    return Finding("section_not_found", "note", (("point", point), ("bone", CONSTRUCTED[point].bone.value)))


def _femur(sections: _Sections) -> None:
    limits, known = default_limits(), sections.known
    up = sections.axis("femoral_knee_centre", "hip_centre")
    ends = ("femoral_distal_shaft_low", "femoral_distal_shaft_high")
    if sections.have(ends[0], "medial_distal_condyle", "lateral_distal_condyle"):
        joint = float(0.5 * (known["medial_distal_condyle"] + known["lateral_distal_condyle"]) @ up)
        highest = float(known["lesser_trochanter_tip"] @ up) if "lesser_trochanter_tip" in known else np.inf
        _shaft(sections, ends, up, joint + limits["construct.femur_metaphysis_mm"], highest, upward=True)
    if sections.have("murphy_base", "hip_centre", "lesser_trochanter_tip"):
        height = float(known["lesser_trochanter_tip"] @ up) + limits["construct.above_lesser_mm"]
        outlines = sections.outlines(up, height)
        if outlines:
            sections.add("murphy_base", outlines[0].centroid)
    if sections.have("greater_trochanter_centre", "hip_centre", "femoral_neck_base", "greater_trochanter_tip"):
        height = float(known["greater_trochanter_tip"] @ up) - limits["construct.below_greater_mm"]
        neck = known["femoral_neck_base"] - known["hip_centre"]
        across = neck - float(neck @ up) * up
        border = float(known["hip_centre"] @ across) + _TROCHANTER_FROM * float(across @ across)
        centres = [centre for item in sections.outlines(up, height) if (centre := _beyond(item, across, border)) is not None]
        if centres:
            sections.add("greater_trochanter_centre", centres[0])


def _tibia(sections: _Sections, fibula: Bone | None) -> None:
    limits, known = default_limits(), sections.known
    up = sections.axis("ankle_centre", "tibial_knee_centre")
    ends = ("tibial_proximal_shaft_low", "tibial_proximal_shaft_high")
    if sections.have(ends[0], "medial_plateau_centre", "lateral_plateau_centre"):
        medial, lateral = known["medial_plateau_centre"], known["lateral_plateau_centre"]
        plateau = float(0.5 * (medial + lateral) @ up)
        lowest = (
            float(known["ankle_centre"] @ up) + limits["construct.tibia_metaphysis_mm"] if "ankle_centre" in known else -np.inf
        )
        _shaft(sections, ends, up, plateau - limits["construct.tibia_metaphysis_mm"], lowest, upward=False)
        outlines = sections.outlines(up, plateau - limits["construct.tibial_head_mm"])
        if outlines:
            centre, reach = _long_axis(_hull(outlines, up), up)
            reach = reach if float(reach @ (lateral - medial)) > 0 else -reach
            sections.add("tibial_head_medial", centre - reach)
            sections.add("tibial_head_lateral", centre + reach)
    else:
        for point in ("tibial_head_medial", "tibial_head_lateral"):
            sections.made[point] = _missing(point, sections.made[ends[0]].reason or _no_section(point))
    ankle = ("fibular_notch", "medial_malleolus_centre", "lateral_malleolus_centre")
    if not sections.have(ankle[0], "ankle_centre"):
        for point in ankle[1:]:
            sections.made[point] = _missing(point, sections.made[ankle[0]].reason or _no_section(point))
        return
    plafond = float(known["ankle_centre"] @ up)
    below = plafond - limits["construct.malleoli_below_mm"]
    outlines = sections.outlines(up, below)
    if outlines:
        sections.add("medial_malleolus_centre", outlines[0].centroid)
    if fibula is None:
        for point in (ankle[0], ankle[2]):
            sections.made[point] = _missing(point, Finding("bone_missing", "warn", (("bone", BoneName.FIBULA.value),)))
        return
    other = bone_surface(fibula, calm=False)
    outlines = sections.outlines(up, below, other)
    if outlines:
        sections.add("lateral_malleolus_centre", outlines[0].centroid)
    above = plafond + limits["construct.notch_above_mm"]
    tibial, fibular = sections.outlines(up, above), sections.outlines(up, above, other)
    if tibial and fibular:
        distance = np.linalg.norm(tibial[0].points - fibular[0].centroid, axis=1)
        sections.add("fibular_notch", tibial[0].points[distance < distance.min() + _FACING_MM].mean(axis=0))


def _patella(sections: _Sections) -> None:
    """Width and thickness in the section half way between the poles; medial and anterior by the femur behind it."""
    known, ends = sections.known, ("patella_medial", "patella_lateral")
    behind = ("medial_posterior_condyle", "lateral_posterior_condyle")
    if not sections.have(ends[0], "patella_superior_pole", "patella_inferior_pole", *behind):
        for point in (ends[1], "patella_anterior", "patella_posterior"):
            sections.made[point] = _missing(point, sections.made[ends[0]].reason or _no_section(point))
        return
    superior, inferior = known["patella_superior_pole"], known["patella_inferior_pole"]
    axis, middle = unit(superior - inferior), 0.5 * (superior + inferior)
    outlines = sections.outlines(axis, float(middle @ axis))
    if not outlines:
        return
    centre, reach = _long_axis(outlines[0], axis)
    reach = reach if float(reach @ (known[behind[1]] - known[behind[0]])) > 0 else -reach
    sections.add(ends[0], centre - reach)
    sections.add(ends[1], centre + reach)
    forward = np.cross(unit(reach), axis)
    femur = 0.5 * (known[behind[0]] + known[behind[1]])
    forward = forward if float(forward @ (centre - femur)) > 0 else -forward
    along = outlines[0].points @ forward
    sections.add("patella_anterior", outlines[0].points[int(np.argmax(along))])
    sections.add("patella_posterior", outlines[0].points[int(np.argmin(along))])


def _shaft(
    sections: _Sections, ends: tuple[LandmarkId, LandmarkId], up: FloatArray, start: float, stop: float, *, upward: bool
) -> None:
    """Axis of the shaft from ``start`` away from the knee, as far as in view, at most to ``stop`` (heights along ``up``)."""
    limits = default_limits()
    most, least = limits["construct.shaft_most_mm"], limits["construct.shaft_least_mm"]
    heights = sections.surface.heights(up)
    low, high = (
        (start, min(start + most, stop, float(heights.max())))
        if upward
        else (max(start - most, stop, float(heights.min())), start)
    )
    levels = shaft_levels(sections.surface, up, low, high, 1.0) if high > low else np.zeros(0)
    seen = float(levels[-1] - levels[0]) if len(levels) else 0.0
    line = None if seen < least else shaft_line(sections.surface, up, float(levels[0]), float(levels[-1]))
    if line is None:
        reason = Finding("shaft_too_short", "note", (("bone", sections.bone.value), ("shaft_mm", seen), ("least_mm", least)))
        for point in ends:
            sections.made[point] = _missing(point, reason)
        return
    for point, height in zip(ends, (levels[0], levels[-1]), strict=True):
        along = (height - float(line.point @ up)) / float(line.direction @ up)
        sections.add(point, line.point + along * line.direction, max(0.2, line.rms))


def _beyond(outline: Outline, direction: FloatArray, border: float) -> FloatArray | None:
    """Centroid of the part of an outline whose coordinate along ``direction`` is over ``border``; None where there is none."""
    points = outline.points
    along = points @ direction - border
    following, after = np.roll(points, -1, axis=0), np.roll(along, -1)
    corners: list[FloatArray] = []
    for here, there, first, last in zip(points, following, along, after, strict=True):
        if first >= 0.0:
            corners.append(here)
        if first * last < 0.0:
            corners.append(here + first / (first - last) * (there - here))
    if len(corners) < 3:
        return None
    loop = np.array(corners)
    local = loop - loop[0]
    areas = np.cross(local, np.roll(local, -1, axis=0))
    whole = areas.sum(axis=0)
    weights = areas @ whole
    if float(np.linalg.norm(whole)) < 2.0 * _LEAST_MM2:
        return None
    centre: FloatArray = loop[0] + weights @ (local + np.roll(local, -1, axis=0)) / (3.0 * weights.sum())
    return centre


def _hull(outlines: tuple[Outline, ...], normal: FloatArray) -> Outline:
    """Convex outline round a section: as a reader's ellipse does, it passes over gaps where a thin cortex was not found."""
    points = np.concatenate([outline.points for outline in outlines])
    origin, (first, second) = points.mean(axis=0), plane_basis(normal)
    flat = np.column_stack([(points - origin) @ first, (points - origin) @ second])
    return outline_of(points[ConvexHull(flat).vertices], first, second)


def _long_axis(outline: Outline, normal: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Centroid of an outline and half the long axis of the ellipse of the same second moments."""
    local = outline.points - outline.centroid
    following = np.roll(local, -1, axis=0)
    areas = np.cross(local, following) @ normal
    sums = local + following
    moments = sum(np.einsum("m,mi,mj->ij", areas, item, item) for item in (sums, local, following)) / (24.0 * outline.area_mm2)
    values, vectors = np.linalg.eigh(0.5 * (moments + moments.T))
    half: FloatArray = 2.0 * np.sqrt(values[2]) * vectors[:, 2]
    return outline.centroid, half
