"""From a point of the screen to the patient: rays of a camera, and the first surface that a ray meets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from vtkmodules.vtkRenderingCore import vtkCamera

from surgiplan_desktop.base.arrays import FloatArray
from surgiplan_desktop.base.spaces import Plane
from surgiplan_desktop.model.mesh import Mesh
from surgiplan_desktop.scene.items import Item, Surface


@dataclass(frozen=True, slots=True, eq=False)
class Ray:
    """A line of sight: start and unit direction, mm LPS."""

    start: FloatArray
    direction: FloatArray

    def meets(self, plane: Plane) -> FloatArray | None:
        """Return the point on the plane, or None when the ray runs along it (within 2 deg)."""
        slope = float(self.direction @ plane.normal)
        if abs(slope) < 0.035:
            return None
        meeting: FloatArray = self.start - self.direction * (plane.signed_distance(self.start) / slope)
        return meeting

    def nearest_on_line(self, point: FloatArray, direction: FloatArray) -> FloatArray:
        """Return the point of the line through ``point`` along ``direction`` (unit) that lies nearest to the ray."""
        between = point - self.start
        b = float(direction @ self.direction)
        if 1.0 - b * b < 1e-6:
            return point
        along = (b * float(self.direction @ between) - float(direction @ between)) / (1.0 - b * b)
        nearest: FloatArray = point + along * direction
        return nearest


def view_matrix(camera: vtkCamera, aspect: float) -> FloatArray:
    """Return the 4 x 4 matrix from LPS to clip coordinates."""
    matrix = camera.GetCompositeProjectionTransformMatrix(aspect, -1.0, 1.0)
    rows = [[matrix.GetElement(row, column) for column in range(4)] for row in range(4)]
    return np.array(rows, dtype=np.float64)


def project(matrix: FloatArray, points: FloatArray, width: float, height: float) -> FloatArray:
    """Return x (right), y (down) on the screen and depth (-1 near .. 1 far) of points (n, 3), shape (n, 3)."""
    homogeneous = np.c_[np.atleast_2d(points), np.ones(len(np.atleast_2d(points)))] @ matrix.T
    clip = homogeneous[:, :3] / homogeneous[:, 3:]
    screen: FloatArray = np.c_[(clip[:, 0] + 1.0) * width / 2.0, (1.0 - clip[:, 1]) * height / 2.0, clip[:, 2]]
    return screen


def ray_at(matrix: FloatArray, x: float, y: float, width: float, height: float) -> Ray:
    """Return the line of sight through a point of the screen (x right, y down)."""
    back = np.linalg.inv(matrix)
    flat_x, flat_y = 2.0 * x / width - 1.0, 1.0 - 2.0 * y / height
    near = back @ np.array([flat_x, flat_y, -1.0, 1.0])
    far = back @ np.array([flat_x, flat_y, 1.0, 1.0])
    start, end = near[:3] / near[3], far[:3] / far[3]
    return Ray(start, (end - start) / np.linalg.norm(end - start))


def first_hit(mesh: Mesh, ray: Ray) -> float | None:
    """Return the distance (mm) along the ray to the first triangle it meets, or None."""
    met = crossings(mesh, ray)
    return float(met.min()) if met.size else None


def crossings(mesh: Mesh, ray: Ray) -> FloatArray:
    """Return the distances (mm) along the ray to all triangles it meets, in no order.

    Source: Moeller and Trumbore 1997, J Graphics Tools 2:21, on all triangles whose shadow along the ray holds the ray.
    """
    side = np.cross(ray.direction, np.eye(3)[np.argmin(np.abs(ray.direction))])
    relative = mesh.vertices - ray.start
    right = np.sign(relative @ side)[mesh.faces]
    up = np.sign(relative @ np.cross(ray.direction, side))[mesh.faces]
    near = (np.abs(right.sum(axis=1)) < 3) & (np.abs(up.sum(axis=1)) < 3)
    corners = mesh.vertices[mesh.faces[near]]
    if len(corners) == 0:
        return np.empty(0)
    edge_1, edge_2 = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    across = np.cross(ray.direction, edge_2)
    determinant = np.einsum("ij,ij->i", edge_1, across)
    with np.errstate(divide="ignore", invalid="ignore"):
        inverse = 1.0 / determinant
        offset = ray.start - corners[:, 0]
        u = np.einsum("ij,ij->i", offset, across) * inverse
        turned = np.cross(offset, edge_1)
        v = turned @ ray.direction * inverse
        distance = np.einsum("ij,ij->i", edge_2, turned) * inverse
        hit = (np.abs(determinant) > 1e-12) & (u >= 0.0) & (v >= 0.0) & (u + v <= 1.0) & (distance > 0.0)
    met: FloatArray = distance[hit]
    return met


def pick(items: Mapping[str, Item], ray: Ray) -> tuple[str, FloatArray] | None:
    """Return key and point (mm LPS) of the first opaque surface under the ray."""
    best: tuple[float, str] | None = None
    for key, item in items.items():
        if isinstance(item, Surface) and item.opacity > 0.5:
            back = None if item.motion is None else item.motion.inverse()
            seen = ray if back is None else Ray(back(ray.start), back.directions(ray.direction))
            distance = first_hit(item.mesh, seen)
            if distance is not None and (best is None or distance < best[0]):
                best = (distance, key)
    if best is None:
        return None
    return best[1], ray.start + best[0] * ray.direction
