"""The gate of the scan (practice.md 24): a traffic light with its reasons, judged from what import stored in the case.

Green: nothing to say. Amber: to be seen before planning. Red: a plan may be made, a guide may not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from surgiplan_desktop.imaging.kernels import kernel_class
from surgiplan_desktop.model.study import Study, VolumeBlock
from surgiplan_desktop.planning.block_joints import JointBlocks, block_heights, joints_by_position
from surgiplan_desktop.planning.block_overlap import BlockOverlap
from surgiplan_desktop.planning.limits import Limits, default_limits
from surgiplan_desktop.planning.records import Check, Landmarks, Measures
from surgiplan_desktop.planning.scan_checks import (
    age_checks,
    block_gap_mm,
    field_checks,
    graded,
    lossy_checks,
    metal_checks,
    motion_checks,
    repair_checks,
    scale_checks,
    slice_checks,
    time_checks,
)

Light = Literal["green", "amber", "red"]
#: Checks of the pose that a surgeon acknowledges, not only sees.
_ACKNOWLEDGED = frozenset({"scan_flexion_high", "scan_rotation"})


@dataclass(frozen=True, slots=True)
class ScanQuality:
    """What the gate says: every check with value, limit and status, worst first in :attr:`reasons`."""

    checks: tuple[Check, ...]
    joints: JointBlocks

    @property
    def light(self) -> Light:
        """Red when a check fails, amber when one warns, else green."""
        statuses = {check.status for check in self.checks}
        return "red" if "fail" in statuses else "amber" if "warn" in statuses else "green"

    @property
    def reasons(self) -> tuple[Check, ...]:
        """Checks that did not pass, failed ones first."""
        order = {"fail": 0, "warn": 1}
        return tuple(sorted((check for check in self.checks if check.status in order), key=lambda check: order[check.status]))

    @property
    def for_guide(self) -> tuple[Check, ...]:
        """Checks that belong to those of a guide: what forbids one, or that nothing does."""
        failed = tuple(check for check in self.checks if check.status == "fail")
        return failed or (Check("scan_allows_guide", "pass", self.light, None),)

    @property
    def to_acknowledge(self) -> tuple[str, ...]:
        """Ids of the checks that the surgeon must acknowledge."""
        return tuple(check.id for check in self.checks if check.id in _ACKNOWLEDGED and check.status == "warn")


def judge_scan(
    study: Study, operation_date: str | None, legs: int, today: str = "", joints: JointBlocks | None = None
) -> ScanQuality:
    """Judge a scan by its images and headers alone.

    Parameters
    ----------
    study, operation_date
        Blocks with origin and evidence; the ISO day of the operation.
    legs
        Number of legs with bones; 0 while bones are not found.
    today
        ISO day as of which the age of the scan is told when there is no operation date; empty: its age is then not judged.
    joints
        Which block shows which joint, by the bones; None: by position.
    """
    limits = default_limits()
    blocks = study.blocks
    joints = joints_by_position(blocks) if joints is None else joints
    checks = [
        *slice_checks(blocks, joints, limits),
        *field_checks(blocks, joints, legs, limits),
        *_kernel_checks(blocks),
        *lossy_checks(blocks),
        *metal_checks(blocks, joints, limits),
        *motion_checks(blocks, limits),
        *scale_checks(blocks, limits),
        *repair_checks(blocks),
        *time_checks(blocks, limits),
        *_apart_checks(blocks, limits),
        *age_checks(blocks, operation_date, today, limits),
    ]
    return ScanQuality(tuple(checks), joints)


def judge_leg(
    study: Study,
    operation_date: str | None,
    legs: int,
    today: str,
    joints: JointBlocks,
    landmarks: Landmarks,
    measures: Measures,
    overlaps: tuple[BlockOverlap, ...] = (),
) -> ScanQuality:
    """Add what the found bones of a leg say: pose, shaft in view, bone shared by overlapping blocks, interpolated bone.

    Parameters
    ----------
    study, operation_date, legs, today, joints
        As for :func:`judge_scan`.
    landmarks, measures
        Of the leg.
    overlaps
        Pairs of blocks compared by the bone of this leg that both show.
    """
    limits = default_limits()
    scan = judge_scan(study, operation_date, legs, today, joints)
    checks = [
        *scan.checks,
        *_pose_checks(measures, limits),
        *_view_checks(study.blocks, joints, landmarks, limits),
        *_overlap_checks(overlaps, limits),
    ]
    return ScanQuality(tuple(checks), joints)


def _kernel_checks(blocks: Sequence[VolumeBlock]) -> list[Check]:
    """The kernel by its name: soft ones hide thin cortex; an unknown one is said to be unknown."""
    classes = {block.origin.kernel.strip(): kernel_class(block.origin.kernel) for block in blocks}
    names = ", ".join(sorted(name for name in classes if name))
    if "" in classes:
        return [Check("scan_kernel_unstated", "warn", None, None)]
    if "unknown" in classes.values():
        return [Check("scan_kernel_unknown", "warn", names, None)]
    soft = "soft" in classes.values()
    return [Check("scan_kernel_soft" if soft else "scan_kernel", "warn" if soft else "pass", names, None)]


def _apart_checks(blocks: Sequence[VolumeBlock], limits: Limits) -> list[Check]:
    """Neighbouring blocks without common bone: that the leg did not move between them is assumed, not shown."""
    order = sorted(blocks, key=lambda block: -sum(block_heights(block)))
    apart = [gap for gap in (block_gap_mm(upper, lower) for upper, lower in pairwise(order)) if gap > -limits["overlap.least_mm"]]
    if not apart:
        return []
    said = (("pairs", len(apart)), ("error_deg", limits["overlap.immobility_deg"]))
    return [Check("scan_immobility_assumed", "warn", round(max(apart)), None, said)]


def _pose_checks(measures: Measures, limits: Limits) -> list[Check]:
    checks = []
    flexion, rotation = measures.number("knee_flexion"), measures.number("knee_rotation")
    if flexion is not None:
        high = abs(flexion) > limits["quality.flexion_acknowledge_deg"]
        limit = limits["quality.flexion_acknowledge_deg" if high else "quality.flexion_deg"]
        checks.append(graded("scan_flexion_high" if high else "scan_flexion", round(abs(flexion), 1), limit))
    if rotation is not None:
        checks.append(graded("scan_rotation", round(abs(rotation), 1), limits["quality.rotation_acknowledge_deg"]))
    if flexion is None or rotation is None:
        checks.append(Check("scan_pose_unknown", "warn", None, None))
    return checks


def _view_checks(blocks: Sequence[VolumeBlock], joints: JointBlocks, landmarks: Landmarks, limits: Limits) -> list[Check]:
    """How far the block with the knee shows the leg above and below the joint, and bone there that was interpolated."""
    knee = landmarks.point("tibial_knee_centre")
    if knee is None:
        knee = landmarks.point("femoral_knee_centre")
    if knee is None or not joints.knee:
        return []
    z = float(knee[2])
    checks = []
    showing = [blocks[number] for number in joints.knee]
    reach = max(min(high - z, z - low) for low, high in map(block_heights, showing))
    wanted, least = limits["quality.knee_in_view_mm"], limits["quality.knee_in_view_least_mm"]
    # the protocol's 150 mm may be rounded down to whole slices and the joint line lies within some mm of the knee's centre
    status: Literal["pass", "warn"] = "pass" if reach >= wanted - 10.0 else "warn"
    checks.append(Check("scan_knee_short" if reach < least else "scan_knee_in_view", status, round(reach), wanted))
    low, high = z - limits["quality.contact_below_mm"], z + limits["quality.contact_above_mm"]
    for block in showing:
        bottom, top = block_heights(block)
        step = (top - bottom) / max(block.shape[0] - 1, 1)
        rising = block.affine[2][0] > 0
        for repair in block.origin.repairs:
            for first, last in repair.stretches:
                heights = [bottom + k * step if rising else top - k * step for k in (first, last)]
                if max(heights) >= low and min(heights) <= high:
                    checks.append(Check("scan_interpolated_contact", "fail", round(abs(heights[1] - heights[0]) + step, 1), 0.0))
    return checks


def _overlap_checks(overlaps: Sequence[BlockOverlap], limits: Limits) -> list[Check]:
    """Blocks against each other by shared bone: the largest disagreement."""
    measured = [item for item in overlaps if item.mm is not None and item.deg is not None]
    checks = []
    if measured:
        mm, deg = max(item.mm or 0.0 for item in measured), max(item.deg or 0.0 for item in measured)
        moved = mm > limits["overlap.warn_mm"] or deg > limits["overlap.warn_deg"]
        limit = f"{limits['overlap.warn_mm']:g} mm, {limits['overlap.warn_deg']:g} deg"
        bones = ", ".join(sorted({str(bone.bone) for item in measured for bone in item.bones}))
        said = (("bones", bones), ("scatter_mm", max(item.rms_mm or 0.0 for item in measured)))
        checks.append(Check("scan_overlap", "warn" if moved else "pass", f"{mm:.2f} mm, {deg:.2f} deg", limit, said))
    if any(item.mm is None for item in overlaps):
        checks.append(Check("scan_overlap_unclear", "warn", None, None))
    return checks
