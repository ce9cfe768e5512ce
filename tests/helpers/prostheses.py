"""Knee prostheses on the bones of a phantom, as a segmentation has them: bone and metal one closed mesh."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from surgiplan_desktop.base.arrays import FloatArray
from surgiplan_desktop.base.spaces import Frame, Plane
from surgiplan_desktop.geometry.isosurface import zero_surface
from surgiplan_desktop.geometry.solid import box, cylinder, difference, extrude, split, union, volume
from surgiplan_desktop.model.mesh import Mesh

#: Discs (anterior, up, radius) whose chain is the side view of the component, mm; origin at the centre of the condyles' rear.
_SIDE_VIEW = np.array([(0.0, 0.0, 20.0), (10.0, 0.0, 23.0), (24.0, 8.0, 17.0), (34.0, 30.0, 9.0), (36.0, 48.0, 6.0)])
_STEP_MM = 1.0


def _component(coronal_mm: float) -> Mesh:
    """Two equal condyles with a groove and a notch, coordinates (lateral, anterior, up); filled, as bone fills it."""
    x, y, z = np.arange(-38.0, 38.1, _STEP_MM), np.arange(-24.0, 50.0, _STEP_MM), np.arange(-28.0, 60.0, _STEP_MM)
    up, front, across = np.meshgrid(z, y, x, indexing="ij")
    field = np.full(up.shape, np.inf)
    for start, end in pairwise(_SIDE_VIEW):
        way = end[:2] - start[:2]
        share = np.clip(((front - start[0]) * way[0] + (up - start[1]) * way[1]) / (way @ way), 0.0, 1.0)
        away = np.hypot(front - start[0] - share * way[0], up - start[1] - share * way[1])
        field = np.minimum(field, away - start[2] - share * (end[2] - start[2]))
    field += (np.abs(across) - 23.0) ** 2 / (2.0 * coronal_mm)
    field += 4.0 * np.exp(-((across / 9.0) ** 2)) * np.clip((front - 10.0) / 15.0, 0.0, 1.0)
    field = np.maximum(field, np.abs(across) - 35.0)
    field = np.maximum(field, -np.maximum(np.abs(across) - 9.0, front - 20.0))
    points, faces = zero_surface(np.pad(field, 1, constant_values=5.0))
    points = (points - 1.0) * _STEP_MM + [z[0], y[0], x[0]]
    mesh = Mesh(points[:, ::-1].copy(), faces)
    return mesh if volume(mesh) > 0.0 else Mesh(mesh.vertices, faces[:, ::-1].copy())


def with_femoral_component(mesh: Mesh, lateral: FloatArray, anterior: FloatArray, *, coronal_mm: float = 45.0) -> Mesh:
    """The lower 130 mm of a femur (up = +z) cut by five planes, with a component as wide as the bone on it."""
    up = np.array([0.0, 0.0, 1.0])
    low = float(mesh.vertices[:, 2].min())
    _, short = split(mesh, Plane((0.0, 0.0, low + 130.0), (0.0, 0.0, 1.0)))
    end = short.vertices[short.vertices[:, 2] < low + 25.0]
    across, back = end @ lateral, float((end @ anterior).min())
    scale = float(np.ptp(across)) / 76.0
    origin = 0.5 * (across.max() + across.min()) * lateral + (back + 20.5 * scale) * anterior + (low + 22.5 * scale) * up
    axes = np.stack([lateral, anterior, up])
    turned = axes if np.linalg.det(axes) > 0.0 else np.stack([-lateral, anterior, up])
    cuts = [
        box(Frame(origin + np.array(centre) @ axes * scale, turned.T), np.array(size) * scale)
        for centre, size in (
            ((0.0, 0.0, -54.0), (180.0, 180.0, 80.0)),
            ((0.0, -51.0, -10.0), (180.0, 80.0, 70.0)),
            ((0.0, 74.0, 10.0), (180.0, 80.0, 80.0)),
        )
    ]
    body = _component(coronal_mm)
    placed = Mesh(body.vertices * scale @ axes + origin, body.faces)
    if volume(placed) < 0.0:
        placed = Mesh(placed.vertices, placed.faces[:, ::-1].copy())
    return union(difference(short, *cuts), placed)


def with_tray(mesh: Mesh, lateral: FloatArray, *, slope_deg: float = 3.5) -> Mesh:
    """A tibia (up = +z) sawn off 14 mm below its top, with a tray of 4 mm and a keel."""
    top = mesh.vertices[mesh.vertices[:, 2] > mesh.vertices[:, 2].max() - 15.0]
    centre = top.mean(axis=0)
    centre[2] = mesh.vertices[:, 2].max() - 14.0
    normal = np.array([0.0, np.sin(np.radians(slope_deg)), np.cos(np.radians(slope_deg))])
    _, below = split(mesh, Plane(centre, normal))
    across = lateral - (lateral @ normal) * normal
    across /= np.linalg.norm(across)
    wide, deep = np.ptp(top[:, 0]) - 3.0, np.ptp(top[:, 1]) - 3.0
    turn = np.linspace(0.0, 2.0 * np.pi, 90, endpoint=False)
    outline = np.sign([np.cos(turn), np.sin(turn)]) * np.abs([np.cos(turn), np.sin(turn)]) ** 0.8 * [[wide / 2.0], [deep / 2.0]]
    plate = extrude(outline.T, Frame(centre, np.stack([across, np.cross(normal, across), normal], axis=1)), -0.5, 4.0)
    return union(below, plate, cylinder(centre - 35.0 * normal, centre, 7.0))
