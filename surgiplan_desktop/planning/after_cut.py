"""The cut and opened tibia as a bone, so that the finders can look at it anew."""

from __future__ import annotations

from surgiplan_desktop.model.mesh import Bone, BonePart, Mesh
from surgiplan_desktop.planning.imported_bone import find_caps
from surgiplan_desktop.planning.records import Pieces


def opened_bone(tibia: Bone, pieces: Pieces) -> Bone:
    """Return the tibia after the opening: the proximal piece and the moved distal piece as parts.

    The cut faces are caps like any open end, so no landmark is taken from them.
    """
    return Bone(tibia.id, tuple(_part(number, mesh) for number, mesh in enumerate((pieces.proximal, pieces.distal_moved))))


def _part(number: int, mesh: Mesh) -> BonePart:
    caps, cap_vertices = find_caps(mesh)
    return BonePart(number, mesh, caps, cap_vertices)
