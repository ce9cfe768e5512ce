"""The gate of the scan: each limit on either side, what is not known, and the light that comes of it."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest

from surgiplan_desktop.app.texts import load_texts
from surgiplan_desktop.base.spaces import Affine
from surgiplan_desktop.model.anatomy import BoneId, BoneName, Side, label_code
from surgiplan_desktop.model.images import LabelMap
from surgiplan_desktop.model.study import Finding, ImageEvidence, Repair, SeriesOrigin, Study, VolumeBlock
from surgiplan_desktop.planning.block_joints import JointBlocks, joints_by_bones, joints_by_position
from surgiplan_desktop.planning.block_overlap import BlockOverlap
from surgiplan_desktop.planning.records import Check, LandmarkEstimate, Landmarks, Measure, Measures
from surgiplan_desktop.planning.scan_quality import ScanQuality, judge_leg, judge_scan

GOOD = {
    "air_hu": -1000.0, "fat_hu": -100.0, "muscle_hu": 50.0, "noise_hu": 15.0, "metal_mm3": 0.0, "shift_slices": 0.0,
    "shift_mm": 0.0, "step_mm": 0.0, "bone_edge_mm2": 0.0, "body_edge_share": 0.0,
}  # fmt: skip
WHOLE = JointBlocks((0,), (0,), (0,), "bones")
THREE = JointBlocks((0,), (1,), (2,), "bones")
#: A good scan of today's age and an operation soon after.
ACQUIRED, OPERATION = "20260301T101500", "2026-05-01"


def block(
    *, spacing: tuple[float, float, float] = (0.6, 0.5, 0.5), shape: tuple[int, int, int] = (1400, 380, 380), low: float = 0.0,
    values: dict[str, float] | None = None, evidence: bool = True, **origin: Any,
) -> VolumeBlock:  # fmt: skip
    k, j, i = spacing
    affine = ((0.0, 0.0, i, 0.0), (0.0, j, 0.0, 0.0), (k, 0.0, 0.0, low), (0.0, 0.0, 0.0, 1.0))
    source = {"kernel": "B60", "slice_thickness_mm": k, "acquired": ACQUIRED, "patient_age_years": 55.0, **origin}
    said = ImageEvidence(1, tuple({**GOOD, **(values or {})}.items())) if evidence else None
    return VolumeBlock("sha256:0", affine, shape, SeriesOrigin("dicom", **source), said)


def three(**changes: Any) -> tuple[VolumeBlock, ...]:
    return tuple(block(shape=(300, 380, 380), low=low, **changes) for low in (700.0, 350.0, 0.0))


def judged(
    *blocks: VolumeBlock, joints: JointBlocks | None = WHOLE, legs: int = 1, operation: str | None = OPERATION
) -> ScanQuality:
    return judge_scan(Study(blocks), operation, legs, "2026-04-01", joints)


def found(quality: ScanQuality, name: str) -> Check:
    texts = load_texts("en", strict=True)
    for check in quality.checks:
        texts.check(check)  # every check has words that its values fill
    return next(check for check in quality.checks if check.id == name)


def ids(quality: ScanQuality) -> set[str]:
    return {check.id for check in quality.reasons}


def test_a_scan_by_the_protocol_is_green() -> None:
    quality = judged(block())
    assert ids(quality) == set()
    assert quality.light == "green"
    assert [check.id for check in quality.for_guide] == ["scan_allows_guide"]


@pytest.mark.parametrize(
    ("slice_mm", "status"), [(0.6, "pass"), (1.0, "pass"), (1.25, "warn"), (1.5, "warn"), (2.0, "fail"), (5.0, "fail")]
)
def test_slices_of_the_knee(slice_mm: float, status: str) -> None:
    quality = judged(block(spacing=(slice_mm, 0.5, 0.5), shape=(int(840 / slice_mm), 380, 380)))
    assert found(quality, "scan_slices_knee").status == status
    assert (quality.light == "red") == (status == "fail")
    assert ("scan_slices_knee" in {check.id for check in quality.for_guide}) == (status == "fail")


def test_hip_and_ankle_may_be_thicker_than_the_knee_and_each_is_told() -> None:
    _, knee, ankle = three()
    thick = [block(spacing=(3.0, 0.5, 0.5), shape=(60, 380, 380), low=low) for low in (700.0, 0.0)]
    quality = judged(thick[0], knee, thick[1], joints=THREE)
    assert found(quality, "scan_slices_hip").status == "pass"
    assert found(quality, "scan_slices_knee").value == 0.6
    thicker = block(spacing=(4.0, 0.5, 0.5), shape=(40, 380, 380), low=700.0)
    assert found(judged(thicker, knee, ankle, joints=THREE), "scan_slices_hip").status == "warn"


def test_thickness_counts_as_spacing_does_and_gaps_between_slices_are_told() -> None:
    smeared = judged(block(spacing=(0.8, 0.5, 0.5), slice_thickness_mm=2.0))
    assert found(smeared, "scan_slices_knee").status == "fail"
    gappy = judged(block(spacing=(1.0, 0.5, 0.5), slice_thickness_mm=0.7))
    assert found(gappy, "scan_increment") == Check("scan_increment", "warn", 0.3, 0.0)
    assert "scan_thickness_unknown" in ids(judged(block(slice_thickness_mm=None)))


@pytest.mark.parametrize(("pixel", "status"), [(0.7, "pass"), (0.8, "warn"), (1.0, "warn"), (1.6, "fail")])
def test_pixels(pixel: float, status: str) -> None:
    assert found(judged(block(spacing=(0.6, pixel, pixel))), "scan_pixel").status == status


def test_a_wide_field_harms_one_leg_only_by_its_pixels() -> None:
    assert found(judged(block(spacing=(0.6, 0.6, 0.6), shape=(1400, 512, 512))), "scan_field").status == "pass"
    wide = block(spacing=(0.6, 0.9, 0.9), shape=(1400, 512, 512))
    assert found(judged(wide), "scan_field").status == "warn"
    assert "scan_field" not in {check.id for check in judged(wide, legs=2).checks}


def test_bone_cut_at_the_side_forbids_a_guide_only_where_it_matters() -> None:
    tibia, fibula = BoneId(Side.LEFT, BoneName.TIBIA), BoneId(Side.LEFT, BoneName.FIBULA)
    for bone, number, light in ((tibia, 1, "red"), (fibula, 1, "amber"), (tibia, 2, "amber")):
        joints = replace(THREE, cut_beside=((bone, number),))
        quality = judged(*three(), joints=joints)
        check = found(quality, "scan_bone_cut")
        assert (quality.light, check.value) == (light, f"left {bone.bone}")
    unsegmented = judged(block(values={"bone_edge_mm2": 300.0}), joints=None)
    assert found(unsegmented, "scan_bone_at_edge").status == "warn"


@pytest.mark.parametrize(
    ("kernel", "name"),
    [("B60", "scan_kernel"), ("BONE", "scan_kernel"), ("B20f", "scan_kernel_soft"), ("", "scan_kernel_unstated"),
     ("homemade", "scan_kernel_unknown")],
)  # fmt: skip
def test_kernels(kernel: str, name: str) -> None:
    check = found(judged(block(kernel=kernel)), name)
    assert (check.status == "pass") == (name == "scan_kernel")


def test_lossy_compression_by_syntax_or_by_header() -> None:
    assert "scan_lossy" in ids(judged(block(transfer_syntax="1.2.840.10008.1.2.4.91", findings=(Finding("lossy", "warn"),))))
    assert "scan_lossy" in ids(judged(block(transfer_syntax="1.2.840.10008.1.2.4.81")))
    assert "scan_lossy" not in ids(judged(block(transfer_syntax="1.2.840.10008.1.2.4.90")))


def test_metal_warns_and_streaks_at_the_knee_forbid_a_guide() -> None:
    quiet = {"metal_mm3": 2500.0, "metal_dark_hu": -150.0}
    assert judged(block(values=quiet)).light == "amber"
    assert found(judged(block(values=quiet)), "scan_metal").value == 2.5
    loud = {"metal_mm3": 2500.0, "metal_dark_hu": -650.0}
    assert judged(block(values=loud)).light == "red"
    _, knee, ankle = three()
    at_hip = block(shape=(300, 380, 380), low=700.0, values=loud)
    assert judged(at_hip, knee, ankle, joints=THREE).light == "amber"


def test_motion() -> None:
    out_of_place = {"shift_slices": 1.0, "shift_mm": 40.0, "shift_z_mm": 315.0}
    quality = judged(block(values=out_of_place))
    assert (quality.light, found(quality, "scan_slice_displaced").status) == ("amber", "warn")
    for step, status in ((1.5, "warn"), (3.0, "fail")):
        assert found(judged(block(values={"step_mm": step, "step_z_mm": 100.0})), "scan_step").status == status


def test_the_hounsfield_scale() -> None:
    for values, status in (
        ({"air_hu": -960.0}, "pass"),
        ({"fat_hu": -60.0}, "warn"),
        ({"muscle_hu": 15.0}, "warn"),
        ({"air_hu": -800.0}, "warn"),
        ({"air_hu": 24.0}, "fail"),
    ):
        assert found(judged(block(values=values)), "scan_scale").status == status, values
    bare = tuple((name, value) for name, value in GOOD.items() if not name.endswith("_hu"))
    blind = replace(block(), evidence=ImageEvidence(1, bare))
    assert "scan_scale_unknown" in ids(judged(blind))
    assert found(judged(block(values={"noise_hu": 90.0})), "scan_noise").status == "warn"


def test_what_was_not_measured_is_said() -> None:
    assert ids(judged(block(evidence=False))) == {"scan_not_measured"}


def test_time_between_blocks() -> None:
    def at(*times: str) -> ScanQuality:
        timed = [replace(item, origin=replace(item.origin, acquired=time)) for item, time in zip(three(), times, strict=True)]
        return judged(*timed, joints=THREE)

    assert found(at("20260301T101500", "20260301T101600", "20260301T101755"), "scan_time_between_blocks").value == 115.0
    late = at("20260301T235930", "20260302T000200", "20260302T000210")
    assert found(late, "scan_time_between_blocks") == Check("scan_time_between_blocks", "warn", 150.0, 120.0)
    assert "scan_time_unknown" in ids(at("20260301", "20260301T101600", "20260301T101755"))


def test_blocks_that_share_no_bone_assume_immobility() -> None:
    assert found(judged(*three(), joints=THREE), "scan_immobility_assumed").value == 170.0
    overlapping = [block(shape=(600, 380, 380), low=low) for low in (660.0, 330.0, 0.0)]
    assert "scan_immobility_assumed" not in ids(judged(*overlapping, joints=THREE))


@pytest.mark.parametrize(
    ("operation", "name", "status"),
    [("2026-08-20", "scan_age", "pass"), ("2026-10-01", "scan_age", "warn"), ("2027-04-01", "scan_age", "fail"),
     ("2026-02-01", "scan_after_operation", "warn"), (None, "scan_age_today", "pass")],
)  # fmt: skip
def test_age_of_the_scan(operation: str | None, name: str, status: str) -> None:
    assert found(judged(block(), operation=operation), name).status == status


def test_an_old_scan_without_an_operation_date_warns_and_the_guide_does_not_depend_on_the_day() -> None:
    old = block(acquired="20050101")
    assert found(judged(old, operation=None), "scan_age_today").status == "warn"
    assert (
        judge_scan(Study((old,)), None, 1, "", WHOLE).checks
        == judge_scan(Study((block(acquired="20010101"),)), None, 1, "", WHOLE).checks
    )
    assert "scan_date_unknown" in ids(judged(block(acquired="")))


@pytest.mark.parametrize(("years", "status"), [(12.0, "fail"), (15.9, "fail"), (16.0, "warn"), (17.9, "warn"), (18.0, "pass")])
def test_growth_plates(years: float, status: str) -> None:
    assert found(judged(block(patient_age_years=years)), "scan_patient_age").status == status
    assert "scan_patient_age_unknown" in ids(judged(block(patient_age_years=None)))


def test_a_joint_out_of_view_is_told() -> None:
    no_ankle = judged(*three()[:2], joints=JointBlocks((0,), (1,), (), "bones"))
    assert found(no_ankle, "scan_joint_missing") == Check("scan_joint_missing", "warn", "ankle", None)
    assert judged(*three()[:1], joints=JointBlocks((0,), (), (), "bones")).light == "red"


def test_without_bones_blocks_are_known_by_position_or_not_at_all() -> None:
    assert joints_by_position((block(),)) == JointBlocks((0,), (0,), (0,), "position")
    upside = three()[::-1]
    assert joints_by_position(upside) == JointBlocks((2,), (1,), (0,), "position")
    lone = block(shape=(400, 380, 380), spacing=(1.2, 0.5, 0.5))
    assert joints_by_position((lone,)).known_by == "unknown"
    assert found(judged(lone, joints=None), "scan_slices_unknown").status == "warn"


# ---- what the bones of a leg add


def leg(**numbers: float | None) -> tuple[Landmarks, Measures]:
    values = {"knee_flexion": 2.0, "knee_rotation": -4.0, **numbers}
    items = {
        name: Measure(name, value, "none", "deg", 1, "not_measurable" if value is None else "ok")
        for name, value in values.items()
    }
    knee = LandmarkEstimate("tibial_knee_centre", np.array([0.0, 0.0, 420.0]), "auto")
    return Landmarks(Side.LEFT, MappingProxyType({knee.id: knee})), Measures(Side.LEFT, MappingProxyType(items))


def judged_leg(*blocks: VolumeBlock, overlaps: tuple[BlockOverlap, ...] = (), **numbers: float | None) -> ScanQuality:
    return judge_leg(Study(blocks), OPERATION, 1, "", WHOLE, *leg(**numbers), overlaps)


@pytest.mark.parametrize(
    ("numbers", "name", "acknowledge"),
    [({"knee_flexion": 6.0}, "scan_flexion", False), ({"knee_flexion": -6.0}, "scan_flexion", False),
     ({"knee_flexion": 12.0}, "scan_flexion_high", True), ({"knee_rotation": -18.0}, "scan_rotation", True),
     ({"knee_rotation": None}, "scan_pose_unknown", False)],
)  # fmt: skip
def test_the_pose_of_the_knee(numbers: dict[str, float | None], name: str, acknowledge: bool) -> None:
    quality = judged_leg(block(), **numbers)
    assert found(quality, name).status == "warn"
    assert (name in quality.to_acknowledge) == acknowledge
    assert judged_leg(block()).light == "green"


def test_shaft_in_view() -> None:
    for shape, name in (((1400, 380, 380), None), ((900, 380, 380), "scan_knee_in_view"), ((800, 380, 380), "scan_knee_short")):
        quality = judged_leg(block(shape=shape))
        assert ids(quality) == (set() if name is None else {name})


def test_bone_interpolated_where_a_guide_would_touch_forbids_it() -> None:
    for first, last, light in ((650, 652, "red"), (1000, 1002, "amber")):
        repair = Repair("missing_slices", stretches=((first, last),))
        quality = judged_leg(block(repairs=(repair,)))
        assert quality.light == light
        assert "scan_repaired" in ids(quality)


def test_overlapping_blocks_are_judged_by_the_bone_they_share() -> None:
    femur = (BoneId(Side.LEFT, BoneName.FEMUR),)
    good = BlockOverlap(0, 1, 40.0, femur, 0.2, 0.1, 0.1)
    assert found(judged_leg(block(), overlaps=(good,)), "scan_overlap").status == "pass"
    for moved in (replace(good, mm=1.4), replace(good, deg=0.8)):
        assert found(judged_leg(block(), overlaps=(good, moved)), "scan_overlap").status == "warn"
    assert "scan_overlap_unclear" in ids(judged_leg(block(), overlaps=(BlockOverlap(0, 1, 40.0),)))


# ---- joints by the bones


def labels(low: float, *bones: tuple[BoneName, float, float], height: int = 100, flip: bool = False) -> LabelMap:
    """A block of 1 mm slices from ``low`` up, with boxes of bone between heights."""
    array = np.zeros((height, 30, 40), dtype=np.uint16)
    z = low + np.arange(height)
    for bone, start, stop in bones:
        array[(z >= start) & (z <= stop), 10:20, 10:20] = label_code(BoneId(Side.RIGHT, bone))
    linear = np.array([[0.0, 0, 1], [0, 1, 0], [-1.0 if flip else 1.0, 0, 0]])
    place = np.array([0.0, 0.0, low + height - 1 if flip else low])
    return LabelMap(np.ascontiguousarray(array[::-1] if flip else array), Affine.from_parts(linear, place))


@pytest.mark.parametrize("flip", [False, True])
def test_joints_are_told_by_the_ends_of_the_bones(flip: bool) -> None:
    femur, tibia = (BoneName.FEMUR, 425.0, 860.0), (BoneName.TIBIA, 40.0, 420.0)
    hip, knee, ankle = (labels(low, femur, tibia, flip=flip) for low in (780.0, 370.0, 0.0))
    shaft = labels(600.0, femur, tibia, flip=flip)
    assert joints_by_bones(hip, shaft, knee, ankle) == JointBlocks((0,), (2,), (3,), "bones")
    assert joints_by_bones(knee) == JointBlocks((), (0,), (), "bones")
    whole = labels(0.0, femur, tibia, height=900, flip=flip)
    assert joints_by_bones(whole) == JointBlocks((0,), (0,), (0,), "bones")


def test_a_tibia_alone_shows_its_two_joints() -> None:
    tibia = labels(0.0, (BoneName.TIBIA, 40.0, 420.0), height=450)
    assert joints_by_bones(tibia) == JointBlocks((), (0,), (0,), "bones")
    cut = labels(60.0, (BoneName.TIBIA, 40.0, 420.0), height=300)
    assert joints_by_bones(cut) == JointBlocks((), (), (), "bones")


def test_overlapping_blocks_show_each_joint_once() -> None:
    femur, tibia = (BoneName.FEMUR, 425.0, 860.0), (BoneName.TIBIA, 40.0, 420.0)
    blocks = [labels(low, femur, tibia, height=350) for low in (560.0, 280.0, 0.0)]
    assert joints_by_bones(*blocks) == JointBlocks((0,), (1,), (2,), "bones")


def test_bone_at_the_side_is_told_with_its_block() -> None:
    item = labels(0.0, (BoneName.TIBIA, 40.0, 95.0))
    cut = item.array.copy()
    cut[50:90, 12:18, 20:40] = label_code(BoneId(Side.RIGHT, BoneName.TIBIA))
    joints = joints_by_bones(labels(200.0), LabelMap(cut, item.affine))
    assert joints.cut_beside == ((BoneId(Side.RIGHT, BoneName.TIBIA), 1),)
