"""The cutting and drilling guide of a medial opening-wedge osteotomy: from the bone to a printable body (clinical.md D).

The body is drawn as a distance field on a local grid whose last axis is the withdrawal direction: bone swept along it, offset by
the clearance, thickened by the wall, with tower, sleeves and strut joined to it. Its surface becomes a solid; slot and bores are
cut and letters raised by exact booleans. What leaves this module shares no volume with the bone at full resolution.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from surgiplan_desktop.base.arrays import BoolArray, FloatArray
from surgiplan_desktop.base.errors import ComputationError
from surgiplan_desktop.base.progress import SILENT, PartOfProgress, Progress
from surgiplan_desktop.base.spaces import Frame
from surgiplan_desktop.geometry.distance import ray_hits
from surgiplan_desktop.geometry.shell import Field, body_of, filleted_either, rounded_both
from surgiplan_desktop.geometry.solid import box, components, difference, intersection, intersection_volume, union, volume
from surgiplan_desktop.model.mesh import Bone, Mesh
from surgiplan_desktop.model.steps import GuideStep, OsteotomyStep
from surgiplan_desktop.planning import guide_checks as check
from surgiplan_desktop.planning.guide_label import (
    Pad,
    check_code,
    facing,
    label_body,
    label_lines,
    pad_field,
    reads_unmirrored,
    side_letter_height,
    strut_pad,
    tower_pad,
)
from surgiplan_desktop.planning.guide_patch import Outline, Relief, depth_limit, draw_outline, sample_relief
from surgiplan_desktop.planning.guide_pins import (
    Pin,
    as_sleeve,
    bore_tool,
    find_pins,
    parallel_after_opening,
    sleeve_field,
    sleeve_radius,
)
from surgiplan_desktop.planning.guide_play import find_contact, free_play
from surgiplan_desktop.planning.guide_site import GuideSite, find_site
from surgiplan_desktop.planning.guide_slot import Slot, find_slot, slot_tool, tower_field
from surgiplan_desktop.planning.limits import default_limits
from surgiplan_desktop.planning.records import Check, Guide, Landmarks, LegFrames, OsteotomyPlan, WedgeDetail

#: Radius of the fillets where tower and sleeves stand on the shell, mm.
_FILLET_MM = 1.5
#: Radius of the shell's outer edges, mm (practice.md 21: >= 0.5).
_EDGE_MM = 1.0


def build_guide(
    step: GuideStep,
    osteotomy: OsteotomyStep,
    case_code: str,
    approved: bool,
    mesh_only: bool,
    landmarks: Landmarks,
    frames: LegFrames,  # noqa: ARG001 - the graph hands every planning function the frames; the plan carries the tibia's
    plan: OsteotomyPlan,
    wedge: WedgeDetail,
    tibia: Bone,
    fibula: Bone | None = None,
    *,
    progress: Progress = SILENT,
) -> Guide:
    """Build and check the guide.

    Parameters
    ----------
    step, osteotomy
        Parameters of the guide and of the osteotomy with its blade.
    case_code, approved, mesh_only
        For the label: without approval the body says TEST, NOT FOR THEATRE; bones without a scan are told by MESH ONLY.
    landmarks, frames, plan, wedge, tibia, fibula
        Results of the leg.

    Raises
    ------
    InputDataError
        ``guide_off_bone``, ``guide_needs_landmark``.
    ComputationError
        ``guide_no_pins``, or a body that cannot be built.
    """
    progress.step(0.0, 1.0, "guide_site")
    site = find_site(landmarks, plan, tibia)
    slot = find_slot(site, step, osteotomy.blade)
    top = float(np.abs(site.axes.T @ site.blade_direction)[2]) * (slot.face_m - slot.bone_m) + step.sleeve_height_mm
    relief = sample_relief(site, top, progress=PartOfProgress(progress, 0.05, 0.45))
    progress.step(0.45, 1.0, "guide_pins")
    pins = find_pins(site, relief, slot, step, plan)
    feet = tuple((*_column(site, pin), sleeve_radius(step) + step.wall_mm) for pin in pins)
    outline = draw_outline(site, relief, step, feet)
    strut, tower = strut_pad(site, relief, outline, step), tower_pad(site, slot, step)
    progress.step(0.5, 1.0, "guide_body")
    field = _body_field(site, relief, outline, slot, pins, strut, step)
    body = body_of(field, relief.grid, name="guide")
    code = check_code(step, osteotomy, plan, tibia)
    lines = label_lines(step.side, case_code, step.revision, code, approved=approved, mesh_only=mesh_only)
    letters, smallest = label_body(lines, strut, tower)
    progress.step(0.6, 1.0, "guide_solid")
    bone = _neighbourhood(site.part.mesh, body, site)
    mesh = _finished(body, bone, slot, pins, letters, step)
    progress.step(0.75, 1.0, "guide_checks")
    contact = find_contact(mesh, bone, step.clearance_mm, _near_bone(mesh, site, relief, step))
    play = free_play(contact, default_limits()["guide.play_gap_mm"])
    height = _guide_height(site, slot, step, bone)
    checks = (
        *check.body_checks(mesh, bone),
        check.sweep_check(mesh, bone, site.withdrawal),
        check.wall_check(mesh, contact, step.clearance_mm),
        *check.seat_checks(contact, play),
        *_feature_checks(osteotomy, plan, wedge, slot, pins, outline, height, step),
        *_label_checks(site, strut, tower, smallest, labelled_tower=mesh_only or not approved),
        *_fibula_checks(mesh, fibula),
    )
    progress.step(1.0, 1.0, "guide_checks")
    return Guide(
        step=step.id,
        side=step.side,
        mesh=mesh,
        label=lines,
        check_code=code,
        insertion_direction=-site.withdrawal,
        contact_mm2=round(contact.area_mm2, 1),
        free_play=play,
        sleeves=tuple(as_sleeve(pin, step, name) for pin, name in zip(pins, ("proximal", "distal"), strict=True)),
        slot_width_mm=slot.width_mm,
        slot_depth_mm=round(height, 2),
        volume_mm3=round(volume(mesh), 2),
        checks=checks,
    )


def _column(site: GuideSite, pin: Pin) -> tuple[float, float]:
    a, y, _ = site.local(pin.entry_lps)
    return float(a), float(y)


def _body_field(
    site: GuideSite, relief: Relief, outline: Outline, slot: Slot, pins: tuple[Pin, Pin], strut: Pad, step: GuideStep
) -> Field:
    """Return the guide without slot, bores and letters as a field."""
    grid = relief.grid
    clearance, wall = np.float32(step.clearance_mm), np.float32(step.wall_mm)
    shell = rounded_both(relief.bone - clearance - wall, outline.field, _EDGE_MM)
    body = filleted_either(shell, tower_field(site, slot, grid), _FILLET_MM)
    for pin in pins:
        body = filleted_either(body, sleeve_field(pin, step, grid), _FILLET_MM)
    body = np.minimum(body, pad_field(strut, grid))
    body = rounded_both(body, depth_limit(relief), _EDGE_MM)
    gap = np.full(1, clearance, dtype=np.float32) + _relieved(site, slot, relief)
    return np.asarray(np.maximum(body, gap - relief.bone), dtype=np.float32)


def _relieved(site: GuideSite, slot: Slot, relief: Relief) -> Field:
    """Return what is added to the clearance beside the slot (for debris) and, smoothly, nothing elsewhere."""
    half = default_limits()["guide.slot_relief_mm"] + slot.width_mm / 2
    q = np.abs(relief.grid.along(site.plane.normal, site.plane.point_lps))
    return np.asarray(0.6 * np.clip(half + 0.5 - q, 0.0, 1.0), dtype=np.float32)


def _neighbourhood(bone: Mesh, body: Mesh, site: GuideSite) -> Mesh:
    """Return the bone around the guide and its way off, cut out exactly: as fine as the bone, but smaller."""
    local = site.local(body.vertices)
    low, high = local.min(axis=0) - 3.0, local.max(axis=0) + 3.0
    high[2] += default_limits()["guide.sweep_mm"]
    low[2] -= 10.0
    axes = site.axes.copy()
    if np.linalg.det(axes) < 0:
        axes[:, 0] = -axes[:, 0]
    return intersection(bone, box(Frame(site.to_lps(0.5 * (low + high)), axes), high - low), name="bone near the guide")


def _finished(body: Mesh, bone: Mesh, slot: Slot, pins: tuple[Pin, Pin], letters: Mesh, step: GuideStep) -> Mesh:
    """Cut slot and bores, take away what lies in the bone, raise the letters, keep the one body."""
    mesh = difference(body, slot_tool(slot), *(bore_tool(pin, step) for pin in pins), name="guide")
    mesh = union(mesh, letters, name="guide")
    if intersection_volume(mesh, bone) > 0:
        mesh = difference(mesh, bone, name="guide")
    bodies = components(mesh, name="guide")
    if len(bodies) > 1 and volume(bodies[1]) > 0.05 * volume(bodies[0]):
        raise ComputationError("guide_falls_apart", count=len(bodies))
    return bodies[0]


def _near_bone(mesh: Mesh, site: GuideSite, relief: Relief, step: GuideStep) -> BoolArray:
    """Tell for each vertex of the guide whether it may touch, from the sampled field."""
    local = site.local(mesh.vertices) - np.array([relief.a[0], relief.y[0], relief.w[0]])
    value = ndimage.map_coordinates(relief.bone, local.T / relief.grid.spacing_mm, order=1, mode="nearest")
    return np.asarray(value < step.clearance_mm + 0.4, dtype=np.bool_)


def _guide_height(site: GuideSite, slot: Slot, step: GuideStep, bone: Mesh) -> float:
    """Return how much of the blade the guide takes at most: entry face to the nearest bone under the slot, mm."""
    s = np.linspace(slot.low_s, slot.high_s, 21)[1:-1, None]
    start: FloatArray = site.origin_lps + s * site.slot_direction - slot.face_m * site.blade_direction
    first = ray_hits(bone, start, np.broadcast_to(site.blade_direction, start.shape).copy()).first(len(start))
    met = first[np.isfinite(first)]
    return float(met.min()) if len(met) else slot.guide_height_mm + step.clearance_mm


def _feature_checks(
    osteotomy: OsteotomyStep,
    plan: OsteotomyPlan,
    wedge: WedgeDetail,
    slot: Slot,
    pins: tuple[Pin, Pin],
    outline: Outline,
    height_mm: float,
    step: GuideStep,
) -> tuple[Check, ...]:
    limits = default_limits()
    to_cut, to_joint = limits["guide.pin_to_cut_mm"], limits["guide.pin_to_joint_mm"]
    parallel = parallel_after_opening(pins[0].direction, pins[1].direction, plan)
    return (
        check.at_most("pins_parallel_after_opening", parallel, limits["guide.pins_parallel_deg"], digits=4),
        check.at_least("pin_to_cut", min(pin.to_cut_mm for pin in pins) + to_cut, to_cut),
        check.at_least("pin_to_joint", pins[0].to_joint_mm + to_joint, to_joint),
        check.at_least("pin_in_bone", min(pin.depth_mm for pin in pins), limits["guide.pin_in_bone_mm"]),
        check.at_least("sleeve_height", step.sleeve_height_mm, 10.0, otherwise="warn"),
        check.at_least("slot_guide_height", slot.guide_height_mm, limits["guide.slot_height_mm"] - 1e-6),
        check.at_least("slot_length", slot.length_mm, slot.cut_mm),
        check.blade_check(osteotomy.blade, height_mm, wedge),
        check.at_least("strut_length", -outline.strut_low_y, limits["guide.strut_min_mm"], otherwise="warn", digits=1),
    )


def _label_checks(site: GuideSite, strut: Pad, tower: Pad, smallest_mm: float, *, labelled_tower: bool) -> tuple[Check, ...]:
    limits = default_limits()
    pads = (strut, tower) if labelled_tower else (strut,)
    unmirrored = all(reads_unmirrored(pad) for pad in pads) and facing(strut, site) > 0.5
    return (
        Check("label_readable", "pass" if unmirrored else "fail", "from outside" if unmirrored else "mirrored", "from outside"),
        check.at_least("label_side_letter", side_letter_height(strut), limits["guide.label_side_mm"]),
        check.at_least("label_letters", smallest_mm, limits["guide.label_letter_mm"], otherwise="warn"),
    )


def _fibula_checks(mesh: Mesh, fibula: Bone | None) -> tuple[Check, ...]:
    if fibula is None:
        return ()
    low, high = mesh.vertices.min(axis=0), mesh.vertices.max(axis=0)
    parts = [part.mesh for part in fibula.parts]
    near = [part for part in parts if (part.vertices.max(axis=0) > low).all() and (part.vertices.min(axis=0) < high).all()]
    shared = sum(intersection_volume(mesh, part, name="guide and fibula") for part in near)
    return (Check("guide_fibula_intersection", "pass" if shared == 0.0 else "fail", round(shared, 6), 0.0),)
