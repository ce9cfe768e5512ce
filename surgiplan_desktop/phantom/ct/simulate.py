"""The whole simulation: ideal slices drawn slab by slab, then scanned slice by slice, block by block."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from surgiplan_desktop.base.arrays import AnyArray, FloatArray, frozen
from surgiplan_desktop.base.progress import SILENT, PartOfProgress, Progress
from surgiplan_desktop.base.spaces import Affine
from surgiplan_desktop.model.anatomy import BoneId, BoneName
from surgiplan_desktop.model.images import LabelMap, Volume
from surgiplan_desktop.phantom.ct.bone import BoneTextures, draw_bone, find_bones, two_nearest
from surgiplan_desktop.phantom.ct.grid import ORIENTATIONS, Lattice, lattice_over
from surgiplan_desktop.phantom.ct.limb import Limb, limb_of
from surgiplan_desktop.phantom.ct.scanner import BodyNoise, NoiseMaker, blurred, slice_profile
from surgiplan_desktop.phantom.ct.scene import KERNELS, REGIONS, CtScene, checked_scan
from surgiplan_desktop.phantom.ct.tissue import Cord, cords_of, soft_tissue
from surgiplan_desktop.phantom.fields import Field
from surgiplan_desktop.phantom.limb import Leg, Solid

#: Soft tissue beyond the bones, in the plane of the slices and along the leg, and what is seen below the mat, mm.
_MARGIN_MM: Final = 45.0
_END_MARGIN_MM: Final = 8.0
_BELOW_COUCH_MM: Final = 14.0
#: Ideal slices lie at most this far apart; thicker slices are averages of several.
_FINE_MM: Final = 1.1
#: Slices drawn at once: a multiple of the bricks in which fields are evaluated.
_SLAB: Final = 24
_LOWEST_HU: Final = -1024
_HIGHEST_HU: Final = 3071


@dataclass(frozen=True, slots=True, eq=False)
class SimulatedCt:
    """Blocks of a simulated scan, proximal first, with their label maps."""

    volumes: tuple[Volume, ...]
    labels: tuple[LabelMap, ...]


@dataclass(frozen=True, slots=True, eq=False)
class _Body:
    """What lies in the scanner."""

    solids: tuple[Solid, ...]
    limb: Limb
    cords: tuple[Cord, ...]
    grain: BoneTextures
    table: bool


def simulate(
    leg: Leg,
    spacing_mm: float | tuple[float, float, float] = 1.0,
    *,
    seed: int = 0,
    blocks: int = 1,
    tilt_deg: float = 0.0,
    scene: CtScene = CtScene(),  # noqa: B008 - frozen
    progress: Progress = SILENT,
) -> SimulatedCt:
    """Simulate a CT of a leg.

    Parameters
    ----------
    leg
        The leg; its fields are evaluated on the voxels, not its meshes.
    spacing_mm
        One distance of voxel centres for all directions or (k, j, i), mm; along k it is the step of the table.
    seed
        Seed of textures and noise; same seed, same voxels.
    blocks
        1 = one volume, 3 = hip, knee and ankle slabs of the same scan (clinical.md A.4), proximal first.
    tilt_deg
        Tilt of the gantry. The affine is then sheared: slices step along the table, their planes lean. Positive: the columns
        run posterior and inferior.
    scene
        What else lies in the scan and how it is taken.

    Raises
    ------
    UsageError
        ``phantom_range`` for a spacing or tilt, ``phantom_blocks`` for a number of blocks that is not possible.
    """
    step = checked_scan(spacing_mm, blocks, tilt_deg)
    limb = limb_of(leg, seed, scene.second_leg)
    body = _Body(_solids(leg, scene), limb, _cords(leg, scene), BoneTextures.of(seed), scene.table)
    whole = lattice_over(*_box(leg, body, scene), step, ORIENTATIONS[scene.orientation], tilt_deg)
    spans = _block_spans(leg, whole, blocks)
    volumes, labels = [], []
    for number, span in enumerate(spans):
        part = PartOfProgress(progress, number / len(spans), (number + 1) / len(spans))
        scanned, codes = _scan(body, whole, span, scene, seed, part)
        affine = whole.slab(span.start, span.stop).affine
        volumes.append(Volume(frozen(scanned), affine))
        labels.append(LabelMap(frozen(codes), affine))
    return SimulatedCt(tuple(volumes), tuple(labels))


def _scan(
    body: _Body, whole: Lattice, span: slice, scene: CtScene, seed: int, progress: Progress
) -> tuple[NDArray[np.int16], NDArray[np.uint16]]:
    """Draw and scan the slices of a span of the whole lattice."""
    kernel = KERNELS[scene.kernel]
    step = whole.step
    thickness = scene.thickness_mm or float(step[0])
    parts = int(np.ceil(step[0] / _FINE_MM - 1e-6))
    profile = slice_profile(thickness, float(step[0]) / parts)
    reach = len(profile) // 2
    fine = _finer(whole.slab(span.start, span.stop), parts, reach)
    shape = (whole.shape[1], whole.shape[2])
    pixel = (float(step[1]), float(step[2]))
    deviation = kernel.noise_hu / np.sqrt(thickness) if scene.noise_hu is None else scene.noise_hu
    noise = NoiseMaker.of(kernel, shape, pixel, slice_profile(thickness, float(step[0])), deviation, seed)
    around = BodyNoise.of(shape, pixel)
    count = span.stop - span.start
    scanned = np.empty((count, *shape), dtype=np.int16)
    codes = np.zeros((count, *shape), dtype=np.uint16)
    waiting = np.zeros((0, *shape), dtype=np.float32)
    whites: dict[int, NDArray[np.float32]] = {}
    first, done = 0, 0
    for start in range(0, fine.shape[0], _SLAB):
        progress.step(start, fine.shape[0], "phantom_ct")
        slab = fine.slab(start, min(start + _SLAB, fine.shape[0]))
        ideal, names = _draw(body, slab)
        for k in range(slab.shape[0]):
            number, rest = divmod(start + k - reach, parts)
            if rest == 0 and 0 <= number < count:
                codes[number] = names[k]
        waiting = np.concatenate([waiting, ideal])
        while done < count and done * parts + 2 * reach < first + len(waiting):
            at = done * parts - first
            image = np.tensordot(profile.astype(np.float32), waiting[at : at + 2 * reach + 1], axes=1)
            image = blurred(image, kernel, pixel) + noise(span.start + done, whites) * around.factor(image)
            scanned[done] = np.clip(np.rint(image), _LOWEST_HU, _HIGHEST_HU)
            done += 1
        keep = min(max(done * parts - first, 0), len(waiting))
        waiting, first = waiting[keep:], first + keep
    return scanned, codes


def _draw(body: _Body, slab: Lattice) -> tuple[NDArray[np.float32], NDArray[np.uint16]]:
    """Ideal Hounsfield values and label codes of a slab."""
    bones = find_bones(slab, body.solids)
    nearest, second = two_nearest(slab, bones)
    ideal = soft_tissue(slab, body.limb, body.cords, nearest, second, body.table)
    codes = np.zeros(slab.shape, dtype=np.uint16)
    for bone in bones:
        draw_bone(ideal, codes, slab, bone, second, body.grain)
    return ideal, codes


def _finer(lattice: Lattice, parts: int, reach: int) -> Lattice:
    """Divide the slices into ``parts`` each and add ``reach`` fine ones before the first and after the last."""
    scale = Affine.from_parts(np.diag([1.0 / parts, 1.0, 1.0]), np.array([-reach / parts, 0.0, 0.0]))
    count = (lattice.shape[0] - 1) * parts + 1 + 2 * reach
    return Lattice(lattice.affine @ scale, (count, lattice.shape[1], lattice.shape[2]))


def _box(leg: Leg, body: _Body, scene: CtScene) -> tuple[FloatArray, FloatArray]:
    """Return the LPS box that is scanned."""
    solids = body.solids
    points = leg.truth_landmarks
    hip = next(solid for solid in leg.solids if solid.bone.bone is BoneName.HIP)
    low = np.min([solid.lowest for solid in solids], axis=0)
    high = np.max([solid.highest for solid in solids], axis=0)
    # The scan begins a little above the acetabular roof: the ilium is cut by the field of view, as in life.
    top = min(float(hip.highest[2]) - 6.0, float(points["hip_centre"][2]) + 48.0)
    bottom = float(np.floor(low[2] - _END_MARGIN_MM))
    if scene.region:
        middle = float(points[REGIONS[scene.region]][2])
        bottom, top = max(bottom, middle - 0.5 * scene.region_mm), min(top, middle + 0.5 * scene.region_mm)
        within = [solid for solid in solids if solid.lowest[2] < top and solid.highest[2] > bottom]
        low = np.min([solid.lowest for solid in within], axis=0)
        high = np.max([solid.highest for solid in within], axis=0)
    lowest = np.array([np.floor(low[0] - _MARGIN_MM), np.floor(low[1] - _MARGIN_MM), bottom])
    highest = np.array([high[0] + _MARGIN_MM, high[1] + _MARGIN_MM, top])
    if scene.table:
        highest[1] = max(highest[1], float(body.limb.couch(np.array([high[0]])).max()) + _BELOW_COUCH_MM)
    return lowest, highest


def _block_spans(leg: Leg, lattice: Lattice, blocks: int) -> list[slice]:
    """Slices of each block, proximal first; heights are those of the middle of the leg in each slice."""
    if blocks == 1:
        return [slice(0, lattice.shape[0])]
    points = leg.truth_landmarks
    centres = [points[name] for name in ("lesser_trochanter_tip", "tibial_knee_centre", "ankle_centre")]
    trochanter, knee, ankle = lattice.affine.inverse()(np.array(centres))[:, 0]
    step, last = float(lattice.step[0]), float(lattice.shape[0] - 1)
    limits = [(trochanter - 20.0 / step, last), (knee - 150.0 / step, knee + 150.0 / step), (0.0, ankle + 60.0 / step)]
    return [slice(max(int(np.ceil(low)), 0), min(int(np.floor(high)) + 1, lattice.shape[0])) for low, high in limits]


@dataclass(frozen=True, slots=True, eq=False)
class _Mirrored:
    """A field seen in the patient's midplane x = 0."""

    field: Field

    def __call__(self, points: AnyArray) -> AnyArray:
        """Evaluate at LPS points."""
        return self.field(points * np.array([-1.0, 1.0, 1.0], dtype=points.dtype))


def mirrored(solid: Solid) -> Solid:
    """Return the bone of the other side that is the mirror image in the patient's midplane."""
    flip = np.array([-1.0, 1.0, 1.0])
    ends = np.stack([solid.lowest * flip, solid.highest * flip])
    bone = BoneId(solid.bone.side.other, solid.bone.bone)
    axes = (solid.distal * flip, solid.proximal * flip, solid.anterior * flip)
    return Solid(bone, _Mirrored(solid.field), ends.min(axis=0), ends.max(axis=0), *axes)


def _solids(leg: Leg, scene: CtScene) -> tuple[Solid, ...]:
    return (*leg.solids, *(mirrored(solid) for solid in leg.solids)) if scene.second_leg else leg.solids


def _cords(leg: Leg, scene: CtScene) -> tuple[Cord, ...]:
    cords = cords_of(leg)
    if not scene.second_leg:
        return cords
    flip = np.array([-1.0, 1.0, 1.0])
    others = tuple(Cord(c.path * flip, c.half_width, c.half_depth, c.across * flip, c.hu, c.sheath_mm) for c in cords)
    return (*cords, *others)
