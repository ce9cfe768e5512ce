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
#: The band's edge is followed to either side of the best point so far by this much, then by half of it, and so on.
_FOLLOWED_MM: Final = 4.0
_HALVINGS: Final = 6


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
    """Points of the band that lie furthest along each direction: the top of its edge, followed to and fro around the best so far.

    On the edge itself, not in patches of the band: where the edge runs across the direction, hardly any point of a patch lies
    inside the band and farther, and the search would come to rest millimetres away.
    """
    best = _onto_edge(tibia, fibula, band[np.argmax(band @ directions.T, axis=0)], 8)
    steps = np.linspace(-1.0, 1.0, 7)
    reach = _FOLLOWED_MM
    for _ in range(_HALVINGS):
        along = np.cross(gradient(tibia, best), best - _feet(fibula, best))
        along /= np.maximum(np.linalg.norm(along, axis=1), 1e-9)[:, None]
        started = best[:, None] + reach * steps[:, None] * along[:, None]
        followed = _onto_edge(tibia, fibula, started.reshape(-1, 3), 3).reshape(started.shape)
        ahead = np.einsum("dnk,dk->dn", followed, directions)
        best = followed[np.arange(len(best)), np.argmax(ahead, axis=1)]
        reach *= 0.5
    result: FloatArray = best
    return result


def _onto_edge(tibia: Field, fibula: Field, points: FloatArray, rounds: int) -> FloatArray:
    """Points near the band's edge moved onto it along the tibia, shape (n, 3)."""
    for _ in range(rounds):
        normal = gradient(tibia, points)
        normal /= np.linalg.norm(normal, axis=1, keepdims=True)
        away = points - _feet(fibula, points)
        distance = np.linalg.norm(away, axis=1, keepdims=True)
        steepest = away / distance
        steepest -= np.einsum("ij,ij->i", steepest, normal)[:, None] * normal
        # the distance grows along it by its length; where it hardly grows, careful steps
        slope = np.maximum((steepest * steepest).sum(axis=1, keepdims=True), 0.02)
        points = onto_surface(tibia, points + np.clip((_BAND_MM - distance) / slope, -3.0, 3.0) * steepest, 1)
    return points


def _feet(field: Field, points: FloatArray) -> FloatArray:
    """Nearest points of a bone's surface to points outside of it, shape (n, 3): foot points slid along until they rest."""
    feet = onto_surface(field, points, 2)
    for _ in range(3):
        normal = gradient(field, feet)
        normal /= np.linalg.norm(normal, axis=1, keepdims=True)
        towards = points - feet
        feet = onto_surface(field, feet + towards - np.einsum("ij,ij->i", towards, normal)[:, None] * normal, 1)
    result: FloatArray = feet
    return result
