"""Which way of finding the bones is proposed for a case, and why: said before anything runs, and the user may choose otherwise.

The rule is short enough to be read out: a model that is there, whole, made for CT, knows the bones of the leg and fits into the
memory is proposed from the slice thickness on at which it was measured to be better: one thickness for a scan of a single joint,
a smaller one for a scan of several, in blocks or from hip to ankle; else the path by threshold and anatomy.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from surgiplan_desktop.app.models import list_models
from surgiplan_desktop.app.session import Session
from surgiplan_desktop.app.texts import Texts
from surgiplan_desktop.base.errors import ComputationError, InputDataError, Parameter, UsageError
from surgiplan_desktop.base.paths import catalogue_roots
from surgiplan_desktop.base.spaces import Affine
from surgiplan_desktop.model.anatomy import BoneName
from surgiplan_desktop.model.case import Case
from surgiplan_desktop.model.images import Volume
from surgiplan_desktop.model.study import VolumeBlock
from surgiplan_desktop.planning.limits import default_limits
from surgiplan_desktop.segmentation.leg_model import ModelNeeds, model_needs
from surgiplan_desktop.segmentation.leg_networks import pack_bones
from surgiplan_desktop.segmentation.pack_check import verify_pack
from surgiplan_desktop.segmentation.packs import ModelPack, pack_named

#: The pack that is taken where several would do.
PREFERRED: Final = "leg-ct"
_MIB: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Proposal:
    """The proposed way: name of a model, or empty for the path without one; a text id that says why, and its parameters."""

    model: str
    reason: str
    parameters: tuple[tuple[str, Parameter], ...] = ()


def case_volumes(session: Session) -> list[Volume]:
    """Return the blocks of the case's scan; UsageError ``no_scan_in_case`` when it has none."""
    case = session.case
    if case.study is None:
        raise UsageError("no_scan_in_case")
    return [Volume(session.store.load(block.voxels), Affine(np.array(block.affine))) for block in case.study.blocks]


def proposed_way(session: Session) -> Proposal:
    """Propose how to find the bones of a case.

    Raises
    ------
    UsageError
        ``no_scan_in_case``.
    """
    volumes = case_volumes(session)
    packs, problems = list_models()
    fitting = [pack for pack in packs if _knows_legs(pack)]
    if not fitting:
        if problems:
            return Proposal("", "ui.propose_model_broken", (("model", str(problems[0].parameters["pack"])),))
        return Proposal("", "ui.propose_no_model")
    pack = min(fitting, key=lambda item: (item.name != PREFERRED, item.name))
    try:
        verify_pack(pack)
        needs = model_needs(volumes, pack)
    except InputDataError:
        return Proposal("", "ui.propose_model_broken", (("model", pack.name),))
    except ComputationError as error:
        told = error.parameters
        return Proposal("", "ui.propose_memory", (("model", pack.name), ("need_mib", told.get("need_mib", 0))))
    return _for_scan(pack, needs, session.case)


def _knows_legs(pack: ModelPack) -> bool:
    """Tell whether a pack is made for CT and draws femur and tibia."""
    try:
        names = set(pack_bones(pack).names.values())
    except InputDataError:
        return False
    return pack.modality == "CT" and {BoneName.FEMUR, BoneName.TIBIA} <= names


def _for_scan(pack: ModelPack, needs: ModelNeeds, case: Case) -> Proposal:
    """Propose the way that is better on scans with such slices, as measured (docs/accuracy.md)."""
    blocks = () if case.study is None else case.study.blocks
    limits = default_limits()
    several = len(blocks) > 1 or any(_length_mm(block) > limits["segmentation.several_joints_from_mm"] for block in blocks)
    from_mm = limits["segmentation.model_from_slice_mm_several" if several else "segmentation.model_from_slice_mm"]
    thickest = max((float(np.linalg.norm(np.array(block.affine)[:3, 0])) for block in blocks), default=0.0)
    told: tuple[tuple[str, Parameter], ...] = (
        ("model", pack.name),
        ("memory_mib", needs.peak_bytes // _MIB),
        ("slice_mm", round(thickest, 2)),
        ("from_mm", from_mm),
    )
    if thickest < from_mm:
        return Proposal("", "ui.propose_thin_slices", told)
    return Proposal(pack.name, "ui.propose_model_several" if several else "ui.propose_model", told)


def _length_mm(block: VolumeBlock) -> float:
    """Height of a block along the body, or along its slices where that is more."""
    size = np.abs(np.array(block.affine)[:3, :3]) * np.array(block.shape)
    return float(max(size[2].max(), np.linalg.norm(size[:, 0])))


def stated(session: Session, model: str, texts: Texts) -> str:
    """Say before a model runs what it is, under which licence and limits, and what memory it will take at most."""
    pack = pack_named(catalogue_roots(), model)
    needs = model_needs(case_volumes(session), pack)
    return texts.text(
        "ui.model_stated",
        model=pack.name,
        version=pack.version,
        licence=pack.licence,
        limits=pack.limits,
        memory_mib=needs.peak_bytes // _MIB,
        tiles=needs.tiles,
    )
