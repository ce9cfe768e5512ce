"""The proximal femur: head sphere and neck (clinical.md A.1)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from surgiplan_desktop.base.arrays import BoolArray, FloatArray
from surgiplan_desktop.geometry.fit import FittedLine, Sphere, fit_sphere, ransac_sphere
from surgiplan_desktop.planning.landmarks.surface import BoneSurface

#: What passes for a femoral head (clinical.md A.1): radius, residual, share of the sphere covered by bone surface.
_RADIUS_MM = (15.0, 32.0)
_RMS_MM = 1.0
_COVERAGE = 1.0 / 3.0
#: Rounds of the growing sphere: band in radii and least cosine of normal and radius.
_ROUNDS = ((0.25, 0.9), (0.10, 0.95), (0.10, 0.975), (0.06, 0.975), (0.04, 0.975), (0.04, 0.975), (0.04, 0.975))
#: In the last rounds the band is as wide as the head is out of round: this many standard deviations (of its median residual),
#: and at most this wide in radii. A head that is no ball would else be fitted by the half of it that a ball happens to fit.
_SPREADS = 2.5
_WIDEST_BAND = 0.08
#: The head lies within this distance of the proximal end.
_REACH_MM = 95.0


@dataclass(frozen=True, slots=True, eq=False)
class Head:
    """The fitted femoral head; ``coverage`` is the share of the sphere that lies on bone surface."""

    sphere: Sphere
    coverage: float


def find_head(surface: BoneSurface, up: FloatArray) -> Head | None:
    """Fit the femoral head at the end of the femur towards ``up``; None when nothing there passes for a head.

    Patches around the most proximal and the most medial vertex start a sphere, which grows over what is radial and near;
    where that fails, a sphere by random pairs (RANSAC).
    """
    heights = surface.heights(up)
    near = surface.real & (heights > heights.max() - _REACH_MM)
    points, normals, areas = surface.vertices[near], surface.normals[near], surface.areas[near]
    if len(points) < 50:
        return None
    start = _start_sphere(points, areas, surface.centroid, up)
    head = None if start is None else _grown(points, normals, areas, start)
    if head is None:
        picked = np.random.default_rng(7).permutation(len(points))[:2500]
        sphere = ransac_sphere(points[picked], normals[picked], radius_range=_RADIUS_MM)
        head = None if sphere is None else _grown(points, normals, areas, sphere)
    return head


def _start_sphere(points: FloatArray, areas: FloatArray, centroid: FloatArray, up: FloatArray) -> Sphere | None:
    def patch(around: FloatArray) -> BoolArray:
        return np.asarray(np.linalg.norm(points - around, axis=1) < 12.0, dtype=np.bool_)

    top = patch(points[int(np.argmax(points @ up))])
    towards = areas[top] @ points[top] / areas[top].sum() - centroid
    medial = towards - (towards @ up) * up
    length = float(np.linalg.norm(medial))
    if length < 1e-6:
        return None
    side = patch(points[int(np.argmax(points @ (medial / length)))])
    both = top | side
    if np.count_nonzero(both) < 20:
        return None
    try:
        return fit_sphere(points[both], areas[both])
    except ValueError:
        return None


def _grown(points: FloatArray, normals: FloatArray, areas: FloatArray, sphere: Sphere) -> Head | None:
    if not 10.0 < sphere.radius < 45.0:
        return None
    centre, radius = sphere.centre, sphere.radius
    for band, cosine in _ROUNDS:
        offset = points - centre
        distance = np.linalg.norm(offset, axis=1)
        radial = np.einsum("ij,ij->i", offset, normals) > cosine * distance
        off = np.abs(distance - radius)
        if band < _WIDEST_BAND and np.any(close := radial & (off < 0.10 * radius)):
            band = min(max(band, _SPREADS * 1.4826 * float(np.median(off[close])) / radius), _WIDEST_BAND)
        keep = radial & (off < band * radius)
        if np.count_nonzero(keep) < 30:
            return None
        try:
            sphere = fit_sphere(points[keep], areas[keep])
        except ValueError:
            return None
        centre, radius = sphere.centre, sphere.radius
        if not 10.0 < radius < 45.0:
            return None
    coverage = float(areas[keep].sum()) / (4.0 * np.pi * radius**2)
    if not (_RADIUS_MM[0] <= radius <= _RADIUS_MM[1] and sphere.rms < _RMS_MM and coverage >= _COVERAGE):
        return None
    return Head(sphere, coverage)


def find_neck_base(surface: BoneSurface, head: Sphere, shaft: FittedLine) -> tuple[FloatArray, FloatArray] | None:
    """Neck axis and base.

    Returns
    -------
    tuple or None
        Neck base (3,): the point of the neck axis nearest to the shaft axis; and the centroid (3,) of the smallest section of
        the neck. None when the neck is not in view.
    """
    up = shaft.direction
    foot = shaft.point + up * float((head.centre - shaft.point) @ up)
    axis = foot - 0.85 * float(np.linalg.norm(head.centre - foot)) * up - head.centre
    axis /= np.linalg.norm(axis)
    reach = np.linalg.norm(surface.vertices - head.centre, axis=1) < 3.2 * head.radius
    cropped = surface.crop(reach)
    waist: FloatArray | None = None
    for _ in range(12):
        smallest: tuple[float, FloatArray] | None = None
        for distance in np.arange(0.75, 2.0, 0.08) * head.radius:
            point = head.centre + distance * axis
            loops = [
                loop
                for loop in cropped.section(point, axis)
                if loop.area_mm2 > 100.0 and float(np.linalg.norm(loop.centroid - point)) < 0.6 * head.radius
            ]
            if loops and (smallest is None or loops[0].area_mm2 < smallest[0]):
                smallest = (loops[0].area_mm2, loops[0].centroid)
        if smallest is None:
            return None
        turned = smallest[1] - head.centre
        turned /= np.linalg.norm(turned)
        change = float(np.linalg.norm(np.cross(turned, axis)))
        # half steps: the smallest section jumps between levels, and whole steps can swing to and fro
        axis = turned if change < 2e-3 else (axis + turned) / np.linalg.norm(axis + turned)
        waist = smallest[1]
        if change < 2e-3:
            break
    if waist is None:
        return None
    cosine = float(axis @ up)
    offset = head.centre - shaft.point
    along = (cosine * float(up @ offset) - float(axis @ offset)) / max(1.0 - cosine**2, 1e-9)
    if not head.radius < along < 5.0 * head.radius:
        return None
    return head.centre + along * axis, waist
