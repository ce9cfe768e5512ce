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
    around = mesh_of(tibia, middle - _BOX_MM, middle + _BOX_MM, _START_STEP_MM).vertices
    near = around[fibula(around) < _BAND_MM]
    up = np.array([0.0, 0.0, 1.0])
    return (_furthest(tibia, fibula, near, up), _furthest(tibia, fibula, near, -up), _furthest(tibia, fibula, near, -across))


def _furthest(tibia: Field, fibula: Field, band: FloatArray, direction: FloatArray) -> FloatArray:
    """Point of the band that lies furthest along a direction, by ever finer patches of the tibia around the best so far."""
    best = band[int(np.argmax(band @ direction))]
    steps = np.linspace(-1.0, 1.0, 7)
    u, v = (item.ravel() for item in np.meshgrid(steps, steps))
    radius = 1.5
    for _ in range(7):
        normal = gradient(tibia, best[None])[0]
        first = np.cross(normal, direction)
        first /= max(float(np.linalg.norm(first)), 1e-9)
        second = np.cross(normal, first) / float(np.linalg.norm(normal))
        patch = onto_surface(tibia, best + radius * (u[:, None] * first + v[:, None] * second), 1)
        inside = patch[distances(fibula, patch) < _BAND_MM]
        if len(inside):
            best = inside[int(np.argmax(inside @ direction))]
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
