"""The tibia cut in two and opened (clinical.md B.1)."""

from __future__ import annotations

import numpy as np

from surgiplan_desktop.base.arrays import frozen
from surgiplan_desktop.base.progress import SILENT, Progress
from surgiplan_desktop.base.spaces import Affine, Frame
from surgiplan_desktop.base.units import VERTEX_ROUNDING_MM
from surgiplan_desktop.geometry.solid import box, difference, split, union, volume
from surgiplan_desktop.model.mesh import Bone, Mesh
from surgiplan_desktop.model.steps import OsteotomyStep
from surgiplan_desktop.planning.cut_section import CutSection, cut_section
from surgiplan_desktop.planning.records import OsteotomyPlan, Pieces

#: The kerf slab reaches this far medially, forwards and backwards: beyond any tibia (mm).
_REACH_MM = 150.0


def cut_pieces(step: OsteotomyStep, plan: OsteotomyPlan, tibia: Bone, *, progress: Progress = SILENT) -> Pieces:
    """Cut the tibia by the plan's plane, take out the kerf medially of the hinge line and move the distal piece.

    The kerf lies half on either side of the plane, as the blade runs in the slot. Lateral of the hinge line the bone is
    parted by the plane without loss: that is the hinge, and in the moved position the two pieces overlap there by the little
    that the real hinge is bent. A bone in several parts: the part at the start point is cut, each of the others goes with the
    fragment on whose side it lies.

    Returns
    -------
    Pieces
        ``distal_moved`` has the vertices of ``distal`` under the plan's correction, to rounding.
    """
    progress.step(0, 4, "cutting_pieces")
    cut = cut_section(plan, tibia)
    name = str(tibia.id)
    proximal, distal = split(cut.mesh, plan.plane, name=name)
    whole = volume(proximal) + volume(distal)
    progress.step(1, 4, "cutting_pieces")
    if step.blade.kerf_mm > 0.0:
        slab = kerf_slab(cut, step.blade.kerf_mm)
        proximal = difference(proximal, slab, name=f"{name} proximal")
        progress.step(2, 4, "cutting_pieces")
        distal = difference(distal, slab, name=f"{name} distal")
    kerf_volume = whole - volume(proximal) - volume(distal)
    progress.step(3, 4, "cutting_pieces")
    for number, part in enumerate(tibia.parts):
        if number == cut.part:
            continue
        if float(np.mean(plan.plane.signed_distance(part.mesh.vertices))) > 0.0:
            proximal = union(proximal, part.mesh, name=f"{name} proximal")
        else:
            distal = union(distal, part.mesh, name=f"{name} distal")
    progress.step(4, 4, "cutting_pieces")
    return Pieces(proximal, distal, moved(distal, plan.correction), kerf_volume)


def kerf_slab(cut: CutSection, kerf_mm: float) -> Mesh:
    """Return the body that the blade takes out: from the hinge line medially, half the kerf on either side of the plane."""
    axes = np.column_stack([cut.medial, np.cross(cut.anterior, cut.medial), cut.anterior])
    frame = Frame(cut.origin_lps + cut.medial * _REACH_MM / 2.0, axes)
    return box(frame, (_REACH_MM, kerf_mm, 2.0 * _REACH_MM))


def moved(mesh: Mesh, correction: Affine) -> Mesh:
    """Return the mesh under the correction: same order of vertices and faces, vertices rounded to the grid of the files."""
    if correction == Affine.identity():
        return mesh
    steps = round(1.0 / VERTEX_ROUNDING_MM)
    return Mesh(frozen(np.rint(correction(mesh.vertices) * steps) / steps), mesh.faces)
