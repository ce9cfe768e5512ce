"""Landmarks by a second way: the template bone laid on the patient's, first as a whole, then anew around each landmark.

It knows no condyle and no spine, so it fails where the geometric finders do not, and the other way round (clinical.md A.1,
fallback). Rigid with size, then affine, then an affine motion of the surroundings of each landmark, each by iterated closest
points (Besl and McKay 1992, IEEE PAMI 14:239) to the planes of the surface (Chen and Medioni 1992, Image Vis Comput 10:145).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.spatial import cKDTree

from surgiplan_desktop.base.arrays import AnyArray, FloatArray
from surgiplan_desktop.base.spaces import rotation_about
from surgiplan_desktop.geometry.distance import vertex_normals
from surgiplan_desktop.model.anatomy import BoneName, LandmarkId, Side
from surgiplan_desktop.model.mesh import Mesh
from surgiplan_desktop.planning.landmarks.surface import BoneSurface
from surgiplan_desktop.planning.templates import load_template

#: Template vertices that take part in the search for the pose, and in the fits after it.
_FEW: Final = 250
_MANY: Final = 1200
_RIGID_ROUNDS: Final = 12
_AFFINE_ROUNDS: Final = 25
_LOCAL_ROUNDS: Final = 6
#: Pairs whose normals differ by more than this are none (cosine); the worst of the distances are left out.
_SAME_WAY: Final = 0.5
_TRIMMED: Final = 0.85
#: How far around a landmark the template follows the bone by itself, and how strongly it is held by the whole, mm.
_LOCAL_MM: Final = 20.0
_HELD: Final = 0.03
#: A landmark of the template this near to its surface lies on it.
_ON_SURFACE_MM: Final = 1.5
#: Where a template point finds bone this near and of like direction, there is bone.
_COVERED_MM: Final = 3.0


@dataclass(frozen=True, slots=True, eq=False)
class Transferred:
    """A landmark as the template puts it: point (3,), share of its surroundings that found bone, and how well they fit (mm)."""

    point: FloatArray
    coverage: float
    rms: float


@dataclass(frozen=True, slots=True, eq=False)
class _Cloud:
    points: FloatArray
    normals: FloatArray

    def moved(self, matrix: FloatArray, offset: FloatArray) -> _Cloud:
        """Under an affine motion; normals by the inverse transpose."""
        normals = self.normals @ np.linalg.inv(matrix)
        return _Cloud(self.points @ matrix.T + offset, normals / np.linalg.norm(normals, axis=1, keepdims=True))

    def some(self, count: int) -> _Cloud:
        """An even choice of at most ``count`` points (vertices of the template lie in canonical order)."""
        index = np.unique(np.linspace(0, len(self.points) - 1, min(count, len(self.points))).astype(np.int64))
        return _Cloud(self.points[index], self.normals[index])


def transfer_landmarks(
    side: Side, bone: BoneName, surface: BoneSurface, names: Iterable[LandmarkId], *, axes: FloatArray | None = None
) -> dict[LandmarkId, Transferred]:
    """Lay the template of a bone on a whole bone and take its landmarks along.

    Parameters
    ----------
    side
        Side of the leg: the template is of that side, so a mirrored bone does not fit it.
    bone
        Which bone ``surface`` is.
    surface
        The bone with both ends in view; with an open end the template would be stretched, and nothing is returned.
    names
        Landmarks wanted.
    axes
        Rows lateral, anterior, up from which the pose is searched, for bones whose shape does not tell how they are turned; None:
        the shape alone decides.

    Returns
    -------
    dict
        By landmark id; empty when the template does not fit at all.
    """
    template = load_template(side)
    if bone not in template.meshes or len(surface.cap_areas):
        return {}
    mesh = template.meshes[bone]
    source = _Cloud(np.asarray(mesh.vertices), vertex_normals(Mesh(mesh.vertices, mesh.faces)))
    target = _Cloud(surface.vertices[surface.real], surface.normals[surface.real])
    tree = cKDTree(target.points)
    if axes is None:
        starts = _starts(source, target)
    else:
        starts = [_start_from(source, target, axes.T @ np.diag([-float(side.sign), -1.0, 1.0]))]
    laid = _laid(source, target, tree, starts)
    if laid is None:
        return {}
    matrix, offset = laid
    whole = source.moved(matrix, offset)
    on_template = cKDTree(source.points)
    found: dict[LandmarkId, Transferred] = {}
    for name in names:
        mark = template.landmarks[name]
        found[name] = _followed(matrix @ mark + offset, whole, target, tree)
        if float(on_template.query(mark)[0]) < _ON_SURFACE_MM + 2.0 and _lies_on(mesh, mark):
            found[name] = _dropped(found[name], target, tree)
    return found


def _lies_on(mesh: Mesh, mark: FloatArray) -> bool:
    corners = mesh.vertices[mesh.faces[(np.abs(mesh.vertices - mark).max(axis=1) < 12.0)[mesh.faces].any(axis=1)]]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12)
    near = np.linalg.norm(corners.mean(axis=1) - mark, axis=1) < 6.0
    height = np.abs(np.einsum("ij,ij->i", mark - corners[:, 0], normal))
    return bool(near.any() and float(height[near].min()) < _ON_SURFACE_MM)


def _dropped(item: Transferred, target: _Cloud, tree: cKDTree) -> Transferred:
    """A surface landmark, put on the plane of the surface next to it."""
    _, index = tree.query(item.point)
    normal = target.normals[int(index)]
    offset = float((target.points[int(index)] - item.point) @ normal)
    return Transferred(item.point + offset * normal, item.coverage, item.rms)


def _laid(
    source: _Cloud, target: _Cloud, tree: cKDTree, starts: list[tuple[FloatArray, FloatArray]]
) -> tuple[FloatArray, FloatArray] | None:
    """Affine motion that lays the template on the bone, from the best of several starts; None when none leads anywhere."""
    few, many = source.some(_FEW), source.some(_MANY)
    poses = [_pose(few, target, tree, *start) for start in starts]
    best = min((pose for pose in poses if pose is not None), key=lambda item: item[2], default=None)
    if best is None:
        return None
    matrix, offset = best[0], best[1]
    for _ in range(_AFFINE_ROUNDS):
        moved = many.moved(matrix, offset)
        pairs = _pairs(moved, target, tree)
        if len(pairs[0]) < 60:
            return None
        change, shift = _affine_step(moved.points[pairs[0]], target.points[pairs[1]], target.normals[pairs[1]], 1e-4)
        matrix, offset = change @ matrix, change @ offset + shift
    sizes = np.linalg.svd(matrix, compute_uv=False)
    if sizes[0] > 1.8 or sizes[2] < 0.45 or float(np.linalg.det(matrix)) <= 0.0:
        return None
    return matrix, offset


def _start_from(source: _Cloud, target: _Cloud, turn: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The template turned as said, middle on middle, as long as the bone."""
    own, other = source.points @ turn.T, target.points
    long = turn[:, 2]
    scale = float(np.ptp(other @ long) / np.ptp(own @ long))
    middle = 0.5 * (other.min(axis=0) + other.max(axis=0)) - 0.5 * scale * (own.min(axis=0) + own.max(axis=0))
    return scale * turn, middle


def _starts(source: _Cloud, target: _Cloud) -> list[tuple[FloatArray, FloatArray]]:
    """Eight starts: middles and long axes laid together, either end up, in four turns."""

    def frame(cloud: _Cloud) -> tuple[FloatArray, FloatArray, float]:
        centre = 0.5 * (cloud.points.min(axis=0) + cloud.points.max(axis=0))
        local = cloud.points - cloud.points.mean(axis=0)
        axes = np.linalg.eigh(local.T @ local)[1][:, ::-1]
        if np.linalg.det(axes) < 0:
            axes[:, 2] = -axes[:, 2]
        reach = local @ axes
        centre = cloud.points.mean(axis=0) + axes @ (0.5 * (reach.min(axis=0) + reach.max(axis=0)))
        return axes, centre, float(np.ptp(reach[:, 0]))

    axes, centre, length = frame(source)
    aims, aim, reach = frame(target)
    scale = reach / length
    starts = []
    for flip in (np.eye(3), np.diag([-1.0, -1.0, 1.0])):
        for quarter in range(4):
            turn = rotation_about(np.zeros(3), np.array([1.0, 0.0, 0.0]), 90.0 * quarter).linear
            matrix = scale * aims @ turn @ flip @ axes.T
            starts.append((matrix, aim - matrix @ centre))
    return starts


def _pose(
    source: _Cloud, target: _Cloud, tree: cKDTree, matrix: FloatArray, offset: FloatArray
) -> tuple[FloatArray, FloatArray, float] | None:
    """Rigid motion with size from a start, with the misfit it ends at."""
    for _ in range(_RIGID_ROUNDS):
        moved = source.moved(matrix, offset)
        own, other = _pairs(moved, target, tree)
        if len(own) < 40:
            return None
        p, q = moved.points[own], target.points[other]
        a, b = p - p.mean(axis=0), q - q.mean(axis=0)
        left, values, right = np.linalg.svd(b.T @ a)
        turn = left @ np.diag([1.0, 1.0, np.sign(np.linalg.det(left @ right))]) @ right
        scale = float(np.clip(values.sum() / (a**2).sum(), 0.95, 1.05))
        matrix, offset = scale * turn @ matrix, scale * turn @ (offset - p.mean(axis=0)) + q.mean(axis=0)
    moved = source.moved(matrix, offset)
    distance, index = tree.query(moved.points)
    against = np.einsum("ij,ij->i", moved.normals, target.normals[index]) < _SAME_WAY
    return matrix, offset, float(np.mean(np.where(against, distance + 5.0, distance)))


def _pairs(moved: _Cloud, target: _Cloud, tree: cKDTree) -> tuple[AnyArray, AnyArray]:
    """Numbers of template points and of the bone's points next to them that look the same way, the worst left out."""
    distance, index = tree.query(moved.points)
    own = np.flatnonzero(np.einsum("ij,ij->i", moved.normals, target.normals[index]) > _SAME_WAY)
    if not len(own):
        return own, own
    away = np.asarray(distance)[own]
    own = own[away <= np.quantile(away, _TRIMMED)]
    return own, np.asarray(index)[own]


def _affine_step(
    points: FloatArray, aims: FloatArray, normals: FloatArray, held: float, weights: FloatArray | None = None
) -> tuple[FloatArray, FloatArray]:
    """Affine motion that takes points to the planes of their aims, held near no motion by ``held`` times the pairs' weight."""
    centre = points.mean(axis=0)
    local = (points - centre) / 30.0
    weights = np.ones(len(points)) if weights is None else weights
    design = np.concatenate([(normals[:, :, None] * local[:, None, :]).reshape(len(points), 9), normals], axis=1)
    gap = np.einsum("ij,ij->i", aims - points, normals)
    weighted = design * weights[:, None]
    system = weighted.T @ design + held * float(weights.sum()) * np.eye(12)
    solution = np.linalg.solve(system, weighted.T @ gap)
    change = np.eye(3) + solution[:9].reshape(3, 3) / 30.0
    shift: FloatArray = solution[9:] + centre - change @ centre
    return change, shift


def _followed(start: FloatArray, whole: _Cloud, target: _Cloud, tree: cKDTree) -> Transferred:
    """Let the surroundings of a landmark follow the bone by themselves."""
    away = np.linalg.norm(whole.points - start, axis=1)
    reach = max(2.5 * _LOCAL_MM, float(np.sort(away)[min(40, len(away) - 1)]))
    near = np.flatnonzero(away < reach)
    cloud = _Cloud(whole.points[near], whole.normals[near])
    weights = np.exp(-0.5 * (away[near] / _LOCAL_MM) ** 2) + 1e-3
    point = start
    for _ in range(_LOCAL_ROUNDS):
        own, other = _pairs(cloud, target, tree)
        if len(own) < 15:
            break
        change, shift = _affine_step(cloud.points[own], target.points[other], target.normals[other], _HELD, weights[own])
        cloud, point = cloud.moved(change, shift), change @ point + shift
    distance, index = tree.query(cloud.points)
    same = np.einsum("ij,ij->i", cloud.normals, target.normals[index]) > _SAME_WAY
    plane = np.abs(np.einsum("ij,ij->i", cloud.points - target.points[index], target.normals[index]))
    there = same & (np.asarray(distance) < _COVERED_MM + 2.0) & (plane < _COVERED_MM)
    share = float(weights[there].sum() / weights.sum())
    rms = float(np.sqrt((weights[there] @ plane[there] ** 2) / max(float(weights[there].sum()), 1e-9)))
    return Transferred(point, share, rms)
