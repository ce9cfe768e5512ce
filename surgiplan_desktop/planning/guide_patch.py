"""The contact patch: which part of the bone the guide touches, and the bone's relief seen along the withdrawal direction.

The patch lies around the cut, wraps the posteromedial edge as far as the withdrawal direction allows, keeps off rim and
tuberosity, and sends one strut distally along the posteromedial border (practice.md 18). Site coordinates a, y, w as in
``guide_site``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from surgiplan_desktop.base.arrays import FloatArray
from surgiplan_desktop.base.errors import InputDataError
from surgiplan_desktop.base.progress import SILENT, Progress
from surgiplan_desktop.geometry.shell import (
    Field,
    LocalGrid,
    filleted_either,
    grid_around,
    rounded_both,
    sample_distance,
    swept_along_last,
)
from surgiplan_desktop.model.steps import GuideStep
from surgiplan_desktop.planning.guide_site import GuideSite
from surgiplan_desktop.planning.limits import default_limits

#: Corner radius of the outline seen along the withdrawal direction, mm.
_CORNER_MM = 4.0
#: How far inside an end of the surface the depth of the guide is bounded, mm.
_END_MM = 6.0
#: Steepest slope that still counts as contact: n . w = 0.17.
_STEEPEST = float(np.sqrt(1 / 0.17**2 - 1))


@dataclass(frozen=True, slots=True, eq=False)
class Relief:
    """The bone as the guide sees it.

    Attributes
    ----------
    grid
        Local grid with axes a, y, w.
    bone
        Signed distance of the bone swept along the withdrawal direction, mm, shape of the grid.
    a, y, w
        Site coordinates of the grid points along its axes, mm.
    surface_w
        Height of the bone under each column, mm along w, shape (a, y); -inf where a column meets no bone.
    edge_a, edge_w
        Per row y: where the wrapped posteromedial edge ends (a) and how deep it lies there (w), mm; smoothed.
    crest_a, crest_w
        The same at the anterior end, where the surface turns away over the crest.
    """

    grid: LocalGrid
    bone: Field
    a: FloatArray
    y: FloatArray
    w: FloatArray
    surface_w: FloatArray
    edge_a: FloatArray
    edge_w: FloatArray
    crest_a: FloatArray
    crest_w: FloatArray

    def height_at(self, a: FloatArray | float, y: FloatArray | float) -> FloatArray:
        """Return the bone's height (mm along w) at site coordinates, linear between columns."""
        spacing = self.grid.spacing_mm
        at = np.array(np.broadcast_arrays((a - self.a[0]) / spacing, (y - self.y[0]) / spacing))
        filled = np.where(np.isfinite(self.surface_w), self.surface_w, self.w[0])
        result: FloatArray = ndimage.map_coordinates(filled, at.reshape(2, -1), order=1, mode="nearest")
        return result.reshape(at.shape[1:])


def sample_relief(site: GuideSite, top_mm: float, *, progress: Progress = SILENT) -> Relief:
    """Sample the bone around the patch.

    Parameters
    ----------
    site
        The place of the guide.
    top_mm
        How far above the highest bone of the patch the tallest part of the guide ends, mm.

    Raises
    ------
    InputDataError
        ``guide_off_bone`` when no column of the patch meets the bone.
    """
    limits = default_limits()
    spacing = limits["guide.grid_mm"]
    points = site.local(site.part.mesh.vertices)
    low_y = max(-limits["guide.strut_mm"] - 6.0, site.end_y - 6.0)
    high_y = site.rim_y + 6.0
    band = points[(points[:, 1] > low_y) & (points[:, 1] < high_y) & (points[:, 0] < site.tuberosity[0] + 4.0)]
    if not len(band):
        raise InputDataError("guide_off_bone", distance_mm=0.0)
    top = float(band[:, 2].max())
    low = np.array([float(band[:, 0].min()) - 12.0, low_y - 4.0, top - limits["guide.depth_mm"]])
    high = np.array([site.tuberosity[0] + 10.0, high_y + 4.0, top + top_mm + 6.0])
    offset = site.origin_lps @ site.axes
    grid = grid_around(low + offset, high + offset, site.axes, spacing)
    a, y, w = (low[axis] + spacing * np.arange(grid.shape[axis]) for axis in range(3))
    field = swept_along_last(sample_distance(site.part.mesh, grid, progress=progress))
    surface = _surface(field, w)
    edge_a, edge_w = _edge(surface, a, y, limits["guide.hook_mm"])
    crest_a, crest_w = _edge(surface[::-1], -a[::-1], y, limits["guide.crest_mm"])
    return Relief(grid, field, a, y, w, surface, edge_a, edge_w, -crest_a, crest_w)


def _surface(field: Field, w: FloatArray) -> FloatArray:
    """Return the height at which each column enters the bone from outside (linear), -inf where it does not."""
    inside = field < 0
    depth = inside.shape[2] - 1 - np.argmax(inside[:, :, ::-1], axis=2)
    found = inside.any(axis=2)
    upper = np.minimum(depth + 1, inside.shape[2] - 1)
    below = np.take_along_axis(field, depth[:, :, None], axis=2)[:, :, 0].astype(np.float64)
    above = np.take_along_axis(field, upper[:, :, None], axis=2)[:, :, 0].astype(np.float64)
    share = np.divide(below, below - above, out=np.zeros_like(below), where=below < above)
    return np.where(found, w[depth] + share * (w[1] - w[0]), -np.inf)


def _edge(surface: FloatArray, a: FloatArray, y: FloatArray, hook_mm: float) -> tuple[FloatArray, FloatArray]:
    """Follow each row from its highest point backwards until the surface is too steep or too deep; smooth over the rows."""
    edge_a, edge_w = np.full(len(y), np.nan), np.full(len(y), np.nan)
    for row in range(len(y)):
        heights = surface[:, row]
        if not np.isfinite(heights).any():
            continue
        here = int(np.argmax(heights))
        top = heights[here]
        while here > 0 and heights[here - 1] > top - hook_mm and heights[here] - heights[here - 1] < _STEEPEST * (a[1] - a[0]):
            here -= 1
        edge_a[row], edge_w[row] = a[here], heights[here]
    known = np.isfinite(edge_a)
    if not known.any():
        raise InputDataError("guide_off_bone", distance_mm=0.0)
    rows = np.arange(len(y))

    def smooth(values: FloatArray) -> FloatArray:
        filled = ndimage.median_filter(np.interp(rows, rows[known], values[known]), 9, mode="nearest")
        return np.asarray(ndimage.gaussian_filter1d(filled, 2.5 / (y[1] - y[0]), mode="nearest"), dtype=np.float64)

    return smooth(edge_a), smooth(edge_w)


@dataclass(frozen=True, slots=True, eq=False)
class Outline:
    """The patch seen along the withdrawal direction.

    Attributes
    ----------
    field
        Shape of the grid: negative where the guide's shell may be (mm).
    strut_low_y, strut_high_y, strut_half_mm
        Extent of the strut along y and half its width.
    pad_high_y
        Where its flat face begins, clear of tower and sleeve.
    strut_line
        ``a`` of the strut's middle at y = 0 and its slope da/dy.
    front_a
        The anterior border (keeps off tuberosity and tendon).
    """

    field: Field
    strut_low_y: float
    strut_high_y: float
    strut_half_mm: float
    pad_high_y: float
    strut_line: tuple[float, float]
    front_a: float

    def strut_a(self, y: float) -> float:
        """Return the middle of the strut at height y."""
        return self.strut_line[0] + self.strut_line[1] * y


def draw_outline(site: GuideSite, relief: Relief, step: GuideStep, discs: tuple[tuple[float, float, float], ...]) -> Outline:
    """Return the outline of the patch.

    Parameters
    ----------
    discs
        (a, y, radius) of what else needs a foot on the patch: the drill sleeves.
    """
    limits = default_limits()
    a, y = relief.a[:, None, None].astype(np.float32), relief.y[None, :, None].astype(np.float32)
    height = relief.grid.along(site.plane.normal, site.plane.point_lps)  # above the cut, mm
    front = front_of(site)
    back = (relief.edge_a - (step.clearance_mm + step.wall_mm)).astype(np.float32)[None, :, None]
    rim = site.rim_y - limits["guide.to_rim_mm"]
    ahead = np.minimum(front, relief.crest_a + step.clearance_mm + step.wall_mm).astype(np.float32)[None, :, None]
    across = _between(a, back, ahead)
    above, below = (np.float32(limits[f"guide.patch_{where}_cut_mm"]) for where in ("above", "below"))
    along = np.maximum(_between(height, -below, above), y - np.float32(rim))
    main = rounded_both(across, along, _CORNER_MM)
    low = max(-limits["guide.strut_mm"], site.end_y + 5.0)
    high = -limits["guide.patch_below_cut_mm"] + 6.0
    half = limits["guide.strut_width_mm"] / 2
    rows = (relief.y > low) & (relief.y < high)
    if not rows.any():
        raise InputDataError("guide_off_bone", distance_mm=0.0)
    slope, start = np.polyfit(relief.y[rows], relief.edge_a[rows], 1)
    line = (float(start) + half + limits["guide.strut_behind_mm"], float(slope))
    middle = (line[0] + line[1] * relief.y).astype(np.float32)[None, :, None]
    strut = rounded_both(np.abs(a - middle) - np.float32(half), _between(y, np.float32(low), np.float32(high)), _CORNER_MM)
    flat = filleted_either(main, np.broadcast_to(strut, main.shape), 2 * _CORNER_MM)
    for disc_a, disc_y, radius in discs:
        disc = np.hypot(a - np.float32(disc_a), y - np.float32(disc_y)) - np.float32(radius)
        flat = filleted_either(flat, np.broadcast_to(disc, flat.shape), _CORNER_MM)
    pad_high = -limits["guide.pad_below_cut_mm"]
    for disc_a, disc_y, radius in discs:
        if low < disc_y < 0 and abs(disc_a - line[0] - line[1] * disc_y) < half + radius:  # a sleeve stands in the way
            pad_high = min(pad_high, disc_y - radius)
    return Outline(flat, low, high, half, pad_high, line, front)


def front_of(site: GuideSite) -> float:
    """Return the anterior border of the guide: off the tuberosity and the tendon above it (a, mm)."""
    return float(site.tuberosity[0]) - default_limits()["guide.to_tuberosity_mm"]


def depth_limit(relief: Relief) -> Field:
    """Return a field that ends the guide behind the posteromedial edge and over the crest: negative where it may be."""
    a, w = relief.a[:, None, None], relief.w[None, None, :]
    behind, ahead = (depth[None, :, None] - w for depth in (relief.edge_w, relief.crest_w))
    free = min(behind.min(), ahead.min()) - 50.0
    back = np.where(a < relief.edge_a[None, :, None] + _END_MM, behind, free)
    front = np.where(a > relief.crest_a[None, :, None] - _END_MM, ahead, free)
    return np.maximum(back, front).astype(np.float32)


def _between(value: Field, low: Field | np.float32, high: Field | np.float32) -> Field:
    return np.asarray(np.maximum(low - value, value - high), dtype=np.float32)
