"""Formulae of clinical.md A.2 in the coordinates lateral, anterior, up of a right leg (sign +1, lateral = Z)."""

from __future__ import annotations

import numpy as np

from surgiplan_desktop.base.arrays import FloatArray
from surgiplan_desktop.base.units import wrap_deg


def wrapped(angle_deg: float) -> float:
    """Wrap to (-180, 180] degrees."""
    return wrap_deg(float(angle_deg))


def theta(vector: FloatArray, lateral: FloatArray, up: FloatArray) -> float:
    """``th(v) = atan2(v.Y, v.L)``, degrees."""
    return float(np.degrees(np.arctan2(vector @ up, vector @ lateral)))


def phi(vector: FloatArray, lateral: FloatArray, up: FloatArray) -> float:
    """``phi(u) = atan2(u.L, -u.Y)``, degrees, for a distally pointing vector."""
    return float(np.degrees(np.arctan2(vector @ lateral, -(vector @ up))))


def mpta_of(axis: FloatArray, line: FloatArray) -> float:
    """MPTA in the plane anterior = 0 of the leg frame: ``th(A - KT) - th(-jt)``; ``axis`` = A - KT, ``line`` = jt."""
    lateral, up = np.array([1.0, 0.0, 0.0]), np.array([0.0, 0.0, 1.0])
    return wrapped(theta(axis, lateral, up) - theta(-line, lateral, up))


def ankle_direction(deviation_rad: float, lean_rad: float) -> FloatArray:
    """Axes of the tibia (columns, in the leg frame) whose downward axis deviates frontally and leans to the front.

    The downward axis is ``(sin d cos l, sin l, -cos d cos l)``: its frontal projection has exactly the deviation.
    """
    d, lean = deviation_rad, lean_rad
    down = np.array([np.sin(d) * np.cos(lean), np.sin(lean), -np.cos(d) * np.cos(lean)])
    up = -down
    lateral = np.array([np.cos(d), 0.0, np.sin(d)])
    lateral = lateral - (lateral @ up) * up
    lateral /= np.linalg.norm(lateral)
    return np.column_stack([lateral, np.cross(up, lateral), up])
