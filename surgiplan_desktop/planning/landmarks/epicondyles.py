"""The condylar axis from both posterior arcs, the epicondyles along it and the adductor tubercle above (clinical.md A.1)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from surgiplan_desktop.base.arrays import FloatArray
from surgiplan_desktop.planning.landmarks.condyles import REGION_MM, Condyles
from surgiplan_desktop.planning.landmarks.extremes import extreme, refined_extreme
from surgiplan_desktop.planning.landmarks.surface import BoneSurface
from surgiplan_desktop.planning.records import FitCylinder

#: The posterior arc, seen from the side: from straight back towards the sole (deg), in these steps.
_ARC_DEG = (0.0, 60.0)
_ARC_STEP_DEG = 2.5
#: Half width of the strip round a condyle's crest that enters, mm.
_STRIP_MM = 9.0
#: What passes for a posterior condyle (clinical.md A.1).
_RADIUS_MM = (12.0, 32.0)
_RMS_MM = 0.8
_OFF_AXIS_MM = 20.0
_TIP_RADIUS_MM = 8.0
#: The adductor tubercle seen from the medial epicondyle, in shares of the epicondylar width: lateral, anterior, up; and which way
#: it stands out.
_TUBERCLE_FROM = np.array([0.09, -0.10, 0.28])
_TUBERCLE_OUT = np.array([-0.75, -0.45, 0.45]) / np.linalg.norm([-0.75, -0.45, 0.45])
_TUBERCLE_REACH = 0.13


@dataclass(frozen=True, slots=True, eq=False)
class CondylarAxis:
    """Centres of the posterior arcs (3,), their common radius, the RMS of the fit (mm) and the points of the arcs."""

    medial: FloatArray
    lateral: FloatArray
    radius: float
    rms: float
    n_points: int

    @property
    def direction(self) -> FloatArray:
        """Unit vector from medial to lateral."""
        line: FloatArray = (self.lateral - self.medial) / np.linalg.norm(self.lateral - self.medial)
        return line

    def cylinder(self) -> FitCylinder:
        """The axis as a cylinder of the mean radius, for drawing."""
        half = 0.5 * float(np.linalg.norm(self.lateral - self.medial)) + _STRIP_MM
        turn = (_ARC_DEG[1] - _ARC_DEG[0]) / 360.0
        middle = 0.5 * (self.medial + self.lateral)
        return FitCylinder(middle, self.direction, self.radius, half, self.rms, self.n_points, turn)


def find_axis(surface: BoneSurface, condyles: Condyles) -> CondylarAxis | None:
    """Fit one cylinder to both posterior arcs; None when they are no arcs.

    Of each condyle the extent in every direction of the arc is taken: of a circle it is ``centre . direction + radius``, which is
    linear in what is sought. One radius for both, as a short arc alone does not tell its radius from its centre. The plane is
    turned until it is across the axis.
    """
    heights = surface.heights(condyles.up)
    region = surface.real & (heights < heights.min() + REGION_MM)
    points = surface.vertices[region]
    axis = condyles.lateral
    found: CondylarAxis | None = None
    for _ in range(6):
        backward = -condyles.anterior + float(condyles.anterior @ axis) * axis
        backward /= np.linalg.norm(backward)
        down = -condyles.up + float(condyles.up @ axis) * axis
        down = down - float(down @ backward) * backward
        down /= np.linalg.norm(down)
        found = _cylinder(points, condyles, axis, backward, down)
        if found is None:
            return None
        turned = float(np.linalg.norm(found.direction - axis))
        axis = found.direction
        if turned < 1e-4:
            break
    if found is None or found.rms > _RMS_MM or not _RADIUS_MM[0] < found.radius < _RADIUS_MM[1]:
        return None
    return found


def _cylinder(
    points: FloatArray, condyles: Condyles, axis: FloatArray, backward: FloatArray, down: FloatArray
) -> CondylarAxis | None:
    angles = np.radians(np.arange(_ARC_DEG[0], _ARC_DEG[1] + 0.1, _ARC_STEP_DEG))
    directions = np.cos(angles)[:, None] * backward + np.sin(angles)[:, None] * down
    contacts = (condyles.posterior.medial, condyles.posterior.lateral)
    strips = [points[np.abs((points - contact) @ axis) < _STRIP_MM] - contact for contact in contacts]
    if min(map(len, strips)) < 30:
        return None
    extents = np.concatenate([(strip @ directions.T).max(axis=0) for strip in strips])
    count = len(angles)
    design = np.zeros((2 * count, 5))
    for number in (0, 1):
        rows = slice(number * count, (number + 1) * count)
        design[rows, 2 * number], design[rows, 2 * number + 1] = np.cos(angles), np.sin(angles)
    design[:, 4] = 1.0
    solution, *_ = np.linalg.lstsq(design, extents, rcond=None)
    rms = float(np.sqrt(np.mean((design @ solution - extents) ** 2)))
    medial, lateral = (
        contact + solution[2 * number] * backward + solution[2 * number + 1] * down for number, contact in enumerate(contacts)
    )
    return CondylarAxis(medial, lateral, float(solution[4]), rms, sum(map(len, strips)))


def find_epicondyles(surface: BoneSurface, condyles: Condyles, axis: CondylarAxis) -> tuple[FloatArray | None, FloatArray | None]:
    """Most medial and most lateral point along the condylar axis, each None when it is over 20 mm off that axis."""
    heights = surface.heights(condyles.up)
    region = surface.real & (heights < heights.min() + 60.0)
    found: list[FloatArray | None] = []
    for outward in (-axis.direction, axis.direction):
        tip = extreme(surface, region, outward, radius_mm=_TIP_RADIUS_MM)
        if tip is None:
            found.append(None)
            continue
        offset = tip[0] - axis.medial
        off_axis = float(np.linalg.norm(offset - float(offset @ axis.direction) * axis.direction))
        found.append(tip[0] if off_axis <= _OFF_AXIS_MM else None)
    return found[0], found[1]


def find_adductor_tubercle(
    surface: BoneSurface, condyles: Condyles, medial: FloatArray | None, lateral: FloatArray | None
) -> FloatArray | None:
    """Peak of the ridge behind and above the medial epicondyle; None when nothing stands out there."""
    if medial is None or lateral is None:
        return None
    width = float(np.linalg.norm(lateral - medial))
    axes = np.array([condyles.lateral, condyles.anterior, condyles.up])
    seed = medial + width * (_TUBERCLE_FROM @ axes)
    outward = _TUBERCLE_OUT @ axes
    near = surface.real & (np.linalg.norm(surface.vertices - seed, axis=1) < _TUBERCLE_REACH * width)
    near &= surface.normals @ outward > 0.5
    index = np.flatnonzero(near)
    if len(index) < 12:
        return None
    start = surface.vertices[index[int(np.argmax(surface.vertices[index] @ outward))]]
    around = surface.real & (np.linalg.norm(surface.vertices - start, axis=1) < 10.0)
    point, rms = refined_extreme(surface, around, start, outward, radius_mm=5.0)
    return None if rms is None else point
