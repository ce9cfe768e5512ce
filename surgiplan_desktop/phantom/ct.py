"""CT of a procedural leg: densities by depth under the surface, soft tissue, blur, noise; Hounsfield volumes with labels.

Bone is described by its depth below the surface: a cortex of local thickness over trabeculae (ends) or marrow (shaft).
The edge is drawn from the signed distance, which gives the partial volume of a plane through the voxel.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from surgiplan_desktop.base.arrays import FloatArray, frozen
from surgiplan_desktop.base.errors import UsageError
from surgiplan_desktop.base.progress import SILENT, Progress
from surgiplan_desktop.base.spaces import Affine
from surgiplan_desktop.model.anatomy import BoneName, label_code
from surgiplan_desktop.model.images import LabelMap, Volume
from surgiplan_desktop.phantom.fields import Field
from surgiplan_desktop.phantom.limb import Leg, Solid
from surgiplan_desktop.phantom.meshing import sample

AIR_HU: Final = -1000.0
FAT_HU: Final = -100.0
MUSCLE_HU: Final = 50.0
SKIN_HU: Final = 30.0
CORTEX_HU: Final = 1450.0
MARROW_HU: Final = -40.0
TRABECULAR_HU: Final = 240.0
TABLE_HU: Final = -150.0
SPACING_RANGE_MM: Final = (0.3, 5.0)

#: Soft tissue beyond the bones, in the plane of the slices and along the leg, mm.
_MARGIN_MM: Final = 45.0
_END_MARGIN_MM: Final = 8.0
#: How deep a bone's inside has a profile of its own; beyond it is all trabeculae or marrow, mm.
_DEEP_MM: Final = 9.0
_NOISE_HU: Final = 14.0
_BLUR_MM: Final = 0.45

#: Cortex thickness along each bone, from its distal to its proximal end: shares of the length and mm.
_CORTEX_MM: Final[dict[BoneName, tuple[tuple[float, ...], tuple[float, ...]]]] = {
    BoneName.FEMUR: ((0.0, 0.08, 0.15, 0.25, 0.5, 0.75, 0.85, 0.92, 1.0), (1.3, 1.3, 1.8, 4.0, 6.8, 6.0, 3.5, 1.8, 1.3)),
    BoneName.TIBIA: ((0.0, 0.06, 0.14, 0.25, 0.5, 0.75, 0.85, 0.92, 1.0), (1.4, 1.4, 2.0, 3.8, 5.4, 4.2, 2.2, 1.4, 1.6)),
    BoneName.FIBULA: ((0.0, 0.08, 0.2, 0.5, 0.85, 0.94, 1.0), (1.2, 1.2, 2.2, 2.8, 2.0, 1.1, 1.1)),
    BoneName.PATELLA: ((0.0, 1.0), (1.5, 1.5)),
    BoneName.TALUS: ((0.0, 1.0), (1.3, 1.3)),
    BoneName.HIP: ((0.0, 1.0), (1.6, 1.6)),
}
#: Share of trabeculae (the rest is marrow) along each bone.
_TRABECULAE: Final[dict[BoneName, tuple[tuple[float, ...], tuple[float, ...]]]] = {
    BoneName.FEMUR: ((0.0, 0.10, 0.24, 0.76, 0.90, 1.0), (1.0, 0.9, 0.0, 0.0, 0.9, 1.2)),
    BoneName.TIBIA: ((0.0, 0.08, 0.20, 0.74, 0.92, 1.0), (1.1, 0.9, 0.0, 0.0, 0.8, 1.1)),
    BoneName.FIBULA: ((0.0, 0.10, 0.25, 0.85, 1.0), (1.0, 0.8, 0.0, 0.0, 0.7)),
    BoneName.PATELLA: ((0.0, 1.0), (1.2, 1.2)),
    BoneName.TALUS: ((0.0, 1.0), (1.3, 1.3)),
    BoneName.HIP: ((0.0, 1.0), (0.9, 0.9)),
}


@dataclass(frozen=True, slots=True, eq=False)
class SimulatedCt:
    """Blocks of a simulated scan, proximal first, with their label maps."""

    volumes: tuple[Volume, ...]
    labels: tuple[LabelMap, ...]


@dataclass(frozen=True, slots=True)
class _Grid:
    """World-aligned grid, index (k, j, i) along (z, y, x)."""

    lowest: tuple[float, float, float]
    step: tuple[float, float, float]
    shape: tuple[int, int, int]

    def axis(self, which: int) -> FloatArray:
        """Coordinates along index axis 0 (z), 1 (y) or 2 (x)."""
        return self.lowest[which] + self.step[which] * np.arange(self.shape[which], dtype=np.float64)


def simulate(
    leg: Leg,
    spacing_mm: float | tuple[float, float, float] = 1.0,
    *,
    seed: int = 0,
    blocks: int = 1,
    table: bool = True,
    progress: Progress = SILENT,
) -> SimulatedCt:
    """Simulate a CT of a leg.

    Parameters
    ----------
    leg
        The leg; its fields are evaluated on the voxel grid, not its meshes.
    spacing_mm
        One spacing for all directions or (k, j, i), mm.
    seed
        Seed of trabecular texture and noise; same seed, same voxels.
    blocks
        1 = one volume, 3 = hip, knee and ankle slabs of the same scan (clinical.md A.4), proximal first.

    Raises
    ------
    UsageError
        ``phantom_range`` for a spacing or number of blocks that is not possible.
    """
    step = checked_scan(spacing_mm, blocks)
    grid = _grid_of(leg, step)
    random = np.random.default_rng([seed, 20260101])
    hounsfield = _soft_tissue(leg, grid, table)
    codes = np.zeros(grid.shape, dtype=np.uint16)
    for number, solid in enumerate(leg.solids):
        progress.step(number, len(leg.solids) + 2, "phantom_ct")
        _draw_bone(hounsfield, codes, grid, solid, random)
    progress.step(len(leg.solids), len(leg.solids) + 2, "phantom_ct")
    for axis, size in enumerate(grid.step):
        ndimage.gaussian_filter1d(hounsfield, _BLUR_MM / size, axis=axis, output=hounsfield, mode="nearest")
    progress.step(len(leg.solids) + 1, len(leg.solids) + 2, "phantom_ct")
    scanned = _with_noise(hounsfield, random)
    del hounsfield
    return _cut_blocks(leg, grid, scanned, codes, blocks)


def checked_scan(spacing_mm: float | tuple[float, float, float], blocks: int) -> tuple[float, float, float]:
    """Return the spacing along (k, j, i); UsageError ``phantom_range`` or ``phantom_blocks`` for what cannot be simulated."""
    step = (spacing_mm, spacing_mm, spacing_mm) if isinstance(spacing_mm, int | float) else spacing_mm
    low, high = SPACING_RANGE_MM
    for value in step:
        if not low <= value <= high:
            raise UsageError("phantom_range", parameter="spacing", value=float(value), lowest=low, highest=high, unit="mm")
    if blocks not in (1, 3):
        raise UsageError("phantom_blocks", blocks=blocks)
    return float(step[0]), float(step[1]), float(step[2])


def _grid_of(leg: Leg, step: tuple[float, float, float]) -> _Grid:
    low = np.min([solid.lowest for solid in leg.solids], axis=0)
    high = np.max([solid.highest for solid in leg.solids], axis=0)
    hip = next(solid for solid in leg.solids if solid.bone.bone is BoneName.HIP)
    # The scan begins a little above the acetabular roof: the ilium is cut by the field of view, as in life.
    head = leg.truth_landmarks["hip_centre"]
    top = min(float(hip.highest[2]) - 6.0, float(head[2]) + 48.0)
    lowest = np.floor([low[2] - _END_MARGIN_MM, low[1] - _MARGIN_MM, low[0] - _MARGIN_MM])
    highest = np.array([top, high[1] + _MARGIN_MM, high[0] + _MARGIN_MM])
    counts = np.ceil((highest - lowest) / step).astype(int) + 1
    return _Grid((float(lowest[0]), float(lowest[1]), float(lowest[2])), step, (int(counts[0]), int(counts[1]), int(counts[2])))


def _soft_tissue(leg: Leg, grid: _Grid, table: bool) -> NDArray[np.float32]:
    """Air, skin, fat, muscle and the table, as ellipses around the leg's axis that change with height."""
    hip, ankle = leg.truth_landmarks["hip_centre"], leg.truth_landmarks["ankle_centre"]
    z, y, x = grid.axis(0), grid.axis(1), grid.axis(2)
    share = (z - ankle[2]) / (hip[2] - ankle[2])
    stations = (-0.1, 0.0, 0.12, 0.32, 0.44, 0.52, 0.65, 0.85, 1.1)
    half_width = np.interp(share, stations, (42.0, 45.0, 50.0, 68.0, 66.0, 66.0, 78.0, 98.0, 125.0))
    half_depth = np.interp(share, stations, (54.0, 50.0, 50.0, 66.0, 66.0, 66.0, 78.0, 90.0, 105.0))
    fat = np.interp(share, stations, (4.0, 4.0, 5.0, 7.0, 8.0, 9.0, 11.0, 13.0, 16.0))
    # The flesh follows the bones: ankle, knee, shaft of the femur, and at the hip it lies between head and trochanter.
    points = leg.truth_landmarks
    middle = 0.5 * (hip + points["greater_trochanter_tip"])
    bones = ("tibial_knee_centre", "femoral_shaft_distal", "femoral_shaft_proximal")
    path = np.array([ankle, *(points[name] for name in bones), middle])
    line = np.column_stack([np.interp(z, path[:, 2], path[:, axis]) for axis in range(2)])
    line[:, 1] += 6.0
    result = np.full(grid.shape, AIR_HU, dtype=np.float32)
    # The leg lies on the table and is flattened there.
    floor = float(y[-1]) - 8.0 if table else float(y[-1]) + 10.0
    for k in range(len(z)):
        q = np.hypot((x[None, :] - line[k, 0]) / half_width[k], (y[:, None] - line[k, 1]) / half_depth[k])
        depth = np.minimum((1.0 - q) * min(half_width[k], half_depth[k]), floor - 1.0 - y[:, None]).astype(np.float32)
        slab = result[k]
        if table:
            slab[(y > floor) & (y < floor + 4.0)] = TABLE_HU
        inside = np.clip(depth + 0.5, 0.0, 1.0)
        tissue = np.where(depth < 2.0, SKIN_HU, np.where(depth < 2.0 + fat[k], FAT_HU, MUSCLE_HU)).astype(np.float32)
        slab += inside * (tissue - slab)
    return result


def _draw_bone(
    hounsfield: NDArray[np.float32], codes: NDArray[np.uint16], grid: _Grid, solid: Solid, random: np.random.Generator
) -> None:
    """Draw one bone into the volume and its code into the labels, only inside its box."""
    margin = 2.0 * max(grid.step)
    box = []
    for index, world in enumerate((2, 1, 0)):
        first = int(np.floor((solid.lowest[world] - margin - grid.lowest[index]) / grid.step[index]))
        last = int(np.ceil((solid.highest[world] + margin - grid.lowest[index]) / grid.step[index])) + 1
        box.append(slice(max(first, 0), min(last, grid.shape[index])))
    where = tuple(box)
    lowest = np.array([grid.axis(index)[box[index].start] for index in range(3)])
    highest = np.array([grid.axis(index)[box[index].stop - 1] for index in range(3)])
    turned = _Turned(solid.field)
    distance = sample(turned, lowest, highest, np.array(grid.step), _DEEP_MM).values
    height = grid.axis(0)[box[0]]
    share = (height - solid.lowest[2]) / (solid.highest[2] - solid.lowest[2])
    cortex = np.interp(share, *_CORTEX_MM[solid.bone.bone]).astype(np.float32)[:, None, None]
    trabeculae = np.interp(share, *_TRABECULAE[solid.bone.bone]).astype(np.float32)[:, None, None]
    texture = _texture(distance.shape, grid.step, random)
    inner = MARROW_HU + trabeculae * (TRABECULAR_HU - MARROW_HU + 55.0 * texture)
    width = np.float32(np.cbrt(np.prod(grid.step)))
    covered = np.clip(0.5 - distance / width, 0.0, 1.0)
    into = np.clip((-distance - cortex + 0.6) / np.float32(1.2), 0.0, 1.0)
    bone = CORTEX_HU + into * (inner - CORTEX_HU)
    part = hounsfield[where]
    part += covered * (bone - part)
    codes[where][distance < 0.0] = label_code(solid.bone)


@dataclass(frozen=True, slots=True, eq=False)
class _Turned:
    """A field of points given as (z, y, x)."""

    field: Field

    def __call__(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        return self.field(np.ascontiguousarray(points[:, ::-1]))


def _texture(shape: tuple[int, ...], step: tuple[float, float, float], random: np.random.Generator) -> NDArray[np.float32]:
    """Correlated noise of unit size: trabeculae seen through the scanner, correlation about 1 mm."""
    noise = random.standard_normal(shape, dtype=np.float32)
    for axis, size in enumerate(step):
        ndimage.gaussian_filter1d(noise, 1.0 / size, axis=axis, output=noise)
    noise /= max(float(noise.std()), 1e-6)
    return noise


def _with_noise(hounsfield: NDArray[np.float32], random: np.random.Generator) -> NDArray[np.int16]:
    """Quantum noise, slightly correlated in the slice; rounded to int16, slab by slab to spare memory."""
    result = np.empty(hounsfield.shape, dtype=np.int16)
    for k in range(len(hounsfield)):
        noise = ndimage.gaussian_filter(random.standard_normal(hounsfield.shape[1:], dtype=np.float32), 0.6)
        noise *= _NOISE_HU / max(float(noise.std()), 1e-6)
        result[k] = np.clip(np.rint(hounsfield[k] + noise), -1024, 3071)
    return result


def _cut_blocks(leg: Leg, grid: _Grid, scanned: NDArray[np.int16], codes: NDArray[np.uint16], blocks: int) -> SimulatedCt:
    z = grid.axis(0)
    if blocks == 1:
        slabs = [slice(0, len(z))]
    else:
        points = leg.truth_landmarks
        knee, ankle = points["tibial_knee_centre"][2], points["ankle_centre"][2]
        limits = [
            (points["lesser_trochanter_tip"][2] - 20.0, z[-1]), (knee - 150.0, knee + 150.0), (z[0], ankle + 60.0),
        ]  # fmt: skip
        slabs = [slice(int(np.searchsorted(z, low)), int(np.searchsorted(z, high, side="right"))) for low, high in limits]
    linear = np.zeros((3, 3))
    linear[2, 0], linear[1, 1], linear[0, 2] = grid.step
    volumes, labels = [], []
    for slab in slabs:
        affine = Affine.from_parts(linear, np.array([grid.lowest[2], grid.lowest[1], z[slab.start]]))
        volumes.append(Volume(frozen(scanned[slab].copy() if blocks > 1 else scanned), affine))
        labels.append(LabelMap(frozen(codes[slab].copy() if blocks > 1 else codes), affine))
    return SimulatedCt(tuple(volumes), tuple(labels))
