"""Use case: two results of the segmentation of one case against each other: figures by bone, and where they differ, in mm."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.spatial import cKDTree

from surgiplan_desktop.app.session import Session
from surgiplan_desktop.base.arrays import FloatArray
from surgiplan_desktop.base.errors import UsageError
from surgiplan_desktop.base.progress import SILENT, PartOfProgress, Progress
from surgiplan_desktop.geometry.distance import vertex_normals
from surgiplan_desktop.model.anatomy import BoneId, BoneName, Side, label_code
from surgiplan_desktop.model.case import Case, SegmentationRun
from surgiplan_desktop.model.images import LabelMap
from surgiplan_desktop.model.mesh import Bone, Mesh
from surgiplan_desktop.planning.graph import run_bone_key, run_labels_key
from surgiplan_desktop.planning.limits import default_limits
from surgiplan_desktop.scene.heat import Heat, HeatScale, heated_parts
from surgiplan_desktop.scene.wanted import Outline
from surgiplan_desktop.validation.weighted import SurfaceMetrics, WeightedDistances, surface_metrics

#: The nearest vertex stands for the surface about it up to this distance along it, mm: meshes have edges of about 1 mm.
_ALONG_MM: Final = 2.0


@dataclass(frozen=True, slots=True)
class RunAgreement:
    """One bone in two results; pairs are (this, other).

    Attributes
    ----------
    dice
        Of the label maps, all blocks together.
    surface
        Distances of the two surfaces by area, caps left out (docs/metrics.md); None where one of the two has no such bone.
    volume_mm3
        Of the labels.
    """

    bone: BoneId
    dice: float
    surface: SurfaceMetrics | None
    volume_mm3: tuple[float, float]


@dataclass(frozen=True, slots=True, eq=False)
class RunComparison:
    """Two results: ids of the active run and the other, figures by bone, the difference as a heat map, the other's outlines."""

    run: str
    other: str
    rows: tuple[RunAgreement, ...]
    heat: Heat
    outlines: tuple[Outline, ...]


def difference_scale() -> HeatScale:
    """Return the scale of the distance of two surfaces, mm."""
    limits = default_limits()
    return HeatScale(0.0, limits["heat.difference_high_mm"], limits["heat.difference_look_mm"], "mm")


def compare_runs(session: Session, other: str, *, progress: Progress = SILENT) -> RunComparison:
    """Compare the active result of the case with another one of it.

    Raises
    ------
    UsageError
        ``runs_not_comparable`` when the case has no such other result.
    """
    case = session.case
    active = case.segmentation
    second = next((run for run in case.segmentations if run.id == other), None)
    if active is None or second is None or active.id == other or case.study is None:
        raise UsageError("runs_not_comparable", run=other)
    bones = _bones_of(active, second)
    keys = [run_bone_key(run.id, bone) for run in (active, second) for bone in run.bones]
    labels = [run_labels_key(run.id, number) for run in (active, second) for number in range(len(case.study.blocks))]
    made = dict(zip((*keys, *labels), session.require(*keys, *labels, progress=PartOfProgress(progress, 0.0, 0.6)), strict=True))
    pairs = [
        (made[run_labels_key(active.id, number)], made[run_labels_key(second.id, number)])
        for number in range(len(case.study.blocks))
    ]
    overlaps = _overlaps(pairs, bones, PartOfProgress(progress, 0.6, 0.8))
    rows, surfaces, outlines = [], {}, []
    scale = difference_scale()
    for number, bone in enumerate(bones):
        progress.step(0.8 + 0.2 * number / len(bones), 1.0, "comparing_results")
        ours, theirs = (made.get(run_bone_key(run.id, bone)) for run in (active, second))
        surface = None
        if isinstance(ours, Bone) and isinstance(theirs, Bone):
            gaps = _gaps(ours, theirs)
            surfaces[bone] = heated_parts(ours, gaps, scale)
            surface = surface_metrics(_weighted(ours, gaps), _weighted(theirs, _gaps(theirs, ours)))
        if isinstance(theirs, Bone):
            outlines += [Outline(part.mesh, "text/primary", bone.bone, bone.side, dashed=True) for part in theirs.parts]
        dice, *volumes = overlaps[bone]
        rows.append(RunAgreement(bone, dice, surface, (volumes[0], volumes[1])))
    return RunComparison(
        run=active.id,
        other=other,
        rows=tuple(rows),
        heat=Heat("difference", surfaces, scale),
        outlines=tuple(outlines),
    )


def comparable_runs(case: Case) -> tuple[SegmentationRun, ...]:
    """Return the results that the active one can be compared with, newest first."""
    if case.segmentation is None:
        return ()
    return tuple(run for run in reversed(case.segmentations) if run.id != case.active_segmentation)


def _bones_of(*runs: SegmentationRun) -> tuple[BoneId, ...]:
    present = {bone for run in runs for bone in run.bones}
    return tuple(BoneId(side, name) for side in Side for name in BoneName if BoneId(side, name) in present)


def _overlaps(
    pairs: list[tuple[LabelMap, LabelMap]], bones: tuple[BoneId, ...], progress: Progress
) -> dict[BoneId, tuple[float, float, float]]:
    """Return by bone Dice and both volumes (mm3) over all blocks."""
    sums = {bone: np.zeros(3) for bone in bones}
    for number, (ours, theirs) in enumerate(pairs):
        progress.step(number, len(pairs), "comparing_results")
        voxel = abs(float(np.linalg.det(ours.affine.linear)))
        for bone in bones:
            code = label_code(bone)
            one, two = ours.array == code, theirs.array == code
            sums[bone] += voxel * np.array([np.count_nonzero(mask) for mask in (one & two, one, two)])
    return {
        bone: (2.0 * both / (one + two) if one + two else math.nan, float(one), float(two))
        for bone, (both, one, two) in sums.items()
    }


def _gaps(ours: Bone, theirs: Bone) -> FloatArray:
    """Return the distance of each vertex of one bone from the surface of the other, all parts together, mm."""
    meshes = [part.mesh for part in theirs.parts]
    return np.concatenate([distance_from(meshes, part.mesh.vertices) for part in ours.parts])


def distance_from(meshes: list[Mesh], points: FloatArray) -> FloatArray:
    """Return the distance of points (n, 3) from the nearest of dense meshes, mm.

    Beside the nearest vertex the surface is taken as its tangent plane: exact to a hundredth of a millimetre on edges of 1 mm,
    hundreds of times faster than triangles, and other threads run meanwhile.
    """
    cloud = np.concatenate([mesh.vertices for mesh in meshes])
    normals = np.concatenate([vertex_normals(mesh) for mesh in meshes])
    straight, nearest = cKDTree(cloud).query(points)
    across = np.abs(np.einsum("ij,ij->i", points - cloud[nearest], normals[nearest]))
    along = np.sqrt(np.maximum(straight**2 - across**2, 0.0))
    result: FloatArray = np.where(along <= _ALONG_MM, across, straight)
    return result


def _weighted(bone: Bone, gaps: FloatArray) -> WeightedDistances:
    """Give each vertex on real surface a third of the area of its triangles."""
    areas = []
    for part in bone.parts:
        corners = part.mesh.vertices[part.mesh.faces]
        own = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1) / 6.0
        areas.append(np.bincount(part.mesh.faces.ravel(), np.repeat(own, 3), minlength=len(part.mesh.vertices)))
    real = ~np.concatenate([part.cap_vertices for part in bone.parts])
    return WeightedDistances(gaps[real], np.concatenate(areas)[real])
