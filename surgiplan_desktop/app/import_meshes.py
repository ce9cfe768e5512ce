"""Use case: bones that others segmented become a case, checked against each other before anything is stored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal

import numpy as np

from surgiplan_desktop.app.case_code import case_code
from surgiplan_desktop.app.session import Session
from surgiplan_desktop.base.errors import InputDataError, UsageError
from surgiplan_desktop.base.progress import SILENT, Progress
from surgiplan_desktop.base.spaces import LPS_FROM_RAS, Affine
from surgiplan_desktop.base.units import MM_PER_UNIT
from surgiplan_desktop.files.mesh_files import read_mesh
from surgiplan_desktop.model.anatomy import BoneId, BoneName, Side
from surgiplan_desktop.model.case import Case, ImportedBone
from surgiplan_desktop.model.edits import set_imported_bones, set_intake
from surgiplan_desktop.model.mesh import Mesh
from surgiplan_desktop.model.study import Finding
from surgiplan_desktop.planning.imported_bone import check_bone_mesh

SpaceName = Literal["lps", "ras"]
#: The fibular head lies this much lateral and posterior of the tibia's proximal end at least; less tells nothing (mm).
_CLEAR_OFFSET_MM: Final = 5.0
#: Share of the tibia's length, from proximal, over which the position of the fibula is looked at.
_PROXIMAL_SHARE: Final = 0.25


@dataclass(frozen=True, slots=True, eq=False)
class ReadBone:
    """A mesh file read and checked: LPS mm, outward."""

    bone: BoneId
    mesh: Mesh
    file_name: str
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class ImportedMeshes:
    """What has become of the files."""

    bones: tuple[ImportedBone, ...]
    code: str
    findings: tuple[Finding, ...]


def read_bones(
    side: Side, files: Mapping[BoneName, Path], *, space: SpaceName = "lps", unit: str = "mm", progress: Progress = SILENT
) -> tuple[ReadBone, ...]:
    """Read and check mesh files; nothing is stored.

    Parameters
    ----------
    side
        Side of all the bones.
    files
        File of each bone.
    space, unit
        Of the coordinates in the files: ``lps`` or ``ras``; ``mm``, ``cm``, ``m`` or ``inch``. Never guessed.

    Raises
    ------
    UsageError
        ``no_meshes``.
    InputDataError
        From reading and checking each file, naming it; ``mesh_twice`` when two bones are one mesh,
        ``mesh_side`` when fibula and tibia contradict side or space.
    """
    if not files:
        raise UsageError("no_meshes")
    to_lps = Affine(LPS_FROM_RAS if space == "ras" else np.eye(4))
    read: list[ReadBone] = []
    for number, (name, path) in enumerate(files.items()):
        progress.step(number, len(files), "reading_meshes")
        raw = read_mesh(path)
        bone = BoneId(side, name)
        placed = Mesh(to_lps(raw.vertices * MM_PER_UNIT[unit]), raw.faces)
        mesh, turned = check_bone_mesh(bone, placed, str(path), unit)
        for other in read:
            if np.array_equal(other.mesh.vertices, mesh.vertices) and len(other.mesh.faces) == len(mesh.faces):
                raise InputDataError("mesh_twice", file=path, bone=str(name), other=str(other.bone.bone))
        findings = (Finding("mesh_turned", "note", (("bone", str(name)),)),) if turned else ()
        read.append(ReadBone(bone, mesh, path.name, findings))
    progress.step(1, 1, "reading_meshes")
    _check_side({item.bone.bone: item.mesh for item in read}, side, files)
    return tuple(read)


def import_meshes(
    session: Session,
    side: Side,
    files: Mapping[BoneName, Path],
    *,
    space: SpaceName = "lps",
    unit: str = "mm",
    progress: Progress = SILENT,
) -> ImportedMeshes:
    """Read, check and put the bones in the case as one undo step; errors as :func:`read_bones`."""
    return put_in_case(session, read_bones(side, files, space=space, unit=unit, progress=progress), space=space, unit=unit)


def put_in_case(
    session: Session, read: tuple[ReadBone, ...], *, space: SpaceName, unit: str, procedure: str | None = None
) -> ImportedMeshes:
    """Store the arrays and make the bones part of the case; the side of the intake follows where none was given."""
    bones = tuple(
        ImportedBone(
            bone=item.bone,
            vertices=session.store.put(item.mesh.vertices),
            faces=session.store.put(item.mesh.faces),
            file_name=item.file_name,
            unit=unit,
            space=space,
        )
        for item in read
    )
    code = case_code(*(f"{item.bone} {item.vertices} {item.faces}" for item in bones))

    def edit(case: Case) -> Case:
        given = case.intake
        intake = replace(given, side=given.side or read[0].bone.side, procedure=procedure or given.procedure)
        return set_imported_bones(set_intake(case, intake), bones, code)

    session.apply("Import meshes", edit)
    return ImportedMeshes(bones, code, tuple(finding for item in read for finding in item.findings))


def _check_side(meshes: Mapping[BoneName, Mesh], side: Side, files: Mapping[BoneName, Path]) -> None:
    """Compare the side with the place of the fibular head, lateral and posterior of the tibia (a witness of practice.md 13).

    A mix-up of LPS and RAS turns both directions, a mirrored mesh or a wrong side only the lateral one.
    """
    if BoneName.TIBIA not in meshes or BoneName.FIBULA not in meshes:
        return
    tibia, fibula = meshes[BoneName.TIBIA].vertices, meshes[BoneName.FIBULA].vertices
    top = float(tibia[:, 2].max())
    low = top - _PROXIMAL_SHARE * float(np.ptp(tibia[:, 2]))
    near_tibia, near_fibula = tibia[tibia[:, 2] > low], fibula[fibula[:, 2] > low]
    if not len(near_fibula):
        return
    offset = near_fibula.mean(axis=0) - near_tibia.mean(axis=0)
    lateral, posterior = -side.sign * float(offset[0]), float(offset[1])
    if lateral > -_CLEAR_OFFSET_MM:
        return
    likely = "--space ras" if posterior < -_CLEAR_OFFSET_MM else f"--side {side.other}"
    raise InputDataError("mesh_side", file=files[BoneName.FIBULA], side=str(side), likely=likely)
