"""What the window shows of mesh files before they are taken: size, unit and space with what speaks for and against them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from surgiplan_desktop.app.import_meshes import MeshPreview, preview_meshes
from surgiplan_desktop.base.progress import SILENT, Progress
from surgiplan_desktop.model.anatomy import BoneName, Side
from surgiplan_desktop.model.images import Volume
from surgiplan_desktop.planning.imported_bone import length_mm


@dataclass(frozen=True, slots=True)
class MeshWish:
    """What the user says of mesh files; ``unit`` and ``space`` None: as the files say, else what is plausible."""

    side: Side
    files: tuple[tuple[BoneName, Path], ...]
    unit: str | None = None
    space: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class MeshPage:
    """The bones as they would be placed, and how long each would be along its longest axis, mm."""

    wish: MeshWish
    preview: MeshPreview
    lengths_mm: Mapping[BoneName, float]


def mesh_page(wish: MeshWish, volumes: Sequence[Volume] = (), *, progress: Progress = SILENT) -> MeshPage:
    """Read and check mesh files without storing anything; errors as :func:`preview_meshes`."""
    preview = preview_meshes(wish.side, dict(wish.files), unit=wish.unit, space=wish.space, volumes=volumes, progress=progress)
    lengths = {item.bone.bone: length_mm(item.mesh.vertices) for item in preview.bones}
    return MeshPage(wish, preview, lengths)
