"""Screws as capsules: depth in the bone, safety against bone surface, cut, joint and hinge (clinical.md C.3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from surgiplan_desktop.base.arrays import FloatArray, frozen
from surgiplan_desktop.base.spaces import Plane
from surgiplan_desktop.geometry.distance import closest_points, distance_to_points, ray_hits, signed_distance
from surgiplan_desktop.model.mesh import Mesh
from surgiplan_desktop.model.study import Finding
from surgiplan_desktop.planning.limits import default_limits
from surgiplan_desktop.planning.records import ScrewPath

#: Step of the samples along a screw (clinical.md C.3).
_STEP_MM = 0.5
#: The entry-side cortex does not count: samples within this depth under it are left out.
_ENTRY_MM = 5.0
#: Vertices this near to the plane of the cut belong to the cut face.
_ON_CUT_MM = 1e-2


@dataclass(frozen=True, slots=True, eq=False)
class Surroundings:
    """What a screw must keep away from, on the opened bone.

    Attributes
    ----------
    bone
        The fragment the screw sits in.
    cut
        The cut face of that fragment.
    hinge_lps, hinge_direction
        The hinge line.
    joint_lps
        Points of the joint surface, shape (n, 3); none for a screw that cannot reach it.
    """

    bone: Mesh
    cut: Plane
    hinge_lps: FloatArray
    hinge_direction: FloatArray
    joint_lps: FloatArray


def place_screw(
    name: str, head_lps: FloatArray, direction: FloatArray, diameter_mm: float, lengths_mm: Sequence[float], around: Surroundings
) -> ScrewPath | None:
    """Return a screw of the longest stock length that keeps every distance, or else of the one that comes nearest to it.

    Parameters
    ----------
    head_lps, direction
        Where the screw's length begins, and its unit direction into the bone.
    lengths_mm
        Stock lengths.

    Returns
    -------
    ScrewPath or None
        Distances are from the capsule's surface, negative = through (mm). Bone surface: least depth of the axis under the
        surface minus the radius, without the entry-side cortex and without the cut face, which has its own figure. None when the
        axis meets no bone or no stock length reaches it.
    """
    hits = ray_hits(around.bone, head_lps[None], direction[None])
    entering = hits.distance_mm[hits.entering]
    leaving = hits.distance_mm[~hits.entering]
    if not len(leaving):
        return None
    depth = float(entering[0]) if len(entering) and entering[0] < leaving[0] else 0.0
    far = float(leaving[leaving > depth][0])
    lengths = [length for length in sorted(lengths_mm) if depth + _ENTRY_MM < length < far]
    if not lengths:
        return None
    steps = np.append(np.arange(0.0, lengths[-1], _STEP_MM), lengths[-1])
    points = head_lps + steps[:, None] * direction
    figures = _figures(points, steps, depth, around, diameter_mm / 2.0)
    limits = default_limits()
    least = np.array([limits["screw.inside_bone_mm"], *([limits["screw.keep_off_mm"]] * 3)])
    best: tuple[float, float, FloatArray] | None = None
    for length in reversed(lengths):
        at = figures[: int(np.searchsorted(steps, length, side="right"))].min(axis=0)
        slack = float((at - least).min())
        if best is None or slack > best[0]:
            best = (slack, length, at)
        if slack >= 0.0:
            break
    assert best is not None  # noqa: S101 - there is at least one length
    surface, cut, joint, hinge = (float(value) for value in best[2])
    return ScrewPath(
        name=name,
        entry_lps=frozen(head_lps.copy()),
        tip_lps=frozen(head_lps + best[1] * direction),
        diameter_mm=diameter_mm,
        to_bone_surface_mm=surface,
        to_cut_mm=cut,
        to_joint_mm=joint if np.isfinite(joint) else None,
        to_hinge_mm=hinge,
    )


def screw_findings(screws: Sequence[ScrewPath]) -> list[Finding]:
    """Return what is wrong with screws: too near to joint, cut or hinge, or leaving the bone."""
    limits, found = default_limits(), []
    least, inside = limits["screw.keep_off_mm"], limits["screw.inside_bone_mm"]
    for screw in screws:
        for code, distance, limit in (
            ("screw_near_joint", screw.to_joint_mm, least),
            ("screw_near_cut", screw.to_cut_mm, least),
            ("screw_near_hinge", screw.to_hinge_mm, least),
            ("screw_leaves_bone", screw.to_bone_surface_mm, inside),
        ):
            if distance is not None and distance < limit:
                severity = "fail" if distance < 0.0 else "warn"
                parameters = (("screw", screw.name), ("distance_mm", distance), ("least_mm", limit))
                found.append(Finding(code, severity, parameters))  # type: ignore[arg-type]
    return found


def _figures(points: FloatArray, steps: FloatArray, depth: float, around: Surroundings, radius: float) -> FloatArray:
    """Return for each sample of an axis its distance to bone surface, cut, joint and hinge minus the radius, shape (n, 4).

    Samples that do not count (outside the bone, or under the entry-side cortex) are infinite.
    """
    figures = np.full((len(points), 4), np.inf)
    in_bone, inner = steps >= depth, steps >= depth + _ENTRY_MM
    figures[inner, 0] = _depth(around, points[inner])
    figures[in_bone, 1] = np.abs(around.cut.signed_distance(points[in_bone]))
    if len(around.joint_lps):
        figures[in_bone, 2] = distance_to_points(points[in_bone], around.joint_lps)
    shifted = points[in_bone] - around.hinge_lps
    across = shifted - np.outer(shifted @ around.hinge_direction, around.hinge_direction)
    figures[in_bone, 3] = np.linalg.norm(across, axis=1)
    return figures - radius


def _depth(around: Surroundings, points: FloatArray) -> FloatArray:
    """Return the depth of points under the bone's surface, the cut face left out; negative outside (mm)."""
    bone, cut = around.bone, around.cut
    on_cut = np.abs(cut.signed_distance(bone.vertices)) < _ON_CUT_MM
    surface = Mesh(bone.vertices, bone.faces[~on_cut[bone.faces].all(axis=1)])
    _, distance, _ = closest_points(surface, points)
    return np.where(signed_distance(bone, points) < 0.0, distance, -distance)
