"""The tibial tray on its cut: plane of the cut, outline, fit of every size, proposal (clinical.md C.1)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from surgiplan_desktop.base.arrays import BoolArray, FloatArray, frozen, unit
from surgiplan_desktop.base.errors import InputDataError
from surgiplan_desktop.base.progress import Progress
from surgiplan_desktop.base.spaces import Frame, Plane
from surgiplan_desktop.geometry.section import section
from surgiplan_desktop.geometry.solid import box, cylinder, extrude, union
from surgiplan_desktop.model.anatomy import Side
from surgiplan_desktop.model.mesh import Bone, Mesh
from surgiplan_desktop.model.steps import ImplantStep
from surgiplan_desktop.model.study import Finding
from surgiplan_desktop.planning.catalogue import TrayFamily, TraySize
from surgiplan_desktop.planning.limits import default_limits
from surgiplan_desktop.planning.osteotomy_site import tibial_frame
from surgiplan_desktop.planning.outline_fit import Pose, best_pose, coverage, outline_distance, turn_matrix
from surgiplan_desktop.planning.records import ImplantPlacement, Landmarks, LegFrames, SizeFit

#: Points of a tray's outline.
_OUTLINE_POINTS = 120


@dataclass(frozen=True, slots=True, eq=False)
class TrayCut:
    """The cut for a tray: frame in the cut (X anterior, Y proximal normal, Z right), and the bone's outline in (X, Z)."""

    frame: Frame
    outline: FloatArray

    @property
    def plane(self) -> Plane:
        """The cut plane, normal pointing proximal."""
        return Plane(self.frame.origin_lps, self.frame.y)


def tray_cut(landmarks: Landmarks, frames: LegFrames, tibia: Bone, slope_deg: float) -> TrayCut:
    """Cut at right angles to the mechanical axis but for the slope, 9 mm below the centre of the higher plateau.

    The higher plateau counts as the less worn one; the depth is measured from CT bone, without cartilage.

    Raises
    ------
    InputDataError
        ``site_landmark_missing``; ``plane_outside_bone``.
    """
    frame = tibial_frame(landmarks, frames)
    centres = [landmarks.point(name) for name in ("medial_plateau_centre", "lateral_plateau_centre")]
    for name, centre in zip(("medial_plateau_centre", "lateral_plateau_centre"), centres, strict=True):
        if centre is None:
            raise InputDataError("site_landmark_missing", landmark=name)
    highest = max((centre for centre in centres if centre is not None), key=lambda point: float(point @ frame.y))
    depth = default_limits()["tray.cut_depth_mm"]
    slope = np.radians(slope_deg)
    # posterior-down: the normal leans backwards
    x = frame.direction_to_lps(np.array([np.cos(slope), np.sin(slope), 0.0]))
    y = frame.direction_to_lps(np.array([-np.sin(slope), np.cos(slope), 0.0]))
    below = highest - depth * frame.y
    plane = Plane(below, y)
    found = [outlines[0] for part in tibia.parts if (outlines := section(part.mesh.vertices, part.mesh.faces, plane))]
    if not found:
        raise InputDataError("plane_outside_bone", bone=str(tibia.id))
    largest = max(found, key=lambda outline: abs(outline.area_mm2))
    cut = Frame(largest.centroid, np.column_stack([x, y, frame.z]))
    return TrayCut(cut, frozen(cut.to_local(largest.points)[:, (0, 2)].copy()))


def tray_outline(family: TrayFamily, size: TraySize, side: Side) -> FloatArray:
    """Return the outline of a size about the middle of its extents, shape (n, 2): (anterior, right), mm.

    A superellipse with one exponent before and one behind its widest level. The front reaches farther forward medially than
    laterally; behind, a smooth notch leaves room for the posterior cruciate ligament. ML and AP are the extents of the result.
    """
    front, lateral, forward = _outline_shares(family)
    x = np.where(front, family.anterior_share, 1.0 - family.anterior_share) * forward
    across = np.clip(lateral / family.notch_width_share, -1.0, 1.0)
    notch = family.notch_depth_share * 0.5 * (1.0 + np.cos(np.pi * across))
    x = np.where(front, x * (1.0 - family.anteromedial_share * lateral), x + notch)
    x = (x - 0.5 * (x.max() + x.min())) * size.ap_mm / np.ptp(x)
    return np.column_stack([x, side.sign * 0.5 * size.ml_mm * lateral])


def underhang_weights(family: TrayFamily) -> FloatArray:
    """Return for each point of the outline (n,) what a millimetre of underhang counts beside one of overhang.

    As their limits, so that neither is spent before the other; nothing in the inner half of the notch, where the tray is meant to
    leave bone free.
    """
    limits = default_limits()
    weight = limits["tray.proposal_overhang_mm"] / limits["tray.underhang_amber_mm"]
    front, lateral, _ = _outline_shares(family)
    return np.where(front | (np.abs(lateral) > 0.5 * family.notch_width_share), weight, 0.0)


def _outline_shares(family: TrayFamily) -> tuple[BoolArray, FloatArray, FloatArray]:
    """Points of the superellipse: whether before the widest level, and how far lateral and forward, -1 to 1."""
    turn = 2.0 * np.pi * np.arange(_OUTLINE_POINTS) / _OUTLINE_POINTS
    c, s = np.cos(turn), np.sin(turn)
    front = c >= 0.0
    power = 2.0 / np.where(front, family.anterior_exponent, family.posterior_exponent)
    return front, np.sign(s) * np.abs(s) ** power, np.sign(c) * np.abs(c) ** power


def fit_sizes(family: TrayFamily, cut: TrayCut, side: Side, progress: Progress) -> tuple[tuple[SizeFit, ...], dict[str, Pose]]:
    """Place every size as well as it goes and say how it fits."""
    limit = default_limits()["tray.turn_limit_deg"]
    fits, poses = [], {}
    for number, size in enumerate(family.sizes):
        progress.step(number, len(family.sizes) + 1, "placing_implant")
        outline = tray_outline(family, size, side)
        pose = best_pose(outline, cut.outline, Pose(0.0, 0.0, 0.0), limit, underhang_weights(family))
        poses[size.id] = pose
        fits.append(fit_at(family, size, pose(outline), cut))
    return tuple(fits), poses


def fit_at(family: TrayFamily, size: TraySize, outline: FloatArray, cut: TrayCut) -> SizeFit:
    """Return how a size's outline in the cut (n, 2) fits: largest overhang and underhang of its points, share of bone covered.

    The notch counts for overhang alone.
    """
    distance = outline_distance(outline, cut.outline)
    rim = distance[underhang_weights(family) > 0.0]
    return SizeFit(size.id, float(distance.max()), float(max(0.0, -rim.min())), coverage(outline, cut.outline))


def proposed_size(fits: tuple[SizeFit, ...]) -> str:
    """Return the size whose overhang and underhang come least near to their limits; the larger of two that fit alike."""
    limits = default_limits()
    over, under = limits["tray.proposal_overhang_mm"], limits["tray.underhang_amber_mm"]
    return min(reversed(fits), key=lambda fit: max(fit.max_overhang_mm / over, fit.max_underhang_mm / under)).size


def place_tray(
    step: ImplantStep, family: TrayFamily, landmarks: Landmarks, frames: LegFrames, tibia: Bone, progress: Progress
) -> ImplantPlacement:
    """Cut, fit all sizes, propose one, and place the chosen one with the step's offset and turn."""
    cut = tray_cut(landmarks, frames, tibia, family.slope_deg)
    fits, poses = fit_sizes(family, cut, step.side, progress)
    proposal = proposed_size(fits)
    size = family.size(step.size or proposal)
    pose = poses[size.id]
    frame = tray_frame(cut, pose, step)
    outline = tray_outline(family, size, step.side)
    local = cut.frame.to_local(frame.to_lps(np.column_stack([outline[:, 0], np.zeros(len(outline)), outline[:, 1]])))[:, (0, 2)]
    fit = fit_at(family, size, local, cut)
    over = outline_distance(local, cut.outline) > 0.0
    points = cut.frame.to_lps(np.column_stack([local[:, 0], np.full(len(local), step.offset_mm[1]), local[:, 1]]))
    progress.step(1, 1, "placing_implant")
    return ImplantPlacement(
        step=step.id,
        side=step.side,
        component=family.id,
        size=size.id,
        proposed_size=proposal,
        frame=frame,
        mesh=tray_mesh(family, size, step.side, frame),
        fits=fits,
        overhang_points_lps=frozen(points[over].copy()),
        outline_lps=frozen(points.copy()),
        cut=cut.plane,
        screws=(),
        findings=_findings(step, fit, proposal, size),
        fit=fit,
    )


def tray_frame(cut: TrayCut, pose: Pose, step: ImplantStep) -> Frame:
    """Return the tray's frame: proposed place, then the step's offset along that frame's axes and its turn."""
    turned = _turned(cut.frame, pose.turn_deg)
    proposed = Frame(cut.frame.to_lps(np.array([pose.anterior_mm, 0.0, pose.right_mm])), turned)
    origin = proposed.to_lps(np.asarray(step.offset_mm, dtype=np.float64))
    return Frame(origin, _turned(proposed, step.turn_deg))


def tray_mesh(family: TrayFamily, size: TraySize, side: Side, frame: Frame) -> Mesh:
    """Return the tray as a solid: plate on the cut, stem and two fins below."""
    outline = tray_outline(family, size, side)
    # the prism's X, Y, Z are the tray's Z, X, Y
    prism = Frame(frame.origin_lps, np.column_stack([frame.z, frame.x, frame.y]))
    plate = extrude(outline[:, ::-1], prism, 0.0, family.thickness_mm)
    inside = 0.5 * family.thickness_mm
    stem = cylinder(
        frame.to_lps(np.array([0.0, inside, 0.0])),
        frame.to_lps(np.array([0.0, -family.stem_length_mm, 0.0])),
        family.stem_diameter_mm / 2.0,
        end_radius_mm=family.stem_diameter_mm / 3.0,
    )
    width = family.fin_width_share * size.ml_mm
    height = family.fin_depth_mm + inside
    middle = frame.to_lps(np.array([0.0, inside - height / 2.0, 0.0]))
    fins = box(Frame(middle, frame.axes), (family.fin_thickness_mm, height, width))
    return union(plate, stem, fins, name=f"{family.id} {size.id}")


def _turned(frame: Frame, turn_deg: float) -> FloatArray:
    (a, b), (c, d) = turn_matrix(turn_deg)
    turn = np.array([[a, 0.0, b], [0.0, 1.0, 0.0], [c, 0.0, d]])
    axes = frame.axes @ turn
    x, y = unit(axes[:, 0]), unit(axes[:, 1])
    return np.column_stack([x, y, np.cross(x, y)])


def _findings(step: ImplantStep, fit: SizeFit, proposal: str, size: TraySize) -> tuple[Finding, ...]:
    limits, found = default_limits(), []
    if fit.max_overhang_mm >= limits["tray.overhang_red_mm"]:
        found.append(Finding("tray_overhang", "fail", (("overhang_mm", fit.max_overhang_mm),)))
    elif fit.max_overhang_mm > limits["tray.proposal_overhang_mm"]:
        found.append(Finding("tray_overhang_small", "warn", (("overhang_mm", fit.max_overhang_mm),)))
    if fit.max_underhang_mm > limits["tray.underhang_amber_mm"]:
        found.append(Finding("tray_underhang", "warn", (("underhang_mm", fit.max_underhang_mm),)))
    if size.id != proposal:
        found.append(Finding("tray_size_chosen", "note", (("size", size.id), ("proposed", proposal))))
    if step.offset_mm[1] > 0.0:
        found.append(Finding("tray_above_cut", "warn", (("distance_mm", step.offset_mm[1]),)))
    return tuple(found)
