"""The one list of what depends on what: a pure function from the Case to the graph of results."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date
from functools import partial
from typing import Any

import numpy as np

from surgiplan_desktop.base.arrays import AnyArray
from surgiplan_desktop.base.progress import Progress
from surgiplan_desktop.base.spaces import Affine
from surgiplan_desktop.derive.node import Key, Node
from surgiplan_desktop.geometry.surface import bone_from_blocks
from surgiplan_desktop.model.anatomy import BoneId, BoneName, Side
from surgiplan_desktop.model.case import Case, ImportedBone, Intake, SegmentationRun
from surgiplan_desktop.model.images import LabelMap, UncertaintyMap, Volume
from surgiplan_desktop.model.mesh import Bone
from surgiplan_desktop.model.steps import GuideStep, ImplantStep, OsteotomyStep
from surgiplan_desktop.model.study import AssetId, Matrix, VolumeBlock
from surgiplan_desktop.planning.axes import leg_frames
from surgiplan_desktop.planning.block_joints import block_heights, joints_by_bones
from surgiplan_desktop.planning.block_measures import measure_over_blocks
from surgiplan_desktop.planning.block_overlap import compare_blocks
from surgiplan_desktop.planning.catalogue import Catalogue, Component
from surgiplan_desktop.planning.constructions import find_constructions
from surgiplan_desktop.planning.cora import leg_cora
from surgiplan_desktop.planning.film_graph import add_films, standing_key
from surgiplan_desktop.planning.guides import build_guide
from surgiplan_desktop.planning.implants import place_implant
from surgiplan_desktop.planning.imported_bone import bone_from_mesh
from surgiplan_desktop.planning.landmarks.femur import find_femur
from surgiplan_desktop.planning.landmarks.merge import merge_landmarks
from surgiplan_desktop.planning.landmarks.patella import find_patella
from surgiplan_desktop.planning.landmarks.tibia import find_tibia
from surgiplan_desktop.planning.limits import default_limits
from surgiplan_desktop.planning.measure_spread import leg_spread
from surgiplan_desktop.planning.measures import measure_leg
from surgiplan_desktop.planning.osteotomy import plan_osteotomy
from surgiplan_desktop.planning.osteotomy_site import propose_site
from surgiplan_desktop.planning.pieces import cut_pieces
from surgiplan_desktop.planning.records import Guide, ImplantPlacement, OsteotomyPlan
from surgiplan_desktop.planning.scan_quality import ScanQuality, judge_leg, judge_scan
from surgiplan_desktop.planning.sides import SideWitnesses, require_sides_agree, witnesses_of
from surgiplan_desktop.planning.surface_sd import spread_of_bone
from surgiplan_desktop.planning.wedge import describe_wedge

AssetLoader = Callable[[AssetId], AnyArray]


def volume_key(block: int) -> Key:
    """Key of a block's Volume."""
    return ("volume", str(block))


def labels_key(block: int) -> Key:
    """Key of a block's LabelMap."""
    return ("labels", str(block))


def uncertainty_key(block: int) -> Key:
    """Key of a block's UncertaintyMap; there only when a model found the bones and told how sure it was."""
    return ("uncertainty", str(block))


def joints_key() -> Key:
    """Key of the JointBlocks: which block shows which joint, by the bones."""
    return ("joints",)


def scan_quality_key() -> Key:
    """Key of the ScanQuality by images and headers alone; there as soon as a scan is."""
    return ("scan_quality",)


def leg_quality_key(side: Side) -> Key:
    """Key of the ScanQuality with pose, shaft in view and shared bone of a leg."""
    return ("leg_quality", side)


def guide_gate_key(side: Side) -> Key:
    """Key of the ScanQuality of a leg on which a guide depends: without what is told as of today."""
    return ("guide_gate", side)


def overlap_key(side: Side) -> Key:
    """Key of the overlaps of blocks, compared by the bones of a leg."""
    return ("overlap", side)


def bone_key(bone: BoneId) -> Key:
    """Key of a Bone."""
    return ("bone", bone.side, bone.bone)


def surface_sd_key(bone: BoneId) -> Key:
    """Key of the SurfaceSpread of a bone: how sure each place of its surface is, mm."""
    return ("surface_sd", bone.side, bone.bone)


def run_labels_key(run: str, block: int) -> Key:
    """Key of a block's LabelMap of any segmentation run of the case, the active one or not."""
    return ("run_labels", run, str(block))


def run_bone_key(run: str, bone: BoneId) -> Key:
    """Key of a Bone of any segmentation run of the case; that of the active run is the Bone of :func:`bone_key`."""
    return ("run_bone", run, bone.side, bone.bone)


def landmarks_key(side: Side) -> Key:
    """Key of the Landmarks of a leg."""
    return ("landmarks", side)


def frames_key(side: Side) -> Key:
    """Key of the LegFrames of a leg."""
    return ("frames", side)


def measures_key(side: Side) -> Key:
    """Key of the Measures of a leg."""
    return ("measures", side)


def measure_spread_key(side: Side) -> Key:
    """Key of the MeasureSpreads of a leg: how sure each measure is."""
    return ("measure_spread", side)


def cora_key(side: Side) -> Key:
    """Key of the LegCora records of a leg: against the normal mean, and against the other leg where there is one."""
    return ("cora", side)


def site_key(side: Side) -> Key:
    """Key of the proposed OsteotomySite of a leg."""
    return ("site", side)


def osteotomy_key(step: str) -> Key:
    """Key of an OsteotomyPlan."""
    return ("osteotomy", step)


def wedge_key(step: str) -> Key:
    """Key of a WedgeDetail."""
    return ("wedge", step)


def pieces_key(step: str) -> Key:
    """Key of the Pieces of an osteotomy."""
    return ("pieces", step)


def implant_key(step: str) -> Key:
    """Key of an ImplantPlacement."""
    return ("implant", step)


def guide_key(step: str) -> Key:
    """Key of a Guide."""
    return ("guide", step)


def _load_volume(load: AssetLoader, voxels: AssetId, affine: Matrix) -> Volume:
    return Volume(load(voxels), Affine(np.array(affine)))


def _load_labels(load: AssetLoader, labels: AssetId, affine: Matrix) -> LabelMap:
    return LabelMap(load(labels), Affine(np.array(affine)))


def _load_uncertainty(
    load: AssetLoader, entropy: AssetId, disagreement: AssetId, chance: AssetId, affine: Matrix
) -> UncertaintyMap:
    return UncertaintyMap(load(entropy), load(disagreement), load(chance), Affine(np.array(affine)))


def _load_bone(load: AssetLoader, item: ImportedBone) -> Bone:
    return bone_from_mesh(item.bone, load(item.vertices), load(item.faces))


def _bone(bone: BoneId, doubt_mm: float, *grids: LabelMap | Volume, progress: Progress) -> Bone:
    return bone_from_blocks(bone, *grids, doubt_mm=doubt_mm, progress=progress)


def _label_doubt_mm(run: SegmentationRun) -> float:
    """How far the labels of a run may be wrong: those of the path without AI lie at the edge already."""
    return default_limits()["surface.label_doubt_mm"] if run.model else 0.0


def _plan_osteotomy(step: OsteotomyStep, intake: Intake, witnesses: SideWitnesses, *results: Any) -> OsteotomyPlan:
    require_sides_agree(step.side, witnesses, results[0])
    return plan_osteotomy(step, intake, *results)


def _place_implant(
    step: ImplantStep, component: Component, witnesses: SideWitnesses, *results: Any, progress: Progress
) -> ImplantPlacement:
    require_sides_agree(step.side, witnesses, results[0])
    return place_implant(step, component, *results, progress=progress)


def _build_guide(
    step: GuideStep,
    osteotomy: OsteotomyStep,
    code: str,
    approved: bool,
    mesh_only: bool,
    gate: ScanQuality,
    *results: Any,
    progress: Progress,
) -> Guide:
    guide = build_guide(step, osteotomy, code, approved, mesh_only, *results, progress=progress)
    return replace(guide, checks=(*guide.checks, *gate.for_guide))


def plan_graph(case: Case, load: AssetLoader, catalogues: Mapping[str, Catalogue]) -> dict[Key, Node]:
    """Return every result the case can have, as nodes by key.

    Parameters
    ----------
    case
        The case.
    load
        Returns the read-only array of an asset; in no fingerprint, since assets are named by their content.
    catalogues
        Implant catalogues by name.
    """
    graph: dict[Key, Node] = {}
    _add_bones(graph, case, load)
    _add_scan_quality(graph, case)
    for side in case.sides:
        _add_leg(graph, case, side)
        _add_leg_quality(graph, case, side)
    for side in case.sides:
        others = tuple(measures_key(other) for other in case.sides if other is not side)
        needs = (landmarks_key(side), frames_key(side), measures_key(side), *others)
        graph[cora_key(side)] = Node("leg_cora", 1, leg_cora, (), needs)
    add_films(graph, case)
    for step in case.steps:
        if isinstance(step, OsteotomyStep):
            _add_osteotomy(graph, case, step)
        elif isinstance(step, ImplantStep):
            _add_implant(graph, case, step, catalogues)
        else:
            _add_guide(graph, case, step)
    return graph


def _add_bones(graph: dict[Key, Node], case: Case, load: AssetLoader) -> None:
    blocks = () if case.study is None else case.study.blocks
    for number, block in enumerate(blocks):
        graph[volume_key(number)] = Node("volume", 1, _load_volume, (block.voxels, block.affine), context=(load,))
    run = case.segmentation
    if run is None:
        for item in case.imported_bones:
            graph[bone_key(item.bone)] = Node("imported_bone", 1, _load_bone, (item,), context=(load,))
        return
    _add_run(graph, run, blocks, load, labels_key, bone_key)
    for number, (assets, affine) in enumerate(zip(run.uncertainty, run.uncertainty_affines, strict=True)):
        graph[uncertainty_key(number)] = Node("uncertainty", 1, _load_uncertainty, (*assets, affine), context=(load,))
    seen: list[Key] = []
    for number in range(len(blocks)):
        seen += [labels_key(number), volume_key(number)]
        seen += [uncertainty_key(number)] if uncertainty_key(number) in graph else []
    for bone in run.bones:
        graph[surface_sd_key(bone)] = Node("spread_of_bone", 1, spread_of_bone, (bone,), (bone_key(bone), *seen), "thread")
    if len(case.segmentations) > 1:  # so that two runs can be compared; same inputs, same fingerprints, nothing computed twice
        for other in case.segmentations:
            _add_run(graph, other, blocks, load, partial(run_labels_key, other.id), partial(run_bone_key, other.id))


def _add_run(
    graph: dict[Key, Node],
    run: SegmentationRun,
    blocks: tuple[VolumeBlock, ...],
    load: AssetLoader,
    labels_at: Callable[[int], Key],
    bone_at: Callable[[BoneId], Key],
) -> None:
    for number, (block, labels) in enumerate(zip(blocks, run.labels, strict=True)):
        graph[labels_at(number)] = Node("labels", 1, _load_labels, (labels, block.affine), context=(load,))
    grids = tuple(key for number in range(len(blocks)) for key in (labels_at(number), volume_key(number)))
    for bone in run.bones:
        graph[bone_at(bone)] = Node("bone_from_blocks", 3, _bone, (bone, _label_doubt_mm(run)), grids, "thread")


def _add_scan_quality(graph: dict[Key, Node], case: Case) -> None:
    if case.study is None:
        return
    needs: tuple[Key, ...] = ()
    if case.segmentation is not None:
        maps = tuple(labels_key(number) for number in range(len(case.study.blocks)))
        graph[joints_key()] = Node("joints_by_bones", 2, joints_by_bones, (), maps, "thread")
        needs = (joints_key(),)
    params = (case.study, case.intake.operation_date, len(case.sides), _today(case))
    graph[scan_quality_key()] = Node("judge_scan", 1, judge_scan, params, needs)


def _today(case: Case) -> str:
    """The day, where the scan's age is told as of today: without an operation date only."""
    return "" if case.intake.operation_date else date.today().isoformat()


def _add_leg_quality(graph: dict[Key, Node], case: Case, side: Side) -> None:
    if case.study is None or case.segmentation is None:
        return
    needs: tuple[Key, ...] = (joints_key(), landmarks_key(side), measures_key(side))
    if len(case.study.blocks) > 1:
        heights = tuple(map(block_heights, case.study.blocks))
        names = (BoneName.FEMUR, BoneName.TIBIA, BoneName.FIBULA)
        bones = tuple(bone_key(BoneId(side, name)) for name in names if BoneId(side, name) in case.bones)
        graph[overlap_key(side)] = Node("compare_blocks", 1, compare_blocks, (heights,), bones, "thread")
        needs = (*needs, overlap_key(side))
    params = (case.study, case.intake.operation_date, len(case.sides))
    graph[leg_quality_key(side)] = Node("judge_leg", 1, judge_leg, (*params, _today(case)), needs)
    # a guide stands on what never changes with the day it is looked at
    graph[guide_gate_key(side)] = Node("judge_leg", 1, judge_leg, (*params, ""), needs)


def _add_leg(graph: dict[Key, Node], case: Case, side: Side) -> None:
    femur, tibia, fibula = (
        BoneId(side, name) if BoneId(side, name) in case.bones else None
        for name in (BoneName.FEMUR, BoneName.TIBIA, BoneName.FIBULA)
    )
    found: list[Key] = []
    if femur is not None:
        found.append(("found", side, BoneName.FEMUR))
        graph[found[-1]] = Node("find_femur", 10, find_femur, (side,), (bone_key(femur),), "thread")
    if tibia is not None:
        needs: tuple[Key, ...] = (bone_key(tibia),) if fibula is None else (bone_key(tibia), bone_key(fibula))
        found.append(("found", side, BoneName.TIBIA))
        graph[found[-1]] = Node("find_tibia", 15, find_tibia, (side,), needs, "thread")
    patella = BoneId(side, BoneName.PATELLA)
    if patella in case.bones:
        neighbours = tuple(("found", side, name) for name in (BoneName.FEMUR, BoneName.TIBIA))
        needs = (bone_key(patella), *(key for key in neighbours if key in graph))
        found.append(("found", side, BoneName.PATELLA))
        graph[found[-1]] = Node("find_patella", 5, find_patella, (side,), needs, "thread")
    if found:
        kneecap = patella if patella in case.bones else None
        present = tuple((bone.bone, bone_key(bone)) for bone in (femur, tibia, fibula, kneecap) if bone is not None)
        names, shapes = tuple(name for name, _ in present), tuple(key for _, key in present)
        sections: Key = ("found", side, "constructions")
        graph[sections] = Node("find_constructions", 4, find_constructions, (side, names), (*shapes, *found), "thread")
        found.append(sections)
    placed = tuple(sorted((name, item.point_lps) for (where, name), item in case.landmarks.items() if where == side))
    graph[landmarks_key(side)] = Node("merge_landmarks", 2, merge_landmarks, (side, placed), tuple(found))
    graph[frames_key(side)] = Node("leg_frames", 2, leg_frames, (), (landmarks_key(side),))
    leg = (landmarks_key(side), frames_key(side))
    if case.study is None:
        graph[measures_key(side)] = Node("measure_leg", 4, measure_leg, (), leg)
    else:
        heights = tuple(map(block_heights, case.study.blocks))
        graph[measures_key(side)] = Node("measure_over_blocks", 3, measure_over_blocks, (heights,), leg)
    sure = tuple(bone for bone in (femur, tibia, fibula) if bone is not None and surface_sd_key(bone) in graph)
    surfaces = tuple(key for bone in sure for key in (bone_key(bone), surface_sd_key(bone)))
    graph[measure_spread_key(side)] = Node(
        "leg_spread", 3, leg_spread, (tuple(bone.bone for bone in sure),), (*leg, *surfaces), "thread"
    )
    if tibia is not None:
        needs = (landmarks_key(side), frames_key(side), bone_key(tibia))
        if fibula is not None:
            needs = (*needs, bone_key(fibula))
        graph[site_key(side)] = Node("propose_site", 1, propose_site, (), needs, "thread")


def _leg_bones(case: Case, side: Side) -> tuple[Key, ...]:
    names = (BoneName.TIBIA, BoneName.FIBULA)
    return tuple(bone_key(BoneId(side, name)) for name in names if BoneId(side, name) in case.bones)


def _add_osteotomy(graph: dict[Key, Node], case: Case, step: OsteotomyStep) -> None:
    leg = (landmarks_key(step.side), frames_key(step.side))
    graph[osteotomy_key(step.id)] = Node(
        "plan_osteotomy",
        4,
        _plan_osteotomy,
        (step, case.intake, witnesses_of(case)),
        (*leg, site_key(step.side), standing_key(step.side)),
    )
    bones = _leg_bones(case, step.side)
    graph[wedge_key(step.id)] = Node(
        "describe_wedge", 1, describe_wedge, (step, case.intake), (*leg, osteotomy_key(step.id), *bones), "thread"
    )
    graph[pieces_key(step.id)] = Node("cut_pieces", 1, cut_pieces, (step,), (osteotomy_key(step.id), *bones[:1]), "process")


def _add_implant(graph: dict[Key, Node], case: Case, step: ImplantStep, catalogues: Mapping[str, Catalogue]) -> None:
    component = catalogues[step.catalogue].component(step.component)
    needs: tuple[Key, ...] = (landmarks_key(step.side), frames_key(step.side), bone_key(BoneId(step.side, BoneName.TIBIA)))
    if step.osteotomy is not None:
        needs = (*needs, osteotomy_key(step.osteotomy), pieces_key(step.osteotomy))
    params = (step, component, witnesses_of(case))
    graph[implant_key(step.id)] = Node("place_implant", 4, _place_implant, params, needs, "process")


def _add_guide(graph: dict[Key, Node], case: Case, step: GuideStep) -> None:
    osteotomy = case.step(step.osteotomy)
    approved = any(item.role == "surgeon" for item in case.approvals)
    needs = (
        landmarks_key(step.side),
        frames_key(step.side),
        osteotomy_key(step.osteotomy),
        wedge_key(step.osteotomy),
        *_leg_bones(case, step.side),
    )
    params = (step, osteotomy, case.code, approved, case.segmentation is None)
    if guide_gate_key(step.side) in graph:
        graph[guide_key(step.id)] = Node("build_guide", 3, _build_guide, params, (guide_gate_key(step.side), *needs), "process")
    else:
        graph[guide_key(step.id)] = Node("build_guide", 3, build_guide, params, needs, "process")
