"""What the pixels of a block say about its quality: metal, motion, noise, Hounsfield scale, bone at the edge of the field.

Measured once at import on a coarse copy of each slice (memory and time stay small); judged later, against limits, in planning.
Nothing here knows which joint the block shows, and nothing here is a verdict.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from surgiplan_desktop.base.arrays import AnyArray, FloatArray, IntArray
from surgiplan_desktop.base.progress import SILENT, Progress
from surgiplan_desktop.imaging.slice_motion import LEAST_SLICES, Shifts, SliceMotion
from surgiplan_desktop.model.images import Volume
from surgiplan_desktop.model.study import ImageEvidence

#: Version of what is measured here; raised when a value changes its meaning.
VERSION: Final = 1
#: Slices are looked at on a grid with at most this many pixels along either direction.
_COARSE: Final = 160
#: Cortical bone stays below about 2200 HU, metal saturates the scale of most scanners at 3071 [K].
METAL_HU: Final = 2800.0
#: Smaller clusters of such voxels are noise or dense cortex seen by a sharp kernel, mm3.
_LEAST_METAL_MM3: Final = 30.0
#: What is denser than this at the edge of the field is bone, not flesh and not the table, HU.
_BONE_HU: Final = 300.0
_BODY_HU: Final = -300.0
#: Histogram of the scale: from, to, width of a bin, HU.
_BINS: Final = (-1100.0, 3200.0, 4.0)
#: Windows in which the peaks of fat and muscle are looked for, HU.
_FAT_HU: Final = (-150.0, -40.0)
_MUSCLE_HU: Final = (5.0, 115.0)
#: Neighbours differing by more than this lie on an edge and say nothing of a tissue, HU.
_FLAT_HU: Final = 60.0

Image = NDArray[np.float32]


def measure_evidence(volume: Volume, *, progress: Progress = SILENT) -> ImageEvidence:
    """Measure what the voxels of a block say about its quality.

    Parameters
    ----------
    volume
        The block, HU.
    progress
        Reports one step every few slices; may raise Cancelled.

    Returns
    -------
    ImageEvidence
        Values by name; a name is absent where the block does not show what it needs:

        - ``air_hu``, ``fat_hu``, ``muscle_hu``: peaks of the histogram of flat tissue;
        - ``noise_hu``: standard deviation inside muscle;
        - ``metal_mm3`` (0.0 without metal), ``metal_x0_mm`` .. ``metal_z1_mm``: its box in LPS, ``metal_dark_hu``: the darkest
          2 % of the flesh beside it (streaks);
        - ``shift_slices``: slices displaced against both neighbours, ``shift_mm`` and ``shift_z_mm``: the largest and where;
          ``step_mm`` and ``step_z_mm``: the largest displacement that lasts; ``motion_noise_mm``: scatter of the method itself;
        - ``bone_edge_mm2``: bone at a lateral edge of the field, ``body_edge_share``: part of the block where flesh touches one;
        - ``skin_edge_mm``: 10-90 % width of the sharpest edges between air and skin (kernel and pixel together).
    """
    spacing = volume.spacing_kji_mm
    stride = max(1, -(-max(volume.shape[1:]) // _COARSE))
    pixel = spacing[1:] * stride
    tissue = _Tissue()
    motion = SliceMotion(pixel)
    metal: list[IntArray] = []
    for k, plane in enumerate(volume.array):
        if k % 16 == 0:
            progress.step(k, len(volume.array), "measuring_quality")
        coarse = plane[::stride, ::stride].astype(np.float32)
        tissue.add(coarse)
        motion.add(coarse)
        if plane.max() > METAL_HU:
            where = np.argwhere(plane > METAL_HU)
            metal.append(np.column_stack([np.full(len(where), k), where]))
    progress.step(len(volume.array), len(volume.array), "measuring_quality")
    values = tissue.values()
    values.update(_metal(volume, metal))
    values.update(_motion(motion.shifts(), volume))
    values.update(_edges(volume, stride))
    sharpness = _skin_edge_mm(volume)
    if sharpness is not None:
        values["skin_edge_mm"] = sharpness
    return ImageEvidence(VERSION, tuple((name, round(float(value), 3)) for name, value in sorted(values.items())))


@dataclass(slots=True)
class _Tissue:
    """Histogram of flat places, and differences of neighbours inside muscle."""

    counts: FloatArray = field(default_factory=lambda: np.zeros(int((_BINS[1] - _BINS[0]) / _BINS[2])))
    differences: list[Image] = field(default_factory=list)

    def add(self, image: Image) -> None:
        flat = (np.abs(np.diff(image, axis=1))[:-1] < _FLAT_HU) & (np.abs(np.diff(image, axis=0))[:, :-1] < _FLAT_HU)
        inner = image[:-1, :-1][flat]
        # the constant that fills the corners outside the round field of the scanner is no tissue and no air
        inner = inner[inner > _BINS[0]]
        self.counts += np.histogram(inner, bins=len(self.counts), range=_BINS[:2])[0]
        mean = ndimage.uniform_filter(image, 5)
        calm = ndimage.binary_erosion((mean > _MUSCLE_HU[0]) & (mean < _MUSCLE_HU[1]), iterations=2)
        pairs = calm[:, :-2] & calm[:, 2:]
        if pairs.any():
            self.differences.append((image[:, 2:] - image[:, :-2])[pairs])

    def values(self) -> dict[str, float]:
        """Peaks of air, fat and muscle, and the noise."""
        found: dict[str, float] = {}
        smooth = ndimage.gaussian_filter1d(self.counts, 2.0)
        centres = _BINS[0] + _BINS[2] * (np.arange(len(smooth), dtype=np.float64) + 0.5)
        total = float(smooth.sum())
        if total < 1000.0:
            return found
        air = _air(smooth, centres, total)
        if air is not None:
            found["air_hu"] = air
        # with a shifted scale the windows of fat and muscle would name air or bone
        if air is None or abs(air + 1000.0) < 300.0:
            for name, window in (("fat_hu", _FAT_HU), ("muscle_hu", _MUSCLE_HU)):
                peak = _peak(smooth, centres, window, 0.002 * total)
                if peak is not None:
                    found[name] = peak
        pairs = np.concatenate(self.differences) if self.differences else np.zeros(0, dtype=np.float32)
        if len(pairs) >= 500:
            found["noise_hu"] = 1.4826 * float(np.median(np.abs(pairs - np.median(pairs)))) / np.sqrt(2.0)
        return found


def _air(smooth: FloatArray, centres: FloatArray, total: float) -> float | None:
    """Return the lowest strong peak when it is that of air: near -1000, or as far below flesh as air is (a shifted scale)."""
    strong = [n for n in _maxima(smooth) if smooth[max(0, n - 6) : n + 7].sum() > 0.02 * total]
    if not strong:
        return None
    lowest = float(centres[strong[0]])
    if lowest > -700.0 and not any(850.0 < centres[n] - lowest < 1150.0 for n in strong[1:]):
        return None
    return _refined(smooth, centres, strong[0])


def _peak(smooth: FloatArray, centres: FloatArray, window: tuple[float, float], least: float) -> float | None:
    """Return the highest peak inside a window, or None when there is none that stands out."""
    inside = [n for n in _maxima(smooth) if window[0] < centres[n] < window[1]]
    best = max(inside, key=lambda n: float(smooth[n]), default=None)
    return None if best is None or smooth[max(0, best - 6) : best + 7].sum() < least else _refined(smooth, centres, best)


def _maxima(smooth: FloatArray) -> list[int]:
    inner = smooth[1:-1]
    return (1 + np.flatnonzero((inner > smooth[:-2]) & (inner >= smooth[2:]))).tolist()


def _refined(smooth: FloatArray, centres: FloatArray, peak: int) -> float:
    low, here, high = smooth[peak - 1 : peak + 2]
    curve = low - 2.0 * here + high
    return float(centres[peak] + (0.5 * (low - high) / curve * _BINS[2] if curve < 0 else 0.0))


def _metal(volume: Volume, found: list[IntArray]) -> dict[str, float]:
    """Volume, box and darkest flesh of clusters of voxels denser than any bone."""
    values = {"metal_mm3": 0.0}
    if not found:
        return values
    index = np.concatenate(found)
    low = index.min(axis=0)
    mask = np.zeros(index.max(axis=0) - low + 1, dtype=np.bool_)
    mask[tuple((index - low).T)] = True
    voxel = float(abs(np.linalg.det(volume.affine.linear)))
    clusters, count = ndimage.label(mask, structure=np.ones((3, 3, 3)))
    sizes = np.bincount(clusters.ravel(), minlength=count + 1) * voxel
    kept = sizes >= _LEAST_METAL_MM3
    kept[0] = False
    if not kept.any():
        return values
    index = np.argwhere(kept[clusters]) + low
    points = volume.affine(index.astype(np.float64))
    values["metal_mm3"] = float(sizes[kept].sum())
    for name, lowest, highest in zip("xyz", points.min(axis=0), points.max(axis=0), strict=True):
        values[f"metal_{name}0_mm"], values[f"metal_{name}1_mm"] = float(lowest), float(highest)
    slices = np.unique(index[:, 0])
    dark = []
    for k in slices[:: max(1, len(slices) // 20)]:
        plane = volume.array[k][::2, ::2]
        body = ndimage.binary_opening(ndimage.binary_fill_holes(plane > _BODY_HU), iterations=3)
        flesh = plane[ndimage.binary_erosion(body, iterations=4) & (plane < _BONE_HU)]
        if flesh.size > 50:
            dark.append(float(np.percentile(flesh, 2.0)))
    if dark:
        values["metal_dark_hu"] = float(np.median(dark))
    return values


def _motion(shifts: Shifts, volume: Volume) -> dict[str, float]:
    if volume.shape[0] <= LEAST_SLICES:
        return {}  # not looked at, which is not the same as nothing found
    values = {"shift_slices": float(len(shifts.single)), "motion_noise_mm": shifts.noise_mm}
    for name, found in (("shift", shifts.single), ("step", shifts.lasting)):
        values[f"{name}_mm"] = 0.0
        if found:
            k, size = max(found, key=lambda item: item[1])
            values[f"{name}_mm"] = size
            values[f"{name}_z_mm"] = float(volume.affine(np.array([k, 0.0, 0.0]))[2])
    return values


def _edges(volume: Volume, stride: int) -> dict[str, float]:
    """Measure what touches the lateral faces of the block, and the border of a round field inside it."""
    long_axis = int(np.abs(volume.affine.linear[2]).argmax())
    spacing = volume.spacing_kji_mm
    bone = 0.0
    touched = np.zeros(volume.shape[long_axis], dtype=np.bool_)
    for axis in range(3):
        if axis == long_axis:
            continue
        others = [other for other in range(3) if other != axis]
        area = float(np.prod(spacing[others]))
        along = others.index(long_axis)
        for end in (0, -1):
            face: Image = np.asarray(volume.array.take(end, axis), dtype=np.float32)
            bone += area * float(_solid(face > _BONE_HU).sum())
            flesh = _solid((face > _BODY_HU) & (face < _BONE_HU))
            length = flesh.sum(axis=1 - along) * spacing[others[1 - along]]
            touched |= length > 20.0
    bone += _at_round_field(volume, stride)
    return {"bone_edge_mm2": bone, "body_edge_share": float(touched.mean())}


def _solid(mask: AnyArray) -> AnyArray:
    """Drop what is thinner than three pixels: noise and the shells of the table."""
    return ndimage.binary_opening(mask, np.ones((3, 3), dtype=np.bool_))


def _at_round_field(volume: Volume, stride: int) -> float:
    """Area of bone that touches the border of a round field (the corners of the slices hold one constant), mm2."""
    corners = [volume.array[len(volume.array) // 2, j, i] for j in (0, -1) for i in (0, -1)]
    filling = corners[0]
    if filling > -1000 or any(corner != filling for corner in corners):
        return 0.0
    spacing = volume.spacing_kji_mm
    outside = ndimage.binary_erosion(volume.array[len(volume.array) // 2, ::stride, ::stride] == filling, iterations=2)
    if not outside.any():
        return 0.0
    rim = ndimage.binary_dilation(outside, iterations=4) & ~outside
    count = 0
    for plane in volume.array:
        coarse = plane[::stride, ::stride]
        here = rim & (coarse > _BONE_HU)
        if here.any() and ndimage.binary_dilation(coarse == filling)[here].any():
            count += int(here.sum())
    # a strip four coarse pixels wide lies along the rim: its area over its width is the length that touches
    return count / 4.0 * float(spacing[1] * stride * spacing[0])


def _skin_edge_mm(volume: Volume) -> float | None:
    """Return the 10-90 % width of the sharpest edges from air to skin along the rows; None without such edges."""
    if volume.shape[2] < 24:
        return None
    planes = volume.array[:: max(1, len(volume.array) // 40)]
    widths = []
    for plane in planes:
        for rows in (plane, plane[:, ::-1]):
            image = rows.astype(np.float32)
            step = np.diff(image[:, 2:-6], axis=1)
            before, after = image[:, : step.shape[1]], image[:, 8 : 8 + step.shape[1]]
            here, following = image[:, 2 : 2 + step.shape[1]], image[:, 3 : 3 + step.shape[1]]
            edge = (here < -475.0) & (following >= -475.0) & (before < -850.0) & (np.abs(after) < 250.0)
            if edge.any():
                widths.append(0.8 * (after - before)[edge] / np.maximum(step[edge], 1.0))
    if sum(map(len, widths)) < 200:
        return None
    return float(np.quantile(np.concatenate(widths), 0.2)) * float(volume.spacing_kji_mm[2])
