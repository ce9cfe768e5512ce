"""Joint faces and contacts that are not whole: sawn, bitten into, worn away or gone in part.

A finder takes what is there. On half a facet it finds a centre, on the horns beside a bite it finds a contact, and the angle is
wrong by degrees while every size stays within what people vary by. What gives it away is the surface itself: joint faces and
their rims are curved and a cut is a plane; a condyle touches a line with a round of known bend, a cut with a flat, what is left
beside a bite with an edge. A doubt names the landmark and what is wrong about its place. The landmark stays where it was found;
it counts as estimated, and so does every measure that it is part of.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final, Literal

import numpy as np
from scipy.spatial import ConvexHull

from surgiplan_desktop.base.arrays import BoolArray, FloatArray, unit
from surgiplan_desktop.geometry.local_fit import fit_quadric
from surgiplan_desktop.geometry.section import plane_basis
from surgiplan_desktop.model.anatomy import LandmarkId
from surgiplan_desktop.model.study import Finding
from surgiplan_desktop.planning.landmarks.artificial import largest_plane
from surgiplan_desktop.planning.landmarks.condyles import Condyles
from surgiplan_desktop.planning.landmarks.found import Found
from surgiplan_desktop.planning.landmarks.plateau import Plateau
from surgiplan_desktop.planning.landmarks.surface import BoneSurface
from surgiplan_desktop.planning.limits import default_limits

#: A compartment: beyond this share of the plateau's half width from its middle, and within this of its plane, mm.
_BESIDE: Final = 0.2
_LAYER_MM: Final = (-15.0, 12.0)
#: The rim below a compartment, which ends before the front runs out to the tuberosity, mm.
_RIM_MM: Final = (-15.0, 2.0)
#: What faces a direction (cosine), and how near to a plane that plane's points lie; for surfaces with 0.3 mm of noise, calmed.
_FACING: Final = 0.2
_NEAR_MM: Final = 0.3
_ALIKE: Final = float(np.cos(np.radians(10.0)))
#: Around a contact its bend is looked at as far as this share of the bone's width, around a malleolus' tip as far as that of the
#: tibia's; the normal of a contact is that of its core.
_AROUND: Final = 0.09
_TIP: Final = 0.054
#: ... and around the tip of the greater trochanter as far as this share of the head's radius.
_TROCHANTER: Final = 0.3
_CORE: Final = 0.05
_BEND_FACING: Final = 0.3
#: A neck's section is looked for so far around its waist, and lies on it within this, mm.
_NECK_MM: Final = 60.0
_OFF_WAIST_MM: Final = 10.0


def plateau_damage(surface: BoneSurface, top: Plateau, found: Found) -> list[Finding]:
    """Doubt facets that are planes, lack a part or end too early, rims that are planes or edges, and a tuberosity cut.

    Parameters
    ----------
    surface
        The tibia.
    top
        The plateau found on it.
    found
        Landmarks of the tibia so far.
    """
    limits, width = default_limits(), 2.0 * top.half_width
    level = (surface.vertices - top.point) @ top.normal
    ahead = (surface.vertices - top.centre) @ top.to_anterior
    doubts: list[Finding] = []
    for name, outward, patch in (("medial", -top.to_lateral, top.medial), ("lateral", top.to_lateral, top.lateral)):
        centre, rim = f"{name}_plateau_centre", f"{name}_posterior_plateau"
        beside = surface.real & ((surface.vertices - top.centre) @ outward > _BESIDE * top.half_width)
        face = _flat_share(surface, beside & (level > _LAYER_MM[0]) & (level < _LAYER_MM[1]), top.normal)
        if face >= limits["landmarks.flat_facet_share"]:
            doubts.append(_doubt("doubt_facet_flat", "critical", centre, percent=round(100.0 * face)))
        below = beside & (level > _RIM_MM[0]) & (level < _RIM_MM[1])
        for landmark, towards in ((rim, -1.0), (centre, 1.0)):
            flat = _flat_share(surface, below & (towards * ahead > 0.0), towards * top.to_anterior)
            if flat >= limits["landmarks.flat_rim_share"]:
                doubts.append(_doubt("doubt_rim_flat", "warn", landmark, percent=round(100.0 * flat)))
        if patch is not None:
            if patch.coverage < limits["landmarks.facet_filled"]:
                doubts.append(_doubt("doubt_facet_part", "warn", centre, percent=round(100.0 * patch.coverage)))
            low, high = (limits[f"landmarks.{name}_depth_{end}"] for end in ("low", "high"))
            depth = 2.0 * patch.half_depth / width
            if not low <= depth <= high:
                doubts.append(_doubt("doubt_facet_depth", "warn", centre, value=round(depth, 2), low=low, high=high))
        doubts += _edge(surface, found, rim, _AROUND * width, limits["landmarks.rim_round"])
    front = found.get("tibial_tuberosity")
    if front is not None and front.point_lps is not None:
        shape = (limits["landmarks.tuberosity_round"], limits["landmarks.condyle_radius"])
        doubts += _bulge(surface, front.point_lps, "tibial_tuberosity", width, *shape)
    return doubts


def malleoli_damage(found: Found, tibia: BoneSurface, fibula: BoneSurface | None, width_mm: float) -> list[Finding]:
    """Doubt tips of malleoli that are the horns beside a bite; ``width_mm`` is that of the tibia's head."""
    least, reach = default_limits()["landmarks.malleolus_round"], _TIP * width_mm
    doubts = _edge(tibia, found, "medial_malleolus", reach, least)
    return doubts if fibula is None else doubts + _edge(fibula, found, "lateral_malleolus", reach, least)


def condyle_damage(surface: BoneSurface, condyles: Condyles, width_mm: float) -> list[Finding]:
    """Doubt contacts of the femur's condyles that are flats or edges."""
    limits = default_limits()
    shape = (limits["landmarks.condyle_round"], limits["landmarks.condyle_radius"])
    doubts: list[Finding] = []
    for name, contact in (("distal", condyles.distal), ("posterior", condyles.posterior)):
        for side, point in (("medial", contact.medial), ("lateral", contact.lateral)):
            doubts += _bulge(surface, point, f"{side}_{name}_condyle", width_mm, *shape)
    return doubts


def neck_damage(surface: BoneSurface, head: FloatArray, waist: FloatArray) -> list[Finding]:
    """Doubt a neck whose smallest section is hollow on one side: the middle of that is not the neck's.

    Parameters
    ----------
    head, waist
        Centre of the head and centroid of the smallest section, shape (3,).
    """
    axis = unit(waist - head)
    near = surface.crop(np.linalg.norm(surface.vertices - waist, axis=1) < _NECK_MM)
    loops = [loop for loop in near.section(waist, axis) if float(np.linalg.norm(loop.centroid - waist)) < _OFF_WAIST_MM]
    if not loops:
        return []
    around = ConvexHull(loops[0].points @ np.column_stack(plane_basis(axis)))
    filled = loops[0].area_mm2 / float(around.volume)  # in a plane its "volume" is its area
    if filled >= default_limits()["landmarks.neck_filled"]:
        return []
    return [_doubt("doubt_neck_hollow", "warn", "femoral_neck_base", percent=round(100.0 * filled))]


def trochanter_damage(surface: BoneSurface, found: Found, radius_mm: float) -> list[Finding]:
    """Doubt a tip of the greater trochanter that is the horn beside a bite; ``radius_mm`` is that of the head."""
    least = default_limits()["landmarks.trochanter_round"]
    return _edge(surface, found, "greater_trochanter_tip", _TROCHANTER * radius_mm, least)


def mark_doubted(found: Found, doubts: Iterable[Finding]) -> None:
    """Let the landmarks of these doubts count as estimated."""
    for doubt in doubts:
        name = str(dict(doubt.parameters)["landmark"])
        if name in found and found[name].status == "auto":
            found[name] = replace(found[name], status="estimated")


def sharpest_bend(surface: BoneSurface, point: FloatArray, width_mm: float) -> float | None:
    """Larger principal curvature (1/mm, convex positive) of the surface around a point; None where no quadratic fits."""
    core = _within(surface, point, _CORE * width_mm)
    mean = surface.areas[core] @ surface.normals[core]
    if float(np.linalg.norm(mean)) < 1e-9:
        return None
    outward, reach = unit(mean), _AROUND * width_mm
    facing = surface.real & (surface.normals @ outward > _BEND_FACING)
    points, areas = surface.vertices[facing], surface.areas[facing]
    quadric = fit_quadric(points, areas, point, outward, plane_basis(outward)[0], (reach, reach))
    return None if quadric is None else float(-np.linalg.eigvalsh(quadric.hessian)[0])


def roundness(surface: BoneSurface, point: FloatArray, reach_mm: float) -> float:
    """Length of the mean normal around a point: 1 on a plane, 0.97 on a condyle, 0.7 on an edge of a right angle."""
    near = _within(surface, point, reach_mm)
    area = float(surface.areas[near].sum())
    return float(np.linalg.norm(surface.areas[near] @ surface.normals[near])) / area if area > 0.0 else 0.0


def _flat_share(surface: BoneSurface, part: BoolArray, towards: FloatArray) -> float:
    """The largest plane in a part of the surface as a share of what of it faces a direction, both as seen from there."""
    facing = surface.normals @ towards
    part = part & (facing > _FACING)
    seen = surface.areas[part] * facing[part]
    plane = largest_plane(surface.vertices[part], surface.normals[part], surface.areas[part], towards, _NEAR_MM, _ALIKE)
    return 0.0 if plane is None else float(seen[plane.members].sum() / seen.sum())


def _bulge(
    surface: BoneSurface, point: FloatArray, name: LandmarkId, width_mm: float, least: float, flattest: float
) -> list[Finding]:
    """The doubt that a bulge is an edge, or a flat: of a radius over ``flattest`` times the bone's width."""
    bend, value = sharpest_bend(surface, point, width_mm), roundness(surface, point, _AROUND * width_mm)
    if value < least:
        return [_doubt("doubt_contact_edge", "warn", name, value=round(value, 2))]
    if bend is not None and bend * flattest * width_mm < 1.0:
        return [_doubt("doubt_contact_flat", "warn", name, high_mm=round(flattest * width_mm))]
    return []


def _edge(surface: BoneSurface, found: Found, name: LandmarkId, reach_mm: float, least: float) -> list[Finding]:
    """The doubt that a landmark lies on an edge, when it was found and does."""
    item = found.get(name)
    if item is None or item.point_lps is None:
        return []
    value = roundness(surface, item.point_lps, reach_mm)
    return [] if value >= least else [_doubt("doubt_contact_edge", "warn", name, value=round(value, 2))]


def _within(surface: BoneSurface, point: FloatArray, reach: float) -> BoolArray:
    near: BoolArray = surface.real & (np.linalg.norm(surface.vertices - point, axis=1) < reach)
    return near


def _doubt(code: str, severity: Literal["warn", "critical"], landmark: LandmarkId, **numbers: float) -> Finding:
    return Finding(code, severity, (("landmark", landmark), *numbers.items()))
