"""The bone in the plane of an osteotomy: outline, area medial of the hinge, and the points where gaps are measured."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from surgiplan_desktop.base.arrays import FloatArray
from surgiplan_desktop.base.errors import InputDataError
from surgiplan_desktop.geometry.section import Outline, section
from surgiplan_desktop.model.mesh import Bone, Mesh
from surgiplan_desktop.planning.records import OsteotomyPlan


@dataclass(frozen=True, slots=True, eq=False)
class CutSection:
    """The section of the bone with the cut plane.

    Attributes
    ----------
    part
        Index of the bone part that is cut.
    mesh
        Its mesh.
    origin_lps
        The hinge point.
    medial, anterior
        Unit vectors in the plane: away from the hinge line towards the start point, and along the hinge line.
    outlines
        Closed loops, largest first.
    """

    part: int
    mesh: Mesh
    origin_lps: FloatArray
    medial: FloatArray
    anterior: FloatArray
    outlines: tuple[Outline, ...]

    def local(self, points_lps: FloatArray) -> FloatArray:
        """Return (medial distance from the hinge line, position along it) of points of shape (n, 3), mm."""
        shifted = np.atleast_2d(points_lps) - self.origin_lps
        return np.column_stack([shifted @ self.medial, shifted @ self.anterior])

    def to_lps(self, medial_mm: float, anterior_mm: float) -> FloatArray:
        """Return the LPS point at these in-plane coordinates."""
        return self.origin_lps + medial_mm * self.medial + anterior_mm * self.anterior

    def cut_moment(self) -> tuple[float, float]:
        """Return area (mm2) and first moment about the hinge line (mm3) of the bone medial of the hinge; holes count off."""
        area = moment = 0.0
        sign = 1.0 if float(np.cross(self.medial, self.anterior) @ self._area_normal()) > 0 else -1.0
        for outline in self.outlines:
            part_area, part_moment = _area_and_moment(_clip(self.local(outline.points)))
            area, moment = area + sign * part_area, moment + sign * part_moment
        return area, moment

    def gap_points(self, start_lps: FloatArray) -> dict[str, FloatArray]:
        """Return the cortex points where the gap is measured: posteromedial corner, mid-medial, anteromedial corner.

        The corners are the extreme points of the outline halfway between medial and posterior, or anterior; mid-medial is the
        outline's most medial point on the line through the start point at right angles to the hinge.
        """
        local = self.local(self.outlines[0].points)
        posterior = local[int(np.argmax(local[:, 0] - local[:, 1]))]
        anterior = local[int(np.argmax(local[:, 0] + local[:, 1]))]
        at = float(self.local(start_lps)[0, 1])
        crossings = _crossings(local, at)
        if not len(crossings):
            raise InputDataError("start_outside_bone")
        return {
            "pm": self.to_lps(*posterior.tolist()),
            "mid": self.to_lps(float(crossings.max()), at),
            "am": self.to_lps(*anterior.tolist()),
        }

    def _area_normal(self) -> FloatArray:
        """Return the direction about which the largest loop runs counter-clockwise."""
        points = self.outlines[0].points - self.outlines[0].points[0]
        normal: FloatArray = np.cross(points, np.roll(points, -1, axis=0)).sum(axis=0)
        return normal


def cut_section(plan: OsteotomyPlan, tibia: Bone) -> CutSection:
    """Cut the tibia by the plan's plane; of a bone in several parts the one nearest to the start point is cut.

    Raises
    ------
    InputDataError
        ``plane_outside_bone`` when the plane meets no bone.
    """
    across = plan.start_lps - plan.hinge_lps
    across = across - plan.hinge_direction * float(across @ plan.hinge_direction)
    medial = across / np.linalg.norm(across)
    found = []
    for number, part in enumerate(tibia.parts):
        outlines = section(part.mesh.vertices, part.mesh.faces, plan.plane)
        if outlines:
            near = min(float(np.linalg.norm(outline.points - plan.start_lps, axis=1).min()) for outline in outlines)
            found.append((near, number, outlines))
    if not found:
        raise InputDataError("plane_outside_bone", bone=str(tibia.id))
    _, number, outlines = min(found, key=lambda item: (item[0], item[1]))
    return CutSection(number, tibia.parts[number].mesh, plan.hinge_lps, medial, plan.hinge_direction, outlines)


def _clip(points: FloatArray) -> FloatArray:
    """Clip a polygon (n, 2) to the half-plane of positive first coordinate (Sutherland and Hodgman 1974)."""
    following = np.roll(points, -1, axis=0)
    kept: list[FloatArray] = []
    for here, there in zip(points, following, strict=True):
        if here[0] >= 0:
            kept.append(here)
        if (here[0] >= 0) != (there[0] >= 0):
            share = here[0] / (here[0] - there[0])
            kept.append(here + share * (there - here))
    return np.array(kept) if kept else np.empty((0, 2))


def _area_and_moment(points: FloatArray) -> tuple[float, float]:
    """Return the signed area of a polygon and the integral of its first coordinate."""
    if len(points) < 3:
        return 0.0, 0.0
    x, y = points.T
    cross = x * np.roll(y, -1) - np.roll(x, -1) * y
    return 0.5 * float(cross.sum()), float(((x + np.roll(x, -1)) * cross).sum()) / 6.0


def _crossings(points: FloatArray, along: float) -> FloatArray:
    """Return the first coordinates at which a polygon crosses the line "second coordinate = along"."""
    following = np.roll(points, -1, axis=0)
    below, after = points[:, 1] < along, following[:, 1] < along
    rows = np.flatnonzero(below != after)
    share = (along - points[rows, 1]) / (following[rows, 1] - points[rows, 1])
    result: FloatArray = points[rows, 0] + share * (following[rows, 0] - points[rows, 0])
    return result
