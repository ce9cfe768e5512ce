"""How a bone lies in its frame, told by its shape alone: which end is up, where is its back, on which side is its middle line.

A mix-up of LPS and RAS is half a turn about the vertical: it leaves handedness as it was, and shows only in where the bone's back
points. What is measured here, on the slabs of a closed mesh:

* tibia: the plateau overhangs the shaft to the back; the inner malleolus hangs on the middle side of the ankle;
* femur: the condyles reach further behind the shaft than before it, the shaft bows forwards, head and neck stand to the middle.

The numbers were set on procedural legs, on knees of a statistical shape model and on two whole femora; docs/import.md says how
often they tell.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from surgiplan_desktop.base.arrays import FloatArray
from surgiplan_desktop.model.anatomy import BoneName, Side
from surgiplan_desktop.model.mesh import Mesh

_SLAB_MM: Final = 2.0
#: Shorter than this the shaft shows no line to compare with (mm).
_LEAST_LENGTH_MM: Final = 80.0
#: An offset of less than this tells nothing (mm).
_CLEAR_MM: Final = 4.0
#: From this length on a bone is looked at as a whole one (mm).
_WHOLE_MM: Final = 250.0
#: From this offset on the back is told at all, and from the other on it is believed alone (mm; whole real bones show 9 and more).
_BACK_MM: Final = 1.5
_BACK_CLEAR_MM: Final = 5.0
#: A bone this much longer than wide shows its long axis.
_LONG: Final = 2.2


@dataclass(frozen=True, slots=True)
class Pose:
    """What the shape tells; None where it tells nothing. Vectors are horizontal unit vectors (x, y) of the frame looked at.

    Attributes
    ----------
    lying
        Angle of the long axis to the vertical, deg.
    upside_down
        Whether the upper end points down.
    back
        Where the back of the bone points.
    middle
        Where the middle line of the body lies.
    back_is_clear
        Whether the shape tells the back strongly enough to be believed alone.
    """

    lying: float | None = None
    upside_down: bool | None = None
    back: tuple[float, float] | None = None
    middle: tuple[float, float] | None = None
    back_is_clear: bool = False

    @property
    def shape_side(self) -> Side | None:
        """Side that the shape belongs to: on the right the middle is a quarter turn clockwise of the back, seen from above."""
        if self.back is None or self.middle is None:
            return None
        turn = self.middle[0] * self.back[1] - self.middle[1] * self.back[0]
        return None if abs(turn) < 0.3 else Side.RIGHT if turn > 0 else Side.LEFT


@dataclass(frozen=True, slots=True, eq=False)
class _Slabs:
    """Heights of the slabs' middles, area and centroid (x, y) of the section in each; only slabs that hold something."""

    heights: FloatArray
    areas: FloatArray
    centroids: FloatArray

    def between(self, low: float, high: float) -> FloatArray | None:
        """Return the mean centroid of a stretch, weighted by area, or None where it holds nothing."""
        inside = (self.heights >= low) & (self.heights <= high)
        if not inside.any():
            return None
        mean: FloatArray = np.average(self.centroids[inside], axis=0, weights=self.areas[inside])
        return mean

    def line(self, low: float, high: float) -> tuple[FloatArray, FloatArray] | None:
        """Fit x and y as lines of the height over a stretch of at least 20 mm: (slopes, values at height 0)."""
        inside = (self.heights >= low) & (self.heights <= high)
        if not inside.any() or float(np.ptp(self.heights[inside])) < 20.0:
            return None
        design = np.column_stack([self.heights[inside], np.ones(int(inside.sum()))])
        solution, *_ = np.linalg.lstsq(design, self.centroids[inside], rcond=None)
        return solution[0], solution[1]


def pose_of(bone: BoneName, mesh: Mesh) -> Pose:
    """Tell how a closed mesh in mm, faces outward, lies in its frame (taken as x left, y to the back, z up).

    Only femur and tibia tell more than their long axis.
    """
    lying = _lying(mesh)
    if bone not in (BoneName.FEMUR, BoneName.TIBIA) or (lying is not None and lying > 60.0):
        return Pose(lying)
    slabs = _slabs(mesh)
    low, high = float(slabs.heights.min()), float(slabs.heights.max())
    if high - low < _LEAST_LENGTH_MM:
        return Pose(lying)
    upside_down = _upside_down(bone, slabs)
    if upside_down:
        return Pose(lying, True)
    tibia = bone is BoneName.TIBIA
    offset = _tibia_back(mesh, slabs) if tibia else _femur_back(mesh, slabs)
    middle = _tibia_middle(slabs) if tibia else _femur_middle(mesh, slabs)
    if offset is None or float(np.linalg.norm(offset)) < _BACK_MM:
        return Pose(lying, upside_down, None, middle)
    length = float(np.linalg.norm(offset))
    return Pose(lying, upside_down, (float(offset[0]) / length, float(offset[1]) / length), middle, length >= _BACK_CLEAR_MM)


def _lying(mesh: Mesh) -> float | None:
    centred = mesh.vertices - mesh.vertices.mean(axis=0)
    values, axes = np.linalg.eigh(centred.T @ centred)
    if values[2] < _LONG**2 * values[1]:
        return None
    return float(np.degrees(np.arccos(min(abs(float(axes[2, 2])), 1.0))))


def _slabs(mesh: Mesh) -> _Slabs:
    """Cut a closed mesh into horizontal slabs by sums over its faces.

    A horizontal cut has no part in the flux of (x, y, 0) / 2, so the volume between two heights is the flux through the faces
    between them; likewise the first moments with (x^2, 0, 0) / 2 and (0, y^2, 0) / 2.
    """
    corners = mesh.vertices[mesh.faces]
    middle = corners.mean(axis=0).mean(axis=0)
    corners = corners - np.array([middle[0], middle[1], 0.0])
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]) / 2.0
    centres = corners.mean(axis=1)
    bottom = float(corners[..., 2].min())
    number = np.floor((centres[:, 2] - bottom) / _SLAB_MM).astype(np.int64)
    volumes = np.bincount(number, (centres[:, :2] * normals[:, :2]).sum(axis=1) / 2.0)
    moments = np.column_stack([np.bincount(number, centres[:, n] ** 2 * normals[:, n] / 2.0) for n in (0, 1)])
    areas = volumes / _SLAB_MM
    # faces longer than a slab leave a neighbour empty: three slabs are looked at together
    kernel = np.ones(3) / 3.0
    areas = np.asarray(np.convolve(areas, kernel, mode="same"), dtype=np.float64)
    sums = np.column_stack([np.convolve(moments[:, n] / _SLAB_MM, kernel, mode="same") for n in (0, 1)])
    held = areas > 20.0
    heights = bottom + (np.flatnonzero(held) + 0.5) * _SLAB_MM
    centroids = np.asarray(sums[held] / areas[held, None] + middle[:2], dtype=np.float64)
    return _Slabs(np.asarray(heights, dtype=np.float64), areas[held], centroids)


def _upside_down(bone: BoneName, slabs: _Slabs) -> bool | None:
    """Compare the ends: the knee is the thick end of both bones, by the largest section within 40 mm; None where one is cut."""
    low, high = float(slabs.heights.min()), float(slabs.heights.max())
    upper = float(slabs.areas[slabs.heights > high - 40.0].max())
    lower = float(slabs.areas[slabs.heights < low + 40.0].max())
    knee, other = (upper, lower) if bone is BoneName.TIBIA else (lower, upper)
    if knee > 1.25 * other:
        return False
    cut = any(_is_cut(slabs, end, inwards) for end, inwards in ((high, -1.0), (low, 1.0)))
    return True if other > 1.6 * knee and high - low > _WHOLE_MM and not cut else None


def _is_cut(slabs: _Slabs, end: float, inwards: float) -> bool:
    """Tell whether an end is a cut shaft, as thick at its very end as further in; a bone's own end is round."""
    last = slabs.areas[np.abs(slabs.heights - end) < 1.5 * _SLAB_MM]
    further = slabs.areas[np.abs(slabs.heights - end - 20.0 * inwards) < 1.5 * _SLAB_MM]
    return bool(len(last) and len(further) and float(last.max()) > 0.7 * float(further.mean()))


def _tibia_back(mesh: Mesh, slabs: _Slabs) -> FloatArray | None:
    """Return how far the plateau's centroid stands off the shaft, across its width, mm (over a near and a far piece of shaft)."""
    top = float(slabs.heights.max())
    across = _across(mesh, top - 22.0, top - 6.0)
    near = _offset(slabs, (top - 22.0, top - 6.0), (top - 70.0, top - 35.0))
    far = _offset(slabs, (top - 22.0, top - 6.0), (top - 160.0, top - 60.0))
    if across is None or near is None:
        return None
    return across * float((near + (near if far is None else far)) @ across)


def _femur_back(mesh: Mesh, slabs: _Slabs) -> FloatArray | None:
    """Return how much further the condyles reach one way across their width than the other, and the shaft bows away, mm."""
    low, length = float(slabs.heights.min()), float(np.ptp(slabs.heights))
    across = _across(mesh, low + 6.0, low + 30.0)
    line = slabs.line(low + 45.0, low + 75.0)
    if across is None or line is None:
        return None
    slopes, at_zero = line
    knee = mesh.vertices[mesh.vertices[:, 2] < low + 40.0]
    reach = (knee[:, :2] - (knee[:, 2:] * slopes + at_zero)) @ across
    excess = float(reach.max() + reach.min())
    if length < _WHOLE_MM:
        return across * excess
    lower, middle, upper = (slabs.between(low + f * length - 10.0, low + f * length + 10.0) for f in (0.25, 0.5, 0.75))
    if lower is not None and middle is not None and upper is not None:
        excess -= 2.0 * float((middle - (lower + upper) / 2.0) @ across)
    return across * excess


def _tibia_middle(slabs: _Slabs) -> tuple[float, float] | None:
    low = float(slabs.heights.min())
    if float(np.ptp(slabs.heights)) < _WHOLE_MM or _is_cut(slabs, low, 1.0):
        return None
    tip, above = slabs.between(low, low + 8.0), slabs.between(low + 25.0, low + 45.0)
    return None if tip is None or above is None else _unit(tip - above)


def _femur_middle(mesh: Mesh, slabs: _Slabs) -> tuple[float, float] | None:
    """Direction along the condyles' width in which head and neck stand off the shaft."""
    low, high, length = float(slabs.heights.min()), float(slabs.heights.max()), float(np.ptp(slabs.heights))
    across = _across(mesh, low + 6.0, low + 30.0)
    if length < _WHOLE_MM or across is None or _is_cut(slabs, high, -1.0):
        return None
    offset = _offset(slabs, (high - 60.0, high - 5.0), (high - 0.5 * length, high - 0.25 * length))
    along = np.array([-across[1], across[0]])
    return None if offset is None else _turned(along, float(offset @ along), _CLEAR_MM)


def _offset(slabs: _Slabs, stretch: tuple[float, float], shaft: tuple[float, float]) -> FloatArray | None:
    """Return how far the centroid of a stretch lies off the line of the shaft carried on to its height."""
    there, line = slabs.between(*stretch), slabs.line(*shaft)
    if there is None or line is None:
        return None
    slopes, at_zero = line
    offset: FloatArray = there - (slopes * (stretch[0] + stretch[1]) / 2.0 + at_zero)
    return offset


def _across(mesh: Mesh, low: float, high: float) -> FloatArray | None:
    """Return the horizontal direction in which a stretch of the surface is narrowest, or None where it is about round."""
    corners = mesh.vertices[mesh.faces]
    centres = corners.mean(axis=1)
    inside = (centres[:, 2] >= low) & (centres[:, 2] <= high)
    if int(inside.sum()) < 20:
        return None
    areas = np.linalg.norm(np.cross(corners[inside, 1] - corners[inside, 0], corners[inside, 2] - corners[inside, 0]), axis=1)
    centred = centres[inside, :2] - np.average(centres[inside, :2], axis=0, weights=areas)
    values, axes = np.linalg.eigh((centred * areas[:, None]).T @ centred)
    if values[1] < 1.3 * values[0]:
        return None
    narrowest: FloatArray = axes[:, 0]
    return narrowest


def _turned(across: FloatArray, amount: float, clear: float) -> tuple[float, float] | None:
    if abs(amount) < clear:
        return None
    direction = across * np.sign(amount)
    return float(direction[0]), float(direction[1])


def _unit(offset: FloatArray | None) -> tuple[float, float] | None:
    if offset is None or float(np.linalg.norm(offset)) < _CLEAR_MM:
        return None
    direction = offset / np.linalg.norm(offset)
    return float(direction[0]), float(direction[1])
