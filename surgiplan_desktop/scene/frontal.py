"""A leg as a standing film would show it: projected on one named frontal plane, from the scan or from the bones alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from vtkmodules.util.numpy_support import vtk_to_numpy
from vtkmodules.vtkCommonMath import vtkMatrix4x4
from vtkmodules.vtkImagingCore import vtkImageReslice

from surgiplan_desktop.base.arrays import FloatArray
from surgiplan_desktop.base.progress import SILENT, Progress
from surgiplan_desktop.base.spaces import Frame
from surgiplan_desktop.model.images import Volume
from surgiplan_desktop.model.mesh import Mesh
from surgiplan_desktop.planning.records import LegFrames
from surgiplan_desktop.scene.slices import share_with_vtk

PlaneName = Literal["limb", "tibia", "femur", "body"]
#: Air, HU: what lies outside of the scan adds nothing to the picture.
_AIR: Final = -1000
#: Rows of the picture that are projected at once: short enough that the window stays alive between two of them.
_ROWS: Final = 24
#: Pieces of triangles that are laid on the picture at once: a few ten MB.
_AT_ONCE: Final = 300_000
#: Share of the pixels that may be as white as white gets.
_WHITE_PERCENT: Final = 99.7


@dataclass(frozen=True, slots=True, eq=False)
class FrontalPlane:
    """The plane that is looked at from the front; ``name`` is the frame it was taken from."""

    name: PlaneName
    frame: Frame

    def flat(self, points_lps: FloatArray) -> FloatArray:
        """Return points (n, 3) as mm on the film: across towards the patient's left, up; shape (n, 2)."""
        local = np.atleast_2d(self.frame.to_local(points_lps))
        flat: FloatArray = np.c_[-local[:, 2], local[:, 1]]
        return flat

    def depth(self, points_lps: FloatArray) -> FloatArray:
        """Return how far anterior of the plane points lie, mm, shape (n,)."""
        depth: FloatArray = np.atleast_2d(self.frame.to_local(points_lps))[:, 0]
        return depth

    def lps(self, flat: FloatArray, depth_mm: float) -> FloatArray:
        """Return the point (3,) at a place (2,) on the film and a depth."""
        point: FloatArray = self.frame.to_lps(np.array([depth_mm, flat[1], -flat[0]]))
        return point


@dataclass(frozen=True, slots=True, eq=False)
class FrontalPicture:
    """Grey values 0..255, shape (rows down, columns towards the patient's left), and where they lie on the film.

    ``corner`` is the film position (across, up) of the outer corner of the first pixel, ``mm_per_px`` its size; ``of_scan`` says
    whether it was made from the images (else from the bones' surfaces).
    """

    plane: FrontalPlane
    grey: NDArray[np.uint8]
    corner: tuple[float, float]
    mm_per_px: float
    of_scan: bool


def frontal_plane(frames: LegFrames | None, middle_lps: FloatArray) -> FrontalPlane:
    """Return the limb plane; where the leg is incomplete that of the tibia or femur, else the patient's own frontal plane."""
    if frames is not None:
        named: tuple[tuple[PlaneName, Frame | None], ...] = (
            ("limb", frames.limb), ("tibia", frames.tibia), ("femur", frames.femur),
        )  # fmt: skip
        for name, frame in named:
            if frame is not None:
                return FrontalPlane(name, frame)
    axes = np.array([[0.0, 0.0, -1.0], [-1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    return FrontalPlane("body", Frame(middle_lps, axes))


def project_leg(
    plane: FrontalPlane,
    meshes: Sequence[Mesh],
    volumes: Sequence[Volume] = (),
    *,
    mm_per_px: float = 1.0,
    margin_mm: float = 20.0,
    progress: Progress = SILENT,
) -> FrontalPicture:
    """Return the picture of a leg, as large as its bones and a margin.

    Parameters
    ----------
    meshes
        Bones of the leg; they say what is shown, and are what is shown where there is no scan.
    volumes
        Blocks of the scan, or none.

    Raises
    ------
    ValueError
        Without any bone.
    Cancelled
    """
    if not meshes:
        raise ValueError("a leg without bones has no picture")
    flat = np.concatenate([plane.flat(mesh.vertices) for mesh in meshes])
    low, high = flat.min(axis=0) - margin_mm, flat.max(axis=0) + margin_mm
    columns, rows = (int(value) for value in np.ceil((high - low) / mm_per_px))
    corner = (float(low[0]), float(high[1]))
    if volumes:
        depth = np.concatenate([plane.depth(mesh.vertices) for mesh in meshes])
        span = (float(depth.min()) - margin_mm, float(depth.max()) + margin_mm)
        density = _water_mm(plane, volumes, corner, (rows, columns), mm_per_px, span, progress)
        tone = 2.0  # soft parts recede, as on a film taken for bone
    else:
        density = np.zeros((rows, columns))
        for number, mesh in enumerate(meshes):
            progress.step(number, len(meshes), "film_view")
            density += _thickness_mm(plane, mesh, corner, (rows, columns), mm_per_px)
        tone = 0.65
    inside = density[density > 1.0]
    white = float(np.percentile(inside, _WHITE_PERCENT)) if inside.size else 1.0
    grey = (255.0 * np.clip(density / white, 0.0, 1.0) ** tone).astype(np.uint8)
    return FrontalPicture(plane, grey, corner, mm_per_px, bool(volumes))


def _water_mm(
    plane: FrontalPlane,
    volumes: Sequence[Volume],
    corner: tuple[float, float],
    shape: tuple[int, int],
    mm_per_px: float,
    span: tuple[float, float],
    progress: Progress,
) -> FloatArray:
    """Sum what weakens the beam along the line of sight, in mm of water."""
    rows, columns = shape
    count = max(2, round((span[1] - span[0]) / mm_per_px))
    step_mm = (span[1] - span[0]) / count
    frame = plane.frame
    column, row, deep = -frame.z * mm_per_px, -frame.y * mm_per_px, frame.x * step_mm
    start = plane.lps(np.array(corner), (span[0] + span[1]) / 2.0) + 0.5 * (column + row)
    total = np.zeros(shape)
    for volume in volumes:
        reslice, index_from_lps = _slab(volume, count), volume.affine.inverse()
        steps = [index_from_lps.directions(vector) for vector in (column, row, deep)]
        for first in range(0, rows, _ROWS):
            progress.step(first, rows, "film_view")
            last = min(first + _ROWS, rows)
            origin = index_from_lps(start + first * row)
            matrix = vtkMatrix4x4()
            for axis in range(3):  # VTK counts i, j, k; our index is k, j, i
                for place, vector in enumerate((*steps, origin)):
                    matrix.SetElement(axis, place, vector[2 - axis])
            reslice.SetResliceAxes(matrix)
            reslice.SetOutputExtent(0, columns - 1, 0, last - first - 1, 0, 0)
            reslice.Update()
            mean = vtk_to_numpy(reslice.GetOutput().GetPointData().GetScalars()).reshape(last - first, columns)
            part = (mean.astype(np.float64) - _AIR) * (count * step_mm / 1000.0)
            total[first:last] = np.maximum(total[first:last], part)  # blocks that overlap show the same
    return np.maximum(total, 0.0)


def _slab(volume: Volume, slices: int) -> vtkImageReslice:
    reslice = vtkImageReslice()
    reslice.SetInputData(share_with_vtk(volume))
    reslice.SetOutputDimensionality(2)
    reslice.SetInterpolationModeToLinear()
    reslice.SetBackgroundLevel(_AIR)
    reslice.SetOutputOrigin(0.0, 0.0, 0.0)
    reslice.SetOutputSpacing(1.0, 1.0, 1.0)
    reslice.SetSlabModeToMean()
    reslice.SetSlabNumberOfSlices(slices)
    return reslice


def _thickness_mm(
    plane: FrontalPlane, mesh: Mesh, corner: tuple[float, float], shape: tuple[int, int], mm_per_px: float
) -> FloatArray:
    """Return how much of a closed body lies along the line of sight of each pixel, mm.

    Every triangle adds its depth times its signed area on the film (the divergence theorem); triangles larger than a pixel are
    taken in pieces.
    """
    rows, columns = shape
    flat, depth = plane.flat(mesh.vertices), plane.depth(mesh.vertices)
    depth = depth - depth.mean()  # a closed body's areas add up to nothing: the less depth, the less they miss by
    across, down = (flat[:, 0] - corner[0]) / mm_per_px, (corner[1] - flat[:, 1]) / mm_per_px
    points = np.c_[across, down, depth][mesh.faces]
    one, two = points[:, 1, :2] - points[:, 0, :2], points[:, 2, :2] - points[:, 0, :2]
    area = 0.5 * (one[:, 0] * two[:, 1] - one[:, 1] * two[:, 0])
    longest = np.sqrt(np.max([(one**2).sum(axis=1), (two**2).sum(axis=1), ((two - one) ** 2).sum(axis=1)], axis=0))
    pieces = np.clip(np.ceil(longest), 1, 40).astype(int)
    total = np.zeros(rows * columns)
    for count in np.unique(pieces).tolist():
        shares = _centres(count)
        chosen = np.flatnonzero(pieces == count)
        for faces in np.array_split(chosen, len(chosen) * len(shares) // _AT_ONCE + 1):
            place = np.einsum("sk,nkc->nsc", shares, points[faces]).reshape(-1, 3)
            volume = place[:, 2] * np.repeat(area[faces] / count**2, len(shares))
            first = np.floor(place[:, :2] - 0.5).astype(np.int64)  # between the centres of four pixels
            part = place[:, :2] - 0.5 - first
            for right, low in ((0, 0), (1, 0), (0, 1), (1, 1)):
                index = first + np.array([right, low])
                inside = (index >= 0).all(axis=1) & (index[:, 0] < columns) & (index[:, 1] < rows)
                share = np.abs(1 - right - part[:, 0]) * np.abs(1 - low - part[:, 1])
                where = index[inside, 1] * columns + index[inside, 0]
                total += np.bincount(where, (volume * share)[inside], minlength=rows * columns)
    smooth: FloatArray = gaussian_filter(np.abs(total).reshape(shape), 0.8)
    return smooth


def _centres(count: int) -> FloatArray:
    """Return barycentric centres of the ``count`` squared equal pieces of a triangle."""
    centres = []
    for i in range(count):
        for j in range(count - i):
            centres.append((i + 1 / 3, j + 1 / 3))
            if i + j < count - 1:
                centres.append((i + 2 / 3, j + 2 / 3))
    pairs = np.array(centres) / count
    shares: FloatArray = np.c_[pairs, 1.0 - pairs.sum(axis=1)]
    return shares
