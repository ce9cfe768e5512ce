"""A plain foot below the talus, so that the network meets bones there which are none of the leg's: all of one code."""

from __future__ import annotations

import numpy as np

from surgiplan_desktop.base.arrays import AnyArray, FloatArray, unit
from surgiplan_desktop.base.spaces import rotation_about
from surgiplan_desktop.phantom.fields import Field, ellipsoid, round_cone
from surgiplan_desktop.phantom.limb import Solid

#: Metatarsals from the first to the fifth: place across the foot as a share of its half width, length share, radius in mm.
_RAYS = ((0.9, 0.92, 6.5), (0.45, 1.0, 4.5), (0.05, 0.97, 4.2), (-0.35, 0.93, 4.2), (-0.75, 0.88, 4.2))


def foot_field(talus: Solid, tibia: Solid, random: np.random.Generator) -> tuple[Field, FloatArray, FloatArray]:
    """Return the foot's field (LPS points) and the corners of its box, mm.

    The foot turns down by 0 to 55 degrees about the talus, as it lies in scanners.
    """
    centre = 0.5 * (talus.lowest + talus.highest)
    scale = float(random.uniform(0.85, 1.15))
    down = unit(tibia.distal - tibia.proximal)
    forward = unit(tibia.anterior - (tibia.anterior @ down) * down)
    across = unit(np.cross(forward, down))
    plantar = rotation_about(centre, across, float(random.uniform(0.0, 55.0)))
    if float(plantar.directions(forward) @ down) < 0.0:
        plantar = plantar.inverse()
    turned = rotation_about(centre, down, float(random.uniform(-12.0, 12.0))) @ plantar
    forward, down, across = (turned.directions(axis) for axis in (forward, down, across))
    medial = across if float(across @ np.array([1.0, 0.0, 0.0])) > 0 else -across

    def at(ahead: float, below: float, aside: float) -> FloatArray:
        return centre + scale * (ahead * forward + below * down + aside * medial)

    rods: list[tuple[FloatArray, FloatArray, float, float]] = [
        (at(-38.0, 34.0, -4.0), at(2.0, 26.0, -6.0), 17.0 * scale, 13.0 * scale),  # calcaneus
        (at(2.0, 24.0, -8.0), at(22.0, 24.0, -14.0), 12.0 * scale, 11.0 * scale),
    ]
    blobs: list[tuple[FloatArray, FloatArray]] = [(at(32.0, 14.0, 8.0), scale * np.array([10.0, 10.0, 14.0]))]  # navicular
    blobs += [(at(46.0, 17.0 + 2.0 * k, 14.0 - 11.0 * k), scale * np.array([9.0, 8.0, 9.0])) for k in range(4)]
    for place, length, radius in _RAYS:
        base, head = at(58.0, 20.0 - 4.0 * place, 22.0 * place), at(58.0 + 62.0 * length, 34.0, 34.0 * place)
        rods.append((base, head, radius * scale * 1.1, radius * scale))
        tip = at(58.0 + 62.0 * length + 34.0, 38.0, 36.0 * place)
        rods.append((head + 4.0 * forward, tip, 0.8 * radius * scale, 0.7 * radius * scale))

    def field(points: AnyArray) -> AnyArray:
        result = np.full(len(points), 1e3, dtype=points.dtype)
        for start, end, first, last in rods:
            result = np.minimum(result, round_cone(points, start, end, first, last))
        for middle, radii in blobs:
            result = np.minimum(result, ellipsoid(points, middle, radii))
        return result

    ends = np.array([point for start, end, _, _ in rods for point in (start, end)])
    return field, ends.min(axis=0) - 22.0, ends.max(axis=0) + 22.0
