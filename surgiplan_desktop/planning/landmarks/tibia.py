"""All landmarks of a tibia and its fibula: which end is which, then plateau, ankle, shaft, tuberosity (clinical.md A.1)."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from surgiplan_desktop.base.arrays import FloatArray
from surgiplan_desktop.base.progress import SILENT, Progress
from surgiplan_desktop.geometry.fit import FittedLine
from surgiplan_desktop.model.anatomy import BoneName, LandmarkId, Side
from surgiplan_desktop.model.mesh import Bone
from surgiplan_desktop.model.study import Finding
from surgiplan_desktop.planning.landmarks import ankle, plateau
from surgiplan_desktop.planning.landmarks.artificial import tibia_artificial
from surgiplan_desktop.planning.landmarks.damage import malleoli_damage, mark_doubted, plateau_damage
from surgiplan_desktop.planning.landmarks.fibula import find_fibula
from surgiplan_desktop.planning.landmarks.found import Found, add, axis_between, bone_missing, complete, end_cut, miss
from surgiplan_desktop.planning.landmarks.judge import judge
from surgiplan_desktop.planning.landmarks.plausible import tibia_doubts
from surgiplan_desktop.planning.landmarks.spines import find_spines
from surgiplan_desktop.planning.landmarks.surface import (
    BoneSurface,
    bone_surface,
    end_is_cut,
    long_axis,
    section_centroid,
    shaft_levels,
    shaft_line,
)
from surgiplan_desktop.planning.landmarks.tibial_front import TibialAxes, find_anterosuperior_edge, find_tuberosity
from surgiplan_desktop.planning.records import Fit, FitLine, FitPlane, Landmarks, LandmarkStatus

_PROXIMAL = (
    "tibial_knee_centre",
    "medial_plateau_centre",
    "lateral_plateau_centre",
    "medial_plateau_edge",
    "lateral_plateau_edge",
    "medial_spine",
    "lateral_spine",
    "tibial_tuberosity",
    "tibial_anterosuperior_edge",
    "medial_posterior_plateau",
    "lateral_posterior_plateau",
)
_DISTAL = ("ankle_centre", "medial_malleolus", "medial_plafond", "lateral_plafond")
_SHAFT = ("tibial_shaft_proximal", "tibial_shaft_distal")
_FIBULAR = ("fibular_head_tip", "lateral_malleolus", "ptfj_proximal", "ptfj_distal", "ptfj_medial_margin")
#: Area of the section 15 mm from the end, above which the end is a plateau and no plafond (adults: 2300-3800 against 900-1400).
_PLATEAU_AREA_MM2 = 1600.0
#: Less than this of a bone does not show which end it is: then the patient's superior direction holds.
_SLIVER_MM = 40.0


@dataclass(slots=True)
class _Axes:
    """Working axes of the tibia, unit and orthogonal; refined while the landmarks come in."""

    up: FloatArray
    lateral: FloatArray
    anterior: FloatArray

    def turn(self, up: FloatArray, lateral: FloatArray, side_sign: int) -> None:
        """Take a new long axis and (roughly) lateral direction."""
        lateral = lateral - (lateral @ up) * up
        lateral = lateral / np.linalg.norm(lateral)
        self.up, self.lateral, self.anterior = up, lateral, side_sign * np.cross(up, lateral)


def find_tibia(side: Side, tibia: Bone, fibula: Bone | None = None, *, progress: Progress = SILENT) -> Landmarks:
    """Find the landmarks of a tibia and of its fibula.

    Parameters
    ----------
    side
        Side of the leg; with up and front it decides what is medial.
    tibia, fibula
        The bones in all their parts, LPS mm; without a fibula its landmarks are missing with that reason.

    Returns
    -------
    Landmarks
        Every tibial and fibular landmark id, missing ones with their reason; plateau normals; findings ``bone_upside_down`` and
        ``handedness_contradicts_side`` when the bone does not lie or look as it should.
    """
    progress.step(0, 4, "landmarks_tibia")
    surface = bone_surface(tibia)
    findings: list[Finding] = []
    up = _which_end(surface, findings)
    found: Found = {}
    fits: dict[LandmarkId, Fit] = {}
    cut_top, cut_bottom = end_is_cut(surface, up), end_is_cut(surface, -up)
    if cut_top:
        miss(found, end_cut(BoneName.TIBIA, "proximal"), *_PROXIMAL, *_SHAFT)
    if cut_bottom:
        miss(found, end_cut(BoneName.TIBIA, "distal"), *_DISTAL, *_SHAFT)
    shaft = _shaft(surface, up)
    axes = _first_axes(surface, up, shaft, side, fibula, cut_top=cut_top)
    foot = None if cut_bottom else ankle.find_plafond(surface, axes.up)
    progress.step(1, 4, "landmarks_tibia")
    top = None
    width: float | None = None
    if not cut_top and not cut_bottom:
        _shaft_points(found, fits, surface, axes.up)
    if not cut_top:
        top = _knee_end(found, fits, surface, axes, side, shaft, foot)
        width = _width_mm(surface, axes)
    progress.step(2, 4, "landmarks_tibia")
    if foot is not None:
        _ankle_end(found, fits, surface, axes, foot)
    progress.step(3, 4, "landmarks_tibia")
    # a shaft without plateau and malleolus tells no front, so nothing of its side
    lateral_evidence = None if cut_top and cut_bottom else _lateral_evidence(found, surface, axes, fibula)
    if lateral_evidence is not None and lateral_evidence < 0.0:
        findings.append(Finding("handedness_contradicts_side", "critical", (("bone", "tibia"), ("side", side.value))))
    own = np.array([axes.lateral, axes.anterior, axes.up])
    beside: BoneSurface | None = None
    if fibula is None:
        miss(found, bone_missing(BoneName.FIBULA), *_FIBULAR)
    else:
        beside = bone_surface(fibula)
        find_fibula(found, beside, surface, axes.up, -axes.lateral)
    artificial = tibia_artificial(surface, axes.up, cut_top=cut_top, plateau_mm2=_PLATEAU_AREA_MM2)
    # of a plateau that is no bone's no side needs to be told apart
    damage = [] if top is None or artificial else plateau_damage(surface, top, found)
    damage += [] if width is None else malleoli_damage(found, surface, beside, width)
    mark_doubted(found, damage)
    judge(found, findings, side, BoneName.TIBIA, surface, own)
    if beside is not None:
        judge(found, findings, side, BoneName.FIBULA, beside, own)
    findings += damage + tibia_doubts(found, surface, own, width)
    findings += artificial
    progress.step(4, 4, "landmarks_tibia")
    return Landmarks(
        side,
        MappingProxyType(complete(found, (BoneName.TIBIA, BoneName.FIBULA))),
        tibia_ml_width_mm=width,
        plateau_normals=None if top is None else top.normals,
        findings=tuple(findings),
        fits=MappingProxyType(fits),
    )


def _which_end(surface: BoneSurface, findings: list[Finding]) -> FloatArray:
    """Axis pointing proximal: the end with the larger section; with one end in view, the patient's superior direction."""
    axis = long_axis(surface)

    def area(up: FloatArray) -> float:
        heights = surface.heights(up)
        across = surface.centroid - (surface.centroid @ up) * up
        depth = min(15.0, 0.4 * float(np.ptp(heights)))
        outlines = surface.section(across + (float(heights.max()) - depth) * up, up)
        return outlines[0].area_mm2 if outlines else 0.0

    cut_top, cut_bottom = end_is_cut(surface, axis), end_is_cut(surface, -axis)
    if float(np.ptp(surface.heights(axis))) < _SLIVER_MM:
        stands = True
    elif not cut_top and not cut_bottom:
        stands = area(axis) >= area(-axis)
    elif cut_top and not cut_bottom:
        stands = area(-axis) < _PLATEAU_AREA_MM2
    elif cut_bottom and not cut_top:
        stands = area(axis) > 0.55 * _PLATEAU_AREA_MM2
    else:
        stands = True
    if not stands:
        findings.append(Finding("bone_upside_down", "critical", (("bone", BoneName.TIBIA.value),)))
        return -axis
    return axis


def _shaft(surface: BoneSurface, up: FloatArray) -> FittedLine | None:
    heights = surface.heights(up)
    low, high = float(heights.min()), float(heights.max())
    cut_top, cut_bottom = end_is_cut(surface, up), end_is_cut(surface, -up)
    length = high - low
    bottom = low if cut_bottom else low + min(60.0, 0.2 * length)
    top = high if cut_top else high - (70.0 if cut_bottom else min(90.0, 0.25 * length))
    return shaft_line(surface, up, bottom, top)


def _first_axes(
    surface: BoneSurface, up: FloatArray, shaft: FittedLine | None, side: Side, fibula: Bone | None, *, cut_top: bool
) -> _Axes:
    if shaft is not None:
        up = shaft.direction
    if cut_top:
        # the malleolus stands out medially from the shaft
        tip = surface.vertices[int(np.argmin(surface.heights(up)))]
        origin = surface.centroid if shaft is None else shaft.point
        medial = tip - origin - ((tip - origin) @ up) * up
        lateral = -medial / max(float(np.linalg.norm(medial)), 1e-9)
        return _Axes(up, lateral, side.sign * np.cross(up, lateral))
    head: FloatArray | None = None
    if fibula is not None:
        points = fibula.surface_points
        levels = points @ up
        if levels.max() > surface.heights(up).max() - 50.0:
            head = points[levels > levels.max() - 20.0].mean(axis=0)
    anterior = plateau.anterior_direction(surface, up, shaft, head)
    return _Axes(up, side.sign * np.cross(anterior, up), anterior)


def _knee_end(
    found: Found,
    fits: dict[LandmarkId, Fit],
    surface: BoneSurface,
    axes: _Axes,
    side: Side,
    shaft: FittedLine | None,
    foot: ankle.Plafond | None,
) -> plateau.Plateau | None:
    """Plateau landmarks; turns ``axes`` into the bone's own (knee centre to ankle, posterior plateau line) on the way."""
    heights = surface.heights(axes.up)
    head = surface.crop(heights > heights.max() - 75.0)
    top = plateau.find_plateau(head, axes.up, axes.lateral, axes.anterior)
    if top is None:
        return None
    spines = find_spines(head, top)
    knee = _knee_centre(top, spines)
    up = axes.up if foot is None or knee is None else (knee - foot.centre) / np.linalg.norm(knee - foot.centre)
    rear = plateau.find_posterior(head, top, up, top.to_lateral, top.to_anterior)
    axes.turn(up, top.to_lateral if rear is None else rear[1] - rear[0], side.sign)
    status: LandmarkStatus = "auto" if foot is not None else "estimated"
    if knee is not None:
        patches = [patch for patch in (top.medial, top.lateral) if patch is not None]
        points, covered = sum(patch.n_points for patch in patches), sum(patch.coverage for patch in patches) / 2.0
        found_how: LandmarkStatus = "auto" if spines[0] is not None else "estimated"
        add(found, "tibial_knee_centre", knee, status=found_how, rms=top.rms, n_points=points, coverage=covered)
        fits["tibial_knee_centre"] = FitPlane(knee, top.normal, top.half_width, top.rms, points, covered)
    for landmark, tip in (("medial_spine", spines[0]), ("lateral_spine", spines[1])):
        if tip is not None:
            add(found, landmark, tip)
    for landmark, patch in (("medial_plateau_centre", top.medial), ("lateral_plateau_centre", top.lateral)):
        if patch is not None:
            add(found, landmark, patch.centre, rms=patch.rms, n_points=patch.n_points, coverage=patch.coverage)
            reach = float(np.sqrt(patch.area_mm2 / np.pi))
            fits[landmark] = FitPlane(patch.centre, patch.normal, reach, patch.rms, patch.n_points, patch.coverage)
    edges = plateau.find_edges(head, top)
    if edges is not None:
        add(found, "medial_plateau_edge", edges[0])
        add(found, "lateral_plateau_edge", edges[1])
    if rear is not None:
        add(found, "medial_posterior_plateau", rear[0], rms=rear[2], status=status)
        add(found, "lateral_posterior_plateau", rear[1], rms=rear[2], status=status)
    if knee is not None:
        line = axis_between(found, _SHAFT) or shaft or FittedLine(top.centre, axes.up, 0.0, 0)
        own = TibialAxes(knee, axes.up, axes.lateral, axes.anterior)
        for landmark, front in (
            ("tibial_tuberosity", find_tuberosity(surface, own, line)),
            ("tibial_anterosuperior_edge", find_anterosuperior_edge(head, own)),
        ):
            if front is not None:
                add(found, landmark, front[0], rms=front[1], status=status)
    return top


def _knee_centre(top: plateau.Plateau, spines: tuple[FloatArray | None, FloatArray | None]) -> FloatArray | None:
    """Midpoint of the spines dropped on the plateau plane; without spines the midpoint of the patch centroids."""
    if spines[0] is not None and spines[1] is not None:
        middle = 0.5 * (spines[0] + spines[1])
    elif top.medial is not None and top.lateral is not None:
        middle = 0.5 * (top.medial.centre + top.lateral.centre)
    else:
        return None
    dropped: FloatArray = middle - float((middle - top.point) @ top.normal) * top.normal
    return dropped


def _ankle_end(found: Found, fits: dict[LandmarkId, Fit], surface: BoneSurface, axes: _Axes, foot: ankle.Plafond) -> None:
    add(found, "ankle_centre", foot.centre, rms=foot.rms, n_points=foot.n_points)
    reach = 0.5 * float(np.ptp((foot.patch - foot.centre) @ axes.lateral))
    plane = FitPlane(foot.centre, foot.normal, reach, foot.rms, foot.n_points, 1.0)
    fits["ankle_centre"] = plane
    ends = ankle.plafond_ends(surface, foot, axes.up, axes.lateral, axes.anterior)
    if ends is not None:
        for landmark, end in (("medial_plafond", ends.medial), ("lateral_plafond", ends.lateral)):
            if end is not None:
                add(found, landmark, end, rms=foot.rms, n_points=foot.n_points)
                fits[landmark] = FitPlane(foot.centre, ends.normal, reach, foot.rms, foot.n_points, 1.0)
    tip = ankle.find_medial_malleolus(surface, axes.up)
    if tip is not None:
        add(found, "medial_malleolus", tip)


def _shaft_points(found: Found, fits: dict[LandmarkId, Fit], surface: BoneSurface, up: FloatArray) -> None:
    heights = surface.heights(up)
    low, high = float(heights.min()), float(heights.max())
    levels = shaft_levels(surface, up, low + 0.15 * (high - low), low + 0.85 * (high - low), 1.0)
    across = surface.centroid - (surface.centroid @ up) * up
    covered = min(1.0, len(levels) / max(0.7 * (high - low), 1.0))
    for landmark, share in (("tibial_shaft_distal", 0.25), ("tibial_shaft_proximal", 0.75)):
        wanted = low + share * (high - low)
        for level in levels[np.argsort(np.abs(levels - wanted), kind="stable")]:
            point = section_centroid(surface, across + level * up, up)
            if point is not None:
                add(found, landmark, point, coverage=covered)
                break
    axis = axis_between(found, _SHAFT)
    start, end = (found[name].point_lps if name in found else None for name in reversed(_SHAFT))
    if axis is not None and start is not None and end is not None:
        fits.update(dict.fromkeys(_SHAFT, FitLine(start, end, axis.rms, axis.n_points, covered)))


def _lateral_evidence(found: Found, surface: BoneSurface, axes: _Axes, fibula: Bone | None) -> float | None:
    """How far (mm) what must lie lateral lies lateral: the fibula, else the ankle centre against the malleolus."""
    if fibula is not None:
        return float((fibula.surface_points.mean(axis=0) - surface.centroid) @ axes.lateral)
    ends = [found[landmark].point_lps if landmark in found else None for landmark in ("ankle_centre", "medial_malleolus")]
    centre, tip = ends
    if centre is None or tip is None or found["medial_malleolus"].status == "missing":
        return None
    return float((centre - tip) @ axes.lateral)


def _width_mm(surface: BoneSurface, axes: _Axes) -> float:
    """Extent along the bone's Z of the proximal 15 mm."""
    heights = surface.heights(axes.up)
    across = surface.vertices[surface.real & (heights > heights.max() - 15.0)] @ axes.lateral
    return float(across.max() - across.min())
