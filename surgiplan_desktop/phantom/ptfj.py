"""Margins of the proximal tibiofibular joint: the band of the tibia that lies within 4 mm of the fibula (clinical.md A.1)."""

from __future__ import annotations

from typing import Final

import numpy as np

from surgiplan_desktop.base.arrays import FloatArray
from surgiplan_desktop.phantom.fields import Field, gradient, onto_surface
from surgiplan_desktop.phantom.meshing import mesh_of
from surgiplan_desktop.phantom.small_bones import Fibula

_BAND_MM: Final = 4.0
_START_STEP_MM: Final = 1.2
#: Half width of the box around the fibular head in which the joint lies, mm.
_BOX_MM: Final = 30.0


def joint_margins(fibula: Fibula, across: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Proximal, distal and medial margin in P, each of shape (3,); ``across`` is lateral in P."""
    tibia = fibula.tibia
    middle = 0.5 * (fibula.head[0] + fibula.head[1])
    around = mesh_of(tibia, middle - _BOX_MM, middle + _BOX_MM, _START_STEP_MM, whole=False).vertices
    near = around[fibula(around) < _BAND_MM]
    up = np.array([0.0, 0.0, 1.0])
    proximal, distal, medial = _furthest(tibia, fibula, near, np.array([up, -up, -across]))
    return proximal, distal, medial


def _furthest(tibia: Field, fibula: Field, band: FloatArray, directions: FloatArray) -> FloatArray:
    """Points of the band that lie furthest along each direction, by ever finer patches of the tibia around the best so far."""
    best = band[np.argmax(band @ directions.T, axis=0)]
    steps = np.linspace(-1.0, 1.0, 7)
    u, v = (item.ravel()[None, :, None] for item in np.meshgrid(steps, steps))
    radius = 1.5
    for _ in range(7):
        normal = gradient(tibia, best)
        first = np.cross(normal, directions)
        first /= np.maximum(np.linalg.norm(first, axis=1), 1e-9)[:, None]
        second = np.cross(normal, first) / np.linalg.norm(normal, axis=1)[:, None]
        patches = best[:, None] + radius * (u * first[:, None] + v * second[:, None])
        points = onto_surface(tibia, patches.reshape(-1, 3), 1)
        inside = distances(fibula, points).reshape(len(directions), -1) < _BAND_MM
        points = points.reshape(patches.shape)
        ahead = np.where(inside, np.einsum("dnk,dk->dn", points, directions), -np.inf)
        found = points[np.arange(len(directions)), np.argmax(ahead, axis=1)]
        best = np.where(inside.any(axis=1, keepdims=True), found, best)
        radius *= 0.5
    result: FloatArray = best
    return result


def distances(field: Field, points: FloatArray) -> FloatArray:
    """Distance of points outside a bone from its surface, shape (n,), mm: foot points slid along the surface until they rest."""
    feet = onto_surface(field, points, 2)
    for _ in range(3):
        normal = gradient(field, feet)
        normal /= np.linalg.norm(normal, axis=1, keepdims=True)
        towards = points - feet
        feet = onto_surface(field, feet + towards - np.einsum("ij,ij->i", towards, normal)[:, None] * normal, 1)
    result: FloatArray = np.linalg.norm(points - feet, axis=1)
    return result
