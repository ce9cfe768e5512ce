"""The shapes that landmarks were fitted with, as meshes: slices show their section, 3D shows them through the bone."""

from __future__ import annotations

from typing import Final

import numpy as np

from surgiplan_desktop.base.arrays import FloatArray
from surgiplan_desktop.model.mesh import Mesh
from surgiplan_desktop.planning.records import Fit, FitCylinder, FitLine, FitPlane, FitSphere

_AROUND: Final = 72
_RINGS: Final = 36
#: A fitted line is drawn as a rod of this radius (mm).
_ROD_MM: Final = 0.8


def fit_mesh(fit: Fit) -> Mesh:
    """Return the surface of a fit: sphere, open tube, disc, or thin rod."""
    if isinstance(fit, FitSphere):
        return _sphere(fit.centre, fit.radius_mm)
    if isinstance(fit, FitCylinder):
        half = fit.half_length_mm * fit.direction
        return _tube(fit.point - half, fit.point + half, fit.radius_mm)
    if isinstance(fit, FitLine):
        return _tube(fit.start, fit.end, _ROD_MM)
    return _disc(fit)


def fit_rods(fit: Fit) -> FloatArray:
    """Return the shape as segments (n, 2, 3), mm LPS, that are seen on the bone: great circles, ends and sides, rim."""
    if isinstance(fit, FitSphere):
        circle, zero = fit.radius_mm * _circle(), np.zeros((_AROUND, 1))
        loops = [np.hstack([circle, zero]), np.hstack([zero, circle]), np.hstack([circle[:, :1], zero, circle[:, 1:]])]
        return np.concatenate([_loop(fit.centre + loop) for loop in loops])
    if isinstance(fit, FitLine):
        return np.array([[fit.start, fit.end]])
    if isinstance(fit, FitPlane):
        one, two = _across(fit.normal)
        rim = fit.point + fit.radius_mm * (_circle() @ np.array([one, two]))
        return np.concatenate([_loop(rim), rim[[0, _AROUND // 2, _AROUND // 4, 3 * _AROUND // 4]].reshape(2, 2, 3)])
    one, two = _across(fit.direction)
    ring, half = fit.radius_mm * (_circle() @ np.array([one, two])), fit.half_length_mm * fit.direction
    rings = [_loop(fit.point + shift * half + ring) for shift in (-1.0, 0.0, 1.0)]
    sides = np.stack([fit.point - half + ring, fit.point + half + ring], axis=1)[:: _AROUND // 12]
    return np.concatenate([*rings, sides])


def _loop(points: FloatArray) -> FloatArray:
    return np.stack([points, np.roll(points, -1, axis=0)], axis=1)


def fit_axis(fit: Fit) -> FloatArray | None:
    """Return the axis of a cylinder or the line itself, as its two ends (2, 3), mm LPS; None for what has no axis."""
    if isinstance(fit, FitCylinder):
        reach = (fit.half_length_mm + 12.0) * fit.direction
        return np.array([fit.point - reach, fit.point + reach])
    return np.array([fit.start, fit.end]) if isinstance(fit, FitLine) else None


def _across(direction: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return two unit directions square to a unit direction and to one another."""
    one = np.cross(direction, np.eye(3)[int(np.argmin(np.abs(direction)))])
    one = one / np.linalg.norm(one)
    return one, np.cross(direction, one)


def _grid_faces(rows: int, columns: int) -> list[tuple[int, int, int]]:
    """Faces of a grid of rows of points that closes on itself along each row."""
    faces = []
    for row in range(rows - 1):
        for column in range(columns):
            here, right = row * columns + column, row * columns + (column + 1) % columns
            faces += [(here, right, right + columns), (here, right + columns, here + columns)]
    return faces


def _circle() -> FloatArray:
    angles = np.linspace(0.0, 2.0 * np.pi, _AROUND, endpoint=False)
    circle: FloatArray = np.c_[np.cos(angles), np.sin(angles)]
    return circle


def _sphere(centre: FloatArray, radius_mm: float) -> Mesh:
    heights = np.linspace(-np.pi / 2.0, np.pi / 2.0, _RINGS)
    circle = _circle()
    points = [np.c_[np.cos(height) * circle, np.full(_AROUND, np.sin(height))] for height in heights]
    return Mesh(centre + radius_mm * np.concatenate(points), np.array(_grid_faces(_RINGS, _AROUND), dtype=np.int32))


def _tube(start: FloatArray, end: FloatArray, radius_mm: float) -> Mesh:
    direction = (end - start) / max(float(np.linalg.norm(end - start)), 1e-9)
    one, two = _across(direction)
    ring = radius_mm * (_circle() @ np.array([one, two]))
    steps = np.linspace(0.0, 1.0, 9)[:, None, None]
    points = (start + steps * (end - start)) + ring[None]
    return Mesh(points.reshape(-1, 3), np.array(_grid_faces(9, _AROUND), dtype=np.int32))


def _disc(fit: FitPlane) -> Mesh:
    one, two = _across(fit.normal)
    ring = fit.radius_mm * (_circle() @ np.array([one, two]))
    faces = [(_AROUND, index, (index + 1) % _AROUND) for index in range(_AROUND)]
    return Mesh(fit.point + np.vstack([ring, np.zeros(3)]), np.array(faces, dtype=np.int32))
