"""Use case: files for printer and archive. Checks first; all files or none; each with a sidecar and read back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

import numpy as np

from surgiplan_desktop.app.session import Session
from surgiplan_desktop.base.errors import ComputationError, PlanCheckError, UsageError
from surgiplan_desktop.base.progress import SILENT, Progress
from surgiplan_desktop.derive.node import Key
from surgiplan_desktop.files.mesh_files import canonical, read_mesh, write_3mf, write_glb, write_obj, write_ply, write_stl
from surgiplan_desktop.files.sidecar import Approval, FileIdentity, all_or_nothing, write_sidecar
from surgiplan_desktop.geometry.convert import image_to_sitk
from surgiplan_desktop.geometry.solid import intersection_volume, is_solid, volume
from surgiplan_desktop.model.anatomy import BoneId, BoneName
from surgiplan_desktop.model.case import Case
from surgiplan_desktop.model.images import LabelMap
from surgiplan_desktop.model.mesh import Bone, Mesh
from surgiplan_desktop.model.steps import GuideStep, ImplantStep, OsteotomyStep
from surgiplan_desktop.planning import graph
from surgiplan_desktop.planning.guide_construction import axes_table, construction_bodies
from surgiplan_desktop.planning.records import Guide, ImplantPlacement, Pieces

KINDS: Final = ("bones", "guide", "implants", "labels", "plan", "construction", "all")
MESH_FORMATS: Final = ("stl", "3mf", "obj", "ply", "glb")
LABEL_FORMATS: Final = ("nifti", "nrrd")
#: In the contract, not in this version.
LATER_FORMATS: Final = ("dicom-seg",)
_WRITERS: Final = {"stl": write_stl, "3mf": write_3mf, "obj": write_obj, "ply": write_ply, "glb": write_glb}
#: Unit of what is written where the format's standard leaves no choice; millimetres otherwise.
_UNIT_OF_FORMAT: Final = {"glb": "m"}
_LABEL_SUFFIX: Final = {"nifti": ".nii.gz", "nrrd": ".nrrd"}
#: A vertex read back may differ by this much (mm): single precision of STL and four decimals of OBJ at 1 m from the origin.
_READ_BACK_MM: Final = 2e-4


@dataclass(frozen=True, slots=True, eq=False)
class _Item:
    """Something to write: a mesh, a label map or a text."""

    identity: FileIdentity
    content: Mesh | LabelMap | str
    suffix: str

    @property
    def name(self) -> str:
        return self.identity.stem + self.suffix


def export(
    session: Session,
    what: str,
    fmt: str,
    folder: Path,
    *,
    force: bool = False,
    mesh_only_acknowledged: bool = False,
    progress: Progress = SILENT,
) -> list[Path]:
    """Write what is asked for, with a sidecar for each file, and return all paths (absolute).

    Parameters
    ----------
    what
        One of :data:`KINDS`; ``all`` takes what the case has (labels as NIfTI unless another label format is given).
    fmt
        A mesh format, or a label format for labels.
    folder
        Made when it is not there.
    mesh_only_acknowledged
        A guide on bones that came without a scan leaves only with this (practice.md 14).

    Raises
    ------
    UsageError
        ``not_in_this_version``, ``export_format``, ``export_nothing``, ``output_exists``, ``output_not_writable``.
    PlanCheckError
        ``guide_checks_failed``, ``mesh_only_not_acknowledged``: nothing was written.
    ComputationError
        ``export_read_back`` when a file does not give back its body: nothing was kept.
    """
    _check_format(what, fmt)
    guides = [step.id for step in session.case.steps if isinstance(step, GuideStep)]
    if what in ("guide", "all") and guides and is_mesh_only(session.case) and not mesh_only_acknowledged:
        raise PlanCheckError("mesh_only_not_acknowledged", step=guides[0])
    items = _items(session, what, fmt, progress)
    if not items:
        raise UsageError("export_nothing", what=what)
    names = tuple(name for item in items for name in (item.name, item.name + ".json"))
    with all_or_nothing(folder, names, force) as hidden:
        for number, item in enumerate(items):
            progress.step(number, len(items), "export_writing")
            path = hidden / item.name
            _write(path, item)
            write_sidecar(path, item.identity)
        for number, item in enumerate(items):
            progress.step(number, len(items), "export_reading")
            if isinstance(item.content, Mesh):
                _read_back(hidden / item.name, item.content)
    target = Path(folder).expanduser().resolve()
    session.audit("export", what=what, format=fmt, files=len(names))
    return [target / name for name in names]


def is_mesh_only(case: Case) -> bool:
    """Tell whether the bones came as meshes, without the scan they were made from."""
    return case.segmentation is None and bool(case.imported_bones)


def require_passing(guide: Guide) -> None:
    """Raise PlanCheckError ``guide_checks_failed`` when a check of the guide failed."""
    failed = [check.id for check in guide.checks if check.status == "fail"]
    if failed:
        raise PlanCheckError("guide_checks_failed", step=guide.step, count=len(failed), checks=", ".join(failed))


def intersection_as_read(guide: Guide, bone: Bone, folder: Path) -> float:
    """Write the guide as STL, read it again and return the volume it shares with the bone at full resolution, mm3."""
    path = folder / "guide.stl"
    write_stl(path, guide.mesh, "read-back test of the guide unit=mm space=LPS")
    read = read_mesh(path)
    return sum(intersection_volume(read, part.mesh, name="guide and bone") for part in bone.parts)


def _check_format(what: str, fmt: str) -> None:
    if what not in KINDS:
        raise UsageError("export_kind", what=what, known=", ".join(KINDS))
    if fmt in LATER_FORMATS:
        raise UsageError("not_in_this_version", command=f"-f {fmt}")
    known = LABEL_FORMATS if what == "labels" else (*MESH_FORMATS, *LABEL_FORMATS) if what == "all" else MESH_FORMATS
    if fmt not in known:
        raise UsageError("export_format", what=what, format=fmt, known=", ".join(known))


def _items(session: Session, what: str, fmt: str, progress: Progress) -> list[_Item]:
    mesh_format = fmt if fmt in MESH_FORMATS else "stl"
    makers: dict[str, Callable[[], list[_Item]]] = {
        "guide": lambda: _guides(session, mesh_format, progress),
        "bones": lambda: _bones(session, mesh_format, progress),
        "plan": lambda: _pieces(session, mesh_format, progress),
        "implants": lambda: _implants(session, mesh_format, progress),
        "construction": lambda: _construction(session, mesh_format, progress),
        "labels": lambda: _labels(session, fmt if fmt in LABEL_FORMATS else "nifti"),
    }
    return [item for kind, make in makers.items() if what in (kind, "all") for item in make()]


def _identity(session: Session, key: Key, side: str, kind: str, step: str, **details: object) -> FileIdentity:
    approved = any(item.role == "surgeon" for item in session.case.approvals)
    approval: Approval = "approved" if approved else "draft"
    return FileIdentity(session.case.code, side, kind, step, session.fingerprint(key), approval, details)


def _solid_item(identity: FileIdentity, mesh: Mesh, fmt: str) -> _Item:
    details = {**identity.details, "triangles": len(mesh.faces), "volume_mm3": round(volume(mesh), 3)}
    if fmt in _UNIT_OF_FORMAT:
        details["unit"] = _UNIT_OF_FORMAT[fmt]
    whole = FileIdentity(
        identity.case, identity.side, identity.kind, identity.step, identity.fingerprint, identity.approval, details
    )
    return _Item(whole, mesh, f".{fmt}")


def _bones(session: Session, fmt: str, progress: Progress) -> list[_Item]:
    items = []
    for bone_id in session.case.bones:
        key = graph.bone_key(bone_id)
        bone: Bone = session.require(key, progress=progress)[0]
        for number, part in enumerate(bone.parts, start=1):
            name = bone_id.bone.value if len(bone.parts) == 1 else f"{bone_id.bone.value}-part{number}"
            identity = _identity(session, key, bone_id.side.value, name, "bone", open_ends=len(part.caps))
            items.append(_solid_item(identity, part.mesh, fmt))
    return items


def _guides(session: Session, fmt: str, progress: Progress) -> list[_Item]:
    items = []
    for step in session.case.steps:
        if not isinstance(step, GuideStep):
            continue
        key = graph.guide_key(step.id)
        guide: Guide = session.require(key, progress=progress)[0]
        require_passing(guide)
        identity = _identity(session, key, step.side.value, "guide", step.id, **_guide_details(guide))
        items.append(_solid_item(identity, guide.mesh, fmt))
    return items


def _guide_details(guide: Guide) -> dict[str, object]:
    return {
        "label": list(guide.label),
        "check_code": guide.check_code,
        "insertion_direction_lps": _numbers(guide.insertion_direction),
        "contact_mm2": guide.contact_mm2,
        "free_play": {"mm": guide.free_play.mm, "deg": guide.free_play.deg},
        "slot_width_mm": guide.slot_width_mm,
        "sleeves": [
            {
                "name": item.name,
                "top_lps": _numbers(item.top_lps),
                "direction_lps": _numbers(item.direction),
                "bore_mm": item.bore_mm,
            }
            for item in guide.sleeves
        ],
        "checks": [{"id": item.id, "status": item.status, "value": item.value, "limit": item.limit} for item in guide.checks],
    }


def _numbers(vector: Any) -> list[float]:
    return [round(float(value), 6) for value in vector]


def _pieces(session: Session, fmt: str, progress: Progress) -> list[_Item]:
    items = []
    for step in session.case.steps:
        if not isinstance(step, OsteotomyStep):
            continue
        key = graph.pieces_key(step.id)
        plan, found = session.require(graph.osteotomy_key(step.id), key, progress=progress)
        pieces: Pieces = found
        motion = {"correction_lps": [_numbers(row) for row in plan.correction.matrix]}
        for name, mesh, details in (
            ("tibia-proximal", pieces.proximal, {}),
            ("tibia-distal", pieces.distal, {}),
            ("tibia-distal-moved", pieces.distal_moved, motion),
        ):
            items.append(_solid_item(_identity(session, key, step.side.value, name, step.id, **details), mesh, fmt))
    return items


def _implants(session: Session, fmt: str, progress: Progress) -> list[_Item]:
    items = []
    for step in session.case.steps:
        if not isinstance(step, ImplantStep):
            continue
        key = graph.implant_key(step.id)
        placed: ImplantPlacement = session.require(key, progress=progress)[0]
        identity = _identity(session, key, step.side.value, placed.component, step.id, size=placed.size)
        items.append(_solid_item(identity, placed.mesh, fmt))
    return items


def _construction(session: Session, fmt: str, progress: Progress) -> list[_Item]:
    items = []
    for step in session.case.steps:
        if not isinstance(step, GuideStep):
            continue
        key = graph.guide_key(step.id)
        osteotomy = cast(OsteotomyStep, session.case.step(step.osteotomy))
        landmarks, plan, tibia, guide = session.require(
            graph.landmarks_key(step.side),
            graph.osteotomy_key(step.osteotomy),
            graph.bone_key(BoneId(step.side, BoneName.TIBIA)),
            key,
            progress=progress,
        )
        for name, mesh in construction_bodies(step, osteotomy, landmarks, plan, tibia, guide).items():
            items.append(_solid_item(_identity(session, key, step.side.value, name, step.id), mesh, fmt))
        items.append(_Item(_identity(session, key, step.side.value, "axes", step.id), axes_table(guide), ".csv"))
    return items


def _labels(session: Session, fmt: str) -> list[_Item]:
    run, study = session.case.segmentation, session.case.study
    if run is None or study is None:
        return []
    sides = session.case.sides
    side = sides[0].value if len(sides) == 1 else "both"
    items = []
    for block in range(len(study.blocks)):
        key = graph.labels_key(block)
        labels: LabelMap = session.require(key)[0]
        name = "labels" if len(study.blocks) == 1 else f"labels-block{block + 1}"
        identity = _identity(session, key, side, name, "scan", codes="right 1..6, left 101..106, sacrum 7")
        items.append(_Item(identity, labels, _LABEL_SUFFIX[fmt]))
    return items


def _write(path: Path, item: _Item) -> None:
    if isinstance(item.content, Mesh):
        _WRITERS[item.suffix[1:]](path, item.content, item.identity.header)
    elif isinstance(item.content, LabelMap):
        import SimpleITK  # 0.2 s: only where labels are written

        SimpleITK.WriteImage(image_to_sitk(item.content), str(path), useCompression=True)
    else:
        path.write_text(item.content, encoding="ascii")


def _read_back(path: Path, mesh: Mesh) -> None:
    """Read a mesh file and compare it with what was to be written: vertices, closedness, volume."""
    wanted, read = canonical(mesh), canonical(read_mesh(path))
    problem = ""
    if len(read.vertices) != len(wanted.vertices) or len(read.faces) != len(wanted.faces):
        problem = f"{len(read.faces)} of {len(wanted.faces)} triangles"
    elif not _same_places(read, wanted):
        problem = "vertices differ"
    elif is_solid(wanted) and not is_solid(read):
        problem = "the surface is no longer closed"
    elif abs(volume(read) - volume(wanted)) > 1e-3 + 1e-6 * abs(volume(wanted)):
        problem = f"volume {volume(read):.3f} instead of {volume(wanted):.3f} mm3"
    if problem:
        raise ComputationError("export_read_back", file=path.name, problem=problem)


def _same_places(read: Mesh, wanted: Mesh) -> bool:
    from scipy.spatial import cKDTree

    distance, _ = cKDTree(read.vertices).query(wanted.vertices)
    return bool(np.max(distance) <= _READ_BACK_MM)
