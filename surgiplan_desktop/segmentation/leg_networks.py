"""Run the networks of a pack over one block: a coarse one over all of it, a fine one where the coarse one found legs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from surgiplan_desktop.base.arrays import BoolArray
from surgiplan_desktop.base.errors import InputDataError
from surgiplan_desktop.base.progress import SILENT, PartOfProgress, Progress
from surgiplan_desktop.model.anatomy import BoneName, bone_of_label
from surgiplan_desktop.model.images import Volume
from surgiplan_desktop.segmentation.blending import Blending, label_volume
from surgiplan_desktop.segmentation.class_maps import BoneAnswer, bone_answer
from surgiplan_desktop.segmentation.label_ops import widened
from surgiplan_desktop.segmentation.network_grid import (
    Float32Image,
    NetworkGrid,
    carried_over,
    network_grid,
    own_grid,
    seen_by_network,
    turned_to_grid,
)
from surgiplan_desktop.segmentation.network_input import normalised, tile_reader
from surgiplan_desktop.segmentation.pack_check import network_bytes
from surgiplan_desktop.segmentation.packs import LEFT_CODES, Member, ModelPack, PackNetwork
from surgiplan_desktop.segmentation.slab import Block
from surgiplan_desktop.segmentation.tile_grid import Index3, TileGrid, plan_tiles
from surgiplan_desktop.segmentation.tiles import MemoryPlan, Network, plan_memory, run_tiles

#: Stands for voxels outside the scan and for those that hold no number, HU.
AIR_HU: Final = -1024.0
#: How far round what the coarse network calls a leg the fine one looks: across the limb, and along it, where a coarse network
#: is least sure of itself at the edge of the scan, mm.
_ASIDE_MM: Final = 10.0
_ALONG_MM: Final = 30.0
#: Deeper than this inside a bone by its shape a voxel is bone, mm: more than the lattice of the coarse names is off. Its chance.
_DEEP_MM: Final = 6.0
_DEEP_CHANCE: Final = 153
#: What a coarse network finds in pieces smaller than this is no leg, mm3.
_LEAST_COARSE_MM3: Final = 3000.0
#: Share of the work that the coarse pass takes.
_COARSE_SHARE: Final = 0.1
#: Memory of loaded networks by hash and tile.
_KNOWN_BYTES: Final[dict[tuple[str, Index3], int]] = {}


@dataclass(frozen=True, slots=True)
class PackBones:
    """Which channels of a pack are bones of the leg, and which are other bones (that hold them apart and are then dropped).

    A pack that says the sides itself has two channels a bone; the side is found by geometry all the same.
    """

    names: Mapping[int, BoneName]
    others: tuple[int, ...]

    @property
    def channels(self) -> tuple[int, ...]:
        """All of them in rising order."""
        return tuple(sorted((*self.names, *self.others)))


@dataclass(frozen=True, slots=True, eq=False)
class BlockAnswer:
    """What the networks of a pack said of a block: the grid, Hounsfield values on it, and the answer."""

    grid: NetworkGrid
    hu: Float32Image
    answer: BoneAnswer


@dataclass(frozen=True, slots=True, eq=False)
class Guide:
    """Names that an earlier network gave: classes (k, j, i) on its grid; ``mended`` where they were painted anew by shape."""

    classes: NDArray[np.uint8]
    grid: NetworkGrid
    mended: bool = False


@dataclass(frozen=True, slots=True)
class BlockPlan:
    """What a pass over a block will take at most: tiles to run and bytes; the fine pass alone decides both."""

    tiles: int
    peak_bytes: int


def pack_bones(pack: ModelPack) -> PackBones:
    """Read from the label codes which channels are bones.

    Raises
    ------
    InputDataError
        ``pack_without_bones`` when there is none.
    """
    names: dict[int, BoneName] = {}
    others = []
    for channel, label in enumerate(pack.labels, start=1):
        code = label.code if label.code not in LEFT_CODES else label.code - 100
        bone = bone_of_label(code)
        if bone is not None:
            names[channel] = bone.bone
        elif label.name.casefold().endswith("bone") or code == 7:
            others.append(channel)
    if not names:
        raise InputDataError("pack_without_bones", file=pack.folder, pack=pack.name)
    return PackBones(names, tuple(others))


def networks_needed(pack: ModelPack) -> tuple[PackNetwork, ...]:
    """Return the networks that lead to the last one of the pack, in the order in which they run."""
    needed = [pack.networks[-1]]
    while needed[0].guide:
        needed.insert(0, next(network for network in pack.networks if network.name == needed[0].guide))
    return tuple(needed)


def plan_block(volume: Volume, pack: ModelPack, *, uncertainty: bool, limit_bytes: int | None = None) -> BlockPlan:
    """Tell before anything runs what the networks will take over a block.

    Raises
    ------
    ComputationError
        ``tiles_memory`` where it is more than the limit, ``grid_too_large``.
    """
    tiles, peak, held = 0, 0, 0
    for network in networks_needed(pack):
        # a network of single slices has no spacing along them
        spacing = [step or float(volume.spacing_kji_mm.max()) for step in network.spacing_mm]
        grid = network_grid(volume, network.axes, spacing)
        everywhere = plan_tiles(grid.shape, network.tile, overlap=network.overlap, spread=network.tiles)
        plan = _memory_plan(pack, network, everywhere, uncertainty, limit_bytes)
        voxels = int(np.prod(grid.shape))
        # Hounsfield values, their normalised copy, the guide and the answer's maps stand beside the slab
        peak = max(peak, plan.peak_bytes + held + 13 * voxels)
        held += voxels
        tiles = plan.tile_runs
    return BlockPlan(tiles, peak)


def answer_block(
    volume: Volume,
    pack: ModelPack,
    networks: Mapping[str, Sequence[Network]],
    *,
    uncertainty: bool,
    limit_bytes: int | None = None,
    progress: Progress = SILENT,
) -> BlockAnswer:
    """Run the networks of a pack over a block; see :func:`coarse_names` and :func:`fine_answer`."""
    part = PartOfProgress(progress, 0.0, _COARSE_SHARE)
    guide = coarse_names(volume, pack, networks, limit_bytes=limit_bytes, progress=part)
    part = PartOfProgress(progress, _COARSE_SHARE, 1.0)
    return fine_answer(volume, pack, networks, guide, uncertainty=uncertainty, limit_bytes=limit_bytes, progress=part)


def coarse_names(
    volume: Volume,
    pack: ModelPack,
    networks: Mapping[str, Sequence[Network]],
    *,
    limit_bytes: int | None = None,
    progress: Progress = SILENT,
) -> Guide | None:
    """Run all networks but the last over a block, and return what the last but one found; None where there is only one.

    Parameters
    ----------
    networks
        Members by the name of the network; their answers are averaged.

    Raises
    ------
    ComputationError
        ``tiles_memory`` before anything ran; what the networks raise.
    """
    bones = pack_bones(pack)
    guide: Guide | None = None
    for network in networks_needed(pack)[:-1]:
        _, run = _prepared(volume, pack, networks, network, guide, False, limit_bytes, progress)
        classes = label_volume(run.blocks("inference_coarse"), run.tiles, pack.classes, run.blending).classes
        guide = Guide(_legs_only(classes, run.grid, bones), run.grid)
    return guide


def fine_answer(
    volume: Volume,
    pack: ModelPack,
    networks: Mapping[str, Sequence[Network]],
    guide: Guide | None,
    *,
    uncertainty: bool,
    limit_bytes: int | None = None,
    progress: Progress = SILENT,
) -> BlockAnswer:
    """Run the last network over a block, only round the legs of the guide where there is one.

    Parameters
    ----------
    uncertainty
        Also give entropy and disagreement, which may take further passes.

    Raises
    ------
    ComputationError
        ``tiles_memory`` before anything ran; what the networks raise.
    """
    bones = pack_bones(pack)
    near, run = _prepared(volume, pack, networks, pack.networks[-1], guide, uncertainty, limit_bytes, progress)
    answer = bone_answer(run.blocks("inference"), run.tiles, pack.classes, bones.channels, run.blending)
    if near is not None and guide is not None:
        answer.chance[~near] = 0
        if guide.mended:
            _fill_deep(answer, carried_over(guide.classes, guide.grid, run.grid), bones, run.grid)
    return BlockAnswer(run.grid, run.hu, answer)


def _fill_deep(answer: BoneAnswer, names: NDArray[np.uint8], bones: PackBones, grid: NetworkGrid) -> None:
    """Take what lies deep inside a bone by its shape for bone, though the network took its fat for fat."""
    for channel in bones.names:
        bone = names == channel
        if not bone.any():
            continue
        depth = [-max(1, round(_DEEP_MM / step)) for step in grid.spacing_mm.tolist()]
        inside = widened(bone, depth) & (answer.chance < _DEEP_CHANCE)
        answer.chance[inside] = _DEEP_CHANCE
        answer.best[inside] = channel


@dataclass(frozen=True, slots=True, eq=False)
class _Pass:
    """A network about to run over a block."""

    grid: NetworkGrid
    hu: Float32Image
    tiles: TileGrid
    blending: Blending
    blocks: Callable[[str], Iterator[Block]]


def _prepared(
    volume: Volume,
    pack: ModelPack,
    networks: Mapping[str, Sequence[Network]],
    network: PackNetwork,
    guide: Guide | None,
    uncertainty: bool,
    limit_bytes: int | None,
    progress: Progress,
) -> tuple[BoolArray | None, _Pass]:
    """Read the scan as a network sees it, and return where it looks and what runs it by the text id of its progress."""
    grid = network_grid(volume, network.axes, network.spacing_mm)
    hu = seen_by_network(volume, grid, outside=AIR_HU, progress=PartOfProgress(progress, 0.0, 0.1))
    names = carried_over(guide.classes, guide.grid, grid) if guide is not None and network.guide else None
    near = None if names is None else near_legs(names, grid, pack_bones(pack))
    tiles = plan_tiles(grid.shape, network.tile, overlap=network.overlap, spread=network.tiles, mask=near)
    blending = pack.blending.asked(uncertainty=uncertainty)
    image = normalised(hu, network.normalisation)
    read = tile_reader(image, tiles, network.normalisation.outside, guide=names, labels=len(pack.labels))
    plan = _memory_plan(pack, network, tiles, uncertainty, limit_bytes)
    part = PartOfProgress(progress, 0.1, 1.0)

    def blocks(text_id: str) -> Iterator[Block]:
        return run_tiles(networks[network.name], read, tiles, pack.classes, plan, blending, progress=part, text_id=text_id)

    return near, _Pass(grid, hu, tiles, blending, blocks)


def answer_of_classes(volume: Volume, classes: NDArray[np.uint8], bones: PackBones) -> BlockAnswer:
    """Return the answer of networks that gave nothing but the class of each voxel of the scan."""
    grid = own_grid(volume, "SPL")
    turned = turned_to_grid(classes, grid)
    chance = np.where(np.isin(turned, bones.channels), 255, 0).astype(np.uint8)
    return BlockAnswer(grid, seen_by_network(volume, grid, outside=AIR_HU), BoneAnswer(turned, chance))


def _memory_plan(
    pack: ModelPack, network: PackNetwork, tiles: TileGrid, uncertainty: bool, limit_bytes: int | None
) -> MemoryPlan:
    loaded = sum(_loaded_bytes(pack, network, member) for member in network.members)
    return plan_memory(
        tiles,
        channels=pack.channels(network),
        classes=pack.classes,
        blending=pack.blending.asked(uncertainty=uncertainty),
        run_bytes=loaded,
        members=len(network.members),
        limit_bytes=limit_bytes,
    )


def _loaded_bytes(pack: ModelPack, network: PackNetwork, member: Member) -> int:
    """Memory of a loaded network; reading its graph takes a while, and its hash names it."""
    key = (member.sha256, network.tile)
    if key not in _KNOWN_BYTES:
        _KNOWN_BYTES[key] = network_bytes(pack, network, pack.path(member))
    return _KNOWN_BYTES[key]


def _legs_only(classes: NDArray[np.uint8], grid: NetworkGrid, bones: PackBones) -> NDArray[np.uint8]:
    """Drop specks: pieces of bone, whatever their names, that are too small for a leg."""
    found = np.isin(classes, bones.channels)
    pieces, count = ndimage.label(found, structure=np.ones((3, 3, 3)))
    sizes = np.bincount(pieces.ravel(), minlength=count + 1) * float(np.prod(grid.spacing_mm))
    small = sizes < _LEAST_COARSE_MM3
    small[0] = False
    result = classes.copy()
    result[small[pieces]] = 0
    return result


def near_legs(names: NDArray[np.uint8], grid: NetworkGrid, bones: PackBones) -> BoolArray:
    """Where the fine network looks: round the bones of the legs, farther along the limb than across it."""
    legs = np.isin(names, tuple(bones.names))
    axis = int(np.abs(grid.affine.linear[2]).argmax())
    wanted_mm = [_ALONG_MM if row == axis else _ASIDE_MM for row in range(3)]
    return widened(legs, [max(1, round(reach / step)) for reach, step in zip(wanted_mm, grid.spacing_mm.tolist(), strict=True)])
