"""All landmarks of a femur, from its surface alone: which end is which, then head, shaft, condyles (clinical.md A.1)."""

from __future__ import annotations

from types import MappingProxyType

import numpy as np

from surgiplan_desktop.base.arrays import FloatArray
from surgiplan_desktop.base.progress import SILENT, Progress
from surgiplan_desktop.geometry.fit import FittedLine
from surgiplan_desktop.model.anatomy import BoneName, LandmarkId, Side
from surgiplan_desktop.model.mesh import Bone
from surgiplan_desktop.model.study import Finding
from surgiplan_desktop.planning.landmarks import condyles as distal
from surgiplan_desktop.planning.landmarks.artificial import femur_artificial
from surgiplan_desktop.planning.landmarks.damage import condyle_damage, mark_doubted, neck_damage, trochanter_damage
from surgiplan_desktop.planning.landmarks.epicondyles import find_adductor_tubercle, find_axis, find_epicondyles
from surgiplan_desktop.planning.landmarks.found import Found, add, axis_between, complete, end_cut, miss, not_found
from surgiplan_desktop.planning.landmarks.groove import find_groove
from surgiplan_desktop.planning.landmarks.hip import Head, find_head, find_neck_base
from surgiplan_desktop.planning.landmarks.judge import judge
from surgiplan_desktop.planning.landmarks.plausible import femur_doubts
from surgiplan_desktop.planning.landmarks.surface import (
    BoneSurface,
    bone_surface,
    end_is_cut,
    long_axis,
    section_centroid,
    shaft_levels,
    shaft_line,
)
from surgiplan_desktop.planning.landmarks.trochanters import find_greater, find_lesser
from surgiplan_desktop.planning.records import Fit, FitLine, FitSphere, Landmarks, LandmarkStatus

_PROXIMAL = ("hip_centre", "femoral_neck_base", "greater_trochanter_tip", "lesser_trochanter_tip")
_DISTAL = (
    "femoral_knee_centre",
    "medial_epicondyle",
    "lateral_epicondyle",
    "medial_distal_condyle",
    "lateral_distal_condyle",
    "medial_posterior_condyle",
    "lateral_posterior_condyle",
    "trochlear_groove",
    "adductor_tubercle",
)
_SHAFT = ("femoral_shaft_proximal", "femoral_shaft_distal")
#: Height of the distal end that is no shaft, and depth of the proximal one down to below the lesser trochanter's apex, mm.
_METAPHYSIS_MM = 75.0
_TROCHANTERS_MM = 95.0
#: A head lies at least this far from the line of the shaft, in radii: 1.5 to 2 on bones, 0.7 what is round of a cut neck.
_LEAST_OFFSET = 0.9


def find_femur(side: Side, femur: Bone, *, progress: Progress = SILENT) -> Landmarks:
    """Find the landmarks of a femur.

    Parameters
    ----------
    side
        Side of the leg; it alone decides what is medial.
    femur
        The bone in all its parts, LPS mm.

    Returns
    -------
    Landmarks
        Every femoral landmark id, missing ones with their reason; findings ``bone_upside_down`` and
        ``handedness_contradicts_side`` when the bone does not lie or look as it should.
    """
    progress.step(0, 4, "landmarks_femur")
    surface = bone_surface(femur)
    findings: list[Finding] = []
    up, head = _which_end(surface, findings)
    progress.step(1, 4, "landmarks_femur")
    found: Found = {}
    fits: dict[LandmarkId, Fit] = {}
    cut_top, cut_bottom = end_is_cut(surface, up), end_is_cut(surface, -up)
    if cut_top:
        miss(found, end_cut(BoneName.FEMUR, "proximal"), *_PROXIMAL, *_SHAFT)
    if cut_bottom:
        miss(found, end_cut(BoneName.FEMUR, "distal"), *_DISTAL, *_SHAFT)
    shaft = _shaft(surface, up, cut_top=cut_top, cut_bottom=cut_bottom)
    if head is not None and shaft is not None and not _off_the_shaft(head, shaft):
        head = None
    if head is None and not cut_top:
        miss(found, not_found("hip_centre"), *_PROXIMAL)
    width: float | None = None
    condyles: distal.Condyles | None = None
    if not cut_bottom:
        width, condyles = _distal_end(found, fits, surface, shaft.direction if shaft else up, side, head, findings)
    progress.step(2, 4, "landmarks_femur")
    if not cut_top and not cut_bottom:
        _shaft_points(found, fits, surface, up if condyles is None else condyles.up)
    progress.step(3, 4, "landmarks_femur")
    damage = [] if condyles is None or width is None else condyle_damage(surface, condyles, width)
    if head is not None:
        sphere = head.sphere
        add(found, "hip_centre", sphere.centre, rms=sphere.rms, n_points=sphere.n_points, coverage=head.coverage)
        fits["hip_centre"] = FitSphere(sphere.centre, sphere.radius, sphere.rms, sphere.n_points, head.coverage)
        damage += _proximal_end(found, surface, head, shaft, side, condyles)
    axes = None if condyles is None else np.array([condyles.lateral, condyles.anterior, condyles.up])
    mark_doubted(found, damage)
    judge(found, findings, side, BoneName.FEMUR, surface, axes)
    findings += damage + femur_doubts(found, None if head is None else head.sphere.radius, width)
    findings += [] if condyles is None else femur_artificial(surface, condyles)
    progress.step(4, 4, "landmarks_femur")
    radius = None if head is None else head.sphere.radius
    items = MappingProxyType(complete(found, (BoneName.FEMUR,)))
    return Landmarks(
        side, items, femoral_head_radius_mm=radius, femur_ml_width_mm=width, findings=tuple(findings), fits=MappingProxyType(fits)
    )


def _which_end(surface: BoneSurface, findings: list[Finding]) -> tuple[FloatArray, Head | None]:
    """Axis pointing proximal, and the head when it is in view.

    The head decides, and where both ends have something round, the rounder. With one end cut, the other one is the proximal one
    if it points up; pointing down it must be a sphere alone, since a round condyle also fits one.
    """
    axis = long_axis(surface)
    cut = {up: end_is_cut(surface, sign * axis) for up, sign in ((True, 1.0), (False, -1.0))}
    upper = None if cut[True] else find_head(surface, axis)
    lower = None if cut[False] else find_head(surface, -axis)
    if lower is not None and cut[True] and not _stands_alone(surface, -axis, lower):
        lower = None
    if lower is not None and (upper is None or lower.coverage > upper.coverage):
        findings.append(Finding("bone_upside_down", "critical", (("bone", BoneName.FEMUR.value),)))
        return -axis, lower
    return axis, upper


def _stands_alone(surface: BoneSurface, outward: FloatArray, head: Head) -> bool:
    """Whether the sphere alone makes up the end of the bone: beside a condyle there is the other one."""
    heights = surface.heights(outward)
    last = surface.real & (heights > heights.max() - 0.4 * head.sphere.radius)
    away = np.linalg.norm(surface.vertices - head.sphere.centre, axis=1) > 1.15 * head.sphere.radius
    return float(surface.areas[last & away].sum()) < 0.1 * float(surface.areas[last].sum())


def _off_the_shaft(head: Head, shaft: FittedLine) -> bool:
    """Whether a sphere lies beside the line of the shaft, as a head on its neck does, not on it as the round of a stump does."""
    offset = head.sphere.centre - shaft.point
    across = offset - float(offset @ shaft.direction) * shaft.direction
    return float(np.linalg.norm(across)) > _LEAST_OFFSET * head.sphere.radius


def _shaft(surface: BoneSurface, up: FloatArray, *, cut_top: bool, cut_bottom: bool) -> FittedLine | None:
    heights = surface.heights(up)
    low, high = float(heights.min()), float(heights.max())
    length = high - low
    if cut_top and cut_bottom:
        ends = (low, high)
    elif cut_top:
        ends = (low + 75.0, high)
    elif cut_bottom:
        ends = (low, high - 110.0)
    else:
        middle = shaft_line(surface, up, low + 0.25 * length, high - 0.25 * length)
        if middle is not None:
            return middle
        # hip and knee scanned as blocks: the shaft above the knee and what the hip block shows below the lesser trochanter
        ends = (low + _METAPHYSIS_MM, high - _TROCHANTERS_MM)
    return shaft_line(surface, up, *ends)


def _shaft_points(found: Found, fits: dict[LandmarkId, Fit], surface: BoneSurface, up: FloatArray) -> None:
    """Centroids at 25 and 75 % of the length, or at the nearest level in view within the middle 70 %."""
    heights = surface.heights(up)
    low, high = float(heights.min()), float(heights.max())
    levels = shaft_levels(surface, up, low + 0.15 * (high - low), low + 0.85 * (high - low), 1.0)
    centre = surface.centroid
    across = centre - (centre @ up) * up
    for landmark, share in (("femoral_shaft_distal", 0.25), ("femoral_shaft_proximal", 0.75)):
        wanted = low + share * (high - low)
        for level in levels[np.argsort(np.abs(levels - wanted), kind="stable")]:
            point = section_centroid(surface, across + level * up, up)
            if point is not None:
                add(found, landmark, point, coverage=min(1.0, len(levels) / max(0.7 * (high - low), 1.0)))
                break
    ends = [found[name].point_lps if name in found else None for name in ("femoral_shaft_distal", "femoral_shaft_proximal")]
    if ends[0] is not None and ends[1] is not None:
        line = FitLine(ends[0], ends[1], 0.0, 2, min(1.0, len(levels) / max(0.7 * (high - low), 1.0)))
        fits["femoral_shaft_distal"] = fits["femoral_shaft_proximal"] = line


def _distal_end(
    found: Found,
    fits: dict[LandmarkId, Fit],
    surface: BoneSurface,
    up: FloatArray,
    side: Side,
    head: Head | None,
    findings: list[Finding],
) -> tuple[float | None, distal.Condyles | None]:
    posterior = distal.posterior_direction(surface, up)
    if posterior is None:
        return None, None
    centre = None if head is None else head.sphere.centre
    condyles = distal.find_condyles(surface, up, posterior, side.sign, centre)
    if condyles is None:
        return None, None
    status: LandmarkStatus = "auto" if head is not None else "estimated"
    for name, contact in (("posterior", condyles.posterior), ("distal", condyles.distal)):
        add(found, f"medial_{name}_condyle", contact.medial, rms=contact.rms, status=status)
        add(found, f"lateral_{name}_condyle", contact.lateral, rms=contact.rms, status=status)
    width = distal.width_mm(surface, condyles.up, condyles.lateral)
    axis = find_axis(surface, condyles)
    if condyles.knee_centre is not None:
        add(found, "femoral_knee_centre", condyles.knee_centre, status=status)
    if axis is not None:
        medial, lateral = find_epicondyles(surface, condyles, axis)
        for landmark, point in (("medial_epicondyle", medial), ("lateral_epicondyle", lateral)):
            if point is not None:
                add(found, landmark, point, status=status, rms=axis.rms, n_points=axis.n_points)
        tubercle = find_adductor_tubercle(surface, condyles, medial, lateral)
        if tubercle is not None:
            add(found, "adductor_tubercle", tubercle, status=status)
        cylinder = axis.cylinder()
        fits.update(dict.fromkeys(("femoral_knee_centre", "medial_epicondyle", "lateral_epicondyle"), cylinder))
    groove = find_groove(surface, condyles, width)
    if groove is not None:
        add(found, "trochlear_groove", groove[0], status=status)
    if centre is not None and condyles.knee_centre is not None:
        shaft_side = surface.centroid - condyles.knee_centre
        shaft_side = shaft_side - (shaft_side @ condyles.up) * condyles.up
        if float(shaft_side @ condyles.lateral) < -3.0:
            findings.append(Finding("handedness_contradicts_side", "critical", (("bone", "femur"), ("side", side.value))))
    return width, condyles


def _proximal_end(
    found: Found,
    surface: BoneSurface,
    head: Head,
    shaft: FittedLine | None,
    side: Side,
    condyles: distal.Condyles | None,
) -> list[Finding]:
    if shaft is None:
        return []
    axis = axis_between(found, _SHAFT) or shaft
    neck = find_neck_base(surface, head.sphere, axis)
    if neck is None:
        return []
    add(found, "femoral_neck_base", neck[0])
    up = axis.direction
    # without condyles the neck itself says what is lateral (it is turned by the torsion, which tips do not mind)
    lateral = neck[0] - head.sphere.centre if condyles is None else condyles.lateral
    lateral = lateral - (lateral @ up) * up
    lateral /= np.linalg.norm(lateral)
    greater = find_greater(surface, head.sphere, neck[0], up if condyles is None else condyles.up, lateral)
    if greater is not None:
        add(found, "greater_trochanter_tip", greater[0], rms=greater[1])
    lesser = find_lesser(surface, head.sphere, axis, lateral, side.sign * np.cross(up, lateral))
    if lesser is not None:
        add(found, "lesser_trochanter_tip", lesser[0], rms=lesser[1])
    doubts = neck_damage(surface, head.sphere.centre, neck[1])
    return doubts + trochanter_damage(surface, found, head.sphere.radius)
