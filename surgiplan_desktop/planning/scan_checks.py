"""The single checks of the scan's gate (practice.md 24): each a value against its limit, or an honest "not known".

``fail`` means: a plan may be made, a guide may not. ``warn`` wants to be seen. What is not known warns: nobody showed it good.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from itertools import pairwise
from typing import Final, Literal

import numpy as np

from surgiplan_desktop.model.anatomy import BoneName
from surgiplan_desktop.model.study import VolumeBlock
from surgiplan_desktop.planning.block_joints import Joint, JointBlocks, block_heights
from surgiplan_desktop.planning.limits import Limits
from surgiplan_desktop.planning.records import Check

Status = Literal["pass", "warn", "fail"]
_DAYS_A_MONTH: Final = 365.25 / 12.0
#: Transfer syntaxes that lose: JPEG baseline and extended, JPEG-LS near-lossless, JPEG 2000 and HTJ2K with loss.
_LOSSY_SYNTAXES: Final = frozenset(
    {"1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51", "1.2.840.10008.1.2.4.81", "1.2.840.10008.1.2.4.91"}
)
#: Text of each slice check by the joint that the block shows.
_SLICES: Final[dict[Joint, str]] = {"hip": "scan_slices_hip", "knee": "scan_slices_knee", "ankle": "scan_slices_ankle"}


def spacing_of(block: VolumeBlock) -> tuple[float, float, float]:
    """Distance of voxel centres along k, j, i of a block, mm, rounded to what a header can say."""
    k, j, i = (round(float(size), 4) for size in np.linalg.norm(np.array(block.affine)[:3, :3], axis=0))
    return k, j, i


def graded(name: str, value: float, warn: float, fail: float | None = None, **parameters: str | float) -> Check:
    """Return a check that warns above one limit and fails above the other; equal is within."""
    status: Status = "pass"
    if value > warn + 1e-6:
        status = "warn"
    if fail is not None and value > fail + 1e-6:
        status = "fail"
    limit = fail if status == "fail" else warn
    return Check(name, status, round(value, 2), limit, tuple(parameters.items()))


def slice_checks(blocks: Sequence[VolumeBlock], joints: JointBlocks, limits: Limits) -> list[Check]:
    """Slices of each joint: the thicker of thickness and spacing, and slices that leave gaps between them."""
    checks = []
    for joint, name in _SLICES.items():
        shown = [blocks[number] for number in joints.of(joint)]
        if not shown:
            continue
        worst = max(_slice_mm(block) for block in shown)
        fail = limits["quality.slices_knee_guide_mm"] if joint == "knee" else None
        checks.append(graded(name, worst, limits[f"quality.slices_{joint}_mm"], fail))
    if joints.known_by != "unknown":
        missing = [joint for joint in _SLICES if not joints.of(joint)]
        if missing:
            status: Status = "fail" if "knee" in missing else "warn"
            checks.append(Check("scan_joint_missing", status, ", ".join(missing), None))
    else:
        worst = max(map(_slice_mm, blocks))
        checks.append(
            graded("scan_slices_unknown", worst, limits["quality.slices_knee_mm"], limits["quality.slices_knee_guide_mm"])
        )
    unstated = [block for block in blocks if block.origin.slice_thickness_mm is None]
    if unstated:
        checks.append(Check("scan_thickness_unknown", "warn", None, None))
    gaps = [
        spacing_of(block)[0] - block.origin.slice_thickness_mm
        for block in blocks
        if block.origin.slice_thickness_mm is not None
    ]  # fmt: skip
    if gaps:
        widest = max(gaps)
        checks.append(Check("scan_increment", "warn" if widest > 0.01 else "pass", round(max(widest, 0.0), 2), 0.0))
    return checks


def _slice_mm(block: VolumeBlock) -> float:
    return max(spacing_of(block)[0], block.origin.slice_thickness_mm or 0.0)


def field_checks(blocks: Sequence[VolumeBlock], joints: JointBlocks, legs: int, limits: Limits) -> list[Check]:
    """Pixel size and field of the knee (of every block while the knee is not known), and bone cut at the side."""
    knee = [blocks[number] for number in joints.knee] or list(blocks)
    pixel = max(max(spacing_of(block)[1:]) for block in knee)
    checks = [graded("scan_pixel", pixel, limits["quality.pixel_mm"], limits["quality.pixel_guide_mm"])]
    width = max(max(size * count for size, count in zip(spacing_of(block)[1:], block.shape[1:], strict=True)) for block in knee)
    if legs < 2 and joints.knee:
        # a wide field costs resolution and nothing else: with fine pixels it does no harm
        harm = width > limits["quality.field_mm"] + 1.0 and pixel > limits["quality.pixel_mm"] + 1e-6
        checks.append(Check("scan_field", "warn" if harm else "pass", round(width), limits["quality.field_mm"]))
    if joints.known_by == "bones":
        checks.append(_cut_beside(joints))
    else:
        values = [evidence(block) for block in blocks]
        edge = max((item["bone_edge_mm2"] for item in values if "bone_edge_mm2" in item), default=None)
        if edge is not None:
            checks.append(graded("scan_bone_at_edge", edge, limits["quality.bone_at_edge_mm2"]))
    return checks


def _cut_beside(joints: JointBlocks) -> Check:
    """Bones that a lateral edge cuts: in the knee, femur or tibia, no guide."""
    cut = [(bone, block) for bone, block in joints.cut_beside]
    names = ", ".join(sorted({f"{bone.side} {bone.bone}" for bone, _ in cut}))
    bad = any(block in joints.knee and bone.bone is not BoneName.FIBULA for bone, block in cut)
    status: Status = "fail" if bad else "warn" if cut else "pass"
    return Check("scan_bone_cut" if cut else "scan_bone_whole", status, names or None, None)


def metal_checks(blocks: Sequence[VolumeBlock], joints: JointBlocks, limits: Limits) -> list[Check]:
    """Metal anywhere, and streaks beside it where the knee is."""
    checks = []
    volume = 0.0
    dark: float | None = None
    for number, block in enumerate(blocks):
        values = evidence(block)
        volume += values.get("metal_mm3", 0.0)
        if "metal_dark_hu" in values and (number in joints.knee or not joints.knee):
            dark = values["metal_dark_hu"] if dark is None else min(dark, values["metal_dark_hu"])
    if any("metal_mm3" in evidence(block) for block in blocks):
        checks.append(Check("scan_metal" if volume > 0 else "scan_no_metal", "warn" if volume > 0 else "pass",
                            round(volume / 1000.0, 2), 0.0))  # fmt: skip
    if dark is not None and dark < limits["quality.metal_dark_hu"]:
        checks.append(Check("scan_streaks", "fail", round(dark), limits["quality.metal_dark_hu"]))
    return checks


def motion_checks(blocks: Sequence[VolumeBlock], limits: Limits) -> list[Check]:
    """Slices out of place, and displacements that last; the largest of all blocks."""
    measured = [evidence(block) for block in blocks if "step_mm" in evidence(block)]
    if not measured:
        return []
    count = int(sum(values["shift_slices"] for values in measured))
    step = max(measured, key=lambda values: values["step_mm"])
    if count == 0 and step["step_mm"] == 0.0:
        return [Check("scan_no_motion", "pass", 0.0, 0.0)]
    checks = []
    if count:
        shift = max(measured, key=lambda values: values["shift_mm"])
        where = (("count", count), ("z_mm", round(shift["shift_z_mm"])))
        checks.append(Check("scan_slice_displaced", "warn", round(shift["shift_mm"], 1), 0.0, where))
    if step["step_mm"] > 0.0:
        status: Status = "fail" if step["step_mm"] > limits["quality.step_guide_mm"] else "warn"
        where_z = (("z_mm", round(step["step_z_mm"])),)
        checks.append(Check("scan_step", status, round(step["step_mm"], 1), limits["quality.step_guide_mm"], where_z))
    return checks


def scale_checks(blocks: Sequence[VolumeBlock], limits: Limits) -> list[Check]:
    """Hounsfield scale by air, fat and muscle, and noise (the knee's block is not told apart: all come from one scanner)."""
    checks = []
    judged = [evidence(block) for block in blocks if block.evidence is not None]
    if len(judged) < len(blocks):
        checks.append(Check("scan_not_measured", "warn", None, None))
    if not judged:
        return checks
    off: dict[str, tuple[float, float]] = {}
    for values in judged:
        for tissue, (low, high) in _scale_windows(limits).items():
            if tissue in values:
                value = values[tissue]
                beyond = max(low - value, value - high, 0.0)
                if tissue not in off or beyond >= off[tissue][1]:
                    off[tissue] = (value, beyond)
    if not off:
        checks.append(Check("scan_scale_unknown", "warn", None, None))
    else:
        worst = max(beyond for _, beyond in off.values())
        known = (("air", "air_hu"), ("fat", "fat_hu"), ("muscle", "muscle_hu"))
        words = ", ".join(f"{name} {off[key][0]:.0f}" for name, key in known if key in off)
        status: Status = "fail" if worst > limits["quality.scale_guide_hu"] else "warn" if worst > 0 else "pass"
        checks.append(Check("scan_scale", status, words, None, (("off_hu", round(worst)),)))
    noise = max((values["noise_hu"] for values in judged if "noise_hu" in values), default=None)
    if noise is not None:
        checks.append(graded("scan_noise", round(noise, 1), limits["quality.noise_hu"]))
    return checks


def _scale_windows(limits: Limits) -> dict[str, tuple[float, float]]:
    air, off = limits["quality.air_hu"], limits["quality.air_off_hu"]
    return {
        "air_hu": (air - off, air + off),
        "fat_hu": (limits["quality.fat_low_hu"], limits["quality.fat_high_hu"]),
        "muscle_hu": (limits["quality.muscle_low_hu"], limits["quality.muscle_high_hu"]),
    }


def lossy_checks(blocks: Sequence[VolumeBlock]) -> list[Check]:
    """Compression with loss, by syntax or by what the headers say."""
    lossy = any(
        block.origin.transfer_syntax in _LOSSY_SYNTAXES or any(finding.code == "lossy" for finding in block.origin.findings)
        for block in blocks
    )
    return [Check("scan_lossy", "warn", None, None)] if lossy else []


def repair_checks(blocks: Sequence[VolumeBlock]) -> list[Check]:
    """What was mended at import, each kind once."""
    kinds = sorted({repair.kind for block in blocks for repair in block.origin.repairs})
    return [Check("scan_repaired", "warn", ", ".join(kind.replace("_", " ") for kind in kinds), None)] if kinds else []


def time_checks(blocks: Sequence[VolumeBlock], limits: Limits) -> list[Check]:
    """Time between blocks of one scan: the longest between one and the next acquired."""
    if len(blocks) < 2:
        return []
    times = [_moment(block.origin.acquired) for block in blocks]
    known = [time for time in times if time is not None]
    if len(known) < len(times):
        return [Check("scan_time_unknown", "warn", None, limits["quality.time_between_blocks_s"])]
    longest = max((later - earlier).total_seconds() for earlier, later in pairwise(sorted(known)))
    return [graded("scan_time_between_blocks", longest, limits["quality.time_between_blocks_s"])]


def age_checks(blocks: Sequence[VolumeBlock], operation: str | None, today: str, limits: Limits) -> list[Check]:
    """Age of the scan at the operation date (too old then: no guide) or as of today, and age of the patient."""
    return [*_scan_age(blocks, operation, today, limits), *_patient_age(blocks, limits)]


def _scan_age(blocks: Sequence[VolumeBlock], operation: str | None, today: str, limits: Limits) -> list[Check]:
    days = [day for block in blocks if (day := _day(block.origin.acquired)) is not None]
    if not days:
        return [Check("scan_date_unknown", "warn", None, limits["quality.scan_months"])]
    planned, now = _day(operation or ""), _day(today)
    until = planned or now
    if until is None:
        return []
    months = round((until - min(days)).days / _DAYS_A_MONTH, 1)
    if planned is None:
        # nobody operates on an undated plan: then age alone stops no guide
        return [graded("scan_age_today", months, limits["quality.scan_months"])]
    if months < 0:
        return [Check("scan_after_operation", "warn", -months, 0.0)]
    return [graded("scan_age", months, limits["quality.scan_months"], limits["quality.scan_months_guide"])]


def _patient_age(blocks: Sequence[VolumeBlock], limits: Limits) -> list[Check]:
    ages = [block.origin.patient_age_years for block in blocks if block.origin.patient_age_years is not None]
    if not ages:
        return [Check("scan_patient_age_unknown", "warn", None, limits["quality.patient_years"])]
    youngest, guide = min(ages), limits["quality.patient_years_guide"]
    status: Status = "fail" if youngest < guide else "warn" if youngest < limits["quality.patient_years"] else "pass"
    limit = guide if status == "fail" else limits["quality.patient_years"]
    return [Check("scan_patient_age", status, round(youngest, 1), limit)]


def evidence(block: VolumeBlock) -> Mapping[str, float]:
    """What was measured on a block, by name; empty when nothing was."""
    return {} if block.evidence is None else dict(block.evidence.values)


def block_gap_mm(upper: VolumeBlock, lower: VolumeBlock) -> float:
    """Distance between the outer faces of two blocks along the body, mm; negative where they overlap."""
    half = 0.5 * (spacing_of(upper)[0] + spacing_of(lower)[0])
    return block_heights(upper)[0] - block_heights(lower)[1] - half


def _moment(acquired: str) -> datetime | None:
    """Day and time to the second of ``YYYYMMDDTHHMMSS``; None when the time is not told."""
    try:
        return datetime.strptime(acquired[:15], "%Y%m%dT%H%M%S")
    except ValueError:
        return None


def _day(text: str) -> date | None:
    """Day of ``YYYYMMDD...`` or ``YYYY-MM-DD``; None for anything else."""
    digits = text.replace("-", "")[:8]
    try:
        return date(int(digits[:4]), int(digits[4:6]), int(digits[6:8]))
    except ValueError:
        return None
