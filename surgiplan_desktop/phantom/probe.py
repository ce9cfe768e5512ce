"""Points of an implicit surface that have a definition: extreme points, saddles, sections, found to about 1e-4 mm."""

from __future__ import annotations

from typing import Final

import numpy as np

from surgiplan_desktop.base.arrays import FloatArray, unit
from surgiplan_desktop.phantom.fields import Field, gradient

#: A quadratic through the surface is fitted over this half width; smaller ones drown in rounding.
_SMALLEST_WINDOW_MM: Final = 0.06
#: Steps of the differences in :func:`refined_extreme`.
_STENCIL_MM: Final = 2e-3
_CREASE_STEP_MM: Final = 2e-3
#: A line that touches two bulges is found when it turns by less than this (rad): 1e-4 mm over a knee, what a contact is good to.
_TURN: Final = 2e-6
#: A search over the smallest windows ends when it climbs by less: on a ridge some 0.01 mm along it, nothing across.
_NO_GAIN_MM: Final = 1e-6
#: Times that a search over windows is cut short by Newton steps.
_NEWTON_TRIES: Final = 2
#: Edge of the cells of a section that are looked at first, in steps of its lattice.
_CELL: Final = 5
_STENCIL: Final = _STENCIL_MM * np.array(
    [
        [0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [-1, 0, 0], [0, -1, 0], [0, 0, -1],
        [1, 1, 0], [-1, -1, 0], [1, 0, 1], [-1, 0, -1], [0, 1, 1], [0, -1, -1],
    ]
)  # fmt: skip


def heights_along(field: Field, starts: FloatArray, direction: FloatArray, reach_mm: float) -> FloatArray:
    """First crossing into the solid from outside: distance of the surface along ``direction`` from points, shape (n,).

    The ray starts at ``start + reach * direction`` and runs against ``direction`` over twice the reach; NaN where it meets
    nothing.
    """
    position = np.full(len(starts), reach_mm)
    found = np.zeros(len(starts), dtype=bool)
    ids = np.arange(len(starts))
    last_step, last_value = np.zeros(len(starts)), np.zeros(len(starts))
    for _ in range(300):
        value = field(starts[ids] + position[ids, None] * direction)
        done = np.abs(value) < 1e-7
        # A start inside the solid has no surface before it.
        done |= (value < 0.0) & (position[ids] >= reach_mm)
        found[ids[done]] = True
        # Far away the field is not an exact distance: careful steps. Close by, secant steps along the ray.
        with np.errstate(divide="ignore", invalid="ignore"):
            slope = (last_value[ids] - value) / last_step[ids]
        close = (np.abs(value) < 0.5) & np.isfinite(slope)
        step = np.where(close, value / np.clip(slope, 0.1, 2.0), 0.6 * np.maximum(value, 0.02))
        last_step[ids], last_value[ids] = step, value
        position[ids] -= np.where(done, 0.0, step)
        ids = ids[~done & (position[ids] > -reach_mm)]
        if not len(ids):
            break
    return np.where(found, position, np.nan)


def refined_extreme(field: Field, start: FloatArray, direction: FloatArray, reach_mm: float = 6.0) -> FloatArray | None:
    """The point near ``start`` where the surface lies furthest along ``direction``, by Newton steps; None when they lead nowhere.

    Solves ``direction = m * gradient`` together with ``field = 0``; derivatives by central differences in one evaluation each.
    """
    axis = unit(direction)
    point, multiplier, last = np.asarray(start, dtype=np.float64), 0.0, np.inf
    for step in range(12):
        values = field(point + _STENCIL)
        value = float(values[0])
        plus, minus = values[1:4], values[4:7]
        slope = (plus - minus) / (2.0 * _STENCIL_MM)
        hessian = np.diag((plus + minus - 2.0 * value) / _STENCIL_MM**2)
        for n, (i, j) in enumerate(((0, 1), (0, 2), (1, 2))):
            mixed = (values[7 + 2 * n] + values[8 + 2 * n] - plus[i] - minus[i] - plus[j] - minus[j] + 2.0 * value) / 2.0
            hessian[i, j] = hessian[j, i] = mixed / _STENCIL_MM**2
        if step == 0:
            multiplier = 1.0 / max(float(np.linalg.norm(slope)), 1e-6)
        matrix = np.zeros((4, 4))
        matrix[:3, :3], matrix[:3, 3], matrix[3, :3] = multiplier * hessian, slope, slope
        rest = np.array([*(axis - multiplier * slope), -value])
        try:
            move = np.linalg.solve(matrix, rest)
        except np.linalg.LinAlgError:
            return None
        length = float(np.linalg.norm(move[:3]))
        point = point + move[:3] * min(1.0, 1.5 / max(length, 1e-12))
        multiplier += float(move[3])
        if not np.isfinite(length) or np.linalg.norm(point - start) > reach_mm or multiplier <= 0.0:
            return None
        # Tables of sections make creases of a tiny angle, over which the steps would go to and fro for ever.
        if length < 1e-6 or (length < _CREASE_STEP_MM and length > 0.5 * last):
            # A peak, not a saddle or a hollow: the surface bends away from the direction on every tangent.
            tangent = np.linalg.svd(slope[None])[2][1:]
            return point if np.linalg.eigvalsh(tangent @ hessian @ tangent.T).min() > 0.0 else None
        last = length
    return None


def extreme_point(
    field: Field, start: FloatArray, direction: FloatArray, window_mm: float = 8.0, reach_mm: float = 30.0
) -> FloatArray:
    """Point of the surface that lies furthest along ``direction`` near ``start``, shape (3,)."""
    axis = unit(direction)
    across = unit(np.cross(axis, [0.0, 0.0, 1.0] if abs(axis[2]) < 0.9 else [1.0, 0.0, 0.0]))
    along = np.cross(axis, across)
    centre = np.asarray(start, dtype=np.float64)
    window = window_mm
    steps = np.linspace(-1.0, 1.0, 7)
    u, v = (item.ravel() for item in np.meshgrid(steps, steps))
    design = np.column_stack([np.ones_like(u), u, v, u * u, u * v, v * v])
    newton_tries = 0
    for _ in range(12):
        points = centre + window * (u[:, None] * across + v[:, None] * along)
        heights = heights_along(field, points, axis, reach_mm)
        if np.isnan(heights).all():
            raise ValueError("no surface along this direction")
        best = int(np.nanargmax(heights))
        if window < 4.0 and newton_tries < _NEWTON_TRIES:
            # Close enough for Newton steps; where they fail, as over a crease, the search goes on.
            refined = refined_extreme(field, points[best] + heights[best] * axis, axis)
            if refined is not None:
                return refined
            newton_tries += 1
        move = np.array([u[best], v[best]])
        near = ~np.isnan(heights) & (heights > np.nanmax(heights) - max(2.0 * window, 0.05))
        if near.sum() >= 12 and window < 4.0:
            c = np.linalg.lstsq(design[near], heights[near], rcond=None)[0]
            hessian = np.array([[2 * c[3], c[4]], [c[4], 2 * c[5]]])
            if np.linalg.eigvalsh(hessian).max() < 0:
                newton = -np.linalg.solve(hessian, c[1:3])
                if np.abs(newton).max() <= 1.0:
                    move = newton
        centre = centre + window * (move[0] * across + move[1] * along)
        gain = float(np.nanmax(heights))
        if window <= _SMALLEST_WINDOW_MM and (np.abs(move).max() * window < 1e-5 or gain < _NO_GAIN_MM):
            break
        centre = centre + gain * axis
        reach_mm = min(reach_mm, max(4.0 * window, 3.0))
        window = max(window * 0.4, _SMALLEST_WINDOW_MM)
    height = float(heights_along(field, centre[None], axis, reach_mm)[0])
    return np.asarray(centre + height * axis, dtype=np.float64)


def saddle_below(field: Field, start: FloatArray, up: FloatArray, lateral: FloatArray, window_mm: float = 6.0) -> FloatArray:
    """Notch point: of the most distal points of the sections across ``lateral``, the highest one near ``start``, shape (3,)."""
    forward = np.cross(up, lateral)
    centre = np.asarray(start, dtype=np.float64)
    steps = np.linspace(-1.0, 1.0, 7)
    u, v = (item.ravel() for item in np.meshgrid(steps, steps))
    design = np.column_stack([np.ones_like(u), u, v, u * u, u * v, v * v])
    window = window_mm
    for _ in range(12):
        points = centre + window * (u[:, None] * lateral + v[:, None] * forward)
        depth = heights_along(field, points, -up, 30.0)
        c = np.linalg.lstsq(design, depth, rcond=None)[0]
        # depth is a maximum along v (most distal) and a minimum along u (highest of them): a saddle has one Newton step.
        hessian = np.array([[2 * c[3], c[4]], [c[4], 2 * c[5]]])
        move = np.clip(-np.linalg.solve(hessian, c[1:3]), -1.0, 1.0)
        centre = centre + window * (move[0] * lateral + move[1] * forward)
        if window <= 0.1 and np.abs(move).max() * window < 1e-5:
            break
        window = max(window * 0.4, 0.1)
    lowest = float(heights_along(field, centre[None], -up, 30.0)[0])
    return np.asarray(centre - lowest * up, dtype=np.float64)


def bitangent(
    field: Field, first: FloatArray, second: FloatArray, outward: FloatArray, lateral: FloatArray, *, near: bool = False
) -> tuple[FloatArray, FloatArray]:
    """Contact points of the line that touches two bulges from outside, in the projection along ``outward x lateral``.

    ``first`` is the medial start, ``second`` the lateral one; ``lateral`` and ``outward`` span the plane of projection.
    With ``near`` the starts are contact points of a line that lies nearly so.
    """
    direction = _across(second - first, outward, lateral) if near else unit(outward)
    window, reach = (1.0, 4.0) if near else (6.0, 30.0)
    for _ in range(8):
        first, second = (_contact(field, point, direction, window, reach) for point in (first, second))
        window, reach = 1.0, 4.0
        turned = _across(second - first, outward, lateral)
        if np.abs(turned - direction).max() < _TURN:
            break
        direction = turned
    return first, second


def _across(line: FloatArray, outward: FloatArray, lateral: FloatArray) -> FloatArray:
    """Direction across a line in the plane of ``outward`` and ``lateral``, to the side of ``outward``."""
    return unit(outward - (line @ outward) / (line @ lateral) * lateral)


def _contact(field: Field, start: FloatArray, direction: FloatArray, window: float, reach: float) -> FloatArray:
    found = refined_extreme(field, start, direction) if window < 4.0 else None
    return extreme_point(field, start, direction, window, reach) if found is None else found


def section_centroid(
    field: Field, point: FloatArray, normal: FloatArray, reach_mm: float, seed: FloatArray | None = None, step_mm: float = 0.3
) -> FloatArray:
    """Area centroid of the loop that contains ``seed`` (or the point) in the section through ``point``, shape (3,).

    The area is summed on a fine grid with partial cells at the edge, so the centroid is good to some hundredths of a step.
    """
    from scipy import ndimage

    axis = unit(normal)
    across = unit(np.cross(axis, [0.0, 1.0, 0.0]))
    along = np.cross(axis, across)
    steps = np.arange(-reach_mm, reach_mm + step_mm, step_mm)
    u, v = np.meshgrid(steps, steps, indexing="ij")
    values = _values_in_section(field, point + u.ravel()[:, None] * across + v.ravel()[:, None] * along, len(steps), step_mm)
    weight = np.clip(0.5 - values / step_mm, 0.0, 1.0)
    parts, _ = ndimage.label(weight > 0.0)
    inside = parts[len(steps) // 2, len(steps) // 2]
    if seed is not None:
        offset = np.asarray(seed) - point
        i, j = (round((float(offset @ axis_) + reach_mm) / step_mm) for axis_ in (across, along))
        inside = parts[i, j]
    if inside == 0:
        raise ValueError("the section does not contain the seed")
    weight = np.where(parts == inside, weight, 0.0)
    total = weight.sum()
    centroid = point + float((weight * u).sum() / total) * across + float((weight * v).sum() / total) * along
    return np.asarray(centroid, dtype=np.float64)


def _values_in_section(field: Field, points: FloatArray, count: int, step_mm: float) -> FloatArray:
    """Field at a square lattice of points (count squared, 3): exact near the outline, elsewhere that of a point close by."""
    lattice = points.reshape(count, count, 3)
    cells = -(-count // _CELL)
    middles = np.minimum(np.arange(cells) * _CELL + _CELL // 2, count - 1)
    rough = field(lattice[np.ix_(middles, middles)].reshape(-1, 3)).reshape(cells, cells)
    values = np.repeat(np.repeat(rough, _CELL, axis=0), _CELL, axis=1)[:count, :count]
    # Fields overestimate the distance by a factor below two; a cell's corner lies less than half its edge times 1.5 away.
    near = np.abs(values) < (1.5 * _CELL + 1.0) * step_mm
    values[near] = field(lattice[near])
    return values


def shaft_points(field: Field, lowest: FloatArray, highest: FloatArray, axis: FloatArray, line: FloatArray) -> list[FloatArray]:
    """Centroids of the sections at 25 % and 75 % of a bone's length along ``axis``; ``line`` is a point of the axis."""
    lateral, anterior = np.eye(3)[:2]
    low, high = float(lowest @ axis), float(highest @ axis)
    centroids = []
    for share in (0.25, 0.75):
        point = line + (low + share * (high - low) - line @ axis) * axis
        across = np.array([point + dx * lateral + dy * anterior for dx in range(-50, 51, 4) for dy in range(-40, 41, 4)])
        across = across - ((across - point) @ axis)[:, None] * axis
        seed = across[int(np.argmin(field(across)))]
        centroids.append(section_centroid(field, seed, axis, 35.0, step_mm=0.4))
    return centroids


def normals_at(field: Field, points: FloatArray) -> FloatArray:
    """Outward unit normals at points of the surface, shape (n, 3)."""
    slope = gradient(field, points)
    result: FloatArray = slope / np.linalg.norm(slope, axis=1, keepdims=True)
    return result
