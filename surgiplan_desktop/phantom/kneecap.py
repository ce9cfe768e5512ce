"""Where the patella lies: on its path over the trochlea, at the wanted height, and where the flexed knee draws it.

The path is straight up the front of the femur and, below the middle of the trochlea, round its axis. The patellar tendon keeps
its length when the knee bends.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np

from surgiplan_desktop.base.arrays import FloatArray
from surgiplan_desktop.phantom.femur import TROCHLEA, Femur
from surgiplan_desktop.phantom.parameters import LegParameters, impossible
from surgiplan_desktop.phantom.probe import extreme_point, refined_extreme
from surgiplan_desktop.phantom.small_bones import PATELLA_EDGE_MM, Patella
from surgiplan_desktop.phantom.variation import Variation

#: Distance of the path from the trochlea's axis and the ends of the path (unit size), mm.
_PATH_RADIUS_MM: Final = 37.0
_PATH: Final = (-45.0, 55.0)
_TOLERANCE_MM: Final = 1e-4


def patella_on_path(femur: Femur, scale: float, height: float, along: float) -> Patella:
    """The patella at a place of its path: ``along`` in mm of unit size, 0 at the axis of the trochlea, upward positive."""
    angle = max(-along, 0.0) / _PATH_RADIUS_MM
    c, s = float(np.cos(angle)), float(np.sin(angle))
    middle = np.array(
        [femur.distal.groove_at + 0.5, TROCHLEA[0] + _PATH_RADIUS_MM * c, TROCHLEA[1] - _PATH_RADIUS_MM * s + max(along, 0.0)]
    )
    axes = np.column_stack([[1.0, 0.0, 0.0], [0.0, c, -s], [0.0, s, c]])
    return Patella(femur, femur.from_block(scale * middle), femur.block_axes @ axes, scale, height)


def poles(patella: Patella, near: tuple[FloatArray, FloatArray] | None = None) -> tuple[FloatArray, FloatArray]:
    """Superior and inferior pole along the patella's own axis, in F; ``near`` are points close to them."""
    up = patella.axes[:, 2]
    if near is not None:
        top, low = refined_extreme(patella, near[0], up, 4.0), refined_extreme(patella, near[1], -up, 4.0)
        if top is not None and low is not None:
            return top, low
    top = extreme_point(patella, patella.centre + patella.scale * patella.axes @ np.array([0.0, 1.0, 18.0]), up, 4.0)
    low = extreme_point(patella, patella.centre + patella.scale * patella.axes @ np.array([-0.5, 2.0, -20.0]), -up, 2.0)
    return top, low


def articular_inferior(patella: Patella) -> FloatArray:
    """Lower border of the articular face, in F: lowest point of the rim where the face meets the body.

    On the rim both fields are equal and the rounded edge between them is the surface, so each is a sixth of its width below zero.
    """
    level = -PATELLA_EDGE_MM / 6.0
    columns = np.linspace(-9.0, 9.0, 10)
    k, axes = patella.scale, patella.axes
    start = rough = np.tile(np.array([0.0, -8.0, -12.0]), (len(columns), 1))
    best = start[0]
    for _ in range(6):
        own = start.copy()
        own[:, 0] = columns
        for _ in range(12 if start is rough else 5):
            moves = np.array([[0.0, 0.0, 0.0], [0.0, 1e-3, 0.0], [0.0, 0.0, 1e-3]])
            points = (own[None] + moves[:, None]).reshape(-1, 3) @ axes.T * k + patella.centre
            body = (patella.body(points) - level).reshape(3, -1)
            face = (patella.face(points) - level).reshape(3, -1)
            jacobian = np.stack([np.stack([(f[1] - f[0]) / 1e-3, (f[2] - f[0]) / 1e-3], axis=-1) for f in (body, face)], axis=-2)
            values = np.stack([body[0], face[0]], axis=-1)
            determinant = np.linalg.det(jacobian)
            jacobian[np.abs(determinant) < 1e-3] = np.eye(2)
            step = np.linalg.solve(jacobian, values[..., None])[..., 0]
            own[:, 1:] -= np.clip(step, -3.0, 3.0)
            if np.abs(step).max() < 1e-7:
                break
        points = own @ axes.T * k + patella.centre
        met = (np.abs(patella.body(points) - level) < 1e-4) & (np.abs(patella.face(points) - level) < 1e-4)
        met &= (np.abs(own[:, 1]) < 16.0) & (own[:, 2] < 4.0)
        if not met.any():
            raise ValueError("the patella has no articular face here")
        lowest = int(np.argmin(np.where(met, own[:, 2], np.inf)))
        best = own[lowest]
        columns = best[0] + (columns - columns.mean()) * 0.25
        start = np.tile(best, (len(columns), 1))
    result: FloatArray = best @ axes.T * k + patella.centre
    return result


def place_patella(
    parameters: LegParameters,
    femur: Femur,
    vary: Variation,
    straight: tuple[FloatArray, FloatArray],
    bent: tuple[FloatArray, FloatArray],
) -> Patella:
    """Put the patella at the wanted Caton-Deschamps height of the straight leg, then where the tendon holds it in the bent one.

    Parameters
    ----------
    straight, bent
        Antero-superior edge and tuberosity of the tibia in the leg frame.

    Raises
    ------
    UsageError
        ``phantom_combination`` when no place of the path gives the height.
    """
    scale, height = parameters.knee_width_mm / 77.0, vary.factor("patella apex", 2.0)

    known: list[FloatArray] = []

    def at(along: float) -> Patella:
        return patella_on_path(femur, scale, height, along)

    def ends(patella: Patella) -> tuple[FloatArray, FloatArray]:
        # In the patella's own frame its poles hardly move along the path.
        near = (patella.centre + patella.axes @ known[0], patella.centre + patella.axes @ known[1]) if known else None
        top, low = poles(patella, near)
        known[:] = [(end - patella.centre) @ patella.axes for end in (top, low)]
        return top, low

    def index(along: float) -> float:
        patella = at(along)
        top, _ = ends(patella)
        low = articular_inferior(patella)
        return float(np.linalg.norm(low - straight[0]) / np.linalg.norm(low - top)) - parameters.patella_height

    place = _root(index, 4.0, 1.0 / 40.0, parameters)
    patella = at(place)
    if np.array_equal(straight[1], bent[1]):
        return patella
    tendon = float(np.linalg.norm(ends(patella)[1] - straight[1]))

    def stretch(along: float) -> float:
        return float(np.linalg.norm(ends(at(along))[1] - bent[1])) - tendon

    return at(_root(stretch, place - 0.6 * parameters.knee_flexion_deg, 1.0, parameters))


def _root(function: Callable[[float], float], start: float, slope: float, parameters: LegParameters) -> float:
    """Secant steps along the path."""
    at, value = start, function(start)
    for _ in range(20):
        if abs(value) < _TOLERANCE_MM * abs(slope):
            return at
        step = float(np.clip(-value / slope, -8.0, 8.0))
        if abs(step) < _TOLERANCE_MM:
            return at
        following = at + step
        if not _PATH[0] < following < _PATH[1]:
            break
        after = function(following)
        slope = (after - value) / step if abs(step) > 1e-9 else slope
        at, value = following, after
    raise impossible("patella_height", parameters.patella_height)
