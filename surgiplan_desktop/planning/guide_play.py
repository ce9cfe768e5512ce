"""How the guide sits: contact area and the free play in its weakest direction (clinical.md D, practice.md 18)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from surgiplan_desktop.base.arrays import BoolArray, FloatArray
from surgiplan_desktop.geometry.distance import closest_points, face_normals, ray_hits
from surgiplan_desktop.model.mesh import Mesh
from surgiplan_desktop.planning.records import FreePlay

#: A face touches when it lies within this of the clearance and its normal is opposed to the bone's within the angle.
TOUCH_MM = 0.1
#: Width of the border that the wall leaves out, mm.
_BORDER_MM = 2.5
TOUCH_COS = float(np.cos(np.radians(30.0)))


@dataclass(frozen=True, slots=True, eq=False)
class Contact:
    """Faces of the guide that touch the bone: mask over the guide's faces, centres, outward normals of the bone, areas (mm2)."""

    faces: BoolArray
    points: FloatArray
    normals: FloatArray
    areas: FloatArray

    @property
    def area_mm2(self) -> float:
        """Total area."""
        return float(self.areas.sum())


def find_contact(guide: Mesh, bone: Mesh, clearance_mm: float, candidates: BoolArray | None = None) -> Contact:
    """Return the faces within clearance +- 0.1 mm of the bone whose normals are opposed within 30 deg.

    ``bone`` may be the neighbourhood of the guide. ``candidates``, over the guide's vertices, saves measuring faces that have a
    corner known to be far away.
    """
    corners = guide.vertices[guide.faces]
    centre = corners.mean(axis=1)
    cross = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    area = 0.5 * np.linalg.norm(cross, axis=1)
    near = np.arange(len(guide.faces)) if candidates is None else np.flatnonzero(candidates[guide.faces].all(axis=1))
    nearest, distance, face = closest_points(bone, centre[near])
    normal = face_normals(bone)[face]
    opposed = -np.einsum("ij,ij->i", face_normals(guide)[near], normal)
    kept = (np.abs(distance - clearance_mm) <= TOUCH_MM) & (opposed >= TOUCH_COS)
    touching = np.zeros(len(guide.faces), dtype=np.bool_)
    touching[near[kept]] = True
    return Contact(touching, nearest[kept], normal[kept], area[near[kept]])


def free_play(contact: Contact, gap_mm: float) -> FreePlay:
    """Return the motion left to a seated guide in its weakest direction.

    The contact matrix is the area-weighted mean of ``g g^T`` with ``g = (n, (p - c) x n / L)``, L the contact's radius of
    gyration. Along the eigenvector of its smallest eigenvalue the guide moves until 95 % of the contact has closed or opened by
    no more than ``gap_mm``: there the tightest places hold it. The translation in mm and the rotation in deg are given.
    """
    if len(contact.points) < 6:
        return FreePlay(999.0, 180.0, (0.0, 0.0, 0.0))
    weight = contact.areas / contact.areas.sum()
    centre = weight @ contact.points
    arm = contact.points - centre
    length = float(np.sqrt(weight @ (arm**2).sum(axis=1)))
    rows = np.hstack([contact.normals, np.cross(arm, contact.normals) / length])
    _, vectors = np.linalg.eigh((rows * weight[:, None]).T @ rows)
    tightest = np.sort(np.abs(rows @ vectors[:, 0]))[int(0.95 * (len(rows) - 1))]
    motion = vectors[:, 0] * gap_mm / max(float(tightest), 1e-5)
    motion = motion if motion[np.argmax(np.abs(motion))] > 0 else -motion
    shift = float(np.linalg.norm(motion[:3]))
    turn = float(np.degrees(np.linalg.norm(motion[3:]) / length))
    direction = motion[:3] / shift if shift > 1e-9 else np.zeros(3)
    x, y, z = np.round(direction, 4).tolist()
    return FreePlay(round(shift, 3), round(turn, 3), (x, y, z))


def thinnest_wall(guide: Mesh, contact: Contact, clearance_mm: float) -> float:
    """Return the wall over the contact faces, mm: the 1st percentile of rays from the contact through the guide.

    Faces nearer than 2.5 mm to the contact's border do not count: there the outer edges are rounded.
    """
    if not len(contact.points):
        return 0.0
    deep = cKDTree(_border(guide, contact)).query(contact.points)[0] > _BORDER_MM
    points, normals = contact.points[deep], contact.normals[deep]
    if not len(points):
        return 0.0
    every = max(1, len(points) // 3000)
    start = points[::every] + (clearance_mm - 3 * TOUCH_MM) * normals[::every]
    hits = ray_hits(guide, start, normals[::every])
    entered, left = np.full(len(start), np.inf), np.full(len(start), np.inf)
    np.minimum.at(entered, hits.ray[hits.entering], hits.distance_mm[hits.entering])
    np.minimum.at(left, hits.ray[~hits.entering], hits.distance_mm[~hits.entering])
    good = np.isfinite(entered) & np.isfinite(left) & (left > entered)
    return float(np.percentile((left - entered)[good], 1.0)) if good.any() else 0.0


def _border(guide: Mesh, contact: Contact) -> FloatArray:
    """Return the corners of edges that only one contact face has, (n, 3)."""
    faces = guide.faces[contact.faces].astype(np.int64)
    edges = np.sort(np.concatenate([faces[:, (0, 1)], faces[:, (1, 2)], faces[:, (2, 0)]]), axis=1)
    code, count = np.unique(edges[:, 0] * len(guide.vertices) + edges[:, 1], return_counts=True)
    single = code[count == 1]
    corners = np.unique(np.concatenate([single // len(guide.vertices), single % len(guide.vertices)]))
    result: FloatArray = guide.vertices[corners]
    return result
