"""Use case: bones that others segmented become a case, checked against each other before anything is stored.

``preview_meshes`` reads the files and says what unit and space would be taken and why; ``import_meshes`` does the same and puts
the bones in the case, but takes a guess only with consent.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal

import numpy as np

from surgiplan_desktop.app.case_code import case_code
from surgiplan_desktop.app.session import Session
from surgiplan_desktop.base.errors import InputDataError, UsageError
from surgiplan_desktop.base.progress import SILENT, Progress
from surgiplan_desktop.base.spaces import Affine
from surgiplan_desktop.files.mesh_files import MeshFile, read_mesh_file
from surgiplan_desktop.model.anatomy import BoneId, BoneName, Side
from surgiplan_desktop.model.case import Case, ImportedBone
from surgiplan_desktop.model.edits import put_bones_beside_scan, set_imported_bones, set_intake
from surgiplan_desktop.model.images import Volume
from surgiplan_desktop.model.mesh import Mesh
from surgiplan_desktop.model.study import Finding
from surgiplan_desktop.planning.imported_bone import check_bone_mesh
from surgiplan_desktop.planning.mesh_cleaning import cleaned, split_bones
from surgiplan_desktop.planning.mesh_guess import FIBULA_CLEAR_MM, Guess, fibula_offset, guess_unit_and_space

#: Words in file names that name a bone or a side, in the languages and habits met.
_BONE_WORDS: Final[dict[str, BoneName]] = {
    "femur": BoneName.FEMUR, "thigh": BoneName.FEMUR, "tibia": BoneName.TIBIA, "shin": BoneName.TIBIA, "fibula": BoneName.FIBULA,
    "patella": BoneName.PATELLA, "kneecap": BoneName.PATELLA, "talus": BoneName.TALUS, "sacrum": BoneName.SACRUM,
    "pelvis": BoneName.HIP, "hip": BoneName.HIP,
}  # fmt: skip
_SIDE_WORDS: Final = {"right": Side.RIGHT, "r": Side.RIGHT, "rt": Side.RIGHT, "left": Side.LEFT, "l": Side.LEFT, "lt": Side.LEFT}


@dataclass(frozen=True, slots=True, eq=False)
class ReadBone:
    """A mesh file read and checked: LPS mm, outward."""

    bone: BoneId
    mesh: Mesh
    file_name: str
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True, eq=False)
class MeshPreview:
    """What the files would become: unit and space with what speaks for and against them, and the bones as they would be placed.

    ``guess`` says whether unit and space were said, declared by the files, assumed (plausible mm and LPS) or guessed; a guess
    needs consent. ``bones`` are placed by it.
    """

    side: Side
    guess: Guess
    bones: tuple[ReadBone, ...]

    @property
    def needs_consent(self) -> bool:
        """Whether unit or space is a guess."""
        return self.guess.is_guess

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Everything to be said about the bones."""
        return tuple(finding for item in self.bones for finding in item.findings)


@dataclass(frozen=True, slots=True)
class ImportedMeshes:
    """What has become of the files."""

    bones: tuple[ImportedBone, ...]
    code: str
    findings: tuple[Finding, ...]


def named_bone(path: Path) -> tuple[BoneName | None, Side | None]:
    """Return the bone and side that a file name names, None where it names none or several."""
    words = [word for word in re.split(r"[^a-z]+", re.sub(r"([a-z])([A-Z])", r"\1 \2", path.stem).lower()) if word]
    bones = {_BONE_WORDS[word] for word in words if word in _BONE_WORDS}
    sides = {_SIDE_WORDS[word] for word in words if word in _SIDE_WORDS}
    return (bones.pop() if len(bones) == 1 else None), (sides.pop() if len(sides) == 1 else None)


def preview_meshes(
    side: Side,
    files: Mapping[BoneName, Path],
    *,
    unit: str | None = None,
    space: str | None = None,
    volumes: Sequence[Volume] = (),
    progress: Progress = SILENT,
) -> MeshPreview:
    """Read and check mesh files and settle unit and space; nothing is stored.

    Parameters
    ----------
    side
        Side of all the bones.
    files
        File of each bone; one file may stand for several bones when it holds them as separate bodies.
    unit, space
        ``mm``, ``cm``, ``m`` or ``inch``; ``lps``, ``ras`` or ``y-up``. None = as the files say, else what is plausible.
    volumes
        Blocks of a scan to compare the bones with (:func:`scan_volumes`).

    Raises
    ------
    UsageError
        ``no_meshes``.
    InputDataError
        From reading and checking each file, naming it; ``mesh_twice`` when two bones are one mesh, ``mesh_units_differ`` when
        files declare different units or spaces, ``mesh_side`` when fibula and tibia contradict side or space.
    """
    if not files:
        raise UsageError("no_meshes")
    read = _read_files(files, progress)
    bodies, done = _bodies(files, read)
    guess = guess_unit_and_space(
        bodies,
        side,
        unit=unit,
        space=space,
        declared_unit=_declared(files, read, "unit") if unit is None else None,
        declared_space=_declared(files, read, "space") if space is None else None,
        y_up=any(item.y_up for item in read.values()),
        volumes=volumes,
    )
    progress.step(1, 1, "reading_meshes")
    bones = tuple(_placed(BoneId(side, name), mesh, files[name], guess, done[name]) for name, mesh in bodies.items())
    if not guess.is_guess:
        _check_side({item.bone.bone: item.mesh for item in bones}, side, files)
    return MeshPreview(side, guess, bones)


def require_consent(preview: MeshPreview, files: Mapping[BoneName, Path]) -> None:
    """Refuse a guess, naming it and what contradicts mm and LPS.

    Raises
    ------
    InputDataError
        ``mesh_size`` when no bone of the assumed unit is that small or large, ``mesh_space`` (``mesh_side`` where the fibula
        says so) when the assumed space is contradicted.
    """
    guess = preview.guess
    if not guess.is_guess:
        return
    worst = guess.assumed_against[0]
    told = dict(worst.parameters)
    bone = next((name for name in files if str(name) == told.get("bone")), next(iter(files)))
    space = f"--space {guess.space}"
    if worst.code == "mesh_length":
        likely = f"{guess.unit} with {space}" if guess.space_by == "guessed" else guess.unit
        length, low, high = (told[name] for name in ("length_mm", "low", "high"))
        raise InputDataError("mesh_size", file=files[bone], bone=str(bone), length_mm=length, low=low, high=high, likely=likely)
    if worst.code == "mesh_fibula":
        raise InputDataError("mesh_side", file=files[BoneName.FIBULA], side=str(preview.side), likely=space)
    raise InputDataError(
        "mesh_space", file=files[bone], bone=str(bone), assumed=str(told.get("space", "LPS")), likely=space, detail=worst.code
    )


def import_meshes(
    session: Session,
    side: Side,
    files: Mapping[BoneName, Path],
    *,
    space: str | None = None,
    unit: str | None = None,
    accept_guess: bool = False,
    beside_scan: bool = False,
    procedure: str | None = None,
    progress: Progress = SILENT,
) -> ImportedMeshes:
    """Read, check and put the bones in the case as one undo step.

    Parameters
    ----------
    accept_guess
        Take a unit or space that is guessed (shown by :func:`preview_meshes` before).
    beside_scan
        Keep the scan of the case and compare the bones with it; its segmentation and plan go, since they stand on other bones.

    Raises
    ------
    As :func:`preview_meshes`, and ``mesh_size`` or ``mesh_space`` for a guess without consent.
    """
    volumes = scan_volumes(session) if beside_scan else ()
    preview = preview_meshes(side, files, unit=unit, space=space, volumes=volumes, progress=progress)
    if not accept_guess:
        require_consent(preview, files)
    return put_in_case(session, preview, beside_scan=beside_scan, procedure=procedure)


def scan_volumes(session: Session) -> tuple[Volume, ...]:
    """Return the blocks of the case's scan, memory-mapped."""
    study = session.case.study
    if study is None:
        return ()
    return tuple(Volume(session.store.load(block.voxels), Affine(np.array(block.affine))) for block in study.blocks)


def put_in_case(
    session: Session, preview: MeshPreview, *, beside_scan: bool = False, procedure: str | None = None
) -> ImportedMeshes:
    """Store the arrays and make the bones part of the case; the side of the intake follows where none was given."""
    guess = preview.guess
    bones = tuple(
        ImportedBone(
            bone=item.bone,
            vertices=session.store.put(item.mesh.vertices),
            faces=session.store.put(item.mesh.faces),
            file_name=item.file_name,
            unit=guess.unit,
            space=guess.space,
            chosen_by="confirmed_guess" if guess.is_guess else "user",
            findings=item.findings,
        )
        for item in preview.bones
    )
    code = case_code(*(f"{item.bone} {item.vertices} {item.faces}" for item in bones))

    def edit(case: Case) -> Case:
        given = case.intake
        intake = replace(given, side=given.side or preview.side, procedure=procedure or given.procedure)
        told = set_intake(case, intake)
        return put_bones_beside_scan(told, bones) if beside_scan and case.study else set_imported_bones(told, bones, code)

    case = session.apply("Import meshes", edit)
    return ImportedMeshes(bones, case.code, preview.findings)


def _read_files(files: Mapping[BoneName, Path], progress: Progress) -> dict[Path, MeshFile]:
    read: dict[Path, MeshFile] = {}
    for number, path in enumerate(files.values()):
        progress.step(number, len(files) + 1, "reading_meshes")
        if path not in read:
            read[path] = read_mesh_file(path)
    return read


def _bodies(
    files: Mapping[BoneName, Path], read: Mapping[Path, MeshFile]
) -> tuple[dict[BoneName, Mesh], dict[BoneName, tuple[Finding, ...]]]:
    """Return one clean surface a bone, in the numbers of its file, and what was done to get it."""
    bodies: dict[BoneName, Mesh] = {}
    done: dict[BoneName, tuple[Finding, ...]] = {}
    for path, item in read.items():
        bones = tuple(bone for bone, of in files.items() if of == path)
        several = split_bones(item.mesh, bones, str(path)) if len(bones) > 1 else {bones[0]: item.mesh}
        for bone, mesh in several.items():
            bodies[bone], findings = cleaned(bone, mesh, str(path))
            done[bone] = (*findings, Finding("mesh_split", "note", (("bones", len(bones)),))) if len(bones) > 1 else findings
    ordered = {bone: bodies[bone] for bone in files}
    seen: dict[BoneName, Mesh] = {}
    for bone, mesh in ordered.items():
        for other, earlier in seen.items():
            if np.array_equal(earlier.vertices, mesh.vertices) and len(earlier.faces) == len(mesh.faces):
                raise InputDataError("mesh_twice", file=files[bone], bone=str(bone), other=str(other))
        seen[bone] = mesh
    return ordered, done


def _declared(files: Mapping[BoneName, Path], read: Mapping[Path, MeshFile], what: Literal["unit", "space"]) -> str | None:
    """Return what the files say; all that say something must say the same, and all must say it to be believed."""
    told = {path: (item.unit if what == "unit" else item.space) for path, item in read.items()}
    said = {value for value in told.values() if value is not None}
    if len(said) > 1:
        raise InputDataError("mesh_units_differ", file=next(iter(files.values())), said=", ".join(sorted(said)))
    if not said:
        return None
    (value,) = said
    default = "mm" if what == "unit" else "lps"
    return value if None not in told.values() or value == default else None


def _placed(bone: BoneId, mesh: Mesh, path: Path, guess: Guess, done: tuple[Finding, ...]) -> ReadBone:
    checked, _ = check_bone_mesh(bone, Mesh(guess.to_lps(mesh.vertices), mesh.faces), str(path), guess.unit)
    told = (("unit", guess.unit), ("space", guess.space.upper()))
    how = Finding(f"mesh_taken_{guess.unit_by}", "note", told[:1]), Finding(f"mesh_space_{guess.space_by}", "note", told[1:])
    about = tuple(item for item in guess.reasons if dict(item.parameters).get("bone", str(bone.bone)) == str(bone.bone))
    against = tuple(item for item in guess.against if dict(item.parameters).get("bone", str(bone.bone)) == str(bone.bone))
    return ReadBone(bone, checked, path.name, (*done, *against, *how, *about))


def _check_side(meshes: Mapping[BoneName, Mesh], side: Side, files: Mapping[BoneName, Path]) -> None:
    """Compare the side with the place of the fibular head, lateral and posterior of the tibia (a witness of practice.md 13).

    A mix-up of LPS and RAS turns both directions, a mirrored mesh or a wrong side only the lateral one.
    """
    offset = fibula_offset(meshes, side)
    if offset is None or offset[0] > -FIBULA_CLEAR_MM:
        return
    likely = "--space ras" if offset[1] < -FIBULA_CLEAR_MM else f"--side {side.other}"
    raise InputDataError("mesh_side", file=files[BoneName.FIBULA], side=str(side), likely=likely)
