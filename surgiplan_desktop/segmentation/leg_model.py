"""The path with AI: bones of the leg by the networks of a model pack, named and checked against anatomy.

A coarse pass finds the legs, a fine one draws the bones there; names are held against the shape of the bones, so that each bone
has one name from end to end, or it is told. What really ran the networks is read from them, never from what was asked for.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from surgiplan_desktop.base.errors import InputDataError
from surgiplan_desktop.base.progress import SILENT, PartOfProgress, Progress
from surgiplan_desktop.base.spaces import Affine
from surgiplan_desktop.geometry.slices import bridged, displaced_slices
from surgiplan_desktop.model.anatomy import BoneId, Side, label_code
from surgiplan_desktop.model.images import LabelMap, UncertaintyMap, Volume
from surgiplan_desktop.model.study import Finding
from surgiplan_desktop.segmentation.bones import FoundBone, displaced
from surgiplan_desktop.segmentation.guide_names import mended_guides
from surgiplan_desktop.segmentation.image_sense import value_findings
from surgiplan_desktop.segmentation.inference.choose import Runner, Settings, Wish, open_network
from surgiplan_desktop.segmentation.inference.engine import Running
from surgiplan_desktop.segmentation.leg_networks import (
    BlockAnswer,
    PackBones,
    answer_of_classes,
    coarse_names,
    fine_answer,
    networks_needed,
    pack_bones,
    plan_block,
)
from surgiplan_desktop.segmentation.likeness import OTHER_BONE, scan_likeness
from surgiplan_desktop.segmentation.model_bones import BonesOfScan, bones_of_answers
from surgiplan_desktop.segmentation.named_pieces import HALF
from surgiplan_desktop.segmentation.nnunet_pass import classes_of_scan, uses_nnunet
from surgiplan_desktop.segmentation.pack_check import verify_pack
from surgiplan_desktop.segmentation.packs import ModelPack
from surgiplan_desktop.segmentation.tiles import Network
from surgiplan_desktop.segmentation.wrapping import without_wrapping

#: Version of what is done with the networks' answers.
VERSION: Final = "6"
#: Where a body's proximal and distal end are exchanged.
_ON_ITS_HEAD: Final = Affine(np.diag([1.0, 1.0, -1.0, 1.0]))
_MIB: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class ModelNeeds:
    """What a run will take at most, known before it starts: memory in bytes, tiles of the fine network."""

    peak_bytes: int
    tiles: int


@dataclass(frozen=True, slots=True, eq=False)
class ModelLabelling:
    """What a model found.

    Attributes
    ----------
    labels, bones, findings
        As :class:`surgiplan_desktop.segmentation.bones.BoneLabelling`: label maps on the grids of the volumes, in their order.
    uncertainty
        One map a block on the network's grid; empty where it was not asked for, or the pack has no way to tell it.
    running
        What really ran each network, in the order of the pack; empty where the networks did not tell.
    seconds, needs
        Wall time, and the memory that was stated before.
    likeness
        0..1: how like the model's training the scan is; below 0.5 comes with a finding.
    """

    labels: tuple[LabelMap, ...]
    bones: tuple[FoundBone, ...]
    findings: tuple[Finding, ...]
    uncertainty: tuple[UncertaintyMap, ...]
    running: tuple[Running, ...]
    seconds: float
    needs: ModelNeeds
    likeness: float


def model_needs(
    volumes: Sequence[Volume], pack: ModelPack, *, uncertainty: bool = True, limit_bytes: int | None = None
) -> ModelNeeds:
    """Tell what a run would take, before anything is loaded.

    Raises
    ------
    ComputationError
        ``tiles_memory`` where it is more than ``limit_bytes`` (default: a share of what is free now), ``grid_too_large``.
    """
    plans = [plan_block(volume, pack, uncertainty=uncertainty, limit_bytes=limit_bytes) for volume in volumes]
    return ModelNeeds(max(plan.peak_bytes for plan in plans), sum(plan.tiles for plan in plans))


def find_bones_with_model(
    volumes: Sequence[Volume],
    pack: ModelPack,
    *,
    device: Wish = "auto",
    expected: Side | None = None,
    uncertainty: bool = True,
    limit_bytes: int | None = None,
    settings: Settings | None = None,
    networks: Mapping[str, Sequence[Network]] | None = None,
    progress: Progress = SILENT,
) -> ModelLabelling:
    """Find and name the bones of one or two legs with a model pack.

    Parameters
    ----------
    volumes
        The blocks of one study in one frame of reference; any order, any directions of their axes.
    pack
        The pack; its files are verified first.
    device
        Where it shall run; what cannot is told in the findings, and the processor takes over.
    expected
        The side that request or tags say: taken for a single leg whose bones say none, never against them.
    uncertainty
        Also run the passes that tell how sure the model is.
    limit_bytes
        Memory that may be taken; default a share of what is free.
    settings
        Engines and threads; default those of this machine.
    networks
        Loaded members by name of the network, instead of those of the pack's files.
    progress
        Stepped inside tiles too; may raise Cancelled.

    Raises
    ------
    InputDataError
        What ``pack_check.verify_pack`` finds; ``scan_extent`` where the voxel size of the header
        cannot be right, ``no_bone_by_model`` where nothing was found, ``no_bone_named`` where nothing of it is a bone of a leg.
    ComputationError
        ``tiles_memory`` before anything runs; ``inference_failed`` when no engine can run the networks.
    """
    if not volumes:
        raise ValueError("find_bones_with_model needs at least one volume")
    started = time.monotonic()
    findings = value_findings(volumes, pack.modality)
    bones = pack_bones(pack)
    if networks is None:
        verify_pack(pack, limit_bytes=limit_bytes)
    needs = model_needs(volumes, pack, uncertainty=uncertainty, limit_bytes=limit_bytes)
    runners = networks or _opened(pack, device, settings, PartOfProgress(progress, 0.0, 0.03))
    mended = []
    for number, volume in enumerate(volumes):
        wrong = displaced_slices(volume) if volume.shape[0] > 2 else ()
        findings += [displaced(number, k, volume) for k in wrong]
        bare = bridged(volume, wrong)
        if pack.modality == "CT":
            bare, notes = without_wrapping(number, bare)
            findings += notes
        mended.append(bare)
    way = _Way(pack, bones, runners, uncertainty, limit_bytes, expected)
    answers, found = _found(mended, way, 1, PartOfProgress(progress, 0.03, 0.97))
    if found.upside_down:
        turned = [Volume(volume.array, _ON_ITS_HEAD @ volume.affine) for volume in mended]
        again, other = _found(turned, way, -1, PartOfProgress(progress, 0.03, 0.97))
        if other.bones and not other.upside_down:
            answers = [replace(item, grid=replace(item.grid, affine=_ON_ITS_HEAD @ item.grid.affine)) for item in again]
            maps = tuple(LabelMap(item.array, volume.affine) for item, volume in zip(other.labels, volumes, strict=True))
            found = replace(other, labels=maps)
        found = replace(found, findings=(*found.findings, Finding("scan_upside_down", "critical")))
    findings += found.findings
    if not found.bones:
        pieces = sum(int((item.answer.chance >= HALF).any()) for item in answers)
        raise InputDataError("no_bone_named" if pieces else "no_bone_by_model", pieces=pieces, model=pack.name)
    likeness, odd = _likeness(answers, bones)
    findings += odd
    told = [runner for members in runners.values() for runner in members if isinstance(runner, Runner)]
    findings += [item for runner in told for item in runner.findings]
    progress.step(1.0, 1.0, "labelling_bones")
    return ModelLabelling(
        found.labels,
        found.bones,
        tuple(dict.fromkeys(findings)),
        tuple(_uncertainty(item) for item in answers if item.answer.entropy is not None),
        tuple(runner.running for runner in told),
        round(time.monotonic() - started, 1),
        needs,
        likeness,
    )


@dataclass(frozen=True, slots=True)
class _Way:
    pack: ModelPack
    bones: PackBones
    runners: Mapping[str, Sequence[Network]]
    uncertainty: bool
    limit_bytes: int | None
    expected: Side | None


def _opened(pack: ModelPack, device: Wish, settings: Settings | None, progress: Progress) -> dict[str, list[Runner]]:
    return {
        network.name: [
            open_network(pack.path(member), pack.tile_shape(network), wish=device, settings=settings, progress=progress)
            for member in network.members
        ]
        for network in networks_needed(pack)
    }


def _found(volumes: Sequence[Volume], way: _Way, proximal: int, progress: Progress) -> tuple[list[BlockAnswer], BonesOfScan]:
    answers = _answers(volumes, way, PartOfProgress(progress, 0.0, 0.8))
    found = bones_of_answers(
        volumes,
        answers,
        way.bones,
        expected=way.expected,
        proximal=proximal,
        by_hounsfield=way.pack.modality == "CT",
        progress=PartOfProgress(progress, 0.8, 1.0),
    )
    return answers, found


def _answers(volumes: Sequence[Volume], way: _Way, progress: Progress) -> list[BlockAnswer]:
    """Run the networks over every block; what coarse ones said is held against anatomy before it guides the fine one."""
    pack, limit = way.pack, way.limit_bytes
    parts = [PartOfProgress(progress, number / len(volumes), (number + 1) / len(volumes)) for number in range(len(volumes))]
    if uses_nnunet(pack):
        return [
            answer_of_classes(volume, classes_of_scan(volume, pack, way.runners, limit_bytes=limit, progress=part), way.bones)
            for volume, part in zip(volumes, parts, strict=True)
        ]
    guides = [
        coarse_names(volume, pack, way.runners, limit_bytes=limit, progress=PartOfProgress(progress, 0.0, 0.1))
        for volume in volumes
    ]
    known = [guide for guide in guides if guide is not None]
    if known and pack.modality == "CT":
        fine = pack.networks[-1]
        part = PartOfProgress(progress, 0.1, 0.2)
        guides = [*mended_guides(volumes, known, way.bones, fine.axes, fine.spacing_mm, progress=part)]
    result = []
    for number, (volume, guide) in enumerate(zip(volumes, guides, strict=True)):
        part = PartOfProgress(progress, 0.2 + 0.8 * number / len(volumes), 0.2 + 0.8 * (number + 1) / len(volumes))
        result.append(
            fine_answer(volume, pack, way.runners, guide, uncertainty=way.uncertainty, limit_bytes=limit, progress=part)
        )
    return result


def _likeness(answers: Sequence[BlockAnswer], bones: PackBones) -> tuple[float, list[Finding]]:
    """The least likeness of all blocks: one block of another kind makes the whole doubtful."""
    codes = np.zeros(256, dtype=np.uint8)
    for channel in bones.channels:
        name = bones.names.get(channel)
        codes[channel] = OTHER_BONE if name is None else label_code(BoneId(Side.RIGHT, name))
    scores: list[float] = []
    findings: list[Finding] = []
    for item in answers:
        said = item.answer
        best = codes[np.where(said.chance >= HALF, said.best, 0)]
        found = scan_likeness(item.hu, best, said.chance, said.entropy, step_mm=float(item.grid.spacing_mm.max()))
        scores.append(found.score)
        findings += found.findings
    return min(scores), findings


def _uncertainty(item: BlockAnswer) -> UncertaintyMap:
    said = item.answer
    if said.entropy is None or said.disagreement is None:
        raise AssertionError("passes for uncertainty ran")
    return UncertaintyMap(said.entropy, said.disagreement, said.chance, item.grid.affine)
