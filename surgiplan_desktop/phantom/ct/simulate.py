"""The whole simulation: ideal slices drawn slab by slab, then scanned slice by slice, block by block."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from surgiplan_desktop.base.arrays import AnyArray, FloatArray, frozen, unit
from surgiplan_desktop.base.progress import SILENT, PartOfProgress, Progress
from surgiplan_desktop.base.spaces import Affine, rotation_about
from surgiplan_desktop.model.anatomy import BoneId, BoneName
from surgiplan_desktop.model.images import LabelMap, Volume
from surgiplan_desktop.phantom.ct.bone import BoneTextures, draw_bone, find_bones, two_nearest
from surgiplan_desktop.phantom.ct.grid import ORIENTATIONS, Lattice, lattice_over
from surgiplan_desktop.phantom.ct.limb import Limb, limb_of
from surgiplan_desktop.phantom.ct.metal import TITANIUM_HU, Piece, draw_metal, pieces_of
from surgiplan_desktop.phantom.ct.projection import Projector, hardening
from surgiplan_desktop.phantom.ct.scanner import BodyNoise, NoiseMaker, blurred, slice_profile
from surgiplan_desktop.phantom.ct.scene import KERNELS, REGIONS, CtScene, checked_scan
from surgiplan_desktop.phantom.ct.tissue import Cord, cords_of, soft_tissue
from surgiplan_desktop.phantom.fields import Field
from surgiplan_desktop.phantom.limb import Leg, Solid

Values = NDArray[np.float32]

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
    """Blocks of a simulated scan, proximal first, with their label maps.

    ``moves`` tells by which map (LPS to LPS) the leg has moved before each block was taken; labels and voxels show it moved,
    its truth is that of the leg as built.
    """

    volumes: tuple[Volume, ...]
    labels: tuple[LabelMap, ...]
    moves: tuple[Affine, ...]


@dataclass(frozen=True, slots=True, eq=False)
class _Body:
    """What lies in the scanner."""

    solids: tuple[Solid, ...]
    limb: Limb
    cords: tuple[Cord, ...]
    metal: tuple[Piece, ...]
    grain: BoneTextures
    table: bool


@dataclass(frozen=True, slots=True, eq=False)
class _Slice:
    """A slice before it is scanned: values without metal, amount of metal (None: none near), label codes."""

    body: Values
    metal: Values | None
    codes: NDArray[np.uint16]


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
    step = checked_scan(spacing_mm, blocks, tilt_deg, scene.region)
    limb = limb_of(leg, seed, scene.second_leg)
    metal = pieces_of(leg, scene.metal)
    body = _Body(_solids(leg, scene), limb, _cords(leg, scene), metal, BoneTextures.of(seed), scene.table)
    whole = lattice_over(*_box(leg, body, scene), step, ORIENTATIONS[scene.orientation], tilt_deg)
    spans = _block_spans(leg, whole, blocks)
    volumes, labels, moves = [], [], []
    for number, span in enumerate(spans):
        part = PartOfProgress(progress, number / len(spans), (number + 1) / len(spans))
        lattice = whole.slab(span.start, span.stop)
        move = _move(lattice, scene, seed, number)
        scanned, codes = _scan(body, Lattice(move.inverse() @ lattice.affine, lattice.shape), span.start, scene, seed, part)
        volumes.append(Volume(frozen(scanned), lattice.affine))
        labels.append(LabelMap(frozen(codes), lattice.affine))
        moves.append(move)
    return SimulatedCt(tuple(volumes), tuple(labels), tuple(moves))


def _scan(
    body: _Body, lattice: Lattice, first: int, scene: CtScene, seed: int, progress: Progress
) -> tuple[NDArray[np.int16], NDArray[np.uint16]]:
    """Scan a block whose first slice has the number ``first`` in the whole scan."""
    kernel, step = KERNELS[scene.kernel], lattice.step
    shape, pixel = (lattice.shape[1], lattice.shape[2]), (float(step[1]), float(step[2]))
    thickness = scene.thickness_mm or float(step[0])
    deviation = kernel.noise_hu / np.sqrt(thickness) if scene.noise_hu is None else scene.noise_hu
    noise = NoiseMaker.of(kernel, shape, pixel, slice_profile(thickness, float(step[0])), deviation, seed)
    around = BodyNoise.of(shape, pixel)
    projector = Projector.of(shape, pixel) if body.metal or scene.beam_hardening else None
    scanned = np.empty(lattice.shape, dtype=np.int16)
    codes = np.zeros(lattice.shape, dtype=np.uint16)
    whites: dict[int, Values] = {}
    for k, ideal in enumerate(_slices(body, lattice, thickness, progress)):
        shift = _drift(first + k, float(step[0]), scene.motion_mm, seed) / pixel
        item = _shifted(ideal, shift) if shift.any() else ideal
        image = item.body
        added: Values | float = 0.0
        if projector is not None and (item.metal is not None or scene.beam_hardening):
            random = np.random.default_rng([seed, 41, first + k])
            added = hardening(projector, image, item.metal, random)
        if item.metal is not None:
            image = image * (1.0 - np.minimum(item.metal, 1.0)) + np.float32(TITANIUM_HU) * item.metal
        image = blurred(image, kernel, pixel) + added + noise(first + k, whites) * around.factor(image)
        scanned[k] = np.clip(np.rint(image), _LOWEST_HU, _HIGHEST_HU)
        codes[k] = item.codes
    return scanned, codes


def _slices(body: _Body, lattice: Lattice, thickness: float, progress: Progress) -> Iterator[_Slice]:
    """Draw ideal slices slab by slab and average them over the slice profile."""
    parts = int(np.ceil(lattice.step[0] / _FINE_MM - 1e-6))
    profile = slice_profile(thickness, float(lattice.step[0]) / parts).astype(np.float32)
    reach = len(profile) // 2
    fine = _finer(lattice, parts, reach)
    waiting = _draw(body, fine.slab(0, min(_SLAB, fine.shape[0])))
    first, end = 0, min(_SLAB, fine.shape[0])
    for k in range(lattice.shape[0]):
        start = k * parts
        while end < start + 2 * reach + 1:
            progress.step(end, fine.shape[0], "phantom_ct")
            following = _draw(body, fine.slab(end, min(end + _SLAB, fine.shape[0])))
            waiting = tuple(np.concatenate([old[start - first :], new]) for old, new in zip(waiting, following, strict=True))
            first, end = start, min(end + _SLAB, fine.shape[0])
        ideal, metal, codes = (part[start - first : start - first + 2 * reach + 1] for part in waiting)
        amount = np.tensordot(profile, metal, axes=1) if body.metal else None
        has_metal = amount is not None and bool((amount > 0.01).any())
        yield _Slice(np.tensordot(profile, ideal, axes=1), amount if has_metal else None, codes[reach])


def _draw(body: _Body, slab: Lattice) -> tuple[AnyArray, ...]:
    """Ideal Hounsfield values without metal, amount of metal, and label codes of a slab."""
    bones = find_bones(slab, body.solids)
    nearest, second = two_nearest(slab, bones)
    tibiae = tuple(solid for solid in body.solids if solid.bone.bone is BoneName.TIBIA)
    ideal = soft_tissue(slab, body.limb, body.cords, tibiae, nearest, second, body.table)
    codes = np.zeros(slab.shape, dtype=np.uint16)
    for bone in bones:
        draw_bone(ideal, codes, slab, bone, second, body.grain)
    metal = draw_metal(slab, body.metal) if body.metal else np.zeros((slab.shape[0], 1, 1), dtype=np.float32)
    return ideal, metal, codes


def _shifted(item: _Slice, shift: FloatArray) -> _Slice:
    """Move a slice in its plane by a number of pixels (rows, columns)."""
    metal = None if item.metal is None else ndimage.shift(item.metal, shift, order=1, mode="nearest")
    body = ndimage.shift(item.body, shift, order=1, mode="nearest")
    return _Slice(body, metal, ndimage.shift(item.codes, shift, order=0, mode="nearest"))


def _drift(k: int, step_mm: float, largest_mm: float, seed: int) -> FloatArray:
    """How far the leg lies from its place in slice ``k`` (rows, columns), mm: a slow sway of three waves."""
    if largest_mm == 0.0:
        return np.zeros(2)
    random = np.random.default_rng([seed, 51])
    phases, waves = random.uniform(0.0, 2.0 * np.pi, (2, 3)), random.uniform(40.0, 160.0, (2, 3))
    sway = np.sin(2.0 * np.pi * k * step_mm / waves + phases).mean(axis=1)
    result: FloatArray = largest_mm * sway / np.sqrt(2.0)
    return result


def _move(lattice: Lattice, scene: CtScene, seed: int, number: int) -> Affine:
    """How the leg has moved before a block is taken: about the block's middle, in a direction of its own; the first stays."""
    if number == 0 or (scene.block_shift_mm == 0.0 and scene.block_turn_deg == 0.0):
        return Affine.identity()
    random = np.random.default_rng([seed, 61, number])
    axis, direction = (unit(random.standard_normal(3)) for _ in range(2))
    middle = lattice.affine(0.5 * (np.array(lattice.shape) - 1.0))
    turn = rotation_about(middle, axis, scene.block_turn_deg)
    return Affine.from_parts(np.eye(3), scene.block_shift_mm * direction) @ turn


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
    return (*cords, *(cord.mirrored() for cord in cords)) if scene.second_leg else cords
